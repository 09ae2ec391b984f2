"""What costs nothing: one side, both sides, a token merge, stated rules, mergiraf; every model has to beat these."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from llmerge_helpers.baselines.explain import explain_change, explain_result
from llmerge_helpers.baselines.rules import decide, statement
from llmerge_helpers.baselines.sides import Conflict, joined
from llmerge_helpers.baselines.threeway import merge_tokens
from llmerge_helpers.conflicts.prompts import parse_question
from llmerge_helpers.errors import LlmergeError

MERGIRAF_SECONDS = 10
SHORTEST_REASONING, LONGEST_REASONING = 40, 200  # words


def resolve(name: str, row: Mapping[str, Any]) -> str | None:
    """The text that the named baseline puts in place of the conflict; None if it has no answer.

    `row` has ours, base, theirs and, where known, before, after and path, or only a question. None of its labels is
    read. `base` has no answer where the base is not known, `token_merge` where both sides changed the same tokens,
    `mergiraf` where it is not on PATH or leaves a conflict.

    >>> resolve("token_merge", {"ours": "f(a, 2)\\n", "base": "f(a, 1)\\n", "theirs": "g(a, 1)\\n"})
    'g(a, 2)\\n'
    """
    if name not in _BASELINES:
        raise LlmergeError(f"There is no baseline named {name!r}; choose one of {', '.join(NAMES)}.")
    return _BASELINES[name](row)


def explain(row: Mapping[str, Any]) -> tuple[str | None, str]:
    """The rules' resolution and the reasoning that leads to it, in 40 to 200 words.

    It says what each side changed, which rule decides, and which lines stay. It follows from the question alone.

    >>> resolution, reasoning = explain({"ours": "f(a, 2)\\n", "base": "f(a, 1)\\n", "theirs": "g(a, 1)\\n"})
    >>> resolution
    'g(a, 2)\\n'
    >>> print(reasoning)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    The base has one line here. Ours changes `1` to `2` in `f(a, 1)`. Theirs changes `f` to `g` in `f(a, 1)`...
    """
    conflict = read_conflict(row)
    rule, answer = decide(conflict)
    for most in (3, 2, 1):
        changes, result = explain_change(conflict, most), explain_result(conflict, answer.resolution, most)
        reasoning = "\n\n".join([changes, answer.why, result])
        if len(reasoning.split()) <= LONGEST_REASONING:
            break
    if len(reasoning.split()) < SHORTEST_REASONING:
        reasoning = "\n\n".join([changes, f"{answer.why} The rule: {statement(rule)}", result])
    return answer.resolution, reasoning


def read_conflict(row: Mapping[str, Any]) -> Conflict:
    """The conflict of a row, from its columns or out of its question; LlmergeError if there is none."""
    if "ours" in row and "theirs" in row:
        texts = {key: row.get(key) for key in ("ours", "base", "theirs", "before", "after")}
    elif "question" in row:
        texts = parse_question(row["question"])
    else:
        raise LlmergeError("A row needs the columns ours and theirs, or a question with a conflict in it.")
    return Conflict(**{key: texts[key] or "" for key in ("ours", "base", "theirs", "before", "after")})


def _base(row: Mapping[str, Any]) -> str | None:
    texts = row if "ours" in row else parse_question(row["question"])
    return texts.get("base")


def _token_merge(row: Mapping[str, Any]) -> str | None:
    c = read_conflict(row)
    return merge_tokens(c.ours, c.base, c.theirs) if c.base else None


def _mergiraf(row: Mapping[str, Any]) -> str | None:
    program = shutil.which("mergiraf")
    if not program:
        return None
    c = read_conflict(row)
    head, tail = (row.get(key) or "" for key in ("prefix", "suffix"))
    head, tail = head + c.before, c.after + tail
    suffix = PurePosixPath(row.get("path") or "").suffix
    with tempfile.TemporaryDirectory(prefix="llmerge-") as folder:
        paths = [
            Path(folder, side).with_suffix(suffix if suffix.isascii() else "") for side in ("base", "ours", "theirs")
        ]
        for path, text in zip(paths, (c.base, c.ours, c.theirs), strict=True):
            path.write_bytes((head + text + tail).encode("utf-8", "surrogatepass"))
        try:
            done = subprocess.run(
                [program, "merge", *paths], capture_output=True, timeout=MERGIRAF_SECONDS, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    merged = done.stdout.decode("utf-8", "replace")
    fits = len(merged) >= len(head) + len(tail) and merged.startswith(head) and merged.endswith(tail)
    return merged[len(head) : len(merged) - len(tail)] if done.returncode == 0 and fits else None


def _side(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda row: getattr(read_conflict(row), name)


_BASELINES: dict[str, Callable[[Mapping[str, Any]], str | None]] = {
    "ours": _side("ours"),
    "theirs": _side("theirs"),
    "union": lambda row: joined((c := read_conflict(row)).ours, c.theirs),
    "union_reversed": lambda row: joined((c := read_conflict(row)).theirs, c.ours),
    "base": _base,
    "empty": lambda row: "",
    "token_merge": _token_merge,
    "rules": lambda row: decide(read_conflict(row))[1].resolution,
    "mergiraf": _mergiraf,
}
NAMES = tuple(_BASELINES)
