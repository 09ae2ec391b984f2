"""What 01 left for 02: the examples, checked to be whole and to belong to the dataset that they say they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llmerge_helpers import merges
from llmerge_helpers.conflicts import Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Example
from llmerge_helpers.run import from_root, require_finished, shown
from llmerge_helpers.run.files import read_jsonl

if TYPE_CHECKING:
    from datasets import DatasetDict


@dataclass(frozen=True)
class Replies:
    """The examples of a finished run of 01, the test rows that training must not see, and facts for the data cards."""

    examples: list[Example] = field(repr=False)
    held_out: Sequence[Row] = field(repr=False)  # the test split, with everything that judges an answer
    facts: dict[str, str | None] = field(default_factory=dict)


def load_replies(directory: str | Path) -> Replies:
    """The replies in the output folder of 01 (or its `examples.jsonl`).

    Raises `LlmergeError` where that run was not finished, a line is torn, or the conflicts are those of another
    dataset than the run's.
    """
    path = from_root(directory)
    folder = path.parent if path.suffix == ".jsonl" else path
    record = require_finished(folder, "01_generate")
    if record.get("notebook") != "01_generate":
        raise LlmergeError(
            f"{shown(folder)} was written by {record.get('notebook')}: give the output folder of 01_generate."
        )
    examples = load_examples(path)
    name = _dataset_of(record)
    dataset = merges.load(name)
    where = shown(merges.dataset_path(name))
    check_same_conflicts(examples, dataset, shown(folder), where)
    facts = {"dataset": where, "prompt_version": examples[0].get("prompt_version") if examples else None}
    return Replies(examples, dataset["test"], facts)


def _dataset_of(record: Mapping[str, dict[str, str]]) -> str:
    """What was read, where the record tells; `auto` may be another dataset by now."""
    return (record.get("results") or {}).get("dataset") or (record.get("parameters") or {}).get("dataset") or "auto"


def check_same_conflicts(examples: Sequence[Example], dataset: DatasetDict, where: str, name: str) -> None:
    """Raise `LlmergeError` unless every example's conflict is a row of `dataset`, with the same question."""
    known = {row for part in dataset.values() for row in zip(part["id"], part["question"], strict=True)}
    foreign = [e for e in examples if (e["id"], e["row"].get("question")) not in known]
    if foreign:
        raise LlmergeError(
            f"{len(foreign)} of {len(examples)} examples in {where} are not of the dataset {name} (the first: "
            f"{foreign[0]['id']}): it was rebuilt or swapped since, run 01_generate again (cached answers are reused)."
        )


def load_examples(path: str | Path) -> list[Example]:
    """The examples that 01 wrote, from its output folder or its `examples.jsonl`.

    A missing file, a torn line or a file of another kind is an `LlmergeError`.
    """
    path = from_root(path)
    if path.is_dir():
        path = path / "examples.jsonl"
    if not path.exists():
        raise LlmergeError(f"{shown(path)} is not there: run `papermill notebooks/01_generate.ipynb out.ipynb` first.")
    examples = list(read_jsonl(path))
    needed = {"example_id", "row", "message", "verdict"}
    for number, example in enumerate(examples, 1):
        if not isinstance(example, dict) or needed - set(example):
            raise LlmergeError(
                f"{shown(path)}, line {number} is not an example of 01 (it needs {', '.join(sorted(needed))}): "
                "point `examples` at the output folder of 01_generate."
            )
    return examples
