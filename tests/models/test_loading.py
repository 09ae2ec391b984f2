"""How weights are asked for, and how they answer: no more than needed, on no slower kernel, by no other rule."""

from __future__ import annotations

import json

import pytest
from test_adapter import L4, QWEN_1B5, T4
from tiny import tiny_model, tiny_tokenizer

from llmerge_helpers import models
from llmerge_helpers.models import adapter, chat
from llmerge_helpers.models import base as base_room
from llmerge_helpers.models.device import plan


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("loading") / "base")


@pytest.fixture
def asked(monkeypatch):
    import transformers

    options = {}
    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **given: options.update(given))
    return options


@pytest.mark.parametrize(("device", "grouped"), [(T4, False), (L4, True)])
def test_a_gpu_without_kernels_for_groups_of_heads_gets_a_copy_a_head(monkeypatch, asked, device, grouped):
    import torch
    from transformers.integrations import sdpa_attention

    monkeypatch.setattr(sdpa_attention, "use_gqa_in_sdpa", sdpa_attention.use_gqa_in_sdpa)  # put back afterwards
    base_room.load_base("anything", plan(device, QWEN_1B5))
    key = torch.zeros(1, 2, 4, 16)
    assert sdpa_attention.use_gqa_in_sdpa(None, key, key) is grouped


def test_packed_experts_are_unpacked_for_training(tmp_path, asked):
    (tmp_path / "config.json").write_text(json.dumps({"quantization_config": {"quant_method": "mxfp4"}}))
    base_room.load_base(tmp_path)
    assert asked["quantization_config"].dequantize is True


def test_only_the_models_own_weights_are_downloaded(monkeypatch, tmp_path):
    import huggingface_hub
    from huggingface_hub.utils import filter_repo_objects

    files = ["config.json", "model.safetensors", "original/model.safetensors", "onnx/config.json", "pytorch_model.bin"]
    seen = {}

    def download(name, **given):
        seen.update(given)
        (tmp_path / "config.json").write_text("{}")
        (tmp_path / "model.safetensors").write_text("")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert models.locate("someone/some-model") == tmp_path
    patterns = {name: seen[name] for name in ("allow_patterns", "ignore_patterns")}
    assert list(filter_repo_objects(files, **patterns)) == ["config.json", "model.safetensors"]


def test_what_a_base_was_published_with_does_not_shape_an_evaluation(base):
    """A repetition_penalty punishes who copies code."""
    model, tokenizer = base_room.load_base(base), models.load_tokenizer(base)
    prompts = ["<|im_start|>user\nab ab ab<|im_end|>\n<|im_start|>assistant\n"]
    wanted = models.complete(model, tokenizer, prompts, max_new_tokens=16)
    own = model.generation_config
    own.repetition_penalty, own.no_repeat_ngram_size, own.min_new_tokens = 9.0, 1, 16
    assert models.complete(model, tokenizer, prompts, max_new_tokens=16) == wanted
    assert model.generation_config is own and own.repetition_penalty == 9.0


@pytest.mark.parametrize(
    "written", ["{{ strftime_now('%d %b %Y') }}", '{%- set day = strftime_now( "%d %b %Y" ) %}{{ day }}', "{{ 1 }}"]
)
def test_a_template_with_a_date_says_the_same_every_day(tmp_path, written):
    """Else a run that was killed before midnight is refused after it."""
    template = written + tiny_tokenizer().chat_template
    tiny_tokenizer(template).save_pretrained(tmp_path)
    ask = [{"role": "user", "content": "x"}]
    said = models.render_prompt(models.load_tokenizer(tmp_path), ask)
    assert said.startswith("1<" if "1" in written else "01 Jan 2026<")
    assert said == models.render_prompt(chat.ChatTokenizer("demo", template), ask)  # as 02 counts it


def test_no_adapter_on_a_tower_that_no_conflict_passes(tmp_path, monkeypatch):
    import torch
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    text = {"vocab_size": 300, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "head_dim": 16}
    text |= {"num_attention_heads": 2, "num_key_value_heads": 1}
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision |= {"image_size": 28, "patch_size": 14}
    torch.manual_seed(0)
    model = Gemma3ForConditionalGeneration(Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=4))
    folder = tiny_model(tmp_path / "base")
    monkeypatch.setattr(adapter, "load_base", lambda *_: model)
    names = [name for name, p in adapter.new_policy(str(folder)).model.named_parameters() if p.requires_grad]
    assert names and not any("vision" in name or "multi_modal" in name for name in names)


def test_a_merge_and_a_16_bit_evaluation_need_16_bit(base, tmp_path, monkeypatch):
    import torch

    adapter.save_adapter(adapter.new_policy(str(base)), tmp_path / "sft", "sft")
    loaded, load = [], base_room.load_base

    def watching(folder, plan=None):
        model = load(folder, plan)
        loaded.append(next(model.parameters()).dtype)
        return model

    monkeypatch.setattr(adapter, "load_base", watching)
    adapter.merge_adapter(tmp_path / "sft", tmp_path / "merged")
    found = models.load_for_evaluation(str(tmp_path / "sft"), adapter.HALF)
    assert loaded == [torch.bfloat16, torch.bfloat16]
    assert not any("lora" in name for name, _ in found.model.named_parameters())
