"""Before GRPO: the conflicts that a model solves now and then are found, and groups are judged as groups."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
from test_train import few_threads, grpo_settings, here, sft_run  # noqa: F401 (fixtures)
from tiny import conflict_row

from llmerge_helpers import models, training
from llmerge_helpers.conflicts import render_answer, render_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import Completion, Sampling
from llmerge_helpers.run.files import read_json, read_jsonl, write_json
from llmerge_helpers.training import callbacks
from llmerge_helpers.training.rows import TRAINED_ON, curriculum, in_between, seen_by_sft

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def student(monkeypatch):
    """A model that is right in so many of every four replies to conflict i, as `rights` says; what it was asked."""
    asked: list[int] = []
    rights: dict[int, int] = {}
    seen: dict[int, int] = {}

    def complete(network, tokenizer, prompts, *, max_new_tokens, batch_size, sampling, seed):
        replies = []
        for prompt in prompts:
            i = int(re.search(r"A(\d+)\.java", prompt)[1])
            asked.append(i)
            seen[i] = seen.get(i, -1) + 1
            right = seen[i] % 4 < rights.get(i, 0)
            code = conflict_row(i)["answer"] if right else "class Other {}\n"
            replies.append(Completion(render_reply("why", render_answer(code, "Java")), "stop", 9))
        return replies

    monkeypatch.setattr(models, "complete", complete)
    return SimpleNamespace(asked=asked, rights=rights)


def ready_to_probe(here, tmp_path, **more):  # noqa: F811
    return training.prepare_grpo(grpo_settings(here, tmp_path / "grpo", num_generations=4, max_steps=-1) | more)


def test_grpo_practises_on_what_is_solved_now_and_then(here, sft_run, tmp_path, student):  # noqa: F811
    student.rights |= {0: 4, 1: 1, 2: 2, 3: 0}
    ready = training.probe(ready_to_probe(here, tmp_path))
    assert ready.train["path"] == ["A2.java", "A1.java"] and ready.train["solved"] == [0.5, 0.25]
    assert ready.tried == training.Tried(4, 2, 1, 1)
    assert ready.table()["difficulty"] == "4 tried, 4 answers to each: 2 right now and then, 1 never, 1 always"
    assert ready.total_steps == 2  # of one conflict each, and of those alone


def test_what_was_drawn_is_kept_by_model_prompt_and_sampling(here, sft_run, tmp_path, student, monkeypatch):  # noqa: F811
    student.rights |= {1: 1}
    ready = ready_to_probe(here, tmp_path)
    first = training.probe(ready)
    assert sorted(student.asked) == sorted([0, 1, 2, 3] * 4)
    with monkeypatch.context() as patch:
        patch.setattr(models.Known, "load", lambda _: pytest.fail("a model was loaded"))
        assert training.probe(ready).train["solved"] == first.train["solved"] and len(student.asked) == 16
    training.probe(ready_to_probe(here, tmp_path, temperature=0.7))
    assert len(student.asked) == 32
    assert len(list(read_jsonl(tmp_path / "grpo_probe.jsonl"))) == 32


def test_a_probe_that_was_stopped_goes_on(here, sft_run, tmp_path, student, monkeypatch):  # noqa: F811
    from llmerge_helpers.training import drawing

    student.rights |= dict.fromkeys(range(4), 2)
    monkeypatch.setattr(drawing, "TOGETHER", 4)  # one conflict at a time
    complete, ready = models.complete, ready_to_probe(here, tmp_path)

    def stopped(*args, **options):
        if len(student.asked) == 8:
            raise KeyboardInterrupt
        return complete(*args, **options)

    monkeypatch.setattr(models, "complete", stopped)
    with pytest.raises(KeyboardInterrupt):
        training.probe(ready)
    monkeypatch.setattr(models, "complete", complete)
    assert len(training.probe(ready).train) == 4 and len(student.asked) == 16


@pytest.mark.parametrize(("probe", "max_steps", "tried"), [(3, -1, 3), (0, 2, 2), (-1, -1, 0)])
def test_a_probe_tries_no_more_than_it_needs(here, sft_run, tmp_path, student, probe, max_steps, tried, monkeypatch):  # noqa: F811
    from llmerge_helpers.training import drawing

    student.rights |= dict.fromkeys(range(4), 2)
    monkeypatch.setattr(drawing, "TOGETHER", 4)
    training.probe(ready_to_probe(here, tmp_path, probe=probe, max_steps=max_steps))
    assert len(set(student.asked)) == tried


@pytest.mark.parametrize(("right", "sentence"), [(0, "train SFT longer"), (4, "take harder conflicts")])
def test_nothing_in_between_is_said_with_what_to_do(here, sft_run, tmp_path, student, right, sentence, monkeypatch):  # noqa: F811
    student.rights |= dict.fromkeys(range(4), right)
    ready = ready_to_probe(here, tmp_path)
    went_on = training.probe(ready)  # on a CPU a short run shows its parts all the same
    assert len(went_on.train) == 4 and sentence in went_on.tried.advice()
    card = models.Device("cuda", "a GPU", 24.0)
    monkeypatch.setattr(models.Known, "load", lambda _: models.Loaded(None, None, "weights"))
    with pytest.raises(LlmergeError, match=f"0 right now and then.*{sentence}.*probe -1"):
        training.probe(replace(ready, plan=replace(ready.plan, device=card)))


def test_what_sft_has_learned_by_heart_is_not_practised_on(here, sft_run, tmp_path, student):  # noqa: F811
    student.rights |= dict.fromkeys(range(4), 2)
    adapter = tmp_path / "sft"
    adapter.mkdir()
    for file in (here / "sft_model").iterdir():
        if file.is_file():
            (adapter / file.name).write_bytes(file.read_bytes())
    write_json(adapter / TRAINED_ON, [conflict_row(i)["id"] for i in (0, 2)])
    ready = ready_to_probe(here, tmp_path, sft_model=str(adapter))
    assert ready.seen == 2 and "SFT has trained on 2 of them" in ready.table()["rows"]
    assert {"A0.java", "A2.java"} == set(ready.train["path"][-2:])
    assert set(training.probe(ready).train["path"]) == {"A1.java", "A3.java"} and set(student.asked) == {1, 3}
    write_json(adapter / TRAINED_ON, [conflict_row(i)["id"] for i in range(4)])  # nothing else is left
    everything = ready_to_probe(here, tmp_path, sft_model=str(adapter), output_dir=str(tmp_path / "all"))
    assert len(training.probe(everything).train) == 4


def test_an_sft_adapter_says_what_it_was_trained_on(here, tmp_path):  # noqa: F811
    from test_train import sft_settings
    from tiny import save_grpo, save_sft

    save_sft(tmp_path / "sft_dataset/correct_only", 3)
    run = training.sft(sft_settings(here, tmp_path / "out", dataset=str(tmp_path / "sft_dataset/correct_only")))
    ids = sorted(conflict_row(i)["id"] for i in range(3))
    assert read_json(run.output_dir / TRAINED_ON) == ids
    save_grpo(tmp_path / "grpo_dataset", 4)
    assert seen_by_sft(run.output_dir, tmp_path / "elsewhere") == set(ids)
    (run.output_dir / TRAINED_ON).unlink()  # an older adapter: the data beside says it
    assert seen_by_sft(run.output_dir, tmp_path / "grpo_dataset") == set(ids)
    assert seen_by_sft(run.output_dir, tmp_path / "elsewhere") == frozenset()


def test_the_order_is_by_band_and_seed():
    rates = {i: (0.0, 0.25, 0.5, 0.75, 1.0)[i % 5] for i in range(100)}
    order = in_between(rates, seed=1)
    assert [rates[i] for i in order[:20]] == [0.5] * 20 and len(order) == 60
    assert {rates[i] for i in order[20:40]} == {0.25, 0.75}
    assert order == in_between(rates, seed=1) != in_between(rates, seed=2)


def test_what_sft_has_seen_is_tried_last():
    from datasets import Dataset

    rows = Dataset.from_dict({"id": list("abcdefgh"), "pass_rate": [1.0] * 4 + [0.0] * 4})
    order = curriculum(rows, {"a", "b", "h"}, seed=3)["id"]
    assert set(order[-3:]) == {"a", "b", "h"} and sorted(order) == sorted(rows["id"])
    assert order == curriculum(rows, {"a", "b", "h"}, seed=3)["id"] != curriculum(rows, {"a", "b", "h"}, seed=4)["id"]


# ------------------------------------------------------------------------------------------------ drawn from a model


def test_replies_are_drawn_as_asked(here, sft_run):  # noqa: F811
    """Of one seed the same, of another another; greedy stays greedy, and the draws around it are left alone."""
    import torch

    network, tokenizer, _ = models.load_for_evaluation(str(here / "sft_model"))
    prompts = ["import a;\n"] * 3

    def texts(**how):
        return [reply.text for reply in models.complete(network, tokenizer, prompts, max_new_tokens=8, **how)]

    network.generation_config.repetition_penalty, network.generation_config.temperature = 5.0, 0.01  # of its makers
    torch.manual_seed(0)
    drawn = texts(sampling=Sampling(1.0), seed=1)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert after == torch.rand(1)
    assert drawn == texts(sampling=Sampling(1.0), seed=1) != texts(sampling=Sampling(1.0), seed=2)
    assert len(set(drawn)) == 3 and len(set(texts())) == 1
    network.generation_config.repetition_penalty = 1.0
    assert texts(sampling=Sampling(1.0), seed=1) == drawn


def test_the_makers_sampling_is_what_they_wrote_down():
    from transformers import GenerationConfig

    def own(**config):
        return models.own_sampling(GenerationConfig(**config))

    assert own(do_sample=True, temperature=0.6, top_p=0.95) == Sampling(0.6, 0.95)
    assert own(do_sample=True, temperature=0.7, top_k=20, repetition_penalty=1.05) == Sampling(0.7, 1.0, 20, 1.05)
    assert own() == Sampling() and own(do_sample=True).temperature == 1.0


# ------------------------------------------------------------------------------------------------------ groups, health


def stops_at(rates, steps=250, conflicts=1, n=4, seed=0):
    """At which of 250 steps the check stops a run whose conflicts are each solved by so many of all replies."""
    draws = random.Random(seed)
    health, control = callbacks.Health(groups_a_step=conflicts), SimpleNamespace(should_training_stop=False)
    for step in range(1, steps + 1):
        groups = [[draws.random() < rate for _ in range(n)] for rate in draws.choices(rates, k=conflicts)]
        mean = sum(map(sum, groups)) / (n * conflicts)
        same = sum(len(set(group)) == 1 for group in groups) / conflicts
        logs = {"reward": 1.1 * mean, "frac_reward_zero_std": same, "completions/clipped_ratio": 0.0, "entropy": 0.4}
        logs["rewards/resolution_reward/mean"] = mean
        health.on_log(None, None, control, logs)
        if control.should_training_stop:
            return step, health.diagnosis
    return None, ""


@pytest.mark.parametrize("conflicts", [1, 8])
@pytest.mark.parametrize("rates", [[0.9], [0.95], [0.05], [0.0] * 8 + [0.5] * 2, [1.0] * 8 + [0.5] * 2])
def test_a_healthy_run_is_not_stopped(rates, conflicts):
    """With eight of ten single groups without spread, ten steps in a row without any end nearly every run."""
    assert [stops_at(rates, conflicts=conflicts, seed=seed)[0] for seed in range(20)] == [None] * 20


@pytest.mark.parametrize("conflicts", [1, 8])
@pytest.mark.parametrize(
    ("rates", "why"), [([0.0], "all answers were wrong; train SFT longer"), ([1.0], "all answers were right; practise"),
                       ([0.0, 1.0], "all right or all wrong; practise on conflicts in between")]
)  # fmt: skip
def test_a_dead_run_is_stopped_and_told_why(rates, why, conflicts):
    step, diagnosis = stops_at(rates, conflicts=conflicts)
    assert step == callbacks.PATIENCE // conflicts <= 250 and why in diagnosis
    assert callbacks.PATIENCE >= 64


def test_a_run_shorter_than_that_is_told_of_at_its_end():
    health = callbacks.Health()
    history = [{"reward": 1.1, "frac_reward_zero_std": 1.0, "rewards/resolution_reward/mean": 1.0}] * 3
    assert "all answers were right" in health.conclude(history)


def test_advantages_are_what_trl_makes_of_rewards(here, sft_run, tmp_path, monkeypatch):  # noqa: F811
    """A step of TRL's trainer on rewards that are known, and the figures that 04 shows for them."""
    from llmerge_helpers import rewards

    def known_reward(completions, **columns):
        return [1.0, 0.1, 0.0, 0.0][: len(completions)] * (len(completions) // 4)

    ready = training.probe(ready_to_probe(here, tmp_path, probe=-1, max_steps=1, batch_size=2))
    trainer = training.grpo_trainer(ready, training.grpo_config(ready, [known_reward]), [known_reward])
    training.fit(ready, trainer)
    told = [line["advantage"] for line in read_jsonl(ready.output_dir / "completions.jsonl")]
    assert told == pytest.approx(rewards.advantages([1.0, 0.1, 0.0, 0.0]))


def test_every_completion_of_a_step_is_kept_however_many_are_written_at_once(here, sft_run, tmp_path):  # noqa: F811
    ready = ready_to_probe(here, tmp_path, probe=-1, max_steps=2, batch_size=2, conflicts=2, num_generations=2)
    config = training.grpo_config(ready, steps_per_generation=1)
    assert (config.gradient_accumulation_steps, config.generation_batch_size) == (2, 2)
    training.fit(ready, training.grpo_trainer(ready, config))
    kept = list(read_jsonl(ready.output_dir / "completions.jsonl"))
    assert [line["step"] for line in kept] == [1] * 4 + [2] * 4
    assert len({line["prompt"] for line in kept}) == 4 and all(line["verdict"] for line in kept)


def test_a_reply_near_its_end_costs_a_little(here, sft_run, tmp_path):  # noqa: F811
    from llmerge_helpers import rewards

    ids = [[1] * n for n in (3, 80, 90, 100)]
    assert rewards.length_reward(["x"] * 4, longest=100, completion_ids=ids) == [0.0, 0.0, -0.5, -1.0]
    ready = ready_to_probe(here, tmp_path, max_steps=1, batch_size=2)
    config = training.grpo_config(ready)
    assert (config.reward_weights, config.scale_rewards) == ([0.1, 1.0, 0.1], "none")
    training.fit(ready, training.grpo_trainer(ready, config))  # random: 8 tokens, and all cut off
    assert {line["length_reward"] for line in read_jsonl(ready.output_dir / "completions.jsonl")} == {-1.0}
