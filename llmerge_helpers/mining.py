"""From the merges of one repository to rows, one for each conflict hunk, or a reason why there is none."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from llmerge_helpers.conflicts import Hunk, has_markers, parse, split_lines
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.gitio import MARKER_SIZE, CatFile, Replay, Repository, Workshop, git_version
from llmerge_helpers.labels import align, kind_of
from llmerge_helpers.languages import is_known, language_of
from llmerge_helpers.licences import is_licence_file, spdx_of
from llmerge_helpers.prompts import render_question
from llmerge_helpers.sources import Source, find_sources

__all__ = ["check_languages", "collect_repository", "digest", "family_of", "mine"]

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
                    facts = {
                        "repository": source.name,
                        "merge_commit": replay.merge.sha,
                        "parent_1": replay.merge.parent_1,
                        "parent_2": replay.merge.parent_2,
                        "committed_at": datetime.fromtimestamp(replay.merge.time, UTC).isoformat(),
                        "license": licences.at(replay.merge.sha),
                        "family": family,
                    }
                    for path in replay.files:
                        counts["files"] += 1
                        yield from _file(replay, path, objects, facts, context_lines, languages, counts, seen)
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


def _file(
    replay: Replay,
    path: bytes,
    objects: CatFile,
    facts: dict[str, str],
    context_lines: int,
    languages: frozenset[str] | None,
    counts: Counter,
    seen: set[bytes],
) -> Iterator[dict[str, Any]]:
    name = _text(path)
    language = language_of(name)
    if languages and language not in languages:
        counts["files: another language"] += 1
        return
    texts = _both_texts(replay, path, objects)
    if isinstance(texts, str):
        counts[f"files: {texts}"] += 1
        return
    conflicted, committed = texts
    parts = parse(conflicted, MARKER_SIZE)
    hunks = [part for part in parts if isinstance(part, Hunk)]
    if not hunks:
        counts["files: no conflicting lines"] += 1
        return
    counts["hunks"] += len(hunks)
    lines = split_lines(committed)
    for number, (hunk, label) in enumerate(zip(hunks, align(parts, lines), strict=True)):
        if not label.found:
            counts[f"hunks: {label.reason}"] += 1
            continue
        top, bottom = label.start - min(label.before, context_lines), label.end + min(label.after, context_lines)
        row = facts | {
            "id": f"{facts['repository']}@{facts['merge_commit'][:12]}:{name}#{number}",
            "path": name,
            "hunk": number,
            "language": language,
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
        reason = _unfit(row, seen)
        if reason:
            counts[f"hunks: {reason}"] += 1
            continue
        row["kind"] = kind_of(hunk, row["resolution"])
        row["question"] = render_question(row)
        assert row["prefix"] + row["answer"] + row["suffix"] == committed
        assert not any(has_markers(row[column]) for column in ("before", "after", "answer"))
        counts["rows"] += 1
        counts[f"label: {label.found}"] += 1
        yield row


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


def _unfit(row: dict[str, Any], seen: set[bytes]) -> str:
    """Why a labelled hunk makes no row, or ""."""
    texts = [row[column] for column in ("before", "ours", "base", "theirs", "after", "resolution")]
    if "<" * (MARKER_SIZE + 1) in row["base"]:
        return "its base is a conflict too"  # a criss-cross merge
    if any(map(has_markers, texts)):
        return "conflict markers in the text"
    if sum(map(len, texts)) > MAX_HUNK_CHARS:
        return "too long"
    key = digest(row)
    if key in seen:
        return "duplicate"
    seen.add(key)
    return ""


def digest(row: dict[str, Any]) -> bytes:
    """What makes two hunks the same: both sides, base and context, whatever came of them."""
    texts = "\0".join(row[column] for column in ("before", "ours", "base", "theirs", "after"))
    return hashlib.blake2b(texts.encode("utf-8", "surrogatepass"), digest_size=16).digest()
