"""The rules in their merge: they learn from what was decided, from nothing else, and say so."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.baselines import rules_in_merge
from llmerge_helpers.baselines.rules import decide
from llmerge_helpers.conflicts import Conflict, Decided

text = st.lists(st.sampled_from(["a = 1\n", "b = f(a)\n", "}\n", "import x\n", "c\n"]), max_size=4).map("".join)
conflict = st.builds(
    Conflict, ours=text, base=st.none() | text, theirs=text, path=st.sampled_from(["a/x.py", "a/y.py", "b.md"])
)


def edit(n: int, path: str = "A.java") -> Conflict:
    """Both sides rewrote one line; the rules cannot tell which one is meant."""
    return Conflict(ours=f"ours({n});\n", base=f"old({n});\n", theirs=f"theirs({n});\n", path=path)


@pytest.mark.parametrize(
    ("way", "answer"),
    [
        ("ours", lambda c: c.ours),
        ("theirs", lambda c: c.theirs),
        ("ours_theirs", lambda c: c.ours + c.theirs),
        ("theirs_ours", lambda c: c.theirs + c.ours),
        ("empty", lambda c: ""),
        ("base", lambda c: c.base),
    ],
)
def test_what_a_merge_did_before_it_does_again(way, answer):
    decided = [Decided(edit(n), answer(edit(n))) for n in range(4)]
    proposal = rules_in_merge(decided, edit(9))
    rule, alone = decide(edit(9))
    assert proposal.resolution == answer(edit(9)) and 0 < proposal.share <= 1
    if alone.resolution != proposal.resolution:
        assert proposal.rule == way and proposal.why.startswith(
            "Of the 4 conflicts decided so far in this merge, 4 were"
        )
    else:
        assert proposal.rule == rule and proposal.why == alone.why


def test_the_conflicts_that_are_alike_count_more():
    here = [Decided(edit(n, "A.java"), edit(n).ours) for n in range(3)]
    there = [Decided(edit(n, "b/C.java"), edit(n).theirs) for n in range(3)]
    assert rules_in_merge([*here, *there], edit(9, "A.java")).resolution == edit(9).ours
    assert rules_in_merge([*here, *there], edit(9, "b/C.java")).resolution == edit(9).theirs


@settings(deadline=None, derandomize=True, max_examples=100)
@given(conflict, st.lists(st.tuples(conflict, text), max_size=3))
def test_without_a_word_from_the_merge_the_rules_decide(asked, others):
    rule, answer = decide(asked)
    proposal = rules_in_merge([], asked)
    assert (proposal.rule, proposal.resolution, proposal.why) == (rule, answer.resolution, answer.why)
    # what is proposed is what the rules say, or a way that was taken before
    decided = [Decided(*each) for each in others]
    proposal = rules_in_merge(decided, asked)
    assert proposal.resolution == answer.resolution or any(
        rules_in_merge([each], each.conflict).resolution == each.resolution for each in decided
    )


def test_a_large_merge_takes_a_moment():
    decided = [Decided(edit(n), edit(n).ours) for n in range(2000)]
    start = time.process_time()
    assert rules_in_merge(decided, edit(5000)).rule == "ours"
    assert time.process_time() - start < 2
