"""Lines of code as HTML: syntax colour by pygments, and the words that differ between old and new lines."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING

from llmerge_helpers.conflicts.changes import Line, changes
from llmerge_helpers.conflicts.languages import TABLE, language_named

if TYPE_CHECKING:
    from pygments.lexer import Lexer

Range = tuple[int, int]  # characters of one line
_WORD = re.compile(r"\w+|\s+|[^\w\s]")
# the element of each class of token; comments are in italics where CSS is gone, the rest is plain there
_ELEMENTS = {"c": ("<i>", "</i>"), "k": ("<span class=k>", "</span>"), "s": ("<span class=s>", "</span>")}
MOSTLY_NEW = 0.35  # where so little of two texts is the same, marked words would be nearly all of them


@lru_cache(maxsize=64)
def _lexer(language: str) -> Lexer | None:
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    fence, lexer = TABLE[language_named(language) or "Text"][:2]
    try:
        return get_lexer_by_name(lexer or fence, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return None


def coloured(lines: Sequence[str], language: str) -> list[list[tuple[int, int, str]]]:
    """Where comments, keywords and strings stand in each line: (start, end, "c", "k" or "s").

    >>> coloured(["return 'a'  # b"], "Python")
    [[(0, 6, 'k'), (7, 10, 's'), (12, 15, 'c')]]
    """
    from pygments.token import Comment, Keyword, Name, String

    found: list[list[tuple[int, int, str]]] = [[] for _ in lines]
    lexer = _lexer(language)
    if lexer is None:
        return found
    number = start = 0  # of the line that is being filled, and where it starts in the text
    for at, kind, value in lexer.get_tokens_unprocessed("\n".join(lines)):
        in_code = "k" if kind in Keyword or kind in Name.Tag else "s" if kind in String else ""
        name = "c" if kind in Comment else in_code
        for i, piece in enumerate(value.split("\n")):
            if i:
                number, start = number + 1, start + len(lines[number]) + 1
            begin = max(at - start, 0)
            if not name or not piece.strip():
                continue
            row = found[number]
            if row and row[-1][1:] == (begin, name):  # pygments cuts a string at its quotes
                begin = row.pop()[0]
            row.append((begin, max(at - start, 0) + len(piece), name))
    return found


def changed_words(lines: Sequence[Line]) -> dict[int, list[Range]]:
    """The ranges of each line of a diff that differ, where lines were replaced by similar ones; others are left out.

    >>> changed_words([("-", "int a = 1;"), ("+", "int a = 2;"), (" ", "}"), ("+", "f();")])
    {0: [(8, 9)], 1: [(8, 9)]}
    """
    found: dict[int, list[Range]] = {}
    runs = [(sign, [i for i, _ in run]) for sign, run in groupby(enumerate(lines), key=lambda pair: pair[1][0])]
    for (sign, old), (other, new) in zip(runs, runs[1:], strict=False):
        if (sign, other) == ("-", "+"):
            found |= _between([lines[i][1] for i in old], [lines[i][1] for i in new], old, new)
    return found


def _between(a: list[str], b: list[str], old: list[int], new: list[int]) -> dict[int, list[Range]]:
    words = [_WORD.findall("\n".join(text)) for text in (a, b)]
    edits = changes(*words)
    gone = [sum(len(word) for edit in edits for word in words[k][edit[1 + 2 * k] : edit[2 + 2 * k]]) for k in (0, 1)]
    same = max(1 - left / max(sum(map(len, each)), 1) for left, each in zip(gone, words, strict=True))
    if same < MOSTLY_NEW:
        return {}
    line_of = (a, b)
    found: dict[int, list[Range]] = {}
    for k, numbers in ((0, old), (1, new)):
        marked = [False] * len(words[k])
        for edit in edits:
            for i in range(edit[1 + 2 * k], edit[2 + 2 * k]):
                marked[i] = True
        line = column = 0
        for word, mark in zip(words[k], marked, strict=True):
            for i, piece in enumerate(word.split("\n")):
                if i:
                    line, column = line + 1, 0
                ranges = found.setdefault(numbers[line], [])
                if mark and piece and ranges and ranges[-1][1] == column:
                    low = ranges[-1][0] if line_of[k][line][: ranges[-1][1]].strip() else column  # not the indentation
                    ranges[-1] = (low, column + len(piece))
                elif mark and piece:
                    ranges.append((column, column + len(piece)))
                column += len(piece)
    return {number: ranges for number, ranges in sorted(found.items()) if ranges}


def markup(
    line: str,
    spans: Sequence[tuple[int, int, str]],
    words: Sequence[Range],
    mark: Range | None,
    shown: Callable[[str], str],
) -> str:
    """One line as HTML; every piece of it goes through `shown` and is escaped.

    >>> markup("a < b", [(0, 1, "k")], [(4, 5)], None, str)
    '<span class=k>a</span> &lt; <b>b</b>'
    """
    edges = {0, len(line), *(mark or ())} | {edge for low, high, *_ in (*spans, *words) for edge in (low, high)}
    cuts = sorted(edge for edge in edges if edge <= len(line))
    pieces = []
    for low, high in zip(cuts, cuts[1:], strict=False):
        name = next((name for start, end, name in spans if start <= low < end), "")
        outer = "mark" if mark and mark[0] <= low < mark[1] else "b" if _in(low, words) else ""
        first, last = _ELEMENTS.get(name, ("", ""))
        pieces.append((outer, first + html.escape(shown(line[low:high]), quote=False) + last))
    joined = ((tag, "".join(text for _, text in run)) for tag, run in groupby(pieces, key=lambda piece: piece[0]))
    return "".join(f"<{tag}>{text}</{tag}>" if tag else text for tag, text in joined)


def _in(at: int, ranges: Sequence[Range]) -> bool:
    return any(low <= at < high for low, high in ranges)
