"""One aligner for all that compares texts: what changed between two sequences, and a diff of lines to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

MAX_LINES, UNCHANGED = 60, 3  # of a diff that a person reads: lines in all, and unchanged ones around a change
MAX_PAIRS = 60_000  # equal pairs that difflib may look at; beyond it an alignment costs much and means little


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


Line = tuple[str, str]  # ("+", "-" or " ", text without its line end); "…" marks what was left out


def diff(old: str, new: str, context: int = UNCHANGED) -> list[Line]:
    """The lines of `new` as a diff from `old`, long unchanged stretches left out.

    >>> diff("a\\nb\\n", "a\\nc\\n")
    [(' ', 'a'), ('-', 'b'), ('+', 'c')]
    """
    a, b = _lines(old), _lines(new)
    if old and new and old.endswith("\n") != new.endswith("\n"):
        shorter = a if new.endswith("\n") else b
        shorter[-1] += "⟨no line end⟩"
    rows: list[Line] = []
    done = 0
    for _, i, j, k, m in changes(a, b):
        rows += [(" ", line) for line in a[done:i]]
        rows += [("-", line) for line in a[i:j]] + [("+", line) for line in b[k:m]]
        done = j
    rows += [(" ", line) for line in a[done:]]
    return list(_fold(rows, context))


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def _fold(rows: Sequence[Line], context: int) -> Iterator[Line]:
    changed = [i for i, (sign, _) in enumerate(rows) if sign != " "]
    near = {k for i in changed for k in range(i - context, i + context + 1)} if changed else set(range(len(rows)))
    skipped = written = 0
    for i, row in enumerate(rows):
        if i not in near:
            skipped += 1
            continue
        if skipped:
            yield "…", f"{skipped:,} unchanged lines"
            skipped = 0
        if written == MAX_LINES:
            yield "…", f"{len(rows) - i:,} more lines"
            return
        written += 1
        yield row
    if skipped:
        yield "…", f"{skipped:,} unchanged lines"
