"""How sure a model was of each reply, brought to how often it is right when it is that sure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llmerge_helpers.evaluate.tables import in_the_mean, rate_of
from llmerge_helpers.models import is_trained, read_lineage
from llmerge_helpers.run import from_root
from llmerge_helpers.run.files import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

KEPT = "calibration.json"
LEAST = 1e-6  # and as far from 1: a logarithm needs room


class Calibration(NamedTuple):
    """From the mean probability of a reply's tokens to the chance that it is right: a line between their log-odds.

    >>> [round(Calibration(slope=0.5)(each), 2) for each in (0.1, 0.5, 0.9)]
    [0.25, 0.5, 0.75]
    """

    slope: float = 1.0
    shift: float = 0.0
    conflicts: int = 0  # on so many

    def __call__(self, confidence: float) -> float:
        return 1 / (1 + math.exp(-(self.slope * _log_odds(confidence) + self.shift)))


def calibrate(table: pd.DataFrame) -> Calibration:
    """The calibration that fits the replies of a table best: validation conflicts, which nothing else was measured on.

    A logistic curve through what was right and wrong, by Platt's way, which counts one more of each, so that a few
    replies, or replies that are all right, give no certainty. Without a reply whose confidence is known, none changes.
    """
    import numpy as np
    from scipy.optimize import minimize

    pairs = confidences(table)
    if not pairs:
        return Calibration()
    odds = np.array([_log_odds(sure) for sure, _ in pairs])
    right = np.array([good for _, good in pairs])
    wanted = np.where(right, (right.sum() + 1) / (right.sum() + 2), 1 / ((~right).sum() + 2))

    def loss(line: Sequence[float]) -> float:
        found = line[0] * odds + line[1]
        # held near to what it was by as much as one reply in a hundred weighs
        return float(np.mean(np.logaddexp(0, found) - wanted * found) + 0.01 * (line[0] - 1) ** 2)

    slope, shift = minimize(loss, (1.0, 0.0), method="L-BFGS-B", bounds=((0, None), (None, None))).x
    return Calibration(float(slope), float(shift), len(pairs))


def keep_calibration(adapter: str | Path, calibration: Calibration) -> None:
    """Write it beside the adapter that was measured, so that the resolver can say how sure that adapter is."""
    if calibration.conflicts:
        kept = {"adapter_hash": read_lineage(adapter).get("adapter_hash"), **calibration._asdict()}
        write_json(from_root(adapter) / KEPT, kept)


def kept_calibration(model: str | Path) -> Calibration | None:
    """The calibration that was kept of a trained model; None for any other, and where it was trained again since."""
    if not is_trained(model) or not (place := from_root(model) / KEPT).exists():
        return None
    kept = read_json(place)
    if kept.pop("adapter_hash", None) != read_lineage(model).get("adapter_hash"):
        return None
    return Calibration(**kept)


def confidences(table: pd.DataFrame, calibration: Calibration | None = None) -> list[tuple[float, bool]]:
    """Of each reply how sure the model was, calibrated where one is given, and whether it was right.

    Replies of which nobody knows it, such as those of a baseline, are left out.
    """
    if "confidence" not in table:
        return []
    pairs = zip(table["confidence"].astype(float), table["is_correct"].astype(bool), strict=True)
    known = [(sure, good) for sure, good in pairs if not math.isnan(sure)]
    return [(calibration(sure) if calibration else sure, bool(good)) for sure, good in known]


def by_confidence(table: pd.DataFrame, calibration: Calibration) -> dict[str, str]:
    """How often the surer half of a model's answers is right, and the other, beside what calibration expected of it."""
    table = in_the_mean(table)
    known = table[table["confidence"].astype(float).notna()].sort_values("confidence", ascending=False, kind="stable")
    half = -(-len(known) // 2)
    found = {}
    for name, part in (("the surer half", known.head(half)), ("the other half", known.tail(len(known) - half))):
        if len(part):
            expected = sum(calibration(sure) for sure in part["confidence"].astype(float)) / len(part)
            found[name] = f"{rate_of(part, part['is_correct'])}; expected {100 * expected:.0f} %"
    return found


def agreement(table: pd.DataFrame) -> dict[str, float]:
    """Of each conflict that got several answers, the share of them that say the most common thing.

    A figure that any model has, whatever it tells of probabilities.

    >>> import pandas as pd
    >>> agreement(pd.DataFrame({"id": list("aaab"), "reply": ["x", "x", "y", "z"]}))
    {'a': 0.6666666666666666, 'b': 1.0}
    """
    by = table.groupby(table["id"].astype(str), sort=False)["reply"]
    return {ident: float(replies.value_counts(normalize=True).max()) for ident, replies in by}


def _log_odds(confidence: float) -> float:
    kept = min(max(confidence, LEAST), 1 - LEAST)
    return math.log(kept / (1 - kept))
