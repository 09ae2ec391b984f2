"""One teacher reply on its way to be a training example, and the reasons for which it can be dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llmerge_helpers.conflicts.prompts import messages, parse_question, render_reply
from llmerge_helpers.merges.similarity import conflict_text, group_near_duplicates
from llmerge_helpers.merges.splits import group_by_shared_keys
from llmerge_helpers.models.chat import training_text
from llmerge_helpers.models.tokenizer import ChatTokenizer
from llmerge_helpers.prepare.thinking import Thinking, thinking_of

NEAR_DUPLICATE = 0.8  # Jaccard similarity of two conflicts from which they count as the same
PARTS = ("before", "ours", "base", "theirs", "after")
STEPS = {
    "failed": "no reply came",
    "truncated": "the reply was cut off",
    "invalid": "no code in the reply",
    "test": "conflict of the test split, or nearly one",
    "again": "the same reply to the same conflict",
    "long": "longer than max_tokens",
    "duplicate": "nearly the same conflict is kept",
}
STEPS_CORRECT = {
    "wrong": "verdict not accepted",
    "flagged": "reasoning flagged",
    "longer": "a shorter right reply is kept",
}


@dataclass
class Candidate:
    """One reply on its way to be a training example."""

    example: Mapping[str, Any]
    conflict: Mapping[str, Any]  # the five texts, also for rows that have only a question
    thinking: Thinking
    prompt: list[dict[str, str]]
    completion: str
    group: int = -1  # near-duplicates share it
    split: str = "train"
    n_tokens: int = 0
    n_prompt_tokens: int = 0
    dropped: dict[str, str] = field(default_factory=dict)  # dataset -> step

    @property
    def match_type(self) -> str:
        """Its verdict."""
        return self.example["verdict"]["match_type"]

    @property
    def key(self) -> str:
        """The conflict that this is a reply to."""
        return self.example["row"].get("id") or self.prompt[-1]["content"]

    def sft_row(self) -> dict[str, Any]:
        """The row of an SFT dataset."""
        return {
            "prompt": self.prompt,
            "completion": [{"role": "assistant", "content": self.completion}],
            "example_id": self.example["example_id"],
            "sample": self.example.get("sample") or 0,
            "id": str(self.key),
            "match_type": self.match_type,
            "thinking_source": self.thinking.source,
            "n_tokens": self.n_tokens,
        }

    def reject(self) -> dict[str, Any]:
        """The line of rejects.jsonl: the row, and which step dropped it from which dataset."""
        sets = {name: {**STEPS, **STEPS_CORRECT}[step] for name, step in self.dropped.items()}
        return {**self.sft_row(), "dropped_from": sets, "flags": list(self.thinking.flags), "split": self.split}


def candidate_of(example: Mapping[str, Any]) -> Candidate:
    """The reply in one record of `examples.jsonl`, with the reasoning that it would be trained on."""
    row = example["row"]
    conflict = conflict_of(row)
    prompt = [{"role": m["role"], "content": m["content"]} for m in example.get("prompt") or messages(row)]
    thinking = thinking_of({**example, "prompt": prompt}, conflict)
    answer = (example.get("answer") or "").strip()
    completion = render_reply(thinking.text, answer) if answer or example.get("reasoning") else ""
    return Candidate(example, conflict, thinking, prompt, completion)


def drop(candidates: Sequence[Candidate], step: str, when: Callable[[Candidate], Any], only: str = "") -> None:
    """Drop what `when` says, for this first reason, from one dataset or from all."""
    for c in candidates:
        names = [only] if only else ["full", "correct_only"]
        names = [name for name in names if name not in c.dropped]
        if names and when(c):
            c.dropped.update(dict.fromkeys(names, step))


def conflict_of(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The five texts of a row's conflict, read out of its question where the row has nothing else."""
    return row if "ours" in row and "theirs" in row else parse_question(row["question"])


def number_groups(candidates: Sequence[Candidate], held_out: Iterable[Mapping[str, Any]]) -> set[int]:
    """Number the groups of near-duplicates on the candidates; back come the groups that a held-out row is in."""
    by_key = {c.key: c.conflict for c in candidates}
    test = [conflict_of(row) for row in held_out]
    texts = [conflict_text(conflict) for conflict in [*by_key.values(), *test]]
    groups = group_by_shared_keys(list(zip(texts, group_near_duplicates(texts, threshold=NEAR_DUPLICATE), strict=True)))
    number = dict(zip(by_key, groups, strict=False))
    for c in candidates:
        c.group = number[c.key]
    return set(groups[len(by_key) :])


def one_conflict_a_group(candidates: Sequence[Candidate], accept: Sequence[str]) -> dict[int, str]:
    """The conflict that stands for each group: best one with an accepted reply, else one with a usable reply."""
    chosen: dict[int, tuple[int, str]] = {}
    for c in candidates:
        good = 0 if c.dropped else 1 + (c.match_type in accept)
        if c.group not in chosen or good > chosen[c.group][0]:
            chosen[c.group] = (good, c.key)
    return {group: key for group, (_, key) in chosen.items()}


def count_tokens(candidates: Sequence[Candidate], tokenizer: ChatTokenizer) -> None:
    """Set `n_tokens` of what is not dropped yet: prompt and reply through the chat template."""
    kept = [c for c in candidates if not c.dropped]
    for start in range(0, len(kept), 512):
        part = kept[start : start + 512]
        texts = [text for c in part for text in training_text(tokenizer, c.prompt, c.completion)]
        counts = tokenizer.count(texts)
        for c, given, learned in zip(part, counts[::2], counts[1::2], strict=True):
            c.n_prompt_tokens, c.n_tokens = given, given + learned


def shortest(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """For each conflict, the reply with the shortest reasoning of those that `correct_only` still has."""
    best: dict[str, Candidate] = {}
    for c in candidates:
        if "correct_only" not in c.dropped:
            now = best.setdefault(c.key, c)
            if len(c.thinking.text) < len(now.thinking.text):
                best[c.key] = c
    return best
