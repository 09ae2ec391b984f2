"""What changed, in words: the prose with which the rule teacher explains a resolution."""

from __future__ import annotations

import re
from os.path import commonprefix

from llmerge_helpers.baselines.rules import decide, statement
from llmerge_helpers.conflicts import Conflict, split_lines
from llmerge_helpers.conflicts.changes import changes
from llmerge_helpers.conflicts.conflict import CODE

SHORTEST_REASONING, LONGEST_REASONING = 40, 200  # words
_WIDTH = 60  # characters of a quoted line
_SHORT = 40  # of a quoted piece of a line
_ONES = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def explain(conflict: Conflict) -> tuple[str, str]:
    """The rules' resolution and the reasoning that leads to it, in 40 to 200 words.

    It says what each side changed, which rule decides, and which lines stay. It follows from the question alone.

    >>> resolution, reasoning = explain(Conflict(ours="f(a, 2)\\n", base="f(a, 1)\\n", theirs="g(a, 1)\\n"))
    >>> resolution
    'g(a, 2)\\n'
    >>> print(reasoning)  # doctest: +ELLIPSIS, +NORMALIZE_WHITESPACE
    The base has one line here. Ours changes `1` to `2` in `f(a, 1)`. Theirs changes `f` to `g` in `f(a, 1)`...
    """
    rule, answer = decide(conflict)
    # a long conflict is told with fewer examples, so that every reasoning fits a small model's context
    for most in (3, 2, 1):
        changes, result = explain_change(conflict, most), explain_result(conflict, answer.resolution, most)
        reasoning = "\n\n".join([changes, answer.why, result])
        if len(reasoning.split()) <= LONGEST_REASONING:
            break
    if len(reasoning.split()) < SHORTEST_REASONING:
        reasoning = "\n\n".join([changes, f"{answer.why} The rule: {statement(rule)}", result])
    return answer.resolution, reasoning


def explain_change(c: Conflict, most: int = 3) -> str:
    """What each side did to the base, `most` changes a side.

    >>> explain_change(Conflict(ours="b\\n", base="a\\n", theirs=""))
    'The base has one line here. Ours changes `a` to `b`. Theirs removes `a`.'
    """
    if not c.known_base.strip():
        sides = (f"{side.capitalize()} adds {_quoted(c.side(side), most)}." for side in ("ours", "theirs"))
        return " ".join(["There is no base text here to compare with.", *sides])
    start = f"The base has {_lines(len(split_lines(c.known_base)))} here."
    return " ".join(
        [start, *(f"{side.capitalize()} {_change(c.known_base, c.side(side), most)}." for side in ("ours", "theirs"))]
    )


def explain_result(c: Conflict, resolution: str, most: int = 3) -> str:
    """Which lines stay, and which of a side's lines do not.

    >>> explain_result(Conflict(ours="b\\n", base="a\\n", theirs="c\\n"), "c\\n")
    'So theirs is taken as it is: `c`. What goes is `b` of ours.'
    """
    others = c.ours + c.known_base + c.theirs
    if not resolution.strip():
        kept = "So nothing stays in place of the conflict"
    elif resolution in (c.ours, c.theirs):
        kept = (
            f"So {'ours' if resolution == c.ours else 'theirs'} is taken as it is: {_quoted(resolution, most, others)}"
        )
    else:
        kept = f"So what stays is {_quoted(resolution, most, others)}"
    stay = {_bare(line) for line in split_lines(resolution)}
    lost = []
    for side in ("ours", "theirs"):
        gone = [line for line in split_lines(c.side(side)) if line.strip() and _bare(line) not in stay]
        if gone:
            lost.append(f"{_quoted(''.join(gone), 1, resolution)} of {side}")
    return f"{kept}. What goes is {' and '.join(lost)}." if lost else f"{kept}. No line of either side is lost."


def _bare(line: str) -> str:
    """A line of which only the sign at its end may have changed is the same line to a reader."""
    return line.strip().rstrip(",;") or line.strip()


def inline(text: str, width: int = _WIDTH, near: int = 0) -> str:
    """The text as a short inline quotation that cannot be taken for a marker, a fence or a tag.

    Of a long text the part around character number `near` is shown.

    >>> inline("  if (a  <<<<<<< b) {")
    '`if (a <<<… b) {`'
    """
    start = max(0, near - width // 2) if len(text.strip()) > width else 0
    while 0 < start < near and text[start - 1 : start + 1].isalnum():
        start += 1
    part = " ".join(text[start : start + 2 * width].split()).replace("`", "'")
    part = re.sub(r"([<>=|~])\1{3,}", r"\1\1\1…", part)
    part = re.sub(r"<(/?think)>", r"‹\1›", part)
    part = "".join(character if character.isprintable() else "·" for character in part)
    part = part if len(part) <= width else part[:width].rstrip() + "…"
    return f"`…{part}`" if text[:start].strip() else f"`{part}`"


def _change(base: str, side: str, most: int) -> str:
    old, new = split_lines(base), split_lines(side)
    if not side.strip():
        return f"removes {_quoted(base, most)}"
    steps = changes(old, new)
    if not steps:
        return "leaves it as it is"
    said: list[str] = []
    for tag, i, j, k, m in steps:
        if tag == "replace" and j - i == m - k <= most:
            said += map(_line_change, old[i:j], new[k:m])
        elif tag == "replace":
            said.append(_block_change("".join(old[i:j]), "".join(new[k:m])))
        elif tag == "insert":
            where = f" after {inline(old[i - 1])}" if i and old[i - 1].strip() else ""
            said.append(f"adds {_quoted(''.join(new[k:m]), 2)}{where}")
        else:
            said.append(f"removes {_quoted(''.join(old[i:j]), 2)}")
    said = list(dict.fromkeys(said))
    more = len(said) - most
    if more > 0:
        said = [*said[:most], f"makes {_number(more)} more {'change' if more == 1 else 'changes'}"]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"


def _block_change(old: str, new: str) -> str:
    if CODE.findall(old) == CODE.findall(new):
        return f"changes only the white space of {_quoted(old, 1)}"
    return f"replaces {_quoted(old, 1, new)} with {_quoted(new, 2, old)}"


def _line_change(old: str, new: str) -> str:
    a, b = CODE.findall(old), CODE.findall(new)
    if a == b:
        return _block_change(old, new)
    steps = changes(a, b)
    _, i, _, k, _ = steps[0]
    _, _, j, _, m = steps[-1]
    kept = len(a) - (j - i)
    if not a or not b or kept < 2 or kept * 2 < len(a):
        return f"changes {_quoted(old, 1, new)} to {_quoted(new, 1, old)}"
    near = len(commonprefix([old, new]))
    before, after = _piece(old, i, j), _piece(new, k, m)
    if i == j:
        return f"puts {inline(after, _SHORT)} into {inline(old, near=near)}"
    if k == m:
        return f"takes {inline(before, _SHORT)} out of {inline(old, near=near)}"
    return f"changes {inline(before, _SHORT)} to {inline(after, _SHORT)} in {inline(old, near=near)}"


def _piece(line: str, start: int, end: int) -> str:
    """The part of a line from its token number `start` up to `end`."""
    spans = [match.span() for match in CODE.finditer(line)][start:end]
    return line[spans[0][0] : spans[-1][1]] if spans else ""


def _quoted(text: str, most: int, other: str = "") -> str:
    """The first lines of a text, blank ones left out, and how many more there are.

    A long line is shown around the place where it leaves the lines of `other`.
    """
    lines = [line for line in split_lines(text) if line.strip()]
    if not lines:
        return "blank lines only" if text else "nothing"
    shown = []
    for line in lines[:most]:
        rivals = split_lines(other) if len(line) > _WIDTH else []
        near = max((len(commonprefix([line, rival])) for rival in rivals if rival != line), default=0)
        shown.append(inline(line, near=near))
    more = len(lines) - most
    return ", ".join(shown) + (f" and {_number(more)} more {'line' if more == 1 else 'lines'}" if more > 0 else "")


def _lines(count: int) -> str:
    return f"{_number(count)} {'line' if count == 1 else 'lines'}"


def _number(count: int) -> str:
    return _ONES[count] if count < len(_ONES) else str(count)
