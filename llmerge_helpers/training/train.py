"""SFT and GRPO with LoRA: one code for a notebook, a script and `accelerate launch`.

    accelerate launch -m llmerge_helpers.training sft params.yaml
    accelerate launch -m llmerge_helpers.training grpo params.yaml

A params file holds the names of `SftSettings` or `GrpoSettings`; every run leaves its own in `output_dir`. Everything
that can be wrong is checked before a model is loaded; a run that was killed goes on where its last checkpoint is, if
its settings are the same.

How many processes, and how they share the work, is `accelerate`'s business: `--multi_gpu --num_processes 4` for copies
of the model (tested here with two CPU processes), `--use_fsdp --fsdp_version 2` to shard one that is too large for a
GPU. accelerate shards on GPUs only, so the tests shard with torch alone, and look at the adapter that is saved. GRPO
takes vLLM in its own processes where it is installed (`use_vllm: colocate`), or as a server on other GPUs: start
`trl vllm-serve --model BASE`, and set `use_vllm: server`; vLLM needs a GPU and is not part of the tests.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import adapter as models
from llmerge_helpers.models import chat as rendering
from llmerge_helpers.models import device as devices
from llmerge_helpers.models.base import choose_base_model
from llmerge_helpers.models.device import Plan
from llmerge_helpers.run.files import read_json, read_jsonl, write_atomic, write_json
from llmerge_helpers.run.session import resolve, shown
from llmerge_helpers.training.resume import FINISHED, fingerprint, last_checkpoint, make_way, prepare_output, tracking
from llmerge_helpers.training.rows import encode_rows, grpo_rows, load_rows, refuse_unfinished
from llmerge_helpers.training.settings import (
    MAX_LENGTH,
    MAX_PROMPT_TOKENS,
    GrpoSettings,
    SftSettings,
    check_numbers,
    check_report_to,
    chosen_learning_rate,
    completion_budget,
    device_steps,
    group_batches,
    settings_from,
    total_steps,
)


@dataclass
class Trained:
    """What came of a run."""

    output_dir: Path
    settings: dict[str, Any]
    plan: Plan
    rows: dict[str, Any]  # how many were used and left out, and how long they are
    history: list[dict[str, Any]] = field(repr=False)
    seconds: float
    memory_gib: float
    learned: dict[str, float]
    lineage: dict[str, Any]
    diagnosis: str = ""

    def curves(self) -> Any:
        """The log as a table, one line a logged step."""
        import pandas as pd

        return pd.DataFrame(self.history)

    def samples(self, longest: int = 160) -> Any:
        """What the model answered to held-out conflicts while it learned, as a table; empty without validation rows."""
        import pandas as pd

        path = self.output_dir / "samples.jsonl"
        kept = pd.DataFrame(read_jsonl(path) if path.exists() else [], columns=["step", "finish_reason", "reply"])
        return kept.assign(reply=kept["reply"].str.slice(0, longest))

    @property
    def steps(self) -> int:
        """How many steps the adapter has behind it, those before a resume included."""
        return max((int(entry["step"]) for entry in self.history), default=0)

    def facts(self) -> dict[str, Any]:
        """Steps, time, memory and what moved, as name/value pairs for `run.show_table`."""
        return {
            "steps": self.steps,
            "seconds": round(self.seconds),
            "peak memory": f"{self.memory_gib:.1f} GiB ({self.plan.expected_gib:.1f} expected)",
            "largest change of a weight": f"{self.learned['max_delta']:.2g}",
            "health": self.diagnosis or "nothing found",
        }


def _facts(settings: Any, plan: Plan, **more: Any) -> dict[str, Any]:
    free = {"output_dir", "resume", "report_to", "save_steps"}  # none of these changes what is learned
    facts = {k: v for k, v in asdict(settings).items() if k not in free}
    chosen = {"batch_size": plan.batch_size, "dtype": plan.dtype, "bf16": plan.bf16}
    return facts | chosen | {"processes": devices.world_size(), **more}


def peak_memory_gib() -> float:
    """Peak memory of this process: of the GPU where there is one, else resident."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / devices.GIB
    import resource

    scale = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * scale / devices.GIB


def _main_process() -> bool:
    return int(os.environ.get("RANK", 0)) == 0


def _wait() -> None:
    import torch.distributed as distributed

    if distributed.is_available() and distributed.is_initialized():
        distributed.barrier()


# -------------------------------------------------------------------------------------------------------------- SFT


@dataclass
class Ready:
    """A run that was checked and can start: nothing heavy is loaded yet, and all that shapes its result is known."""

    settings: Any
    base_model: str
    plan: Plan
    tokenizer: Any = field(repr=False)
    train: Any = field(repr=False)
    rows: dict[str, Any]  # how many are used and left out, and how long they are
    max_steps: int  # -1: all epochs
    total_steps: int
    learning_rate: float
    output_dir: Path
    facts: dict[str, Any] = field(repr=False)
    validation: Any = field(default=None, repr=False)
    max_length: int = 0
    max_completion_length: int = 0
    accumulation: int = 1
    vllm: dict[str, Any] = field(default_factory=dict)

    def table(self) -> dict[str, str]:
        """What is about to happen, as name/value pairs for `run.show_table`."""
        rows = f"{self.rows['used']} of {self.rows['rows']} ({self.rows['left_out']} too long)"
        lengths = f"median {self.rows['median']}, longest {self.rows['longest']}"
        steps = f"{self.total_steps} of {self.plan.batch_size * self.accumulation} rows a device"
        return {
            "base model": self.base_model,
            **self.plan.table(),
            "rows": rows,
            "tokens in a row": lengths,
            "steps": steps,
            "learning rate": f"{self.learning_rate:g}",
        }

    def with_room(self) -> Ready:
        """Itself, with `output_dir` free for it: checked before anything is written there."""
        if self.settings.resume:
            make_way(self.output_dir, self.facts, main_process=_main_process())
        return self

    def start(self) -> tuple[str, str | None]:
        """W&B set up and the checkpoint to go on from, the same in every process."""
        tracked = self.settings.report_to, self.output_dir, self.output_dir.name
        checkpoint = None
        if _main_process():
            import yaml

            checkpoint = prepare_output(self.output_dir, self.facts, self.settings.resume)
            # as given, not as chosen here: what it starts may go on from these checkpoints
            write_atomic(self.output_dir / "params.yaml", yaml.safe_dump(asdict(self.settings), sort_keys=False))
            report_to = tracking(*tracked)  # a fresh start has removed the old run's id; the others read the new one
        checkpoint = _agree(checkpoint, self.output_dir)
        if not _main_process():
            report_to = tracking(*tracked)
        return report_to, checkpoint


def prepare_sft(values: Mapping[str, Any] | SftSettings) -> Ready:
    """Check settings, data, model and device for `sft`; what is wrong is an `LlmergeError` of one sentence."""
    settings = values if isinstance(values, SftSettings) else settings_from(SftSettings, values)
    check_numbers(settings)
    check_sharding()
    check_report_to(settings.report_to)
    data = load_rows(settings.dataset, made_by="02_inspect_and_prepare")
    device = devices.found_device()
    name = choose_base_model(settings.base_model, device.gpu_gib)
    folder = models.locate(name)
    size = models.model_size(folder)
    max_length = settings.max_length or MAX_LENGTH[device.kind]
    tokenizer = models.load_tokenizer(folder)
    train, report = encode_rows(tokenizer, list(data["train"])[: settings.limit or None], max_length)
    plan = devices.plan(
        device,
        size,
        load_in_4bit=settings.load_in_4bit,
        lora_rank=settings.lora_rank,
        batch_size=settings.batch_size,
        max_length=min(max_length, report["longest"]),
        name=name,
    )
    held_out, validation = data.get("validation"), None
    if held_out is not None and len(held_out):
        with suppress(LlmergeError):  # none fits: nothing to evaluate on, and no reason to stop
            validation, _ = encode_rows(tokenizer, list(held_out)[: max(8, len(train) // 10)], max_length)
    steps = device_steps(settings.max_steps, "sft", device)
    rate = chosen_learning_rate(settings.learning_rate, "sft", size)
    tokens = fingerprint(train.select_columns(["input_ids", "labels"]))
    chosen = {"max_steps": steps, "learning_rate": rate, "max_length": max_length}
    facts = _facts(settings, plan, base=models.base_identity(folder), data=tokens, **chosen)
    return Ready(
        settings, name, plan, tokenizer, train, report, steps, total_steps(settings, plan, len(train), steps), rate,
        resolve(settings.output_dir), facts, validation, max_length,
        accumulation=settings.gradient_accumulation_steps,
    ).with_room()  # fmt: skip


def sft(values: Mapping[str, Any] | SftSettings | Ready) -> Trained:
    """Fine-tune a LoRA adapter on the rows of 02, with loss on the reply and its end only; saved with its lineage."""
    ready = values if isinstance(values, Ready) else prepare_sft(values)
    report_to, checkpoint = ready.start()
    settings, plan = ready.settings, ready.plan
    policy = models.new_policy(ready.base_model, plan, lora_rank=settings.lora_rank, seed=settings.seed)

    from trl import SFTConfig, SFTTrainer

    from llmerge_helpers.training.callbacks import Progress, Samples, TokenCounter

    every = settings.save_steps or max(1, -(-ready.total_steps // (2 if plan.use_cpu else 4)))
    arguments = SFTConfig(
        output_dir=str(ready.output_dir / "checkpoints"),
        max_steps=ready.max_steps,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=plan.batch_size,
        per_device_eval_batch_size=plan.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        learning_rate=ready.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=ready.total_steps // 20,
        # rows are whole and fit (encode_rows); only packing needs the figure
        max_length=ready.max_length if settings.packing else None,
        packing=settings.packing,
        eval_packing=False,
        train_sampling_strategy="random" if settings.packing else "group_by_length",  # little padding in a batch
        eval_strategy="no" if ready.validation is None else "steps",
        eval_steps=every,
        save_steps=every,
        save_total_limit=2,
        logging_steps=1 if ready.total_steps <= 200 else 5,
        report_to=report_to,
        disable_tqdm=True,
        seed=settings.seed,
        data_seed=settings.seed,
        **plan.training_arguments(),
    )
    one_gpu(arguments)
    counter, callbacks = TokenCounter(), [Progress("SFT")]
    # generating takes every process of a sharded model, and a callback writes in one of them only
    if ready.validation is not None and settings.samples and not devices.sharded():
        rows = [dict(ready.validation[i]) for i in range(min(settings.samples, len(ready.validation)))]
        longest = 96 if plan.use_cpu else 512  # a look while it learns; the evaluation afterwards waits for the end
        answer = _answerer(policy.tokenizer, min(longest, ready.rows["completion_tokens_95"]))
        callbacks.append(Samples(ready.output_dir / "samples.jsonl", rows, answer))
    with models.quiet():
        trainer = SFTTrainer(
            model=policy.model,
            args=arguments,
            train_dataset=ready.train,
            eval_dataset=ready.validation,
            processing_class=policy.tokenizer,
            callbacks=[counter, *callbacks],
        )
    counter.trainer = trainer
    learned, seconds = _train(trainer, policy, checkpoint)
    return _finish(trainer, policy, ready, "sft", learned, seconds)


def _train(trainer: Any, policy: models.Policy, checkpoint: str | None, health: Any = None) -> tuple[dict, float]:
    """Train from `checkpoint` or from the start, and make sure that it did."""
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)  # a line of output for every step
    models.upcast_adapters(trainer.model)  # TRL has just turned those of a 4-bit model to bfloat16
    if not models.trainable_parameters(trainer.model):
        raise LlmergeError("the trainer has frozen the adapter (0 trainable parameters): nothing would be learned.")
    before = models.adapter_weights(policy.model)
    started = time.monotonic()
    with models.quiet():
        trainer.train(resume_from_checkpoint=checkpoint)
    seconds = time.monotonic() - started
    if health is not None and health.conclude(trainer.state.log_history):
        moved = models.adapter_hash(policy.model) != health.start
        return models.assert_learned(before, policy.model) if moved else {"max_delta": 0.0, "changed": 0.0}, seconds
    return models.assert_learned(before, policy.model), seconds


def _finish(
    trainer: Any, policy: models.Policy, ready: Ready, stage: str, learned: dict, seconds: float, diagnosis: str = ""
) -> Trained:
    history = list(trainer.state.log_history)
    used = asdict(ready.settings) | {
        "base_model": ready.base_model,
        "max_steps": trainer.args.max_steps,
        "batch_size": ready.plan.batch_size,
        "gradient_accumulation_steps": ready.accumulation,
        "learning_rate": ready.learning_rate,
        "max_length": ready.max_length,
    }
    needed = ready.rows.get("completion_tokens_95") or policy.lineage.get("completion_tokens_95", 0)
    facts = {"completion_tokens_95": needed, "steps": trainer.state.global_step}
    lineage = models.save_adapter(policy, ready.output_dir, stage, main_process=_main_process(), **facts)
    if _main_process():
        write_atomic(ready.output_dir / "README.md", model_card(lineage, used, history, stage))
        write_json(ready.output_dir / FINISHED, history)
    _wait()
    if "wandb" in (trainer.args.report_to or []):
        import wandb

        wandb.finish()
    memory = peak_memory_gib()
    return Trained(
        ready.output_dir, used, ready.plan, ready.rows, history, seconds, memory, learned, lineage, diagnosis
    )


def one_gpu(arguments: Any) -> None:
    """Keep a run without a launcher on one GPU: of several, transformers would make a DataParallel that TRL refuses."""
    if devices.world_size() == 1:
        arguments._n_gpu = min(arguments.n_gpu, 1)


def check_sharding() -> None:
    """Raise `LlmergeError` for the first FSDP, which flattens frozen and trained weights into one."""
    if devices.sharded() and os.environ.get("FSDP_VERSION", "1") == "1":
        raise LlmergeError("FSDP 1 cannot train an adapter beside frozen weights: give accelerate `--fsdp_version 2`.")


def _agree(checkpoint: str | None, output_dir: Path) -> str | None:
    """The same checkpoint in every process: the first one may have removed a half-written one."""
    if devices.world_size() == 1:
        return checkpoint
    from accelerate import PartialState

    PartialState().wait_for_everyone()
    found = last_checkpoint(output_dir / "checkpoints")
    return str(found) if found else None


def _answerer(tokenizer: Any, max_new_tokens: int) -> Any:
    from llmerge_helpers.models.answer import complete

    def answer(model: Any, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        prompts = [rendering.render_prompt(tokenizer, row["prompt"]) for row in rows]
        replies = complete(model, tokenizer, prompts, max_new_tokens=max(16, max_new_tokens))
        return [
            {"question": row["prompt"][-1]["content"], "reply": reply.text, "finish_reason": reply.finish_reason}
            for row, reply in zip(rows, replies, strict=True)
        ]

    return answer


# ------------------------------------------------------------------------------------------------------------- GRPO


def prepare_grpo(values: Mapping[str, Any] | GrpoSettings) -> Ready:
    """Check settings, data, adapter, base and device for `grpo`; what is wrong is an `LlmergeError` of one sentence."""
    settings = values if isinstance(values, GrpoSettings) else settings_from(GrpoSettings, values)
    check_numbers(settings)
    check_sharding()
    check_report_to(settings.report_to)
    if settings.num_generations < 2:
        raise LlmergeError(f"num_generations is {settings.num_generations}: a group needs at least 2 to compare.")
    data = load_rows(settings.dataset, made_by="02_inspect_and_prepare")
    adapter = models.adapter_folder(settings.sft_model)
    refuse_unfinished(adapter, "03_sft_train")
    if adapter == resolve(settings.output_dir):
        raise LlmergeError(
            f"sft_model and output_dir are both {shown(adapter)}: choose another output_dir, so that the SFT adapter "
            "stays what it is."
        )
    lineage = models.read_lineage(adapter)
    device = devices.found_device()
    name = settings.base_model or lineage["base_model"]
    folder = models.locate(name)
    models.check_base(adapter, lineage, folder)
    size = models.model_size(folder)
    budget = settings.max_completion_length or completion_budget(lineage)
    tokenizer = models.load_tokenizer(folder)
    with models.quiet():
        max_prompt_tokens = settings.max_prompt_tokens or MAX_PROMPT_TOKENS[device.kind]
        train, report = grpo_rows(tokenizer, data["train"], settings, max_prompt_tokens)
    plan = devices.plan(
        device,
        size,
        load_in_4bit=settings.load_in_4bit,
        lora_rank=read_json(adapter / "adapter_config.json").get("r", 16),
        batch_size=settings.batch_size,
        max_length=min(report["longest"], max_prompt_tokens) + budget,
        name=name,
    )
    plan, accumulation = group_batches(settings, plan)
    vllm = vllm_arguments(settings.use_vllm, plan)
    steps = device_steps(settings.max_steps, "grpo", device)
    groups = max(1, plan.batch_size * accumulation * devices.world_size() // settings.num_generations)
    total = steps if steps > 0 else max(1, len(train) // groups)
    rate = chosen_learning_rate(settings.learning_rate, "grpo", size)
    facts = _facts(
        settings,
        plan,
        max_steps=steps,
        learning_rate=rate,
        max_prompt_tokens=max_prompt_tokens,
        max_completion_length=budget,
        adapter=lineage.get("adapter_hash"),
        data=fingerprint(train),
    )
    return Ready(
        settings, name, plan, tokenizer, train, report, steps, total, rate, resolve(settings.output_dir), facts,
        max_completion_length=budget, accumulation=accumulation, vllm=vllm,
    ).with_room()  # fmt: skip


def grpo(values: Mapping[str, Any] | GrpoSettings | Ready) -> Trained:
    """Go on from the SFT adapter with GRPO: rewards over verdicts, stopped early where nothing can be learned."""
    ready = values if isinstance(values, Ready) else prepare_grpo(values)
    report_to, checkpoint = ready.start()
    settings, plan = ready.settings, ready.plan
    policy = models.load_policy(settings.sft_model, plan, base_model=ready.base_model)

    from functools import partial, update_wrapper

    from trl import GRPOConfig, GRPOTrainer

    from llmerge_helpers import rewards
    from llmerge_helpers.models.answer import end_ids
    from llmerge_helpers.training.callbacks import Completions, Health, Progress

    arguments = GRPOConfig(
        output_dir=str(ready.output_dir / "checkpoints"),
        max_steps=ready.max_steps,
        num_train_epochs=1,
        per_device_train_batch_size=plan.batch_size,
        gradient_accumulation_steps=ready.accumulation,
        num_generations=settings.num_generations,
        max_completion_length=ready.max_completion_length,
        temperature=settings.temperature,
        learning_rate=ready.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=ready.total_steps // 20,
        beta=settings.beta,
        reward_weights=[settings.format_weight if each is rewards.format_reward else 1.0 for each in rewards.REWARDS],
        shuffle_dataset=not settings.curriculum,
        # all completions cut off would then mean no loss at all, and a run that looks like a success
        mask_truncated_completions=False,
        log_completions=False,
        logging_steps=1,
        save_steps=settings.save_steps or max(1, -(-ready.total_steps // 4)),
        save_total_limit=2,
        report_to=report_to,
        disable_tqdm=True,
        seed=settings.seed,
        data_seed=settings.seed,
        **ready.vllm,
        **plan.training_arguments(),
    )
    more = {rewards.resolution_reward: {"similarity": settings.similarity}}
    one_gpu(arguments)
    ends = end_ids(policy.model, policy.tokenizer)  # a completion without one was cut off, and is judged so
    bound = [update_wrapper(partial(each, end_ids=ends, **more.get(each, {})), each) for each in rewards.REWARDS]
    health, completions = Health(settings.patience), Completions(ready.output_dir / "completions.jsonl")
    trainer = GRPOTrainer(
        model=policy.model,
        reward_funcs=bound,
        args=arguments,
        train_dataset=ready.train,
        processing_class=policy.tokenizer,
        callbacks=[health, completions, Progress("GRPO")],
    )
    completions.trainer = trainer
    learned, seconds = _train(trainer, policy, checkpoint, health)
    return _finish(trainer, policy, ready, "grpo", learned, seconds, health.diagnosis)


def vllm_arguments(wanted: str, plan: Plan) -> dict[str, Any]:
    from importlib.util import find_spec

    installed = find_spec("vllm") is not None
    if wanted not in ("auto", "colocate", "server", "none"):
        raise LlmergeError(f"use_vllm is {wanted!r}: use auto, colocate, server or none.")
    if wanted in ("colocate", "server") and not installed:
        raise LlmergeError(f"use_vllm is {wanted}, and vllm is not installed: `pip install vllm`, or use_vllm none.")
    if wanted == "none" or plan.use_cpu or not installed or (wanted == "auto" and plan.load_in_4bit):
        return {}
    mode = "colocate" if wanted == "auto" else wanted
    return {"use_vllm": True, "vllm_mode": mode, "vllm_gpu_memory_utilization": 0.3}


# ------------------------------------------------------------------------------------------------------- model card


def model_card(lineage: Mapping[str, Any], settings: Mapping[str, Any], history: Sequence[Mapping], stage: str) -> str:
    """README.md of an adapter: what it is, what it was trained on, how, and how to load it."""
    last = {k: v for entry in history for k, v in entry.items()}
    figures = [
        f"{k}: {last[k]:.4g}" for k in ("loss", "eval_loss", "reward", "epoch") if isinstance(last.get(k), float)
    ]
    chosen = "\n".join(
        f"| `{k}` | `{v}` |" for k, v in settings.items() if k not in ("output_dir", "resume", "report_to")
    )
    title = {"sft": "supervised fine-tuning", "grpo": "GRPO"}[stage]
    return (
        f"---\nbase_model: {lineage['base_model']}\nlibrary_name: peft\npipeline_tag: text-generation\n"
        "tags: [lora, merge-conflicts]\n---\n\n"
        f"# A LoRA adapter that resolves merge conflicts ({title})\n\n"
        f"* Base: `{lineage['base_model']}`, weights `{(lineage['base_identity'] or 'unknown')[:16]}`.\n"
        f"* Stages: {models.stages(lineage)}; {lineage.get('steps', 0)} steps in this one.\n"
        f"* Last figures: {', '.join(figures) or 'none'}.\n"
        "* Thinks in `<think>`, then answers with the whole snippet, resolved, in one fenced block. Check what it "
        "writes: a resolution can be wrong and look right.\n\n"
        "```\npython -m llmerge_helpers.resolver a_file_with_conflicts.java --model this/folder\n```\n\n"
        "```python\nfrom llmerge_helpers.models import load_policy\n\n"
        'policy = load_policy("this/folder", trainable=False)\n```\n\n'
        f"| setting | value |\n|---|---|\n{chosen}\n"
    )


# ----------------------------------------------------------------------------------------------------- command line


def main(arguments: Sequence[str] | None = None) -> int:
    """`sft` or `grpo` with a YAML file of settings; every process of `accelerate launch` runs this."""
    import argparse

    import yaml

    parser = argparse.ArgumentParser(prog="llmerge_helpers.training.train", description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=("sft", "grpo"))
    parser.add_argument("params", help="YAML file: names of SftSettings or GrpoSettings")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if _main_process() else logging.WARNING, format="%(message)s")
    try:
        path = Path(given.params)
        if not path.exists():
            raise LlmergeError(f"{path} is not there: give a YAML file of settings.")
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise LlmergeError(f"{path} must hold `name: value` lines.")
        result = {"sft": sft, "grpo": grpo}[given.stage](values)
    except LlmergeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if _main_process():
        facts = {"seconds": round(result.seconds), "memory GiB": round(result.memory_gib, 2), **result.learned}
        print(f"{given.stage} finished: {shown(result.output_dir)}; {facts} {result.diagnosis}".rstrip())
    return 0
