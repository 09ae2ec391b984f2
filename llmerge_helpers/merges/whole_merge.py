"""The conflicts of one merge, found again among many rows: all of them, and those that came before one of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from llmerge_helpers.conflicts import Conflict, Decided, Row, so_far
from llmerge_helpers.merges.splits import merge_of

if TYPE_CHECKING:
    from datasets import DatasetDict

_KEYS = ("family", "repository", "merge_commit")


def siblings(rows: Iterable[Row] | DatasetDict, row: Row) -> list[Row]:
    """The rows of the merge that `row` is of, itself among them, in the order of their conflicts.

    Of a `DatasetDict` all splits count, though none parts a merge.

    >>> rows = [{"merge_commit": "a1", "order": 2}, {"merge_commit": "b2"}, {"merge_commit": "a1", "order": 0}]
    >>> [each["order"] for each in siblings(rows, rows[0])]
    [0, 2]
    """
    merge = merge_of(row)
    if not merge:
        return [row]
    parts = rows.values() if isinstance(rows, Mapping) else [rows]
    return sorted((each for part in parts for each in _of_merges(part, {merge})), key=place_of)


def by_merge(rows: Iterable[Row]) -> list[list[int]]:
    """The numbers of the rows of each merge, in the order of its conflicts; one whose merge is unknown stands alone.

    >>> by_merge([{"merge_commit": "a", "order": 1}, {"ours": ""}, {"merge_commit": "a", "order": 0}])
    [[2, 0], [1]]
    """
    rows = list(rows)
    found: dict[str, list[int]] = defaultdict(list)
    for number, row in enumerate(rows):
        found[merge_of(row) or f"conflict {number}"].append(number)
    return [sorted(numbers, key=lambda number: place_of(rows[number])) for numbers in found.values()]


def with_earlier(rows: Sequence[Row], among: Iterable[Row], most: int) -> Sequence[Row]:
    """The rows, each with what was decided before it in its merge (`earlier`), as a question with siblings tells it.

    `among` are the rows of one split, so that nothing of another one is told; at most `most` conflicts are carried, the
    most telling first. Neither the conflict itself nor a later one is ever among them.

    >>> rows = [{"merge_commit": "a", "order": n, "ours": f"{n}\\n", "theirs": "x\\n"} for n in (0, 1)]
    >>> rows = [row | {"resolution": row["ours"]} for row in rows]
    >>> [row["earlier"]["ways"] for row in with_earlier(rows, rows, 3)]
    [{}, {'ours': 1}]
    """
    if not most:
        return rows
    known: dict[str, list[tuple[tuple[int, str, int], Decided]]] = defaultdict(list)
    for each in _of_merges(among, {merge_of(row) for row in rows} - {""}):
        if each.get("resolution") is not None:
            known[merge_of(each)].append((place_of(each), Decided(Conflict.of(each), each["resolution"])))
    found = []
    for row in rows:
        decided = sorted(known.get(merge_of(row), ()), key=lambda pair: pair[0])
        before = [each for place, each in decided if place < place_of(row)]
        found.append(row | {"earlier": so_far(before, Conflict.of(row), most)})
    return found


def place_of(row: Row) -> tuple[int, str, int]:
    """Where a conflict stands in its merge: by its order, where that is told, else by path and hunk."""
    return row.get("order") or 0, row.get("path") or "", row.get("hunk") or 0


def _of_merges(rows: Iterable[Row], merges: Collection[str]) -> Iterable[Row]:
    """The rows that are of these merges; of a data set, read only what is asked for."""
    if hasattr(rows, "select_columns"):
        keys = rows.select_columns([name for name in _KEYS if name in rows.column_names])
        rows = rows.select([number for number, each in enumerate(keys) if merge_of(each) in merges])
    return (each for each in rows if merge_of(each) in merges)
