"""A whole merge, one conflict after the other: each is asked with what was decided before it, in one of two settings.

*Interactive*: what came before is as the developers resolved it, as when a person goes through a merge and the tool
proposes the next one. *Alone*: it is as the model itself resolved it, as when nobody looks until the end. The first is
the easier one by far, so a table of one is never put beside a table of the other.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from llmerge_helpers.baselines import ask, rules_in_merge
from llmerge_helpers.conflicts import Conflict, Decided, Form, Row, so_far
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate.measure import OUTPUT_DIR, Line, Replied, judged, resolved, saved, written
from llmerge_helpers.generate import Teacher, generate
from llmerge_helpers.merges import by_merge
from llmerge_helpers.models import Completion, Loaded, complete, render_prompt
from llmerge_helpers.verdict import proposal

if TYPE_CHECKING:
    import pandas as pd

SETTINGS = ("interactive", "alone")


class Turn(NamedTuple):
    """A conflict whose turn has come: its row, with `earlier` for a question, and what was decided before it."""

    row: Row
    conflict: Conflict
    decided: Sequence[Decided]


Answerer = Callable[[Sequence[Turn]], Sequence[Completion]]


def evaluate_in_merges(
    name: str,
    rows: Sequence[Row],
    answer: Answerer,
    setting: Literal["interactive", "alone"],
    *,
    siblings: int = 0,
    output_dir: str | Path = OUTPUT_DIR,
) -> pd.DataFrame:
    """One line a conflict, as `evaluate` writes it, each asked in the order of its merge; `setting` is a column.

    `answer` is given all conflicts that can be asked now and gives a reply to each: `by_rules`, `by_model(…)`, or any
    function, of a teacher too. Alone, those are the first of all merges, then the second, and so on; interactive, all
    at once. What a reply does not resolve counts as not decided. `siblings` conflicts are told in a question. Writes
    `<name> <setting>.csv`.
    """
    if setting not in SETTINGS:
        raise LlmergeError(f"setting is {setting!r}: use {' or '.join(SETTINGS)}.")
    conflicts = [Conflict.of(row) for row in rows]
    merges = by_merge(rows)
    decided: dict[int, list[Decided]] = defaultdict(list)  # by the number of the merge
    turns = zip_longest(*merges)  # the first conflicts of all merges, then the second
    lines: dict[int, Line] = {}
    asked: list[tuple[int, Turn]] = []
    for wave in turns:
        here = [(merge, number) for merge, number in enumerate(wave) if number is not None]
        for merge, number in here:
            before = tuple(decided[merge])
            told = so_far(before, conflicts[number], siblings) if siblings else None
            row = rows[number] | {"earlier": told} if told else rows[number]
            asked.append((number, Turn(row, conflicts[number], before)))
            if setting == "interactive":
                decided[merge].append(Decided(conflicts[number], str(rows[number]["resolution"])))
        if setting == "alone":
            replies = _answered(name, rows, answer, asked, lines)
            for (merge, number), reply in zip(here, replies, strict=True):
                hunk = proposal(reply.text, conflicts[number], finish_reason=reply.finish_reason)
                if hunk is not None:
                    decided[merge].append(Decided(conflicts[number], hunk))
            asked = []
    if asked:
        _answered(name, rows, answer, asked, lines)
    table = saved(name, [lines[number] for number in range(len(rows))], output_dir, f"{name} {setting}")
    return table.assign(setting=setting)


def _answered(
    name: str, rows: Sequence[Row], answer: Answerer, asked: Sequence[tuple[int, Turn]], lines: dict[int, Line]
) -> Sequence[Completion]:
    replies = answer([turn for _, turn in asked])
    for (number, _), reply in zip(asked, replies, strict=True):
        replied = Replied("", reply.text, reply.finish_reason, reply.tokens)
        lines[number] = judged(name, rows[number], number, replied)
    return replies


# ---- who answers


def by_rules(turns: Sequence[Turn]) -> list[Completion]:
    """What the rules propose in their merge."""
    hunks = (rules_in_merge(turn.decided, turn.conflict).resolution for turn in turns)
    return [Completion(resolved(turn.conflict, hunk), "stop", 0) for turn, hunk in zip(turns, hunks, strict=True)]


def by_model(model: Loaded, form: Form, *, max_new_tokens: int = 512, batch_size: int = 8) -> Answerer:
    """A loaded model (`models.load_for_evaluation`), asked in the form that it was trained in."""

    def answer(turns: Sequence[Turn]) -> Sequence[Completion]:
        prompts = [render_prompt(model.tokenizer, ask(turn.row, form)) for turn in turns]
        return complete(model.model, model.tokenizer, prompts, max_new_tokens=max_new_tokens, batch_size=batch_size)

    return answer


def by_teacher(teacher: Teacher, form: Form, options: Mapping[str, object]) -> Answerer:
    """A teacher, asked as `generate` asks with these options; what a cap leaves out is no answer."""

    def answer(turns: Sequence[Turn]) -> Sequence[Completion]:
        asking = generate([turn.row for turn in turns], teacher, **{"progress": False, **options, "form": form})
        with ThreadPoolExecutor(1) as pool:  # a notebook's own loop is running
            results = pool.submit(asyncio.run, asking).result()
        replies = dict.fromkeys(range(len(turns)), Completion("", "stop", 0))
        for result in results:
            if result.sample == 0 and (reply := result.reply) is not None:
                tokens = result.usage.get("completion_tokens") or 0
                text = written(reply.reasoning, reply.answer)
                replies[result.index] = Completion(text, result.finish_reason or "stop", tokens)
        return list(replies.values())

    return answer
