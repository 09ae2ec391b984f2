"""What the developer wrote in place of each conflict: the file that git left is aligned with the file committed.

All lines outside the hunks are anchors. A hunk gets a label only if the lines right before and right after it stand in
the committed file too, and only if they can stand in one place; or if that is so once it has grown by a few lines.
Everything else is a drop with its reason.
"""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from llmerge_helpers.collect.matching import SKIPPED, match_lines
from llmerge_helpers.conflicts import Conflict, Hunk, make_hunk, split_lines

OUTSIDE_EDITS = "lines beside the hunk were edited"
AMBIGUOUS = "the place of the resolution is ambiguous"
ELSEWHERE = "lines moved out of the hunk or into it"
SWALLOWED = "part of a widened hunk"
TOO_ALIKE = "too many equal lines to place it"

MAX_GROWTH = 8  # lines a side: beyond it a row tells more of the file than of the conflict
MAX_STEPS = 500_000  # well under a second; counted, not timed, so that the same file always gives the same labels
MAX_WAYS = 400  # pairs of places for the lines around hunks, when their sides must tell which one it is

_Way = tuple["_Way", int] | None
_Counted = tuple[Counter[str], set[str]]
_HUNK = "\0"  # stands for a hunk among coded lines: it equals no line


@dataclass(frozen=True)
class Label:
    """Where a resolution stands in the committed file, in line numbers, or why there is none.

    `found` is "exact" (nothing outside the hunks differs), "aligned" (lines elsewhere differ, those beside the hunk do
    not), "sides" (it could stand in several places, and in just one of them it is one of its sides, whole), "widened"
    (found for the hunk with `above` and `below` lines around it, and with those that follow it, `hunks` in all), or ""
    with a `reason`. `before` and `after` count the unchanged lines around it, up to the next hunk.
    """

    found: str
    start: int = 0
    end: int = 0
    before: int = 0
    after: int = 0
    reason: str = ""
    above: int = 0
    below: int = 0
    hunks: int = 1


def align(parts: Sequence[str | Hunk], committed: Sequence[str]) -> list[Label]:
    """One label for each hunk of `parts` (a parsed conflict file), found in the lines of the committed file.

    >>> from llmerge_helpers.conflicts.markers import make_hunk
    >>> label, = align(["a\\n", make_hunk("b\\n", "", "c\\n"), "d\\n"], ["a\\n", "b\\n", "c\\n", "d\\n"])
    >>> label.found, label.start, label.end, label.before, label.after
    ('exact', 1, 3, 1, 1)
    """
    texts, hunks = _texts_and_hunks(parts)
    try:
        alignment = _Alignment([split_lines(text) for text in texts], hunks, committed)
        return alignment.apart(alignment.widened(alignment.exact() or alignment.aligned()))
    except _TooAlike:
        return [Label("", reason=TOO_ALIKE)] * len(hunks)


def _texts_and_hunks(parts: Sequence[str | Hunk]) -> tuple[list[str], list[Hunk]]:
    """The texts between the hunks, one more than there are hunks, and the hunks."""
    texts = [""]
    hunks: list[Hunk] = []
    for part in parts:
        if isinstance(part, Hunk):
            hunks.append(part)
            texts.append("")
        else:
            texts[-1] = part
    return texts, hunks


def grown(parts: Sequence[str | Hunk], number: int, label: Label) -> Hunk:
    """What hunk `number` has become by its widened label: all that it grew by stands on each of its sides.

    >>> from llmerge_helpers.conflicts.markers import make_hunk
    >>> hunk = grown(["a\\nb\\n", make_hunk("c\\n", "", "d\\n")], 0, Label("widened", above=1))
    >>> hunk.ours, hunk.base, hunk.theirs
    ('b\\nc\\n', 'b\\n', 'b\\nd\\n')
    """
    texts, hunks = _texts_and_hunks(parts)
    last, newline = number + label.hunks, "\r\n" if hunks[number].separator.endswith("\r\n") else "\n"
    above, below = split_lines(texts[number]), split_lines(texts[last])
    around = ["".join(above[len(above) - label.above :]), *texts[number + 1 : last], "".join(below[: label.below])]

    def side(name: Literal["ours", "base", "theirs"]) -> str:
        sides = [getattr(hunk, name) or "" for hunk in hunks[number:last]]
        return "".join(text + side for text, side in zip(around, [*sides, ""], strict=True))

    base = side("base") if all(hunk.base is not None for hunk in hunks[number:last]) else None
    size = len(hunks[number].separator.rstrip())
    return make_hunk(side("ours"), base, side("theirs"), newline=newline, marker_size=size)


class _TooAlike(Exception):
    """Placing the hunks of this file would take too long."""


class _Alignment:
    """The lines between the hunks and those of the committed file, as strings with one character a line."""

    def __init__(self, texts: list[list[str]], hunks: list[Hunk], committed: Sequence[str]) -> None:
        self._codes: dict[str, str] = {}
        self.texts = [self._coded(text) for text in texts]
        self.lines = self._coded(committed)
        self.backwards = self.lines[::-1]
        self.table = [_HUNK, *self._codes]
        self.hunks = [Conflict.of_hunk(hunk) for hunk in hunks]
        self.anchors = _HUNK.join(self.texts)
        self.starts = [0]  # of each text among the anchors
        for text in self.texts:
            self.starts.append(self.starts[-1] + len(text) + 1)
        self._sides: dict[int, list[str]] = {}
        self._steps = MAX_STEPS

    def _coded(self, lines: Sequence[str]) -> str:
        fresh = [line for line in dict.fromkeys(lines) if line not in self._codes]
        first = len(self._codes) + 1
        if first + len(fresh) > sys.maxunicode + 1:
            raise _TooAlike
        self._codes.update(zip(fresh, map(chr, range(first, first + len(fresh))), strict=True))
        return "".join(map(self._codes.__getitem__, lines))

    def _spend(self, steps: int) -> None:
        self._steps -= steps
        if self._steps < 0:
            raise _TooAlike

    @cached_property
    def match(self) -> list[int]:
        """For each line between the hunks, and each hunk, the line it is in the committed file, or less than 0."""
        return match_lines(self.anchors, self.lines)

    # ---- intact lines

    def exact(self) -> list[Label] | None:
        """Labels if the committed file is the texts in order with something in place of each hunk, else None."""
        first, last = len(self.texts[0]), len(self.lines) - len(self.texts[-1])
        if first > last or not self.lines.startswith(self.texts[0]) or not self.lines.endswith(self.texts[-1]):
            return None
        return self._between(self.texts, 0, first, last, "exact")

    def _between(self, texts: list[str], number: int, first: int, last: int, how: str) -> list[Label] | None:
        """Labels of the hunks from `number` on, from line `first` to line `last`, all texts between them being intact.

        `texts` holds one more than there are hunks: what stands before the first and after the last one is given.
        """
        inner, size = texts[1:-1], len(self.lines)
        # each text as far up, and as far down, as the others allow: where both agree, there is only one place for it
        upper = self._places(inner, self.lines, first, last)
        if upper is None:
            return None
        lower = self._places([text[::-1] for text in reversed(inner)], self.backwards, size - last, size - first) or []
        lower = [size - at - len(text) for at, text in zip(reversed(lower), inner, strict=True)]
        found = [how] * (len(texts) - 1)
        if upper != lower:
            upper, found = self._by_sides(inner, number, (first, last), upper, lower, found)
        return _labels(texts, found, first, last, upper)

    def _places(self, texts: list[str], lines: str, first: int, last: int) -> list[int] | None:
        """The earliest place for each text, one after the other, between two line numbers."""
        places = []
        for text in texts:
            at = next(self._occurrences(text, lines, first, last), None)
            if at is None:
                return None
            places.append(at)
            first = at + len(text)
        return places

    def _occurrences(self, text: str, lines: str, first: int, last: int) -> Iterator[int]:
        """Every line number from `first` on where `text` stands, ending at `last` at the latest."""
        while (at := lines.find(text, first, last)) >= 0:
            self._spend(1 + (at - first + len(text)) // 16)
            yield at
            first = at + 1
        self._spend(1 + max(0, last - first) // 16)

    # ---- places that only the sides can tell

    def _by_sides(
        self,
        inner: list[str],
        number: int,
        span: tuple[int, int],
        upper: list[int],
        lower: list[int],
        found: list[str],
    ) -> tuple[list[int], list[str]]:
        """Places for the texts that fit in several, if just one choice leaves every hunk beside them its own sides."""
        places, found, at = list(upper), list(found), 0
        while at < len(inner):
            if upper[at] == lower[at]:
                at += 1
                continue
            stop = at
            while stop < len(inner) and upper[stop] != lower[stop]:
                stop += 1
            start = upper[at - 1] + len(inner[at - 1]) if at else span[0]
            end = upper[stop] if stop < len(inner) else span[1]
            choices = self._choices(inner[at:stop], number + at, start, end)
            if len(choices) == 1:
                places[at:stop] = choices[0]
            found[at : stop + 1] = ["sides" if len(choices) == 1 else ""] * (stop + 1 - at)
            at = stop
        return places, found

    def _choices(self, inner: list[str], number: int, start: int, end: int) -> list[list[int]]:
        """At most two ways to place the texts so that each resolution is made of its hunk's sides, as whole texts."""
        # first line after the last placed text -> the places so far, as pairs (earlier ones, last one)
        ways: dict[int, list[_Way]] = {start: [None]}
        for text in inner:
            further: dict[int, list[_Way]] = {}
            for begin, places in ways.items():
                for side in self._natural(number):
                    at = begin + len(side)
                    self._spend(2 + (len(side) + len(text)) // 16)
                    if at + len(text) <= end and self._stands(side, begin) and self._stands(text, at):
                        known = further.setdefault(at + len(text), [])
                        known += [(way, at) for way in places[: 2 - len(known)]]
            ways, number = further, number + 1
        self._spend(len(ways))
        natural = [
            way
            for begin, places in ways.items()
            if any(begin + len(side) == end and self._stands(side, begin) for side in self._natural(number))
            for way in places
        ]
        return [_places_of(way) for way in natural[:2]]

    def _stands(self, text: str, at: int) -> bool:
        return self.lines.startswith(text, at)

    def _natural(self, number: int) -> list[str]:
        """What a hunk is resolved to when it is one of its sides, or both, whole; only what the file could hold."""
        if number not in self._sides:
            hunk, found = self.hunks[number], []
            for text in hunk.whole_sides().values():
                # a resolution may lack the line end that git adds before it writes a marker
                for side in (text, text.removesuffix("\n").removesuffix("\r")):
                    lines = split_lines(side)
                    if hunk.kind_of(side) not in ("mixed", "empty") and all(line in self._codes for line in lines):
                        found.append("".join(self._codes[line] for line in lines))
            self._sides[number] = list(dict.fromkeys(found))
        return self._sides[number]

    # ---- edited lines

    def aligned(self) -> list[Label]:
        """Labels where lines outside the hunks differ too: from the unchanged runs of lines right beside each hunk.

        A run holds on its own if it has a word in it. Blank lines and lone brackets stand everywhere: a text of nothing
        else must be intact, and is placed together with the hunks on both sides of it. Where edits left nothing but
        such lines beside a hunk, its label stands if the resolution is one of its sides, whole.
        """
        texts, starts, match, size = self.texts, self.starts, self.match, len(self.lines)
        above = list(itertools.accumulate(match, max, initial=-1))  # the last line matched before each anchor
        below = list(itertools.accumulate((at if at >= 0 else size for at in reversed(match)), min, initial=size))[::-1]
        labels: list[Label] = []
        while len(labels) < len(self.hunks):
            top = bottom = len(labels)  # the hunks top..bottom stand between two texts that hold
            while bottom + 1 < len(self.hunks) and not self._has_word(texts[bottom + 1]):
                bottom += 1
            before, after = texts[top], texts[bottom + 1]
            up = _run(match, starts[top + 1] - 2, -1, len(before))
            down = _run(match, starts[bottom + 1], 1, len(after))
            first = match[starts[top + 1] - 2] + 1 if up else 0
            last = match[starts[bottom + 1]] if down else size
            group = None
            at_top, at_bottom = top == 0 and not before, bottom + 1 == len(self.hunks) and not after
            if (up or at_top) and (down or at_bottom) and first <= last:
                runs = [before[len(before) - up :], *texts[top + 1 : bottom + 1], after[:down]]
                group = self._between(runs, top, first, last, "aligned")
                earlier, later = above[starts[top + 1] - 1 - up] + 1, below[starts[bottom + 1] + down]
                befores = [at + up for at in self._few(runs[0], earlier, last)] if up else [first]
                afters = self._few(runs[-1], first, later) if down else [last]
                holds = self._holds(runs[0], before, top == 0)
                holds = holds and self._holds(runs[-1], after, bottom + 1 == len(self.hunks))
                if group and not (holds and len(befores) == len(afters) == 1):
                    group = self._only_natural(runs, top, befores, afters)
            skipped = SKIPPED in match[max(0, starts[top + 1] - 2) : starts[bottom + 1] + 1]
            labels += group or [Label("", reason=TOO_ALIKE if skipped else OUTSIDE_EDITS)] * (bottom + 1 - top)
        return self._not_elsewhere(labels)

    def _few(self, text: str, first: int, last: int) -> list[int]:
        """Where a text stands, or as many of its places as are too many to choose from."""
        return list(itertools.islice(self._occurrences(text, self.lines, first, last), MAX_WAYS + 1))

    def _has_word(self, text: str) -> bool:
        return any(char.isalnum() for code in set(text) for char in self.table[ord(code)])

    def _holds(self, run: str, text: str, is_edge: bool) -> bool:
        """Whether the unchanged run beside a hunk is enough to go by; at an edge of the file the whole text is."""
        return self._has_word(run) or (is_edge and run == text)

    def _only_natural(self, runs: list[str], number: int, befores: list[int], afters: list[int]) -> list[Label]:
        """Labels if of all places for the first and last run just one gives every hunk one of its sides, whole."""
        count = len(runs) - 1
        if len(befores) * len(afters) > MAX_WAYS:
            return [Label("", reason=AMBIGUOUS)] * count
        spans = ((first, last) for first in befores for last in afters if first <= last)
        ways = ((first, last, way) for first, last in spans for way in self._choices(runs[1:-1], number, first, last))
        two = list(itertools.islice(ways, 2))
        if len(two) != 1:
            return [Label("", reason=AMBIGUOUS if two else OUTSIDE_EDITS)] * count
        first, last, places = two[0]
        labels = _labels(runs, ["sides"] * count, first, last, places)
        if not all(self._has_word(self.lines[label.start : label.end]) for label in labels):
            return [Label("", reason=AMBIGUOUS)] * count  # "nothing" fits in anywhere
        return labels

    def _not_elsewhere(self, labels: list[Label]) -> list[Label]:
        """The labels, without those for which lines moved between the hunk and the rest of the file.

        That is, a line of its sides stands among the lines added outside all hunks, or a line of its resolution among
        those removed there.
        """
        spans = {number: self._span(number, label) for number, label in enumerate(labels) if label.found}
        if not spans:
            return labels
        known = {at for at in self.match if at >= 0}.union(
            *(range(labels[number].start, labels[number].end) for number in spans)
        )
        inside = set().union(*(range(*span) for span in spans.values()))
        added = self._telling(code for at, code in enumerate(self.lines) if at not in known)
        removed = self._telling(
            code for at, code in enumerate(self.anchors) if self.match[at] < 0 and code != _HUNK and at not in inside
        )
        checked = list(labels)
        for number in spans:
            label = labels[number]
            if not (added or removed or label.found == "widened"):
                continue
            hunks = self.hunks[number : number + label.hunks]
            sides = _telling(line for hunk in hunks for line in split_lines(hunk.ours + hunk.theirs))
            base = _telling(line for hunk in hunks for line in split_lines(hunk.known_base))
            resolution = self._telling(self.lines[label.start : label.end])
            old = base
            if label.found == "widened":  # where so much was edited, no line at all may have gone elsewhere
                sides |= base | self._telling(self.anchors[slice(*spans[number])].replace(_HUNK, ""))
                old = set()
            moved = (sides - old - resolution) & added or (resolution - sides - base) & removed
            if moved or (label.found == "widened" and self._torn(spans[number], label)):
                checked[number] = Label("", reason=ELSEWHERE)
        return checked

    def apart(self, labels: list[Label]) -> list[Label]:
        """The labels, without those of hunks between which a line moved.

        That is, a line of one resolution that is new to its hunk stands in a side of another hunk, and was not kept
        there: each label is what stands in its place, and neither can be told from its own conflict. Of a hunk without
        a label nobody knows what was kept.
        """
        found = {number for number, label in enumerate(labels) if label.found}
        if not found or len(labels) < 2:
            return labels
        kept, shown = {}, {}
        for number, label in enumerate(labels):
            if label.reason == SWALLOWED:
                continue
            hunks = self.hunks[number : number + label.hunks]
            texts = [text for hunk in hunks for text in (hunk.ours, hunk.known_base, hunk.theirs)]
            around = self.anchors[slice(*self._span(number, label))].replace(_HUNK, "")
            shown[number] = _telling(line for text in texts for line in split_lines(text)) | self._telling(around)
            kept[number] = self._telling(self.lines[label.start : label.end])
        left: dict[str, list[int]] = {}  # lines that a hunk shows and its resolution has not: where they could be from
        for number in shown:
            for line in shown[number] - kept[number]:
                left.setdefault(line, []).append(number)
        moved = set()
        for number in found:
            for line in kept[number] - shown[number]:
                moved |= {number, *left[line]} if line in left else set()
        moved &= found
        return [Label("", reason=ELSEWHERE) if number in moved else label for number, label in enumerate(labels)]

    def _span(self, number: int, label: Label) -> tuple[int, int]:
        """The anchors that a label has taken in."""
        last = number + label.hunks
        return self.starts[number + 1] - 1 - label.above, self.starts[last] + label.below

    def _torn(self, span: tuple[int, int], label: Label) -> bool:
        """Whether a line that stands once in either file is in a grown hunk, or in its resolution, but not in both."""
        inside, resolution = (
            set(filter(self._is_once, codes))
            for codes in (self.anchors[slice(*span)], self.lines[label.start : label.end])
        )
        return inside != resolution

    def _telling(self, codes: Iterable[str]) -> set[str]:
        return _telling(self.table[ord(code)] for code in codes)

    # ---- grown hunks

    def widened(self, labels: list[Label]) -> list[Label]:
        """The labels, and for hunks whose place could not be told those of the hunk with the lines beside it.

        It grows on both sides, over other hunks without a place, to the next line that stands once in either file, and
        in none of the sides, and that has a word: such a line is where it is, whatever was edited before it.
        """
        wider, number, end = list(labels), 0, 0
        starts = [label.start if label.found else len(self.lines) for label in labels]
        later = list(itertools.accumulate(reversed(starts), min, initial=len(self.lines)))[::-1]
        while number < len(labels):
            span = self._grown(wider, number) if wider[number].reason in (OUTSIDE_EDITS, AMBIGUOUS) else None
            if span:
                first, label = span
                last = first + label.hunks
                if end <= label.start - label.before and label.end + label.after <= later[last]:
                    wider[first:last] = [label, *[Label("", reason=SWALLOWED)] * (label.hunks - 1)]
                    number, end = last - 1, label.end
            elif wider[number].found:
                end = wider[number].end
            number += 1
        if wider == labels:
            return labels
        for number, (label, checked) in enumerate(zip(wider, self._not_elsewhere(wider), strict=True)):
            if label.found == "widened" and not checked.found:
                wider[number : number + label.hunks] = [checked] * label.hunks
        return wider

    def _grown(self, labels: list[Label], number: int) -> tuple[int, Label] | None:
        """The first of the hunks that hunk `number` grows to, and its label; None where no line tells its place."""
        above, first = self._grow(labels, number, -1)
        below, last = self._grow(labels, number, 1)
        if above is None or below is None or (above < 0 and below == len(self.anchors)):
            return None
        start = self.match[above] + 1 if above >= 0 else 0
        end = self.match[below] if below < len(self.anchors) else len(self.lines)
        top, bottom = self.starts[first + 1] - 1, self.starts[last + 1] - 1  # the hunks among the anchors
        before = _run(self.match, above, -1, above + 1 - self.starts[first])
        after = _run(self.match, below, 1, self.starts[last + 2] - 1 - below)
        found = {"above": top - above - 1, "below": below - bottom - 1, "hunks": last + 1 - first}
        return first, Label("widened", start, end, before, after, **found)

    def _grow(self, labels: list[Label], number: int, step: int) -> tuple[int | None, int]:
        """The anchor that ends the growth of a hunk in one direction, None if there is none, and the last hunk met."""
        at, lines = self.starts[number + 1] - 1 + step, 0
        while 0 <= at < len(self.anchors):
            if self.anchors[at] == _HUNK:
                number += step
                if labels[number].reason not in (OUTSIDE_EDITS, AMBIGUOUS):
                    return None, number
            elif self._tells(at):
                return at, number
            else:
                lines += 1
                if lines > MAX_GROWTH:
                    return None, number
            at += step
        return at if not lines else None, number  # an edge of the file tells nothing of lines that were edited there

    def _is_once(self, code: str) -> bool:
        """Whether a line has a word and stands once outside the hunks, and once in the file, however indented."""
        bare, *files = self._bares
        line = bare[ord(code)]
        both = all(counts[line] == 1 and code in codes for counts, codes in files)
        return both and self._has_word(code)

    @cached_property
    def _bares(self) -> tuple[list[str], _Counted, _Counted]:
        """All lines without white space, how often each stands in either file, and the lines that are in it."""
        bare = [_bare(line) for line in self.table]
        outside, committed = (
            (Counter(bare[ord(code)] for code in text), set(text)) for text in (self.anchors, self.lines)
        )
        return bare, outside, committed

    @cached_property
    def _in_sides(self) -> set[str]:
        """The lines of all sides, without white space."""
        texts = [text for hunk in self.hunks for text in (hunk.ours, hunk.known_base, hunk.theirs)]
        return {_bare(line) for text in texts for line in split_lines(text)}

    def _tells(self, at: int) -> bool:
        """Whether an anchor stands in one place only, in both files, and in no side of a hunk."""
        code = self.anchors[at]
        return self.match[at] >= 0 and self._is_once(code) and self._bares[0][ord(code)] not in self._in_sides


def _places_of(way: _Way) -> list[int]:
    places = []
    while way:
        way, at = way
        places.append(at)
    return places[::-1]


def _labels(texts: list[str], found: list[str], first: int, last: int, places: list[int]) -> list[Label]:
    starts = [first, *(at + len(text) for at, text in zip(places, texts[1:-1], strict=True))]
    return [
        Label(how, start, end, len(before), len(after)) if how else Label("", reason=AMBIGUOUS)
        for how, start, end, before, after in zip(found, starts, [*places, last], texts, texts[1:], strict=False)
    ]


def _bare(line: str) -> str:
    return "".join(line.split()).casefold()


def _telling(lines: Iterable[str]) -> set[str]:
    """The lines long enough not to stand in many places, without the white space around them, in small letters."""
    return {line.casefold() for line in map(str.strip, lines) if len(line) >= 12}


def _run(match: list[int], at: int, step: int, longest: int) -> int:
    """Number of anchors from `at` on, in steps of 1 or -1, that stand on lines one after the other."""
    count = 0
    while count < longest and match[at + step * count] >= 0 and match[at + step * count] == match[at] + step * count:
        count += 1
    return count
