"""Compact replies: a plan stands for its code, and what no plan gives is written out; both are read by one rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import Conflict, split_reply
from llmerge_helpers.conflicts.plans import SENTENCES, is_plan, plan_of, read_compact, render_compact, text_of
from llmerge_helpers.rewards import format_reward, resolution_reward
from llmerge_helpers.verdict import proposal, verify

CONFLICT = Conflict(
    before="def f():\n",
    ours="    g(a, 2)\n",
    base="    g(a, 1)\n",
    theirs="    h(a, 1)\n",
    after="    end()\n",
    path="x.py",
)
ROW = {name: getattr(CONFLICT, name) for name in ("before", "ours", "base", "theirs", "after", "path")}
text = st.lists(st.sampled_from(["a\n", "b\n", "a b\n", "\n", "```\n", "```resolution\n", "Ours.\n"]), max_size=4).map(
    "".join
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(text, st.none() | text, text, text)
def test_a_compact_reply_is_read_back(ours, base, theirs, resolution):
    conflict = Conflict(before="x\n", ours=ours, base=base, theirs=theirs, after="y\n")
    reply = split_reply(render_compact(conflict, resolution))
    assert reply.reasoning and read_compact(reply.answer, conflict) == resolution
    row = {"before": "x\n", "ours": ours, "base": base, "theirs": theirs, "after": "y\n", "resolution": resolution}
    verdict = verify(render_compact(conflict, resolution), row)
    assert verdict.match_type == "exact_match" and verdict.answer == conflict.with_(resolution)


@pytest.mark.parametrize("plan", SENTENCES)
def test_every_plan_stands_for_its_code(plan):
    hunk = text_of(CONFLICT, plan)
    answer = f"<think>\nbecause\n</think>\n\n{SENTENCES[plan]}"
    row = ROW | {"resolution": hunk, "answer": CONFLICT.with_(hunk)}
    assert plan_of(CONFLICT, hunk) == plan
    assert verify(answer, row).match_type == "exact_match" and verify(answer, row).fence is None
    assert proposal(answer, CONFLICT) == hunk or plan in ("ours_theirs", "theirs_ours")
    assert format_reward([answer]) == [1.0]
    assert resolution_reward([answer], **{name: [value] for name, value in row.items()}) == [1.0]
    wrong = next(each for each in SENTENCES if text_of(CONFLICT, each) != hunk)
    assert verify(f"<think>\nbecause\n</think>\n\n{SENTENCES[wrong]}", row).match_type == "incorrect_resolution"


def test_a_block_called_resolution_stands_in_place_of_the_conflict():
    row = ROW | {"resolution": "    h(b, 2)\n"}
    assert verify("```resolution\n    h(b, 2)\n```", row).match_type == "exact_match"
    assert verify("```resolution\n    h( b,2 ) # both\n```", row).match_type == "normalized_match"
    assert verify("```resolution\n    h(b, 3)\n```", row).match_type == "incorrect_resolution"
    assert verify("```resolution\n    h(b, 2)\n", row).match_type == "truncated"
    assert verify("```resolution\n<<<<<<< ours\n    h(b, 2)\n```", row).match_type == "unresolved"
    assert verify("```python\n    h(b, 2)\n```", row).match_type == "context_changed"
    assert verify("Ours.", ROW | {"resolution": ""}, finish_reason="length").match_type == "truncated"


def test_a_plan_that_has_no_answer_is_none():
    merged = SENTENCES["token_merge"]
    clash = Conflict(ours="f(3)\n", base="f(1)\n", theirs="f(2)\n")
    row = {"before": "", "ours": "f(3)\n", "base": "f(1)\n", "theirs": "f(2)\n", "after": "", "resolution": "f(3)\n"}
    assert read_compact(merged, clash) is None and verify(merged, row).match_type == "invalid_output"
    assert verify(SENTENCES["base"], row | {"base": None}).match_type == "invalid_output"
    assert verify("Ours.", {"answer": "f(3)\n"}).match_type == "invalid_output"  # nobody knows what ours is


@pytest.mark.parametrize(
    "words", ["Ours", "I keep ours.", "Ours. Theirs.", "ours.\n\ntheirs.", "", "Ours.\n```\nx\n```"]
)
def test_only_the_sentence_itself_is_a_plan(words):
    assert not is_plan(words)
    assert verify(words, ROW | {"resolution": CONFLICT.ours}).match_type != "exact_match"
