"""SFT and GRPO with LoRA in three steps each, the same in a notebook, a script and under `accelerate launch`.

`sft_config` gives TRL's configuration, `sft_trainer` its trainer, and `fit` trains and saves; `grpo_config` and
`grpo_trainer` do the same for GRPO, with rewards as an argument. Before them, `prepare_sft` and `prepare_grpo` check
all that can be wrong, without loading a model.
"""

from __future__ import annotations

import os
import sys
import time
import zipfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from fnmatch import fnmatch
from functools import partial, update_wrapper
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from llmerge_helpers import merges, models
from llmerge_helpers.conflicts import Form
from llmerge_helpers.conflicts.prompts import FULL, form_of
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import (
    Device,
    Lineage,
    Plan,
    Policy,
    completion_budget,
    render_prompt,
    trainable_parameters,
)
from llmerge_helpers.models.adapter import (
    Pristine,
    adapter_hash,
    assert_learned,
    is_whole,
    rank_of,
    save_adapter,
    trained_folder,
    upcast_adapters,
    weights_at_start,
    weights_below,
)
from llmerge_helpers.models.base import named_size, quiet
from llmerge_helpers.models.device import GIB, ROOM, Sampled, plan, sharded, world_size
from llmerge_helpers.rewards import REWARDS, Reward, format_reward, length_reward, resolution_reward
from llmerge_helpers.run import from_root, redact, secret, shown
from llmerge_helpers.run.files import atomic_file, read_jsonl, write_atomic, write_json
from llmerge_helpers.training.drawing import Tried, probe
from llmerge_helpers.training.guards import check_quantization, first_steps, release
from llmerge_helpers.training.guards import train as train_within_memory
from llmerge_helpers.training.resume import FINISHED, fingerprint, last_checkpoint, make_way, prepare_output, tracking
from llmerge_helpers.training.rows import (
    TRAINED_ON,
    LengthReport,
    encode_rows,
    grpo_rows,
    ids_of,
    load_rows,
    refuse_unfinished,
    seen_by_sft,
    teachers_of,
    trained_on,
)
from llmerge_helpers.training.settings import (
    CONFLICTS,
    GENERATIONS,
    MAX_LENGTH,
    MAX_PROMPT_TOKENS,
    MEASURED,
    AnySettings,
    GrpoSettings,
    PreferenceSettings,
    SftSettings,
    accumulated,
    batches_at_once,
    check_numbers,
    check_push,
    check_report_to,
    check_trl_arguments,
    check_whole,
    chosen_learning_rate,
    device_steps,
    group_batches,
    settings_from,
    whole_steps,
)

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, Trainer
    from trl import GRPOConfig, GRPOTrainer, SFTConfig, SFTTrainer

    from llmerge_helpers.training.callbacks import Health

VLLM_GIB = 1.5  # of its graphs and of the longest batch that it tries at its start


@dataclass
class Trained:
    """What came of a run."""

    output_dir: Path
    settings: dict[str, object]
    plan: Plan
    rows: LengthReport  # how many were used and left out, and how long they are
    history: list[dict[str, float]] = field(repr=False)
    seconds: float
    memory_gib: float
    learned: dict[str, float]
    lineage: dict[str, object]
    diagnosis: str = ""

    def curves(self) -> pd.DataFrame:
        """The log as a table, one line a logged step."""
        import pandas as pd

        return pd.DataFrame(self.history)

    def samples(self, longest: int = 160) -> pd.DataFrame:
        """What the model answered to held-out conflicts while it learned, as a table; empty without validation rows."""
        import pandas as pd

        path = self.output_dir / "samples.jsonl"
        kept = pd.DataFrame(read_jsonl(path) if path.exists() else [], columns=["step", "finish_reason", "reply"])
        return kept.assign(reply=kept["reply"].str.slice(0, longest))

    @property
    def steps(self) -> int:
        """How many steps the adapter has behind it, those before a resume included."""
        return max((int(entry["step"]) for entry in self.history), default=0)

    def facts(self) -> dict[str, object]:
        """Steps, time, memory and what moved, as name/value pairs for `run.show_table`."""
        return {
            "steps": self.steps,
            "seconds": round(self.seconds),
            "peak memory": f"{self.memory_gib:.1f} GiB ({self.plan.expected_gib:.1f} expected)",
            "largest change of a weight": f"{self.learned['max_delta']:.2g}",
            "health": self.diagnosis or "nothing found",
        }


# ------------------------------------------------------------------------------------------- checked, and not started


@dataclass(kw_only=True)
class Ready:
    """A run that was checked and can start: nothing heavy is loaded yet, and all that shapes its result is known."""

    settings: AnySettings
    base_model: str
    plan: Plan
    tokenizer: PreTrainedTokenizerBase = field(repr=False)
    train: Dataset = field(repr=False)
    rows: LengthReport  # how many are used and left out, and how long they are
    max_steps: int  # -1: all epochs
    total_steps: int
    learning_rate: float
    accumulation: int
    output_dir: Path
    split: str  # fingerprint of what is held out, "" for data made elsewhere
    form: Form = FULL  # how the rows ask, and so how the model is asked from now on
    facts: dict[str, object] = field(repr=False)
    policy: Policy | None = field(default=None, repr=False)  # once a trainer was made
    checkpoint: str | None = None  # to go on from, once a config was made
    reply_tokens: int = 0  # that a reply may take where a model is measured

    def table(self) -> dict[str, str]:
        """What is about to happen, as name/value pairs for `run.show_table`."""
        left_out, what = self.rows["left_out"], "question" if isinstance(self, ReadyGrpo) else "row"
        lengths = f"median {self.rows['used_median']}, longest {self.rows['used_longest']}"
        return {
            "base model": self.base_model,
            **self.plan.table(),
            "rows": f"{self.rows['used']} of {self.rows['rows']} ({left_out} too long)",
            f"tokens in a {what}": lengths + (f" (of all: {self.rows['longest']})" if left_out else ""),
            "steps": f"{self.total_steps}, each of {self.one_step()}",
            "learning rate": f"{self.learning_rate:g}",
        }

    @property
    def step_size(self) -> int:
        """Rows of a step of SFT, or completions of a step of GRPO, on all devices."""
        return self.plan.batch_size * self.accumulation * world_size()

    @property
    def stage(self) -> str:
        """What the adapter's lineage calls this run."""
        return "sft"

    def one_step(self) -> str:
        """What a step takes, in words."""
        return f"{self.step_size} rows"

    def chosen(self) -> dict[str, object]:
        """The settings with what was chosen for those that were 0 or auto, as they stand on the model card."""
        return asdict(self.settings) | {
            "base_model": self.base_model,
            "batch_size": self.plan.batch_size,
            "gradient_accumulation_steps": self.accumulation,
            "learning_rate": self.learning_rate,
        }

    def as_given(self) -> AnySettings:
        """The settings before anything was chosen for those that are 0."""
        return self.settings

    def measured(self) -> dict[str, int]:
        """How a notebook measures: `n_heldout` conflicts, `draws` of each for pass@k, `base_tokens` for the base alone.

        A reply in full takes a CPU many seconds, so that there it is asked for once; the base may think four times as
        long as the replies of training need.
        """
        settings, cpu = self.settings, self.plan.use_cpu
        return {
            "n_heldout": settings.n_heldout or (30 if cpu else 200),
            "draws": settings.draws or (1 if cpu else 4),
            "base_tokens": settings.base_tokens or (-1 if cpu else max(1024, 4 * self.reply_tokens)),
        }

    def with_room(self) -> Ready:
        """Itself, with `output_dir` free for it: checked before anything is written there."""
        if self.settings.resume:
            make_way(self.output_dir, self.facts, main_process=main_process())
        return self

    def start(self) -> dict[str, object]:
        """Make the output ready, and give what every configuration of TRL has; the checkpoint is the same in every
        process."""
        tracked = self.settings.report_to, self.output_dir, self.output_dir.name
        checkpoint = None
        if main_process():
            import yaml

            checkpoint = prepare_output(self.output_dir, self.facts, self.settings.resume)
            # as given, not as chosen here: what it starts may go on from these checkpoints
            write_atomic(self.output_dir / "params.yaml", yaml.safe_dump(asdict(self.as_given()), sort_keys=False))
            curves = tracking(*tracked)  # a fresh start has removed the old run's id; the others read the new one
        self.checkpoint = _agree(checkpoint, self.output_dir)
        seed = self.settings.seed
        common = {"output_dir": str(self.output_dir / "checkpoints"), "disable_tqdm": True, "seed": seed}
        return common | {"data_seed": seed} | (curves if main_process() else tracking(*tracked))


@dataclass(kw_only=True)
class ReadySft(Ready):
    """A run of SFT that can start."""

    settings: SftSettings
    max_length: int
    validation: Dataset | None = field(repr=False)
    ids: list[str] = field(default_factory=list, repr=False)  # the conflicts that it trains on

    def one_step(self) -> str:
        times = self.total_steps / whole_steps(self.rows["used"], self.step_size)
        return f"{self.step_size} rows: {times:.2g} time{'s' * (times != 1)} through them all"

    def chosen(self) -> dict[str, object]:
        return super().chosen() | {"max_length": self.max_length}


@dataclass(kw_only=True)
class ReadyGrpo(Ready):
    """A run of GRPO that can start."""

    settings: GrpoSettings
    max_completion_length: int
    vllm: dict[str, object]
    given: GrpoSettings  # `settings` has a number of generations and of conflicts
    adapter: Path  # of SFT
    seen: int  # rows that SFT has trained on: the last ones
    tried: Tried | None = None  # what the probe found

    @property
    def stage(self) -> str:
        return "grpo"

    def as_given(self) -> GrpoSettings:
        return self.given

    @property
    def conflicts(self) -> int:
        """Of a step."""
        return max(1, self.step_size // self.settings.num_generations)

    def one_step(self) -> str:
        group, conflicts = self.settings.num_generations, self.conflicts
        each = "one conflict" if conflicts == 1 else f"{conflicts} conflicts, {group} to each"
        return f"{self.step_size} completions to {each}"

    def table(self) -> dict[str, str]:
        table = super().table()
        table["rows"] += f"; SFT has trained on {self.seen} of them" if self.seen else ""
        return table | ({"difficulty": str(self.tried)} if self.tried else {})

    def in_batches(self) -> ReadyGrpo:
        """Itself, with batches and steps for the rows as they are now."""
        settings = replace(self.settings, conflicts=min(self.settings.conflicts, len(self.train)))
        planned, accumulation = group_batches(settings, self.plan)
        at_once = batches_at_once(settings.num_generations, planned, accumulation) * planned.batch_size * world_size()
        if at_once > len(self.train) * settings.num_generations:  # TRL would wait for conflicts that never come
            raise LlmergeError(
                f"{at_once} completions are written at once, {settings.num_generations} to a conflict, and there are "
                f"{len(self.train)} conflicts: take a smaller batch_size, or more conflicts."
            )
        whole = max(1, len(self.train) * settings.num_generations // (planned.batch_size * accumulation * world_size()))
        steps = device_steps(settings.max_steps, "grpo", self.plan.device, whole)
        total = steps if steps > 0 else whole
        return replace(self, plan=planned, accumulation=accumulation, max_steps=steps, total_steps=total)


def prepare_sft(values: Mapping[str, object] | SftSettings) -> ReadySft:
    """Check settings, data, model and device for SFT; what is wrong is an `LlmergeError` of one sentence."""
    settings = values if isinstance(values, SftSettings) else settings_from(SftSettings, values)
    check_settings(settings)
    data = load_rows(settings.dataset, made_by="02_inspect_and_prepare")
    device = models.found_device()
    name = models.choose_base_model(settings.base_model, device.gpu_gib)
    check_whole(settings, name, named_size(name))  # before it is downloaded
    folder = models.locate(name)
    size = models.model_size(folder)
    check_whole(settings, name, size.parameters)
    longest = size.positions or MAX_LENGTH["cuda"]  # what the model was made for: beyond it, it reads nonsense
    max_length = settings.max_length or min(longest, MAX_LENGTH[device.kind])
    if max_length > longest:
        raise LlmergeError(f"max_length is {max_length}, and {name} reads {longest} tokens: set max_length to that.")
    tokenizer = models.load_tokenizer(folder)
    form = form_of(data["train"][0]["prompt"])
    train, report = encode_rows(tokenizer, list(data["train"])[: settings.limit or None], max_length)
    planned = plan(
        device,
        size,
        load_in_4bit=settings.load_in_4bit,
        lora_rank=settings.lora_rank,
        batch_size=settings.batch_size,
        max_length=min(max_length, report["longest"]),
        name=name,
    )
    check_quantization(settings.load_in_4bit)
    held_out, validation = data.get("validation"), None
    if held_out is not None and len(held_out):
        with suppress(LlmergeError):  # none fits: nothing to evaluate on, and no reason to stop
            validation, _ = encode_rows(tokenizer, list(held_out)[: max(8, len(train) // 10)], max_length)
    length = length_of(settings, planned, len(train), device, form)
    rate = chosen_learning_rate(settings.learning_rate, "sft" if settings.lora_rank else "whole", size)
    tokens = fingerprint(train.select_columns(["input_ids", "labels"]))
    chosen = {"max_steps": length["max_steps"], "learning_rate": rate, "max_length": max_length}
    split = merges.split_of(settings.dataset)
    return ReadySft(
        settings=settings,
        base_model=name,
        plan=planned,
        tokenizer=tokenizer,
        train=train,
        rows=report,
        **length,
        learning_rate=rate,
        output_dir=from_root(settings.output_dir),
        split=split.fingerprint if split else "",
        form=form,
        facts=facts_of(settings, planned, base=models.base_identity(folder), data=tokens, **chosen),
        max_length=max_length,
        validation=validation,
        ids=ids_of(train),
        reply_tokens=completion_budget(report),
    ).with_room()


def prepare_grpo(values: Mapping[str, object] | GrpoSettings) -> ReadyGrpo:
    """Check settings, data, adapter, base and device for GRPO; what is wrong is an `LlmergeError` of one sentence."""
    settings = values if isinstance(values, GrpoSettings) else settings_from(GrpoSettings, values)
    check_settings(settings)
    if settings.num_generations == 1:
        raise LlmergeError(f"num_generations is {settings.num_generations}: a group needs at least 2 to compare.")
    data = load_rows(settings.dataset, made_by="02_inspect_and_prepare")
    adapter, lineage, split = going_on_from(settings)
    form = form_of(data["train"][0].get("prompt") or [])
    check_form(settings, form, lineage)
    device = models.found_device()
    name = settings.base_model or lineage["base_model"]
    folder = weights_below(adapter, lineage, settings.base_model)
    size = models.model_size(folder)
    budget = settings.max_completion_length or completion_budget(lineage)
    tokenizer = models.load_tokenizer(folder)
    with quiet():
        max_prompt_tokens = settings.max_prompt_tokens or MAX_PROMPT_TOKENS[device.kind]
        if size.positions:  # question and reply together are no longer than what the model was made for
            max_prompt_tokens = max(1, min(max_prompt_tokens, size.positions - budget))
        seen = seen_by_sft(adapter, settings.dataset)
        train, report = grpo_rows(tokenizer, data["train"], settings, max_prompt_tokens, seen)
    longest_prompt = min(report["longest"], max_prompt_tokens)
    asked_vllm = settings.use_vllm in ("colocate", "server")
    kind = "compact" if device.kind == "cpu" and form.style == "compact" else device.kind
    used = replace(
        settings,
        num_generations=settings.num_generations or GENERATIONS[device.kind],
        conflicts=settings.conflicts or CONFLICTS[kind],
    )
    planned = plan(
        device,
        size,
        load_in_4bit=settings.load_in_4bit,
        lora_rank=rank_of(adapter),
        batch_size=settings.batch_size,
        max_length=longest_prompt + budget,
        sampled=None if asked_vllm else Sampled(-(-used.num_generations // world_size()), longest_prompt, budget),
        name=name,
    )
    check_quantization(settings.load_in_4bit)
    rate = chosen_learning_rate(settings.learning_rate, "grpo", size)
    ready = ReadyGrpo(
        settings=used,
        given=settings,
        base_model=name,
        plan=planned,
        tokenizer=tokenizer,
        train=train,
        rows=report,
        max_steps=0,
        total_steps=0,
        learning_rate=rate,
        accumulation=1,
        output_dir=from_root(settings.output_dir),
        split=split.fingerprint if split else lineage.get("split", ""),
        form=form,
        facts={},
        max_completion_length=budget,
        reply_tokens=completion_budget(lineage),
        vllm=vllm_arguments(settings.use_vllm, planned, longest_prompt + budget, used.num_generations),
        adapter=adapter,
        seen=sum(each in seen for each in ids_of(train)),
    ).in_batches()
    # what the probe picks follows from these
    chosen = {"max_steps": ready.max_steps, "learning_rate": rate, "max_prompt_tokens": max_prompt_tokens}
    chosen |= {"max_completion_length": budget, "adapter": lineage.get("adapter_hash"), "data": fingerprint(train)}
    return replace(ready, facts=facts_of(used, ready.plan, **chosen)).with_room()


def check_settings(settings: AnySettings) -> None:
    """Raise `LlmergeError` for what is wrong whatever the data, the model and the device are."""
    check_numbers(settings)
    check_sharding()
    check_report_to(settings.report_to)
    check_push(settings.push_to_hub)
    check_trl_arguments(settings)


def going_on_from(settings: GrpoSettings | PreferenceSettings) -> tuple[Path, Lineage, merges.Split | None]:
    """The SFT adapter (or whole model) of a run that goes on from one, its lineage, and the split of the data."""
    adapter = trained_folder(settings.sft_model)
    refuse_unfinished(adapter, "03_sft_train")
    if adapter == from_root(settings.output_dir):
        raise LlmergeError(
            f"sft_model and output_dir are both {settings.output_dir}: choose another output_dir, so that the SFT "
            "adapter stays what it is."
        )
    if settings.push_to_hub and is_whole(adapter):
        raise LlmergeError(
            f"push_to_hub would send an adapter whose base, {settings.sft_model}, others do not have: leave it empty, "
            "merge_adapter afterwards, and send that."
        )
    lineage, split = models.read_lineage(adapter), merges.split_of(settings.dataset)
    merges.check_same_split(lineage.get("split"), split, adapter, settings.dataset)
    return adapter, lineage, split


def check_form(settings: GrpoSettings | PreferenceSettings, form: Form, lineage: Lineage) -> None:
    """Raise `LlmergeError` where the data asks in another form than the SFT adapter has learned."""
    if form != (learned := models.form_learned(lineage)):
        raise LlmergeError(
            f"{settings.sft_model} has learned to answer {models.in_words(learned)}, and {settings.dataset} asks "
            f"{models.in_words(form)}: run 03_sft_train on the data set that 02 wrote beside it."
        )


class Length(TypedDict):
    """How long a run over rows is; `max_steps` is -1 for all epochs."""

    accumulation: int
    max_steps: int
    total_steps: int


def length_of(
    settings: SftSettings | PreferenceSettings, planned: Plan, rows: int, device: Device, form: Form
) -> Length:
    """How long a run over so many rows is, with this plan on this device."""
    accumulation = accumulated(settings.gradient_accumulation_steps, planned, rows * settings.epochs)
    whole = whole_steps(rows, planned.batch_size * accumulation * world_size(), settings.epochs)
    steps = device_steps(settings.max_steps, f"sft {form.style}", device, whole)
    return Length(accumulation=accumulation, max_steps=steps, total_steps=steps if steps > 0 else whole)


def check_sharding() -> None:
    """Raise `LlmergeError` for the first FSDP, which flattens frozen and trained weights into one."""
    if sharded() and os.environ.get("FSDP_VERSION", "1") == "1":
        raise LlmergeError("FSDP 1 cannot train an adapter beside frozen weights: give accelerate `--fsdp_version 2`.")


def vllm_arguments(wanted: str, plan: Plan, length: int, group: int) -> dict[str, object]:
    """The part of `GRPOConfig` that has completions written by vLLM, where it is installed and fits.

    `length` is that of the longest prompt and its completion. vLLM gets what the trainer's weights leave of the card,
    asleep while a step is computed; where that does not hold its own weights and the replies of one group, transformers
    writes them, and a sentence says so.
    """
    installed = find_spec("vllm") is not None
    if wanted not in ("auto", "colocate", "server", "none"):
        raise LlmergeError(f"use_vllm is {wanted!r}: use auto, colocate, server or none.")
    if wanted in ("colocate", "server") and not installed:
        raise LlmergeError(f"use_vllm is {wanted}, and vllm is not installed: `pip install vllm`, or use_vllm none.")
    if wanted == "none" or plan.use_cpu or not installed or (wanted == "auto" and plan.load_in_4bit):
        return {}
    if wanted == "server":
        return {"use_vllm": True, "vllm_mode": "server"}
    share, needed = vllm_share(plan, length, group)
    if share < needed:
        why = (f"vLLM needs {needed * plan.device.memory_gib:.1f} GiB beside the trainer, and "
               f"{max(0.0, share) * plan.device.memory_gib:.1f} GiB are left")  # fmt: skip
        if wanted == "colocate":
            raise LlmergeError(f"{why}: set use_vllm to none, or to server on another GPU.")
        print(f"{why}: transformers writes the completions.")
        return {}
    return {
        "use_vllm": True,
        "vllm_mode": "colocate",
        "vllm_gpu_memory_utilization": int(share * 100) / 100,
        "vllm_max_model_length": length,
        "vllm_enable_sleep_mode": True,
    }


def vllm_share(plan: Plan, length: int, group: int) -> tuple[float, float]:
    """The share of the card that is left for vLLM beside the trainer's weights, and the share that it needs."""
    memory, card = plan.memory, plan.device.memory_gib
    # its own copy of the weights, the keys and values of a group, and what it works with
    needed = (memory.size.parameters * 2 + memory.cache * length * group) / GIB + VLLM_GIB
    return min(0.9, ROOM - memory.static / card), needed / card


def facts_of(settings: AnySettings, plan: Plan, **more: object) -> dict[str, object]:
    """All that shapes what is learned: a checkpoint belongs to these."""
    free = {
        "output_dir",
        "resume",
        "report_to",
        "save_steps",
        "push_to_hub",
        "rounds",
        "round_samples",
        *MEASURED,
    }  # none of these changes what is learned
    facts = {k: v for k, v in asdict(settings).items() if k not in free}
    chosen = {"batch_size": plan.batch_size, "dtype": plan.dtype, "bf16": plan.bf16}
    return facts | chosen | {"processes": world_size(), **more}


# -------------------------------------------------------------------------------------------------------------- SFT


def sft_config(ready: ReadySft, **changes: Any) -> SFTConfig:
    """TRL's configuration of the run; `changes` are any of its arguments, and take precedence."""
    from trl import SFTConfig

    settings, plan = ready.settings, ready.plan
    every = settings.save_steps or max(1, -(-ready.total_steps // (2 if plan.use_cpu else 4)))
    chosen = ready.start() | {
        "max_steps": ready.max_steps,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": plan.batch_size,
        "per_device_eval_batch_size": plan.batch_size,
        "gradient_accumulation_steps": ready.accumulation,
        "learning_rate": ready.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": ready.total_steps // 20,
        # rows are whole and fit (encode_rows); only packing needs the figure
        "max_length": ready.max_length if settings.packing else None,
        "packing": settings.packing,
        "eval_packing": False,
        "train_sampling_strategy": "random" if settings.packing else "group_by_length",  # little padding in a batch
        "eval_strategy": "no" if ready.validation is None else "steps",
        "eval_steps": every,
        "save_steps": every,
        "save_total_limit": 2,
        # of the checkpoints, the one that does best on held-out rows
        "load_best_model_at_end": ready.validation is not None and not sharded(),
        "metric_for_best_model": "eval_loss",
        "greater_is_better": False,
        "logging_steps": 1 if ready.total_steps <= 200 else 5,
    }
    return one_gpu(SFTConfig(**chosen | plan.training_arguments() | settings.trl_arguments | changes))


def sft_trainer(ready: ReadySft, config: SFTConfig) -> SFTTrainer:
    """TRL's trainer for the run: the base with a fresh adapter, or itself at rank 0, loss on the reply and its end."""
    from trl import SFTTrainer

    from llmerge_helpers.training.callbacks import ProgressLine, Samples, TokenCounter

    settings, plan = ready.settings, ready.plan
    ready.policy = policy = models.new_policy(ready.base_model, plan, lora_rank=settings.lora_rank, seed=settings.seed)
    counter, callbacks = TokenCounter(), [ProgressLine("SFT")]
    # generating takes every process of a sharded model, and a callback writes in one of them only
    if ready.validation is not None and settings.samples and not sharded():
        rows = [dict(ready.validation[i]) for i in range(min(settings.samples, len(ready.validation)))]
        longest = 96 if plan.use_cpu else 512  # a look while it learns; the evaluation afterwards waits for the end
        answer = _answerer(policy.tokenizer, min(longest, ready.rows["completion_tokens_95"]))
        callbacks.append(Samples(ready.output_dir / "samples.jsonl", rows, answer))
    with quiet():
        trainer = SFTTrainer(
            model=policy.model,
            args=config,
            train_dataset=ready.train,
            eval_dataset=ready.validation,
            processing_class=policy.tokenizer,
            callbacks=[counter, *callbacks],
        )
    counter.trainer = trainer
    return trainer


def sft(values: Mapping[str, object] | SftSettings | ReadySft) -> Trained:
    """Fine-tune a LoRA adapter, or a whole model, on the rows of 02: config, trainer and `fit` in one."""
    ready = values if isinstance(values, ReadySft) else prepare_sft(values)
    return fit(ready, sft_trainer(ready, sft_config(ready)))


def _answerer(tokenizer: PreTrainedTokenizerBase, max_new_tokens: int) -> Callable[..., list[dict[str, str]]]:
    def answer(model: Any, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
        prompts = [render_prompt(tokenizer, row["prompt"]) for row in rows]
        replies = models.complete(model, tokenizer, prompts, max_new_tokens=max(16, max_new_tokens))
        return [
            {"question": row["prompt"][-1]["content"], "reply": reply.text, "finish_reason": reply.finish_reason}
            for row, reply in zip(rows, replies, strict=True)
        ]

    return answer


# ------------------------------------------------------------------------------------------------------------- GRPO


def grpo_config(ready: ReadyGrpo, rewards: Sequence[Reward] = REWARDS, **changes: Any) -> GRPOConfig:
    """TRL's configuration of the run; `changes` are any of its arguments, and take precedence.

    The format weighs `format_weight`, length `length_weight`, every other reward 1: give `reward_weights` for anything
    else.
    """
    from trl import GRPOConfig

    settings = ready.settings
    at_once = batches_at_once(settings.num_generations, ready.plan, ready.accumulation)
    weights = {format_reward: settings.format_weight, length_reward: settings.length_weight}
    chosen = ready.start() | {
        "max_steps": ready.max_steps,
        "num_train_epochs": 1,
        "per_device_train_batch_size": ready.plan.batch_size,
        "gradient_accumulation_steps": ready.accumulation,
        "steps_per_generation": ready.accumulation if ready.vllm else at_once,
        "num_generations": settings.num_generations,
        "max_completion_length": ready.max_completion_length,
        "temperature": settings.temperature,
        "learning_rate": ready.learning_rate,
        "lr_scheduler_type": "constant_with_warmup",
        "warmup_steps": ready.total_steps // 20,
        "beta": settings.beta,
        "reward_weights": [weights.get(each, 1.0) for each in rewards],
        "scale_rewards": settings.scale_rewards,
        "shuffle_dataset": not settings.curriculum,
        # all completions cut off would then mean no loss at all, and a run that looks like a success
        "mask_truncated_completions": False,
        "log_completions": False,
        "logging_steps": 1,
        "save_steps": settings.save_steps or max(1, -(-ready.total_steps // 4)),
        "save_total_limit": 2,
    }
    return one_gpu(
        GRPOConfig(**chosen | ready.vllm | ready.plan.training_arguments() | settings.trl_arguments | changes)
    )


def grpo_trainer(ready: ReadyGrpo, config: GRPOConfig, rewards: Sequence[Reward] = REWARDS) -> GRPOTrainer:
    """TRL's trainer for the run, going on from the SFT adapter; `rewards` are functions as in `rewards.py`."""
    from trl import GRPOTrainer

    from llmerge_helpers.models.answer import end_ids
    from llmerge_helpers.training.callbacks import Completions, Health, ProgressLine

    settings = ready.settings
    ready.policy = policy = models.load_policy(
        settings.sft_model, ready.plan, base_model=settings.base_model, seed=settings.seed
    )
    ends = end_ids(policy.model, policy.tokenizer)  # a completion without one was cut off, and is judged so
    more = {
        resolution_reward: {"similarity": settings.similarity},
        length_reward: {"longest": ready.max_completion_length},
    }
    bound = [update_wrapper(partial(each, end_ids=ends, **more.get(each, {})), each) for each in rewards]
    completions = Completions(ready.output_dir / "completions.jsonl")
    trainer = GRPOTrainer(
        model=policy.model,
        reward_funcs=bound,
        args=config,
        train_dataset=ready.train,
        processing_class=policy.tokenizer,
        callbacks=[Health(settings.patience, ready.conflicts), completions, ProgressLine("GRPO")],
    )
    completions.watch(trainer)
    if config.use_vllm and not sharded():
        put_back_after_sync(trainer, policy)
    return trainer


def put_back_after_sync(trainer: GRPOTrainer, policy: Policy) -> None:
    """Have the base's weights be what they were each time that vLLM got the merged ones."""
    generation, pristine = trainer.vllm_generation, Pristine(policy.model)
    sync = generation.sync_weights

    def sync_and_restore() -> None:
        sync()
        pristine.restore()

    generation.sync_weights = sync_and_restore


def grpo(values: Mapping[str, object] | GrpoSettings | ReadyGrpo, rewards: Sequence[Reward] = REWARDS) -> Trained:
    """Go on from the SFT adapter with GRPO: probe, config, trainer and `fit` in one.

    It is stopped where nothing can be learned. A `ReadyGrpo` is trained on as it is, without a probe.
    """
    ready = values if isinstance(values, ReadyGrpo) else probe(prepare_grpo(values))
    return fit(ready, grpo_trainer(ready, grpo_config(ready, rewards), rewards))


# ------------------------------------------------------------------------------------------------------ train and save


def fit(ready: Ready, trainer: Trainer) -> Trained:
    """Train from the run's checkpoint or from the start, make sure that something was learned, and save what was.

    The trainer is spent afterwards: its weights are let go of, and what is measured next is loaded from disk.
    """
    from transformers.trainer_callback import PrinterCallback

    policy, health = ready.policy, _health_of(trainer)
    trainer.remove_callback(PrinterCallback)  # a line of output for every step
    upcast_adapters(trainer.model)  # TRL has just turned those of a 4-bit model to bfloat16
    if not trainable_parameters(trainer.model):
        raise LlmergeError("the trainer has frozen the adapter (0 trainable parameters): nothing would be learned.")
    before = weights_at_start(policy)
    trainer.add_callback(first_steps())
    started = time.monotonic()
    with quiet():
        train_within_memory(ready, trainer, before)
    seconds = time.monotonic() - started
    diagnosis = health.conclude(trainer.state.log_history) if health else ""
    if diagnosis and adapter_hash(policy.model) == health.start:  # it says why nothing moved
        learned = {"max_delta": 0.0, "changed": 0.0}
    else:
        learned = assert_learned(before(), policy.model)
    trained = _save(trainer, ready, learned, seconds, diagnosis)
    del policy
    release(ready, trainer)
    return trained


def _health_of(trainer: Trainer) -> Health | None:
    from llmerge_helpers.training.callbacks import Health

    return next((each for each in trainer.callback_handler.callbacks if isinstance(each, Health)), None)


def _save(trainer: Trainer, ready: Ready, learned: dict[str, float], seconds: float, diagnosis: str) -> Trained:
    policy, history = ready.policy, list(trainer.state.log_history)
    stage = ready.stage
    used = ready.chosen() | {"max_steps": trainer.args.max_steps}
    needed = ready.rows.get("completion_tokens_95") or policy.lineage.get("completion_tokens_95", 0)
    facts = {
        "completion_tokens_95": needed,
        "steps": trainer.state.global_step,
        "split": ready.split,
        # GRPO learns from no teacher, and its adapter goes on from one that did
        "teachers": teachers_of(ready.settings.dataset) if stage == "sft" else policy.lineage.get("teachers", []),
        "form": ready.form,
        "load_in_4bit": ready.plan.load_in_4bit,
    }
    lineage = save_adapter(policy, ready.output_dir, stage, main_process=main_process(), **facts)
    if main_process():
        if ids := getattr(ready, "ids", None):
            before = getattr(ready.settings, "sft_model", "")  # what a run goes on from has learned, it has
            known = trained_on(from_root(before)) if before else []
            write_json(ready.output_dir / TRAINED_ON, sorted({*ids, *known}))
        write_atomic(ready.output_dir / "README.md", model_card(lineage, used, history, stage))
        write_json(ready.output_dir / FINISHED, history)
        send(ready.output_dir, ready.settings.push_to_hub)
    _wait()
    if "wandb" in (trainer.args.report_to or []):
        import wandb

        wandb.finish()
    memory = peak_memory_gib()
    return Trained(
        ready.output_dir, used, ready.plan, ready.rows, history, seconds, memory, learned, lineage, diagnosis
    )


# of a model's folder, what others may have: no sample and no completion, which hold code, and no path
PUBLISHED = ("adapter_*", "tokenizer*", "special_tokens_map.json", "*.jinja", "README.md", "lineage.json")
PUBLISHED += ("model*.safetensors*", "config.json", "generation_config.json")  # of one without an adapter


def pack(adapter: str | Path, archive: str | Path) -> Path:
    """`archive`, a zip of an adapter, or a whole model, as others may have it, for a release; of the same weights
    always the same bytes.

    Unpacked into a folder, it is a model for the resolver, for 04 and for `evaluate`: its lineage names its base.
    """
    folder, path = trained_folder(adapter), from_root(archive)
    base = models.read_lineage(folder)["base_model"]
    if models.is_adapter(folder) and is_whole(base):
        raise LlmergeError(
            f"{shown(folder)} is an adapter on {base}, which others do not have: merge_adapter makes one model of both."
        )
    names = sorted(p.name for p in folder.iterdir() if any(fnmatch(p.name, each) for each in PUBLISHED))
    with atomic_file(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name in names:
            packed.writestr(zipfile.ZipInfo(name), (folder / name).read_bytes(), zipfile.ZIP_DEFLATED)
    return path


def send(folder: Path, repository: str) -> None:
    """Put a model's folder on the hub as a private model; where that fails, a sentence says so, and it stays."""
    if not repository:
        return
    from huggingface_hub import HfApi

    try:
        api = HfApi(token=secret("HF_TOKEN"))
        api.create_repo(repository, private=True, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, allow_patterns=list(PUBLISHED))
    except (OSError, ValueError) as error:  # the hub's errors are of these kinds
        reason = redact(str(error)).strip().splitlines() or [type(error).__name__]
        print(f"The model is in {shown(folder)}, and could not be sent to {repository}: {reason[0]}")


def model_card(
    lineage: Mapping[str, Any], settings: Mapping[str, object], history: Sequence[Mapping], stage: str
) -> str:
    """README.md of a trained model: what it is, what it was trained on, how, and how to load it."""
    whole = lineage.get("whole", False)
    last = {k: v for entry in history for k, v in entry.items()}
    figures = [
        f"{k}: {last[k]:.4g}" for k in ("loss", "eval_loss", "reward", "epoch") if isinstance(last.get(k), float)
    ]
    chosen = "\n".join(
        f"| `{k}` | `{v}` |" for k, v in settings.items() if k not in ("output_dir", "resume", "report_to")
    )
    title = {"sft": "supervised fine-tuning"}.get(stage, stage.upper())
    return (
        f"---\nbase_model: {lineage['base_model']}\nlibrary_name: {'transformers' if whole else 'peft'}\n"
        f"pipeline_tag: text-generation\ntags: [{'' if whole else 'lora, '}merge-conflicts]\n---\n\n"
        f"# {'A model' if whole else 'A LoRA adapter'} that resolves merge conflicts ({title}"
        f"{' of all weights' if whole else ''})\n\n"
        f"* Base: `{lineage['base_model']}`, weights `{(lineage['base_identity'] or 'unknown')[:16]}`.\n"
        f"* Stages: {models.stages(lineage)}; {lineage.get('steps', 0)} steps in this one.\n"
        f"* Learned from replies of {', '.join(lineage.get('teachers', ())) or 'nobody that is known'}.\n"
        f"* Last figures: {', '.join(figures) or 'none'}.\n"
        "* Thinks in `<think>`, then answers with the whole snippet, resolved, in one fenced block. Check what it "
        "writes: a resolution can be wrong and look right.\n\n"
        "```\npython -m llmerge_helpers.resolver a_file_with_conflicts.java --model this/folder\n```\n\n"
        "```python\nfrom llmerge_helpers.models import load_policy\n\n"
        'policy = load_policy("this/folder", trainable=False)\n```\n\n'
        f"| setting | value |\n|---|---|\n{chosen}\n"
    )


def peak_memory_gib() -> float:
    """Peak memory of this process: of the GPU where there is one, else resident."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / GIB
    import resource

    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / GIB


# ----------------------------------------------------------------------------------------------------------- processes


def main_process() -> bool:
    """True in the process that writes."""
    return int(os.environ.get("RANK", 0)) == 0


def one_gpu(config: Any) -> Any:
    """The configuration, for one GPU in a run without a launcher: of several, transformers would make a DataParallel,
    which TRL refuses. There is no public setting for it."""
    if world_size() == 1:
        config._n_gpu = min(config.n_gpu, 1)
    return config


def _wait() -> None:
    import torch.distributed as distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


def _agree(checkpoint: str | None, output_dir: Path) -> str | None:
    """The same checkpoint in every process: the first one may have removed a half-written one."""
    if world_size() == 1:
        return checkpoint
    from accelerate import PartialState

    PartialState().wait_for_everyone()
    found = last_checkpoint(output_dir / "checkpoints")
    return str(found) if found else None
