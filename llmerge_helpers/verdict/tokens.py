"""From a text to the significant tokens by which a verdict compares it.

Tokens are the leaves of a tree-sitter tree, with string literals kept whole; pygments lexes what has no grammar here,
and plain text is taken line by line. Every character of a text is in a token, in a comment, or white space: nothing
that a parser could not read is ever lost.
"""

from __future__ import annotations

from typing import NamedTuple

from llmerge_helpers.conflicts.languages import TABLE
from llmerge_helpers.verdict import lexical, syntax
from llmerge_helpers.verdict.directives import MISREAD, Obeyed

# The grammars of a language, best first: (module, function). A C header may well be C++.
_GRAMMARS: dict[str, list[tuple[str, str]]] = {
    "Java": [("tree_sitter_java", "language")],
    "Python": [("tree_sitter_python", "language")],
    "JavaScript": [("tree_sitter_javascript", "language")],
    "TypeScript": [("tree_sitter_typescript", "language_typescript")],
    "TSX": [("tree_sitter_typescript", "language_tsx")],
    "Go": [("tree_sitter_go", "language")],
    "Rust": [("tree_sitter_rust", "language")],
    "C": [("tree_sitter_c", "language"), ("tree_sitter_cpp", "language")],
    "C++": [("tree_sitter_cpp", "language")],
    "C#": [("tree_sitter_c_sharp", "language")],
    "Ruby": [("tree_sitter_ruby", "language")],
    "PHP": [("tree_sitter_php", "language_php")],
    "Kotlin": [("tree_sitter_kotlin", "language")],
}


_PREPROCESSED = ("C", "C++", "C#", "Objective-C")


LAYOUT = syntax.LAYOUT


class Lexed(NamedTuple):
    """The tokens of a text as (text, start, kind, role)."""

    words: list[syntax.Word]
    grammar: tuple[str, str] | None
    clean: bool | None  # parsed without an error; None: no grammar

    def rows(self, strict: bool) -> list[syntax.Word]:
        """The tokens that two texts are compared by; with `strict` (both parsed cleanly) their roles count too.

        A clean tree knows where line ends count, but for those with a role. Without one, those that could count are
        compared as tokens.
        """
        if strict:
            return [word for word in self.words if word[2] != "newline" or word[3]]
        return [(text, start, kind, 0) for text, start, kind, _ in self.words]


def parses(text: str, language: str) -> bool | None:
    """True if the text, a whole file, parses without an error; None if there is no grammar for the language."""
    if language not in _GRAMMARS:
        return None
    parsed = syntax.parse(_unmarked(text), _grammars(text, language))
    return parsed is not None and parsed.clean


def comparable(left: Lexed, right: Lexed) -> bool:
    """True if both were parsed cleanly by the same grammar, so that syntax trees can be compared too."""
    return bool(left.clean and right.clean and left.grammar == right.grammar)


def lex(text: str, language: str, window: tuple[int, int] | None = None) -> Lexed:
    """The significant tokens: comments and white space gone, strings whole, preprocessor and Python indentation kept.

    In languages without a grammar, white space that may count is kept as tokens of the kind "blank".

    >>> [word for word, *_ in lex('f( "//" ); // say "hi"', "Java").words]
    ['f', '(', '"//"', ')', ';']

    With a window (start, end) and a grammar, whatever lies outside is summed up: one word of the kind "tree" for each
    subtree.
    """
    text = _unmarked(text)
    if (decoded := lexical.decoded(text, language)) is None:
        return _lex(text, language, window)
    lexed = _lex(decoded.text, language, decoded.window(window))
    return lexed._replace(words=decoded.placed(lexed.words, window))


def _lex(text: str, language: str, window: tuple[int, int] | None) -> Lexed:
    """The tokens of a text with the line ends that its language knows and its parser may not."""
    plain = lexical.spliced(text, language)
    if lexical.hides_line_ends(plain, language):
        plain = lexical.with_line_ends(plain, _lex_plain(plain, language, None).words, language)
    lexed = _lex_plain(plain, language, window)
    if plain == text:
        return lexed
    as_written = (  # in a string, every sign counts
        (text[start : start + len(word)], start, kind, role)
        if kind == "string" and plain.startswith(word, start)
        else (word, start, kind, role)
        for word, start, kind, role in lexed.words
    )
    return lexed._replace(words=list(as_written))


def _lex_plain(text: str, language: str, window: tuple[int, int] | None) -> Lexed:
    grammar = clean = None
    layout = _layout(language)
    obeyed = Obeyed(text, language).parts
    if language in _GRAMMARS:
        parsed = syntax.parse(text, _grammars(text, language))
        if parsed is None:  # no program is like this
            return Lexed(list(syntax.plain_lines(text)), None, False)
        grammar, clean = parsed.grammar, parsed.clean
        words = list(syntax.leaves(parsed, text, window or (0, len(text)), obeyed))
    elif lexer := TABLE.get(language, TABLE["Text"])[1]:
        words = list(syntax.lexer_words(text, lexer, layout, obeyed, MISREAD.get(language)))
    else:
        words = list(syntax.plain_lines(text, all_blank=layout == "verbatim"))
    if layout in ("indent", "newline", "asi") or language in _PREPROCESSED:
        words = list(syntax.lay_out(text, words, layout))
    return Lexed(list(lexical.held_to_rules(text, words, language, grammar)), grammar, clean)


def _unmarked(text: str) -> str:
    """The text with an empty line instead of a byte order mark at its start; anywhere else the mark is an error."""
    return "\n" + text[1:] if text.startswith("\ufeff") else text


def _grammars(text: str, language: str) -> list[tuple[str, str]]:
    piece_of_php = language == "PHP" and "<?" not in text
    return [("tree_sitter_php", "language_php_only")] if piece_of_php else _GRAMMARS[language]


def _layout(language: str) -> str:
    return TABLE.get(language, TABLE["Text"])[2]
