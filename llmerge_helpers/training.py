"""SFT and GRPO with LoRA: one code for a notebook, a script and `accelerate launch`.

    accelerate launch -m llmerge_helpers.training sft params.yaml
    accelerate launch -m llmerge_helpers.training grpo params.yaml

A params file holds the names of `SftSettings` or `GrpoSettings`. Everything that can be wrong is checked before a model
is loaded; a run that was killed goes on where its last checkpoint is, if its settings are the same.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from llmerge_helpers import devices, models, rendering
from llmerge_helpers.devices import Plan
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.files import read_json, write_atomic, write_json
from llmerge_helpers.resume import fingerprint, last_checkpoint, prepare_output, tracking
from llmerge_helpers.run import resolve, shown
from llmerge_helpers.settings import (
    GrpoSettings,
    SftSettings,
    check_numbers,
    device_steps,
    group_batches,
    settings_from,
    total_steps,
)
from llmerge_helpers.training_data import encode_rows, grpo_rows, load_rows


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


def _facts(settings: Any, plan: Plan, **more: Any) -> dict[str, Any]:
    free = {"output_dir", "resume", "report_to", "save_steps"}  # none of these changes what is learned
    facts = {k: v for k, v in asdict(settings).items() if k not in free}
    world = int(os.environ.get("WORLD_SIZE", 1))
    return facts | {"batch_size": plan.batch_size, "dtype": plan.dtype, "processes": world, **more}


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


def sft(values: Mapping[str, Any] | SftSettings) -> Trained:
    """Fine-tune a LoRA adapter on the rows of 02, with loss on the reply and its end only; saved with its lineage."""
    settings = values if isinstance(values, SftSettings) else settings_from(SftSettings, values)
    check_numbers(settings)
    data = load_rows(settings.dataset, made_by="02_inspect_and_prepare")
    device = devices.found_device()
    name = models.choose_base_model(settings.base_model, device)
    folder = models.locate(name)
    plan = devices.plan(
        device,
        models.model_size(folder),
        load_in_4bit=settings.load_in_4bit,
        lora_rank=settings.lora_rank,
        batch_size=settings.batch_size,
        max_length=settings.max_length,
        name=name,
    )
    tokenizer = models.load_tokenizer(folder)
    rows = list(data["train"])[: settings.limit or None]
    train, report = encode_rows(tokenizer, rows, settings.max_length)
    held_out = data.get("validation")
    validation = None
    if held_out is not None and len(held_out):
        held_rows = list(held_out)[: max(8, len(train) // 10)]
        try:
            validation, _ = encode_rows(tokenizer, held_rows, settings.max_length)
        except LlmergeError:  # every held-out row is too long: nothing to evaluate on, and no reason to stop
            validation = None
    output_dir = resolve(settings.output_dir)
    steps = device_steps(settings.max_steps, "sft", device)
    total = total_steps(settings, plan, len(train), steps)
    report_to = tracking(settings.report_to, output_dir, output_dir.name)
    facts = _facts(
        settings,
        plan,
        max_steps=steps,
        base=models.base_identity(folder),
        data=fingerprint(train.select_columns(["input_ids", "labels"])),
    )
    checkpoint = prepare_output(output_dir, facts, settings.resume) if _main_process() else None
    checkpoint = _agree(checkpoint, output_dir)

    policy = models.new_policy(name, plan, lora_rank=settings.lora_rank, seed=settings.seed)
    return _run_sft(settings, plan, policy, train, validation, report, output_dir, steps, total, report_to, checkpoint)


def _run_sft(
    settings, plan, policy, train, validation, report, output_dir, steps, total, report_to, checkpoint
) -> Trained:
    from trl import SFTConfig, SFTTrainer

    from llmerge_helpers.callbacks import Progress, Samples, TokenCounter

    every = settings.save_steps or max(1, -(-total // 4))
    packing = settings.packing
    arguments = SFTConfig(
        output_dir=str(output_dir / "checkpoints"),
        max_steps=steps,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=plan.batch_size,
        per_device_eval_batch_size=plan.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation_steps,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=total // 20,
        # rows are whole and fit (encode_rows); only packing needs the figure
        max_length=settings.max_length if packing else None,
        packing=packing,
        eval_packing=False,
        train_sampling_strategy="random" if packing else "group_by_length",  # little padding in a batch
        eval_strategy="steps" if validation is not None else "no",
        eval_steps=every,
        save_steps=every,
        save_total_limit=2,
        logging_steps=1 if total <= 200 else 5,
        report_to=report_to,
        disable_tqdm=True,
        seed=settings.seed,
        data_seed=settings.seed,
        **_with_cpu_bf16(plan.training_arguments(), settings.cpu_bf16),
    )
    counter = TokenCounter()
    callbacks = [counter, Progress("SFT")]
    if validation is not None and settings.samples:
        shown_rows = [dict(validation[i]) for i in range(min(settings.samples, len(validation)))]
        callbacks.append(Samples(output_dir / "samples.jsonl", shown_rows, _answerer(policy.tokenizer, report)))
    trainer = SFTTrainer(
        model=policy.model,
        args=arguments,
        train_dataset=train,
        eval_dataset=validation,
        processing_class=policy.tokenizer,
        callbacks=callbacks,
    )
    counter.trainer = trainer
    learned, seconds = _train(trainer, policy, checkpoint)
    return _finish(trainer, policy, plan, settings, report, output_dir, "sft", learned, seconds)


def _train(trainer: Any, policy: models.Policy, checkpoint: str | None, health: Any = None) -> tuple[dict, float]:
    """Train from `checkpoint` or from the start, and make sure that it did."""
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)  # a line of output for every step
    models.upcast_adapters(trainer.model)  # TRL has just turned those of a 4-bit model to bfloat16
    if not models.trainable_parameters(trainer.model):
        raise LlmergeError("the trainer has frozen the adapter (0 trainable parameters): nothing would be learned.")
    before = models.adapter_weights(policy.model)
    started = time.monotonic()
    trainer.train(resume_from_checkpoint=checkpoint)
    seconds = time.monotonic() - started
    if health is not None and health.conclude(trainer.state.log_history):
        moved = models.adapter_hash(policy.model) != health.start
        return models.assert_learned(before, policy.model) if moved else {"max_delta": 0.0, "changed": 0.0}, seconds
    return models.assert_learned(before, policy.model), seconds


def _finish(trainer, policy, plan, settings, report, output_dir, stage, learned, seconds, diagnosis="") -> Trained:
    history = list(trainer.state.log_history)
    lineage: dict[str, Any] = {}
    if _main_process():
        facts = {"completion_tokens_95": report.get("completion_tokens_95", 0), "steps": trainer.state.global_step}
        lineage = models.save_adapter(policy, output_dir, stage, **facts)
        write_json(output_dir / "history.json", history)
        write_atomic(output_dir / "README.md", model_card(lineage, asdict(settings), history, stage))
    _wait()
    if "wandb" in (trainer.args.report_to or []):
        import wandb

        wandb.finish(quiet=True)
    values = asdict(settings) | {"max_steps": trainer.args.max_steps, "batch_size": plan.batch_size}
    return Trained(output_dir, values, plan, report, history, seconds, peak_memory_gib(), learned, lineage, diagnosis)


def _agree(checkpoint: str | None, output_dir: Path) -> str | None:
    """The same checkpoint in every process: the first one may have removed a half-written one."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        return checkpoint
    from accelerate import PartialState

    PartialState().wait_for_everyone()
    found = last_checkpoint(output_dir / "checkpoints")
    return str(found) if found else None


def _with_cpu_bf16(arguments: dict[str, Any], wanted: bool) -> dict[str, Any]:
    return arguments | {"bf16": True} if wanted and arguments["use_cpu"] else arguments


def _answerer(tokenizer: Any, report: Mapping[str, Any]) -> Any:
    from llmerge_helpers.evaluate import complete

    budget = max(16, min(512, report["completion_tokens_95"]))

    def answer(model: Any, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        prompts = [rendering.render_prompt(tokenizer, row["prompt"]) for row in rows]
        replies = complete(model, tokenizer, prompts, max_new_tokens=budget)
        return [
            {"question": row["prompt"][-1]["content"], "reply": reply.text, "finish_reason": reply.finish_reason}
            for row, reply in zip(rows, replies, strict=True)
        ]

    return answer


# ------------------------------------------------------------------------------------------------------------- GRPO


def grpo(values: Mapping[str, Any] | GrpoSettings) -> Trained:
    """Go on from the SFT adapter with GRPO: rewards over verdicts, stopped early where nothing can be learned."""
    settings = values if isinstance(values, GrpoSettings) else settings_from(GrpoSettings, values)
    check_numbers(settings)
    if settings.num_generations < 2:
        raise LlmergeError(f"num_generations is {settings.num_generations}: a group needs at least 2 to compare.")
    data = load_rows(settings.dataset, made_by="02_inspect_and_prepare")
    adapter = resolve(settings.sft_model)
    if not (adapter / "adapter_config.json").exists():
        raise LlmergeError(
            f"{shown(adapter)} holds no adapter: run `papermill notebooks/03_sft_train.ipynb out.ipynb` first."
        )
    lineage = models.read_lineage(adapter)
    device = devices.found_device()
    name = settings.base_model or lineage["base_model"]
    folder = models.locate(name)
    models.check_base(adapter, lineage, folder)
    budget = settings.max_completion_length or min(2048, max(64, lineage.get("completion_tokens_95", 0) * 5 // 4))
    plan = devices.plan(
        device,
        models.model_size(folder),
        load_in_4bit=settings.load_in_4bit,
        lora_rank=read_json(adapter / "adapter_config.json").get("r", 16),
        batch_size=settings.batch_size,
        max_length=settings.max_prompt_tokens + budget,
        name=name,
    )
    plan, accumulation = group_batches(settings, plan)
    vllm = vllm_arguments(settings.use_vllm, plan)
    tokenizer = models.load_tokenizer(folder)
    train, report = grpo_rows(tokenizer, data["train"], settings)
    output_dir = resolve(settings.output_dir)
    steps = device_steps(settings.max_steps, "grpo", device)
    report_to = tracking(settings.report_to, output_dir, output_dir.name)
    facts = _facts(
        settings,
        plan,
        max_steps=steps,
        max_completion_length=budget,
        adapter=lineage.get("adapter_hash"),
        data=fingerprint(train),
    )
    checkpoint = prepare_output(output_dir, facts, settings.resume) if _main_process() else None
    checkpoint = _agree(checkpoint, output_dir)

    policy = models.load_policy(adapter, plan, base_model=name)
    return _run_grpo(
        settings, plan, policy, train, report, output_dir, steps, budget, accumulation, vllm, report_to, checkpoint
    )


def _run_grpo(
    settings, plan, policy, train, report, output_dir, steps, budget, accumulation, vllm, report_to, checkpoint
) -> Trained:
    from functools import partial, update_wrapper

    from trl import GRPOConfig, GRPOTrainer

    from llmerge_helpers import rewards
    from llmerge_helpers.callbacks import Completions, Health, Progress

    groups = max(1, plan.batch_size * accumulation * int(os.environ.get("WORLD_SIZE", 1)) // settings.num_generations)
    total = steps if steps > 0 else max(1, len(train) // groups)
    arguments = GRPOConfig(
        output_dir=str(output_dir / "checkpoints"),
        max_steps=steps,
        num_train_epochs=1,
        per_device_train_batch_size=plan.batch_size,
        gradient_accumulation_steps=accumulation,
        num_generations=settings.num_generations,
        max_completion_length=budget,
        temperature=settings.temperature,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant_with_warmup",
        warmup_steps=total // 20,
        beta=settings.beta,
        reward_weights=[settings.format_weight, 1.0],
        shuffle_dataset=not settings.curriculum,
        # all completions cut off would then mean no loss at all, and a run that looks like a success
        mask_truncated_completions=False,
        log_completions=False,
        logging_steps=1,
        save_steps=settings.save_steps or max(1, -(-total // 4)),
        save_total_limit=2,
        report_to=report_to,
        disable_tqdm=True,
        seed=settings.seed,
        data_seed=settings.seed,
        **vllm,
        **_with_cpu_bf16(plan.training_arguments(), settings.cpu_bf16),
    )
    graded = partial(rewards.resolution_reward, similarity=settings.similarity)
    health, completions = Health(settings.patience), Completions(output_dir / "completions.jsonl")
    trainer = GRPOTrainer(
        model=policy.model,
        reward_funcs=[rewards.format_reward, update_wrapper(graded, rewards.resolution_reward)],
        args=arguments,
        train_dataset=train,
        processing_class=policy.tokenizer,
        callbacks=[health, completions, Progress("GRPO")],
    )
    completions.trainer = trainer
    learned, seconds = _train(trainer, policy, checkpoint, health)
    return _finish(trainer, policy, plan, settings, report, output_dir, "grpo", learned, seconds, health.diagnosis)


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
    stages = " → ".join([p["stage"] for p in lineage["parents"]] + [lineage["stage"]])
    title = {"sft": "supervised fine-tuning", "grpo": "GRPO"}[stage]
    return (
        f"---\nbase_model: {lineage['base_model']}\nlibrary_name: peft\npipeline_tag: text-generation\n"
        "tags: [lora, merge-conflicts]\n---\n\n"
        f"# A LoRA adapter that resolves merge conflicts ({title})\n\n"
        f"* Base: `{lineage['base_model']}`, weights `{(lineage['base_identity'] or 'unknown')[:16]}`.\n"
        f"* Stages: {stages}; {lineage.get('steps', 0)} steps in this one: {', '.join(figures) or 'no figures'}.\n"
        "* Thinks in `<think>`, then answers with the resolved lines in one fenced block. Check what it writes: a "
        "resolution can be wrong and look right.\n\n"
        "```python\nfrom llmerge_helpers.models import load_policy\n\n"
        'policy = load_policy("this folder", trainable=False)\n```\n\n'
        f"| setting | value |\n|---|---|\n{chosen}\n"
    )


# ----------------------------------------------------------------------------------------------------- command line


def main(arguments: Sequence[str] | None = None) -> int:
    """`sft` or `grpo` with a YAML file of settings; every process of `accelerate launch` runs this."""
    import argparse

    import yaml

    parser = argparse.ArgumentParser(prog="llmerge_helpers.training", description=__doc__.splitlines()[0])
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


if __name__ == "__main__":
    raise SystemExit(main())
