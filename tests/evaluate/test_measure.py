"""Models on held-out conflicts: batches, resume, tables, and comparison with baselines."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pandas as pd
import pytest
from tiny import CHATML, conflict_row, tiny_model

from llmerge_helpers import show
from llmerge_helpers.baselines import ask
from llmerge_helpers.conflicts import Form, messages, render_answer, render_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import (
    asked_rows,
    compare,
    comparisons,
    estimate,
    evaluate,
    evaluate_baselines,
    examples_tables,
    in_words,
    load_evaluation,
    measure,
    merges_of,
    pass_rates,
    rate_of,
    replies_table,
    right,
    shared,
    side_by_side,
    summary,
    teacher_tables,
    verdicts,
    with_baselines,
)
from llmerge_helpers.generate import Result
from llmerge_helpers.models import (
    Completion,
    Device,
    Plan,
    Sampling,
    adapter,
    answer,
    complete,
    load_base,
    load_for_evaluation,
    new_policy,
    render_prompt,
)
from llmerge_helpers.models.adapter import save_adapter
from llmerge_helpers.verdict import Verdict

ROWS = [conflict_row(i) for i in range(5)]


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def loaded(base):
    return load_for_evaluation(str(base))


def test_padding_on_the_left_changes_no_reply(loaded):
    """Prompts of very different lengths, alone and in one batch."""
    model, tokenizer, _ = loaded
    prompts = [render_prompt(tokenizer, [{"role": "user", "content": "x" * n}]) for n in (1, 40, 7, 90)]
    together = complete(model, tokenizer, prompts, max_new_tokens=10, batch_size=4)
    alone = [complete(model, tokenizer, [prompt], max_new_tokens=10)[0] for prompt in prompts]
    assert together == alone


def test_a_reply_that_ends_stops_there_and_one_that_does_not_is_cut(loaded, monkeypatch):
    import torch

    model, tokenizer, _ = loaded
    end = tokenizer.eos_token_id

    def generate(input_ids, max_new_tokens, **options):
        assert end in model.generation_config.eos_token_id and not options["do_sample"]
        words = torch.full((len(input_ids), max_new_tokens), tokenizer.convert_tokens_to_ids("a"))
        words[0, 2:] = tokenizer.pad_token_id
        words[0, 2] = end
        return torch.cat([input_ids, words], dim=1)

    monkeypatch.setattr(model, "generate", generate)
    replies = complete(model, tokenizer, ["longer", "p"], max_new_tokens=5)
    assert [(r.text, r.finish_reason, r.tokens) for r in replies] == [("aa", "stop", 2), ("aaaaa", "length", 5)]


def test_what_the_template_opened_is_part_of_the_reply(tmp_path):
    template = CHATML.replace("assistant\\n'", "assistant\\n<think>\\n'")
    model, tokenizer, _ = load_for_evaluation(str(tiny_model(tmp_path / "think", template=template)))
    prompt = render_prompt(tokenizer, [{"role": "user", "content": "x"}])
    assert complete(model, tokenizer, [prompt], max_new_tokens=3)[0].text.startswith("<think>\n")


def test_an_evaluation_that_was_stopped_goes_on(loaded, tmp_path, monkeypatch):
    whole = evaluate(loaded, ROWS, "whole", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    asked = []
    real = measure.complete

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

    monkeypatch.setattr(measure, "complete", counting)
    with pytest.raises(KeyboardInterrupt):
        evaluate(loaded, ROWS, "again", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    assert not (tmp_path / "again.csv").exists()
    again = evaluate(loaded, ROWS, "again", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    third = evaluate(loaded, ROWS, "again", max_new_tokens=6, batch_size=2, output_dir=tmp_path)
    assert asked == [5, 3]
    assert again["reply"].tolist() == whole["reply"].tolist() == third["reply"].tolist()
    assert load_evaluation("again", tmp_path)["match_type"].tolist() == again["match_type"].tolist()


def test_no_weights_are_read_where_every_reply_is_known(base, loaded, tmp_path, monkeypatch):
    """Of a base and of an adapter: who measures again, or judges anew, needs no memory for it."""
    save_adapter(new_policy(str(base), lora_rank=4), tmp_path / "sft", "sft")
    models = {"base": str(base), "sft": str(tmp_path / "sft")}
    how = {"max_new_tokens": 4, "sampling": "own", "output_dir": tmp_path}
    first = {name: evaluate(model, ROWS[:2], name, **how) for name, model in models.items()}
    assert first["base"]["key"].tolist() == evaluate(loaded, ROWS[:2], "again", **how)["key"].tolist()
    with monkeypatch.context() as patch:
        for room in (answer, adapter):
            patch.setattr(room, "load_base", lambda *_: pytest.fail("weights were read"))
        for name, model in models.items():
            pd.testing.assert_frame_equal(evaluate(model, ROWS[:2], name, **how), first[name])
    assert answer.known_model(models["sft"]).identity == load_for_evaluation(models["sft"]).identity
    # another adapter in the same folder is another model, whatever its lineage says
    policy = new_policy(str(base), lora_rank=4, seed=9)
    policy.model.save_pretrained(tmp_path / "sft", selected_adapters=["default"])
    assert set(evaluate(models["sft"], ROWS[:2], "sft", **how)["key"]).isdisjoint(first["sft"]["key"])


@pytest.mark.parametrize("how", [{}, {"sampling": Sampling(1.0), "seed": 3}])
def test_a_reply_knows_how_sure_its_model_was(loaded, monkeypatch, how):
    """The mean probability of its tokens, its end among them, read off the model once more, in one pass."""
    import torch

    model, tokenizer, _ = loaded
    generate, written = model.generate, []
    monkeypatch.setattr(model, "generate", lambda **options: written.append(generate(**options)) or written[-1])
    prompts = ["a", "bcd"]
    replies = complete(model, tokenizer, prompts, max_new_tokens=6, batch_size=1, **how)
    for ids, prompt, reply in zip(written, prompts[::-1], replies[::-1], strict=True):  # the longest first
        with torch.no_grad():
            likely = model(ids).logits[0].log_softmax(-1)
        count = reply.tokens + (reply.finish_reason == "stop")
        found = [likely[i - 1, ids[0, i]].item() for i in range(len(prompt), len(prompt) + count)]
        assert reply.confidence == pytest.approx(torch.tensor(found).mean().exp().item(), rel=1e-3)


def clocked(monkeypatch, seconds_an_answer):
    """A clock that a model's answers move on."""
    now = [1000.0]

    def complete(model, tokenizer, prompts, *, on_batch, batch_size, **options):
        for start in range(0, len(prompts), batch_size):
            some = range(start, min(start + batch_size, len(prompts)))
            now[0] += seconds_an_answer * len(some)
            on_batch(list(some), [Completion("no", "stop", 1, 0.5) for _ in some])

    monkeypatch.setattr(measure, "complete", complete)
    return lambda: now[0]


@pytest.mark.parametrize(
    ("minutes", "samples", "reached"), [(2, 1, 12), (2, 3, 4), (0, 1, 40), (60, 1, 40), (0.1, 1, 2)]
)
def test_an_evaluation_ends_within_its_minutes(loaded, tmp_path, monkeypatch, capsys, minutes, samples, reached):
    """Ten seconds an answer: the first conflicts of the rows, whole ones, and no others."""
    rows, clock = [conflict_row(i) for i in range(40)], clocked(monkeypatch, 10)
    rows[1] |= {"ours": "long\n" * 99}  # length is no reason to be left out
    how = {"batch_size": 2, "minutes": minutes, "samples": samples, "output_dir": tmp_path, "clock": clock}
    found, started = evaluate(loaded, rows, "x", **how), 1000.0
    assert found["id"].unique().tolist() == [row["id"] for row in rows[:reached]]
    assert len(found) == reached * samples and (found["confidence"] == 0.5).all()
    assert not minutes or clock() - started <= max(20, 60 * minutes)
    told = capsys.readouterr().out
    assert ("; about " in told and ", until " in told) == (minutes != 0.1)
    assert (f"x: {reached} of 40 conflicts were asked within {minutes:g} minutes" in told) == (reached < 40)
    with_less = evaluate(loaded, rows[:reached], "x", **how)  # all are known now
    assert len(with_less) == len(found)
    assert len(load_evaluation("x", tmp_path)) == len(found)


def test_tables_that_ended_at_different_conflicts_are_compared_on_the_same():
    few = {name: each.head(n) for (name, each), n in zip(TABLES.items(), (4, 2), strict=True)}
    with pytest.raises(LlmergeError, match="other conflicts"):
        summary(few)
    assert summary(shared(few)[0])["n"].tolist() == [2, 2]
    assert shared({}, {}) == [{}, {}]


def saying(*texts):
    """`complete` as if a model had said these, and how many prompts it was given at each call."""
    asked = []

    def complete(model, tokenizer, prompts, *, on_batch, **options):
        asked.append(len(prompts))
        replies = [Completion(texts[i % len(texts)], "stop", 9) for i in range(len(prompts))]
        if prompts:
            on_batch(list(range(len(prompts))), replies)

    return complete, asked


def right_reply(row):
    return render_reply("both", render_answer(row["answer"], "Java"))


def test_a_model_is_asked_in_the_form_it_knows(loaded, tmp_path, monkeypatch):
    asked = []

    def complete(model, tokenizer, prompts, *, on_batch, **how):
        asked.extend(prompts)
        on_batch(range(len(prompts)), [Completion("<think>\nours\n</think>\n\nOurs.", "stop", 3)] * len(prompts))

    monkeypatch.setattr(measure, "complete", complete)
    form = Form("compact", hints=True)
    found = evaluate(loaded, ROWS[:3], "compact", form=form, output_dir=tmp_path)
    assert asked == [render_prompt(loaded.tokenizer, ask(row, form)) for row in ROWS[:3]]
    assert found["is_correct"].tolist() == [row["kind"] == "ours" for row in ROWS[:3]] and found["format"].all()


def test_two_conflicts_with_one_prompt_keep_their_own_lines(loaded, tmp_path, monkeypatch):
    """Asked once; each judged by its own answer, and found under its own id."""
    twin = ROWS[0] | {"id": "twin", "answer": "import a;\nclass A {}\n", "resolution": ""}
    fake, asked = saying(right_reply(ROWS[0]))
    monkeypatch.setattr(measure, "complete", fake)
    for _ in range(2):  # asked, then read back
        found = evaluate(loaded, [ROWS[0], twin], "twins", output_dir=tmp_path)
        assert found["id"].tolist() == [ROWS[0]["id"], "twin"]
        assert found["match_type"].tolist() == ["exact_match", "incorrect_resolution"]
        assert asked == [1]
    journal = [json.loads(line) for line in (tmp_path / "twins.jsonl").read_text().splitlines()]
    assert [tuple(kept) for kept in journal] == [measure.JOURNAL]


def test_a_corrected_answer_reaches_the_table_of_replies_that_were_kept(loaded, tmp_path, monkeypatch):
    fake, asked = saying(*map(right_reply, ROWS))
    monkeypatch.setattr(measure, "complete", fake)
    assert evaluate(loaded, ROWS, "same", output_dir=tmp_path)["is_correct"].all()
    corrected = [*ROWS[:4], ROWS[4] | {"answer": "import a;\nclass A {}\n", "resolution": "", "kind": "other"}]
    found = evaluate(loaded, corrected, "same", output_dir=tmp_path)
    assert asked == [5]
    assert found["is_correct"].tolist() == [True] * 4 + [False] and found["kind"].tolist()[4] == "other"
    assert not load_evaluation("same", tmp_path)["is_correct"].tolist()[4]
    # so does a change of the verdict itself, also for journals that once held verdicts
    path = tmp_path / "same.jsonl"
    old = [json.loads(line) | {"is_correct": True, "id": "x"} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(line) + "\n" for line in old))
    monkeypatch.setattr(measure, "verify", lambda *_, **__: Verdict("failed", False, detail="stricter"))
    assert set(evaluate(loaded, ROWS, "same", output_dir=tmp_path)["match_type"]) == {"failed"}
    assert asked == [5]


@pytest.mark.parametrize("adapted", [False, True])
def test_a_run_planned_in_4_bit_is_measured_in_4_bit(base, tmp_path, monkeypatch, adapted):
    """Bitsandbytes needs a GPU, so this checks which plan the loader gets, and that replies are kept apart."""
    model = str(base)
    if adapted:
        save_adapter(new_policy(model, lora_rank=4), tmp_path / "sft", "sft")
        model = str(tmp_path / "sft")
    plans = []
    for room in (adapter, answer):
        monkeypatch.setattr(room, "load_base", lambda folder, plan=None: plans.append(plan) or load_base(folder))
    gpu = Device("cuda", "Tesla T4", 14.7, (7, 5))
    plan = Plan(gpu, "float16", False, True, True, 1, True, 1.0)
    network, tokenizer, identity = load_for_evaluation(model, plan=plan)
    assert plans == [plan] and hasattr(network, "peft_config") == adapted  # 4-bit weights are not merged
    _, _, without = load_for_evaluation(model)
    assert plans[1].dtype == "float32" and not plans[1].load_in_4bit
    assert identity == without + "+4bit"
    evaluate(model, ROWS[:1], "x", max_new_tokens=2, plan=plan, output_dir=tmp_path)
    assert plans[2] == plan


def test_a_model_may_declare_further_ends(loaded):
    model, tokenizer, _ = loaded
    own = {tokenizer.eos_token_id}
    for declared, more in ((None, set()), (1, {1}), ([1, 3], {1, 3})):
        config = SimpleNamespace(generation_config=SimpleNamespace(eos_token_id=declared))
        assert answer.end_ids(config, tokenizer) == own | more


def test_another_adapter_is_another_evaluation(base, loaded, tmp_path):
    policy = new_policy(str(base), lora_rank=4)
    for name, parameter in policy.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.5)
    save_adapter(policy, tmp_path / "sft", "sft")
    first = evaluate(loaded, ROWS[:2], "same", max_new_tokens=8, output_dir=tmp_path)
    adapted = load_for_evaluation(str(tmp_path / "sft"))
    second = evaluate(adapted, ROWS[:2], "same", max_new_tokens=8, output_dir=tmp_path)
    assert set(first["key"]) & set(second["key"]) == set()
    # merging for speed changes nothing that is said
    prompts = [render_prompt(adapted[1], messages(row)) for row in ROWS[:2]]
    with_adapter = complete(policy.model, adapted[1], prompts, max_new_tokens=8)
    assert [r.text for r in with_adapter] == second["reply"].tolist()


def test_no_conflicts_is_one_sentence(loaded, tmp_path):
    with pytest.raises(LlmergeError, match="no conflicts to evaluate x on"):
        evaluate(loaded, [], "x", output_dir=tmp_path)


def table(name: str, kinds: list[str]) -> pd.DataFrame:
    right = {"exact_match", "normalized_match"}
    lines = [
        {"id": f"c{i}", "name": name, "match_type": kind, "is_correct": kind in right,
         "answered": kind not in measure.NO_ANSWER, "format": kind != "invalid_output", "finish_reason": "stop",
         "tokens": 1, "reply": ""}
        for i, kind in enumerate(kinds)
    ]  # fmt: skip
    return pd.DataFrame(lines)


TABLES = {
    "sft": table("sft", ["exact_match", "normalized_match", "unresolved", "incorrect_resolution"]),
    "base": table("base", ["incorrect_resolution", "exact_match", "invalid_output", "incorrect_resolution"]),
}


def test_summary_counts_and_brackets():
    found = summary(TABLES)
    assert found.loc["sft", "exact"].startswith("25.0 % (")
    assert found.loc["sft", "correct"].startswith("50.0 % (15.0–85.0)")
    assert found.loc["sft", "correct when it answers"].startswith("66.7 %")
    assert verdicts(TABLES).loc["incorrect_resolution"].tolist() == [1, 2]
    assert verdicts(TABLES)["sft"].sum() == 4


def test_comparison_names_what_was_won_and_lost():
    found = compare(TABLES, "sft", "base")
    assert (found["won"], found["lost"]) == (["c0"], [])
    assert (found["wins"], found["losses"], found["diff"]) == (1, 0, 0.25)
    line = comparisons(TABLES, [("sft", "base")]).iloc[0]
    assert line["difference in points"].startswith("+25.0 (")


def test_tables_say_of_how_many_merges():
    """Rows a and b are of one merge; what has no merge counts alone, and where none has, that is said."""
    some = {name: each.assign(merge_commit=["a", "a", "", "c"]) for name, each in TABLES.items()}
    found = summary(some)
    assert found["merges"].tolist() == [3, 3] and found.columns[:2].tolist() == ["n", "merges"]
    alone = estimate([True, True, False, False], "aabc")
    assert found.loc["sft", "correct"] == alone.percent != summary(TABLES).loc["sft", "correct"]
    assert found.loc["sft", "correct when it answers"].endswith(", n = 3 of 2 merges")
    assert right(some)["sft"] == alone == rate_of(some["sft"], some["sft"]["is_correct"])
    assert comparisons(some, [("sft", "base")]).iloc[0][["n", "merges"]].tolist() == [4, 3]
    for none in (TABLES, {name: each.assign(merge_commit="") for name, each in TABLES.items()}):
        assert summary(none)["merges"].tolist() == ["unknown", "unknown"]
        assert comparisons(none, [("sft", "base")])["merges"].tolist() == ["unknown"]
        assert str(right(none, "base")["base"]).endswith("4 conflicts, merges unknown")
    assert list(right(some, "base")) == ["base", "sft"]


def test_merges_are_read_from_rows_and_from_tables():
    rows = [{"merge_commit": "1e5", "id": "x"}, {"merge_commit": "1e5", "id": "y"}, {"id": "1e5"}, {"id": ""}, {}]
    groups = merges_of(rows)
    assert groups[0] == groups[1] and len(set(groups)) == 4
    assert merges_of(pd.DataFrame(rows)) == groups  # where a cell is missing, pandas says nan
    bare = pd.DataFrame({"id": [1, 2], "merge_commit": [float("nan")] * 2})
    assert merges_of(bare) == merges_of([{"id": 1}, {"id": 2}])
    assert merges_of([]) == merges_of(pd.DataFrame()) == []


def test_an_evaluation_knows_the_merge_of_each_conflict(tmp_path):
    """Also one that looks like a number, and after an evaluation that did not know it yet."""
    commits = ("12e4567", "12e4567", "001", "", None)
    rows = [row | {"merge_commit": commit} for row, commit in zip(ROWS, commits, strict=True)]
    measured = evaluate_baselines(rows, ("ours",), output_dir=tmp_path)["ours"]
    assert measured["merge_commit"].tolist() == ["12e4567", "12e4567", "001", "", ""]
    kept = load_evaluation("ours", tmp_path)
    assert kept["merge_commit"].tolist() == measured["merge_commit"].tolist()
    assert right({"ours": kept})["ours"].merges == 4
    kept.drop(columns="merge_commit").to_csv(tmp_path / "ours.csv", index=False)
    assert right({"ours": load_evaluation("ours", tmp_path)})["ours"].merges is None
    # a reply of 01 that failed is kept as it was, by what the row is now
    replies_table("teacher", rows, [result(0, rows[0], None)], output_dir=tmp_path)
    old = load_evaluation("teacher", tmp_path).drop(columns="merge_commit")
    old.to_csv(tmp_path / "teacher.csv", index=False)
    assert teacher_tables(rows[:2], tmp_path)["teacher"]["merge_commit"].tolist() == ["12e4567", "12e4567"]


def test_other_conflicts_are_not_compared():
    other = TABLES["base"].assign(id=["d0", "d1", "d2", "d3"])
    with pytest.raises(LlmergeError, match="evaluated on other conflicts"):
        summary(TABLES | {"base": other})


def test_baselines_are_judged_by_the_same_verdict(tmp_path):
    measured = evaluate_baselines(ROWS, ("ours", "theirs", "union"), output_dir=tmp_path)
    assert measured["union"]["match_type"].tolist() == ["exact_match"] * 5
    assert not measured["ours"]["is_correct"].any() and measured["ours"]["answered"].all()
    assert {p.name for p in tmp_path.iterdir()} == {"ours.csv", "theirs.csv", "union.csv"}


def test_a_baseline_without_an_answer_gives_the_conflict_back(tmp_path):
    """With nothing before, there are no tokens to merge."""
    found = evaluate_baselines(ROWS[:1], ("token_merge",), output_dir=tmp_path)["token_merge"]
    assert found["match_type"].tolist() == ["unresolved"] and not found["answered"].any()


def result(index, row, text, *, sample=0, finish_reason="stop", served="deepseek-x"):
    message = None if text is None else {"role": "assistant", "content": text}
    record = {"requested_model": "deepseek-chat", "served_model": served}
    if message is not None:
        record["response"] = {"choices": [{"message": message, "finish_reason": finish_reason}]}
    return Result(index, row["id"], sample, f"key{index}", record, rows=ROWS)


def test_an_endpoint_is_measured_like_a_model(tmp_path):
    results = [result(i, row, right_reply(row)) for i, row in enumerate(ROWS)]
    results[0].record["usage"] = {"completion_tokens": 7}
    found = replies_table("teacher", ROWS, results, output_dir=tmp_path)
    assert found["match_type"].tolist() == ["exact_match"] * 5 and found["tokens"].tolist() == [7, 0, 0, 0, 0]
    assert found["format"].all() and set(found["model"]) == {"deepseek-x"}


def test_rows_that_a_cap_left_out_are_no_failures(tmp_path):
    """Rows 1 and 3 of five were asked, one of them twice: they alone are compared, whatever their ids."""
    bare = [{k: v for k, v in row.items() if k != "id"} for row in ROWS]
    results = [result(3, ROWS[3], None, finish_reason=None, served=""), result(1, ROWS[1], right_reply(ROWS[1])),
               result(1, ROWS[1], "no code", sample=1)]  # fmt: skip
    for rows, ids in ((ROWS, [ROWS[1]["id"], ROWS[3]["id"]]), (bare, ["0", "1"])):
        found = replies_table("deepseek", rows, results, output_dir=tmp_path)
        assert found["id"].tolist() == [ids[0], *ids] and found["sample"].tolist() == [0, 1, 0]
        assert found["match_type"].tolist() == ["exact_match", "invalid_output", "failed"]
        assert found["model"].tolist() == ["deepseek-x", "deepseek-x", "deepseek-chat"]
        asked = asked_rows(rows, results)
        assert asked == [rows[1], rows[3]]
        measured = {"deepseek": found} | evaluate_baselines(asked, ("union",), output_dir=tmp_path)
        assert summary(measured)["n"].tolist() == [2, 2]
        assert summary(measured).loc["deepseek", "correct"] == estimate([True, False], "ab").percent
    nothing = replies_table("deepseek", ROWS, [], output_dir=tmp_path)
    assert len(nothing) == 0 and summary({"deepseek": nothing})["n"].tolist() == [0]


def test_a_teacher_that_is_a_baseline_too_keeps_its_table(tmp_path):
    taught = replies_table(
        "rules", ROWS[:2], [result(0, ROWS[0], "no code"), result(1, ROWS[1], "")], output_dir=tmp_path
    )
    kept = (tmp_path / "rules.csv").read_bytes()
    found = with_baselines({"rules": taught}, ROWS[:2], output_dir=tmp_path)
    assert list(found) == ["rules", "ours", "theirs", "union", "token_merge"] and found["rules"] is taught
    assert (tmp_path / "rules.csv").read_bytes() == kept and (tmp_path / "ours.csv").exists()
    assert list(with_baselines({"teacher": taught}, ROWS[:2], output_dir=tmp_path))[-1] == "rules"


def test_the_teacher_of_01_answers_where_it_was_asked_and_the_rules_elsewhere(tmp_path):
    cut = right_reply(ROWS[1])[:-9]
    asked = [result(0, ROWS[0], right_reply(ROWS[0])), result(1, ROWS[1], cut, finish_reason="length"),
             result(2, ROWS[2], None, finish_reason=None)]  # fmt: skip
    replies_table("teacher", ROWS[:3], asked, output_dir=tmp_path)
    before = (tmp_path / "teacher.csv").read_bytes()
    found = teacher_tables(ROWS[::-1], tmp_path / "full")["teacher"]  # beside the data sets of 02
    assert found["id"].tolist() == [row["id"] for row in ROWS[::-1]]
    assert found["model"].tolist() == ["rules", "rules", "deepseek-x", "deepseek-x", "deepseek-x"]
    assert found["match_type"].tolist()[2:] == ["failed", "truncated", "exact_match"]
    assert (found["reply"].iloc[4], found["reply"].iloc[3]) == (right_reply(ROWS[0]), cut)
    assert (tmp_path / "teacher.csv").read_bytes() == before
    # a reply that was right is judged by the row as it is now
    corrected = [ROWS[0] | {"answer": "import a;\nclass A {}\n", "resolution": ""}]
    assert not teacher_tables(corrected, tmp_path)["teacher"]["is_correct"].any()
    shown = found.iloc[::-1]
    columns = side_by_side({"teacher": shown, "sft": shown.drop(columns="model"), "deepseek-x (host)": shown}).columns
    assert columns.tolist() == ["teacher (deepseek-x)", "sft", "deepseek-x (host)"]


def test_without_the_teachers_replies_the_rules_stand_in_under_their_own_name(tmp_path):
    found = teacher_tables(ROWS, tmp_path)["teacher"]
    assert set(found["model"]) == {"rules"} and found["match_type"].tolist() == ["exact_match"] * 5
    assert side_by_side({"teacher": found}).columns.tolist() == ["teacher (rules)"]
    assert not list(tmp_path.iterdir())  # 01 may still be run, and then its teacher counts
    # a file that does not say whose replies it has is of an older version, which wrote the rules' as the teacher's
    found.drop(columns="model").assign(match_type="failed").to_csv(tmp_path / "teacher.csv", index=False)
    assert teacher_tables(ROWS, tmp_path)["teacher"]["match_type"].tolist() == ["exact_match"] * 5


def test_side_by_side_and_cards():
    assert side_by_side(TABLES, 2).loc["c0"].tolist() == ["exact match", "incorrect resolution"]
    reply = render_reply("why", render_answer(ROWS[0]["answer"], "Java"))
    card = show.answered(ROWS, table("sft", ["exact_match"]).assign(reply=reply))[0]
    assert "✓" in card.heading and json.dumps(card.heading)


def test_a_summary_tells_the_rate_without_what_nobody_decided(tmp_path):
    rows = [row | {"decided": n % 2 == 0} for n, row in enumerate(ROWS)]
    tables = evaluate_baselines(rows, ["ours"], output_dir=tmp_path)
    decided = tables["ours"][tables["ours"]["decided"]]
    told = summary(tables)["correct, decided conflicts"]["ours"]
    assert told.startswith(f"{100 * decided['is_correct'].mean():.1f} %") and f"n = {len(decided)}" in told
    assert "correct, decided conflicts" not in summary(evaluate_baselines(ROWS, ["ours"], output_dir=tmp_path))


# ---- several answers to a conflict, and several teachers


def drawn(*right_of: tuple[bool, ...], merges: str = "") -> pd.DataFrame:
    """A table of several answers a conflict: `(True, False)` is a conflict with one right answer of two."""
    lines = [
        {"id": f"c{i}", "sample": sample, "is_correct": right, "answered": True, "format": True, "tokens": 1,
         "match_type": "exact_match" if right else "incorrect_resolution", "model": "m",
         "merge_commit": merges[i] if merges else f"m{i}"}
        for i, answers in enumerate(right_of) for sample, right in enumerate(answers)
    ]  # fmt: skip
    return pd.DataFrame(lines)


def test_table_chart_and_words_say_the_same_of_several_answers():
    several = drawn((True, False, False, False), (False,) * 4, (True,) * 4, (False, True, True, False), merges="aabc")
    once = drawn((True,), (False,), (False,), (True,), merges="aabc")
    rates = pass_rates(several)
    assert {name: round(r.right / r.n, 4) for name, r in rates.items()} == {"pass@1": 7 / 16, "pass@4": 0.75}
    assert rates["pass@4"] == estimate([True, False, True, True], "aabc") and rates["pass@1"].merges == 3
    tables = {"teacher": several, "ours": once}
    line = summary(tables).loc["teacher"]
    assert (line["n"], line["correct"], line["pass@4"]) == (4, rates["pass@1"].percent, rates["pass@4"].percent)
    assert summary(tables).loc["ours", "correct"] == summary(tables).loc["ours", "pass@4"]
    assert right(tables, "teacher") == {
        "teacher, pass@1": rates["pass@1"], "teacher, pass@4": rates["pass@4"], "ours": rate_of(once, once.is_correct)
    }  # fmt: skip
    for rate in rates.values():
        assert rate.percent in in_words(several)
    assert verdicts(tables).loc["exact_match"].tolist() == [7, 2]
    plot = show.plots.verdicts_by(several.assign(kind="mixed"), "kind")
    assert plot.title == "Verdicts by kind (n = 4 conflicts, 16 answers of 3 merges)"
    assert plot.data.loc[0, ["right", "n"]].tolist() == [7, 16]
    assert plot.data.loc[0, ["low", "high"]].tolist() == pytest.approx([rates["pass@1"].low, rates["pass@1"].high])


def test_answers_of_one_conflict_tell_less_than_those_of_several():
    spread = rate_of(drawn(*[(True, True)] * 10, *[(False, False)] * 10), [True] * 20 + [False] * 20)
    alone = estimate([True] * 10 + [False] * 10)
    assert spread.low == pytest.approx(alone.low, abs=0.03) and spread.n == 20


def test_drawn_until_one_is_right_is_measured_without_favour():
    """The first of each counts for pass@1: an early end makes the mean of all answers a tale of its own."""
    table = drawn((True,), (False, True), (False, False, True), (False, False, False))
    rates = pass_rates(table)
    assert (rates["pass@1"].right, rates["pass@3"].right, rates["pass@1"].n) == (1, 3, 4)
    assert verdicts({"t": table})["t"].sum() == 4
    assert in_words(table).startswith("3 of 4 conflicts got a right answer. pass@1: 25.0 %")


def test_one_answer_a_conflict_reads_as_before():
    table = drawn((True,), (False,)).drop(columns="sample")
    assert list(pass_rates(table)) == ["pass@1"] and list(right({"t": table})) == ["t"]
    assert in_words(table) == f"1 of 2 conflicts got a right answer: {rate_of(table, table.is_correct)}"
    assert in_words(table.assign(match_type=["exact_match", "failed"])).endswith("; 1 request had no answer")


def test_pairs_of_several_answers_are_of_the_first_and_of_any():
    tables = {
        "a": drawn((False, True), (True, True), (False, False)),
        "b": drawn((True, False), (False, False), (True,)),
    }
    found = comparisons(tables, [("a", "b")])
    assert found.index.tolist() == ["a against b, first answers", "a against b, any answer"]
    assert found[["wins", "losses"]].values.tolist() == [[1, 2], [1, 1]]
    assert compare(tables, "a", "b", any_of=True)["won"] == ["c1"]
    assert comparisons(tables, []).empty


def test_a_table_that_pandas_read_stands_beside_others(tmp_path):
    """An empty `model` is nan there, an id that looks like a number is one."""
    rows = [row | {"id": f"00{i}"} for i, row in enumerate(ROWS)]
    measured = evaluate_baselines([row | {"id": str(i)} for i, row in enumerate(rows)], ("ours",), output_dir=tmp_path)
    read = pd.read_csv(tmp_path / "ours.csv")
    found = side_by_side({"ours": read, "again": measured["ours"], "who": read.assign(model=7.5)})
    assert found.columns.tolist() == ["ours", "again", "who (7.5)"] and found.index.tolist() == ["0", "1", "2"]
    assert summary({"ours": read, "again": measured["ours"]})["n"].tolist() == [5, 5]
    several = side_by_side({"t": drawn((True, False, True), (False,) * 3)})
    assert several["t (m)"].tolist() == ["exact match (2 of 3 right)", "incorrect resolution (0 of 3 right)"]


def test_a_data_set_of_two_teachers_shows_both_and_never_a_third(tmp_path):
    names = ("my-model (localhost:8000)", "deepseek-flash (deepseek)")
    tables = [
        replies_table(name, ROWS[:3], [result(i, row, text(row), served=name[:8]) for i, row in enumerate(ROWS[:3])],
                      output_dir=tmp_path / "run", file="teacher")
        for name, text in zip(names, (right_reply, lambda row: "no code"), strict=True)
    ]  # fmt: skip
    assert {p.name for p in (tmp_path / "run").iterdir()} == {"teacher.csv"}
    replies_table(names[0], ROWS[:1], [result(0, ROWS[0], "x")], output_dir=tmp_path / "scores")
    assert {p.name for p in (tmp_path / "scores").iterdir()} == {"my-model-localhost-8000-.csv"}
    data = tmp_path / "sft_dataset"
    data.mkdir()
    pd.concat(tables).to_csv(data / "teacher.csv", index=False)
    found = teacher_tables(ROWS[:3], data / "correct_only")
    assert list(found) == list(names)
    assert [set(t["match_type"]) for t in found.values()] == [{"exact_match"}, {"invalid_output"}]
    # a model keeps those that it learned from, whatever its data set is made of later
    teacher_tables(ROWS[:3], data / "full", keep=tmp_path / "sft_model")
    replies_table("another", ROWS[:3], [result(0, ROWS[0], "x")], output_dir=data, file="teacher")
    assert list(teacher_tables(ROWS[:3], tmp_path / "sft_model")) == list(names)
    teacher_tables(ROWS[:3], tmp_path / "nothing" / "full", keep=tmp_path / "sft_model")
    assert not (tmp_path / "sft_model/teacher.csv").exists()
    pd.concat(tables).to_csv(data / "teacher.csv", index=False)
    # another run of 01 has been made since: what stands in its folder is not this data set's
    replies_table("another", ROWS[:3], [result(0, ROWS[0], "x")], output_dir=tmp_path / "evaluation", file="teacher")
    assert list(teacher_tables(ROWS[:3], data / "full")) == list(names)


def test_runs_are_compared_on_the_conflicts_that_all_of_them_asked():
    def examples(numbers, reply, samples=1):
        return [
            {"id": ROWS[i]["id"], "row": ROWS[i] | {"merge_commit": "same"}, "sample": s, "answer": reply(ROWS[i]),
             "reasoning": "", "verdict": {"match_type": kind, "is_correct": kind == "exact_match", "detail": ""},
             "finish_reason": "stop", "usage": {"completion_tokens": 3}, "model": "m", "served_model": "", "key": "k"}
            for i in numbers for s in range(samples)
            for kind in ["exact_match" if reply is right_reply else "invalid_output"]
        ]  # fmt: skip

    tables = examples_tables({"a": examples([0, 1, 3], right_reply), "b": examples([3, 2, 1], lambda row: "no", 2)})
    ids = [ROWS[1]["id"], ROWS[3]["id"]]
    assert tables["a"]["id"].tolist() == ids and tables["b"]["id"].tolist() == [ids[0]] * 2 + [ids[1]] * 2
    line = comparisons(tables, [("a", "b")]).iloc[0]
    assert line[["n", "merges", "wins", "losses"]].tolist() == [2, 1, 2, 0]
    assert tables["a"]["format"].all() and set(tables["a"].columns) == set(measure.COLUMNS)


# ---- several answers of a model


def test_several_answers_are_drawn_kept_and_counted(loaded, tmp_path, monkeypatch):
    found = evaluate(loaded, ROWS[:2], "drawn", samples=4, max_new_tokens=4, output_dir=tmp_path)
    assert found["sample"].tolist() == [0, 1, 2, 3] * 2 and found["id"].nunique() == 2
    assert found["reply"].nunique() > 4  # a random model says another thing each time
    assert list(pass_rates(found)) == ["pass@1", "pass@4"] and "pass@4" in summary({"drawn": found}).columns
    network = loaded._replace(model=SimpleNamespace())  # all is known: nothing is asked
    monkeypatch.setattr(
        "llmerge_helpers.evaluate.measure.complete", lambda *a, **k: list(a[2]) and pytest.fail("asked")
    )
    again = evaluate(network, ROWS[:2], "drawn", samples=4, max_new_tokens=4, output_dir=tmp_path)
    assert again["reply"].tolist() == found["reply"].tolist()


def test_more_answers_go_on_from_those_there_are(loaded, tmp_path):
    two = evaluate(loaded, ROWS[:2], "more", samples=2, max_new_tokens=6, output_dir=tmp_path)
    four = evaluate(loaded, ROWS[:2], "more", samples=4, max_new_tokens=6, output_dir=tmp_path)
    assert four[four["sample"] < 2]["reply"].tolist() == two["reply"].tolist()
    assert not set(four[four["sample"] >= 2]["reply"]) & set(two["reply"])  # no draw is repeated
    greedy = evaluate(loaded, ROWS[:2], "more", max_new_tokens=6, output_dir=tmp_path)
    assert greedy["sample"].tolist() == [0, 0] and not set(greedy["key"]) & set(four["key"])


def test_the_makers_way_of_drawing_is_another_row(loaded, tmp_path):
    network = loaded.model
    kept = network.generation_config
    try:
        network.generation_config = type(kept)(do_sample=True, temperature=0.6, top_p=0.9, eos_token_id=1)
        own = evaluate(loaded, ROWS[:1], "base, its makers' way", sampling="own", max_new_tokens=4, output_dir=tmp_path)
    finally:
        network.generation_config = kept
    plain = evaluate(loaded, ROWS[:1], "base, its makers' way", max_new_tokens=4, output_dir=tmp_path)
    assert own["key"][0] != plain["key"][0] and (tmp_path / "base-its-makers-way.csv").exists()


def test_several_greedy_answers_are_refused(loaded, tmp_path):
    with pytest.raises(LlmergeError, match="greedy answers to one conflict are the same 3 times"):
        evaluate(loaded, ROWS[:1], "x", samples=3, sampling=Sampling(), output_dir=tmp_path)


def test_a_big_table_keeps_its_replies_in_the_file_and_is_the_same_else(tmp_path, monkeypatch):
    small = evaluate_baselines(ROWS, ("ours", "rules"), output_dir=tmp_path / "small")
    monkeypatch.setattr(measure, "IN_ONE_PART", 2)
    monkeypatch.setattr(measure, "WITH_REPLY", 4)
    big = evaluate_baselines(ROWS, ("ours", "rules"), output_dir=tmp_path / "big")
    for name, table in big.items():
        first, again = (tmp_path / size / f"{name}.csv" for size in ("small", "big"))
        assert len(ROWS) > 4 and first.read_bytes() == again.read_bytes()
        assert table["reply"].tolist() == [*small[name]["reply"][:4], *[None] * (len(ROWS) - 4)]
        assert table.drop(columns="reply").equals(small[name].drop(columns="reply"))
        assert load_evaluation(name, tmp_path / "big")["reply"].tolist() == small[name]["reply"].tolist()


def test_a_failure_leaves_the_old_tables(tmp_path):
    evaluate_baselines(ROWS[:3], ("ours",), output_dir=tmp_path)
    before = (tmp_path / "ours.csv").read_bytes()
    with pytest.raises(ZeroDivisionError):
        evaluate_baselines((1 / 0 if i == 2 else row for i, row in enumerate(ROWS)), ("ours",), output_dir=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ours.csv"]
    assert (tmp_path / "ours.csv").read_bytes() == before
