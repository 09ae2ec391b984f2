"""Rewards row by row, for good, bad and hacked answers, without any trainer."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import conflict_row

from llmerge_helpers.conflicts import render_answer, render_reply
from llmerge_helpers.rewards import format_reward, probe_replies, reply_text, resolution_reward, score_matrix
from llmerge_helpers.verdict import verify

ROW = conflict_row(0)
RIGHT = render_reply("Both add an import.", render_answer(ROW["answer"], "Java"))
BLANKS = RIGHT.replace("import b0;\n", "import  b0;\n")


def columns(*rows):
    return {key: [row[key] for row in rows] for key in rows[0]}


EXPECTED = {  # reply: format, resolution
    "right": (1.0, 1.0),
    "right, other white space": (1.0, 0.5),
    "right, without thinking": (0.0, 1.0),
    "right, text after the block": (0.0, 1.0),
    "conflict given back": (1.0, 0.1),
    "right, one marker left": (1.0, 0.1),
    "ours copied": (1.0, 0.0),
    "theirs copied": (1.0, 0.0),
    "only the hunk": (1.0, 0.0),
    "answer only in the thinking": (0.0, 0.0),
    "empty block": (0.0, 0.0),
    "empty": (0.0, 0.0),
    "cut off": (0.0, 0.0),
}


@pytest.mark.parametrize("prefill", ["", "<think>\n"])
def test_score_matrix_is_what_a_person_would_give(prefill):
    matrix = score_matrix(ROW, prefill=prefill)
    assert set(matrix.index) == set(EXPECTED) | {"many answers"}
    # inside an opening that the template wrote, an answer that never closes the thinking is no answer
    expected = EXPECTED | ({"right, without thinking": (0.0, 0.0)} if prefill else {})
    for reply, (form, resolution) in expected.items():
        assert (matrix.loc[reply, "format"], matrix.loc[reply, "resolution"]) == (form, resolution), reply
    # several blocks never earn the format, so that spraying answers does not pay in full
    assert matrix.loc["many answers", "format"] == 0.0


def test_a_row_of_the_trainer_is_scored_as_trl_has_it_scored():
    def seen_reward(completions, **columns):
        return [float("prompt" not in columns and set(columns["prefill"]) == {"<think>\n"})] * len(completions)

    row = ROW | {"prompt": "a rendered prompt", "prefill": "<think>\n"}
    assert score_matrix(row, [seen_reward])["seen"].all()
    columns_of = ["format", "resolution"]
    assert score_matrix(row)[columns_of].equals(score_matrix(ROW, prefill="<think>\n")[columns_of])


def test_nothing_beats_the_right_answer_and_hacks_earn_less():
    total = score_matrix(ROW)[["format", "resolution"]].mul([0.1, 1.0]).sum(axis=1)
    assert total.idxmax() == "right"
    assert total.drop(["right"]).max() < total["right"]


def test_every_completion_is_judged_by_its_own_row():
    """Never by the first prompt of the batch."""
    rows = [conflict_row(i) for i in range(3)]
    replies = [render_reply("why", render_answer(row["answer"], "Java")) for row in rows]
    assert resolution_reward(replies, **columns(*rows)) == [1.0, 1.0, 1.0]
    swapped = [replies[1], replies[0], replies[2]]
    assert resolution_reward(swapped, **columns(*rows)) == [0.0, 0.0, 1.0]


def test_conversational_and_plain_completions_earn_the_same():
    texts = list(probe_replies(ROW).values())
    chat = [[{"role": "assistant", "content": text}] for text in texts]
    for reward in (format_reward, resolution_reward):
        assert reward(chat, **columns(*[ROW] * len(texts))) == reward(texts, **columns(*[ROW] * len(texts)))


def test_the_figures_are_parameters():
    marked = probe_replies(ROW)["conflict given back"]
    figures = {"exact": 4.0, "normalized": 3.0, "conflict": 2.0, "wrong": -1.0}
    wrong = probe_replies(ROW)["ours copied"]
    replies = [RIGHT, BLANKS, marked, wrong]
    assert resolution_reward(replies, **figures, **columns(*[ROW] * 4)) == [4.0, 3.0, 2.0, -1.0]


def test_similarity_shaping_is_off_by_default_and_orders_wrong_answers():
    near = render_reply("why", render_answer(ROW["answer"].replace("import c0;\n", ""), "Java"))
    far = render_reply("why", render_answer("import a;\nnothing at all like it\nclass A {}\n", "Java"))
    assert resolution_reward([near, far], **columns(ROW, ROW)) == [0.0, 0.0]
    shaped = resolution_reward([RIGHT, near, far], similarity=0.3, **columns(ROW, ROW, ROW))
    assert 1.0 == shaped[0] > shaped[1] > shaped[2] >= 0.0
    assert max(shaped[1:]) <= 0.3


def test_a_prefilled_opening_counts_as_the_models():
    """Templates that write `<think>` leave it out of the completion: the format reward would be 0 for ever."""
    inside = RIGHT.removeprefix("<think>\n")
    assert format_reward([inside], **columns(ROW)) == [0.0]
    assert format_reward([inside], prefill=["<think>\n"], **columns(ROW)) == [1.0]
    assert reply_text(RIGHT, "<think>\n") == RIGHT


def test_thinking_is_asked_for_unless_the_row_says_otherwise():
    bare = render_answer(ROW["answer"], "Java")
    rows = columns(*[ROW] * 3) | {"thinking": [False, True, False]}
    assert format_reward([bare, bare, RIGHT], **rows) == [1.0, 0.0, 1.0]


@pytest.mark.parametrize("blank", ["", "\n", "\n\n", "\n\n\n "])
def test_white_space_between_thinking_and_answer_is_free(blank):
    text = f"<think>why</think>{blank}" + render_answer(ROW["answer"], "Java")
    assert format_reward([text], **columns(ROW)) == [1.0]


CODE = "```java\nint a;\n```"
QUOTING = '```java\ns = "</think>";\n</think>\n```'


@pytest.mark.parametrize(
    ("reply", "earned"),
    [
        (f"<think>\nwhy\n</think>\n{QUOTING}", 1.0),  # what the code quotes is no tag
        (f"<think>\nso\n{QUOTING}\n</think>\n{QUOTING}", 1.0),
        ("<think>\nthe `</think>` goes\n</think>\n" + CODE, 1.0),
        ("<think>\n<think>\nwhy\n</think>\n" + CODE, 0.0),
        ("<think>\n<think>\nwhy\n</think>\n</think>\n" + CODE, 0.0),
        ("<think>\na\n</think>\n<think>\nb\n</think>\n" + CODE, 0.0),
        ("<think>\n<thinking>\nwhy\n</thinking>\n</think>\n" + CODE, 0.0),
        ("<think>\nwhy\n</think>\n<thinking>\nmore\n</thinking>\n" + CODE, 0.0),
        ("<thinking>\nwhy\n</thinking>\n" + CODE, 0.0),  # not the form that was asked for
        (f"<thinking>\n{CODE}\n</thinking>", 0.0),
        ("<think>\n \n</think>\n" + CODE, 0.0),
        (f"<think>\nwhy\n</think>\n{CODE}\n</think>", 0.0),
        (f"<think>\nwhy\n{QUOTING}", 0.0),
    ],
)
def test_one_thought_and_one_block(reply, earned):
    assert format_reward([reply], **columns(ROW)) == [earned]


def test_an_answer_inside_the_reasoning_earns_nothing():
    answer = render_answer(ROW["answer"], "Java")
    for tag in ("think", "thinking", "reasoning", "thought"):
        inside = f"<{tag}>\n{answer}\n</{tag}>\nDone."
        assert resolution_reward([inside, f"<{tag}>\nwhy\n</{tag}>\n{answer}"], **columns(ROW, ROW)) == [0.0, 1.0]


@pytest.mark.parametrize("info", ["java", "Java title=x", ""])
def test_a_block_needs_no_language(info):
    text = f"<think>why</think>\n```{info}\n{ROW['answer']}```"
    assert format_reward([text, text + "\n```\nx\n```"], **columns(ROW, ROW)) == [1.0, 0.0]


def test_what_trl_hands_over_beside_columns_is_no_row():
    found = {}
    rewards = resolution_reward(
        [RIGHT, ""],
        prompts=["p", "p"],
        completion_ids=[[1], [2]],
        trainer_state=object(),
        log_metric=print,
        log_extra=lambda name, values: found.update({name: values}),
        **columns(ROW, ROW),
    )
    assert rewards == [1.0, 0.0]
    assert found == {"verdict": ["exact_match", "invalid_output"]}


def test_a_completion_without_its_end_is_cut_off_as_in_an_evaluation():
    """A right block, then words up to the token limit: no reward, and none for the form either."""
    rambling = RIGHT + "\nLet me check this once more. And once more. And"
    ids = {"completion_ids": [[5, 6, 2], [5, 6, 7], [5, 6, 2], [5, 2, 7]], "end_ids": frozenset({2, 3})}
    replies, found = [RIGHT, RIGHT, rambling, rambling], {}
    rows = columns(*[ROW] * 4)
    log = {"log_extra": lambda name, values: found.update({name: values})}
    assert resolution_reward(replies, **ids, **log, **rows) == [1.0, 0.0, 1.0, 0.0]
    reasons = ["stop", "length", "stop", "length"]
    expected = [verify(t, ROW, finish_reason=r).match_type for t, r in zip(replies, reasons, strict=True)]
    assert found["verdict"] == expected == ["exact_match", "truncated"] * 2
    assert format_reward(replies, **ids, **rows) == [1.0, 0.0, 0.0, 0.0]
    # without the ids, or without knowing which of them end a reply, only the text counts
    assert (
        resolution_reward(replies, **rows) == resolution_reward(replies, **ids | {"end_ids": ()}, **rows) == [1.0] * 4
    )
    assert resolution_reward([RIGHT], end_ids=[2], completion_ids=[[]], **columns(ROW)) == [0.0]


def test_rows_with_question_and_answer_only():
    bare = {k: ROW[k] for k in ("question", "answer")}
    assert resolution_reward([RIGHT], **columns(bare)) == [1.0]


@settings(deadline=None, derandomize=True, max_examples=60)
@given(st.lists(st.one_of(st.text(max_size=80), st.sampled_from(list(probe_replies(ROW).values()))), max_size=5))
def test_any_text_gets_one_finite_reward_that_agrees_with_the_verdict(replies):
    rows = columns(*[ROW] * len(replies)) if replies else {}
    form, resolution = format_reward(replies, **rows), resolution_reward(replies, **rows)
    assert len(form) == len(resolution) == len(replies)
    assert all(x in (0.0, 1.0) for x in form)
    for text, x in zip(replies, resolution, strict=True):
        assert (x >= 0.5) == verify(text, ROW).is_correct
