"""Rows of datasets made elsewhere, as LLMerge and Merge-Bench write them: a question with a conflict, and an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from llmerge_helpers.conflicts.markers import Hunk
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.collect.labels import kind_of
from llmerge_helpers.conflicts.languages import language_of
from llmerge_helpers.conflicts.prompts import fences, parse_question

__all__ = ["from_question"]


def from_question(row: Mapping[str, Any], columns: Sequence[str], ident: str) -> dict[str, Any] | None:
    """A row of ours from a question with a conflict in it and an answer; None where they do not fit."""
    try:
        parsed = parse_question(row["question"] or "")
    except LlmergeError:
        return None
    texts = {name: parsed.get(name) or "" for name in ("before", "ours", "base", "theirs", "after")}
    answer = row["answer"] or ""
    blocks = fences(answer)
    if answer.lstrip().startswith("```") and blocks:
        answer = blocks[0].body
    resolution = _between(texts["before"], answer, texts["after"])
    if resolution is None:
        return None
    new = {column: row.get(column) or "" for column in columns} | texts
    new |= {side: row.get(side) for side in ("prefix", "suffix")}  # None: the rest of the file is not known
    new |= {"resolution": resolution, "answer": texts["before"] + resolution + texts["after"]}
    hunk = Hunk(texts["ours"], None, texts["theirs"])
    if texts["base"]:
        hunk = Hunk(texts["ours"], texts["base"], texts["theirs"], base_marker="||||||| base\n")
    new["id"] = str(row.get("id") or ident)
    new["hunk"] = row["hunk"] if isinstance(row.get("hunk"), int) else 0
    new["path"] = new["path"] or parsed.get("path") or ""
    new["language"] = new["language"] or parsed.get("language") or language_of(new["path"])
    new["kind"] = kind_of(hunk, resolution)
    new["label"] = new["label"] or "given"
    return {column: value if column == "hunk" or value is None else str(value) for column, value in new.items()}


def _between(before: str, answer: str, after: str) -> str | None:
    """What stands between `before` and `after`; the white space at both ends of an answer may have been stripped."""
    if not answer.startswith(before) and answer.startswith(before.lstrip()):
        answer = before[: len(before) - len(before.lstrip())] + answer
    if not answer.endswith(after) and answer.endswith(after.rstrip()):
        answer += after[len(after.rstrip()) :]
    fits = len(answer) >= len(before) + len(after) and answer.startswith(before) and answer.endswith(after)
    if not fits:
        return None
    resolution = answer[len(before) : len(answer) - len(after)]
    return resolution if not resolution or after == "" or resolution.endswith("\n") else None
