"""Comments that programs obey, language by language, each with its reason; all others are words for people.

The rule: a comment counts where something that builds, runs, tests, deploys or generates the program reads it and then
does otherwise: a compiler or type checker, a runtime or shell, a test runner, a bundler, a scheduler, a migration tool,
a generator. Linters, formatters, coverage and documentation tools only report, reshape or print: what they read
(`noqa`, `eslint-disable`, `nolint`, `NOLINT`, `fmt: off`, `shellcheck`, `@param`) does not count. Of a comment that
counts, the obeyed part alone is compared: the prose of a docblock may change, its annotations may not.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache

# Marks are (reason, pattern). A pattern stands behind the comment sign and blanks, and holds to the end of the line,
# unless it starts with ^ (then it matches a whole line, sign included) or tells its own end in a group "all".
_Marks = tuple[tuple[str, str], ...]

# From ( to its ), over lines, with strings and three levels of brackets.
_STRING = r"\"[^\"]{0,1000}\""
_DEEPEST = rf"\((?:[^()\"]|{_STRING}){{0,5000}}+\)"
_DEEP = rf"\((?:[^()\"]|{_STRING}|{_DEEPEST}){{0,5000}}+\)"
_BRACKETS = rf"\((?:[^()\"]|{_STRING}|{_DEEP}){{0,5000}}+\)"

_EVERY: _Marks = (
    ("protoc plugins and generators insert their code here", r"@@protoc_insertion_point"),
    (
        "cog runs the code between its marks, and writes behind it",
        r"(?P<all>\[\[\[cog(?s:(?:(?!\[\[\[).)*?)\]\]\])|\[\[\[end\]\]\]",
    ),
    ("Renovate and release-please rewrite the version that a mark names", r"renovate:\s|.*x-release-please-"),
)
_SCHEDULERS: _Marks = (
    ("the kernel starts this interpreter", r"^#!.*"),
    ("batch schedulers read their options here", r"^#(?:SBATCH|PBS|BSUB|COBALT|PJM|OAR|MSUB|FLUX:|\$[ \t]+-).*"),
    ("Databricks runs the magic, and cuts cells", r"MAGIC\b|COMMAND -{5}|Databricks notebook source"),
)
_SCRIPT: _Marks = (
    ("the TypeScript compiler", r"@ts-(?:ignore|expect-error|nocheck|check)\b"),
    ("the TypeScript compiler loads what is named", r"^[ \t]*///[ \t]*<.*"),
    ("compilers of JSX call what is named", r"@jsx\w*\s"),
    ("the type checker Flow", r"@(?:no)?flow\b|\$Flow\w+"),
    ("bundlers name, split, or leave out what is imported", r"(?:webpack|turbopack|rspack)[A-Z]\w*\s*:|@vite-ignore"),
    ("minifiers drop calls without effects", r"[#@]__\w+__"),
    ("test runners set their environment up", r"@(?:jest|vitest)-"),
    ("debuggers and bundlers load the map", r"[#@]\s*source(?:Mapping)?URL="),
    ("browsers' script managers run it where the header says", r"(?P<all>==UserScript==(?s:.*?)==/UserScript==)"),
    ("Deno takes the types of what is imported", r"@deno-types\s*="),
    ("the test runners of Node and of the web platform", r"Flags:\s*--|META:\s*\w+="),
    ("AngularJS's injection is generated", r"@?ngInject\b"),
    ("the API's description is generated and served", r"(?P<all>@(?:swagger|openapi)\b(?s:.*))"),
)
_PREPROCESSED: _Marks = (  # in languages that have no preprocessor of their own
    ("source preprocessors keep or drop the lines between", r"^[ \t]*//(?:#(?:if|el|end|def|undef|inc)\w*|\$\$|\?).*"),
    ("source preprocessors", r"^[ \t]*/\*\?.*"),
    ("JBang builds and runs with these", r"^//(?:DEPS|REPOS|SOURCES|FILES|JAVA|JAVAC_OPTIONS|RUNTIME_OPTIONS)\b.*"),
)
_LIT: _Marks = (
    ("lit and FileCheck run and compare", r"(?:RUN|XFAIL|REQUIRES|UNSUPPORTED|[A-Z][A-Z0-9_]*CHECK|CHECK)[A-Z-]*:"),
)
_C: _Marks = _LIT + (
    ("clang -verify expects these messages", r"expected-(?:error|warning|note|remark|no-diagnostics)\b"),
    ("DejaGnu compiles and runs as told", r"\{\s*dg-\w+"),
    ("Rcpp exports the function", r"\[\[Rcpp::"),
    ("code generators keep what stands between", r"USER CODE (?:BEGIN|END)\b"),
)
_STYLES: _Marks = (
    ("browsers load the map", r"#\s*sourceMappingURL="),
    ("PurgeCSS drops or keeps rules", r"!?\s*purgecss\s"),
    ("Autoprefixer writes prefixes or none", r"!?\s*autoprefixer\b"),
    ("WordPress reads the header", r"!?\s*(?P<all>Theme Name:(?s:.*))"),
    ("direction flippers leave the rule alone", r"!?\s*(?:rtl:|@noflip\b)"),
)
_MARKUP: _Marks = (
    ("browsers end the comment here already", r"^(?P<all><!---?>(?s:.*)|.*--!>(?s:.*))"),
    ("browsers and mail clients take or leave what stands between", r"(?P<all>\[if\s(?s:.*))|.*<!\[endif\]"),
    ("servers put a file or a value here", r"#\s*(?:include|set|echo|exec|if|elif|else|endif|config)\b"),
    ("templates and build tools fill what stands between", r"/?ko\b|(?:end)?(?:build|inject)\b|/\*"),
)

DIRECTIVES: dict[str, _Marks] = {
    "Java": _PREPROCESSED
    + (
        ("javac marks what the docblock calls deprecated", r"(?P<all>@deprecated\b)"),
        ("GWT compiles the JavaScript", r"^[ \t]*(?P<all>/\*-\{(?s:.*))"),
        (
            "XDoclet generates code and descriptors",
            r"(?P<all>@[a-z]+\.[a-z][\w.-]*[^@]*)",
        ),
        ("Maven generates the plugin's descriptor", r"@(?:goal|phase|parameter|component|readonly|requires[A-Z]\w*)\b"),
        (
            "generators of code know what they may replace",
            r"@generated\b|USER CODE (?:BEGIN|END)\b|\w+-user-(?:code|doc)\b",
        ),
        ("the form editor replaces what stands between", r"GEN-(?:BEGIN|END|FIRST|LAST|LINE)\b"),
    ),
    "Kotlin": _PREPROCESSED,
    "Groovy": _PREPROCESSED + (("the kernel starts this interpreter", r"^#!.*"),),
    "Scala": _PREPROCESSED + _SCHEDULERS + (("scala-cli builds and runs with these", r"^//>\s*using\b.*"),),
    "Python": _SCHEDULERS
    + (
        # beside any in the first two lines, which nobody knows of a piece of a file: what does nothing else
        (
            "the encoding of the file",
            r"^[ \t\f]*#(?:[ \t]*-\*-)?[ \t]*(?:en)?coding[:=][ \t]*[-\w.]+[ \t]*(?:-\*-)?[ \t]*$",
        ),
        ("the encoding of the file", r"^#(?=.*-\*-).*?coding[:=].*|^#[ \t]*vim?:.*fileencoding=.*"),
        ("type checkers and compilers take these types", r"type:\s*\S"),
        ("type checkers", r"(?:mypy|pyright|pyre|pytype|ty)(?:-\w+)?:\s|pyre-\w+"),
        ("Cython compiles and links as told", r"(?:cython|distutils):\s"),
        (
            "the runner installs what the script needs",
            r"(?P<all>///[ \t]+\w+[ \t]*\n(?s:(?:(?!^#[ \t]*///).)*)^#[ \t]*///[ \t]*$)",
        ),
        ("notebooks run the magic, and cut cells", r"[%!]{1,2}\s?\w|%%"),
        ("Gazelle generates build files", r"gazelle:"),
    ),
    "Ruby": _SCHEDULERS
    + (
        ("the interpreter's magic comments", r".*\b(?:(?:en)?coding|frozen[_-]string[_-]literal|warn_indent)\s*[:=]"),
        ("the interpreter's magic comments", r".*\bshareable_constant_value\s*[:=]"),
        ("the type checker Sorbet", r"typed:\s*\w"),
    ),
    "JavaScript": _SCRIPT,
    "TypeScript": _SCRIPT,
    "TSX": _SCRIPT,
    "Go": (
        ("the go command, the compiler and generators", r"^[ \t]*//(?!nolint|lint:)[a-z0-9]+:[a-zA-Z0-9].*"),
        ("cgo and the linker", r"^//(?:export|extern|line) .*|^/\*line .*"),
        ("the build constraints of old", r"^//[ \t]*\+build\b.*"),
        ("C, for cgo", r"^[ \t]*(?P<all>(?://[ \t]*|/\*(?s:.*?))#[ \t]*(?:cgo|include|define)\b(?s:.*))"),
        ("generators of Kubernetes code", r"\+[a-zA-Z][\w.-]*(?:[:=]|\s*$)"),
        ("the test runner compares what is printed", r"(?P<all>(?i:(?:unordered )?output:)(?s:.*))"),
        ("the test runner of analyzers", r"want [\"`]"),
        ("the API's description is generated", r"@[A-Z]\w+\b|swagger:"),
        ("Gazelle generates build files", r"gazelle:"),
    ),
    "Rust": _LIT
    + (
        ("the compiler's tests", r"^[ \t]*//(?:@|~).*|compile-flags:|edition:"),
        ("rust-script builds with these", r"cargo-deps:"),
        (
            "cargo test runs the code in the documentation",
            r"^[ \t]*//[/!][ \t]*(?P<all>```(?s:.*?)^[ \t]*//[/!][ \t]*```)",
        ),
    ),
    "C": _C,
    "C++": _C,
    "Objective-C": _C,
    "C#": _PREPROCESSED[:1],
    "PHP": (
        (
            "frameworks read annotations at run time",
            rf"(?P<all>@(?:\w+\\[\w\\]+|[A-Z]\w*)(?:::\w+)?[ \t]*(?:{_BRACKETS}|[^\n*@]*))",
        ),
        (
            "PHPUnit runs, skips and groups tests",
            r"@(?:dataProvider|depends|test(?:With|dox)?|before|after|beforeClass|afterClass|group|requires|covers\w*|"
            r"uses|expectedException\w*|runInSeparateProcess|runTestsInSeparateProcesses|preserveGlobalState|"
            r"backup\w+|doesNotPerformAssertions|small|medium|large|ticket|excludeGlobalVariableFromBackup)\b",
        ),
        ("the container calls it", r"@required\b"),
        ("WordPress reads the header", r"(?P<all>(?:Plugin|Theme) Name:(?s:.*))"),
        ("WordPress offers the template", r"Template(?: Name| Post Type)?:"),
        ("type checkers", r"@(?:phpstan|psalm)-(?:ignore|suppress)\S*"),
    ),
    "Swift": _LIT
    + (
        ("the package manager's version", r"swift-tools-version"),
        ("Sourcery and mockolo generate code", r"sourcery:|@mockable\b"),
    ),
    "Dart": (("the language version", r"@dart\s*="),),
    "Lua": (("the compiler of Luau", r"^--!\w+.*"), ("the kernel starts this interpreter", r"^#!.*")),
    "Perl": _SCHEDULERS + (("the compiler counts lines from here", r"^#[ \t]*line[ \t]+\d+.*"),),
    "R": _SCHEDULERS
    + (
        (
            "roxygen writes what the package exports",
            r"'\s*@(?:export|import|useDynLib|include|S3method|rawNamespace)\w*",
        ),
        ("knitr and Quarto run the chunk as told", r"\|\s*[\w.-]+\s*:"),
        ("knitr runs the chunk as told", r"^#\+.*"),
    ),
    "Julia": _SCHEDULERS + (("Pluto cuts and orders cells", r"[╔╠╟]"),),
    "Haskell": _LIT
    + (
        ("the compiler's pragmas", r"^[ \t]*(?P<all>\{-#(?s:.*))"),
        ("doctest runs and compares", r"(?P<all>(?:>>>|\$setup)(?s:.*))"),
        ("stack and cabal build and run with these", r"(?P<all>(?:stack|cabal:)(?s:\s.*))"),
    ),
    "Clojure": (("the kernel starts this interpreter", r"^#!.*"),),
    "Makefile": (("the kernel starts this interpreter", r"^#!.*"),),
    "Elixir": _SCHEDULERS,
    "Shell": _SCHEDULERS
    + (
        ("zsh completes with it", r"^#(?:compdef|autoload)\b.*"),
        (
            "the boot order is made of these",
            r"(?:Provides|(?:Required|Should|Default)-(?:Start|Stop)|X-[\w-]+|chkconfig):",
        ),
        ("bats picks tests by their tags", r"bats (?:test|file)_tags="),
        ("argc reads the command line by these", r"@(?:cmd|arg|option|flag|env|meta|alias)\b"),
    ),
    "PowerShell": (
        ("the shell refuses to run without", r"(?i:requires)\s+-"),
        ("the gallery's package", r"^[ \t]*(?P<all><#PSScriptInfo\b(?s:.*))"),
        ("the kernel starts this interpreter", r"^#!.*"),
    ),
    "SQL": _SCHEDULERS[2:]
    + (
        ("databases run the code in it, or plan by it", r"^[ \t]*(?P<all>/\*M?[!+](?s:.*))|^[ \t]*--\+.*"),
        (
            "queries become functions of this name",
            r":?@?name(?:-query)?[ \t]*:?[ \t]+:?\S|@(?:name|param)\b|:(?:doc|require|snip)\b",
        ),
        ("goose, sql-migrate, micrate and others cut and run migrations", r"\+\s?\w+[ \t]+\w"),
        ("dbmate and rambler", r"(?:migrate|transaction):|rambler\s"),
        (
            "liquibase",
            r"liquibase\s|changeset\s|rollback\b|(?:pre)?conditions?\b[^\n]*:|precondition-|property\s|validCheckSum|ignoreLines",
        ),
        (
            "flyway, atlas, dbt, yoyo and sqlx",
            r"(?:flyway|atlas):|depends(?:_on)?:|transactional:|(?:no|disable)-transaction\b",
        ),
        (
            "drizzle, MyBatis and Play evolutions cut here",
            r">\s*statement-breakpoint|(?://\s*)?@UNDO\b|-*\s*!(?:Ups|Downs)\b",
        ),
    ),
    "CSS": _STYLES,
    "SCSS": _STYLES,
    "HTML": _MARKUP,
    "Vue": _MARKUP,
    "XML": _MARKUP[1:2],
    "YAML": _SCHEDULERS[:1]
    + (
        ("the machine is set up by what has this first line", r"^#(?:cloud-config|cloud-boothook)\b.*"),
        ("deployment tools write the value that is named", r"\{\s*\"\$|kpt-set:"),
    ),
    "Dockerfile": (("the builder's own directives", r"(?:syntax|escape|check)[ \t]*="),),
}

# Comments that count in the first two lines alone.
AT_THE_TOP: dict[str, re.Pattern[str]] = {"Python": re.compile(r"#.*coding[:=]")}  # the encoding of the file

# What a pygments lexer wrongly takes for a comment, the rest of a string that it does not know for the most part:
# s#a#b#, r"(a"#b)", b' # c', #"a"//b"#, 'a\' -- b'. It is code, and compared word by word.
MISREAD: dict[str, re.Pattern[str]] = {
    name: re.compile(pattern)
    for name, pattern in {
        "SQL": r"--.*'",
        "Properties": r"//",
        "PowerShell": r"(?<=\S)#",
        "Perl": r"(?<=\S)#|#.*[\"']",
        "R": r"#(?!').*[\"']",
        "Julia": r"#.*[\"']",
        "Swift": r".*[\"']",
    }.items()
}

_SIGN = r"^[ \t]*+(?://[/!]*|/\*+|\*+(?!/)|#+|--+|;+|\{-|<#|<!--+)?+[ \t]*+"
_LINE_SIGN = re.compile(r"[ \t]*(//|#|--|;)")


@lru_cache
def _pattern(language: str) -> re.Pattern[str]:
    """All marks of a language as one pattern; the group of a match that is not None is what is obeyed."""
    whole, behind = [], []
    for number, (_, pattern) in enumerate((*DIRECTIVES.get(language, ()), *_EVERY)):
        pattern, own_end = re.subn(r"\(\?P<all>", f"(?P<all{number}>", pattern)
        tail = "" if own_end else "[^\\n]*"
        (whole if pattern[0] == "^" else behind).append(f"(?:{pattern})" + ("" if pattern[0] == "^" else tail))
    return re.compile("|".join((*whole, f"{_SIGN}(?P<mark>{'|'.join(behind)})")), re.MULTILINE)


class Obeyed:
    """Finds what programs obey in the comments of one text.

    >>> text = "/** Lists all.\\n * @Route(\\"/a\\")\\n */"
    >>> [part for part, _ in Obeyed(text, "PHP").parts(0, len(text))]
    ['@Route("/a")']
    """

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self.pattern = _pattern(language)
        self.run = (0, 0)  # neighbouring line comments, which some programs read as one
        self.found: list[tuple[int, int]] = []
        self.at_the_top = AT_THE_TOP.get(language)
        self.top = len("\n".join(text.split("\n", 2)[:2])) if self.at_the_top else 0

    def parts(self, start: int, end: int) -> Iterator[tuple[str, int]]:
        """(text, offset) of each obeyed part of the comment between two offsets, without what a formatter changes."""
        if self.at_the_top and start < self.top and self.at_the_top.match(self.text, start, end):
            yield _bare(self.text[start:end]), start
            return
        low, high = self.run
        if not low <= start < high:
            self.run = low, high = self._run(start, end)
            self.found = [_span(match, low) for match in self.pattern.finditer(self.text[low:high])]
        for number in range(max(bisect_right(self.found, (start, len(self.text))) - 1, 0), len(self.found)):
            first, last = max(self.found[number][0], start), min(self.found[number][1], end)
            if first >= end:
                break
            if first < last and (part := _bare(self.text[first:last])):
                yield part, first

    def _run(self, start: int, end: int) -> tuple[int, int]:
        """The line comments around this one that stand on lines of their own, one below the other; else itself."""
        text = self.text
        sign = _LINE_SIGN.match(text, start, end)
        line = text.rfind("\n", 0, start) + 1
        if not sign or text[line:start].strip(" \t"):
            return start, end
        low, high = line, end
        while low and _is_line(text, before := text.rfind("\n", 0, low - 1) + 1, sign[1]):
            low = before
        while high < len(text):
            after = high + (text[high] == "\n")
            if after == high and text[high - 1] != "\n" or not _is_line(text, after, sign[1]):
                break
            after = text.find("\n", after)
            high = len(text) if after < 0 else after
        return low, high


def _is_line(text: str, start: int, sign: str) -> bool:
    match = _LINE_SIGN.match(text, start)
    return bool(match and match[1] == sign)


def _span(match: re.Match[str], offset: int) -> tuple[int, int]:
    inner = [name for name, value in match.groupdict().items() if value is not None]
    name = next((name for name in inner if name != "mark"), inner[0] if inner else 0)
    start, end = match.span(name)
    return offset + start, offset + end


_END = re.compile(r"(?:\*+/|-->|-\}|#>)\Z")


def _bare(part: str) -> str:
    """An obeyed part on one line, without the stars before its lines and the end of the comment."""
    lines = [line.strip() for line in _END.sub("", part.rstrip()).split("\n")]
    return " ".join(line for line in (lines[0], *(line.lstrip("*").lstrip() for line in lines[1:])) if line)
