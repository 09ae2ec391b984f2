"""The table of languages: from a file name, or a code block, to a language and its names elsewhere."""

from __future__ import annotations

import re

# name: (fence info, pygments lexer or "" for line by line, layout, suffixes and whole file names)
# layout "indent": indentation and line ends count; "newline": line ends count where a statement can end; "asi": the
# same, but a line that starts with a sign goes on with the statement before it. Without a grammar, nobody knows where
# white space counts, so a gap between two words is a word, and a line end is a gap as well. More of it counts with
# "lines": line ends, indentations and the width of each gap; and with "verbatim": all blank lines. Less of it counts
# with "tags": none between two tags; and with "free": none at all.
TABLE: dict[str, tuple[str, str, str, str]] = {
    "Java": ("java", "java", "", ".java"),
    "Python": ("python", "python", "indent", ".py .pyi .pyw"),
    "JavaScript": ("javascript", "javascript", "asi", ".js .jsx .mjs .cjs"),
    "TypeScript": ("typescript", "typescript", "asi", ".ts .mts .cts"),
    "TSX": ("tsx", "tsx", "asi", ".tsx"),
    "Go": ("go", "go", "newline", ".go"),
    "Rust": ("rust", "rust", "", ".rs"),
    "C": ("c", "c", "", ".c .h"),
    "C++": ("cpp", "cpp", "", ".cpp .cc .cxx .hpp .hh .hxx .ipp"),
    "C#": ("csharp", "csharp", "", ".cs"),
    "Ruby": ("ruby", "ruby", "newline", ".rb .rake .gemspec Gemfile Rakefile"),
    "PHP": ("php", "php", "", ".php"),
    "Kotlin": ("kotlin", "kotlin", "newline", ".kt .kts"),
    "Scala": ("scala", "scala", "lines", ".scala .sc .sbt"),
    "Groovy": ("groovy", "groovy", "newline", ".groovy .gradle Jenkinsfile"),
    "Swift": ("swift", "swift", "newline", ".swift"),
    "Objective-C": ("objectivec", "objectivec", "", ".m .mm"),
    "Dart": ("dart", "dart", "", ".dart"),
    "Lua": ("lua", "lua", "newline", ".lua"),
    "Perl": ("perl", "perl", "", ".pl .pm"),
    "R": ("r", "splus", "newline", ".r .R"),
    "Julia": ("julia", "julia", "newline", ".jl"),
    "Haskell": ("haskell", "haskell", "lines", ".hs"),
    "Elixir": ("elixir", "elixir", "newline", ".ex .exs"),
    "Clojure": ("clojure", "clojure", "", ".clj .cljs .cljc"),
    "Shell": ("bash", "bash", "lines", ".sh .bash .zsh"),
    "PowerShell": ("powershell", "powershell", "lines", ".ps1"),
    "SQL": ("sql", "sql", "", ".sql"),
    "HTML": ("html", "", "verbatim", ".html .htm .xhtml"),
    "Vue": ("vue", "", "verbatim", ".vue"),
    "CSS": ("css", "css", "", ".css"),
    "SCSS": ("scss", "scss", "", ".scss"),
    "XML": ("xml", "xml", "tags", ".xml .xsd .svg .pom .csproj"),
    "JSON": ("json", "json", "free", ".json"),
    "YAML": ("yaml", "yaml", "lines", ".yml .yaml"),
    "TOML": ("toml", "toml", "newline", ".toml"),
    "INI": ("ini", "", "verbatim", ".ini .cfg"),  # pygments ends a value at any ; or #
    "Properties": ("properties", "properties", "lines", ".properties"),
    "Protobuf": ("protobuf", "protobuf", "free", ".proto"),
    "CMake": ("cmake", "cmake", "", ".cmake CMakeLists.txt"),
    "Makefile": ("makefile", "", "", ".mk Makefile GNUmakefile"),
    "Dockerfile": ("dockerfile", "", "", "Dockerfile"),
    "Markdown": ("markdown", "", "", ".md .markdown"),
    "reStructuredText": ("rst", "", "", ".rst"),
    "Text": ("text", "", "", ".txt"),
}
BY_NAME = {suffix: name for name, row in TABLE.items() for suffix in row[3].split()}
_ALIASES = (
    "node=JavaScript nodejs=JavaScript javascriptreact=JavaScript typescriptreact=TSX python2=Python python3=Python "
    "golang=Go cplusplus=C++ objectivec++=Objective-C objc=Objective-C objc++=Objective-C shell=Shell ksh=Shell "
    "shellscript=Shell pwsh=PowerShell posh=PowerShell postgresql=SQL postgres=SQL plpgsql=SQL mysql=SQL plsql=SQL "
    "tsql=SQL sqlite=SQL docker=Dockerfile make=Makefile protocolbuffer=Protobuf protocolbuffers=Protobuf "
    "plain=Text plaintext=Text"
)


def _key(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())


_KNOWN = {_key(suffix.lstrip(".")): name for suffix, name in BY_NAME.items()}
_KNOWN |= dict(pair.split("=") for pair in _ALIASES.split())
_KNOWN |= {_key(row[0]): name for name, row in TABLE.items()} | {_key(name): name for name in TABLE}


def language_of(path: str) -> str:
    """The language of a file by its name, "Text" if unknown.

    >>> language_of("src/main/App.java"), language_of("Dockerfile"), language_of("LICENSE")
    ('Java', 'Dockerfile', 'Text')
    """
    name = path.rsplit("/", 1)[-1]
    suffix = "." + name.rsplit(".", 1)[-1] if "." in name else name
    return BY_NAME.get(name) or BY_NAME.get(suffix) or BY_NAME.get(suffix.lower(), "Text")


def language_named(*names: str | None) -> str:
    """The language that the first name known here stands for, "" if none is: names of any case, fences, suffixes.

    >>> language_named("java"), language_named("c++"), language_named("js"), language_named("Klingon", "py")
    ('Java', 'C++', 'JavaScript', 'Python')
    """
    known = (name if name in TABLE else _KNOWN.get(_key(name)) for name in names if isinstance(name, str))
    return next(filter(None, known), "")


def fence_of(language: str) -> str:
    """The info string of a fenced code block in this language: "java", "csharp", "text" …"""
    return TABLE[language_named(language) or "Text"][0]


def language_of_fence(info: str) -> str:
    """The language that the info string of a code block names, "Text" if unknown.

    >>> [language_of_fence(info) for info in ("Java title=x", "{.py}", "rust,ignore", "")]
    ['Java', 'Python', 'Rust', 'Text']
    """
    word = re.match(r"[\s{.]*([\w+#-]+)", info)
    return language_named(word and word[1]) or "Text"


def is_known(language: str) -> bool:
    """True if the language has a name in the table (then `lex` knows its comments); "Text" has none."""
    return language in TABLE and language != "Text"
