"""Which lines of one text stand in another, in order: rare lines first, and never for long.

Texts come as strings with one character a line, so that Python's own search does the comparing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from difflib import SequenceMatcher

MAX_STEPS = 1_000_000  # a part of a second; counted, not timed, so that the same texts always match the same way
MISSING, SKIPPED = -1, -2  # where a line has no place, or where looking for it would take too long


def match_lines(left: str, right: str) -> list[int]:
    """For each line of `left` the number of its line in `right`, growing; else MISSING, or SKIPPED.

    Lines that stand once in both texts are matched first, then those that stand once between two of them, and so on;
    difflib does what lies between. What would cost more than `MAX_STEPS` in all is skipped, the dearest first.

    >>> match_lines("{a}{b}", "{x}{b}y")
    [0, -1, 2, 3, 4, 5]
    """
    match = [MISSING] * len(left)
    gaps: list[_Gap] = []
    waiting = [(0, len(left), 0, len(right))]
    steps = MAX_STEPS
    while waiting:
        a, b, c, d = waiting.pop()
        while a < b and c < d and left[a] == right[c]:
            match[a] = c
            a, c = a + 1, c + 1
        while a < b and c < d and left[b - 1] == right[d - 1]:
            b, d = b - 1, d - 1
            match[b] = d
        if a == b or c == d:
            continue
        steps -= 3 * (b - a + d - c)  # each of them costs more than a step of difflib
        if found := _once_in_both(left, right, a, b, c, d) if steps > 0 else []:
            for i, k in found:
                match[i] = k
            ends = [(a - 1, c - 1), *found, (b, d)]
            waiting += [(i + 1, j, k + 1, m) for (i, k), (j, m) in zip(ends, ends[1:], strict=False)]
        else:
            gaps.append(_Gap(left, right, a, b, c, d))
    steps = MAX_STEPS
    for gap in sorted(gaps, key=lambda gap: gap.cost(0, gap.size)):
        steps = gap.fill(match, steps)
    return match


def _once_in_both(left: str, right: str, a: int, b: int, c: int, d: int) -> list[tuple[int, int]]:
    """The longest growing row of pairs of lines that stand once in `left[a:b]` and once in `right[c:d]`."""
    here, there = ({char for char, n in Counter(part).items() if n == 1} for part in (left[a:b], right[c:d]))
    once = here & there
    if not once:
        return []
    places = {char: k for k, char in enumerate(right[c:d], c) if char in once}
    pairs = [(i, places[char]) for i, char in enumerate(left[a:b], a) if char in once]
    last: list[int] = []  # of the best row of each length: where it ends in `right` …
    row: list[int] = []  # … and which pair that is
    before: list[int] = []  # for each pair the one before it in its row
    number = -1
    for pair, (_, k) in enumerate(pairs):
        length = bisect_left(last, k)
        before.append(row[length - 1] if length else -1)
        if length == len(last):
            number = pair  # of rows of one length the first one stays
        last[length : length + 1], row[length : length + 1] = [k], [pair]
    best: list[tuple[int, int]] = []
    while number >= 0:
        best.append(pairs[number])
        number = before[number]
    return best[::-1]


class _Gap:
    """Two stretches that share no rare line."""

    def __init__(self, left: str, right: str, a: int, b: int, c: int, d: int) -> None:
        self.start, self.other, self.size, self.width = a, c, b - a, d - c
        self._left, self._right = left[a:b], right[c:d]
        counts = Counter(self._right)
        self._costs = [0]
        for char in self._left:
            self._costs.append(self._costs[-1] + counts[char] + 1)

    def cost(self, a: int, b: int) -> int:
        """What difflib does at most to find the longest match of lines `a` to `b`."""
        return self._costs[b] - self._costs[a]

    def fill(self, match: list[int], steps: int) -> int:
        """Put the longest match in place, then those beside it; the steps that are left."""
        matcher = None
        waiting = [(0, self.size, 0, self.width)]
        while waiting:
            a, b, c, d = waiting.pop()
            if self.cost(a, b) > steps:
                match[self.start + a : self.start + b] = [SKIPPED] * (b - a)
                continue
            steps -= self.cost(a, b)
            matcher = matcher or SequenceMatcher(None, self._left, self._right, autojunk=False)
            i, k, size = matcher.find_longest_match(a, b, c, d)
            if size:
                match[self.start + i : self.start + i + size] = range(self.other + k, self.other + k + size)
                waiting += [
                    (p, q, r, s) for p, q, r, s in ((a, i, c, k), (i + size, b, k + size, d)) if p < q and r < s
                ]
        return steps
