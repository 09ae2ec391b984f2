"""What keeps a run alive or ends it early: memory that runs out, numbers that are none, and how long it will take."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.adapter import put_weights
from llmerge_helpers.models.device import world_size
from llmerge_helpers.run import ending

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import Trainer, TrainerCallback

    from llmerge_helpers.training.train import Ready

FIRST_STEPS = 3  # in which memory may run out for good reason: all shapes have been seen then
BROKEN_STEPS = 5  # without a finite gradient, in a row: fp16's scaler skips one or two while it looks for its scale


def train(ready: Ready, trainer: Trainer, before: Callable[[], Mapping[str, Tensor]]) -> None:
    """Train; where memory runs out in the first steps, once more with half the batch and twice the accumulation.

    `before` gives the weights at the start. A step is the same then: as many rows, one mean.
    """
    import torch

    started = trainer.state.global_step
    try:
        trainer.train(resume_from_checkpoint=ready.checkpoint)
        return
    except torch.OutOfMemoryError as error:
        steps = trainer.state.global_step - started
        whole = ready.plan.memory is not None and not ready.plan.memory.lora_rank
        first = "a lora_rank above 0" if whole else "load_in_4bit True"
        advice = f"choose {first}, a smaller base_model, or shorter texts"
        if steps > FIRST_STEPS or trainer.args.per_device_train_batch_size < 2 or world_size() > 1:
            raise LlmergeError(
                f"the memory of {ready.plan.device.name} ran out at step {trainer.state.global_step} and batch "
                f"{trainer.args.per_device_train_batch_size}: {advice}, or set batch_size to a smaller one."
            ) from error
    _halve(ready, trainer, before())
    print(
        f"The memory of {ready.plan.device.name} ran out: once more with batch {ready.plan.batch_size} and "
        f"{ready.accumulation} accumulation steps, which learns the same."
    )
    try:
        trainer.train(resume_from_checkpoint=ready.checkpoint)
    except torch.OutOfMemoryError as error:
        raise LlmergeError(
            f"the memory of {ready.plan.device.name} ran out at batch {ready.plan.batch_size} too: {advice}."
        ) from error


def _halve(ready: Ready, trainer: Trainer, before: Mapping[str, Tensor]) -> None:
    args = trainer.args
    args.per_device_train_batch_size //= 2
    args.gradient_accumulation_steps *= 2
    trainer._train_batch_size = args.train_batch_size
    if hasattr(args, "steps_per_generation"):  # GRPO: as many replies are written at once, and learned in more parts
        args.steps_per_generation *= 2
        trainer._buffered_inputs, trainer._step = None, 0
    put_weights(ready.policy.model, before)
    trainer.model.zero_grad(set_to_none=True)
    trainer.optimizer = trainer.lr_scheduler = None
    ready.plan = replace(ready.plan, batch_size=args.per_device_train_batch_size)
    ready.accumulation = args.gradient_accumulation_steps
    empty()


def release(ready: Ready, trainer: Trainer) -> None:
    """Let go of the model, its optimizer and whatever memory they held: what is evaluated next is loaded anew.

    A trainer and its callbacks hold each other, so that the weights would stay although nobody uses them.
    """
    ready.policy = None
    trainer.accelerator.free_memory()
    for holder in (trainer, trainer.callback_handler):
        for name in ("model", "model_wrapped", "optimizer", "lr_scheduler", "ref_model", "vllm_generation"):
            if getattr(holder, name, None) is not None:
                setattr(holder, name, None)
    for name in ("train_dataloader", "eval_dataloader"):
        setattr(trainer.callback_handler, name, None)
    empty()


def empty() -> None:
    """Collect what holds itself in cycles, and give cached blocks of a GPU back."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def first_steps(say: Callable[[str], None] = print, clock: Callable[[], float] = time.monotonic) -> TrainerCallback:
    """A callback that says after the first step when the run will end, and stops one whose numbers are none."""
    from transformers import TrainerCallback

    class FirstSteps(TrainerCallback):
        started, counted, broken = 0.0, 0, 0

        def on_train_begin(self, args, state, control, **_):
            self.started, self.counted = clock(), state.global_step

        def on_step_end(self, args, state, control, **_):
            done = state.global_step - self.counted
            if done == 1 and state.is_world_process_zero and state.max_steps > state.global_step:
                left = (clock() - self.started) * (state.max_steps - state.global_step)
                say(f"The first step took {clock() - self.started:.1f} s: {ending(left, datetime.now())}")

        def on_log(self, args, state, control, logs=None, **_):
            figures = [logs[name] for name in ("loss", "grad_norm") if name in (logs or {})]
            if not figures or "eval_loss" in logs:
                return
            nothing = any(figure != figure or abs(figure) == float("inf") for figure in map(float, figures))
            self.broken = self.broken + 1 if nothing else 0
            if self.broken >= BROKEN_STEPS:
                precision = "fp16, which this GPU needs, overflows in this model: choose another base_model"
                raise LlmergeError(
                    f"loss or gradient was no number in {BROKEN_STEPS} steps in a row, at step {state.global_step}: "
                    + (precision if args.fp16 else "lower the learning_rate")
                    + "."
                )

    return FirstSteps()


def check_quantization(load_in_4bit: bool) -> None:
    """Raise `LlmergeError` where 4 bit is asked for without the package that does it."""
    if load_in_4bit and find_spec("bitsandbytes") is None:
        raise LlmergeError(
            "load_in_4bit is True, and bitsandbytes is not there: `pip install 'llmerge[quant]'`, or set it to False."
        )
