"""Rejection sampling, a cheap step between SFT and GRPO: draw replies, keep the right ones, and learn from all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges.dataset import write_dataset
from llmerge_helpers.models import Completion, Sampling, completion_budget, read_lineage
from llmerge_helpers.models.adapter import trained_folder
from llmerge_helpers.models.device import world_size
from llmerge_helpers.rewards import format_reward
from llmerge_helpers.run import from_root, shown
from llmerge_helpers.run.files import read_json, room_beside
from llmerge_helpers.training.drawing import draw, is_right
from llmerge_helpers.training.resume import FINISHED, SETTINGS_FILE
from llmerge_helpers.training.rows import grpo_rows, load_rows
from llmerge_helpers.training.settings import GrpoSettings, SftSettings
from llmerge_helpers.training.train import ReadySft, prepare_sft, sft

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

CARD = (
    "# Replies of a teacher, and right ones that the model drew itself\n\nWritten by a round of rejection sampling.\n"
)


class Round(NamedTuple):
    """What came of one round."""

    round: int
    conflicts: int  # that the model tried
    solved: int  # with a right reply among those that were drawn
    new: int  # replies that were not in the data before
    rows: int  # that the model of this round was trained on; 0 where there was nothing new
    loss: float  # on the validation rows, at the end; nan without them
    model: str


class Rounds(NamedTuple):
    """The adapter after the last round that found something, and each round."""

    model: Path
    rounds: list[Round]

    @property
    def table(self) -> pd.DataFrame:
        """A line a round."""
        import pandas as pd

        return pd.DataFrame(self.rounds, columns=list(Round._fields)).set_index("round")


def rounds(values: Mapping[str, object] | SftSettings | ReadySft) -> Rounds:
    """The `rounds` of rejection sampling that the settings ask for, on from the adapter that SFT left in `output_dir`.

    In a round the newest model draws `round_samples` replies to each training conflict of the GRPO data beside the SFT
    data; of the right ones to a conflict the shortest joins the rows, and the base is trained anew on all, into
    `<output_dir>_round1` and so on. Conflicts that 02 set aside for GRPO are left to it. What was drawn, and what was
    trained, is kept: a call that was stopped goes on.
    """
    ready = values if isinstance(values, ReadySft) else prepare_sft(values)
    settings, output = ready.settings, ready.output_dir
    if world_size() > 1 and settings.rounds:
        raise LlmergeError("rounds of rejection sampling run in one process: start them without a launcher.")
    newest, done = output, []
    if not settings.rounds:
        return Rounds(newest, done)
    trained_folder(newest)
    data = load_rows(settings.dataset, made_by="02_inspect_and_prepare")
    asked, known = _conflicts(settings.dataset), {_row(row) for row in data["train"]}
    for number in range(1, settings.rounds + 1):
        found: dict[int, list[Completion]] = {}
        budget = completion_budget(read_lineage(newest))
        rows, _ = grpo_rows(ready.tokenizer, asked, GrpoSettings(curriculum=False), ready.max_length)

        def judge(i: int, replies: Sequence[Completion], rows: Dataset = rows, found: dict = found) -> None:
            found[i] = [reply for reply in replies if _good(reply, rows[i])]

        draw(
            newest,
            ready.plan,
            rows["prompt"],
            settings.round_samples,
            sampling=Sampling(temperature=1.0),
            max_new_tokens=budget,
            journal=output.with_name(f"{output.name}_rounds.jsonl"),
            label=f"round {number}",
            judge=judge,
        )
        prompts = {row["id"]: row["prompt"] for row in asked}
        fresh = list(_fresh(found, rows, prompts, known))
        line = Round(number, len(rows), sum(map(bool, found.values())), len(fresh), 0, float("nan"), "")
        if not fresh:
            done.append(line)
            break
        known |= {_row(row) for row in fresh}
        data["train"] = _joined(data["train"], fresh)
        folder = from_root(settings.dataset).with_name(f"{from_root(settings.dataset).name}_round{number}")
        with room_beside(folder) as room:
            write_dataset(data, folder, room, CARD)
        data = load_rows(str(folder), made_by="02_inspect_and_prepare")
        target = output.with_name(f"{output.name}_round{number}")
        history = _trained(prepare_sft(replace(settings, dataset=str(folder), output_dir=str(target), rounds=0)))
        losses = [entry["eval_loss"] for entry in history if "eval_loss" in entry]
        newest = target
        done.append(
            line._replace(rows=len(data["train"]), loss=losses[-1] if losses else line.loss, model=shown(target))
        )
    return Rounds(newest, done)


def _trained(ready: ReadySft) -> list[dict[str, float]]:
    """The log of a run that was finished with these settings and rows, else of one that is made now."""
    place = ready.output_dir
    finished = ready.settings.resume and (place / FINISHED).exists()
    if finished and read_json(place / SETTINGS_FILE) == json.loads(json.dumps(ready.facts)):
        return read_json(place / FINISHED)
    return sft(ready).history


def _conflicts(dataset: str) -> Dataset:
    """The training conflicts of the GRPO data beside the SFT data, without those that are set aside for GRPO."""
    folder = from_root(dataset)
    beside = [
        each.with_name(each.name.replace("sft", "grpo")) for each in (folder.parent, folder) if "sft" in each.name
    ]
    place = next((each for each in beside if (each / "dataset_dict.json").exists()), None)
    if place is None:
        raise LlmergeError(
            f"there is no GRPO data beside {shown(folder)}, so rounds have no conflicts to draw replies to: run "
            "`papermill notebooks/02_inspect_and_prepare.ipynb out.ipynb`, or set rounds to 0."
        )
    rows = load_rows(str(place), made_by="02_inspect_and_prepare")["train"]
    return rows.filter(lambda row: not row["practice"]) if "practice" in rows.column_names else rows


def _good(reply: Completion, row: Mapping[str, str]) -> bool:
    return is_right(reply, row) and format_reward([reply.text], answer=[row["answer"]]) == [1.0]


def _row(row: Mapping[str, object]) -> tuple[str, str]:
    return str(row["id"]), row["completion"][-1]["content"]


def _fresh(
    found: Mapping[int, Sequence[Completion]],
    rows: Sequence[Mapping[str, str]],
    prompts: Mapping[str, object],
    known: set[tuple[str, str]],
) -> Iterator[dict[str, object]]:
    """A row for each conflict whose shortest right reply is not in the data."""
    for i, replies in sorted(found.items()):
        best = min(replies, key=lambda reply: (reply.tokens, reply.text), default=None)
        if best is None:
            continue
        said, ident = [{"role": "assistant", "content": best.text}], rows[i]["id"]
        row = {"prompt": prompts[ident], "completion": said, "id": ident}
        if _row(row) not in known:
            yield row


def _joined(train: Dataset, fresh: Sequence[Mapping[str, object]]) -> Dataset:
    """The rows, and behind them the fresh ones; of what only the data of 02 knows, nothing."""
    from datasets import Dataset, concatenate_datasets

    features = train.features
    columns = {name: [row.get(name) for row in fresh] for name in features}
    columns |= {"thinking_source": ["drawn"] * len(fresh)} if "thinking_source" in features else {}
    return concatenate_datasets([train, Dataset.from_dict(columns, features=features)])
