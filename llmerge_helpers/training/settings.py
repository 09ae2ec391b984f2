"""The settings of a training run: the parameters of 03 and 04 under TRL's names, checked before anything is loaded."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TypeAlias, TypeVar

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import Device, ModelSize, Plan
from llmerge_helpers.models.device import sharded, world_size
from llmerge_helpers.run import check_type, secret

# max_length=0: of a row in SFT. On a CPU 1024 would keep all 27 rows of the sample in place of 11, and replies that are
# half as long again make every evaluation and every step of GRPO as much slower
MAX_LENGTH = {"cpu": 640, "cuda": 8192}
MAX_PROMPT_TOKENS = {"cpu": 1024, "cuda": 4096}  # max_prompt_tokens=0: of a question in GRPO
# of GRPO, where the settings are 0: completions of a group, and conflicts a step (on a CPU, and in compact style there)
GENERATIONS = {"cpu": 4, "cuda": 8}
CONFLICTS = {"cpu": 1, "compact": 4, "cuda": 8}
PROBED = {"cpu": 24, "cuda": 256}  # probe=0: conflicts that are tried before GRPO
# max_steps=0 on a CPU, at most: what two cores do in a minute or two, or five where compact replies are learned
CPU_STEPS = {"sft full": 12, "sft compact": 100, "grpo": 2}


@dataclass(frozen=True)
class SftSettings:
    """The parameters of 03 and a few more, under TRL's names where it has them."""

    dataset: str = "outputs/sft_dataset/correct_only"
    limit: int = 0  # training rows; 0: all
    base_model: str = "auto"
    epochs: float = 1.0
    max_steps: int = 0  # 0: by device (CPU: a short run; GPU: all epochs), -1: all epochs
    batch_size: int = 0  # a device; 0: by plan
    gradient_accumulation_steps: int = 0  # 0: as many as make 16 rows a step on a GPU, where the rows are many
    learning_rate: float = 0.0  # 0: by size of the model
    lora_rank: int = 16  # 0: no adapter, all weights are trained, of a model of at most 0.5 billion
    max_length: int = 0  # tokens, 0: by device; longer rows are left out and counted, never cut
    load_in_4bit: bool = False
    report_to: str = "wandb"
    resume: bool = True
    output_dir: str = "outputs/sft_model"
    seed: int = 0
    packing: bool = False
    save_steps: int = 0  # 0: a quarter of the run (half on a CPU)
    samples: int = 2  # held-out conflicts answered at every evaluation
    push_to_hub: str = ""  # the adapter as a private model of this id, with HF_TOKEN
    trl_arguments: dict[str, object] = dataclasses.field(default_factory=dict)  # of SFTConfig, before all above
    rounds: int = 0  # of rejection sampling: draw replies, keep the right ones, train again on all
    round_samples: int = 4  # replies to a conflict in a round
    n_heldout: int = 0  # of the notebook's measurements, as the next three; 0: by device
    draws: int = 0
    base_tokens: int = 0
    minutes: float = 20.0  # of each measurement; 0: no end


@dataclass(frozen=True)
class GrpoSettings:
    """The parameters of 04 and a few more."""

    sft_model: str = "outputs/sft_model"
    dataset: str = "outputs/grpo_dataset"
    limit: int = 0
    max_steps: int = 0  # 0: by device, -1: once through the dataset
    probe: int = 0  # conflicts that the SFT model tries first, to practise on those in between; 0: by device, -1: none
    num_generations: int = 0  # completions to a conflict, a group; 0: by device
    conflicts: int = 0  # a step; 0: by device
    max_completion_length: int = 0  # 0: what the SFT replies needed, and an eighth more
    learning_rate: float = 0.0  # 0: by size of the model
    beta: float = 0.0
    report_to: str = "wandb"
    resume: bool = True
    output_dir: str = "outputs/grpo_model"
    seed: int = 0
    base_model: str = ""  # "": the one that the adapter was trained on
    load_in_4bit: bool = False
    batch_size: int = 0  # a device; 0: by plan
    gradient_accumulation_steps: int = 0  # 0: as many as the conflicts of a step need
    temperature: float = 1.0
    max_prompt_tokens: int = 0  # 0: by device; longer prompts are left out and counted
    curriculum: bool = True  # in the order of the probe, nearest to half right first; without one, in the data's
    use_vllm: str = "auto"
    format_weight: float = 0.1
    length_weight: float = 0.1  # of the soft penalty near max_completion_length
    similarity: float = 0.0
    scale_rewards: str = "none"  # group: by a group's deviation, batch: by that of all
    patience: int = 128  # groups that must show that nothing can be learned, before a run is stopped
    save_steps: int = 0
    push_to_hub: str = ""
    trl_arguments: dict[str, object] = dataclasses.field(default_factory=dict)  # of GRPOConfig, before all above
    n_heldout: int = 0  # of the notebook's measurements, as the next three; 0: by device
    draws: int = 0
    base_tokens: int = 0
    minutes: float = 20.0  # of each measurement; 0: no end


@dataclass(frozen=True)
class PreferenceSettings:
    """The parameters of KTO and DPO, under TRL's names where it has them."""

    method: str = "dpo"  # or kto
    sft_model: str = "outputs/sft_model"
    dataset: str = "outputs/sft_dataset/correct_only"  # what SFT learned from; the other replies lie beside
    limit: int = 0
    epochs: float = 1.0
    max_steps: int = 0  # 0: by device, -1: all epochs
    batch_size: int = 0  # a device, of pairs in DPO; 0: by plan
    gradient_accumulation_steps: int = 0
    learning_rate: float = 0.0  # 0: by size of the model, as for GRPO
    beta: float = 0.1  # how near it stays to the SFT adapter
    max_length: int = 0  # tokens, 0: by device; longer rows are left out and counted
    base_model: str = ""
    load_in_4bit: bool = False
    report_to: str = "wandb"
    resume: bool = True
    output_dir: str = ""  # "": outputs/kto_model or outputs/dpo_model
    seed: int = 0
    save_steps: int = 0
    push_to_hub: str = ""
    trl_arguments: dict[str, object] = dataclasses.field(default_factory=dict)  # of KTOConfig or DPOConfig


# what a notebook measures with changes nothing that is learned
MEASURED = ("n_heldout", "draws", "base_tokens", "minutes")
Settings = TypeVar("Settings", SftSettings, GrpoSettings, PreferenceSettings)
AnySettings: TypeAlias = SftSettings | GrpoSettings | PreferenceSettings


def settings_from(kind: type[Settings], values: Mapping[str, object]) -> Settings:
    """Settings from plain values; an unknown name or a wrong type is an `LlmergeError`.

    >>> settings_from(SftSettings, {"learning_rat": 1.0e-4})
    Traceback (most recent call last):
    llmerge_helpers.errors.LlmergeError: unknown setting 'learning_rat': did you mean 'learning_rate'?
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}
    values = {"trl_arguments" if name == "trl" else name: value for name, value in values.items()}  # as a file has it
    for name, value in values.items():
        if name not in fields:
            close = difflib.get_close_matches(name, fields, 1)
            raise LlmergeError(
                f"unknown setting {name!r}: "
                + (f"did you mean {close[0]!r}?" if close else f"it is no field of {kind.__name__}.")
            )
        kind_of = "dict" if name == "trl_arguments" else type(fields[name].default).__name__
        check_type(name, kind_of, value, "setting")
    return kind(**values)


def check_numbers(settings: AnySettings) -> None:
    """Raise `LlmergeError` for a number that can do no good, whatever the device."""
    positive = ("epochs", "temperature", "patience")
    for name in positive:
        if hasattr(settings, name) and getattr(settings, name) <= 0:
            raise LlmergeError(f"{name} is {getattr(settings, name)}: it must be above 0.")
    zero_or_more = (
        "limit batch_size learning_rate max_length max_prompt_tokens max_completion_length beta num_generations "
        "conflicts rounds round_samples n_heldout draws minutes lora_rank"
    )
    for name in zero_or_more.split():
        if hasattr(settings, name) and getattr(settings, name) < 0:
            raise LlmergeError(f"{name} is {getattr(settings, name)}: it must be 0 or more.")
    if settings.gradient_accumulation_steps < 0:
        raise LlmergeError(
            f"gradient_accumulation_steps is {settings.gradient_accumulation_steps}: it must be 0 or more."
        )
    if isinstance(settings, GrpoSettings) and settings.scale_rewards not in ("none", "batch", "group"):
        raise LlmergeError(f"scale_rewards is {settings.scale_rewards!r}: use none, batch or group.")
    if settings.max_steps < -1:
        raise LlmergeError(f"max_steps is {settings.max_steps}: 0 is by device, -1 all epochs, else a number of steps.")


WHOLE = 500_000_000  # weights of a model that may be trained without an adapter


def check_whole(settings: SftSettings, name: str, parameters: float) -> None:
    """Raise `LlmergeError` where all weights of the model, or in such a way, cannot be trained."""
    if settings.lora_rank:
        return
    if settings.load_in_4bit:
        raise LlmergeError("lora_rank 0 trains all weights, and those of 4 bit cannot learn: set load_in_4bit False.")
    if sharded():
        raise LlmergeError(
            "lora_rank 0 trains a model that one GPU holds whole: start it without FSDP, or with a lora_rank above 0."
        )
    if parameters > WHOLE:
        raise LlmergeError(
            f"lora_rank 0 trains all weights of a model of at most {WHOLE / 1e9:g} billion, and {name} has "
            f"{parameters / 1e9:.2g}: choose a smaller base_model, in 02 too, or a lora_rank above 0."
        )


TRACKERS = ("wandb", "trackio", "tensorboard")


def check_report_to(report_to: str) -> None:
    """Raise `LlmergeError` unless curves can go where they are asked to."""
    if report_to not in (*TRACKERS, "none", ""):
        raise LlmergeError(
            f"report_to is {report_to!r}: use wandb (offline without a key), trackio, tensorboard (both stay on this "
            "machine) or none."
        )
    if report_to in TRACKERS and find_spec(report_to) is None:
        raise LlmergeError(
            f"report_to is {report_to}, and the package is not there: `pip install {report_to}`, or report_to none."
        )


def check_push(repository: str) -> None:
    """Raise `LlmergeError` before training where its adapter could not be sent to the hub afterwards."""
    if not repository:
        return
    if repository.count("/") != 1:
        raise LlmergeError(f"push_to_hub is {repository!r}: give an id of the hub, such as you/merge-resolver.")
    if not secret("HF_TOKEN"):
        raise LlmergeError(f"push_to_hub is {repository}, and there is no HF_TOKEN in the environment: set one.")


def check_trl_arguments(settings: AnySettings) -> None:
    """Raise `LlmergeError` for a name in `trl_arguments` that TRL's configuration does not have."""
    if not settings.trl_arguments:
        return
    from trl import DPOConfig, GRPOConfig, KTOConfig, SFTConfig

    config = GRPOConfig if isinstance(settings, GrpoSettings) else SFTConfig
    if isinstance(settings, PreferenceSettings):
        config = {"kto": KTOConfig, "dpo": DPOConfig}[settings.method]
    names = {f.name for f in dataclasses.fields(config) if f.init}
    for name in settings.trl_arguments:
        if name not in names:
            close = difflib.get_close_matches(name, names, 1)
            hint = f": did you mean {close[0]!r}?" if close else " of TRL."
            raise LlmergeError(f"trl_arguments has {name!r}, which is no argument of {config.__name__}{hint}")


ROWS_A_STEP = 16  # that many and few more are a step's whole gain; fewer make its direction a matter of luck
LEAST_STEPS = 30  # rather smaller steps than fewer


def accumulated(given: int, plan: Plan, rows: float) -> int:
    """`given` accumulation steps, or as many as make 16 rows of a step on all GPUs; fewer where rows are few.

    >>> card = Plan(Device("cuda", "a GPU", 24.0), "bfloat16", True, False, False, 2, True, 20.0)
    >>> accumulated(0, card, 5000), accumulated(0, card, 120), accumulated(3, card, 5000)
    (8, 2, 3)
    """
    if given or plan.use_cpu:  # a CPU's few steps are small ones
        return given or 1
    each = plan.batch_size * world_size()
    return max(1, int(min(ROWS_A_STEP, rows / LEAST_STEPS) // each))


def group_batches(settings: GrpoSettings, plan: Plan) -> tuple[Plan, int]:
    """A batch and accumulation steps that hold the conflicts of a step as whole groups.

    Given ones that hold no whole groups are an `LlmergeError`.

    >>> card = Plan(Device("cuda", "a GPU", 24.0), "bfloat16", True, False, False, 2, True, 20.0)
    >>> group_batches(GrpoSettings(), card)[1]  # two at a time, up to 8 completions to each of 8 conflicts
    32
    """
    world, kind = world_size(), plan.device.kind
    n = settings.num_generations or GENERATIONS[kind]
    accumulation = settings.gradient_accumulation_steps
    together = world // math.gcd(n, world)  # conflicts whose completions the processes can share evenly
    conflicts = settings.conflicts or CONFLICTS[kind]
    wanted = n * together * -(-conflicts // together)
    batch = plan.batch_size
    if not settings.batch_size:  # the plan's is the largest that fits, and a smaller one may hold whole groups
        whole = (lambda d: d * accumulation * world % n == 0) if accumulation else (lambda d: wanted % (d * world) == 0)
        batch = max(filter(whole, range(1, batch + 1)), default=batch)
    if not accumulation:
        least = n // math.gcd(n, batch * world)  # steps that make whole groups
        accumulation = least * -(-wanted // (batch * world * least))
    if batch * accumulation * world % n:
        raise LlmergeError(
            f"num_generations {n} does not divide the {batch * accumulation * world} completions of a step "
            f"(batch_size {batch} x gradient_accumulation_steps {accumulation} x processes {world}): "
            f"set batch_size to {n}, or num_generations to a divisor."
        )
    return dataclasses.replace(plan, batch_size=batch), accumulation


def batches_at_once(n: int, plan: Plan, accumulation: int) -> int:
    """Batches whose completions are written together, as whole groups and a part of a step: eight where they fit.

    Writing keeps four bytes or fewer a hidden unit, token and layer, and training eight times as many, unless it
    computes them again.

    >>> card = Plan(Device("cuda", "a GPU", 24.0), "bfloat16", True, False, False, 2, False, 20.0)
    >>> batches_at_once(8, card, 32), batches_at_once(8, dataclasses.replace(card, gradient_checkpointing=True), 32)
    (8, 4)
    """
    most = 1 if plan.gradient_checkpointing else 8
    parts = [
        k for k in range(1, accumulation + 1) if accumulation % k == 0 and k * plan.batch_size * world_size() % n == 0
    ]
    return max([k for k in parts if k <= most], default=min(parts))


def chosen_learning_rate(given: float, kind: str, size: ModelSize) -> float:
    """`given`, or a rate that suits LoRA at this size: ten times that of full fine-tuning, more for small models.

    "whole" is TRL's own for all weights.

    >>> small = ModelSize(135_000_000, 30, 576, 49_152)
    >>> [chosen_learning_rate(given, kind, small) for given, kind in ((0.0, "sft"), (3e-4, "sft"), (0.0, "whole"))]
    [0.001, 0.0003, 2e-05]
    """
    rates = {"sft": (1e-3, 2e-4), "whole": (2e-5, 2e-5), "grpo": (5e-5, 1e-5)}[kind]
    return given or rates[size.parameters > 500_000_000]


def device_steps(max_steps: int, kind: str, device: Device, whole: int) -> int:
    """`max_steps` as TRL takes it: 0 by device, -1 all epochs; a short run is never longer than the `whole` one.

    >>> cpu = Device("cpu", "a CPU", 8.0)
    >>> [device_steps(0, f"sft {style}", cpu, 300) for style in ("full", "compact")], device_steps(-1, "grpo", cpu, 300)
    ([12, 100], -1)
    """
    if max_steps == 0:
        return min(CPU_STEPS[kind], whole) if device.kind == "cpu" else -1
    return max_steps


def whole_steps(rows: int, rows_a_step: int, epochs: float = 1.0) -> int:
    """Optimizer steps of all epochs, as TRL counts them.

    >>> whole_steps(11, 2), whole_steps(11, 2, 2.5)
    (6, 15)
    """
    return max(1, math.ceil(-(-rows // rows_a_step) * epochs))
