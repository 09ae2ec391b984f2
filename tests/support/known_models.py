"""Configs of models that many people train, as their cards give them: nothing is downloaded to count their memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PretrainedConfig

# kind, hidden, between, layers, heads, heads of keys and values, words, words of input and output shared
DIMENSIONS = {
    "SmolLM2-135M": ("llama", 576, 1536, 30, 9, 3, 49_152, True),
    "R1-Distill-Qwen-1.5B": ("qwen2", 1536, 8960, 28, 12, 2, 151_936, False),
    "Qwen3-1.7B": ("qwen3", 2048, 6144, 28, 16, 8, 151_936, True),
    "Qwen3-4B": ("qwen3", 2560, 9728, 36, 32, 8, 151_936, True),
    "R1-Distill-Qwen-7B": ("qwen2", 3584, 18_944, 28, 28, 4, 152_064, False),
    "R1-Distill-Llama-8B": ("llama", 4096, 14_336, 32, 32, 8, 128_256, False),
    "Qwen3-8B": ("qwen3", 4096, 12_288, 36, 32, 8, 151_936, False),
    "Qwen3-14B": ("qwen3", 5120, 17_408, 40, 40, 8, 151_936, False),
    "R1-Distill-Qwen-14B": ("qwen2", 5120, 13_824, 48, 40, 8, 152_064, False),
    "Qwen3-32B": ("qwen3", 5120, 25_600, 64, 64, 8, 151_936, False),
    "Llama-70B": ("llama", 8192, 28_672, 80, 64, 8, 128_256, False),
}


def config(name: str, **changes: int) -> PretrainedConfig:
    """The config of a model in the table."""
    from transformers import LlamaConfig, Qwen2Config, Qwen3Config

    kind, hidden, between, layers, heads, cached, words, shared = DIMENSIONS[name]
    given = {
        "hidden_size": hidden,
        "intermediate_size": between,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": cached,
        "vocab_size": words,
        "tie_word_embeddings": shared,
        "max_position_embeddings": 8192 if kind == "llama" and hidden < 1000 else 131_072,
    } | ({"head_dim": 128} if kind == "qwen3" else {})
    return {"llama": LlamaConfig, "qwen2": Qwen2Config, "qwen3": Qwen3Config}[kind](**given | changes)
