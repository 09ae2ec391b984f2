"""Hidden line ends, forbidden ones, and signs run together: what a compiler holds code to and a tree does not show."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from verdict_cases import FILES, TOP_LEVEL_PAIRS, Pair, example

from llmerge_helpers.conflicts import languages, render_answer
from llmerge_helpers.verdict import verify
from llmerge_helpers.verdict.lexical import decoded
from llmerge_helpers.verdict.tokens import lex


def right(language: str, developer: str, model: str) -> bool:
    """Is what a model wrote called right? In the file and as a piece alike."""
    found = set()
    for whole in (True, False):
        row, code = example(Pair("", language, developer, model, True), whole=whole)
        found.add(verify(render_answer(code, language), row).is_correct)
    assert len(found) == 1
    return found.pop()


# ---- line ends in comments

SLASHES = (
    *("Java", "JavaScript", "TypeScript", "TSX", "C#", "C", "C++", "Objective-C", "Kotlin", "PHP", "Rust", "Go"),
    *("Scala", "Groovy", "Swift", "Dart", "SCSS"),
)
HASHES = ("Python", "Ruby", "Shell", "YAML", "R", "Elixir", "Perl", "Julia", "TOML", "PowerShell")
SIGNS = (
    dict.fromkeys(SLASHES, "//")
    | dict.fromkeys(HASHES, "#")
    | {"Lua": "--", "SQL": "--", "Haskell": "--", "Clojure": ";"}
)
ENDS = {"CR": "\r", "VT": "\v", "FF": "\f", "SUB": "\x1a", "NEL": "\x85", "LS": "\u2028", "PS": "\u2029"}
# Which of them end a line, by the languages' references; in Elixir and TOML, they are errors.
HIDING = {
    **dict.fromkeys((*SLASHES, *HASHES, *SIGNS), "CR"),
    **dict.fromkeys(("Rust", "Go", "Ruby", "Perl", "Shell", "Julia"), ""),
    **dict.fromkeys(("JavaScript", "TypeScript", "TSX"), "CR LS PS"),
    **dict.fromkeys(("C#", "YAML"), "CR NEL LS PS"),
    **{"Scala": "CR FF SUB", "Haskell": "CR FF", "SCSS": "CR FF", "Elixir": "VT FF NEL LS PS", "TOML": "CR VT FF SUB"},
}
BARE = {"YAML": "a: 1", "TOML": "a = 1", "SCSS": "a { b: c; }", "Clojure": "(f)", "SQL": "select 1;", "PHP": "f();"}


@pytest.mark.parametrize("language", SIGNS)
def test_a_line_end_in_a_comment_ends_it(language):
    code = BARE.get(language, "f();" if SIGNS[language] == "//" and language not in ("Kotlin", "Go") else "f()")
    wrong = {name for name, end in ENDS.items() if not right(language, code, f"{code} {SIGNS[language]} x{end} {code}")}
    assert wrong == set(HIDING[language].split())
    for end in ENDS.values() if language not in ("Elixir", "YAML", "TOML") else "\r":
        assert right(language, code, f"{code} {SIGNS[language]} x{end}"), "nothing stands behind it"


@pytest.mark.parametrize(
    ("language", "developer", "model", "same"),
    [
        ("Java", "f();", "f(); // \\u000a g();", False),
        ("Java", "f();", "f(); // \\uuu000D g();", False),
        ("Java", "f();", "f(); /* \\u002a\\u002f g(); /* */", False),
        ("Java", "f();", "f(); /* \\u002A/ g(); /* */", False),
        ("Java", "f();", "f(); // C:\\users", False),  # no compiler passes it
        ("Java", "f();", "f(); // C:\\\\users, \\u00e9, \\\\u000a g();", True),
        ("Java", "f();", "f(); // \\u0041", True),
        ("Java", 's = "a";', 's = "\\u0061";', True),
        ("Java", 's = "a";', 's = "a\\u0022; g(); t = \\u0022";', False),
        ("Java", "f(); // \\u000a g();", "f();\n// c\ng();", True),
        ("Kotlin", "f()", "f() // \\u000a g()", True),
        ("C#", "F();", "F(); // \\u000a G();", True),
        ("Scala", "f()\n", "f() // \\u000a g()\n", False),
        ("Groovy", "f()\n", "f() // \\u000a g()\n", False),
        *((language, "f();\ng();", "f(); // x \\\ng();", False) for language in ("C", "C++", "Objective-C")),
        *((language, "f();\ng();", "f(); // x \\ \t\ng();", False) for language in ("C", "C++", "Objective-C")),
        *((language, "f();\ng();", "f(); // x ??/\ng();", False) for language in ("C", "C++", "Objective-C")),
        *((language, "f();\ng();", "f(); // x \\ y\ng();", True) for language in ("C", "C++", "Objective-C")),
        *((language, "f();\ng();", "f(); // x \\\ng();", True) for language in ("Java", "JavaScript", "C#", "Rust")),
        ("Python", "f()\ng()", "f() # x \\\ng()", True),
        ("PHP", "f();", "f(); // x ?> y", False),
        ("JavaScript", "return a;", "return\ra;", False),
        ("JavaScript", "return a;", "return\u2028a;", False),
        ("JavaScript", "return a;", "return /*\u2028*/ a;", False),
        ("JavaScript", 's = "a\u2028b";', 's = "a\u2028b" ; // c', True),
        ("JavaScript", 's = "a\u2028b";', 's = "a\u2029b";', False),
        ("JavaScript", "f();\ng();", "f(); // x\r// y\rg();", True),
        ("C#", "#if A\nF();\n#endif", "#if A // x\rF();\n#endif", True),
        ("Python", "f()\ng()", "f() # x\rg()", False),  # g at the first column
        ("Python", "s = 'a\u2028b'", "s = 'a\u2028b'  # c", True),
    ],
)
def test_line_ends_by_another_name(language, developer, model, same):
    assert right(language, developer, model) == same


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.lists(
        st.sampled_from(["\\", "\\\\", "\\u", "\\u0041", "\\uu002f", "\\u00e9", "u", "0041", "a", "\n", "//", '"']),
        max_size=20,
    ).map("".join)
)
def test_escapes_are_read_as_java_reads_them(text):
    """An escape is a backslash behind an even number of others, one or more u, four digits: read letter by letter."""
    read = decoded(text, "Java")
    got, expected, at = read.text if read else text, "", 0
    while at < len(text):
        if match := re.compile(r"\\u+00([0-7][0-9A-Fa-f])").match(text, at):
            expected, at = expected + chr(int(match[1], 16)), match.end()
        else:
            step = 2 if text.startswith("\\\\", at) else 1
            expected, at = expected + text[at : at + step], at + step
    assert got == expected
    if read:
        assert len(read.places) == len(got) + 1 and read.places == sorted(set(read.places))
        assert all(text[place] == char for char, place in zip(got, read.places, strict=False) if text[place] != "\\")
    starts = [start for _, start, _, _ in lex(text, "Java").words]
    assert starts == sorted(starts) and all(0 <= start <= len(text) for start in starts)


# ---- line ends that the language forbids, or that end the statement

MOVED = [  # language, code, the same with a line end where it breaks the code or its meaning
    *(
        (language, code, moved)
        for language in ("JavaScript", "TypeScript", "TSX")
        for code, moved in [
            ("throw a;", "throw\n  a;"),
            ("throw a;", "throw // why\n  a;"),
            ("throw a;", "throw /*\n*/ a;"),
            ("return a;", "return\n  a;"),
            ("a++;\nb;", "a\n++\nb;"),
            ("a--;\nb;", "a\n--\nb;"),
            ("z: for (;;) { continue z; }", "z: for (;;) { continue\n z; }"),
            ("z: for (;;) { break z; }", "z: for (;;) { break\n z; }"),
            ("function* g() { yield a; }", "function* g() { yield\n a; }"),
            ("for (; a; b++) f();", "for (; a; b\n++) f();"),
            ("function* g() { yield* a; }", "function* g() { yield\n* a; }"),
            ("x = async () => 1;", "x = async\n() => 1;"),
            ("x = async a => 1;", "x = async\na => 1;"),
            ("async function g() {}", "async\nfunction g() {}"),
            ("x = (a) => 1;", "x = (a)\n=> 1;"),
            ("f(a)\n;[b].c()", "f(a)\n[b].c()"),
        ]
    ),
    ("TypeScript", "abstract class A {}", "abstract\nclass A {}"),
    ("TypeScript", "interface A {}", "interface\nA {}"),
    ("TypeScript", "type A = 1;", "type\nA = 1;"),
    ("TypeScript", "x = a as B;", "x = a\nas B;"),
    ("TypeScript", "class A { private x = 1; }", "class A { private\n x = 1; }"),
    ("Go", "if x {\n\tg()\n}", "if x\n{\n\tg()\n}"),
    ("Go", "if x {\n\tg()\n} else {\n\th()\n}", "if x {\n\tg()\n}\nelse {\n\th()\n}"),
    ("Go", "x := func() {\n\tg()\n}", "x := func()\n{\n\tg()\n}"),
    ("Go", "g(a, b)", "g(a\n, b)"),
    ("Go", "g(a, b)", "g(a, b\n)"),
    ("Go", "x := []int{1, 2}", "x := []int{1,\n2\n}"),
    ("Go", "x := a[1]", "x := a[1\n]"),
    ("Go", "x := a[1]", "x := a\n[1]"),
    ("Go", "x := (a)", "x := (a\n)"),
    ("Go", "x := a + b", "x := a\n+ b"),
    ("Go", "x := a.b()", "x := a\n.b()"),
    ("Go", "x++", "x\n++"),
    ("Go", "x := 1", "x\n:= 1"),
    ("Go", "return a", "return /*\n*/ a"),
    ("Go", "return a", "return // c\na"),
    ("Go", "for a := 0; a < 1; a++ {\n}", "for a := 0; a < 1; a++\n{\n}"),
    ("Go", "x := a.(int)", "x := a.(int\n)"),
    ("Python", "y = 1", "y =\n    1"),
    ("Python", "y = 1", "y =\n1"),
    ("Python", "y = a + b", "y = a\n+ b"),
    ("Python", "assert a, b", "assert a,\nb"),
    ("Python", "x = a if b else c", "x = a if b\nelse c"),
    ("Python", "x = not a", "x = not\na"),
    ("Python", "x = lambda: 1", "x = lambda:\n1"),
    ("Python", "del a", "del\na"),
    ("Python", "with a as b, c as d:\n    pass", "with a as b,\nc as d:\n    pass"),
    ("Python", "if a:\n        b()\n        c()", "if a:\n        b()\n\tc()"),
    ("Python", "if a:\n    if b:\n        c()\n        d()", "if a:\n    if b:\n        c()\n    \td()"),
    *((language, "#define A(x) 1", "#define\nA(x) 1") for language in ("C", "C++")),
    *((language, "#define A(x) 1", "#define A(\nx) 1") for language in ("C", "C++")),
    *((language, "#define A(x) 1", "#define A(x // c\n) 1") for language in ("C", "C++")),
    ("Kotlin", "return a", "return\na"),
    ("Kotlin", "val x = a == b", "val x = a\n== b"),
    ("Kotlin", "val x = a * b", "val x = a\n* b"),
    ("Kotlin", "val x = a < b", "val x = a\n< b"),
    ("Kotlin", "val x = a in b", "val x = a\nin b"),
    ("Kotlin", "val x = a !in b", "val x = a\n!in b"),
    ("Kotlin", "val x = a..b", "val x = a\n..b"),
    ("Kotlin", "val x = a to b", "val x = a\nto b"),
    ("Kotlin", "x = 1", "x\n= 1"),
    ("Kotlin", "x += 1", "x\n+= 1"),
    ("Ruby", "return a", "return\na"),
    ("Ruby", "x = a * b", "x = a\n* b"),
    ("Ruby", "x = a == b", "x = a\n== b"),
    ("Ruby", "g a, b", "g a\n, b"),
    ("Ruby", "g(a) { b }", "g(a)\n{ b }"),
    ("Ruby", "x = a if b", "x = a\nif b"),
    ("Swift", "return a\n", "return\na\n"),
    ("Swift", "x = f(a)\n", "x = f\n(a)\n"),
    ("Scala", "return a\n", "return\na\n"),
    ("Groovy", "return a\n", "return\na\n"),
    ("Groovy", "x = a * b\n", "x = a\n* b\n"),
    ("Groovy", "x = a == b\n", "x = a\n== b\n"),
    ("R", "x <- a / b\n", "x <- a\n/ b\n"),
    ("R", "x <- a %in% b\n", "x <- a\n%in% b\n"),
    ("Julia", "x = a / b\n", "x = a\n/ b\n"),
    ("Julia", "x = a == b\n", "x = a\n== b\n"),
    ("TOML", "a = 1\n", "a =\n1\n"),
    ("TOML", "a = 1\n", "a\n= 1\n"),
    ("CMake", "set(a b)\nset(c d)\n", "set(a b) set(c d)\n"),
    ("CMake", "set(a b)\n", "set\n(a b)\n"),
    ("SQL", "select 1\nGO\nselect 2\n", "select 1 GO\nselect 2\n"),
    ("SQL", "select 1\n/\nselect 2\n", "select 1 / select 2\n"),
]
FREE = [  # and where it is free
    ("JavaScript", "return a;", "return a\n;"),
    ("JavaScript", "throw a;", "throw a\n;"),
    ("JavaScript", "throw new A(a);", "throw new A(\n  a\n);"),
    ("JavaScript", "if (a)\n  ++b;", "if (a) ++b;"),
    ("JavaScript", "if (a) b(); else ++c;", "if (a) b(); else\n  ++c;"),
    ("JavaScript", "x = a => 1;", "x = a =>\n  1;"),
    ("JavaScript", "x.throw(a);", "x.throw\n(a);"),
    ("JavaScript", "x = { async: a };", "x = {\n  async: a\n};"),
    ("TypeScript", "x = a as B;", "x = a as\n  B;"),
    ("Go", "x := []int{1, 2}", "x := []int{1,\n\t2}"),
    ("Go", "x := func() { g() }", "x := func() {\n\tg()\n}"),
    ("Go", "if x { g() }", "if x {\n\tg()\n}"),
    ("Go", "x := struct{ a int }{1}", "x := struct {\n\ta int\n}{1}"),
    ("Go", "x := a + b", "x := a +\n\tb"),
    ("Go", "x := a.b()", "x := a.\n\tb()"),
    ("Go", "g(a...)", "g(a...\n)"),
    ("Go", "switch x {\ncase 1:\n\tg()\n}", "switch x {\ncase 1: g() }"),
    ("Go", "var (\n\tx = 1\n)", "var (\n\n\tx = 1 // c\n)"),
    ("Go", "g()\nh()", "g() // c\n\n/* d */\nh()"),
    ("Python", "f(a, b)", "f(\n    a, b\n)"),
    ("Python", "y = 1", "y = \\\n    1"),
    ("Python", "y = [a\n for a in b]", "y = [a for a\n in b]"),
    ("Python", "if a:\n    b()\n    c()", "if a:\n        b()\n\n        # d\n        c()"),
    ("Python", "if a:\n\tb()\n\tc()", "if a:\n\t    b()\n\t    c()"),
    ("Python", "f(a)", "\f    f(a)"),
    ("Kotlin", "val x = 1", "val x\n    = 1"),
    ("Kotlin", "val x = f(a * b)", "val x = f(a\n    * b)"),
    ("Kotlin", "val x = a?.b", "val x = a\n    ?.b"),
    ("Kotlin", "val x: Map<A, B>? = a", "val x: Map<\n    A,\n    B\n>? = a"),
    ("Ruby", "x = a.b", "x = a\n  .b"),
    ("Ruby", "g a, b", "g a,\n  b"),
    ("R", "x <- (a / b)\n", "x <- (a\n  / b)\n"),
    ("R", "x <- a / b\n", "x <- a /\n  b\n"),
    ("Julia", "x = f(a / b)\n", "x = f(a\n  / b)\n"),
    ("TOML", "a = [1, 2]\n", "a = [1,\n  2]\n"),
    ("CMake", "set(a b)\n\nset(c d)\n", "set(a b)\nset(c d) # e\n"),
    ("SQL", "select go from a\n", "select\n  go from a\n"),
]


@pytest.mark.parametrize(("language", "code", "moved"), MOVED)
def test_a_line_end_where_none_may_be(language, code, moved):
    assert right(language, code, code + "\n")
    assert not right(language, code, moved)


@pytest.mark.parametrize(("language", "code", "moved"), FREE)
def test_a_line_end_where_it_is_free(language, code, moved):
    assert right(language, code, moved)
    assert right(language, moved, code)


# ---- signs that run together


@pytest.mark.parametrize(
    ("language", "code", "glued", "same"),
    [
        *((language, "x = a / *p;", "x = a/*p;", False) for language in ("C", "C++", "C#", "Rust", "Objective-C")),
        *(
            (language, "x = a - -b;", "x = a--b;", False)
            for language in ("C", "C++", "C#", "Java", "JavaScript", "TSX")
        ),
        *((language, "x = a + ++b;", "x = a+++b;", False) for language in ("C", "C++", "C#", "Java", "JavaScript")),
        *((language, "x = a * *p;", "x=a**p;", True) for language in ("C", "C++")),
        *((language, "#define A(x) 1", "#define A (x) 1", False) for language in ("C", "C++")),
        *((language, "#define A(x) 1", "#define A/**/(x) 1", False) for language in ("C", "C++")),
        *((language, "#define A(x) 1", "#define A( x )  1", True) for language in ("C", "C++")),
        ("PHP", "$x = $a - -$b;", "$x = $a--$b;", False),
        ("PHP", "$x = $a . 1;", "$x = $a.1;", False),
        ("PHP", "$x = $a . 1;", "$x = $a .1;", False),
        ("PHP", "$x = $a . $b;", "$x = $a.$b;", True),
        ("Go", "x := a / *p", "x := a/*p", False),
        ("Go", "x := a < -b", "x := a<-b", False),
        ("Go", "x := a - -b", "x := a--b", False),
        ("Go", "x := a + +b", "x := a++b", False),
        ("Go", "x := a & ^b", "x := a&^b", False),
        ("Go", "x := a - b*c", "x:=a-b * c", True),
        ("Go", "a <- -b", "a<- -b", True),
        ("JavaScript", "x = a / /b/;", "x = a//b/;", False),
        ("JavaScript", "x = a < !--b;", "x = a<!--b;", False),
        ("JavaScript", "x = a < !b;", "x = a<!b;", True),
        ("JavaScript", "x = 1 in a;", "x = 1in a;", False),
        ("JavaScript", "x = 1 .toFixed();", "x = 1.toFixed();", False),
        ("JavaScript", "x = a ? .5 : 1;", "x=a?.5:1;", True),
        ("C", "x = 0xE + 1;", "x = 0xE+1;", False),
        ("C", "x = 0xF + 1;", "x = 0xF+1;", True),
        ("C++", "x = 0x1e - a;", "x = 0x1e-a;", False),
        ("C++", 's = "a" B;', 's = "a"B;', False),
        ("C", 's = "a" B;', 's = "a"B;', True),
        ("C++", "A<A<int> > x;", "A<A<int>> x;", True),
        ("Rust", "x = a - -b;", "x = a--b;", True),  # no such sign there
        ("Python", "x = a - -b", "x = a--b", True),
    ],
)
def test_signs_that_run_together(language, code, glued, same):
    assert right(language, code, glued) == same
    assert right(language, glued, code) == same


def test_the_files_of_these_cases_are_those_of_the_adversarial_set():
    assert {language for language, *_ in MOVED} & set(FILES) == set(FILES) - {"Java", "Rust", "C#", "PHP"}
    assert TOP_LEVEL_PAIRS and set(SIGNS) <= set(languages.TABLE)
