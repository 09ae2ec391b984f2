"""A conflict as wide as git's merge has it, with its base, where the file shows a part of it and no base.

Git's usual style takes the lines that both sides have out of a conflict, and so cuts one into pieces, or makes one of
two that are near each other. Two functions that both sides added end in the same bracket: a piece without it is code
that no side wrote, and taking both pieces one after the other leaves a function without its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from llmerge_helpers.conflicts import Hunk, parse, render, split_lines
from llmerge_helpers.conflicts.markers import MARKER_SIZE

_NEAR = 3  # git makes one conflict of two that stand so few lines apart

Span = tuple[int, int]


class Region(NamedTuple):
    """A conflict of a file: what stands there, the whole of what git could not merge, and whether that was found."""

    raw: str
    hunk: Hunk
    found: bool = False


def whole(text: str, merged: Sequence[str | Hunk], marker_size: int = MARKER_SIZE) -> list[str | Region]:
    """The file in parts, its conflicts whole; `merged` is the merge that made it, its conflicts with their base.

    >>> text = "<<<<<<< a\\nf {\\n=======\\ng {\\n>>>>>>> b\\n}\\n"
    >>> [region] = whole(text, [Hunk("f {\\n}\\n", "", "g {\\n}\\n", base_marker="|||||||\\n")])
    >>> region.hunk.ours, region.raw == text
    ('f {\\n}\\n', True)
    """
    flat: list[str | Hunk] = []
    for part in parse(text, marker_size):
        flat += [part] if isinstance(part, Hunk) else split_lines(part)
    found: list[str | Region] = []
    done = 0
    for hunk, (start, end) in _placed(_runs(merged), flat):
        found += _as_they_are(flat[done:start])
        found.append(Region(render(flat[start:end]), _grown(flat[start:end], hunk), found=True))
        done = end
    found += _as_they_are(flat[done:])
    grown = [part.hunk for part in found if isinstance(part, Region)]
    shown = render(part.hunk if isinstance(part, Region) else part for part in found)
    if [part for part in parse(shown, marker_size) if isinstance(part, Hunk)] == grown:
        return found
    return _as_they_are(flat)  # a line of a side looks like a marker: read otherwise with a base than without


class _Run(NamedTuple):
    """One conflict of the merge, or some that stand near each other made one: the numbers of the first and last."""

    first: int
    last: int
    hunk: Hunk


def _runs(merged: Sequence[str | Hunk]) -> list[_Run]:
    """What may be one conflict in the file: each one of the merge, and those that are near each other."""
    found = []
    at = [n for n, part in enumerate(merged) if isinstance(part, Hunk)]
    for first, start in enumerate(at):
        for last, end in enumerate(at[first:], first):
            between = merged[end - 1] if end > start else ""
            if isinstance(between, str) and between.count("\n") > _NEAR:
                break
            ours, base, theirs = (_side(merged[start : end + 1], side) for side in ("ours", "base", "theirs"))
            found.append(_Run(first, last, Hunk(ours, base, theirs, base_marker="|||||||\n")))
    return found


def _placed(runs: Sequence[_Run], flat: Sequence[str | Hunk]) -> list[tuple[Hunk, Span]]:
    """Which conflict stands where: all in their order if nobody has touched the file, else what is beyond doubt."""
    places = [(run, _spans(flat, run.hunk)) for run in runs]
    placed: list[tuple[Hunk, Span]] = []
    done = wanted = 0
    for run, spans in places:
        span = next((each for each in spans if each[0] >= done), None)
        if run.first == wanted and span:
            placed.append((run.hunk, span))
            done, wanted = span[1], run.last + 1
    covered = sum(isinstance(part, Hunk) for _, (start, end) in placed for part in flat[start:end])
    if wanted == 1 + max((run.last for run in runs), default=-1) and covered == sum(
        isinstance(part, Hunk) for part in flat
    ):
        return placed
    every = [span for _, spans in places for span in spans]
    alone = [
        (run.hunk, span) for run, spans in places for span in spans
        if sum(start < span[1] and span[0] < end for start, end in every) == 1
    ]  # fmt: skip
    return sorted(alone, key=lambda each: each[1])


def _spans(flat: Sequence[str | Hunk], hunk: Hunk) -> list[Span]:
    """Where in the file all of a conflict stands, in one piece or several, with the lines in between and around."""
    found = []
    at = [n for n, part in enumerate(flat) if isinstance(part, Hunk)]
    starts = [0, *(match.end() for match in re.finditer("\n", hunk.ours))]
    for number, first in enumerate(at):
        for last in at[number:]:
            ours, theirs = (unix(_side(flat[first : last + 1], side)) for side in ("ours", "theirs"))
            if ours not in hunk.ours or theirs not in hunk.theirs:
                break
            for start in starts:
                lead, tail = hunk.ours[:start], hunk.ours[start + len(ours) :]
                if lead + ours + tail != hunk.ours or lead + theirs + tail != hunk.theirs:
                    continue
                begin, end = first - lead.count("\n"), last + 1 + tail.count("\n")
                around = [*flat[max(begin, 0) : first], *flat[last + 1 : end]]
                if begin >= 0 and unix(render(around)) == lead + tail and not any(isinstance(x, Hunk) for x in around):
                    found.append((begin, end))
    return found


def _grown(parts: Sequence[str | Hunk], hunk: Hunk) -> Hunk:
    """One conflict of the pieces of a file and the lines between and around them, with the base of `hunk`."""
    pieces = [part for part in parts if isinstance(part, Hunk)]
    ours, theirs = (_side(parts, side) for side in ("ours", "theirs"))
    bars = "|" * len(pieces[0].separator.split()[0]) + re.sub("^=+", "", pieces[0].separator)
    return replace(
        pieces[0], ours=ours, base=ended_as(hunk.base or "", pieces[0].ours_marker), theirs=theirs,
        base_marker=pieces[0].base_marker or bars, theirs_marker=pieces[-1].theirs_marker,
    )  # fmt: skip


def _side(parts: Sequence[str | Hunk], side: str) -> str:
    return "".join(part if isinstance(part, str) else getattr(part, side) or "" for part in parts)


def _as_they_are(parts: Sequence[str | Hunk]) -> list[str | Region]:
    return [Region(str(part), part) if isinstance(part, Hunk) else part for part in parts]


def unix(text: str) -> str:
    """A text with `\\n` for line ends."""
    return text.replace("\r\n", "\n")


def ended_as(text: str, other: str) -> str:
    """A text with `\\n` for line ends, with those of another one."""
    return text.replace("\n", "\r\n") if "\r\n" in other else text
