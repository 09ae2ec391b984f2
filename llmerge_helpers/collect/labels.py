"""What the developer wrote in place of each conflict: the file that git left is aligned with the file committed.

All lines outside the hunks are anchors. A hunk gets a label only if the lines right before and right after it stand in
the committed file too, and only if they can stand in one place. Everything else is a drop with its reason.
"""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from llmerge_helpers.conflicts import Conflict, Hunk, split_lines

OUTSIDE_EDITS = "lines beside the hunk were edited"
AMBIGUOUS = "the place of the resolution is ambiguous"
ELSEWHERE = "lines moved out of the hunk or into it"


@dataclass(frozen=True)
class Label:
    """Where a resolution stands in the committed file, in line numbers, or why there is none.

    `found` is "exact" (nothing outside the hunks differs), "aligned" (lines elsewhere differ, those beside the hunk do
    not), "sides" (it could stand in several places, and in just one of them it is one of its sides, whole), or "" with
    a `reason`. `before` and `after` count the unchanged lines around it, up to the next hunk.
    """

    found: str
    start: int = 0
    end: int = 0
    before: int = 0
    after: int = 0
    reason: str = ""


def align(parts: Sequence[str | Hunk], committed: Sequence[str]) -> list[Label]:
    """One label for each hunk of `parts` (a parsed conflict file), found in the lines of the committed file.

    >>> from llmerge_helpers.conflicts.markers import make_hunk
    >>> align(["a\\n", make_hunk("b\\n", "", "c\\n"), "d\\n"], ["a\\n", "b\\n", "c\\n", "d\\n"])
    [Label(found='exact', start=1, end=3, before=1, after=1, reason='')]
    """
    texts: list[list[str]] = [[]]
    hunks: list[Conflict] = []
    for part in parts:
        if isinstance(part, Hunk):
            hunks.append(Conflict.of_hunk(part))
            texts.append([])
        else:
            texts[-1] = split_lines(part)
    committed = list(committed)
    return _exact(texts, hunks, committed) or _aligned(texts, hunks, committed)


def _exact(texts: list[list[str]], hunks: list[Conflict], lines: list[str]) -> list[Label] | None:
    """Labels if the committed file is the texts in order with something in place of each hunk, else None."""
    first, last = len(texts[0]), len(lines) - len(texts[-1])
    if first > last or lines[:first] != texts[0] or lines[last:] != texts[-1]:
        return None
    return _between(texts, hunks, lines, first, last, "exact")


def _between(
    texts: list[list[str]], hunks: list[Conflict], lines: list[str], first: int, last: int, how: str
) -> list[Label] | None:
    """Labels of neighbouring hunks from line `first` to line `last`, all texts between them being intact, else None.

    `texts` holds one more than `hunks`: what stands before the first and after the last one is given.
    """
    inner = texts[1:-1]
    # each text as far up, and as far down, as the others allow: where both agree, there is only one place for it
    upper = _places(inner, lines, first, last)
    if upper is None:
        return None
    lower = _places([t[::-1] for t in reversed(inner)], lines[::-1], len(lines) - last, len(lines) - first) or []
    lower = [len(lines) - at - len(text) for at, text in zip(reversed(lower), inner, strict=True)]
    found = [how] * len(hunks)
    if upper != lower:
        upper, found = _by_sides(inner, hunks, lines, (first, last), upper, lower, found)
    return _labels(texts, found, first, last, upper)


def _labels(texts: list[list[str]], found: list[str], first: int, last: int, places: list[int]) -> list[Label]:
    starts = [first, *(at + len(text) for at, text in zip(places, texts[1:-1], strict=True))]
    return [
        Label(how, start, end, len(before), len(after)) if how else Label("", reason=AMBIGUOUS)
        for how, start, end, before, after in zip(found, starts, [*places, last], texts, texts[1:], strict=False)
    ]


def _places(texts: list[list[str]], lines: list[str], first: int, last: int) -> list[int] | None:
    """The earliest place for each text, one after the other, between two line numbers."""
    places = []
    for text in texts:
        at = next(_occurrences(text, lines, first, last), None)
        if at is None:
            return None
        places.append(at)
        first = at + len(text)
    return places


def _occurrences(text: list[str], lines: list[str], first: int, last: int) -> Iterator[int]:
    """Every line number from `first` on where `text` stands, ending at `last` at the latest."""
    last -= len(text)
    while first <= last:
        if text:
            try:
                first = lines.index(text[0], first, last + 1)
            except ValueError:
                return
        if lines[first : first + len(text)] == text:
            yield first
        first += 1


def _by_sides(
    inner: list[list[str]],
    hunks: list[Conflict],
    lines: list[str],
    span: tuple[int, int],
    upper: list[int],
    lower: list[int],
    found: list[str],
) -> tuple[list[int], list[str]]:
    """Places for the texts that fit in several, if just one choice leaves every hunk beside them with its own sides."""
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
        choices = _choices(inner[at:stop], hunks[at : stop + 1], lines, start, end)
        if len(choices) == 1:
            places[at:stop] = choices[0]
        found[at : stop + 1] = ["sides" if len(choices) == 1 else ""] * (stop + 1 - at)
        at = stop
    return places, found


def _choices(inner: list[list[str]], hunks: list[Conflict], lines: list[str], start: int, end: int) -> list[list[int]]:
    """At most two ways to place the texts so that each hunk's resolution is made of its sides, as whole texts."""
    ways: dict[int, list[list[int]]] = {start: [[]]}  # first line after the last placed text -> the places so far
    for text, hunk in zip(inner, hunks, strict=False):
        further: dict[int, list[list[int]]] = {}
        for begin, places in ways.items():
            for at in _occurrences(text, lines, begin, end):
                if _is_natural(hunk, "".join(lines[begin:at])):
                    known = further.setdefault(at + len(text), [])
                    known += [[*way, at] for way in places[: 2 - len(known)]]
        ways = further
    natural = [
        way for begin, places in ways.items() for way in places if _is_natural(hunks[-1], "".join(lines[begin:end]))
    ]
    return natural[:2]


def _is_natural(hunk: Conflict, resolution: str) -> bool:
    return hunk.kind_of(resolution) not in ("mixed", "empty")


def _aligned(texts: list[list[str]], hunks: list[Conflict], lines: list[str]) -> list[Label]:
    """Labels where lines outside the hunks differ too: from the unchanged runs of lines right beside each hunk.

    A run holds on its own if it has a word in it. Blank lines and lone brackets stand everywhere: a text of nothing
    else must be intact, and is placed together with the hunks on both sides of it. Where edits left nothing but such
    lines beside a hunk, its label stands if the resolution is one of its sides, whole.
    """
    starts = [0]
    for text in texts:
        starts.append(starts[-1] + len(text) + 1)  # one more for the hunk behind the text
    anchors: list[str | None] = []  # None stands for a hunk: it equals no line
    for text in texts:
        anchors += [*text, None]
    anchors.pop()
    match = _matches(anchors, lines)
    labels: list[Label] = []
    while len(labels) < len(hunks):
        top = bottom = len(labels)  # the hunks top..bottom stand between two texts that hold
        while bottom + 1 < len(hunks) and not _has_word(texts[bottom + 1]):
            bottom += 1
        before, after = texts[top], texts[bottom + 1]
        up = _run(match, starts[top + 1] - 2, -1, len(before))
        down = _run(match, starts[bottom + 1], 1, len(after))
        first = match[starts[top + 1] - 2] + 1 if up else 0
        last = match[starts[bottom + 1]] if down else len(lines)
        group = None
        at_top, at_bottom = top == 0 and not before, bottom + 1 == len(hunks) and not after
        if (up or at_top) and (down or at_bottom) and first <= last:
            runs = [before[len(before) - up :], *texts[top + 1 : bottom + 1], after[:down]]
            group = _between(runs, hunks[top : bottom + 1], lines, first, last, "aligned")
            earlier = _next(match, starts[top + 1] - 2 - up, -1, -1) + 1
            later = _next(match, starts[bottom + 1] + down, 1, len(lines))
            befores = [at + up for at in _occurrences(runs[0], lines, earlier, last)] if up else [first]
            afters = list(_occurrences(runs[-1], lines, first, later)) if down else [last]
            holds = _holds(runs[0], before, top == 0) and _holds(runs[-1], after, bottom + 1 == len(hunks))
            if group and not (holds and len(befores) == len(afters) == 1):
                group = _only_natural(runs, hunks[top : bottom + 1], lines, befores, afters)
        labels += group or [Label("", reason=OUTSIDE_EDITS)] * (bottom + 1 - top)
    return _not_elsewhere(labels, hunks, anchors, lines, match)


def _has_word(text: list[str]) -> bool:
    return any(char.isalnum() for line in text for char in line)


def _holds(run: list[str], text: list[str], is_edge: bool) -> bool:
    """Whether the unchanged run beside a hunk is enough to go by; at an edge of the file the whole text is."""
    return _has_word(run) or (is_edge and run == text)


def _only_natural(
    runs: list[list[str]], hunks: list[Conflict], lines: list[str], befores: list[int], afters: list[int]
) -> list[Label]:
    """Labels if of all places for the first and last run just one gives every hunk one of its sides, whole."""
    if len(befores) * len(afters) > 400:
        return [Label("", reason=AMBIGUOUS)] * len(hunks)
    spans = ((first, last) for first in befores for last in afters if first <= last)
    if len(hunks) == 1:
        lengths = {side.count("\n") for side in hunks[0].whole_sides().values()}
        spans = ((first, last) for first, last in spans if last - first in lengths)
    ways = ((first, last, way) for first, last in spans for way in _choices(runs[1:-1], hunks, lines, first, last))
    two = list(itertools.islice(ways, 2))
    if len(two) != 1:
        return [Label("", reason=AMBIGUOUS if two else OUTSIDE_EDITS)] * len(hunks)
    first, last, places = two[0]
    labels = _labels(runs, ["sides"] * len(hunks), first, last, places)
    if not all(_has_word(lines[label.start : label.end]) for label in labels):
        return [Label("", reason=AMBIGUOUS)] * len(hunks)  # "nothing" fits in anywhere
    return labels


def _not_elsewhere(
    labels: list[Label], hunks: list[Conflict], anchors: list[str | None], lines: list[str], match: list[int]
) -> list[Label]:
    """The labels, without those for which lines moved between the hunk and the rest of the file.

    That is, a line of its sides stands among the lines added outside all hunks, or a line of its resolution among those
    removed there.
    """
    known = {at for at in match if at >= 0}.union(*(range(label.start, label.end) for label in labels))
    added = _telling(lines[at] for at in range(len(lines)) if at not in known)
    removed = _telling(line for line, at in zip(anchors, match, strict=True) if at < 0 and line is not None)
    for number, (label, hunk) in enumerate(zip(labels, hunks, strict=True)):
        if label.found and (added or removed):
            sides, base = _telling(split_lines(hunk.ours + hunk.theirs)), _telling(split_lines(hunk.known_base))
            resolution = _telling(lines[label.start : label.end])
            if (sides - base - resolution) & added or (resolution - sides - base) & removed:
                labels[number] = Label("", reason=ELSEWHERE)
    return labels


def _telling(lines: Iterable[str]) -> set[str]:
    """The lines long enough not to stand in many places, without the white space around them."""
    return {line for line in map(str.strip, lines) if len(line) >= 12}


def _run(match: list[int], at: int, step: int, longest: int) -> int:
    """Number of anchors from `at` on, in steps of 1 or -1, that stand on lines one after the other."""
    count = 0
    while count < longest and match[at + step * count] >= 0 and match[at + step * count] == match[at] + step * count:
        count += 1
    return count


def _next(match: list[int], at: int, step: int, default: int) -> int:
    """The line of the next matched anchor from `at` on."""
    while 0 <= at < len(match):
        if match[at] >= 0:
            return match[at]
        at += step
    return default


def _matches(anchors: list[str | None], lines: list[str]) -> list[int]:
    """For each anchor the line it stands on in the committed file, or -1."""
    match = [-1] * len(anchors)
    top = 0
    while top < min(len(anchors), len(lines)) and anchors[top] == lines[top]:
        match[top] = top
        top += 1
    bottom = 0
    while bottom < min(len(anchors), len(lines)) - top and anchors[-1 - bottom] == lines[-1 - bottom]:
        match[-1 - bottom] = len(lines) - 1 - bottom
        bottom += 1
    left, right = anchors[top : len(anchors) - bottom], lines[top : len(lines) - bottom]
    # "autojunk" starts no run at a line that stands everywhere; without it large rewritten files would take minutes
    middle = difflib.SequenceMatcher(None, left, right, autojunk=len(left) * len(right) > 4_000_000)
    for a, b, size in middle.get_matching_blocks():
        for k in range(size):
            match[top + a + k] = top + b + k
    return match
