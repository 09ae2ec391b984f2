"""Intervals that know which conflicts come from one merge: a rate, and the difference of two on the same conflicts.

Whoever resolves a merge resolves all of its conflicts, so a merge of thirty conflicts says less than thirty merges of
one, and a Wilson interval on conflicts is far too narrow. Here the merge is what is drawn: the spread is measured by
leaving out one merge after the other, and told as an *effective* number of conflicts, as many as would say the same if
each came from a merge of its own. Bounds for that number (Wilson's, Tango's, exact ones) then hold where resampling
alone collapses to a point: at 0 %, at 100 %, and with few merges. `benchmarks/intervals.py` compares the coverage.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from math import comb
from typing import TYPE_CHECKING, NamedTuple, TypedDict

if TYPE_CHECKING:
    import numpy as np

CONFIDENCE = 0.95
# Fewer discordant merges than this reach no p below 0.05, whichever way they fall: 2 · 0.5⁵ = 0.06.
FEWEST_DISCORDANT = 6
# Before any merge has told how alike its conflicts are, they are taken for one; a quarter of a merge's word for that.
PRIOR_MERGES = 0.25


class Rate(NamedTuple):
    """How many of `n` conflicts of `merges` merges, with the 95 % interval of the share; `merges` None: not known.

    `right` is no whole number where several answers to a conflict were counted: then it is their mean.

    >>> print(Rate(8, 10, 7, 0.49, 0.943))
    80.0 % (49.0–94.3), 10 conflicts of 7 merges
    >>> print(Rate(8, 10, None, 0.49, 0.943))
    80.0 % (49.0–94.3), 10 conflicts, merges unknown
    """

    right: float
    n: int
    merges: int | None
    low: float
    high: float

    @property
    def percent(self) -> str:
        """The share and its interval, in per cent."""
        if not self.n:
            return "–"
        return f"{100 * self.right / self.n:.1f} % ({100 * self.low:.1f}–{100 * self.high:.1f})"

    @property
    def size(self) -> str:
        """Of how much it is a share."""
        conflicts = f"{self.n:,} conflict{'s' * (self.n != 1)}"
        if self.merges is None:
            return f"{conflicts}, merges unknown"
        return f"{conflicts} of {self.merges:,} merge{'s' * (self.merges != 1)}"

    def __str__(self) -> str:
        return f"{self.percent}, {self.size}" if self.n else "–"


class Paired(TypedDict):
    """How one stands against another on the same conflicts."""

    n: int
    merges: int | None
    wins: int
    losses: int
    p: float  # exact, whole merges change sides
    diff: float  # of the rates, with its 95 % interval
    low: float
    high: float


def wilson(k: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson score interval of a share of `k` in `n` independent tries; (0, 1) where nothing was tried.

    An effective number of tries need not be whole.

    >>> low, high = wilson(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if not n:
        return 0.0, 1.0
    z = _quantile(confidence)
    share, shrink = k / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * (share * (1 - share) / n + (z / (2 * n)) ** 2) ** 0.5
    return max(centre - half, 0.0) if k > 0 else 0.0, min(centre + half, 1.0) if k < n else 1.0


def estimate(
    right: Sequence[float], groups: Sequence[Hashable] | None = None, conflicts: Sequence[Hashable] | None = None
) -> Rate:
    """How many are right, and a 95 % interval that holds where conflicts of one merge (of `groups`) are alike.

    Wilson's interval at the effective number of conflicts (Korn and Graubard, Survey Methodology 24, 1998, do the same
    with the exact one). It is the smaller of two: by the jackknife, which leaves out each merge in turn, and by Kish's
    formula with the correlation within merges (analysis of variance). A percentile bootstrap of merges is a point at 0
    and 100 %, and with 30 merges of uneven size it covers under 90 %. With one conflict a merge this is plain Wilson;
    without `groups`, each conflict counts as a merge of its own. Where conflicts were answered several times, `right`
    has a verdict an answer, and `conflicts` says to which each is: the share is that of the answers, whose likeness
    within merges counts as that of conflicts does. In place of a verdict may stand a chance from 0 to 1.

    >>> both = [True] * 8 + [False] * 2
    >>> estimate(both, range(10)).percent
    '80.0 % (49.0–94.3)'
    >>> estimate(both, "aaaabbbbcc").percent
    '80.0 % (27.5–97.7)'
    """
    import numpy as np

    values = np.asarray(right, dtype=float)
    if values.ndim != 1:
        raise ValueError("a rate needs one verdict a conflict, right or not, and not their number.")
    effective, merges = _effective(values, groups)
    share = float(values.mean()) if len(values) else 0.0
    low, high = wilson(share * effective, effective)
    n = len(values) if conflicts is None else len(set(conflicts))
    told = round(float(values.sum()) if conflicts is None else share * n, 6)
    return Rate(int(told) if told.is_integer() else told, n, merges, low, high)


def pass_at_k(n: int, c: int, k: int) -> float:
    """The chance that of `k` answers at least one is right, where `c` of `n` were: unbiased, 1 - C(n-c, k) / C(n, k).

    The estimator of Chen et al., Evaluating Large Language Models Trained on Code (2021), which came with HumanEval.

    >>> pass_at_k(4, 1, 1), pass_at_k(4, 1, 2), pass_at_k(4, 1, 4), pass_at_k(4, 0, 4)
    (0.25, 0.5, 1.0, 0.0)
    """
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"pass@{k} of {n} answers, {c} of them right, is not defined.")
    return 1 - comb(n - c, k) / comb(n, k)


def rate(right: Sequence[bool], groups: Sequence[Hashable] | None = None) -> str:
    """A rate as people read it: with its 95 % interval (`estimate`), and of how many conflicts and merges.

    >>> rate([True] * 8 + [False] * 2, "abcdefghij")
    '80.0 % (49.0–94.3), 10 conflicts of 10 merges'
    >>> rate([])
    '–'
    """
    return str(estimate(right, groups))


def paired(a: Sequence[bool], b: Sequence[bool], groups: Sequence[Hashable] | None = None) -> Paired:
    """How `a` stands against `b` on the same conflicts: wins, losses, exact p, and the difference with its interval.

    `p` is that of a sign test of whole merges: each merge (of `groups`) keeps its difference or changes sides, and all
    ways of doing so are counted; with one conflict a merge that is McNemar's exact test. The interval is Tango's score
    interval (Statistics in Medicine 17, 1998) at the effective number of conflicts, as in `estimate`; where fewer than
    six merges tell the two apart, it is the exact (Clopper-Pearson) bounds of wins and of losses, taken together.

    >>> r = paired([1, 1, 1, 0], [0, 0, 1, 0])
    >>> r["wins"], r["losses"], r["diff"], r["p"]
    (2, 0, 0.5, 0.5)
    >>> same = paired([1] * 20, [1] * 20)  # no difference was seen, and one of 17 points may be there
    >>> same["diff"], round(same["low"], 2), round(same["high"], 2)
    (0.0, -0.17, 0.17)
    """
    if len(a) != len(b):
        raise ValueError(f"paired() compares the same conflicts: got {len(a)} and {len(b)} of them.")
    import numpy as np

    x, y = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    wins, losses, n = int((x & ~y).sum()), int((~x & y).sum()), len(x)
    difference = x.astype(float) - y.astype(float)
    effective, merges = _effective(difference, groups)
    if not n:
        return {"n": 0, "merges": merges, "wins": 0, "losses": 0, "p": 1.0, "diff": 0.0, "low": -1.0, "high": 1.0}
    codes = np.arange(n) if groups is None else _codes(groups)
    per_merge = np.bincount(codes, difference).astype(int)
    discordant = np.bincount(codes, difference != 0)
    won, lost = wins / n * effective, losses / n * effective
    if (discordant > 0).sum() < FEWEST_DISCORDANT:
        (least_won, most_won), (least_lost, most_lost) = _exact(won, effective), _exact(lost, effective)
        low, high = least_won - most_lost, most_won - least_lost
    else:
        low, high = _tango(won, lost, effective)
    p, diff = _sign_test(per_merge), float(difference.mean())
    return {"n": n, "merges": merges, "wins": wins, "losses": losses, "p": p, "diff": diff, "low": low, "high": high}


# ---- how much a merge says


def _codes(groups: Sequence[Hashable]) -> np.ndarray:
    import numpy as np

    numbers: dict[Hashable, int] = {}
    return np.array([numbers.setdefault(group, len(numbers)) for group in groups], dtype=int)


def _effective(values: np.ndarray, groups: Sequence[Hashable] | None) -> tuple[float, int | None]:
    """How many independent conflicts would tell the mean of `values` as well as these do, and how many merges."""
    import numpy as np

    n = len(values)
    if groups is None:
        return float(n), None
    if len(groups) != n:
        raise ValueError(f"every conflict needs its merge: got {n} conflicts and {len(groups)} merges.")
    codes = _codes(groups)
    sizes = np.bincount(codes) if n else np.array([], dtype=int)
    merges = len(sizes)
    if merges in (0, n):
        return float(n), merges
    if merges == 1:  # nothing tells how merges differ
        return 1.0, 1
    sums, squares = np.bincount(codes, values), np.bincount(codes, values**2)
    mean = values.mean()
    off = sums - mean * sizes
    # the correlation within merges, as an analysis of variance has it
    between = (off**2 / sizes).sum() / (merges - 1)
    within = (squares - sums**2 / sizes).sum() / (n - merges)
    usual_size = (n - (sizes**2).sum() / n) / (merges - 1)
    spread = between + (usual_size - 1) * within
    alike = min(max((between - within) / spread, 0.0), 1.0) if spread > 0 else 0.0
    # only merges of several conflicts that are not all like most tell about it; few of them tell little
    several = sizes > 1
    telling = min(int((np.bincount(codes, values != value)[several] > 0).sum()) for value in np.unique(values))
    alike = (telling * alike + PRIOR_MERGES) / (telling + PRIOR_MERGES)
    by_kish = n**2 / (sizes * (1 + (sizes - 1) * alike)).sum()
    # what the mean does when a merge is left out, against what it would do if conflicts were left out one by one
    jackknife = ((off / (n - sizes)) ** 2).sum() * (merges - 1) / merges
    independent = values.var() / (n - 1)
    by_jackknife = n * independent / jackknife if jackknife > 0 else float(n)
    return float(np.clip(min(by_kish, by_jackknife), 1, n)), merges


# ---- bounds at a number of conflicts that need not be whole


def _quantile(confidence: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + confidence) / 2)


def _exact(k: float, n: float) -> tuple[float, float]:
    """The exact (Clopper-Pearson) 95 % interval of a share."""
    from scipy.stats import beta

    tail = (1 - CONFIDENCE) / 2
    low = float(beta.ppf(tail, k, n - k + 1)) if k > 0 else 0.0
    return low, float(beta.ppf(1 - tail, k + 1, n - k)) if k < n else 1.0


def _tango(won: float, lost: float, n: float) -> tuple[float, float]:
    """Tango's 95 % score interval of the difference of two paired shares: all that the score test does not reject."""
    from scipy.optimize import brentq

    squared = _quantile(CONFIDENCE) ** 2

    def rejected(delta: float) -> float:
        # the share of losses that fits best where the difference is `delta`
        b = (2 * n - won + lost) * delta - won - lost
        c = -lost * delta * (1 - delta)
        losses = (max(b * b - 8 * n * c, 0.0) ** 0.5 - b) / (4 * n)
        return (won - lost - n * delta) ** 2 - squared * n * (2 * losses + delta * (1 - delta))

    seen, aside = (won - lost) / n, 1e-9  # at -1 and 1 what was seen is itself a root
    low = brentq(rejected, -1, seen - aside) if seen - aside > -1 else -1.0
    return low, brentq(rejected, seen + aside, 1) if seen + aside < 1 else 1.0


def _sign_test(differences: np.ndarray) -> float:
    """How often a sum is as far from nothing as this one, where each difference may as well have the other sign."""
    import numpy as np
    from scipy.signal import fftconvolve
    from scipy.stats import binom

    sizes, counts = np.unique(np.abs(differences[differences != 0]), return_counts=True)
    ways = np.ones(1)  # of each sum, from the lowest
    for size, count in zip(sizes, counts, strict=True):
        steps = np.zeros(2 * size * count + 1)
        steps[:: 2 * size] = binom.pmf(np.arange(count + 1), count, 0.5)
        ways = steps if len(ways) == 1 else np.maximum(fftconvolve(ways, steps), 0)
    total, seen = len(ways) // 2, abs(int(differences.sum()))
    tails = ways[: total - seen + 1].sum() + ways[total + seen :].sum()
    return float(min(tails, 1.0)) if seen else 1.0
