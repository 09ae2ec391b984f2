"""What may stand between two tokens, language by language, as their compilers and parsers say: both ways, in a file and
as a piece of one.
"""

from __future__ import annotations

import pytest

from llmerge_helpers.verdict import verify

# language, code, and code that is another one, or none at all
OTHER = [
    ("HTML", "<p>a</p>\n", "< p>a</p>\n"),
    ("HTML", "<p>a</p>\n", "<\np>a</p>\n"),
    ("HTML", "<li>a</li>\n", "<li>a</\nli>\n"),
    ("HTML", "---\na: b\n---\n<p>c</p>\n", "--- a: b ---\n<p>c</p>\n"),
    ("Ruby", '{"a" => 1}\n', '{"a"\n=> 1}\n'),
    ("Ruby", "f(1, 2)\n", "f(1\n, 2)\n"),
    ("Ruby", "[1, 2]\n", "[1\n, 2]\n"),
    ("Ruby", "x = a && b\n", "x = a\n&& b\n"),
    ("Elixir", "[1, 2]\n", "[1\n, 2]\n"),
    ("Elixir", "f a, [b]\n", "f a[b]\n"),
    ("Elixir", "f [a]\n", "f[a]\n"),
    ("Groovy", "f {a}\n", "f({a})\n"),
    ("Groovy", "foo [1]\n", "foo[1]\n"),
    ("Groovy", "foo (a)\n", "foo(a)\n"),
    ("Groovy", "{ a -> b }\n", "{ a - > b }\n"),
    ("Groovy", "x = a && b\n", "x = a & &b\n"),
    ("Groovy", "x = a << b\n", "x = a < <b\n"),
    ("Groovy", "return { a }\n", "return\n{ a }\n"),
    ("Groovy", "x\n[1]\n", "x[1]\n"),
    ("Dart", "x => y;\n", "x = > y;\n"),
    ("Dart", "a..b();\n", "a . . b();\n"),
    ("R", "a\n(b)\n", "a(b)\n"),
    ("R", "a\n[1]\n", "a[1]\n"),
    ("R", "a <- b\n", "a < - b\n"),
    ("Swift", "let x = a ? b : c\n", "let x = a? b : c\n"),
    ("Scala", "def f(a_ : Int) = 1\n", "def f(a_: Int) = 1\n"),
    ("Scala", "object A:\n  def f = 1\n", "object A: def f = 1\n"),
    ("Perl", "my ($a) = @_;\n", "my $a = @_;\n"),
    ("CMake", "set(A [[b  c]])\n", "set(A [[b c]])\n"),
    ("CMake", "set(A [=[b\nc]=])\n", "set(A [=[b c]=])\n"),
    ("CMake", 'set(A "b\nc")\n', 'set(A "b c")\n'),
    ("HTML", "<p>a</p>\n", "<p>a</p><!--> <b>c</b> -->\n"),
    ("HTML", "<p>a</p>\n", "<p>a</p><!---> <b>c</b> -->\n"),
    ("HTML", "<p>a</p>\n", "<p>a</p><!-- b --!> <b>c</b> -->\n"),
    ("TSX", "function f() { return <a/>; }\n", "function f() { return\n<a/>; }\n"),
    ("INI", "k = v\n", "k =\nv\n"),
    ("Groovy", "foo a, b\n", "foo a\n, b\n"),
    ("Kotlin", "import a.b.C\n", "import a.b.\nC\n"),
    ("Kotlin", "import a.b\n", "import\na.b\n"),
    ("Kotlin", "@file:A\npackage b\n", "@ file:A\npackage b\n"),
    ("Kotlin", "fun f() { a.let { b } }\n", "fun f() { a.let\n{ b } }\n"),
    ("Rust", "fn f(x: &'a str) {}\n", "fn f(x: &' a str) {}\n"),
    ("PowerShell", "$x = a`\n  b\n", "$x = a` \n  b\n"),
    ("SCSS", "---\n---\na { b: c; }\n", "--- ---\na { b: c; }\n"),
    ("SCSS", "---\n---\na { b: c; }\n", "---\n--- a { b: c; }\n"),
    ("CSS", "---\n---\na { b: c; }\n", "--- ---\na { b: c; }\n"),
    ("Markdown", "---\na: b\n---\n", "--- a: b ---\n"),
    ("C", "#if __has_include(<a/b.h>)\nint x;\n#endif\n", "#if __has_include(<a/b. h>)\nint x;\n#endif\n"),
    ("C++", "#if __has_include(<a/b.h>)\nint x;\n#endif\n", "#if __has_include(<a/b .h>)\nint x;\n#endif\n"),
    ("C", "#embed <a.b> limit(1)\n", "#embed <a. b> limit(1)\n"),
    ("C", '#embed "a b" limit(1)\n', '#embed "a  b" limit(1)\n'),
    ("Properties", "a=b\n", "a: b\n"),
    ("Properties", "a=b\n", "a=b \n"),
    ("Properties", "a=\\ b\n", "a= b\n"),
    ("Properties", "a=b\\\n c\n", "a=b\n c\n"),
    ("Properties", "a\\ b=c\n", "a\\  b=c\n"),
    ("Properties", "a=\nb\n", "a=b\n"),
    ("Properties", "a=b\\\n#c\n", "a=b\\\n#d\n"),
    ("Clojure", '(f "a, b")\n', '(f "a b")\n'),
    ("Clojure", "[\\, \\a]\n", "[\\a]\n"),
    ("Clojure", "[1 2]\n", "[12]\n"),
    ("JavaScript", "return a;\n", "return\u2028a;\n"),
    ("JavaScript", "s = `a\u2028b`;\n", "s = `a\nb`;\n"),
    ("Python", "f(a, b)\n", "f(a,\u2028b)\n"),
    ("Java", "f(a, b);\n", "f(a,\u2028b);\n"),
    ("Go", "f(a, b)\n", "f(a,\u2028b)\n"),
    ("TypeScript", "export type A = 1;\n", "export type\nA = 1;\n"),
    ("TypeScript", "declare const a: B;\n", "declare\nconst a: B;\n"),
    ("TypeScript", "x = (a as B);\n", "x = (a\nas B);\n"),
    ("TypeScript", "f(a!);\n", "f(a\n!);\n"),
    ("TypeScript", "let a: B<C>;\n", "let a: B\n<C>;\n"),
    ("TypeScript", "let a: B[];\n", "let a: B\n[];\n"),
    ("PHP", "<?php use A;\n", "<?phpuse A;\n"),
    ("PHP", "<?php throw new \\A;\n", "<?php throw new\\A;\n"),
    ("Lua", "local a <const> = 1\n", "local a <const>= 1\n"),
    ("Java", "@interface A {}\n", "@interfaceA {}\n"),
    ("Python", "if a: b()\nc()\n", "if a:\n    b()\n    c()\n"),
    ("Python", "y = lambda: c\n", "y = lambda:\n    c\n"),
    ("Python", "x: int = 1\n", "x:\n    int = 1\n"),
    ("Python", "if a:\n    if b: c()\n    d()\n", "if a:\n    if b:\n        c()\n        d()\n"),
    ("PHP", "<?php f((int) $a);\n", "<?php f((\nint) $a);\n"),
]
# and the same code
SAME = [
    ("HTML", "<li>a</li>\n", "<li>a</li\n>\n"),
    ("HTML", "<p>a</p>\n", "<p >a</p >\n"),
    ("HTML", "---\na: b\n---\n<p>c</p>\n", "---\na: b\n---\n\n<p>c</p>\n"),
    ("Ruby", "f(1, 2)\n", "f(1,\n2\n)\n"),
    ("Ruby", "x = a ? b : c\n", "x = a ?\nb :\nc\n"),
    ("Ruby", "x = a ? b : c\n", "x = a ? b\n: c\n"),
    ("Ruby", "x = a.b\n", "x = a\n.b\n"),
    ("Ruby", "x = a && b\n", "x = a &&\nb\n"),
    ("Ruby", "f do |x| a end\n", "f do\n|x| a end\n"),
    ("Ruby", "a = *b\n", "a =\n*b\n"),
    ("Ruby", "f(a, *b, &c)\n", "f(a,\n*b,\n&c)\n"),
    ("Elixir", "[1, 2]\n", "[1,\n2]\n"),
    ("Elixir", "x = a |> b\n", "x = a\n|> b\n"),
    ("Elixir", "x = a and b\n", "x = a and\n  b\n"),
    ("Groovy", "f(a){ b }\n", "f(a) { b }\n"),
    ("Groovy", "if(a){b}\n", "if (a) {\n  b\n}\n"),
    ("Groovy", "x = [a:1, b:2]\n", "x = [\n  a: 1,\n  b: 2\n]\n"),
    ("Groovy", "{ a->b }\n", "{ a -> b }\n"),
    ("Groovy", "class A extends B{}\n", "class A extends B {\n}\n"),
    ("Groovy", "x = a<<b\n", "x = a << b\n"),
    ("Groovy", "def f(a=1){a}\n", "def f(a = 1) { a }\n"),
    ("Dart", "a..b()..c();\n", "a\n  ..b()\n  ..c();\n"),
    ("Dart", "x=>y;\n", "x => y;\n"),
    ("R", "if(a){b}\n", "if (a) {\n  b\n}\n"),
    ("Swift", "let x: Int = f(a: 1)\n", "let x : Int = f(a:1)\n"),
    ("Scala", "def f(a:Int)=a\n", "def f(a: Int) = a\n"),
    ("Perl", "if($a){b();}\n", "if ($a) {\n  b();\n}\n"),
    ("CMake", "set(A b c)\n", "set( A\n  b\tc )\n"),
    ("CMake", "if(A)\nb()\nendif()\n", "if (A)\n  b()\nendif ()\n"),
    ("HTML", "<p>b</p>\n", "<!-- a -->\n<p>b</p>\n"),
    ("INI", "k =\n", "k=\n"),
    ("INI", "[a]\nk = v\n", "[a]\nk=v\n"),
    ("Groovy", "jar {\n}\n", "jar\n{\n}\n"),
    ("Groovy", "foo(a, b)\n", "foo(a\n, b)\n"),
    ("Kotlin", "fun f() { a.let(1) { b } }\n", "fun f() { a.let(1)\n{ b } }\n"),
    ("Kotlin", "class A { init { b } }\n", "class A { init\n{ b } }\n"),
    ("Kotlin", "val a = b || c\n", "val a = b\n|| c\n"),
    ("Kotlin", "val a = b ?: c\n", "val a = b\n?: c\n"),
    ("Kotlin", "fun f() { a && b }\n", "fun f() { a\n&& b }\n"),
    ("Kotlin", "fun f() { if (a) { b } else { c } }\n", "fun f() { if (a)\n{ b }\nelse\n{ c } }\n"),
    ("Rust", "fn f(x: &'a str) {}\n", "fn f(x: & 'a str) {}\n"),
    ("SCSS", "---\n---\na { b: c; }\n", "---\n---\n\na {\n b: c;\n}\n"),
    ("CSS", "---\n---\na { b: c; }\n", "---\n---\n\na { b: c; }\n"),
    ("C++", "#if __has_include(<a/b.h>)\nint x;\n#endif\n", "# if __has_include(<a/b.h>) \nint  x;\n#endif\n"),
    ("C", "#embed <a.b> limit(1)\n", "#embed <a.b>  limit( 1 )\n"),
    ("Properties", "a=b\n", "a = b\n"),
    ("Properties", "a=b\n", "  a\t=\tb\n"),
    ("Properties", "a=\\ b\n", "a = \\ b\n"),
    ("Properties", "a=b\\\n c\n", "a=b\\\n    c\n"),
    ("Properties", "a=b\n", "# c\na=b\n"),
    ("Properties", "a b\n", "a  b\n"),
    ("Clojure", "{:a 1, :b 2}\n", "{:a 1 :b 2}\n"),
    ("Clojure", "[1, 2]\n", "[1,2]\n"),
    ("Clojure", "[1 2]\n", "[1,, 2,]\n"),
    ("JavaScript", "a = b;\n", "a =\u2028b;\n"),
    ("JavaScript", "f(a, b);\n", "f(a,\u2029 b);\n"),
    ("JavaScript", 's = "a\u2028b";\n', 's =\u2028"a\u2028b";\n'),
    ("TypeScript", "let a = b;\n", "let a =\u2028b;\n"),
    ("C#", "F(a, b);\n", "F(a,\u2028b);\n"),
    ("C#", "F(a, b);\n", "F(a,\x85b);\n"),
    ("TypeScript", "import { a as b } from 'c';\n", "import { a\nas b } from 'c';\n"),
    ("TypeScript", "export type { A };\n", "export type\n{ A };\n"),
    ("TypeScript", "f<A>(b);\n", "f<\nA\n>(b);\n"),
    ("Python", "if a: b()\n", "if a:\n    b()\n"),
    ("Python", "if a: b()\nelse: c()\nd()\n", "if a:\n    b()\nelse:\n  c()\nd()\n"),
    ("Python", "if a: b()\nc()\n", "if a:\n    b()\nc()\n"),
    ("Python", "class A: pass\n", "class A:\n    pass\n"),
    ("Python", "def f(a: int): return a\n", "def f(a: int):\n    return a\n"),
    ("Python", "x = {a: b}\ny = lambda: c\n", "x = {a:\nb}\ny = lambda: c\n"),
    ("Python", "if a:\n    if b: c()\n    d()\n", "if a:\n    if b:\n        c()\n    d()\n"),
    ("Python", "try: a()\nexcept B: c()\nfinally: d()\n", "try:\n  a()\nexcept B:\n  c()\nfinally:\n  d()\n"),
    ("Python", "match a:\n  case 1: b()\n  case _: c()\n", "match a:\n  case 1:\n    b()\n  case _:\n    c()\n"),
    ("PHP", "<?php f((int) $a);\n", "<?php f(\n( int ) $a);\n"),
]


@pytest.mark.parametrize(("same", "case"), [(False, case) for case in OTHER] + [(True, case) for case in SAME])
def test_what_stands_between_two_tokens(same, case):
    language, *codes = case
    for developer, model in (codes, codes[::-1]):
        for file in ({}, {"prefix": "", "suffix": ""}):
            row = {"language": language, "before": "", "after": "", "resolution": developer, **file}
            assert verify(f"````\n{developer}````", row).is_correct
            assert verify(f"````\n{model}````", row).is_correct == same, (developer, model)


PAGE = """<template>
  <p>
    {{ a }}
  </p>
</template>

<script lang="ts">
export default {
  a: 1,
}
</script>

<style scoped>
.b {
  c: d;
}
</style>
"""


@pytest.mark.parametrize(
    ("line", "other", "same"),
    [
        ("  <p>\n", "  <!-- c -->\n  <p>\n", True),
        ("  <p>\n", "  <p>\n    <!-- c\n      d -->\n", True),
        ("{{ a }}", "{{ a }} <!-- c -->", True),
        ("  a: 1,", "  // one\n  a: 1, // two", True),
        ("  a: 1,", "  /* one\n   * two */\n  a: 1, /* three */", True),
        (".b {", "/* e */\n.b { /* f */", True),
        ("{{ a }}", "<!-- {{ a }} -->", False),
        ("{{ a }}", "{{ '<!-- c -->' }}", False),
        ("<template>", "<!--[if IE]> c <![endif]-->\n<template>", False),
        ("  a: 1,", "  // a: 1,", False),
        ("  a: 1,", "  a: 1, /* b */ c: 2,", False),
        ("  a: 1,", "  a: '// 1',", False),
        ("  a: 1,", "  a: `\n// 1\n`,", False),
        ("  c: d;", "  /* c: d; */", False),
        ("  c: d;", "  c: '/* d */';", False),
    ],
)
def test_comments_in_the_parts_of_a_page(line, other, same):
    changed = PAGE.replace(line, other)
    for developer, model in ((PAGE, changed), (changed, PAGE)):
        for file in ({}, {"prefix": "", "suffix": ""}):
            row = {"language": "Vue", "before": "", "after": "", "resolution": developer, **file}
            assert verify(f"````\n{model}````", row).is_correct == same
    large = PAGE.replace("  a: 1,\n", "  a: f(1, b => c), // d\n" * 900)  # its tree is made from another
    changed = large.replace("  c: d;", "  c: d; /* e */").replace("// d\n}", "// f\n}")
    row = {"language": "Vue", "before": "", "after": "", "resolution": large, "prefix": "", "suffix": ""}
    assert verify(f"````\n{changed}````", row).is_correct
    assert not verify(f"````\n{changed.replace('=> c', '=> e', 1)}````", row).is_correct
