"""What came before a conflict in its merge, and nothing that came later, of another merge or of another split."""

from __future__ import annotations

import pytest
from datasets import Dataset

from llmerge_helpers.merges import by_merge, with_earlier


def row(merge: str, order: int, **more: object) -> dict:
    texts = {"before": "", "ours": f"{merge}{order}\n", "base": "", "theirs": "x\n", "after": ""}
    here = {"repository": "r", "merge_commit": merge, "order": order, "path": f"{order}.py", "hunk": 0}
    return here | texts | {"resolution": texts["ours"], "prefix": "never read", "language": "Python"} | more


ROWS = [row("a", 2), row("a", 0), row("b", 0), row("a", 1), row("", 0), row("a", 3)]


@pytest.mark.parametrize("among", [ROWS, Dataset.from_list(ROWS)], ids=["list", "dataset"])
def test_only_what_came_earlier_is_told(among):
    found = with_earlier(ROWS, among, 2)
    told = [[hunk["ours"] for hunk in each["earlier"]["hunks"]] for each in found]
    assert [set(each) for each in told] == [{"a0\n", "a1\n"}, set(), set(), {"a0\n"}, set(), {"a1\n", "a2\n"}]
    assert [sum(each["earlier"]["ways"].values()) for each in found] == [2, 0, 0, 1, 0, 3]
    assert [{name: value for name, value in each.items() if name != "earlier"} for each in found] == ROWS


def test_no_siblings_leave_a_row_as_it_is():
    assert with_earlier(ROWS, ROWS, 0) == ROWS
    assert with_earlier(ROWS[:1], [row("a", 1, resolution=None)], 3)[0]["earlier"] == {"ways": {}, "hunks": []}


def test_a_data_set_without_an_order_goes_by_path_and_hunk():
    rows = [row("a", 0, path=path, hunk=hunk) for path, hunk in (("b", 0), ("a", 1), ("a", 0))]
    assert by_merge(rows) == [[2, 1, 0]]
    assert [sum(each["earlier"]["ways"].values()) for each in with_earlier(rows, rows, 1)] == [2, 1, 0]
