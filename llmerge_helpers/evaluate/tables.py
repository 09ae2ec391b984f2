"""Tables of a measurement: rates with intervals, paired comparisons, verdicts side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.verdict import MATCH_TYPES

if TYPE_CHECKING:
    import pandas as pd


class Paired(TypedDict):
    """How one stands against another on the same conflicts."""

    wins: int
    losses: int
    p: float  # exact McNemar test
    diff: float  # of the rates, with its 95 % interval
    low: float
    high: float


class Comparison(Paired):
    """The same with the two names, and the conflicts that only one of them got right."""

    better: str
    than: str
    won: list[str]
    lost: list[str]


def summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One line a model or baseline, all on the same conflicts: rates with 95 % Wilson intervals."""
    import pandas as pd

    _same_rows(tables)
    lines = []
    for name, table in tables.items():
        n, answered = len(table), int(table["answered"].sum())
        lines.append(
            {
                "name": name,
                "n": n,
                "exact": rate(int((table["match_type"] == "exact_match").sum()), n),
                "correct": rate(int(table["is_correct"].sum()), n),
                "answers": rate(answered, n),
                "correct when it answers": rate(int(table["is_correct"].sum()), answered),
                "think, then one block": rate(int(table["format"].sum()), n),
            }
        )
    return pd.DataFrame(lines).set_index("name")


def right(tables: Mapping[str, pd.DataFrame], first: str = "") -> dict[str, tuple[int, int]]:
    """(right answers, conflicts) by name, `first` in front, as `plots.rates` takes them."""
    names = [first, *(name for name in tables if name != first)] if first else list(tables)
    return {name: (int(tables[name]["is_correct"].sum()), len(tables[name])) for name in names}


def verdicts(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How many conflicts got which verdict, a column a model."""
    import pandas as pd

    counts = {name: table["match_type"].value_counts() for name, table in tables.items()}
    return pd.DataFrame(counts).reindex(MATCH_TYPES).fillna(0).astype(int)


def compare(tables: Mapping[str, pd.DataFrame], better: str, than: str) -> Comparison:
    """`better` against `than` on the same conflicts: the paired figures, and which conflicts were won and lost."""
    _same_rows({k: tables[k] for k in (better, than)})
    a, b = tables[better]["is_correct"].tolist(), tables[than]["is_correct"].tolist()
    ids = tables[better]["id"].tolist()
    won = [i for i, x, y in zip(ids, a, b, strict=True) if x and not y]
    lost = [i for i, x, y in zip(ids, a, b, strict=True) if y and not x]
    return {"better": better, "than": than, **paired(a, b), "won": won, "lost": lost}


def comparisons(tables: Mapping[str, pd.DataFrame], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Paired comparisons, a line each: wins, losses, exact McNemar p, difference with its 95 % bootstrap interval."""
    import pandas as pd

    lines = []
    for better, than in pairs:
        found = compare(tables, better, than)
        difference = f"{100 * found['diff']:+.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
        lines.append(
            {"comparison": f"{better} against {than}", "wins": found["wins"], "losses": found["losses"],
             "difference in points": difference, "p": round(found["p"], 3)}
        )  # fmt: skip
    return pd.DataFrame(lines).set_index("comparison")


def side_by_side(tables: Mapping[str, pd.DataFrame], n: int = 3) -> pd.DataFrame:
    """The verdicts on the first conflicts, a column a model; who that was is said where the table knows."""
    import pandas as pd

    _same_rows(tables)
    columns = {
        _label(name, table.head(n)): table["match_type"].str.replace("_", " ").head(n).tolist()
        for name, table in tables.items()
    }
    index = pd.Index(next(iter(tables.values()))["id"].head(n).tolist(), name="conflict")
    return pd.DataFrame(columns, index=index)


def _same_rows(tables: Mapping[str, pd.DataFrame]) -> None:
    # in the same order, too: pairs are made by position
    ids = {name: table["id"].tolist() for name, table in tables.items()}
    first = next(iter(ids.values()), [])
    for name, found in ids.items():
        if found != first:
            raise LlmergeError(f"{name} was evaluated on other conflicts than the rest: evaluate all on the same rows.")


def _label(name: str, table: pd.DataFrame) -> str:
    """The name, and in brackets the model that answered.

    >>> import pandas as pd
    >>> _label("teacher", pd.DataFrame({"model": ["deepseek-chat", "deepseek-chat"]}))
    'teacher (deepseek-chat)'
    """
    found = [model for model in dict.fromkeys(table.get("model", ())) if model]
    return f"{name} ({', '.join(found)})" if found else name


# ---- intervals


def wilson(k: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a rate of `k` in `n`; (0, 1) where nothing was tried.

    >>> low, high = wilson(8, 10)
    >>> round(low, 3), round(high, 3)
    (0.49, 0.943)
    """
    if not n:  # scipy refuses to divide by nothing
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


def paired(a: Sequence[bool], b: Sequence[bool], seed: int = 0) -> Paired:
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
    if len(difference) == 0:  # nothing to draw from
        return {"wins": 0, "losses": 0, "p": 1.0, "diff": 0.0, "low": 0.0, "high": 0.0}
    draws = np.random.default_rng(seed).integers(0, len(difference), (2000, len(difference)))
    low, high = np.quantile(difference[draws].mean(axis=1), [0.025, 0.975])
    diff = float(difference.mean())
    return {"wins": wins, "losses": losses, "p": p, "diff": diff, "low": float(low), "high": float(high)}
