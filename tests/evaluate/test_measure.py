"""Models on held-out conflicts: batches, resume, tables, and comparison with baselines."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from tiny import CHATML, conflict_row, save_sft, tiny_model

from llmerge_helpers.conflicts.prompts import messages, render_answer, render_question, render_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import heldout
from llmerge_helpers.evaluate import measure as evaluate
from llmerge_helpers.generate.results import Result
from llmerge_helpers.models import adapter as models
from llmerge_helpers.models import answer as decoding
from llmerge_helpers.models import chat as rendering
from llmerge_helpers.models.answer import complete
from llmerge_helpers.models.device import Device, Plan
from llmerge_helpers.run.files import write_json
from llmerge_helpers.show import browse
from llmerge_helpers.verdict.judge import Verdict

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


def saying(*texts):
    """`complete` as if a model had said these, and how many prompts it was given at each call."""
    asked = []

    def complete(model, tokenizer, prompts, *, on_batch, **options):
        asked.append(len(prompts))
        replies = [decoding.Completion(texts[i % len(texts)], "stop", 9) for i in range(len(prompts))]
        if prompts:
            on_batch(list(range(len(prompts))), replies)

    return complete, asked


def right_reply(row):
    return render_reply("both", render_answer(row["answer"], "Java"))


def test_two_conflicts_with_one_prompt_keep_their_own_lines(loaded, tmp_path, monkeypatch):
    """Asked once; each judged by its own answer, and found under its own id."""
    twin = ROWS[0] | {"id": "twin", "answer": "import a;\nclass A {}\n", "resolution": ""}
    fake, asked = saying(right_reply(ROWS[0]))
    monkeypatch.setattr(evaluate, "complete", fake)
    for times in (1, 2):  # asked, then read back
        found = evaluate.evaluate(loaded, [ROWS[0], twin], "twins", output_dir=tmp_path)
        assert found["id"].tolist() == [ROWS[0]["id"], "twin"]
        assert found["match_type"].tolist() == ["exact_match", "incorrect_resolution"]
        assert asked == [1, 0][:times]
    journal = [json.loads(line) for line in (tmp_path / "twins.jsonl").read_text().splitlines()]
    assert [list(kept) for kept in journal] == [["key", "reply", "finish_reason", "tokens"]]


def test_a_corrected_answer_reaches_the_table_of_replies_that_were_kept(loaded, tmp_path, monkeypatch):
    fake, asked = saying(*map(right_reply, ROWS))
    monkeypatch.setattr(evaluate, "complete", fake)
    assert evaluate.evaluate(loaded, ROWS, "same", output_dir=tmp_path)["is_correct"].all()
    corrected = [*ROWS[:4], ROWS[4] | {"answer": "import a;\nclass A {}\n", "resolution": "", "kind": "other"}]
    found = evaluate.evaluate(loaded, corrected, "same", output_dir=tmp_path)
    assert asked == [5, 0]
    assert found["is_correct"].tolist() == [True] * 4 + [False] and found["kind"].tolist()[4] == "other"
    assert not evaluate.load_evaluation("same", tmp_path)["is_correct"].tolist()[4]
    # so does a change of the verdict itself, also for journals that once held verdicts
    path = tmp_path / "same.jsonl"
    old = [json.loads(line) | {"is_correct": True, "id": "x"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in old))
    monkeypatch.setattr(evaluate, "verify", lambda *_, **__: Verdict("failed", False, detail="stricter"))
    assert set(evaluate.evaluate(loaded, ROWS, "same", output_dir=tmp_path)["match_type"]) == {"failed"}
    assert asked == [5, 0, 0]


@pytest.mark.parametrize("adapter", [False, True])
def test_a_run_planned_in_4_bit_is_measured_in_4_bit(base, loaded, tmp_path, monkeypatch, adapter):
    """Bitsandbytes needs a GPU, so this checks which plan the loader gets, and that replies are kept apart."""
    model = str(base)
    if adapter:
        models.save_adapter(models.new_policy(model, lora_rank=4), tmp_path / "sft", "sft")
        model = str(tmp_path / "sft")
    plans, real = [], models.load_base
    monkeypatch.setattr(models, "load_base", lambda folder, plan=None: plans.append(plan) or real(folder))
    gpu = Device("cuda", "Tesla T4", 14.7, (7, 5))
    plan = Plan(gpu, "float16", False, True, True, 1, True, 1.0)
    network, tokenizer, identity = evaluate.load_for_evaluation(model, plan=plan)
    assert plans == [plan] and hasattr(network, "peft_config") == adapter  # 4-bit weights are not merged
    _, _, without = evaluate.load_for_evaluation(model)
    assert plans[1].dtype == "float32" and not plans[1].load_in_4bit
    assert identity == without + "+4bit"
    evaluate.evaluate(model, ROWS[:1], "x", max_new_tokens=2, plan=plan, output_dir=tmp_path)
    assert plans[2] == plan


def test_a_model_may_declare_further_ends(loaded):
    model, tokenizer, _ = loaded
    own = {tokenizer.eos_token_id}
    for declared, more in ((None, set()), (1, {1}), ([1, 3], {1, 3})):
        config = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=declared))
        assert decoding.end_ids(config, tokenizer) == own | more


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
    from llmerge_helpers.baselines import simple as baselines

    monkeypatch.setattr(baselines, "resolve", lambda name, row: None)
    found = evaluate.evaluate_baselines(ROWS[:1], ("token_merge",), output_dir=tmp_path)["token_merge"]
    assert found["match_type"].tolist() == ["unresolved"] and not found["answered"].any()


def result(index, row, text, *, sample=0, finish_reason="stop", served="deepseek-x"):
    message = None if text is None else {"role": "assistant", "content": text}
    return Result(index, row["id"], sample, f"key{index}", message, finish_reason, served_model=served,
                  requested_model="deepseek-chat", rows=ROWS)  # fmt: skip


def test_an_endpoint_is_measured_like_a_model(tmp_path):
    results = [result(i, row, right_reply(row)) for i, row in enumerate(ROWS)]
    results[0].usage = {"completion_tokens": 7}
    found = evaluate.replies_table("teacher", ROWS, results, output_dir=tmp_path)
    assert found["match_type"].tolist() == ["exact_match"] * 5 and found["tokens"].tolist() == [7, 0, 0, 0, 0]
    assert found["format"].all() and set(found["model"]) == {"deepseek-x"}


def test_rows_that_a_cap_left_out_are_no_failures(tmp_path):
    """Rows 1 and 3 of five were asked: they alone are compared, whatever their ids."""
    bare = [{k: v for k, v in row.items() if k != "id"} for row in ROWS]
    results = [result(3, ROWS[3], None, finish_reason=None, served=""), result(1, ROWS[1], right_reply(ROWS[1])),
               result(1, ROWS[1], "no code", sample=1)]  # fmt: skip
    for rows, ids in ((ROWS, [ROWS[1]["id"], ROWS[3]["id"]]), (bare, ["0", "1"])):
        found = evaluate.replies_table("deepseek", rows, results, output_dir=tmp_path)
        assert found["id"].tolist() == ids and found["match_type"].tolist() == ["exact_match", "failed"]
        assert found["model"].tolist() == ["deepseek-x", "deepseek-chat"]
        asked = evaluate.asked_rows(rows, results)
        assert asked == [rows[1], rows[3]]
        tables = {"deepseek": found} | evaluate.evaluate_baselines(asked, ("union",), output_dir=tmp_path)
        assert evaluate.summary(tables)["n"].tolist() == [2, 2]
    nothing = evaluate.replies_table("deepseek", ROWS, [], output_dir=tmp_path)
    assert len(nothing) == 0 and evaluate.summary({"deepseek": nothing})["n"].tolist() == [0]


def test_the_teacher_of_01_answers_where_it_was_asked_and_the_rules_elsewhere(tmp_path):
    cut = right_reply(ROWS[1])[:-9]
    asked = [result(0, ROWS[0], right_reply(ROWS[0])), result(1, ROWS[1], cut, finish_reason="length"),
             result(2, ROWS[2], None, finish_reason=None)]  # fmt: skip
    evaluate.replies_table("teacher", ROWS[:3], asked, output_dir=tmp_path)
    before = (tmp_path / "teacher.csv").read_bytes()
    found = evaluate.teacher_table(ROWS[::-1], output_dir=tmp_path)
    assert found["id"].tolist() == [row["id"] for row in ROWS[::-1]]
    assert found["model"].tolist() == ["rules", "rules", "deepseek-x", "deepseek-x", "deepseek-x"]
    assert found["match_type"].tolist()[2:] == ["failed", "truncated", "exact_match"]
    assert (found["reply"].iloc[4], found["reply"].iloc[3]) == (right_reply(ROWS[0]), cut)
    assert (tmp_path / "teacher.csv").read_bytes() == before
    # a reply that was right is judged by the row as it is now
    corrected = [ROWS[0] | {"answer": "import a;\nclass A {}\n", "resolution": ""}]
    assert not evaluate.teacher_table(corrected, output_dir=tmp_path)["is_correct"].any()
    shown = found.iloc[::-1]
    columns = evaluate.side_by_side({"teacher": shown, "sft": shown.drop(columns="model")}).columns
    assert columns.tolist() == ["teacher (deepseek-x)", "sft"]


def test_without_the_teachers_replies_the_rules_stand_in_under_their_own_name(tmp_path):
    found = evaluate.teacher_table(ROWS, output_dir=tmp_path)
    assert set(found["model"]) == {"rules"} and found["match_type"].tolist() == ["exact_match"] * 5
    assert evaluate.side_by_side({"teacher": found}).columns.tolist() == ["teacher (rules)"]
    assert not list(tmp_path.iterdir())  # 01 may still be run, and then its teacher counts
    # a file that does not say whose replies it has is of an older version, which wrote the rules' as the teacher's
    found.drop(columns="model").assign(match_type="failed").to_csv(tmp_path / "teacher.csv", index=False)
    assert evaluate.teacher_table(ROWS, output_dir=tmp_path)["match_type"].tolist() == ["exact_match"] * 5


def test_the_conflicts_of_the_reader_come_first_and_others_follow(tmp_path, monkeypatch):
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.merges import dataset as merges

    rows = Dataset.from_list([conflict_row(i) for i in range(9)])
    monkeypatch.setattr(merges, "load", lambda path: DatasetDict(train=rows, test=rows))
    three = [row["id"] for row in heldout.reader_examples("sample")]
    chosen = [row["id"] for row in heldout.held_out("nowhere", 6)]
    assert chosen[:3] == three == [ROWS[i]["id"] for i in range(3)]
    assert len(set(chosen)) == 6 and chosen == [row["id"] for row in heldout.held_out("nowhere", 6)]
    assert len(heldout.held_out("nowhere")) == 9


def test_a_test_row_that_was_trained_on_since_is_not_held_out(tmp_path, monkeypatch, capsys):
    """00 was run again with another seed after 02: some of what 02 trained on is in the new test split."""
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.merges import dataset as merges

    test = [conflict_row(i) for i in range(9)]
    monkeypatch.setattr(merges, "load", lambda path: DatasetDict(test=Dataset.from_list(test)))
    sft, grpo = tmp_path / "sft/correct_only", tmp_path / "grpo"
    save_sft(sft, n=2)  # the questions of rows 0 and 1, in messages
    assert len(heldout.held_out(str(sft))) == 7
    said = capsys.readouterr().out
    assert said.startswith("2 of 9 test conflicts in ") and said.endswith("or nearly so, and are not used here.\n")
    other = Dataset.from_list([conflict_row(2) | {"question": "asked otherwise"}, conflict_row(3) | {"id": ""}])
    rest = Dataset.from_list([conflict_row(i) for i in (4, 100)])
    DatasetDict(train=other, validation=rest).save_to_disk(str(grpo))
    assert [row["id"] for row in heldout.held_out(str(grpo), 2)] == [test[i]["id"] for i in (0, 1)]
    write_json(tmp_path / "adapter/run.json", {"status": "finished", "parameters": {"dataset": str(sft)}})
    chosen = heldout.held_out(str(grpo), sft_model=str(tmp_path / "adapter"))
    assert {row["id"] for row in chosen} == {row["id"] for row in test[5:]}
    assert "5 of 9" in capsys.readouterr().out
    save_sft(tmp_path / "all", n=9)
    with pytest.raises(LlmergeError, match="9 of 9 test conflicts .* split anew, so run 01 and 02 again"):
        heldout.held_out(str(tmp_path / "all"))


def test_a_test_row_that_is_nearly_one_of_training_is_not_held_out(tmp_path, monkeypatch, capsys):
    """The same conflict in a fork, one number apart and under another id."""
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.merges import dataset as merges

    def long_row(i, number):
        body = "".join(f"    total += price({n}, {i}) * rate[{n}];\n" for n in range(12))
        row = conflict_row(i) | {"id": f"{i}-{number}", "before": body, "ours": f"    return total + {number};\n"}
        return row | {"question": render_question(row)}

    test = [long_row(i, 1) for i in range(3)]
    monkeypatch.setattr(merges, "load", lambda path: DatasetDict(test=Dataset.from_list(test)))
    fork = long_row(1, 2)
    DatasetDict(train=Dataset.from_list([fork])).save_to_disk(str(tmp_path / "grpo"))
    sft = Dataset.from_list([{"prompt": messages(fork), "completion": [], "id": "elsewhere"}])
    DatasetDict(train=sft).save_to_disk(str(tmp_path / "sft"))
    for data in ("grpo", "sft"):
        assert [row["id"] for row in heldout.held_out(str(tmp_path / data))] == ["0-1", "2-1"]
        assert capsys.readouterr().out.startswith("1 of 3 test conflicts in ")


def test_the_test_split_is_that_of_the_data_that_was_prepared(tmp_path):
    def run(folder, **parameters):
        write_json(tmp_path / folder / "run.json", {"status": "finished", "parameters": parameters})

    run("sft", dataset="mine")
    run("prepared", examples=str(tmp_path / "sft"))
    assert heldout.source_of(str(tmp_path / "prepared/correct_only")) == "mine"
    assert heldout.source_of(str(tmp_path / "elsewhere/data")) == "auto"


def test_a_dataset_that_leads_nowhere_is_not_measured_on_another(tmp_path):
    """01 was started again after 02, or only the dataset was copied to the machine with the GPU."""
    record = {"status": "finished", "parameters": {"examples": str(tmp_path / "deepseek_sft")}}
    write_json(tmp_path / "sft_dataset/run.json", record)
    write_json(tmp_path / "deepseek_sft/run.json", {"status": "started", "parameters": {"dataset": "mine"}})
    with pytest.raises(LlmergeError, match="does not tell which conflicts .*: finish 01 and run 02 again"):
        heldout.source_of(str(tmp_path / "sft_dataset/correct_only"))
    write_json(tmp_path / "sft_dataset/run.json", record | {"results": {"dataset": "merges/mine/dataset"}})
    assert heldout.source_of(str(tmp_path / "sft_dataset/correct_only")) == "merges/mine/dataset"


def test_side_by_side_and_cards():
    assert evaluate.side_by_side(TABLES, 2).loc["c0"].tolist() == ["exact match", "incorrect resolution"]
    reply = render_reply("why", render_answer(ROWS[0]["answer"], "Java"))
    card = browse.answered(ROWS, table("sft", ["exact_match"]).assign(reply=reply))[0]
    assert "✓" in card.heading and json.dumps(card.heading)


def test_the_data_set_is_the_one_that_01_read(tmp_path):
    """Whatever `auto` means by now, and whichever way 02 was told where the examples are."""
    asked = {"status": "finished", "notebook": "01_generate", "parameters": {"dataset": "auto"}}
    write_json(tmp_path / "examples/run.json", asked | {"results": {"dataset": "merges/mine/dataset"}})
    for given in ("examples", "examples/examples.jsonl"):
        record = {"status": "finished", "parameters": {"examples": str(tmp_path / given)}}
        write_json(tmp_path / "sft_dataset/run.json", record)
        assert heldout.source_of(str(tmp_path / "sft_dataset/correct_only")) == "merges/mine/dataset"


def test_no_test_conflicts_is_one_sentence(monkeypatch):
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.merges import dataset as merges

    rows = Dataset.from_list([conflict_row(0)])
    monkeypatch.setattr(merges, "load", lambda path: DatasetDict(train=rows, test=rows.select([])))
    assert heldout.reader_examples("sample") == []
    with pytest.raises(LlmergeError, match="has no test conflicts to measure on"):
        heldout.held_out("nowhere")
