"""File names to languages, texts to tokens."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import language_of, languages
from llmerge_helpers.conflicts.languages import fence_of, is_known, language_of_fence
from llmerge_helpers.verdict import tokens as tokens_room
from llmerge_helpers.verdict.tokens import _GRAMMARS, _layout, lex, parses

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60)
NAMES = sorted(languages.TABLE)
WITH_GRAMMAR = sorted(_GRAMMARS)


def tokens(text: str, language: str) -> list[tuple[str, int, str]]:
    """(text, start, kind) as two texts are compared by."""
    lexed = lex(text, language)
    layout_counts = _layout(language) == "indent"
    return [word[:3] for word in (lexed.words if layout_counts else lexed.rows(bool(lexed.clean)))]


def words(text: str, language: str) -> list[str]:
    return [word or f"<{kind}>" for word, _, kind in tokens(text, language)]


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/main/java/A.java", "Java"),
        ("a.b/c.PY", "Python"),
        ("x.test.tsx", "TSX"),
        ("lib/a.d.ts", "TypeScript"),
        ("include/a.h", "C"),
        ("a/Makefile", "Makefile"),
        ("CMakeLists.txt", "CMake"),
        ("notes.txt", "Text"),
        ("Makefile.old", "Text"),
        (".gitignore", "Text"),
        ("", "Text"),
        ("dir.java/", "Text"),
    ],
)
def test_language_of(path, language):
    assert language_of(path) == language


def test_fence_names_are_one_to_one():
    assert [language_of_fence(fence_of(name)) for name in NAMES] == NAMES
    assert [language_of_fence(info) for info in ("JAVA", "js", "c++", "C#", "java hl=1", "unheard-of", "")] == [
        *("Java", "JavaScript", "C++", "C#", "Java"),
        *("Text", "Text"),
    ]
    assert fence_of("no language") == "text"
    assert is_known("Java") and not is_known("Text") and not is_known("no language")


# ---- tokens


def test_python_layout_is_kept():
    text = "def f(x):\n    '''doc'''\n    return (x +\n  1)  # c\n\n# d\nclass A: pass\n"
    assert " ".join(words(text, "Python")) == (
        "def f ( x ) : <newline> <indent> '''doc''' <newline> return ( x + 1 ) <newline> <dedent> class A : pass"
    )
    assert words("    a\n  b", "Python") == ["<indent>", "a", "<newline>", "<dedent>", "  ", "b"]


def test_line_ends_of_a_clean_file_are_left_to_the_syntax_tree():
    assert words("a()\nb()\n", "JavaScript") == ["a", "(", ")", "b", "(", ")"]
    assert "<newline>" in words("a()\nb() }", "JavaScript")


def test_preprocessor_lines():
    assert words("#if 0\nint x;\n#endif\n", "C") == ["#if", "0", "int", "x", ";", "#endif"]
    assert words("#define A 1 // c\nint } x\n", "C") == ["#define", "A", "1", "<newline>", "int", "}", "x"]


def test_tokens_know_where_they_stand():
    text = 'int größe = 1; // é\n\nString s = "ü";\n'
    found = tokens(text, "Java")
    assert [word for word, *_ in found][:2] == ["int", "größe"]
    assert all(text[start:].startswith(word) for word, start, _ in found)
    assert [word for word, _, kind in found if kind == "string"] == ['"ü"']


def test_a_header_may_be_cpp():
    assert parses("class A { public: virtual void f() = 0; };\n", "C")
    assert words("class A { bool f(); }; // c\n", "C") == ["class", "A", "{", "bool", "f", "(", ")", ";", "}", ";"]


def test_a_byte_order_mark_is_none_in_the_middle():
    for language, text in (
        ("Java", "int x;"),
        ("Python", "x\n"),
        ("YAML", "a: 1\n"),
        ("Shell", "a b\n"),
        ("Text", "a\n"),
    ):
        assert words("\ufeff" + text, language) == words(text, language)
        assert words(text + "\ufeff" + text, language) != words(text + text, language)
    assert parses("\ufeffclass A {}\n", "Java") is True
    assert parses("class A {\ufeff}\n", "Java") is False


def test_parses():
    assert parses("class A {}\n", "Java") is True
    assert parses("class A {\n", "Java") is False
    assert parses("a: 1", "YAML") is None
    assert parses("", "Java") is True


# Without quotes and comment signs, the tokens are all of the text but its white space, whatever the parser makes of it.
plain_text = st.text(alphabet="aZ1_(){}[];:=+-<>.,!&|?@$^~*\\ \t\r\né中\u00a0\ufeff\x00\x0c🙂")


@SETTINGS
@example("\\1", "Ruby")
@example("a\n-->b", "JavaScript")
@given(plain_text, st.sampled_from(WITH_GRAMMAR))
def test_no_character_is_lost(text, language):
    text = re.sub(r"\\+(?=\r?\n)", "", text)
    found = tokens(text, language)
    assert [start for _, start, _ in found] == sorted(start for _, start, _ in found)
    kept = "".join(word for word, _, kind in found if kind not in tokens_room.LAYOUT)
    assert re.sub(r"\s+", "", kept, flags=re.ASCII) == re.sub(r"\s+", "", text.removeprefix("\ufeff"), flags=re.ASCII)


code = st.lists(
    st.sampled_from(
        [
            "/*",
            "*/",
            "//",
            "#",
            '"',
            "'",
            "`",
            '"""',
            "\\",
            "\n",
            "\r\n",
            " ",
            "    ",
            "a",
            "1",
            "(",
            ")",
            "{",
            "}",
            "if",
        ]
        + [
            "=begin",
            "<<~E",
            "E",
            "r#",
            "${",
            "#{",
            "<?php",
            "?>",
            "#define",
            "%w[",
            "é",
            "\ud800",
            "\x00",
            ";",
            "<p>",
            "/",
        ]
    ),
    max_size=30,
).map("".join)


@SETTINGS
@given(code, st.sampled_from(NAMES))
def test_any_text_has_tokens(text, language):
    found = tokens(text, language)
    assert all(0 <= start <= len(text) for _, start, _ in found)
    assert found == tokens(text, language)


@settings(deadline=None, derandomize=True, max_examples=200)
@given(code, code, code, code, st.sampled_from(["Java", "Python", "JavaScript", "Ruby", "C", "Rust"]))
def test_a_window_shows_no_difference_where_there_is_none(before, after, one, other, language):
    """The summed up comparison never calls two files the same that differ when all of their tokens are looked at."""
    before = {"Java": "class A { void f() {\n", "Rust": "fn f() {\n", "C": "int f() {\n"}.get(language, "") + before
    after += {"Java": "\n}}\n", "Rust": "\n}\n", "C": "\n}\n"}.get(language, "\n")

    def rows(middle: str, window: bool) -> list | None:
        lexed = lex(before + middle + after, language, (len(before), len(before + middle)) if window else None)
        return [(word[0], *word[2:]) for word in lexed.rows(strict=True)] if lexed.clean else None

    short = rows(one, True), rows(other, True)
    if None not in short and short[0] == short[1]:
        assert rows(one, False) == rows(other, False)


def test_text_that_no_parser_can_read_does_not_hold_it_up():
    """This takes the Java parser a minute and more if nobody stops it."""
    text = "class A { void f() {\n" + "<!--" * 10_000 + "\n}}\n"
    assert parses(text, "Java") is False
    assert [len(word[0]) for word in lex(text, "Java").words] == [20, 40_000, 2]
    assert parses("class A {}\n", "Java") is True


def test_imports_stay_light():
    """Neither parsers nor lexers are loaded before they are needed."""
    program = (
        "import sys\n"
        "from llmerge_helpers import conflicts, verdict\n"
        "print([name for name in ('tree_sitter', 'pygments', 'torch', 'pandas', 'datasets') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
