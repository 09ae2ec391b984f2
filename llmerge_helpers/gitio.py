"""Reading git repositories fast and without touching them: merges replayed with `git merge-tree`, blobs in one stream.

Everything that git writes goes into a throwaway repository whose object store borrows from the source. So neither the
source's objects, nor its configuration (merge drivers are commands!), nor the user's own configuration takes part.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO

from llmerge_helpers.errors import LlmergeError

__all__ = [
    "MARKER_SIZE",
    "CatFile",
    "Merge",
    "Replay",
    "Repository",
    "Workshop",
    "clone",
    "git_environment",
    "git_version",
    "is_url",
]

# Wider than any banner in real code: a text line `=======` in a file can never be mistaken for a marker of the replay.
MARKER_SIZE = 41
OLDEST_GIT = (2, 39)

# What a user, a system or a worktree may have set must not change the replay.
_PINNED = ("-c", "merge.conflictStyle=diff3", "-c", "diff.renames=true", "-c", f"core.attributesFile={os.devnull}")
_ELSEWHERE = {"GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_NAMESPACE", "GIT_PREFIX"}
_ELSEWHERE |= {"GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE"}


@cache
def git_version() -> tuple[int, ...]:
    """Version of the git on PATH, as numbers; an `LlmergeError` where it is missing or older than 2.39."""
    try:
        text = subprocess.run(["git", "version"], capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise LlmergeError("git was not found: install git 2.39 or newer.") from None
    return _checked_version(text)


def _checked_version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+(?:\.\d+)+)", text)
    version = tuple(int(n) for n in found[1].split(".")) if found else ()
    if version < OLDEST_GIT:
        raise LlmergeError(
            f"git {found[1] if found else '(unknown version)'} is too old: replaying merges needs "
            "`git merge-tree --stdin`, so install git 2.39 or newer."
        )
    return version


def git_environment(*, pinned: bool = False, **extra: str) -> dict[str, str]:
    """The process environment without what sends git to another repository; `pinned`: without any git setting."""
    kept = {k: v for k, v in os.environ.items() if not (k.startswith("GIT_") if pinned else k in _ELSEWHERE)}
    return kept | {"GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"} | extra


def _git(*arguments: str, cwd: str | os.PathLike | None = None, problem: str) -> bytes:
    git_version()
    done = subprocess.run(["git", *arguments], cwd=cwd, env=git_environment(), capture_output=True)
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit {done.returncode}"]
        errors = [line for line in said if line.startswith(("fatal:", "error:"))]
        raise LlmergeError(f"{problem}: git says {without_password((errors or said)[0])!r}.")
    return done.stdout


# ------------------------------------------------------------------------------------------------------- sources


def is_url(source: str) -> bool:
    """Whether `source` is something to clone rather than a folder.

    >>> is_url("https://github.com/psf/requests"), is_url("git@github.com:psf/requests.git"), is_url("../requests")
    (True, True, False)
    """
    return bool(re.match(r"(https?|ssh|git|file)://", source) or re.match(r"[\w.-]+@[\w.-]+:[^\\]", source))


def without_password(url: str) -> str:
    """`url` without the user and password that may stand in it.

    >>> without_password("https://me:token@github.com/a/b.git")
    'https://github.com/a/b.git'
    """
    return re.sub(r"(?<=://)[^/@\s]+@", "", url)


def url_name(url: str) -> str:
    """`owner/name` of a repository address.

    >>> url_name("https://github.com/psf/requests.git"), url_name("git@github.com:psf/requests")
    ('psf/requests', 'psf/requests')
    """
    parts = re.sub(r"^\w+://[^/]*|^[^:/]+:", "", url).rstrip("/").removesuffix(".git").strip("/").split("/")
    return "/".join(parts[-2:])


def clone(url: str, cache_dir: str | os.PathLike) -> Path:
    """Folder of a bare clone of `url` under `cache_dir`, made by the first call and found by the next ones."""
    address = without_password(url)
    slug = re.sub(r"[^\w.-]+", "-", url_name(url))
    folder = Path(cache_dir) / f"{slug}-{hashlib.sha256(address.encode()).hexdigest()[:8]}.git"
    if (folder / "HEAD").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _git("clone", "--quiet", "--bare", "--", url, str(part / "clone"), problem=f"{address} could not be cloned")
        # the address may carry a password, and a clone writes it into its config
        _git("remote", "set-url", "origin", address, cwd=part / "clone", problem=f"{address} could not be set up")
        try:
            (part / "clone").rename(folder)
        except OSError:  # another process was first
            if not (folder / "HEAD").exists():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class Repository:
    """A git repository that is only read."""

    path: Path

    @classmethod
    def open(cls, path: str | os.PathLike) -> Repository:
        """The repository that `path` belongs to (work tree, linked work tree, bare); an `LlmergeError` if none."""
        path = Path(path).expanduser()
        if not path.is_dir():
            raise LlmergeError(f"{path} does not exist: give the folder of a git repository, a URL, or a repos.csv.")
        _git("rev-parse", "--git-dir", cwd=path, problem=f"{path} is not a git repository that can be read")
        repository = cls(path.resolve())
        top = repository._ask("rev-parse", "--show-toplevel")
        if top and Path(top).resolve() != repository.path:
            raise LlmergeError(f"{path} is a folder inside the repository {top}: give that one if you mean it.")
        if repository._ask("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"):
            raise LlmergeError(
                f"{path} is a partial clone, so most file contents are missing: run `git fetch --refetch --no-filter` "
                "there, or give its URL."
            )
        return repository

    def _ask(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, env=git_environment(), capture_output=True)
        return "" if done.returncode else os.fsdecode(done.stdout).rstrip("\n")

    def _file(self, name: str) -> Path:
        return (self.path / self._ask("rev-parse", "--git-path", name)).resolve()

    @property
    def name(self) -> str:
        """`owner/name` of the remote it came from, else the name of its folder."""
        origin = self._ask("config", "--get", "remote.origin.url")
        if is_url(origin) and not origin.startswith("file://"):
            return url_name(origin)
        top = Path(self._ask("rev-parse", "--show-toplevel") or self.path)
        return (top.parent.name if top.name == ".git" else top.name.removesuffix(".git")) or "repository"

    def object_stores(self) -> list[Path]:
        """Its object folder and all that it borrows from, as absolute paths."""
        found: list[Path] = []
        waiting = [self._file("objects")]
        while waiting:
            store = waiting.pop(0)
            if store in found or not store.is_dir():
                continue
            found.append(store)
            borrowed = store / "info" / "alternates"
            if borrowed.exists():
                lines = [line for line in os.fsdecode(borrowed.read_bytes()).split("\n") if line]
                waiting += [(store / line).resolve() for line in lines if not line.startswith("#")]
        return found

    def state(self) -> str:
        """A digest that changes when any branch, tag or other reference does."""
        refs = self._ask("for-each-ref", "--format=%(objectname) %(refname)") + self._ask("rev-parse", "HEAD")
        return hashlib.sha256(os.fsencode(refs)).hexdigest()

    def roots(self) -> list[str]:
        """The commits without a parent, sorted: copies and forks of a project share them whatever they are called."""
        return sorted(self._ask("rev-list", "--all", "--max-parents=0").split())

    def write_merges(self, target: Path, max_merges: int | None) -> None:
        """One line a merge of two parents into `target`, oldest first: time, merge, first parent, second parent."""
        newest = ["--max-count", str(max_merges)] if max_merges else []
        command = ["git", "rev-list", "--all", "--min-parents=2", "--max-parents=2", "--parents", "--timestamp"]
        with open(target, "wb") as out:
            done = subprocess.run(
                [*command, "--date-order", "--reverse", *newest],
                cwd=self.path, env=git_environment(), stdout=out, stderr=subprocess.PIPE,
            )  # fmt: skip
        if done.returncode:
            raise LlmergeError(f"the history of {self.path} cannot be read: {done.stderr.decode(errors='replace')}")


# ------------------------------------------------------------------------------------------------------- replays


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
        attributes.write_text(f"* conflict-marker-size={MARKER_SIZE}\n")
        shallow = repository._file("shallow")
        if shallow.is_file():
            shutil.copyfile(shallow, folder / "git" / "shallow")

    @classmethod
    @contextmanager
    def open(cls, repository: Repository) -> Iterator[Workshop]:
        """A workshop in a temporary folder that is gone afterwards."""
        git_version()
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
        Such a merge is answered with status `failed`, and the stream starts again behind it.
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
                if merge is not None:
                    failures += 1
                    if failures > 50 or not error:
                        raise LlmergeError(
                            f"git merge-tree answered {at} merges and then stopped at {merge.sha[:12]}: "
                            f"{error[0] if error else 'it gave no reason'}. Is the repository complete? Try `git fsck`."
                        )
                    yield Replay(merge, "failed", "", {})
                    merge, at = next(merges, None), at + 1

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
