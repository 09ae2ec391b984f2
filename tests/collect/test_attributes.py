"""Conflicts that nobody saw, or decided: rules of a committed `.gitattributes`, pointers of Git LFS, white space."""

import subprocess
import tempfile

import pytest
from histories import History, one_file

from llmerge_helpers.collect import collect_repository
from llmerge_helpers.collect.attributes import _could_match, has_own_merge

RULE = "files: merged by a rule of .gitattributes"
SIDES = [f"one\ntwo\nx = {n}\nthree\nfour\n" for n in (0, 1, 2, 1)]
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 12\n"


def counts_of(history: History, folder) -> dict[str, int]:
    report: dict = {}
    list(collect_repository(history.build(folder), report=report))
    return report["counts"]


@pytest.mark.parametrize(
    ("path", "attributes", "dropped"),
    [
        ("a/b.txt", {".gitattributes": "*.txt merge=union\n"}, True),
        ("a/b.txt", {".gitattributes": "*.txt\tbinary\n"}, True),
        ("a/b.txt", {".gitattributes": "# all\n\n* -text   -merge eol=lf"}, True),
        ("a/b.txt", {".gitattributes": "/a/** merge=binary\n"}, True),
        ("a/b.txt", {".gitattributes": "b.txt merge=ours\n"}, True),
        ("a/b.txt", {".gitattributes": '"a/\\142.txt" merge=union\n'}, True),
        ("a/b.txt", {".gitattributes": "[attr]mine -merge\n*.t[xy]t mine\n"}, True),
        ("a/b.txt", {"a/.gitattributes": "b.* merge=union\n"}, True),
        ("a/b.txt", {".gitattributes": "*.txt binary\n", "a/.gitattributes": "b.txt merge\n"}, False),
        ("a/b.txt", {".gitattributes": "*.txt binary\n*.txt !merge\n"}, False),
        ("a/b.txt", {".gitattributes": "*.txt merge=text diff=merge\n"}, False),
        ("a/b.txt", {".gitattributes": "/b.txt binary\n*.png binary\na/ binary\n* text=auto\n"}, False),
        ("b.txt", {".gitattributes": "/b.txt merge=union\n"}, True),
        ("b.txt", {".gitattributes": "\ufeffb.txt merge=union\n"}, True),
        ("c d.txt", {".gitattributes": '"c d.txt" merge=union\n'}, True),
        ("a/b.txt", {"b/.gitattributes": "* binary\n", "a/b.txt.gitattributes": "* binary\n"}, False),
        ("é ü/b.txt", {"é ü/.gitattributes": "b.txt merge=union\r\n"}, True),
    ],
)
def test_a_rule_that_was_committed_is_honoured(path, attributes, dropped, tmp_path):
    counts = counts_of(one_file(*SIDES, path=path, more=attributes), tmp_path / "r")
    assert counts[RULE] == dropped and counts["rows"] == (not dropped)


def test_the_side_that_was_checked_out_counts(tmp_path):
    rule = {".gitattributes": "*.txt merge=union\n"}
    files = [{"b.txt": text} for text in SIDES]
    for folder, sides, dropped in (
        ("ours", (files[0], files[1] | rule, files[2], files[3]), True),
        ("theirs", (files[0], files[1], files[2] | rule, files[3] | rule), False),
    ):
        history = History()
        history.merge(*sides)
        assert counts_of(history, tmp_path / folder)[RULE] == dropped


@pytest.mark.parametrize(
    "line",
    [
        "*.py merge=union",
        "/x.py -merge",
        '"a/ab\\143.py" binary',
        "a?c.py binary",
        "[ab]/** -merge",
        '"x.py" merge',
        "!x binary",
        "*",
    ],
)
@pytest.mark.parametrize("path", ["x.py", "a/abc.py", "b/c", "é.py"])
def test_no_line_that_git_would_match_is_passed_over(line, path, tmp_path):
    subprocess.run(["git", "init", "--quiet", "."], cwd=tmp_path, check=True)
    (tmp_path / ".gitattributes").write_text(f"{line}\n")
    command = ["git", "check-attr", "-z", "merge", "--", path]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout.split(b"\0")[2]
    assert said == b"unspecified" or _could_match(line.encode(), path.encode())


@pytest.mark.parametrize(
    "path", ["../a/b.txt", "a/../../b.txt", ".GIT/b.txt", "/a/b.txt", "./b.txt", f"{'x' * 300}/b.txt"]
)
def test_no_name_in_a_tree_leads_out_of_the_temporary_folder(path, tmp_path, monkeypatch):
    class Objects:
        def get(self, name: bytes) -> tuple[str, bytes]:
            return "blob", b"*.txt merge=union\n"

    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    assert not has_own_merge("1" * 40, path.encode(), Objects())
    assert has_own_merge("1" * 40, b"a/b.txt", Objects())
    assert [p.name for p in tmp_path.rglob("*")] == ["tmp"]


@pytest.mark.parametrize("sides", [(0, 1, 2, 1), (None, 1, 2, 2), (0, 1, "text\n", "text\n"), (0, "a\n", "b\n", "b\n")])
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_pointers_of_lfs_are_no_text(sides, ends, tmp_path):
    texts = [POINTER.format(str(side) * 64).replace("\n", ends) if isinstance(side, int) else side for side in sides]
    assert counts_of(one_file(*texts, path="a.csv"), tmp_path / "r")["files: pointer of Git LFS"] == 1


def test_a_text_about_lfs_is_text(tmp_path):
    texts = [f"A pointer:\n\n{POINTER}\nv {n}\n" for n in (0, 1, 2, 1)]
    assert counts_of(one_file(*texts, path="a.md"), tmp_path / "r")["rows"] == 1


@pytest.mark.parametrize(
    ("ours", "theirs", "is_only"),
    [
        ("a b\n", "a  b\n", True), ("a\n", "a\r\n", True), ("a\n\nb\n", "a\nb\n", True), ("    a\n", "\ta\n", True),
        ("a", "a\n\n", True), ("ab\n", "a b\n", True), ("a\n", "b\n", False), ("a;\n", "a\n", False),
        ("\n", "b\n", False),
    ],
)  # fmt: skip
def test_conflicts_of_white_space_are_flagged(ours, theirs, is_only, tmp_path):
    texts = [f"top\nnext\n{middle}end\nlast\n" for middle in ("base\n", ours, theirs, ours)]
    if not ours.endswith("\n"):
        texts = [text.removesuffix("end\nlast\n") for text in texts]
    (row,) = collect_repository(one_file(*texts, path="a.txt").build(tmp_path / "r"))
    assert row["white_space_only"] is is_only
