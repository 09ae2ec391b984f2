"""A verdict in a long file looks at a part of it only, and is what it would be in a short one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from llmerge_helpers.conflicts import Row
from llmerge_helpers.verdict import judge, verify

# language, an item that is repeated, and one with the conflict: what stands before, in place of it and behind it
ITEMS = [
    ("Python", "def f{}(a):\n    return g(a,\n        {})\n\n", "def h(\n    a,\n", "    b=f(1),\n    c\n", "): x\n"),
    ("Python", "def f{}(a):\n    return {}\n\n", "class A:\n  def h(a):\n", "    a(1)\n    if b: c\n", "    d(2)\n"),
    ("Go", "func f{}() int {{\n\treturn {}\n}}\n\n", "func h() int {\n", "\tx := f(1)\n\ty := 3\n", "\treturn x\n}\n"),
    ("JavaScript", "function f{}(a) {{\n  return {}\n}}\n\n", "h(\n  a,\n", "  b + c,\n  () => 3,\n", "  d)\n"),
    ("Haskell", "f{} :: Int -> Int\nf{} a = g a\n\n", "h a = do\n", "  b a\n  c <- d a\n", "  e c\n"),
    ("Scala", "object F{} {{\n  def a = {}\n}}\n\n", "object H {\n", "  val b = c(1)\n  d(2)\n", "  def e = 3\n}\n"),
    ("Swift", "func f{}(a: Int) -> Int {{\n  return {}\n}}\n\n", "func h() {\n", "  b(1)\n  c(2)\n", "  d()\n}\n"),
    ("Objective-C", "int f{}(int a) {{\n  return {};\n}}\n\n", "int h() {\n", "  b(1);\n  c(2);\n", "  return 3;\n}\n"),
    ("Lua", "function f{}(a)\n  return {}\nend\n\n", "function h()\n", "  b(1)\n  c(2)\n", "  d()\nend\n"),
    ("R", "f{} <- function(a) {{\n  {}\n}}\n\n", "h <- function() {\n", "  b(1)\n  c(2)\n", "  d()\n}\n"),
]  # fmt: skip
CHANGES: list[Callable[[str], str]] = [
    lambda code: code.replace("\n", " ", 1),
    lambda code: code.replace(" ", "\n", 2),
    lambda code: code.replace("(", "( ", 1),
    lambda code: code.replace("(", "(\n", 1),
    lambda code: code.replace("\n ", "\n     ", 1),
    lambda code: code.replace("\n ", "\n", 1),
    lambda code: code.replace(" c", "\tc"),
    lambda code: code.replace("\n", " {\n", 1),
]


def row_of(language: str, item: str, before: str, resolution: str, after: str, number: int, broken: str) -> Row:
    items = [item.format(n, n) for n in range(2 * number)]
    prefix, suffix = "".join(items[:number]), "\n" + "".join(items[number:])
    prefix = broken + prefix if broken else prefix
    return Row(
        before=before, resolution=resolution, after=after, language=language, prefix=prefix, suffix=suffix,
        answer=before + resolution + after,
    )  # fmt: skip


@pytest.mark.parametrize("broken", ["", "x = ) (\n\n"], ids=["whole", "broken"])
@pytest.mark.parametrize("parts", ITEMS, ids=[f"{language}-{n}" for n, (language, *_) in enumerate(ITEMS)])
def test_the_verdict_is_that_of_a_short_file(parts, broken):
    short, long = (row_of(*parts, number, broken) for number in (3, 350))
    assert len(short["prefix"]) < 10_000 < len(long["prefix"] + long["suffix"])
    for change in CHANGES:
        reply = f"```\n{short['before']}{change(short['resolution'])}{short['after']}```"
        assert verify(reply, long) == verify(reply, short)


@pytest.mark.parametrize("parts", ITEMS, ids=[f"{language}-{n}" for n, (language, *_) in enumerate(ITEMS)])
def test_few_words_are_looked_at(parts):
    row = row_of(*parts, 1500, "")
    case = judge._case_of(row)
    for change in CHANGES[:5]:
        code = row["before"] + change(row["resolution"]) + row["after"]
        expected, got, _ = judge._compare(case, code)
        if got.clean is not False:  # an error may reach far
            assert max(len(expected.words), len(got.words)) < 19_000  # of 30,000 to 60,000; a lexer looks back 60 kB
