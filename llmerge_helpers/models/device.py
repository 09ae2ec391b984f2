"""The machine a model is trained on: found or described, and the plan that fits it, with the memory that will take."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.memory import GIB, Memory, ModelSize

ROOM = 0.95  # of a device's memory: drivers and other programs have some, and an allocator never fills its blocks


# ---- the machine


@dataclass(frozen=True)
class Device:
    """What a plan needs to know of a machine; described by hand in tests, found by `found_device`."""

    kind: str  # "cpu" or "cuda"
    name: str
    memory_gib: float  # of one GPU, or of the machine
    capability: tuple[int, int] | None = None  # CUDA compute capability
    count: int = 1
    bfloat16: bool = False  # of a CPU: in hardware (AVX512_BF16, AMX); elsewhere it is emulated, several times slower

    @property
    def gpu_gib(self) -> float:
        """Memory of one GPU in GiB, 0 where there is none."""
        return self.memory_gib if self.kind == "cuda" else 0.0


def found_device() -> Device:
    """The machine's GPU, else its CPU with its memory."""
    import torch

    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        capability = (properties.major, properties.minor)
        return Device("cuda", properties.name, properties.total_memory / GIB, capability, torch.cuda.device_count())
    import psutil

    has = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}  # an older torch cannot tell
    bfloat16 = bool(has.get("avx512_bf16") or has.get("amx_bf16"))
    name = f"CPU, {os.cpu_count()} cores{' with bfloat16' if bfloat16 else ''}"
    return Device("cpu", name, psutil.virtual_memory().total / GIB, bfloat16=bfloat16)


def gpu_memory_gib() -> float:
    """Memory of one GPU in GiB as its driver tells it, 0 where there is none: 02 has no torch to ask.

    As for CUDA, an empty `CUDA_VISIBLE_DEVICES`, or -1, hides them all.
    """
    if os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1") or not shutil.which("nvidia-smi"):
        return 0.0
    query = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    try:
        found = subprocess.run(query, capture_output=True, text=True, timeout=20).stdout.split("\n")
    except (OSError, subprocess.TimeoutExpired):
        return 0.0
    # a driver that fails writes a sentence, and some boards answer [N/A]
    return next((int(line) / 1024 for line in found if line.strip().isdigit()), 0.0)


def world_size() -> int:
    """How many processes a launcher started; 1 without one."""
    return int(os.environ.get("WORLD_SIZE", 1))


def sharded() -> bool:
    """True in a run under FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"


# ---- the plan


@dataclass(frozen=True)
class Plan:
    """How a model is loaded and trained on a device, and the memory that is expected to take."""

    device: Device
    dtype: str  # of the base weights
    bf16: bool
    fp16: bool
    load_in_4bit: bool
    batch_size: int
    gradient_checkpointing: bool
    expected_gib: float
    memory: Memory | None = field(default=None, repr=False, compare=False)  # what it was counted by

    @property
    def use_cpu(self) -> bool:
        """True where there is no GPU; TRL otherwise refuses, or picks bfloat16 on a CPU that only emulates it."""
        return self.device.kind == "cpu"

    def training_arguments(self) -> dict[str, bool]:
        """The part of `SFTConfig` and `GRPOConfig` that depends on the device; none of it is left to a default."""
        return {
            "use_cpu": self.use_cpu,
            "bf16": self.bf16,
            "fp16": self.fp16,
            "gradient_checkpointing": self.gradient_checkpointing,
            "dataloader_pin_memory": not self.use_cpu,
        }

    def table(self) -> dict[str, str]:
        """The plan as name/value pairs for `run.show_table`."""
        precision = "bfloat16" if self.bf16 else "float16" if self.fp16 else "float32"
        weights = f"base weights {'4-bit nf4' if self.load_in_4bit else self.dtype}, adapters float32"
        if self.memory and not self.memory.lora_rank:
            weights = "all weights learn, float32"
        capability = (
            f", compute capability {'.'.join(map(str, self.device.capability))}" if self.device.capability else ""
        )
        used = min(world_size(), self.device.count)  # one process, one GPU
        count = f"{used} of {self.device.count}" if used < self.device.count else str(used)
        return {
            "device": f"{count} x {self.device.name}{capability}",
            "precision": f"{precision}; {weights}",
            "batch": f"{self.batch_size} a device{', gradient checkpointing' if self.gradient_checkpointing else ''}",
            "memory": f"{self.expected_gib:.1f} GiB expected, {self.device.memory_gib:.1f} GiB found",
        }


@dataclass(frozen=True)
class Sampled:
    """What GRPO writes at once on one device: the rows of its groups, and how long question and reply may be."""

    rows: int
    prompt: int
    completion: int


def plan(
    device: Device,
    size: ModelSize,
    *,
    load_in_4bit: bool = False,
    lora_rank: int = 16,
    batch_size: int = 0,
    max_length: int = 1024,
    sampled: Sampled | None = None,
    name: str = "the model",
) -> Plan:
    """The plan for a model of `size` on `device`; `batch_size=0` takes the largest of 8, 4, 2, 1 that fits (CPU: 2, 1).

    Decides by compute capability: a T4 says it can do bfloat16 and emulates it. What it takes is counted on the
    model's own layers (`memory.py`), in shards under FSDP; `sampled` has to fit too. Raises `LlmergeError` where even
    batch 1 with gradient checkpointing does not fit.

    >>> from transformers import Qwen2Config
    >>> from llmerge_helpers.models.memory import size_of
    >>> size = size_of(Qwen2Config(vocab_size=500, hidden_size=64, intermediate_size=96, num_hidden_layers=3))
    >>> t4 = plan(Device("cuda", "Tesla T4", 14.7, (7, 5)), size)
    >>> t4.dtype, t4.fp16, t4.bf16
    ('float16', True, False)
    """
    if device.kind == "cpu":
        if load_in_4bit:
            raise LlmergeError("load_in_4bit needs a CUDA GPU: run with load_in_4bit False on this CPU.")
        dtype, bf16, fp16 = "float32", device.bfloat16, False  # in bfloat16 it computes, by autocast
    elif (device.capability or (0, 0)) >= (8, 0):
        dtype, bf16, fp16 = "bfloat16", True, False
    else:
        dtype, bf16, fp16 = "float16", False, True
    computed = "bfloat16" if bf16 else dtype
    if not lora_rank:  # what learns is float32, and here that is all
        dtype = "float32"
    shards = world_size() if sharded() else 1
    memory = Memory(size, dtype, computed, load_in_4bit, lora_rank, shards, cpu=device.kind == "cpu")
    writing = memory.sampling(sampled.rows, sampled.prompt, sampled.completion) if sampled else 0.0
    room = device.memory_gib * ROOM
    candidates = [2, 1] if device.kind == "cpu" else [8, 4, 2, 1]  # a CPU gains nothing from a larger batch
    for batch in [batch_size] if batch_size else candidates:
        for checkpointing in (False, True):
            need = max(writing, memory.training(batch, max_length, checkpointing))
            if need <= room:
                return Plan(device, dtype, bf16, fp16, load_in_4bit, batch, checkpointing, need, memory)
    need = memory.training(batch_size or 1, max_length, True)
    ways = ["a smaller base_model", "a shorter max_length"]
    if not lora_rank:
        ways.insert(0, "a lora_rank above 0")
    elif device.kind == "cuda" and not load_in_4bit and memory.shards == 1:
        ways.insert(0, "load_in_4bit True")
    if sampled and writing > max(need, room):
        raise LlmergeError(
            f"{name} needs about {writing:.1f} GiB to write {sampled.rows} replies at once, and {device.name} has "
            f"{device.memory_gib:.1f} GiB: choose fewer num_generations, shorter max_prompt_tokens or "
            f"max_completion_length, or {ways[0]}."
        )
    raise LlmergeError(
        f"{name} needs about {need:.1f} GiB{' a device' * (memory.shards > 1)} to train at max_length {max_length} and "
        f"batch {batch_size or 1}, and {device.name} has {device.memory_gib:.1f} GiB: choose {', or '.join(ways)}."
    )
