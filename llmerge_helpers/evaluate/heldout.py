"""Conflicts that no training saw, as 02 laid them beside its data sets: the reader's three first."""

from __future__ import annotations

import random
from pathlib import Path

from llmerge_helpers import merges, models
from llmerge_helpers.conflicts import Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import from_root, shown

READERS = 3  # the conflicts that a reader follows from 01 to 04


def reader_examples(dataset: str = "auto", n: int = READERS) -> list[Row]:
    """The conflicts that the reader follows from 01 to 04: the first of the test split of a data set of merges."""
    test = merges.load(merges.dataset_path(dataset))["test"]
    return [dict(test[i]) for i in range(min(n, len(test)))]


def validation_rows(dataset: str | Path, n: int = 0, seed: int = 0) -> list[Row]:
    """The conflicts that 02 put on the validation side of `dataset`, in random order, `n` at most; maybe none.

    SFT data has questions and replies alone, so those of the GRPO data beside it come back.
    """
    from datasets import load_from_disk

    folder = from_root(dataset)
    for place in (folder, *(each.with_name(each.name.replace("sft", "grpo")) for each in (folder.parent, folder))):
        if (place / "dataset_dict.json").exists():
            rows = load_from_disk(str(place)).get("validation")
            if rows is not None and "resolution" in rows.column_names:
                return [dict(rows[i]) for i in _shuffled(range(len(rows)), seed)[: n or None]]
    return []


def held_out(dataset: str | Path, n: int = 0, seed: int = 0, *, sft_model: str = "") -> list[Row]:
    """The conflicts that 02 held out of `dataset`: the reader's three, then others in random order, `n` in all.

    Where the student is asked with siblings, each row has what the developers decided before it in its merge.

    Where the model `sft_model` was trained on another split, some of them may be what it learned from: an
    `LlmergeError`, as where there are none.
    """
    from datasets import load_from_disk

    split = merges.split_of(dataset)
    if not split:
        raise LlmergeError(
            f"{shown(from_root(dataset))} does not say which conflicts were held out of it: run "
            "`papermill notebooks/02_inspect_and_prepare.ipynb out.ipynb` (answers that were paid for are reused)."
        )
    if sft_model and models.is_trained(sft_model):
        merges.check_same_split(models.read_lineage(sft_model).get("split"), split, sft_model, dataset)
    if not split.folder:
        raise LlmergeError(f"{split.source} has no test conflicts to measure on: build it with a test_size above 0.")
    test = load_from_disk(str(from_root(split.folder)))["test"]
    others = _shuffled(range(READERS, len(test)), seed)
    rows = [dict(test[i]) for i in [*range(min(READERS, len(test))), *others][: n or None]]
    return merges.with_earlier(rows, test, split.siblings)


def _shuffled(places: range, seed: int) -> list[int]:
    order = list(places)
    random.Random(seed).shuffle(order)
    return order
