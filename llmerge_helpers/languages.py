"""Languages: from a file name to its language, and from a text to its significant tokens.

Tokens are the leaves of a tree-sitter tree, with string literals kept whole; pygments lexes what has no grammar here,
and plain text is compared line by line. Every character of a text is in a token, in a comment, or white space: nothing
that a parser could not read is ever lost.
"""

from __future__ import annotations

import importlib
import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

# name: (fence info, pygments lexer or "" for line by line, layout, suffixes and whole file names)
# layout "indent": indentation and line ends count; "newline": line ends count where a statement can end.
_TABLE: dict[str, tuple[str, str, str, str]] = {
    "Java": ("java", "java", "", ".java"),
    "Python": ("python", "python", "indent", ".py .pyi .pyw"),
    "JavaScript": ("javascript", "javascript", "newline", ".js .jsx .mjs .cjs"),
    "TypeScript": ("typescript", "typescript", "newline", ".ts .mts .cts"),
    "TSX": ("tsx", "tsx", "newline", ".tsx"),
    "Go": ("go", "go", "newline", ".go"),
    "Rust": ("rust", "rust", "", ".rs"),
    "C": ("c", "c", "", ".c .h"),
    "C++": ("cpp", "cpp", "", ".cpp .cc .cxx .hpp .hh .hxx .ipp"),
    "C#": ("csharp", "csharp", "", ".cs"),
    "Ruby": ("ruby", "ruby", "newline", ".rb .rake .gemspec Gemfile Rakefile"),
    "PHP": ("php", "php", "", ".php"),
    "Kotlin": ("kotlin", "kotlin", "newline", ".kt .kts"),
    "Scala": ("scala", "scala", "newline", ".scala .sc .sbt"),
    "Groovy": ("groovy", "groovy", "newline", ".groovy .gradle Jenkinsfile"),
    "Swift": ("swift", "swift", "newline", ".swift"),
    "Objective-C": ("objectivec", "objectivec", "", ".m .mm"),
    "Dart": ("dart", "dart", "", ".dart"),
    "Lua": ("lua", "lua", "newline", ".lua"),
    "Perl": ("perl", "perl", "", ".pl .pm"),
    "R": ("r", "splus", "newline", ".r .R"),
    "Julia": ("julia", "julia", "newline", ".jl"),
    "Haskell": ("haskell", "haskell", "indent", ".hs"),
    "Elixir": ("elixir", "elixir", "newline", ".ex .exs"),
    "Clojure": ("clojure", "clojure", "", ".clj .cljs .cljc"),
    "Shell": ("bash", "bash", "newline", ".sh .bash .zsh"),
    "PowerShell": ("powershell", "powershell", "newline", ".ps1"),
    "SQL": ("sql", "sql", "", ".sql"),
    "HTML": ("html", "html", "", ".html .htm .xhtml"),
    "Vue": ("vue", "html", "", ".vue"),
    "CSS": ("css", "css", "", ".css"),
    "SCSS": ("scss", "scss", "", ".scss"),
    "XML": ("xml", "xml", "", ".xml .xsd .svg .pom .csproj"),
    "JSON": ("json", "json", "", ".json"),
    "YAML": ("yaml", "yaml", "indent", ".yml .yaml"),
    "TOML": ("toml", "toml", "newline", ".toml"),
    "INI": ("ini", "ini", "newline", ".ini .cfg .properties"),
    "Protobuf": ("protobuf", "protobuf", "", ".proto"),
    "CMake": ("cmake", "cmake", "", ".cmake CMakeLists.txt"),
    "Makefile": ("makefile", "", "", ".mk Makefile GNUmakefile"),
    "Dockerfile": ("dockerfile", "", "", "Dockerfile"),
    "Markdown": ("markdown", "", "", ".md .markdown"),
    "reStructuredText": ("rst", "", "", ".rst"),
    "Text": ("text", "", "", ".txt"),
}
_BY_NAME = {suffix: name for name, row in _TABLE.items() for suffix in row[3].split()}
_BY_FENCE = {row[0]: name for name, row in _TABLE.items()} | {name.lower(): name for name in _TABLE}
_ALIASES = (
    "js=JavaScript jsx=JavaScript ts=TypeScript py=Python python3=Python golang=Go rs=Rust rb=Ruby kt=Kotlin cs=C# h=C "
    "cc=C++ hpp=C++ objc=Objective-C sh=Shell shell=Shell zsh=Shell ps1=PowerShell yml=YAML md=Markdown txt=Text"
)
_BY_FENCE |= dict(pair.split("=") for pair in _ALIASES.split())

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
_STRINGS = (
    "string string_literal multiline_string_literal raw_string_literal interpreted_string_literal template_string "
    "interpolated_string_expression verbatim_string_literal encapsed_string shell_command_expression subshell heredoc "
    "heredoc_body nowdoc bare_string string_array symbol_array delimited_symbol regex character character_literal "
    "char_literal rune_literal system_lib_string text"
)
_WHOLE = frozenset(_STRINGS.split())
LAYOUT = ("newline", "indent", "dedent")
_DESCEND, _KEEP, _DROP, _JSX, _PREPROC = range(5)
# Comments that a compiler obeys. Go reads //go:embed and build tags; they are code.
_DIRECTIVE = {"Go": re.compile(r"//(go:|export |line | ?\+build )|/\*line ")}


class Token(NamedTuple):
    """A significant token; `start` and `end` are character offsets, `line` counts from 1.

    `kind` is "string", "newline", "indent", "dedent", "line" (plain text) or "" for all else.
    """

    text: str
    line: int
    start: int
    end: int
    kind: str = ""


class Lexed(NamedTuple):
    """The tokens of a text, column by column."""

    texts: list[str]
    starts: list[int]
    kinds: list[str]
    roles: list[int] | None  # the syntax node that each token is part of; None without a clean parse
    grammar: str  # "" where there is none
    clean: bool | None  # parsed without an error; None: no grammar

    def rows(self, strict: bool) -> list[tuple]:
        """(start, text, kind) of each token, with its place in the syntax tree too if `strict`.

        The tree knows where a line end matters; without it, the line ends that could matter are tokens themselves.
        """
        if strict and self.roles is not None:
            columns = zip(self.starts, self.texts, self.kinds, self.roles, strict=True)
            return [row for row in columns if row[2] != "newline"]
        return list(zip(self.starts, self.texts, self.kinds, strict=True))


def language_of(path: str) -> str:
    """The language of a file by its name, "Text" if unknown.

    >>> language_of("src/main/App.java"), language_of("Dockerfile"), language_of("LICENSE")
    ('Java', 'Dockerfile', 'Text')
    """
    name = path.rsplit("/", 1)[-1]
    suffix = "." + name.rsplit(".", 1)[-1] if "." in name else name
    return _BY_NAME.get(name) or _BY_NAME.get(suffix) or _BY_NAME.get(suffix.lower(), "Text")


def fence_of(language: str) -> str:
    """The info string of a fenced code block in this language: "java", "csharp", "text" …"""
    return _TABLE.get(language, _TABLE["Text"])[0]


def language_of_fence(info: str) -> str:
    """The language that the info string of a code block names, "Text" if unknown.

    >>> language_of_fence("Java title=x"), language_of_fence("py"), language_of_fence("")
    ('Java', 'Python', 'Text')
    """
    words = info.lower().split()
    return _BY_FENCE.get(words[0].strip("{}.,"), "Text") if words else "Text"


def is_known(language: str) -> bool:
    """True if the language has a name in the table (then `tokens` knows its comments); "Text" has none."""
    return language in _TABLE and language != "Text"


def tokens(text: str, language: str) -> list[Token]:
    """The significant tokens: comments and white space gone, strings whole, preprocessor and Python indentation kept.

    >>> [token.text for token in tokens('f( "//" ); // say "hi"', "Java")]
    ['f', '(', '"//"', ')', ';']
    """
    lexed = lex(text, language)
    line_of = line_numbers(text)
    return [
        Token(word, line_of(start), start, start + len(word), kind)
        for word, start, kind in zip(lexed.texts, lexed.starts, lexed.kinds, strict=True)
        if not (kind == "newline" and lexed.clean and _TABLE[language][2] == "newline")
    ]


def parses(text: str, language: str) -> bool | None:
    """True if the text, a whole file, parses without an error; None if there is no grammar for the language."""
    return _parse(text, language)[1] if language in _GRAMMARS else None


def comparable(left: Lexed, right: Lexed) -> bool:
    """True if both were parsed cleanly by the same grammar, so that syntax trees can be compared too."""
    return bool(left.clean and right.clean and left.grammar == right.grammar)


def line_numbers(text: str) -> Any:
    """A function from a character offset to its line, from 1."""
    ends = [match.start() for match in re.finditer("\n", text)]
    return lambda offset: bisect_right(ends, offset - 1) + 1 if offset else 1


def lex(text: str, language: str) -> Lexed:
    """The tokens of a text, as columns; `tokens` gives them one by one."""
    if language in _GRAMMARS:
        tree, clean, grammar = _parse(text, language)
        found = list(_leaves(tree, text, language, grammar))
        roles = [role for *_, role in found] if clean else None
    else:
        clean, grammar, roles = None, "", None
        lexer = _TABLE.get(language, _TABLE["Text"])[1]
        found = [(*word, 0) for word in (_lexer_words(text, lexer) if lexer else _lines(text))]
    texts, starts, kinds = [row[0] for row in found], [row[1] for row in found], [row[2] for row in found]
    layout = _TABLE.get(language, _TABLE["Text"])[2]
    if layout or language in ("C", "C++", "C#", "Objective-C"):
        texts, starts, kinds, roles = _lay_out(text, texts, starts, kinds, roles, layout)
    return Lexed(texts, starts, kinds, roles, grammar, clean)


# ---- tree-sitter


class _SingleByte(dict):
    """Maps other letters to `_` and other signs to `?`, so that tree-sitter's byte offsets are character offsets."""

    def __missing__(self, code: int) -> int:
        char = chr(code)
        self[code] = code if code < 128 else ord("_" if char.isidentifier() or char.isalnum() else "?")
        return self[code]


_SINGLE_BYTE = _SingleByte({0xFEFF: ord(" ")})  # a byte order mark is no code


@lru_cache
def _grammar(module: str, function: str) -> tuple[Any, bytes]:
    """The parser, and what to do with each kind of node."""
    from tree_sitter import Language, Parser

    grammar = Language(getattr(importlib.import_module(module), function)())
    actions = bytearray(65536)
    for kind in range(grammar.node_kind_count):
        name = grammar.node_kind_for_id(kind)
        if grammar.node_kind_is_named(kind):
            actions[kind] = (
                _KEEP
                if name in _WHOLE
                else _DROP
                if name.endswith("comment")
                else _JSX
                if name == "jsx_text"
                else _PREPROC
                if name == "preproc_arg"
                else _DESCEND
            )
    return Parser(grammar), bytes(actions)


def _parse(text: str, language: str) -> tuple[Any, bool, str]:
    """The tree, whether it is free of errors, and the grammar's name."""
    source = (text if text.isascii() else text.translate(_SINGLE_BYTE)).encode()
    grammars = _GRAMMARS[language]
    if language == "PHP" and "<?" not in text:
        grammars = [("tree_sitter_php", "language_php_only")]  # a piece of a file
    first = None
    for module, function in grammars:
        tree = _grammar(module, function)[0].parse(source)
        clean = not tree.root_node.has_error
        if clean or first is None:
            first = tree, clean, f"{module}.{function}"
        if clean:
            break
    return first


def _leaves(tree: Any, text: str, language: str, grammar: str) -> Iterator[tuple[str, int, str, int]]:
    """(text, start, kind, role) of each token, in order."""
    actions = _grammar(*grammar.split("."))[1]
    directive = _DIRECTIVE.get(language)
    cursor = tree.walk()
    down, onwards, up = cursor.goto_first_child, cursor.goto_next_sibling, cursor.goto_parent
    parents = [0]
    done = 0  # all text before is accounted for
    while True:
        node = cursor.node
        action = actions[node.kind_id]
        if action == _DESCEND and down():
            parents.append(node.kind_id)
            continue
        start, end = node.start_byte, node.end_byte
        if start > done:  # what the parser skipped
            yield from _gap(text, done, start)
        start = max(start, done)
        if end > start:
            done = end
            word = text[start:end]
            if action == _DESCEND:
                if not word.isspace():
                    yield word, start, "", parents[-1]
            elif action == _KEEP:
                yield word, start, "string", parents[-1]
            elif action == _DROP:
                if directive and directive.match(word):
                    yield word.rstrip(), start, "string", 0
            elif action == _JSX:
                if words := _jsx_text(word):
                    yield words, start, "string", parents[-1]
            else:  # a macro's body is code as well
                body = lex(word, "C++") if "preproc" not in word else None
                if body is None:
                    yield " ".join(word.split()), start, "string", 0
                else:
                    for inner, offset, kind in zip(body.texts, body.starts, body.kinds, strict=True):
                        yield inner, start + offset, kind, 0
        while not onwards():
            parents.pop()
            if not up():
                yield from _gap(text, done, len(text))
                return


_CONTINUATION = re.compile(r"\\(?=\r?\n|\Z)")


def _gap(text: str, start: int, end: int) -> Iterator[tuple[str, int, str, int]]:
    gap = _CONTINUATION.sub(" ", text[start:end])
    for match in re.finditer(r"[^\s\ufeff]+", gap):
        yield match[0], start + match.start(), "", 0


def _jsx_text(text: str) -> str:
    """The words that React shows: lines are trimmed, white space with a line end in it is nothing."""
    lines = text.split("\n")
    last = len(lines) - 1
    lines = [line if n == 0 else line.lstrip() for n, line in enumerate(lines)]
    lines = [line if n == last else line.rstrip() for n, line in enumerate(lines)]
    return " ".join(line for line in lines if line)


# ---- pygments, and plain lines


@lru_cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name)


def _lexer_words(text: str, name: str) -> Iterator[tuple[str, int, str]]:
    from pygments.token import Comment, String, Text

    kept = (Comment.Preproc, Comment.PreprocFile, Comment.Hashbang)
    string, string_start = "", 0
    for start, kind, value in _lexer(name).get_tokens_unprocessed(text):
        if kind in String:
            if string and string_start + len(string) == start:
                string += value
            else:
                if string:
                    yield string, string_start, "string"
                string, string_start = value, start
            continue
        if string:
            yield string, string_start, "string"
            string = ""
        if kind in Comment and kind not in kept:
            continue
        if kind in Text or kind in Comment:
            for match in re.finditer(r"[^\s\ufeff]+", _CONTINUATION.sub(" ", value)):
                yield match[0], start + match.start(), ""
        elif word := value.strip():
            yield word, start + value.index(word[0]), ""
    if string:
        yield string, string_start, "string"


def _lines(text: str) -> Iterator[tuple[str, int, str]]:
    """Lines without trailing white space; blank lines between them as one."""
    start, blank = 0, False
    for number, line in enumerate(text.split("\n")):
        if line.strip():
            if blank and number:
                yield "", start - 1, "line"
            blank = False
            yield line.rstrip(), start, "line"
        else:
            blank = blank or start > 0
        start += len(line) + 1


# ---- layout

_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")
_ENDS_STATEMENT = re.compile(r"[\w\"'`)\]}?!$]\Z")
_STARTS_STATEMENT = re.compile(r"[\w\"'`(\[@#$!~&*+-]")


def _lay_out(
    text: str, texts: list[str], starts: list[int], kinds: list[str], roles: list[int] | None, layout: str
) -> tuple[list[str], list[int], list[str], list[int] | None]:
    """The columns with the line ends and indentations that count put in as tokens of their own."""
    out: list[tuple[str, int, str, int]] = []
    widths, depth, done, directive = [0], 0, 0, False
    previous = ""
    for word, start, kind, role in zip(texts, starts, kinds, roles or [0] * len(texts), strict=True):
        gap = text[done:start]
        new_line = not done or ("\n" in gap and not (layout == "indent" and "\\\n" in gap))
        if new_line and not layout:  # of the C family: only the end of a preprocessor line counts
            if directive:
                out.append(("", done, "newline", 0))
            directive = word.startswith("#")
        elif new_line and layout == "indent" and not depth:
            if done:
                out.append(("", done, "newline", 0))
            width = len(text[text.rfind("\n", 0, start) + 1 : start].expandtabs())
            if width > widths[-1]:
                widths.append(width)
                out.append(("", start, "indent", 0))
            while width < widths[-1]:
                widths.pop()
                out.append(("", start, "dedent", 0))
            if width != widths[-1]:  # no level that was seen before
                widths.append(width)
                out.append((" " * width, start, "indent", 0))
        elif (
            new_line
            and done
            and layout == "newline"
            and not depth
            and _ENDS_STATEMENT.search(previous)
            and _STARTS_STATEMENT.match(word)
        ):
            out.append(("", done, "newline", 0))
        if kind == "" and (layout == "indent" or word not in "{}"):
            depth = depth + 1 if word in _OPEN else max(depth - 1, 0) if word in _CLOSE else depth
        out.append((word, start, kind, role))
        done, previous = start + len(word), word
    columns = list(map(list, zip(*out, strict=True))) or [[], [], [], []]
    return columns[0], columns[1], columns[2], columns[3] if roles is not None else None
