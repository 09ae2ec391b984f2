"""How likely the rules are right: a chance by rule and a few features, fitted by `benchmarks/calibration.py`."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log1p

from llmerge_helpers.conflicts import Conflict, Decided
from llmerge_helpers.conflicts.conflict import CODE
from llmerge_helpers.resolver.weights import LEVELS, WEIGHTS

LEAST = 0.5  # below, a proposal is more likely wrong than right


def features(conflict: Conflict, rule: str, text: str, earlier: Sequence[Decided] = ()) -> dict[str, float]:
    """What tells how likely an answer of the rules is right; the names are those of the table of weights.

    >>> conflict = Conflict(ours="f(a, 2)\\n", base="f(a, 1)\\n", theirs="g(a, 1)\\n")
    >>> found = features(conflict, "token_merge", "g(a, 2)\\n")
    >>> sorted(name for name, value in found.items() if value == 1)
    ['constant', 'kind mixed', 'rule token_merge']
    """
    kind = conflict.kind_of(text)
    sizes = [len(edit.removed) + len(edit.inserted) for edit in (conflict.ours_edit, conflict.theirs_edit)]
    found = {
        "constant": 1.0,
        f"rule {rule}": 1.0,
        f"kind {kind}": 1.0,
        "smaller edit": log1p(min(sizes)),
        "edits apart": log1p(max(sizes)) - log1p(min(sizes)),
        "length": log1p(len(CODE.findall(text))),
        "no base": float(not conflict.known_base.strip()),
        "blanks only": float(CODE.findall(conflict.ours) == CODE.findall(conflict.theirs)),
        "theirs only inserts": float(not conflict.theirs_edit.removed),
    }
    agree = [(each.conflict.path, each.conflict.kind_of(each.resolution) == kind) for each in earlier]
    for name, kinds in (("merge", agree), ("file", [each for each in agree if each[0] == conflict.path])):
        if kinds:
            share = sum(same for _, same in kinds) / len(kinds)
            found[f"{name} agrees"] = (share - 0.5) * log1p(len(kinds))
    if agree:
        found["earlier"] = log1p(len(agree))
        found["last agrees"] = 1.0 if agree[-1][1] else -1.0
    return found


def chance(found: dict[str, float]) -> float:
    """The chance that an answer with these features is what the developers committed, blanks and comments aside.

    >>> features_of_a_merge = features(Conflict(ours="a b\\n", base="a\\n", theirs="a  b\\n"), "only_blanks", "a b\\n")
    >>> chance(features_of_a_merge) > 0.8
    True
    """
    return levelled(1 / (1 + exp(-sum(WEIGHTS.get(name, 0.0) * value for name, value in found.items()))))


def levelled(raw: float, levels: Sequence[tuple[float, float]] = LEVELS) -> float:
    """What a raw chance has come to mean on repositories that it was not fitted on: a line through the levels.

    >>> levelled(0.95, [(0.5, 0.5), (0.9, 0.8), (1.0, 0.9)])
    0.85
    """
    if not levels or raw <= levels[0][0]:
        return levels[0][1] if levels else raw
    for (x, y), (next_x, next_y) in zip(levels, levels[1:], strict=False):
        if raw <= next_x:
            return round(y + (next_y - y) * (raw - x) / (next_x - x), 4)
    return levels[-1][1]
