"""KTO and DPO: an adapter of SFT goes on from replies that were right and replies that were wrong.

02 writes what it drops: a wrong reply in `rejects.jsonl`, beside the right ones that SFT learned from, is what KTO
needs; a right and a wrong reply to one conflict, in `preferences.jsonl`, is a pair for DPO. Config, trainer and `fit`
are as for SFT and GRPO, and the trainers are TRL's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmerge_helpers import models
from llmerge_helpers.conflicts import Message
from llmerge_helpers.conflicts.prompts import form_of
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import Device, ModelSize, Plan, training_text
from llmerge_helpers.models.adapter import rank_of, weights_below
from llmerge_helpers.models.base import quiet
from llmerge_helpers.models.chat import encode, trainer_prompt
from llmerge_helpers.models.device import GIB, plan
from llmerge_helpers.run import from_root, shown
from llmerge_helpers.run.files import read_jsonl
from llmerge_helpers.training.guards import check_quantization
from llmerge_helpers.training.resume import fingerprint
from llmerge_helpers.training.rows import LengthReport, ids_of, length_report, load_rows
from llmerge_helpers.training.settings import (
    MAX_LENGTH,
    PreferenceSettings,
    chosen_learning_rate,
    settings_from,
)
from llmerge_helpers.training.train import (
    Ready,
    Trained,
    check_form,
    check_settings,
    facts_of,
    fit,
    going_on_from,
    length_of,
    one_gpu,
)

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

# whole replies that are none; a cut one tells nothing of its conflict
WRONG = ("incorrect_resolution", "context_changed", "unresolved")
# bytes of a logit: TRL computes those of a whole batch here, in float32, with their gradient and one copy
LOGIT = 12
Line = Mapping[str, object]


@dataclass(kw_only=True)
class ReadyPreference(Ready):
    """A run of KTO or DPO that can start."""

    settings: PreferenceSettings
    ids: list[str]  # the conflicts that it trains on
    max_length: int

    @property
    def stage(self) -> str:
        return self.settings.method

    def one_step(self) -> str:
        return f"{self.step_size} {'pairs' if self.settings.method == 'dpo' else 'replies'}"


def lines_of(method: str, dataset: str) -> list[dict[str, object]]:
    """What KTO (`prompt`, `completion`, `label`) or DPO (`prompt`, `chosen`, `rejected`) has to learn from, by `id`.

    `dataset` is the folder of the SFT data; only what 02 put on the training side comes back.
    """
    folder = from_root(dataset)
    place = folder.parent / {"kto": "rejects.jsonl", "dpo": "preferences.jsonl"}[method]
    if not place.exists():
        raise LlmergeError(
            f"there is no {shown(place)}: run `papermill notebooks/02_inspect_and_prepare.ipynb out.ipynb` first."
        )
    if method == "dpo":
        pairs = [line for line in read_jsonl(place) if line.get("split", "train") == "train"]
        return [{name: line[name] for name in ("id", "prompt", "chosen", "rejected")} for line in pairs]
    right = load_rows(dataset, made_by="02_inspect_and_prepare")["train"]
    lines = [{name: row[name] for name in ("id", "prompt", "completion")} | {"label": True} for row in right]
    for line in read_jsonl(place):
        # only for being wrong: all other reasons (the test split, a near-duplicate, too long) hold here as well
        alone = set(line["dropped_from"]) == {"correct_only"} and line["match_type"] in WRONG
        if alone and line["split"] == "train" and line["completion"][-1]["content"]:
            lines.append({name: line[name] for name in ("id", "prompt", "completion")} | {"label": False})
    return lines


def preference_counts(dataset: str) -> dict[str, str]:
    """What there is for KTO and for DPO beside the SFT data, in words, for `run.show_table`."""
    found = {}
    for method in ("kto", "dpo"):
        try:
            lines = lines_of(method, dataset)
        except LlmergeError as error:
            found[method] = str(error)
            continue
        wrong = sum(not line.get("label", False) for line in lines)
        kto = f"{len(lines) - wrong} right and {wrong} wrong replies"
        found[method] = kto if method == "kto" else f"{len(lines)} pairs of a right and a wrong reply to one conflict"
    return found


def prepare_preferences(method: str, values: Mapping[str, object] | PreferenceSettings) -> ReadyPreference:
    """Check settings, data, adapter and device for `kto` or `dpo`; what is wrong is an `LlmergeError` of one sentence.

    Rows are whole or left out, and cost no loss on the question, as in SFT.
    """
    given = values if isinstance(values, PreferenceSettings) else settings_from(PreferenceSettings, dict(values))
    settings = replace(given, method=method, output_dir=given.output_dir or f"outputs/{method}_model")
    check_settings(settings)
    adapter, lineage, split = going_on_from(settings)
    lines = lines_of(method, settings.dataset)[: settings.limit or None]
    wrong = [line for line in lines if method == "dpo" or not line["label"]]
    if not wrong or len(wrong) == len(lines) and method == "kto":
        held = f"{shown(from_root(settings.dataset).parent)} holds {preference_counts(settings.dataset)[method]}"
        raise LlmergeError(
            f"{held}: {method} needs right and wrong ones, so run 01_generate with samples above 1, and 02 again."
        )
    form = form_of(lines[0]["prompt"])
    check_form(settings, form, lineage)
    device, name = models.found_device(), settings.base_model or lineage["base_model"]
    folder = weights_below(adapter, lineage, settings.base_model)
    size, tokenizer = models.model_size(folder), models.load_tokenizer(folder)
    longest = settings.max_length or min(size.positions or MAX_LENGTH["cuda"], MAX_LENGTH[device.kind])
    with quiet():
        train, report = _encoded(tokenizer, lines, longest)
    planned = _plan(device, size, settings, adapter, min(longest, report["longest"]), name)
    check_quantization(settings.load_in_4bit)
    length = length_of(settings, planned, len(train), device, form)
    rate = chosen_learning_rate(settings.learning_rate, "grpo", size)
    chosen = {"max_steps": length["max_steps"], "learning_rate": rate, "max_length": longest, "method": method}
    chosen |= {"adapter": lineage.get("adapter_hash"), "data": fingerprint(train)}
    return ReadyPreference(
        settings=settings,
        base_model=name,
        plan=planned,
        tokenizer=tokenizer,
        train=train.remove_columns("id"),
        rows=report,
        **length,
        learning_rate=rate,
        output_dir=from_root(settings.output_dir),
        split=split.fingerprint if split else lineage.get("split", ""),
        form=form,
        facts=facts_of(settings, planned, **chosen),
        ids=ids_of(train),
        max_length=longest,
    ).with_room()


def preference_config(ready: ReadyPreference, **changes: Any) -> KTOConfig | DPOConfig:
    """TRL's configuration of the run; `changes` are any of its arguments, and take precedence."""
    from trl import DPOConfig, KTOConfig

    settings = ready.settings
    every = settings.save_steps or max(1, -(-ready.total_steps // 4))
    chosen = ready.start() | {
        "max_steps": ready.max_steps,
        "num_train_epochs": settings.epochs,
        "per_device_train_batch_size": ready.plan.batch_size,
        "gradient_accumulation_steps": ready.accumulation,
        "learning_rate": ready.learning_rate,
        "lr_scheduler_type": "cosine",
        "warmup_steps": ready.total_steps // 20,
        "beta": settings.beta,
        "max_length": None,  # rows are whole and fit
        "save_steps": every,
        "save_total_limit": 2,
        "logging_steps": 1 if ready.total_steps <= 200 else 5,
    }
    if settings.method == "kto":  # as many right as wrong, in weight
        right = sum(ready.train["label"])
        wrong = len(ready.train) - right
        chosen |= {"desirable_weight": min(1.0, wrong / right), "undesirable_weight": min(1.0, right / wrong)}
    config = {"kto": KTOConfig, "dpo": DPOConfig}[settings.method]
    return one_gpu(config(**chosen | ready.plan.training_arguments() | settings.trl_arguments | changes))


def preference_trainer(ready: ReadyPreference, config: KTOConfig | DPOConfig) -> KTOTrainer | DPOTrainer:
    """TRL's trainer for the run, going on from the SFT adapter, of which it keeps a frozen copy to stay near to."""
    from trl import DPOTrainer, KTOTrainer

    from llmerge_helpers.training.callbacks import ProgressLine

    settings = ready.settings
    ready.policy = policy = models.load_policy(
        settings.sft_model, ready.plan, base_model=settings.base_model, seed=settings.seed
    )
    kind = {"kto": KTOTrainer, "dpo": DPOTrainer}[settings.method]
    with quiet():
        return kind(
            model=policy.model,
            args=config,
            train_dataset=ready.train,
            processing_class=policy.tokenizer,
            callbacks=[ProgressLine(settings.method.upper())],
        )


def prefer(method: str, values: Mapping[str, object] | PreferenceSettings | ReadyPreference) -> Trained:
    """Go on from the SFT adapter with `kto` or `dpo`: config, trainer and `fit` in one."""
    ready = values if isinstance(values, ReadyPreference) else prepare_preferences(method, values)
    return fit(ready, preference_trainer(ready, preference_config(ready)))


kto, dpo = partial(prefer, "kto"), partial(prefer, "dpo")


def _encoded(tokenizer: PreTrainedTokenizerBase, lines: Iterable[Line], longest: int) -> tuple[Dataset, LengthReport]:
    """Lines as text that TRL turns into the very tokens that SFT trains on; too long ones left out."""
    from datasets import Dataset

    rows, lengths = [], []
    for line in lines:
        prompt: list[Message] = line["prompt"]
        row = {"prompt": trainer_prompt(tokenizer, prompt), "id": str(line["id"])}
        row |= {"label": line["label"]} if "label" in line else {}
        length = 0
        for name in ("completion", "chosen", "rejected"):
            if name in line:
                _, row[name] = training_text(tokenizer, prompt, line[name])
                wanted = encode(tokenizer, prompt, line[name])["input_ids"]
                if tokenizer(row["prompt"] + row[name])["input_ids"] != wanted:
                    raise LlmergeError("TRL would give the model other tokens than SFT did: use another base_model.")
                length = max(length, len(wanted))
        rows.append(row)
        lengths.append(length)
    report = length_report(lengths, longest)
    kept = [row for row, length in zip(rows, lengths, strict=True) if length <= longest]
    if not kept or len({row.get("label") for row in kept}) < len({row.get("label") for row in rows}):
        raise LlmergeError(
            f"too few rows fit max_length {longest}: set it to {report['max_length_for_95']}, which keeps 95 %."
        )
    return Dataset.from_list(kept), report


def _plan(device: Device, size: ModelSize, settings: PreferenceSettings, adapter: Path, length: int, name: str) -> Plan:
    """The plan for pairs, which are two rows each, and for KTO, which compares within a batch of two and more."""
    rows = 2 if settings.method == "dpo" else 1
    given = settings.batch_size
    for batch in [given] if given else [4, 2] if rows == 1 else [4, 2, 1]:
        logits = LOGIT * batch * rows * length * size.vocabulary / GIB
        room = replace(device, memory_gib=max(0.0, device.memory_gib - logits))
        try:
            found = plan(
                room,
                size,
                load_in_4bit=settings.load_in_4bit,
                lora_rank=rank_of(adapter),
                batch_size=batch * rows,
                max_length=length,
                name=name,
            )
        except LlmergeError as error:
            refused = error
            continue
        return replace(found, device=device, batch_size=batch, expected_gib=found.expected_gib + logits)
    raise refused
