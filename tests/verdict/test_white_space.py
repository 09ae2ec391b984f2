"""White space that means something, and spellings that do not, in languages with and without a trusted grammar."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.verdict import MATCH_TYPES, syntax, verify
from llmerge_helpers.verdict.tokens import _GRAMMARS, _WHERE_CLEAN

# language, what the developer wrote, what the model wrote
OTHER = [
    *((language, "int a;\n", "int\\\na;\n") for language in ("C", "C++", "Objective-C")),
    ("C", "x = a + +b;\n", "x = a+\\\n+b;\n"),
    ("TOML", "a = 1\n", "a =\n1\n"),
    ("YAML", "a: |\n  b\n  c\n", "a: |\n  b\n# c\n  c\n"),
    ("C", "#include <a.h>\nint x;\n", "#include <a.h>int x;\n"),
    ("C", "#include_next <a.h>\nint x;\n", "#include_next <a. h>\nint x;\n"),
    ("C++", "#import <a/b.h>\nint x;\n", "#import <a /b.h>\nint x;\n"),
    ("Makefile", "a: b\n\tc\n", "# d \\\na: b\n\tc\n"),
    ("PHP", "<?php\nuse A\\B;\n", "<?php\nuse A\\ B;\n"),
    ("PHP", "<?php\nf($x);\n", "<?php\nf($ x);\n"),
    ("CMake", 'set(a "b  c")\n', 'set(a "b c")\n'),
    ("CMake", "set(a [[b  c]])\n", "set(a [[b c]])\n"),
    ("CSS", "@media (a) and (b) { c { d: e; } }\n", "@media (a) and(b) { c { d: e; } }\n"),
    ("CSS", "a b { c: d; }\n", "a > b { c: d; }\n"),
    ("CSS", 'a { b: "c"; }\n', "a { b: 'd'; }\n"),
    ("CSS", "a { b: 1 -1; }\n", "a { b: 1 - 1; }\n"),
    ("CSS", "a { b: c d; }\n", "a { b: cd; }\n"),
    ("CSS", "a { b: calc(1px + 2px); }\n", "a { b: calc(1px+2px); }\n"),
    ("Clojure", '(def x "a  b")\n', '(def x "a b")\n'),
    ("Dart", "x = '''a\n  b''';\n", "x = '''a\n b''';\n"),
    ("Dockerfile", "# syntax=a\nRUN b\n", "# syntax=c\nRUN b\n"),
    ("Dockerfile", "RUN <<E\na\n\nb  \nE\n", "RUN <<E\na\n\nb\nE\n"),
    ("Dockerfile", "RUN a \\\n  b\n", "RUN a \\ \n  b\n"),
    ("Elixir", "a -1\n", "a - 1\n"),
    ("Elixir", "f(a)\n", "f (a)\n"),
    ("Elixir", "x = ~s(a  b)\n", "x = ~s(a b)\n"),
    ("Groovy", 'x = """a\n  b"""\n', 'x = """a\n b"""\n'),
    ("HTML", "<!--[if IE]><p>a</p><![endif]-->\n<p>b</p>\n", "<p>b</p>\n"),
    ("HTML", "<b>a</b><i>b</i>\n", "<b>a</b><!-- c --> <i>b</i>\n"),
    ("HTML", '<p a="b  c">d</p>\n', '<p a="b c">d</p>\n'),
    ("HTML", "<p>a b</p>\n", "<p>ab</p>\n"),
    ("HTML", "<pre>\na  \nb</pre>\n", "<pre>\na\nb</pre>\n"),
    ("HTML", "<script>a = `b  c`</script>\n", "<script>a = `b c`</script>\n"),
    ("HTML", "<textarea>\n a</textarea>\n", "<textarea>\n  a</textarea>\n"),
    (
        "Haskell",
        "f = case x of\n  A -> case y of\n    B -> 1\n  C -> 2\n",
        "f = case x of\n  A -> case y of\n    B -> 1\n    C -> 2\n",
    ),
    ("Haskell", "f x = do\n  a\n  b\n", "f x = do\n  a\n    b\n"),
    ("Haskell", "f x | x > 1 = 2\n", "f x |\nx > 1 = 2\n"),
    ("Haskell", "f = do\n  g (a -\n      b)\n", "f = do\n  g (a -\n  b)\n"),
    ("Haskell", "x = [q|a  b|]\n", "x = [q|a b|]\n"),
    ("HTML", "<script>\n// a\nf();\n</script>\n", "<script>\n// a f();\n</script>\n"),
    ("Lua", "if a == 1 and b then c() end\n", "if a == 1and b then c() end\n"),
    ("Haskell", "x = f . g\n", "x = F.g\n"),
    ("INI", "a = b\n\n  c\n", "a = b\n  c\n"),
    ("INI", "a = b\n  c\n", "a = b\nc\n"),
    ("INI", "a = b  c\n", "a = b c\n"),
    ("INI", "a = b ; c\n", "a = b\n"),
    ("JSON", '["a  b"]\n', '["a b"]\n'),
    ("JSON", '{"a": 1}\n', '{"a": "1"}\n'),
    ("Julia", "[a -b]\n", "[a - b]\n"),
    ("Julia", "[a b]\n", "[a;b]\n"),
    ("Julia", 'x = """a\n  b"""\n', 'x = """a\n b"""\n'),
    ("Kotlin", "fun f() { a\n + b }\n", "fun f() { a + b }\n"),
    ("Lua", "a = b - -c\n", "a = b --c\n"),
    ("Lua", "x = 'a  b'\n", "x = 'a b'\n"),
    ("Lua", "x = [[a\n\n b]]\n", "x = [[a\n b]]\n"),
    ("Makefile", "A = b  \n", "A = b\n"),
    ("Makefile", "a:\n\tb; \\\n\n\tc\n", "a:\n\tb; \\\n\tc\n"),
    ("Makefile", "a: b \\\n  c\n", "a: b \\ \n  c\n"),
    ("Makefile", "define A\nx\n\ny\nendef\n", "define A\nx\ny\nendef\n"),
    ("Markdown", "- ~~~\n  a\n\n\n  b\n  ~~~\n", "- ~~~\n  a\n\n  b\n  ~~~\n"),
    ("Markdown", "```\na\n\n\nb\n```\n", "```\na\n\nb\n```\n"),
    ("Markdown", "```\na\n\nb\n```\n", "```\na\nb\n```\n"),
    ("Markdown", "```\na  \nb\n```\n", "```\na\nb\n```\n"),
    ("Markdown", "one  \ntwo\n", "one\ntwo\n"),
    ("Markdown", "x\n\n    a\n\n\n    b\n", "x\n\n    a\n\n    b\n"),
    ("Objective-C", "#define A 1\nint b;\n", "#define A 1 int b;\n"),
    ("Objective-C", "@interface A\n@end\n", "@interfaceA\n@end\n"),
    ("Objective-C", "#import <A/B.h>\n@interface C\n@end\n", "#import <A/B.h>@interface C\n@end\n"),
    ("Objective-C", 'x = @"a  b";\n', 'x = @"a b";\n'),
    ("Perl", "$x = q{a  b};\n", "$x = q{a b};\n"),
    ("Perl", "@x = qw(a b);\n", "@x = qw(ab);\n"),
    ("Perl", "print (1) . 2;\n", "print(1)  x. 2;\n"),
    ("Perl", "print <<E;\na  b\nE\n", "print <<E;\na b\nE\n"),
    ("PowerShell", '$a = @"\na  b\n"@\n', '$a = @"\na b\n"@\n'),
    ("PowerShell", "f $a.b\n", "f $a .b\n"),
    ("PowerShell", "f -a b\n", "f - a b\n"),
    ("PowerShell", "f `\n  b\n", "f ` \n  b\n"),
    ("Properties", "a=b  \nc=d\n", "a=b\nc=d\n"),
    ("Properties", "a=b \\\n c\n", "a=b \\ \n c\n"),
    ("Protobuf", 'x = "a  b";\n', 'x = "a b";\n'),
    ("Python", "# vim: coding: x\na = 1\n", "# vim: coding: y\na = 1\n"),
    ("R", 'x <- "a\n  b"\n', 'x <- "a\n b"\n'),
    ("SCSS", 'a { b: "c  d"; }\n', 'a { b: "c d"; }\n'),
    (
        "SQL",
        "create function f() returns int as $$ x  = 1 $$ language plpython3u;\n",
        "create function f() returns int as $$ x = 1 $$ language plpython3u;\n",
    ),
    ("SQL", "select $$a  b$$;\n", "select $$a b$$;\n"),
    ("SQL", "select $x$a\n  b$x$;\n", "select $x$a b$x$;\n"),
    ("SQL", "select 'a' from t;\n", 'select "a" from t;\n'),
    ("SQL", "select count(*) from t;\n", "select count (*) from t;\n"),
    ("Scala", "class A {\n  a\n  (b)\n}\n", "class A {\n  a (b)\n}\n"),
    ("Scala", 'x = """a\n  b"""\n', 'x = """a\n b"""\n'),
    ("Scala", 'x = s"a  $b"\n', 'x = s"a $b"\n'),
    ("Shell", "[ a = b ]\n", "[ a=b ]\n"),
    ("Shell", "[[ a == b ]]\n", "[[ a ==\n b ]]\n"),
    ("Shell", "a $b$c\n", "a $b $c\n"),
    ("Shell", "a \\\n b\n", "a \\ \n b\n"),
    ("Shell", "a b \\\n  c\n", "a b\n\\\n  c\n"),
    ("Shell", 'a="b\n\n$c"\n', 'a="b\n$c"\n'),
    ("Shell", "a='b  c'\n", "a='b c'\n"),
    ("Shell", "cat <<E\n  a\nE\n", "cat <<E\n a\nE\n"),
    ("Shell", "cat <<E\na  \nE\n", "cat <<E\na\nE\n"),
    ("Shell", "f() {\n  a\n}\n", "f() {a\n}\n"),
    ("Shell", "x=1 a\n", "x=1\na\n"),
    ("Swift", "a = -b\n", "a = - b\n"),
    ("Swift", 'x = """\n  a\n\n  b\n  """\n', 'x = """\n  a\n  b\n  """\n'),
    ("Swift", 'x = "a  \\(b)"\n', 'x = "a \\(b)"\n'),
    ("Swift", "x = a ? b : c\n", "x = a? b : c\n"),
    ("TOML", "[a]\nb = 1\n", "[a.b]\nb = 1\n"),
    ("TOML", 'a = """b\n\nc"""\n', 'a = """b\nc"""\n'),
    ("TOML", "a = '1'\n", "a = 1\n"),
    ("TSX", "x = <p>a b</p>;\n", "x = <p>a{/* c */} b c</p>;\n"),
    ("TSX", "x = <p>{a}</p>;\n", "x = <p>{/* a */}</p>;\n"),
    ("Text", "a\t\n", "a\n"),
    ("Text", "a\tb\t\nc\n", "a\tb\nc\n"),
    ("Vue", "x = `a  \nb`\n", "x = `a\nb`\n"),
    ("XML", '<a b="c  d"/>\n', '<a b="c d"/>\n'),
    ("XML", '<a xml:space="preserve">\n  <b/>\n</a>\n', '<a xml:space="preserve">\n<b/>\n</a>\n'),
    ("XML", "<a>\n  <![CDATA[b]]>\n</a>\n", "<a><![CDATA[b]]></a>\n"),
    ("XML", "<a><![CDATA[b\n\n c]]></a>\n", "<a><![CDATA[b\n c]]></a>\n"),
    ("XML", "<a><![CDATA[b  c]]></a>\n", "<a><![CDATA[b c]]></a>\n"),
    ("XML", "<a>b  c</a>\n", "<a>b\nc</a>\n"),
    ("YAML", "a:\n  - b: c\n    d: e\n", "a:\n  - b: c\n  - d: e\n"),
    ("YAML", "a:\n  - b: c\n    d: e\n", "a:\n  - b: c\n  d: e\n"),
    ("YAML", 'a: "b \\\n  c"\n', 'a: "b \\ \n  c"\n'),
    ("YAML", "a: '1'\n", "a: 1\n"),
    ("YAML", "a: >\n  b\n   c\n", "a: >\n  b\n  c\n"),
    ("YAML", "a: b\n", "a:\tb\n"),
    ("YAML", "a: {b: c}\n", "a: {b: d}\n"),
    ("YAML", "a: |\n  b\n  c\n", "a: |2\n   b\n   c\n"),
    ("YAML", "a: |\n  b  \n", "a: |\n  b\n"),
    ("YAML", "a: |+\n  b\n\n\nc: d\n", "a: |+\n  b\n\nc: d\n"),
    ("reStructuredText", "x::\n\n  a\n\n\n  b\n", "x::\n\n  a\n\n  b\n"),
]
SAME = [
    ("C", "#define A(x) f(x); g(x)\n", "#define A(x) f(x);\\\n  g(x)\n"),
    ("C", "#  define A 1\n", "#define A 1\n"),
    ("C", "#include <a.h>\n", "# include <a.h>\n"),
    ("CMake", "set(a b)\n", "set( a b )\n"),
    ("CSS", "@media (a) { b { c: d; } }\n", "@media (a){b{c:d;}}\n"),
    ("CSS", "a > b { c: d; }\n", "a>b{c:d;}\n"),
    ("CSS", "a, b { c: d 1px; }\n", "a,b { c:d 1px; }\n"),
    ("Dart", "f(a, b);\n", "f(a,b);\n"),
    ("Dockerfile", "RUN a\n", "# x\nRUN a  \n\n"),
    ("Dockerfile", "RUN a \\\n  b\n", "RUN a \\\n  # c\n  b\n"),
    ("Elixir", "f(a, b)\n", "f(\n  a,\n  b\n)\n"),
    ("Groovy", "f(a, b)\n", "f(a,b)\n"),
    ("HTML", "<br />\n", "<br/>\n"),
    ("HTML", '<p a="b" c>d</p>\n', '<p a="b"\n   c>d</p>\n'),
    ("HTML", "<p>a\n  b</p>\n", "<p>a b</p>\n"),
    ("HTML", "<p>a</p>\n<p>b</p>\n", "  <p>a</p>\n\n  <p>b</p>\n"),
    ("HTML", "<p>a</p>\n<p>b</p>\n", "<p>a</p>\n<!-- c -->\n<p>b</p>\n"),
    ("Haskell", "f x = do\n  a\n  b\n", "f x = do\n    a\n    b\n"),
    ("Haskell", "x = [a, b]\n", "x = [ a\n    , b\n    ]\n"),
    ("Haskell", "f = do\n  g (a - b)\n  h\n", "f = do\n    g (a -\n      b)\n    h\n"),
    ("Haskell", "x = A { b = 1 }\n", "x = A {\nb = 1\n}\n"),
    ("INI", "a = 1\n", "; x\na=1\n"),
    ("JSON", '{"a": [1]}\n', '{"a":[1]}\n'),
    ("JavaScript", "x = <p><b/></p>;\n", "x = <p>{/* c */}<b/></p>;\n"),
    ("Julia", "x = f(a, b)\n", "x = f(a,b)\n"),
    ("Kotlin", "fun f() = a && b\n", "fun f() = a\n  && b\n"),
    ("Lua", "a = b\n", "a=b\n"),
    ("Lua", "f(a, b)\n", "f( a,b )\n"),
    ("Makefile", "a: b\n\tc\n", "# x\n\na: b\n\n\tc\n"),
    ("Makefile", "a: b\n\tc\n", "a: b\n\tc  \n"),
    ("Markdown", "# A  \n\nb\n", "# A\n\nb\n"),
    ("Markdown", "a\n\nb\n", "a \n\n\nb\n"),
    ("Markdown", "a  \n\nb\n", "a\n\nb\n"),
    ("Markdown", "a  \nb\n", "a    \nb\n"),
    ("Objective-C", "[a b:c];\n", "[a  b: c];\n"),
    ("Objective-C", "int a = b + 1;\n", "int a=b+1;\n"),
    ("Perl", "my $a = 1;\n", "my $a=1;\n"),
    ("PowerShell", "$a = 1\n", "$a=1\n"),
    ("PowerShell", "if ($a) {\n  b\n}\n", "if ($a) {\n    b\n}\n"),
    ("Protobuf", "a = 1;\n", "a=1;\n"),
    ("Python", "a = 1\na = 1\na = 1\n", "a = 1\na = 1\n# the coding: x\na = 1\n"),
    ("R", "f(a, b)\n", "f(\n  a,\n  b\n)\n"),
    ("R", "x <- f(a, b)\n", "x<-f(a,b)\n"),
    ("Ruby", "x = 1\nx = 1\nx = 1\n", "x = 1\nx = 1\n# a note\nx = 1\n"),
    ("SCSS", "a > b { c: d; }\n", "a>b { c: d; }\n"),
    ("SCSS", "a { b: c; }\n", "a{b:c;}\n"),
    (
        "SQL",
        "create function f() returns int as $$\nbegin\n  return 1;\nend $$ language plpgsql;\n",
        "create function f() returns int as $$\nbegin\n    return 1;\nend $$ language plpgsql;\n",
    ),
    ("SQL", "select a, b from t where a = 1;\n", "select a,b\nfrom t\nwhere a=1;\n"),
    ("Scala", "class A {\n  def f = 1\n}\n", "class A {\n    def f = 1\n}\n"),
    ("Scala", "f(a, b)\n", "f(\n  a,\n  b\n)\n"),
    ("Scala", "val a = b\n", "val a=b\n"),
    ("Shell", "a | b && c\n", "a |\n  b &&\n  c\n"),
    ("Shell", "f() {\n  a\n}\n", "f() {\n\ta\n}\n"),
    ("Shell", "if a; then\n  b c\nfi\n", "if a; then\n    b c\nfi\n"),
    ("Swift", "f(a) { b }\n", "f(a) {\n  b\n}\n"),
    ("Swift", "f(a, b)\n", "f(\n  a,\n  b\n)\n"),
    ("Swift", "let a = b + c\n", "let a = b+c\n"),
    ("Swift", "x = a\n  .b()\n", "x = a // c\n  .b()\n"),
    ("TOML", "[a]\nb = 1\n", "[ a ]\n  b = 1 # c\n"),
    ("TOML", "a = 1\n", "a=1\n"),
    ("TOML", "a = [1, 2]\n", "a = [\n  1,\n  2\n]\n"),
    ("TSX", "x = <p>\n  <b/>\n</p>;\n", "x = <p>\n  {/* c */}\n  <b/>\n</p>;\n"),
    ("Text", "\ta\n", "\ta  \n"),
    ("Text", "a\nb\n", "a  \nb\n"),
    ("XML", '<a b="c" d="e"/>\n', '<a b="c"\n   d="e" />\n'),
    ("XML", "<a>\n  <b>c</b>\n</a>\n", "<a><b>c</b></a>\n"),
    ("XML", "<a><b/></a>\n", "<a><b /></a>\n"),
    ("YAML", "- a\n- b\n", "- a\n\n# c\n- b\n"),
    ("YAML", "a:\n  - b\n  - c: d\n    e: f\n", "a:\n- b\n- c: d\n  e: f\n"),
    ("YAML", "a:\n  b: |\n    x\n      y\n  c: d\n", "a:\n    b: |\n        x\n          y\n    c: d\n"),
    ("YAML", "a: 'b\n  c'\n", "a: 'b\n    c'\n"),
    ("YAML", "{a: 1}\n", "{ a: 1 }\n"),
]


@pytest.mark.parametrize("whole", [True, False], ids=["file", "snippet"])
@pytest.mark.parametrize(("same", "case"), [(False, case) for case in OTHER] + [(True, case) for case in SAME])
def test_white_space(same, case, whole):
    language, developer, model = case
    row = {"language": language, "before": "", "after": "", "resolution": developer}
    if whole:
        row |= {"prefix": "", "suffix": ""}
    assert verify(f"````\n{model}````", row).is_correct == same


FILE = {
    "Java": "class A { void f(int a) { g(a, 1); } }\n",
    "Scala": "object A { def f(a: Int) = g(a, 1) }\n",
    "Shell": "f() {\n  a b | c\n}\n",
    "YAML": "- a: b\n  c: d\n",
    "Groovy": "def f(a) { g(a, 1) }\n",
    "SCSS": ".a { b: c 1; }\n",
    "Perl": "sub f { my $a = g(1, 2); }\n",
}


@pytest.mark.parametrize("language", FILE)
def test_a_long_file_is_judged_like_a_short_one(language):
    """By what is known of its row: the tree, or the state of the lexer where the code begins."""
    piece = FILE[language]
    row = {"language": language, "before": piece, "resolution": piece, "after": piece}
    row |= {"prefix": piece * 400, "suffix": piece * 400}
    blank, other = f"{piece}{piece}\n{piece}", piece + piece.replace("a", "q", 1) + piece
    for _ in range(2):
        assert verify(f"```\n{blank}```", row).match_type == "normalized_match"
        assert verify(f"```\n{other}```", row).match_type == "incorrect_resolution"


BROKEN = {  # with what no parser takes: a macro, signs
    "C++": ("BEGIN(a) {{ b c\n", "int f(int a) { return g(a, 1); }\n"),
    "Java": ("class A { ? ? }\n", FILE["Java"]),
}


@pytest.mark.parametrize("language", BROKEN)
def test_a_long_file_that_does_not_parse_is_judged_soon(language):
    start, piece = BROKEN[language]
    row = {"language": language, "before": piece, "resolution": piece, "after": piece}
    row |= {"prefix": start + piece * 3000, "suffix": piece * 3000}
    blank, other = f"{piece}{piece}\n{piece}", piece + piece.replace("(a, 1)", "(q, 1)") + piece
    assert verify(f"```\n{blank}```", row).match_type == "normalized_match"
    started = time.process_time()
    assert verify(f"```\n{blank}\n```", row).match_type == "normalized_match"
    assert verify(f"```\n{other}```", row).match_type == "incorrect_resolution"
    assert verify(f"```\n{other.replace('q', '((')}```", row).match_type == "incorrect_resolution"
    assert time.process_time() - started < 0.5  # a fifth of it here; two seconds where all of the file is walked


def test_code_that_swallows_a_long_file():
    row = {"language": "Groovy", "before": "", "resolution": "a()\nb()\n", "after": ""}
    row |= {"prefix": "c()\n" * 900, "suffix": "d() /* e */\n" * 900}
    assert verify("```\na()\n\nb()\n```", row).match_type == "normalized_match"
    assert not verify("```\na()\nb() /*\n```", row).is_correct


PIECES = [c for case in OTHER[::7] for c in case[1:]] + ["", " ", "\n", '"', "{", "}", "#", "/*", "*/", "x = 1\n"]


@settings(deadline=None, derandomize=True, max_examples=20)
@given(
    st.sampled_from(["Java", "Python", "Ruby", "JavaScript", "YAML", "Shell", "Scala", "HTML", "Haskell"]),
    st.sampled_from(PIECES),
    st.sampled_from(PIECES),
)
def test_a_tree_made_from_another_is_the_same(language, one, other):
    grammars = _GRAMMARS.get(language) or [_WHERE_CLEAN[language]]
    around = FILE.get(language, "a\n")
    around *= 10_000 // len(around) + 1
    texts = [around + middle + around for middle in (one, other)]
    like = syntax.Like(texts[0], len(around), len(around) + len(one))
    made, new = syntax.parse(texts[1], grammars, like=like), syntax.parse(texts[1], grammars)
    assert bool(made and made.clean) == bool(new and new.clean)
    if made and new and new.clean:
        words = [list(syntax.leaves(parsed, texts[1], (0, len(texts[1])))) for parsed in (made, new)]
        assert words[0] == words[1]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("Perl", "s{" * 9_000),
        ("Java", "A<" * 10_000),
        ("YAML", "- " * 9_000),
        ("Lua", "[=[" * 9_000),
        ("SQL", "$a" * 9_000),
    ]
    + [("YAML", "- " * 500), ("Dart", '"${' * 9_000), ("XML", "<![CDATA[" * 3_000), ("INI", "a " * 9_000)],
)
def test_what_no_parser_can_read_is_no_trouble(language, text):
    """Some take a minute for these, and the scanner of YAML crashes."""
    row = {"language": language, "before": "a\n", "resolution": text, "after": "\nb\n"}
    assert verify(f"```\na\n{text}\nb\n```", row).match_type == "exact_match"
    assert verify(f"```\na\n{text} \n\nb\n```", row).match_type in MATCH_TYPES
    assert not verify(f"```\na\n{text}c\nb\n```", row).is_correct
