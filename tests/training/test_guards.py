"""Runs that would end badly: out of memory, without numbers, without a package, with two copies of the weights."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from types import SimpleNamespace

import pytest
import test_train as runs
import yaml
from test_adapter import A100, QWEN_1B5, QWEN_7B, QWEN_14B, T4
from test_train import few_threads, here, sft_run  # noqa: F401 (fixtures)

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import Device
from llmerge_helpers.models import adapter as models
from llmerge_helpers.models.device import plan
from llmerge_helpers.training import guards, settings
from llmerge_helpers.training import train as training
from llmerge_helpers.training.resume import prepare_output

pytestmark = pytest.mark.filterwarnings("ignore")
L4 = Device("cuda", "NVIDIA L4", 22.0, (8, 9))
H100 = Device("cuda", "NVIDIA H100", 79.2, (9, 0))


# ---- memory


def out_of_memory_above(monkeypatch, largest):
    """Every batch of more rows than that runs out of memory."""
    import torch
    from trl import SFTTrainer

    compute, seen = SFTTrainer.compute_loss, []

    def limited(self, model, inputs, *args, **kwargs):
        rows = len(inputs["input_ids"])
        if model.training:
            seen.append(rows)
            if rows > largest:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return compute(self, model, inputs, *args, **kwargs)

    monkeypatch.setattr(SFTTrainer, "compute_loss", limited)
    return seen


def test_memory_that_runs_out_halves_the_batch_once(here, sft_run, tmp_path, monkeypatch, capsys):  # noqa: F811
    seen = out_of_memory_above(monkeypatch, 1)
    run = training.sft(runs.sft_settings(here, tmp_path / "out"))
    assert "ran out: once more with batch 1 and 2 accumulation steps" in capsys.readouterr().out
    assert seen == [2] + [1] * 8 and run.steps == 4
    assert (run.settings["batch_size"], run.settings["gradient_accumulation_steps"]) == (1, 2)
    losses = [each.curves()["loss"].dropna().tolist() for each in (sft_run, run)]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_memory_that_runs_out_again_is_one_sentence(here, tmp_path, monkeypatch):  # noqa: F811
    out_of_memory_above(monkeypatch, 0)
    with pytest.raises(LlmergeError, match="ran out at batch 1 too: choose load_in_4bit") as caught:
        training.sft(runs.sft_settings(here, tmp_path / "out"))
    assert "\n" not in str(caught.value)


def test_no_second_copy_of_the_weights_stays(here, tmp_path):  # noqa: F811
    """While who trained still holds on to the trainer."""
    import torch

    def alive():
        gc.collect()
        return sum(isinstance(each, torch.nn.Parameter) for each in gc.get_objects())

    ready = training.prepare_sft(runs.sft_settings(here, tmp_path / "out", max_steps=1))
    before = alive()
    trainer = training.sft_trainer(ready, training.sft_config(ready))
    assert alive() > before
    training.fit(ready, trainer)
    assert alive() <= before and trainer is not None


# ---- vLLM


@pytest.mark.parametrize(
    ("device", "size", "fits"),
    [(T4, QWEN_1B5, True), (L4, QWEN_7B, False), (H100, QWEN_7B, True), (A100, QWEN_14B, True)],
)
def test_vllm_gets_what_the_plan_leaves_or_is_not_asked(monkeypatch, capsys, device, size, fits):
    monkeypatch.setattr(training, "find_spec", lambda _: True)
    found = plan(device, size, max_length=2048)
    given = training.vllm_arguments("auto", found, 2048, 8)
    assert bool(given) == fits
    if fits:
        assert given["vllm_max_model_length"] == 2048 and given["vllm_enable_sleep_mode"]
        pool = given["vllm_gpu_memory_utilization"] * device.memory_gib
        assert pool > 2 * size.parameters / 2**30 + 1  # its own weights, and keys and values
        assert pool + found.memory.static < device.memory_gib
    else:
        assert "transformers writes the completions" in capsys.readouterr().out
        with pytest.raises(LlmergeError, match="set use_vllm to none"):
            training.vllm_arguments("colocate", found, 2048, 8)


def test_merging_and_unmerging_leaves_the_base_as_it_was(here):  # noqa: F811
    """As TRL does it at every step, in 16 bit."""
    import torch

    policy = models.new_policy(str(here / "base"), models.HALF, lora_rank=4)
    for name, weight in policy.model.named_parameters():
        if "lora_B" in name:
            weight.data.normal_(std=0.05)
    base = [weight for weight in policy.model.parameters() if not weight.requires_grad]
    before = [weight.detach().clone() for weight in base]

    def sync():
        policy.model.merge_adapter()
        policy.model.unmerge_adapter()

    sync()
    assert any(not torch.equal(a, b) for a, b in zip(base, before, strict=True))
    for weight, kept in zip(base, before, strict=True):
        weight.data.copy_(kept)
    trainer = SimpleNamespace(vllm_generation=SimpleNamespace(sync_weights=sync))
    training.put_back_after_sync(trainer, policy)
    for _ in range(3):
        trainer.vllm_generation.sync_weights()
    assert all(torch.equal(a, b) for a, b in zip(base, before, strict=True))


# ---- time, and numbers that are none


def test_the_end_is_told_after_the_first_step():
    said, times = [], iter([100.0, 130.0, 130.0])
    watch = guards.first_steps(said.append, lambda: next(times))
    state = SimpleNamespace(global_step=0, max_steps=61, is_world_process_zero=True)
    watch.on_train_begin(None, state, None)
    for state.global_step in (1, 2):
        watch.on_step_end(None, state, None)
    assert len(said) == 1 and "The first step took 30.0 s: about 30 min more, until " in said[0]


@pytest.mark.parametrize(("fp16", "advice"), [(True, "another base_model"), (False, "lower the learning_rate")])
def test_steps_without_numbers_end_the_run(fp16, advice):
    watch = guards.first_steps()
    args, state = SimpleNamespace(fp16=fp16), SimpleNamespace(global_step=7)
    for broken in (float("inf"), float("nan"), 1.0) * 3:  # the scaler looks for its scale
        watch.on_log(args, state, None, logs={"loss": 1.0, "grad_norm": broken})
    with pytest.raises(LlmergeError, match=f"no number in 5 steps in a row, at step 7: .*{advice}"):
        for _ in range(5):
            watch.on_log(args, state, None, logs={"loss": 1.0, "grad_norm": float("nan")})


# ---- arguments


def test_any_argument_of_trl_is_one_line_away(here, tmp_path):  # noqa: F811
    given = runs.sft_settings(here, tmp_path / "out") | {"trl": {"weight_decay": 0.25, "learning_rate": 0.5}}
    ready = training.prepare_sft(given)
    config = training.sft_config(ready)
    assert (config.weight_decay, config.learning_rate) == (0.25, 0.5)
    assert training.sft_config(ready, weight_decay=0.1).weight_decay == 0.1  # a cell's comes before
    assert ready.facts["trl_arguments"] == given["trl"]  # a checkpoint belongs to them
    kept = (tmp_path / "out/params.yaml").read_text()
    assert "trl_arguments:\n  weight_decay: 0.25" in kept


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (
            {"trl": {"weight_decey": 1}},
            "'weight_decey', which is no argument of SFTConfig: did you mean 'weight_decay'",
        ),
        ({"trl_arguments": {"xyzzy": 1}}, "'xyzzy', which is no argument of SFTConfig of TRL"),
        ({"trl": "weight_decay=1"}, "must be dict"),
        ({"max_length": 5000}, "max_length is 5000, and .* reads 4096 tokens"),
    ],
)
def test_what_trl_or_the_model_cannot_take_is_refused(here, tmp_path, given, sentence):  # noqa: F811
    with pytest.raises(LlmergeError, match=sentence):
        training.prepare_sft(runs.sft_settings(here, tmp_path / "out") | given)


def test_4_bit_without_its_package_is_one_sentence(monkeypatch):
    monkeypatch.setattr(guards, "find_spec", lambda name: None)
    with pytest.raises(LlmergeError, match=r"pip install 'llmerge\[quant\]'"):
        guards.check_quantization(True)
    guards.check_quantization(False)


@pytest.mark.parametrize("tracker", ["tensorboard", "trackio"])
def test_curves_may_stay_on_this_machine(monkeypatch, tmp_path, tracker):
    monkeypatch.setattr(settings, "find_spec", lambda name: object())
    for name in ("TENSORBOARD_LOGGING_DIR", "TRACKIO_DIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    output = tmp_path / "model"
    first = runs.tracking(tracker, output, "model")
    assert (first["report_to"], first["project"]) == (tracker, "llmerge")
    assert runs.tracking(tracker, output, "model") == first  # what goes on draws on
    place = {"tensorboard": output / "tensorboard", "trackio": tmp_path / "trackio"}[tracker]
    assert str(place) in (os.environ.get("TENSORBOARD_LOGGING_DIR"), os.environ.get("TRACKIO_DIR"))
    for folder in (output / "checkpoints", output / "tensorboard"):
        folder.mkdir(parents=True)
    prepare_output(output, {}, resume=False)
    # what starts afresh draws anew
    assert not (output / "tensorboard").exists()
    assert (runs.tracking(tracker, output, "model") == first) == (tracker == "tensorboard")
    monkeypatch.setattr(settings, "find_spec", lambda name: None)
    with pytest.raises(LlmergeError, match=f"pip install {tracker}"):
        runs.tracking(tracker, tmp_path, "run")


CURVES = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
def unreachable(event, given):
    if event in ("socket.connect", "socket.getaddrinfo") and given[-1:] != ("",):
        raise SystemExit(f"the network was asked: {event} {given[:2]}")
sys.addaudithook(unreachable)
from llmerge_helpers.training import __main__ as training
sys.exit(training.main(["sft", str(folder / "sft.yaml")]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("tracker", ["tensorboard", "trackio"])
def test_curves_are_drawn_without_network_and_without_prompts(here, tmp_path, tracker):  # noqa: F811
    """With the packages of the extra `track`: a run, gone on with, is one run, and holds no conflict."""
    pytest.importorskip(tracker)
    (tmp_path / "curves.py").write_text(CURVES)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("TRACKIO", "TENSORBOARD"))}
    environment |= {"HOME": str(tmp_path / "home")}
    (tmp_path / "sft.yaml").write_text(yaml.safe_dump(runs.sft_settings(here, tmp_path / "out", report_to=tracker)))
    for _ in range(2):
        subprocess.run([sys.executable, tmp_path / "curves.py", tmp_path], env=environment, check=True, timeout=250)
        shutil.rmtree(tmp_path / "out/checkpoints/checkpoint-4")  # as if it had been killed behind the second step
        (tmp_path / "out/history.json").unlink()
    files = [p for p in tmp_path.rglob("*") if p.is_file() and p.parent.name in ("tensorboard", "trackio")]
    assert files and not any(b"import b0" in p.read_bytes() or b"<<<<<<<" in p.read_bytes() for p in files)
    assert not (tmp_path / "home").exists()
    if tracker == "trackio":
        [project] = (tmp_path / "trackio").glob("*.db")
        names = sqlite3.connect(project).execute("select distinct run_name from metrics").fetchall()
        assert project.stem == "llmerge" and len(names) == 1 and names[0][0].startswith("out-")


def test_nothing_is_reported_to_anyone_unless_asked():
    code = "import llmerge_helpers, huggingface_hub.constants as c; print(c.HF_HUB_DISABLE_TELEMETRY)"
    for asked, disabled in ((None, "True"), ("0", "False")):
        environment = {k: v for k, v in os.environ.items() if not k.endswith("TELEMETRY")}
        environment |= {"HF_HUB_DISABLE_TELEMETRY": asked} if asked else {}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == disabled


# ---- what is kept


def test_the_best_checkpoint_is_what_is_saved(here, tmp_path):  # noqa: F811
    """A rate at which the loss on held-out rows ends higher than it was."""
    rates = {"learning_rate": 30.0, "lr_scheduler_type": "constant", "max_grad_norm": 1000.0}
    run = training.sft(runs.sft_settings(here, tmp_path / "out", max_steps=2, save_steps=1) | {"trl": rates})
    losses = run.curves()["eval_loss"].dropna().tolist()
    state = json.loads((max((tmp_path / "out/checkpoints").glob("checkpoint-*")) / "trainer_state.json").read_text())
    assert state["best_metric"] == min(losses)
    assert losses.index(min(losses)) != len(losses) - 1  # else this shows nothing
    best = tmp_path / "out/checkpoints" / state["best_model_checkpoint"].rpartition("/")[2]
    from safetensors.torch import load_file

    kept, saved = (load_file(folder / "adapter_model.safetensors") for folder in (best, tmp_path / "out"))
    assert all(bool((kept[name].float() == saved[name].float()).all()) for name in kept)


def test_an_adapter_says_that_its_base_was_in_4_bit(sft_run):  # noqa: F811
    assert sft_run.lineage["load_in_4bit"] is False
