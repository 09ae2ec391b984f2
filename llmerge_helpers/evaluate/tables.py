"""Tables of a measurement: rates with intervals, paired comparisons, verdicts side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate.intervals import Paired, Rate, estimate, paired, pass_at_k
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
    """The rate of the verdicts `right` on the lines of `table`, with an interval that knows their merges.

    Of several answers to a conflict that is their mean, pass@1; where conflicts have different numbers of answers
    (drawn until one was right, or stopped at a cap), the first of each counts, since the others tell only of some.
    """
    import numpy as np

    used = _counts(table)
    part = table[used]
    merges = merges_of(part)
    found = estimate(np.asarray(right, dtype=float)[used], merges, _conflicts(part))
    return found._replace(merges=_named(found.merges, merges))


def pass_rates(table: pd.DataFrame) -> dict[str, Rate]:
    """The rate of right answers by how many are drawn: `pass@1`, and `pass@4` where conflicts got up to four answers.

    By `pass_at_k`. A conflict that got fewer answers than that counts by those it has: drawing ended because one was
    right, or a cap on the cost ended it, and then the rate is the least that it can be.
    """
    found = {"pass@1": rate_of(table, table["is_correct"])}
    if (k := samples_of(table)) > 1:
        by = table.assign(conflict=_conflicts(table)).groupby("conflict", sort=False)
        counts = by["is_correct"].agg(["size", "sum"]).astype(int)
        firsts = by.head(1)
        chances = [pass_at_k(max(n, k), c, k) for n, c in zip(counts["size"], counts["sum"], strict=True)]
        merges = merges_of(firsts)
        rate = estimate(chances, merges)
        found[f"pass@{k}"] = rate._replace(merges=_named(rate.merges, merges))
    return found


def samples_of(table: pd.DataFrame) -> int:
    """The most answers that a conflict of `table` got."""
    return int(table.groupby(_conflicts(table)).size().max()) if len(table) and "sample" in table else 1


def in_words(table: pd.DataFrame) -> str:
    """The rate of right answers as one sentence, whatever number of answers each conflict got.

    >>> import pandas as pd
    >>> in_words(pd.DataFrame({"id": ["a", "b"], "merge_commit": ["m", "n"], "is_correct": [True, False]}))
    '1 of 2 conflicts got a right answer: 50.0 % (9.5–90.5), 2 conflicts of 2 merges'
    >>> twice = pd.DataFrame({"id": list("aabb"), "merge_commit": list("mmnn"), "sample": [0, 1] * 2})
    >>> in_words(twice.assign(is_correct=[True, False, False, False]))
    '1 of 2 conflicts got a right answer. pass@1: 25.0 % (4.0–72.8); pass@2: 50.0 % (9.5–90.5); 2 conflicts of 2 merges'
    """
    rates = pass_rates(table)
    solved = list(rates.values())[-1]
    told = f"{solved.right:,} of {solved.n:,} conflict{'s' * (solved.n != 1)} got a right answer"
    if len(rates) == 1:
        told = f"{told}: {solved}"
    else:
        told = f"{told}. {'; '.join([*(f'{name}: {r.percent}' for name, r in rates.items()), solved.size])}"
    failed = int((table["match_type"] == "failed").sum()) if "match_type" in table else 0
    return told + (f"; {failed:,} request{'s' * (failed != 1)} had no answer" if failed else "")


def _conflicts(table: pd.DataFrame) -> pd.Series:
    """Which conflict each line is about; without samples, every line is one of its own."""
    import pandas as pd

    name = next((n for n in ("example_id", "id") if n in table and "sample" in table), None)
    return table[name].astype(str) if name else pd.Series(range(len(table)), index=table.index)


def in_the_mean(table: pd.DataFrame) -> pd.DataFrame:
    """The lines that a mean counts: all, or the first of each conflict where these have different numbers of them."""
    return table[_counts(table)]


def _counts(table: pd.DataFrame) -> pd.Series:
    conflicts = _conflicts(table)
    uneven = len(table) and conflicts.value_counts().nunique() > 1
    return ~conflicts.duplicated() if uneven else conflicts.notna()


def _named(count: int | None, merges: Sequence[str]) -> int | None:
    """The count of merges, or None where no row says which merge it is of."""
    return count if not merges or any(merge.startswith("merge ") for merge in merges) else None


def summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One line a model or baseline, all on the same conflicts: rates with 95 % intervals that know their merges.

    `merges` is "unknown" where the data set names none; each conflict then counts as a merge of its own. A rate of
    fewer conflicts than all says how many: where some merges have one parent's tree, there is one without them.
    With several answers to a conflict, rates are means of them (pass@1, as `rate_of` says), and pass@k stands beside.
    """
    import pandas as pd

    _same_rows(tables)
    lines, most = [], max(map(samples_of, tables.values()), default=1)
    for name, table in tables.items():
        # one that is sure of its answer gives it every time
        several = {f"pass@{most}": list(pass_rates(table).values())[-1].percent} if most > 1 else {}
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
                **several,
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
    """The rate of right answers by name, `first` in front, as `plots.rates` takes them; pass@k where there is one."""
    _one_setting(tables)
    names = [first, *(name for name in tables if name != first)] if first else list(tables)
    found = {}
    for name in names:
        rates = pass_rates(tables[name])
        found |= {f"{name}, {way}" if len(rates) > 1 else name: rate for way, rate in rates.items()}
    return found


def verdicts(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How many answers got which verdict, a column a model; of conflicts with several, those that a mean counts."""
    import pandas as pd

    _one_setting(tables)
    counts = {name: in_the_mean(table)["match_type"].value_counts() for name, table in tables.items()}
    return pd.DataFrame(counts).reindex(MATCH_TYPES).fillna(0).astype(int)


def compare(tables: Mapping[str, pd.DataFrame], better: str, than: str, any_of: bool = False) -> Comparison:
    """`better` against `than` on the same conflicts: the paired figures, and which conflicts were won and lost.

    Of several answers to a conflict the first counts, or with `any_of` whether one of them is right.
    """
    _same_rows({k: tables[k] for k in (better, than)})
    firsts = tables[better][~_conflicts(tables[better]).duplicated()]
    a, b = (_right(tables[name], any_of) for name in (better, than))
    ids = firsts["id"].tolist()
    won = [i for i, x, y in zip(ids, a, b, strict=True) if x and not y]
    lost = [i for i, x, y in zip(ids, a, b, strict=True) if y and not x]
    merges = merges_of(firsts)
    found = paired(a, b, merges)
    found["merges"] = _named(found["merges"], merges)
    return {"better": better, "than": than, **found, "won": won, "lost": lost}


def _right(table: pd.DataFrame, any_of: bool) -> list[bool]:
    by = table["is_correct"].astype(bool).groupby(_conflicts(table), sort=False)
    return (by.any() if any_of else by.first()).tolist()


def comparisons(tables: Mapping[str, pd.DataFrame], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Paired comparisons, a line each: of how much, wins, losses, the difference with its 95 % interval, and exact p.

    Both know which conflicts are of one merge: `paired` says how. Where conflicts got several answers, there are two
    lines a pair, of the first answers and of whether any was right.
    """
    import pandas as pd

    lines = []
    for better, than in pairs:
        several = max(samples_of(tables[better]), samples_of(tables[than])) > 1
        for way, any_of in ((", first answers", False), (", any answer", True)) if several else (("", False),):
            found = compare(tables, better, than, any_of)
            difference = f"{100 * found['diff']:+.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
            lines.append(
                {"comparison": f"{better} against {than}{way}", "n": found["n"],
                 "merges": "unknown" if found["merges"] is None else found["merges"],
                 "wins": found["wins"], "losses": found["losses"],
                 "difference in points": difference, "p": round(found["p"], 3)}
            )  # fmt: skip
    columns = ["comparison", "n", "merges", "wins", "losses", "difference in points", "p"]
    return pd.DataFrame(lines, columns=columns).set_index("comparison")


def shared(*groups: Mapping[str, pd.DataFrame]) -> list[dict[str, pd.DataFrame]]:
    """The same tables, each with the conflicts alone that all of them have: an evaluation may have ended before others.

    >>> import pandas as pd
    >>> few, all_of_them = pd.DataFrame({"id": ["a", "b"]}), pd.DataFrame({"id": ["a", "b", "c"]})
    >>> [models, baselines] = shared({"sft": few}, {"ours": all_of_them})
    >>> baselines["ours"]["id"].tolist()
    ['a', 'b']
    """
    known = [set(table["id"].astype(str)) for group in groups for table in group.values()]
    common = set.intersection(*known) if known else set()
    return [
        {name: table[table["id"].astype(str).isin(common)].reset_index(drop=True) for name, table in group.items()}
        for group in groups
    ]


def side_by_side(tables: Mapping[str, pd.DataFrame], n: int = 3) -> pd.DataFrame:
    """The verdicts on the first conflicts, a column a model; who that was is said where the table knows.

    A table is what an evaluation gave, `load_evaluation` or `pandas.read_csv` read. Of several answers to a conflict
    the verdict on the first is shown, and how many were right.
    """
    import pandas as pd

    _same_rows(tables)
    columns = {}
    for name, table in tables.items():
        firsts = table[~_conflicts(table).duplicated()].head(n)
        told = firsts["match_type"].astype(str).str.replace("_", " ").tolist()
        if samples_of(table) > 1:
            by = table["is_correct"].astype(bool).groupby(_conflicts(table), sort=False).agg(["sum", "size"]).head(n)
            told = [f"{each} ({c} of {m} right)" for each, c, m in zip(told, by["sum"], by["size"], strict=True)]
        columns[_label(name, firsts)] = told
    index = pd.Index(_ids(next(iter(tables.values())))[:n], name="conflict")
    return pd.DataFrame(columns, index=index)


def _one_setting(tables: Mapping[str, pd.DataFrame]) -> None:
    settings = {str(setting) for table in tables.values() if "setting" in table for setting in table["setting"]}
    if len(settings) > 1:
        raise LlmergeError(
            f"these tables were made in different settings ({' and '.join(sorted(settings))}), and one is far easier "
            "than the other: compare tables of one setting."
        )


def _same_rows(tables: Mapping[str, pd.DataFrame]) -> None:
    _one_setting(tables)
    # in the same order, too: pairs are made by position
    ids = {name: _ids(table) for name, table in tables.items()}
    first = next(iter(ids.values()), [])
    for name, found in ids.items():
        if found != first:
            raise LlmergeError(f"{name} was evaluated on other conflicts than the rest: evaluate all on the same rows.")


def _ids(table: pd.DataFrame) -> list[str]:
    # pandas reads what looks like a number as one
    return table["id"][~_conflicts(table).duplicated()].astype(str).tolist()


def _label(name: str, table: pd.DataFrame) -> str:
    """The name, and in brackets the model that answered.

    >>> import pandas as pd
    >>> _label("teacher", pd.DataFrame({"model": ["deepseek-chat", "deepseek-chat"]}))
    'teacher (deepseek-chat)'
    """
    # pandas reads an empty cell as nan
    found = list(dict.fromkeys(str(model) for model in table.get("model", ()) if model and model == model))
    found = [model for model in found if model != name and not name.startswith(f"{model} (")]  # it says so itself
    return f"{name} ({', '.join(found)})" if found else name
