"""Pairs of code that a verdict must not mix up: the adversarial set, used by the tests and by benchmarks/verdicts.py.

Each pair is (name, language, what the developer wrote, what came, same). `same` is the truth: do both mean the same
once comments and insignificant white space are gone? Many of them fooled graders that strip comments with regular
expressions.
"""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    name: str
    language: str
    developer: str
    model: str
    same: bool


# A file around the code, in each language that has a grammar: everything before it, and everything after it.
FILES: dict[str, tuple[str, str]] = {
    "Java": ("package a;\n\nclass A {\n    void f(int a, int b) {\n        start();\n", "        end();\n    }\n}\n"),
    "Python": ("import os\n\n\ndef f(a, b):\n    start()\n", "    end()\n"),
    "JavaScript": ("'use strict';\nfunction f(a, b) {\n  start();\n", "  end();\n}\n"),
    "TypeScript": ("import x from 'x';\nfunction f(a: number, b: number) {\n  start();\n", "  end();\n}\n"),
    "TSX": ("import x from 'x';\nfunction f(a: number, b: number) {\n  start();\n", "  end();\n}\n"),
    "Go": ("package a\n\nfunc f(a int, b int) int {\n\tstart()\n", "\tend()\n}\n"),
    "Rust": ("fn f<'a>(a: i32, b: i32) -> i32 {\n    start();\n", "    end();\n    a\n}\n"),
    "C": ("int f(int a, int b)\n{\n\tstart();\n", "\tend();\n}\n"),
    "C++": ("int f(int a, int b)\n{\n\tstart();\n", "\tend();\n}\n"),
    "C#": ("class A\n{\n    void F(int a, int b)\n    {\n        Start();\n", "        End();\n    }\n}\n"),
    "Ruby": ("class A\n  def f(a, b)\n    start\n", "    finish\n  end\nend\n"),
    "PHP": ("<?php\nfunction f($a, $b) {\n    start();\n", "    finish();\n}\n"),
    "Kotlin": ("package a\n\nfun f(a: Int, b: Int) {\n    start()\n", "    end()\n}\n"),
}
# Code that does not belong into a function.
TOP_LEVEL: dict[str, tuple[str, str]] = {
    "Java": ("package a;\n", "class A {}\n"),
    "Python": ("import os\n", "end()\n"),
    "Go": ("package a\n", "func end() {}\n"),
    "C": ("int start;\n", "int end;\n"),
}

PAIRS: list[Pair] = [
    # strings that look like comments
    Pair("url in a string", "Java", 'get("http://a.com/v1"); f();', 'get("http://evil.org/v2");', False),
    Pair("url in a string, kept", "Java", 'get("http://a.com");', 'get( "http://a.com" ); // fetch', True),
    Pair("ant pattern", "Java", 'm("/**"); a(); m("*/");', 'm("/**"); b(); m("*/");', False),
    Pair("ant pattern, code removed", "Java", 'm("/**"); a(); m("*/");', 'm("/**"); m("*/");', False),
    Pair("comment between strings", "Java", 'm("/*"); /* note */ m("*/");', 'm("/*"); m("*/");', True),
    Pair("quote as a character", "Java", "c = '\"'; f(); // \"", "c = '\"'; // \"", False),
    Pair("quote as a character, kept", "Java", "c = '\"'; // one", "c = '\"'; // \" two", True),
    Pair("escaped quote", "Java", 's = "\\"// "; f();', 's = "\\"// "; // f();', False),
    Pair("text block", "Java", 's = """\n  // a\n  """;', 's = """\n  // b\n  """;', False),
    Pair("unicode in strings", "Java", 's = "größe";', 's = "große";', False),
    Pair("unicode identifiers", "Java", "größe = 1;", "große = 1;", False),
    Pair("white space in a string", "Java", 's = "a  b";', 's = "a b";', False),
    Pair("words in a string", "Java", 's = "a b";', 's = "ab";', False),
    Pair("css colour", "Python", 'c = "#fff"', 'c = "#000"', False),
    Pair("css colour, kept", "Python", 'c = "#fff"', 'c = "#fff"  # white', True),
    Pair("quotes of both kinds", "Python", "c = \"'#\" + '\"#' + x", "c = \"'#\" + '\"#' + y", False),
    Pair("sql in triple quotes", "Python", 'q("""select 1 -- #""")', 'q("""drop table t -- #""")', False),
    Pair("raw string", "Python", 'p = r"\\#" + a', 'p = r"\\#" + b', False),
    Pair("f-string", "Python", 's = f"{a}#{b}"', 's = f"{a}#{a}"', False),
    Pair("template literal", "JavaScript", "u = `http://${a}/x`;", "u = `http://${b}/x`;", False),
    Pair("template literal, kept", "JavaScript", "u = `//${a}`;", "u=`//${a}`; // the url", True),
    Pair("template literal, nested", "JavaScript", "u = `${a ? `//${b}` : c}`;", "u = `${a ? `//${a}` : c}`;", False),
    Pair(
        "template literal in TypeScript",
        "TypeScript",
        "const u: string = `/*${a}*/`;",
        "const u: string = `/*${b}*/`;",
        False,
    ),
    Pair("regular expression", "JavaScript", "r = /[/*]/; f(); g = '*/';", "r = /[/*]/; g = '*/';", False),
    Pair("regular expression with //", "JavaScript", "r = /\\/\\/a/;", "r = /\\/\\/b/;", False),
    Pair("raw string in Go", "Go", "s = `// a`", "s = `// b`", False),
    Pair("rune", "Go", "c = '\"'; f() // \"", "c = '\"'; g() // \"", False),
    Pair("raw string in Rust", "Rust", 'let s = r#"// "a"#;', 'let s = r#"// "b"#;', False),
    Pair("raw string in C++", "C++", 'auto s = R"(// a)";', 'auto s = R"(// b)";', False),
    Pair("comment start in a string", "C", 's = "/*"; f(); t = "*/";', 's = "/*"; t = "*/";', False),
    Pair("verbatim string", "C#", 's = @"c:\\"; F(); // "', 's = @"c:\\"; G(); // "', False),
    Pair("interpolated string", "C#", 's = $"//{a}";', 's = $"//{b}";', False),
    Pair("interpolation in Ruby", "Ruby", 'puts "#{a}"', 'puts "#{b}"', False),
    Pair("interpolation in Ruby, calls", "Ruby", 'x = "a#{f(1)}" + c', 'x = "a#{g(2)}" + c', False),
    Pair("heredoc", "Ruby", "x = <<~E\n  # a\nE", "x = <<~E\n  # b\nE", False),
    Pair("word array", "Ruby", "x = %w[#a b]", "x = %w[#a c]", False),
    Pair("colour in PHP", "PHP", "$c = '#fff'; f();", "$c = '#fff'; // f();", False),
    Pair("url in PHP", "PHP", '$u = "http://a"; f();', '$u = "http://b";', False),
    Pair("string template in Kotlin", "Kotlin", 'val s = "//${a}"', 'val s = "//${b}"', False),
    Pair("raw string in Kotlin", "Kotlin", 'val s = """/* $a"""', 'val s = """/* $b"""', False),
    # comments
    Pair("comment added", "Java", "f(a, b);", "// say why\nf(a, /* the second */ b);", True),
    Pair("comment removed", "Java", "f(a); // TODO\n/* x */", "f(a);", True),
    Pair("comment instead of a blank", "Java", "int x;", "int/**/x;", True),
    Pair("code in a comment", "Java", "f(a);\ng(b);", "f(a);\n// g(b);", False),
    Pair("comment that swallows code", "Java", "f(a); /* c */ g(b);", "f(a); /* c g(b); */", False),
    Pair("apostrophe in a comment", "Java", "f(a); // don't\ng(b);", "f(a);\ng(b);", True),
    Pair(
        "apostrophe in a comment, code changed",
        "Java",
        "f(a); // don't\ng(b); // '",
        "f(a); // don't\nh(b); // '",
        False,
    ),
    Pair("comment in Python", "Python", "f(a)", "# why\nf(a)  # how", True),
    Pair("comment at another indentation", "Python", "f(a)\ng(b)", "f(a)\n        # note\ng(b)", True),
    Pair("docstring", "Python", 'def g():\n    """One."""', 'def g():\n    """Two."""', False),
    Pair("docstring removed", "Python", 'def g():\n    """One."""\n    return 1', "def g():\n    return 1", False),
    Pair("nested comments", "Rust", "g();", "/* a /* b */ c */ g();", True),
    Pair("nested comments hide code", "Rust", "/* a /* b */ h(); */ g();", "/* a /* b */ */ h(); g();", False),
    Pair("doc comment", "Rust", "let x = 1;", "/// one\nlet x = 1;", True),
    Pair("nested comments in Kotlin", "Kotlin", "g()", "/* a /* b */ c */ g()", True),
    Pair("block comment in Ruby", "Ruby", "x = 1", "x = 1\n=begin\ny = 2\n=end", True),
    Pair("hash comment in PHP", "PHP", "f($a);", "f($a); # note", True),
    Pair("comment in JavaScript", "JavaScript", "f(a);", "f(a /* x */); // y", True),
    Pair("comment in C#", "C#", "F(a);", "/// <summary>x</summary>\nF(a); // y", True),
    Pair("comment in C", "C", "f(a);", "/* x\n * y */ f(a); // z", True),
    Pair("continued line comment", "C", "f(a);\ng(b);", "f(a); // x \\\ng(b);", False),
    Pair("directive comment", "Go", "//go:noinline", "// go noinline", False),
    Pair(
        "directive comment, other file", "Go", "//go:embed a.txt\nvar a string", "//go:embed b.txt\nvar a string", False
    ),
    # white space
    Pair("spaces around signs", "Java", "f(a, b + 1);", "f( a,b+1 ) ;", True),
    Pair("line breaks", "Java", "f(a, b);", "f(\n    a,\n    b\n);", True),
    Pair("nested generics", "Java", "List<List<A>> x;", "List<List<A> > x;", True),
    Pair("words grow together", "Java", "int x;", "intx;", False),
    Pair("plus plus", "Java", "x = a + +b;", "x = a ++b;", False),
    Pair("minus minus", "C", "x = a - -b;", "x = a --b;", False),
    Pair("goes to", "JavaScript", "while (a --> 0) f();", "while (a --> 1) f();", False),
    Pair("minus minus, on its own line", "JavaScript", "while (a\n  --> 0) f();", "while (a\n  --> 1) f();", False),
    Pair("shift", "C", "x = a >> b;", "x = a > > b;", False),
    Pair("and of an address", "C", "x = a & &b;", "x = a && b;", False),
    Pair("numbers", "Java", "x = 1.0;", "x = 1. 0;", False),
    Pair("block nesting", "Python", "if a:\n    b()\n    c()", "if a:\n    b()\nc()", False),
    Pair(
        "deeper nesting",
        "Python",
        "for x in a:\n    if x:\n        b()\n    c()",
        "for x in a:\n    if x:\n        b()\n        c()",
        False,
    ),
    Pair(
        "else of another if",
        "Python",
        "if a:\n    if b:\n        c()\nelse:\n    d()",
        "if a:\n    if b:\n        c()\n    else:\n        d()",
        False,
    ),
    Pair("two steps of indentation", "Python", "if a:\n    b()", "if a:\n  b()", True),
    Pair("blank lines", "Python", "a()\nb()", "a()\n\n\nb()", True),
    Pair("line break in brackets", "Python", "f(a, b)", "f(\n  a,\n  b)", True),
    Pair("continued line", "Python", "x = a + b", "x = a + \\\n        b", True),
    Pair("two statements", "Python", "a\nb", "a b", False),
    Pair("return and line end", "JavaScript", "return a", "return\na", False),
    Pair("chained calls", "JavaScript", "a.b().c();", "a\n  .b()\n  .c();", True),
    Pair("long expression", "JavaScript", "x = a + b;", "x =\n  a +\n  b;", True),
    Pair("return and line end in TypeScript", "TypeScript", "return a", "return\na", False),
    Pair("text in JSX", "TSX", "x = <p>a b</p>;", "x = <p>\n  a b\n</p>;", True),
    Pair("words in JSX", "TSX", "x = <p>a b</p>;", "x = <p>ab</p>;", False),
    Pair("blank in JSX", "TSX", "x = <p>{a} {b}</p>;", "x = <p>{a}{b}</p>;", False),
    Pair("return and line end in Go", "Go", "return a", "return\na", False),
    Pair("arguments on their own lines", "Go", "f(a, b)", "f(a,\n\t\tb)", True),
    Pair("method call or array argument", "Ruby", "puts [a].b", "puts[a].b", False),
    Pair("sign or subtraction", "Ruby", "puts -a", "puts - a", False),
    Pair("two statements in Ruby", "Ruby", "puts a\nb", "puts a b", False),
    Pair("sign or subtraction in Kotlin", "Kotlin", "val x = a\n-b", "val x = a - b", False),
    Pair("lifetimes", "Rust", "let x: &'a str = y;", "let x: &'b str = y;", False),
    Pair("formatting in Rust", "Rust", "g(a, |x| x + 1);", "g( a, | x | x+1 );", True),
    # white space to Unicode, but not to a compiler
    Pair("no-break space", "Java", "f(a, b);", "f(a,\u00a0b);", False),
    Pair("no-break space between words", "Java", "int x;", "int\u00a0x;", False),
    Pair("no-break space in Python", "Python", "f(a, b)", "f(a,\u00a0b)", False),
    Pair("no-break space in Go", "Go", "f(a, b)", "f(a,\u00a0b)", False),
    Pair("no-break space in Rust", "Rust", "g(a);", "g(a)\u00a0;", False),
    Pair("no-break space in a comment", "Java", "f(a, b);", "f(a, b); // a\u00a0b", True),
    Pair("ideographic space", "Java", "f(a, b);", "f(a,\u3000b);", False),
    Pair("ideographic space in Python", "Python", "f(a, b)", "f(a,\u3000b)", False),
    Pair("ideographic space in Go", "Go", "f(a, b)", "f(a,\u3000b)", False),
    Pair("byte order mark in the middle", "Java", "f(a, b);", "\ufefff(a, b);", False),
    Pair("byte order mark in the middle of Python", "Python", "f(a, b)", "f(a, \ufeffb)", False),
    Pair("byte order mark in the middle of Go", "Go", "f(a, b)", "f(a, b)\ufeff", False),
    # the preprocessor
    Pair("defined value", "C", "#define A 1", "#define A 2", False),
    Pair("condition", "C", "#if 0\nf(a);\n#endif", "#if 1\nf(a);\n#endif", False),
    Pair("condition removed", "C", "#ifdef A\nf(a);\n#endif", "f(a);", False),
    Pair("end of a macro", "C", "#define A\nf(a);", "#define A f(a);", False),
    Pair("comment behind a macro", "C", "#define A 1", "#define A 1 /* one */", True),
    Pair("line comment behind a macro", "C", "#define A 1", "#define A 1 // one", True),
    Pair("url in a macro", "C", '#define U "http://a"', '#define U "http://b"', False),
    Pair(
        "continued macro",
        "C",
        "#define A(x) do { f(x); } while (0)",
        "#define A(x) \\\n\tdo { f(x); } \\\n\twhile (0)",
        True,
    ),
    Pair("region", "C#", "#if DEBUG\nF(a);\n#endif", "#if TRACE\nF(a);\n#endif", False),
    # order, and what else is no white space
    Pair("another order", "Java", "f(a); g(b);", "g(b); f(a);", False),
    Pair("trailing comma", "Python", "x = (a)", "x = (a,)", False),
    Pair("semicolon only", "Java", "f(a);", "f(a);;", False),
    Pair("case", "Java", "f(A);", "f(a);", False),
    Pair("braces", "Java", "if (a > b) { f(a); g(b); }", "if (a > b) f(a); g(b);", False),
    Pair("nothing at all", "Java", "f(a);", "", False),
    Pair("only a comment", "Java", "f(a);", "// f(a);", False),
]
TOP_LEVEL_PAIRS: list[Pair] = [
    Pair("order of imports", "Java", "import a.B;\nimport a.C;", "import a.C;\nimport a.B;", False),
    Pair("order of imports in Python", "Python", "import a\nimport b", "import b\nimport a", False),
    Pair("import of a header", "C", "#include <a.h>", '#include "a.h"', False),
    Pair("header path with slashes", "C", "#include <a//b.h>", "#include <a//c.h>", False),
    Pair("imports in a block", "Go", 'import (\n\t"a"\n\t"b"\n)', 'import (\n\t"a" // first\n\n\t"b"\n)', True),
    Pair("import removed", "Go", 'import (\n\t"a"\n\t"b"\n)', 'import (\n\t"a"\n)', False),
]
# Languages without a grammar here: the code is the whole text.
OTHER_PAIRS: list[Pair] = [
    Pair("comment in YAML", "YAML", "a: 1\nb: c\n", "a: 1  # one\n\nb: c\n", True),
    Pair("colour in YAML", "YAML", 'a: "#fff"\n', 'a: "#000"\n', False),
    Pair("nesting in YAML", "YAML", "a:\n  b: 1\n  c: 2\n", "a:\n  b: 1\nc: 2\n", False),
    Pair("comment in XML", "XML", '<a b="1"><c/></a>\n', '<a b="1">\n  <!-- c -->\n  <c/>\n</a>\n', True),
    Pair("attribute in XML", "XML", '<a b="http://a"/>\n', '<a b="http://b"/>\n', False),
    Pair("version in XML", "XML", "<v>1.2</v>\n", "<v>1.3</v>\n", False),
    Pair("white space in JSON", "JSON", '{"a": [1, 2]}\n', '{\n  "a": [\n    1,\n    2\n  ]\n}\n', True),
    Pair("url in JSON", "JSON", '{"a": "http://a"}\n', '{"a": "http://b"}\n', False),
    Pair("two commands", "Shell", "rm a\nb\n", "rm a b\n", False),
    Pair("hash in a string", "Shell", 'echo "#a"\n', 'echo "#b"\n', False),
    Pair("hash in an expansion", "Shell", "echo ${a#x}\n", "echo ${a#y}\n", False),
    Pair("comment in a script", "Shell", "a\nb\n", "a # one\n\n# two\nb\n", True),
    Pair("continued command", "Shell", "a -b -c\n", "a -b \\\n  -c\n", True),
    Pair("string in SQL", "SQL", "select '--a' from t;\n", "select '--b' from t;\n", False),
    Pair("comment in SQL", "SQL", "select a from t;\n", "select a -- the one\n  from t;\n", True),
    Pair("colour in CSS", "CSS", "a { color: #fff; }\n", "a { color: #000; }\n", False),
    Pair("comment in CSS", "CSS", "a { color: #fff; }\n", "a { /* white */\n  color: #fff;\n}\n", True),
    Pair("nested comments in Scala", "Scala", "val a = 1\n", "/* x /* y */ z */ val a = 1\n", True),
    Pair("comment in Groovy", "Groovy", 'compile "a:b:1"\n', 'compile "a:b:1" // new\n', True),
    Pair("version in Groovy", "Groovy", 'compile "a:b:1"\n', 'compile "a:b:2"\n', False),
    Pair("comment in TOML", "TOML", "[a]\nb = 1\n", "[a]\n# one\nb = 1 # two\n", True),
    Pair("value with ; in a properties file", "Properties", "u=h2;MODE=A\nb=1\n", "u=h2;MODE=B\nb=1\n", False),
    Pair("value cut off at ;", "Properties", "u=h2;MODE=A\nb=1\n", "u=h2\nb=1\n", False),
    Pair("value with # in a properties file", "Properties", "color=#fff\nb=1\n", "color=#000\nb=1\n", False),
    Pair("value with # behind a blank", "INI", "t=hash # one\nb=1\n", "t=hash # two\nb=1\n", False),
    Pair("key that starts with ;", "Properties", ";k=1\nb=1\n", ";k=2\nb=1\n", False),
    Pair("comment in a properties file", "Properties", "# one\nb=1\n", "! two\nb=1\n", True),
    Pair("preamble of cgo", "Go", '// #include <a.h>\nimport "C"\n', '// #include <b.h>\nimport "C"\n', False),
    Pair("preamble of cgo in a block", "Go", '/*\n#cgo LDFLAGS: -lx\n*/\nimport "C"\n', 'import "C"\n', False),
    Pair("pragma of Haskell", "Haskell", "{-# LANGUAGE X #-}\nimport A\n", "import A\n", False),
    Pair("comment of Haskell", "Haskell", "{- one -}\nimport A\n", "{- two -}\nimport A\n", True),
    Pair("code in a comment of MySQL", "SQL", "/*!40101 SET a */;\nB;\n", "/*!40101 SET c */;\nB;\n", False),
    Pair("quote that MySQL escapes", "SQL", "I ('a\\' -- b');\n", "I ('a\\' -- c');\n", False),
    Pair("delimiter of Perl", "Perl", "$x =~ s#foo#bar#;\n", "$x =~ s#foo#baz#;\n", False),
    Pair("magic comment of Ruby", "Ruby", "# frozen_string_literal: true\na = 1\n", "a = 1\n", False),
    Pair("reference of TypeScript", "TypeScript", "/// <reference types='n' />\nlet a = 1;\n", "let a = 1;\n", False),
    Pair("raw string of Swift", "Swift", 'let s = #"a " // b"#\n', 'let s = #"a " // c"#\n', False),
    Pair("raw string of R", "R", 'x <- r"(a " # b)"\n', 'x <- r"(a " # c)"\n', False),
    Pair("transposed matrix of Julia", "Julia", "a = b' # c'\n", "a = b' # d'\n", True),
    Pair("word with # in PowerShell", "PowerShell", "Get-X a#b\n", "Get-X a#c\n", False),
    Pair("interpreter", "Python", "#!/usr/bin/python3\na = 1\n", "#!/usr/bin/python2\na = 1\n", False),
    Pair("encoding", "Python", "# -*- coding: latin-1 -*-\na = 1\n", "# -*- coding: utf-8 -*-\na = 1\n", False),
    Pair("value in an INI file", "INI", "a = 1\n", "a = 2\n", False),
    Pair("line in Markdown", "Markdown", "# A\n\nb\n", "# A\n\nc\n", False),
    Pair("paragraphs in Markdown", "Markdown", "a\nb\n", "a\n\nb\n", False),
    Pair("blank lines in Markdown", "Markdown", "a\n\nb\n", "a\n\n\nb\n", True),
    Pair("trailing blanks in Markdown", "Markdown", "# A\n\nb\n", "# A  \n\nb\n", True),
    Pair("hash is no comment in Markdown", "Markdown", "# A\n", "# B\n", False),
    Pair("recipe of a Makefile", "Makefile", "a: b\n\tc\n", "a: b\n  c\n", False),
    # white space that counts
    Pair("two arguments of a command", "Shell", 'rm -rf "$d"/tmp\n', 'rm -rf "$d" /tmp\n', False),
    Pair("assignment or command", "Shell", "x=1\n", "x = 1\n", False),
    Pair("test or name of a command", "Shell", "[ -f x ]\n", "[-f x]\n", False),
    Pair("one word of two variables", "Shell", "echo $a$b\n", "echo $a $b\n", False),
    Pair("command behind a path", "Shell", "cd ..\n/bin/b\n", "cd .. /bin/b\n", False),
    Pair("commands in a subshell", "Shell", "(cd a\nmake)\n", "(cd a make)\n", False),
    Pair("words on both sides of a continued line", "Shell", "a -b\n", "a -\\\nb\n", False),
    Pair("here document", "Shell", "cat <<E\na\n\nb\nE\n", "cat <<E\na\nb\nE\n", False),
    Pair("no-break space in a script", "Shell", "rm a\n", "rm\u00a0a\n", False),
    Pair("blank lines and ends of lines", "Shell", "if a; then\n  b\nfi\n", "if a; then  \n\n  b # c\n\nfi\n", True),
    Pair("parameter or index", "PowerShell", "f $a [1]\n", "f $a[1]\n", False),
    Pair("comment in PowerShell", "PowerShell", "f $a\ng\n", "f $a # one\n\n<# two #>\ng\n", True),
    Pair("descendant or both classes", "CSS", ".a .b { x: y; }\n", ".a.b { x: y; }\n", False),
    Pair("class behind a comment", "CSS", ".a .b { x: y; }\n", ".a/* c */.b { x: y; }\n", False),
    Pair("comment between classes", "CSS", ".a .b { x: y; }\n", ".a /* c */ .b { x: y; }\n", True),
    Pair("state of a descendant", "CSS", "a :hover { x: y; }\n", "a:hover { x: y; }\n", False),
    Pair("two lengths", "CSS", "a { margin: -1px -2px; }\n", "a { margin: -1px-2px; }\n", False),
    Pair("another indentation in CSS", "CSS", "a {\n  x: y;\n}\n", "a {\n    x: y;\n\n}\n", True),
    Pair("descendant in SCSS", "SCSS", ".a { &:hover .b { x: y; } }\n", ".a { &:hover.b { x: y; } }\n", False),
    Pair("two lengths in SCSS", "SCSS", "a { margin: $a -$b; }\n", "a { margin: $a - $b; }\n", False),
    Pair("continued value", "INI", "a =\n  b\n  c = d\n", "a =\n  b\nc = d\n", False),
    Pair("words of a value", "INI", "a = b c\n", "a = bc\n", False),
    Pair("comment in an INI file", "INI", "[a]\nb =\n  c\n", "[a]\n# one\n\nb =\n  c\n", True),
    Pair("blank line in a block scalar", "YAML", "a: |\n  b\n\n  c\nd: e\n", "a: |\n  b\n  c\nd: e\n", False),
    Pair("first line of a block scalar", "YAML", "a: |\n\n  b\nd: e\n", "a: |\n  b\nd: e\n", False),
    Pair("end of a block scalar", "YAML", "a: |+\n  b\n\nd: e\n", "a: |+\n  b\nd: e\n", False),
    Pair("blank line behind a block scalar", "YAML", "a: |\n  b\n\nd: e\n", "a: |\n  b\nd: e\n", True),
    Pair("blanks at the end in a block scalar", "YAML", "a: |\n  b\n  c\n", "a: |\n  b  \n  c\n", False),
    Pair("indentation in a block scalar", "YAML", "a: |\n  b\n  c\n", "a: |\n  b\n   c\n", False),
    Pair("hash in a block scalar", "YAML", "a: |\n  b # c\n", "a: |\n  b\n", False),
    Pair("paragraphs in a string", "YAML", "a: 'b\n\n  c'\n", "a: 'b\n  c'\n", False),
    Pair("words of a plain scalar", "YAML", "a: b  c\n", "a: b c\n", False),
    Pair("comment behind a block scalar", "YAML", "a: |\n  b\nd: e\n", "a: |\n  b\n# one\nd: e # two\n", True),
    Pair("comment and blank line in a list", "YAML", "- a: b\n  c: d\n", "- a: b  # one\n\n  # two\n  c: d\n", True),
    Pair("words that are shown as they are", "HTML", "<pre>a  b</pre>\n", "<pre>a b</pre>\n", False),
    Pair("lines that are shown as they are", "HTML", "<pre>a\n\n\nb</pre>\n", "<pre>a\n\nb</pre>\n", False),
    Pair("blank between elements", "HTML", "<b>a</b> <i>b</i>\n", "<b>a</b><i>b</i>\n", False),
    Pair("white space in a text of XML", "XML", "<a>b  c</a>\n", "<a>b c</a>\n", False),
    Pair("words of a text in XML", "XML", "<a>b <c/> d</a>\n", "<a>b<c/>d</a>\n", False),
    Pair("argument or index", "Elixir", "foo [1]\n", "foo[1]\n", False),
    Pair("heredoc in Elixir", "Elixir", '@doc """\n  a\n\n  b\n"""\n', '@doc """\n  a\n  b\n"""\n', False),
    Pair("comment in Elixir", "Elixir", "foo [1]\nbar(a,\n  b)\n", "foo [1] # one\n\nbar(a, b)\n", True),
    Pair("argument or index in Groovy", "Groovy", "foo [1]\n", "foo[1]\n", False),
    Pair("module or composition", "Haskell", "y = M.h\n", "y = M . h\n", False),
    Pair(
        "comment in Haskell",
        "Haskell",
        "f x = y\n  where y = x\n",
        "-- one\nf x = y {- two -}\n\n  where y = x\n",
        True,
    ),
    Pair("block of Scala 3", "Scala", "if a then\n  b\n  c\n", "if a then\n  b\nc\n", False),
    Pair("two signs", "Dart", "x = a - -b;\n", "x = a --b;\n", False),
    Pair("two columns of a matrix", "Julia", "x = [1 -2]\n", "x = [1 - 2]\n", False),
    Pair("force or compare", "Swift", "a != b\n", "a! = b\n", False),
    Pair("two arguments in CMake", "CMake", "set(a ${b}c)\n", "set(a ${b} c)\n", False),
    Pair("line breaks in SQL", "SQL", "select a from t;\n", "select a\n    from t;\n", True),
    Pair("words of a text", "Text", "a b\n", "a  b\n", False),
]
# Spellings of code: those that are the same, and those that look like it. Each is the developer's, and the model's.
# fmt: off
SPELLINGS: dict[str, tuple[list[tuple[str, str]], list[tuple[str, str]]]] = {
    "Groovy": (
        [
            ("x = a?b:c\n", "x = a ? b : c\n"), ("x = a?:b\n", "x = a ?: b\n"), ("x = [a: 1]\n", "x = [a : 1]\n"),
            ("a.b().c()\n", "a\n    .b()\n    .c()\n"), ("a.b().c()\n", "a.b()\n    // why\n    .c()\n"),
            ("if (a) {\n  b()\n} else {\n  c()\n}\n", "if (a) {\n  b()\n}\nelse {\n  c()\n}\n"),
            ("@A\nvoid f() {}\n", "@A void f() {}\n"), ("x += 1\n", "x+=1\n"), ("x = a <=> b\n", "x = a<=>b\n"),
            ("x = a?.b\n", "x = a\n  ?.b\n"), ("x = 1..2\n", "x = 1 .. 2\n"), ("x = a ==~ b\n", "x = a==~b\n"),
        ],
        [
            ("x = a.&b\n", "x = a. & b\n"), ("x = a ? .5 : b\n", "x = a?.5:b\n"), ("x = a::b\n", "x = a: :b\n"),
            ("x = a in [b]\n", "x = a in[b]\nc\n"), ("assert (a)\n[b]\n", "assert (a) [b]\n"),
            ("x = (a)\nb\n", "x = (a) b\n"), ("if (a)\nelse b\n", "if (a) {} else b\n"),
            ("x = { a }\n", "x = { -> a }\n"), ("f(a) b\n", "f(a)\nb\n"),
        ],
    ),
    "Shell": (
        [
            ("a > b\n", "a >b\n"), ("a >> b\n", "a >>b\n"), ("a < b\n", "a <b\n"), ("f() { a; }\n", "f () { a; }\n"),
            ("x=$(a)\n", "x=$( a )\n"), ("x=$((a+b))\n", "x=$(( a + b ))\n"), ("x=(a b)\n", "x=( a b )\n"),
            ("x=(a b)\n", "x=(\n  a\n  b\n)\n"), ("a &\n", "a&\n"),
            ("while read x; do\n  a\ndone < f\n", "while read x ; do\n    a\ndone <f\n"), ("(a; b)\n", "( a; b )\n"),
            ("for ((i=0; i<n; i++)); do\n  a\ndone\n", "for (( i=0; i<n; i++ )); do\n  a\ndone\n"),
        ],
        [
            ("a \\\nb\n", "a\\\nb\n"), ("a\\\n b\n", "a\\\nb\n"),
            ("]] )\ncat <<EOF\na\nEOF\nb\n", "]] )\ncat <<EOF\na\nEOF \nb\n"),
            ("cat <<EOF\na\nEOF\nb\n", "cat <<EOF\na\nEOF \nb\n"), ("f() { a; }\n", "f(\n) { a; }\n"),
            ("case a in (b) c ;; esac\n", "case a in (\nb) c ;; esac\n"), ("[[ a > b ]]\n", "[[ a >b]]\n"),
            ("`a b`\n", "`ab`\n"), ("x=$[ a ]\n", "x=$[a b]\n"), ("echo {a,b}\n", "echo { a,b}\n"),
            ("[ ! -f a ]\n", "[ !-f a ]\n"), ("if ! a; then b; fi\n", "if !a; then b; fi\n"),
        ],
    ),
    "SQL": (
        [
            ("insert into t(a,b) values(1,2);\n", "insert into t (a, b) values (1, 2);\n"),
            ("select a from t where b in(1,2);\n", "select a from t where b in (1, 2);\n"),
            ("create table t(a int,b varchar(10));\n", "create table t (\n  a int,\n  b varchar(10)\n);\n"),
            ("select a from t where (a=1)and(b=2);\n", "select a from t where (a = 1) and (b = 2);\n"),
            ("create index i on t(a);\n", "create index i on t (a);\n"),
            ("insert into t (a) values (1), (2);\n", "insert into t(a)\nvalues\n  (1),\n  (2);\n"),
            ("create table t (a int references b (c));\n", "create table t(a int references b(c));\n"),
        ],
        [
            ("select [a  b];\n", "select [a b];\n"), ("\\c a\nselect b;\n", "\\c a select b;\n"),
            ("delimiter //\ncreate a//\n", "delimiter // create a//\n"), ("prompt a  b\n", "prompt a b\n"),
            ("select [a b] from t;\n", "select [a b ] from t;\n"), ("\\i a\n\\i b\n", "\\i a \\i b\n"),
            ("select a from t where b in (1);\n", "select a from t where b not in (1);\n"),
            ("select [a b] from t;\n", "select [ab] from t;\n"),
            ("DELIMITER $$\nselect 1$$\n", "DELIMITER $$ select 1$$\n"),
            ("select a from t where b = 'it''s';\n", "select a from t where b = 'it' 's';\n"),
            ("select a -- b\n, c;\n", "select a -- b , c;\n"), ("select now ();\n", "select now();\n"),
        ],
    ),
    "PowerShell": (
        [
            ("if ($a) {\n  b\n}\n", "if($a){\n  b\n}\n"), ("$x = @{ a = 1; b = 2 }\n", "$x = @{a=1;b=2}\n"),
            ("f -a b -c d\n", "f -a b `\n  -c d\n"), ("foreach ($a in $b) { c }\n", "foreach($a in $b){ c }\n"),
            ("function f($a) { b }\n", "function f ($a) {\n  b\n}\n"), ("while ($a) { b }\n", "while($a) { b }\n"),
            ("$x = $a -and\n  $b\n", "$x = $a -and $b\n"), ("$x = @(\n  1,\n  2\n)\n", "$x = @(1, 2)\n"),
            ("for ($i = 0; $i -lt 1; $i++) { a }\n", "for($i=0;$i -lt 1;$i++){a}\n"),
            ("if ($a) { b }\nelseif ($c) { d }\nelse { e }\n", "if($a){ b } elseif($c){ d } else { e }\n"),
            ("f -a b `\n  -c d\n", "f -a b -c d\n"),
            ("if (($a -eq 1) -and\n    ($b -eq 2)) { c }\n", "if (($a -eq 1) -and ($b -eq 2)) { c }\n"),
        ],
        [
            ("f ($a){b}\n", "f ($a) {b}\n"), ("f [int] $a\n", "f [int]$a\n"), ("f -and\nb\n", "f -and b\n"),
            ("$a = @{ b = 1\nc = 2 }\n", "$a = @{ b = 1 c = 2 }\n"), ("f if (a)\n", "f if(a)\nb\n"),
            ("f `n a\n", "f ` n a\n"),
        ],
    ),
    "Scala": (
        [
            ("a.b(c).d\n", "a\n  .b(c)\n  .d\n"), ("if (a) b else c\n", "if(a) b else c\n"),
            ("for (a <- b) yield c\n", "for(a <- b) yield c\n"),
            ("class A extends B {\n}\n", "class A extends B{\n}\n"), ("@A\nclass B\n", "@A class B\n"),
            ("if (a) b\nelse c\n", "if (a) b else c\n"),
            ("if (a) {\n  b\n} else {\n  c\n}\n", "if (a) {\n    b\n}\nelse {\n    c\n}\n"),
            ("def f(a: Int)(b: Int) = a\n", "def f(a: Int) (b: Int) = a\n"), ("f(a)(b)\n", "f(a) (b)\n"),
            ("def f[A](a: A) = a\n", "def f[A] (a: A) = a\n"), ("val x = !a\n", "val x = ! a\n"),
            ("try a catch { case b => c }\n", "try a\ncatch { case b => c }\n"),
        ],
        [
            ("if (a) b\n\nc\n", "if (a) b c\n"), ("if (a)\n  b\nelse c\n", "if (a) b\nc\n"),
            ("class A\nextends B\n", "class A\nextend B\n"), ("def f = a\nb\n", "def f = a b\n"),
            ("f(a)\n(b)\n", "f(a)(b)\n"), ("f(a)\n{ b }\n\n", "f(a) ; { b }\n"),
        ],
    ),
    "Haskell": (
        [
            ("f(a,b)=a\n", "f (a, b) = a\n"), ("f x = y\n  where y = x\n", "f x = y\n    where\n      y = x\n"),
            ("f x = if a then b else c\n", "f x =\n  if a\n    then b\n    else c\n"),
            ("f :: A -> B\n", "f :: A\n  -> B\n"), ("import A (b,c)\n", "import A\n  ( b\n  , c\n  )\n"),
            ("x = f $ g a\n", "x = f $\n  g a\n"), ("data A = B | C\n", "data A\n  = B\n  | C\n"),
            ("x = \\a -> b\n", "x = \\ a -> b\n"), ("f x | x = a | b = c\n", "f x\n  | x = a\n  | b = c\n"),
            ("x = let a = b in c\n", "x = let a = b\n     in c\n"), ("x = f a b\n", "x = f a\n  b\n"),
            ("x = a >>= b\n", "x = a\n  >>= b\n"),
        ],
        [
            ("x = a $(b)\n", "x = a $ (b)\n"), ("x = a @(B)\n", "x = a @ (B)\n"),
            ("x = f\n  -1\n", "x = f\n  - 1\nb\n"),
            ("data A = A\n  { b :: C\n  }\n", "data A = A\n  { b :: C\n, d :: E }\n"),
            ("f = case a of\n  B -> do\n    c\n    d\n", "f = case a of\n  B -> do\n    c\n  d\n"),
            ("f = do\n  if a\n    then b\n    else c\n  d\n", "f = do\n  if a\n    then b\n    else c\n    d\n"),
        ],
    ),
    "Elixir": (
        [
            ("fn x -> x end\n", "fn x ->\n  x\nend\n"), ("<<a::8>>\n", "<< a :: 8 >>\n"),
            ("x = a..b\n", "x = a .. b\n"), ("if a do\n  b\nelse\n  c\nend\n", "if a do b\nelse c end\n"),
            ("fn\n  a -> b\nend\n", "fn a -> b end\n"), ("<<a, b::binary>>\n", "<< a, b::binary >>\n"),
        ],
        [
            ("x = a\n|| b\n", "x = a b\n"), ("f do: a\n", "f do : a\n"), ("a\nend\n", "a end b\n"),
            ("a <<b>>\n", "a << b >>c\n"), ("a\n-1\n", "a -1\n"), ("if a, do: b, else: c\n", "if a, do: b\nelse: c\n"),
        ],
    ),
    "Swift": (
        [
            ("if a{b}\n", "if a { b }\n"), ("func f(a:Int)->Int{1}\n", "func f(a: Int) -> Int { 1 }\n"),
            ("a.b().c()\n", "a\n  .b()\n  .c()\n"), ("let x = a + b\n", "let x = a\n  + b\n"),
            ("if a {\n  b\n} else {\n  c\n}\n", "if a {\n  b\n}\nelse {\n  c\n}\n"),
            ("f { a in b }\n", "f { a in\n  b\n}\n"),
            ("guard let a = b else { return }\n", "guard let a = b\nelse { return }\n"),
            ("guard a else {\n  return\n}\n", "guard a\nelse {\n  return\n}\n"),
            ("do { try a() } catch { b() }\n", "do {\n  try a()\n}\ncatch {\n  b()\n}\n"),
        ],
        [
            ("x = a\n&b\n", "x = a & b\n"), ("a = b ?? c\n", "a = b ? ? c\n"), ("f(a) .b\n", "f(a). b\n"),
            ("x = a ? .b : .c\n", "x = a ?.b : .c\n"), ("let x = a? .b\n", "let x = a ?.b\n"),
            ("x = a\n= b\n", "x = a == b\n"),
        ],
    ),
    "Perl": (
        [
            ("$x = $a ? $b : $c;\n", "$x = $a?$b:$c;\n"), ("$a->b()->c();\n", "$a->b()\n  ->c();\n"),
            ("$a->{b}->[0];\n", "$a -> {b} -> [0];\n"), ("my $x = $a ? 'b' : 'c';\n", "my $x = $a?'b':'c';\n"),
            ("unless ($a) { b(); } else { c(); }\n", "unless($a) { b(); }\nelse { c(); }\n"),
            ("while (<A>) { b(); }\n", "while(<A>) { b(); }\n"),
        ],
        [
            ("f ->b;\n", "f - >b;\n"), ("$a ? $b : $c;\n", "$a ?$b :$c;d\n"), ("A::b();\n", "A: :b();\n"),
            ("$a ->[0];\n", "$a - >[0];\n"), ('"$a->[0]";\n', '"$a ->[0]";\n'), ("x ? y : z;\n", "x ? y ::z;\n"),
        ],
    ),
    "R": (
        [
            ("x <- a%in%b\n", "x <- a %in% b\n"), ("x[[1]][2]\n", "x[[ 1 ]][ 2 ]\n"),
            ("a %>% b() %>%\n  c()\n", "a %>% b() %>% c()\n"),
        ],
        [
            ("x[[1]]\n", "x[ [1]]\n"), ("x[[1]]\n", "x[ [ 1 ] ]\n"), ("\\(x) x\n", "\\ (x) y\n"),
            ("a && b\n", "a & & b\n"), ("a %in% b\n", "a %in%b c\n"), ("a % in% b\n", "a %in% b\n"),
            ("x[a[1]]\n", "x[a [1] ]b\n"), ("a\n%in% b\n", "a %in% b\n"),
        ],
    ),
    "Dart": (
        [
            ("if(a){b();}else{c();}\n", "if (a) {\n  b();\n} else {\n  c();\n}\n"), ("f(a:1);\n", "f(a: 1);\n"),
            ("x = a?b:c;\n", "x = a ? b : c;\n"), ("x = a??b;\n", "x = a ?? b;\n"), ("x = a?.b;\n", "x = a\n  ?.b;\n"),
            ("x += 1;\n", "x+=1;\n"), ("try{a();}catch(e){b();}\n", "try {\n  a();\n} catch (e) {\n  b();\n}\n"),
            ("x = a ~/ b;\n", "x = a~/b;\n"), ("x ??= a;\n", "x??=a;\n"), ("return(a);\n", "return (a);\n"),
            ("f(a, b: c);\n", "f(a,b:c);\n"), ("var x = a ? b : c;\n", "var x = a?b:c;\n"),
        ],
        [
            ("x = a ? [b] : c;\n", "x = a?[b];\n"), ("x = a - -1;\n", "x = a --1;\n"),
            ("f () async* {}\n", "f () async {}\n"), ("x = a is! B;\n", "x = a is !B;\nc"),
            ("x = '${a}  b';\n", "x = '${a} b';\n"), ("x = a ? .b : c;\n", "x = a ?.b : c;\n"),
        ],
    ),
    "Clojure": (
        [
            ("(f [a][b])\n", "(f [a] [b])\n"), ("(f (g a))\n", "(f(g a))\n"), ("(f)(g)\n", "(f)\n\n(g)\n"),
            ("(defn f [a] (g a))\n", "(defn f[a](g a))\n"), ("(f #(a %))\n", "(f #( a % ))\n"),
            ("(f a)\n", "( f a )\n"),
        ],
        [
            ("(f #?(:clj a))\n", "(f #? (:clj b))\n"), ("(f :a/b)\n", "(f :a /b)\n"), ("(f 1 (a))\n", "(f 1a)\n"),
            ("(f ^{a b} c)\n", "(f ^ {a b} d)\n"), ("(f \\( a)\n", "(f \\ ( a))\n"),
            ("(f \\a (b))\n", "(f \\a(b) c)\n"),
        ],
    ),
    "CMake": (
        [
            ("function(f a)\nendfunction()\n", "function (f a)\nendfunction ()\n"),
            ("macro(a)\nendmacro()\n", "macro (a)\nendmacro ()\n"), ("set(a b)\n", "set (a b)\n"),
            ("add_executable(a b.c)\n", "add_executable (a b.c)\n"),
            ("if(A AND (B OR C))\nendif()\n", "if(A AND ( B OR C ))\nendif()\n"),
            ("set(a\n  b c)\n", "set(a b\n  c)\n"),
        ],
        [
            ("set(a b\\ c)\n", "set(a b\\  c)\n"), ('set(a "b;c")\n', "set(a b;c)\n"), ("set(a (b))\n", "set(a(b))\n"),
            ("set\n(a)\n", "set(a)\n"), ('set(a "b\\ c")\n', 'set(a "b\\  c")\n'),
            ("set(a b\\\\ c)\n", "set(a b\\\\c)\n"), ("set (a)\nset (b)\n", "set (a) set (b)\n"),
        ],
    ),
    "SCSS": (
        [
            ("a { b: c; // d\n}\n", "a { b: c; }\n"), ("$a : 1 !default;\n", "$a: 1 !default;\n"),
            ("a { b: c; /* d */ e: f; }\n", "a { b: c; e: f; }\n"),
            ("@include a { b: c; }\n", "@include a {\n  b: c; // d\n}\n"), ("// x\na { b: c; }\n", "a { b: c; }\n"),
            ("a { @media print { b: c; } }\n", "a {\n  @media print {\n    b: c;\n  }\n}\n"),
            ("%a { b: c; }\n", "%a{b:c;}\n"),
        ],
        [
            ("a { b: c; // d\n e: f; }\n", "a { b: c; // d e: f; }\n"), ("a { b: #{$c} d; }\n", "a { b: #{$c}d; }\n"),
            ("a#{$b} c {}\n", "a#{$b}c {}\n"), ("a { b:hover {} }\n", "a { b: hover {} }\n"),
            ("a { b: c; // d\n}\n", "a { b: c; // d }\n"), ("a:hover { b: c; }\n", "a: hover { b: c; }\n"),
            ("a:not(b:c) { d: e; }\n", "a:not(b: c) { d: e; }\n"), ("a::before { b: c; }\n", "a: :before { b: c; }\n"),
            ("a { b:c { d: e; } }\n", "a { b: c { d: e; } }\n"),
            ("a { b: c; // */ d\n e: f; }\n", "a { b: c; // */ d e: f; }\n"),
            ("a { b: 'x // y'; c: d; }\n", "a { b: 'x // z'; c: d; }\n"),
            ("a { b: c; } // d\ne { f: g; }\n", "a { b: c; } // d e { f: g; }\n"),
            ("/* a // b */ c { d: e; }\n", "/* a // b c { d: e; } */\n"),
            ("// /* a\nb { c: d; }\n// */\n", "// /* a\n// */\n"),
            ("@if $a == b { c: d; }\n", "@if $a == b c { d: e; }\n"),
            ("//# sourceMappingURL=a\nb { c: d; }\n", "b { c: d; }\n"),
        ],
    ),
    "Objective-C": (
        [
            ("@interface A\n- (void)f:(int)a;\n@end\n", "@interface A\n- (void) f : (int) a;\n@end\n"),
            ("@interface A : B <C>\n@end\n", "@interface A: B<C>\n@end\n"),
        ],
        [
            ("x = 'a';\n", "x = 'a ';\n"), ("[a b :c];\n", "[a b ::c];\n"), ("x = a->b;\n", "x = a - > b;\n"),
            ("x = a && b;\n", "x = a & & b;\n"),
            ("@interface A\n- (void)f:(int)a;\n@end\n", "@interface A\n- (void)f: :(int)a;\n@end\n"),
            ("@interface A\n- (void)f;\n@end\n", "@interface A - (void)f; @end\nx"),
        ],
    ),
}
# fmt: on
OTHER_PAIRS += [
    Pair(f"spelling {number}", language, *codes, same)
    for language, both in SPELLINGS.items()
    for same, pairs in zip((True, False), both, strict=True)
    for number, codes in enumerate(pairs)
]


def example(pair: Pair, *, whole: bool) -> tuple[dict[str, str], str]:
    """A row whose resolution is what the developer wrote, and a whole snippet with what the model wrote instead.

    With `whole`, the row knows the file around the snippet.
    """
    files = TOP_LEVEL if pair in TOP_LEVEL_PAIRS else FILES
    start, end = files.get(pair.language, ("", ""))
    before = start[start.rstrip("\n").rfind("\n") + 1 :]
    after = end[: end.find("\n") + 1]
    pad = before[: len(before) - len(before.lstrip())]

    def indent(code: str) -> str:
        hanging = ("E", "=begin", "=end", "#")  # must start in the first column
        lines = [line if line.startswith(hanging) or not line else pad + line for line in code.split("\n")]
        return "\n".join(lines).rstrip("\n") + "\n" if code else ""

    row = {"language": pair.language, "before": before, "resolution": indent(pair.developer), "after": after}
    if whole:
        row |= {"prefix": start.removesuffix(before), "suffix": end.removeprefix(after)}
    return row, before + indent(pair.model) + after
