"""Reward functions in TRL's shape, all over the same verdict that filters and evaluates.

Each takes `completions` (strings, or lists of one assistant message) and dataset columns, one entry a completion, and
gives one float each, row by row; they can be called without any trainer. Columns used: `question`, `answer` and the
rest of a conflict row; `prefill`, what the chat template wrote of the reply (`<think>`), where a row has it. With
`end_ids`, the tokens that end a reply, a completion whose `completion_ids` (from TRL) end with none of them was cut off
at the token limit, and is judged as an evaluation judges it: truncated.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from llmerge_helpers.verdict.judge import Verdict, verify

# after the reasoning: nothing but one fenced block, its fence as long as the model likes
_REPLY = re.compile(
    r"\A\s*<think>(?P<reasoning>.*?)</think>\s*(?P<fence>`{3,})[^\n`]*\n(?P<code>.*\n)?(?P=fence)\s*\Z", re.DOTALL
)


def reply_text(completion: str | Sequence[Mapping[str, Any]], prefill: str | None = None) -> str:
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


def _rows(columns: Mapping[str, Any], n: int) -> list[dict[str, Any]]:
    # TRL also hands over its state and two functions; a column has one entry a completion
    lists = {k: v for k, v in columns.items() if isinstance(v, list | tuple) and len(v) == n}
    return [{k: v[i] for k, v in lists.items()} for i in range(n)]


def _cut_off(row: Mapping[str, Any], end_ids: Collection[int]) -> bool:
    ids = row.get("completion_ids")
    return bool(end_ids) and ids is not None and (not len(ids) or int(ids[-1]) not in end_ids)


def _verdicts(
    completions: Sequence[Any], columns: Mapping[str, Any], end_ids: Collection[int] = ()
) -> list[tuple[str, dict[str, Any], Verdict]]:
    judged = []
    for completion, row in zip(completions, _rows(columns, len(completions)), strict=True):
        text = reply_text(completion, row.get("prefill"))
        reason = "length" if _cut_off(row, end_ids) else None
        judged.append((text, row, verify(text, row, finish_reason=reason)))
    return judged


def format_reward(
    completions: Sequence[Any],
    *,
    reward: float = 1.0,
    thinking: bool | None = None,
    end_ids: Collection[int] = (),
    **columns: Any,
) -> list[float]:
    """`reward` for a reply of one thinking block, one fenced block, neither empty, and its end; 0 for any other.

    White space is free, and an opening `<think>` that the template wrote counts as the model's. Without `thinking` the
    rows' column of that name decides, else it is asked for.

    >>> good = "<think>\\nboth sides add an import\\n</think>\\n\\n```java\\nint a;\\n```"
    >>> format_reward([good, good.removeprefix("<think>\\n"), "```java\\nint a;\\n```", "int a;"])
    [1.0, 0.0, 0.0, 0.0]
    >>> format_reward([good.removeprefix("<think>\\n")], prefill=["<think>\\n"])
    [1.0]
    >>> format_reward(["```java\\nint a;\\n```"], thinking=False)
    [1.0]
    """
    rewards = []
    for completion, row in zip(completions, _rows(columns, len(completions)), strict=True):
        text = reply_text(completion, row.get("prefill"))
        wanted = thinking if thinking is not None else bool(row.get("thinking", True))
        if not wanted and "<think>" not in text:
            text = f"<think>\nnone asked for\n</think>\n{text}"
        match = _REPLY.match(text)
        good = bool(match) and bool(match["reasoning"].strip()) and text.count("</think>") == 1
        good = good and not _cut_off(row, end_ids)
        good = good and bool((match["code"] or "").strip() or not str(row.get("answer", "x")).strip())
        rewards.append(reward if good and _one_block(text, match["fence"]) else 0.0)
    return rewards


def _one_block(text: str, fence: str) -> bool:
    lines = text.rpartition("</think>")[2].strip().splitlines()[1:]  # without the one that opens it
    closing = [line for line in lines if re.fullmatch(rf"{fence}`*\s*", line)]
    return len(closing) == 1


def resolution_reward(
    completions: Sequence[Any],
    *,
    exact: float = 1.0,
    normalized: float = 0.5,
    conflict: float = 0.1,
    wrong: float = 0.0,
    similarity: float = 0.0,
    end_ids: Collection[int] = (),
    log_extra: Callable[[str, list], None] | None = None,
    **columns: Any,
) -> list[float]:
    """`exact`, `normalized`, `conflict` (given back unresolved) or `wrong`, by the verdict on each completion.

    `similarity` above 0 adds that share of the similarity to the developer's text to a wrong resolution: shaping for
    models so small that whole groups would earn nothing. It is off by default, because a reward for being near is a
    reward for copying one side.
    """
    judged = _verdicts(completions, columns, end_ids)
    if log_extra is not None:
        log_extra("verdict", [verdict.match_type for _, _, verdict in judged])
    graded = {"exact_match": exact, "normalized_match": normalized, "unresolved": conflict}
    rewards = []
    for _, row, verdict in judged:
        reward = graded.get(verdict.match_type, wrong)
        if similarity and verdict.match_type == "incorrect_resolution" and verdict.answer is not None:
            expected = row.get("answer", "")
            reward += similarity * difflib.SequenceMatcher(None, verdict.answer, expected, autojunk=False).ratio()
        rewards.append(float(reward))
    return rewards


def advantages(rewards: Sequence[float]) -> list[float]:
    """What GRPO makes of the rewards of one group: how far each stands from the group's mean, in its deviations.

    A group that earned the same throughout teaches nothing (Shao et al. 2024, DeepSeekMath).

    >>> [round(x, 2) for x in advantages([1.0, 1.0, 0.0, 0.0])]
    [0.87, 0.87, -0.87, -0.87]
    >>> advantages([0.0, 0.0, 0.0, 0.0])
    [0.0, 0.0, 0.0, 0.0]
    """
    import statistics

    mean, spread = statistics.fmean(rewards), statistics.stdev(rewards)
    return [(reward - mean) / (spread + 1e-4) for reward in rewards]


REWARDS: tuple[Callable[..., list[float]], ...] = (format_reward, resolution_reward)  # what GRPO is rewarded for


def score_matrix(row: Mapping[str, Any], *, prefill: str = "") -> Any:
    """What each reward gives to good, bad and hacked replies to one conflict; look at it before training."""
    import pandas as pd

    replies = probe_replies(row)
    columns = {k: [v] * len(replies) for k, v in row.items()} | {"prefill": [prefill] * len(replies)}
    texts = [text.removeprefix(prefill) if prefill else text for text in replies.values()]
    return pd.DataFrame(
        {
            **{reward.__name__.removesuffix("_reward"): reward(texts, **columns) for reward in REWARDS},
            "verdict": [verdict.match_type for _, _, verdict in _verdicts(texts, columns)],
        },
        index=pd.Index(list(replies), name="reply"),
    )


def probe_replies(row: Mapping[str, Any]) -> dict[str, str]:
    """Replies to one conflict whose right reward is plain to see: the gold answer, honest misses, and known hacks."""
    from llmerge_helpers.conflicts.languages import fence_of
    from llmerge_helpers.conflicts.markers import make_hunk
    from llmerge_helpers.conflicts.prompts import parse_question, render_answer, render_reply

    parts = {**parse_question(row["question"]), **row}
    language, gold = parts.get("language", "Text"), row["answer"]

    def answer(code: str) -> str:
        return render_answer(code, language)

    why = "Both sides change this place."
    marked = f"{parts['before']}{make_hunk(parts['ours'], parts['base'] or '', parts['theirs'])}{parts['after']}"
    fence = fence_of(language)
    return {
        "right": render_reply(why, answer(gold)),
        "right, other white space": render_reply(why, answer(re.sub(r"(?<=\S)$", "  ", gold, flags=re.MULTILINE))),
        "right, without thinking": answer(gold),
        "right, text after the block": render_reply(why, answer(gold)) + "\nHope this helps!",
        "conflict given back": render_reply(why, answer(marked)),
        "ours copied": render_reply(why, answer(parts["before"] + parts["ours"] + parts["after"])),
        "theirs copied": render_reply(why, answer(parts["before"] + parts["theirs"] + parts["after"])),
        "only the hunk": render_reply(why, answer(gold[len(parts["before"]) : len(gold) - len(parts["after"])])),
        "many answers": render_reply(why, answer("x\n") + "\n" + answer(gold) + "\n" + answer("y\n")),
        "answer only in the thinking": render_reply(answer(gold), "Done."),
        "empty block": render_reply(why, f"```{fence}\n```"),
        "empty": "",
        "cut off": render_reply(why, answer(gold))[: -len(gold) // 2 - 4],
    }
