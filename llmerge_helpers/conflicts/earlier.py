"""The conflicts of a merge that were decided before one of them is asked: which of them tell most about it.

Whoever resolves a merge decides its first conflicts for reasons that hold for the next ones: which branch is ahead,
whose refactoring stays, which order both sides stand in. Only what came earlier is ever told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import NamedTuple, TypedDict

from llmerge_helpers.conflicts.conflict import NAME, Conflict
from llmerge_helpers.conflicts.languages import language_of
from llmerge_helpers.conflicts.plans import SENTENCES, plan_of

NEW_TEXT = "new text"  # what was done where no plan gives it


class Decided(NamedTuple):
    """A conflict, and what was put in place of it."""

    conflict: Conflict
    resolution: str


class Sibling(TypedDict):
    """A decided conflict as a row carries it."""

    path: str
    language: str
    ours: str
    base: str | None
    theirs: str
    resolution: str
    way: str  # the plan in words, or new text


class SoFar(TypedDict):
    """What a row knows of its merge: how often each way was taken so far, and the most telling conflicts."""

    ways: dict[str, int]
    hunks: list[Sibling]


class Likeness(NamedTuple):
    """In what two conflicts are alike; each from 0 to 1."""

    file: float
    folder: float
    suffix: float
    shape: float  # both are additions, or a side of both removed everything, and so on
    names: float  # how many of the names that were changed in one were changed in the other


# of the same file first, then of the same names
_WEIGHTS = Likeness(file=1.0, folder=0.2, suffix=0.2, shape=0.5, names=1.0)
_OLDER = 0.01  # of two that are as telling, the later one was decided with more in mind


def likeness(one: Conflict, other: Conflict) -> Likeness:
    """In what two conflicts are alike.

    >>> one = Conflict(ours="f(a)\\n", theirs="f(b)\\n", path="x.py")
    >>> likeness(one, Conflict(ours="", theirs="h\\n", path="y.py"))
    Likeness(file=0.0, folder=1.0, suffix=1.0, shape=0.0, names=0.0)
    """
    a, b = _facts(one), _facts(other)
    shared = len(a.names & b.names) / max(1, min(len(a.names), len(b.names)))
    same = (a.path == b.path, a.folder == b.folder, a.suffix == b.suffix, a.shape == b.shape)
    return Likeness(*map(float, same), shared)


class _Facts(NamedTuple):
    path: str
    folder: str
    suffix: str
    shape: tuple[bool, bool, bool]
    names: frozenset[str]


@lru_cache(maxsize=4096)  # each conflict is held against all later ones of its merge
def _facts(conflict: Conflict) -> _Facts:
    path = PurePosixPath(conflict.path)
    changed = (*conflict.ours_edit, *conflict.theirs_edit)
    names = frozenset(token for tokens in changed for token in tokens if NAME.fullmatch(token))
    shape = tuple(bool(text.strip()) for text in (conflict.ours, conflict.known_base, conflict.theirs))
    return _Facts(conflict.path, str(path.parent), path.suffix, shape, names)


def most_telling(decided: Sequence[Decided], conflict: Conflict, most: int) -> list[Decided]:
    """Up to `most` of the earlier conflicts, the most telling first.

    >>> def decided(path, ours):
    ...     return Decided(Conflict(ours=ours, theirs="x\\n", path=path), ours)
    >>> so_far = [decided("a.py", "f(count)\\n"), decided("a.py", "g()\\n"), decided("b.md", "count\\n")]
    >>> [each.resolution for each in most_telling(so_far, decided("a.py", "h(count)\\n").conflict, 2)]
    ['f(count)\\n', 'g()\\n']
    """

    def weight(number: int) -> float:
        alike = likeness(decided[number].conflict, conflict)
        told = sum(share * much for share, much in zip(alike, _WEIGHTS, strict=True))
        return told - _OLDER * (len(decided) - number)

    best = sorted(range(len(decided)), key=weight, reverse=True)
    return [decided[number] for number in best[:most]]


def way_of(conflict: Conflict, resolution: str) -> str:
    """What was done, in words: the plan that gives just this text, or that new text was written.

    >>> way_of(Conflict(ours="a\\n", base="", theirs="b\\n"), "a\\nb\\n")
    'both, ours first'
    """
    plan = plan_of(conflict, resolution)
    return SENTENCES[plan].rstrip(".").lower() if plan else NEW_TEXT


def so_far(decided: Sequence[Decided], conflict: Conflict, most: int) -> SoFar:
    """What a row of `conflict` carries of its merge: all ways, and up to `most` conflicts, the most telling first."""
    ways = Counter(way_of(*each) for each in decided)
    hunks = [
        Sibling(
            path=c.path,
            language=c.language or language_of(c.path),
            ours=c.ours,
            base=c.base,
            theirs=c.theirs,
            resolution=resolution,
            way=way_of(c, resolution),
        )
        for c, resolution in most_telling(decided, conflict, most)
    ]
    return SoFar(ways=dict(ways.most_common()), hunks=hunks)
