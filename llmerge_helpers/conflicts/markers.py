"""Git conflict text: parse it into hunks and render it back, byte for byte.

A marker is a line of *exactly* ``marker_size`` marker characters, followed by a blank or the end of the line. So
neither a banner (``==========``) nor the longer markers that git writes inside the base of a criss-cross merge are
taken for one. Lines end at ``\\n`` only; a ``\\r`` before it stays part of the line, as it does in git.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

MARKER_SIZE = 7


@dataclass(frozen=True)
class Hunk:
    """One conflict: the three texts (line ends included) and the marker lines exactly as they were written.

    `base` is None in merge style, where git does not show it.
    """

    ours: str
    base: str | None
    theirs: str
    ours_marker: str = "<<<<<<< ours\n"
    base_marker: str | None = None
    separator: str = "=======\n"
    theirs_marker: str = ">>>>>>> theirs\n"

    def __post_init__(self) -> None:
        if (self.base is None) != (self.base_marker is None):
            raise ValueError("a hunk has a base text and a base marker, or neither")

    def __str__(self) -> str:
        base = "" if self.base is None else f"{self.base_marker}{self.base}"
        return f"{self.ours_marker}{self.ours}{base}{self.separator}{self.theirs}{self.theirs_marker}"

    @property
    def ours_label(self) -> str:
        return _label(self.ours_marker)

    @property
    def base_label(self) -> str:
        return _label(self.base_marker or "")

    @property
    def theirs_label(self) -> str:
        return _label(self.theirs_marker)

    @property
    def ambiguous(self) -> bool:
        """True if a side holds a line that could be the separator, or the base's marker, so that git's text can be read
        in two ways."""
        mark = self.separator.rstrip()
        bars = "|" * len(mark) if self.base is not None else None
        sides = (self.ours, self.base or "", self.theirs)
        if not any(mark in side or (bars and bars in side) for side in sides):
            return False
        lines = [line for side in sides for line in split_lines(side)]
        return any(line.rstrip() == mark or line.split(" ")[0].rstrip() == bars for line in lines)


@dataclass
class _Frame:
    """An open `<<<<<<<`: what was seen since, at its own nesting depth."""

    start: int
    bases: list[int] = field(default_factory=list)
    separators: list[int] = field(default_factory=list)
    closed: list[tuple[int, int, int | None, int]] = field(default_factory=list)  # complete conflicts inside


def parse(text: str, marker_size: int = MARKER_SIZE) -> list[str | Hunk]:
    """The text cut into plain strings and conflicts, in order; `render` puts it together again, for any text.

    Whatever is not a complete conflict stays plain text. A conflict inside a side of another one belongs to that side.

    >>> parse("a\\n<<<<<<< HEAD\\nb\\n=======\\nc\\n>>>>>>> topic\\n")[1].theirs
    'c\\n'
    """
    if "<" * marker_size not in text:
        return [text] if text else []
    lines = split_lines(text)
    is_marker = _marker_pattern(marker_size).match
    spans: list[tuple[int, int | None, int, int]] = []  # line numbers of the four markers
    stack: list[_Frame] = []
    for number, line in enumerate(lines):
        if line[0] not in "<|=>" or not is_marker(line):
            continue
        if line[0] == "<":
            stack.append(_Frame(number))
        elif not stack:
            continue
        elif line[0] == "|":
            stack[-1].bases.append(number)
        elif line[0] == "=":
            stack[-1].separators.append(number)
        elif stack[-1].separators:
            frame = stack.pop()
            base, separator = _choose(frame, lines, marker_size)
            (stack[-1].closed if stack else spans).append((frame.start, base, separator, number))
    for frame in stack:  # never closed: what is complete inside counts
        spans += frame.closed

    parts: list[str | Hunk] = []
    done = 0
    for start, base, separator, end in spans:
        parts.append("".join(lines[done:start]))
        parts.append(
            Hunk(
                ours="".join(lines[start + 1 : separator if base is None else base]),
                base=None if base is None else "".join(lines[base + 1 : separator]),
                theirs="".join(lines[separator + 1 : end]),
                ours_marker=lines[start],
                base_marker=None if base is None else lines[base],
                separator=lines[separator],
                theirs_marker=lines[end],
            )
        )
        done = end + 1
    parts.append("".join(lines[done:]))
    return [part for part in parts if part != ""]


def render(parts: Iterable[str | Hunk]) -> str:
    """The text of the parts, one after the other."""
    return "".join(map(str, parts))


def make_hunk(
    ours: str,
    base: str | None,
    theirs: str,
    *,
    style: str = "diff3",
    labels: tuple[str, str, str] = ("ours", "base", "theirs"),
    newline: str = "\n",
    marker_size: int = MARKER_SIZE,
) -> Hunk:
    """A hunk as git would write it; like git, a side without a final line end gets one.

    `style` "merge", or a base of None, leaves the base out.

    >>> str(make_hunk("a\\n", "", "b")).splitlines()
    ['<<<<<<< ours', 'a', '||||||| base', '=======', 'b', '>>>>>>> theirs']
    """
    if style not in ("merge", "diff3"):
        raise ValueError(f'style must be "merge" or "diff3", not {style!r}')
    marks = [
        (char * marker_size + " " + label).rstrip(" ") + newline for char, label in zip("<|>", labels, strict=True)
    ]
    shown = base is not None and style == "diff3"
    ours, base, theirs = (text + newline if text and not text.endswith("\n") else text for text in (ours, base, theirs))
    return Hunk(
        ours=ours,
        base=base if shown else None,
        theirs=theirs,
        ours_marker=marks[0],
        base_marker=marks[1] if shown else None,
        separator="=" * marker_size + newline,
        theirs_marker=marks[2],
    )


def has_markers(text: str, marker_size: int = MARKER_SIZE) -> bool:
    """True if a line opens or closes a conflict.

    `=======` and `|||||||` alone do not count: underlines and table rows look the same.

    >>> has_markers("Changes\\n=======\\n"), has_markers("a\\n>>>>>>> topic\\n")
    (False, True)
    """
    if "<" * marker_size not in text and ">" * marker_size not in text:
        return False
    is_marker = _marker_pattern(marker_size).match
    return any(line[0] in "<>" and is_marker(line) for line in split_lines(text))


def marker_sizes(text: str) -> set[int]:
    """The lengths of all lines that look like a marker of some size; choose another one to be unmistakable."""
    return {len(match[1]) for match in _ANY_MARKER.finditer(text)}


def split_lines(text: str) -> list[str]:
    """The lines of the text with their line ends; only `\\n` ends a line (`str.splitlines` knows nine more)."""
    return io.StringIO(text, newline="\n").readlines()


_ANY_MARKER = re.compile(r"^(<+|\|+|=+|>+)(?= |\r*$)", re.MULTILINE)


@lru_cache
def _marker_pattern(size: int) -> re.Pattern[str]:
    return re.compile(rf"(?:<{{{size}}}|\|{{{size}}}|={{{size}}}|>{{{size}}})(?: |\r?\n?\Z)")


def _choose(frame: _Frame, lines: list[str], size: int) -> tuple[int | None, int]:
    """The base marker and separator of a closed frame.

    Text on a side can look like a separator (the underline of a seven letter heading). A base marker tells where ours
    ends; then a bare `=======` that does not underline a line of its own length is the likeliest.
    """
    base = next((line for line in frame.bases if line < frame.separators[-1]), None)
    first = frame.start + 1 if base is None else base + 1
    separators = [line for line in frame.separators if line >= first]

    def doubt(number: int) -> tuple[bool, bool]:
        heading = lines[number - 1].strip() if number > first else ""
        return lines[number].rstrip() != "=" * size, len(heading) == size and heading != "=" * size

    return base, min(separators, key=doubt)


def _label(marker: str) -> str:
    return marker.rstrip("\r\n").lstrip("<|>").strip(" ")
