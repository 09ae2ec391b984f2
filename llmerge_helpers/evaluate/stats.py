"""Intervals and paired tests, so that no rate is shown without what it is worth."""

from __future__ import annotations

from collections.abc import Sequence


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a rate of `k` in `n`; (0, 1) where nothing was tried.

    >>> low, high = wilson(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if not n:
        return 0.0, 1.0
    from scipy.stats import binomtest

    interval = binomtest(int(k), int(n)).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def rate(k: int, n: int) -> str:
    """A rate as people read it, with its 95 % interval.

    >>> rate(8, 10)
    '80.0 % (49.0–94.3)'
    >>> rate(0, 0)
    '–'
    """
    if not n:
        return "–"
    low, high = wilson(k, n)
    return f"{100 * k / n:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def paired(a: Sequence[bool], b: Sequence[bool], seed: int = 0) -> dict[str, float]:
    """How `a` stands against `b` on the same conflicts: wins, losses, exact McNemar p, difference with 95 % interval.

    The interval is a percentile bootstrap over conflicts.

    >>> r = paired([1, 1, 1, 0], [0, 0, 1, 0])
    >>> r["wins"], r["losses"], r["diff"], r["p"]
    (2, 0, 0.5, 0.5)
    """
    if len(a) != len(b):
        raise ValueError(f"paired() compares the same conflicts: got {len(a)} and {len(b)} of them.")
    import numpy as np
    from scipy.stats import binomtest

    x, y = np.asarray(a, dtype=bool), np.asarray(b, dtype=bool)
    wins, losses = int((x & ~y).sum()), int((~x & y).sum())
    p = float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
    difference = x.astype(float) - y.astype(float)
    if len(difference) == 0:
        return {"wins": 0, "losses": 0, "p": 1.0, "diff": 0.0, "low": 0.0, "high": 0.0}
    draws = np.random.default_rng(seed).integers(0, len(difference), (2000, len(difference)))
    low, high = np.quantile(difference[draws].mean(axis=1), [0.025, 0.975])
    diff = float(difference.mean())
    return {"wins": wins, "losses": losses, "p": p, "diff": diff, "low": float(low), "high": float(high)}
