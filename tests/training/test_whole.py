"""All weights of a small model, trained without an adapter: planned, trained, saved, gone on from, and measured."""

from __future__ import annotations

import json
import shutil
import zipfile

import pytest
import test_train as runs
from known_models import config
from test_adapter import A100, CPU, L4, QWEN_1B5, SMALL, T4
from test_train import few_threads, here, letters  # noqa: F401 (fixtures)
from tiny import conflict_row

from llmerge_helpers import evaluate, training
from llmerge_helpers import models as faces
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import adapter as models
from llmerge_helpers.models import base_identity, known_model, load_base
from llmerge_helpers.models.device import Device, plan
from llmerge_helpers.models.memory import GIB, Memory, size_of
from llmerge_helpers.training import preferences, settings
from llmerge_helpers.training import train as training_room

pytestmark = pytest.mark.filterwarnings("ignore")


def whole_settings(here, output, **more):  # noqa: F811
    return runs.sft_settings(here, output, lora_rank=0) | more


@pytest.fixture(scope="module")
def whole_run(here):  # noqa: F811
    return training_room.sft(whole_settings(here, here / "whole"))


def test_all_weights_learn_and_are_saved_whole(here, whole_run):  # noqa: F811
    losses = whole_run.curves()["loss"].dropna().tolist()
    assert losses[-1] < losses[0] and whole_run.learned["changed"] == 1.0
    folder = here / "whole"
    names = {p.name for p in folder.iterdir()}
    files = "config.json model.safetensors tokenizer.json lineage.json history.json trained_on.json README.md"
    assert {*files.split(), "samples.jsonl", "checkpoints"} <= names
    assert not [name for name in names if name.startswith(("adapter", ".saving"))]
    base, saved = (dict(load_base(each).named_parameters()) for each in (here / "base", folder))
    assert set(base) == set(saved) and not any((base[name] == saved[name]).all() for name in base)
    lineage = models.read_lineage(folder)
    assert lineage["whole"] and models.stages(lineage) == "base → sft"
    assert (lineage["base_model"], lineage["base_identity"]) == (str(here / "base"), base_identity(here / "base"))
    assert lineage["adapter_hash"] == models.adapter_hash(load_base(folder))
    card = (folder / "README.md").read_text()
    assert "of all weights" in card and "library_name: transformers" in card and "lora," not in card
    assert str(here.parent) not in (folder / "config.json").read_text()


def test_a_killed_run_of_all_weights_goes_on_and_ends_the_same(here, whole_run, tmp_path, monkeypatch):  # noqa: F811
    given = whole_settings(here, tmp_path / "out")
    runs.run_killed(monkeypatch, "SFTTrainer", 3, lambda: training_room.sft(given))
    assert not models.is_trained(tmp_path / "out")
    again = training_room.sft(given)
    assert again.lineage["adapter_hash"] == whole_run.lineage["adapter_hash"]


def test_memory_that_runs_out_starts_all_weights_anew(here, whole_run, tmp_path, monkeypatch):  # noqa: F811
    from test_guards import out_of_memory_above

    seen = out_of_memory_above(monkeypatch, 1)
    run = training_room.sft(whole_settings(here, tmp_path / "out", samples=0))
    assert seen == [2] + [1] * 8
    losses = [each.curves()["loss"].dropna().tolist() for each in (whole_run, run)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)
    monkeypatch.undo()
    out_of_memory_above(monkeypatch, 0)
    with pytest.raises(LlmergeError, match="ran out at batch 1 too: choose a lora_rank above 0"):
        training_room.sft(whole_settings(here, tmp_path / "other", samples=0))


def test_a_process_killed_while_it_saves_leaves_no_half_model(here, whole_run, tmp_path, monkeypatch):  # noqa: F811
    """Whichever file it was at: there is the model of before, none, or all of the new one, and of one kind only."""
    import os

    adapter = models.new_policy(str(here / "base"), lora_rank=4)
    whole = models.new_policy(str(here / "base"), lora_rank=0)
    for old, new in ((adapter, whole), (whole, adapter), (whole, whole)):
        moved, killed = 0, True
        while killed:
            folder = tmp_path / "model"
            shutil.rmtree(folder, ignore_errors=True)
            models.save_adapter(old, folder, "sft")
            left, killed = moved, False

            def replace(source, target, real=os.replace):
                nonlocal left, killed
                killed = left == 0
                if killed:
                    raise runs.Killed
                left -= 1
                real(source, target)

            with monkeypatch.context() as patch:
                patch.setattr(models.os, "replace", replace)
                try:
                    models.save_adapter(new, folder, "sft", steps=7)
                except runs.Killed:
                    if models.is_trained(folder):  # before the first file was moved: what was there
                        assert moved == 0 and "steps" not in models.read_lineage(folder)
                        assert models.is_whole(folder) == (old is whole)
            moved += 1
        assert moved > 4 and models.is_whole(folder) == (new is whole) != models.is_adapter(folder)
        assert models.read_lineage(folder)["steps"] == 7
        assert ("model.safetensors" in os.listdir(folder)) == (new is whole)


# ---- what takes it as it takes an adapter


def test_a_whole_model_is_asked_as_it_was_trained(here, whole_run, tmp_path):  # noqa: F811
    folder = str(here / "whole")
    found, base = known_model(folder), known_model(str(here / "base"))
    assert found.identity != base.identity and not models.is_adapter(folder)
    asked = [{"role": "user", "content": "<<<<<<< ours"}]
    assert faces.render_prompt(found.tokenizer(), asked) == faces.render_prompt(base.tokenizer(), asked)
    assert faces.habits(folder) == (models.completion_budget(whole_run.lineage), faces.form_learned(whole_run.lineage))
    table = evaluate.evaluate(folder, [conflict_row()], "whole", output_dir=tmp_path, max_new_tokens=8)
    assert len(table) == 1


def test_grpo_puts_a_fresh_adapter_on_it(here, whole_run, tmp_path, letters):  # noqa: F811
    given = runs.grpo_settings(here, tmp_path / "out", sft_model=str(here / "whole"), max_steps=2, beta=0.04)
    ready = training_room.prepare_grpo(given)
    assert (ready.base_model, ready.seen, ready.plan.memory.lora_rank) == (str(here / "base"), 4, models.RANK)
    run = training_room.grpo(given, letters)
    assert run.learned["max_delta"] > 0 and models.stages(run.lineage) == "base → sft → grpo"
    assert run.lineage["base_model"] == str(here / "whole")
    assert run.lineage["parents"][1]["adapter_hash"] == whole_run.lineage["adapter_hash"]
    loaded = models.load_policy(tmp_path / "out", trainable=False)
    assert models.adapter_hash(loaded.model) == run.lineage["adapter_hash"]
    with pytest.raises(LlmergeError, match="which others do not have: merge_adapter makes one model of both"):
        training.pack(tmp_path / "out", tmp_path / "out.zip")
    merged = models.merge_adapter(tmp_path / "out", tmp_path / "merged")
    assert training.pack(merged, tmp_path / "out.zip").exists()
    with pytest.raises(LlmergeError, match="is a whole model already"):
        models.merge_adapter(here / "whole", tmp_path / "merged")


def test_dpo_goes_on_from_it(here, whole_run, tmp_path):  # noqa: F811
    right = [{"role": "assistant", "content": "<think>\nx\n</think>\n\ny"}]
    wrong = [{"role": "assistant", "content": "<think>\nx\n</think>\n\nz"}]
    row = training.load_rows(str(here / "sft_data"), made_by="02")["train"][0]
    pair = {"id": row["id"], "prompt": row["prompt"], "chosen": right, "rejected": wrong, "split": "train"}
    shutil.copytree(here / "sft_data", tmp_path / "sft/correct_only")
    (tmp_path / "sft/preferences.jsonl").write_text(json.dumps(pair) + "\n")
    given = {"sft_model": str(here / "whole"), "dataset": str(tmp_path / "sft/correct_only"), "max_steps": 1}
    given |= {"output_dir": str(tmp_path / "dpo"), "learning_rate": 1e-2, "report_to": "none"}
    run = preferences.dpo(given)
    assert run.learned["max_delta"] > 0 and models.stages(run.lineage) == "base → sft → dpo"


def test_what_is_packed_is_a_model_elsewhere(here, whole_run, tmp_path):  # noqa: F811
    archive = training.pack(here / "whole", tmp_path / "whole.zip")
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(tmp_path / "there")
    assert not {"samples.jsonl", "trained_on.json", "settings.json"} & {p.name for p in (tmp_path / "there").iterdir()}
    assert models.is_whole(tmp_path / "there")
    assert known_model(str(tmp_path / "there")).identity == known_model(str(here / "whole")).identity


# ---- what is refused, and what is chosen


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"base_model": "Qwen/Qwen3-1.7B"}, "at most 0.5 billion, and Qwen/Qwen3-1.7B has 1.7: choose a smaller"),
        ({"load_in_4bit": True}, "those of 4 bit cannot learn: set load_in_4bit False"),
        ({"lora_rank": -1}, "lora_rank is -1: it must be 0 or more"),
    ],
)
def test_what_cannot_be_trained_whole_is_one_sentence(here, tmp_path, monkeypatch, change, sentence):  # noqa: F811
    monkeypatch.setattr("llmerge_helpers.models.locate", lambda name: pytest.fail("a model was looked for"))
    with pytest.raises(LlmergeError, match=sentence) as caught:
        training_room.prepare_sft(whole_settings(here, tmp_path / "out") | change)
    assert "\n" not in str(caught.value)


def test_a_model_is_too_large_by_its_weights_whatever_its_name(here, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(settings, "WHOLE", 1000)
    with pytest.raises(LlmergeError, match="choose a smaller base_model"):
        training_room.prepare_sft(whole_settings(here, tmp_path / "out"))
    monkeypatch.undo()
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("FSDP_VERSION", "2")
    with pytest.raises(LlmergeError, match="start it without FSDP"):
        training_room.prepare_sft(whole_settings(here, tmp_path / "out"))


def test_grpo_takes_no_other_base_and_sends_no_adapter_without_one(here, whole_run, tmp_path, monkeypatch):  # noqa: F811
    given = runs.grpo_settings(here, tmp_path / "out", sft_model=str(here / "whole"))
    with pytest.raises(LlmergeError, match="is a whole model, which needs no base"):
        training_room.prepare_grpo(given | {"base_model": str(here / "other")})
    monkeypatch.setenv("HF_TOKEN", "hf_not_a_token")
    with pytest.raises(LlmergeError, match="others do not have: leave it empty"):
        training_room.prepare_grpo(given | {"push_to_hub": "me/mine"})


def test_its_learning_rate_is_that_of_trl(here, tmp_path):  # noqa: F811
    from trl import SFTConfig

    default = next(field.default for field in SFTConfig.__dataclass_fields__.values() if field.name == "learning_rate")
    ready = training_room.prepare_sft(whole_settings(here, tmp_path / "out", learning_rate=0.0))
    assert ready.learning_rate == default and "all weights learn, float32" in ready.table()["precision"]
    assert training_room.prepare_sft(whole_settings(here, tmp_path / "out")).learning_rate == 1e-2


# ---- memory


@pytest.mark.parametrize("device", [CPU, T4, L4, A100], ids=lambda device: device.name)
def test_all_weights_are_planned_with_gradients_and_moments_and_no_frozen_copy(device):
    found = plan(device, SMALL, lora_rank=0, max_length=1024)
    assert found.dtype == "float32" and (found.bf16, found.fp16) == (device in (L4, A100), device is T4)
    assert found.memory.cpu == (device is CPU)
    static = found.memory.static - found.memory.runtime / GIB
    assert static == pytest.approx(16 * SMALL.parameters / GIB)
    assert found.expected_gib > static + 4 * SMALL.vocabulary * SMALL.hidden / GIB  # the head's gradient
    with pytest.raises(LlmergeError, match=r"choose a lora_rank above 0"):
        plan(Device("cuda", "a toy", 1.5, (8, 0)), QWEN_1B5, lora_rank=0)


@pytest.mark.parametrize("autocast", ["float32", "bfloat16"])
def test_a_step_of_all_weights_is_planned_as_it_was_counted(autocast):
    """On a real model of the small one's shape: what is kept for backward, and what one optimizer step leaves."""
    import torch
    from transformers import LlamaForCausalLM

    shape = config("SmolLM2-135M", num_hidden_layers=5, vocab_size=1000)
    model, (batch, length), seen = LlamaForCausalLM(shape), (2, 384), {}
    weights = {weight.untyped_storage()._cdata for weight in model.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage._cdata not in weights:
            seen[storage._cdata] = storage
        return tensor

    mask = torch.ones((batch, 1, length, length), dtype=torch.bool)
    ids = torch.zeros((batch, length), dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda each: each):
        with torch.autocast("cpu", getattr(torch, autocast), enabled=autocast != "float32"):
            out = model.model(input_ids=ids, attention_mask=mask, use_cache=False).last_hidden_state
            kept = sum(storage.nbytes() for storage in seen.values())
    model.lm_head(out.float()).sum().backward()
    optimizer = torch.optim.AdamW(model.parameters())
    optimizer.step()
    moments = [each for state in optimizer.state.values() for each in state.values() if each.ndim]
    held = [*model.parameters(), *(weight.grad for weight in model.parameters()), *moments]
    memory = Memory(size_of(shape), "float32", autocast, False, 0, cpu=True)
    assert sum(each.nbytes for each in held) == memory.weights + memory.learning
    planned = memory._pass("train").bytes(5, batch, length, padded=True)
    assert kept <= planned <= 1.35 * kept
