"""A conflict as its three texts, and what each side did to the base, counted in words and punctuation."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from llmerge_helpers.baselines.threeway import changes, too_slow

CODE = re.compile(r"\d+(?:\.\d+)+|\w+|[^\w\s]")
NAME = re.compile(r"[^\W\d]\w+")
SIDES = (("ours", "theirs"), ("theirs", "ours"))  # a side and the other one


class Answer(NamedTuple):
    """What replaces a conflict, and why."""

    resolution: str
    why: str


class Edit(NamedTuple):
    """What a side did to the base: the words and punctuation it removed and inserted."""

    removed: list[str]
    inserted: list[str]


@dataclass(frozen=True)
class Conflict:
    """The three texts of a conflict and the lines around it; an unknown base is empty."""

    ours: str
    base: str
    theirs: str
    before: str = ""
    after: str = ""

    @property
    def added(self) -> bool:
        """True if nothing (or nothing known) stood here before, and both sides wrote something."""
        return not self.base.strip() and bool(self.ours.strip()) and bool(self.theirs.strip())

    @cached_property
    def ours_edit(self) -> Edit:
        return _edit(self.base, self.ours)

    @cached_property
    def theirs_edit(self) -> Edit:
        return _edit(self.base, self.theirs)

    @property
    def rewriter(self) -> tuple[str, str] | None:
        """The side that removed more of the base, and the other one; None if they are level."""
        ours, theirs = len(self.ours_edit.removed), len(self.theirs_edit.removed)
        return None if ours == theirs else SIDES[ours < theirs]

    def text(self, side: str) -> str:
        return self.ours if side == "ours" else self.theirs

    def take(self, side: str, why: str) -> Answer:
        return Answer(self.text(side), why)

    def edit(self, side: str) -> Edit:
        return self.ours_edit if side == "ours" else self.theirs_edit


def renamed(c: Conflict, side: str, other: str) -> str:
    """The text of `side` with the names that `other` renamed throughout."""
    base, text = CODE.findall(c.base), CODE.findall(c.text(other))
    seen: dict[str, set[str]] = {}
    for tag, i, j, k, m in changes(base, text):
        if tag == "replace" and j - i == m - k:
            for old, new in zip(base[i:j], text[k:m], strict=True):
                if NAME.fullmatch(old) and NAME.fullmatch(new):
                    seen.setdefault(old, set()).add(new)
    kept = set(text)
    names = {old: new.pop() for old, new in seen.items() if len(new) == 1 and old not in kept}
    return NAME.sub(lambda name: names.get(name[0], name[0]), c.text(side)) if names else c.text(side)


def stripped(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def repeats(merged: str, c: Conflict) -> bool:
    """True if a line stands more often in the merge than in any of the three texts: both sides made the same edit."""
    most: Counter[str] = Counter()
    for text in (c.ours, c.base, c.theirs):
        most |= Counter(stripped(text))
    counts = Counter(line for line in stripped(merged) if len(line) > 3)
    return any(most[line] and n > most[line] for line, n in counts.items())


def in_order(small: list[str], large: list[str]) -> bool:
    rest: Iterator[str] = iter(large)
    return all(token in rest for token in small)


def joined(first: str, second: str) -> str:
    """Both texts, each on lines of its own."""
    if not first or not second or first.endswith("\n"):
        return first + second
    return first + ("\r\n" if "\r\n" in first + second else "\n") + second


def _edit(base: str, side: str) -> Edit:
    old, new = CODE.findall(base), CODE.findall(side)
    if too_slow(old, new):
        a, b = Counter(old), Counter(new)
        return Edit(list((a - b).elements()), list((b - a).elements()))
    removed: list[str] = []
    inserted: list[str] = []
    for _, i, j, k, m in changes(old, new):
        removed += old[i:j]
        inserted += new[k:m]
    return Edit(removed, inserted)
