"""The thinking part of a training example: where it comes from, and what may be wrong with it."""

from __future__ import annotations

import difflib
import re
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from llmerge_helpers.reasons import quote

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

    >>> conflict = {"ours": "a\\nb\\n", "base": "a\\n", "theirs": ""}
    >>> print(reasoning_from_facts(conflict, "a\\nb\\n"))
    Ours adds `b`. Theirs removes `a`. The resolution takes ours as it stands.
    """
    ours, base, theirs = (conflict.get(side) or "" for side in ("ours", "base", "theirs"))
    sentences = [_change("Ours", base, ours), _change("Theirs", base, theirs)]
    return " ".join([*sentences, _kept(ours, base, theirs, _resolution(conflict, code))])


def _resolution(conflict: Mapping[str, Any], code: str) -> str:
    before, after = (conflict.get(side) or "" for side in ("before", "after"))
    code = code.replace("\r\n", "\n")
    before, after = before.replace("\r\n", "\n"), after.replace("\r\n", "\n")
    code = code.removeprefix(before)
    if after and not code.endswith("\n") and after.endswith("\n"):
        code += "\n"
    return code.removesuffix(after)


def _change(who: str, base: str, side: str) -> str:
    if side == base:
        return f"{who} leaves the lines as they were."
    if not base:
        return f"{who} brings in {_quote(side.splitlines())}; there was nothing here before."
    removed, added = [], []
    a, b = base.splitlines(), side.splitlines()
    for tag, i, j, k, m in difflib.SequenceMatcher(None, a, b, autojunk=False).get_opcodes() if len(a) < 500 else []:
        if tag != "equal":
            removed += a[i:j]
            added += b[k:m]
    removed, added = ([line for line in lines if line.strip()] for lines in (removed, added))
    if removed and added:
        return f"{who} replaces {_quote(removed)} with {_quote(added)}."
    if removed or added:
        return f"{who} {'removes' if removed else 'adds'} {_quote(removed or added)}."
    return f"{who} changes only blank lines or line ends."


def _kept(ours: str, base: str, theirs: str, kept: str) -> str:
    ours, base, theirs = (text.replace("\r\n", "\n") for text in (ours, base, theirs))
    whole = [
        (ours, "takes ours as it stands"),
        (theirs, "takes theirs as it stands"),
        (ours + theirs, "keeps both, ours first and then theirs"),
        (theirs + ours, "keeps both, theirs first and then ours"),
        (base, "goes back to the lines of the base"),
        ("", "drops the lines altogether"),
    ]
    for text, words in whole:
        if kept == text:
            return f"The resolution {words}."
    lines = [line for line in kept.splitlines() if line.strip()]
    only_ours = [x for x in lines if x in ours.splitlines() and x not in theirs.splitlines()]
    only_theirs = [x for x in lines if x in theirs.splitlines() and x not in ours.splitlines()]
    new = [
        x for x in lines if x not in ours.splitlines() and x not in theirs.splitlines() and x not in base.splitlines()
    ]
    parts = [f"takes {_quote(only_ours)} from ours"] if only_ours else []
    parts += [f"takes {_quote(only_theirs)} from theirs"] if only_theirs else []
    parts += [f"writes {_quote(new)}, which neither side has as such"] if new else []
    return f"The resolution {' and '.join(parts) or 'puts the common lines in another order'}."


def _quote(lines: list[str], most: int = 3) -> str:
    lines = [line.strip() for line in lines if line.strip()]
    shown = [quote(line, 80) for line in lines[:most]]
    more = len(lines) - len(shown)
    return (
        ", ".join(shown) + (f" and {more} more line{'s' * (more > 1)}" if more > 0 else "") if shown else "blank lines"
    )
