"""Compact replies: a resolution is a plan out of a few, or else its text alone.

Nine in ten short conflicts are resolved by a whole side, both sides in a row, the base, nothing, or a merge token by
token (`benchmarks/README.md`). Each of these is a function here, so a small model that names it cannot miscopy a line.
"""

from __future__ import annotations

from llmerge_helpers.conflicts.conflict import Conflict
from llmerge_helpers.conflicts.prompts import fenced, fences, render_reply
from llmerge_helpers.conflicts.threeway import merge_tokens

# what a reply says of each plan, in the order in which they are looked for; the first word decides, so that one token
# is one choice
SENTENCES = {
    "ours": "Ours.",
    "theirs": "Theirs.",
    "ours_theirs": "Both, ours first.",
    "theirs_ours": "Both, theirs first.",
    "empty": "Nothing.",
    "base": "Base.",
    "token_merge": "Merged token by token.",
}
HUNK = "resolution"  # the info string of a block that stands in place of the conflict, without the lines around it
_PLANS = {sentence.casefold(): plan for plan, sentence in SENTENCES.items()}


def text_of(conflict: Conflict, plan: str) -> str | None:
    """What a plan puts in place of the conflict; None where it has no answer.

    >>> text_of(Conflict(ours="f(a, 2)\\n", base="f(a, 1)\\n", theirs="g(a, 1)\\n"), "token_merge")
    'g(a, 2)\\n'
    """
    if plan == "token_merge":
        return merge_tokens(conflict.ours, conflict.base, conflict.theirs) if conflict.base else None
    return conflict.base if plan == "base" else conflict.whole_sides()[plan]


def plan_of(conflict: Conflict, resolution: str) -> str | None:
    """The plan that gives just this resolution; None where code has to be written for it.

    >>> plan_of(Conflict(ours="a\\n", base="", theirs="b\\n"), "b\\na\\n")
    'theirs_ours'
    """
    kind = conflict.kind_of(resolution)
    if kind != "mixed" and not (kind == "base" and conflict.base is None):
        return kind
    return "token_merge" if resolution == text_of(conflict, "token_merge") else None


def render_compact(conflict: Conflict, resolution: str) -> str:
    """The compact reply: a thinking part that names the plan, and its sentence, or the resolution alone in a block.

    >>> render_compact(Conflict(ours="a\\n", base="", theirs="b\\n"), "a\\n")
    '<think>\\nours\\n</think>\\n\\nOurs.'
    >>> render_compact(Conflict(ours="a\\n", base="", theirs="b\\n"), "c\\n")
    '<think>\\nnew text\\n</think>\\n\\n```resolution\\nc\\n```'
    """
    plan = plan_of(conflict, resolution)
    if plan is None:
        return render_reply("new text", fenced(resolution, HUNK))
    return render_reply(SENTENCES[plan].rstrip(".").lower(), SENTENCES[plan])


def is_plan(answer: str) -> bool:
    """True if the answer is the sentence of a plan, and nothing else.

    >>> is_plan(" both, ours first. "), is_plan("I take both.")
    (True, False)
    """
    return len(answer) < 100 and answer.strip().casefold() in _PLANS


def read_compact(answer: str, conflict: Conflict) -> str | None:
    """What a compact answer puts in place of the conflict; None where it is not one, or its plan has no answer.

    >>> conflict = Conflict(ours="a\\n", base="", theirs="b\\n")
    >>> read_compact("Both, theirs first.", conflict), read_compact("```resolution\\nc\\n```", conflict)
    ('b\\na\\n', 'c\\n')
    >>> read_compact("I take both.", conflict) is read_compact("```python\\nc\\n```", conflict) is None
    True
    """
    if is_plan(answer):
        return text_of(conflict, _PLANS[answer.strip().casefold()])
    blocks = fences(answer) if HUNK in answer.casefold() else []
    alone = len(blocks) == 1 and blocks[0].closed and blocks[0].info.lower() == HUNK
    return blocks[0].body if alone else None
