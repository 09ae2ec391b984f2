"""What 01 left for 02: the examples, checked to be whole and to belong to the dataset that they say they are of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, TypeVar

from llmerge_helpers import merges
from llmerge_helpers.conflicts import Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Example
from llmerge_helpers.generate.prices import HERE
from llmerge_helpers.run import from_root, require_finished, shown
from llmerge_helpers.run.files import read_jsonl

if TYPE_CHECKING:
    from datasets import DatasetDict

T = TypeVar("T")


DEFAULT = "outputs/deepseek_sft"  # where 01 writes unless told otherwise


class Sources(TypedDict):
    """Where replies come from: the rows to keep away from and those to learn from, the prompt, the runs' folders."""

    held_out: Sequence[Row]
    merged: Sequence[Row]
    facts: dict[str, str | None]
    runs: list[Path]


@dataclass(frozen=True)
class Replies:
    """The examples of finished runs of 01, the test rows that training must not see, and facts for the data cards.

    `runs` has the examples of each run by its teacher's name. In `examples` they are joined: a conflict has one
    number, whoever answered, and the samples of a later run follow those of the one before.
    """

    examples: list[Example] = field(repr=False)
    held_out: Sequence[Row] = field(repr=False)  # the test split, with everything that judges an answer
    merged: Sequence[Row] = field(repr=False, default=())  # the other split: the conflicts beside those asked about
    facts: dict[str, str | None] = field(default_factory=dict)
    runs: dict[str, list[Example]] = field(default_factory=dict, repr=False)
    folders: list[Path] = field(default_factory=list)  # of the runs
    not_asked: int = 0  # samples that a cap on the cost left out

    def sources(self) -> Sources:
        """What `prepare` wants to know of where these replies come from."""
        return {"held_out": self.held_out, "merged": self.merged, "facts": self.facts, "runs": self.folders}

    def advice(self) -> list[str]:
        """What a person should do before training on this, most pressing first; nothing where all is well."""
        kinds = Counter(example["verdict"]["match_type"] for example in self.examples)
        right = {e["id"] for e in self.examples if e["verdict"]["is_correct"]}
        without = len({e["id"] for e in self.examples} - right)
        told = []
        if kinds["failed"]:
            told.append(
                f"{kinds['failed']} of {len(self.examples)} requests had no answer ({_reason(self.examples)}): run 01 "
                "again, it asks only for these."
            )
        if self.not_asked:
            told.append(
                f"{self.not_asked} answers were not asked for, at max_cost_usd: run 01 again with more to go on."
            )
        if kinds["truncated"]:
            many = "reply was" if kinds["truncated"] == 1 else "replies were"
            told.append(f"{kinds['truncated']} {many} cut off: a larger max_tokens in 01 lets such end.")
        if not right:
            told.append(
                "No answer is right, so correct_only has nothing to take: read why below, and try another teacher."
            )
        # these answer the same however often they are asked
        elif without and any(e.get("teacher") not in HERE for e in self.examples):
            told.append(
                f"{without} conflicts have no right answer: `-p samples 4 -p until_correct 1` in 01 draws until one is "
                "right, four times at most."
            )
        return told


def load_replies(directory: str | Path) -> Replies:
    """The replies in the output folder of 01 (or its `examples.jsonl`); of several, with commas between, joined.

    Raises `LlmergeError` where a run was not finished or got no answer, a line is torn, the conflicts are those of
    another dataset than the run's, or the runs are of different datasets.
    """
    paths = _paths(directory)
    runs: dict[str, list[Example]] = {}
    folders, datasets, not_asked = [], {}, 0
    for path in paths:
        folder = path.parent if path.suffix == ".jsonl" else path
        there = shown(folder)
        record = require_finished(folder, "01_generate", "" if there == DEFAULT else f" -p output_dir {there}")
        if record.get("notebook") != "01_generate":
            raise LlmergeError(
                f"{there} was written by {record.get('notebook')}: give the output folder of 01_generate."
            )
        examples = load_examples(path)
        if examples and all(example["verdict"]["match_type"] == "failed" for example in examples):
            raise LlmergeError(
                f"none of the {len(examples)} requests of {there} was answered ({_reason(examples)}): set that right, "
                "and run 01_generate again."
            )
        runs[_name(examples, folder, runs)] = examples
        folders.append(folder)
        datasets[there] = _dataset_of(record)
        not_asked += int((record.get("results") or {}).get("not_asked") or 0)
    places = {there: merges.dataset_path(name) for there, name in datasets.items()}
    if len(set(places.values())) > 1:
        what = ", ".join(f"{there} of {shown(place)}" for there, place in places.items())
        raise LlmergeError(f"these runs are of different datasets ({what}): join runs of the same conflicts.")
    name = next(iter(datasets.values()))
    dataset, where = merges.load(name), shown(merges.dataset_path(name))
    for folder, examples in zip(folders, runs.values(), strict=True):
        check_same_conflicts(examples, dataset, shown(folder), where)
    joined = _joined(list(runs.values()))
    versions = list(dict.fromkeys(example.get("prompt_version") for example in joined))
    facts = {"dataset": where, "prompt_version": ", ".join(str(each) for each in versions if each) or None}
    return Replies(joined, dataset["test"], dataset["train"], facts, runs, folders, not_asked)


def _paths(directory: str | Path) -> list[Path]:
    whole = from_root(directory)
    if whole.exists() or "," not in str(directory):
        return [whole]
    paths = [from_root(part.strip()) for part in str(directory).split(",") if part.strip()]
    twice = [shown(path) for path, count in Counter(paths).items() if count > 1]
    if twice or not paths:
        raise LlmergeError(
            f"examples names {twice[0] if twice else 'no folder'}{' twice' * bool(twice)}: give each run once."
        )
    return paths


def _name(examples: Sequence[Example], folder: Path, taken: Mapping[str, list[Example]]) -> str:
    """What the run is called: its teacher, and the folder where a run before it has the same."""
    first = examples[0] if examples else {}
    teacher, model = first.get("teacher") or folder.name, first.get("model") or ""
    name = teacher if model in ("", teacher) else f"{model} ({teacher})"
    return f"{name}, {folder.name}" if name in taken else name


def _joined(runs: Sequence[list[Example]]) -> list[Example]:
    """The examples of all runs by conflict: one number a conflict, and a number for each of its answers."""
    if len(runs) == 1:
        return runs[0]
    numbers: dict[str, int] = {}
    by_conflict: dict[str, list[Example]] = {}
    for examples in runs:
        for example in sorted(examples, key=lambda each: (each["example_id"], each.get("sample") or 0)):
            number = numbers.setdefault(example["id"], len(numbers))
            answers = by_conflict.setdefault(example["id"], [])
            answers.append(example | {"example_id": number, "sample": len(answers)})
    return [example for answers in by_conflict.values() for example in answers]


def _reason(examples: Sequence[Example]) -> str:
    """Why most requests that have no answer have none."""
    errors = Counter(e.get("error") or "no reason is known" for e in examples if e["verdict"]["match_type"] == "failed")
    return errors.most_common(1)[0][0]


def _dataset_of(record: Mapping[str, dict[str, str]]) -> str:
    """What was read, where the record tells; `auto` may be another dataset by now."""
    return (record.get("results") or {}).get("dataset") or (record.get("parameters") or {}).get("dataset") or "auto"


def check_same_conflicts(examples: Sequence[Example], dataset: DatasetDict, where: str, name: str) -> None:
    """Raise `LlmergeError` unless every example's conflict is a row of `dataset`, with the same question."""
    # hashes, since the questions of a large data set would be in memory twice
    known = {(n, hash(q)) for part in dataset.values() for n, q in zip(part["id"], part["question"], strict=True)}
    foreign = [e for e in examples if (e["id"], hash(e["row"].get("question"))) not in known]
    if foreign:
        raise LlmergeError(
            f"{len(foreign)} of {len(examples)} examples in {where} are not of the dataset {name} (the first: "
            f"{foreign[0]['id']}): it was rebuilt or swapped since, run 01_generate again (cached answers are reused)."
        )


def load_examples(path: str | Path) -> list[Example]:
    """The examples that 01 wrote, from its output folder or its `examples.jsonl`.

    A missing file, a torn line or a file of another kind is an `LlmergeError`. Texts that come again are in memory
    once: the file holds reasoning, answer and question twice.
    """
    path = from_root(path)
    if path.is_dir():
        path = path / "examples.jsonl"
    if not path.exists():
        raise LlmergeError(f"{shown(path)} is not there: run `papermill notebooks/01_generate.ipynb out.ipynb` first.")
    examples: list[Example] = []
    needed = {"example_id", "row", "message", "verdict"}
    small: dict[str, str] = {}
    before: dict[str, str] = {}  # the texts of the example before this one: of another sample they are the same
    for number, example in enumerate(read_jsonl(path), 1):
        if not isinstance(example, dict) or needed - set(example):
            raise LlmergeError(
                f"{shown(path)}, line {number} is not an example of 01 (it needs {', '.join(sorted(needed))}): "
                "point `examples` at the output folder of 01_generate."
            )
        texts: dict[str, str] = {}
        examples.append(_shared(example, small, before, texts))
        before = texts
    return examples


def _shared(value: T, small: dict[str, str], before: Mapping[str, str], texts: dict[str, str]) -> T:
    """The same value with each of its texts, and each name of a field, taken from those that were met earlier."""
    if isinstance(value, str):
        if len(value) < 100:
            return small.setdefault(value, value)
        return texts.setdefault(value, before.get(value, value))
    if isinstance(value, dict):
        return {small.setdefault(k, k): _shared(v, small, before, texts) for k, v in value.items()}
    return [_shared(v, small, before, texts) for v in value] if isinstance(value, list) else value
