"""The rule teacher's rules: an ordered list of small, stated rules; the first one that has an answer decides.

A rule sees what the question shows and nothing else. Their order and limits were chosen on the conflicts of three
repositories (apache/storm, psf/requests, scrapy/scrapy). How often each one is right there, and on repositories that
nobody tuned on, stands in `benchmarks/README.md`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from typing import NamedTuple

from llmerge_helpers.conflicts import Conflict, split_lines
from llmerge_helpers.conflicts.changes import changes
from llmerge_helpers.conflicts.conflict import CODE, NAME
from llmerge_helpers.conflicts.threeway import merge_tokens

_NUMBER = re.compile(r"\d+")
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.\-]*|\d+")


# ---- the rules, in the order in which they are asked


def same_text(c: Conflict) -> Answer | None:
    """Both sides wrote the same text: keep it."""
    return Answer(c.ours, "Both sides wrote the same, so there is nothing to choose.") if c.ours == c.theirs else None


def one_side_only(c: Conflict) -> Answer | None:
    """Only one side changed anything: keep its text."""
    for side, other in SIDES:
        if c.known_base and c.side(other) == c.known_base:
            return Answer(
                c.side(side), f"{other.capitalize()} left the base as it was, so the change of {side} stands."
            )
        if not c.known_base.strip() and not c.side(other).strip() and c.side(side).strip():
            return Answer(c.side(side), f"Only {side} has text here, and nothing in {other} speaks against it.")
    return None


def token_merge(c: Conflict) -> Answer | None:
    """The sides changed different tokens of the same lines: apply both changes."""
    merged = merge_tokens(c.ours, c.known_base, c.theirs) if c.known_base.strip() else None
    if merged is None or repeats(merged, c):
        return None
    for side, other in SIDES:
        if merged == c.side(side):
            return Answer(c.side(side), f"Merged token by token, {side} already contains the change of {other}.")
    return Answer(merged, "Merged token by token, the two changes touch different places, so both are applied.")


def larger_number(c: Conflict) -> Answer | None:
    """The sides differ in numbers only: keep the larger version."""
    if c.ours == c.theirs or _VERSION.sub("0", c.ours) != _VERSION.sub("0", c.theirs):
        return None
    for ours, theirs in zip(_VERSION.findall(c.ours), _VERSION.findall(c.theirs), strict=True):
        # without leading zeros, the longer number is the larger one, however long
        a, b = ([(len(n), n) for n in (n.lstrip("0") for n in _NUMBER.findall(text))] for text in (ours, theirs))
        if a != b:
            side, higher, lower = ("ours", ours, theirs) if a > b else ("theirs", theirs, ours)
            why = (
                f"The sides agree but for numbers; {higher:.40} is higher than {lower:.40}, so {side} is the newer one."
            )
            return Answer(c.side(side), why)
    return None


def same_addition(c: Conflict) -> Answer | None:
    """Both sides added nearly the same lines: keep the longer version."""
    if not c.added:
        return None
    ours, theirs = (set(stripped(text)) for text in (c.ours, c.theirs))
    shared = ours & theirs
    if not shared or len(shared) * 2 < min(len(ours), len(theirs)):
        return None
    side = "theirs" if len(c.theirs) > len(c.ours) else "ours"
    equal = "one line is equal" if len(shared) == 1 else f"{len(shared)} lines are equal"
    why = f"Both sides added the same thing ({equal}); one copy is enough, and {side} has the fuller one."
    return Answer(c.side(side), why)


def appended_lines(c: Conflict) -> Answer | None:
    """One side only appended lines to what the other one removed or rewrote: apply both."""
    if not c.known_base.strip() or not c.rewriter:
        return None
    side, other = c.rewriter
    base, lines = split_lines(c.known_base), split_lines(c.side(other))
    extra = "".join(lines[len(base) :])
    if lines[: len(base)] != base or not extra.strip():
        return None
    did = "rewrote them" if c.side(side).strip() else "removed those lines"
    why = f"The change of {other} only adds after the base lines, and {side} {did}; both fit together."
    return Answer(joined(c.side(side), extra), why)


def deletion(c: Conflict) -> Answer | None:
    """One side deleted the lines that the other one edited: the deletion stands."""
    for side, other in SIDES:
        if c.known_base.strip() and not c.side(side).strip():
            why = f"{side.capitalize()} removed the lines that {other} edited. A removal is deliberate"
            return Answer(c.side(side), f"{why}, and nothing is left for that edit to apply to.")
    return None


def larger_rewrite(c: Conflict) -> Answer | None:
    """One side removed more of the base than the other: keep it, with the names that the other one gave."""
    if not c.known_base.strip() or not c.rewriter:
        return None
    side, other = c.rewriter
    text = renamed(c, side, other)
    if any(c.edit(other)):
        most, least = (_tokens(len(c.edit(which).removed)) for which in (side, other))
        why = f"{side.capitalize()} took {most} out of the base, {other} {least}. "
        why += f"The smaller change was made to text that {side} rewrote, so {side} stands"
    else:
        why = f"{other.capitalize()} changed only white space, so the change of {side} stands"
    return Answer(text, why + (f", with the new names of {other}." if text != c.side(side) else "."))


def contained(c: Conflict) -> Answer | None:
    """All tokens of one side stand, in order, in the other one: keep the fuller side."""
    for side, other in SIDES:
        small, large = CODE.findall(c.side(other)), CODE.findall(c.side(side))
        if c.known_base.strip() and small and small != large and in_order(small, large):
            return Answer(
                c.side(side), f"Everything that {other} says stands in {side} too, in the same order; nothing is lost."
            )
    return None


def imports(c: Conflict) -> Answer | None:
    """Import lines: drop what either side dropped, keep what either side added, sorted if both sides are."""
    merged = merge_imports(c.ours, c.known_base, c.theirs, c.before, c.after)
    if merged is None:
        return None
    text, in_sorted_order = merged
    why = "Imports are a set: what either side dropped goes, what either side added stays"
    return Answer(text, why + (", in sorted order." if in_sorted_order else "."))


def union(c: Conflict) -> Answer | None:
    """Both sides added different lines in the same place: keep both, ours first."""
    if not c.added:
        return None
    why = "The additions are different and do not exclude each other, so both stay, ours first."
    return Answer(joined(c.ours, c.theirs), why)


def only_blanks(c: Conflict) -> Answer | None:
    """The sides differ in blanks only: keep theirs."""
    if CODE.findall(c.ours) != CODE.findall(c.theirs):
        return None
    return Answer(
        c.side("theirs"), "The sides differ in white space only, so either would do; theirs is being merged in."
    )


def both_insert(c: Conflict) -> Answer | None:
    """Neither side removed anything: keep both insertions, ours first where they meet."""
    if not c.known_base.strip() or any(edit.removed or not edit.inserted for edit in (c.ours_edit, c.theirs_edit)):
        return None
    text = merge_tokens(
        c.ours, c.known_base, c.theirs, lambda ours, base, theirs: None if base else "".join(ours + theirs)
    )
    why = "Neither side removed a word or a sign, so both insertions stay, ours first where they meet."
    return None if text is None else Answer(text, why)


def guess(c: Conflict) -> Answer | None:
    """Nothing tells the sides apart: take theirs."""
    why = f"Each side took {_tokens(len(c.ours_edit.removed))} out of the base, and no rule tells them apart."
    return Answer(c.side("theirs"), f"{why} This is a guess: theirs is the change being merged in.")


# asked in this order: what leaves no choice comes first, what is only likely after it, and `guess` always answers
RULES: tuple[Callable[[Conflict], Answer | None], ...] = (
    same_text,
    one_side_only,
    token_merge,
    larger_number,
    same_addition,
    appended_lines,
    deletion,
    larger_rewrite,
    contained,
    imports,
    union,
    only_blanks,
    both_insert,
    guess,
)


def decide(conflict: Conflict) -> tuple[str, Answer]:
    """The name of the first rule that has an answer, and the answer.

    >>> decide(Conflict(ours="f(a, 2)\\n", base="f(a, 1)\\n", theirs="g(a, 1)\\n"))[0]
    'token_merge'
    """
    return next((rule.__name__, answer) for rule in RULES if (answer := rule(conflict)) is not None)


def statement(rule: str) -> str:
    """The rule in one sentence.

    >>> statement("deletion")
    'One side deleted the lines that the other one edited: the deletion stands.'
    """
    return next((r.__doc__ or "").strip() for r in RULES if r.__name__ == rule)


def _tokens(count: int) -> str:
    return "no token" if not count else "one token" if count == 1 else f"{count} tokens"


SIDES = (("ours", "theirs"), ("theirs", "ours"))  # a side and the other one


class Answer(NamedTuple):
    """What replaces a conflict, and why."""

    resolution: str
    why: str


def renamed(c: Conflict, side: str, other: str) -> str:
    """The text of `side` with the names that `other` renamed throughout."""
    base, text = CODE.findall(c.known_base), CODE.findall(c.side(other))
    seen: dict[str, set[str]] = {}
    for tag, i, j, k, m in changes(base, text):
        if tag == "replace" and j - i == m - k:
            for old, new in zip(base[i:j], text[k:m], strict=True):
                if NAME.fullmatch(old) and NAME.fullmatch(new):
                    seen.setdefault(old, set()).add(new)
    # a name that the other side still uses somewhere was not renamed throughout
    kept = set(text)
    names = {old: new.pop() for old, new in seen.items() if len(new) == 1 and old not in kept}
    return NAME.sub(lambda name: names.get(name[0], name[0]), c.side(side)) if names else c.side(side)


def stripped(text: str) -> list[str]:
    return [line.strip() for line in text.split("\n") if line.strip()]


def repeats(merged: str, c: Conflict) -> bool:
    """True if a line stands more often in the merge than in any of the three texts: both sides made the same edit."""
    most: Counter[str] = Counter()
    for text in (c.ours, c.known_base, c.theirs):
        most |= Counter(stripped(text))
    # a lone bracket may well stand more often in a merge than in its sides
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


# ----------------------------------------------------------------------------------------------- import lines are sets


_IMPORT = re.compile(r"\s*\(?(?:import|from|#include|using|use|require|:import|:use|:require|export)\b")


_NAMES = re.compile(r"(\s*from\s+\S+\s+import\s+)(\w+(?:, *\w+)*)(\s*)")


def merge_imports(ours: str, base: str, theirs: str, before: str = "", after: str = "") -> tuple[str, bool] | None:
    """The imports that either side added, without those that either side dropped; None if other lines are among them.

    The flag says whether they were sorted: they are if both sides, with the imports next to them, are.

    >>> merge_imports("import os\\nimport re\\n", "import os\\n", "import io\\nimport os\\n")
    ('import io\\nimport os\\nimport re\\n', True)
    >>> merge_imports("from m import a, c\\n", "from m import a\\n", "from m import a, b\\n")[0]
    'from m import a, b, c\\n'
    """
    if not (ours + theirs).strip() or not all(map(_is_import, split_lines(ours + "\n" + base + "\n" + theirs))):
        return None
    newline = "\r\n" if "\r\n" in ours + theirs else "\n"
    a, z, b = ([x if x.endswith("\n") else x + newline for x in split_lines(text)] for text in (ours, base, theirs))
    extra = "" if (ours or theirs).endswith("\n") or (theirs or ours).endswith("\n") else newline
    _share_names(a, z, b)
    lines = [line for line in merge_sets(a, z, b) if line]
    above = [*takewhile(_is_named, reversed(split_lines(before)))][::-1]
    below = [*takewhile(_is_named, split_lines(after))]
    # two orders are common: plain, and isort's; anything else keeps the order of the file
    for key in (str.strip, _imports_first):
        keys = ([key(line) for line in [*above, *side, *below] if line.strip()] for side in (a, b))
        if all(line.strip() for line in lines) and all(side == sorted(side) for side in keys):
            return "".join(sorted(lines, key=key)).removesuffix(extra), True
    return "".join(lines).removesuffix(extra), False


def merge_sets(ours: Sequence[str], base: Sequence[str], theirs: Sequence[str]) -> list[str]:
    """Ours without what theirs dropped, then what only theirs has.

    >>> merge_sets(["a", "b", "c"], ["a", "b"], ["b", "d"])
    ['b', 'c', 'd']
    """
    dropped = set(base) - set(theirs)
    known = {*ours, *base}
    return [*(item for item in ours if item not in dropped), *(item for item in theirs if item not in known)]


def _is_import(line: str) -> bool:
    return not line.strip() or _IMPORT.match(line) is not None


def _is_named(line: str) -> bool:
    return bool(line.strip()) and _is_import(line)


def _imports_first(line: str) -> tuple[bool, str]:
    """isort's order: `import x` before `from x import y`."""
    return not line.lstrip().startswith("import "), line.strip()


def _share_names(ours: list[str], base: list[str], theirs: list[str]) -> None:
    """Where both sides import different names from one module, give both the line with the merged names."""
    where = [
        {m[1].split()[1]: (n, m) for n, x in enumerate(side) if (m := _NAMES.fullmatch(x))}
        for side in (ours, base, theirs)
    ]
    for module, (n, found) in where[0].items():
        k, other = where[2].get(module, (0, None))
        if other is None or ours[n] == theirs[k]:
            continue
        lists = [side[module][1][2].replace(" ", "").split(",") if module in side else [] for side in where]
        names = merge_sets(*lists)
        for order in (None, str.lower):
            if all(x == sorted(x, key=order) for x in (lists[0], lists[2])):
                names.sort(key=order)
                break
        ours[n] = theirs[k] = f"{found[1]}{', '.join(names)}{found[3]}" if names else ""
