"""What learns, an adapter or all weights: made, loaded, saved with its origin, merged, and shown to have learned."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.conflicts import Form
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.base import base_identity, load_base, locate
from llmerge_helpers.models.chat import load_tokenizer
from llmerge_helpers.models.device import Device, Plan
from llmerge_helpers.models.memory import is_peft, trainable_parameters
from llmerge_helpers.run import from_root, shown
from llmerge_helpers.run.files import read_json, write_json

if TYPE_CHECKING:
    from peft import PeftModel
    from torch import Tensor
    from torch.nn import Module
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LINEAGE = "lineage.json"
RANK = 16  # of a fresh adapter
# by which a folder is known as that of an adapter, or of a whole model, and the files that only the other has
CONFIGS = {"adapter": "adapter_config.json", "whole": "config.json"}
ONLY = {"adapter": "adapter_*", "whole": "model*.safetensors*"}
# where weights are only added up: twice as many in float32 need not fit
HALF = Plan(Device("cpu", "this machine", 0.0), "bfloat16", False, False, False, 1, False, 0.0)
NO_TEXT = r".*(vision|visual|image|audio|multi_modal).*"  # towers that no conflict passes through: no adapter there
# transformers says this of its own code, at every forward and with the path of the installation
warnings.filterwarnings("ignore", message=".*activation_checkpointing.*", category=FutureWarning)


class Lineage(TypedDict, total=False):
    """Where an adapter, or a whole model, comes from, as `lineage.json` has it: its base, the stages before it, what it
    was trained on."""

    stage: str  # "base", "sft", "grpo"; "adapter" for one made elsewhere
    base_model: str
    base_identity: str | None  # None where nobody wrote it down
    adapter_hash: str  # of all weights that were trained
    parents: list[Lineage]  # of each its stage and adapter_hash
    completion_tokens_95: int
    steps: int
    split: str
    teachers: list[str]  # whose replies it learned from, as far as the data tell
    form: Sequence[object]  # style, input and hints: how it was asked in training
    load_in_4bit: bool  # the base's weights, while it was trained
    merged: bool
    whole: bool  # all weights were trained, and lie beside this


@dataclass
class Policy:
    """A model that will train, or answer, and where it comes from."""

    model: PeftModel | PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    lineage: Lineage
    base_folder: Path


def new_policy(base_model: str, plan: Plan | None = None, *, lora_rank: int = RANK, seed: int = 0) -> Policy:
    """`base_model` with a fresh LoRA adapter on every linear layer, or with rank 0 itself, to train all its weights."""
    from transformers import set_seed

    folder = locate(base_model)
    set_seed(seed)  # the adapter starts from random weights
    model = load_base(folder, plan)
    model.config._name_or_path = str(folder)  # PEFT writes it into the adapter's config
    lineage: Lineage = {
        "stage": "base",
        "base_model": base_model,
        "base_identity": base_identity(folder),
        "parents": [],
    }
    return Policy(
        _trainable(_with_adapter(model, lora_rank) if lora_rank else model), load_tokenizer(folder), lineage, folder
    )


def _with_adapter(model: PreTrainedModel, lora_rank: int) -> PeftModel:
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(
        r=lora_rank,
        lora_alpha=2 * lora_rank,
        target_modules="all-linear",
        exclude_modules=NO_TEXT if any(re.fullmatch(NO_TEXT, name) for name, _ in model.named_modules()) else None,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora)


def load_policy(
    adapter: str | Path, plan: Plan | None = None, *, base_model: str = "", trainable: bool = True, seed: int = 0
) -> Policy:
    """The adapter in a folder, on the very base it was trained on, ready to go on training.

    What goes on from a whole model is a fresh adapter on it, from `seed`, which belongs to that model.

    `PeftModel.from_pretrained` gives a frozen adapter unless told otherwise, and a run on it looks alive while nothing
    changes. Raises `LlmergeError` where the folder holds no adapter, or the base is not the one it was trained on.
    """
    from peft import PeftModel

    name, adapter = str(adapter), trained_folder(adapter)
    lineage = read_lineage(adapter)
    folder = weights_below(adapter, lineage, base_model)
    if is_whole(adapter) and not trainable:
        return Policy(load_base(folder, plan).eval(), load_tokenizer(folder), lineage, folder)
    if is_whole(adapter):
        policy = new_policy(name, plan, seed=seed)
        policy.lineage = lineage | {name: policy.lineage[name] for name in ("base_model", "base_identity")}
        return policy
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
    """Save adapter or whole model, tokenizer and lineage (base, then every stage before this one), which comes back.

    Every process of a run calls this, because each holds a part of the weights under FSDP; the main one writes. What is
    read at any time is what was there before, or no model, or all of the new one.
    """
    folder, whole = from_root(folder), not is_peft(policy.model)
    weights = adapter_weights(policy.model)
    before: Lineage = {k: policy.lineage[k] for k in ("stage", "adapter_hash") if k in policy.lineage}
    lineage: Lineage = {
        "stage": stage,
        "base_model": policy.lineage["base_model"],
        "base_identity": policy.lineage["base_identity"],
        "adapter_hash": _hash(weights.items()),
        "parents": [*policy.lineage["parents"], before],
        **facts,
    } | ({"whole": True} if whole else {})
    if main_process:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".saving-*"):  # by a process that was killed
            shutil.rmtree(left)
        with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as room:
            # by the name it was given, not by the folder in which this machine keeps it
            if whole:
                policy.model.config._name_or_path = policy.lineage["base_model"]
                policy.model.save_pretrained(room)
            else:
                for config in policy.model.peft_config.values():
                    config.base_model_name_or_path = policy.lineage["base_model"]
                policy.model.save_pretrained(
                    room, selected_adapters=["default"], state_dict=weights, save_embedding_layers=False
                )
            policy.tokenizer.save_pretrained(room)
            write_json(Path(room) / LINEAGE, lineage)
            _move(Path(room), folder, "whole" if whole else "adapter")
    return lineage


def _move(room: Path, folder: Path, kind: str) -> None:
    """Put the files in `room` into `folder`, the config by which a model is known last; it is none in between."""
    other = next(each for each in CONFIGS if each != kind)
    for config in (CONFIGS[other], CONFIGS[kind]):
        (folder / config).unlink(missing_ok=True)
    for stale in folder.glob(ONLY[other]):
        stale.unlink()
    for file in sorted(room.iterdir(), key=lambda file: file.name == CONFIGS[kind]):
        if file.is_file():
            os.replace(file, folder / file.name)


def merge_adapter(adapter: str | Path, folder: str | Path) -> Path:
    """`folder`, holding base and adapter as one ordinary 16-bit model that needs no PEFT.

    Always reloads base and adapter from disk: a merged model in memory still names the unmerged base, and a second
    adapter on it would silently lose the first stage.
    """
    import torch

    folder = from_root(folder)
    if is_whole(adapter):
        raise LlmergeError(
            f"{shown(from_root(adapter))} is a whole model already, with no adapter to merge: use it as it is."
        )
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
    return (from_root(folder) / CONFIGS["adapter"]).exists()


def is_whole(folder: str | Path) -> bool:
    """True for the folder of a whole model that says where it comes from: all its weights were trained, or merged."""
    folder = from_root(folder)
    return not is_adapter(folder) and (folder / CONFIGS["whole"]).exists() and (folder / LINEAGE).exists()


def is_trained(folder: str | Path) -> bool:
    """True for the folder of what 03 or 04 trained, an adapter or a whole model."""
    return is_adapter(folder) or is_whole(folder)


def trained_folder(model: str | Path) -> Path:
    """The folder of an adapter or a whole model; `LlmergeError` where there is neither."""
    folder = from_root(model)
    if not is_trained(folder):
        raise LlmergeError(
            f"{shown(folder)} holds no adapter: run `papermill notebooks/03_sft_train.ipynb out.ipynb` first."
        )
    return folder


def rank_of(folder: Path) -> int:
    """The rank of the adapter in a folder, or of the fresh one that goes on from a whole model."""
    return read_json(folder / CONFIGS["adapter"]).get("r", RANK) if is_adapter(folder) else RANK


def weights_below(adapter: Path, lineage: Lineage, base_model: str = "") -> Path:
    """The folder of the very weights that an adapter is put on: its base, or the whole model itself."""
    if is_whole(adapter):
        if base_model and base_model != lineage["base_model"]:
            raise LlmergeError(f"{shown(adapter)} is a whole model, which needs no base: leave base_model empty.")
        return adapter
    folder = locate(base_model or lineage["base_model"])
    check_base(adapter, lineage, folder)
    return folder


def read_lineage(adapter: str | Path) -> Lineage:
    """Where a trained model comes from; for adapters made elsewhere, as much as their own config tells."""
    adapter = from_root(adapter)
    if (adapter / LINEAGE).exists():
        return read_json(adapter / LINEAGE)
    base = read_json(adapter / CONFIGS["adapter"]).get("base_model_name_or_path") or ""
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
    lineage = read_lineage(model) if is_trained(model) else {}
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


def upcast_adapters(model: Module) -> Module:
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


def _trainable(model: Module) -> Module:
    if not trainable_parameters(model):
        raise LlmergeError("the adapter is frozen (0 trainable parameters), so nothing would be learned: load it again "
                           "with load_policy(trainable=True).")  # fmt: skip
    return upcast_adapters(model)


def adapter_weights(model: Module) -> dict[str, Tensor]:
    """Copies of the weights that learn, as float32 on the CPU: the adapter's, or all where there is none.

    Other adapters, such as GRPO's reference, are left out. Weights that FSDP has sharded come back whole: every process
    has to ask, at the same time.
    """
    return {name: tensor.clone() for name, tensor in _learning(model)}


def _learning(model: Module) -> Iterator[tuple[str, Tensor]]:
    """The same one by one, and not copied where they are so already."""
    if is_peft(model):
        from peft import get_peft_model_state_dict

        named = get_peft_model_state_dict(model, adapter_name="default").items()
    else:
        named = model.named_parameters()
    for name, tensor in named:
        yield name, (tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor).detach().float().cpu()


def weights_at_start(policy: Policy) -> Callable[[], dict[str, Tensor]]:
    """What gives the weights that a policy starts from, later: an adapter's are copied, and a whole model's are read
    from its base again, so that memory holds them once."""
    if not is_peft(policy.model):
        return lambda: dict(_learning(load_base(policy.base_folder)))
    kept = adapter_weights(policy.model)
    return lambda: kept


def put_weights(model: Module, weights: Mapping[str, Tensor]) -> None:
    """Have the model learn on from these weights, as `adapter_weights` gives them."""
    if is_peft(model):
        from peft import set_peft_model_state_dict

        set_peft_model_state_dict(model, dict(weights))
    else:
        model.load_state_dict(weights, strict=False)  # what is tied to another is there under one name


def adapter_hash(model: Module) -> str:
    """SHA-256 over the weights that learn."""
    return _hash(_learning(model))


def saved_hash(adapter: str | Path) -> str:
    """The same of the adapter in a folder, without its base."""
    from safetensors.torch import load_file

    file = from_root(adapter) / "adapter_model.safetensors"
    if not file.exists():
        raise LlmergeError(f"{shown(from_root(adapter))} holds no adapter_model.safetensors: save the adapter as that.")
    return _hash((name, tensor.float()) for name, tensor in load_file(file).items())


def _hash(weights: Iterable[tuple[str, Tensor]]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(weights, key=lambda named: named[0]):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def assert_learned(before: Mapping[str, Tensor], model: Module) -> dict[str, float]:
    """How far the weights moved since `before` (from `adapter_weights`); `LlmergeError` where they did not, or broke.

    Adapter A and B being non-zero proves nothing when training goes on from an adapter.
    """
    deltas = {name: float((tensor - before[name]).abs().max()) for name, tensor in _learning(model)}
    largest = max(deltas.values(), default=0.0)
    # max() passes over a NaN, or keeps it, by where it stands
    if largest != largest or any(d != d for d in deltas.values()):
        raise LlmergeError("the weights hold NaN after training: lower the learning_rate, or use float32.")
    if largest == 0.0:
        raise LlmergeError("training changed nothing: every weight is what it was before.")
    return {"max_delta": largest, "changed": sum(d > 0 for d in deltas.values()) / len(deltas)}
