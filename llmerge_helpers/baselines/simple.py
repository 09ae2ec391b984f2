"""What costs nothing: one side, both sides, a token merge, stated rules, mergiraf; every model has to beat these."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from llmerge_helpers.baselines.rules import decide, joined
from llmerge_helpers.conflicts import Conflict, Row
from llmerge_helpers.conflicts.plans import text_of
from llmerge_helpers.errors import LlmergeError

MERGIRAF_SECONDS = 10


def resolve(name: str, row: Row) -> str | None:
    """The text that the named baseline puts in place of the conflict; None if it has no answer.

    `row` has ours, base, theirs and, where known, before, after and path, or only a question. None of its labels is
    read. `base` has no answer where the base is not known, `token_merge` where both sides changed the same tokens,
    `mergiraf` where it is not on PATH or leaves a conflict.

    >>> resolve("token_merge", {"ours": "f(a, 2)\\n", "base": "f(a, 1)\\n", "theirs": "g(a, 1)\\n"})
    'g(a, 2)\\n'
    """
    if name not in _BASELINES:
        raise LlmergeError(f"There is no baseline named {name!r}; choose one of {', '.join(NAMES)}.")
    conflict = Conflict.of(row)
    if name == "mergiraf":  # the only one that looks at the file around
        head, tail = row.get("prefix") or "", row.get("suffix") or ""
        conflict = replace(conflict, before=head + conflict.before, after=conflict.after + tail)
    return _BASELINES[name](conflict)


def _mergiraf(file: Conflict) -> str | None:
    program = shutil.which("mergiraf")
    if not program:
        return None
    suffix = PurePosixPath(file.path).suffix
    with tempfile.TemporaryDirectory(prefix="llmerge-") as folder:
        paths = [
            Path(folder, side).with_suffix(suffix if suffix.isascii() else "") for side in ("base", "ours", "theirs")
        ]
        for path, text in zip(paths, (file.known_base, file.ours, file.theirs), strict=True):
            path.write_bytes(file.with_(text).encode("utf-8", "surrogatepass"))
        try:
            done = subprocess.run(
                [program, "merge", *paths], capture_output=True, timeout=MERGIRAF_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return file.cut(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None


_BASELINES: dict[str, Callable[[Conflict], str | None]] = {
    "ours": lambda c: c.ours,
    "theirs": lambda c: c.theirs,
    "union": lambda c: joined(c.ours, c.theirs),
    "union_reversed": lambda c: joined(c.theirs, c.ours),
    "base": lambda c: c.base,
    "empty": lambda c: "",
    "token_merge": lambda c: text_of(c, "token_merge"),
    "rules": lambda c: decide(c)[1].resolution,
    "mergiraf": _mergiraf,
}
NAMES = tuple(_BASELINES)
