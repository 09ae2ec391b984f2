"""Part files: nothing is mined twice, and they can be joined without the repositories."""

import gzip
import json
from collections import Counter
from pathlib import Path

import pytest
from histories import History, git

from llmerge_helpers.collect import collect
from llmerge_helpers.collect import mining as module
from llmerge_helpers.errors import LlmergeError


def history(merges: int) -> History:
    made = History()
    root = made.commit({"start.py": "x\n"}, branch="root")
    for n in range(merges):
        sides = ({f"{n}.py": f"top {n}\n{side}{n}\nend {n}\n"} for side in "botr")
        made.merge(*sides, root=root)
    return made


@pytest.fixture
def mined(monkeypatch) -> list[int]:
    """How many merges each call of `mine` was asked for."""
    asked, real = [], module.mine
    monkeypatch.setattr(module, "mine", lambda *args: asked.append(len(args[3])) or real(*args))
    return asked


def counted(found) -> Counter:
    return sum((report["counts"] for report in found.reports), Counter())


def test_only_new_merges_are_mined_and_nothing_tells_that_it_was_done_in_two_goes(tmp_path, mined):
    repo = history(3).build(tmp_path / "repo")
    collect(repo, tmp_path / "work")
    more = history(5)
    git("fast-import", "--quiet", "--force", cwd=repo, input=b"".join(more._stream))
    grown, fresh = collect(repo, tmp_path / "work"), collect(repo, tmp_path / "new")
    assert mined == [3, 2, 5] and len(grown.parts) == 2
    assert list(grown.rows()) == list(fresh.rows()) and counted(grown) == counted(fresh)
    collect(repo, tmp_path / "work")
    assert len(mined) == 3


def test_the_newest_merges_come_out_of_a_part_that_has_more(tmp_path, mined):
    repo = history(5).build(tmp_path / "repo")
    collect(repo, tmp_path / "work")
    newest = collect(repo, tmp_path / "work", max_merges=2)
    alone = collect(repo, tmp_path / "new", max_merges=2)
    assert mined == [5, 2] and len(list(alone.rows())) == 2
    assert list(newest.rows()) == list(alone.rows()) and counted(newest) == counted(alone)


def test_a_copy_under_another_name_and_place_is_not_mined_again(tmp_path, mined):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    one, two = history(2).build(tmp_path / "a/repo"), history(2).build(tmp_path / "b/repo")
    collect(one, tmp_path / "work")
    both = collect([one, two], tmp_path / "work", workers=1)
    assert mined == [2] and [row["repository"] for row in both.rows()] == ["a/repo"] * 2


def test_parts_are_joined_without_the_repositories(tmp_path, mined):
    repo = history(3).build(tmp_path / "repo")
    expected = list(collect(repo, tmp_path / "work").rows())
    joined = collect(tmp_path / "work", tmp_path / "elsewhere")
    assert list(joined.rows()) == expected and len(mined) == 1
    with pytest.raises(LlmergeError, match="no part that was mined with these options"):
        collect(tmp_path / "work", tmp_path / "elsewhere", context_lines=9)


def test_a_file_stands_once_in_a_part_and_each_row_finds_it(tmp_path):
    texts = ["".join(f"{'top' if n != 50 else side} {n}\n" for n in range(99)) for side in ("b", "o", "t", "r")]
    texts = [text.replace("top 80\n", f"second {side}\n") for text, side in zip(texts, "botr", strict=True)]
    made = History()
    made.merge(*({"a.py": text} for text in texts))
    (part,) = collect(made.build(tmp_path / "repo"), tmp_path / "work").parts
    lines = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()]
    assert [sorted(line) for line in lines[1:]] == [["text"], ["at", "row"], ["at", "row"], ["counts", "merge"]]
    assert lines[0]["counts"]["rows"] == 2 and str(tmp_path) not in part.name + json.dumps(lines)


def test_a_part_that_cannot_be_read_is_written_anew(tmp_path):
    repo = history(2).build(tmp_path / "repo")
    (part,) = collect(repo, tmp_path / "work").parts
    whole = part.read_bytes()
    part.write_bytes(whole[:20])
    assert len(list(collect(repo, tmp_path / "work").rows())) == 2
    assert len(part.read_bytes()) > 20


def test_what_was_missing_is_looked_for_again(tmp_path, mined):
    repo = history(3).build(tmp_path / "repo")
    blob = git("rev-parse", "b5:1.py", cwd=repo)
    place = repo / ".git/objects" / blob[:2] / blob[2:]
    data = place.read_bytes()
    place.unlink()
    first = collect(repo, tmp_path / "work")
    assert len(list(first.rows())) == 2 and "git fsck" in first.table()["problem"][0]
    place.write_bytes(data)
    second = collect(repo, tmp_path / "work")
    assert len(list(second.rows())) == 3 and second.table()["problem"][0] == "" and mined == [3, 1]


@pytest.mark.parametrize("number", [-1, -3])
def test_a_number_of_merges_below_none_is_refused(number, tmp_path):
    with pytest.raises(LlmergeError, match=f"max_merges is {number}"):
        collect(Path("merges/sample/seat-booking").resolve(), tmp_path, max_merges=number)
