"""The rules in their merge: what was decided for its earlier conflicts says how the next one may be decided.

Half of what a merge decides has reasons that no hunk shows: which branch is ahead, whose refactoring stays. So each
way of resolving (a side, both, nothing, a token merge, or what the rules say) is held against the conflicts that were
decided before, and the one that held best is taken. Those that are alike count more. Before anything is decided, the
rules decide. The numbers below were chosen on the repositories that `benchmarks/siblings.py` names, and measured on
others.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from llmerge_helpers.baselines.rules import Answer, decide
from llmerge_helpers.conflicts import Conflict, Decided
from llmerge_helpers.conflicts.earlier import likeness
from llmerge_helpers.conflicts.plans import SENTENCES, text_of

RULES = "rules"
# How often each way is right before its merge has said anything; `_TRUST` conflicts' word for it. That of the rules is
# set higher than it is: a merge has to speak clearly against them.
_USUAL = {
    "ours": 0.3,
    "theirs": 0.22,
    "ours_theirs": 0.06,
    "theirs_ours": 0.02,
    "empty": 0.03,
    "base": 0.01,
    "token_merge": 0.7,
    RULES: 0.7,
}
_SURE = {"same_text": 1.0, "larger_number": 0.9}  # rules that are right more often than the others
_TRUST = 2.0
_FOR_THE_RULES = 0.04  # of two ways that are as good, they have reasons
_OLDER = 0.975  # with each conflict in between, an earlier one tells less
_MOST = 400  # of more earlier conflicts, the last ones count


class Proposal(NamedTuple):
    """What may stand in place of a conflict: which rule or way says so, the text, why, and how often it held."""

    rule: str  # a rule of `rules.py`, or a way that the merge has taken: ours, theirs, ours_theirs, …
    resolution: str
    why: str
    share: float  # 0 to 1; the higher, the surer


def rules_in_merge(decided: Sequence[Decided], conflict: Conflict) -> Proposal:
    """What the rules propose for a conflict after these of the same merge were decided, in their order.

    Whoever goes through a merge appends what was decided, by a person or by the proposal itself, and asks again:

    >>> decided = [Decided(Conflict(ours=f"{n}\\n", theirs="x\\n"), f"{n}\\n") for n in range(3)]
    >>> proposal = rules_in_merge(decided, Conflict(ours="7\\n", theirs="y\\n"))
    >>> proposal.rule, proposal.resolution
    ('ours', '7\\n')
    >>> proposal.why
    'Of the 3 conflicts decided so far in this merge, 3 were resolved so: ours.'
    >>> rules_in_merge([], Conflict(ours="7\\n", theirs="y\\n")).rule
    'union'
    """
    earlier = decided[-_MOST:]
    rule, answer = _by_rules(conflict)
    texts = _texts(conflict)
    ages = range(len(earlier) - 1, -1, -1)
    weights = [_weight(each.conflict, conflict, rule) * _OLDER**age for each, age in zip(earlier, ages, strict=True)]
    held = [_held(*each) for each in earlier]
    best, best_score = RULES, -1.0
    for way, text in texts.items():
        asked = sum(weight for weight, each in zip(weights, held, strict=True) if way in each)
        right = sum(weight for weight, each in zip(weights, held, strict=True) if each.get(way))
        if not right and way != RULES:  # nothing in this merge speaks for it
            continue
        usual = _SURE.get(rule, _USUAL[RULES]) if text == answer.resolution else _USUAL[way]
        score = (_TRUST * usual + right) / (_TRUST + asked) + _FOR_THE_RULES * (way == RULES)
        if score > best_score:
            best, best_score = way, score
    share = min(1.0, best_score)
    if best == RULES:
        return Proposal(rule, answer.resolution, answer.why, share)
    times = sum(bool(each.get(best)) for each in held)
    why = (
        f"Of the {len(earlier)} conflict{'s' * (len(earlier) != 1)} decided so far in this merge, {times} "
        f"{'was' if times == 1 else 'were'} resolved so: {SENTENCES[best].rstrip('.').lower()}."
    )
    return Proposal(best, texts[best], why, share)


def _weight(earlier: Conflict, conflict: Conflict, rule: str) -> float:
    """How much an earlier conflict says about this one."""
    alike = likeness(earlier, conflict)
    return 1 + alike.file + alike.names + 1.5 * (_by_rules(earlier)[0] == rule)


# each conflict is held against all later ones of its merge
@lru_cache(maxsize=4096)
def _by_rules(conflict: Conflict) -> tuple[str, Answer]:
    return decide(conflict)


@lru_cache(maxsize=4096)
def _held(conflict: Conflict, resolution: str) -> dict[str, bool]:
    """For each way that has an answer to a conflict, whether it gives what was decided."""
    kept = resolution.removesuffix("\n")
    return {way: text == resolution or text.removesuffix("\n") == kept for way, text in _texts(conflict).items()}


def _texts(conflict: Conflict) -> dict[str, str]:
    """What each way puts in place of a conflict."""
    texts = {way: text_of(conflict, way) for way in SENTENCES}
    texts[RULES] = _by_rules(conflict)[1].resolution
    return {way: text for way, text in texts.items() if text is not None}
