"""From the merges of one repository to rows, one for each conflict hunk, or a reason why there is none."""

from __future__ import annotations

import hashlib
import itertools
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from llmerge_helpers.collect.conflicted_file import ConflictedFile, digest, read_file
from llmerge_helpers.collect.licences import is_licence_file, spdx_of
from llmerge_helpers.collect.replay import CatFile, Workshop, entries
from llmerge_helpers.collect.repository import Repository, git_version
from llmerge_helpers.collect.sources import Source, find_sources
from llmerge_helpers.conflicts.languages import is_known
from llmerge_helpers.errors import LlmergeError

__all__ = ["check_languages", "collect_repository", "family_name", "look", "mine"]


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
    family = family_name(report["roots"])
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
                        file = read_file(replay, path, objects, languages)
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


def family_name(roots: Iterable[str]) -> str:
    """A name for all repositories that grew from these first commits."""
    return hashlib.sha256("\n".join(sorted(roots)).encode()).hexdigest()[:16]


class _Licences:
    """The licence at a commit, read once for each version of the licence file."""

    def __init__(self, objects: CatFile, listed: str):
        self._objects, self._listed, self._known = objects, listed, {}

    def at(self, commit: str) -> str:
        tree = self._objects.get(f"{commit}^{{tree}}".encode())
        found = "unknown"
        for mode, name, oid in entries(tree[1] if tree else b"", len(commit) // 2):
            if mode.startswith(b"100") and is_licence_file(name.decode("latin-1")):
                if oid not in self._known:
                    blob = self._objects.get(oid.hex().encode())
                    self._known[oid] = spdx_of(blob[1][:100_000].decode("utf-8", "replace")) if blob else "unknown"
                found = self._known[oid]
            if found != "unknown":
                break
        return self._listed or "unknown" if found == "unknown" else found


def look(
    sources: str | os.PathLike | Iterable[str | os.PathLike | Source],
    number: int = 0,
    languages: Iterable[str] | None = None,
) -> ConflictedFile:
    """The conflicted file with this number, oldest merge first, in the first source that has so many with a row."""
    wanted = check_languages(languages)
    problem = None
    for source in find_sources(sources):
        try:
            with source.open() as repository, Workshop.open(repository) as workshop, workshop.cat_file() as objects:
                workshop.merges()
                pairs = ((replay, path) for replay in workshop.replays() for path in replay.files)
                files = (read_file(replay, path, objects, wanted) for replay, path in pairs)
                facts = {"repository": source.name, "family": "", "license": source.license}
                good = (
                    f for f in files
                    if isinstance(f, ConflictedFile) and any(isinstance(row, dict) for row in f.rows(facts, 5))
                )  # fmt: skip
                if file := next(itertools.islice(good, number, None), None):
                    return file
        except LlmergeError as error:  # one of many that cannot be cloned, say
            problem = problem or error
    raise problem or LlmergeError("no conflict of these sources has a resolution that is certain.")
