"""Labels of grown hunks, and labels of files in which everything looks alike."""

import random
import time

import pytest
from histories import one_file
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.collect import align, collect_repository
from llmerge_helpers.collect.labels import (
    AMBIGUOUS,
    ELSEWHERE,
    OUTSIDE_EDITS,
    SWALLOWED,
    TOO_ALIKE,
    Label,
    grown,
)
from llmerge_helpers.collect.matching import MISSING, match_lines
from llmerge_helpers.conflicts import make_hunk, parse, render, split_lines

ALPHA, OMEGA, GONE = "alpha\n", "omega\n", [SWALLOWED] * 2
A, B = ("ours a\n", "base a\n", "theirs a\n"), ("ours b\n", "base b\n", "theirs b\n")


def parts_of(*items: str | tuple[str, str, str]) -> list:
    """A parsed file: texts one after the other are one."""
    text = "".join(item if isinstance(item, str) else str(make_hunk(*item, marker_size=40)) for item in items)
    return parse(text, 40)


def found(parts: list, committed: str) -> list[tuple[str, str] | str]:
    lines = split_lines(committed)
    return [("".join(lines[x.start : x.end]), x.found) if x.found else x.reason for x in align(parts, lines)]


# ------------------------------------------------------------------------------------------------------ grown hunks


@pytest.mark.parametrize(
    ("parts", "committed", "expected"),
    [
        # a line beside the hunk was edited: above, below, on both sides, or is gone
        (["top\n", "one x\n", A, "end\n"], "top\none y\nboth\nend\n", [("one y\nboth\n", "widened")]),
        (["top\n", A, "one x\n", "end\n"], "top\nboth\none y\nend\n", [("both\none y\n", "widened")]),
        (["top\n", "x\n", A, "y\n", "end\n"], "top\nX\nboth\nY\nend\n", [("X\nboth\nY\n", "widened")]),
        (["top\n", "x\n", A, "y\n", "end\n"], "top\nboth\nend\n", [("both\n", "widened")]),
        # eight lines are crossed, nine are not; nor is the edge of the file, where lines were edited
        (["top\n", "}\n" * 7, "x\n", A, "end\n"], "top\nboth\nend\n", [("both\n", "widened")]),
        (["top\n", "}\n" * 8, "x\n", A, "end\n"], "top\nboth\nend\n", [OUTSIDE_EDITS]),
        (["x\n", A, "end\n"], "both\nend\n", [OUTSIDE_EDITS]),
        ([A, "x\n", "end\n"], "both\ny\nend\n", [("both\ny\n", "widened")]),
        # its place is ambiguous: the neighbour comes along, and gives no row of its own
        (["top\n", A, "}\n", B, "end\n"], "top\n1\n}\n}\n2\nend\n", [("1\n}\n}\n2\n", "widened"), SWALLOWED]),
        (["top\n", A, "}\n", B, "x\n", A, "end\n"], "top\n}\n1\n}\nend\n", [("}\n1\n}\n", "widened"), *GONE]),
        # a neighbour that has a place stays as it is, and nothing grows over it
        (["top\n", A, "is\n", B, "x\n", "end\n"], "top\n1\nis\n2\nend\n", [("1\n", "aligned"), ("2\n", "widened")]),
        (["top\n", "x\n", A, "y\n", B, "end\n"], "top\n1\ny\n2\nend\n", [("1\n", "widened"), ("2\n", "aligned")]),
        # a line that tells must have a word, stand once in both files however indented, and in no side
        (["top\n", "}\n", "x\n", A, "end\n"], "top\n}\nboth\nend\n", [("}\nboth\n", "widened")]),
        (["top\n", "two\n", "x\n", A, "end\n", "two\n"], "top\ntwo\nboth\nend\ntwo\n", [("two\nboth\n", "widened")]),
        (["top\n", "two\n", "x\n", A, "end\n"], "top\ntwo\nboth\n  two\nend\n", [("two\nboth\n  two\n", "widened")]),
        (["top\n", "ours a\n", "x\n", A, "end\n"], "top\nours a\nend\n", [("ours a\n", "widened")]),
        (["top\n", "base a\n", "x\n", A, "end\n"], "top\nbase a\nend\n", [("base a\n", "widened")]),
    ],
)  # fmt: skip
def test_a_hunk_grows_to_lines_that_tell_its_place(parts, committed, expected):
    assert found(parts_of(*parts), committed) == expected


@pytest.mark.parametrize(
    ("parts", "committed"),
    [
        # a line of a side, of the base, or one beside the hunk stands elsewhere now, or one came in from there
        ((ALPHA, "x\n", ("import one.two.Three;\n", "", "b\n"), OMEGA), "alpha\ny\nb\nomega\nimport one.two.Three;\n"),
        ((ALPHA, "x\n", ("a\n", "url = https://one.org\n", "b\n"), OMEGA), "alpha\nb\nomega\nurl = https://one.org\n"),
        ((ALPHA, "value = one\n", A, OMEGA), "alpha\nboth\nomega\nvalue = one\n"),
        ((ALPHA, "x\n", A, OMEGA, "value = one\n"), "alpha\nboth\nvalue = one\nomega\n"),
        ((ALPHA, "x\n", A, OMEGA, "v = 1\n"), "alpha\nboth\nv = 1\nomega\n"),
    ],
)
def test_a_grown_hunk_whose_lines_moved_is_dropped(parts, committed):
    assert found(parts_of(*parts), committed)[0] in (ELSEWHERE, OUTSIDE_EDITS)


def test_a_widened_row_has_the_lines_beside_it_on_each_side(tmp_path):
    """Lines between two conflicts, and beside them, were edited: one row for both, and git's own text in it."""
    lines, later = ([f"{word} line {n}\n" for n in range(8)] for word in ("first", "later"))

    def text(first: str, second: str, between: str = "{\n") -> str:
        return "".join([*lines, first, between, "}\n", "{\n", second, *later])

    committed = text("both 1\n", "both 2\n").replace("{\n}\n{\n", "{\n{\n{\n").replace(lines[-1], "edited\n", 1)
    history = one_file(text("x 0\n", "y 0\n"), text("x 1\n", "y 1\n"), text("x 2\n", "y 2\n"), committed, path="a.txt")
    counts: dict = {}
    (row,) = collect_repository(history.build(tmp_path / "r"), report=counts)
    assert row["label"] == "widened" and row["hunk"] == 0
    middle = "{\n}\n{\n"
    for side, n in (("ours", 1), ("base", 0), ("theirs", 2)):
        assert row[side] == f"{lines[-1]}x {n}\n{middle}y {n}\n"
        assert row["before"] + row[side] + row["after"] in text(f"x {n}\n", f"y {n}\n")
    assert row["resolution"] == "edited\nboth 1\n{\n{\n{\nboth 2\n"
    assert row["prefix"] + row["answer"] + row["suffix"] == committed
    assert counts["counts"]["hunks"] == 2 and counts["counts"][f"hunks: {SWALLOWED}"] == 1


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_grown_hunk_is_the_text_that_git_left(ends):
    text = "".join(f"{word}{ends}" for word in ("one", "two", "three", "four", "five", "six"))
    hunks = [make_hunk(*(f"{word}{ends}" for word in sides), newline=ends) for sides in (A, B)]
    parts = [text, hunks[0], text, hunks[1], text.removesuffix(ends)]
    whole = grown(parts, 0, Label("widened", above=2, below=6, hunks=2))
    around = "".join(f"{word}{ends}" for word in ("five", "six"))
    for name in ("ours", "base", "theirs"):
        side = [getattr(hunk, name) for hunk in hunks]
        assert getattr(whole, name) == around + side[0] + text + side[1] + text
    assert parse(render([whole])) == [whole]
    assert grown([make_hunk("a\n", None, "b\n")], 0, Label("widened")).base is None


words = st.lists(st.sampled_from(["}\n", "\n", "a b\n", "x = 1\n", "y = 2\n"]), max_size=5)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(st.tuples(words, words), min_size=1, max_size=3), st.data())
def test_edits_between_unique_lines_are_given_back_whole(pieces, data):
    """Whatever was made of the lines between two that stand once: no grown hunk reaches beyond."""
    hunks = [make_hunk(f"ours {n}\n", f"base {n}\n", f"theirs {n}\n") for n in range(len(pieces))]
    parts, committed, spans = ["tell first\n"], ["tell first\n"], []
    for n, ((above, below), hunk) in enumerate(zip(pieces, hunks, strict=True)):
        parts[-1] += "".join(above)
        parts += [hunk, "".join([*below, f"tell {n}\n"])]
        new = data.draw(words)
        spans.append((len(committed), len(committed) + len(new)))
        committed += [*new, f"tell {n}\n"]
    for n, label in enumerate(align(parts, committed)):
        if label.found == "widened":
            start, end = spans[n][0], spans[n + label.hunks - 1][1]
            assert start <= label.start <= label.end <= end


# ------------------------------------------------------------------------------------------------- everything alike

SAME, BRACE = "same\n", "}\n"


def hunks(count: int) -> list:
    return [make_hunk(f"ours {n}\n", "", f"theirs {n}\n") for n in range(count)]


def between(hunks: list, text: str) -> list:
    return [text, *(part for hunk in hunks for part in (hunk, text))]


STILL = {OUTSIDE_EDITS, AMBIGUOUS, TOO_ALIKE, ELSEWHERE}


@pytest.mark.parametrize(
    ("parts", "committed", "reasons"),
    [
        (between(hunks(1), SAME * 40_000), [SAME] * 80_000, {"exact"}),
        (between(hunks(1), SAME * 40_000), [SAME] * 39_997 + ["x\n"] + [SAME] * 40_000, STILL),
        (["a\n" + SAME * 40_000, *hunks(1), SAME * 40_000 + "b\n"], ["c\n", *[SAME] * 79_990, "d\n"], {TOO_ALIKE}),
        (between(hunks(60), BRACE * 1000), [BRACE] * 61_500, STILL),
        (between(hunks(60), BRACE), [BRACE] * 60_000, STILL),
        (
            between([make_hunk(BRACE * n, "", BRACE * (60 - n)) for n in range(60)], BRACE),
            [BRACE] * 60_000,
            {TOO_ALIKE},
        ),
        (between(hunks(3000), BRACE * 3 + "u\n"), [BRACE, BRACE, BRACE, "x\n"] * 3000, STILL),
        (between(hunks(2000), ""), [f"ours {n}\n" for n in range(2000)], {"sides"}),
        (between(hunks(1), "".join(f"{n}\n" for n in range(12_000))), [f"{n}\n" for n in range(12_000, 0, -1)], STILL),
        (
            between(hunks(1), "".join(f"{n}\n" for n in range(30_000))),
            [f"{n * 7919 % 60_000}\n" for n in range(60_000)],
            STILL,
        ),
        (between(hunks(1), "".join(f"o {n}\n}}\n\n" for n in range(4000))), ["n\n", BRACE, "\n"] * 8000, STILL),
    ],
)
def test_placing_ends_soon_whatever_the_file(parts, committed, reasons):
    started = time.process_time()
    labels = align(parts, committed)
    assert time.process_time() - started < 3  # a tenth of it here; minutes without a bound
    assert {label.found or label.reason for label in labels} <= reasons
    assert align(parts, committed) == labels


def test_what_is_skipped_costs_no_hunk_elsewhere():
    text = "".join(f"o {n}\n}}\n\n" for n in range(3000))
    other = "".join(f"n {n}\n}}\n\n" for n in range(3000))
    parts = parts_of(f"one\n{text}two\n", A, f"three\n{text}", B, f"{text}end\n")
    assert found(parts, f"one\n{other}two\nboth\nthree\n{other}new\n{other}end\n") == [("both\n", "aligned"), TOO_ALIKE]


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.text("abcdefgh{}", max_size=40), st.text("abcdefgh{}", max_size=40))
def test_matches_are_equal_lines_in_order(left, right):
    match = match_lines(left, right)
    pairs = [(char, at) for char, at in zip(left, match, strict=True) if at != MISSING]
    assert all(right[at] == char for char, at in pairs)
    assert [at for _, at in pairs] == sorted({at for _, at in pairs})
    assert match_lines(left, left) == list(range(len(left)))


def test_lines_that_stand_once_are_matched_whatever_stands_around_them():
    draw = random.Random(5)
    once = [chr(300 + n) for n in range(40)]
    left, right = ("".join(c + "{}" * draw.randrange(4) for c in once) for _ in range(2))
    match = match_lines(left, right)
    assert [right[match[left.index(c)]] for c in once] == once


FAR = ("", "import a.long.name.One;\n", "import b.long.name.Two;\n")


@pytest.mark.parametrize(
    ("parts", "committed", "expected"),
    [
        # the import of the second hunk was put into the first one
        (["top\n", A, "mid\n", FAR, "end\n"], "top\n1\nimport b.long.name.Two;\nmid\nend\n", [ELSEWHERE, ELSEWHERE]),
        # it stands in both: nothing has moved
        (
            ["top\n", A, "mid\n", FAR, "end\n"],
            "top\n1\nimport b.long.name.Two;\nmid\nimport b.long.name.Two;\nend\n",
            [("1\nimport b.long.name.Two;\n", "exact"), ("import b.long.name.Two;\n", "exact")],
        ),
        # a new line that no hunk knows
        (
            ["top\n", A, "mid\n", FAR, "end\n"],
            "top\nimport c.Three.Four;\nmid\nend\n",
            [("import c.Three.Four;\n", "exact"), ("", "exact")],
        ),
        # it came from a hunk whose place nobody knows: what was kept there, nobody knows either
        (
            ["top\n", A, "mid\n", FAR, "far\n"],
            "top\n1\nimport b.long.name.Two;\nmid\nnew\nedited\n",
            [ELSEWHERE, OUTSIDE_EDITS],
        ),
        (["top\n", A, "mid\n", FAR, "far\n"], "top\n1\nmid\nnew\nedited\n", [("1\n", "aligned"), OUTSIDE_EDITS]),
    ],
)  # fmt: skip
def test_a_line_that_moved_from_one_hunk_to_another(parts, committed, expected):
    assert found(parts_of(*parts), committed) == expected


def test_a_line_that_moved_and_changed_its_case_has_moved():
    parts = parts_of("top\n", "Protego==0.1.15\n", A, "end\n")
    assert found(parts, "top\nboth\nend\nprotego==0.1.15\n") == [ELSEWHERE]


def test_sides_that_git_had_merged_beside_a_hunk_are_nobodys(tmp_path):
    """The new line beside the hunk is theirs alone: a grown hunk would tell that ours had it, too."""
    base = "unique first\none thing\nsame\nb\nunique last\n"
    ours, theirs = base.replace("\nb\n", "\no\n"), base.replace("one thing\n", "one other\n").replace("\nb\n", "\nt\n")
    committed = "unique first\none more\nsame again\nr\nunique last\n"
    history = one_file(base, ours, theirs, committed)
    assert not list(collect_repository(history.build(tmp_path / "repo")))
    plain = one_file(base, ours, base.replace("\nb\n", "\nt\n"), committed)
    assert [row["label"] for row in collect_repository(plain.build(tmp_path / "plain"))] == ["widened"]
