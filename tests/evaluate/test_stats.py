"""Intervals hold where conflicts of one merge are alike, never shrink to a point, and are plain without merges."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from llmerge_helpers.evaluate import Rate, estimate, paired, pass_at_k, rate, wilson
from llmerge_helpers.evaluate.intervals import _sign_test


@pytest.mark.parametrize("k, n", [(17, 40), (0, 10), (10, 10), (1, 1), (3, 1000)])
def test_one_conflict_a_merge_is_plain_wilson(k, n):
    known = binomtest(k, n).proportion_ci(method="wilson")
    assert wilson(k, n) == pytest.approx((known.low, known.high), abs=1e-12)
    right = [True] * k + [False] * (n - k)
    for groups in (None, range(n), [f"merge {i}" for i in range(n)]):
        found = estimate(right, groups)
        assert (found.low, found.high) == pytest.approx((known.low, known.high), abs=1e-12)


def test_nothing_tried_is_everything_possible():
    assert wilson(0, 0) == (0, 1)
    assert estimate([], []) == (0, 0, 0, 0, 1) and rate([]) == rate([], []) == "–"


def test_a_rate_says_of_how_much():
    right = [True] * 8 + [False] * 2
    assert rate(right).endswith(", 10 conflicts, merges unknown")
    assert rate(right, "aaabbcddee").endswith(", 10 conflicts of 5 merges")
    assert rate([True], ["a"]).endswith(", 1 conflict of 1 merge")
    assert rate([True] * 2000, range(2000)).endswith(", 2,000 conflicts of 2,000 merges")


@pytest.mark.parametrize("right", [[0] * 40, [1] * 40], ids=["none", "all"])
def test_none_and_all_are_told_by_merges_and_never_a_point(right):
    """Forty conflicts of four merges say what four do."""
    found, four = estimate(right, [i // 10 for i in range(40)]), wilson(4 * right[0], 4)
    assert (found.low, found.high) == pytest.approx(four)
    one = estimate(right, ["m"] * 40)
    assert one.high - one.low > 0.79


def test_more_alike_is_wider_and_a_giant_counts_little():
    right = [True, False] * 30
    alternating, blocks = [i // 2 for i in range(60)], [10 * (i % 2) + i // 6 for i in range(60)]
    wide, narrow = estimate(right, blocks), estimate(right, alternating)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)
    giant = estimate([True] * 1000 + [False] * 10, [0] * 1000 + list(range(1, 11)))
    assert giant.low < 0.3  # plain Wilson says 98 to 99 %


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=1, max_size=40))
def test_what_holds_for_all_groupings(drawn):
    right, other, groups = zip(*drawn, strict=True)
    found, turned = estimate(right, groups), estimate([not each for each in right], groups)
    assert 0 <= found.low <= found.right / found.n <= found.high <= 1 and found.high - found.low > 1e-3
    assert (turned.low, turned.high) == pytest.approx((1 - found.high, 1 - found.low))
    assert found == pytest.approx(estimate(right[::-1], [f"m{each}" for each in groups[::-1]]))
    plain = wilson(found.right, found.n)
    assert found.high - found.low >= plain[1] - plain[0] - 1e-9
    a, b = paired(right, other, groups), paired(other, right, groups)
    assert -1 <= a["low"] <= a["diff"] <= a["high"] <= 1 and a["high"] - a["low"] > 1e-3
    assert (b["low"], b["high"], b["p"]) == pytest.approx((-a["high"], -a["low"], a["p"]))


def test_a_rate_needs_verdicts_and_a_merge_for_each():
    with pytest.raises(ValueError, match="one verdict a conflict"):
        rate(8)
    with pytest.raises(ValueError, match="got 2 conflicts and 1 merges"):
        rate([True, False], ["a"])


# ---- coverage: how often the interval holds the truth


def conflicts(random, merges, share, alike):
    """Merges of 1 to 30 conflicts, most of one, each with a rate of its own."""
    weights = np.arange(1, 31) ** -1.3
    sizes = random.choice(np.arange(1, 31), merges, p=weights / weights.sum())
    strength = (1 - alike) / alike
    own = random.beta(share * strength, (1 - share) * strength, merges)
    groups = np.repeat(np.arange(merges), sizes)
    return random.random(len(groups)) < own[groups], groups


@pytest.mark.parametrize("merges", [10, 30, 100, 300])
def test_95_per_cent_is_95_per_cent(merges):
    """Of 1,080 drawn data sets whose truth is known; plain Wilson, which takes conflicts for independent, fails."""
    random, held, plain = np.random.default_rng(merges), [], []
    for share, alike, _ in itertools.product((0.1, 0.3, 0.5, 0.9), (0.2, 0.35, 0.5), range(90)):
        right, groups = conflicts(random, merges, share, alike)
        found, without = estimate(right, groups), wilson(int(right.sum()), len(right))
        held.append(found.low <= share <= found.high)
        plain.append(without[0] <= share <= without[1])
    assert 0.93 <= np.mean(held) <= 0.97
    assert np.mean(plain) < 0.75


@pytest.mark.parametrize("win, loss", [(0.02, 0.02), (0.1, 0.1), (0.3, 0.1)])
def test_95_per_cent_of_differences_are_95_per_cent(win, loss):
    """At least: where hardly any conflict tells two models apart, the exact bound holds more often than it has to."""
    random, held, plain = np.random.default_rng(0), [], []
    for alike, _ in itertools.product((0.2, 0.5), range(120)):
        strength = (1 - alike) / alike
        own = random.dirichlet(np.array([win, loss, 1 - win - loss]) * strength, 40)
        _, groups = conflicts(random, 40, 0.5, 0.5)
        drawn = random.random(len(groups))
        won, neither = drawn < own[groups, 0], drawn >= own[groups, :2].sum(axis=1)
        lost = ~won & ~neither
        found, without = paired(won, lost, groups), paired(won, lost)
        held.append(found["low"] <= win - loss <= found["high"])
        plain.append(without["low"] <= win - loss <= without["high"])
    assert np.mean(held) >= 0.93
    assert np.mean(plain) < 0.85


def test_thousands_of_conflicts_take_no_time():
    right, groups = conflicts(np.random.default_rng(0), 1500, 0.5, 0.3)
    names = [f"{each:040x}" for each in groups]
    paired(right, ~right, names)  # what is imported once
    start = time.process_time()
    estimate(right, names)
    paired(right, ~right, names)
    assert len(right) > 5000 and time.process_time() - start < 0.1


# ---- pairs


def test_one_conflict_a_merge_is_mcnemar():
    a = [True] * 30 + [False] * 10
    b = [True] * 20 + [False] * 20
    result = paired(a, b)
    assert (result["n"], result["merges"], result["wins"], result["losses"]) == (40, None, 10, 0)
    assert result["p"] == pytest.approx(2 * 0.5**10)
    assert result["low"] <= result["diff"] == 0.25 <= result["high"]
    for wins, losses in ((5, 1), (30, 17), (4, 4), (0, 9)):
        a, b = [1] * wins + [0] * losses, [0] * wins + [1] * losses
        assert paired(a, b, range(len(a)))["p"] == pytest.approx(binomtest(wins, wins + losses).pvalue)


def test_nothing_to_compare_and_what_cannot_be():
    assert paired([], [])["p"] == 1.0 and paired([], [], [])["merges"] == 0
    with pytest.raises(ValueError, match="same conflicts"):
        paired([True], [])


@pytest.mark.parametrize("differences", [[3, -1, 2, 2, -1, 5, 1], [1, 1, 0, -4], [10, 0, 0], [2, -2], [0], [7, 5, 3]])
def test_whole_merges_change_sides(differences):
    """Against all ways of giving each merge its difference or the other sign."""
    signs = itertools.product((1, -1), repeat=len(differences))
    sums = [abs(sum(s * d for s, d in zip(each, differences, strict=True))) for each in signs]
    known = np.mean([each >= abs(sum(differences)) for each in sums])
    assert _sign_test(np.array(differences)) == pytest.approx(known)


def test_ten_wins_of_one_merge_are_one():
    a, b, groups = [1] * 10 + [0] * 20, [0] * 30, ["m"] * 10 + [f"m{i}" for i in range(20)]
    alone, together = paired(a, b), paired(a, b, groups)
    assert alone["p"] < 0.01 < 0.99 < together["p"]
    assert together["low"] < 0 < alone["low"] and together["diff"] == alone["diff"]


@pytest.mark.parametrize("n", [5, 20, 200])
def test_no_difference_seen_is_an_exact_bound(n):
    bound = 1 - 0.025 ** (1 / n)
    for groups, right in ((None, [1] * n), ([i // 7 for i in range(7 * n)], [1, 0, 1, 1, 0, 0, 1] * n)):
        found = paired(right, right, groups)
        assert (found["low"], found["diff"], found["high"]) == pytest.approx((-bound, 0, bound))


def test_few_discordant_pairs_give_the_exact_bounds_of_wins_and_losses():
    found = paired([1, 1] + [0] * 48, [0] * 50)
    exact = binomtest(2, 50).proportion_ci(method="exact")
    nothing = 1 - 0.025 ** (1 / 50)
    assert (found["low"], found["high"]) == pytest.approx((exact.low - nothing, exact.high))


def test_tangos_interval_is_what_his_test_does_not_reject():
    """Against all differences that his score test does not reject, on a grid."""
    wins, losses, n = 12, 2, 44
    found = paired([1] * wins + [0] * (n - wins), [0] * wins + [1] * losses + [0] * (n - wins - losses))
    inside = []
    for delta in np.linspace(-0.999, 0.999, 20001):
        b, c = -wins - losses + (2 * n - wins + losses) * delta, -losses * delta * (1 - delta)
        q = (np.sqrt(b * b - 8 * n * c) - b) / (4 * n)
        if abs(wins - losses - n * delta) <= 1.959964 * np.sqrt(n * (2 * q + delta * (1 - delta))):
            inside.append(delta)
    assert (found["low"], found["high"]) == pytest.approx((min(inside), max(inside)), abs=2e-4)


def test_a_rate_reads_as_pairs_do():
    """(right, n) come first, as `plots.rates` has always taken them."""
    assert estimate([True, False], "ab")[:2] == (1, 2) and isinstance(estimate([True]), Rate)


@given(st.lists(st.booleans(), min_size=1, max_size=7), st.integers(1, 7))
def test_pass_at_k_is_the_mean_over_all_draws_of_k(right, k):
    n, c = len(right), sum(right)
    if k > n:
        with pytest.raises(ValueError, match="not defined"):
            pass_at_k(n, c, k)
        return
    draws = list(itertools.combinations(right, k))
    assert pass_at_k(n, c, k) == pytest.approx(sum(map(any, draws)) / len(draws))


def test_answers_to_one_conflict_count_by_conflict():
    found = estimate([1, 0, 1, 1], "mmnn", "aabb")
    assert (found.right, found.n, found.merges) == (1.5, 2, 2) and found.percent.startswith("75.0 %")
    assert str(found).endswith("2 conflicts of 2 merges")
    assert estimate([0.25, 0.75], "ab").right == 1
