"""Conflict text: whatever git writes parses to the right sides, and any text at all comes back byte for byte."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import Hunk, has_markers, make_hunk, parse, render, split_lines
from llmerge_helpers.conflicts.markers import marker_sizes

SETTINGS = settings(deadline=None, derandomize=True, max_examples=300)
STYLES = ("merge", "diff3", "zdiff3")


def hunks(text: str, marker_size: int = 7) -> list[Hunk]:
    return [part for part in parse(text, marker_size) if isinstance(part, Hunk)]


def resolved(text: str, side: str, marker_size: int = 7) -> str:
    return "".join(part if isinstance(part, str) else getattr(part, side) for part in parse(text, marker_size))


# ---- any text

marker_like = st.sampled_from(
    ["<<<<<<<", "<<<<<<< HEAD", "|||||||", "||||||| base", "=======", "======= x", ">>>>>>>", ">>>>>>> a b"]
    + ["<<<<<<<<", "========", "=========", ">>>>>>>>> x", "<<<<<<<x", "======", " =======", "Heading", "", "x = 1"]
)
line_ends = st.sampled_from(["\n", "\r\n", "\r", "\n\n", ""])
marker_texts = st.lists(st.tuples(marker_like, line_ends).map("".join), max_size=40).map("".join)


@SETTINGS
@given(marker_texts | st.text(alphabet="<=>| \r\na\x0b\x0c\x85\u2028", max_size=200) | st.text())
def test_render_undoes_parse(text):
    for size in (7, 9):
        parts = parse(text, size)
        assert render(parts) == text
        assert "" not in parts
        for part in parts:
            if isinstance(part, Hunk):  # a hunk alone is that hunk again
                assert parse(str(part), size)[0].ours_marker == part.ours_marker


side = st.lists(st.sampled_from(["a", "b", "", "x =======", "========", "é\r"]), max_size=4).map(
    lambda lines: "".join(f"{line}\n" for line in lines)
)


@SETTINGS
@given(side, st.none() | side, side, st.sampled_from(["\n", "\r\n"]), st.sampled_from([7, 12]), side, side)
def test_a_hunk_that_was_made_is_parsed_back(ours, base, theirs, newline, size, before, after):
    hunk = make_hunk(ours, base, theirs, labels=("o", "", "t u"), newline=newline, marker_size=size)
    text = before + str(hunk) + after
    assert hunks(text, size) == [hunk]
    assert (hunk.ours_label, hunk.base_label, hunk.theirs_label) == ("o", "", "t u")


def test_a_side_without_line_end_gets_one_as_git_does():
    assert str(make_hunk("a", "b", "", newline="\r\n")).split("\r\n")[1:4] == ["a", "||||||| base", "b"]


def test_only_whole_hunks_are_made():
    with pytest.raises(ValueError, match="style"):
        make_hunk("a", "b", "c", style="zdiff")
    with pytest.raises(ValueError, match="base"):
        Hunk("a", "b", "c")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain\n",
        "<<<<<<< HEAD\na\n=======\nb\n",
        "a\n=======\nb\n>>>>>>> topic\n",
        "<<<<<<< HEAD\na\n>>>>>>> topic\n",
        "<<<<<<<< HEAD\na\n========\nb\n>>>>>>>> topic\n",
        " <<<<<<< HEAD\na\n=======\nb\n>>>>>>> topic\n",
        "<<<<<<<HEAD\na\n=======\nb\n>>>>>>>topic\n",
        "<<<<<<< a\r=======\r>>>>>>> b\r",
    ],
)
def test_what_is_no_complete_conflict_stays_text(text):
    assert parse(text) == ([text] if text else [])


def test_underlines_of_seven_letter_headings_are_no_separators():
    """From the merge of a real manual: all three sides hold a heading, two of them underlined with seven signs."""
    text = (
        "<<<<<<< one\nApplication\n============\n||||||| base\nService\n=======\n=======\n"
        "Program\n=======\n>>>>>>> two\n"
    )
    (hunk,) = hunks(text)
    assert (hunk.ours, hunk.base, hunk.theirs) == (
        "Application\n============\n",
        "Service\n=======\n",
        "Program\n=======\n",
    )
    assert hunk.ambiguous
    (hunk,) = hunks("<<<<<<< one\nHistory\n=======\ntext\n=======\nChanges\n=======\n>>>>>>> two\n")
    assert hunk.ours == "History\n=======\ntext\n"
    (hunk,) = hunks("<<<<<<< one\nHistory\n=======\n||||||| base\n=======\n>>>>>>> two\n")
    assert (hunk.ours, hunk.base, hunk.theirs) == ("History\n=======\n", "", "")
    (hunk,) = hunks("<<<<<<<\n=======\nb\n=======\nc\n>>>>>>>\n")
    assert (hunk.ours, hunk.theirs) == ("", "b\n=======\nc\n")


def test_a_conflict_inside_a_side_belongs_to_the_side():
    inner = "<<<<<<< x\n1\n=======\n2\n>>>>>>> y\n"
    for sides in (("a\n" + inner, "b\n", "c\n"), ("a\n", inner, "c\n"), ("a\n", "b\n", inner + "c\n")):
        hunk = make_hunk(*sides)
        assert hunks(f"before\n{hunk}after\n") == [hunk]
    deep = make_hunk("", str(make_hunk("", str(make_hunk("", inner, "")), "")), "")
    assert hunks(str(deep)) == [deep]


def test_leftover_markers_do_not_hide_a_conflict():
    real = make_hunk("a\n", "b\n", "c\n")
    assert hunks(f"<<<<<<< left over\nx\n{real}y\n") == [real]
    assert hunks(f"=======\n>>>>>>> left over\n{real}") == [real]
    assert hunks(f"{real}||||||| left over\n=======\n>>>>>>> left over\n{real}") == [real, real]
    with_end = make_hunk(">>>>>>> upstream\n", "", "c\n")  # from a merge whose side had a stray marker committed
    assert hunks(str(with_end)) == [with_end]


def test_has_markers():
    assert has_markers("a\n<<<<<<< HEAD\n") and has_markers(">>>>>>>") and has_markers("<<<<<<<\r\n")
    assert has_markers("<" * 9 + " x\n", 9) and not has_markers("<" * 9 + " x\n")
    for text in ("History\n=======\n", "|||||||\n", "a <<<<<<< b\n", " >>>>>>> x\n", "<<<<<<<<\n", "", ">>>>>>>x"):
        assert not has_markers(text)


def test_marker_sizes():
    assert marker_sizes("<<<<<<< a\n=========\r\n|x\nb\n>>\n") == {7, 9, 2}


@given(st.text(alphabet="a\r\n\x0b\x85\u2028"))
def test_lines_end_at_line_feeds_only(text):
    assert "".join(split_lines(text)) == text
    assert all(line.count("\n") == line.endswith("\n") for line in split_lines(text))


# ---- what git writes


class Repository:
    """A throwaway repository with pinned names, dates and configuration."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        for name in ("AUTHOR", "COMMITTER"):
            monkeypatch.setenv(f"GIT_{name}_NAME", "A")
            monkeypatch.setenv(f"GIT_{name}_EMAIL", "a@example.org")
            monkeypatch.setenv(f"GIT_{name}_DATE", "2024-01-01T00:00:00Z")
        monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
        monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.path, capture_output=True, check=False)
        assert not check or done.returncode == 0, done.stderr
        return done.stdout.decode()

    def write(self, text: str, name: str = "file.txt") -> None:
        (self.path / name).write_bytes(text.encode())

    def read(self, name: str = "file.txt") -> str:
        return (self.path / name).read_bytes().decode()

    def commit(self, text: str, branch: str | None = None, name: str = "file.txt") -> None:
        if branch:
            self.git("checkout", "-q", "-B", branch)
        self.write(text, name)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x")

    def merge(self, branch: str, style: str) -> str:
        self.git("-c", f"merge.conflictStyle={style}", "merge", branch, check=False)
        return self.read()


@pytest.fixture
def repository(tmp_path, monkeypatch):
    return Repository(tmp_path, monkeypatch)


def diverge(repository: Repository, base: str, ours: str, theirs: str) -> None:
    repository.commit(base)
    repository.commit(theirs, "topic")
    repository.git("checkout", "-q", "main")
    repository.commit(ours)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_conflicts_of_git_merge(repository, style, newline):
    def text(one: str, two: str) -> str:
        lines = ["Title", "==========", one, "<<<<<<<<<", "1", "2", "3", "========", two, "end"]
        return newline.join(lines) + newline

    diverge(repository, text("base", "x"), text("ours", ""), text("theirs", "y"))
    merged = repository.merge("topic", style)
    first, second = hunks(merged)
    assert (first.ours, first.theirs) == ("ours" + newline, "theirs" + newline)
    assert (second.ours, second.theirs) == (newline, "y" + newline)
    assert (first.base, second.base) == ((None, None) if style == "merge" else ("base" + newline, "x" + newline))
    assert (first.ours_label, first.theirs_label) == ("HEAD", "topic")
    assert first.separator == "=======" + newline
    assert resolved(merged, "ours") == text("ours", "") and resolved(merged, "theirs") == text("theirs", "y")


@pytest.mark.parametrize("style", STYLES)
def test_deleted_lines_and_no_final_line_end(repository, style):
    diverge(repository, "a\nb\nc", "a\nd", "a\n")
    (hunk,) = hunks(repository.merge("topic", style))
    assert (hunk.ours, hunk.theirs) == ("d\n", "")
    assert hunk.base == (None if style == "merge" else "b\nc\n")


@pytest.mark.parametrize("style", STYLES)
def test_added_on_both_sides(repository, style):
    repository.commit("x", name="other")
    repository.commit("same\ntheirs\n", "topic")
    repository.git("checkout", "-q", "main")
    repository.commit("same\nours\n")
    merged = repository.merge("topic", style)
    assert resolved(merged, "ours") == "same\nours\n" and resolved(merged, "theirs") == "same\ntheirs\n"
    assert hunks(merged)[0].base in (None, "")


@pytest.mark.parametrize("style", STYLES)
def test_marker_size_attribute(repository, style):
    repository.write("* conflict-marker-size=11\n", ".gitattributes")
    diverge(repository, "a\nb\nc\n", "a\no\n=======\nc\n", "a\n<<<<<<< t\nc\n")
    merged = repository.merge("topic", style)
    (hunk,) = hunks(merged, 11)
    assert (hunk.ours, hunk.theirs) == ("o\n=======\n", "<<<<<<< t\n")
    assert not hunks(merged)


def test_longer_markers_in_the_base_of_a_criss_cross_merge(repository):
    diverge(repository, "a\nb\nc\n", "a\nours\nc\n", "a\ntheirs\nc\n")
    repository.git("branch", "old")
    repository.merge("topic", "diff3")
    repository.commit("a\nfirst\nc\n")  # main: ours + theirs
    repository.git("checkout", "-q", "topic")
    repository.merge("old", "diff3")
    repository.commit("a\nsecond\nc\n")  # topic: theirs + ours
    repository.git("checkout", "-q", "main")
    (hunk,) = hunks(repository.merge("topic", "diff3"))
    assert (hunk.ours, hunk.theirs) == ("first\n", "second\n")
    inner = hunks(hunk.base, 9)
    assert len(inner) == 1 and {inner[0].ours, inner[0].theirs} == {"ours\n", "theirs\n"}


line = st.sampled_from(["a", "b", "c", "", "=========", "<<<<<<<<", "=======x", "\t>>>>>>>", "long line é"])


@settings(deadline=None, derandomize=True, max_examples=25)
@given(
    st.tuples(*[st.lists(line, max_size=7)] * 3),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([7, 10]),
)
def test_sides_are_what_git_says_they_are(tmp_path_factory, sides, newline, final, size):
    """git's own --ours and --theirs are the oracle: each hunk replaced by its side gives the same file.

    But for a line end at the very end: in a conflict, git writes one after every line.
    """
    folder = tmp_path_factory.mktemp("merge")
    for name, lines in zip(("ours", "base", "theirs"), sides, strict=True):
        (folder / name).write_bytes((newline.join(lines) + newline * final).encode())

    def merge_file(*options: str) -> str:
        command = ["git", "merge-file", "-p", "-q", f"--marker-size={size}", "-L", "our side", *options]
        done = subprocess.run([*command, "ours", "base", "theirs"], cwd=folder, capture_output=True, check=False)
        return done.stdout.decode()

    expected = {side: merge_file(f"--{side}") for side in ("ours", "theirs")}
    for options in ([], ["--diff3"], ["--zdiff3"]):
        merged = merge_file(*options)
        for side, text in expected.items():
            got = resolved(merged, side, size)
            assert got.removesuffix("\n").removesuffix("\r") == text.removesuffix("\n").removesuffix("\r")
