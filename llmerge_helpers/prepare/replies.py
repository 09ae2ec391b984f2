"""What 01 left for 02: the examples, checked to be whole and to belong to the dataset that they say they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate.examples import load_examples
from llmerge_helpers.merges import dataset as merges
from llmerge_helpers.run.session import finished, require_finished, resolve, shown


@dataclass(frozen=True)
class Replies:
    """The examples of a finished run of 01, the test rows that training must not see, and facts for the data cards."""

    examples: list[dict[str, Any]] = field(repr=False)
    held_out: list[dict[str, Any]] = field(repr=False)
    facts: dict[str, Any] = field(default_factory=dict)


def load_replies(directory: str | Path) -> Replies:
    """The replies in the output folder of 01 (or its `examples.jsonl`).

    Raises `LlmergeError` where that run was not finished, a line is torn, or the conflicts are those of another
    dataset than the run's.
    """
    path = resolve(directory)
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
    columns = [
        c for c in ("before", "ours", "base", "theirs", "after", "question") if c in dataset["test"].column_names
    ]
    facts = {"dataset": where, "prompt_version": examples[0].get("prompt_version") if examples else None}
    return Replies(examples, dataset["test"].select_columns(columns).to_list(), facts)


def dataset_of(directory: str | Path) -> str | None:
    """The merges dataset that the finished run of 01 in `directory` (or of its `examples.jsonl`) asked about."""
    path = resolve(directory)
    record = finished(path.parent if path.suffix == ".jsonl" else path)
    return _dataset_of(record) if record else None


def _dataset_of(record: Mapping[str, Any]) -> str:
    """What was read, where the record tells; `auto` may be another dataset by now."""
    return (record.get("results") or {}).get("dataset") or (record.get("parameters") or {}).get("dataset") or "auto"


def check_same_conflicts(examples: Sequence[Mapping[str, Any]], dataset: Any, where: str, name: str) -> None:
    """Raise `LlmergeError` unless every example's conflict is a row of `dataset`, with the same question."""
    known = {row for part in dataset.values() for row in zip(_ids(part), part["question"], strict=True)}
    foreign = [e for e in examples if (e["id"] if _has_ids(dataset) else "", e["row"].get("question")) not in known]
    if foreign:
        raise LlmergeError(
            f"{len(foreign)} of {len(examples)} examples in {where} are not of the dataset {name} (the first: "
            f"{foreign[0]['id']}): it was rebuilt or swapped since, run 01_generate again (cached answers are reused)."
        )


def _has_ids(dataset: Any) -> bool:
    return all("id" in part.column_names for part in dataset.values())


def _ids(part: Any) -> list[str]:
    return part["id"] if "id" in part.column_names else [""] * len(part)
