"""A merge as a card: its conflicts in order, what each took, nothing of it taken for HTML."""

from __future__ import annotations

from llmerge_helpers.show import MergeView


def row(n: int, **more: object) -> dict:
    texts = {"before": "", "ours": f"ours({n});\n", "base": f"old({n});\n", "theirs": f"theirs({n});\n", "after": ""}
    here = {"repository": "shop", "merge_commit": "abcdef0123456", "order": n, "merge_size": 9, "path": f"<b>{n}.java"}
    return here | texts | {"resolution": texts["ours"], "committed_at": "2024-05-06T07:08:09+00:00"} | more


def test_a_merge_is_shown_in_its_order_with_what_each_took():
    view = MergeView([row(0), row(1), row(2), row(3, resolution="new();\n")])
    assert view.heading == "merge abcdef0123 · shop · 2024-05-06 · 4 of 9 conflicts · ours: 3; new text: 1"
    assert [step.took for step in view.steps] == ["ours", "ours", "ours", "new text"]
    alone, in_merge = ([getattr(step, name) for step in view.steps] for name in ("alone", "in_merge"))
    assert sum(in_merge) >= sum(alone) and in_merge[1:] == [True, True, False]
    shown = view._repr_html_()
    assert "&lt;b&gt;2.java" in shown and "<b>2.java" not in shown and shown.count("<details>") >= 4
    assert "new text" in repr(view) and repr(view).count("\n") == 6


def test_a_large_merge_and_none_are_shown():
    view = MergeView([row(n) for n in range(50)])
    assert len(view.steps) == 40 and "10 more conflicts are not shown" in view.summary
    assert "unknown" in MergeView([]).heading and "of 0" in repr(MergeView([]))
