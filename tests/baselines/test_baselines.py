"""The baselines: what each answers, that they see no label, and that the reasoning is true to the conflict."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.baselines import NAMES, resolve
from llmerge_helpers.baselines import explain as explaining
from llmerge_helpers.baselines import simple as baselines
from llmerge_helpers.baselines.explain import inline
from llmerge_helpers.baselines.rules import RULES, decide, merge_imports, statement
from llmerge_helpers.conflicts import Conflict
from llmerge_helpers.conflicts.changes import changes
from llmerge_helpers.conflicts.prompts import parse_question
from llmerge_helpers.conflicts.threeway import merge_tokens
from llmerge_helpers.errors import LlmergeError

MARKER = re.compile(r"^(<{7}|>{7}|={7}|\|{7})", re.MULTILINE)


def row(ours: str, base: str | None, theirs: str, before: str = "", after: str = "") -> dict[str, Any]:
    texts = {"ours": ours, "base": base, "theirs": theirs, "before": before, "after": after}
    return texts | {"language": "Java", "path": "A.java"}


def explain(row: Mapping[str, Any]) -> tuple[str, str]:
    return explaining.explain(Conflict.of(row))


class Sealed(Mapping):
    """A row that raises when anything but the question's own columns is read."""

    def __init__(self, texts: Mapping[str, Any], allowed: set[str]) -> None:
        self.texts, self.allowed = texts, allowed

    def __getitem__(self, key: str) -> Any:
        if key not in self.allowed:
            raise AssertionError(f"{key} was read")
        return self.texts[key]

    def __iter__(self) -> Iterator[str]:
        raise AssertionError("all columns were read")

    def __len__(self) -> int:
        return len(self.allowed)


# ---- the rules: for each an example that it decides, and a near miss that another one decides

DECIDED = [
    ("same_text", ("a\n", "b\n", "a\n"), "a\n"),
    ("one_side_only", ("a\n", "a\n", "b\n"), "b\n"),
    ("one_side_only", ("", "", "b\n"), "b\n"),
    ("token_merge", ("int f(int a, int b);\n", "int f(int a);\n", "long f(int a);\n"), "long f(int a, int b);\n"),
    ("token_merge", ("x = 1;\nz = 4;\n", "x = 1;\nz = 3;\n", "x = 2;\nz = 3;\n"), "x = 2;\nz = 4;\n"),
    ("larger_number", ("<v>1.9.1</v>\n", "<v>1.9.0</v>\n", "<v>1.10.0</v>\n"), "<v>1.10.0</v>\n"),
    ("larger_number", ("v = 7\n", "", "v = 12\n"), "v = 12\n"),
    ("same_addition", ("a();\nb();\nc();\n", "", "a();\nb();\n"), "a();\nb();\nc();\n"),
    (
        "appended_lines",
        ("all in one\n", "a();\nb();\n", "a();\nb();\nc();\n"),
        "all in one\nc();\n",
    ),
    ("appended_lines", ("", "one(a);\n", "one(a);\ntwo(b);\n"), "two(b);\n"),
    ("deletion", ("", "old(a);\n", "old(b);\n"), ""),
    ("deletion", ("old(b);\n", "old(a);\n", "\n"), "\n"),
    (
        "larger_rewrite",
        ("return cache.get(key);\n", "v = load(key, mode);\nreturn v;\n", "v = load(key, fast);\nreturn v;\n"),
        "return cache.get(key);\n",
    ),
    (
        "larger_rewrite",
        (
            "new Shop().open(till);\n",
            "Till till = make(1, 2);\ntill.open();\n",
            "Till box = make(1, 2);\nbox.open();\n",
        ),
        "new Shop().open(box);\n",  # and with the name that the other side gave
    ),
    ("contained", ("f(a);\n", "f(x);\n", "f(a, b);\n"), "f(a, b);\n"),
    ("imports", ("import b;\n", "", "import a;\n"), "import a;\nimport b;\n"),
    ("union", ("void f() {}\n", "", "int g = compute();\n"), "void f() {}\nint g = compute();\n"),
    ("only_blanks", ("if (a) {\n    b();\n", "x\n", "if (a) {\n  b();\n"), "if (a) {\n  b();\n"),
    ("both_insert", ("f(a, b);\n", "f(a);\n", "f(a, c);\n"), "f(a, b, c);\n"),
    ("guess", ("x = first();\n", "x = 0;\n", "x = second;\n"), "x = second;\n"),
]
UNDECIDED = [
    ("same_text", ("a\n", "b\n", "a \n")),
    ("one_side_only", ("a\n", "", "b\n")),
    ("token_merge", ("f(3);\n", "f(1);\n", "f(2);\n")),
    ("token_merge", ("new();\nold(1);\n", "old(1);\n", "old(2);\nnew();\n")),  # would write the same line twice
    ("larger_number", ("v = 7a\n", "v = 1\n", "w = 12\n")),
    ("same_addition", ("a();\nb();\nc();\n", "", "a();\nx();\ny();\n")),
    ("appended_lines", ("first(x);\n", "one(a, b);\n", "zero();\none(a, b);\n")),
    ("deletion", ("a\n", "b\n", "c\n")),
    ("deletion", ("", "", "c\n")),
    ("larger_rewrite", ("f(c, b);\n", "f(a, b);\n", "f(a, d);\n")),  # one token each
    ("contained", ("f(b, a);\n", "f(x);\n", "f(a, b);\n")),
    ("imports", ("import b;\n", "", "int a;\n")),
    ("union", ("f();\n", "e();\n", "g();\n")),
    ("only_blanks", ("a b\n", "x\n", "a c\n")),
    ("both_insert", ("f(b);\n", "f(a);\n", "f(a, c);\n")),
]
BY_NAME = {rule.__name__: rule for rule in RULES}


@pytest.mark.parametrize(("rule", "texts", "resolution"), DECIDED)
def test_rule_decides(rule, texts, resolution):
    name, answer = decide(Conflict.of(row(*texts)))
    assert (name, answer.resolution) == (rule, resolution)
    assert resolve("rules", row(*texts)) == explain(row(*texts))[0] == resolution


@pytest.mark.parametrize(("rule", "texts"), UNDECIDED)
def test_rule_declines(rule, texts):
    assert BY_NAME[rule](Conflict.of(row(*texts))) is None


def test_every_rule_is_stated_and_tested():
    assert {rule for rule, *_ in DECIDED} == set(BY_NAME)
    assert {rule for rule, _ in UNDECIDED} == set(BY_NAME) - {"guess"}
    assert all(re.fullmatch(r"[A-Z].{10,}: .{5,}\.", statement(name)) for name in BY_NAME)


# ---- the simple baselines


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ours", "f(2)\n"),
        ("theirs", "f(3)\n"),
        ("union", "f(2)\nf(3)\n"),
        ("union_reversed", "f(3)\nf(2)\n"),
        ("base", "f(1)\n"),
        ("empty", ""),
        ("token_merge", None),
        ("rules", "f(3)\n"),
    ],
)
def test_simple_baselines(name, expected):
    assert resolve(name, row("f(2)\n", "f(1)\n", "f(3)\n")) == expected


def test_token_merge_keeps_every_blank():
    ours, base, theirs = "\tif ( a ) {\r\n", "\tif (a) {\r\n", "\tif (b) {\r\n"
    assert merge_tokens(ours, base, theirs) is None  # git would also call `( a )` and `(b)` one change
    assert merge_tokens("  f(a,  2)\r\n", "  f(a,  1)\r\n", "  g(a,  1)\r\n") == "  g(a,  2)\r\n"


def test_unknown_base_has_no_answer():
    assert resolve("base", row("a\n", None, "b\n")) is None
    assert resolve("token_merge", row("a\n", None, "b\n")) is None
    assert resolve("token_merge", row("a\n", "", "b\n")) is None
    assert resolve("rules", row("a();\n", None, "b();\n")) == "a();\nb();\n"


def test_union_never_glues_lines():
    assert resolve("union", row("a", "", "b\n")) == "a\nb\n"
    assert resolve("union", row("a", "", "b\r\n")) == "a\r\nb\r\n"


def test_unknown_name_and_row_without_conflict():
    with pytest.raises(LlmergeError, match="token_merge"):
        resolve("tokens", row("a\n", "", "b\n"))
    with pytest.raises(LlmergeError, match="ours and theirs"):
        resolve("ours", {"answer": "x"})
    with pytest.raises(LlmergeError, match="conflict"):
        resolve("rules", {"question": "nothing here"})


def test_question_alone_is_enough():
    merge_bench = "Resolve:\n```java\nint x;\n<<<<<<< HEAD\nf(2);\n=======\nf(3);\n>>>>>>> topic\n```\n"
    assert resolve("ours", {"question": merge_bench, "answer": "int x;\nf(3);\n"}) == "f(2);\n"
    assert resolve("base", {"question": merge_bench}) is None
    assert resolve("rules", {"question": merge_bench}) == "f(3);\n"


# ---- mergiraf, an optional program


def stand_in(folder, body: str, monkeypatch) -> None:
    program = folder / "mergiraf"
    program.write_text(f"#!{sys.executable}\n{body}")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_mergiraf_absent(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert resolve("mergiraf", row("a\n", "b\n", "c\n")) is None


def test_mergiraf_merges_whole_files(tmp_path, monkeypatch):
    body = (
        "import sys\ncommand, base, left, right = sys.argv[1:]\nassert command == 'merge' and base.endswith('.java')\n"
        "sys.stdout.write(open(left, newline='').read().replace('MARK', open(right).read().split()[2]))"
    )
    stand_in(tmp_path, body, monkeypatch)
    whole = row("MARK\n", "old\n", "new\n", "b\n", "a\n") | {"prefix": "p\n", "suffix": "s\n"}
    assert resolve("mergiraf", whole) == "new\n"  # the third word of theirs: p b new


@pytest.mark.parametrize(
    "body",
    [
        "import sys; print('<<<<<<< x'); sys.exit(1)",
        "print('something else')",
        "import time; time.sleep(30)",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    ],
    ids=["conflict left", "context changed", "too slow", "killed"],
)
def test_mergiraf_fails(tmp_path, monkeypatch, body):
    monkeypatch.setattr(baselines, "MERGIRAF_SECONDS", 0.5)
    stand_in(tmp_path, body, monkeypatch)
    assert resolve("mergiraf", row("a\n", "b\n", "c\n", before="keep\n")) is None


# ---- no label is read, nothing is left to chance

QUESTION = {"before", "ours", "base", "theirs", "after", "language", "path"}
TEXTS = [texts for _, texts, _ in DECIDED] + [texts for _, texts in UNDECIDED]


@pytest.mark.parametrize("texts", TEXTS)
def test_labels_are_not_read(texts):
    full = row(*texts) | {"resolution": "label\n", "answer": "label\n", "kind": "mixed", "prefix": "", "suffix": ""}
    for name in NAMES:
        allowed = QUESTION | ({"prefix", "suffix"} if name == "mergiraf" else set())
        assert resolve(name, Sealed(full, allowed)) == resolve(name, full)
    assert explain(Sealed(full, QUESTION)) == explain(full)


@pytest.mark.parametrize("texts", TEXTS)
def test_served_from_the_question_alone(texts):
    """The rule server sees only the question; it must say the same."""
    full = row(*texts, before="int a;\n", after="int z;\n")
    question = Conflict.of(full).question()
    assert explain(parse_question(question)) == explain(full) == explain({"question": question})


def test_same_words_in_every_process():
    code = (
        "from llmerge_helpers.baselines.explain import explain\nfrom llmerge_helpers.conflicts import Conflict\n"
        f"for texts in {TEXTS!r}:\n    print(explain(Conflict(**dict(zip(('ours', 'base', 'theirs'), texts)))))"
    )
    outputs = set()
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
        run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        outputs.add(run.stdout)
    assert len(outputs) == 1


# ---- the reasoning


@pytest.mark.parametrize("texts", TEXTS)
def test_reasoning_is_short_prose(texts):
    resolution, reasoning = explain(row(*texts))
    assert 40 <= len(reasoning.split()) <= 200
    assert not MARKER.search(reasoning) and "```" not in reasoning and "think>" not in reasoning
    assert "Ours " in reasoning and "Theirs " in reasoning
    for line in resolution.splitlines()[:2]:
        assert not line.strip() or inline(line) in reasoning


def test_reasoning_names_what_changed():
    _, reasoning = explain(row("int f(int a, int b);\n", "int f(int a);\n", "long f(int a);\n"))
    assert "Ours puts `, int b` into `int f(int a);`." in reasoning
    assert "Theirs changes `int` to `long` in `int f(int a);`." in reasoning
    assert "different places, so both are applied" in reasoning
    assert "So what stays is `long f(int a, int b);`." in reasoning
    assert "What goes is `int f(int a, int b);` of ours and `long f(int a);` of theirs." in reasoning


def test_reasoning_differs_from_conflict_to_conflict():
    assert len({explain(row(*texts))[1] for texts in TEXTS}) == len(set(TEXTS))


def test_reasoning_shows_long_lines_where_they_change():
    line = "call(" + ", ".join(f"argument{n}" for n in range(30)) + ")\n"
    _, reasoning = explain(row(line.replace("argument20", "other20"), line, line.replace("argument25", "new25")))
    assert "`argument20` to `other20` in `…" in reasoning and "new25" in reasoning


def test_quotes_are_harmless():
    for text in (
        "<<<<<<< HEAD",
        "======= x",
        "||||||| base",
        ">>>>>>> y",
        "</think>",
        "```java",
        "~~~~",
        "a\0b\x1b[31m",
    ):
        quoted = inline(text)
        assert not re.search(r"[<>=|~]{4}|think>|``|[\x00-\x1f]", quoted), quoted
        assert len(inline(text * 100)) < 80


NASTY = st.lists(
    st.sampled_from(
        [
            "<<<<<<< a",
            "=======",
            "||||||| b",
            ">>>>>>> c",
            "```",
            "</think>",
            "<think>",
            "import a;",
            "from a import b, c",
        ]
        + ["_k10 = 12", "v 1.2.3", "f(a, b)", "  x", "\tx", "é\u2028", "\0", "", "}"]
    ),
    max_size=6,
)
TEXT = st.one_of(
    st.text(max_size=40),
    NASTY.map("\n".join),
    NASTY.map("\r\n".join),
    NASTY.map(lambda lines: "".join(line + "\n" for line in lines)),
)


@given(TEXT, TEXT, TEXT, TEXT)
@settings(deadline=None, derandomize=True, max_examples=400)
def test_any_text(ours, base, theirs, around):
    conflict = row(ours, base, theirs, around, around)
    for name in NAMES:
        assert isinstance(resolve(name, conflict), str | None)
    resolution, reasoning = explain(conflict)
    assert resolution == resolve("rules", conflict)
    assert resolution is not None and explain(conflict) == (resolution, reasoning)
    assert 40 <= len(reasoning.split()) <= 200
    assert not MARKER.search(reasoning) and "```" not in reasoning and "think>" not in reasoning


@given(TEXT, TEXT, TEXT)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_sides_swap(ours, base, theirs):
    """Where a rule prefers the longer, newer or bolder side, it does not matter which one is called ours."""
    name, answer = decide(Conflict(ours=ours, base=base, theirs=theirs))
    if name in ("one_side_only", "larger_number", "deletion", "larger_rewrite", "contained"):
        assert answer.resolution == decide(Conflict(ours=theirs, base=base, theirs=ours))[1].resolution


@given(TEXT, TEXT, TEXT)
@settings(deadline=None, derandomize=True, max_examples=200)
def test_token_merge_of_one_change(ours, base, theirs):
    """A merge with an unchanged side is the other side; a merge of equal sides is that side."""
    assert merge_tokens(ours, base, base) in (ours, None)
    assert merge_tokens(base, base, theirs) in (theirs, None)
    assert merge_tokens(ours, base, ours) in (ours, None)


@pytest.mark.parametrize(
    ("ours", "base", "theirs"),
    [
        ("a b " * 30_000, "b a " * 30_000, "a a b " * 20_000),
        ("x\n" * 30_000, "y\n" * 30_000 + "x\n", "x\ny\n" * 20_000),
        (" ".join(map(str, range(20_000))), " ".join(map(str, range(20_000, 0, -1))), ""),
        ("(" * 50_000, ")" * 50_000, "()" * 50_000),
        ("1." * 20_000, "1.1" * 20_000, "2." * 20_000),
        ("import a\n" * 9_000, "", "import b\n" * 9_000),
        ("9" * 5_000, "1" * 5_000, "10" * 5_000),
    ],
    ids=["two words", "two lines", "reversed", "brackets", "numbers", "imports", "one long number"],
)
def test_huge_conflicts_end(ours, base, theirs):
    resolution, reasoning = explain(row(ours, base, theirs))
    assert isinstance(resolution, str) and len(reasoning) < 3_000


@given(st.lists(st.sampled_from("abc"), max_size=12), st.lists(st.sampled_from("abc"), max_size=12))
@settings(deadline=None, derandomize=True)
def test_changes_rebuild_the_new_list(old, new):
    rebuilt, done = [], 0
    for _, i, j, k, m in changes(old, new):
        rebuilt += old[done:i] + new[k:m]
        done = j
    assert rebuilt + old[done:] == new


# ---- import lines


@pytest.mark.parametrize(
    ("ours", "base", "theirs", "around", "expected"),
    [
        ("import b;\n", "", "import a;\n", ("", ""), "import a;\nimport b;\n"),
        ("import b;\n", "", "import a;\n", ("import z;\n", ""), "import b;\nimport a;\n"),  # the file is not sorted
        ("import b;\n", "import a;\nimport b;\n", "import a;\nimport c;\n", ("", ""), "import c;\n"),
        ("import a;\n", "", "import a;\nimport c;\n", ("", ""), "import a;\nimport c;\n"),
        (
            "import re\n",
            "",
            "from io import x\n",
            ("import os\n", ""),
            "import re\nfrom io import x\n",
        ),  # isort's order
        ("from m import a, z\n", "from m import a\n", "from m import B\n", ("", ""), "from m import B, z\n"),
        ("from m import a\n", "from m import a, b\n", "from m import b\n", ("", ""), ""),
        ("import b\r\n", "", "import a\r\n", ("", ""), "import a\r\nimport b\r\n"),
        ("import b", "", "import a", ("", ""), "import a\nimport b"),  # no line end at the end of the file
    ],
)
def test_imports(ours, base, theirs, around, expected):
    merged = merge_imports(ours, base, theirs, *around)
    assert merged is not None and merged[0] == expected
