"""Adapters: made, loaded, saved with where they come from, merged, and shown to have really learned."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.conflicts import Form
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.base import base_identity, load_base, locate
from llmerge_helpers.models.chat import load_tokenizer
from llmerge_helpers.models.device import Device, Plan
from llmerge_helpers.run import from_root, shown
from llmerge_helpers.run.files import read_json, write_json

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedTokenizerBase

LINEAGE = "lineage.json"
# where weights are only added up: twice as many in float32 need not fit
HALF = Plan(Device("cpu", "this machine", 0.0), "bfloat16", False, False, False, 1, False, 0.0)
NO_TEXT = r".*(vision|visual|image|audio|multi_modal).*"  # towers that no conflict passes through: no adapter there
# transformers says this of its own code, at every forward and with the path of the installation
warnings.filterwarnings("ignore", message=".*activation_checkpointing.*", category=FutureWarning)


class Lineage(TypedDict, total=False):
    """Where an adapter comes from, as `lineage.json` has it: its base, the stages before it, what it was trained on."""

    stage: str  # "base", "sft", "grpo"; "adapter" for one made elsewhere
    base_model: str
    base_identity: str | None  # None where nobody wrote it down
    adapter_hash: str
    parents: list[Lineage]  # of each its stage and adapter_hash
    completion_tokens_95: int
    steps: int
    split: str
    teachers: list[str]  # whose replies it learned from, as far as the data tell
    form: Sequence[object]  # style, input and hints: how it was asked in training
    load_in_4bit: bool  # the base's weights, while it was trained
    merged: bool


@dataclass
class Policy:
    """A model that will train, or answer, and where it comes from."""

    model: PeftModel
    tokenizer: PreTrainedTokenizerBase
    lineage: Lineage
    base_folder: Path


def new_policy(base_model: str, plan: Plan | None = None, *, lora_rank: int = 16, seed: int = 0) -> Policy:
    """`base_model` with a fresh LoRA adapter on every linear layer."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    folder = locate(base_model)
    set_seed(seed)  # the adapter starts from random weights
    model = load_base(folder, plan)
    model.config._name_or_path = str(folder)  # PEFT writes it into the adapter's config
    lora = LoraConfig(
        r=lora_rank,
        lora_alpha=2 * lora_rank,
        target_modules="all-linear",
        exclude_modules=NO_TEXT if any(re.fullmatch(NO_TEXT, name) for name, _ in model.named_modules()) else None,
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(model, lora)
    lineage: Lineage = {
        "stage": "base",
        "base_model": base_model,
        "base_identity": base_identity(folder),
        "parents": [],
    }
    return Policy(_trainable(model), load_tokenizer(folder), lineage, folder)


def load_policy(
    adapter: str | Path, plan: Plan | None = None, *, base_model: str = "", trainable: bool = True
) -> Policy:
    """The adapter in a folder, on the very base it was trained on, ready to go on training.

    `PeftModel.from_pretrained` gives a frozen adapter unless told otherwise, and a run on it looks alive while nothing
    changes. Raises `LlmergeError` where the folder holds no adapter, or the base is not the one it was trained on.
    """
    from peft import PeftModel

    adapter = adapter_folder(adapter)
    lineage = read_lineage(adapter)
    folder = locate(base_model or lineage["base_model"])
    check_base(adapter, lineage, folder)
    model = load_base(folder, plan)
    try:
        model = PeftModel.from_pretrained(model, adapter, is_trainable=trainable)
    except (RuntimeError, ValueError) as error:
        raise LlmergeError(
            f"the adapter in {shown(adapter)} does not fit {shown(folder)} ({str(error).splitlines()[0]}): "
            "give the base_model that it was trained on."
        ) from None
    return Policy(_trainable(model) if trainable else model.eval(), load_tokenizer(folder), lineage, folder)


def save_adapter(
    policy: Policy, folder: str | Path, stage: str, *, main_process: bool = True, **facts: object
) -> Lineage:
    """Save adapter, tokenizer and lineage (base, then every stage before this one); the lineage comes back.

    Every process of a run calls this, because each holds a part of the weights under FSDP; the main one writes.
    """
    folder = from_root(folder)
    weights = adapter_weights(policy.model)
    before: Lineage = {k: policy.lineage[k] for k in ("stage", "adapter_hash") if k in policy.lineage}
    lineage: Lineage = {
        "stage": stage,
        "base_model": policy.lineage["base_model"],
        "base_identity": policy.lineage["base_identity"],
        "adapter_hash": _hash(weights),
        "parents": [*policy.lineage["parents"], before],
        **facts,
    }
    if main_process:
        # by the name it was given, not by the folder in which this machine keeps it
        for config in policy.model.peft_config.values():
            config.base_model_name_or_path = policy.lineage["base_model"]
        policy.model.save_pretrained(
            folder, selected_adapters=["default"], state_dict=weights, save_embedding_layers=False
        )
        policy.tokenizer.save_pretrained(folder)
        write_json(folder / LINEAGE, lineage)
    return lineage


def merge_adapter(adapter: str | Path, folder: str | Path) -> Path:
    """`folder`, holding base and adapter as one ordinary 16-bit model that needs no PEFT.

    Always reloads base and adapter from disk: a merged model in memory still names the unmerged base, and a second
    adapter on it would silently lose the first stage.
    """
    import torch

    folder = from_root(folder)
    policy = load_policy(adapter, HALF, trainable=False)
    merged = policy.model.merge_and_unload().to(torch.bfloat16)
    merged.config._name_or_path = str(folder)
    merged.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)
    write_json(folder / LINEAGE, policy.lineage | {"merged": True})
    return folder


# ---- an adapter's folder, and where it comes from


def is_adapter(folder: str | Path) -> bool:
    """True for the folder of a LoRA adapter."""
    return (from_root(folder) / "adapter_config.json").exists()


def adapter_folder(adapter: str | Path) -> Path:
    """The folder of an adapter; `LlmergeError` where there is none."""
    adapter = from_root(adapter)
    if not is_adapter(adapter):
        raise LlmergeError(
            f"{shown(adapter)} holds no adapter: run `papermill notebooks/03_sft_train.ipynb out.ipynb` first."
        )
    return adapter


def read_lineage(adapter: str | Path) -> Lineage:
    """Where an adapter comes from; for adapters made elsewhere, as much as their own config tells."""
    adapter = from_root(adapter)
    if (adapter / LINEAGE).exists():
        return read_json(adapter / LINEAGE)
    base = read_json(adapter / "adapter_config.json").get("base_model_name_or_path") or ""
    if not base:
        raise LlmergeError(f"{shown(adapter)} does not say which base it belongs to: give base_model.")
    return {"stage": "adapter", "base_model": base, "base_identity": None, "parents": []}


def check_base(adapter: Path, lineage: Lineage, folder: Path) -> None:
    """Raise `LlmergeError` unless the weights in `folder` are those that the adapter was trained on."""
    known = lineage.get("base_identity")
    if known and known != base_identity(folder):
        raise LlmergeError(
            f"the adapter in {shown(adapter)} was trained on {lineage['base_model']} with other weights than those in "
            f"{shown(folder)}: give that base_model, or train the adapter again."
        )


def stages(lineage: Lineage) -> str:
    """The stages of an adapter in words.

    >>> stages({"stage": "grpo", "parents": [{"stage": "base"}, {"stage": "sft"}]})
    'base → sft → grpo'
    """
    return " → ".join([parent["stage"] for parent in lineage["parents"]] + [lineage["stage"]])


def form_learned(lineage: Lineage) -> Form:
    """The form in which an adapter was asked in training; that of every teacher where its lineage does not say.

    >>> form_learned({"stage": "sft", "form": ["compact", "sides", True]}).hints
    True
    """
    return Form(*lineage.get("form", ()))


def completion_budget(lineage: Mapping[str, int]) -> int:
    """Tokens that a reply may take: what 95 % of the SFT replies needed, and an eighth more."""
    return max(64, (lineage.get("completion_tokens_95") or 400) * 9 // 8)


def habits(model: str) -> tuple[int, Form]:
    """How many tokens a reply of a model may take, and the form in which it is asked; of a base, the usual."""
    lineage = read_lineage(model) if is_adapter(model) else {}
    return completion_budget(lineage), form_learned(lineage)


def in_words(form: Form) -> str:
    """A form as it stands in a sentence.

    >>> in_words(Form("compact", "diffs", True))
    'in style compact (diffs, with hints)'
    >>> in_words(Form("compact", siblings=3))
    'in style compact (sides, with up to 3 siblings)'
    """
    more = [", with hints"] if form.hints else []
    more += [f", with up to {form.siblings} siblings"] if form.siblings else []
    more += [f", with the {form.context} of its sides"] if form.context else []
    return f"in style {form.style} ({form.input}{''.join(more)})"


# ---- its weights: that they will learn, and that they did


def trainable_parameters(model: Module) -> int:
    """How many parameters will learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def upcast_adapters(model: PeftModel) -> PeftModel:
    """The model with every trainable weight in float32.

    Call it once more after a trainer is built: TRL turns the adapters of a 4-bit model to bfloat16, at which float16's
    gradient scaler dies on a T4, and in which a step of 1e-5 is lost to rounding on any GPU.
    """
    import torch

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return model


class Pristine:
    """The base's weights under an adapter, kept on the CPU and put back.

    To hand its weights to vLLM, TRL merges the adapter into them in place and takes it out again, at every step; in 16
    bit each time rounds a little away (trl#6688).
    """

    def __init__(self, model: PeftModel) -> None:
        layers = [module.get_base_layer() for module in model.modules() if hasattr(module, "lora_A")]
        weights = [weight for layer in layers for weight in layer.parameters() if not weight.requires_grad]
        self.kept = [(weight, weight.detach().to("cpu", copy=True)) for weight in weights]

    def restore(self) -> None:
        """Put the weights back as they were."""
        for weight, kept in self.kept:
            weight.data.copy_(kept)


def _trainable(model: PeftModel) -> PeftModel:
    if not trainable_parameters(model):
        raise LlmergeError("the adapter is frozen (0 trainable parameters), so nothing would be learned: load it again "
                           "with load_policy(trainable=True).")  # fmt: skip
    return upcast_adapters(model)


def adapter_weights(model: PeftModel) -> dict[str, Tensor]:
    """Copies of the adapter's weights, as float32 on the CPU; other adapters, such as GRPO's reference, left out.

    Weights that FSDP has sharded come back whole: every process has to ask, at the same time.
    """
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model, adapter_name="default")
    whole = {name: t.full_tensor() if hasattr(t, "full_tensor") else t for name, t in state.items()}
    return {name: tensor.detach().float().cpu().clone() for name, tensor in whole.items()}


def adapter_hash(model: PeftModel) -> str:
    """SHA-256 over the adapter's weights."""
    return _hash(adapter_weights(model))


def saved_hash(adapter: str | Path) -> str:
    """The same of the adapter in a folder, without its base."""
    from safetensors.torch import load_file

    file = from_root(adapter) / "adapter_model.safetensors"
    if not file.exists():
        raise LlmergeError(f"{shown(from_root(adapter))} holds no adapter_model.safetensors: save the adapter as that.")
    return _hash({name: tensor.float() for name, tensor in load_file(file).items()})


def _hash(weights: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def assert_learned(before: Mapping[str, Tensor], model: PeftModel) -> dict[str, float]:
    """How far the adapter moved since `before` (from `adapter_weights`); `LlmergeError` where it did not, or broke.

    Adapter A and B being non-zero proves nothing when training goes on from an adapter.
    """
    after = adapter_weights(model)
    deltas = {name: float((after[name] - tensor).abs().max()) for name, tensor in before.items()}
    largest = max(deltas.values(), default=0.0)
    # max() passes over a NaN, or keeps it, by where it stands
    if largest != largest or any(d != d for d in deltas.values()):
        raise LlmergeError("the adapter holds NaN after training: lower the learning_rate, or use float32.")
    if largest == 0.0:
        raise LlmergeError("training changed nothing: every adapter weight is what it was before.")
    return {"max_delta": largest, "changed": sum(d > 0 for d in deltas.values()) / len(deltas)}
