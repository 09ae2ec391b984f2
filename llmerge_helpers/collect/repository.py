"""Git repositories, read without touching them: where they are, what they share, which merges they hold."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import shown

OLDEST_GIT = (2, 39)

# any of these would send git to another repository than the one that was named
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
        # git may say a lot before it says what is wrong
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
        return repository

    def refuse_partial(self) -> None:
        """Raise an `LlmergeError` for a partial clone: git would ask its remote for every file, one by one."""
        if self._ask("config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"):
            raise LlmergeError(
                f"{shown(self.path)} is a partial clone, so most file contents are missing: run `git fetch --refetch "
                "--no-filter` there, or give its URL."
            )

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
