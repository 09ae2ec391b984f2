"""One conflict as a type: read from a row once, at a wing's door, and asked there for all that everybody asks."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from itertools import dropwhile
from typing import NamedTuple, TypedDict

from llmerge_helpers.conflicts.changes import changes, too_slow
from llmerge_helpers.conflicts.languages import language_named, language_of
from llmerge_helpers.conflicts.markers import MARKER_SIZE, Hunk, make_hunk, split_lines
from llmerge_helpers.conflicts.prompts import (
    FULL,
    TEXTS,
    Form,
    newline_of,
    parse_question,
    render_question,
)
from llmerge_helpers.errors import LlmergeError

CODE = re.compile(r"\d+(?:\.\d+)+|\w+|[^\w\s]")  # a dotted number, a word, or a sign
NAME = re.compile(r"[^\W\d]\w+")


class Row(TypedDict, total=False):
    """A row of a data set of merges, as `merges/README.md` describes it; data sets of others have some of it only."""

    id: str
    repository: str
    family: str
    merge_commit: str
    parent_1: str
    parent_2: str
    path: str
    hunk: int
    order: int  # of this conflict among those of its whole merge, from 0
    merge_size: int  # how many those are; 0 where nobody counted
    committed_at: str
    license: str
    language: str
    before: str
    ours: str
    base: str | None
    theirs: str
    after: str
    resolution: str
    kind: str
    label: str
    decided: bool  # False: the merge, or this file, is one parent's, so nobody resolved this conflict for certain
    white_space_only: bool  # the sides differ in nothing else
    prefix: str | None
    suffix: str | None
    question: str
    answer: str
    ours_message: str  # what the commits of a side say and change: where `context` of 00 kept it
    theirs_message: str
    ours_diff: str
    theirs_diff: str
    earlier: object  # a `SoFar`: what its merge decided before it, where a question is to tell it


class Edit(NamedTuple):
    """What a side did to the base: the words and signs that it removed, and those that it inserted."""

    removed: list[str]
    inserted: list[str]


@dataclass(frozen=True, kw_only=True)
class Conflict:
    """The texts that git could not merge, whole lines each, and the lines around them.

    `base` is None where git did not show it (merge style), and empty where there was nothing.

    >>> c = Conflict(before="f(\\n", ours="a\\n", base="", theirs="b\\n", after=");\\n", path="x.py")
    >>> c.with_("a\\nb\\n"), c.cut("f(\\na\\nb\\n);"), c.kind_of("a\\nb\\n")
    ('f(\\na\\nb\\n);\\n', 'a\\nb\\n', 'ours_theirs')
    >>> c.cut("g(\\na\\n);") is None  # a line around the conflict is another one
    True
    """

    before: str = ""
    ours: str
    base: str | None = None
    theirs: str
    after: str = ""
    path: str = ""
    language: str = ""

    @classmethod
    def of(cls, row: Mapping[str, object]) -> Conflict:
        """The conflict of a row, from its columns or out of its question; an `LlmergeError` if it has neither.

        >>> Conflict.of({"ours": "a\\n", "theirs": "b\\n", "path": "x.py"}).language
        'Python'
        """
        if row.get("ours") is not None and row.get("theirs") is not None:
            known = {each.name: row.get(each.name) for each in fields(cls)}
        elif row.get("question"):
            known = parse_question(str(row["question"]))
            asked = known["language"]
            if row.get("path"):  # an unmarked code block says less than the name of the file
                known["path"], asked = row["path"], "" if asked == "Text" else asked
            known["language"] = language_named(row.get("language"), asked)
        else:
            raise LlmergeError("A row needs the columns ours and theirs, or a question with a conflict in it.")
        known["language"] = language_named(known["language"]) or language_of(known["path"] or "")
        return cls(**{name: text if text is not None or name == "base" else "" for name, text in known.items()})

    @classmethod
    def of_hunk(cls, hunk: Hunk, before: str = "", after: str = "", path: str = "") -> Conflict:
        """The conflict that a hunk of a parsed file is, with the lines around it."""
        sides = {"ours": hunk.ours, "base": hunk.base, "theirs": hunk.theirs}
        return cls(before=before, after=after, path=path, language=language_of(path), **sides)

    # ---- put together, and cut out again

    def with_(self, hunk: str) -> str:
        """The snippet with `hunk` in place of the conflict."""
        return self.before + hunk + self.after

    def marked(self, marker_size: int = MARKER_SIZE, newline: str = "") -> str:
        """The snippet as git leaves it, with markers; like git, a text without a final line end gets one."""
        newline = newline or newline_of(self)
        before, after = (text + newline if text and text[-1] != "\n" else text for text in (self.before, self.after))
        hunk = make_hunk(self.ours, self.base, self.theirs, newline=newline, marker_size=marker_size)
        return f"{before}{hunk}{after}"

    def question(self, form: Form = FULL, hints: str = "") -> str:
        """The user message in which a model is asked to resolve it."""
        return render_question(self, form, hints)

    def cut(self, answer: str) -> str | None:
        """What stands in place of the conflict in `answer`; None where the lines around it are not what they were.

        What a code block, a model, or the maker of a data set does to any text is forgiven: line ends of the other
        kind, one line end more or less at the end, blanks gone from both ends, blank lines there, and blanks at the end
        of the lines around the conflict. Nothing else is: to guess what a changed line meant would tell a line around
        the conflict as its resolution.
        """
        windows = "\r\n" in (self.ours or self.theirs or self.before or self.after)
        if windows != ("\r\n" in answer) and "\n" in answer:
            answer = answer.replace("\r\n", "\n")
            answer = answer.replace("\n", "\r\n") if windows else answer
        newline = "\r\n" if windows else "\n"
        ends = (self.after or self.ours or self.theirs or self.base or "").endswith("\n")
        ended = answer.removesuffix(newline) + newline * (ends and answer != "")
        for text in (answer, ended, self._unstripped(ended)):
            if self.keeps_context(text):
                hunk = text[len(self.before) : len(text) - len(self.after)]
                if not hunk or hunk.endswith("\n") or not (self.after or ends):  # `after` starts on a line of its own
                    return hunk
        return self._between(ended)

    def _between(self, answer: str) -> str | None:
        """The lines between those around the conflict, where these differ in blanks at their ends and blank lines."""
        lines, before, after = split_lines(answer), split_lines(self.before), split_lines(self.after)
        if self.before.strip():
            lines, before = ([*dropwhile(_is_blank, each)] for each in (lines, before))
        if self.after.strip():
            lines, after = ([*dropwhile(_is_blank, reversed(each))][::-1] for each in (lines, after))
        start, end = len(before), len(lines) - len(after)
        if start > end or [*map(str.rstrip, lines[:start] + lines[end:])] != [*map(str.rstrip, before + after)]:
            return None
        return "".join(lines[start:end])

    def keeps_context(self, answer: str) -> bool:
        """Whether `answer` starts with the lines before the conflict and ends with those after it, to the letter."""
        enough = len(answer) >= len(self.before) + len(self.after)
        return enough and answer.startswith(self.before) and answer.endswith(self.after)

    def _unstripped(self, answer: str) -> str:
        """The answer with the blanks of the lines around the conflict that were stripped from its ends."""
        before, after = self.before.lstrip(), self.after.rstrip()
        if not answer.startswith(self.before) and answer.startswith(before):
            answer = self.before.removesuffix(before) + answer
        bare = answer.rstrip("\r\n")
        if not answer.endswith(self.after) and bare.endswith(after):
            answer = bare + self.after.removeprefix(after)
        return answer

    def unix(self) -> Conflict:
        """The same conflict with `\\n` for every line end, as models write it and verdicts compare it."""
        texts = {name: getattr(self, name) for name in TEXTS}
        return replace(self, **{name: text and text.replace("\r\n", "\n") for name, text in texts.items()})

    # ---- told apart, and told alike

    def digest(self) -> bytes:
        """What makes two conflicts the same: both sides, base and context, whatever came of them; 16 bytes."""
        texts = "\0".join(getattr(self, name) or "" for name in TEXTS)
        return hashlib.blake2b(texts.encode("utf-8", "surrogatepass"), digest_size=16).digest()

    def text(self) -> str:
        """The text by which two conflicts are compared for being nearly the same: both sides and the lines around."""
        return self.before + self.ours + self.theirs + self.after

    def whole_sides(self) -> dict[str, str]:
        """The resolutions that are made of whole sides, by kind; of equal ones the first counts."""
        return {
            "ours": self.ours,
            "theirs": self.theirs,
            "ours_theirs": self.ours + self.theirs,
            "theirs_ours": self.theirs + self.ours,
            "empty": "",
            "base": self.base or "",
        }

    def kind_of(self, resolution: str) -> str:
        """How it was resolved: ours, theirs, ours_theirs, theirs_ours, base, empty or mixed.

        A missing line end at the end of the file makes no difference: git adds one before it writes a marker.

        >>> Conflict(ours="a\\n", theirs="b\\n").kind_of("b")
        'theirs'
        """
        open_ended = resolution != "" and not resolution.endswith("\n")
        for kind, text in self.whole_sides().items():
            if resolution == text or (open_ended and resolution == text.removesuffix("\n").removesuffix("\r")):
                return kind
        return "mixed"

    # ---- what each side did, for rules and for those who explain them

    @property
    def known_base(self) -> str:
        """The base, empty where it is not known."""
        return self.base or ""

    def side(self, name: str) -> str:
        """The text of `ours` or `theirs`."""
        return self.ours if name == "ours" else self.theirs

    def edit(self, side: str) -> Edit:
        """What `ours` or `theirs` did to the base."""
        return self.ours_edit if side == "ours" else self.theirs_edit

    @cached_property
    def ours_edit(self) -> Edit:
        return _edit(self.known_base, self.ours)

    @cached_property
    def theirs_edit(self) -> Edit:
        return _edit(self.known_base, self.theirs)

    @property
    def added(self) -> bool:
        """True if nothing (or nothing known) stood here before, and both sides wrote something."""
        return not self.known_base.strip() and bool(self.ours.strip()) and bool(self.theirs.strip())

    @property
    def rewriter(self) -> tuple[str, str] | None:
        """The side that removed more of the base, and the other one; None if they are level."""
        ours, theirs = len(self.ours_edit.removed), len(self.theirs_edit.removed)
        return None if ours == theirs else ("theirs", "ours") if ours < theirs else ("ours", "theirs")


def _is_blank(line: str) -> bool:
    return not line.strip()


def context_of(before: Sequence[str], after: Sequence[str], size: int) -> tuple[str, str]:
    """The `size` lines on either side of a conflict, without blank ones at the outer ends of what is shown.

    Models, and those who copy from them, lose blank lines there. Where all lines are blank, they stay.

    >>> context_of(["a\\n", "\\n", "b\\n"], ["\\n", "c\\n", "\\n"], 2)
    ('b\\n', '\\nc\\n')
    """
    above, below = before[max(0, len(before) - size) :], after[:size]
    shown = [*dropwhile(_is_blank, above)], [*dropwhile(_is_blank, reversed(below))][::-1]
    return "".join(shown[0] or above), "".join(shown[1] or below)


def _edit(base: str, side: str) -> Edit:
    old, new = CODE.findall(base), CODE.findall(side)
    if too_slow(old, new):  # then only which words, and no longer where
        a, b = Counter(old), Counter(new)
        return Edit(list((a - b).elements()), list((b - a).elements()))
    removed: list[str] = []
    inserted: list[str] = []
    for _, i, j, k, m in changes(old, new):
        removed += old[i:j]
        inserted += new[k:m]
    return Edit(removed, inserted)
