"""Whether a committed `.gitattributes` had git merge a file in a way of its own: nobody saw the replayed conflict."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from llmerge_helpers.collect.replay import CatFile
from llmerge_helpers.collect.repository import git_environment

_NO_PROBLEM = (b"unspecified", b"set", b"text")  # what leaves git with its usual merge of lines
_LITERAL_END = re.compile(rb"[^*?\[\]\\\"]*\Z")

Committed = tuple[tuple[bytes, bytes], ...]  # folder and text of each `.gitattributes` on the way to a file


def has_own_merge(commit: str, path: bytes, objects: CatFile) -> bool:
    """Whether the attributes in a commit say that `path` is merged by another rule than line by line.

    That is `merge=union`, `-merge`, `binary`, or a driver by name. Ask for the first parent: that is what was checked
    out when git merged, and what it went by.
    """
    if not _is_plain(path):
        return False
    committed = tuple(_on_the_way(commit, path, objects))
    could = any(
        b"[attr]" in text or any(_could_match(line, path) for line in text.split(b"\n")) for _, text in committed
    )
    return could and _asked(committed, path) not in _NO_PROBLEM


def _is_plain(path: bytes) -> bool:
    """Whether folders of these names may be made: a tree can hold any name, and `..` would lead out of ours."""
    parts = path.split(b"/")
    return len(path) < 3000 and all(
        0 < len(part) < 256 and part.lower() not in (b".", b"..", b".git") for part in parts
    )


def names_on_the_way(commit: str, path: bytes) -> list[tuple[bytes, bytes]]:
    """Each folder from the top to the one of `path`, and what git calls its `.gitattributes` in a commit."""
    folders = path.split(b"/")[:-1]
    above = [folders[:depth] for depth in range(len(folders) + 1)]
    return [(b"/".join(f), commit.encode() + b":" + b"/".join([*f, b".gitattributes"])) for f in above]


def _on_the_way(commit: str, path: bytes, objects: CatFile) -> Iterator[tuple[bytes, bytes]]:
    for folder, name in names_on_the_way(commit, path):
        found = objects.get(name)
        if found and found[0] == "blob":
            yield folder, found[1]


def _could_match(line: bytes, path: bytes) -> bool:
    """Whether a line can have to do with the merge of `path`; never False where git says otherwise.

    >>> _could_match(b"*.png binary", b"a/b.py"), _could_match(b"a* -merge", b"b"), _could_match(b"*.py text", b"b.py")
    (False, True, False)
    """
    if line.lstrip().startswith(b'"'):  # a quoted pattern may hold anything
        return True
    pattern, *attributes = line.removeprefix(b"\xef\xbb\xbf").split(maxsplit=1) or [b""]
    about_merge = any(b"merge" in text or b"binary" in text for text in attributes)
    return about_merge and (b"/" + path).endswith(_LITERAL_END.search(pattern)[0])


@lru_cache(maxsize=1000)
def _asked(committed: Committed, path: bytes) -> bytes:
    """What git says of the attribute `merge`, in an empty repository with these files."""
    environment = git_environment(pinned=True)
    with tempfile.TemporaryDirectory(prefix="llmerge-") as folder:
        for name, text in committed:
            place = Path(folder) / os.fsdecode(name)
            place.mkdir(parents=True, exist_ok=True)
            (place / ".gitattributes").write_bytes(text)

        def git(*arguments: str, given: bytes = b"") -> bytes:
            command = ["git", "-c", f"core.attributesFile={os.devnull}", *arguments]
            done = subprocess.run(command, cwd=folder, env=environment, input=given, capture_output=True, check=True)
            return done.stdout

        git("init", "--quiet", "--template=")
        return git("check-attr", "-z", "--stdin", "merge", given=path + b"\0").split(b"\0")[2]
