"""One reply against one conflict: is it what the developers committed, and if not, why not?

The same rules judge teacher answers, evaluation and reward. The code is read out of the reply without a look at the
developer's resolution. Tokens are compared in the whole file where it is known, so that code which swallows the lines
behind it is not called right. A change to comments only is a normalized match, unless the conflict is about comments.
The lines around the conflict were to be copied: a reply that drops or changes a comment in them has changed them.

Line ends: models write `\\n`, so `\\r\\n` and `\\n` count as the same, and so does one line end more or less at the
very end of the code. All else counts for an exact match, the first line's indentation included.
"""

from __future__ import annotations

import operator
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from itertools import groupby
from typing import NamedTuple, TypedDict

from llmerge_helpers.conflicts import Conflict, Row, fences, language_of, split_reply
from llmerge_helpers.conflicts.languages import language_named
from llmerge_helpers.conflicts.plans import is_plan, read_compact
from llmerge_helpers.conflicts.prompts import TEXTS, Fence, parse_question
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.verdict.syntax import Cut, Like, Word, end_of, far_cut
from llmerge_helpers.verdict.tokens import (
    LAYOUT,
    Lexed,
    comparable,
    counts_brackets,
    indents,
    lex,
    lex_lines,
    optional,
    parses,
    reached,
    reads,
    state,
)

MATCH_TYPES = (
    "exact_match",
    "normalized_match",
    "unresolved",
    "context_changed",
    "incorrect_resolution",
    "invalid_output",
    "truncated",
    "failed",
)
CORRECT = ("exact_match", "normalized_match")  # what counts as right, everywhere


class Difference(TypedDict):
    """Where the tokens of two snippets first differ."""

    index: int
    expected: str | None
    got: str | None
    line: int


class VerdictRecord(TypedDict):
    """A `Verdict` as it stands in examples.jsonl."""

    match_type: str
    is_correct: bool
    answer: str | None
    fence: int | None
    first_difference: Difference | None
    parses: bool | None
    detail: str


@dataclass(frozen=True)
class Verdict:
    """How a reply was judged.

    `answer` is the code that was read, `fence` the number of its code block in the answer. `first_difference` has the
    `index` of the first differing token of the snippet, the token `expected`, the one that was `got` (None: the snippet
    ends) and its `line` in the code. `parses` says whether the whole file parses with the code in it (None: unknown).
    """

    match_type: str
    is_correct: bool
    answer: str | None = None
    fence: int | None = None
    first_difference: Difference | None = None
    parses: bool | None = None
    detail: str = ""

    def to_dict(self) -> VerdictRecord:
        """The verdict as plain data, ready for JSON."""
        return asdict(self)


def verify(reply: str | Mapping[str, object] | None, row: Row, *, finish_reason: str | None = None) -> Verdict:
    """The verdict on a reply: a text with or without a <think> part, an API message, or None for a failed request.

    `row` has an answer, or before, resolution and after. What else it has (question, prefix, suffix, language, path)
    makes the verdict sharper. A `finish_reason` of "length" always means truncated.

    >>> row = {"before": "f(", "resolution": "a+b", "after": ");", "language": "Java"}
    >>> verify("```java\\nf(a + b); // sum\\n```", row).match_type
    'normalized_match'
    """
    case = _case_of(row)
    if reply is None:
        return _verdict("failed", "There is no reply.")
    parts = split_reply(reply)
    code, number, closed = _read(parts.answer, case)
    if finish_reason == "length":
        return _verdict("truncated", "The reply was cut off at the token limit.", code, number)
    if parts.truncated:
        return _verdict("truncated", "The reply ends before its reasoning does.", code, number)
    if not closed:
        return _verdict("truncated", "The reply ends before its code block does.", code, number)
    if code is None:
        return _verdict("invalid_output", "There is no code block in the answer.")
    if not code.strip() and case.answer.strip():
        return _verdict("invalid_output", "The code block is empty.", code, number)
    return _judge(code, number, case)


def proposal(reply: str, conflict: Conflict, *, finish_reason: str | None = None) -> str | None:
    """What a reply puts in place of a conflict whose answer nobody knows; None where nothing can be taken as it is.

    The code has to be whole, with the lines around the conflict as they were and no marker in it, and to parse where
    both sides do. Blank lines at the edges and blanks at line ends are forgiven around the conflict.

    >>> conflict = Conflict(before="f(\\n", ours="a\\n", base="", theirs="b\\n", after=");\\n")
    >>> proposal("```\\nf(\\na, b\\n);\\n```", conflict)
    'a, b\\n'
    """
    unknown = _Known(resolution="", **{name: getattr(conflict, name) for name in (*TEXTS, "language", "path")})
    case = _build_case(unknown)
    parts = split_reply(reply)
    code, _, closed = _read(parts.answer, case)
    if finish_reason == "length" or parts.truncated or not closed or code is None or _left_markers(code, case):
        return None
    hunk = conflict.cut(code)
    if hunk is None or _worse(conflict, hunk, case.language):
        return None
    sides = [side for side in (conflict.ours, conflict.theirs) if side]
    if not conflict.after and sides and not any(side.endswith("\n") for side in sides):  # nor has the file a line end
        hunk = hunk.removesuffix("\n").removesuffix("\r")
    return hunk


def _worse(conflict: Conflict, hunk: str, language: str) -> bool:
    """True if the snippet parses with either side in it, and not with this."""
    sides = (parses(conflict.with_(side), language) for side in (conflict.ours, conflict.theirs))
    return all(sides) and parses(conflict.with_(hunk), language) is False


# ---- the row


@dataclass(frozen=True)
class _Case:
    """What a row says, with `\\n` line ends; answer = before + resolution + after."""

    before: str
    after: str
    answer: str
    prefix: str
    suffix: str
    whole: bool  # prefix + answer + suffix is the file
    language: str
    sides: tuple[str, ...]  # ours, base, theirs; "" is also one that is not known
    has_sides: bool  # ours and theirs are known
    has_base: bool

    @cached_property
    def conflict(self) -> Conflict:
        """The conflict, as far as the row tells it."""
        ours, base, theirs = self.sides
        known = base if self.has_base else None
        return Conflict(before=self.before, ours=ours, base=known, theirs=theirs, after=self.after)

    @cached_property
    def head(self) -> str:
        """What the lexer has to see before the code."""
        return self.prefix if self.whole else _open_comment(self.answer)

    def lex(self, code: str, *, all_words: bool = False, plain: bool = False) -> Lexed:
        """The tokens of the file with this code in it (summed up outside of the code), or of the code alone."""
        window = None if all_words else (len(self.head), len(self.head) + len(code))
        text = self.head + code + self.suffix
        if lines := lex_lines(text, self.language, code, len(self.head)):
            return lines
        return lex(text, self.language, window, plain=plain, cut=lambda: self.cut, like=self.file)

    def lex_on(self, code: str, more: int, plain: bool) -> Lexed:
        """The same without a grammar, from some way before the code to so many characters behind it."""
        start, end = len(self.head), len(self.head) + len(code)
        cut = far_cut(self.file.text, start) if counts_brackets(self.language) else self.cut
        text = self.head + code + self.suffix
        return lex(text, self.language, (start, end + more), plain=plain, cut=lambda: cut)

    def expected_on(self, more: int, plain: bool) -> Lexed:
        """The same of the developers' code, known from one reply to the next."""
        if (more, plain) not in self._expected_on:
            self._expected_on[more, plain] = self.lex_on(self.answer, more, plain)
        return self._expected_on[more, plain]

    @cached_property
    def _expected_on(self) -> dict[tuple[int, bool], Lexed]:
        return {}

    def lex_part(self, code: str, start: int, behind: int) -> Lexed:
        """The same with a grammar, from an offset to where so many characters are left, and what is around in brief."""
        text = self.head + code + self.suffix
        return lex(text, self.language, (start, len(text) - behind), spelled=True, like=self.file)

    def expected_part(self, start: int, behind: int) -> Lexed:
        """The same of the developers' code, known from one reply to the next."""
        if (start, behind) not in self._expected_parts:
            self._expected_parts[start, behind] = self.lex_part(self.answer, start, behind)
        return self._expected_parts[start, behind]

    @cached_property
    def _expected_parts(self) -> dict[tuple[int, int], Lexed]:
        return {}

    @cached_property
    def file(self) -> Like:
        """The developers' file, and where the code stands in it."""
        return Like(self.head + self.answer + self.suffix, len(self.head), len(self.head) + len(self.answer))

    @cached_property
    def cut(self) -> Cut | None:
        """Where a lexer may begin, to see the code."""
        return state(self.file.text, self.language, len(self.head))

    @cached_property
    def plain(self) -> Lexed:
        """The tokens of the file by other means than a grammar that is trusted only where it finds no error."""
        return self.lex(self.answer, plain=True)

    @cached_property
    def plain_file(self) -> Lexed:
        return self.lex(self.answer, all_words=True, plain=True)

    @cached_property
    def expected(self) -> Lexed:
        return self.lex(self.answer)

    @cached_property
    def expected_file(self) -> Lexed:
        return self.lex(self.answer, all_words=True)

    @cached_property
    def parses(self) -> bool | None:
        return parses(self.file.text, self.language, self.file) if self.whole else None

    @cached_property
    def about_comments(self) -> bool:
        """True if ours and theirs are known and have the same tokens, or none: what was decided stands in comments.

        Such a conflict would otherwise be "resolved" by any answer, one without the comment included.
        """
        if not self.has_sides or self.sides[0] == self.sides[-1]:
            return False
        snippets = [self.before + side + self.after for side in (self.sides[0], self.sides[-1])]
        start = len(self.head)
        ours, theirs = (_words(self.lex(text), start, start + len(text)) for text in snippets)
        return [(w[0], *w[2:]) for w in ours] == [(w[0], *w[2:]) for w in theirs]

    @cached_property
    def lines(self) -> frozenset[str]:
        return frozenset(line.strip() for text in (self.answer, *self.sides) for line in text.split("\n"))

    @cached_property
    def context(self) -> tuple[list[str], list[str]]:
        return _bare_lines(self.before), _bare_lines(self.after)

    @cached_property
    def markers(self) -> frozenset[str]:
        """Lines of the expected answer that look like markers, and so are code."""
        return frozenset(_marker_lines(self.answer))

    @cached_property
    def has_fences(self) -> bool:
        return any("```" in text or "~~~" in text for text in (self.answer, *self.sides))


class _Known(NamedTuple):
    """What a row says, as it says it: the key under which its case is kept."""

    before: str | None = None
    resolution: str | None = None
    after: str | None = None
    answer: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    language: str | None = None
    path: str | None = None
    ours: str | None = None
    base: str | None = None
    theirs: str | None = None
    question: str | None = None


def _case_of(row: Row) -> _Case:
    known = _Known(**{name: row.get(name) for name in _Known._fields})
    if not _lacks_context(known) and language_named(known.language):
        known = known._replace(question=None)  # it is read only where the columns do not tell
    return _build_case(known)


def _lacks_context(known: _Known) -> bool:
    return known.before is None or known.after is None


@lru_cache(maxsize=32)  # several replies to one conflict are judged one after the other, and a case holds its trees
def _build_case(row: _Known) -> _Case:
    language = language_named(row.language)
    if row.question is not None:
        try:
            asked = parse_question(row.question)
        except LlmergeError:  # then only the answer is known
            asked = {}
        if _lacks_context(row):
            row = row._replace(**{name: asked.get(name) for name in TEXTS})
        if not (row.path and asked.get("language") == "Text"):  # an unmarked code block says less than a file's name
            language = language or asked.get("language") or ""
        row = row._replace(path=row.path or asked.get("path"))
    answer = row.answer
    if answer is None:
        if row.resolution is None:
            raise LlmergeError("A row needs an `answer`, or `before`, `resolution` and `after`, to judge replies by.")
        answer = f"{row.before or ''}{row.resolution}{row.after or ''}"
    elif row.resolution is None and not any("```" in (getattr(row, name) or "") for name in TEXTS):
        answer = _unfence(answer)
    texts = (row.before, row.after, answer, row.ours, row.base, row.theirs)
    before, after, answer, *sides = [(text or "").replace("\r\n", "\n") for text in texts]
    if not answer.startswith(before):
        before = ""
    after = after.removesuffix("\n") + "\n" * (answer.endswith("\n") and after != "")
    if not answer[len(before) :].endswith(after):
        after = ""
    whole = row.prefix is not None and row.suffix is not None
    return _Case(
        before=before,
        after=after,
        answer=answer,
        prefix=row.prefix.replace("\r\n", "\n") if whole else "",
        suffix=row.suffix.replace("\r\n", "\n") if whole else "",
        whole=whole,
        language=language or language_of(row.path or ""),
        sides=tuple(sides),
        has_sides=row.ours is not None and row.theirs is not None,
        has_base=row.base is not None,
    )


def _unfence(answer: str) -> str:
    """The answer of a dataset of questions and answers, where it is one code block and nothing else, as bare code."""
    blocks = fences(answer)
    if len(blocks) == 1 and blocks[0].closed and answer.strip() == answer[blocks[0].start : blocks[0].end].strip():
        return blocks[0].body
    return answer


def _open_comment(text: str) -> str:
    """`/*` and a line end if a piece of a file starts inside a block comment (one in ten does), else nothing."""
    comment, end, _ = text.partition("*/")
    return "/*\n" if end and all(re.match(r"\s*(\*|\Z)", line) for line in (comment + "*").split("\n")) else ""


# ---- the code in the answer


def _read(answer: str, case: _Case) -> tuple[str | None, int | None, bool]:
    """The code, the number of its block, and whether the last block is closed; a plan stands for its code."""
    hunk = read_compact(answer, case.conflict) if case.has_sides or not is_plan(answer) else None
    if hunk is not None:
        return case.conflict.with_(hunk), None if is_plan(answer) else 0, True
    blocks = fences(answer)
    whole = _between_ends(answer, blocks) if case.has_fences and len(blocks) > 1 else None
    if len(blocks) > 1 and not blocks[-1].closed and not blocks[-1].body.strip():
        blocks.pop()  # a stray fence at the very end
    if not blocks:
        return None, None, True
    if whole and not _left_markers(whole, case) and _has_context(whole, case):
        return whole, 0, True  # code with code blocks in it, and a fence too short around it
    if not blocks[-1].closed:
        return blocks[-1].body, len(blocks) - 1, False
    number = max(range(len(blocks)), key=lambda number: (_fitness(blocks[number].body, case), number))
    return blocks[number].body, number, True


def _fitness(code: str, case: _Case) -> int:
    """How well code can be the answer: not at all if it is blank, badly with conflict markers, best in its context.

    A whole conflict in its context is an answer as well (I cannot decide), and as good a one as code without context.
    """
    if not code.strip():
        return 0
    if not (markers := _left_markers(code, case)):
        return 3 if _has_context(code, case) else 2
    given_back = {line[0] for line in markers} >= {"<", ">"} and any(case.context) and _has_context(code, case)
    return 2 if given_back else 1


def _between_ends(answer: str, blocks: Sequence[Fence]) -> str | None:
    """All between the opening of the first block and the last line that could be an end."""
    lines = answer[blocks[0].start :].split("\n")
    last = next((n for n in range(len(lines) - 1, 0, -1) if re.fullmatch(r"[ \t]*(`{3,}|~{3,})\s*", lines[n])), 0)
    return "".join(line + "\n" for line in lines[1:last]) if last else None


def _has_context(code: str, case: _Case) -> bool:
    """True if the code starts with the lines before the conflict and ends with those after it, white space aside."""
    lines, (before, after) = _bare_lines(code), case.context
    enough = len(lines) >= len(before) + len(after)
    return enough and lines[: len(before)] == before and lines[len(lines) - len(after) :] == after


def _bare_lines(text: str) -> list[str]:
    return [bare for line in text.split("\n") if (bare := " ".join(line.split()))]


_MARKER_LINE = re.compile(r"^(?:[ \t]*(?:<{7,}+|>{7,}+)(?: .*)?|={7}|\|{7}(?: .*)?)[ \t\r]*$", re.MULTILINE)


def _marker_lines(text: str) -> Iterator[str]:
    if "<<<<<<<" in text or ">>>>>>>" in text or "=======" in text or "|||||||" in text:
        for match in _MARKER_LINE.finditer(text):
            yield match[0].strip()


def _left_markers(code: str, case: _Case) -> list[str]:
    """The lines of the code that can only be conflict markers: no text of the row has them."""
    return [
        line for line in _marker_lines(code) if line not in case.markers and (line[0] in "<>" or line not in case.lines)
    ]


# ---- the judgement


def _solid(text: str) -> str:
    """The text without white space: of two texts with the same tokens, it differs where their comments do."""
    return "".join(text.split())


def _verdict(
    match_type: str,
    detail: str,
    code: str | None = None,
    number: int | None = None,
    difference: Difference | None = None,
    parses: bool | None = None,
) -> Verdict:
    return Verdict(match_type, match_type in CORRECT, code, number, difference, parses, detail)


def _judge(answer: str, number: int | None, case: _Case) -> Verdict:
    code = answer.replace("\r\n", "\n").removesuffix("\n") + "\n" * case.answer.endswith("\n")
    if code == case.answer:
        detail = "Character by character what the developers committed."
        return _verdict("exact_match", detail, answer, number, parses=case.parses)
    if markers := _left_markers(code, case):
        return _verdict("unresolved", f"A conflict marker is left: {markers[0][:60]}", answer, number)
    if len(code) > 2 * len(case.answer) + 20_000:  # it cannot be right, and need not be parsed
        return _verdict("incorrect_resolution", "The code is far longer than the snippet.", answer, number)
    if _same_but_edges(code, case):
        detail = "Only blank lines at the edges of the snippet differ."
        return _verdict("normalized_match", detail, answer, number, parses=case.parses)
    expected, got, difference = _compare(case, code)
    if difference is None and _breaks(case, code, expected, got):
        match_type, detail = "incorrect_resolution", "The tokens are the same, but the code does not parse like this."
    elif difference is None and not _keeps_comments(expected, got, case, code):
        match_type, detail = "context_changed", "A comment in the lines around the conflict is not what it was."
    elif difference is None and _solid(code) != _solid(case.answer) and case.about_comments:
        match_type, detail = (
            "incorrect_resolution",
            "The sides differ in comments and white space only, so here comments count.",
        )
    elif difference is None:
        match_type, detail = "normalized_match", "The same tokens; only comments or white space differ."
    else:
        match_type, detail = _classify(expected, got, case, code)
    spliced = got.clean if case.whole else None
    return _verdict(match_type, detail, answer, number, difference, spliced)


def _same_but_edges(code: str, case: _Case) -> bool:
    """True if only blank lines before the first, or behind the last line around the conflict came or went."""
    texts = code, case.answer
    if case.before.strip():
        texts = tuple(re.sub(r"\A(?:[ \t\r\f]*\n)+", "", text) for text in texts)
    if case.after.strip():
        ends = [text.rstrip() for text in texts]
        escapes = any(end.endswith(("\\", "`")) for end in ends)  # a blank behind one is what it escapes
        texts = tuple(text.rstrip("\n") for text in texts) if escapes else tuple(ends)
    return texts[0] == texts[1]


def _keeps_comments(expected: Lexed, got: Lexed, case: _Case, code: str) -> bool:
    """True if every comment in the lines around the conflict is there, of two codes with the same tokens."""
    below = len(case.answer) - len(case.after)
    gaps = [_gaps(lexed, len(case.head), text) for lexed, text in ((expected, case.answer), (got, code))]
    for (start, end), (low, high) in zip(*gaps, strict=False):
        around = case.answer[start : min(end, len(case.before))], case.answer[max(start, below) : end]
        if not all(comment in _solid(code[low:high]) for comment in map(_solid, around)):
            return False
    return True


def _gaps(lexed: Lexed, head: int, text: str) -> list[tuple[int, int]]:
    """Where there is no token in the text behind the head: comments and white space."""
    words = [(word, start - head) for word, start, *_ in _words(lexed, head, head + len(text))]
    ends = [0, *(end_of(text, word, start) for word, start in words)]
    return list(zip(ends, [*(start for _, start in words), len(text)], strict=True))


def _compare(case: _Case, code: str) -> tuple[Lexed, Lexed, Difference | None]:
    """The tokens of both files, and where they first differ."""
    expected = case.expected
    plain = optional(case.language) and expected.grammar is None
    got = case.lex(code, plain=plain)
    if expected.grammar and optional(case.language) and got.grammar is None:
        expected, plain = case.plain, True
    start = len(case.head)
    left = _words(expected, start, start + len(case.answer))
    right = _words(got, start, start + len(code))
    if difference := _first_difference(left, right, case, code):
        return expected, got, difference
    strict = comparable(expected, got)
    settled = _settled(expected, got, case, code)
    if not (strict or settled) or _first_difference(expected.rows(strict), got.rows(strict), case, code):
        for more in _further(expected, got, case, code, plain):  # the code alone does not tell
            expected, got, seen = more
            left, right = expected.rows(strict), got.rows(strict)
            difference = _first_difference(left, right, case, code)
            if difference and strict and not _first_difference(expected.suites(), got.suites(), case, code):
                difference = None
            if difference and _stands_before(seen, right, _parting(left, right)):
                break
    return expected, got, difference


_STEP = 4000  # characters to look at behind the code, at first


def _further(expected: Lexed, got: Lexed, case: _Case, code: str, plain: bool) -> Iterator[tuple[Lexed, Lexed, int]]:
    """The tokens of both files, of more and more of them up to all that can differ; and up to where in the second one a
    difference is what it would be in the whole files.
    """
    text, end = case.head + code + case.suffix, len(case.head) + len(code)
    part = None
    if got.grammar and got.grammar == expected.grammar:
        part = reached(text, case.language, case.file)
    elif not got.grammar and not expected.grammar and case.cut:
        more = 0
        while more < len(case.suffix):
            pair = case.expected_on(more, plain), case.lex_on(code, more, plain)
            alike = pair[0].reach == pair[1].reach
            yield *pair, len(text) if alike else end + more
            if alike:
                return
            more = 4 * more or _STEP
    if part:
        for stop in sorted({min(part[1], end + _STEP), part[1]}):
            behind = len(text) - stop
            pair = case.expected_part(part[0], behind), case.lex_part(code, part[0], behind)
            yield *pair, len(text) if stop == part[1] else end + _STEP // 2
        return
    yield case.plain_file if plain else case.expected_file, case.lex(code, all_words=True, plain=plain), len(text)


def _stands_before(end: int, words: list[Word], number: int | None) -> bool:
    """True if there is such a word, and it starts before an offset."""
    return number is not None and number < len(words) and words[number][1] < end


def _settled(expected: Lexed, got: Lexed, case: _Case, code: str) -> bool:
    """True if nothing behind the code can differ, or only if what was lexed does."""
    if expected.reach is not None and expected.reach == got.reach:
        return True
    if expected.grammar is None or expected.grammar != got.grammar:
        return False
    # trees with errors: the same words in the same places, with all around summed up in the same way
    rows = ([(word, *rest) for word, _, *rest in lexed.words] for lexed in (expected, got))
    return operator.eq(*rows) and (not indents(case.language) or _margins(code) == _margins(case.answer))


def _margins(code: str) -> list[str]:
    """How the lines are indented, each run of lines that are alike told once."""
    return [margin for margin, _ in groupby(re.findall(r"^[ \t\f]*(?=\S)", code, re.MULTILINE))]


def _breaks(case: _Case, code: str, expected: Lexed, got: Lexed) -> bool:
    """True if the developers' code parses and this one does not, even without comments (some trip grammars up)."""
    if case.expected.clean and got.clean is None:  # only a grammar knows all of what white space means
        return not reads(case.head + code + case.suffix, case.language)
    if not expected.clean or got.clean is not False:
        return False
    text, pieces, done = case.head + code + case.suffix, [], 0
    for word, start, kind, _ in case.lex(code, all_words=True).words:
        if kind not in LAYOUT and kind != "directive":
            pieces += re.sub(r"[^\n]", " ", text[done:start]), word
            done = start + len(word)
    return not parses("".join(pieces) + "\n", case.language)


def _parting(left: list[Word], right: list[Word]) -> int | None:
    """The number of words that are the same at the start, or None if all are."""
    pairs = zip(left, right, strict=False)
    same = next((n for n, (a, b) in enumerate(pairs) if a[0] != b[0] or a[2:] != b[2:]), min(len(left), len(right)))
    return None if same == len(left) == len(right) else same


def _first_difference(left: list[Word], right: list[Word], case: _Case, code: str) -> Difference | None:
    if (same := _parting(left, right)) is None:
        return None
    start = len(case.head)
    first = sum(word[1] < start for word in left[:same])
    shown = []
    for words, end in ((left, start + len(case.answer)), (right, start + len(code))):
        word = words[same] if same < len(words) else None
        shown.append(None if word is None or word[1] >= end else word[0] or f"<{word[2]}>")
    position = right[same][1] - start if same < len(right) else len(code)
    line = code.rstrip("\n").count("\n", 0, max(position, 0)) + 1
    return {"index": same - first, "expected": shown[0], "got": shown[1], "line": line}


def _classify(expected: Lexed, got: Lexed, case: _Case, code: str) -> tuple[str, str]:
    """context_changed or incorrect_resolution, and why."""
    start, end = len(case.head), len(case.head) + len(case.answer)
    middle = start + len(case.before), end - len(case.after)
    spans = (
        (expected, start, middle[0]),
        (expected, *middle),
        (expected, middle[1], end),
        (got, start, start + len(code)),
    )
    before, resolution, after, words = [[(text, kind) for text, _, kind, _ in _words(*span)] for span in spans]
    lines_kept = (
        code.startswith(case.before) and code.endswith(case.after) and len(code) >= len(case.before + case.after)
    )
    if words == before + resolution + after:  # only indentation or a line end differs, or what the file makes of it
        match_type = "incorrect_resolution" if lines_kept or before == after == [] else "context_changed"
        return match_type, "The tokens are the same, but in the file they mean something else."
    tokens_kept = (
        len(words) >= len(before) + len(after)
        and words[: len(before)] == before
        and words[len(words) - len(after) :] == after
    )
    if lines_kept or tokens_kept:
        return "incorrect_resolution", "The lines around the conflict are kept; the resolution is another one."
    context = Counter(before) + Counter(after)
    rest = Counter(words) - Counter(resolution)
    shared = (context & rest).total()
    if _contains(words, resolution) and 2 * shared >= min(context.total(), rest.total()):
        return "context_changed", "The resolution is there, but the lines around it are not what they were."
    return "incorrect_resolution", "The resolution is another one, and the lines around it are not what they were."


def _words(lexed: Lexed, start: int, end: int) -> list[Word]:
    """The tokens between two offsets, without those for line ends and indentation, and without their roles."""
    skipped = (*LAYOUT, "tree")
    return [word for word in lexed.rows(strict=False) if start <= word[1] < end and word[2] not in skipped]


def _contains(words: list[tuple[str, str]], part: list[tuple[str, str]]) -> bool:
    """True if the part stands in the words without a gap (found as a substring, in linear time)."""
    letters: dict[tuple[str, str], str] = {}
    coded = ["".join(letters.setdefault(word, chr(0x100 + len(letters))) for word in each) for each in (words, part)]
    return coded[1] in coded[0]
