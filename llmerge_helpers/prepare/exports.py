"""The prepared data as JSON lines that any trainer reads: chats of right replies, and pairs of a right and a wrong one.

Beside the data sets lie `chat.jsonl` (`messages`, as Axolotl, LLaMA-Factory and Unsloth read them) and, where a
conflict has a right and a wrong reply, `preferences.jsonl` (`prompt`, `chosen`, `rejected`, as TRL reads them), each
with its validation side in a file of its own. `dataset_info.json` tells LLaMA-Factory what they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import TypedDict

from llmerge_helpers.prepare.candidates import Candidate
from llmerge_helpers.run.files import write_atomic, write_jsonl

CHAT, PREFERENCES, LLAMA_FACTORY = "chat", "preferences", "preferences_llama_factory"
SPLITS = {"train": "", "validation": "_validation"}
Messages = list[dict[str, str]]


class Chat(TypedDict):
    """A line of `chat.jsonl`."""

    messages: Messages
    id: str


class Pair(TypedDict):
    """A line of `preferences.jsonl`."""

    prompt: Messages
    chosen: Messages
    rejected: Messages
    id: str


def chats(candidates: Iterable[Candidate], split: str) -> list[Chat]:
    """The rows of `correct_only` as whole conversations."""
    return [
        {"messages": [*c.prompt, *_said(c)], "id": str(c.key)}
        for c in candidates
        if c.split == split and "correct_only" not in c.dropped
    ]


def pairs(candidates: Iterable[Candidate], accept: Sequence[str], split: str) -> list[Pair]:
    """For each wrong reply a right one to the same conflict, the right ones in turn, the shortest reasoning first.

    A reply that could not be trained on (cut off, without code, too long, of a conflict that is left out) is in none,
    and neither is one that is right by a verdict which `accept` does not name.
    """
    by_conflict: dict[str, list[Candidate]] = {}
    for c in candidates:
        if c.split == split and "full" not in c.dropped:
            by_conflict.setdefault(c.key, []).append(c)
    found: list[Pair] = []
    for key, replies in by_conflict.items():
        right = [c for c in replies if c.match_type in accept and c.dropped.get("correct_only") != "flagged"]
        wrong = [c for c in replies if not c.example["verdict"]["is_correct"] and c.match_type not in accept]
        best = cycle(sorted(right, key=lambda c: len(c.thinking.text)))
        for bad, good in zip(wrong, best, strict=False):
            found.append({"prompt": bad.prompt, "chosen": _said(good), "rejected": _said(bad), "id": str(key)})
    return found


def _said(c: Candidate) -> Messages:
    return [{"role": "assistant", "content": c.completion}]


def write_exports(candidates: Sequence[Candidate], accept: Sequence[str], folder: Path) -> dict[str, int]:
    """Write the files beside the data sets in `folder`, and take away those that would be empty; lines by name."""
    counts: dict[str, int] = {}
    for split, ending in SPLITS.items():
        chosen = pairs(candidates, accept, split)
        counts |= _write(folder / f"{CHAT}{ending}.jsonl", chats(candidates, split))
        counts |= _write(folder / f"{PREFERENCES}{ending}.jsonl", chosen)
        # there a reply to rank is one message: of a list it would read nothing, and say nothing
        one = [pair | {"chosen": pair["chosen"][0], "rejected": pair["rejected"][0]} for pair in chosen]
        counts |= _write(folder / f"{LLAMA_FACTORY}{ending}.jsonl", one)
    named = [name for name in counts if name.startswith((f"{CHAT}.", f"{CHAT}_", LLAMA_FACTORY))]
    info = {f"llmerge_{name.removesuffix('.jsonl')}": _described(name) for name in named}
    write_atomic(folder / "dataset_info.json", json.dumps(info, indent=1) + "\n")
    return counts


def _write(path: Path, rows: Sequence[Chat | Pair | dict[str, object]]) -> dict[str, int]:
    if not rows:  # one of an earlier run would be taken for this one's
        path.unlink(missing_ok=True)
        return {}
    write_jsonl(path, rows)
    return {path.name: len(rows)}


def _described(file: str) -> dict[str, object]:
    """What LLaMA-Factory has to know of a file; its format `openai` would write into the system prompt."""
    ranking = file.startswith(LLAMA_FACTORY)
    columns = (
        {"messages": "prompt", "chosen": "chosen", "rejected": "rejected"} if ranking else {"messages": "messages"}
    )
    roles = {name: name.removesuffix("_tag") for name in ("role_tag", "content_tag", "user_tag", "assistant_tag")}
    tags = roles | {"system_tag": "system"}
    return {"file_name": file, "formatting": "sharegpt", "ranking": ranking, "columns": columns, "tags": tags}
