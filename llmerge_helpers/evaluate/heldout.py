"""Conflicts that no training saw: the reader's three first, nothing that is in a training set or nearly so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.files import in_place
from llmerge_helpers.run.session import finished, resolve, shown


def reader_examples(dataset: str = "auto", n: int = 3) -> list[dict[str, Any]]:
    """The conflicts that the reader follows from 01 to 04: the first of the test split."""
    from llmerge_helpers.merges import dataset as merges

    test = merges.load(merges.dataset_path(dataset))["test"]
    return [dict(test[i]) for i in range(min(n, len(test)))]


def held_out(dataset: str, n: int = 0, seed: int = 0, *, sft_model: str = "") -> list[dict[str, Any]]:
    """Conflicts that no training saw: the reader's three, then others of the test split in random order, `n` in all.

    `dataset` is one of 02's; the run.json of 02 and 01 lead to the merges that it was made from. Those may have been
    split anew since: a test row that is in `dataset`, or in the one that `sft_model` was trained on, is left out, and
    so is one that is nearly the same as a row there.
    """
    import random

    from llmerge_helpers.merges import dataset as merges
    from llmerge_helpers.merges.similarity import near_duplicates_of, sketches
    from llmerge_helpers.prepare.candidates import NEAR_DUPLICATE, conflict_of, conflict_text

    source = merges.dataset_path(source_of(dataset))
    test = merges.load(source)["test"]
    if not len(test):
        raise LlmergeError(f"{shown(source)} has no test conflicts to measure on: build it with a test_size above 0.")
    sft_data = (finished(sft_model) or {}).get("parameters", {}).get("dataset", "") if sft_model else ""
    names, texts = _trained_on([dataset, sft_data] if sft_data else [dataset])
    unnamed = [(i, row) for i, row in enumerate(_asked(test)) if names.isdisjoint((row.get("id", ""), row["question"]))]
    sketched = sketches(conflict_text(conflict_of(row)) for _, row in unnamed)
    copies = near_duplicates_of(sketched, list(sketches(texts)), NEAR_DUPLICATE)
    fresh = [i for (i, _), copy in zip(unnamed, copies, strict=True) if copy is None]
    dropped = len(test) - len(fresh)
    if dropped:
        where = f"{dropped} of {len(test)} test conflicts in {shown(source)} are in the training data, or nearly so"
        if not fresh:
            raise LlmergeError(f"{where}: it was split anew, so run 01 and 02 again (cached answers are reused).")
        print(f"{where}, and are not used here.")
    first, others = fresh[:3], fresh[3:]
    random.Random(seed).shuffle(others)
    return [dict(test[i]) for i in (first + others)[: n or None]]


def _trained_on(datasets: Sequence[str]) -> tuple[set[str], list[str]]:
    """Ids and questions, and the texts of the conflicts, in datasets of 02; nothing for one that is not there."""
    from datasets import load_from_disk

    from llmerge_helpers.prepare.candidates import conflict_of, conflict_text

    names: set[str] = set()
    texts: dict[str, None] = {}
    for folder in (in_place(resolve(each)) for each in datasets):
        if not any((folder / name).exists() for name in ("dataset_dict.json", "state.json")):
            continue
        data = load_from_disk(str(folder))
        for split, rows in (data if isinstance(data, dict) else {"train": data}).items():
            if split == "test":  # of a dataset of merges, where training sees only the rest
                continue
            for row in _asked(rows):
                prompt = row.get("prompt") or ""
                asked = row.get("question") or (prompt if isinstance(prompt, str) else prompt[-1]["content"])
                names.update((row.get("id"), row.get("question"), asked))
                texts[conflict_text(conflict_of(row | {"question": asked}))] = None
    return names - {"", None}, list(texts)


def _asked(rows: Any) -> Any:
    """The columns that tell conflicts apart, without the whole files that rows of merges carry."""
    from llmerge_helpers.prepare.candidates import PARTS

    return rows.select_columns([c for c in ("id", "question", "prompt", *PARTS) if c in rows.column_names])


def source_of(dataset: str) -> str:
    """The merges dataset that a dataset of 02 was made from, as its run.json tells; `auto` where there is none.

    A run.json that leads nowhere is an `LlmergeError`: measured on other conflicts, a model would look right or wrong.
    """
    from llmerge_helpers.prepare.replies import dataset_of

    folder = resolve(dataset)
    for place in (folder, folder.parent, folder.parent / "sft_dataset"):
        record = finished(place) or {}
        examples = record.get("parameters", {}).get("examples")
        found = record.get("results", {}).get("dataset") or (dataset_of(examples) if examples else None)
        if found:
            return found
        if examples:
            raise LlmergeError(
                f"{shown(place)} does not tell which conflicts it was made from, and {examples} holds no finished run: "
                "finish 01 and run 02 again (cached answers are reused)."
            )
    return "auto"
