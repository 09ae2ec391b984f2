"""The thinking part of a training example: where it comes from, and what may be wrong with it."""

from __future__ import annotations

import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmerge_helpers.baselines.explain import explain_change, explain_result
from llmerge_helpers.baselines.sides import Conflict

FLAGS = {
    "empty": "the reply had no reasoning",
    "cut": "the reasoning was cut off",
    "loops": "the same words come again and again",
    "language": "the reasoning leaves the language of the question",
    "harness": "special tokens, think tags or words about the grading stand in it",
}
FROM_FACTS = "facts"


@dataclass(frozen=True)
class Thinking:
    """The reasoning of a training example, its source (as `prompts.Reply` names it, or `facts`), and its flags."""

    text: str
    source: str
    flags: tuple[str, ...] = ()


def thinking_of(example: Mapping[str, Any], conflict: Mapping[str, Any]) -> Thinking:
    """The reasoning to train on for one record of `examples.jsonl`.

    The teacher's own, whichever field or tag it came in; where there is none, a plain account of the conflict's facts.
    """
    text, source = (example.get("reasoning") or "").strip(), example.get("reasoning_source") or "none"
    if not text:
        code = (example.get("verdict") or {}).get("answer") or ""
        return Thinking(reasoning_from_facts(conflict, code), FROM_FACTS, ("empty",))
    return Thinking(text, source, flags_of(text, example.get("finish_reason"), example["prompt"][-1]["content"]))


# --------------------------------------------------------------------------------------------------------- flags

_HARNESS = re.compile(
    r"</?think>|<\|[\w.-]{2,40}\|>|<｜[^｜\n]{2,40}｜>|\[/?INST\]|ground[- ]truth|system prompt|match_type|exact_match"
    r"|(?:developer|reference|gold|expected)(?:'s)? (?:resolution|solution|answer|output) (?:is|says|given|shows)",
    re.IGNORECASE,
)
_OTHER_SCRIPTS = re.compile(
    r"[\u0400-\u058f\u0590-\u08ff\u0900-\u0fff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


def flags_of(text: str, finish_reason: str | None = None, question: str = "") -> tuple[str, ...]:
    """What is wrong with a reasoning, as names from `FLAGS`.

    >>> flags_of("Ours renames f. Theirs adds a call. Keep both.")
    ()
    >>> flags_of("Wait, let me look at the second hunk again. " * 30)
    ('loops',)
    """
    found = []
    if not text.strip():
        return ("empty",)
    if finish_reason == "length":
        found.append("cut")
    if _loops(text):
        found.append("loops")
    known = set(question)
    foreign = sum(letter not in known for letter in _OTHER_SCRIPTS.findall(text))
    if foreign >= 5 and foreign / len(text) > 0.005:
        found.append("language")
    if any(match[0] not in question for match in _HARNESS.finditer(text)):
        found.append("harness")
    return tuple(found)


def _loops(text: str) -> bool:
    """One sentence makes a third of the text, or the whole squeezes to next to nothing."""
    pieces = Counter(piece.strip() for piece in re.split(r"(?<=[.!?])\s+|\n+", text) if len(piece.strip()) >= 20)
    piece, times = max(pieces.items(), key=lambda item: len(item[0]) * item[1], default=("", 0))
    if times >= 4 and times * len(piece) > len(text) / 3:
        return True
    # English with code squeezes to 0.25–0.5 of its size; a loop of any length to a few hundredths
    return len(text) >= 1000 and len(zlib.compress(text.encode("utf-8", "replace"))) / len(text) < 0.08


# --------------------------------------------------------------------------------------------------------- facts


def reasoning_from_facts(conflict: Mapping[str, Any], code: str) -> str:
    """What each side changed and what the answer keeps, in plain sentences, for a reply that came without reasoning.

    >>> from textwrap import fill
    >>> conflict = {"ours": "a\\nb\\n", "base": "a\\n", "theirs": ""}
    >>> print(fill(reasoning_from_facts(conflict, "a\\nb\\n"), 100))
    The base has one line here. Ours adds `b` after `a`. Theirs removes `a`. So ours is taken as it is:
    `a`, `b`. No line of either side is lost.
    """
    texts = ((conflict.get(part) or "").replace("\r\n", "\n") for part in ("ours", "base", "theirs", "before", "after"))
    known = Conflict(*texts)
    resolution = _resolution(known, code.replace("\r\n", "\n"))
    return f"{explain_change(known)} {explain_result(known, resolution)}"


def _resolution(conflict: Conflict, code: str) -> str:
    """The answer without the lines around the conflict."""
    code = code.removeprefix(conflict.before)
    if conflict.after.endswith("\n") and not code.endswith("\n"):
        code += "\n"
    return code.removesuffix(conflict.after)
