"""Files and folders that are either whole or not there: atomic writes, JSON and JSON lines."""

from __future__ import annotations

import glob
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from llmerge_helpers.errors import LlmergeError


def write_atomic(path: str | os.PathLike, data: str | bytes, *, lasting: bool = True, mode: int = 0o644) -> None:
    """Write `data` to `path` so that a reader, or a crash, sees the old file or the new one, never a part.

    Missing parent folders are made. Text is written as UTF-8 with its line ends kept. What is not `lasting` may be
    empty after a power cut: of a thousand small files, waiting for the disk would be most of the time.
    """
    with atomic_file(path, lasting=lasting, mode=mode) as file:
        file.write(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data)


@contextmanager
def atomic_file(path: str | os.PathLike, *, lasting: bool = True, mode: int = 0o644) -> Iterator[BinaryIO]:
    """A file to write piece by piece, which is at `path` once the block ends well; until then, the old one is."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if lasting:  # the new name may reach the disk before the bytes do
                os.fsync(file.fileno())
        # mkstemp makes a file that only its owner reads
        os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_json(path: str | os.PathLike, value: object) -> None:
    """Write one JSON document atomically, readable by a person."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=1, default=str) + "\n")


def read_json(path: str | os.PathLike) -> Any:
    """The JSON document in `path`; a torn or foreign file is an `LlmergeError` that names it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise LlmergeError(
            f"{shown(path)} is not readable JSON ({error}): delete it and run the step that writes it."
        ) from None


def write_jsonl(path: str | os.PathLike, rows: Iterable[object]) -> None:
    """Write JSON lines atomically, one row a line and one after the other: of a generator, none stays in memory."""
    with atomic_file(path) as file:
        for row in rows:
            line = json.dumps(row, ensure_ascii=False, default=str) + "\n"
            file.write(line.encode("utf-8", "surrogatepass"))


def read_jsonl(path: str | os.PathLike) -> Iterator[dict]:
    """The rows of a JSON lines file, one by one; a torn line is an `LlmergeError` that names file and line."""
    with open(path, encoding="utf-8", errors="surrogatepass", newline="\n") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                yield json.loads(line)
            except ValueError:
                raise LlmergeError(
                    f"{shown(path)}, line {number} is torn or not JSON: run the notebook that writes it again "
                    "(answers that were paid for are in the cache)."
                ) from None


def remove_left(paths: Iterable[Path]) -> None:
    """Remove the files and folders that nothing has touched for a day: a process that was killed left them."""
    for path in paths:
        if path.stat().st_mtime >= time.time() - 86_400:
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def room_beside(path: Path) -> Iterator[Path]:
    """A folder to work in beside `path`, gone afterwards; what cannot be written or read is an `LlmergeError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_left(path.parent.glob(f".{glob.escape(path.name)}-*.tmp"))
        with tempfile.TemporaryDirectory(prefix=f".{path.name}-", suffix=".tmp", dir=path.parent) as room:
            yield Path(room)
    except OSError as error:
        why, place = error.strerror or error, Path(os.path.abspath(path))
        broken = Path(os.path.abspath(error.filename)) if isinstance(error.filename, str) else place
        beside = str(place.with_name(f".{place.name}"))  # so begin the rooms, and what `replace_folder` puts aside
        if broken not in place.parents and not broken.is_relative_to(place) and not str(broken).startswith(beside):
            raise LlmergeError(
                f"{shown(broken)} cannot be read ({why}), so {shown(path)} is not written: give permission, or run "
                "the step that writes it again."
            ) from None
        raise LlmergeError(
            f"{shown(path)} cannot be written ({why}): make room or give permission, or choose another folder."
        ) from None


def replace_folder(new: Path, path: Path) -> None:
    """Put the folder `new` in the place of `path`; what was there is back if that fails, and `in_place` after a kill.

    A folder cannot be replaced in one step. The old one ends up beside `new`, for the caller to remove.
    """
    aside = _aside(path)
    if path.exists():
        if aside.exists():  # a killed process left it, and a later one has filled the place
            os.replace(aside, new.with_name("older"))
        os.replace(path, aside)
    try:
        os.replace(new, path)
    except BaseException:
        if aside.exists() and not path.exists():
            os.replace(aside, path)
        raise
    if aside.exists():
        os.replace(aside, new.with_name("old"))


def keep_beside(folder: Path) -> Path:
    """Where the run in `folder` lies from now on: beside it, as `<folder>_1` or the next number that is free."""
    kept = next(p for n in count(1) if not (p := folder.with_name(f"{folder.name}_{n}")).exists())
    try:
        folder.rename(kept)
    except OSError as error:
        raise LlmergeError(
            f"{shown(folder)} holds a run with other settings, and cannot be renamed to {kept.name} "
            f"({error.strerror or error}): choose another output_dir."
        ) from None
    return kept


def kept_beside(folder: Path) -> list[Path]:
    """The runs that `keep_beside` has put aside, the latest first."""
    found = folder.parent.glob(f"{glob.escape(folder.name)}_*") if folder.parent.is_dir() else ()
    numbered = [(int(number), p) for p in found if (number := p.name[len(folder.name) + 1 :]).isdecimal()]
    return [path for _, path in sorted(numbered, reverse=True)]


def differences(before: Mapping[str, object], now: Mapping[str, object]) -> str:
    """What differs between the settings of two runs, for a person; empty where they are the same.

    >>> differences({"limit": 10, "seed": 0}, {"limit": 0, "seed": 0})
    'limit 10 -> 0'
    """
    changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
    return "; ".join(f"{name} {_short(before.get(name))} -> {_short(now.get(name))}" for name in changed)


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 24 else text[:12] + "…"


def in_place(path: Path) -> Path:
    """`path`, or where its old content lies since a process was killed in the middle of `replace_folder`."""
    aside = _aside(path)
    return aside if aside.exists() and not path.exists() else path


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


# ---------------------------------------------------------------------------------------------------- where things are


def root() -> Path:
    """The folder that holds `llmerge_helpers/`: `$LLMERGE_ROOT`, else upwards from here, else around the package."""
    if os.environ.get("LLMERGE_ROOT"):
        return Path(os.environ["LLMERGE_ROOT"]).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "llmerge_helpers" / "__init__.py").exists():
            return folder
    return Path(__file__).resolve().parents[2]


def from_root(path: str | os.PathLike) -> Path:
    """`path` seen from the root, so that a notebook finds it whichever folder it was started in."""
    return root() / Path(path).expanduser()


def shown(path: str | os.PathLike) -> str:
    """`path` as it may be printed: relative to the root where it lies inside, so that no output names a home folder."""
    path = Path(path)
    try:
        return str(path.resolve().relative_to(root()))
    except ValueError:
        return str(path)
