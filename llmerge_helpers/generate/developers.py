"""The developers as a teacher: what they committed is the reply, and its reasoning is made of the conflict's facts.

Nothing is asked, paid or kept: a reply is made anew from its row whenever it is looked at.
"""

from __future__ import annotations

from functools import lru_cache

from llmerge_helpers.baselines.explain import LONGEST_REASONING, explain_change, explain_result, inline
from llmerge_helpers.conflicts import Conflict, Reply, Row, render_answer, split_lines
from llmerge_helpers.conflicts.plans import plan_of
from llmerge_helpers.conflicts.prompts import PROMPT_VERSION
from llmerge_helpers.generate.reply_cache import Record, request_key

NAME = "developers"
FROM_FACTS = "facts"  # the source of a reasoning that a program wrote, from the conflict and its resolution
_DECISIONS = {
    "ours": "Only our side is kept.",
    "theirs": "Only their side is kept.",
    "ours_theirs": "Both sides are kept whole, ours first and theirs behind it.",
    "theirs_ours": "Both sides are kept whole, theirs first and ours behind it.",
    "empty": "Neither side is kept.",
    "base": "Neither change is kept: the text goes back to the base.",
    "token_merge": "Word by word the two changes do not clash, so both are made.",
}


class Committed:
    """The replies of the developers to `rows`, by key, as the shelf of a cache gives those of other teachers."""

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.reply = lru_cache(maxsize=4)(self._reply)

    def record(self, row: Row, endpoint: str) -> Record:
        """What would be kept of a request: who answered, and that nothing was sent or paid."""
        # the resolution is a part of the key: another data set may hold the same question with another one
        key = request_key({"model": NAME, "row": [Conflict.of(row).marked(), committed(row)]}, endpoint, 0)
        self.rows[key] = row
        names = dict.fromkeys(("teacher", "requested_model", "served_model"), NAME)
        names |= {"sdk": "", "prompt_version": PROMPT_VERSION}
        return Record(**names, key=key, sample=0, finish_reason="stop", cost_usd=0.0, attempts=0)

    def message(self, key: str) -> dict[str, object]:
        """The reply as a service would send it."""
        reply = self.reply(key)
        return {"role": "assistant", "content": reply.answer, "reasoning_content": reply.reasoning}

    def _reply(self, key: str) -> Reply:
        return reply_of(self.rows[key])


def committed(row: Row) -> str:
    """The snippet as the developers committed it."""
    answer = row.get("answer")
    return Conflict.of(row).with_(row["resolution"]) if answer is None else answer


def reply_of(row: Row) -> Reply:
    """What the developers committed, as the reply of a teacher, with a reasoning that the conflict's facts make.

    >>> reply = reply_of({"ours": "a\\n", "base": "", "theirs": "b\\n", "answer": "b\\na\\n", "path": "x.py"})
    >>> reply.answer, reply.source
    ('```python\\nb\\na\\n```', 'facts')
    >>> reply.reasoning.splitlines()[2]
    'Both sides are kept whole, theirs first and ours behind it.'
    """
    conflict, answer = Conflict.of(row), committed(row)
    return Reply(reasoning(conflict, answer), render_answer(answer, conflict.language), FROM_FACTS)


def reasoning(conflict: Conflict, answer: str) -> str:
    """What each side changed, what became of both, and which lines stay or go, in words that hold for this conflict."""
    conflict = conflict.unix()
    resolution = conflict.cut(answer.replace("\r\n", "\n"))
    # a long conflict is told with fewer examples, as the rules tell theirs
    for most in (3, 2, 1):
        told = [explain_change(conflict, most)]
        if resolution is None:  # nothing can be told of a resolution whose ends nobody knows
            told.append("The answer changes the lines around the conflict as well.")
        else:
            told += [_decision(conflict, resolution), explain_result(conflict, resolution, most)]
        text = "\n\n".join(told)
        if len(text.split()) <= LONGEST_REASONING:
            break
    return text


def _decision(conflict: Conflict, resolution: str) -> str:
    plan = plan_of(conflict, resolution)
    return _DECISIONS[plan] if plan else _written(conflict, resolution)


def _written(conflict: Conflict, resolution: str) -> str:
    """Where the lines of a resolution that no plan gives come from.

    >>> _written(Conflict(ours="a\\nb\\n", base="", theirs="c\\n"), "a\\nc\\nd\\n")
    'No side as it is will do. Of the lines that are written 1 stands in ours, 1 in theirs, and 1 is new: `d`.'
    """
    ours, theirs = (
        {line.strip() for line in split_lines(side) if line.strip()} for side in (conflict.ours, conflict.theirs)
    )
    lines = [line.strip() for line in split_lines(resolution) if line.strip()]
    if not lines:
        return "Blank lines take the place of both."
    new = [line for line in lines if line not in ours | theirs]
    counts = {
        "in both sides": sum(line in ours & theirs for line in lines),
        "in ours": sum(line in ours - theirs for line in lines),
        "in theirs": sum(line in theirs - ours for line in lines),
    }
    found = [(count, where) for where, count in counts.items() if count]
    parts = [f"{n}{(' stand' + 's' * (n == 1)) * (not i)} {where}" for i, (n, where) in enumerate(found)]
    if new:
        parts.append(f"{len(new)} {'is' if len(new) == 1 else 'are'} new: {inline(new[0])}" + ", …" * (len(new) > 1))
    told = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])}, and {parts[-1]}"
    return f"No side as it is will do. Of the lines that are written {told}."
