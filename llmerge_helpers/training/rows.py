"""Rows of 02 as a trainer takes them: whole or left out, never cut, and token by token what the model will see."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.conflicts import Message, Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.chat import check_parity, encode, prefill, trainer_prompt
from llmerge_helpers.run import finished, from_root, require_finished, shown
from llmerge_helpers.run.files import in_place, read_json
from llmerge_helpers.training.settings import GrpoSettings

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict
    from transformers import PreTrainedTokenizerBase

TRAINED_ON = "trained_on.json"  # beside an SFT adapter: the conflicts that it has learned the replies to


class LengthReport(TypedDict, total=False):
    """How many rows are used, and how long they are, in tokens."""

    rows: int
    used: int
    left_out: int
    shortest: int
    median: int
    longest: int
    used_median: int  # of those that fit; the three above are of all rows
    used_longest: int
    max_length_for_95: int  # what keeps 95 % of them
    tokens: int  # of those that are used
    completion_tokens_95: int  # what 95 % of the replies need; of SFT only


def load_rows(path: str, *, made_by: str) -> DatasetDict:
    """The `DatasetDict` in a folder that 02 wrote; missing or empty is an `LlmergeError` that says what to run."""
    from datasets import DatasetDict, load_from_disk

    folder = in_place(from_root(path))
    command = f"run `papermill notebooks/{made_by}.ipynb out.ipynb` first"
    if not (folder / "dataset_dict.json").exists() and not (folder / "state.json").exists():
        inside = sorted(p.parent.name for p in folder.glob("*/dataset_dict.json")) if folder.is_dir() else []
        hint = f"it holds {' and '.join(inside)}: give one of them" if inside else command
        raise LlmergeError(f"there is no dataset in {shown(folder)}: {hint}.")
    for place in (folder, folder.parent):
        refuse_unfinished(place, made_by)
    try:
        found = load_from_disk(str(folder))
    except IndexError:  # what datasets makes of a saved dataset without rows
        found = {}
    except (OSError, ValueError, KeyError) as error:
        raise LlmergeError(f"the dataset in {shown(folder)} cannot be read ({error}): {command}.") from None
    found = found if isinstance(found, dict) else DatasetDict(train=found)
    if not found.get("train") or not len(found["train"]):
        why = " (no answer of the teacher was right)" if "correct_only" in folder.name else ""
        raise LlmergeError(f"the dataset in {shown(folder)} is empty{why}: {command} with more conflicts.")
    return found


def refuse_unfinished(folder: Path, notebook: str) -> None:
    """Raise `LlmergeError` where a run.json says that what lies in `folder` was not finished; none says nothing."""
    if (folder / "run.json").exists():
        require_finished(folder, notebook)


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, rows: Sequence[Mapping[str, list[Message]]], max_length: int
) -> tuple[Dataset, LengthReport]:
    """Tokenised rows that fit `max_length` whole, with a report of lengths; each one is checked for parity.

    Never cuts: a cut row teaches a reply without its end. Raises `LlmergeError` where nothing fits.
    """
    from datasets import Dataset

    encoded = []
    for row in rows:
        tokens = encode(tokenizer, row["prompt"], row["completion"])
        check_parity(tokenizer, tokens, row["prompt"], row["completion"])
        encoded.append(tokens)
    report = length_report([len(e["input_ids"]) for e in encoded], max_length)
    # a row that is cut teaches a reply without its end
    kept = [(row, e) for row, e in zip(rows, encoded, strict=True) if len(e["input_ids"]) <= max_length]
    if not kept:
        raise LlmergeError(
            f"no row fits max_length {max_length} (the shortest has {report['shortest']} tokens): "
            f"set max_length to {report['max_length_for_95']}, which keeps 95 %."
        )
    report["completion_tokens_95"] = _quantile([sum(x >= 0 for x in e["labels"]) for _, e in kept], 0.95)
    extra = {"prompt": [list(row["prompt"]) for row, _ in kept]}
    if all("id" in row for row, _ in kept):
        extra["id"] = [str(row["id"]) for row, _ in kept]
    columns = {k: [e[k] for _, e in kept] for k in ("input_ids", "labels")}
    return Dataset.from_dict(columns | extra), report


def length_report(lengths: Sequence[int], max_length: int) -> LengthReport:
    """How many rows fit whole, how long they are, and which max_length keeps 95 % of them.

    >>> report = length_report([10, 20, 30], 25)
    >>> report["left_out"], report["longest"], report["used_longest"]
    (1, 30, 20)
    """
    fits = [n for n in lengths if n <= max_length]
    return {
        "rows": len(lengths),
        "used": len(fits),
        "left_out": len(lengths) - len(fits),
        "shortest": min(lengths, default=0),
        "median": _quantile(lengths, 0.5),
        "longest": max(lengths, default=0),
        "used_median": _quantile(fits, 0.5),
        "used_longest": max(fits, default=0),
        "max_length_for_95": _quantile(lengths, 0.95),
        "tokens": sum(fits),
    }


def _quantile(values: Sequence[int], share: float) -> int:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


def trained_on(model: Path) -> list[str]:
    """The conflicts that a model was trained on, as it wrote them down; none where it did not."""
    return read_json(model / TRAINED_ON) if (model / TRAINED_ON).exists() else []


def seen_by_sft(adapter: Path, dataset: str | Path) -> frozenset[str]:
    """The conflicts that the SFT adapter was trained on: as it wrote them down, or those of the SFT data beside."""
    if noted := trained_on(adapter):
        return frozenset(noted)
    folder = from_root(dataset)
    for beside in (folder.with_name(folder.name.replace("grpo", "sft")) / name for name in ("correct_only", "")):
        if beside != folder and (beside / "dataset_dict.json").exists():
            return frozenset(ids_of(load_rows(str(beside), made_by="02_inspect_and_prepare")["train"]))
    return frozenset()


def teachers_of(dataset: str | Path) -> list[str]:
    """Whose replies a data set of 02 is made of, as its run.json tells; nobody for one that was made elsewhere."""
    folder = from_root(dataset)
    found = ((finished(place) or {}).get("results", {}).get("teachers") for place in (folder, folder.parent))
    return next((list(names) for names in found if names), [])


def ids_of(rows: Dataset) -> list[str]:
    """The conflict of each row, where the rows name them."""
    return [str(each) for each in rows["id"]] if "id" in rows.column_names else []


def curriculum(rows: Dataset, seen: Collection[str] = frozenset(), seed: int = 0) -> Dataset:
    """GRPO rows in the order in which they are tried: shuffled, those that SFT has trained on last.

    A teacher's `pass_rate` says nothing of a student that has learned its replies by heart.
    """
    ids = ids_of(rows) or [""] * len(rows)
    order = list(range(len(rows)))
    random.Random(seed).shuffle(order)
    return rows.select(sorted(order, key=lambda i: ids[i] in seen))


def in_between(rates: Mapping[int, float], seed: int = 0) -> list[int]:
    """The rows that were solved now and then, nearest to half of the time first; in bands of one distance, shuffled.

    >>> in_between({0: 0.0, 1: 1.0, 2: 0.75, 3: 0.5, 4: 1 / 3, 5: 2 / 3})
    [3, 4, 5, 2]
    """
    order = sorted(i for i, rate in rates.items() if 0 < rate < 1)
    random.Random(seed).shuffle(order)
    return sorted(order, key=lambda i: round(abs(rates[i] - 0.5), 6))


def grpo_rows(
    tokenizer: PreTrainedTokenizerBase,
    rows: Dataset,
    settings: GrpoSettings,
    max_prompt_tokens: int,
    seen: Collection[str] = frozenset(),
) -> tuple[Dataset, LengthReport]:
    """Rows as `GRPOTrainer` takes them: the rendered prompt as text, the conflict's columns, and what was prefilled."""
    from llmerge_helpers.conflicts import messages

    rows = curriculum(rows, seen, settings.seed) if settings.curriculum else rows
    rows = rows.select(range(min(settings.limit, len(rows)))) if settings.limit else rows

    def render(row: Row) -> dict[str, str]:
        prompt = row.get("prompt") or messages(row)
        prompt = prompt if isinstance(prompt, list) else [{"role": "user", "content": prompt}]
        text = trainer_prompt(tokenizer, prompt)
        return {"prompt": text, "prefill": prefill(text)}

    rendered = [render(row) for row in rows]
    tokens = [len(tokenizer(r["prompt"])["input_ids"]) for r in rendered]
    rows = rows.remove_columns([c for c in ("prompt", "prefill") if c in rows.column_names])
    rows = rows.add_column("prompt", [r["prompt"] for r in rendered]).add_column(
        "prefill", [r["prefill"] for r in rendered]
    )
    report = length_report(tokens, max_prompt_tokens)
    kept = rows.select([i for i, n in enumerate(tokens) if n <= max_prompt_tokens])
    if not len(kept):
        raise LlmergeError(
            f"no prompt fits max_prompt_tokens {max_prompt_tokens} (the shortest has {report['shortest']} "
            "tokens): raise it, or take shorter conflicts."
        )
    return kept, report
