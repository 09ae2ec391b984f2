"""From a text to the significant tokens by which a verdict compares it.

Tokens are the leaves of a tree-sitter tree, with string literals kept whole; pygments lexes what no grammar here can
read, and plain text is taken line by line. Every character of a text is in a token, in a comment, or white space:
nothing that a parser could not read is ever lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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


# Grammars that are trusted only where they find no error: they know what white space means in their language. A file
# that they cannot read (another dialect, a template of it) is taken as if there were none.
_WHERE_CLEAN: dict[str, tuple[str, str]] = {
    "YAML": ("tree_sitter_yaml", "language"),
    "TOML": ("tree_sitter_toml", "language"),
    "JSON": ("tree_sitter_json", "language"),
    "CSS": ("tree_sitter_css", "language"),
    "HTML": ("tree_sitter_html", "language"),
    "XML": ("tree_sitter_xml", "language_xml"),
    "Lua": ("tree_sitter_lua", "language"),
    "Objective-C": ("tree_sitter_objc", "language"),
    "Shell": ("tree_sitter_bash", "language"),
    "Scala": ("tree_sitter_scala", "language"),
    "Swift": ("tree_sitter_swift", "language"),
    "SQL": ("tree_sitter_sql", "language"),
    "Haskell": ("tree_sitter_haskell", "language"),
    "Elixir": ("tree_sitter_elixir", "language"),
    "Julia": ("tree_sitter_julia", "language"),
    "PowerShell": ("tree_sitter_powershell", "language"),
    "Perl": ("tree_sitter_perl", "language"),
}
_FREE = ("YAML", "TOML", "JSON", "XML", "Lua", "Objective-C")  # white space only parts their words


def _blanks(behind: str, before: str, signs: str = "$^") -> syntax.Blanks:
    return syntax.Blanks(frozenset(behind.split()), frozenset(before.split()), re.compile(signs))


# Where blanks do not count in a language that has them between words of another meaning.
_BLANKS = {
    "HTML": _blanks("=", "> /> ="),  # behind `<`, a blank makes it text
    "Shell": _blanks("; ;; && || | & then do else", "; ;; && || | &")._replace(
        between=re.compile(r"[$<>]\(\0[^(].*|(?:>>?|<|<<<|>\||&>>?|[<>]&|\()\0.*|[^\0]*\0\)"),  # `$((` is another sign
        within=re.compile(
            r"[^\0]*\0[^\0]*\0\)\0[^\0]*\0(?!case_item|function_definition).*|"
            r"[^\0]*\0\(\0[^\0]*\0(?!case_item|function_definition).*|"
            r"[^\0]*\0[^\0]*\0\(\0[^\0]*\0function_definition|"
            r"[^\0]*\0\)\0(?:\{\0function_definition|[^\0]*\0case_item)\0.*"
        ),
        ends=re.compile(r"[^\0]*\0(?:\{|if|while|until|elif|!|[$<>]\()\0.*"),
    ),
    "CSS": _blanks("( [ { } , ; : > ~ =", ") ] { } , ; > ~ ="),
    "CMake": _blanks("(", ")"),
    "Clojure": _blanks("( [ {", ") ] }")._replace(
        between=re.compile(r"[A-Za-z][\w*+!?<>=$&|%./-]*\0[(\[{]|[)\]}]\0.*")
    ),
    "SCSS": _blanks("( [ { } , ; > ~", ") ] { } , ; > ~"),
    "PowerShell": _blanks("( [ { } , ; | @{ @( $(", ") ] } , ; |", "[=+*|]=?")._replace(
        between=re.compile(r"(?i:if|elseif|while|until|switch|foreach|for|param|catch)\0\("),
        within=re.compile(
            r"[^\0]*\0[^\0]*\0\(\0[^\0]*\0function_parameter_declaration|"
            r"[^\0]*\0\]\0\$[^\0]*\0type_literal\0script_parameter|"
            r"[^\0]*\0\)\0\{\0(?:(?:if|while|foreach|for)_statement|(?:elseif|catch)_clause|switch_condition|"
            r"function_parameter_declaration)\0.*"
        ),
        ends=re.compile(r"[^\0]*\0-\w+\0[^\0]*\0(?:logical|comparison|bitwise)_expression\0.*"),
    ),
    "Perl": _blanks("( [ { } , ;", ") ] } , ;", r"[=.+-]|[-+.*|&]=|[=!]=|=[>~]|&&|\|\||[<>]=?|[?:]"),
}
_ALIKE = syntax.Blanks()
_WORD_BRACKET, _BRACKET_WORD = r"[\w$]+\0[(\[{]", r"[)\]}]\0[\w({\[].*"  # where no blank parts two words
_GROOVY_KEYWORD = "if|for|while|switch|catch|synchronized|return|case|in|assert"
_SCALA_START = (
    "def|class|object|trait|val|var|lazy|private|protected|final|sealed|abstract|override|implicit|case|type|given|@"
)
_BLANKS |= {
    "Elixir": _ALIKE._replace(
        behind=_ALIKE.behind | {"and", "or", "in", "when", "<<"},
        before=_ALIKE.before | {">>"},
        signs=re.compile(rf"{_ALIKE.signs.pattern}|\.\."),
        ends=re.compile(r"[^\0]*\0(?:(?:->|do|fn|else)\0.*|[^\0]*\0(?:end|else|rescue|catch|after)\0.*)"),
    ),
    "Swift": _ALIKE._replace(
        behind=_ALIKE.behind | {":", "in"},
        before=_ALIKE.before | {":"},
        between=re.compile(r"[\w)\]]+\0\{|[\w)\]}]+\0\."),
        ends=re.compile(r"[^\0]*\0[^\0]*\0(?:else|catch)\0.*"),
        leads=True,
    ),
    "Scala": _ALIKE._replace(
        before=_ALIKE.before | {"."},
        between=re.compile(rf":\0.*|{_WORD_BRACKET}|{_BRACKET_WORD}|!\0[\w(].*"),
        ends=re.compile(
            r"[^\0]*\0[^\0]*\0(?:else|catch|finally|extends|with|yield|match)\0.*|"
            rf"@\0\w+\0(?:{_SCALA_START})\0annotation\0.*"
        ),
    ),
    "Haskell": _ALIKE._replace(behind=_ALIKE.behind | {"\\"}, between=re.compile(r"(?:\w[\w.']*|[)\]])\0[(\[]")),
    "R": _ALIKE._replace(
        between=re.compile(r"[\w.)\]]+\0[(\[{]"), signs=re.compile(rf"{_ALIKE.signs.pattern}|%[^%\s]*%")
    ),
    "Perl": _BLANKS["Perl"]._replace(
        between=re.compile(
            r"(?:if|elsif|unless|while|until|for|foreach|my|our|local|return)\0\(|\)\0\{|[^\0]*\0->|->\0.*"
        )
    ),
    "CMake": _BLANKS["CMake"]._replace(between=re.compile(r"(?i:(?:else|end)?(?:if|while|foreach))\0\(")),
    "SQL": _ALIKE._replace(
        between=re.compile(
            r"(?i:in|values|and|or|not|on|using|where|as|exists|from|join|select|when|then|by|over|union|all|key)\0\(|"
            r"\)\0[A-Za-z_].*"
        ),
        # a call is none in MySQL with a blank before its bracket
        within=re.compile(r"[^\0]*\0[^\0]*\0\(\0[^\0]*\0(?:list|column_definitions?|constraint|index_fields|varchar)"),
    ),
    # before a brace on the same line, between a keyword and its bracket, around a colon, before a dot
    "Groovy": _ALIKE._replace(
        between=re.compile(
            rf"(?:{_GROOVY_KEYWORD})\0\(|[\w)\]>]+\0\{{|:\0.*|[^\0]*\0\??\.|\)\0[A-Za-z_].*|!\0(?!in\b|instanceof\b)[\w(].*"
        ),
        signs=re.compile(rf"{_ALIKE.signs.pattern}|\.\.<?"),
    ),
    "Dart": _ALIKE._replace(
        between=re.compile(rf"{_WORD_BRACKET}|{_BRACKET_WORD}|[\w>?]+\0\{{|:\0.*|[^\0]*\0(?:\??\.|:).*")
    ),
}
# Signs that a lexer cuts up.
_SIGNS = {
    "Groovy": re.compile(
        r"->?|&&?|\|\|?|===?|==?~|!==?|[!=]|<<?|>>?>?|<=>?|>=|\?[:.=]?|\*[*.]?|\.(?:[&@]|\.<?)?|::?|\+\+?|--|[-+*/%&|^]=|"
        r"(?:<<|>>>?|\*\*)=|[/%^]"
    ),
    "Dart": re.compile(
        r"=>?|===?|&&?|\|\|?|!=?=?|<<?|<=|>=|\.\.?\.?|\?\?=?|\?(?:\.\.?)?|~/?=?|\+\+?|--?|[-+*/%&|^]=|[*/%^]|<<="
    ),
    "CSS": re.compile("::?"),
    "SCSS": re.compile("::?"),
}
_LABELLED = ("Groovy", "Dart")  # to their lexers, `a:` is one word
# Where a line end that could be one is none: behind an annotation, before what cannot start a statement.
_FREE_ENDS = {
    "Groovy": re.compile(
        r"(?!\.\0)[^\0]*\0@\w[\w.]*\0.*|[^\0]*\0[^\0]*\0(?:else|catch|finally|extends|implements|throws)"
    )
}
# Line ends that the language takes away, and comments, which hide them.
_JOINTS = {
    "Shell": re.compile(r"(#[^\n]*)|\\\r?\n"),
    "PowerShell": re.compile(r"(#[^\n]*)|(?<=[ \t])`\r?\n"),
}
# What stands between these is taken as it stands, where a word starts there.
_FRONT_MATTER = re.compile(r"\A---\n()"), "---\n"
_HEADER_NAME = re.compile(r"\b__has_(?:include(?:_next)?|embed)\s*\(\s*<()"), ">"
_VERBATIM = {
    "SQL": [
        (re.compile(r"\$(\w*)\$"), "${0}$"),
        (re.compile(r"(?<![\w\])])\[(?=[^\]\n,]*[^\W\d][^\]\n,]*\])()"), "]"),  # a name
        (re.compile(r"(?m)^(?:\\[a-z!?]|[ \t]*(?:delimiter|prompt|spool)\b)()"), "\n"),  # a client's command
    ],
    "XML": [(re.compile(r"<!\[cdata\[()"), "]]>")],
    "HTML": [(re.compile(r"<(pre|textarea|xmp|listing)\b"), "</{0}"), _FRONT_MATTER],
    "CSS": [_FRONT_MATTER],
    "SCSS": [_FRONT_MATTER],
    "CMake": [(re.compile(r"\[(=*)\["), "]{0}]")],
    **dict.fromkeys(("C", "C++", "Objective-C"), [_HEADER_NAME]),
}


_PREPROCESSED = ("C", "C++", "C#", "Objective-C")


LAYOUT = syntax.LAYOUT


_ESCAPED_BLANK = r"\\[ \t]+$"  # looks like a continued line, and is none

# Where white space counts in what is taken line by line.
_LINES = {
    name: syntax.Lines(
        **{key: value if key in ("closes", "blank", "inner") else re.compile(value) for key, value in rules.items()}
    )
    for name, rules in {
        "Markdown": {
            "opens": r"^[ \t>]*(?:(?:[-*+]|\d+[.)])[ \t]+)*(`{3,}(?=[^`]*$)|~{3,})",
            "closes": r"^[ \t>]*{0}[`~]*\s*$",
            "keeps": r"^(?: {4}|\t)",  # may well be code
            "breaks": r"^(?!\s*#).*\S {2,}\r?$",
            "blank": "indented",
        },
        # docutils drops the blanks at the end of each line
        "reStructuredText": {"blank": "indented"},
        # the value of a variable goes up to the end of its line
        "Makefile": {
            "opens": r"^ *(?:override +|export +)*(define)\b",
            "closes": r"^\s*endef\b",
            "keeps": rf"{_ESCAPED_BLANK}|^(?!\t)[^:=#]*(?:[:+?!]|::+)?=",
            "comment": r"^ *#(?!.*\\\r?$)",  # one that ends with a backslash takes in the next line
            "blank": "none",
        },
        "Dockerfile": {
            "opens": r"<<-?[\"']?([A-Za-z_]\w*)",
            "closes": r"^\t*{0}\s*$",
            "keeps": _ESCAPED_BLANK,
            "inner": True,
            "comment": r"^\s*#",
            "blank": "none",
        },
        "HTML": {
            "opens": r"^.{0,500}?<(pre|textarea|xmp|listing)\b(?!.{0,500}</\1)",
            "closes": r"</{0}",
            "keeps": r"`|<(?:pre|textarea|xmp|listing)\b",
            "blank": "all",
        },
        "XML": {"keeps": r"\s\r?$", "blank": "all"},  # where a file says that white space counts
        # an empty field at the end of a line of a table, and what programs of an unknown language may see
        "Text": {"keeps": rf"^[ \t]*\S.*\t|\t\r?$|{_ESCAPED_BLANK}|`[ \t]+$"},
    }.items()
}
_LINES["Vue"] = _LINES["HTML"]._replace(comment=re.compile(r"^[\s\0]*\0[\s\0]*$"))  # as `syntax.masked` leaves them


class Lexed(NamedTuple):
    """The tokens of a text as (text, start, kind, role)."""

    words: list[syntax.Word]
    grammar: tuple[str, str] | None
    clean: bool | None  # parsed without an error; None: no grammar
    reach: tuple[int, tuple[str, ...]] | None = (
        None  # the end of the part that was lexed: what is behind, and the state
    )

    def rows(self, strict: bool) -> list[syntax.Word]:
        """The tokens that two texts are compared by; with `strict` (both parsed cleanly) their roles count too.

        A clean tree knows where line ends count, but for those with a role. Without one, those that could count are
        compared as tokens.
        """
        if strict:
            return [word for word in self.words if word[2] != "newline" or word[3]]
        return [(text, start, kind, 0) for text, start, kind, _ in self.words]

    def suites(self) -> list[syntax.Word]:
        """The rows of a clean tree; in Python, a statement alone below its `if a:` is as if it stood behind it."""
        return _on_one_line(self.rows(strict=True), self.grammar) if self.grammar else self.rows(strict=True)


_SUITES = re.compile(
    "(?:if|for|while|try|with)_statement|(?:elif|else|except|finally|case)_clause|(?:function|class)_definition"
)


def _on_one_line(words: list[syntax.Word], grammar: tuple[str, str]) -> list[syntax.Word]:
    """The words with each simple statement that stands alone below its `if a:` as if it stood behind it."""

    def opens(word: syntax.Word) -> bool:
        parent = syntax.kind_name(grammar, word[3] >> 32) if word[0] == ":" and isinstance(word[3], int) else ""
        return bool(_SUITES.fullmatch(parent))

    kept: list[syntax.Word] = []
    done = 0
    for number, word in enumerate(words):
        if word[:3:2] != ("", "indent") or number < done + 2 or not opens(words[number - 2]):
            continue
        last = number + 1
        while last < len(words) and words[last][2] not in LAYOUT and not opens(words[last]):
            last += 1
        kinds = [each[2] for each in words[last : last + 2]]
        if kinds in ([], ["newline", "dedent"]):
            kept += [*words[done : number - 1], *words[number + 1 : last + 1]]
            done = last + 2
    return kept + words[done:]


def parses(text: str, language: str, like: syntax.Like | None = None) -> bool | None:
    """True if the text, a whole file, parses without an error; None if there is no grammar for the language."""
    if language not in _GRAMMARS:
        return None
    parsed = syntax.parse(_unmarked(text), _grammars(text, language), like=_unmarked_like(like))
    return parsed is not None and parsed.clean


def reads(text: str, language: str) -> bool:
    """True if a grammar that is trusted only where it finds no error finds none, from the start of the text."""
    return _clean(_unmarked(text), language, None) is not None


def optional(language: str) -> bool:
    """True if the grammar of the language is trusted only where it finds no error."""
    return language in _WHERE_CLEAN


def indents(language: str) -> bool:
    """True if the indentation of a line tells which block it belongs to."""
    return _layout(language) == "indent"


def counts_brackets(language: str) -> bool:
    """True if a line end counts outside brackets only."""
    return _layout(language) in ("indent", "newline", "asi")


def comparable(left: Lexed, right: Lexed) -> bool:
    """True if both were parsed cleanly by the same grammar, so that syntax trees can be compared too."""
    return bool(left.clean and right.clean and left.grammar == right.grammar)


def state(text: str, language: str, before: int) -> syntax.Cut | None:
    """Where to begin to lex, to see what stands at `before`; None for a language that needs no lexer."""
    lexer = TABLE.get(language, TABLE["Text"])[1]
    if language == "SCSS":
        text, _ = _without_comments(text, lambda start, end: ())
    return syntax.lexer_state(text, lexer, before) if lexer and language not in _GRAMMARS else None


def reached(text: str, language: str, like: syntax.Like) -> tuple[int, int] | None:
    """The part of a text outside which its tree is that of the one it is like, with the lines around; None where all
    may differ.
    """
    if any(_is_read_otherwise(each, language) for each in (text, like.text)):
        return None
    text, like = _unmarked(text), like._replace(text=_unmarked(like.text))
    if language in _GRAMMARS:
        parsed = syntax.parse(text, _grammars(text, language), like=like)
    else:
        parsed = _clean(text, language, like)
    if parsed is None or (changed := parsed.changed()) is None:
        return None
    start, end = min(changed[0], like.start), max(changed[1], len(text) - len(like.text) + like.end)
    edges = _ITEM if language == "Haskell" else _LINE  # a block is told by its first column
    start = max((match.end() for match in edges.finditer(text, 0, max(0, start - _AROUND))), default=0)
    behind = edges.search(text, end + _AROUND)
    return start, behind.end() if behind else len(text)


_AROUND = 200  # characters on either side, so that the words at the edges do not differ
_LINE = re.compile(r"\n")
_ITEM = re.compile(r"\n(?=\S)")


def _is_read_otherwise(text: str, language: str) -> bool:
    """True if a compiler reads another text than the one that is written."""
    if lexical.decoded(text, language) is not None or lexical.spliced(text, language) != text:
        return True
    return lexical.hides_line_ends(text, language)


def lex(
    text: str,
    language: str,
    window: tuple[int, int] | None = None,
    *,
    plain: bool = False,
    spelled: bool = False,
    cut: Callable[[], syntax.Cut | None] | None = None,
    like: syntax.Like | None = None,
) -> Lexed:
    """The significant tokens: comments and white space gone, strings whole, preprocessor and Python indentation kept.

    In languages without a grammar, white space that may count is kept as tokens of the kind "blank". `plain` does
    without a grammar that is trusted only where it finds no error.

    >>> [word for word, *_ in lex('f( "//" ); // say "hi"', "Java").words]
    ['f', '(', '"//"', ')', ';']

    With a window (start, end) and a grammar, whatever lies outside is summed up: one word of the kind "tree" for each
    subtree; with `spelled`, only where brackets are paired in it. Without a grammar, a `cut` says where to begin, and
    the lexer stops some lines behind the window. A text that it is `like` makes it faster to parse.
    """
    text = _unmarked(text)
    if (decoded := lexical.decoded(text, language)) is None:
        known = _Known(cut if window else None, _unmarked_like(like), spelled)
        return _lex(text, language, window, plain, known)
    lexed = _lex(decoded.text, language, decoded.window(window), plain)
    return lexed._replace(words=decoded.placed(lexed.words, window))


class _Known(NamedTuple):
    """What is known of a text before it is lexed: see `lex`."""

    cut: Callable[[], syntax.Cut | None] | None = None
    like: syntax.Like | None = None
    spelled: bool = False


_NOTHING = _Known()


def _lex(text: str, language: str, window: tuple[int, int] | None, plain: bool, known: _Known = _NOTHING) -> Lexed:
    """The tokens of a text with the line ends that its language knows and its parser may not."""
    shown = lexical.spliced(text, language)
    if lexical.hides_line_ends(shown, language):
        shown = lexical.with_line_ends(shown, _lex_shown(shown, language, None, plain).words, language)
    lexed = _lex_shown(shown, language, window, plain, known if shown == text else _NOTHING)
    if shown == text:
        return lexed
    as_written = (  # in a string, every sign counts
        (text[start : start + len(word)], start, kind, role)
        if kind == "string" and shown.startswith(word, start)
        else (word, start, kind, role)
        for word, start, kind, role in lexed.words
    )
    return lexed._replace(words=list(as_written))


def _lex_shown(
    text: str, language: str, window: tuple[int, int] | None, plain: bool, known: _Known = _NOTHING
) -> Lexed:
    grammar = clean = None
    layout = _layout(language)
    obeyed = Obeyed(text, language).parts
    reach = None
    window = window or (0, len(text))
    if language in _GRAMMARS:
        parsed = syntax.parse(text, _grammars(text, language), like=known.like)
        if parsed is None:  # no program is like this
            return Lexed(list(syntax.plain_lines(text)), None, False)
        grammar, clean = parsed.grammar, parsed.clean
        words = list(syntax.leaves(parsed, text, window, obeyed, spelled=known.spelled))
        if "__has_" in text:
            words = _with_spans(words, text, language)
    elif not plain and (parsed := _clean(text, language, known.like)):
        grammar, clean = parsed.grammar, True
        words = _read(parsed, text, language, window, obeyed, known.spelled)
    elif known.like and optional(language) and _clean(known.like.text, language, known.like):
        return _lex_piece(text, language, window)
    else:
        words, reach = _lex_without(text, language, obeyed, known, window)
    laid_out = grammar is not None and optional(language)
    if not laid_out and (layout in ("indent", "newline", "asi") or language in _PREPROCESSED):
        words = list(syntax.lay_out(text, words, layout))
    if language in _FREE_ENDS:
        words = list(_without_ends(words, _FREE_ENDS[language]))
    return Lexed(list(lexical.held_to_rules(text, words, language, grammar)), grammar, clean, reach)


def _lex_piece(text: str, language: str, window: tuple[int, int]) -> Lexed:
    """The words of a piece, in a text that no grammar reads though it reads the one that it is like: it is wrong, and
    where both differ can be seen without what is around.
    """
    start, end = window
    piece = text[start:end]
    words, _ = _lex_without(piece, language, Obeyed(piece, language).parts, _NOTHING, (0, len(piece)))
    return Lexed([(word, start + at, kind, role) for word, at, kind, role in words], None, None, (len(text) - end, ()))


def _lex_without(
    text: str, language: str, obeyed: syntax.Parts, known: _Known, window: tuple[int, int]
) -> tuple[list[syntax.Word], tuple[int, tuple[str, ...]] | None]:
    """The words without a grammar, what a lexer finds, or lines; and how far they reach, if not to the end."""
    reach = part = None
    lexer = "" if _preserves(text, language) else TABLE.get(language, TABLE["Text"])[1]
    if language == "INI":
        words = list(syntax.ini_words(text, obeyed))
    elif language == "Properties":
        words = list(syntax.property_words(text, obeyed))
    elif lexer:
        begin = known.cut() if known.cut else None
        shown, directives = _without_comments(text, obeyed) if language == "SCSS" else (text, [])
        if begin:
            part, cut = syntax.lexed_part(shown, lexer, begin, window[1])
            reach = len(text) - cut.start, cut.stack
        words = list(syntax.lexer_words(shown, lexer, _layout(language), obeyed, MISREAD.get(language), part))
        if directives:
            low, high = begin.start if begin else 0, len(text) - reach[0] if reach else len(text)
            words = sorted(words + [word for word in directives if low <= word[1] < high], key=lambda word: word[1])
    else:
        spans = _comments_of_parts(text, window, obeyed, known.like) if language == "Vue" else []
        shown = syntax.masked(text, spans) if spans else text
        words = list(syntax.written_lines(shown, _LINES.get(language, _LINES["Text"]), obeyed))
    if language in ("INI", "Properties") or not lexer:
        reach = 0, ()  # all words are there
    if language == "Clojure":
        words = list(syntax.spaced(words, ","))
    elif language == "CMake":
        words = list(_arguments(words))
    elif language in _LABELLED:
        words = list(syntax.cut(words, ":"))
    elif language == "Shell":
        words = _with_ends(words, text)
    if language in _SIGNS:
        words = list(syntax.joined(words, _SIGNS[language]))
    if language == "SCSS":
        words = list(_declared(words))
    if lexer and _layout(language) in ("", "newline"):
        words = list(syntax.relax(words, _BLANKS.get(language, syntax.Blanks())))
    return _with_spans(words, text, language), reach


def _without_ends(words: list[syntax.Word], free: re.Pattern[str]) -> Iterator[syntax.Word]:
    """The words without the line ends that stand between these: the word before the last, the last, and the next."""
    earlier = previous = ""
    for number, word in enumerate(words):
        ends = word[2] in ("newline", "break") and number + 1 < len(words)
        if ends and free.fullmatch(f"{earlier}\0{previous}\0{words[number + 1][0]}"):
            continue
        yield word
        if word[2] not in LAYOUT:
            earlier, previous = previous, word[0]


def _arguments(words: list[syntax.Word]) -> Iterator[syntax.Word]:
    """The words of CMake: any blanks part two arguments, which are strings to its lexer, and none counts before the
    bracket of a command.
    """
    depth, previous = 0, ""
    for number, word in enumerate(words):
        text, start, kind, role = word
        if kind == "blank":
            if not depth and words[number + 1][0] == "(":
                continue
            if not previous.endswith("\\"):  # else, the first is part of the argument
                text = " "
        elif not kind:
            depth += (text == "(") - (text == ")")
        yield text, start, kind, role
        previous = text


def _declared(words: list[syntax.Word]) -> Iterator[syntax.Word]:
    """The words of a style sheet without the blanks around the colons of declarations, unlike those of selectors. The
    end of an interpolation is made a string, as blanks count behind it.
    """
    kept: list[syntax.Word] = []
    depth, inner, first, colons = 0, 0, 0, list[int]()
    for word in words:
        text, start, kind, _ = word
        number = len(kept)
        if kind:
            pass
        elif text == "{" and kept and kept[-1][0] == "#" and kept[-1][1] + 1 == start:
            inner += 1
        elif text == "}" and inner:
            inner -= 1
            word = (text, start, "string", 0)
        elif text in "()":
            depth = max(depth + (1 if text == "(" else -1), 0)
        elif text == ":" and not inner:
            at_rule = depth > 0 and any(each[0].startswith("@") for each in kept[first : first + 2])
            colons.append(-number if at_rule else number)
        elif text in "{};" and not inner and not depth:
            for colon in colons:
                if text != "{" or colon < 0:
                    for beside in (abs(colon) - 1, abs(colon) + 1):
                        if 0 <= beside < number and kept[beside][2] == "blank":
                            kept[beside] = ("", *kept[beside][1:])
            first, colons = number + 1, []
        kept.append(word)
    return (word for word in kept if word[0] or word[2] != "blank")


def _without_comments(text: str, obeyed: syntax.Parts) -> tuple[str, list[syntax.Word]]:
    """The text of a style sheet, as long as before, with blanks for its comments where they part nothing, as its lexer
    takes those in a declaration for code; and what is obeyed in them.
    """
    spans = [match.span(1) for match in _SCSS_COMMENT.finditer(text) if match[1]]
    words = [(part, at, "directive", 0) for start, end in spans for part, at in obeyed(start, end)]
    pieces, done = [], 0
    for start, end in spans:
        pieces += text[done:start], _ON_A_LINE.sub(" ", text[start:end])
        done = end
    return "".join(pieces) + text[done:], words


_SCSS_COMMENT = re.compile(
    r"\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|\burl\([^)\"'\n]*\)|"
    r"((?<![^\s;{}])/\*(?s:.*?)\*/|/\*(?s:.*?)\*/(?=[\s;{}]|\Z)|//[^\n]*)|/\*(?s:.*?)\*/"
)
_ON_A_LINE = re.compile(r"[^\n]")


_PART = re.compile(r"^<(template|script|style)\b([^>]*)>(.*?)^</\1", re.MULTILINE | re.DOTALL)
_TAG_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_STYLE_COMMENT = re.compile(r"(?s)\"[^\"\n]*\"|'[^'\n]*'|(/\*.*?\*/)")


def _comments_of_parts(
    text: str, window: tuple[int, int], obeyed: syntax.Parts, like: syntax.Like | None
) -> list[tuple[int, int]]:
    """Where comments lie in the template, the script and the style of a page, in a window, that no program obeys."""
    found = []
    for part in _PART.finditer(text):
        name, attributes, inner = part.groups()
        if name == "script":
            typed = re.search(r"\blang=[\"']?(tsx?)", attributes)
            grammar = _GRAMMARS[{"ts": "TypeScript", "tsx": "TSX"}[typed[1]] if typed else "JavaScript"][0]
            low, high = (min(max(at - part.start(3), 0), len(inner)) for at in window)
            part_like = like and _like_part(like, part.start(3), part.end(3) + len(like.text) - len(text))
            spans = syntax.comments(inner, grammar, (low, high), part_like) if low < high else []
        elif name == "style":
            spans = [match.span(1) for match in _STYLE_COMMENT.finditer(inner) if match[1]]
        elif re.search(r"<(?:pre|textarea|xmp|listing)\b|\blang=", inner + attributes):  # as it stands; not of tags
            continue
        else:
            spans = [match.span() for match in _TAG_COMMENT.finditer(inner)]
        found += [(part.start(3) + start, part.start(3) + end) for start, end in spans]
    shown = [(start, end) for start, end in found if end > window[0] and start < window[1]]
    return [span for span in shown if not list(obeyed(*span))]


def _like_part(like: syntax.Like, start: int, end: int) -> syntax.Like | None:
    """The part between two offsets of a text that another one is like, if they differ within it only."""
    within = start <= like.start and like.end <= end
    return syntax.Like(like.text[start:end], like.start - start, like.end - start) if within else None


def _clean(text: str, language: str, like: syntax.Like | None) -> syntax.Parsed | None:
    """The tree by a grammar that is trusted only where it finds no error, or None."""
    if language not in _WHERE_CLEAN or _preserves(text, language) or _DEEP.search(text):
        return None
    parsed = syntax.parse(text, [_WHERE_CLEAN[language]], clean=True, like=like)
    return parsed if parsed and parsed.clean else None


_DEEP = re.compile(r"(?m)^(?:[ \t]|[-?:](?=[ \t])){200}")  # the scanner of YAML crashes on some hundred levels


def _preserves(text: str, language: str) -> bool:
    """True of XML whose white space counts, and of what has some before its declaration, which no parser takes."""
    return language == "XML" and ("xml:space" in text or (text[:1].isspace() and text.lstrip().startswith("<?xml")))


def _read(
    parsed: syntax.Parsed, text: str, language: str, window: tuple[int, int], obeyed: syntax.Parts, spelled: bool
) -> list[syntax.Word]:
    """The words of such a tree, with the blanks that count between them."""
    words = list(syntax.leaves(parsed, text, window, obeyed, whole=True, spelled=spelled))
    if language not in _FREE:
        at_an_item = not window[0] or (text[window[0] - 1] == "\n" and not text[window[0] :][:1].isspace())
        free = language == "Haskell" and at_an_item  # all its line ends that count are those before an item
        layout = "" if free else _layout(language)
        words = list(syntax.with_gaps(text, words, layout, _JOINTS.get(language)))

        def place(word: syntax.Word) -> str:
            return syntax.kind_name(parsed.grammar, word[3] >> 32) if isinstance(word[3], int) else ""

        if language == "Shell":
            words = list(_in_arithmetic(_with_ends(words, text), place))
        words = list(syntax.relax(words, _BLANKS.get(language, syntax.Blanks()), place))
        if language == "HTML":
            words = [word if _is_script(word, parsed) else (_shown(word[0]), *word[1:]) for word in words]
        elif language == "Haskell":
            words = list(syntax.off_side(text, words, _OPENS_BLOCK))
    elif language == "YAML":
        words = list(syntax.folded(words, text))
    elif language == "Objective-C":
        words = [
            (word, start, "blank" if kind == "newline" else kind, role)
            for word, start, kind, role in syntax.lay_out(text, words, "")
        ]
    return _with_spans(words, text, language)


def _with_ends(words: list[syntax.Word], text: str) -> list[syntax.Word]:
    """The words of a script with its here-documents up to the end of a line, where nothing may stand."""
    kept = []
    for word in words:
        shown, start, kind, role = word
        if kind == "string" and _HERE.match(shown):
            end = text.find("\n", start + len(shown))
            shown = text[start : end if end > 0 else len(text)]
        kept.append((shown, start, kind, role))
    return kept


_HERE = re.compile(r"<<[^<]")
_OPENS_BLOCK = frozenset(("where", "let", "do", "of", "mdo", "rec", "\\case", "\\cases"))
_ARITHMETIC = re.compile(r"[-+*/%<>=!&|^~?:,;()]+|\$\(\(")


def _in_arithmetic(words: list[syntax.Word], place: Callable[[syntax.Word], str]) -> Iterator[syntax.Word]:
    """The words of a script without the blanks around the signs of arithmetic, and those of an array on one line."""
    inside: list[str] = []
    previous = ""
    for number, word in enumerate(words):
        text, start, kind, role = word
        within = inside[-1] if inside else ""
        if kind == "blank":
            around = (words[number - 1], words[number + 1]) if 0 < number < len(words) - 1 else ()
            if within == "((" and any(not each[2] and _ARITHMETIC.fullmatch(each[0]) for each in around):
                continue
            if within == "=(" and text == "\n":
                text = " "
        elif not kind:
            if text in ("((", "$(("):
                inside.append("((")
            elif text in ("$(", "<(", ">("):
                inside.append(text)
            elif text == "`":
                inside[-1:] = [] if within == text else [within, text]
            elif text == "(":
                inside.append("=(" if previous in ("=", "+=") else within if within == "((" else text)
            elif text in (")", "))") and place(word) != "case_item":
                inside[-1:] = []
        yield text, start, kind, role
        previous = text


def _is_script(word: syntax.Word, parsed: syntax.Parsed) -> bool:
    role = word[3]
    return isinstance(role, int) and syntax.kind_name(parsed.grammar, role >> 32) in ("script_element", "style_element")


def _shown(word: str) -> str:
    """The text of a page, on one line; what may be a template stays as it is."""
    return word if word[:1] in "\"'" or "{" in word or "<" in word else re.sub(r"(?<![ \t\r])[ \t\r]*\n\s*", " ", word)


def _with_spans(words: list[syntax.Word], text: str, language: str) -> list[syntax.Word]:
    if language not in _VERBATIM:
        return words
    spans = sorted(span for rule in _VERBATIM[language] for span in syntax.spans(text, *rule))
    if language == "SQL" and not _OTHER_BODY.search(text):
        spans = [span for span in spans if not _BODY.search(text, max(0, span[0] - 100), span[0])]
    return list(syntax.whole(words, spans, text)) if spans else words


# The body of a function is code, unless it is not in SQL.
_BODY = re.compile(r"(?i)\b(?:as|do)\s*\Z")
_OTHER_BODY = re.compile(r"(?i)\blanguage\s+['\"]?(?!sql\b|plpgsql\b|plsql\b)\w")


# A thousand times the same word, as no program has it: some lexers take hours for it, some scanners crash.
_REPEATED = re.compile(r"(?s)(?=(.)(?!\1))(?=(.{2,12}?)\2{998})")


def lex_lines(text: str, language: str, code: str, start: int) -> Lexed | None:
    """The lines of the code that stands at `start` in a text, if neither lexer nor grammar may see it."""
    if language in _GRAMMARS or not _REPEATED.search(code):
        return None
    words = [(word, start + at, kind, role) for word, at, kind, role in syntax.written_lines(code, _LINES["Text"])]
    return Lexed(words, None, None, (len(text) - start - len(code), ()))


def _unmarked(text: str) -> str:
    """The text with an empty line instead of a byte order mark at its start; anywhere else the mark is an error."""
    return "\n" + text[1:] if text.startswith("\ufeff") else text


def _unmarked_like(like: syntax.Like | None) -> syntax.Like | None:
    return like and like._replace(text=_unmarked(like.text))


def _grammars(text: str, language: str) -> list[tuple[str, str]]:
    piece_of_php = language == "PHP" and "<?" not in text
    return [("tree_sitter_php", "language_php_only")] if piece_of_php else _GRAMMARS[language]


def _layout(language: str) -> str:
    return TABLE.get(language, TABLE["Text"])[2]
