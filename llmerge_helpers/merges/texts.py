"""The text of each committed file once, beside the rows: a row says where in it its answer stands.

On disk a row has `file`, `start` and `end` in place of `prefix` and `suffix`, and `files.parquet` has each text under
its `file`. Read, a row has its `prefix` and `suffix` again, cut out as it is asked for.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy
import pyarrow
from datasets import Dataset
from datasets.table import InMemoryTable, Table
from pyarrow import parquet

from llmerge_helpers.conflicts import Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import shown

FILES = "files.parquet"
AROUND = ("prefix", "suffix")  # the columns that are cut out of a text
PLACE = pyarrow.schema([("file", pyarrow.string()), ("start", pyarrow.int64()), ("end", pyarrow.int64())])
_SCHEMA = pyarrow.schema([("file", pyarrow.string()), ("text", pyarrow.string())])
# texts that are compressed, and read, together: versions of a file stand side by side and share most of their lines
_TOGETHER, _TOGETHER_CHARS = 16, 1_000_000


class Place(NamedTuple):
    """Which text a row's answer stands in, and from which character to which; nowhere where the text is not known."""

    file: str | None
    start: int | None
    end: int | None


class TextWriter:
    """Writes texts to a file as they come, each once; to be used as a context."""

    def __init__(self, path: Path):
        self._file = parquet.ParquetWriter(
            path, _SCHEMA, compression="zstd", compression_level=9, use_dictionary=False, write_statistics=False
        )
        self._known: set[bytes] = set()
        self._waiting: list[tuple[str, str]] = []

    def __enter__(self) -> TextWriter:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if not error:
            self._flush()
        self._file.close()

    def place(self, row: Row) -> Place:
        """Where the answer of the row stands; its file is written if no row had it yet."""
        if row["prefix"] is None or row["suffix"] is None:  # a snippet: nobody knows the rest of its file
            return Place(None, None, None)
        text = row["prefix"] + row["answer"] + row["suffix"]
        digest = hashlib.blake2b(text.encode(), digest_size=16)
        if digest.digest() not in self._known:
            self._known.add(digest.digest())
            self._waiting.append((digest.hexdigest(), text))
            if len(self._waiting) >= _TOGETHER or sum(len(text) for _, text in self._waiting) >= _TOGETHER_CHARS:
                self._flush()
        start = len(row["prefix"])
        return Place(digest.hexdigest(), start, start + len(row["answer"]))

    def _flush(self) -> None:
        if self._waiting:
            names, texts = zip(*self._waiting, strict=True)
            self._file.write_table(pyarrow.table([names, texts], schema=_SCHEMA))
            self._waiting.clear()


class Texts:
    """The texts in a file that `TextWriter` wrote; a few of them are in memory at a time."""

    def __init__(self, path: Path):
        self.path = path
        # kept open: a data set that is built again while rows of the old one are in use does not disturb them
        self._file = parquet.ParquetFile(path)
        names = numpy.array(self._file.read(columns=["file"]).column("file").to_pylist(), dtype="S32")
        self._order = numpy.argsort(names)
        self._names = names[self._order]
        groups = (self._file.metadata.row_group(n).num_rows for n in range(self._file.metadata.num_row_groups))
        self._first = numpy.cumsum([0, *groups])
        self._group = lru_cache(maxsize=4)(self._read)

    def __reduce__(self) -> tuple[type[Texts], tuple[Path]]:
        return Texts, (self.path,)

    @property
    def nbytes(self) -> int:
        """How large the texts are when they are not compressed."""
        groups = range(self._file.metadata.num_row_groups)
        return sum(self._file.metadata.row_group(n).total_byte_size for n in groups)

    def around(self, places: Sequence[Place]) -> tuple[list[str | None], list[str | None]]:
        """What stands before and behind each place in its text; each part of the file is read once for all of them."""
        before: list[str | None] = [None] * len(places)
        behind: list[str | None] = [None] * len(places)
        wanted = [n for n, place in enumerate(places) if place.file is not None]
        at = numpy.searchsorted(self._names, numpy.array([places[n].file for n in wanted], dtype="S32"))
        by_text: dict[int, list[int]] = defaultdict(list)
        for n, found in zip(wanted, at.tolist(), strict=True):
            if found >= len(self._names) or self._names[found].decode() != places[n].file:
                raise LlmergeError(f"{shown(self.path)} has no text {places[n].file}: build the data set again.")
            by_text[int(self._order[found])].append(n)
        for number in sorted(by_text):
            group = int(numpy.searchsorted(self._first, number, side="right")) - 1
            text = self._group(group)[number - int(self._first[group])].as_py()
            for n in by_text[number]:
                before[n], behind[n] = text[: places[n].start], text[places[n].end :]
        return before, behind

    def _read(self, group: int) -> pyarrow.ChunkedArray:
        try:
            return self._file.read_row_group(group, columns=["text"], use_threads=False).column("text")
        except (OSError, pyarrow.ArrowException) as error:
            raise LlmergeError(f"{shown(self.path)} cannot be read ({error}): build the data set again.") from None


def with_texts(rows: Dataset, texts: Texts, names: Sequence[str]) -> Dataset:
    """The rows with the columns `names`, of which `prefix` and `suffix` are cut out of `texts` when they are read."""
    schema = pyarrow.schema(
        [pyarrow.field(n, pyarrow.string()) if n in AROUND else rows.data.schema.field(n) for n in names]
    )
    info = rows.info.copy()
    info.features = None  # those of the schema
    return Dataset(_Rows(rows.data, schema, texts), info=info, split=rows.split, fingerprint=rows._fingerprint)


class _Rows(InMemoryTable):
    """A table of which two columns are made when rows are read: to whoever reads it, like any other.

    `datasets` reads rows through `fast_slice`, `fast_gather` and `to_reader`, all bounded here. What else it can do
    with a table it does with `table`, all rows at once.
    """

    def __init__(self, rows: Table, schema: pyarrow.Schema, texts: Texts):
        self._rows, self._schema, self._texts = rows, schema, texts

    def _read(self, part: pyarrow.Table) -> pyarrow.Table:
        # gathered rows come one a batch
        batches = part.combine_chunks().to_batches(max_chunksize=1000)
        return pyarrow.Table.from_batches(map(self._filled, batches), schema=self._schema)

    def _filled(self, batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
        places = map(Place, *(batch.column(name).to_pylist() for name in PLACE.names))
        made = dict(zip(AROUND, self._texts.around(list(places)), strict=True))
        columns = [
            pyarrow.array(made[name], pyarrow.string()) if name in made else batch.column(name)
            for name in self._schema.names
        ]
        return pyarrow.RecordBatch.from_arrays(columns, schema=self._schema)

    # ---- what is read a few rows at a time

    def fast_slice(self, offset: int = 0, length: int | None = None) -> pyarrow.Table:
        return self._read(self._rows.fast_slice(offset, length))

    def fast_gather(self, indices: Sequence[int]) -> pyarrow.Table:
        return self._read(self._rows.fast_gather(indices))

    def to_reader(self, max_chunksize: int | None = None) -> pyarrow.RecordBatchReader:
        batches: Iterator[pyarrow.RecordBatch] = self._rows.to_reader(max_chunksize=max_chunksize or 1000)
        return pyarrow.RecordBatchReader.from_batches(self._schema, map(self._filled, batches))

    # ---- what reads none

    def slice(self, offset: int = 0, length: int | None = None) -> Table:
        return _Rows(self._rows.slice(offset, length), self._schema, self._texts)

    def select(self, columns: Sequence[str]) -> Table:
        if not set(AROUND) & set(columns):
            return self._rows.select(list(columns))
        chosen = pyarrow.schema([self._schema.field(name) for name in columns], self._schema.metadata)
        return _Rows(self._rows, chosen, self._texts)

    def drop(self, columns: Sequence[str]) -> Table:
        return self.select([name for name in self._schema.names if name not in columns])

    def replace_schema_metadata(self, metadata: Mapping[bytes, bytes] | None = None) -> Table:
        return _Rows(self._rows, self._schema.with_metadata(metadata), self._texts)

    schema = property(lambda self: self._schema)
    column_names = property(lambda self: self._schema.names)
    num_columns = property(lambda self: len(self._schema.names))
    num_rows = property(lambda self: self._rows.num_rows)
    shape = property(lambda self: (self.num_rows, self.num_columns))
    nbytes = property(lambda self: self._rows.nbytes + self._texts.nbytes)  # about: texts count once

    def __len__(self) -> int:
        return self.num_rows

    # ---- copies, and all the rest

    @property
    def table(self) -> pyarrow.Table:
        """All rows at once."""
        return self._read(self._rows.table)

    def __deepcopy__(self, memo: dict[int, object]) -> _Rows:
        return self  # nothing in it changes

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__

    def __setstate__(self, state: dict[str, object]) -> None:
        self.__dict__.update(state)
