"""Text of strangers made safe to look at, and diffs of it: visible, capped, line by line."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator, Sequence

MAX_LINES, MAX_WIDTH, MAX_DIFF_LINES, UNCHANGED = 60, 200, 400, 3

Line = tuple[str, str]  # ("+", "-" or " ", text without its line end); "…" marks what was left out


# ----------------------------------------------------------------------------------------------- text that is safe


def visible(text: str) -> str:
    """`text` with every character that could hide, move or colour something turned into a visible stand-in.

    >>> visible("a\\x1b[31mb\\u202ec")
    'a␛[31mb⟨U+202E⟩c'
    """
    return _HIDDEN.sub(lambda m: _stand_in(m[0]), text)


_HIDDEN = re.compile(r"[^\t\n\x20-\x7e\xa1-\xac\xae-\u02ff\u2190-\u23ff\u2500-\u27ff\u3040-\u30ff\u4e00-\u9fff]")


def _stand_in(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    # format characters (bidi overrides, zero width), C1 controls, lone surrogates, private use, line separators
    hidden = unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
    return f"⟨U+{code:04X}⟩" if hidden else character


def capped(text: str, lines: int = MAX_LINES, width: int = MAX_WIDTH) -> str:
    """At most `lines` lines of at most `width` characters, made visible; it says how much was left out.

    >>> print(capped("abcdef\\nb\\nc", lines=2, width=3))
    abc… 3 more characters
    b
    … 1 more lines
    """
    head = text[: lines * width * 8].split("\n", lines)[:lines]
    total = text.count("\n") + (not text.endswith("\n") and bool(text))
    shown = [clip(line, width) for line in head]
    if len(text) > lines * width * 8 and len(head) < lines:
        shown[-1] += f"… {len(text) - lines * width * 8:,} more characters"
    elif total > len(shown):
        shown.append(f"… {total - len(shown):,} more lines")
    return "\n".join(shown)


def clip(line: str, width: int = MAX_WIDTH) -> str:
    more = len(line) - width
    return visible(line[:width]) + (f"… {more:,} more characters" if more > 0 else "")


# ------------------------------------------------------------------------------------------------------- diffs


def diff(old: str, new: str, context: int = UNCHANGED) -> list[Line]:
    """The lines of `new` as a diff from `old`, long unchanged stretches left out.

    >>> diff("a\\nb\\n", "a\\nc\\n")
    [(' ', 'a'), ('-', 'b'), ('+', 'c')]
    """
    a, b = _lines(old), _lines(new)
    if old and new and old.endswith("\n") != new.endswith("\n"):
        shorter = a if new.endswith("\n") else b
        shorter[-1] += "⟨no line end⟩"
    head = 0
    while head < min(len(a), len(b)) and a[head] == b[head]:
        head += 1
    tail = 0
    while tail < min(len(a), len(b)) - head and a[-1 - tail] == b[-1 - tail]:
        tail += 1
    middle_a, middle_b = a[head : len(a) - tail], b[head : len(b) - tail]
    rows = [(" ", line) for line in a[:head]]
    if max(len(middle_a), len(middle_b)) > MAX_DIFF_LINES:  # alignment is quadratic: huge texts stand side by side
        rows += [("-", line) for line in middle_a] + [("+", line) for line in middle_b]
    else:
        for tag, i, j, k, m in difflib.SequenceMatcher(None, middle_a, middle_b, autojunk=False).get_opcodes():
            if tag == "equal":
                rows += [(" ", line) for line in middle_a[i:j]]
            else:
                rows += [("-", line) for line in middle_a[i:j]] + [("+", line) for line in middle_b[k:m]]
    rows += [(" ", line) for line in a[len(a) - tail :]]
    return list(fold(rows, context))


def _lines(text: str) -> list[str]:
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else lines


def fold(rows: Sequence[Line], context: int) -> Iterator[Line]:
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
