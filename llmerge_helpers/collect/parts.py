"""Part files: the rows of some merges of a repository, with the counts of what became of each merge.

A part is a gzip file of JSON lines: first what it holds, then for each conflicted file its committed text once and the
rows in it, and after those of a merge its counts. It carries no path and no name that would tell where it was mined.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, NotRequired, TypedDict

from llmerge_helpers.collect.repository import git_name
from llmerge_helpers.conflicts import Conflict, Row
from llmerge_helpers.run import from_root
from llmerge_helpers.run.files import atomic_file

_FORMAT = 7  # part files written by other code are not reused
_LEVEL = 2  # files compress to a fourth; a higher level takes twice the time for a twentieth less


class MiningOptions(TypedDict):
    """What shapes the rows of a repository: a part file belongs to these."""

    context_lines: int
    languages: list[str]  # empty: all
    wholesale: bool
    context: NotRequired[bool]  # only where it is True, so that parts without it are found as before


class MergeCounts(NamedTuple):
    """What became of a merge, its files and its hunks; `whole` if all of it could be read."""

    sha: str
    counts: Counter[str]
    whole: bool


class Part(NamedTuple):
    """What a part file says of itself: whose merges it has, and those of them that are to be tried again."""

    path: str
    repository: str
    roots: list[str]
    options: MiningOptions
    git: str
    merges: list[str]
    again: list[str]
    counts: Counter[str]
    seconds: float


class Chosen(NamedTuple):
    """A part file, and the merges in it that count (None: all)."""

    path: str
    only: frozenset[str] | None


def part_key(roots: Sequence[str], options: MiningOptions) -> str:
    """What names the parts of one history under one set of options; 16 letters."""
    facts = json.dumps([_FORMAT, sorted(roots), options], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


def holds_parts(folder: str | os.PathLike) -> bool:
    """Whether a folder holds part files."""
    return next(from_root(folder).glob("*.jsonl.gz"), None) is not None


def known_parts(folder: Path, key: str = "") -> list[Part]:
    """The parts in a folder, of one key or of all, by name; one that was written by other code is none."""
    found = (_read_head(path) for path in sorted(folder.glob(f"*{key}-*.jsonl.gz" if key else "*.jsonl.gz")))
    return [part for part in found if part is not None]


def _read_head(path: Path) -> Part | None:
    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            head = json.loads(file.readline())
        if head.pop("format") != _FORMAT:
            return None
        return Part(path=str(path), **head | {"counts": Counter(head["counts"])})
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError):
        return None


class Duplicates:
    """The rows that came so far; one that comes again is taken out of the counts."""

    def __init__(self, counts: Counter[str]):
        self._counts, self._seen = counts, set[bytes]()

    def has(self, row: Row) -> bool:
        """Whether the conflict of a row came before."""
        known, key = len(self._seen), Conflict.of(row).digest()
        self._seen.add(key)
        if len(self._seen) == known:
            self._counts.update({"rows": -1, "hunks: duplicate": 1, f"label: {row['label']}": -1})
        return known == len(self._seen)


class PartWriter:
    """Rows and counts on their way into a part file, which is there when `finish` returns, and never half."""

    def __init__(self, stem: Path):
        self._stem, self._text = stem, ""
        self._whole: list[str] = []
        self._again: list[str] = []
        self.counts: Counter[str] = Counter()
        self._duplicates = Duplicates(self.counts)
        self.merges = 0

    def __enter__(self) -> PartWriter:
        self._body = tempfile.NamedTemporaryFile(prefix=f"{self._stem.name}-", suffix=".tmp", dir=self._stem.parent)
        self._out = gzip.GzipFile(filename="", fileobj=self._body, mode="wb", compresslevel=_LEVEL, mtime=0)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._body.close()

    def write(self, item: Row | MergeCounts) -> None:
        """Put down a row, or the counts of the merge whose rows came before."""
        if isinstance(item, MergeCounts):
            self.merges += 1
            (self._whole if item.whole else self._again).append(item.sha)
            self.counts += item.counts
            if item.counts.keys() != {"merges", "merges: clean"}:
                self._line({"merge": item.sha, "counts": item.counts})
            return
        row = dict(item)
        prefix, suffix = row.pop("prefix"), row.pop("suffix")
        if (text := prefix + row["answer"] + suffix) != self._text:
            self._text = text
            self._line({"text": text})
        line = {"row": row, "at": len(prefix)}
        if self._duplicates.has(row):
            line["again"] = True  # it counts only where its first place does not
        self._line(line)

    def _line(self, value: dict[str, object]) -> None:
        self._out.write(json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")

    def finish(self, repository: str, roots: list[str], options: MiningOptions, seconds: float) -> Part:
        """Write the head in front of all, and put the file in its place."""
        self._out.close()
        self._body.flush()
        content = hashlib.sha256("\n".join(sorted(self._whole + self._again)).encode()).hexdigest()[:12]
        path = self._stem.parent / f"{self._stem.name}-{content}.jsonl.gz"
        merges, took = (self._whole, self._again), round(seconds, 3)
        part = Part(str(path), repository, roots, options, git_name(), *merges, self.counts, took)
        head = {"format": _FORMAT} | {name: value for name, value in part._asdict().items() if name != "path"}
        with atomic_file(path) as file:
            # two gzip files one behind the other are one
            file.write(gzip.compress(json.dumps(head).encode() + b"\n", _LEVEL, mtime=0))
            self._body.seek(0)
            shutil.copyfileobj(self._body, file, 1 << 20)
        return part


def _lines(path: str) -> Iterator[dict]:
    with gzip.open(path, "rb") as file:
        next(file)  # the head
        for line in file:
            yield json.loads(line.decode("utf-8", "surrogatepass"))


def rows_of(part: Chosen) -> Iterator[Row]:
    """The rows of a part, each with the file around it."""
    text = ""
    for line in _lines(part.path):
        if "text" in line:
            text = line["text"]
        elif "row" in line and (part.only is None or line["row"]["merge_commit"] in part.only):
            row, at = line["row"], line["at"]
            if not (part.only is None and line.get("again")):
                yield Row(**row, prefix=text[:at], suffix=text[at + len(row["answer"]) :])


def counts_of(path: str, only: frozenset[str]) -> Counter[str]:
    """What became of some merges of a part."""
    counts: Counter[str] = Counter()
    told = set()
    for line in _lines(path):
        if "merge" in line and line["merge"] in only:
            told.add(line["merge"])
            counts += Counter(line["counts"])
    clean = len(only - told)
    return counts + Counter({"merges": clean, "merges: clean": clean})
