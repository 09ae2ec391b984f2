"""What watches a training run: samples, a GRPO health check that says why it stopped, and the completions it keeps."""

from __future__ import annotations

import json
import logging
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from transformers import (  # this module is imported by a training run only
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from llmerge_helpers.conflicts import Row
from llmerge_helpers.models.adapter import adapter_hash
from llmerge_helpers.run import progress
from llmerge_helpers.run.files import read_jsonl, write_jsonl

if TYPE_CHECKING:
    from peft import PeftModel

PATIENCE = 128  # groups: with one in ten that tells its completions apart, all of them fail to once in 700,000 times
NO_SPREAD = "all completions of each group earned the same, so there is no advantage to learn from"
_ALIKE = (
    "all answers were wrong; train SFT longer or on more conflicts, or practise on easier ones.",
    "a group was all right or all wrong; practise on conflicts in between (probe), or take more num_generations.",
    "all answers were right; practise on harder conflicts, or keep the adapter of SFT, which knows these.",
)
Logs = Mapping[str, float]  # what TRL logs of one step
Answer = Callable[["PeftModel", Sequence[Row]], list[dict[str, str]]]  # what a model says to some rows

logger = logging.getLogger(__name__)


class TokenCounter(TrainerCallback):
    """Lets SFT's count of trained tokens go on after a resume; TRL starts it from 0 again."""

    def __init__(self) -> None:
        self.trainer: Trainer | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        counts = [int(entry["num_tokens"]) for entry in state.log_history if "num_tokens" in entry]
        if counts and self.trainer is not None:
            self.trainer._total_train_tokens = max(counts)  # there is no public way to set it


class Samples(TrainerCallback):
    """Writes what the model answers to a few held-out conflicts at every evaluation, one JSON line each."""

    def __init__(self, path: Path, rows: Sequence[Row], answer: Answer) -> None:
        self.path, self.rows, self.answer = path, rows, answer

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PeftModel | None = None,
        **_: object,
    ) -> None:
        if not state.is_world_process_zero or not self.rows:
            return
        earlier = list(read_jsonl(self.path)) if self.path.exists() else []
        earlier = [
            sample for sample in earlier if sample["step"] < state.global_step
        ]  # a resumed run goes over some again
        fresh = [{"step": state.global_step, **sample} for sample in self.answer(model, self.rows)]
        write_jsonl(self.path, [*earlier, *fresh])


class ProgressLine(TrainerCallback):
    """Draws the run as one line, in place of a table of every step."""

    def __init__(self, label: str) -> None:
        self.label, self.line = label, None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        first = state.is_world_process_zero
        self.line = progress(state.max_steps, self.label, done=state.global_step) if first else None

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Logs | None = None,
        **_: object,
    ) -> None:
        names = {"loss": "loss", "eval_loss": "eval loss", "reward": "reward"}
        counts = {label: f"{logs[name]:.3f}" for name, label in names.items() if logs and name in logs}
        if self.line is not None:
            self.line.update(state.global_step, **counts)
            logger.info(self.line.line())

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object) -> None:
        if self.line is not None:
            self.line.done = state.global_step
            self.line.close()


class Health(TrainerCallback):
    """Stops a GRPO run that cannot learn, and says why in one sentence (`diagnosis`).

    Looks at the last steps, as many as hold `patience` groups: all completions cut off, no variance in any group, no
    reward at all, right answers whose format never counts, a gradient that moves no weight, and an entropy that has
    collapsed. Groups are counted, and not steps: of a good model nine in ten groups are right throughout, and steps of
    one group would often be so for a while.
    """

    def __init__(self, patience: int = PATIENCE, groups_a_step: int = 1) -> None:
        self.steps = max(1, -(-patience // groups_a_step))
        self.recent: list[dict[str, float]] = []
        self.diagnosis = ""
        self.start: str | None = None

    def on_train_begin(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: PeftModel | None = None,
        **_: object,
    ) -> None:
        self.start = adapter_hash(model) if model is not None else None

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Logs | None = None,
        model: PeftModel | None = None,
        **_: object,
    ) -> None:
        if not logs or "reward" not in logs:
            return
        self.recent = [*self.recent, dict(logs)][-self.steps :]
        if len(self.recent) < self.steps:
            return
        self.diagnosis = diagnose(self.recent) or self._frozen(model)
        if self.diagnosis:
            control.should_training_stop = True

    def conclude(self, history: Sequence[Logs]) -> str:
        """The diagnosis of the whole run, for one that was too short to be stopped."""
        steps = [logs for logs in history if "reward" in logs]
        self.diagnosis = self.diagnosis or (diagnose(steps) if steps else "")
        return self.diagnosis

    def _frozen(self, model: PeftModel | None) -> str:
        moved = any(
            (logs.get("grad_norm") or 0) > 0 and (logs.get("learning_rate") or 0) > 0 for logs in self.recent[:-1]
        )
        if model is None or self.start is None or not moved or adapter_hash(model) != self.start:
            return ""
        return "the adapter is frozen: there are gradients, but no weight of it changed; load it with load_policy()."


def diagnose(recent: Sequence[Logs]) -> str:
    """Why these steps of GRPO, one dict of TRL's metrics each, can teach nothing; empty where they can.

    >>> diagnose([{"reward": 0.2, "completions/clipped_ratio": 1.0, "frac_reward_zero_std": 0.0}] * 3)
    'every completion was cut off at max_completion_length: raise it, or train SFT longer so that replies end.'
    """

    def always(name: str, test: Callable[[float], bool]) -> bool:
        return all(logs.get(name) is not None and test(logs[name]) for logs in recent)

    if always("completions/clipped_ratio", lambda x: x >= 1.0):
        return (
            "every completion was cut off at max_completion_length: raise it, or train SFT longer so that replies end."
        )
    formats = [name for name in recent[-1] if name.startswith("rewards/format_reward") and name.endswith("mean")]
    answers = [name for name in recent[-1] if name.startswith("rewards/resolution_reward") and name.endswith("mean")]
    if formats and answers and always(formats[0], lambda x: x == 0) and always(answers[0], lambda x: x >= 0.5):
        return (
            "answers are right but their format never counts: the chat template writes a part of the reply that the "
            "format_reward does not know of (prefill)."
        )
    if always("reward", lambda x: x != x):
        return "no completion got any reward, not even 0: every reward function returned None."
    if always("frac_reward_zero_std", lambda x: x >= 1.0):
        # what a group earned alike, its answers earned alike
        earned = fmean(logs[answers[0] if answers else "reward"] for logs in recent)
        return f"{NO_SPREAD}: {_ALIKE[0 if earned < 0.2 else 2 if earned > 0.8 else 1]}"
    if always("entropy", lambda x: x < 0.005):
        return "the policy always writes the same (its entropy is gone): lower the learning_rate or raise beta."
    return ""


class Completions(TrainerCallback):
    """Keeps every completion with its rewards and advantage in `completions.jsonl`; TRL's own table goes to the screen
    and to W&B, where no prompt belongs."""

    def __init__(self, path: Path) -> None:
        self.path, self.trainer = path, None

    def watch(self, trainer: Trainer) -> None:
        """Have a trainer remember the completions of a whole step: TRL's own does those that it wrote at once."""
        args, self.trainer = trainer.args, trainer
        whole = args.per_device_train_batch_size * args.gradient_accumulation_steps * args.world_size
        fresh = partial(deque, maxlen=whole)
        trainer._logs = {
            name: defaultdict(fresh) if isinstance(kept, defaultdict) else fresh()
            for name, kept in trainer._logs.items()
        }

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: object
    ) -> None:
        if state.is_world_process_zero and self.path.exists():
            kept = [row for row in _whole_lines(self.path) if row["step"] <= state.global_step]
            write_jsonl(self.path, kept)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Logs | None = None,
        **_: object,
    ) -> None:
        if self.trainer is None or not logs or "reward" not in logs or not state.is_world_process_zero:
            return
        kept = self.trainer._logs  # the last step's completions; TRL only prints them
        columns = {"prompt": kept["prompt"], "completion": kept["completion"], **kept["rewards"], **kept["extra"]}
        columns["advantage"] = kept["advantages"]
        with open(self.path, "a", encoding="utf-8") as file:
            for values in zip(*columns.values(), strict=False):
                row = {"step": state.global_step, **dict(zip(columns, values, strict=True))}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _whole_lines(path: Path) -> list[dict[str, float]]:
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:  # the run was killed while it wrote this line; the step runs again
            continue
    return rows
