"""What the commits of both sides say and change is collected when asked, and changes nothing where it is not."""

from __future__ import annotations

import os
from shutil import which

from histories import History

from llmerge_helpers.collect import collect, collect_repository
from llmerge_helpers.collect.commits import Told
from llmerge_helpers.collect.mining import mining_options
from llmerge_helpers.collect.parts import part_key
from llmerge_helpers.conflicts import Form, messages
from llmerge_helpers.conflicts.prompts import OF_SIDES, form_of, parse_question
from llmerge_helpers.merges import load, save

OLD, OURS, THEIRS = "int a = 1;\n", "int a = 2;\n", "int a = 3;\n"


def history() -> History:
    """Ours changes another file as well, with a name that is a pattern; theirs one that is huge."""
    found = History()
    other, odd = "src/Other.java", "z/[a]*.java"
    base = {"src/App.java": OLD, other: "int b;\n", odd: "int z = 1;\n"}
    ours = {"src/App.java": OURS, other: "long b;\n", odd: "int z = 2;\n"}
    theirs = {"src/App.java": THEIRS, other: "int b;\n", odd: "int z = 3;\n", "big.txt": "line\n" * 20_000}
    found.merge(base, ours, theirs, ours | {"src/App.java": "int a = 5;\n", "big.txt": theirs["big.txt"]})
    return found


def test_a_row_is_told_what_both_sides_did(tmp_path):
    repo = history().build(tmp_path / "repo")
    plain = list(collect_repository(repo))
    rows = list(collect_repository(repo, context=True))
    assert tuple(Told.__annotations__) == OF_SIDES
    assert [{k: v for k, v in row.items() if k not in OF_SIDES} for row in rows] == plain and len(rows) == 2
    for row in rows:
        assert row["ours_message"] == row["theirs_message"] == "m\n"
        # its own file first, then the others, and what was decided in neither of them
        assert (
            row["ours_diff"].startswith(f"diff --git a/{row['path']} b/{row['path']}\n")
            and "+long b;" in row["ours_diff"]
        )
        assert row["theirs"].strip() in row["theirs_diff"] and 3000 < len(row["theirs_diff"]) <= 4000
        assert "int a = 5;" not in row["ours_diff"] + row["theirs_diff"]
    question = messages(rows[0], Form(context="both"))
    assert form_of(question) == Form(context="both") and "\nours, message:\n" in question[1]["content"]
    assert parse_question(question[1]["content"])["ours"] == rows[0]["ours"]


def test_it_goes_through_parts_and_a_data_set(tmp_path):
    repo = history().build(tmp_path / "repo")
    for context in (False, True):
        found = collect([repo], tmp_path / "parts", workers=1, context=context)
        saved = save(found.rows(), tmp_path / f"d{context}", test_size=0.5)
        names = set(saved["train"].column_names)
        assert names >= set(OF_SIDES) if context else not names & set(OF_SIDES)
    rows = [row for part in load(tmp_path / "dTrue").values() for row in part]
    assert {row["ours_message"] for row in rows} == {"m\n"} and all(row["prefix"] is not None for row in rows)
    # parts that were made before, without it, are found as before
    assert mining_options(5, None) == {"context_lines": 5, "languages": [], "wholesale": False}
    assert part_key(["a"], mining_options(5, None, context=True)) != part_key(["a"], mining_options(5, None))


def test_a_git_that_complains_without_end_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    repo = history().build(tmp_path / "repo")
    rows = list(collect_repository(repo, context=True))
    script, folder = (
        f'case "$*" in *" log "*|*" diff "*) yes warning | head -c 200000 >&2;; esac\nexec {which("git")} "$@"\n',
        tmp_path / "bin",
    )
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    assert list(collect_repository(repo, context=True)) == rows
