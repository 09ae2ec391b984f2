"""Merges that took one side whole, and those whose conflicts nobody saw."""

import pytest
from histories import History, git

from llmerge_helpers.collect import collect_repository, look
from llmerge_helpers.collect.decisions import BEYOND, SUBTREE, UNRELATED, WHOLESALE

FILE = "import os\n\n\n{0}\n\n\ndef f():\n    return 1\n\n\n{1}\n\n\ndef g():\n    return 2\n"
BASE, OURS, THEIRS = FILE.format("a = 0", "b = 0"), FILE.format("a = 1", "b = 0"), FILE.format("a = 2", "b = 2")
MERGED = FILE.format("a = 1", "b = 2")  # ours in the conflict, and what theirs changed elsewhere


def told(history: History, tmp_path, **options) -> tuple[list[bool], set[str]]:
    """Whether each row was decided, and what became of the merges."""
    report = {}
    rows = list(collect_repository(history.build(tmp_path / "repo"), report=report, **options))
    return [row["decided"] for row in rows], {key[8:] for key in report["counts"] if key.startswith("merges: ")}


ONE = {"a.py": BASE}, {"a.py": OURS}, {"a.py": THEIRS}
OTHER_FILE = {"a.py": BASE, "b.py": "b\n"}, {"a.py": OURS, "b.py": "b\n"}, {"a.py": THEIRS, "b.py": "new\n"}
SHORT = {"a.py": "x\nb\ny\n"}, {"a.py": "x\no\ny\n"}, {"a.py": "x\nt\ny\n"}
TWO = tuple({"a.py": s, "c.py": s.replace("x", "z")} for s in ("x\nb\ny\n", "x\no\ny\n", "x\nt\ny\n"))
TWO_MORE = tuple({"a.py": s, "c.py": s, "d.py": d} for s, d in ((BASE, "d\n"), (OURS, "d\n"), (THEIRS, "e\n")))

TAKEN = {"a.py": OURS, "c.py": OURS, "d.py": "e\n"}
KEPT = {"k.py": "k\n"}, {"k.py": "kk\n"}, {}


@pytest.mark.parametrize(
    ("sides", "committed", "expected"),
    [
        (ONE, {"a.py": MERGED}, [True]),
        (ONE, {"a.py": OURS}, WHOLESALE),  # -s ours: the change of b is gone
        (ONE, {"a.py": THEIRS}, [False]),  # nothing of ours is lost: the merged file would be this one
        (OTHER_FILE, OTHER_FILE[1], WHOLESALE),
        (OTHER_FILE, {"a.py": MERGED, "b.py": "new\n"}, [True]),
        (SHORT, SHORT[1], [False]),
        (SHORT, SHORT[2], [False]),
        (SHORT, {"a.py": "x\nn\ny\n"}, [True]),
        (TWO, {"a.py": TWO[1]["a.py"], "c.py": TWO[2]["c.py"]}, [True, True]),
        # `git checkout --ours` on each conflicted file, while the rest was merged
        (TWO_MORE, TAKEN, WHOLESALE),
        # the same, and a file that theirs removed was kept: there was nothing to choose from
        (tuple(s | kept for s, kept in zip(TWO_MORE, KEPT, strict=True)), TAKEN | KEPT[1], WHOLESALE),
        # a new file of the other side was not taken over
        (({"a.py": "x\nb\n"}, {"a.py": "x\no\n"}, {"a.py": "x\nt\n", "n/n.py": "n\n"}), {"a.py": "x\no\n"}, WHOLESALE),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keep", [False, True])
def test_whether_somebody_decided(sides, committed, expected, keep, tmp_path):
    history = History()
    history.merge(*sides, committed)
    decided, became = told(history, tmp_path, wholesale=keep)
    if expected == WHOLESALE:
        assert decided == [False] * len(decided) and bool(decided) == keep
        assert became == ({"conflict"} if keep else {WHOLESALE})
    else:
        assert decided == expected and became == {"conflict"}


@pytest.mark.parametrize(
    ("committed", "whole"),
    [(OURS, True), (THEIRS, False), (MERGED, False), (OURS.replace("return 1", "return 3"), False)],
)
def test_a_file_that_was_taken_whole_in_a_merge_that_was_not(committed, whole, tmp_path):
    """`git checkout --ours a.py`, and the other file by hand; where nothing is lost, both may have been by hand."""
    history = History()
    sides = [{"a.py": a, "z.py": f"x\n{z}\ny\n"} for a, z in ((BASE, "b"), (OURS, "o"), (THEIRS, "t"))]
    history.merge(*sides, {"a.py": committed, "z.py": "x\nn\ny\n"})
    repo = history.build(tmp_path / "repo")
    for keep in (False, True):
        report = {}
        rows = collect_repository(repo, report=report, wholesale=keep)
        assert {row["path"]: row["decided"] for row in rows} == {"z.py": True} | (
            {"a.py": not whole} if keep or not whole else {}
        )
        assert report["counts"][f"files: {WHOLESALE}"] == (whole and not keep)
        assert look(repo, wholesale=keep).path == ("z.py" if whole and not keep else "a.py")


def test_histories_without_a_common_ancestor_have_no_conflict(tmp_path):
    history = History()
    one = history.commit({"a.py": "x\no\ny\n"}, branch="one")
    other = history.commit({"a.py": "x\nt\ny\n"}, branch="other")
    history.commit({"a.py": "x\no\nt\ny\n"}, one, other, branch="one")
    assert told(history, tmp_path) == ([], {UNRELATED})


def test_a_file_that_is_new_on_both_sides_of_one_history_has_one(tmp_path):
    history = History()
    history.merge(
        {"z": "z\n"}, {"z": "z\n", "a.py": "x\no\n"}, {"z": "z\n", "a.py": "x\nt\n"}, {"z": "z\n", "a.py": "x\n"}
    )
    assert told(history, tmp_path)[1] == {"conflict"}


def test_another_project_in_a_folder(tmp_path):
    """`git subtree pull`: to git, the files of the other project clash with ours of the same name."""
    history = History()
    lib = [{name: f"{name} {n}\n" for name in ("lib.py", "util.py", "more.py")} | {"a.py": f"x\n{n}\n"} for n in (1, 2)]
    one = history.commit(lib[0], branch="lib")
    two = history.commit(lib[1], one, branch="lib")

    def app(own: str, files: dict) -> dict:
        return {"a.py": own, "main.py": "m\n"} | {f"vendor/lib/{name}": text for name, text in files.items()}

    start = history.commit({"a.py": "own\n", "main.py": "m\n"}, branch="app")
    added = history.commit(app("own\n", lib[0]), start, one, branch="app")
    history.commit(app("own\n", lib[1]), added, two, branch="app")
    decided, became = told(history, tmp_path)
    assert decided == [] and became <= {SUBTREE, UNRELATED, "clean"} and SUBTREE in became


def test_a_base_beyond_the_boundary_of_a_shallow_clone_is_none(tmp_path):
    history = History()
    base = history.commit({"a.py": "x\nb\ny\n"})
    one = history.commit({"a.py": "x\no\ny\n"}, base, branch="one")
    other = history.commit({"a.py": "x\nt\ny\n"}, base, branch="other")
    history.commit({"a.py": "x\no\nt\ny\n"}, one, other, branch="main")
    repo = history.build(tmp_path / "repo")
    for depth, rows in ((2, 0), (3, 1)):
        cut = tmp_path / f"cut{depth}.git"
        git("clone", "-q", "--bare", "--branch=main", f"--depth={depth}", f"file://{repo}", str(cut), cwd=tmp_path)
        report = {}
        assert len(list(collect_repository(cut, report=report))) == rows
        assert bool(report["counts"][f"merges: {BEYOND}"]) == (not rows)


def test_hunks_of_a_merge_know_their_place_in_it(tmp_path):
    history = History()
    history.merge(
        *({f"{name}.py": f"{name}\n{side}\nmiddle\n{side}\nend {name}\n" for name in "ab"} for side in "botr")
    )
    rows = list(collect_repository(history.build(tmp_path / "repo")))
    assert [(row["path"], row["order"], row["merge_size"]) for row in rows] == [
        ("a.py", 0, 4), ("a.py", 1, 4), ("b.py", 2, 4), ("b.py", 3, 4),
    ]  # fmt: skip
    some = list(collect_repository(tmp_path / "repo", languages=["Python"]))
    assert some == rows
