"""Reward functions in TRL's shape, all over the same verdict that filters and evaluates.

Each takes `completions` (strings, or lists of one assistant message) and dataset columns, one entry a completion, and
gives one float each, row by row; they can be called without any trainer. Columns used are those of `Rewarded`. With
`end_ids`, the tokens that end a reply, a completion whose `completion_ids` (from TRL) end with none of them was cut off
at the token limit, and is judged as an evaluation judges it: truncated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from llmerge_helpers.conflicts import Conflict, Message, Row, render_answer, render_reply, split_reply
from llmerge_helpers.conflicts.plans import is_plan
from llmerge_helpers.conflicts.prompts import tags_outside_code
from llmerge_helpers.verdict import Verdict, verify

if TYPE_CHECKING:
    import pandas as pd

Completed: TypeAlias = str | Sequence[Message]  # a completion, plain or conversational
Reward: TypeAlias = Callable[..., list[float]]

# what resolution_reward gives for a verdict, and 0 for every other
GRADES = {"exact_match": 1.0, "normalized_match": 0.5, "unresolved": 0.1}
# after the reasoning: nothing but one fenced block, its fence as long as the model likes
_ANSWER = re.compile(r"\s*(?P<fence>`{3,})[^\n`]*\n(?P<code>.*\n)?(?P=fence)\s*", re.DOTALL)


class Rewarded(Row, total=False):
    """What a reward may know of the conflict that a completion answers."""

    prefill: str  # what the chat template wrote of the reply (`<think>`)
    thinking: bool  # False: no thinking is asked for
    completion_ids: Sequence[int]  # from TRL


def format_reward(completions: Sequence[Completed], *, end_ids: Collection[int] = (), **columns: object) -> list[float]:
    """1 for a reply of one thinking block, one fenced block or plan, none empty, and its end; 0 for any other.

    White space is free, and an opening `<think>` that the template wrote counts as the model's. Thinking is asked for
    unless the row's column `thinking` says otherwise.

    >>> good = "<think>\\nboth sides add an import\\n</think>\\n\\n```java\\nint a;\\n```"
    >>> format_reward([good, good.removeprefix("<think>\\n"), "```java\\nint a;\\n```", "int a;"])
    [1.0, 0.0, 0.0, 0.0]
    >>> format_reward([good.removeprefix("<think>\\n")], prefill=["<think>\\n"])
    [1.0]
    >>> format_reward(["```java\\nint a;\\n```"], thinking=[False])
    [1.0]
    """
    rewards = []
    for completion, row in zip(completions, _rows(columns, len(completions)), strict=True):
        text = reply_text(completion, row.get("prefill"))
        if not row.get("thinking", True) and not text.lstrip().startswith("<think>"):
            text = f"<think>\nnone asked for\n</think>\n{text}"
        parts = split_reply(text)
        match = _ANSWER.fullmatch(parts.answer)
        plan = is_plan(parts.answer)
        good = bool(match or plan) and text.lstrip().startswith("<think>") and bool(parts.reasoning.strip())
        good = good and tags_outside_code(text) == 2  # what code quotes ends no reasoning
        good = good and not _cut_off(row, end_ids)
        if good and match:  # an empty block is right only where the developer left nothing
            good = bool((match["code"] or "").strip() or not str(row.get("answer", "x")).strip())
            good = good and _one_block(parts.answer, match["fence"])
        rewards.append(float(good))
    return rewards


def resolution_reward(
    completions: Sequence[Completed],
    *,
    exact: float = GRADES["exact_match"],
    normalized: float = GRADES["normalized_match"],
    conflict: float = GRADES["unresolved"],
    wrong: float = 0.0,
    similarity: float = 0.0,
    end_ids: Collection[int] = (),
    log_extra: Callable[[str, list[str]], None] | None = None,
    **columns: object,
) -> list[float]:
    """`exact`, `normalized`, `conflict` (a conflict marker is left) or `wrong`, by the verdict on each completion.

    `similarity` above 0 adds that share of the similarity to the developer's text to a wrong resolution: shaping for
    models so small that whole groups would earn nothing. It is off by default, because a reward for being near is a
    reward for copying one side.
    """
    judged = _verdicts(completions, columns, end_ids)
    if log_extra is not None:
        log_extra("verdict", [verdict.match_type for _, verdict in judged])
    graded = {"exact_match": exact, "normalized_match": normalized, "unresolved": conflict}
    rewards = []
    for row, verdict in judged:
        reward = graded.get(verdict.match_type, wrong)
        if similarity and verdict.match_type == "incorrect_resolution" and verdict.answer is not None:
            expected = row.get("answer", "")
            reward += similarity * difflib.SequenceMatcher(None, verdict.answer, expected, autojunk=False).ratio()
        rewards.append(float(reward))
    return rewards


def length_reward(
    completions: Sequence[Completed], *, longest: int = 0, completion_ids: Sequence[Sequence[int]] = (), **_: object
) -> list[float]:
    """0 up to four fifths of `longest` tokens, then falling to -1 there: for a reply that is about to be cut off.

    TRL's soft punishment of DAPO (Yu et al. 2025), as a reward like the others; 0 where nothing says how long a
    completion may be, or is.

    >>> length_reward(["short", "no limit"])
    [0.0, 0.0]
    """
    if not longest or len(completion_ids) != len(completions):
        return [0.0] * len(completions)
    from trl.rewards import get_soft_overlong_punishment

    return get_soft_overlong_punishment(longest, max(1, longest // 5))(list(completion_ids))


REWARDS: tuple[Reward, ...] = (
    format_reward,
    resolution_reward,
    length_reward,
)  # what GRPO is rewarded for, unless told otherwise


def reply_text(completion: Completed, prefill: str | None = None) -> str:
    """The whole reply: what the template wrote for the model, then what the model wrote.

    >>> reply_text("because\\n</think>\\n\\nyes", "<think>\\n")
    '<think>\\nbecause\\n</think>\\n\\nyes'
    >>> reply_text([{"role": "assistant", "content": "yes"}])
    'yes'
    """
    text = completion if isinstance(completion, str) else (completion[-1].get("content") or "")
    if prefill and not text.lstrip().startswith("<think>"):
        text = prefill + text
    return text


def _rows(columns: Mapping[str, object], n: int) -> list[Rewarded]:
    # TRL also hands over its state and two functions; a column has one entry a completion
    lists = {k: v for k, v in columns.items() if isinstance(v, list | tuple) and len(v) == n}
    return [{k: v[i] for k, v in lists.items()} for i in range(n)]


def _cut_off(row: Rewarded, end_ids: Collection[int]) -> bool:
    ids = row.get("completion_ids")
    return bool(end_ids) and ids is not None and (not len(ids) or int(ids[-1]) not in end_ids)


def _verdicts(
    completions: Sequence[Completed], columns: Mapping[str, object], end_ids: Collection[int] = ()
) -> list[tuple[Rewarded, Verdict]]:
    judged = []
    for completion, row in zip(completions, _rows(columns, len(completions)), strict=True):
        text = reply_text(completion, row.get("prefill"))
        reason = "length" if _cut_off(row, end_ids) else None
        judged.append((row, verify(text, row, finish_reason=reason)))
    return judged


def _one_block(answer: str, fence: str) -> bool:
    # spraying answers must not pay: whatever closes a fence as long as the first one ends the only block
    lines = answer.strip().splitlines()[1:]  # without the one that opens it
    closing = [line for line in lines if re.fullmatch(rf"{fence}`*\s*", line)]
    return len(closing) == 1


# ---- before training: what rewards give, and what a group learns from them


def score_matrix(row: Rewarded, rewards: Sequence[Reward] = REWARDS, prefill: str | None = None) -> pd.DataFrame:
    """What each of `rewards` gives to good, bad and hacked replies to one conflict; look at it before training.

    `row` is one of the data set, or one as the trainer has it; its `prefill` counts unless another is given.
    """
    import pandas as pd

    # TRL gives rewards every column but the prompt
    row = {name: value for name, value in row.items() if name != "prompt"}
    prefill = (row.get("prefill") or "") if prefill is None else prefill
    replies = probe_replies(row)
    columns = {k: [v] * len(replies) for k, v in row.items()} | {"prefill": [prefill] * len(replies)}
    texts = [text.removeprefix(prefill) if prefill else text for text in replies.values()]
    return pd.DataFrame(
        {
            **{reward.__name__.removesuffix("_reward"): reward(texts, **columns) for reward in rewards},
            "verdict": [verdict.match_type for _, verdict in _verdicts(texts, columns)],
        },
        index=pd.Index(list(replies), name="reply"),
    )


def probe_replies(row: Row) -> dict[str, str]:
    """Replies to one conflict whose right reward is plain to see: the gold answer, honest misses, and known hacks."""
    conflict, gold = Conflict.of(row), row["answer"]

    def answer(code: str) -> str:
        return render_answer(code, conflict.language)

    why = "Both sides change this place."
    return {
        "right": render_reply(why, answer(gold)),
        "right, other white space": render_reply(why, answer(re.sub(r"(?<=\S)$", "  ", gold, flags=re.MULTILINE))),
        "right, without thinking": answer(gold),
        "right, text after the block": render_reply(why, answer(gold)) + "\nHope this helps!",
        "conflict given back": render_reply(why, answer(conflict.marked())),
        "right, one marker left": render_reply(
            why, answer(conflict.with_(f"<<<<<<< ours\n{conflict.cut(gold) or ''}"))
        ),
        "ours copied": render_reply(why, answer(conflict.with_(conflict.ours))),
        "theirs copied": render_reply(why, answer(conflict.with_(conflict.theirs))),
        "only the hunk": render_reply(why, answer(conflict.cut(gold) or "")),
        "many answers": render_reply(why, answer("x\n") + "\n" + answer(gold) + "\n" + answer("y\n")),
        "answer only in the thinking": render_reply(answer(gold), "Done."),
        "empty block": render_reply(why, answer("")),
        "empty": "",
        "cut off": render_reply(why, answer(gold))[: -len(gold) // 2 - 4],
    }


def advantages(rewards: Sequence[float], scale: str = "none") -> list[float]:
    """What GRPO makes of the rewards of one group: how far each stands from the group's mean.

    `group` divides that by the group's deviation, as GRPO first did (Shao et al. 2024, DeepSeekMath): then a group
    whose best completion only gave the conflict back pushes as hard as one whose best is right. Without scaling (Liu et
    al. 2025, Dr. GRPO) a push is as large as what was earned. A group that earned the same throughout teaches nothing.

    >>> [round(x, 2) for x in advantages([1.0, 1.0, 0.0, 0.0])], advantages([0.0, 0.0, 0.0, 0.0])
    ([0.5, 0.5, -0.5, -0.5], [0.0, 0.0, 0.0, 0.0])
    >>> [round(advantages([best, 0.0, 0.0, 0.0])[0], 3) for best in (1.0, 0.1)]
    [0.75, 0.075]
    >>> [round(advantages([best, 0.0, 0.0, 0.0], "group")[0], 1) for best in (1.0, 0.1)]
    [1.5, 1.5]
    """
    import statistics

    mean, spread = statistics.fmean(rewards), statistics.stdev(rewards)
    by = {"none": 1.0, "group": spread + 1e-4}[scale]
    return [(reward - mean) / by for reward in rewards]
