"""Rows of a data set, read when they are looked at: a hundred thousand with their files would fit into no memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import index as whole_number
from threading import Lock
from typing import TYPE_CHECKING, overload

from llmerge_helpers.conflicts import Row

if TYPE_CHECKING:
    from datasets import Dataset

TOGETHER, KEPT = 64, 8  # rows that are read at once, neighbours share files; and how many such parts stay at hand


class Rows(Sequence[Row]):
    """The rows of `dataset` with these numbers, in this order, and `more` behind them, as if they were a list."""

    def __init__(self, dataset: Dataset, numbers: Sequence[int], more: Sequence[Row] = ()):
        self.dataset, self.numbers, self.more = dataset, numbers, list(more)
        self._part = lru_cache(maxsize=KEPT)(self._read)
        self._lock = Lock()  # replies are judged in a thread of their own, by the same rows

    def _read(self, part: int) -> list[Row]:
        columns = self.dataset[list(self.numbers[part * TOGETHER : (part + 1) * TOGETHER])]
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def __len__(self) -> int:
        return len(self.numbers) + len(self.more)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            return self.select(range(*index.indices(len(self))))
        place = whole_number(index) + (len(self) if index < 0 else 0)
        if not 0 <= place < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        if place >= len(self.numbers):
            return self.more[place - len(self.numbers)]
        with self._lock:
            return self._part(place // TOGETHER)[place % TOGETHER]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    __hash__ = None

    def __add__(self, more: Iterable[Row]) -> Rows:
        return Rows(self.dataset, self.numbers, [*self.more, *more])

    @property
    def column_names(self) -> list[str] | None:
        """The columns that every row has; None where the rows behind lack some."""
        names = self.dataset.column_names
        return names if all(name in row for row in self.more for name in names) else None

    def select(self, numbers: Iterable[int]) -> Rows:
        """The rows at these places; those of `more` have to come last."""
        places, many = list(numbers), len(self.numbers)
        behind = [place for place in places if place >= many]
        if behind != places[len(places) - len(behind) :]:
            raise ValueError("rows that were added have to stay behind the others")
        chosen = [self.numbers[place] for place in places[: len(places) - len(behind)]]
        return Rows(self.dataset, chosen, [self.more[place - many] for place in behind])

    def select_columns(self, names: Sequence[str]) -> Rows:
        """The same rows with these columns only: without those of its file, a row is read in no time."""
        more = [{name: row[name] for name in names} for row in self.more]
        return Rows(self.dataset.select_columns(list(names)), self.numbers, more)
