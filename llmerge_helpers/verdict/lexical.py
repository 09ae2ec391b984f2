"""What a compiler holds a text to and a tolerant parser does not: hidden line ends, forbidden ones, signs run together.

A line comment ends where the language says, which is not always at a `\\n`: code behind a lone `\\r` runs, and code
behind a `\\` is swallowed. Between tokens, some languages forbid a line end, or end the statement at it, where a tree
shows no difference. These rules know the languages by name; what they find becomes words, by which texts are compared.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from llmerge_helpers.verdict.syntax import LAYOUT, Word, end_of, kind_name

# ---- line ends that a parser does not see

_CR, _NEL, _SEPARATORS, _FF, _VT = "\r", "\x85", "\u2028\u2029", "\f", "\v"
# What ends a line beside \n, by the languages' references. Go, Rust, Ruby, Perl, Shell and Julia know only \n.
_CR_ONLY = (
    *("Java", "Python", "C", "C++", "Objective-C", "Kotlin", "PHP", "Groovy", "Swift", "Dart", "Lua", "R", "Clojure"),
    *("PowerShell", "SQL", "TOML", "INI", "Properties"),
)
_LINE_ENDS: dict[str, str] = dict.fromkeys(_CR_ONLY, _CR) | {
    "JavaScript": _CR + _SEPARATORS,
    "TypeScript": _CR + _SEPARATORS,
    "TSX": _CR + _SEPARATORS,
    "C#": _CR + _NEL + _SEPARATORS,
    "YAML": _CR + _NEL + _SEPARATORS,
    "Scala": _CR + _FF + "\x1a",
    "Haskell": _CR + _FF,
    "SCSS": _CR + _FF,
    "Elixir": _VT + _FF + _NEL + _SEPARATORS,  # an error in a comment
}
_HIDDEN = {
    name: re.compile("|".join([r"\r(?!\n)"] * (_CR in ends) + [rf"[{ends.strip(_CR)}]"] * (ends != _CR)))
    for name, ends in _LINE_ENDS.items()
}
_SPLICED = ("C", "C++", "Objective-C")  # a line that ends in \ or ??/ goes on, blanks behind the \ or not
_SPLICE = re.compile(r"\\([ \t\f\v]+)\n|\?\?/\n")


_SPLICED_WORD = re.compile(r"[^\0]*\w\0\w.*|[^\0]*[-+*/%&|<>=!^#:.]\0[-+*/%&|<>=!^#:.].*", re.DOTALL)


def spliced(text: str, language: str) -> str:
    """The text, as long as before, with `\\` right before each line end that a C preprocessor takes away."""
    if language not in _SPLICED or not ("\\" in text or "??/" in text):
        return text
    return _SPLICE.sub(lambda match: (match[1] or "  ") + "\\\n", text)


def hides_line_ends(text: str, language: str) -> bool:
    """True if the text has a character that ends a line in this language, and that a parser may not know."""
    ends = _LINE_ENDS.get(language, "")
    return any(end in text for end in ends) and bool(_HIDDEN[language].search(text))


def with_line_ends(text: str, words: Iterable[Word], language: str) -> str:
    """The text, as long as before, with `\\n` for each hidden line end that is in none of its words."""
    letters, ends = list(text), iter(_HIDDEN[language].finditer(text))
    end = next(ends, None)
    for word, start, kind, _ in words:
        if kind != "string" and not word.strip(_LINE_ENDS[language]):  # to a parser, a word
            continue
        while end and end.start() < start:
            letters[end.start()] = "\n"
            end = next(ends, None)
        while end and end.start() < end_of(text, word, start):
            end = next(ends, None)
    for rest in (end, *ends) if end else ():
        letters[rest.start()] = "\n"
    return "".join(letters)


# ---- escapes that are read before anything else

_ESCAPED = ("Java", "Groovy", "Scala")  # the last two up to 3.0 and 2.12
_ESCAPE = re.compile(r"(?<!\\)(?:\\\\)*(\\u+(?:00([0-7][0-9A-Fa-f])|([0-9A-Fa-f]{4}))?)")


class Decoded(NamedTuple):
    """A text with its ASCII escapes read: where each character was, and where `\\u` has no number behind it."""

    text: str
    places: list[int]
    broken: list[int]

    def window(self, window: tuple[int, int] | None) -> tuple[int, int] | None:
        """The window of the text before, in this one."""
        return window and (bisect_left(self.places, window[0]), bisect_left(self.places, window[1]))

    def placed(self, words: Iterable[Word], window: tuple[int, int] | None) -> list[Word]:
        """The words where they stood in the text before, and a word for each broken escape: no compiler passes it."""
        low, high = window or (0, self.places[-1])
        words = [(word, self.places[start], kind, role) for word, start, kind, role in words]
        words += [("\\u", place, "", 0) for place in self.broken if low <= place < high]
        return sorted(words, key=lambda word: word[1]) if self.broken else words


def decoded(text: str, language: str) -> Decoded | None:
    """The text as the compiler reads it; None where that is the text itself.

    >>> decoded("// \\\\u000a f();", "Java").text
    '// \\n f();'
    """
    if language not in _ESCAPED or "\\u" not in text:
        return None
    pieces: list[str] = []
    places: list[int] = []
    broken: list[int] = []
    done = 0
    for match in _ESCAPE.finditer(text):
        start, end = match.span(1)
        if match[2] is None:
            broken += [start] * (match[3] is None and language == "Java")
            continue
        pieces += text[done:start], chr(int(match[2], 16))
        places += range(done, start + 1)
        done = end
    pieces.append(text[done:])
    places += range(done, len(text) + 1)
    return Decoded("".join(pieces), places, broken) if broken or done else None


# ---- line ends that count, and signs that must not run together


class _Rule(NamedTuple):
    """Where a line end counts: behind and before which words; and which two, with a NUL between them, may not touch, or
    have to.
    """

    behind: re.Pattern[str] | None
    before: re.Pattern[str] | None
    within: re.Pattern[str] | None  # and between which two, with what a tree calls the place of the second behind them
    glued: re.Pattern[str] | None
    parted: re.Pattern[str] | None
    alone: re.Pattern[str] | None  # words that mean something else on a line of their own
    brackets: bool  # within them, line ends do not count
    line: re.Pattern[str] | None  # a statement that stands on one line
    labels: bool  # a line end counts before a colon that has no question mark before it


def _rule(
    behind: str = "",
    before: str = "",
    within: str = "",
    glued: str = "",
    parted: str = "",
    alone: str = "",
    brackets: bool = False,
    line: str = "",
    labels: bool = False,
) -> _Rule:
    parts = (re.compile(part, re.DOTALL) if part else None for part in (behind, before, within, glued, parted, alone))
    return _Rule(*parts, brackets, re.compile(line) if line else None, labels)


_COMMENT = r"/\0[*/].*"  # a division, and what is pointed at, or a regular expression
_NUMBER = r"(?:0[xX][\da-fA-F.']*[eEpP]|\.?\d[\d.']*[eEpP])\0[+-].*"  # to C, 0xE+1 is one number, and a wrong one
_SCRIPT = _rule(
    # no line end may come behind these, or they are names, and the statement ends
    behind="return|throw|yield|async|abstract|interface|namespace|accessor|using",
    before=r"=>|\+\+|--",
    glued=rf"{_COMMENT}|\d[\w.]*\0[A-Za-z_$].*|<\0!",
)
_TYPED = _SCRIPT._replace(
    within=re.compile(
        r"[^\0]*\0(?:as\0as_expression|satisfies\0satisfies_expression|!\0non_null_expression|<\0type_arguments|"
        r"\[\0(?:array_type|lookup_type))|type\0\w+\0type_alias_declaration|declare\0\w.*"
    )
)
_RULES = {
    "JavaScript": _SCRIPT,
    "TypeScript": _TYPED,
    "TSX": _TYPED,
    "Go": _rule(glued=rf"{_COMMENT}|<\0-.*|-\0-.*|\+\0\+.*|&\0[&^].*|\|\0\|.*"),
    "Kotlin": _rule(
        before=r"==?=?|!==?|[<>]=?|[*/%]=?|[+-]=|\.\.<?|!?in|!?is",
        # a name that is imported stands on one line; behind a line end, `{` is no argument
        within=r"(?:import|package)\0.*|\.\0.*\0qualified_identifier|as\0.*\0import|"
        r"(?!init\0)[^\0]*[\w`]\0\{\0lambda_literal",
        glued=rf"{_COMMENT}|>\0=.*",
        parted=r"(?:return|this|super|break|continue)?@\0.*",
        brackets=True,
    ),
    "Ruby": _rule(
        before=r"={1,3}|[=!]~|!=|<=?>?|>=?|<<=?|>>=?|(?:[-+*/%|&^]|\*\*|&&|\|\|)=?|=>|\?|and|or",
        within=r"[^\0]*\0,\0.*",
        glued=r"[A-Z]\w*\0\[|[\w?!]+\0(?:<<[-~]?[\"'`A-Z]|%\w?[(\[{<|]).*",  # an index; a shift, or what is left over
    ),
    "Elixir": _rule(within=r"[^\0]*\0,\0.*"),
    "C": _rule(glued=rf"{_COMMENT}|{_NUMBER}"),
    "Objective-C": _rule(glued=rf"{_COMMENT}|{_NUMBER}|@\w+\0\w.*"),
    "C++": _rule(glued=rf'{_COMMENT}|{_NUMBER}|"\0[A-Za-z_].*'),
    "C#": _rule(glued=_COMMENT),
    "Lua": _rule(glued=r"\d[\w.]*\0[A-Za-z_.].*|>\0=.*"),
    "Java": _rule(glued=rf"{_COMMENT}|@interface\0.*"),
    "Rust": _rule(glued=_COMMENT, parted=r"'\0.*"),
    "PHP": _rule(
        within=r"\(\0\w+\0cast_expression|\w+\0\)\0cast_expression",
        glued=rf"{_COMMENT}|\.\0\.?\d.*|<\?php\0.*|\w+\0\\.*",
    ),
    "PowerShell": _rule(parted=r"[^\0]*`\0.*"),  # behind a blank, the sign of a continued line is none
    "Groovy": _rule(
        behind="return|throw",
        before=r"[*/%=<>].*|,|in|instanceof|as",
        brackets=True,
        line=r"[ \t]*(?:import|package)\b",
        labels=True,
    ),
    "R": _rule(glued=r"\[\0\[", before=r"[/^<>=|:%].*", brackets=True),
    "Julia": _rule(before=r"[/^<>=|%?\\÷].*", brackets=True),
    "TOML": _rule(before=".*", brackets=True),
    "CMake": _rule(before=".*", brackets=True),
    "SQL": _rule(alone="(?i:go)|/"),  # the end of a batch
}
_ENDS_OPERAND = re.compile(r"[\w)\]}\"'`!?]\Z")
_STARTS_OPERAND = re.compile(r"[^\W]|[$#\"'`\[({<~!+*/-]")
_COUNTED = re.compile(r"[\w$\]]\Z")
_SCRIPT_KEYWORD = re.compile("await|case|delete|do|else|in|instanceof|new|of|return|typeof|void|yield")
_TYPES = ("type_arguments", "type_parameters", "type_projection", "type_parameter_modifiers", "variance_modifier")
_MAY_START = ("property_declaration", "function_body", "getter", "setter", "type_alias")  # with a `=`
_GO_KEYWORD = re.compile(
    "case|chan|const|default|defer|else|for|func|go|goto|if|import|interface|map|package|range|select|struct|switch|"
    "type|var"
)
_GO_ENDS = re.compile(r"[\w\"'`)\]}]\Z|(?:\+\+|--)\Z")
_GO_GROUPS = ("import_spec_list", "const_declaration", "var_spec_list", "var_declaration", "type_declaration")


def held_to_rules(text: str, words: list[Word], language: str, grammar: tuple[str, str] | None) -> Iterator[Word]:
    """The words, with one of the kind "newline" where a line end counts that a tree does not show (its role is 1, so
    that it always does), one of the kind "joined" between two that became one, and one of the kind "blank" between two
    that may not be parted.
    """
    rule = _RULES.get(language)
    if rule is None:
        yield from words
        return
    depths, done, earlier, previous, asked = [0], 0, "", "", 0
    for word in words:
        shown, start, kind, role = word
        if kind in LAYOUT or kind in ("tree", "directive"):
            if kind == "tree":
                previous = ""
            yield word
            continue
        first = '"' if kind == "string" else shown
        gap = text[done:start] if previous else " "
        if "\\\n" in gap and language in _SPLICED:
            gap = gap.replace("\\\n", "")
            if not gap and _SPLICED_WORD.fullmatch(f"{previous}\0{first}"):  # one word, or one sign
                yield "", start, "joined", 0
        if not gap and earlier == "#define" and first == "(":
            yield "", start, "joined", 0  # a macro's parameters; behind a blank, its value
        elif not gap:
            if (
                rule.glued
                and rule.glued.fullmatch(f"{previous}\0{shown}")
                and (first != "!" or text.startswith("!--", start))
            ):
                yield "", start, "joined", 0
        elif rule.parted and rule.parted.fullmatch(f"{previous}\0{first}"):
            yield gap[0], done, "blank", 0
        elif "\n" in gap and (
            (rule.labels and first == ":" and not asked)
            or (rule.line and first == "." and rule.line.match(text, text.rfind("\n", 0, done) + 1))
        ):
            yield "", done, "newline", 1
        elif "\n" in gap and not (rule.brackets and depths[-1]):
            parent = kind_name(grammar, role >> 32) if grammar and isinstance(role, int) else ""
            if rule.within and rule.within.fullmatch(f"{previous}\0{first}\0{parent}"):
                counts = True
            elif language == "Go":
                counts = _ends_in_go(previous, first, parent)
            elif rule.behind and rule.behind.fullmatch(previous):
                counts = earlier not in (".", "?.") and bool(_STARTS_OPERAND.match(first))
            elif first in ("++", "--"):  # behind a keyword or a bracket, what follows is counted up or down
                counts = bool(rule.before and _COUNTED.search(previous)) and not _SCRIPT_KEYWORD.fullmatch(previous)
            elif rule.before and rule.before.fullmatch(first):
                free = parent in _TYPES or (first == "=" and parent in _MAY_START) or parent == "block_parameters"
                counts = language in ("TOML", "CMake") or (bool(_ENDS_OPERAND.search(previous)) and not free)
            else:
                counts = False
            if counts:
                yield "", done, "newline", 1
        if rule.alone and rule.alone.fullmatch(first):
            line = text[text.rfind("\n", 0, start) + 1 :].partition("\n")[0]
            if line.strip() == shown:
                yield "", start, "newline", 1
        if kind != "string" and shown in ("(", "["):
            depths[-1] += 1
        elif kind != "string" and shown in (")", "]"):
            depths[-1] = max(depths[-1] - 1, 0)
        elif shown == "{":
            depths.append(0)
        elif shown == "}" and len(depths) > 1:
            depths.pop()
        asked = asked + 1 if first == "?" else max(asked - 1, 0) if first == ":" else asked
        yield word
        earlier, previous, done = previous, first, start + len(shown)


def _ends_in_go(previous: str, word: str, parent: str) -> bool:
    """True if Go puts a semicolon at the line end between two words, and it means something there."""
    if not _GO_ENDS.search(previous) or _GO_KEYWORD.fullmatch(previous):
        return False
    if word == ")":
        return parent not in _GO_GROUPS
    return word != "}" or parent == "literal_value"
