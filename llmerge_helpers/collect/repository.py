"""Git repositories, found and described without asking git in them: a stranger's settings can name programs to run."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache, cached_property
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


def git_name() -> str:
    """The version of the git on PATH in words, "2.39.5" say."""
    return ".".join(map(str, git_version()))


def _checked_version(text: str) -> tuple[int, ...]:
    found = re.search(r"(\d+(?:\.\d+)+)", text)
    version = tuple(int(n) for n in found[1].split(".")) if found else ()
    if version < OLDEST_GIT:
        raise LlmergeError(
            f"git {found[1] if found else '(unknown version)'} is too old: replaying merges needs "
            "`git merge-tree --stdin`, so install git 2.39 or newer."
        )
    return version


# An object that is missing is missing: git neither fetches it later nor runs what would fetch it.
_ALONE = {"GIT_NO_LAZY_FETCH": "1", "GIT_NO_REPLACE_OBJECTS": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
# What a user or a system may have set must not change the replay, and may name programs.
_NO_SETTINGS = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1"}


def git_environment(*, pinned: bool = False, **extra: str) -> dict[str, str]:
    """The process environment without what sends git to another repository; `pinned`: with no setting, no network."""
    kept = {k: v for k, v in os.environ.items() if not (k.startswith("GIT_") if pinned else k in _ELSEWHERE)}
    return kept | _ALONE | (_NO_SETTINGS | {"GIT_ALLOW_PROTOCOL": ""} if pinned else {}) | extra


class MachineTrouble(LlmergeError):
    """The machine failed, not the repository: no space, no permission, a killed process. Nothing is known then."""


# git says it in the words of the C library
_TROUBLES = [
    os.strerror(code).lower()
    for code in (
        errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EMFILE, errno.ENFILE,
        errno.ENOMEM, errno.EIO, errno.EAGAIN,
    )
] + ["out of memory", "write error", "unable to create temporary"]  # fmt: skip
_CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL}  # damaged objects can do that


def check_machine(said: str, code: int, where: str) -> None:
    """Raise a `MachineTrouble` where git's last words or its exit code say that the machine failed it."""
    told = next((line for line in said.splitlines() if any(trouble in line.lower() for trouble in _TROUBLES)), "")
    if not told and code < 0 and -code not in _CRASHES:
        told = f"it was ended by {signal.Signals(-code).name}"
    if told:
        raise MachineTrouble(
            f"git could not work on {where}: {without_password(told.strip())[:300]}. Nothing of it was stored; see to "
            f"the space in {tempfile.gettempdir()} (or name another folder in TMPDIR), to permissions and memory, and "
            "run it again."
        )


def _git(*arguments: str, cwd: str | os.PathLike | None = None, problem: str, **extra: str) -> bytes:
    git_version()
    done = subprocess.run(["git", *arguments], cwd=cwd, env=git_environment(**extra), capture_output=True)
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


_WAYS = "file:git:http:https:ssh"  # no address may lead on to `ext::`, which runs a program


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
        problem = f"{address} could not be cloned"
        _git(
            "clone",
            "--quiet",
            "--bare",
            "--template=",
            "--",
            url,
            str(part / "clone"),
            problem=problem,
            GIT_ALLOW_PROTOCOL=_WAYS,
        )
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
    """A git repository that is only read, and never asked: its folders, found as git finds them.

    `git_dir` has the HEAD of this work tree, `common_dir` what all work trees share.
    """

    path: Path
    git_dir: Path
    common_dir: Path

    @classmethod
    def open(cls, path: str | os.PathLike) -> Repository:
        """The repository that `path` belongs to (work tree, linked work tree, bare); an `LlmergeError` if none."""
        git_version()
        path = Path(path).expanduser()
        if not path.is_dir():
            raise LlmergeError(f"{path} does not exist: give the folder of a git repository, a URL, or a repos.csv.")
        path = path.resolve()
        if git_dir := _git_dir(path):
            common = git_dir / "commondir"
            shared = git_dir / os.fsdecode(common.read_bytes()).strip() if common.is_file() else git_dir
            return cls(path, git_dir, shared.resolve())
        if top := next((folder for folder in path.parents if _git_dir(folder)), None):
            raise LlmergeError(f"{path} is a folder inside the repository {top}: give that one if you mean it.")
        raise LlmergeError(
            f"{path} is not a git repository that can be read: it has no .git, and is no bare one. Give the folder of "
            "a clone, or its URL."
        )

    @cached_property
    def settings(self) -> dict[str, str]:
        """The settings in its own config file, by name in small letters; the file is read as text, and not obeyed."""
        command = ["git", "config", "--file", str(self.common_dir / "config"), "--null", "--list"]
        done = subprocess.run(command, env=git_environment(pinned=True, GIT_DIR=os.devnull), capture_output=True)
        pairs = (entry.partition("\n") for entry in os.fsdecode(done.stdout).split("\0") if entry)
        return {name: value for name, _, value in pairs}

    def refuse_partial(self) -> None:
        """Raise an `LlmergeError` for a partial clone: most of its objects would be missing."""
        if any(re.fullmatch(r"extensions\.partialclone|remote\..*\.promisor", name) for name in self.settings):
            raise LlmergeError(
                f"{shown(self.path)} is a partial clone, so most file contents are missing: run `git fetch --refetch "
                "--no-filter` there, or give its URL."
            )

    @property
    def name(self) -> str:
        """`owner/name` of the remote it came from, else the name of its folder."""
        origin = self.settings.get("remote.origin.url", "")
        if is_url(origin) and not origin.startswith("file://"):
            return url_name(origin)
        top = self.path.parent if self.path.name == ".git" else self.path
        return top.name.removesuffix(".git") or "repository"

    def object_stores(self) -> list[Path]:
        """Its object folder and all that it borrows from, as absolute paths."""
        found: list[Path] = []
        waiting = [(self.common_dir / "objects").resolve()]
        while waiting:
            store = waiting.pop(0)
            if store in found or not store.is_dir():
                continue
            found.append(store)
            borrowed = store / "info" / "alternates"
            if borrowed.exists() and not (borrowed.is_file() or borrowed.is_dir()):  # git itself would wait for it
                raise LlmergeError(
                    f"{borrowed} is a pipe or a device, not a file: remove it, or clone the repository anew."
                )
            if borrowed.is_file():
                lines = [line for line in borrowed.read_bytes().split(b"\n") if line and not line.startswith(b"#")]
                waiting += [(store / os.fsdecode(_unquoted(line))).resolve() for line in lines]
        return found

    def heads(self) -> list[str]:
        """The commits at which its work trees stand without a branch."""
        files = [self.git_dir / "HEAD", self.common_dir / "HEAD", *self.common_dir.glob("worktrees/*/HEAD")]
        texts = (file.read_bytes()[:100].decode("latin-1").strip() for file in files if file.is_file())
        return sorted({text for text in texts if re.fullmatch("[0-9a-f]{40}|[0-9a-f]{64}", text)})


def _git_dir(path: Path) -> Path | None:
    """The git folder of a work tree or a bare repository, by the marks that git itself looks for; None if none."""
    for folder in (path / ".git", path):
        if folder.is_file() and folder.read_bytes()[:8] == b"gitdir: ":
            folder = path / os.fsdecode(folder.read_bytes()[8:].rstrip(b"\r\n"))
        is_linked = (folder / "commondir").is_file()
        if (folder / "HEAD").exists() and (is_linked or ((folder / "objects").is_dir() and (folder / "refs").exists())):
            return folder.resolve()
    return None


def _unquoted(line: bytes) -> bytes:
    """A line of `alternates`, which git writes in quotes where it has odd letters."""
    if not (line.startswith(b'"') and line.endswith(b'"')):
        return line
    return line[1:-1].decode("unicode_escape").encode("latin-1")
