"""A conflict on a terminal: who did what, what is proposed and why; text of others never moves the cursor."""

from __future__ import annotations

import difflib
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TextIO

from llmerge_helpers.conflicts import Conflict, split_lines
from llmerge_helpers.resolver.confidence import LEAST
from llmerge_helpers.resolver.proposals import Proposal

MOST_LINES = 14  # of one part, before it is cut; `v` shows all
_FEWEST = 4
_AROUND = 16  # lines of a screen that are no part: headings, context, reason, question
_ALIKE = 4  # more lines in a row that a side left as they were are told by their number
KEYS = (
    "y take it   n leave the conflict   e edit   o ours   t theirs   s later   "
    "a this and all that are as sure   v show it whole   q quit"
)
_COLOURS = {"+": "32", "-": "31", "head": "1", "dim": "2", "good": "32;1", "warn": "33"}


def visible(text: str) -> str:
    """One line with all that is not to be seen, or would move the cursor or the direction, written out.

    >>> visible("a\\tb\\x1b[2J\\u202e"), visible("caf\\u00e9")
    ('a   b\\\\x1b[2J\\\\u202e', 'café')
    """
    text = text.expandtabs(4)
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


class Screen:
    """Where a person reads and answers; colours only where the output is a terminal that wants them."""

    def __init__(self, out: TextIO | None = None, answer: Callable[[str], str] | None = None):
        self.out = out or sys.stderr
        self.answer = answer or self._input
        self.coloured = self.out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"

    def say(self, text: str = "", style: str = "") -> None:
        """One line; one that would fill more than four of the terminal is cut."""
        width = 4 * max(40, shutil.get_terminal_size().columns) if self.out.isatty() else 400
        text = visible(text)
        text = text if len(text) <= width else text[: width - 1] + "…"
        text = text.encode(self.out.encoding or "utf-8", "backslashreplace").decode(self.out.encoding or "utf-8")
        colour = _COLOURS.get(style) if self.coloured else None
        print(f"\x1b[{colour}m{text}\x1b[0m" if colour else text, file=self.out, flush=True)

    def prose(self, text: str, style: str = "") -> None:
        """Words, wrapped at blanks."""
        import textwrap

        width = max(40, min(100, shutil.get_terminal_size().columns - 2))
        for line in text.splitlines():
            for part in textwrap.wrap(visible(line), width) or [""]:
                self.say(part, style)

    def _input(self, question: str) -> str:
        print(question, end="", file=self.out, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise EOFError
        return line.strip()

    def conflict(
        self, conflict: Conflict, told: Proposal, head: str, names: Sequence[str], whole: bool = False
    ) -> None:
        """The conflict, what each side did to the base, and the proposal with its reason."""
        most = 10_000 if whole else self._room()
        self.say()
        self.say(f"── {head} ".ljust(72, "─"), "head")
        self._lines(split_lines(conflict.before)[-3:], "dim", most)
        for side, name in zip(("ours", "theirs"), names, strict=True):
            self.say(f"{side.upper()}  {name}", "head")
            self._change(conflict.base, conflict.side(side), most)
        if conflict.base and whole:
            self.say("BASE  before either changed it", "head")
            self._lines(split_lines(conflict.base), "", most)
        elif conflict.base is not None and not conflict.base:
            self.say("BASE  nothing: it is new on both sides", "head")
        self._lines(split_lines(conflict.after)[:3], "dim", most)
        self.proposal(conflict, told, most)

    def proposal(self, conflict: Conflict, told: Proposal, most: int = MOST_LINES) -> None:
        """What is proposed, as a diff from ours, how sure that is, and why."""
        if told.text is None:
            self.say("NO PROPOSAL", "warn")
            self.prose(told.why, "warn")
        else:
            sure = "not measured" if told.confidence is None else f"{100 * told.confidence:.0f} % sure"
            doubtful = told.confidence is not None and round(told.confidence, 2) < LEAST
            sure += ": more likely wrong than right" if doubtful else ""
            whole = conflict.kind_of(told.text)
            words = {"mixed": "", "empty": ", nothing stays", "ours_theirs": ", ours then theirs"}
            way = words.get(whole, f", {whole.replace('_', ' then ')} as it is")
            self.say(f"PROPOSAL  by {told.by} · {sure}{way}", "warn" if doubtful else "good")
            if whole in ("mixed", "empty", "base") or (told.text != conflict.ours and most > MOST_LINES):
                self.say("  what it changes in ours:", "dim")
                self._change(conflict.ours, told.text, most)
            self.prose(told.why)
        if told.reasoning:
            self.say("reasoning:", "dim")
            lines = told.reasoning.strip().splitlines()
            self.prose("\n".join(lines[: most // 2]), "dim")
            if len(lines) > most // 2:
                self.say(f"… {len(lines) - most // 2} more lines (v)", "dim")

    def _change(self, base: str | None, text: str, most: int) -> None:
        """A text as a diff from another one; without one, or where they are equal, as it is."""
        if base is None or base == text or not base:
            sign = "  " if base is None or base == text else "+ "
            lines = [sign + line for line in split_lines(text)]
            return self._lines(lines or ["  (nothing)"], "", most, signs=True)
        diff = [line for line in difflib.ndiff(split_lines(base), split_lines(text), charjunk=None) if line[0] != "?"]
        lines: list[str] = []
        for changed, run in itertools.groupby(diff, key=lambda line: line[0] != " "):
            same = list(run)
            if not changed and len(same) > _ALIKE and most <= MOST_LINES:
                same = [same[0], f"  … {len(same) - 2} lines as they were\n", same[-1]]
            lines += same
        return self._lines(lines, "", most, signs=True)

    def _lines(self, lines: Sequence[str], style: str, most: int, signs: bool = False) -> None:
        rows = 0
        width = shutil.get_terminal_size().columns if self.out.isatty() else 10_000
        for number, line in enumerate(lines):
            body = line.rstrip("\r\n")
            rows += 1 + (len(body) + 3) // width
            if rows > most and number:
                return self.say(f"    … {len(lines) - number} more lines (v)", "dim")
            end = "" if line.endswith("\n") or line == "  (nothing)" else "  (no line end)"
            prefix = "  " if signs else "    "
            self.say(prefix + body + end, body[:1] if signs else style)
        return None

    def _room(self) -> int:
        """How many rows each part may have, so that the heading is still on the screen when the question comes."""
        rows = shutil.get_terminal_size().lines if self.out.isatty() else 1_000
        return max(_FEWEST, min(MOST_LINES, (rows - _AROUND) // 3))
