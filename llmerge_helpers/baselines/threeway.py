"""Three-way merges finer than git's lines: diff3 over tokens, with every blank kept."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

from llmerge_helpers.conflicts.markers import split_lines

Overlap = Callable[[list[str], list[str], list[str]], "str | None"]  # tokens of ours, base, theirs -> text or no answer

MAX_PAIRS = 60_000  # equal pairs that difflib may look at; beyond it an alignment costs much and means little
_TOKEN = re.compile(r"\r?\n|[^\S\n]+|\d+(?:\.\d+)+|\w+|[^\w\s]")


class _Matcher(SequenceMatcher):
    """difflib without its guess that frequent tokens are noise."""

    def __init__(self, isjunk: None = None, a: Sequence = "", b: Sequence = "", autojunk: bool = False) -> None:
        super().__init__(None, a, b, autojunk=False)


def changes(old: Sequence, new: Sequence) -> list[tuple[str, int, int, int, int]]:
    """difflib's opcodes without the equal stretches; one replacement of everything where an alignment would be slow.

    >>> changes("abcd", "abxd")
    [('replace', 2, 3, 2, 3)]
    """
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if not old and not new:
        return []
    if too_slow(old, new):
        return [("replace", head, head + len(old), head, head + len(new))]
    opcodes = _Matcher(None, old, new).get_opcodes()
    return [(tag, i + head, j + head, k + head, m + head) for tag, i, j, k, m in opcodes if tag != "equal"]


def too_slow(first: Sequence, *others: Sequence) -> bool:
    """True if aligning these would cost difflib more than it is worth."""
    counts = Counter(first)
    return any(sum(counts[item] * n for item, n in Counter(other).items()) > MAX_PAIRS for other in others)


def merge_tokens(ours: str, base: str, theirs: str, on_overlap: Overlap | None = None) -> str | None:
    """diff3 over words, dotted numbers, punctuation and runs of blanks; None where both changed the same tokens.

    Whole lines are aligned first, so a long hunk costs little. `on_overlap` may resolve an overlap.

    >>> merge_tokens("f(a, 2)\\n", "f(a, 1)\\n", "g(a, 1)\\n")
    'g(a, 2)\\n'
    >>> merge_tokens("f(3)\\n", "f(1)\\n", "f(2)\\n") is None
    True
    """
    from merge3 import Merge3

    texts = [split_lines(text) for text in (base, ours, theirs)]
    if too_slow(*texts):
        return None
    merged: list[str] = []
    for kind, *groups in Merge3(*texts, sequence_matcher=_Matcher).merge_groups():
        if kind != "conflict":
            merged += groups[0]
            continue
        base_tokens, our_tokens, their_tokens = (_TOKEN.findall("".join(group)) for group in groups)
        text = _walk(our_tokens, base_tokens, their_tokens, on_overlap)
        if text is None:
            return None
        merged.append(text)
    return "".join(merged)


def _walk(ours: list[str], base: list[str], theirs: list[str], on_overlap: Overlap | None) -> str | None:
    from merge3 import Merge3

    if too_slow(base, ours, theirs):
        return None
    merged: list[str] = []
    for kind, *groups in Merge3(base, ours, theirs, sequence_matcher=_Matcher).merge_groups():
        if kind == "conflict":
            text = on_overlap(groups[1], groups[0], groups[2]) if on_overlap else None
            if text is None:
                return None
            merged.append(text)
        else:
            merged += groups[0]
    return "".join(merged)
