"""One teacher reply on its way to be a training example, and the reasons for which it can be dropped."""

from __future__ import annotations

import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from llmerge_helpers.baselines import ask
from llmerge_helpers.baselines.explain import explain_change, explain_result
from llmerge_helpers.conflicts import Conflict, Form, Row, messages, render_reply, split_reply
from llmerge_helpers.conflicts.plans import render_compact
from llmerge_helpers.conflicts.prompts import FULL, form_of
from llmerge_helpers.generate import Example
from llmerge_helpers.generate.developers import FROM_FACTS
from llmerge_helpers.merges.splits import group_by_shared_keys, group_near_duplicates, merge_of
from llmerge_helpers.models import ChatTokenizer, training_text

NEAR_DUPLICATE = 0.8  # Jaccard similarity of two conflicts from which they count as the same
STEPS = {
    "failed": "no reply came",
    "truncated": "the reply was cut off",
    "invalid": "no code in the reply",
    "test": "conflict of the test split, or nearly one",
    "again": "the same reply to the same conflict",
    "around": "it changes the lines around, which a compact reply does not show",
    "long": "longer than max_tokens",
    "duplicate": "nearly the same conflict is kept",
    "near_equal": "nearly the same change in its merge is kept",
    "practice": "set aside for GRPO to practise on",
}
STEPS_CORRECT = {
    "wrong": "verdict not accepted",
    "flagged": "reasoning flagged",
    "longer": "a shorter right reply is kept",
}
FLAGS = {
    "empty": "the reply had no reasoning",
    "cut": "the reasoning was cut off",
    "loops": "the same words come again and again",
    "language": "the reasoning leaves the language of the question",
    "harness": "special tokens, think tags or words about the grading stand in it",
}
FROM_PLAN = "plan"  # that of one which names what was done, in compact replies
_HARNESS = re.compile(
    r"</?think>|<\|[\w.-]{2,40}\|>|<｜[^｜\n]{2,40}｜>|\[/?INST\]|ground[- ]truth|system prompt|match_type|exact_match"
    r"|(?:developer|reference|gold|expected)(?:'s)? (?:resolution|solution|answer|output) (?:is|says|given|shows)",
    re.IGNORECASE,
)
# letters of these scripts in the answer to a question that has none of them: the model drifts
_OTHER_SCRIPTS = re.compile(
    r"[\u0400-\u058f\u0590-\u08ff\u0900-\u0fff\u1100-\u11ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
)


@dataclass
class Candidate:
    """One reply on its way to be a training example."""

    example: Example
    conflict: Conflict
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
    def teacher(self) -> str:
        """Who wrote it: a service, or what answers here, and the model that did."""
        return f"{self.example.get('teacher')} ({self.example.get('served_model')})"

    @property
    def key(self) -> str:
        """The conflict that this is a reply to."""
        return self.example["row"].get("id") or self.prompt[-1]["content"]

    def sft_row(self) -> dict[str, object]:
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

    def reject(self) -> dict[str, object]:
        """The line of rejects.jsonl: the row, and which step dropped it from which dataset."""
        sets = {name: {**STEPS, **STEPS_CORRECT}[step] for name, step in self.dropped.items()}
        return {**self.sft_row(), "dropped_from": sets, "flags": list(self.thinking.flags), "split": self.split}


def candidate_of(example: Example, form: Form = FULL, asked: Row | None = None) -> Candidate:
    """The reply in one record of `examples.jsonl` as a student is to write it, with the question in the same form.

    `asked` is its row as the student is asked about it, with what came before it in its merge. In compact style it
    names its plan, or gives the resolution alone; `completion` is empty where the reply has no code that could be said
    so.
    """
    row = example["row"]
    conflict = Conflict.of(row)
    if form.style == "compact":
        code = example["verdict"].get("answer")
        hunk = conflict.cut(code) if code is not None else None
        completion = render_compact(conflict, hunk) if hunk is not None else ""
        thinking = Thinking(split_reply(completion).reasoning, FROM_PLAN)
        return Candidate(example, conflict, thinking, list(map(dict, ask(asked or row, form))), completion)
    prompt = [{"role": m["role"], "content": m["content"]} for m in example.get("prompt") or messages(row)]
    thinking = thinking_of({**example, "prompt": prompt}, conflict)
    answer = (example.get("answer") or "").strip()
    completion = render_reply(thinking.text, answer) if answer or example.get("reasoning") else ""
    # a teacher may have been asked in another form; a question made elsewhere stays as it is
    prompt = list(map(dict, ask(asked or row, form))) if form != FULL or form_of(prompt) != FULL else prompt
    return Candidate(example, conflict, thinking, prompt, completion)


def drop(candidates: Sequence[Candidate], step: str, when: Callable[[Candidate], object], only: str = "") -> None:
    """Drop what `when` says, for this first reason, from one dataset or from all."""
    for c in candidates:
        names = [only] if only else ["full", "correct_only"]
        names = [name for name in names if name not in c.dropped]
        if names and when(c):
            c.dropped.update(dict.fromkeys(names, step))


def number_groups(candidates: Sequence[Candidate], test: Iterable[Conflict]) -> set[int]:
    """Number the groups of near-duplicates on the candidates; back come the groups that a held-out conflict is in."""
    by_key = {c.key: c.conflict for c in candidates}
    texts = [conflict.text() for conflict in [*by_key.values(), *test]]
    groups = group_by_shared_keys(list(zip(texts, group_near_duplicates(texts, threshold=NEAR_DUPLICATE), strict=True)))
    number = dict(zip(by_key, groups, strict=False))
    for c in candidates:
        c.group = number[c.key]
    return set(groups[len(by_key) :])


def one_conflict_a_group(candidates: Sequence[Candidate], accept: Sequence[str]) -> dict[int, str]:
    """The conflict that stands for each group: best one with an accepted reply, else one with a usable reply."""
    chosen: dict[int, tuple[int, str]] = {}
    for c in candidates:
        good = _usable(c, accept)
        if c.group not in chosen or good > chosen[c.group][0]:
            chosen[c.group] = (good, c.key)
    return {group: key for group, (_, key) in chosen.items()}


def near_equals(candidates: Sequence[Candidate], accept: Sequence[str], most: int) -> set[str]:
    """The conflicts beyond the best `most` of those that are nearly the same change in one merge; none for 0.

    A licence header that was edited in ninety files is one example, whatever code stands below it: the sides and the
    base count, and not the lines around them.
    """
    best: dict[str, int] = {}
    by_merge: dict[str, dict[str, Conflict]] = defaultdict(dict)
    for c in candidates:
        best[c.key] = max(best.get(c.key, 0), _usable(c, accept))
        if merge := merge_of(c.example["row"]):
            by_merge[merge][c.key] = c.conflict
    spare: set[str] = set()
    for conflicts in by_merge.values():
        if not 0 < most < len(conflicts):
            continue
        alike: dict[int, list[str]] = defaultdict(list)
        changes = (c.ours + c.known_base + c.theirs for c in conflicts.values())
        for group, key in zip(group_near_duplicates(changes, threshold=NEAR_DUPLICATE), conflicts, strict=True):
            alike[group].append(key)
        for keys in alike.values():
            spare |= set(sorted(keys, key=lambda key: -best[key])[most:])
    return spare


def _usable(c: Candidate, accept: Sequence[str]) -> int:
    """How good a reply stands for its conflict: 2 if its verdict is accepted, 1 if it can be used, else 0."""
    return 0 if c.dropped else 1 + (c.match_type in accept)


def count_tokens(candidates: Sequence[Candidate], tokenizer: ChatTokenizer) -> None:
    """Set `n_tokens` of what is not dropped yet: prompt and reply through the chat template."""
    kept = [c for c in candidates if not c.dropped]
    # in parts, so that the rendered texts of a large run are never all in memory
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


# ---- reasoning


@dataclass(frozen=True)
class Thinking:
    """The reasoning of a training example, its source (as `prompts.Reply` names it, or `facts`), and its flags."""

    text: str
    source: str
    flags: tuple[str, ...] = ()


def thinking_of(example: Example, conflict: Conflict) -> Thinking:
    """The reasoning to train on for one record of `examples.jsonl`.

    The teacher's own, whichever field or tag it came in; where there is none, a plain account of the conflict's facts.
    """
    text, source = (example.get("reasoning") or "").strip(), example.get("reasoning_source") or "none"
    if not text:
        code = (example.get("verdict") or {}).get("answer") or ""
        return Thinking(reasoning_from_facts(conflict, code), FROM_FACTS, ("empty",))
    return Thinking(text, source, flags_of(text, example.get("finish_reason"), example["prompt"][-1]["content"]))


def flags_of(text: str, finish_reason: str | None = None, question: str = "") -> tuple[str, ...]:
    """What is wrong with a reasoning, as names from `FLAGS`.

    >>> flags_of("Ours renames f. Theirs adds a call. Keep both.")
    ()
    >>> flags_of("Wait, let me look at the second hunk again. " * 30)
    ('loops',)
    """
    found = []
    if not text.strip():
        return ("empty",)
    if finish_reason == "length":
        found.append("cut")
    if _loops(text):
        found.append("loops")
    # a question in another script may well be answered in it
    known = set(question)
    foreign = sum(letter not in known for letter in _OTHER_SCRIPTS.findall(text))
    if foreign >= 5 and foreign / len(text) > 0.005:
        found.append("language")
    if any(match[0] not in question for match in _HARNESS.finditer(text)):
        found.append("harness")
    return tuple(found)


def _loops(text: str) -> bool:
    """One sentence makes a third of the text, or the whole squeezes to next to nothing."""
    pieces = Counter(piece.strip() for piece in re.split(r"(?<=[.!?])\s+|\n+", text) if len(piece.strip()) >= 20)
    piece, times = max(pieces.items(), key=lambda item: len(item[0]) * item[1], default=("", 0))
    if times >= 4 and times * len(piece) > len(text) / 3:
        return True
    # English with code squeezes to 0.25–0.5 of its size; a loop of any length to a few hundredths
    return len(text) >= 1000 and len(zlib.compress(text.encode("utf-8", "replace"))) / len(text) < 0.08


def reasoning_from_facts(conflict: Conflict, code: str) -> str:
    """What each side changed and what the answer keeps, in plain sentences, for a reply that came without reasoning.

    >>> from textwrap import fill
    >>> conflict = Conflict(ours="a\\nb\\n", base="a\\n", theirs="")
    >>> print(fill(reasoning_from_facts(conflict, "a\\nb\\n"), 100))
    The base has one line here. Ours adds `b` after `a`. Theirs removes `a`. So ours is taken as it is:
    `a`, `b`. No line of either side is lost.
    """
    conflict = conflict.unix()
    resolution = conflict.cut(code)
    if resolution is None:  # nothing can be told of a resolution whose ends nobody knows
        return f"{explain_change(conflict)} The answer changes the lines around the conflict as well."
    return f"{explain_change(conflict)} {explain_result(conflict, resolution)}"
