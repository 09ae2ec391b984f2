"""A file with conflict markers in, the same file with a model's proposals out."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers import merges, models, resolver
from llmerge_helpers.conflicts import Conflict, Hunk, make_hunk, parse, render_answer, render_reply, split_lines
from llmerge_helpers.conflicts.conflict import context_of
from llmerge_helpers.resolver.files import merged_again
from llmerge_helpers.verdict import proposal

ALL = [dict(row) for split in merges.load("sample").values() for row in split]
FILES = Counter((row["merge_commit"], row["path"]) for row in ALL)
# of files with one conflict, and no line of equals signs in it, which nobody could tell from a marker
SAMPLE = [r for r in ALL if FILES[r["merge_commit"], r["path"]] == 1 and "=======" not in r["ours"] + r["theirs"]]


def file_of(row):
    """The file as git leaves it, where this is its only conflict."""
    hunk = make_hunk(row["ours"], row["base"], row["theirs"])
    return f"{row['prefix']}{row['before']}{hunk}{row['after']}{row['suffix']}"


def reply(row, code):
    return render_reply("Both count.", render_answer(code, row["language"]))


def test_a_conflict_of_ones_own_is_asked_about_as_those_of_training_are():
    assert len(SAMPLE) > 60
    for row in SAMPLE:
        [found] = resolver.conflicts_in(file_of(row), row["path"])
        before, after = context_of(split_lines(row["before"]), split_lines(row["after"]), 5)
        assert found.question() == replace(Conflict.of(row), before=before, after=after).question()


def test_the_committed_answer_gives_the_committed_file():
    for row in SAMPLE:
        text, whole = file_of(row), row["prefix"] + row["answer"] + row["suffix"]
        [found] = resolver.conflicts_in(text, row["path"])
        done = resolver.resolved(text, [proposal(reply(row, row["answer"]), found)])
        assert done == whole or done == whole + "\n" and not whole.endswith("\n")  # git's markers end the last line
        assert resolver.resolved(text, [None]) == text


@pytest.mark.parametrize(
    ("text", "finish_reason"),
    [
        ("I would keep both.", "stop"),
        ("<think>\nlong", "stop"),
        ("```java\na\nb\nz\n```", "length"),
        ("```java\na\nb\nz\n", "stop"),
        ("```java\na\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\nz\n```", "stop"),
        ("```java\nb\nc\n```", "stop"),
        ("```java\nA\nb\nz\n```", "stop"),
        ("```java\n```", "stop"),
    ],
    ids=["words", "unfinished", "cut", "open", "markers", "no context", "other context", "empty"],
)
def test_what_does_not_fit_is_no_proposal(text, finish_reason):
    row = Conflict(before="a\n", ours="b\n", theirs="c\n", after="z\n", path="A.java")
    assert proposal(text, row, finish_reason=finish_reason) is None
    assert proposal("```java\na\nb\nz\n```", row, finish_reason="stop") == "b\n"
    assert proposal("```java\na\nz\n```", row) == ""


@pytest.mark.parametrize(
    "code",
    [
        "a\nb\nz\n",
        "\n\na\nb\nz\n\n",
        "a  \nb\nz\t\n",
        "\n\ta\nb\nz",
        "\r\n \r\n\ta\r\nb\r\nz\r\n",
        "\n\n \n\ta\nb\nz\n",
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_blank_edges_and_blanks_at_line_ends_are_the_files(code, newline):
    """The file keeps its own lines around the conflict, so what a reply makes of their blanks is no matter."""
    texts = {"before": "\n \na\n", "ours": "o\n", "base": "", "theirs": "t\n", "after": "z  \n\n"}
    if "\ta" in code:
        texts["before"] = texts["before"].replace("a", "\ta")
    conflict = Conflict(**{name: text.replace("\n", newline) for name, text in texts.items()}, path="A.java")
    assert proposal(f"```java\n{code.rstrip(chr(10))}\n```", conflict) == f"b{newline}"
    assert proposal(f"```java\n{code.replace('z', 'y')}\n```", conflict) is None


def test_a_file_without_a_final_line_end_stays_without():
    conflict = Conflict(before="a\n", ours="o", base="", theirs="t", path="A.java")
    assert proposal("```java\na\nb\nc\n```", conflict) == "b\nc"
    assert proposal("```java\na\nb\n```", Conflict(before="a\n", ours="o\n", theirs="t\n", path="A.java")) == "b\n"


@pytest.mark.parametrize(
    ("texts", "resolution", "fits"),
    [
        (("int a = 1;\n", "int a = 2;\n", "A.java"), "int a = (1;\n", False),
        (("int a = 1;\n", "int a = 2;\n", "A.java"), "int a = (1);\n", True),
        (("int a = 1;\n", "int a = (2;\n", "A.java"), "int a = (1;\n", True),  # a side does not parse either
        (("a = 1\n", "a = 2\n", "a.py"), "a = [1\n", False),
        (("a = 1\n", "a = 2\n", "a.js"), "a = ;\n", False),
        (("a = 1\n", "a = 2\n", "a.txt"), "a = (1\n", True),  # nobody can tell
    ],
)
def test_a_proposal_parses_where_both_sides_do(texts, resolution, fits):
    ours, theirs, path = texts
    conflict = Conflict(before="int x;\n" if path == "A.java" else "x = 1\n", ours=ours, theirs=theirs, path=path)
    reply = render_answer(conflict.with_(resolution), "Text")
    assert proposal(reply, conflict) == (resolution if fits else None)


line = st.text("ab<=>| ", max_size=9).map(lambda text: text + "\n")
lines = st.lists(line, max_size=8).map("".join)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(lines, lines, lines, lines, lines, lines, st.integers(0, 6), st.sampled_from(["\n", "\r\n"]))
def test_rows_of_any_file_fit_back_into_it(head, ours, base, theirs, tail, resolution, context, newline):
    parts = [part.replace("\n", newline) for part in (head, ours, base, theirs, tail)]
    text = parts[0] + str(make_hunk(*parts[1:4], newline=newline)) + parts[4]
    rows = resolver.conflicts_in(text, "a.txt", context)
    assert resolver.resolved(text, [None] * len(rows)) == text
    for row in rows:
        assert row.before.count("\n") <= context and row.after.count("\n") <= context
        code = (row.before + row.after).replace("\r\n", "\n")
        if code and resolver.conflicts_in(code) == []:
            assert proposal(render_answer(code, "Text"), row) in ("", None)


def test_a_model_answers_a_file_with_two_conflicts(tmp_path, monkeypatch, capfdbinary):
    row = SAMPLE[0]
    text = file_of(row) + "\nint x;\n<<<<<<< a\nint y;\n=======\nint z;\n>>>>>>> b\n"
    path = tmp_path / "Two.java"
    path.write_text(text)
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "lineage.json").write_text('{"completion_tokens_95": 800}')

    def complete(model, tokenizer, prompts, *, max_new_tokens, batch_size):
        assert (model, len(prompts), max_new_tokens) == ("model", 2, 900)
        texts = [reply(row, row["answer"]), "no idea"]
        return [models.Completion(text, "stop", 9) for text in texts]

    monkeypatch.setattr(models, "complete", complete)
    monkeypatch.setattr(models, "load_for_evaluation", lambda model: ("model", None, ""))
    monkeypatch.setattr(models, "render_prompt", lambda tokenizer, prompt: prompt[-1]["content"])
    assert resolver.main([str(path), "--model", str(tmp_path)]) == 1
    out, err = capfdbinary.readouterr()
    assert out.decode() == text.replace(file_of(row), row["prefix"] + row["answer"] + row["suffix"])
    assert b"1 of 2 conflicts resolved by" in err and path.read_text() == text


def test_an_adapter_is_asked_as_it_was_trained(tmp_path, monkeypatch, capfdbinary):
    (tmp_path / "a.py").write_text("<<<<<<< a\nx = 1\n||||||| b\nx = 0\n=======\nx = 2\n>>>>>>> c\n")
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "lineage.json").write_text('{"form": ["compact", "diffs", true]}')
    asked = []

    def complete(model, tokenizer, prompts, **how):
        asked.extend(prompts)
        return [models.Completion("<think>\ntheirs\n</think>\n\nTheirs.", "stop", 9)]

    monkeypatch.setattr(models, "complete", complete)
    monkeypatch.setattr(models, "load_for_evaluation", lambda model: ("model", None, ""))
    monkeypatch.setattr(models, "render_prompt", lambda tokenizer, prompt: prompt[0]["content"])
    assert resolver.main([str(tmp_path / "a.py"), "--model", str(tmp_path)]) == 0
    assert capfdbinary.readouterr().out == b"x = 2\n"
    assert asked[0].startswith("Conflict in ") and "\n-x = 0\n+x = 1\n" in asked[0] and "\n\nHints: rules " in asked[0]


def test_the_rules_need_no_model(tmp_path):
    (tmp_path / "a.py").write_text("a = 1\n<<<<<<< x\nb = 2\n=======\nb = 2\n>>>>>>> y\n")
    command = [sys.executable, "-m", "llmerge_helpers.resolver", "a.py", "--model", "rules"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "a = 1\nb = 2\n"), done.stderr
    for name, sentence in (("nowhere.py", "cannot be read"), ("b.py", "has no conflict"), ("c.py", "has no conflict")):
        (tmp_path / "b.py").write_text("a = 1\n")
        (tmp_path / "c.py").write_bytes(b"\xff\xfe")
        done = subprocess.run([*command[:3], name], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 2 and sentence in done.stderr and done.stderr.count("\n") == 1


# ---- the base out of git's index


def git(folder, *arguments, check=True):
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
    names = (
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b.c",
        "-c",
        "init.defaultBranch=main",
        "-c",
        "core.autocrlf=false",
    )
    return subprocess.run(["git", *names, *arguments], cwd=folder, env=env, check=check, capture_output=True)


def in_conflict(folder, base, ours, theirs, name="A.java"):
    """A repository with `name` in conflict, in merge style; None for a file that a commit does not have."""
    folder.mkdir(exist_ok=True)
    git(folder, "init", "-q")
    (folder / "other").write_text("x")
    for branch, text in (("main", base), ("topic", theirs), ("main", ours)):
        git(folder, "checkout", "-q", *(["-B", branch] if branch == "topic" or text is base else [branch]), check=False)
        if text is not None:
            (folder / name).write_bytes(text.encode())
        git(folder, "add", "-A")
        git(folder, "commit", "-q", "--allow-empty", "-m", "m")
    assert git(folder, "-c", "merge.conflictStyle=merge", "merge", "-q", "topic", check=False).returncode == 1
    return folder / name


def body(*lines):
    return "class A {\n  int f(int x) {\n    start();\n" + "".join(f"    {line}\n" for line in lines) + "  }\n}\n"


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["A.java", "a b.java", "Ä.java"])
def test_the_base_comes_out_of_the_index(tmp_path, newline, name):
    texts = [body(*lines).replace("\n", newline) for lines in (["return x;"], ["return x + 1;"], ["return g(x);"])]
    file = in_conflict(tmp_path / "r", *texts, name=name)
    text = file.read_bytes().decode()
    [conflict] = resolver.conflicts_in(text, str(file))
    assert conflict.base is None
    [found] = resolver.with_base([conflict], file)
    assert found == replace(conflict, base=f"    return x;{newline}")


def test_two_returns_are_one_once_the_base_is_known(tmp_path, capfdbinary):
    file = in_conflict(tmp_path / "r", body("return x;"), body("return x + 1;"), body("return 2 * x * x;"))
    index = (tmp_path / "r/.git/index").read_bytes()
    assert resolver.main([str(file), "--model", "rules"]) == 0
    assert capfdbinary.readouterr()[0].count(b"return") == 1
    assert (tmp_path / "r/.git/index").read_bytes() == index
    (tmp_path / "A.java").write_bytes(file.read_bytes())  # no repository, no base: nobody knows what was changed
    assert resolver.main([str(tmp_path / "A.java"), "--model", "rules"]) == 1
    assert capfdbinary.readouterr()[0] == file.read_bytes()
    both_added = in_conflict(tmp_path / "s", body(), body("return x + 1;"), body("return 2 * x * x;"))
    assert resolver.main([str(both_added), "--model", "rules"]) == 1
    added = in_conflict(tmp_path / "t", None, body("int a;"), body("int b;"))
    [found] = resolver.with_base(resolver.conflicts_in(added.read_text(), str(added)), added)
    assert found.base == ""


@pytest.mark.parametrize(("ours", "theirs", "end"), [("b", "c", ""), ("b\n", "c", "\n"), ("b\n", "c\n", "\n")])
def test_the_end_of_a_file_stays_what_it_was(tmp_path, ours, theirs, end):
    file = in_conflict(tmp_path / "r", "a\n", f"a\n{ours}", f"a\n{theirs}", name="a.txt")
    text = file.read_text()
    conflicts = resolver.with_base(resolver.conflicts_in(text, str(file)), file)
    assert resolver.resolved(text, [proposal("```\na\nb\nc\n```", conflicts[0])]) == f"a\nb\nc{end}"


def resolver_of(file, number):
    """The text of a conflict, as it stands in the file."""
    return str([part for part in parse(file.read_text()) if isinstance(part, Hunk)][number])


def test_the_right_one_of_several_conflicts_gets_its_base(tmp_path):
    middle = "".join(f"    m{n}();\n" for n in range(9)).strip()
    texts = [body(f"a = {v};", middle, f"b = {v};", middle, f"a = {v};") for v in (1, 2, 3)]
    file = in_conflict(tmp_path / "r", *texts)
    conflicts = resolver.conflicts_in(file.read_text(), str(file))
    found = [each.base for each in resolver.with_base(conflicts, file)]
    assert found == ["    a = 1;\n", "    b = 1;\n", "    a = 1;\n"]  # the file is as git left it
    part = file.read_text().replace(resolver_of(file, 0), "    a = 2;\n", 1)
    found = [each.base for each in resolver.with_base(resolver.conflicts_in(part, str(file)), file)]
    assert found == ["    b = 1;\n", None]  # one is gone: nobody knows which of the two it was


def test_the_base_is_known_where_a_merge_finds_other_lines_in_common_than_a_plain_diff(tmp_path):
    """Merges look for lines in common by histograms: `}` and blank lines, which are everywhere, hold nothing."""
    rest = "".join(f"  }}\n\n  f{n}();\n  {{\n" for n in range(4))
    base = f"{rest}  a {{\n    x();\n  }}\n\n  b {{\n    y();\n  }}\n{rest}"
    ours = f"{rest}  c {{\n    z();\n  }}\n\n  d {{\n    w();\n  }}\n\n  b {{\n    q();\n  }}\n{rest}"
    theirs = f"{rest}  b {{\n    y(1);\n  }}\n\n  e {{\n  }}\n\n{rest}"
    file = in_conflict(tmp_path / "r", base, ours, theirs)
    git(tmp_path / "r", "merge", "--abort")
    git(tmp_path / "r", "-c", "merge.conflictStyle=diff3", "merge", "topic", check=False)
    shown = [part.base for part in parse(file.read_text()) if isinstance(part, Hunk)]
    again = [part for part in merged_again([base, ours, theirs]) if isinstance(part, Hunk)]
    assert [part.base for part in again] == shown and shown


def test_no_program_that_a_repository_names_is_run(tmp_path):
    file = in_conflict(tmp_path / "r", body("return x;"), body("return x + 1;"), body("return g(x);"))
    (tmp_path / "r/run.sh").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\ncat\n")
    (tmp_path / "r/run.sh").chmod(0o755)
    program = f"{tmp_path}/r/run.sh"
    for key in (
        "core.fsmonitor",
        "core.sshCommand",
        "core.pager",
        "diff.x.textconv",
        "filter.x.smudge",
        "merge.x.driver",
    ):
        git(tmp_path / "r", "config", key, program)
    (tmp_path / "r/.git/hooks/post-index-change").write_text((tmp_path / "r/run.sh").read_text())
    (tmp_path / "r/.git/hooks/post-index-change").chmod(0o755)
    (tmp_path / "r/.gitattributes").write_text("* diff=x filter=x merge=x\n")
    [found] = resolver.with_base(resolver.conflicts_in(file.read_text(), str(file)), file)
    assert found.base == "    return x;\n" and not (tmp_path / "ran").exists()


def test_proposals_with_which_the_file_does_not_parse_are_none():
    one = "<<<<<<< a\n  if (x) {\n=======\n  while (x) {\n>>>>>>> b\n"
    text = f"class A {{ void f() {{\n{one}  g();\n<<<<<<< a\n  }}\n=======\n  h(); }}\n>>>>>>> b\n}} }}\n"
    good = ["  for (;;) {\n", "  }\n"]
    assert resolver.that_parse(text, good, "A.java") == good
    assert resolver.that_parse(text, ["  for (;;\n", "  }\n"], "A.java") == [None, "  }\n"]
    assert resolver.that_parse(text, [None, "  h(;\n"], "A.java") == [None, None]
    assert resolver.that_parse(text, ["  (\n", None], "A.txt") == ["  (\n", None]  # nobody can tell
    broken = text.replace("class A {", "class A (")  # not even the sides parse
    assert resolver.that_parse(broken, ["  for (;;\n", "  }\n"], "A.java") == ["  for (;;\n", "  }\n"]


def test_no_proposal_of_the_rules_without_a_base_but_where_the_sides_agree():
    base = {"before": "a\n", "after": "z\n", "path": "a.py"}
    for ours, theirs in (
        ("return 1\n", "return f()\n"),
        ("b = 1\n", ""),
        ("v = 1.2\n", "v = 1.3\n"),
        ("x()\n", "y()\n"),
    ):
        assert resolver.answers([Conflict(ours=ours, theirs=theirs, **base)], "rules") == [None]
    assert resolver.answers([Conflict(ours="b\n", theirs="b\n", **base)], "rules") == ["b\n"]
    assert resolver.answers([Conflict(ours="x()\n", base="", theirs="y()\n", **base)], "rules") == ["x()\ny()\n"]
    for ours, theirs in (("return 1\n", "return f()\n"), ("raise A\n", "g()\n")):
        assert resolver.answers([Conflict(ours=ours, base="", theirs=theirs, **base)], "rules") == [None]
