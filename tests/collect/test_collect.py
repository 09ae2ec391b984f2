"""Mining: real git histories built on the fly, and what comes out of them."""

import random
import shutil
import subprocess
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from histories import FILE, LINK, SCRIPT, SUBMODULE, History, git, one_file
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.collect import (
    Source,
    align,
    build_scenarios,
    collect,
    collect_repository,
    find_sources,
    look,
    waterfall,
)
from llmerge_helpers.collect import conflicted_file as conflicted
from llmerge_helpers.collect import mining as module
from llmerge_helpers.collect import repository as gitio
from llmerge_helpers.collect.conflicted_file import is_generated
from llmerge_helpers.collect.labels import AMBIGUOUS, ELSEWHERE, OUTSIDE_EDITS, SWALLOWED
from llmerge_helpers.collect.licences import spdx_of
from llmerge_helpers.conflicts import Conflict, Hunk, has_markers, make_hunk, parse, render, split_lines
from llmerge_helpers.conflicts.prompts import parse_question
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges import COLUMNS

TOP = "package a;\n\nimport java.util.List;\n\nclass App {\n    int first = 1;\n"
END = "    int last = 9;\n\n    void run() {\n        go();\n    }\n}\n"
BASE, OURS, THEIRS = (f"{TOP}    int count = {n};\n{END}" for n in (0, 1, 2))


def mine(history: History, tmp_path: Path, **options) -> tuple[list[dict], Counter]:
    report = {}
    rows = list(collect_repository(history.build(tmp_path / "repo"), report=report, **options))
    for row in rows:
        assert set(row) == {*COLUMNS, "white_space_only"}
        assert row["before"] + row["resolution"] + row["after"] == row["answer"]
        assert not any(has_markers(row[column]) for column in ("before", "after", "answer"))
        asked = parse_question(row["question"])
        assert all((asked[name] or "") == row[name] for name in ("before", "ours", "base", "theirs", "after"))
    return rows, report["counts"]


def dropped(counts: Counter) -> dict[str, int]:
    return {k.split(": ", 1)[1]: n for k, n in counts.items() if k.startswith(("files: ", "hunks: "))}


# ------------------------------------------------------------------------------------------------------------- rows


def test_a_row_holds_the_conflict_and_what_the_developer_wrote(tmp_path):
    committed = f"{TOP}    int count = 1 + 2;\n{END}"
    rows, counts = mine(one_file(BASE, OURS, THEIRS, committed), tmp_path)
    (row,) = rows
    assert (row["ours"], row["base"], row["theirs"]) == (
        "    int count = 1;\n",
        "    int count = 0;\n",
        "    int count = 2;\n",
    )
    assert (row["resolution"], row["kind"], row["label"]) == ("    int count = 1 + 2;\n", "mixed", "exact")
    assert row["before"] == "import java.util.List;\n\nclass App {\n    int first = 1;\n"
    assert row["after"] == "    int last = 9;\n\n    void run() {\n        go();\n    }\n"
    assert row["prefix"] == "package a;\n\n"  # of five lines, the outermost one was blank
    assert row["prefix"] + row["answer"] + row["suffix"] == committed
    assert row["id"] == f"repo@{row['merge_commit'][:12]}:src/App.java#0"
    assert row["language"] == "Java" and row["committed_at"].startswith("2020-09-13T12:30:40")
    parents = git("rev-list", "--parents", "-1", row["merge_commit"], cwd=tmp_path / "repo").split()
    assert parents == [row["merge_commit"], row["parent_1"], row["parent_2"]]
    assert counts["merges"] == counts["hunks"] == counts["rows"] == 1 and not dropped(counts)


@pytest.mark.parametrize(
    ("resolution", "kind"),
    [
        ("    int count = 1;\n", "ours"),
        ("    int count = 2;\n", "theirs"),
        ("    int count = 1;\n    int count = 2;\n", "ours_theirs"),
        ("    int count = 2;\n    int count = 1;\n", "theirs_ours"),
        ("    int count = 0;\n", "base"),
        ("", "empty"),
        ("    int count = 3;\n", "mixed"),
    ],
)
def test_kinds(resolution, kind, tmp_path):
    rows, _ = mine(one_file(BASE, OURS, THEIRS, TOP + resolution + END), tmp_path)
    assert [(row["resolution"], row["kind"]) for row in rows] == [(resolution, kind)]


def test_context_stops_at_the_next_hunk_and_no_marker_gets_in(tmp_path):
    def text(a, b):
        return f"one\na {a}\nmiddle word\nb {b}\nlast\n"

    rows, _ = mine(one_file(text(0, 0), text(1, 1), text(2, 2), text(3, 4), path="a.txt"), tmp_path)
    # git may report both in one hunk
    assert [row["resolution"] for row in rows] in (["a 3\n", "b 4\n"], ["a 3\nmiddle word\nb 4\n"])
    far = "".join(f"line {n}\n" for n in range(3))
    rows, _ = mine(
        one_file(*(f"a {n}\n{far}b {n}\n" for n in (0, 1, 2, 3)), path="b.txt"), tmp_path / "two", context_lines=10
    )
    assert [(row["before"], row["resolution"], row["after"]) for row in rows] == [
        ("", "a 3\n", far),
        (far, "b 3\n", ""),
    ]
    assert [(row["prefix"], row["suffix"]) for row in rows] == [("", "b 3\n"), ("a 3\n", "")]


@pytest.fixture(autouse=True)
def _two(tmp_path):
    (tmp_path / "two").mkdir()


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_first_and_last_line_of_the_file(ends, tmp_path):
    middle = "".join(f"line {n}{ends}" for n in range(12))
    history = one_file(*(f"top {n}{ends}{middle}end {n}{'' if n else ends}" for n in (0, 1, 2, 1)), path="a.txt")
    rows, _ = mine(history, tmp_path)
    assert [row["resolution"] for row in rows] == [f"top 1{ends}", "end 1"]
    assert [row["kind"] for row in rows] == ["ours", "ours"]
    assert rows[0]["before"] == rows[1]["after"] == ""


def test_new_files_on_both_sides(tmp_path):
    rows, _ = mine(one_file(None, "ours\n", "theirs\n", "both\n", path="New.java"), tmp_path)
    assert [(row["base"], row["resolution"]) for row in rows] == [("", "both\n")]


def test_underlines_and_banners_are_text(tmp_path):
    def text(n):
        return f"intro\n\n* {n}\n\n<<<<<<<\n\nend\n"

    rows, counts = mine(one_file(*map(text, (0, 1, 2, 2)), path="HISTORY.rst"), tmp_path)
    assert not rows and dropped(counts) == {"conflict markers in the text": 1}  # a lone marker in the file itself
    rows, _ = mine(
        one_file(*(f"A\n=======\n\nv{n}\n=======\n\nend of it\n" for n in (0, 1, 2, 2)), path="H.rst"), tmp_path / "two"
    )
    assert [(row["ours"], row["theirs"], row["kind"]) for row in rows] == [("v1\n", "v2\n", "theirs")]


# --------------------------------------------------------------------------------------------------- dropped or kept


@pytest.mark.parametrize(
    ("sides", "reason"),
    [
        ((b"a\0b\n", b"a\0c\n", b"a\0d\n", b"a\0e\n"), "not text"),
        ((b"a\nb\n", b"a\nc\n", b"a\nd\n", b"a\n\0\n"), "not text"),
        ((b"a\nb\n", b"a\nc\xe9\n", b"a\nd \xc3\xa9\n", b"a\ne\n"), "encoding is neither UTF-8 nor Latin-1"),
        ((b"a\nb\n", b"a\n\x83\x65\n", b"a\n\x83\x66\n", b"a\n\x83\x67\n"), "encoding is neither UTF-8 nor Latin-1"),
        (tuple(f"// Code generated by x. DO NOT EDIT.\n{t}" for t in (BASE, OURS, THEIRS, OURS)), "generated file"),
        ((BASE, OURS, THEIRS, None), "deleted or moved by the developer"),
        ((BASE, OURS, None, OURS), "deleted or renamed on one side"),
        (((LINK, "a"), (LINK, "b"), (LINK, "c"), (LINK, "b")), "symbolic link"),
        (((SUBMODULE, "1" * 40), (SUBMODULE, "2" * 40), (SUBMODULE, "3" * 40), (SUBMODULE, "2" * 40)), "submodule"),
        ((None, (FILE, "a\n"), (SCRIPT, "a\n"), "a\n"), "no conflicting lines"),
        (
            (BASE, OURS, THEIRS, f"{TOP}<<<<<<< HEAD\n    int count = 1;\n=======\n{END}"),
            "conflict markers in the text",
        ),
        ((BASE, OURS, THEIRS, f"{TOP}    int count = 1;\n}}\n"), OUTSIDE_EDITS),
        (
            (BASE, OURS, THEIRS, f"{TOP}    int y;\n{END[:-2]}\n    void more() {{}}\n    int count = 2;\n}}\n"),
            ELSEWHERE,
        ),
    ],
)
def test_every_drop_has_its_reason(sides, reason, tmp_path):
    rows, counts = mine(one_file(*sides), tmp_path)
    assert not rows and dropped(counts) == {reason: 1}
    total = counts["hunks"] - sum(n for k, n in counts.items() if k.startswith("hunks: "))
    assert total == counts["rows"] == len(rows)


@pytest.mark.parametrize(
    "first_lines",
    [
        "// Code generated by protoc-gen-go. DO NOT EDIT.",
        "// Generated by the protocol buffer compiler.  DO NOT EDIT!",
        "/**\n * Autogenerated by Thrift Compiler (0.9.3)",
        "# This file is auto-generated from the current state of the database.",
        "/* @generated */",
        "// <auto-generated>\n//     This code was generated by a tool.",
        "# This file is machine-generated - editing it directly is not advised",
        "//  You probably shouldn't edit it directly.",
        " *  Please don’t edit it directly",
        "# Do not edit this file by hand.",
        "// it must not be edited manually",
        "# Generated by pip-compile.\n# Do not edit.",
        "//  This file is an amalgamation of multiple different files.",
        " *  This file has been merged from multiple headers.",
        "<!-- Generated by javadoc (1.8.0) -->",
        '<html>\n  <head>\n    <meta name="generator" content="Docutils">',
        '<link rel="stylesheet" type="text/css" href="../css/jazzy.css" />',
        "/* automatically generated by rust-bindgen */",
        "# autogenerated",
    ],
)
def test_a_file_says_that_a_tool_writes_it(first_lines):
    assert is_generated("src/a.txt", f"{first_lines}\n\ncode\n")


@pytest.mark.parametrize(
    "first_lines",
    [
        '    @Generated("increment")',
        "* [`@Generated`](#generated)",
        "Write `@generated` into the first lines.",
        '{ type: "autogenerated", dirName: "guide" },',
        " * Naming strategy defines how auto-generated names look",
        "an endpoint was automatically generated as part of the application",
        "the key is automatically generated by the server",
        "# This file was generated by the `rails generate rspec:install` command.",
        "// do not edit the list while iterating over it",
        "// Don't modify the request: it is shared",
        "import { PrimaryGeneratedColumn } from './columns'",
        "Copy our style into jazzy.css.",
    ],
)
def test_a_file_that_speaks_of_generated_things_is_written_by_hand(first_lines):
    assert not is_generated("src/a.txt", f"{first_lines}\n\ncode\n")


def test_names_of_files_that_a_tool_writes():
    written = """yarn.lock mix.lock package-lock.json pnpm-lock.yaml packages.lock.json .terraform.lock.hcl go.sum
        go.work.sum npm-shrinkwrap.json gradle.lockfile Package.resolved jquery.min.js style.css.map a.test.ts.snap
        console.std.approved.txt phpstan-baseline.neon .rubocop_todo.yml"""
    assert not [name for name in written.split() if not is_generated(f"some/folder/{name}", "")]
    by_hand = "lock.py clock.json deadlock.yml map.js snap baseline.txt yarn.lock/readme.md min.js approved.txt sum.go"
    assert not [name for name in by_hand.split() if is_generated(f"some/folder/{name}", "")]


def test_latin1_is_read_and_a_utf8_neighbour_too(tmp_path):
    rows, _ = mine(one_file(*(f"# é{n}\nx\n".encode("latin-1") for n in (0, 1, 2, 2)), path="a.py"), tmp_path)
    assert [(row["ours"], row["resolution"]) for row in rows] == [("# é1\n", "# é2\n")]
    rows, _ = mine(one_file(*(f"# é{n} \N{SNOWMAN}\nx\n" for n in (0, 1, 2, 2)), path="a.py"), tmp_path / "two")
    assert rows[0]["theirs"] == "# é2 \N{SNOWMAN}\n"


@pytest.mark.parametrize("path", ["Grüße/Ä b.java", 'quo"ted.java', "tab\there.java", "-x.java", "a:b#c.java"])
def test_odd_paths(path, tmp_path):
    rows, _ = mine(one_file(BASE, OURS, THEIRS, OURS, path=path), tmp_path)
    assert [row["path"] for row in rows] == [path]
    assert rows[0]["id"].endswith(f":{path}#0")


def test_paths_that_git_cannot_be_asked_for_or_that_are_no_utf8(tmp_path):
    rows, counts = mine(one_file(BASE, OURS, THEIRS, OURS, path="a\nb.java"), tmp_path)
    assert not rows and dropped(counts) == {"line break in its name": 1}
    rows, _ = mine(one_file(BASE, OURS, THEIRS, OURS, path=b"caf\xe9.java"), tmp_path / "two")
    assert rows[0]["path"] == "café.java"


def test_a_renamed_file_is_mined_where_it_lies_now(tmp_path):
    history = History()
    base = history.commit({"Old.java": BASE})
    ours = history.commit({"New.java": OURS}, base)
    theirs = history.commit({"Old.java": THEIRS}, base, branch="topic")
    history.commit({"New.java": THEIRS}, ours, theirs)
    rows, _ = mine(history, tmp_path)
    assert [(row["path"], row["kind"]) for row in rows] == [("New.java", "theirs")]


def test_a_criss_cross_base_is_no_base(tmp_path):
    history = History()
    root = history.commit({"a.txt": "x 0\n"})
    left, right = history.commit({"a.txt": "x 1\n"}, root), history.commit({"a.txt": "x 2\n"}, root, branch="r")
    first = history.commit({"a.txt": "x 3\n"}, left, right)
    second = history.commit({"a.txt": "x 4\n"}, right, left, branch="r")
    history.commit({"a.txt": "x 5\n"}, first, second)
    rows, counts = mine(history, tmp_path)
    assert len(rows) == 2 and dropped(counts) == {"its base is a conflict too": 1}


def test_the_same_hunk_again_is_a_duplicate(tmp_path):
    history = History()
    for _ in range(3):
        history.merge({"A.java": BASE}, {"A.java": OURS}, {"A.java": THEIRS}, {"A.java": OURS})
    rows, counts = mine(history, tmp_path)
    assert len(rows) == 1 and dropped(counts) == {"duplicate": 2}
    assert rows[0]["committed_at"] == "2020-09-13T12:30:40+00:00"  # the oldest one stays


def test_too_long(tmp_path, monkeypatch):
    monkeypatch.setattr(conflicted, "MAX_HUNK_CHARS", 20)
    assert dropped(mine(one_file(BASE, OURS, THEIRS, OURS), tmp_path)[1]) == {"too long": 1}
    monkeypatch.setattr(conflicted, "MAX_FILE_BYTES", 20)
    assert dropped(mine(one_file(BASE, OURS, THEIRS, OURS), tmp_path / "two")[1]) == {"too long": 1}


# ------------------------------------------------------------------------------------------------------------ labels


def parts_of(*items):
    return [make_hunk(*item) if isinstance(item, tuple) else item for item in items]


def labelled(parts, committed):
    lines = split_lines(committed)
    return [("".join(lines[x.start : x.end]), x.found) if x.found else x.reason for x in align(parts, lines)]


def test_a_repeated_line_between_hunks_is_ambiguous_unless_the_sides_tell():
    hunks = [("a\n", "", "b\n"), ("c\n", "", "d\n")]
    parts = parts_of("top\n", hunks[0], "}\n", hunks[1], "end\n")
    assert labelled(parts, "top\na\n}\nd\nend\n") == [("a\n", "exact"), ("d\n", "exact")]
    assert labelled(parts, "top\na\n}\n}\nd\nend\n") == [("a\n}\n}\nd\n", "widened"), SWALLOWED]
    assert labelled(parts[1:-1], "a\n}\n}\nd\n") == [AMBIGUOUS, AMBIGUOUS]
    parts = parts_of("top\n", ("a\n}\na2\n", "", "b\n"), "}\n", hunks[1], "end\n")
    assert labelled(parts, "top\na\n}\na2\n}\nd\nend\n") == [("a\n}\na2\n", "sides"), ("d\n", "sides")]


def test_adjacent_hunks_at_both_ends_of_the_file():
    parts = parts_of(("a\n", "", "b\n"), ("c\n", "", "d\n"))
    assert labelled(parts, "b\nc\n") == [("b\n", "sides"), ("c\n", "sides")]
    assert labelled(parts, "x\ny\n") == [AMBIGUOUS, AMBIGUOUS]
    assert labelled(parts, "") == [("", "exact"), ("", "exact")]


def test_edits_elsewhere_do_not_matter_and_edits_beside_it_do():
    parts = parts_of("one two\n", "", ("a\n", "", "b\n"), "three\nfour\nfive\n")[:1] + parts_of(
        ("a\n", "", "b\n"), "three\nfour\nfive\n"
    )
    assert labelled(parts, "one two\nx\nthree\nfour\nchanged\n") == [("x\n", "aligned")]
    assert labelled(parts, "one two\nx\nchanged\nfour\nfive\n") == [("x\nchanged\n", "widened")]
    assert labelled(parts, "changed\nx\nthree\nfour\nfive\n") == [OUTSIDE_EDITS]


def test_a_line_that_moved_out_of_the_hunk_or_into_it():
    parts = parts_of("alpha\nbeta\n", ("import one.two.Three;\n", "", "b\n"), "gamma\nimport four.five.Six;\nomega\n")
    moved_out = "alpha\nbeta\nb\ngamma\nimport four.five.Six;\nomega\nimport one.two.Three;\n"
    moved_in = "alpha\nbeta\nimport four.five.Six;\nb\ngamma\nomega\n"
    assert labelled(parts, moved_out) == [ELSEWHERE] and labelled(parts, moved_in) == [ELSEWHERE]


lines_of = st.lists(st.sampled_from(["a\n", "b\n", "}\n", "\n", "word word\n", "x = 1\n"]), max_size=6).map("".join)
conflicts = st.lists(st.tuples(lines_of, lines_of, lines_of), min_size=1, max_size=4)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(conflicts, st.data())
def test_a_label_never_lies_about_what_stands_around_it(sides, data):
    hunks = [make_hunk(*side) for side in sides]
    texts = [data.draw(lines_of) for _ in range(len(hunks) + 1)]
    parts = [part for pair in zip(texts, hunks, strict=False) for part in pair if part != ""] + [texts[-1]]
    committed = data.draw(lines_of.map(split_lines)) if data.draw(st.booleans()) else None
    resolutions = [data.draw(st.sampled_from([h.ours, h.theirs, h.base, "new\n", "}\n", ""])) for h in hunks]
    if committed is None:
        whole = "".join(text for pair in zip(texts, [*resolutions, ""], strict=True) for text in pair)
        committed = split_lines(whole)
    labels = align(parts, committed)
    assert len(labels) == len(hunks)
    end = 0
    for label, before, after in zip(labels, texts, texts[1:], strict=False):
        if not label.found:
            assert label.reason
            continue
        number = labels.index(label)
        after = texts[number + label.hunks]
        before, after = split_lines(before), split_lines(after)
        before, after = before[: len(before) - label.above], after[label.below :]
        assert end <= label.start <= label.end
        assert before[len(before) - label.before :] == committed[label.start - label.before : label.start]
        assert after[: label.after] == committed[label.end : label.end + label.after]
        end = label.end


@settings(max_examples=300, deadline=None, derandomize=True)
@given(conflicts, st.randoms(use_true_random=False))
def test_unique_lines_outside_give_every_resolution_back(sides, draw):
    hunks = [make_hunk(*side) for side in sides]
    resolutions = [draw.choice([h.ours, h.theirs, h.base, h.theirs + h.ours, "new\n", ""]) for h in hunks]
    texts = [f"unique number {n}\n" for n in range(len(hunks) + 1)]
    parts = [part for pair in zip(texts, hunks, strict=False) for part in pair] + [texts[-1]]
    committed = "".join(text for pair in zip(texts, [*resolutions, ""], strict=True) for text in pair)
    assert labelled(parts, committed) == [(resolution, "exact") for resolution in resolutions]


def left_by_git(repo: Path, *parents: str) -> str:
    """The file a.txt as git merges it."""
    command = ["git", "-c", "merge.conflictStyle=diff3", "merge-tree", "--write-tree", *parents]
    tree = subprocess.run(command, cwd=repo, capture_output=True, text=True).stdout.split()[0]
    return subprocess.run(["git", "show", f"{tree}:a.txt"], cwd=repo, capture_output=True, text=True).stdout


def test_sides_and_answers_of_rows_stand_in_the_files_of_their_merge(tmp_path):
    """Random merges, resolved at random, with lines edited beside the conflicts: against the files, and git."""
    draw = random.Random(5)
    history, files = History(), {}

    def edited(lines: list[str], name: str, times: int) -> list[str]:
        lines = list(lines)
        for n in range(times):
            at, new = draw.randrange(len(lines)), f"{name} wrote line {n}\n"
            lines[at : at + draw.choice([1, 1, 0, 2])] = draw.choice([[new], [new], [], ["}\n"], [new, "\n", new]])
        return lines or ["last\n"]

    for _ in range(36):
        base = [draw.choice(["}\n", "\n", *3 * [f"line number {n}\n"]]) for n in range(draw.randrange(8, 20))]
        sides = {name: edited(base, name, 3) for name in ("ours", "theirs")} | {"base": base}
        for name, lines in sides.items():
            (tmp_path / name).write_text("".join(lines))
        command = ["git", "merge-file", "-p", "--diff3", "ours", "base", "theirs"]
        left = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
        chosen = [draw.choice([p.ours, p.theirs, p.base, "new\n"]) if isinstance(p, Hunk) else p for p in parse(left)]
        committed = "".join(edited(split_lines("".join(chosen)) or ["\n"], "they", draw.randrange(3)))
        texts = {name: "".join(lines) for name, lines in sides.items()}
        number = history.merge(*({"a.txt": texts[name]} for name in ("base", "ours", "theirs")), {"a.txt": committed})
        files[1_600_000_000 + 60 * number] = texts, committed
    repo, found = history.build(tmp_path / "repo"), Counter()
    for row in collect_repository(repo, wholesale=True):
        texts, committed = files[int(datetime.fromisoformat(row["committed_at"]).timestamp())]
        assert row["prefix"] + row["answer"] + row["suffix"] == committed
        assert row["answer"] == row["before"] + row["resolution"] + row["after"]
        for side, text in texts.items():
            assert row[side] in text
        if row["label"] != "widened" and found[row["label"]] < 4:
            left = left_by_git(repo, row["parent_1"], row["parent_2"])
            hunk = [part for part in parse(left) if isinstance(part, Hunk)][row["hunk"]]
            assert (row["ours"], row["base"], row["theirs"]) == (hunk.ours, hunk.base, hunk.theirs)
        found[row["label"]] += 1
    assert min(found[label] for label in ("exact", "aligned", "widened")) >= 2, found


# ----------------------------------------------------------------------------------------------------------- sources


def snapshot(folder: Path) -> dict[str, tuple[float, int]]:
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in sorted(folder.rglob("*"))}


def ids(source, **options) -> list[str]:
    return [row["id"].split("@")[1] for row in collect_repository(source, **options)]


def test_the_source_is_only_read_whatever_kind_it_is(tmp_path):
    repo = one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / "repo")
    git("checkout", "--quiet", "b0", cwd=repo)
    (repo / "src/App.java").write_text("work in progress\n")
    git("worktree", "add", "--quiet", str(tmp_path / "linked"), "--detach", "b0", cwd=repo)
    git("clone", "--quiet", "--shared", str(repo), str(tmp_path / "shared"), cwd=tmp_path)
    git("clone", "--quiet", "--bare", "--reference", str(tmp_path / "shared"), str(repo), "second.git", cwd=tmp_path)
    before = snapshot(tmp_path)
    expected = ids(repo)
    assert len(expected) == 1
    for name in ("linked", "shared", "second.git", "repo/.git"):
        assert ids(tmp_path / name) == expected, name
    assert snapshot(tmp_path) == before


def test_settings_of_user_and_repository_take_no_part(tmp_path, monkeypatch):
    repo = one_file(BASE, OURS, THEIRS, OURS, more={".gitattributes": "* merge=mine conflict-marker-size=9\n"})
    repo = repo.build(tmp_path / "repo")
    expected = list(collect_repository(repo))
    trap = tmp_path / "ran"
    home = tmp_path / "home"
    home.mkdir()
    settings_text = f"""[merge]\n conflictStyle = merge\n renames = false\n default = mine\n[diff]\n renames = false
[merge "mine"]\n driver = touch {trap} && exit 1\n[core]\n autocrlf = true\n attributesFile = {home}/attributes\n"""
    (home / ".gitconfig").write_text(settings_text)
    (home / "attributes").write_text("* -merge\n")
    (repo / ".git/info/attributes").write_text("* merge=mine\n")
    with open(repo / ".git/config", "a") as file:
        file.write(settings_text)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "merge.conflictStyle")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "zdiff3")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    assert list(collect_repository(repo)) == expected
    assert not trap.exists()


def test_a_url_is_cloned_once_and_a_password_in_it_is_not_kept(tmp_path):
    repo = one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / "owner-name")
    url = f"file://{repo}"
    first = ids(url, cache_dir=tmp_path / "cache")
    shutil.rmtree(repo)
    assert ids(url, cache_dir=tmp_path / "cache") == first
    with pytest.raises(LlmergeError, match="could not be cloned") as error:
        list(collect_repository("https://me:hunter2@127.0.0.1:9/a/b.git", cache_dir=tmp_path / "cache"))
    assert "hunter2" not in str(error.value)
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [".git"]  # nothing half cloned


def test_unrelated_histories_octopus_merges_and_shallow_clones(tmp_path):
    history = one_file(BASE, OURS, THEIRS, OURS)
    other = history.commit({"other.txt": "b\n"}, branch="other")
    join = history.commit({"src/App.java": OURS, "other.txt": "b\n"}, 4, other)
    history.commit({"other.txt": "c\n"}, join, 1, 2)
    rows, counts = mine(history, tmp_path)
    assert len(rows) == 1 and counts["merges"] == 3 and counts["merges: clean"] == 1
    assert counts["merges: more than two parents"] == 1
    repo = tmp_path / "repo"
    git("clone", "--quiet", "--bare", "--depth", "3", "--no-single-branch", f"file://{repo}", "cut.git", cwd=tmp_path)
    assert len(ids(tmp_path / "cut.git")) == 1


def test_a_merge_that_git_cannot_replay_costs_only_itself(tmp_path):
    history = History()
    for n in range(4):
        sides = [{f"{n}.java": text} for text in (f"x\nb{n}\n", f"x\no{n}\n", f"x\nt{n}\n", f"x\no{n}\n")]
        history.merge(*sides)
    repo = history.build(tmp_path / "repo")
    blob = git("rev-parse", "b4^1:1.java", cwd=repo)
    (repo / ".git/objects" / blob[:2] / blob[2:]).unlink()
    report = {}
    rows = list(collect_repository(repo, report=report))
    assert [row["path"] for row in rows] == ["0.java", "2.java", "3.java"]
    assert report["counts"]["merges: failed"] == 1 and report["counts"]["merges"] == 4


@pytest.mark.parametrize("line", ["=" * 41, "=" * 41 + "\r", "|" * 41, "|" * 41 + " a table"])
@pytest.mark.parametrize("side", [0, 1, 2])
def test_a_hunk_that_can_be_read_in_two_ways_gives_no_row(line, side, tmp_path):
    """A line of a side looks like a marker of the replay, of all sizes just of that one."""
    sides = [BASE, OURS, THEIRS]
    sides[side] = sides[side].replace(END, f"    more\n{line}\n{END}")
    rows, counts = mine(one_file(*sides, OURS), tmp_path)
    assert rows == [] and counts["hunks"] == 1 and counts["hunks: its text can be read in two ways"] == 1


def test_a_conflict_that_is_text_of_the_file_gives_no_row(tmp_path):
    """Tests of git itself hold such texts; the replay's own conflicts always show a base."""
    text = f"{'<' * 41} ours\nint a;\n{'=' * 41}\nint b;\n{'>' * 41} theirs\n"
    rows, counts = mine(one_file(*(text + side for side in (BASE, OURS, THEIRS, OURS))), tmp_path)
    assert [row["ours"] for row in rows] == ["    int count = 1;\n"]
    assert dropped(counts)["its markers are text of the file"] == 1


def without(repo: Path, *blobs: str) -> None:
    for blob in blobs:
        (repo / ".git/objects" / blob[:2] / blob[2:]).unlink()


def six_merges(path: Path) -> Path:
    history = History()
    for n in range(6):
        history.merge(*({f"src/{n}.java": f"x\n{side}{n}\n"} for side in "botr"))
    return history.build(path)


def test_a_mirror_without_blobs_is_one_sentence_and_costs_only_itself(three, tmp_path):
    repo = six_merges(tmp_path / "bare")
    listed = git("cat-file", "--batch-all-objects", "--batch-check", cwd=repo).splitlines()
    without(repo, *(line.split()[0] for line in listed if line.split()[1] == "blob"))
    with pytest.raises(LlmergeError, match=r"bare is not whole: git cannot replay 6 of its first 6 merges.*read"):
        list(collect_repository(repo))
    found = collect([repo, three[0]], tmp_path / "work", workers=1)
    assert {row["repository"] for row in found.rows()} == {"first"}
    assert [report["repository"] for report in found.reports if "error" in report] == ["bare"]
    assert "--refetch --no-filter" in found.table()["problem"].iloc[0] and "\n" not in found.reports[0]["error"]


def test_a_partial_clone_costs_only_itself(three, tmp_path):
    shutil.copytree(three[0], tmp_path / "partial")
    git("config", "remote.origin.promisor", "true", cwd=tmp_path / "partial")
    found = collect([tmp_path / "partial", three[0]], tmp_path / "work", workers=1)
    assert {row["repository"] for row in found.rows()} == {"first"}
    assert "partial clone" in found.reports[0]["error"]
    with pytest.raises(LlmergeError, match="is a partial clone, so most file contents are missing"):
        collect(tmp_path / "partial", tmp_path / "work")


def test_a_committed_file_whose_content_is_missing_is_not_called_deleted(tmp_path):
    repo = six_merges(tmp_path / "repo")
    without(repo, git("rev-parse", "b4:src/1.java", cwd=repo))
    report = {}
    assert len(list(collect_repository(repo, report=report))) == 5
    assert dropped(report["counts"]) == {"content missing in this copy of the repository": 1}


def test_stopping_in_the_middle_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "two"))
    monkeypatch.setattr("tempfile.tempdir", None)
    history = History()
    for n in range(30):
        history.merge(*({f"{n}.java": f"x\n{side}{n}\n"} for side in "boto"))
    rows = collect_repository(history.build(tmp_path / "repo"))
    next(rows)
    assert list((tmp_path / "two").iterdir())
    rows.close()
    assert not list((tmp_path / "two").iterdir())


def test_max_merges_takes_the_newest_and_languages_choose(tmp_path):
    history = History()
    for n, suffix in enumerate(["java", "py", "java"]):
        history.merge(*({f"{n}.{suffix}": f"x\n{side}{n}\n"} for side in "boto"))
    repo = history.build(tmp_path / "repo")
    assert [row["path"] for row in collect_repository(repo, max_merges=2)] == ["1.py", "2.java"]
    report = {}
    rows = list(collect_repository(repo, languages=["Java"], report=report))
    assert [row["path"] for row in rows] == ["0.java", "2.java"]
    assert dropped(report["counts"]) == {"another language": 1}
    with pytest.raises(LlmergeError, match="unknown language 'Jova'"):
        list(collect_repository(repo, languages=["Jova"]))


def test_licences_come_from_the_commit_then_from_the_list(tmp_path):
    apache = "Apache License\nVersion 2.0, January 2004\n"
    history = one_file(BASE, OURS, THEIRS, OURS, more={"LICENSE.txt": apache})
    history.merge(*({"a.py": f"x\n{side}\n"} for side in "boto"))
    repo = history.build(tmp_path / "repo")
    assert [row["license"] for row in collect_repository(repo)] == ["Apache-2.0", "unknown"]
    listed = module.Source(str(repo), "a/b", "MIT")
    assert [(row["repository"], row["license"]) for row in collect_repository(listed)] == [
        ("a/b", "Apache-2.0"),
        ("a/b", "MIT"),
    ]
    bsd = "Redistribution and use in source and binary forms ... Neither the name ... endorse or promote products"
    assert [spdx_of(bsd), spdx_of("")] == ["BSD-3-Clause", "unknown"]


GPL = "GNU GENERAL PUBLIC LICENSE Version {}\n"
OTHERS = "... GNU Lesser General Public License, Version 2.1, the GNU Affero General Public License, Version 3.0 ..."


@pytest.mark.parametrize(
    ("title", "name"),
    [
        (GPL.format("3, 29 June 2007"), "GPL-3.0"),
        (GPL.format("2, June 1991"), "GPL-2.0"),
        ("GNU LESSER " + GPL[4:].format("3"), "LGPL-3.0"),
        ("GNU AFFERO " + GPL[4:].format("3"), "AGPL-3.0"),
        ("Mozilla Public License Version 2.0\n", "MPL-2.0"),
        ("Eclipse Public License - v 2.0\n", "EPL-2.0"),
    ],
)
def test_a_licence_that_names_others_is_told_by_its_title(title, name):
    secondary = "A Secondary License is the GNU General Public License, version 2, or any later version."
    assert spdx_of(f"{title}{OTHERS}\n{secondary if name == 'EPL-2.0' else ''}") == name


@pytest.mark.parametrize("version", ["git version 2.38.5", "git version 1.8.3.1", "what"])
def test_an_old_git_is_one_clear_sentence(version):
    with pytest.raises(LlmergeError, match="install git 2.39 or newer"):
        gitio._checked_version(version)
    assert gitio._checked_version("git version 2.51.0.windows.1") == (2, 51, 0)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nowhere", "does not exist"),
        ("empty", "not a git repository"),
        ("repo/src", "folder inside the repository"),
        ("none.csv", "does not exist"),
        ("empty.csv", "names no repository"),
        ("", "nothing to mine"),
    ],
)
def test_sources_that_cannot_be_mined_are_one_sentence(source, words, tmp_path, monkeypatch):
    repo = one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / "repo")
    (repo / "src").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty.csv").write_text("stars\n3\n")
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(LlmergeError, match=words):
        find_sources(str(tmp_path / source) if source else "")


def test_a_list_of_repositories(tmp_path):
    one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / "here")
    path = tmp_path / "repos.csv"
    path.write_text(
        "Repository,url,license,notes\na/b,here,MIT,x\nc/d,,BSD-3-Clause,\n\n# e/f,,,\n", encoding="utf-8-sig"
    )
    found = find_sources(path)
    assert [(s.name, s.license) for s in found] == [("a/b", "MIT"), ("c/d", "BSD-3-Clause")]
    assert [s.location for s in found] == [str(tmp_path / "here"), "https://github.com/c/d"]


def test_names_differ_where_folders_are_called_the_same(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir(exist_ok=True)
        one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / name / "repo")
    found = find_sources([tmp_path / "one/repo", tmp_path / "two/repo"])
    assert [source.name for source in found] == ["one/repo", "two/repo"]


# -------------------------------------------------------------------------------------------------- many repositories


@pytest.fixture
def three(tmp_path):
    """Two different repositories, and a fork of the first with a history of its own added."""
    one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / "first")
    one_file("y\nb\n", "y\no\n", "y\nt\n", "y\nz\n", path="a.py").build(tmp_path / "other")
    git("clone", "--quiet", "--bare", str(tmp_path / "first"), "fork", cwd=tmp_path)
    more = one_file("q\nb\n", "q\no\n", "q\nt\n", "q\nt\n", path="q.py")
    git("fast-import", "--quiet", "--force", cwd=tmp_path / "fork", input=b"".join(more._stream).replace(b"/b0", b"/q"))
    return [tmp_path / name for name in ("first", "other", "fork")]


def test_several_at_a_time_give_the_same_as_one_by_one(three, tmp_path):
    together, alone = collect(three, tmp_path / "w1", workers=2), collect(three, tmp_path / "w2", workers=1)
    rows = list(together.rows())
    assert rows == list(alone.rows())
    assert [row["path"] for row in rows] == ["src/App.java", "a.py", "q.py"]
    first, other, fork = (row["family"] for row in rows)
    assert first == fork != other
    assert together.duplicates == 1
    table = waterfall(together.reports, together.duplicates)
    assert table.iloc[-1]["count"] == 3 and ("hunks", "− duplicate", 1) in table.itertuples(index=False, name=None)


def test_a_script_from_standard_input_gets_one_sentence(three, tmp_path):
    """Its workers would have to read it once more, and cannot."""
    arguments = f"{[str(path) for path in three]}, {str(tmp_path / 'work')!r}"
    script = f"from llmerge_helpers.collect import collect\ncollect({arguments})"
    done = subprocess.run([sys.executable, "-"], input=script, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode and "LlmergeError: a worker process ended" in done.stderr.splitlines()[-1]
    assert "workers=1" in done.stderr


def test_finished_repositories_are_not_mined_again(three, tmp_path, monkeypatch):
    expected = list(collect(three, tmp_path / "work", workers=1).rows())
    parts = snapshot(tmp_path / "work")
    (tmp_path / "work" / "torn.tmp").write_text('{"half": ')
    mined = []
    real = module.mine
    monkeypatch.setattr(module, "mine", lambda source, *rest: mined.append(source.name) or real(source, *rest))
    again = collect(three, tmp_path / "work", workers=1)
    assert list(again.rows()) == expected and not mined
    assert {k: v for k, v in snapshot(tmp_path / "work").items() if not k.endswith(".tmp")} == parts
    git("branch", "new", "b0", cwd=three[1])  # one repository moved on
    git("config", "remote.origin.url", "https://example.org/new/name", cwd=three[1])  # what it is called is no content
    assert [row["repository"] for row in collect(three, tmp_path / "work", workers=1).rows()][1] == "new/name"
    assert not mined
    collect(three, tmp_path / "work", workers=1, context_lines=2)
    assert mined == ["first", "new/name", "fork"]


def test_an_interrupted_run_goes_on_where_it_was(three, tmp_path, monkeypatch):
    real, mined = module.mine, []

    def broken(source, *rest):
        mined.append(source.name)
        rows = real(source, *rest)
        yield next(rows)
        if source.name == "other":
            raise KeyboardInterrupt
        yield from rows

    monkeypatch.setattr(module, "mine", broken)
    with pytest.raises(KeyboardInterrupt):
        collect(three, tmp_path / "work", workers=1)
    assert [p.name.split("-")[0] for p in (tmp_path / "work").iterdir()] == ["first"]
    monkeypatch.setattr(module, "mine", lambda source, *rest: mined.append(source.name) or real(source, *rest))
    assert len(list(collect(three, tmp_path / "work", workers=1).rows())) == 3
    assert mined == ["first", "other", "other", "fork"]


def test_one_broken_repository_does_not_stop_the_others(three, tmp_path):
    (tmp_path / "repos.csv").write_text("repository,url\na/a,first\nb/b,gone\n")
    found = collect(tmp_path / "repos.csv", tmp_path / "work", workers=1)
    assert [row["repository"] for row in found.rows()] == ["a/a"]
    assert [report["repository"] for report in found.reports if "error" in report] == ["b/b"]
    assert "gone" in found.reports[1]["error"]
    (tmp_path / "repos.csv").write_text("repository,url\nb/b,gone\n")
    with pytest.raises(LlmergeError, match="gone does not exist"):
        collect(tmp_path / "repos.csv", tmp_path / "work")


def test_memory_does_not_hold_all_rows(tmp_path):
    """A generator all the way: the first row is there before the last merge was looked at."""
    history = History()
    for n in range(5):
        history.merge(*({f"{n}.java": f"x\n{side}{n}\n"} for side in "boto"))
    seen = []
    rows = collect_repository(history.build(tmp_path / "repo"), on_merge=lambda done, of, rows: seen.append((done, of)))
    next(rows)
    assert seen == []
    assert len(list(rows)) == 4 and seen[-1] == (5, 5)


# --------------------------------------------------------------------------------------------------------- scenarios


def scenario(folder: Path, name: str, **stages: str) -> None:
    for stage, text in stages.items():
        (folder / name / stage / "a").mkdir(parents=True)
        (folder / name / stage / "a" / "b.py").write_bytes(text.encode())


def test_scenarios_become_the_same_commits_every_time(tmp_path):
    folder = tmp_path / "my-service"
    scenario(folder, "001-one", base="x\nb\n", ours="x\no\n", theirs="x\nt\n", resolution="x\nz\n")
    scenario(folder, "003-add", ours="o\n", theirs="t\n", resolution="o\nt\n")
    first = list(collect_repository(folder))
    assert [(row["path"], row["kind"], row["repository"]) for row in first] == [
        ("a/b.py", "mixed", "my-service"),
        ("a/b.py", "ours_theirs", "my-service"),
    ]
    assert {row["license"] for row in first} == {"MIT"} and len({row["family"] for row in first}) == 1
    scenario(folder, "002-two", base="w\nb\n", ours="w\no\n", theirs="w\nt\n", resolution="w\nt\n")
    second = list(collect_repository(folder))
    assert [second[0], second[2]] == first
    assert [source.name for source in find_sources(tmp_path)] == ["my-service"]
    bare = build_scenarios(folder, tmp_path / "built.git")
    assert git("rev-parse", "001-one", cwd=bare) == first[0]["merge_commit"]
    with pytest.raises(LlmergeError, match="holds no scenario"):
        build_scenarios(tmp_path, tmp_path / "none.git")


def test_one_conflict_to_look_at(tmp_path):
    repo = one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / "repo")
    file = look(repo)
    assert file.path == "src/App.java" and [label.found for label in file.labels] == ["exact"]
    assert "<<<<<<< " in file.text and has_markers(file.text) and file.committed == OURS
    assert isinstance(file.hunks[0], Hunk) and render(file.parts) != file.text
    with pytest.raises(LlmergeError, match="no conflict of these sources"):
        look(repo, 1)


def test_what_is_looked_at_knows_its_source_and_its_context(tmp_path):
    """The first of several sources may be out of reach, or hold no file with a row."""
    repo = one_file(BASE, OURS, THEIRS, OURS).build(tmp_path / "good")
    other = one_file(BASE, OURS, THEIRS, None).build(tmp_path / "other")
    sources = [Source("file:///nowhere/gone", "gone"), Source(str(other), "other"), Source(str(repo), "good", "MIT")]
    file = look(sources, context_lines=1)
    row = file.first_row()
    assert file.facts["source"] == file.source.name == row["repository"] == "good" and row["license"] == "MIT"
    assert (row["before"], row["after"]) == ("    int first = 1;\n", "    int last = 9;\n")
    assert look(sources, languages=["java"]).first_row()["before"].count("\n") == 4


@pytest.mark.parametrize(("wholesale", "path"), [(False, "src/App.java"), (True, "a.py")])
def test_what_is_looked_at_is_of_a_merge_that_gives_rows(wholesale, path, tmp_path):
    history = History()
    sides = [{"a.py": f"x\n{text}\n"} for text in "bot"]
    sides[2]["n.py"] = "lost where ours is taken whole\n"
    history.merge(*sides, sides[1])
    history.merge(*({"src/App.java": text} for text in (BASE, OURS, THEIRS, OURS)))
    repo = history.build(tmp_path / "repo")
    file = look(repo, wholesale=wholesale)
    assert file.path == path
    assert file.first_row()["id"] == next(collect_repository(repo, wholesale=wholesale))["id"]


def test_what_is_shown_of_a_file_is_the_hunk_that_gives_its_row(tmp_path):
    """A label is not enough: the first hunk here is too long for a row."""
    far = "".join(f"line {n}\n" for n in range(12))
    long = "x" * (conflicted.MAX_HUNK_CHARS + 1)
    repo = one_file(*(f"{long}{n}\n{far}b {n}\n" for n in (0, 1, 2, 2)), path="a.txt").build(tmp_path / "repo")
    file = look(repo)
    assert [bool(label.found) for label in file.labels] == [True, True]
    assert file.first == file.first_row()["hunk"] == 1
    assert (
        "b 2" in file.committed_excerpt() and "b 1" in file.text_excerpt() and "in place of hunk 1" in file.alignment()
    )


@pytest.mark.parametrize("names", [["python"], ["PYTHON", " Python "], "python"])
def test_languages_are_known_in_any_case(names, tmp_path):
    history = one_file(BASE, OURS, THEIRS, OURS, path="a.py")
    rows, _ = mine(history, tmp_path, languages=names)
    assert [row["language"] for row in rows] == ["Python"]
    assert module.check_languages(["text", "c++", "C#"]) == {"Text", "C++", "C#"}
    assert module.mining_options(5, names, None) == module.mining_options(5, ["Python"], None)  # the same part file


def test_kind_of_a_side_that_equals_another_is_the_first():
    assert Conflict(ours="", theirs="b\n").kind_of("") == "ours"
    assert Conflict.of_hunk(make_hunk("a\n", "b\n", "b\n")).kind_of("b\n") == "theirs"


def test_importing_it_is_quick_and_loads_no_heavy_library():
    code = (
        "import sys, llmerge_helpers.collect; print([m for m in ('datasets', 'pandas', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
