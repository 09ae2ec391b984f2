"""What fits where, which model exactly, and adapters that really train."""

from __future__ import annotations

import json
import os

import pytest
from known_models import config
from tiny import tiny_model

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import (
    Device,
    adapter,
    base_identity,
    choose_base_model,
    found_device,
    load_base,
    load_tokenizer,
    locate,
    model_size,
)
from llmerge_helpers.models.base import convert_gguf, packaged_gguf
from llmerge_helpers.models.device import GIB, gpu_memory_gib, plan
from llmerge_helpers.models.memory import size_of

CPU = Device("cpu", "CPU, 2 cores", 16.0)
T4 = Device("cuda", "Tesla T4", 14.7, (7, 5))
L4 = Device("cuda", "NVIDIA L4", 22.5, (8, 9))
A100 = Device("cuda", "NVIDIA A100", 79.3, (8, 0))
SMALL = size_of(config("SmolLM2-135M"))
QWEN_1B5 = size_of(config("R1-Distill-Qwen-1.5B"))
QWEN_7B = size_of(config("R1-Distill-Qwen-7B"))
QWEN_14B = size_of(config("R1-Distill-Qwen-14B"))


# ------------------------------------------------------------------------------------------------------- the device


def test_a_cpu_trains_in_float32_and_says_so_to_trl():
    """Trap 6: left to its defaults, TRL refuses on a CPU, or picks bfloat16 there."""
    found = plan(CPU, SMALL)
    assert found.dtype == "float32"
    arguments = found.training_arguments()
    assert (arguments["use_cpu"], arguments["bf16"], arguments["fp16"]) == (True, False, False)


def test_a_cpu_with_bfloat16_in_hardware_computes_in_it(monkeypatch):
    import torch

    for has, wanted in (({"avx512_bf16": True}, True), ({"amx_bf16": True}, True), ({"avx2": True}, False)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda has=has: has, raising=False)
        found = plan(found_device(), SMALL)
        assert (found.dtype, found.bf16, found.use_cpu) == ("float32", wanted, True)
    monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert not found_device().bfloat16


def test_a_gpu_is_known_by_its_driver_where_there_is_no_torch(tmp_path, monkeypatch):
    driver = tmp_path / "nvidia-smi"
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    for said, gib in (("15360", 15.0), ("[N/A]\n24576", 24.0), ("NVIDIA-SMI has failed: error 9", 0.0), ("", 0.0)):
        driver.write_text(f"#!/bin/sh\ncat <<END\n{said}\nEND\n")
        driver.chmod(0o755)
        assert gpu_memory_gib() == gib, said
    driver.write_text('#!/bin/sh\n[ "$*" = "--query-gpu=memory.total --format=csv,noheader,nounits" ] && echo 15360\n')
    assert gpu_memory_gib() == 15.0
    for hidden in ("", "-1"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert gpu_memory_gib() == 0.0
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert gpu_memory_gib() == 15.0
    driver.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpu_memory_gib() == 0.0


@pytest.mark.parametrize(("device", "dtype"), [(T4, "float16"), (Device("cuda", "V100", 15.7, (7, 0)), "float16"),
                                               (L4, "bfloat16"), (A100, "bfloat16")])  # fmt: skip
def test_precision_goes_by_compute_capability(device, dtype):
    """Trap 7: a T4 says that it supports bfloat16 and emulates it."""
    found = plan(device, QWEN_1B5)
    assert found.dtype == dtype
    assert (found.bf16, found.fp16) == (dtype == "bfloat16", dtype == "float16")
    assert not found.use_cpu


def test_trl_takes_the_plan_as_it_is(tmp_path):
    from trl import GRPOConfig, SFTConfig

    for kind in (SFTConfig, GRPOConfig):
        arguments = kind(output_dir=str(tmp_path), report_to="none", **plan(CPU, SMALL).training_arguments())
        assert not arguments.bf16 and not arguments.fp16 and arguments.use_cpu


def test_memory_and_batch_follow_the_device():
    assert plan(A100, QWEN_1B5).batch_size >= plan(T4, QWEN_1B5).batch_size >= 1
    assert plan(L4, QWEN_7B).gradient_checkpointing
    for device, size in ((CPU, SMALL), (T4, QWEN_1B5), (L4, QWEN_7B), (A100, QWEN_14B)):
        found = plan(device, size)
        assert size.parameters * (4 if found.dtype == "float32" else 2) / GIB < found.expected_gib
        assert found.expected_gib < device.memory_gib
        assert f"{found.expected_gib:.1f} GiB expected" in found.table()["memory"]


@pytest.mark.parametrize(
    ("batch", "length", "rank", "found"),
    [
        (2, 640, 16, 5.1),  # 03 on the sample
        (2, 898, 16, 4.9),  # 04 on the sample, whose longest prompt was not among its few steps
        (2, 1024, 16, 5.4),  # benchmarks/training.py, ours
        (1, 1024, 16, 3.3),  # the same, packing
        (8, 320, 32, 9.3),  # a run of hours under bfloat16 autocast
    ],
)
def test_memory_on_a_cpu_is_what_was_measured(batch, length, rank, found):
    expected = plan(CPU, SMALL, batch_size=batch, max_length=length, lora_rank=rank).expected_gib
    assert expected == pytest.approx(found, rel=0.3)


def test_what_does_not_fit_is_one_sentence():
    with pytest.raises(LlmergeError, match=r"needs about .* GiB .* Tesla T4 has 14.7 GiB: choose load_in_4bit"):
        plan(T4, QWEN_7B, name="a 7B model")
    assert plan(T4, QWEN_7B, load_in_4bit=True).load_in_4bit
    with pytest.raises(LlmergeError, match="load_in_4bit needs a CUDA GPU"):
        plan(CPU, SMALL, load_in_4bit=True)


def test_auto_fits_every_device_it_is_for():
    names = {"14B": "Qwen3-14B", "4B-Thinking-2507": "Qwen3-4B", "1.7B": "Qwen3-1.7B", "135M-Instruct": "SmolLM2-135M"}
    for device, name in ((CPU, "135M-Instruct"), (T4, "1.7B"), (L4, "4B-Thinking-2507"), (A100, "14B")):
        chosen = choose_base_model("auto", device.gpu_gib)
        assert chosen.endswith(name)
        plan(device, size_of(config(names[name])))
    for name in ("1.5B", "7B", "14B"):  # the distilled ones are a name away
        distilled = f"deepseek-ai/DeepSeek-R1-Distill-Qwen-{name}"
        assert choose_base_model(distilled, T4.gpu_gib) == distilled


# -------------------------------------------------------------------------------------------------------- the base


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "base")


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "other", seed=1)


def test_identity_tells_weights_apart_and_nothing_else(base, other, tmp_path):
    import shutil

    copy = shutil.copytree(base, tmp_path / "copy")
    assert base_identity(base) == base_identity(copy) != base_identity(other)


def test_size_comes_from_the_config_alone(base):
    size = model_size(base)
    loaded = load_base(base)
    assert size.parameters == sum(p.numel() for p in loaded.parameters())
    assert (size.layers, size.hidden) == (2, 32)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("no/such/folder", "no folder"), ("./nowhere", "no folder"), ("", "no config.json")],
)
def test_a_base_that_is_not_there(name, sentence):
    with pytest.raises(LlmergeError, match=sentence):
        locate(name)


def test_the_hub_out_of_reach_is_one_sentence(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(LlmergeError, match="neither in the cache nor to be had from the hub"):
        locate("nobody/no-such-model")


def test_an_adapter_is_no_base(base, tmp_path):
    adapter.save_adapter(adapter.new_policy(str(base)), tmp_path / "adapter", "sft")
    with pytest.raises(LlmergeError, match="is a LoRA adapter, not a model"):
        locate(str(tmp_path / "adapter"))


def test_a_turn_ends_where_the_template_ends_it(tmp_path):
    """A model whose own end token is another one would never stop."""
    folder = tiny_model(tmp_path / "base")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(config | {"eos_token": "<|endoftext|>"}))
    tokenizer = load_tokenizer(folder)
    assert tokenizer.eos_token == "<|im_end|>" and tokenizer.padding_side == "left"


def test_no_code_of_a_model_folder_runs(base, tmp_path):
    import shutil

    folder = shutil.copytree(base, tmp_path / "hostile")
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModelForCausalLM": "evil.Evil", "AutoConfig": "evil.EvilConfig"}
    config["model_type"] = "evil"
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('code of the model ran')\n")
    with pytest.raises(ValueError):  # transformers asks for trust_remote_code, and nobody says yes
        load_base(folder)


@pytest.mark.slow
def test_the_offline_model_becomes_safetensors_once(tmp_path):
    """Trap 9: without dequantize a GGUF gives a model that cannot be saved."""
    import torch

    folder = convert_gguf(packaged_gguf(), tmp_path / "smol")
    assert [p.name for p in tmp_path.iterdir()] == ["smol"]
    model, tokenizer = load_base(folder), load_tokenizer(folder)
    assert all(p.dtype == torch.float32 and p.requires_grad for p in model.parameters())
    assert tokenizer.eos_token == "<|im_end|>"
    text = "\n".join(["  def f(x):", "\treturn 12 + 'é'"])
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text
    from llmerge_helpers.models import chat, complete

    digits = "total: 12,  v2.40\n\t 7 items"
    assert tokenizer(digits)["input_ids"] == chat._from_package("smol").backend.encode(digits).ids
    asked = "<|im_start|>user\nWhat is the capital of France? One word.<|im_end|>\n<|im_start|>assistant\n"
    assert "Paris" in complete(model, tokenizer, [asked], max_new_tokens=12)[0].text


def test_a_gguf_is_dequantized(monkeypatch, tmp_path):
    """The same trap without the 30 seconds: what transformers is asked for, and that a failure leaves nothing."""
    import transformers

    asked = {}

    def load(*_, **options):
        asked.update(options)
        raise OSError("stop here")

    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", lambda *_, **__: None)
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", load)
    with pytest.raises(OSError):
        convert_gguf(tmp_path / "some.gguf", tmp_path / "smol")
    assert asked["quantization_config"].dequantize is True
    assert list(tmp_path.iterdir()) == []


# ----------------------------------------------------------------------------------------------------------- adapters


def test_a_loaded_adapter_trains(base, tmp_path):
    """Trap 2: PEFT loads it frozen, and a run on a frozen adapter looks alive."""
    import torch

    policy = adapter.new_policy(str(base), lora_rank=4)
    adapter.save_adapter(policy, tmp_path / "sft", "sft")
    assert json.loads((tmp_path / "sft/adapter_config.json").read_text())["inference_mode"] is True
    again = adapter.load_policy(tmp_path / "sft")
    trainable = [p for p in again.model.parameters() if p.requires_grad]
    assert sum(p.numel() for p in trainable) == adapter.trainable_parameters(policy.model) > 0
    assert all(p.dtype == torch.float32 for p in trainable)
    assert adapter.adapter_hash(again.model) == adapter.adapter_hash(policy.model)


def test_a_frozen_adapter_is_refused(base):
    model = adapter.new_policy(str(base)).model
    model.requires_grad_(False)
    with pytest.raises(LlmergeError, match="adapter is frozen"):
        adapter._trainable(model)


def test_lineage_names_every_stage_and_the_real_base(base, tmp_path):
    adapter.save_adapter(adapter.new_policy(str(base)), tmp_path / "sft", "sft")
    lineage = adapter.save_adapter(adapter.load_policy(tmp_path / "sft"), tmp_path / "grpo", "grpo")
    assert [p["stage"] for p in lineage["parents"]] + [lineage["stage"]] == ["base", "sft", "grpo"]
    assert lineage["base_identity"] == base_identity(base)
    config = json.loads((tmp_path / "grpo/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(base)


def test_an_adapter_on_other_weights_is_refused(base, other, tmp_path):
    adapter.save_adapter(adapter.new_policy(str(base)), tmp_path / "sft", "sft")
    with pytest.raises(LlmergeError, match="was trained on .* with other weights"):
        adapter.load_policy(tmp_path / "sft", base_model=str(other))


def test_a_strangers_adapter_of_another_shape_is_one_sentence(base, tmp_path):
    adapter.save_adapter(adapter.new_policy(str(base)), tmp_path / "sft", "sft")
    (tmp_path / "sft" / adapter.LINEAGE).unlink()
    wide = tiny_model(tmp_path / "wide", hidden=64)
    with pytest.raises(LlmergeError, match="does not fit"):
        adapter.load_policy(tmp_path / "sft", base_model=str(wide))


def test_no_adapter_names_the_notebook_that_makes_one(tmp_path):
    with pytest.raises(LlmergeError, match="03_sft_train.ipynb"):
        adapter.load_policy(tmp_path)


def test_a_merged_model_keeps_the_sft_stage(base, tmp_path):
    """Trap 3: a merged model in memory still names the unmerged base, and the stage is lost at inference."""
    import torch

    policy = adapter.new_policy(str(base), lora_rank=4)
    for name, parameter in policy.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.05)
    adapter.save_adapter(policy, tmp_path / "sft", "sft")
    ids = torch.arange(40)[None]
    with torch.no_grad():
        wanted = policy.model.eval()(ids).logits
        plain = load_base(base)(ids).logits
        merged = adapter.merge_adapter(tmp_path / "sft", tmp_path / "merged")
        got = load_base(merged)(ids).logits
    assert (got - wanted).abs().max() < 0.1 * (plain - wanted).abs().max()
    # a second adapter on the merged model names the merged model, and its identity is the merged one's
    second = adapter.new_policy(str(merged))
    lineage = adapter.save_adapter(second, tmp_path / "second", "sft")
    config = json.loads((tmp_path / "second/adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == str(merged)
    assert lineage["base_identity"] == base_identity(merged) != base_identity(base)


def test_adapters_turned_to_bfloat16_come_back_to_float32(base):
    """Trap 8: TRL does this to the adapters of a 4-bit model, and float16's gradient scaler then dies."""
    import torch

    model = adapter.new_policy(str(base)).model
    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.bfloat16)
    adapter.upcast_adapters(model)
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}


def test_assert_learned_finds_what_did_not_move_and_what_broke(base):
    model = adapter.new_policy(str(base)).model
    before = adapter.adapter_weights(model)
    with pytest.raises(LlmergeError, match="changed nothing"):
        adapter.assert_learned(before, model)
    parameter = next(p for p in model.parameters() if p.requires_grad)
    parameter.data[0, 0] += 0.5
    assert adapter.assert_learned(before, model)["max_delta"] == pytest.approx(0.5)
    parameter.data[0, 0] = float("nan")
    with pytest.raises(LlmergeError, match="NaN"):
        adapter.assert_learned(before, model)
