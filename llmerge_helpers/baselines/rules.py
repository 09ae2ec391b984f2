"""The rule teacher's rules: an ordered list of small, stated rules; the first one that has an answer decides.

A rule sees what the question shows and nothing else. Their order and limits were chosen on the conflicts of three
repositories (apache/storm, psf/requests, scrapy/scrapy). How often each one is right there, and on repositories that
nobody tuned on, stands in `benchmarks/README.md`.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from llmerge_helpers.baselines.import_lines import merge_imports
from llmerge_helpers.baselines.sides import CODE, SIDES, Answer, Conflict, in_order, joined, renamed, repeats, stripped
from llmerge_helpers.baselines.threeway import merge_tokens
from llmerge_helpers.conflicts.markers import split_lines

_NUMBER = re.compile(r"\d+")
_VERSION = re.compile(r"\d+(?:\.\d+)+[\w.\-]*|\d+")


# ---- the rules, in the order in which they are asked


def same_text(c: Conflict) -> Answer | None:
    """Both sides wrote the same text: keep it."""
    return Answer(c.ours, "Both sides wrote the same, so there is nothing to choose.") if c.ours == c.theirs else None


def one_side_only(c: Conflict) -> Answer | None:
    """Only one side changed anything: keep its text."""
    for side, other in SIDES:
        if c.base and c.text(other) == c.base:
            return c.take(side, f"{other.capitalize()} left the base as it was, so the change of {side} stands.")
        if not c.base.strip() and not c.text(other).strip() and c.text(side).strip():
            return c.take(side, f"Only {side} has text here, and nothing in {other} speaks against it.")
    return None


def token_merge(c: Conflict) -> Answer | None:
    """The sides changed different tokens of the same lines: apply both changes."""
    merged = merge_tokens(c.ours, c.base, c.theirs) if c.base.strip() else None
    if merged is None or repeats(merged, c):
        return None
    for side, other in SIDES:
        if merged == c.text(side):
            return c.take(side, f"Merged token by token, {side} already contains the change of {other}.")
    return Answer(merged, "Merged token by token, the two changes touch different places, so both are applied.")


def larger_number(c: Conflict) -> Answer | None:
    """The sides differ in numbers only: keep the larger version."""
    if c.ours == c.theirs or _VERSION.sub("0", c.ours) != _VERSION.sub("0", c.theirs):
        return None
    for ours, theirs in zip(_VERSION.findall(c.ours), _VERSION.findall(c.theirs), strict=True):
        a, b = ([(len(n), n) for n in (n.lstrip("0") for n in _NUMBER.findall(text))] for text in (ours, theirs))
        if a != b:
            side, higher, lower = ("ours", ours, theirs) if a > b else ("theirs", theirs, ours)
            why = (
                f"The sides agree but for numbers; {higher:.40} is higher than {lower:.40}, so {side} is the newer one."
            )
            return c.take(side, why)
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
    return c.take(side, why)


def appended_lines(c: Conflict) -> Answer | None:
    """One side only appended lines to what the other one removed or rewrote: apply both."""
    if not c.base.strip() or not c.rewriter:
        return None
    side, other = c.rewriter
    base, lines = split_lines(c.base), split_lines(c.text(other))
    extra = "".join(lines[len(base) :])
    if lines[: len(base)] != base or not extra.strip():
        return None
    did = "rewrote them" if c.text(side).strip() else "removed those lines"
    why = f"The change of {other} only adds after the base lines, and {side} {did}; both fit together."
    return Answer(joined(c.text(side), extra), why)


def deletion(c: Conflict) -> Answer | None:
    """One side deleted the lines that the other one edited: the deletion stands."""
    for side, other in SIDES:
        if c.base.strip() and not c.text(side).strip():
            why = f"{side.capitalize()} removed the lines that {other} edited. A removal is deliberate"
            return c.take(side, f"{why}, and nothing is left for that edit to apply to.")
    return None


def larger_rewrite(c: Conflict) -> Answer | None:
    """One side removed more of the base than the other: keep it, with the names that the other one gave."""
    if not c.base.strip() or not c.rewriter:
        return None
    side, other = c.rewriter
    text = renamed(c, side, other)
    if any(c.edit(other)):
        most, least = (_tokens(len(c.edit(which).removed)) for which in (side, other))
        why = f"{side.capitalize()} took {most} out of the base, {other} {least}. "
        why += f"The smaller change was made to text that {side} rewrote, so {side} stands"
    else:
        why = f"{other.capitalize()} changed only white space, so the change of {side} stands"
    return Answer(text, why + (f", with the new names of {other}." if text != c.text(side) else "."))


def contained(c: Conflict) -> Answer | None:
    """All tokens of one side stand, in order, in the other one: keep the fuller side."""
    for side, other in SIDES:
        small, large = CODE.findall(c.text(other)), CODE.findall(c.text(side))
        if c.base.strip() and small and small != large and in_order(small, large):
            return c.take(
                side, f"Everything that {other} says stands in {side} too, in the same order; nothing is lost."
            )
    return None


def imports(c: Conflict) -> Answer | None:
    """Import lines: drop what either side dropped, keep what either side added, sorted if both sides are."""
    merged = merge_imports(c.ours, c.base, c.theirs, c.before, c.after)
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
    return c.take("theirs", "The sides differ in white space only, so either would do; theirs is being merged in.")


def both_insert(c: Conflict) -> Answer | None:
    """Neither side removed anything: keep both insertions, ours first where they meet."""
    if not c.base.strip() or any(edit.removed or not edit.inserted for edit in (c.ours_edit, c.theirs_edit)):
        return None
    text = merge_tokens(c.ours, c.base, c.theirs, lambda ours, base, theirs: None if base else "".join(ours + theirs))
    why = "Neither side removed a word or a sign, so both insertions stay, ours first where they meet."
    return None if text is None else Answer(text, why)


def guess(c: Conflict) -> Answer | None:
    """Nothing tells the sides apart: take theirs."""
    why = f"Each side took {_tokens(len(c.ours_edit.removed))} out of the base, and no rule tells them apart."
    return c.take("theirs", f"{why} This is a guess: theirs is the change being merged in.")


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

    >>> decide(Conflict("f(a, 2)\\n", "f(a, 1)\\n", "g(a, 1)\\n"))[0]
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
