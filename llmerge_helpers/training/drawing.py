"""What a model solves now and then, and what it solves always or never: found before GRPO, by drawing a few replies."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmerge_helpers import models
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges.dataset import without_bars
from llmerge_helpers.models import Completion, Loaded, Plan, Sampling
from llmerge_helpers.models.device import world_size
from llmerge_helpers.run import progress
from llmerge_helpers.run.files import read_jsonl, write_jsonl
from llmerge_helpers.training.guards import empty
from llmerge_helpers.training.rows import in_between
from llmerge_helpers.training.settings import PROBED
from llmerge_helpers.verdict import verify

if TYPE_CHECKING:
    from llmerge_helpers.training.train import ReadyGrpo

TOGETHER = 64  # replies that are drawn at once, at most
Judge = Callable[[int, Sequence[Completion]], None]  # is handed the replies to a prompt, by its place


class Tried(NamedTuple):
    """How a model did on the conflicts that it tried.

    >>> print(Tried(8, 3, 4, 5))
    12 tried, 8 answers to each: 3 right now and then, 4 never, 5 always
    """

    draws: int
    between: int
    wrong: int
    right: int

    def __str__(self) -> str:
        tried = self.between + self.wrong + self.right
        return (
            f"{tried} tried, {self.draws} answers to each: {self.between} right now and then, {self.wrong} never, "
            f"{self.right} always"
        )

    def advice(self) -> str:
        """What to do where nothing lies in between."""
        if self.right > self.wrong:
            return "take harder conflicts (of other repositories, or more of them), or keep the adapter of SFT"
        return "train SFT longer or on more conflicts, or practise on easier ones"


def draw(
    adapter: Path,
    plan: Plan,
    prompts: Sequence[str],
    n: int,
    *,
    sampling: Sampling,
    max_new_tokens: int,
    journal: Path,
    label: str,
    judge: Judge,
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Draw `n` replies of an adapter to each of `prompts`, in order, and hand them to `judge`, until `enough` says so.

    The journal keeps every reply by the model's weights, the prompt and the sampling, so that a run which was stopped
    goes on, and one that was done draws nothing.
    """
    model: Loaded | None = None  # loaded where a reply is missing
    found = models.known_model(str(adapter), plan=plan)
    how = [found.identity.removesuffix("+4bit"), plan.load_in_4bit, list(sampling), max_new_tokens]
    keys = [hashlib.sha256(json.dumps([*how, prompt]).encode()).hexdigest()[:24] for prompt in prompts]
    kept = {(line["key"], line["sample"]): line for line in read_jsonl(journal)} if journal.exists() else {}
    a_time = max(1, min(TOGETHER, 8 * plan.batch_size) // n)  # writing takes less room than training
    known = sum((key, n - 1) in kept for key in keys)
    with progress(len(prompts), label, done=known) as line:
        for start in range(0, len(prompts), a_time):
            places = range(start, min(start + a_time, len(prompts)))
            missing = [(i, s) for i in places for s in range(n) if (keys[i], s) not in kept]
            if missing:
                model = model or found.load()
                fresh = models.complete(
                    model.model,
                    model.tokenizer,
                    [prompts[i] for i, _ in missing],
                    max_new_tokens=max_new_tokens,
                    batch_size=len(missing),
                    sampling=sampling,
                    # of what is drawn alone, so that it is drawn alike wherever a run was stopped, and never twice
                    seed=(int(keys[start], 16) + min(s for _, s in missing)) % 2**31,
                )
                for (i, s), reply in zip(missing, fresh, strict=True):
                    said = {"text": reply.text, "finish_reason": reply.finish_reason, "tokens": reply.tokens}
                    kept[keys[i], s] = {"key": keys[i], "sample": s, **said}
                write_jsonl(journal, kept.values())
            for i in places:
                lines = [kept[keys[i], s] for s in range(n)]
                judge(i, [Completion(each["text"], each["finish_reason"], each["tokens"]) for each in lines])
            line.update(max(known, places[-1] + 1))
            if enough():
                break
    del model
    empty()


def probe(ready: ReadyGrpo) -> ReadyGrpo:
    """The run on the conflicts that its SFT model solves now and then, nearest to half of the time first.

    It tries conflicts that SFT has not trained on, a group of replies to each at GRPO's temperature, until there are
    enough for the steps of the run; each row then has the share that was `solved`. A conflict that is solved always, or
    never, has no completion that is better than another. Where nothing else is found, that is an `LlmergeError`; a
    short run on a CPU goes on with the rows as they are.
    """
    settings, n = ready.settings, ready.settings.num_generations
    most = settings.probe or PROBED[ready.plan.device.kind]
    if most < 0:
        return ready
    unseen = len(ready.train) - ready.seen
    tried = range(min(most, unseen or len(ready.train)))  # those that SFT has seen are last
    rows = ready.train.select(tried)
    wanted = ready.conflicts * ready.max_steps if ready.max_steps > 0 else len(rows)
    rates: dict[int, float] = {}

    def judge(i: int, replies: Sequence[Completion]) -> None:
        rates[i] = sum(is_right(reply, rows[i]) for reply in replies) / len(replies)

    with _one_after_the_other():
        draw(
            ready.adapter,
            ready.plan,
            rows["prompt"],
            n,
            sampling=Sampling(temperature=settings.temperature),
            max_new_tokens=ready.max_completion_length,
            journal=ready.output_dir.with_name(f"{ready.output_dir.name}_probe.jsonl"),
            label="probe",
            judge=judge,
            enough=lambda: len(in_between(rates)) >= wanted,
        )
    chosen = in_between(rates, settings.seed)
    found = Tried(n, len(chosen), sum(r == 0 for r in rates.values()), sum(r == 1 for r in rates.values()))
    if not chosen:
        if not ready.plan.use_cpu:
            raise LlmergeError(
                f"of the conflicts that the SFT model tried, GRPO can learn from none ({found}): {found.advice()}; "
                "probe -1 practises on all."
            )
        return replace(ready, tried=found)
    with without_bars():
        kept = rows.select(chosen).add_column("solved", [rates[i] for i in chosen])
    return replace(ready, tried=found, train=kept).in_batches()


@contextmanager
def _one_after_the_other() -> Iterator[None]:
    """Lets the main process of several go first, so that the others find in the journal what it drew."""
    if world_size() == 1:
        yield
        return
    from accelerate import PartialState

    with PartialState().main_process_first():
        yield


def is_right(reply: Completion, row: Mapping[str, str]) -> bool:
    """Whether a reply to the conflict in a row is right, by the verdict that filters, evaluates and rewards."""
    return bool(verify(reply.text, row, finish_reason=reply.finish_reason).is_correct)
