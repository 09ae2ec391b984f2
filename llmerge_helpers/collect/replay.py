"""Merges replayed with `git merge-tree`, fast and without a work tree, and their files read in one stream.

Everything that git writes goes into a throwaway repository whose object store borrows from the source. So neither the
source's objects, nor its configuration (merge drivers are commands!), nor the user's own configuration takes part.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from llmerge_helpers.collect.repository import Repository, git_environment, git_version
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import shown

# Wider than any banner in real code: a text line `=======` in a file can never be mistaken for a marker of the replay.
REPLAY_MARKER_SIZE = 41
# What a user, a system or a worktree may have set must not change the replay.
_PINNED = ("-c", "merge.conflictStyle=diff3", "-c", "diff.renames=true", "-c", f"core.attributesFile={os.devnull}")


@dataclass(frozen=True)
class Merge:
    """A merge commit of two parents; `time` in seconds since 1970."""

    time: int
    sha: str
    parent_1: str
    parent_2: str


@dataclass(frozen=True)
class Replay:
    """What git made of a merge: `tree` holds the files with markers, `files` the modes of the stages of each path."""

    merge: Merge
    status: str  # clean, conflict or failed
    tree: str
    files: dict[bytes, dict[int, str]]


class CatFile:
    """Objects by name, from one long-running `git cat-file --batch`."""

    def __init__(self, command: list[str], environment: dict[str, str]):
        self._process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def get(self, name: bytes) -> tuple[str, bytes] | None:
        """Type and bytes of the object called `name`; None where it is missing, or cannot be asked for by line."""
        if b"\n" in name:
            return None
        stdin, stdout = self._process.stdin, self._process.stdout
        stdin.write(name + b"\n")
        stdin.flush()
        header = stdout.readline()
        if not header:
            raise LlmergeError("git cat-file stopped in the middle: is the repository damaged? Try `git fsck` there.")
        if header.endswith((b" missing\n", b" ambiguous\n")):
            return None
        _, kind, size = header.rsplit(b" ", 2)
        data = stdout.read(int(size))
        stdout.read(1)
        return kind.decode(), data

    def close(self) -> None:
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()


def entries(tree: bytes, oid_bytes: int) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Mode, name and object id of each entry of a tree."""
    at = 0
    while at < len(tree):
        end = tree.index(b"\0", at)
        mode, name = tree[at:end].split(b" ", 1)
        yield mode, name, tree[end + 1 : end + 1 + oid_bytes]
        at = end + 1 + oid_bytes


class Workshop:
    """A throwaway repository that borrows all objects of `repository` and receives all that git writes."""

    def __init__(self, repository: Repository, folder: Path):
        self.repository, self.folder = repository, folder
        self._processes: list[subprocess.Popen] = []
        self._environment = git_environment(
            pinned=True, GIT_DIR=str(folder / "git"), GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL=os.devnull,
            GIT_ATTR_NOSYSTEM="1",
        )  # fmt: skip
        object_format = repository._ask("rev-parse", "--show-object-format") or "sha1"
        subprocess.run(
            ["git", "init", "--quiet", "--bare", "--template=", f"--object-format={object_format}"],
            env=self._environment, check=True, capture_output=True,
        )  # fmt: skip
        info = folder / "git" / "objects" / "info"
        info.mkdir(exist_ok=True)
        stores = [f'"{s}"' if re.search(r'["\\\n]', str(s)) else str(s) for s in repository.object_stores()]
        (info / "alternates").write_bytes(b"".join(os.fsencode(store) + b"\n" for store in stores))
        attributes = folder / "git" / "info" / "attributes"
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text(f"* conflict-marker-size={REPLAY_MARKER_SIZE}\n")
        shallow = repository._file("shallow")
        if shallow.is_file():
            shutil.copyfile(shallow, folder / "git" / "shallow")

    @classmethod
    @contextmanager
    def open(cls, repository: Repository) -> Iterator[Workshop]:
        """A workshop in a temporary folder that is gone afterwards."""
        git_version()
        repository.refuse_partial()
        with tempfile.TemporaryDirectory(prefix="llmerge-") as folder:
            workshop = cls(repository, Path(folder))
            try:
                yield workshop
            finally:  # a caller may stop in the middle of the merges
                for process in workshop._processes:
                    process.kill()
                    process.wait()

    def _command(self, *arguments: str) -> list[str]:
        return ["git", *_PINNED, *arguments]

    @contextmanager
    def cat_file(self) -> Iterator[CatFile]:
        reader = CatFile(self._command("cat-file", "--batch"), self._environment)
        try:
            yield reader
        finally:
            reader.close()

    def merges(self, max_merges: int | None = None) -> int:
        """Number of merges with two parents that `replays` will go through."""
        self.repository.write_merges(self.folder / "merges", max_merges)
        with open(self.folder / "merges", encoding="ascii") as lines, open(self.folder / "asked", "w") as asked:
            return sum(bool(asked.write(line.split(" ", 2)[2])) for line in lines)

    def replays(self) -> Iterator[Replay]:
        """Every merge written by `merges`, replayed; as many answers as questions, or an `LlmergeError`.

        git gives up the whole stream at the first merge that it cannot replay, for a missing object for instance.
        Such a merge is answered with status `failed`, and the stream starts again behind it. Where that is all of them,
        or more than fifty and most, the repository is not whole.
        """
        with open(self.folder / "merges", encoding="ascii") as lines:
            width, at, failures = 0, 0, 0
            merges = (Merge(int(line.split(" ", 1)[0]), *line.split()[1:]) for line in lines)
            merge = next(merges, None)
            while merge is not None:
                width = width or len(merge.parent_1) + len(merge.parent_2) + 2
                error: list[str] = []
                for status, tree, files in self._merge_tree(at * width, error):
                    if merge is None:
                        raise LlmergeError("git merge-tree gave more answers than it was asked for.")
                    yield Replay(merge, status, tree, files)
                    merge, at = next(merges, None), at + 1
                if merge is None:
                    return
                yield Replay(merge, "failed", "", {})
                failed, merge, at, failures = merge, next(merges, None), at + 1, failures + 1
                all_failed, where = merge is None and failures == at, shown(self.repository.path)
                if not error or all_failed or (failures > 50 and failures > at // 2):
                    raise LlmergeError(
                        f"{where} is not whole: git cannot replay {failures} of its first {at} merges, "
                        f"the last of them {failed.sha[:12]} ({error[0] if error else 'it gives no reason'}); run "
                        "`git fetch --refetch --no-filter` there, or give its URL."
                    )

    def _merge_tree(self, offset: int, error: list[str]) -> Iterator[tuple[str, str, dict[bytes, dict[int, str]]]]:
        arguments = ("merge-tree", "--write-tree", "--allow-unrelated-histories", "--no-messages", "-z", "--stdin")
        # questions come from a file: with two pipes, git before 2.49 and its caller can wait for each other for ever
        with open(self.folder / "asked", "rb") as asked, open(self.folder / "errors", "w+b") as errors:
            os.lseek(asked.fileno(), offset, os.SEEK_SET)
            process = subprocess.Popen(
                self._command(*arguments), env=self._environment, stdin=asked, stdout=subprocess.PIPE, stderr=errors
            )
            self._processes.append(process)
            with process.stdout:
                yield from _records(_fields(process.stdout))
            if process.wait():
                errors.seek(0)
                error += errors.read().decode("utf-8", "replace").strip().splitlines() or [f"exit {process.wait()}"]
            self._processes.remove(process)


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := stream.read1(1 << 16):
        *fields, rest = (rest + block).split(b"\0")
        yield from fields


def _records(fields: Iterator[bytes]) -> Iterator[tuple[str, str, dict[bytes, dict[int, str]]]]:
    """Status, tree and conflicted files of each merge; a record that was cut off is left out."""
    for status in fields:
        tree = next(fields, None)
        files: dict[bytes, dict[int, str]] = {}
        while entry := next(fields, None):  # an empty field ends the record
            facts, path = entry.split(b"\t", 1)
            mode, _, stage = facts.split(b" ")
            files.setdefault(path, {})[int(stage)] = mode.decode()
        if entry is None or tree is None:
            return
        yield ("clean" if status == b"1" else "conflict"), tree.decode(), files
