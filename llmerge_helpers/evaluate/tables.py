"""Tables of a measurement: rates with intervals, paired comparisons, verdicts side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate.intervals import Paired, Rate, estimate, paired
from llmerge_helpers.verdict import MATCH_TYPES

if TYPE_CHECKING:
    import pandas as pd

    from llmerge_helpers.conflicts import Row


class Comparison(Paired):
    """The same with the two names, and the conflicts that only one of them got right."""

    better: str
    than: str
    won: list[str]
    lost: list[str]


def merges_of(rows: pd.DataFrame | Sequence[Row]) -> list[str]:
    """The merge that each row comes from, as `estimate` and `paired` take it: its `merge_commit`, else its `id`.

    A row that names neither, as some data sets of others, is a merge of its own.

    >>> merges_of([{"merge_commit": "1f3a", "id": "a"}, {"merge_commit": "1f3a"}, {"id": "b"}, {}])
    ['merge 1f3a', 'merge 1f3a', 'conflict b', 'conflict #3']
    """
    if hasattr(rows, "columns"):  # a table: of it only what is needed
        kept = rows[[name for name in ("merge_commit", "id") if name in rows]].astype(object)
        rows = kept.where(kept.notna(), "").to_dict("records")
    return [
        f"merge {row['merge_commit']}" if row.get("merge_commit") else f"conflict {row.get('id') or f'#{i}'}"
        for i, row in enumerate(rows)
    ]


def rate_of(table: pd.DataFrame, right: Sequence[bool]) -> Rate:
    """The rate of the verdicts `right` on the lines of `table`, with an interval that knows their merges."""
    merges = merges_of(table)
    found = estimate(right, merges)
    return found._replace(merges=_named(found.merges, merges))


def _named(count: int | None, merges: Sequence[str]) -> int | None:
    """The count of merges, or None where no row says which merge it is of."""
    return count if not merges or any(merge.startswith("merge ") for merge in merges) else None


def summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One line a model or baseline, all on the same conflicts: rates with 95 % intervals that know their merges.

    `merges` is "unknown" where the data set names none; each conflict then counts as a merge of its own. A rate of
    fewer conflicts than all says how many: where some merges have one parent's tree, there is one without them.
    """
    import pandas as pd

    _same_rows(tables)
    lines = []
    for name, table in tables.items():
        decided = table[table["decided"].astype(bool)] if "decided" in table else table
        sure = rate_of(decided, decided["is_correct"])
        correct, replied = rate_of(table, table["is_correct"]), table[table["answered"].astype(bool)]
        when = rate_of(replied, replied["is_correct"])
        lines.append(
            {
                "name": name,
                "n": correct.n,
                "merges": "unknown" if correct.merges is None else correct.merges,
                "exact": rate_of(table, table["match_type"] == "exact_match").percent,
                "correct": correct.percent,
                **({"correct, decided conflicts": _of_fewer(sure)} if 0 < sure.n < correct.n else {}),
                "answers": rate_of(table, table["answered"]).percent,
                "correct when it answers": _of_fewer(when) if 0 < when.n < correct.n else when.percent,
                "think, then one block": rate_of(table, table["format"]).percent,
            }
        )
    return pd.DataFrame(lines).set_index("name")


def _of_fewer(rate: Rate) -> str:
    # pandas cuts a cell after 50 characters
    merges = "" if rate.merges is None else f" of {rate.merges:,} merges"
    return f"{rate.percent}, n = {rate.n:,}{merges}"


def right(tables: Mapping[str, pd.DataFrame], first: str = "") -> dict[str, Rate]:
    """The rate of right answers by name, `first` in front, as `plots.rates` takes them."""
    names = [first, *(name for name in tables if name != first)] if first else list(tables)
    return {name: rate_of(tables[name], tables[name]["is_correct"]) for name in names}


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
    merges = merges_of(tables[better])
    found = paired(a, b, merges)
    found["merges"] = _named(found["merges"], merges)
    return {"better": better, "than": than, **found, "won": won, "lost": lost}


def comparisons(tables: Mapping[str, pd.DataFrame], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Paired comparisons, a line each: of how much, wins, losses, the difference with its 95 % interval, and exact p.

    Both know which conflicts are of one merge: `paired` says how.
    """
    import pandas as pd

    lines = []
    for better, than in pairs:
        found = compare(tables, better, than)
        difference = f"{100 * found['diff']:+.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
        lines.append(
            {"comparison": f"{better} against {than}", "n": found["n"],
             "merges": "unknown" if found["merges"] is None else found["merges"],
             "wins": found["wins"], "losses": found["losses"],
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
