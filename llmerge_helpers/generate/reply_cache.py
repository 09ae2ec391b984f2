"""The ledger of raw replies: one file a request, whole or not there, and never asked, or paid, twice."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, TypedDict

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import shown
from llmerge_helpers.run.files import write_atomic

try:
    import fcntl
except ImportError:  # Windows: two processes on one cache may then ask the same question twice
    fcntl = None  # type: ignore[assignment]

SCHEMA = 1
logger = logging.getLogger(__name__)

# A process holds one descriptor a folder for ever: POSIX drops all locks of a file when any descriptor of it is closed.
_lock_files: dict[str, int] = {}
_claimed: set[tuple[str, str]] = set()


def request_key(body: Mapping[str, object], base_url: str, sample: int) -> str:
    """SHA-256 over the canonical JSON of exactly what is sent, the endpoint, and the number of the sample.

    >>> a = request_key({"model": "m", "max_tokens": 9}, "https://host", 0)
    >>> a == request_key({"max_tokens": 9, "model": "m"}, "https://host/", 0)
    True
    >>> a == request_key({"max_tokens": 9, "model": "m"}, "https://host", 1)
    False
    """
    return hashlib.sha256(_canonical(body, base_url, sample).encode("ascii")).hexdigest()


def request_keys(body: Mapping[str, object], base_url: str, sample: int) -> Callable[[str], str]:
    """`request_key` of requests that differ in the text of their last message only: many of them in half the time.

    >>> body = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    >>> request_keys(body, "https://host", 0)("a") == request_key(body, "https://host", 0)
    True
    """
    *before, last = body["messages"]
    here = "\0" + hashlib.sha256(repr(body).encode("utf-8", "surrogatepass")).hexdigest()  # nothing else in it reads so
    text = _canonical({**body, "messages": [*before, {**last, "content": here}]}, base_url, sample)
    head, _, tail = text.partition(encode_basestring_ascii(here))
    start, end = hashlib.sha256(head.encode("ascii")), tail.encode("ascii")

    def key(content: str) -> str:
        digest = start.copy()
        digest.update(encode_basestring_ascii(content).encode("ascii") + end)
        return digest.hexdigest()

    return key


def _canonical(body: Mapping[str, object], base_url: str, sample: int) -> str:
    what = {"base_url": base_url.rstrip("/"), "body": body, "sample": sample, "schema": SCHEMA}
    # ASCII on purpose: a lone surrogate in a conflict has no UTF-8 form, but it has a key
    return json.dumps(what, sort_keys=True, separators=(",", ":"), allow_nan=False)


class Record(TypedDict, total=False):
    """What is kept of one request: what was sent, what came, and what it cost."""

    schema: int
    key: str
    base_url: str
    sample: int
    request: dict[str, object]
    response: dict[str, Any]  # as the service sent it
    teacher: str
    requested_model: str
    served_model: str
    system_fingerprint: str
    finish_reason: str | None
    usage: dict[str, int]
    cost_usd: float | None
    started_at: str
    finished_at: str
    latency_s: float
    attempts: int
    faults: dict[str, int]
    spoiled: list[dict[str, object]]  # earlier tries that were paid for and of no use
    sdk: str
    prompt_version: str
    error: str
    batch: float  # it came by batch, at this share of the price; `request` then lacks the fields of streaming


class Ledger:
    """Replies below `folder`, as `<first two of the key>/<key>.json`; several processes may share it.

    `<key>.attempt-<n>.json` beside it holds a reply that was paid for but could not be used.
    """

    def __init__(self, folder: str | os.PathLike):
        self.folder = Path(folder)
        self._prefix = str(self.folder)
        self._locks: tuple[int, int] | None = None
        self._marked: set[int] = set()
        if self.folder.exists() and not self.folder.is_dir():
            raise LlmergeError(f"cache_dir {shown(self.folder)} is a file: give a folder.")

    def path(self, key: str) -> Path:
        """Where the reply to `key` lies."""
        return self.folder / key[:2] / f"{key}.json"

    def check_writable(self) -> None:
        """Raise an `LlmergeError` now, before anything is paid for, if no reply could be written.

        What killed processes left half-written goes, once it is too old to be in use.
        """
        try:
            write_atomic(self.folder / ".writable", "")
        except OSError as error:
            raise LlmergeError(
                f"cache_dir {shown(self.folder)} cannot be written ({error.strerror}): make room or give permission, "
                "or choose another one. Nothing was asked."
            ) from None
        for leftover in self.folder.glob("*/.*.tmp"):
            with contextlib.suppress(OSError):
                if leftover.stat().st_mtime < time.time() - 3600:
                    leftover.unlink()

    def get(self, key: str) -> Record | None:
        """The record of `key`, or None; a torn or foreign file is set aside with a warning and counts as None."""
        path = f"{self._prefix}/{key[:2]}/{key}.json"  # a string: pathlib would be a third of the time of a warm run
        try:
            with open(path, "rb") as file:
                raw = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            if isinstance(error, (NotADirectoryError, PermissionError)):
                raise LlmergeError(
                    f"the cache file {shown(path)} cannot be read ({error.strerror}): give permission, "
                    "or choose another cache_dir."
                ) from None
            return self._set_aside(path, f"is not a readable file ({error.strerror})")
        try:
            record = json.loads(raw)
        except ValueError:
            return self._set_aside(path, "is torn or not JSON")
        if not isinstance(record, dict) or record.get("key") != key or record.get("schema") != SCHEMA:
            return self._set_aside(path, "holds something else than the reply it is named after")
        try:
            whole = isinstance(record["request"], dict) and isinstance(
                record["response"]["choices"][0]["message"], dict
            )
        except (KeyError, IndexError, TypeError):
            whole = False
        if not whole:
            return self._set_aside(path, "lacks the request or the reply")
        return record

    def listing(self) -> Callable[[str], bool]:
        """A function that says whether there is a file for a key; each folder is listed once, when first asked for.

        A file that comes later may be missed: a hundred thousand failed openings take far longer.
        """

        @cache
        def names(folder: str) -> frozenset[str] | None:
            try:
                return frozenset(os.listdir(f"{self._prefix}/{folder}"))
            except FileNotFoundError:
                return frozenset()
            except OSError:
                return None  # `get` says what is wrong

        return lambda key: (found := names(key[:2])) is None or f"{key}.json" in found

    def put(self, record: Record) -> None:
        """Write a record that carries its `key`, atomically."""
        write_atomic(self.path(record["key"]), _dump(record))
        self._mark(_limit_of(record))

    def limits(self) -> list[int]:
        """The values of `max_tokens` under which replies lie here, the largest first.

        Each is an empty file, `.limit-<n>`, so that caches are joined by copying their files.
        """
        found = {int(path.name[7:]) for path in self.folder.glob(".limit-*") if path.name[7:].isdigit()}
        if not found:  # a cache from before: a look into one reply of each folder tells what was usual
            for folder in self.folder.glob("[0-9a-f][0-9a-f]"):
                name = next((path.stem for path in folder.glob("*.json") if "." not in path.stem), None)
                record = self.get(name) if name else None
                found |= {_limit_of(record)} if record else set()
            for limit in found:
                self._mark(limit)
        return sorted(found - {0}, reverse=True)

    def _mark(self, limit: int) -> None:
        if limit and limit not in self._marked:
            self._marked.add(limit)
            with contextlib.suppress(OSError):  # a cache that can only be read
                (self.folder / f".limit-{limit}").touch()

    def put_attempt(self, record: Record) -> None:
        """Keep a paid reply that could not be used, under the next free attempt number of its `key`."""
        path = self.path(record["key"])
        number = 1
        while (target := path.with_suffix(f".attempt-{number}.json")).exists():
            number += 1
        write_atomic(target, _dump(record))

    def attempts(self, key: str) -> list[Record]:
        """The paid replies to `key` that could not be used, oldest first."""
        found, number = [], 1
        while (path := self.path(key).with_suffix(f".attempt-{number}.json")).exists():
            try:
                found.append(json.loads(path.read_bytes()))
            except ValueError:
                self._set_aside(str(path), "is torn or not JSON")
                break
            number += 1
        return found

    def records(self) -> Iterator[Record]:
        """Every readable record, unusable paid attempts included: the whole bill."""
        for path in sorted(self.folder.glob("[0-9a-f][0-9a-f]/*.json")):
            try:
                record = json.loads(path.read_bytes())
            except (OSError, ValueError):
                continue
            if isinstance(record, dict) and record.get("schema") == SCHEMA:
                yield record

    def _set_aside(self, path: str, why: str) -> None:
        with contextlib.suppress(OSError):  # another process was first, or the folder is read-only
            os.replace(path, path + ".set-aside")
        logger.warning(
            "the cache file %s %s; it is set aside as *.set-aside and the question is asked again", shown(path), why
        )

    # ------------------------------------------------------------------------------------- two processes, one cache

    def claim(self, key: str) -> bool:
        """True if nobody else is asking `key` just now; then nobody else can, until `release` or the process's end.

        A claim is a lock on one byte, at the key's own offset, of an empty file: nothing to clean up after a SIGKILL.
        """
        mine = (self._prefix, key)
        if mine in _claimed:
            return False
        if fcntl is not None:
            try:
                fcntl.lockf(self._lock_file(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(key[:15], 16))
            except BlockingIOError:
                return False
            except OSError:  # a file system without locks (some network drives)
                logger.debug("no locks in %s", shown(self.folder))
        _claimed.add(mine)
        return True

    def release(self, key: str) -> None:
        """Give up a claim."""
        _claimed.discard((self._prefix, key))
        if fcntl is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(self._lock_file(), fcntl.LOCK_UN, 1, int(key[:15], 16))

    def _lock_file(self) -> int:
        if self._locks is None or self._locks[0] != os.getpid():  # a forked child has no part in its parent's claims
            where = f"{os.getpid()}:{self.folder.resolve()}"
            if where not in _lock_files:
                self.folder.mkdir(parents=True, exist_ok=True)
                _lock_files[where] = os.open(self.folder / ".claims", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
            self._locks = os.getpid(), _lock_files[where]
        return self._locks[1]


def _limit_of(record: Record) -> int:
    request = record.get("request") or {}
    limit = request.get("max_tokens") or request.get("max_completion_tokens")
    return limit if isinstance(limit, int) else 0


def _dump(record: Record) -> str:
    return json.dumps({"schema": SCHEMA, **record}, ensure_ascii=False)
