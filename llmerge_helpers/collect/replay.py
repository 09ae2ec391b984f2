"""Merges replayed with `git merge-tree`, fast and without a work tree, and their files read in one stream.

Every question goes to a throwaway repository, which borrows the source's objects, is told where its branches stand, and
receives all that git writes. So git never obeys a setting of the source (merge drivers, ssh commands and file monitors
are programs!) nor one of the user, and asks no network for what is missing.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, TypeAlias

from llmerge_helpers.collect.repository import Repository, check_machine, git_environment, git_version
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

    @property
    def committed_at(self) -> str:
        """The time in ISO 8601, in UTC; "" for one that no calendar has."""
        # git counts in numbers without a sign: a time before 1970 is one just below their end
        seconds = self.time - (1 << 64 if self.time >= 1 << 63 else 0)
        try:
            return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)).isoformat()
        except OverflowError:
            return ""


@dataclass(frozen=True)
class Replay:
    """What git made of a merge: `tree` holds the files with markers, `files` and `blobs` the modes and the ids of the
    stages (1 base, 2 ours, 3 theirs) of each path in conflict."""

    merge: Merge
    status: str  # clean, conflict or failed
    tree: str
    files: dict[bytes, dict[int, str]]
    blobs: dict[bytes, dict[int, str]]


_Object: TypeAlias = tuple[str, str, bytes]  # id, type and content
_ONE_WRITE = 4000  # bytes that the smallest pipe takes at once: git may answer before it has read all questions
_AHEAD = 8_000_000  # bytes: a longer answer to many questions is not waited for in memory
Answer: TypeAlias = tuple[str, str, dict[bytes, dict[int, str]], dict[bytes, dict[int, str]]]


class Damaged(LlmergeError):
    """An object that git cannot read, though it has it."""


class CatFile:
    """Objects by name, from a long-running `git cat-file --batch`; it is started anew where an object ends it.

    git gives a loose object as it finds it, cut off or changed. So each is compared with its own name, a digest; and
    behind each question stands a second one, for the object `end`, which tells where an answer ends that is too short.
    """

    def __init__(self, command: list[str], environment: dict[str, str], where: str, end: tuple[str, bytes]):
        self._command, self._environment, self._where = command, environment, where
        self._question, self._end = end[0].encode(), f"{end[0]} blob {len(end[1])}\n".encode() + end[1] + b"\n"
        self._digest = "sha1" if len(end[0]) == 40 else "sha256"
        # the files and trees of one merge are asked for several times
        self._recent: dict[bytes, _Object | None] = {}
        self._start()

    def _start(self) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, env=self._environment, stdin=pipe, stdout=pipe, stderr=pipe)
        os.set_blocking(self._process.stderr.fileno(), False)

    def get(self, name: bytes) -> tuple[str, bytes] | None:
        """Type and bytes of the object called `name`; None where it is missing, or cannot be asked for by line.

        One that is damaged is a `Damaged`.
        """
        found = self._ask(name)
        return found and found[1:]

    def id_of(self, name: bytes) -> str:
        """The id of the object called `name`, "" where it is missing."""
        found = self._ask(name)
        return found[0] if found else ""

    def ask_ahead(self, names: Iterable[bytes]) -> None:
        """Ask for objects that will be wanted soon, many at once: to wait for each answer costs more than the answer.

        Those that cannot be read are left to be asked for one by one.
        """
        batch: list[bytes] = []
        for name in (each for each in dict.fromkeys(names) if each not in self._recent and b"\n" not in each):
            if sum(map(len, batch)) + len(batch) + len(name) > _ONE_WRITE:
                self._take_all(batch)
                batch = []
            batch.append(name)
        self._take_all(batch)

    def _take_all(self, names: list[bytes]) -> None:
        if len(names) < 2:
            return
        with suppress(Damaged, ValueError):
            told, at, found = self._told(names, _AHEAD), 0, []
            for _ in names:
                answer, at = self._read(told, at)
                found.append(answer)
            if at == len(told):
                for name, answer in zip(names, found, strict=True):
                    self._keep(name, answer)

    def _ask(self, name: bytes) -> _Object | None:
        if name in self._recent:
            return self._recent[name]
        if b"\n" in name:
            return None
        told = self._told([name])
        found, end = self._read(told, 0)
        if end != len(told):
            raise Damaged(f"{name.decode('utf-8', 'replace')} is damaged: it is longer or shorter than it says")
        self._keep(name, found)
        return found

    def _told(self, names: list[bytes], limit: int = sys.maxsize) -> bytes:
        """What git answers; nothing of what is longer than `limit`."""
        try:
            self._process.stdin.write(b"\n".join([*names, self._question, b""]))
            self._process.stdin.flush()
        except BrokenPipeError:
            self._stopped(names[0])
        blocks, size = [b""], 0
        while not (blocks[-1] if len(blocks[-1]) > 100 else b"".join(blocks[-5:])).endswith(self._end):
            if not (block := self._process.stdout.read1(1 << 20)):
                self._stopped(names[0])
            blocks.append(block)
            size += len(block)
            if size > limit:
                del blocks[:-5]
        return b"".join(blocks)[: -len(self._end)] if size <= limit else b""

    def _read(self, told: bytes, at: int) -> tuple[_Object | None, int]:
        """The answer that begins at `at`, and where it ends; a `Damaged` where it is not what its name says."""
        start = told.index(b"\n", at) + 1
        header = told[at : start - 1]
        if header.endswith((b" missing", b" ambiguous")):
            check_machine(self._said(), 0, self._where)  # a file that may not be opened is "missing" too
            return None, start
        oid, kind, size = header.decode("latin-1").rsplit(" ", 2)
        data = told[start : start + int(size)]
        if hashlib.new(self._digest, f"{kind} {size}\0".encode() + data, usedforsecurity=False).hexdigest() != oid:
            raise Damaged(f"{oid} is damaged: it is not what its name says")
        return (oid, kind, data), start + int(size) + 1

    def _keep(self, name: bytes, found: _Object | None) -> None:
        if found and len(found[2]) > 200_000:
            return
        for known in (name, found[0].encode()) if found else (name,):
            if len(self._recent) > 150:
                del self._recent[next(iter(self._recent))]
            self._recent[known] = found

    def _said(self) -> str:
        """What git has complained of since the last call; never through a file, which a full disk would not take."""
        said = b"".join(iter(lambda: self._process.stderr.read(1 << 16) or b"", b""))
        return said.decode("utf-8", "replace")

    def _stopped(self, name: bytes) -> None:
        """Raise what the end of the process means, a `Damaged` or the machine's trouble; the next question restarts."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                pipe.close()
        code, said = self._process.wait(), self._said()
        self._process.stderr.close()
        self._start()
        check_machine(said, code, self._where)
        raise Damaged(
            f"{name.decode('utf-8', 'replace')} is damaged: {(said.strip().splitlines() or ['no reason'])[0]}"
        )

    def close(self) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait()
        self._process.stderr.close()


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
        self.repository, self.folder, self.where = repository, folder, shown(repository.path)
        self._processes: list[subprocess.Popen] = []
        self.octopuses = 0  # merges of more than two parents, which nobody replays: known once `merges` was asked
        self._environment = git_environment(pinned=True, GIT_DIR=str(folder / "git"))
        self._git("init", "--quiet", "--bare", "--template=", f"--object-format={self._format('objectformat', 'sha1')}")
        info = folder / "git" / "objects" / "info"
        info.mkdir(exist_ok=True)
        self._stores = repository.object_stores()
        (info / "alternates").write_bytes(b"".join(map(_quoted, self._stores)))
        attributes = folder / "git" / "info" / "attributes"
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text(f"* conflict-marker-size={REPLAY_MARKER_SIZE}\n")
        shallow = repository.common_dir / "shallow"
        self.shallow = frozenset(shallow.read_text("latin-1").split() if shallow.is_file() else ())
        if self.shallow:
            shutil.copyfile(shallow, folder / "git" / "shallow")
        (folder / "tips").write_text("".join(f"{tip}\n" for tip in self._tips()))

    def _format(self, name: str, usual: str) -> str:
        found = self.repository.settings.get(f"extensions.{name}", usual)
        return found if found in ("sha1", "sha256", "files", "reftable") else usual

    def _git(self, *arguments: str, stdin: Path | None = None, problem: str = "cannot be read", **extra: str) -> bytes:
        """What a git command says in the workshop; an `LlmergeError` where it fails."""
        with open(stdin or os.devnull, "rb") as asked:
            done = subprocess.run(
                self._command(*arguments), env=self._environment | extra, stdin=asked, capture_output=True
            )
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").strip()
            check_machine(said, done.returncode, self.where)
            raise LlmergeError(f"{self.where} {problem}: git says {(said.splitlines() or ['nothing'])[0]!r}.")
        return done.stdout

    def _tips(self) -> list[str]:
        """The commits at which a reference or a work tree stands, as far as they are there.

        References are read in a window: a git folder of our own, in which those of the source are linked.
        """
        window, source = self.folder / "window", self.repository.common_dir
        (window / "objects").mkdir(parents=True)
        (window / "HEAD").write_text("ref: refs/heads/none\n")
        kind, objects = self._format("refstorage", "files"), self._format("objectformat", "sha1")
        extensions = f"\tobjectformat = {objects}\n" * (objects != "sha1") + f"\trefstorage = {kind}\n" * (
            kind != "files"
        )
        version = int(bool(extensions))
        (window / "config").write_text(f"[core]\n\trepositoryformatversion = {version}\n[extensions]\n{extensions}")
        for name in ("refs", "packed-refs", "reftable"):
            if (source / name).exists():
                (window / name).symlink_to(source / name)
        listed = self._git("for-each-ref", "--format=%(objectname)", GIT_DIR=str(window))
        tips = dict.fromkeys([*listed.decode("latin-1").split(), *self.repository.heads()])
        (self.folder / "asked").write_text("".join(f"{tip}^{{commit}}\n" for tip in tips))
        checked = self._git("cat-file", "--batch-check", stdin=self.folder / "asked").decode("latin-1")
        return [line.split(" ", 1)[0] for line in checked.splitlines() if line.endswith(tuple("0123456789"))]

    def roots(self) -> list[str]:
        """The commits without a parent, sorted: copies and forks of a project share them whatever they are called."""
        return sorted(self._history("--max-parents=0").decode().split())

    def _history(self, *arguments: str) -> bytes:
        return self._git("rev-list", *arguments, "--stdin", stdin=self.folder / "tips", problem="has a broken history")

    def have_common_ancestor(self, merge: Merge) -> bool:
        """Whether git found a base for the merge, rather than taking all files for new on both sides."""
        command = self._command("merge-base", merge.parent_1, merge.parent_2)
        done = subprocess.run(command, env=self._environment, capture_output=True)
        check_machine(done.stderr.decode("utf-8", "replace"), done.returncode, self.where)
        return bool(done.stdout)

    def base_of(self, merge: Merge) -> str:
        """The commit at which the two sides parted, one of several; "" where there is none."""
        found = self.read(1000, "merge-base", merge.parent_1, merge.parent_2).split()
        return found[0] if found else ""

    def diff(self, most: int, old: str, new: str, first: Sequence[bytes]) -> str:
        """The first `most` bytes of what changed between two commits; files of these names come first."""
        order = self.folder / "order"
        order.write_bytes(b"".join(_literal(path) + b"\n" for path in first if b"\n" not in path))
        options = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", f"-O{order}")
        return self.read(most, "-c", "core.quotePath=false", "diff", *options, old, new, "--")

    def read(self, most: int, *arguments: str) -> str:
        """The first `most` bytes of what a git command says; nothing where it fails for what the repository is."""
        command, environment = self._command(*arguments), self._environment
        pipe = subprocess.PIPE
        with (
            ThreadPoolExecutor(1, "complaints") as beside,  # git waits until somebody reads what it complains of
            subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe) as process,
        ):
            complaints = beside.submit(process.stderr.read)
            said = process.stdout.read(most)
            ended = len(said) < most
            if not ended:
                process.kill()
            trouble = complaints.result()
        if ended:
            check_machine(trouble.decode("utf-8", "replace"), process.returncode, self.where)
        return said.decode("utf-8", "replace")

    def loose(self, oid: str) -> bool:
        """Whether the source has an object as a file of its own; git merges such a one without a look at its digest."""
        return any((store / oid[:2] / oid[2:]).exists() for store in self._stores)

    def is_beyond(self, merge: Merge) -> bool:
        """Whether the true base of the merge may lie beyond the boundary of a shallow clone."""
        if not self.shallow:
            return False
        between = self._git("rev-list", f"{merge.parent_1}...{merge.parent_2}").decode().split()
        return not self.shallow.isdisjoint(between)

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
        mark = secrets.token_hex(16).encode()  # no object of the source can be this one
        (self.folder / "mark").write_bytes(mark)
        name = self._git("hash-object", "-w", "--no-filters", str(self.folder / "mark")).decode().strip()
        reader = CatFile(self._command("cat-file", "--batch"), self._environment, self.where, (name, mark))
        try:
            yield reader
        finally:
            reader.close()

    def merges(self, max_merges: int | None = None) -> list[Merge]:
        """The merges of two parents, oldest first: all of them, or the newest `max_merges`."""
        said = self._history("--min-parents=2", "--parents", "--timestamp", "--date-order", "--reverse").decode("ascii")
        found = [Merge(int(time), *shas) for time, *shas in map(str.split, said.splitlines()) if len(shas) == 3]
        self.octopuses = said.count("\n") - len(found)
        return found[-max_merges if max_merges else 0 :]

    def replays(self, merges: Sequence[Merge]) -> Iterator[Replay]:
        """Each of `merges`, replayed; as many answers as questions, or an `LlmergeError`.

        git gives up the whole stream at the first merge that it cannot replay, for a missing object for instance.
        Such a merge is answered with status `failed`, and the stream starts again behind it. Where that is all of them,
        or more than fifty and most, the repository is not whole.
        """
        (self.folder / "asked").write_text("".join(f"{merge.parent_1} {merge.parent_2}\n" for merge in merges))
        width = len(merges[0].parent_1) + len(merges[0].parent_2) + 2 if merges else 0
        at = failures = 0
        while at < len(merges):
            error: list[str] = []
            for status, tree, files, blobs in self._merge_tree(at * width, error):
                if at == len(merges):
                    raise LlmergeError("git merge-tree gave more answers than it was asked for.")
                yield Replay(merges[at], status, tree, files, blobs)
                at += 1
            if at == len(merges):
                return
            yield Replay(merges[at], "failed", "", {}, {})
            failed, at, failures = merges[at], at + 1, failures + 1
            all_failed = at == len(merges) == failures
            if not error or all_failed or (failures > 50 and failures > at // 2):
                raise LlmergeError(
                    f"{self.where} is not whole: git cannot replay {failures} of its first {at} merges, "
                    f"the last of them {failed.sha[:12]} ({error[0] if error else 'it gives no reason'}); run "
                    "`git fetch --refetch --no-filter` there, or give its URL."
                )

    def _merge_tree(self, offset: int, error: list[str]) -> Iterator[Answer]:
        arguments = ("merge-tree", "--write-tree", "--allow-unrelated-histories", "--no-messages", "-z", "--stdin")
        # questions come from a file: with two pipes, git before 2.49 and its caller can wait for each other for ever
        with open(self.folder / "asked", "rb") as asked:
            os.lseek(asked.fileno(), offset, os.SEEK_SET)
            process = subprocess.Popen(
                self._command(*arguments),
                env=self._environment, stdin=asked, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        self._processes.append(process)
        said: list[bytes] = []
        # not into a file: a full disk would swallow the complaint about itself
        reader = threading.Thread(target=lambda: said.extend(process.stderr), daemon=True)
        reader.start()
        with process.stdout:
            yield from _records(_fields(process.stdout))
        reader.join()
        process.stderr.close()
        self._processes.remove(process)
        if code := process.wait():
            text = b"".join(said).decode("utf-8", "replace")
            check_machine(text, code, self.where)
            error += text.strip().splitlines() or [f"exit {code}"]


def _literal(path: bytes) -> bytes:
    """A pattern that only this path fits."""
    return re.sub(rb"([*?\[\\])", rb"\\\1", path)


def _quoted(store: Path) -> bytes:
    """A line of `alternates`; a path with a line end in it has to stand in quotes."""
    path = os.fsencode(store)
    if b"\n" in path:
        path = b'"' + path.replace(b"\\", rb"\\").replace(b'"', rb"\"").replace(b"\n", rb"\n") + b'"'
    return path + b"\n"


def _fields(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while block := stream.read1(1 << 16):
        *fields, rest = (rest + block).split(b"\0")
        yield from fields


def _records(fields: Iterator[bytes]) -> Iterator[Answer]:
    """Status, tree, modes and ids of the conflicted files of each merge; a record that was cut off is left out."""
    for status in fields:
        tree = next(fields, None)
        files: dict[bytes, dict[int, str]] = {}
        blobs: dict[bytes, dict[int, str]] = {}
        while entry := next(fields, None):  # an empty field ends the record
            facts, path = entry.split(b"\t", 1)
            mode, oid, stage = facts.decode().split(" ")
            files.setdefault(path, {})[int(stage)] = mode
            blobs.setdefault(path, {})[int(stage)] = oid
        if entry is None or tree is None:
            return
        yield ("clean" if status == b"1" else "conflict"), tree.decode(), files, blobs
