"""From the merges of one repository to rows, one for each conflict hunk, or a reason why there is none."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmerge_helpers.conflicts import Hunk, has_markers, make_hunk, parse, render, split_lines
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.gitio import MARKER_SIZE, CatFile, Merge, Replay, Repository, Workshop, git_version
from llmerge_helpers.labels import Label, align, kind_of
from llmerge_helpers.languages import is_known, language_of
from llmerge_helpers.licences import is_licence_file, spdx_of
from llmerge_helpers.prompts import render_question
from llmerge_helpers.sources import Source, find_sources

__all__ = ["ConflictedFile", "check_languages", "collect_repository", "digest", "family_of", "look", "mine"]

MAX_FILE_BYTES = 1_000_000  # generated files, mostly
MAX_HUNK_CHARS = 40_000  # about 12,000 tokens of question: lock files and rewrites of whole files


def collect_repository(
    source: str | os.PathLike | Source,
    *,
    context_lines: int = 5,
    languages: Iterable[str] | None = None,
    max_merges: int | None = None,
    report: dict[str, Any] | None = None,
    cache_dir: Path | None = None,
    on_merge: Callable[[int, int, int], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows of one repository, oldest merge first: one for each conflict hunk whose resolution is certain.

    `languages` (names as in `languages.py`) and `max_merges` (the newest ones; 0 or None: all) choose. `report`, a
    dict, is filled with counts of everything kept and dropped; `on_merge` is called with (done, of, rows). The source
    is only read. A folder of several services of scenarios gives the rows of all of them.
    """
    wanted = check_languages(languages)
    report = {} if report is None else report
    for one in [source] if isinstance(source, Source) else find_sources([source]):
        with one.open(cache_dir) as repository:
            yield from mine(one, repository, context_lines, wanted, max_merges or None, report, on_merge)


def check_languages(languages: Iterable[str] | None) -> frozenset[str] | None:
    """The set of language names, or None for all; an unknown name is an `LlmergeError`."""
    names = frozenset(languages or ())
    for name in sorted(names):
        if not is_known(name) and name != "Text":
            raise LlmergeError(f"unknown language {name!r}: write it as in llmerge_helpers/languages.py, e.g. Java.")
    return names or None


def mine(
    source: Source,
    repository: Repository,
    context_lines: int,
    languages: frozenset[str] | None,
    max_merges: int | None,
    report: dict[str, Any],
    on_merge: Callable[[int, int, int], None] | None,
) -> Iterator[dict[str, Any]]:
    started = time.monotonic()
    counts = report.setdefault("counts", Counter())
    report["repository"] = source.name
    report["git"] = ".".join(map(str, git_version()))
    report["roots"] = repository.roots()
    seen: set[bytes] = set()
    family = family_of(report["roots"])
    with Workshop.open(repository) as workshop:
        total = workshop.merges(max_merges)
        counts["merges"] += total
        with workshop.cat_file() as objects:
            licences = _Licences(objects, source.license)
            for done, replay in enumerate(workshop.replays(), 1):
                counts[f"merges: {replay.status}"] += 1
                if replay.status == "conflict":
                    facts = {"repository": source.name, "family": family, "license": licences.at(replay.merge.sha)}
                    for path in replay.files:
                        counts["files"] += 1
                        file = _read(replay, path, objects, languages)
                        if isinstance(file, str):
                            counts[f"files: {file}"] += 1
                            continue
                        counts["hunks"] += len(file.hunks)
                        for row in file.rows(facts, context_lines):
                            if not isinstance(row, str) and (key := digest(row)) in seen:
                                row = "duplicate"
                            if isinstance(row, str):
                                counts[f"hunks: {row}"] += 1
                                continue
                            seen.add(key)
                            counts["rows"] += 1
                            counts[f"label: {row['label']}"] += 1
                            yield row
                if on_merge:
                    on_merge(done, total, counts["rows"])
        answered = sum(counts[f"merges: {status}"] for status in ("clean", "conflict", "failed"))
        if answered != counts["merges"]:  # one report may add up several sources
            raise LlmergeError(f"git merge-tree answered {answered} of {counts['merges']} merges of {source.name}.")
    report["seconds"] = round(report.get("seconds", 0) + time.monotonic() - started, 3)


def family_of(roots: Iterable[str]) -> str:
    """A name for all repositories that grew from these first commits."""
    return hashlib.sha256("\n".join(sorted(roots)).encode()).hexdigest()[:16]


class _Licences:
    """The licence at a commit, read once for each version of the licence file."""

    def __init__(self, objects: CatFile, listed: str):
        self._objects, self._listed, self._known = objects, listed, {}

    def at(self, commit: str) -> str:
        tree = self._objects.get(f"{commit}^{{tree}}".encode())
        found = "unknown"
        for mode, name, oid in _entries(tree[1] if tree else b"", len(commit) // 2):
            if mode.startswith(b"100") and is_licence_file(name.decode("latin-1")):
                if oid not in self._known:
                    blob = self._objects.get(oid.hex().encode())
                    self._known[oid] = spdx_of(blob[1][:100_000].decode("utf-8", "replace")) if blob else "unknown"
                found = self._known[oid]
            if found != "unknown":
                break
        return self._listed or "unknown" if found == "unknown" else found


def _entries(tree: bytes, oid_bytes: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, name = tree[at:end].split(b" ", 1)
        yield mode, name, tree[end + 1 : end + 1 + oid_bytes]
        at = end + 1 + oid_bytes


@dataclass(frozen=True)
class ConflictedFile:
    """One file as git left it, and as the developers committed it; `labels` has one entry a hunk."""

    merge: Merge
    path: str
    parts: list[str | Hunk]
    committed: str
    labels: list[Label]

    @property
    def hunks(self) -> list[Hunk]:
        """The conflicts, in order."""
        return [part for part in self.parts if isinstance(part, Hunk)]

    @property
    def text(self) -> str:
        """The file as `git merge` leaves it, with markers of the usual length."""
        return render(_usual(part) if isinstance(part, Hunk) else part for part in self.parts)

    @property
    def facts(self) -> dict[str, Any]:
        """Where it comes from, and what is in it, for a small table."""
        found = ", ".join(label.found or label.reason for label in self.labels)
        return {
            "merge": self.merge.sha[:12],
            "parents": f"{self.merge.parent_1[:12]} (ours), {self.merge.parent_2[:12]} (theirs)",
            "committed": datetime.fromtimestamp(self.merge.time, UTC).strftime("%Y-%m-%d"),
            "file": self.path,
            "hunks": len(self.hunks),
            "labels": found,
        }

    def alignment(self, margin: int = 4) -> str:
        """The committed lines around the first label, each with what it stands for in the file that git left."""
        lines = split_lines(self.committed)
        found = [(number, label) for number, label in enumerate(self.labels) if label.found]
        stands = dict.fromkeys(range(len(lines)), "edited")
        for _, label in found:
            stands |= dict.fromkeys(range(label.start - label.before, label.end + label.after), "unchanged")
        for number, label in found:
            stands |= dict.fromkeys(range(label.start, label.end), f"in place of hunk {number}")
        first = found[0][1]
        shown = range(max(0, first.start - margin), min(len(lines), max(first.end, first.start + 1) + margin))
        return "\n".join(f"{at + 1:>5}  {stands[at]:<18} │ {lines[at].rstrip()}" for at in shown)

    def rows(self, facts: Mapping[str, Any], context_lines: int) -> Iterator[dict[str, Any] | str]:
        """A row for each hunk that has a label, and for each other one the reason why not."""
        lines = split_lines(self.committed)
        for number, (hunk, label) in enumerate(zip(self.hunks, self.labels, strict=True)):
            if not label.found:
                yield label.reason
                continue
            top, bottom = label.start - min(label.before, context_lines), label.end + min(label.after, context_lines)
            row = dict(facts) | {
                "id": f"{facts['repository']}@{self.merge.sha[:12]}:{self.path}#{number}",
                "merge_commit": self.merge.sha,
                "parent_1": self.merge.parent_1,
                "parent_2": self.merge.parent_2,
                "committed_at": datetime.fromtimestamp(self.merge.time, UTC).isoformat(),
                "path": self.path,
                "hunk": number,
                "language": language_of(self.path),
                "before": "".join(lines[top : label.start]),
                "ours": hunk.ours,
                "base": hunk.base or "",
                "theirs": hunk.theirs,
                "after": "".join(lines[label.end : bottom]),
                "resolution": "".join(lines[label.start : label.end]),
                "label": label.found,
                "prefix": "".join(lines[:top]),
                "suffix": "".join(lines[bottom:]),
            }
            row["answer"] = row["before"] + row["resolution"] + row["after"]
            row["kind"] = kind_of(hunk, row["resolution"])
            reason = _unfit(row)
            if reason:
                yield reason
                continue
            row["question"] = render_question(row)
            assert row["prefix"] + row["answer"] + row["suffix"] == self.committed
            assert not any(has_markers(row[column]) for column in ("before", "after", "answer"))
            yield row


def _usual(hunk: Hunk) -> Hunk:
    newline = "\r\n" if hunk.separator.endswith("\r\n") else "\n"
    labels = (hunk.ours_label, hunk.base_label, hunk.theirs_label)
    return make_hunk(hunk.ours, hunk.base, hunk.theirs, labels=labels, newline=newline)


def look(
    sources: str | os.PathLike | Iterable[str | os.PathLike | Source],
    number: int = 0,
    languages: Iterable[str] | None = None,
) -> ConflictedFile:
    """The conflicted file with this number, oldest merge first, in the first source that has so many with a label."""
    wanted = check_languages(languages)
    problem = None
    for source in find_sources(sources):
        try:
            with source.open() as repository, Workshop.open(repository) as workshop, workshop.cat_file() as objects:
                workshop.merges()
                found = (_read(replay, path, objects, wanted) for replay in workshop.replays() for path in replay.files)
                good = (
                    file for file in found if isinstance(file, ConflictedFile) and any(x.found for x in file.labels)
                )
                if file := next(itertools.islice(good, number, None), None):
                    return file
        except LlmergeError as error:  # one of many that cannot be cloned, say
            problem = problem or error
    raise problem or LlmergeError("no conflict of these sources has a resolution that is certain.")


def _read(
    replay: Replay, path: bytes, objects: CatFile, languages: frozenset[str] | None = None
) -> ConflictedFile | str:
    """The conflicted file at `path`, or the reason why there is none to learn from."""
    name = _text(path)
    if languages and language_of(name) not in languages:
        return "another language"
    texts = _both_texts(replay, path, objects)
    if isinstance(texts, str):
        return texts
    parts = parse(texts[0], MARKER_SIZE)
    if not any(isinstance(part, Hunk) for part in parts):
        return "no conflicting lines"
    return ConflictedFile(replay.merge, name, parts, texts[1], align(parts, split_lines(texts[1])))


def _both_texts(replay: Replay, path: bytes, objects: CatFile) -> tuple[str, str] | str:
    """The file as git left it and as it was committed, or the reason why there are no two texts."""
    modes = set(replay.files[path].values())
    if "160000" in modes:
        return "submodule"
    if "120000" in modes:
        return "symbolic link"
    if b"\n" in path:
        return "line break in its name"
    conflicted = objects.get(replay.tree.encode() + b":" + path)
    if conflicted is None or conflicted[0] != "blob":
        return "deleted or renamed on one side"
    committed = objects.get(replay.merge.sha.encode() + b":" + path)
    if committed is None or committed[0] != "blob":
        return "deleted or moved by the developer"
    pair = conflicted[1], committed[1]
    if any(b"\0" in data for data in pair):
        return "not text"
    if any(len(data) > MAX_FILE_BYTES for data in pair):
        return "too long"
    if b"<" * MARKER_SIZE not in pair[0]:
        complete = {2, 3} <= replay.files[path].keys()
        return "no conflicting lines" if complete else "deleted or renamed on one side"
    for encoding in ("utf-8", "latin-1"):
        if encoding == "utf-8" or all(_is_latin1(data) for data in pair):
            try:
                return pair[0].decode(encoding), pair[1].decode(encoding)
            except UnicodeDecodeError:
                continue
    return "encoding is neither UTF-8 nor Latin-1"


def _is_latin1(data: bytes) -> bool:
    """Whether bytes can be Latin-1: no control characters of its upper half, and nothing that reads as UTF-8."""
    return not re.search(rb"[\x80-\x9f]|[\xc2-\xdf][\xa0-\xbf]|[\xe0-\xef][\xa0-\xbf]{2}", data)


def _text(path: bytes) -> str:
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        return path.decode("latin-1")


def _unfit(row: dict[str, Any]) -> str:
    """Why a labelled hunk makes no row, or ""."""
    texts = [row[column] for column in ("before", "ours", "base", "theirs", "after", "resolution")]
    if "<" * (MARKER_SIZE + 1) in row["base"]:
        return "its base is a conflict too"  # a criss-cross merge
    if any(map(has_markers, texts)):
        return "conflict markers in the text"
    if sum(map(len, texts)) > MAX_HUNK_CHARS:
        return "too long"
    return ""


def digest(row: dict[str, Any]) -> bytes:
    """What makes two hunks the same: both sides, base and context, whatever came of them."""
    texts = "\0".join(row[column] for column in ("before", "ours", "base", "theirs", "after"))
    return hashlib.blake2b(texts.encode("utf-8", "surrogatepass"), digest_size=16).digest()
