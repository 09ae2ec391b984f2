"""Models on held-out conflicts: batches, resume, tables, and comparison with baselines."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

import pandas as pd
import pytest
from tiny import CHATML, conflict_row, tiny_model

from llmerge_helpers import evaluate, models, rendering
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import complete
from llmerge_helpers.files import write_json
from llmerge_helpers.prompts import messages, render_answer, render_reply

ROWS = [conflict_row(i) for i in range(5)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def loaded(base):
    return evaluate.load_for_evaluation(str(base))


def test_padding_on_the_left_changes_no_reply(loaded):
    """Prompts of very different lengths, alone and in one batch."""
    model, tokenizer, _ = loaded
    prompts = [rendering.render_prompt(tokenizer, [{"role": "user", "content": "x" * n}]) for n in (1, 40, 7, 90)]
    together = complete(model, tokenizer, prompts, max_new_tokens=10, batch_size=4)
    alone = [complete(model, tokenizer, [prompt], max_new_tokens=10)[0] for prompt in prompts]
    assert together == alone


def test_a_reply_that_ends_stops_there_and_one_that_does_not_is_cut(loaded, monkeypatch):
    import torch

    model, tokenizer, _ = loaded
    end = tokenizer.eos_token_id

    def generate(input_ids, max_new_tokens, **options):
        assert end in options["eos_token_id"] and not options["do_sample"]
        words = torch.full((len(input_ids), max_new_tokens), tokenizer.convert_tokens_to_ids("a"))
        words[0, 2:] = tokenizer.pad_token_id
        words[0, 2] = end
        return torch.cat([input_ids, words], dim=1)

    monkeypatch.setattr(model, "generate", generate)
    replies = complete(model, tokenizer, ["p", "longer"], max_new_tokens=5)
    assert [(r.text, r.finish_reason, r.tokens) for r in replies] == [("aa", "stop", 2), ("aaaaa", "length", 5)]


def test_what_the_template_opened_is_part_of_the_reply(tmp_path):
    template = CHATML.replace("assistant\\n'", "assistant\\n<think>\\n'")
    model, tokenizer, _ = evaluate.load_for_evaluation(str(tiny_model(tmp_path / "think", template=template)))
    prompt = rendering.render_prompt(tokenizer, [{"role": "user", "content": "x"}])
    assert complete(model, tokenizer, [prompt], max_new_tokens=3)[0].text.startswith("<think>\n")


def test_an_evaluation_that_was_stopped_goes_on(loaded, tmp_path, monkeypatch):
    whole = evaluate.evaluate(loaded, ROWS, "whole", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    asked = []
    real = evaluate.complete

    def counting(model, tokenizer, prompts, **options):
        asked.append(len(prompts))
        batches = []

        def stop_after_one(indices, completions):
            options_on_batch(indices, completions)
            batches.append(1)
            if len(asked) == 1 and len(batches) == 1:
                raise KeyboardInterrupt

        options_on_batch = options.pop("on_batch")
        return real(model, tokenizer, prompts, on_batch=stop_after_one, **options)

    monkeypatch.setattr(evaluate, "complete", counting)
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(loaded, ROWS, "again", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    assert not (tmp_path / "again.csv").exists()
    again = evaluate.evaluate(loaded, ROWS, "again", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    third = evaluate.evaluate(loaded, ROWS, "again", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    assert asked == [5, 3, 0]
    assert again["reply"].tolist() == whole["reply"].tolist() == third["reply"].tolist()
    assert evaluate.load_evaluation("again", tmp_path)["match_type"].tolist() == again["match_type"].tolist()


def test_another_adapter_is_another_evaluation(base, loaded, tmp_path):
    policy = models.new_policy(str(base), lora_rank=4)
    for name, parameter in policy.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.5)
    models.save_adapter(policy, tmp_path / "sft", "sft")
    first = evaluate.evaluate(loaded, ROWS[:2], "same", max_new_tokens=8, output_dir=tmp_path)
    adapted = evaluate.load_for_evaluation(str(tmp_path / "sft"))
    second = evaluate.evaluate(adapted, ROWS[:2], "same", max_new_tokens=8, output_dir=tmp_path)
    assert set(first["key"]) & set(second["key"]) == set()
    # merging for speed changes nothing that is said
    prompts = [rendering.render_prompt(adapted[1], messages(row)) for row in ROWS[:2]]
    with_adapter = complete(policy.model, adapted[1], prompts, max_new_tokens=8)
    assert [r.text for r in with_adapter] == second["reply"].tolist()


def test_no_conflicts_is_one_sentence(loaded, tmp_path):
    with pytest.raises(LlmergeError, match="no conflicts to evaluate x on"):
        evaluate.evaluate(loaded, [], "x", output_dir=tmp_path)


def table(name: str, kinds: list[str]) -> pd.DataFrame:
    right = {"exact_match", "normalized_match"}
    lines = [
        {"id": f"c{i}", "name": name, "match_type": kind, "is_correct": kind in right,
         "answered": kind not in evaluate.NO_ANSWER, "format": kind != "invalid_output", "finish_reason": "stop",
         "tokens": 1, "reply": ""}
        for i, kind in enumerate(kinds)
    ]  # fmt: skip
    return pd.DataFrame(lines)


TABLES = {
    "sft": table("sft", ["exact_match", "normalized_match", "unresolved", "incorrect_resolution"]),
    "base": table("base", ["incorrect_resolution", "exact_match", "invalid_output", "incorrect_resolution"]),
}


def test_summary_counts_and_brackets():
    found = evaluate.summary(TABLES)
    assert found.loc["sft", "exact"].startswith("25.0 % (")
    assert found.loc["sft", "correct"].startswith("50.0 % (15.0–85.0)")
    assert found.loc["sft", "correct when it answers"].startswith("66.7 %")
    assert evaluate.verdicts(TABLES).loc["incorrect_resolution"].tolist() == [1, 2]
    assert evaluate.verdicts(TABLES)["sft"].sum() == 4


def test_comparison_names_what_was_won_and_lost():
    found = evaluate.compare(TABLES, "sft", "base")
    assert (found["won"], found["lost"]) == (["c0"], [])
    assert (found["wins"], found["losses"], found["diff"]) == (1, 0, 0.25)
    line = evaluate.comparisons(TABLES, [("sft", "base")]).iloc[0]
    assert line["difference in points"].startswith("+25.0 (")


def test_other_conflicts_are_not_compared():
    other = TABLES["base"].assign(id=["d0", "d1", "d2", "d3"])
    with pytest.raises(LlmergeError, match="evaluated on other conflicts"):
        evaluate.summary(TABLES | {"base": other})


def test_baselines_are_judged_by_the_same_verdict(tmp_path):
    tables = evaluate.evaluate_baselines(ROWS, ("ours", "theirs", "union"), output_dir=tmp_path)
    assert tables["union"]["match_type"].tolist() == ["exact_match"] * 5
    assert not tables["ours"]["is_correct"].any() and tables["ours"]["answered"].all()
    assert {p.name for p in tmp_path.iterdir()} == {"ours.csv", "theirs.csv", "union.csv"}


def test_a_baseline_without_an_answer_gives_the_conflict_back(tmp_path, monkeypatch):
    from llmerge_helpers import baselines

    monkeypatch.setattr(baselines, "resolve", lambda name, row: None)
    found = evaluate.evaluate_baselines(ROWS[:1], ("token_merge",), output_dir=tmp_path)["token_merge"]
    assert found["match_type"].tolist() == ["unresolved"] and not found["answered"].any()


def test_an_endpoint_is_measured_like_a_model(tmp_path, monkeypatch):
    from llmerge_helpers import generate
    from llmerge_helpers.prompts import split_reply
    from llmerge_helpers.verdict import verify

    async def answering(rows, teacher, **options):
        results = []
        for i, row in enumerate(rows):
            text = render_reply("both", render_answer(row["answer"], "Java"))
            verdict = verify(text, row)
            results.append(SimpleNamespace(index=i, reply=split_reply(text), verdict=verdict, finish_reason="stop",
                                           usage={"completion_tokens": 7}, key="k", served_model="",
                                           requested_model="asked"))  # fmt: skip
        return results

    monkeypatch.setattr(generate, "generate", answering)
    found = asyncio.run(evaluate.evaluate_endpoint(None, ROWS, "teacher", output_dir=tmp_path))
    assert found["match_type"].tolist() == ["exact_match"] * 5 and found["tokens"].tolist() == [7] * 5
    assert found["format"].all()


def test_the_conflicts_of_the_reader_come_first_and_others_follow(tmp_path, monkeypatch):
    from datasets import Dataset, DatasetDict

    from llmerge_helpers import merges

    rows = Dataset.from_list([conflict_row(i) for i in range(9)])
    monkeypatch.setattr(merges, "load", lambda path: DatasetDict(train=rows, test=rows))
    three = [row["id"] for row in evaluate.reader_examples("sample")]
    chosen = [row["id"] for row in evaluate.held_out("nowhere", 6)]
    assert chosen[:3] == three == [ROWS[i]["id"] for i in range(3)]
    assert len(set(chosen)) == 6 and chosen == [row["id"] for row in evaluate.held_out("nowhere", 6)]
    assert len(evaluate.held_out("nowhere")) == 9


def test_the_test_split_is_that_of_the_data_that_was_prepared(tmp_path):
    def run(folder, **parameters):
        write_json(tmp_path / folder / "run.json", {"status": "finished", "parameters": parameters})

    run("sft", dataset="mine")
    run("prepared", examples=str(tmp_path / "sft"))
    assert evaluate.source_of(str(tmp_path / "prepared/correct_only")) == "mine"
    assert evaluate.source_of(str(tmp_path / "elsewhere/data")) == "auto"


def test_side_by_side_and_cards():
    assert evaluate.side_by_side(TABLES, 2).loc["c0"].tolist() == ["exact match", "incorrect resolution"]
    reply = render_reply("why", render_answer(ROWS[0]["answer"], "Java"))
    card = evaluate.cards(ROWS, table("sft", ["exact_match"]).assign(reply=reply))[0]
    assert "✓" in card.heading and json.dumps(card.heading)
