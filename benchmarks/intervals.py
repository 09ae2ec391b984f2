"""How often a 95 % interval holds the truth, where conflicts of one merge are alike.

    python benchmarks/intervals.py [--draws 1000]

Draws data sets whose truth is known: merges of 1 to 30 conflicts (most have one, few have many), and in each merge a
rate of its own (beta-binomial), or odds of its own for a win and a loss (Dirichlet-multinomial). Prints the mean
coverage over rates from 0.1 to 0.9, correlations from 0.2 to 0.5 and two shapes of tail, and the lowest of them in
brackets, for `evaluate.rate` and for what else is in use; then the same for the difference of two models on the same
conflicts, and how often two models that are alike are called different.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import numpy as np

from llmerge_helpers.evaluate import estimate, paired, wilson

MERGES = (5, 10, 30, 100, 300)
RATES = (0.1, 0.3, 0.5, 0.9)
ALIKE = (0.2, 0.35, 0.5)  # correlation of two conflicts of one merge
TAILS = (1.0, 1.5)  # a merge of m conflicts is drawn with weight m ** -tail
ODDS = ((0.02, 0.02), (0.1, 0.02), (0.1, 0.1), (0.3, 0.1), (0.5, 0.05))  # of a win and a loss
RESAMPLES = 400

Bounds = tuple[float, float]


def sizes(random: np.random.Generator, merges: int, tail: float) -> np.ndarray:
    weights = np.arange(1, 31) ** -tail
    return random.choice(np.arange(1, 31), merges, p=weights / weights.sum())


def conflicts(random: np.random.Generator, merges: int, share: float, alike: float, tail: float = 1.5):
    """Which conflicts are right, and the merge of each."""
    size = sizes(random, merges, tail)
    strength = (1 - alike) / alike
    own = random.beta(share * strength, (1 - share) * strength, merges)
    groups = np.repeat(np.arange(merges), size)
    return random.random(len(groups)) < own[groups], groups


def twice(random: np.random.Generator, merges: int, win: float, loss: float, alike: float, tail: float = 1.5):
    """Which conflicts one model and another got right, and the merge of each."""
    strength = (1 - alike) / alike
    own = random.dirichlet(np.array([win, loss, 1 - win - loss]) * strength, merges)
    groups = np.repeat(np.arange(merges), sizes(random, merges, tail))
    drawn, odds = random.random(len(groups)), own[groups]
    won, lost = drawn < odds[:, 0], (drawn >= odds[:, 0]) & (drawn < odds[:, 0] + odds[:, 1])
    return won, lost, groups


# ---- what else is in use


def resampled(values: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The mean of each resample of whole merges, and its standard error there."""
    count, total = np.bincount(groups), np.bincount(groups, values)
    drawn = random.integers(0, len(count), (RESAMPLES, len(count)))
    n, k = count[drawn], total[drawn]
    means = k.sum(axis=1) / n.sum(axis=1)
    errors = np.sqrt(((k - means[:, None] * n) ** 2).sum(axis=1)) / n.sum(axis=1)
    return means, errors


def percentile(values: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> Bounds:
    low, high = np.quantile(resampled(values, groups, random)[0], [0.025, 0.975])
    return low, high


def studentized(values: np.ndarray, groups: np.ndarray, random: np.random.Generator) -> Bounds:
    means, errors = resampled(values, groups, random)
    mean = values.mean()
    error = np.sqrt((np.bincount(groups, values - mean) ** 2).sum()) / len(values)
    low, high = np.quantile((means - mean) / np.maximum(errors, 1e-9), [0.025, 0.975])
    return float(np.clip(mean - high * error, -1, 1)), float(np.clip(mean - low * error, -1, 1))


def table(title: str, cells: Callable, methods: dict[str, Callable], draws: int) -> None:
    print(f"\n| {title} | " + " | ".join(f"{merges} merges" for merges in MERGES) + " |")
    print("|---" * (len(MERGES) + 1) + "|")
    covered: dict[str, list[str]] = {name: [] for name in methods}
    for merges in MERGES:
        found = []
        for number, (truth, draw) in enumerate(cells(merges)):
            random = np.random.default_rng([merges, number])
            hits = dict.fromkeys(methods, 0)
            for _ in range(draws):
                data = draw(random)
                for name, method in methods.items():
                    low, high = method(*data, random)
                    hits[name] += low - 1e-12 <= truth <= high + 1e-12
            found.append({name: count / draws for name, count in hits.items()})
        for name in methods:
            each = [cell[name] for cell in found]
            covered[name].append(f"{100 * np.mean(each):.1f} ({100 * min(each):.1f})")
    for name, line in covered.items():
        print(f"| {name} | " + " | ".join(line) + " |")


def rates(merges: int):
    for share, alike, tail in itertools.product(RATES, ALIKE, TAILS):
        yield share, lambda random, given=(share, alike, tail): conflicts(random, merges, *given)


def differences(merges: int):
    for (win, loss), alike in itertools.product(ODDS, (ALIKE[0], ALIKE[-1])):
        yield win - loss, lambda random, given=(win, loss, alike): twice(random, merges, *given)


def bounds(found) -> Bounds:
    return (found["low"], found["high"]) if isinstance(found, dict) else (found.low, found.high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="data sets for each of the settings")
    draws = parser.parse_args().draws
    table(
        "a rate",
        rates,
        {
            "Wilson, on conflicts": lambda right, groups, random: wilson(int(right.sum()), len(right)),
            "bootstrap of merges, percentile": percentile,
            "bootstrap of merges, studentized": studentized,
            "**`rate`**": lambda right, groups, random: bounds(estimate(right, groups)),
        },
        draws,
    )
    table(
        "a difference",
        differences,
        {
            "bootstrap of conflicts, percentile": lambda won, lost, groups, random: percentile(
                won * 1.0 - lost, np.arange(len(won)), random
            ),
            "bootstrap of merges, percentile": lambda won, lost, groups, random: percentile(
                won * 1.0 - lost, groups, random
            ),
            "**`paired`**": lambda won, lost, groups, random: bounds(paired(won, lost, groups)),
        },
        draws // 2,
    )
    print("\nTwo models that are alike are called different (p < 0.05) in so many per cent:")
    for merges in MERGES[1:4]:
        random, conflictwise, mergewise = np.random.default_rng(merges), 0, 0
        for _ in range(draws):
            won, lost, groups = twice(random, merges, 0.15, 0.15, 0.3)
            conflictwise += paired(won, lost)["p"] < 0.05
            mergewise += paired(won, lost, groups)["p"] < 0.05
        print(f"{merges} merges: McNemar {100 * conflictwise / draws:.1f}, `paired` {100 * mergewise / draws:.1f}")
    right, groups = conflicts(np.random.default_rng(0), 1000, 0.5, 0.3)
    start = time.perf_counter()
    estimate(right, groups)
    middle = time.perf_counter()
    paired(right, ~right, groups)
    end = time.perf_counter()
    print(f"\n{len(right):,} conflicts: rate {1000 * (middle - start):.1f} ms, paired {1000 * (end - middle):.1f} ms.")


if __name__ == "__main__":
    main()
