"""Models as this project uses them: which base, on which device, in which chat template, with which adapter.

In comes a name (a folder, a hub id, `auto`) and, for training, a `Plan` of what fits the device; out come a `Policy`
that trains, or a model that answers rendered prompts. Training and inference share one renderer, so that a model is
asked what it was taught. An adapter says which base weights it belongs to and is loaded on no others. Nothing heavy is
imported before a function needs it, and templates and token counts need no torch at all.

>>> choose_base_model("auto", gpu_gib=14.7), choose_base_model("auto", gpu_gib=0)
('Qwen/Qwen3-1.7B', 'HuggingFaceTB/SmolLM2-135M-Instruct')
>>> stages({"stage": "grpo", "parents": [{"stage": "base"}, {"stage": "sft"}]})
'base → sft → grpo'
"""

from llmerge_helpers.models.adapter import (
    Lineage,
    Policy,
    completion_budget,
    form_learned,
    habits,
    in_words,
    is_adapter,
    is_trained,
    load_policy,
    merge_adapter,
    new_policy,
    read_lineage,
    stages,
)
from llmerge_helpers.models.answer import (
    Completion,
    Known,
    Loaded,
    Sampling,
    complete,
    known_model,
    load_for_evaluation,
    own_sampling,
)
from llmerge_helpers.models.base import base_identity, choose_base_model, is_small, load_base, locate, model_size
from llmerge_helpers.models.chat import (
    ChatTokenizer,
    load_chat_tokenizer,
    load_tokenizer,
    render_prompt,
    training_text,
)
from llmerge_helpers.models.device import Device, Plan, found_device
from llmerge_helpers.models.memory import ModelSize, trainable_parameters

__all__ = [
    "ChatTokenizer", "Completion", "Device", "Known", "Lineage", "Loaded", "ModelSize", "Plan", "Policy", "Sampling",
    "base_identity", "choose_base_model", "complete", "completion_budget", "form_learned", "found_device", "habits",
    "in_words", "is_adapter", "is_small", "is_trained", "known_model", "load_base", "load_chat_tokenizer",
    "load_for_evaluation", "load_policy", "load_tokenizer", "locate", "merge_adapter", "model_size", "new_policy",
    "own_sampling", "read_lineage", "render_prompt", "stages", "trainable_parameters", "training_text",
]  # fmt: skip
