"""From a text to its significant tokens, with tree-sitter, with pygments, or line by line; knows no language by name.

A word here is (text, start, kind, role). Starts are character offsets; the role is the word's place in the syntax tree.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pygments.lexer import Lexer, LexerContext
    from pygments.token import _TokenType as TokenType
    from tree_sitter import Node, Parser, Tree

Word = tuple[str, int, str, int | tuple[int, int, int, int]]  # the last: a number, or what sums a subtree up

# Words for what stands between tokens.
LAYOUT = ("newline", "break", "indent", "dedent", "blank", "joined")
# What programs obey in the comment between two offsets of a text, as (text, offset): words of the kind "directive".
Parts = Callable[[int, int], Iterable[tuple[str, int]]]


def end_of(text: str, word: str, start: int) -> int:
    """Where a word ends in its text, where it may have more white space, or less."""
    if text.startswith(word, start):
        return start + len(word)
    count = len("".join(word.split()))
    ends = (match.end() for match in _LETTER.finditer(text, start))
    return next(islice(ends, count - 1, None), len(text)) if count else start


_LETTER = re.compile(r"\S")

# ---- tree-sitter

STRINGS = (  # nodes that are compared whole; white space in them counts
    "string string_literal multiline_string_literal raw_string_literal interpreted_string_literal template_string "
    "interpolated_string_expression verbatim_string_literal encapsed_string shell_command_expression subshell heredoc "
    "heredoc_body nowdoc bare_string string_array symbol_array delimited_symbol regex character character_literal "
    "char_literal rune_literal system_lib_string text qualified_name namespace_name variable_name "
    # of the grammars that are trusted only where they find no error
    "plain_scalar single_quote_scalar double_quote_scalar block_scalar quoted_key string_value charset_statement "
    "color_value attribute_value quoted_attribute_value raw_text AttValue CDSect EntityValue PubidLiteral "
    "PseudoAttValue SystemLiteral PI ansi_c_string raw_string translated_string heredoc_redirect expansion "
    "extglob_pattern xml_expression line_string_literal multi_line_string_literal regex_literal char quasiquote "
    "pragma cpp charlist sigil quoted_atom quoted_keyword command_literal prefixed_command_literal "
    "prefixed_string_literal string_expression verbatim_string_characters verbatim_here_string_characters "
    "expandable_here_string_literal expandable_string_literal string_content regexp_content quoted_word_list "
    "quoted_regexp match_regexp substitution_regexp transliteration_expression interpolated_string_literal "
    "command_string heredoc_content data_section fileglob_expression"
)
_CODE = {"tree_sitter_bash": ("subshell",)}  # nodes that bear the name of a string elsewhere
_DESCEND, _KEEP, _DROP, _JSX, _MACRO, _TEXT = range(6)


class Parsed(NamedTuple):
    """A syntax tree; `clean` if it has no error, the grammar that it was parsed with, and the tree it was made from."""

    tree: Tree
    clean: bool
    grammar: tuple[str, str]
    old: Tree | None = None

    def changed(self) -> tuple[int, int] | None:
        """The part in which the tree is not the one it was made from; None if it was made from none."""
        ranges = self.old.changed_ranges(self.tree) if self.old else []
        return (ranges[0].start_byte, ranges[-1].end_byte) if ranges else (0, 0) if self.old else None


class _SingleByte(dict):
    """Maps other letters to `_`, line ends to a blank, and other signs to `?`: tree-sitter's byte offsets are then
    character offsets.
    """

    def __missing__(self, code: int) -> int:
        char = chr(code)
        shown = " " if char in "\x85\u2028\u2029" else "_" if char.isidentifier() or char.isalnum() else "?"
        self[code] = code if code < 128 else ord(shown)
        return self[code]


_SINGLE_BYTE = _SingleByte()


@lru_cache
def _grammar(module: str, function: str) -> tuple[Parser, bytes]:
    """The parser, and what to do with each kind of node."""
    from tree_sitter import Language, Parser

    grammar = Language(getattr(importlib.import_module(module), function)())
    special = dict.fromkeys(STRINGS.split(), _KEEP) | {"jsx_text": _JSX, "preproc_arg": _MACRO, "CharData": _TEXT}
    special |= {"marginalia": _DROP, "haddock": _DROP, "pod": _DROP}  # comments by other names
    special |= {"keyword_comment": _DESCEND}  # a statement of SQL
    special["html_comment"] = _KEEP  # in a module, `-->` is two operators
    special |= dict.fromkeys(_CODE.get(module, ()), _DESCEND)
    actions = bytearray(1 << 16)
    for kind in range(grammar.node_kind_count):
        name = grammar.node_kind_for_id(kind)
        if grammar.node_kind_is_named(kind):
            actions[kind] = special.get(name, _DROP if name.lower().endswith("comment") else _DESCEND)
    return Parser(grammar), bytes(actions)


@lru_cache
def kind_name(grammar: tuple[str, str], kind: int) -> str:
    """What a grammar calls a kind of node."""
    return _grammar(*grammar)[0].language.node_kind_for_id(kind) or ""


class Like(NamedTuple):
    """A text that differs from another one between two offsets only."""

    text: str
    start: int
    end: int


def parse(
    text: str, grammars: Iterable[tuple[str, str]], *, clean: bool = False, like: Like | None = None
) -> Parsed | None:
    """The tree by the first grammar (module, function) that finds no error, else by the first of all.

    With `clean`, a parser gives up at the first error, and there is no tree. The tree of a long text is made from that
    of a text that it is `like`.

    None if the parser got lost: some texts take it hours. Steps are counted, not seconds, so that the same text always
    has the same tree.
    """
    if _endless(text):
        return None
    first = None
    for grammar in grammars:
        if like is None or len(text) < _LONG:
            parsed = _parsed(text, grammar, clean)
        elif text == like.text:
            parsed = _known(text, grammar, clean)
        else:
            parsed = _parse_like(text, grammar, clean, like)
        if parsed and parsed.clean:
            return parsed
        first = first or parsed
    return first


_LONG = 10_000


def _point(text: str, at: int) -> tuple[int, int]:
    return text.count("\n", 0, at), at - text.rfind("\n", 0, at) - 1


def _source(text: str) -> bytes:
    return _OTHER_LETTERS.sub(lambda match: match[0].translate(_SINGLE_BYTE), text).encode()


_OTHER_LETTERS = re.compile(r"[^\x00-\x7f]+")


@lru_cache(maxsize=1)  # one that was compared is often looked at again, more closely
def _parse_like(text: str, grammar: tuple[str, str], clean: bool, like: Like) -> Parsed | None:
    """The tree of a text from that of another one, of which all is taken that the change between them cannot reach."""
    known = _known(like.text, grammar, clean)
    if known is None:
        return _parsed(text, grammar, clean)
    end = len(text) - len(like.text) + like.end
    tree = known.tree.copy()
    points = [_point(each, at) for each, at in ((text, like.start), (like.text, like.end), (text, end))]
    tree.edit(like.start, like.end, end, *points)
    return _parsed(text, grammar, clean, tree)


def _parsed(text: str, grammar: tuple[str, str], clean: bool, old: Tree | None = None) -> Parsed | None:
    tree = _parse(_source(text), _grammar(*grammar)[0], clean, old)
    return None if tree is None else Parsed(tree, not tree.root_node.has_error, grammar, old)


@lru_cache(maxsize=4)  # trees of long files are large
def _known(text: str, grammar: tuple[str, str], clean: bool) -> Parsed | None:
    return _parsed(text, grammar, clean)


def _endless(text: str) -> bool:
    """True of hundreds of types nested in one another, as no program has them: each takes a parser longer."""
    run = 0
    for piece in text.split("<")[1:]:
        run = run + 1 if piece and len(piece) < 100 and not _NO_TYPE.search(piece) else 0
        if run > 200:
            return True
    return False


_NO_TYPE = re.compile(r"[>;(){}\"']")


def _parse(source: bytes, parser: Parser, clean: bool, old: Tree | None = None) -> Tree | None:
    steps, limit = 0, 1000 + len(source) // 10  # five times what any of 3,600 files from real merges took

    def lost(_offset: int, has_error: bool) -> bool:
        nonlocal steps
        steps += 1
        return steps > limit or (clean and has_error)

    try:

        def read(offset: int, _point: object) -> bytes:
            return source[offset : offset + 1024]  # some scanners go back and forth, and read it all again

        return parser.parse(read, old, progress_callback=lost) if old else parser.parse(read, progress_callback=lost)
    except ValueError:
        parser.reset()
        return None


def leaves(
    parsed: Parsed,
    text: str,
    window: tuple[int, int],
    obeyed: Parts | None = None,
    nested: bool = False,
    whole: bool = False,
    spelled: bool = False,
) -> Iterator[Word]:
    """The words of a tree; outside the window, a whole subtree is one word of the kind "tree".

    Comments are dropped, but for what is `obeyed` in them. What the parser skipped is still there, as words; with
    `whole`, as it stands. With `spelled`, a subtree outside the window is one word only if its brackets are paired (it
    has no error) and it is more than a word. A role is the place in the tree: the parent, the depth, and the depth up
    to which it is shared with the word before; together, those of all words tell the shape of the tree.
    """
    actions = _grammar(*parsed.grammar)[1]
    low, high = window
    cursor = parsed.tree.walk()
    down, onwards, up = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    parents = [0]
    done = 0  # all text before is accounted for
    shared = 0
    while True:
        node = cursor.node
        kind = node.kind_id
        action = actions[kind]
        start, end = node.start_byte, node.end_byte
        beyond = end <= low or start >= high
        outside = beyond and not (spelled and (node.has_error or not node.child_count))
        if action == _DESCEND and node.type == "jsx_expression" and _says_nothing(node, obeyed):
            done, action = max(done, end), _DROP
        elif action == _DESCEND and not outside and down():
            parents.append(kind)
            continue
        role = (parents[-1] << 16 | min(len(parents), 0xFFFF)) << 16 | min(shared, 0xFFFF)
        if max(done, low) < min(start, high):
            yield from _skipped(text, max(done, low), min(start, high), whole)
        if outside:
            if action != _DROP and end > start:
                yield "", start, "tree", (role, kind, end - start, node.descendant_count)
                shared = len(parents)
            done = max(done, end)
        else:
            start = max(start, done)
            if end > start:
                done = end
                shown = text[start:end]
                beside = text.endswith("]]>", 0, start) or text.startswith("<![", end)
                if action == _TEXT and (beside or shown.strip(_WHITE)):  # white space beside CDATA is text
                    action = _KEEP
                if action == _DROP:
                    for part, offset in obeyed(start, end) if obeyed else ():
                        yield part, offset, "directive", 0
                else:
                    for word in _leaf(shown, start, action, role, parsed, nested):
                        yield word
                        shared = len(parents)
        while not onwards():
            parents.pop()
            shared = min(shared, len(parents))
            if not up():
                if max(done, low) < high:
                    yield from _skipped(text, max(done, low), high, whole)
                return


def _says_nothing(node: Node, obeyed: Parts | None) -> bool:
    """True of `{/* comments */}` between the elements of JSX."""
    inner = node.children[1:-1]
    return (
        node.parent is not None
        and node.parent.type in ("jsx_element", "jsx_fragment")
        and all(each.type == "comment" for each in inner)
        and not any(True for each in inner if obeyed for _ in obeyed(each.start_byte, each.end_byte))
    )


_HEADER = re.compile(r"\s*(?:<[^<>\n]+>|\"[^\"\n]+\")\s*")  # the name of a file: #import <a.h>, #include_next "b.h"


def _leaf(word: str, start: int, action: int, role: int, parsed: Parsed, nested: bool) -> Iterator[Word]:
    if action == _DESCEND:
        if word.strip(_WHITE) and not _CONTINUATION.fullmatch(word):
            yield _PREPROCESSOR.sub("#", word) if word[0] == "#" else word, start, "", role
    elif action == _KEEP:
        yield word, start, "string", role
    elif action == _JSX:
        if shown := _jsx_text(word):
            yield shown, start, "string", role
    elif action == _MACRO and _HEADER.fullmatch(word):
        yield word.strip(_WHITE), start, "string", role
    elif action == _MACRO and nested:
        yield " ".join(word.split()), start, "string", role
    elif action == _MACRO and kind_name(parsed.grammar, role >> 32) == "preproc_call" and (name := _HEADER.match(word)):
        yield name[0].strip(_WHITE), start, "string", role
        yield from _leaf(word[name.end() :], start + name.end(), action, role, parsed, nested)
    elif action == _MACRO:  # its body is code as well
        body = parse(word, [parsed.grammar])
        words = leaves(body, word, (0, len(word)), nested=True) if body else plain_lines(word)
        for inner, offset, kind, _ in words:
            yield inner, start + offset, kind, role


_WHITE = " \t\n\r\f\v"  # to a compiler; Unicode has more of it
_WORD = re.compile(r"\S+", re.ASCII)
_CONTINUATION = re.compile(r"\\\r?\n")
_LINE_END = re.compile(r"(?<!\\)(?<!\\\r)\n")  # one that ends a line
_BARE_LINE_END = re.compile(r"^(?![ \t\f]*\\\r?\n).*\n", re.MULTILINE)  # the same where a comment ends with its line
_CONTINUED = re.compile(r"(?:\s|[\\`]\r?\n)+", re.ASCII)  # with ` in PowerShell
_PREPROCESSOR = re.compile(r"#[ \t]+(?=[a-z])")


def _skipped(text: str, start: int, end: int, whole: bool = False) -> Iterator[Word]:
    if (gap := text[start:end]).strip(_WHITE):
        if whole:
            if not _CONTINUED.fullmatch(gap):
                bare = gap.lstrip(_WHITE)
                yield bare.rstrip(_WHITE), start + len(gap) - len(bare), "string", 0
            return
        for match in _WORD.finditer(_CONTINUATION.sub(_blank, gap)):
            yield match[0], start + match.start(), "", 0


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


def _jsx_text(text: str) -> str:
    """The words that React shows: lines are trimmed, white space with a line end in it is nothing."""
    lines = text.split("\n")
    last = len(lines) - 1
    lines = [line if n == 0 else line.lstrip(_WHITE) for n, line in enumerate(lines)]
    lines = [line if n == last else line.rstrip(_WHITE) for n, line in enumerate(lines)]
    return " ".join(line for line in lines if line)


# ---- pygments, and plain lines


@lru_cache
def _lexer(name: str) -> Lexer:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name)


class Cut(NamedTuple):
    """The start of a line, and the state that a lexer has there."""

    start: int
    stack: tuple[str, ...]


_LOOK_BACK = 60_000  # characters: whoever begins there is in no string or comment by all odds


def far_cut(text: str, before: int) -> Cut:
    """Where a lexer may begin without a state, to see what stands `before`, and most brackets around it."""
    start = max(0, before - _LOOK_BACK)
    return Cut(text.rfind("\n\n", 0, start) + 2 if start and "\n\n" in text[:start] else 0, ("root",))


def lexer_state(text: str, name: str, before: int) -> Cut | None:
    """Where a lexer may begin, to see what stands `before`; None where its states do not tell all."""
    begin = cut = far_cut(text, before)
    limit = before
    for _ in range(3):  # some lines before, for what looks back
        limit = max(text.rfind("\n", 0, limit), 0)
    states = _tokens_from(text, name, begin)
    if states is None:
        return None
    try:
        for at, *_ in states:
            if at and at.start > limit:
                break
            cut = at or cut
    except TypeError:  # rules that need more than a state
        return None
    return cut


def _tokens_from(text: str, name: str, cut: Cut) -> Iterator[tuple[Cut | None, int, TokenType, str]] | None:
    """The tokens behind a cut, with the cut that could be made before each at the start of a line."""
    from pygments.lexer import ExtendedRegexLexer, LexerContext, RegexLexer

    lexer = _lexer(name)
    if not isinstance(lexer, RegexLexer) or isinstance(lexer, ExtendedRegexLexer):
        return None
    context = LexerContext(text, cut.start, list(cut.stack))
    tokens = ExtendedRegexLexer.get_tokens_unprocessed(lexer, context=context)
    return _with_cuts(text, tokens, context)


def _with_cuts(
    text: str, tokens: Iterable[tuple[int, TokenType, str]], context: LexerContext
) -> Iterator[tuple[Cut | None, int, TokenType, str]]:
    """The tokens, each with the cut that could be made before it: at the start of a line, and not within a comment."""
    from pygments.token import Comment

    in_comment = False
    for start, kind, value in tokens:
        goes_on, in_comment = in_comment, kind in Comment.Multiline
        can_cut = start == context.pos and text[start - 1 : start] in ("", "\n") and not (goes_on and in_comment)
        yield Cut(start, tuple(context.stack)) if can_cut else None, start, kind, value


def lexed_part(text: str, name: str, cut: Cut, end: int) -> tuple[list[tuple[int, TokenType, str]], Cut] | None:
    """The tokens from a cut to one some lines behind `end`, or to the end of the text."""
    for _ in range(3):
        found = _LINE_OF_TEXT.search(text, end)
        end = found.end() if found else len(text)
    tokens = []
    for at, *token in _tokens_from(text, name, cut) or ():
        if at and at.start >= end:
            return tokens, at
        tokens.append((token[0], token[1], token[2]))
    return tokens, Cut(len(text), ())


_LINE_OF_TEXT = re.compile(r"\S.*(?:\n|\Z)")


def _whole_comments(tokens: Iterable[tuple[int, TokenType, str]]) -> Iterator[tuple[int, TokenType, str]]:
    """The tokens of a pygments lexer, with the pieces of a comment of several lines put together."""
    from pygments.token import Comment

    start, pieces = 0, []
    for offset, kind, value in tokens:
        if kind in Comment.Multiline:
            start = start if pieces else offset
            pieces.append(value)
            continue
        if pieces:
            yield start, Comment.Multiline, "".join(pieces)
            pieces = []
        yield offset, kind, value
    if pieces:
        yield start, Comment.Multiline, "".join(pieces)


def _pieces(
    text: str,
    tokens: Iterable[tuple[int, TokenType, str]],
    layout: str,
    obeyed: Parts | None,
    misread: re.Pattern[str] | None,
) -> Iterator[tuple[int, str, str]]:
    """A text cut up by a pygments lexer: (start, piece, kind), the kind comment, directive, string, block, white or "".

    Neighbouring pieces of a string are one, and so are those of a line of a YAML block scalar (the kind "block").
    """
    from pygments.token import Comment, Literal, Name, Punctuation, String, Text

    kept = (Comment.Preproc, Comment.PreprocFile, Comment.Hashbang)
    string: list[str] = []
    string_start, string_kind = 0, ""
    for start, kind, value in _whole_comments(tokens):
        verbatim = "string" if kind in String else ""
        if layout == "lines" and (kind is Name.Constant or kind in Literal.Scalar):
            verbatim = "block" if kind is Name.Constant else "string"
        elif layout == "tags" and kind in Text and value.strip(_WHITE):
            verbatim = "string"
        if verbatim and (string or not _CONTINUATION.fullmatch(value)):
            if not string:
                string_start, string_kind = start, verbatim
            string.append(value)
            continue
        if string:
            yield string_start, "".join(string), string_kind
            string = []
        if verbatim or (
            kind in Comment and kind not in kept and not (misread and misread.match(text, start, start + len(value)))
        ):
            parts = list(obeyed(start, start + len(value))) if obeyed else []
            for part, offset in parts:
                yield offset, part, "directive"
            if not parts:
                yield start, value, "comment"
            elif value.endswith("\n"):
                yield start + len(value) - 1, "\n", "white"
            continue
        pattern = _SIGNS if kind in Punctuation else _WORDS if kind in Text or kind in Comment else _WHOLE
        for match in pattern.finditer(value):
            continued = _CONTINUATION.fullmatch(match[0])
            yield start + match.start(), match[0], "comment" if continued else "" if match[0].strip(_WHITE) else "white"
    if string:
        yield string_start, "".join(string), string_kind


_SIGNS = re.compile(r"\s+|\S", re.ASCII)  # "]}" is two, as "] }" is
_WORDS = re.compile(r"\s+|\\\r?\n|(?:(?!\\\r?\n)\S)+", re.ASCII)
_WHOLE = re.compile(r"\s+\Z|\A\s+|\S(?:.*\S)?", re.ASCII | re.DOTALL)
_KEEP_ENDS = re.compile(r"[|>]\d?\+")  # blank lines at the end of a YAML block scalar count


def lexer_words(
    text: str,
    name: str,
    layout: str,
    obeyed: Parts | None = None,
    misread: re.Pattern[str] | None = None,
    tokens: Iterable[tuple[int, TokenType, str]] | None = None,
) -> Iterator[Word]:
    """The words that a pygments lexer finds, with the white space that counts as words of the kind "blank".

    `layout` "free": none counts. "lines": all of it, but for blank lines and blanks at the end of a line. Else only
    whether there is any, with "tags" not between two tags. Inside a string that was cut up, or a YAML block scalar, all
    of it counts. So does what is `obeyed` in comments, and what only looks like one to the lexer, as `misread` tells.
    With `tokens`, those are looked at alone.
    """
    if tokens is None:
        tokens = _lexer(name).get_tokens_unprocessed(text)
    gap, done, last, last_kind = "\n" * (layout == "lines"), 0, "", ""
    keep_ends = layout == "lines" and _KEEP_ENDS.search(text)
    joined = False  # behind a comment or a continued line: blanks add nothing to those before
    for start, piece, kind in _pieces(text, tokens, layout, obeyed, misread):
        if kind == "comment":
            bare = piece if _CONTINUATION.fullmatch(piece) else piece.rstrip("\r\n")
            if bare[-1:] != "\n" and text[start + len(bare) : start + len(bare) + 1] in ("", "\n", "\r"):
                gap = gap.rstrip(" \t").removesuffix("\n")  # all of the line, or the rest of it
            joined = gap != ""
            gap += piece[len(bare) :]
            continue
        if kind == "white":
            gap += piece.lstrip(" \t") if joined else piece
            joined = False
            continue
        if not gap or layout == "free":
            shown = ""
        elif kind == "block" or kind == last_kind == "string" or (keep_ends and last_kind == "block"):
            shown = gap
        elif layout == "lines" and last[-1:] in ("`", "\\"):
            shown = gap  # a blank behind it, and the next line is another statement
        elif layout == "lines":
            shown = "\n" + gap.rpartition("\n")[2] if "\n" in gap else gap
        else:
            shown = "" if not last or (layout == "tags" and last[-1] == ">" and piece[0] == "<") else " "
        if shown:
            yield shown, done, "blank", 0
        yield piece, start, kind if kind == "directive" else "string" if kind else "", 0
        gap, done, last, last_kind, joined = "", start + len(piece), piece, kind, False


def plain_lines(text: str, *, all_blank: bool = False) -> Iterator[Word]:
    """The lines without trailing white space; several blank lines count as one (each with `all_blank`), at the edges
    as none.
    """
    start = blank = 0
    for line in text.split("\n"):
        if bare := line.rstrip(_WHITE):
            for number in range(blank if all_blank else min(blank, 1)):
                yield "", start - blank + number, "line", 0
            blank = 0
            yield bare, start, "line", 0
        else:
            blank += start > 0
        start += len(line) + 1


# ---- blanks between words


class Blanks(NamedTuple):
    """Where a language does not care for blanks: behind these words, before those, and around these signs."""

    behind: frozenset[str] = frozenset("([{,;")
    before: frozenset[str] = frozenset(")]},;")
    signs: re.Pattern[str] = re.compile(r"[-=+*/%<>!&|^?:~]+")  # if there are blanks on both sides, or on none
    between: re.Pattern[str] | None = None  # and between these two, with a NUL between them, on one line
    # A line end is a blank between these: the word before the last, the last, the next, and what a tree calls the
    # places of the last two.
    ends: re.Pattern[str] | None = None
    leads: bool = False  # and before a sign that stands between blanks
    within: re.Pattern[str] | None = None  # no blank counts between these, which are told in the same way


def with_gaps(text: str, words: Iterable[Word], layout: str, joint: re.Pattern[str] | None = None) -> Iterator[Word]:
    """The words, with one of the kind "blank" where white space stands between two of them.

    It is a line end where those count: everywhere with `layout` "lines", between what may be two statements with
    "newline". A `joint` is a line end that the language takes away; the group of its match is a comment, and stays.
    """
    done, previous = 0, ("", 0, "tree", 0)
    for word in words:
        if word[2] == "directive":
            yield word
            continue
        gap = text[done : word[1]] if word[2] != "tree" != previous[2] else ""
        if joint and "\n" in gap:
            gap = joint.sub(_comment_of, gap)
        if gap and (gap[0] in _WHITE or gap[-1] in _WHITE):  # within, there may be a comment
            ends = layout == "lines" or (layout == "newline" and _between_statements(previous[0], word[0]))
            ends = ends and _LINE_END.search(text, done, word[1]) is not None if not joint else "\n" in gap
            left = joint is not None and "`" in _LINE_COMMENT.sub("", gap)  # no joint: behind a blank it would be one
            yield "`" if left else "\n" if ends else " ", done, "blank", 0
        yield word
        done, previous = word[1] + len(word[0]), word


def _comment_of(match: re.Match[str]) -> str:
    return match[1] or ""


_LINE_COMMENT = re.compile(r"#.*")


def relax(words: list[Word], blanks: Blanks, place: Callable[[Word], str] = lambda word: "") -> Iterator[Word]:
    """The words without the blanks that a language does not care for; `place` is what a tree calls that of a word."""

    def sign(number: int) -> bool:
        text, _, kind, _ = words[number]
        return not kind and bool(blanks.signs.fullmatch(text))

    def parted(number: int) -> bool:
        """A sign between two words with blanks on both sides. A line that starts with one may be a statement."""
        ends = number - 2, number + 2
        return (
            sign(number)
            and ends[0] >= 0
            and ends[1] < len(words)
            and words[number - 1][2] == "blank"
            and (words[number - 1][0] == " " or blanks.leads)
            and words[number + 1][2] == "blank"
            and not (sign(ends[0]) or sign(ends[1]))
            and words[ends[0]][0] not in blanks.behind  # with nothing before it, it is a part of the next word
        )

    for number, word in enumerate(words):
        if word[2] == "blank" and 0 < number < len(words) - 1:
            last, after = words[number - 1], words[number + 1]
            if (not last[2] and last[0] in blanks.behind) or (not after[2] and after[0] in blanks.before):
                if _TWO_WORDS.match(last[0][-1:] + after[0][:1]):  # which a lexer may cut where there is none
                    yield " ", *word[1:]
                continue
            if parted(number - 1) or parted(number + 1):
                continue
            pair = f"{'' if last[2] else last[0]}\0{'' if after[2] else after[0]}"
            if blanks.ends or blanks.within:
                earlier = words[number - 2] if number > 1 and words[number - 2][2] != "blank" else words[number - 3]
                told = f"{earlier[0] if number > 1 else ''}\0{pair}\0{place(last)}\0{place(after)}"
                if blanks.ends and word[0] == "\n" and blanks.ends.fullmatch(told):
                    word = (" ", *word[1:])
                if blanks.within and blanks.within.fullmatch(told):
                    continue
            if blanks.between and word[0] == " " and not last[2] and blanks.between.fullmatch(pair):
                continue
        yield word


_TWO_WORDS = re.compile(r"\w\w")


def joined(words: Iterable[Word], signs: re.Pattern[str]) -> Iterator[Word]:
    """The words with those that stand side by side and are one of these signs together as one."""
    waiting: Word | None = None
    for word in words:
        if waiting:
            text, start, _, role = waiting
            if not word[2] and word[1] == start + len(text) and signs.fullmatch(text + word[0]):
                waiting = text + word[0], start, "", role
                continue
            yield waiting
        waiting = None if word[2] else word
        if word[2]:
            yield word
    if waiting:
        yield waiting


def cut(words: Iterable[Word], sign: str) -> Iterator[Word]:
    """The words with those that end with a sign as two."""
    for word in words:
        text, start, kind, role = word
        if not kind and len(text) > 1 and text.endswith(sign):
            yield text[: -len(sign)], start, kind, role
            word = sign, start + len(text) - len(sign), kind, role
        yield word


def spaced(words: Iterable[Word], sign: str) -> Iterator[Word]:
    """The words with a blank for each that is made of this sign, and one for blanks in a row."""
    blank = False
    for word, start, kind, role in words:
        if not kind and not word.strip(sign):
            word, kind = " ", "blank"
        if not (blank and kind == "blank"):
            yield word, start, kind, role
        blank = kind == "blank"


def whole(words: Iterable[Word], spans: Iterable[tuple[int, int]], text: str) -> Iterator[Word]:
    """The words, with one string for all that stand in a span, if a word starts where it does."""
    waiting = iter(spans)
    span = next(waiting, None)
    until = 0
    for word in words:
        if word[1] < until and word[2] != "tree":
            continue
        while span and span[0] < word[1]:
            span = next(waiting, None)
        if span and span[0] == word[1] and word[2] in ("", "string"):
            until = span[1]
            yield text[span[0] : until], span[0], "string", 0
            continue
        yield word


def folded(words: Iterable[Word], text: str) -> Iterator[Word]:
    """The words of a YAML file, with its scalars as they are read: without the indentation of their lines."""
    done, last = 0, ""
    for word, start, kind, role in words:
        if kind == "directive":
            yield word, start, kind, role
            continue
        if "\t" in (gap := text[done:start]) and "\t" in _YAML_COMMENT.sub("", gap):
            yield "\t", done, "blank", 0  # many a parser takes none
        elif gap and word in "[{" and last not in "[{,:-?":  # behind an anchor or a tag
            yield " ", done, "blank", 0
        done, last = start + len(word), word
        if kind == "string" and word[0] in "|>" and "\n" in word:
            header, _, body = word.partition("\n")
            body += _BLANKS.match(text, start + len(word))[0]
            if "+" in header:  # the blank lines behind it count, too
                body += _BLANK_LINES.match(text, start + len(word))[0].lstrip(" \t\r")
            else:
                body = body.rstrip(_WHITE.replace("\t", "").replace(" ", ""))
            if not _DIGIT.search(header.partition("#")[0]):
                lines = body.split("\n")
                width = next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip(" ")), 0)
                body = "\n".join(line[width:] if line[:width].strip(" ") == "" else line for line in lines)
            word = header.partition(" #")[0].rstrip() + "\n" + body
        elif kind == "string" and "\n" in word and "\\\n" not in word:
            word = _FOLD.sub(lambda match: "\n" * (match[0].count("\n") - 1) or " ", word)
        yield word, start, kind, role


_BLANKS = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r]*\n)*")
_YAML_COMMENT = re.compile(r"#.*")
_DIGIT = re.compile(r"\d")
_FOLD = re.compile(r"(?<![ \r])[ \r]*\n[ \r\n]*")


def spans(text: str, opens: re.Pattern[str], closes: str) -> Iterator[tuple[int, int]]:
    """From each match of `opens` to the next `closes`, in which `{0}` stands for the first group, in any case."""
    lower, start, endless = text.lower(), 0, set[str]()
    while match := opens.search(lower, start):
        start, end = match.end(), closes.format(match[1])
        if end not in endless and (at := lower.find(end, start)) >= 0:
            start = at + len(end)
            yield match.start(), start
        else:
            endless.add(end)


def comments(
    text: str, grammar: tuple[str, str], window: tuple[int, int], like: Like | None = None
) -> list[tuple[int, int]]:
    """Where the comments lie that a window shows of a text that parses without an error; none in another."""
    from tree_sitter import Query, QueryCursor

    parsed = parse(text, [grammar], clean=True, like=like)
    if not parsed or not parsed.clean:
        return []
    cursor = QueryCursor(Query(_grammar(*grammar)[0].language, "(comment) @c"))
    cursor.set_byte_range(*window)
    nodes = cursor.captures(parsed.tree.root_node).get("c", [])
    return sorted((node.start_byte, node.end_byte) for node in nodes)


def masked(text: str, comments: Iterable[tuple[int, int]]) -> str:
    """The text, as long as before, without these comments where nothing stands behind one on its line: with NULs for
    one that has its lines for itself, blanks for one at the end of a line.
    """
    pieces, done = [], 0
    for start, end in comments:
        shown = text[start:end]
        alone = not text[text.rfind("\n", 0, start) + 1 : start].strip(_WHITE)
        if start < done or not _LINE_ENDS.match(text, end) or not (alone or "\n" not in shown):
            continue
        pieces += text[done:start], _ON_A_LINE.sub("\0" if alone else " ", shown)
        done = end
    return "".join(pieces) + text[done:]


_ON_A_LINE = re.compile(r"[^\n]")
_LINE_ENDS = re.compile(r"[ \t\r\f\v]*(?:\n|\Z)")


class Lines(NamedTuple):
    """Where white space counts in a language that is taken line by line; patterns are searched in each line.

    A literal region goes from a line that `opens` matches to the next that matches `closes`, in which `{0}` stands for
    the group of the first. All that stands in it counts.
    """

    opens: re.Pattern[str] | None = None
    closes: str = ""
    keeps: re.Pattern[str] | None = None  # the blanks at the end of this line count
    breaks: re.Pattern[str] | None = None  # two or more of them do, if there is text in the line below
    comment: re.Pattern[str] | None = None
    inner: bool = False  # a comment may stand between a line and the one that goes on with it
    blank: str = "one"  # of several blank lines count: "one", "all", "none", or all between "indented" lines


def written_lines(text: str, rules: Lines, obeyed: Parts | None = None) -> Iterator[Word]:
    """The lines of a text, without its comments, but for what is `obeyed` in them, and the white space that does not
    count by the rules.
    """
    closes: re.Pattern[str] | None = None
    waiting: list[tuple[str, int]] = []  # blank lines: they count if there is text behind them
    start, indented, joined, begun = 0, False, False, False
    lines = text.split("\n")
    for number, line in enumerate(lines):
        bare = line.rstrip(_WHITE)
        inside = closes is not None
        if closes and closes.search(line):
            closes = None
        is_comment = not inside and (rules.inner or not joined) and bool(rules.comment and rules.comment.search(line))
        if bare and not is_comment:
            between = rules.blank == "all" or (rules.blank == "indented" and indented and bare[0] in " \t")
            count = len(waiting) if inside or between else min(len(waiting), rules.blank != "none" or joined)
            for shown, at in waiting[:count]:
                yield shown, at, "line", 0
            waiting = []
            if (inside and closes) or (rules.keeps and rules.keeps.search(line)):
                yield line.rstrip("\r"), start, "line", 0
            elif rules.breaks and rules.breaks.search(line) and "".join(lines[number + 1 : number + 2]).strip(_WHITE):
                yield bare + "  ", start, "line", 0
            else:
                yield bare, start, "line", 0
            if not inside and rules.opens and (opened := rules.opens.search(line)):
                closes = re.compile(rules.closes.format(re.escape(opened[1])))
            indented, begun = bare[0] in " \t", True
            joined = bare.endswith("\\") and bare == line.rstrip("\r")
        elif bare and obeyed:
            for part, offset in obeyed(start, start + len(bare)):
                yield part, offset, "directive", 0
        elif not bare and begun:
            waiting.append((line.rstrip("\r") if inside else "", start))
        start += len(line) + 1


_INI_COMMENT = re.compile(r"\s*[;#]")
_SETTING = re.compile(r"([^=:\s\[][^=:]*)([=:])[ \t]*", re.ASCII)


def ini_words(text: str, obeyed: Parts) -> Iterator[Word]:
    """The keys and values of an INI file, without the blanks around the first sign, and what is `obeyed` in comments.

    Of an indented line, which goes on with a value, all counts, and so do the blank lines before it.
    """
    start, waiting = 0, 0
    for line in text.split("\n"):
        bare = line.rstrip("\r") if _ESCAPED.search(line) else line.rstrip(_WHITE)
        if not bare:
            waiting += 1
        elif not _INI_COMMENT.match(bare):
            setting = _SETTING.match(bare)
            if bare[0] in " \t":
                yield "\n" * min(waiting, start) + " ", start, "blank", 0
                yield bare.lstrip(), start + len(bare) - len(bare.lstrip()), "line", 0
            elif setting:
                yield setting[1].rstrip(_WHITE), start, "line", 0
                yield setting[2], start + setting.start(2), "line", 0
                yield bare[setting.end() :], start + setting.end(), "line", 0  # an empty one as well
            else:
                yield bare, start, "line", 0
            waiting = 0
        else:
            for part, offset in obeyed(start, start + len(bare)):
                yield part, offset, "directive", 0
        start += len(line) + 1


_ESCAPED = re.compile(r"\\[ \t]+\r?$")
_PROPERTY = re.compile(r"((?:[^\\=:\s]|\\.)*)[ \t\f]*([=:]?)[ \t\f]*", re.ASCII)
_GOES_ON = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")


def property_words(text: str, obeyed: Parts) -> Iterator[Word]:
    """The keys and values of a Java properties file, without the blanks that a line starts with, nor those around the
    first sign, and what is `obeyed` in comments.
    """
    start, goes_on = 0, False
    for line in text.split("\n"):
        line = line.rstrip("\r")
        bare = line.lstrip(_WHITE)
        at = start + len(line) - len(bare)
        if not goes_on and bare[:1] in ("#", "!"):
            for part, offset in obeyed(at, at + len(bare)):
                yield part, offset, "directive", 0
        elif goes_on:
            yield bare, at, "line", 0
        elif bare and (entry := _PROPERTY.match(bare)):
            yield entry[1], at, "line", 0
            yield entry[2], at + entry.start(2), "line", 0
            yield bare[entry.end() :], at + entry.end(), "line", 0
        goes_on = (goes_on or bare[:1] not in ("#", "!")) and bool(_GOES_ON.search(line))
        start += len(line) + 1


# ---- layout


def off_side(text: str, words: list[Word], opens: frozenset[str]) -> Iterator[Word]:
    """The words, with one of the kind "newline" before each that starts an item of a block: on a line, at its column.

    A block is what stands behind a word that `opens` one. A tolerant grammar goes on with the item where none may.
    """
    columns: list[int | None] = [] if words and words[0][0] == "module" else [0]  # None: an open bracket
    done, opened, previous = 0, False, ""
    for word in words:
        shown, start, kind, _ = word
        if kind in LAYOUT or kind in ("directive", "tree"):
            opened = opened and kind != "tree"
            yield word
            continue
        line = text.rfind("\n", 0, start) + 1
        column = len(text[line:start].expandtabs())
        if opened and shown != "{":
            columns.append(column)
        elif "\n" in text[done:start] and not text[line:start].strip(_WHITE):
            while columns and columns[-1] is not None and column < columns[-1]:
                columns.pop()
            block = next((each for each in reversed(columns) if each is not None), -1)
            if done and column <= block:
                yield "", done, "newline", 1
        if not kind and shown in ("(", "["):
            columns.append(None)
        elif not kind and shown == "{":
            columns += None, -1
        elif not kind and shown in (")", "]", "}"):
            while columns and columns.pop() is not None:
                pass
        yield word
        opened = not kind and (shown in opens or previous + shown in opens)
        done, previous = start + len(shown), shown


_BRACKETS = frozenset("([{}])")
_ENDS_STATEMENT = re.compile(r"[\w\"'`)\]}?!$]\Z")
_STARTS_STATEMENT = re.compile(r"(?!&&)[\w\"'`(\[@#$!~&*+-]")
_SIGN = re.compile(r"[-+*&(\[]")


def lay_out(text: str, words: list[Word], layout: str) -> Iterator[Word]:
    """The words with the line ends and indentations that count put in as words of their own.

    `layout` "indent": all of them, outside brackets. "newline": the line ends between what may end and what may start a
    statement; of the kind "break" before a sign, which a grammar may take for a sum. "asi": the same without breaks.
    "": the ends of preprocessor lines. Where a line end is always one, with "indent" and behind a macro, its role is 1:
    it counts in a clean tree as well.
    """
    widths, tabs, depths, done, directive, previous = [0], [0], [0], 0, "", ""
    for number, (word, start, kind, _) in enumerate(words):
        if kind == "blank" or (kind == "directive" and layout != "indent"):
            yield words[number]
            continue
        gap = text[done:start]
        ends = _BARE_LINE_END if layout else _LINE_END  # only C goes on with a comment
        new_line = not number or ends.search(gap) is not None
        if new_line and not layout:
            if directive:
                yield "", done, "newline", int(directive == "#define")  # its end a tree may miss
            directive = word if word.startswith("#") else ""
        elif new_line and layout == "indent" and not depths[-1]:
            if number:
                yield "", done, "newline", 1
            if kind == "directive":  # a comment may stand at any indentation
                yield words[number]
                done, previous = start + len(word), word
                continue
            indentation = text[text.rfind("\n", 0, start) + 1 : start].rpartition("\f")[2]
            width, tab = len(indentation.expandtabs()), len(indentation)  # tabs as wide as eight, and as one
            if width > widths[-1]:
                if tab <= tabs[-1]:
                    yield indentation, start, "indent", 1  # deeper or not, as wide as a tab is: an error
                widths.append(width)
                tabs.append(tab)
                yield "", start, "indent", 0
            while width < widths[-1]:
                widths.pop()
                tabs.pop()
                yield "", start, "dedent", 0
            if width != widths[-1]:  # no level that was seen before
                widths.append(width)
                tabs.append(tab)
                yield " " * width, start, "indent", 0
            elif tab != tabs[-1]:
                yield indentation, start, "indent", 1
        elif new_line and layout in ("newline", "asi") and not depths[-1] and _between_statements(previous, word):
            yield "", done, "break" if layout == "newline" and _SIGN.match(word) else "newline", 0
        if not kind and word in _BRACKETS:
            if word in "([" or (word == "{" and layout == "indent"):
                depths[-1] += 1
            elif word == "{":  # a block, where statements end again
                depths.append(0)
            elif word == "}" and layout != "indent":
                depths[-1:] = [] if len(depths) > 1 else [0]
            else:
                depths[-1] = max(depths[-1] - 1, 0)
        yield words[number]
        done, previous = start + len(word), word


def _between_statements(previous: str, word: str) -> bool:
    return bool(_ENDS_STATEMENT.search(previous) and _STARTS_STATEMENT.match(word))
