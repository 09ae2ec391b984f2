"""Runs of SFT and GRPO on a tiny random model: they learn, they stop, they go on, and they refuse what is wrong."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from tiny import conflict_row, save_grpo, save_sft, tiny_model, tiny_tokenizer

from llmerge_helpers import models as devices
from llmerge_helpers import rewards
from llmerge_helpers.conflicts import Conflict, Form, messages
from llmerge_helpers.conflicts.plans import render_compact
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import adapter as models
from llmerge_helpers.training import GrpoSettings, SftSettings, callbacks
from llmerge_helpers.training import __main__ as command_line
from llmerge_helpers.training import train as training
from llmerge_helpers.training.resume import last_checkpoint, prepare_output, tracking
from llmerge_helpers.training.rows import encode_rows, grpo_rows, length_report
from llmerge_helpers.training.settings import batches_at_once, group_batches, settings_from

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def few_threads(monkeypatch):
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    folder = tmp_path_factory.mktemp("training")
    tiny_model(folder / "base")
    tiny_model(folder / "other", seed=1)
    save_sft(folder / "sft_data")
    save_grpo(folder / "grpo_data")
    return folder


def sft_settings(here: Path, output: Path, **more):
    return {
        "dataset": str(here / "sft_data"), "base_model": str(here / "base"), "output_dir": str(output), "batch_size": 2,
        "max_steps": 4, "max_length": 600, "learning_rate": 1.0e-2, "lora_rank": 4, "report_to": "none", "samples": 1,
        "save_steps": 2,
    } | more  # fmt: skip


@pytest.fixture(scope="module")
def sft_run(here):
    return training.sft(sft_settings(here, here / "sft_model"))


def grpo_settings(here: Path, output: Path, **more):
    return {
        "sft_model": str(here / "sft_model"), "dataset": str(here / "grpo_data"), "output_dir": str(output),
        "num_generations": 2, "max_steps": 3, "max_completion_length": 8, "learning_rate": 1.0e-2, "report_to": "none",
        "save_steps": 1,
    } | more  # fmt: skip


@pytest.fixture
def letters():
    """Rewards that differ between any two completions: what a group needs to have an advantage."""

    def reward(completions):
        return [sum(map(ord, text)) % 97 / 97 for text in completions]

    def resolution_reward(completions, similarity=0.0, **columns):
        return reward(completions)

    return rewards.format_reward, resolution_reward


# --------------------------------------------------------------------------------------------------------------- SFT


def test_sft_learns_and_leaves_everything_behind(here, sft_run):
    losses = sft_run.curves()["loss"].dropna().tolist()
    assert losses[-1] < losses[0]
    assert sft_run.learned["changed"] == 1.0 and sft_run.memory_gib > 0
    assert sft_run.curves()["eval_loss"].notna().sum() == 2
    folder = here / "sft_model"
    files = "adapter_config.json adapter_model.safetensors tokenizer.json lineage.json history.json README.md"
    assert {*files.split(), "samples.jsonl", "settings.json", "checkpoints"} <= {p.name for p in folder.iterdir()}
    card = (folder / "README.md").read_text()
    assert "base → sft" in card and "4 steps" in card
    samples = [json.loads(line) for line in (folder / "samples.jsonl").read_text().splitlines()]
    assert [s["step"] for s in samples] == [2, 4] and all("<<<<<<<" in s["question"] for s in samples)
    again = models.load_policy(folder, trainable=False)
    assert models.adapter_hash(again.model) == sft_run.lineage["adapter_hash"]


def test_an_adapter_says_whose_replies_it_learned_from(tmp_path, sft_run):
    from llmerge_helpers.run.files import write_json
    from llmerge_helpers.training.rows import teachers_of
    from llmerge_helpers.training.train import model_card

    assert sft_run.lineage["teachers"] == teachers_of(tmp_path) == [], "made elsewhere"
    results = {"split": "0", "teachers": ["developers (developers)", "rules (rules)"]}
    write_json(tmp_path / "run.json", {"notebook": "02", "status": "finished", "results": results})
    assert teachers_of(tmp_path) == teachers_of(tmp_path / "correct_only_round1") == results["teachers"]
    card = model_card(sft_run.lineage | {"teachers": results["teachers"]}, {}, [], "sft")
    assert "Learned from replies of developers (developers), rules (rules)." in card
    assert "of nobody that is known" in model_card(sft_run.lineage, {}, [], "sft")


def test_a_run_leaves_the_file_that_repeats_it(here, sft_run, tmp_path):
    folder, given = here / "sft_model", sft_settings(here, here / "sft_model")
    values = yaml.safe_load((folder / "params.yaml").read_text())
    assert settings_from(SftSettings, values) == settings_from(SftSettings, given)
    assert training.prepare_sft(values).facts == json.loads((folder / "settings.json").read_text())
    run = training.grpo(grpo_settings(here, tmp_path / "out", max_steps=1, learning_rate=1e-5))
    values = yaml.safe_load((tmp_path / "out/params.yaml").read_text())
    assert settings_from(GrpoSettings, values).learning_rate == 1e-5 == run.settings["learning_rate"]


def test_sft_on_a_cpu_runs_as_the_cpu_can(here, sft_run):
    """Trap 6, at the end of the line: what the trainer was really given."""
    import torch

    saved = torch.load(last_checkpoint(here / "sft_model/checkpoints") / "training_args.bin", weights_only=False)
    assert saved.bf16 == devices.found_device().bfloat16 and not saved.fp16 and saved.use_cpu
    assert saved.max_length is None  # trap 4: nothing is ever cut by TRL


def test_rows_are_whole_or_left_out():
    """Trap 4: cut rows lose their end, and with a small max_length nothing is left, without a word."""
    tokenizer = tiny_tokenizer()
    short = {"prompt": [{"role": "user", "content": "a"}], "completion": "<think>\nx\n</think>\n\ny"}
    long = {"prompt": [{"role": "user", "content": "a" * 300}], "completion": "<think>\nx\n</think>\n\ny"}
    data, report = encode_rows(tokenizer, [short, long], 200)
    assert len(data) == 1 and (report["used"], report["left_out"]) == (1, 1)
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert data[0]["labels"][-1] == data[0]["input_ids"][-1] == end
    with pytest.raises(
        LlmergeError, match=r"no row fits max_length 20 \(the shortest has \d+ tokens\): set max_length"
    ):
        encode_rows(tokenizer, [short, long], 20)


def test_length_report_says_which_length_keeps_most():
    report = length_report(list(range(1, 101)), 50)
    assert (report["used"], report["left_out"], report["longest"]) == (50, 50, 100)
    assert (report["used_median"], report["used_longest"]) == (26, 50)  # not of those that are left out
    assert sum(n <= report["max_length_for_95"] for n in range(1, 101)) >= 95


@pytest.mark.parametrize(
    ("given", "steps", "told"),
    [
        ({}, 2, "2, each of 2 rows: 1 time through them all"),  # a short run is never longer than the whole one
        ({"epochs": 2.5}, 5, "5, each of 2 rows: 2.5 times through them all"),
        ({"epochs": 50.0}, 12, "12, each of 2 rows: 6 times through them all"),
        ({"epochs": 50.0, "max_steps": -1}, -1, "100, each of 2 rows: 50 times through them all"),
        ({"max_steps": 3}, 3, "3, each of 2 rows: 1.5 times through them all"),
    ],
)
def test_steps_on_a_cpu_and_what_is_told_of_them(given, steps, told, here, tmp_path, monkeypatch):
    monkeypatch.setattr("llmerge_helpers.models.found_device", lambda: devices.Device("cpu", "a CPU", 8.0))
    settings = sft_settings(here, tmp_path / "out", limit=4, max_steps=0) | given
    ready = training.prepare_sft(settings)
    assert (ready.max_steps, ready.table()["steps"]) == (steps, told)
    assert ready.reply_tokens == training.completion_budget(ready.rows)


def test_the_table_tells_lengths_of_what_is_used(here, tmp_path):
    settings = sft_settings(here, tmp_path / "out", dataset=str(save_sft(tmp_path / "data", n=12)))  # two are longer
    every = training.prepare_sft(settings | {"max_length": 4000})
    most = every.rows["longest"] - 1
    some = training.prepare_sft(settings | {"max_length": most})
    assert some.table()["rows"] == "10 of 12 (2 too long)"
    longest = max(map(len, some.train["input_ids"]))
    assert every.table()["tokens in a row"].endswith(f"longest {most + 1}")
    assert some.table()["tokens in a row"].endswith(f"longest {longest} (of all: {most + 1})")


@pytest.mark.parametrize(
    ("given", "steps", "told"),
    [
        ({"limit": 1}, 1, "1, each of 2 completions to one conflict"),
        ({"limit": 4}, 2, "2, each of 2 completions to one conflict"),
        ({"limit": 4, "max_steps": 3, "batch_size": 4}, 3, "3, each of 4 completions to 2 conflicts, 2 to each"),
    ],
)
def test_a_step_of_grpo_is_told_in_completions(given, steps, told, sft_run, here, tmp_path, monkeypatch):
    monkeypatch.setattr("llmerge_helpers.models.found_device", lambda: devices.Device("cpu", "a CPU", 8.0))
    ready = training.prepare_grpo(grpo_settings(here, tmp_path / "out", max_steps=0, batch_size=2) | given)
    assert (ready.max_steps, ready.table()["steps"]) == (steps, told) and "tokens in a question" in ready.table()
    assert ready.reply_tokens == training.completion_budget(sft_run.lineage)


def test_a_trainer_that_quantizes_adapters_is_put_right(here, tmp_path, monkeypatch):
    """Trap 8, on the trainer: TRL casts the adapters of a 4-bit model to bfloat16 while it is built."""
    import torch
    import trl

    seen = {}
    build, train = trl.SFTTrainer.__init__, trl.SFTTrainer.train

    def building(self, *args, model, **kwargs):
        model.is_loaded_in_4bit = True
        build(self, *args, model=model, **kwargs)
        del model.is_loaded_in_4bit
        seen["built"] = {p.dtype for p in self.model.parameters() if p.requires_grad}

    def training_(self, *args, **kwargs):
        seen["trained"] = {p.dtype for p in self.model.parameters() if p.requires_grad}
        return train(self, *args, **kwargs)

    monkeypatch.setattr(trl.SFTTrainer, "__init__", building)
    monkeypatch.setattr(trl.SFTTrainer, "train", training_)
    training.sft(sft_settings(here, tmp_path / "out", max_steps=1))
    assert seen == {"built": {torch.bfloat16}, "trained": {torch.float32}}


def test_a_frozen_policy_stops_before_the_first_step(here, tmp_path, monkeypatch):
    """Trap 2, on the trainer."""
    new_policy = models.new_policy

    def frozen(*args, **kwargs):
        policy = new_policy(*args, **kwargs)
        policy.model.requires_grad_(False)
        return policy

    monkeypatch.setattr("llmerge_helpers.models.new_policy", frozen)
    with pytest.raises(LlmergeError, match="frozen the adapter"):
        training.sft(sft_settings(here, tmp_path / "out"))


def test_a_run_that_moves_nothing_is_an_error(here, tmp_path, monkeypatch):
    import torch

    monkeypatch.setattr(torch.optim.AdamW, "step", lambda self, closure=None: None)
    with pytest.raises(LlmergeError, match="changed nothing"):
        training.sft(sft_settings(here, tmp_path / "out"))


def test_packing_does_not_let_rows_see_each_other(here, tmp_path):
    """Two rows in one sequence have the loss of each alone: what makes packing right on this attention."""
    import torch
    from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

    model, tokenizer = models.load_base(here / "base").eval(), models.load_tokenizer(here / "base")
    data, _ = encode_rows(tokenizer, list(training.load_rows(str(here / "sft_data"), made_by="02")["train"])[:2], 600)
    rows = [{k: row[k] for k in ("input_ids", "labels")} for row in data]
    collate = DataCollatorForLanguageModeling(tokenizer.pad_token_id, padding_free=True)

    def loss(batch):
        labels = batch.pop("labels")
        with torch.no_grad():
            known = {k: v for k, v in batch.items() if k in ("input_ids", "position_ids")}
            logits = model(**known, use_cache=False).logits
        return torch.nn.functional.cross_entropy(logits[0, :-1], labels[0, 1:], reduction="sum", ignore_index=-100)

    alone = sum(loss(collate([row])) for row in rows)
    assert loss(collate(rows)).item() == pytest.approx(alone.item(), abs=2e-3)
    packed = training.sft(sft_settings(here, tmp_path / "out", packing=True, max_steps=2))
    assert packed.learned["changed"] == 1.0


# ------------------------------------------------------------------------------------------------------------ resume


class Killed(BaseException):
    pass


def killed_at(step):
    from transformers import TrainerCallback

    class Kill(TrainerCallback):
        def on_step_end(self, args, state, control, **_):
            if state.global_step == step:
                raise Killed

    return Kill()


def run_killed(monkeypatch, trainer, step, run):
    """Run until `step`, and die there as a killed process would: nothing after that line runs."""
    import trl

    kind = getattr(trl, trainer)
    build = kind.__init__

    def building(self, *args, **kwargs):
        build(self, *args, **kwargs)
        self.add_callback(killed_at(step))

    with monkeypatch.context() as patch:
        patch.setattr(kind, "__init__", building)
        with pytest.raises(Killed):
            run()


def test_a_killed_sft_run_goes_on_and_ends_the_same(here, sft_run, tmp_path, monkeypatch):
    settings = sft_settings(here, tmp_path / "out")
    run_killed(monkeypatch, "SFTTrainer", 3, lambda: training.sft(settings))
    assert not (tmp_path / "out/adapter_model.safetensors").exists()
    again = training.sft(settings)
    whole, resumed = sft_run.curves(), again.curves()
    assert resumed["step"].tolist() == whole["step"].tolist()
    assert resumed["loss"].dropna().tolist() == pytest.approx(whole["loss"].dropna().tolist(), rel=1e-4)
    # the count of tokens goes on too; TRL starts it from 0
    assert resumed["num_tokens"].dropna().tolist() == whole["num_tokens"].dropna().tolist()
    assert again.lineage["adapter_hash"] == sft_run.lineage["adapter_hash"]


def test_a_killed_grpo_run_goes_on(here, sft_run, tmp_path, monkeypatch, letters):
    whole = training.grpo(grpo_settings(here, tmp_path / "whole"), letters)
    settings = grpo_settings(here, tmp_path / "out")
    run_killed(monkeypatch, "GRPOTrainer", 2, lambda: training.grpo(settings, letters))
    again = training.grpo(settings, letters)
    assert again.curves()["step"].tolist() == whole.curves()["step"].tolist()
    steps = [json.loads(line)["step"] for line in (tmp_path / "out/completions.jsonl").read_text().splitlines()]
    assert steps == [1, 1, 2, 2, 3, 3]


def test_other_settings_do_not_go_on_from_a_checkpoint(here, sft_run, tmp_path):
    out = Path(shutil.copytree(here / "sft_model", tmp_path / "out"))
    (out / "history.json").unlink()  # the run was killed
    before = sorted(p.name for p in out.iterdir())
    with pytest.raises(LlmergeError, match=r"unfinished run with other settings \(max_steps 4 -> 8\).*resume False"):
        training.prepare_sft(sft_settings(here, out, max_steps=8))
    assert sorted(p.name for p in out.iterdir()) == before and os.listdir(tmp_path) == ["out"]
    training.prepare_sft(sft_settings(here, out, max_steps=8, resume=False))
    training.prepare_sft(sft_settings(here, out))


def test_a_finished_run_with_other_settings_is_kept_beside(here, sft_run, tmp_path, capsys, monkeypatch):
    for number in (1, 2):
        out = Path(shutil.copytree(here / "sft_model", tmp_path / "out"))
        training.prepare_sft(sft_settings(here, out))
        assert out.exists()  # the same settings go on
        with monkeypatch.context() as patch:
            patch.setenv("RANK", "1")
            training.prepare_sft(sft_settings(here, out, max_steps=8))
        assert out.exists()  # one process of several moves it
        training.prepare_sft(sft_settings(here, out, max_steps=8))
        assert not out.exists() and (tmp_path / f"out_{number}" / "adapter_model.safetensors").exists()
        assert f"(max_steps 4 -> 8): it is kept as {tmp_path / f'out_{number}'}" in capsys.readouterr().out


def test_grpo_does_not_write_over_the_adapter_it_starts_from(here, sft_run):
    with pytest.raises(LlmergeError, match="sft_model and output_dir are both .*choose another output_dir"):
        training.prepare_grpo(grpo_settings(here, here / "sft_model"))


def test_a_fresh_start_is_a_run_of_its_own_in_wandb(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_RUN_ID", "WANDB_MODE", "WANDB_DIR", "WANDB_NAME", "WANDB_RESUME"):
        monkeypatch.setenv(name, "")
    for name in ("WANDB_PROJECT", "WANDB_SILENT", "WANDB_DISABLE_CODE"):
        monkeypatch.setenv(name, "x")
    (tmp_path / "checkpoints/checkpoint-4").mkdir(parents=True)
    (tmp_path / "wandb_run_id.txt").write_text("old")

    def ready(resume):
        settings = SftSettings(resume=resume, output_dir=str(tmp_path))
        unused = dict.fromkeys(
            ("plan", "tokenizer", "train", "max_steps", "total_steps", "learning_rate", "accumulation")
        )
        found = training.Ready(
            settings=settings, base_model="b", rows={}, output_dir=tmp_path, split="", facts={"a": 2}, **unused
        )
        return found.start()["report_to"], found.checkpoint

    assert ready(False) == ("wandb", None)
    fresh = os.environ["WANDB_RUN_ID"]
    assert fresh == (tmp_path / "wandb_run_id.txt").read_text() != "old"
    assert ready(True) == ("wandb", None) and os.environ["WANDB_RUN_ID"] == fresh


def test_a_run_without_a_launcher_takes_one_of_several_gpus(monkeypatch):
    from trl import SFTConfig

    arguments = SFTConfig(output_dir="unused", use_cpu=True, report_to="none", bf16=False)
    for found, used in ((2, 1), (1, 1), (0, 0)):
        arguments._n_gpu = found
        training.one_gpu(arguments)
        assert arguments.n_gpu == used
    two = devices.Device("cuda", "Tesla T4", 14.7, (7, 5), 2)
    plan = devices.Plan(two, "float16", False, True, False, 1, True, 9.0)
    assert plan.table()["device"].startswith("1 of 2 x Tesla T4")
    monkeypatch.setenv("WORLD_SIZE", "2")
    arguments._n_gpu = 2  # a launcher sets it itself
    training.one_gpu(arguments)
    assert arguments.n_gpu == 2 and plan.table()["device"].startswith("2 x Tesla T4")


def test_a_half_written_checkpoint_is_not_gone_on_from(tmp_path):
    for step, text in ((2, "{}"), (4, '{"half'), (10, None)):
        (tmp_path / f"checkpoint-{step}").mkdir()
        if text is not None:
            (tmp_path / f"checkpoint-{step}" / "trainer_state.json").write_text(text)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint-2"]


def test_a_fresh_start_on_request(tmp_path):
    (tmp_path / "checkpoints/checkpoint-2").mkdir(parents=True)
    (tmp_path / "checkpoints/checkpoint-2/trainer_state.json").write_text("{}")
    (tmp_path / "wandb_run_id.txt").write_text("old")
    assert prepare_output(tmp_path, {"a": 1}, resume=True).endswith("checkpoint-2")
    assert prepare_output(tmp_path, {"a": 1}, resume=False) is None
    assert not (tmp_path / "wandb_run_id.txt").exists()


@pytest.mark.slow
def test_a_process_killed_by_the_system_goes_on(here, tmp_path):
    """The same with a real SIGKILL."""
    import signal
    import time

    settings = sft_settings(here, tmp_path / "out", max_steps=60, save_steps=5, samples=0)
    (tmp_path / "sft.yaml").write_text(yaml.safe_dump(settings))
    command = [sys.executable, "-m", "llmerge_helpers.training", "sft", str(tmp_path / "sft.yaml")]
    process = subprocess.Popen(command)
    deadline = time.monotonic() + 200
    while not last_state(tmp_path / "out") and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "out/history.json").exists()
    subprocess.run(command, check=True)
    history = json.loads((tmp_path / "out/history.json").read_text())
    assert [e["step"] for e in history if "loss" in e] == list(range(1, 61))


def last_state(folder: Path):
    found = sorted(folder.glob("checkpoints/checkpoint-*/trainer_state.json"))
    return found[-1] if found else None


# --------------------------------------------------------------------------------------------------------------- W&B


def test_wandb_is_offline_without_a_key_and_keeps_its_run(tmp_path, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("WANDB_RUN_ID", "WANDB_RESUME", "WANDB_NAME", "WANDB_DIR", "WANDB_SILENT", "WANDB_DISABLE_CODE"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("WANDB_PROJECT", "x")
    assert tracking("wandb", tmp_path, "sft")["report_to"] == "wandb"
    first = os.environ["WANDB_RUN_ID"]
    assert os.environ["WANDB_MODE"] == "offline"
    tracking("wandb", tmp_path, "sft")
    assert os.environ["WANDB_RUN_ID"] == first
    assert tracking("none", tmp_path, "sft")["report_to"] == "none"
    with pytest.raises(LlmergeError, match="report_to is 'tensorbored'"):
        tracking("tensorbored", tmp_path, "sft")
    monkeypatch.delenv("WANDB_MODE")
    monkeypatch.setenv("WANDB_API_KEY", "k" * 40)
    tracking("wandb", tmp_path, "sft")
    assert "WANDB_MODE" not in os.environ


@pytest.mark.slow
def test_no_prompt_reaches_wandb(here, sft_run, tmp_path):
    """A real offline run of GRPO in a process of its own: curves in the file, no conflict in it."""
    settings = grpo_settings(here, tmp_path / "out", report_to="wandb")
    (tmp_path / "grpo.yaml").write_text(yaml.safe_dump(settings))
    environment = {k: v for k, v in os.environ.items() if not k.startswith("WANDB")}
    command = [sys.executable, "-m", "llmerge_helpers.training", "grpo", str(tmp_path / "grpo.yaml")]
    subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, timeout=250)
    files = [p for p in (tmp_path / "out/wandb").rglob("*") if p.is_file()]
    assert any(p.suffix == ".wandb" for p in files)
    assert not any(b"import b0" in p.read_bytes() or b"<<<<<<<" in p.read_bytes() for p in files)


# -------------------------------------------------------------------------------------------------------------- GRPO


@pytest.mark.parametrize("beta", [0.0, 0.04])
def test_grpo_goes_on_from_the_sft_adapter(here, sft_run, tmp_path, beta, letters):
    run = training.grpo(grpo_settings(here, tmp_path / "out", beta=beta), letters)
    assert run.learned["max_delta"] > 0
    assert [p["stage"] for p in run.lineage["parents"]] == ["base", "sft"]
    assert run.lineage["parents"][1]["adapter_hash"] == sft_run.lineage["adapter_hash"] != run.lineage["adapter_hash"]
    loaded = models.load_policy(tmp_path / "out", trainable=False)
    assert models.adapter_hash(loaded.model) == run.lineage["adapter_hash"]
    rows = [json.loads(line) for line in (tmp_path / "out/completions.jsonl").read_text().splitlines()]
    columns = {"step", "prompt", "completion", "format_reward", "resolution_reward", "advantage"}
    assert len(rows) == 6 and columns <= set(rows[0])
    assert any(row["advantage"] for row in rows)


def test_a_completion_that_was_cut_off_is_judged_as_an_evaluation_would(here, sft_run, tmp_path, monkeypatch, letters):
    """The rewards get the very ids that TRL stops at."""
    import trl

    from llmerge_helpers.models.answer import end_ids

    seen, real = [], rewards.format_reward

    def format_reward(completions, **columns):
        seen.append(columns)
        return real(completions, **columns)

    init = trl.GRPOTrainer.__init__

    def noting(self, *args, **kwargs):
        init(self, *args, **kwargs)
        seen.append(set(self.eos_token_ids))

    monkeypatch.setattr(trl.GRPOTrainer, "__init__", noting)
    training.grpo(grpo_settings(here, tmp_path / "out", max_steps=1), (format_reward, letters[1]))
    stops, columns = seen
    assert stops == columns["end_ids"] and len(columns["completion_ids"]) == 2
    policy = models.load_policy(here / "sft_model", trainable=False)
    assert end_ids(policy.model, policy.tokenizer) == stops


def test_grpo_rows_know_what_was_prefilled(here):
    data = training.load_rows(str(here / "grpo_data"), made_by="02")["train"]
    template = tiny_tokenizer().chat_template.replace("assistant\\n'", "assistant\\n<think>\\n'")
    settings = GrpoSettings(limit=2)
    rows, report = grpo_rows(tiny_tokenizer(template), data, settings, 1024)
    assert rows["prefill"] == ["<think>\n"] * 2 and report["used"] == 2
    inside = "both add\n</think>\n\n```java\n" + rows[0]["answer"] + "```"
    columns = {name: [rows[0][name]] for name in rows.column_names}
    columns.pop("prompt")
    assert rewards.format_reward([inside], **columns) == [1.0]
    assert rewards.resolution_reward([inside], **columns) == [1.0]


HEALTHY = {"reward": 0.3, "completions/clipped_ratio": 0.2, "frac_reward_zero_std": 0.5, "entropy": 0.3,
           "rewards/format_reward/mean": 0.5, "rewards/resolution_reward/mean": 0.2, "grad_norm": 0.1,
           "learning_rate": 1e-5}  # fmt: skip


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"completions/clipped_ratio": 1.0, "frac_reward_zero_std": 1.0}, "cut off at max_completion_length"),
        ({"frac_reward_zero_std": 1.0}, "no advantage"),
        ({"frac_reward_zero_std": 1.0, "rewards/resolution_reward/mean": 0.1}, "all answers were wrong"),
        ({"reward": float("nan")}, "returned None"),
        ({"rewards/format_reward/mean": 0.0, "rewards/resolution_reward/mean": 0.9}, "prefill"),
        ({"entropy": 0.0}, "always writes the same"),
    ],
)
def test_a_run_that_cannot_learn_is_named(broken, why):
    """Trap 5 and its kin."""
    assert why in callbacks.diagnose([HEALTHY | broken] * 3)
    assert callbacks.diagnose([HEALTHY | broken] * 2 + [HEALTHY]) == ""


def test_health_stops_the_run_after_patience():
    from types import SimpleNamespace

    health, control = callbacks.Health(patience=3), SimpleNamespace(should_training_stop=False)
    for step in range(3):
        assert not control.should_training_stop, step
        health.on_log(None, None, control, HEALTHY | {"completions/clipped_ratio": 1.0})
    assert control.should_training_stop and "cut off" in health.diagnosis


def test_health_finds_a_frozen_adapter(here):
    """Trap 2 again: loss, reward and gradient look alive."""
    from types import SimpleNamespace

    policy = models.new_policy(str(here / "base"))
    health, control = callbacks.Health(patience=2), SimpleNamespace(should_training_stop=False)
    health.on_train_begin(None, None, control, model=policy.model)
    for _ in range(2):
        health.on_log(None, None, control, HEALTHY, model=policy.model)
    assert control.should_training_stop and "frozen" in health.diagnosis


def test_a_hopeless_grpo_run_stops_early_and_says_why(here, sft_run, tmp_path):
    """Real rewards, a random model, 8 tokens: everything is cut off, and nothing can be learned."""
    run = training.grpo(grpo_settings(here, tmp_path / "out", max_steps=50, patience=2))
    assert "cut off at max_completion_length" in run.diagnosis
    assert run.curves()["step"].max() == 2
    assert run.learned["max_delta"] == 0.0


# --------------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dataset": "no/such/data"}, r"no dataset in .*02_inspect_and_prepare.ipynb"),
        ({"base_model": "no/such/model"}, "no folder"),
        ({"learning_rate": -1.0}, "learning_rate is -1.0: it must be 0 or more"),
        ({"max_steps": -5}, "max_steps is -5"),
        ({"load_in_4bit": True}, "load_in_4bit needs a CUDA GPU"),
        ({"report_to": "paper"}, "report_to is 'paper'"),
        ({"max_length": 10}, "no row fits max_length 10"),
        ({"learning_rat": 1.0}, "did you mean 'learning_rate'"),
        ({"learning_rate": "1e-5"}, "must be float, got '1e-5': write 1.0e-5"),
        ({"max_steps": True}, "must be int"),
    ],
)
def test_sft_refuses_in_one_sentence_before_a_model_is_loaded(here, tmp_path, monkeypatch, change, sentence):
    monkeypatch.setattr(models, "load_base", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(LlmergeError, match=sentence) as caught:
        training.sft(sft_settings(here, tmp_path / "out") | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fits", "given", "world", "batch", "accumulation"),
    [
        (8, {}, 1, 4, 1),
        (3, {}, 1, 2, 2),
        (1, {}, 2, 1, 2),  # the group lies across two processes
        (5, {"gradient_accumulation_steps": 2}, 1, 4, 2),  # five times two would hold two groups and a half
        (3, {"gradient_accumulation_steps": 1}, 2, 2, 1),
        (6, {"batch_size": 6}, 1, 6, 2),
        (8, {"batch_size": 8}, 1, 8, 1),
    ],
)
def test_a_step_of_grpo_holds_whole_groups(monkeypatch, fits, given, world, batch, accumulation):
    monkeypatch.setenv("WORLD_SIZE", str(world))
    plan = devices.Plan(devices.Device("cpu", "cpu", 8.0), "float32", False, False, False, fits, False, 0.0)
    found, steps = group_batches(GrpoSettings(num_generations=4, **given), plan)
    assert (found.batch_size, steps) == (batch, accumulation)


@pytest.mark.parametrize("world", [1, 2, 3, 8, 16])
@pytest.mark.parametrize("fits", [1, 2, 3, 4, 5, 8])
def test_a_step_on_gpus_holds_eight_conflicts_of_eight(monkeypatch, fits, world):
    """Whatever fits a device: the rest is accumulated, and what is written at once is whole groups."""
    monkeypatch.setenv("WORLD_SIZE", str(world))
    plan = devices.Plan(devices.Device("cuda", "a GPU", 24.0), "bfloat16", True, False, False, fits, False, 0.0)
    found, steps = group_batches(GrpoSettings(), plan)
    completions = found.batch_size * steps * world
    assert completions == (64 if world != 3 else 72) and found.batch_size <= fits  # three processes share nine groups
    at_once = batches_at_once(8, found, steps)
    assert steps % at_once == 0 and at_once * found.batch_size * world % 8 == 0
    narrow = replace(found, gradient_checkpointing=True)
    assert batches_at_once(8, narrow, steps) <= at_once


@pytest.mark.parametrize(
    ("given", "world", "batch", "accumulation"),
    [
        ({"num_generations": 6, "conflicts": 3}, 1, 6, 3),
        ({"num_generations": 16, "conflicts": 4}, 2, 8, 4),
        ({"batch_size": 3}, 1, 3, 24),  # 72: nine groups are the fewest over 64 that threes make
        ({"gradient_accumulation_steps": 4}, 1, 8, 4),
        ({"gradient_accumulation_steps": 1}, 1, 8, 1),
    ],
)
def test_what_is_given_for_a_step_is_kept(monkeypatch, given, world, batch, accumulation):
    monkeypatch.setenv("WORLD_SIZE", str(world))
    fits = given.get("batch_size", 8)
    plan = devices.Plan(devices.Device("cuda", "a GPU", 24.0), "bfloat16", True, False, False, fits, False, 0.0)
    found, steps = group_batches(GrpoSettings(**given), plan)
    assert (found.batch_size, steps) == (batch, accumulation)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_generations": 1}, "num_generations is 1: a group needs at least 2"),
        ({"gradient_accumulation_steps": 3, "num_generations": 1024}, "num_generations 1024 does not divide"),
        (
            {"num_generations": 3, "batch_size": 4, "gradient_accumulation_steps": 1},
            "num_generations 3 does not divide the 4 completions of a step",
        ),
        ({"sft_model": "nowhere"}, r"holds no adapter: .*03_sft_train.ipynb"),
        ({"base_model": "OTHER"}, "was trained on .* with other weights"),
        ({"use_vllm": "colocate"}, "vllm is not installed"),
        ({"max_prompt_tokens": 5}, "no prompt fits max_prompt_tokens 5"),
        ({"dataset": "no/such/data"}, "no dataset"),
    ],
)
def test_grpo_refuses_in_one_sentence_before_a_model_is_loaded(here, sft_run, tmp_path, monkeypatch, change, sentence):
    monkeypatch.setattr(models, "load_base", lambda *_: pytest.fail("a model was loaded"))
    change = {k: str(here / "other") if v == "OTHER" else v for k, v in change.items()}
    with pytest.raises(LlmergeError, match=sentence) as caught:
        training.grpo(grpo_settings(here, tmp_path / "out") | change)
    assert "\n" not in str(caught.value)


def test_an_empty_data_set_says_why(tmp_path):
    from datasets import Dataset, DatasetDict

    empty = Dataset.from_dict({"prompt": [], "completion": []})
    DatasetDict(train=empty, validation=empty).save_to_disk(str(tmp_path / "correct_only"))
    with pytest.raises(LlmergeError, match="is empty .no answer of the teacher was right."):
        training.load_rows(str(tmp_path / "correct_only"), made_by="02_inspect_and_prepare")
    with pytest.raises(LlmergeError, match="it holds correct_only: give one of them"):
        training.load_rows(str(tmp_path), made_by="02_inspect_and_prepare")


def test_what_was_not_finished_is_not_gone_on_from(here, tmp_path):
    import shutil

    from llmerge_helpers.run.files import write_json

    folder = shutil.copytree(here / "sft_data", tmp_path / "sft_dataset/full")
    write_json(tmp_path / "sft_dataset/run.json", {"status": "started"})
    with pytest.raises(LlmergeError, match="was not finished: run `papermill notebooks/02_inspect_and_prepare.ipynb"):
        training.load_rows(str(folder), made_by="02_inspect_and_prepare")
    write_json(tmp_path / "sft_dataset/run.json", {"status": "finished"})
    assert len(training.load_rows(str(folder), made_by="02_inspect_and_prepare")["train"]) == 8


def test_a_gpu_too_small_is_found_before_loading(here, tmp_path, monkeypatch):
    monkeypatch.setattr("llmerge_helpers.models.found_device", lambda: devices.Device("cuda", "a toy", 0.3, (8, 0)))
    monkeypatch.setattr(models, "load_base", lambda *_: pytest.fail("a model was loaded"))
    with pytest.raises(LlmergeError, match=r"needs about .* GiB to train .* a toy has 0.3 GiB"):
        training.sft(sft_settings(here, tmp_path / "out"))


def test_settings_are_the_parameters_of_the_notebooks():
    """An API drift test: what the notebooks pass on must exist here, and what goes to TRL must exist there."""
    wanted = {
        SftSettings: "dataset limit base_model epochs max_steps batch_size gradient_accumulation_steps learning_rate "
        "lora_rank max_length load_in_4bit report_to rounds n_heldout draws base_tokens resume output_dir seed",
        GrpoSettings: "sft_model dataset limit max_steps probe num_generations conflicts max_prompt_tokens "
        "max_completion_length learning_rate beta load_in_4bit report_to n_heldout draws base_tokens resume output_dir "
        "seed",
    }
    for kind, names in wanted.items():
        assert set(names.split()) <= set(kind.__dataclass_fields__)
    assert settings_from(SftSettings, {"epochs": 2}).epochs == 2


@pytest.mark.parametrize(
    ("kind", "style", "given", "measured"),
    [
        ("cpu", "full", {}, (30, 1, -1)),
        ("cpu", "compact", {}, (30, 1, -1)),
        ("cuda", "full", {}, (200, 4, 4 * 400)),
        ("cuda", "compact", {}, (200, 4, 4 * 400)),
        ("cpu", "full", {"n_heldout": 500, "draws": 8, "base_tokens": 99}, (500, 8, 99)),
        ("cuda", "full", {"base_tokens": -1}, (200, 4, -1)),
    ],
)
def test_how_much_is_measured_is_said_or_goes_by_device(here, sft_run, tmp_path, kind, style, given, measured):
    """It changes nothing that is learned: a run goes on where only that was changed."""
    ready = training.prepare_grpo(grpo_settings(here, tmp_path / "out") | given)
    plan = replace(ready.plan, device=devices.Device(kind, "a device", 24.0))
    there = replace(ready, plan=plan, form=Form(style), reply_tokens=400)
    assert tuple(there.measured().values()) == measured
    assert not set(given) & set(ready.facts)


# ------------------------------------------------------------------------------------------------------ command line


def test_the_command_line_says_what_is_wrong(tmp_path, capsys):
    assert command_line.main(["sft", str(tmp_path / "none.yaml")]) == 2
    assert "is not there" in capsys.readouterr().err
    (tmp_path / "bad.yaml").write_text("learning_rat: 1.0e-4\n")
    assert command_line.main(["sft", str(tmp_path / "bad.yaml")]) == 2
    assert "did you mean" in capsys.readouterr().err


def launch(stage: str, settings: dict, folder: Path) -> None:
    (folder / f"{stage}.yaml").write_text(yaml.safe_dump(settings))
    # what accelerate calls multi_gpu is torch's own launcher; `--cpu` would want MPI. use_cpu of the plan makes it gloo
    launcher = "accelerate.commands.launch --multi_gpu --num_processes 2 --num_machines 1 --mixed_precision no"
    options = [*launcher.split(), "--dynamo_backend", "no", "--main_process_port", "0"]
    command = [
        sys.executable,
        "-m",
        *options,
        "-m",
        "llmerge_helpers.training",
        stage,
        str(folder / f"{stage}.yaml"),
    ]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("finished:") == 1


@pytest.mark.slow
@pytest.mark.timeout(2000)
def test_two_processes_train_as_one(here, sft_run, tmp_path):
    """`accelerate launch` over gloo: the same number of steps over twice the batch, one adapter at the end."""
    launch("sft", sft_settings(here, tmp_path / "sft", batch_size=1), tmp_path)
    settings = json.loads((tmp_path / "sft/settings.json").read_text())
    assert settings["processes"] == 2
    lineage = models.read_lineage(tmp_path / "sft")
    assert lineage["steps"] == 4
    # two devices with one row each see the rows that one device with two saw
    history = json.loads((tmp_path / "sft/history.json").read_text())
    losses = [e["loss"] for e in history if "loss" in e]
    assert len(losses) == 4 and losses[-1] < losses[0]
    grpo = grpo_settings(here, tmp_path / "grpo", num_generations=4, batch_size=2, max_steps=2)
    launch("grpo", grpo | {"sft_model": str(tmp_path / "sft")}, tmp_path)
    assert [p["stage"] for p in models.read_lineage(tmp_path / "grpo")["parents"]] == ["base", "sft"]


SHARDED = """
import sys
import torch
import torch.distributed as distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from llmerge_helpers.models import adapter as models

def step(policy):
    optimizer = torch.optim.SGD([p for p in policy.model.parameters() if p.requires_grad], lr=1.0)
    ids = torch.arange(40)[None]
    policy.model(input_ids=ids, labels=ids).loss.backward()
    optimizer.step()

base, folder = sys.argv[1:]
alone = models.new_policy(base, lora_rank=4, seed=3)
step(alone)
policy = models.new_policy(base, lora_rank=4, seed=3)
before = models.adapter_weights(policy.model)
distributed.init_process_group("gloo")
mesh = init_device_mesh("cpu", (2,))
for layer in policy.model.base_model.model.model.layers:
    fully_shard(layer, mesh=mesh)
fully_shard(policy.model, mesh=mesh)
step(policy)
assert models.assert_learned(before, policy.model)["max_delta"] > 0
main_process = distributed.get_rank() == 0
models.save_adapter(policy, folder, "sft", main_process=main_process)
distributed.barrier()
again = models.adapter_weights(models.load_policy(folder).model)
wanted = models.adapter_weights(alone.model)
assert set(again) == set(wanted)
assert all(torch.allclose(again[name], tensor, atol=1e-6) for name, tensor in wanted.items())
distributed.destroy_process_group()
"""


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_an_adapter_in_shards_is_saved_whole(here, tmp_path):
    """FSDP 2 over two CPU processes: after one step, what lies on disk is what one process alone would have learned."""
    (tmp_path / "sharded.py").write_text(SHARDED)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [str(tmp_path / "sharded.py"), str(here / "base"), str(tmp_path / "adapter")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    lineage = models.read_lineage(tmp_path / "adapter")
    assert lineage["adapter_hash"] == models.adapter_hash(models.load_policy(tmp_path / "adapter").model)


def test_the_first_fsdp_is_refused(here, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    with pytest.raises(LlmergeError, match="--fsdp_version 2"):
        training.sft(sft_settings(here, tmp_path / "out"))


def test_conflict_rows_of_the_tests_are_real_conflicts():
    assert "<<<<<<<" in conflict_row()["question"]


def test_a_run_without_validation_rows_has_no_samples_and_no_error(tmp_path):
    trained = training.Trained(tmp_path, {}, None, {}, [], 0.0, 0.0, {}, {})
    assert trained.samples().empty and list(trained.samples()) == ["step", "finish_reason", "reply"]
    (tmp_path / "samples.jsonl").write_text('{"step": 3, "question": "?", "reply": "abc", "finish_reason": "stop"}\n')
    assert trained.samples(longest=2).to_dict("records") == [{"step": 3, "finish_reason": "stop", "reply": "ab"}]


# ---- how a model is asked


def compact(folder: Path, rows: list[dict], name: str) -> Path:
    """A data set with these rows, asked in the compact style."""
    from datasets import Dataset, DatasetDict

    form = Form("compact")
    asked = [row | {"prompt": messages(conflict_row(i), form)} for i, row in enumerate(rows)]
    DatasetDict(train=Dataset.from_list(asked)).save_to_disk(str(folder / name))
    return folder / name


def test_an_adapter_says_how_it_was_asked_and_goes_on_in_no_other_form(here, sft_run, tmp_path):
    rows = [conflict_row(i) | {"pass_rate": 0.5} for i in range(4)]
    replies = [render_compact(Conflict.of(row), row["resolution"]) for row in rows]
    learned = [{"completion": [{"role": "assistant", "content": reply}]} for reply in replies]
    data = compact(tmp_path, learned, "sft")
    trained = training.sft(sft_settings(here, tmp_path / "model", dataset=str(data), max_steps=1))
    assert models.form_learned(trained.lineage) == Form("compact")
    asked = compact(tmp_path, rows, "grpo")
    ready = training.prepare_grpo(
        grpo_settings(here, tmp_path / "out", dataset=str(asked), sft_model=str(tmp_path / "model"))
    )
    assert ready.form == Form("compact")
    for model, rows_of in ((here / "sft_model", asked), (tmp_path / "model", here / "grpo_data")):
        settings = grpo_settings(here, tmp_path / "out", dataset=str(rows_of), sft_model=str(model))
        with pytest.raises(LlmergeError, match=r"has learned to answer in style .* asks in style .*: run 03_sft_train"):
            training.prepare_grpo(settings)
