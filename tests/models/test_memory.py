"""What a plan counts is what a step takes: never less than what is kept for backward, and not much more."""

from __future__ import annotations

import pytest
from known_models import config
from test_adapter import A100, L4, QWEN_1B5, QWEN_7B, QWEN_14B, T4

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.device import Device, Sampled, plan
from llmerge_helpers.models.memory import GIB, Memory, size_of

NVIDIA_80 = Device("cuda", "NVIDIA H100", 79.2, (9, 0), count=8)


@pytest.mark.parametrize(
    ("size", "batch", "length", "checkpointing", "least"),
    [
        (QWEN_1B5, 8, 8192, True, 17.4),  # what was planned as 13.6 GiB, on a T4
        (QWEN_1B5, 8, 1024, False, 29.7),  # 16.3, on an L4
        (QWEN_7B, 8, 2048, False, 128.0),  # 68.2, on an A100
    ],
)
def test_what_others_counted_is_not_planned_below(size, batch, length, checkpointing, least):
    memory = Memory(size, "bfloat16", "bfloat16", False, 16)
    assert least <= memory.training(batch, length, checkpointing) <= 1.4 * least


@pytest.mark.parametrize(("size", "bytes_"), [(QWEN_1B5, 74.9), (QWEN_7B, 73.2), (QWEN_14B, 50.9)])
def test_a_layer_keeps_what_was_counted_by_hand(size, bytes_):
    """Bytes a token and a unit of the hidden state, kept for backward with adapters on all linear layers."""
    counted = Memory(size, "bfloat16", "bfloat16", False, 16)._pass("train").layer[1] / size.hidden
    assert counted == pytest.approx(bytes_, rel=0.05)  # theirs holds copies of the adapters too


@pytest.mark.parametrize("device", [T4, L4, A100])
@pytest.mark.parametrize("length", [1024, 8192])
def test_what_is_planned_fits_whatever_the_length(device, length):
    found = plan(device, QWEN_1B5, max_length=length)
    assert found.memory.training(found.batch_size, length, found.gradient_checkpointing) <= found.expected_gib
    assert found.expected_gib <= 0.95 * device.memory_gib
    longer = found.memory.training(found.batch_size * 2, length, True)
    assert found.batch_size == 8 or longer > 0.95 * device.memory_gib  # and no smaller than need be


def test_embeddings_and_head_stay_16_bit_beside_4_bit():
    memory = Memory(QWEN_7B, "bfloat16", "bfloat16", True, 16)
    tables = 2 * QWEN_7B.vocabulary * QWEN_7B.hidden
    assert memory.weights > 2 * tables + 0.5 * (QWEN_7B.parameters - tables)
    assert memory.weights < 0.45 * Memory(QWEN_7B, "bfloat16", "bfloat16", False, 16).weights


def test_a_mask_of_a_padded_batch_is_counted():
    memory = Memory(QWEN_1B5, "bfloat16", "bfloat16", False, 16)
    padded, even = (memory.training(4, 8192, False, padded) for padded in (True, False))
    assert padded - even > 28 * 2 * 4 * 8192**2 / GIB  # as numbers, once a layer


def test_under_fsdp_every_device_holds_a_share(monkeypatch):
    size = size_of(config("Llama-70B"))
    with pytest.raises(LlmergeError, match="needs about"):
        plan(NVIDIA_80, size)
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    monkeypatch.setenv("WORLD_SIZE", "8")
    found = plan(NVIDIA_80, size)
    assert 2 * size.parameters / 8 / GIB < found.expected_gib < 79.2
    with pytest.raises(LlmergeError, match="GiB a device to train"):
        plan(Device("cuda", "a small one", 15.0, (8, 0), count=8), size)


def test_sampling_counts_keys_and_values_and_the_reading_of_the_prompts():
    memory = Memory(QWEN_1B5, "bfloat16", "bfloat16", False, 16)
    assert memory.cache == 28 * 2 * 2 * 128 * 2  # layers, keys and values, heads, width, bytes
    longer = memory.sampling(64, 1024, 2048) - memory.sampling(64, 1024, 1024)
    assert longer >= 64 * 1024 * memory.cache / GIB
    with pytest.raises(LlmergeError, match="to write 256 replies at once"):
        plan(T4, QWEN_1B5, sampled=Sampled(256, 4096, 4096))
    some = plan(A100, QWEN_1B5, max_length=512, batch_size=1, sampled=Sampled(64, 2048, 1024))
    assert some.expected_gib == pytest.approx(memory.sampling(64, 2048, 1024))


@pytest.mark.parametrize(
    "kind", ["Gemma3TextConfig", "Qwen3MoeConfig", "GptOssConfig", "Phi3Config", "SmolLM3Config", "GraniteConfig"]
)
def test_other_architectures_are_counted(kind):
    import transformers

    small = {"hidden_size": 64, "intermediate_size": 128, "vocab_size": 300, "num_hidden_layers": 4, "head_dim": 16}
    small |= {"num_attention_heads": 4, "num_key_value_heads": 2, "pad_token_id": 0}
    size = size_of(getattr(transformers, kind)(**small))
    memory = Memory(size, "bfloat16", "bfloat16", False, 4)
    assert 2 * memory.static < memory.training(64, 2048, True) < 16
