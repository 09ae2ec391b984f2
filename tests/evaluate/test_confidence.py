"""How sure a model was: calibrated on some replies, it says of others how often they are right."""

import math
import random

import pandas as pd
import pytest
from tiny import save_grpo, save_sft

from llmerge_helpers.evaluate import by_confidence, calibrate, confidences, validation_rows
from llmerge_helpers.evaluate.confidence import Calibration


def replies(n: int, seed: int, slope: float = 0.5, shift: float = -1.0) -> pd.DataFrame:
    """Replies of a model that is too sure of itself: right as often as a flatter and lower curve says."""
    draw, truth = random.Random(seed), Calibration(slope, shift)
    sure = [draw.betavariate(6, 2) for _ in range(n)]
    lines = [
        {"id": f"c{i}", "confidence": each, "is_correct": draw.random() < truth(each)} for i, each in enumerate(sure)
    ]
    return pd.DataFrame(lines)


def distance(pairs: list[tuple[float, bool]]) -> float:
    """Between what was expected and what came, in ten bands of as many replies: what a reliability curve shows."""
    ordered, size = sorted(pairs), len(pairs) // 10
    bands = [ordered[i : i + size] for i in range(0, 10 * size, size)]
    return sum(abs(sum(p for p, _ in band) - sum(r for _, r in band)) for band in bands) / len(pairs)


def test_a_calibrated_model_is_as_often_right_as_it_is_sure():
    fitted, fresh = calibrate(replies(2000, 1)), replies(4000, 2)
    assert fitted.slope == pytest.approx(0.5, abs=0.12) and fitted.shift == pytest.approx(-1.0, abs=0.15)
    assert distance(confidences(fresh, fitted)) < 0.05 < distance(confidences(fresh))


@pytest.mark.parametrize("right", [True, False])
def test_a_few_replies_give_no_certainty(right):
    fitted = calibrate(replies(3, 1).assign(is_correct=right))
    assert all(0.02 < fitted(each) < 0.98 for each in (0.2, 0.5, 0.8)) and fitted.slope >= 0
    assert (fitted(0.7) > 0.5) == right


def test_what_nobody_knows_is_left_out():
    table = replies(4, 1)
    table.loc[1, "confidence"] = math.nan
    assert len(confidences(table)) == 3 and calibrate(table.head(0)) == Calibration()
    assert confidences(table.drop(columns="confidence")) == []
    told = by_confidence(table.assign(is_correct=[True, True, False, False], merge_commit="m"), Calibration())
    assert list(told) == ["the surer half", "the other half"] and "expected" in told["the surer half"]


def test_validation_conflicts_lie_in_the_grpo_data_beside(tmp_path):
    from datasets import load_from_disk

    save_sft(tmp_path / "sft_dataset/correct_only")
    assert validation_rows(tmp_path / "sft_dataset/correct_only") == []
    data = load_from_disk(str(save_grpo(tmp_path / "made", n=6)))
    data["validation"] = data["train"]
    data.save_to_disk(str(tmp_path / "grpo_dataset"))
    for folder in ("sft_dataset/correct_only", "grpo_dataset"):
        found = validation_rows(tmp_path / folder, n=4)
        assert len({row["id"] for row in found}) == 4 and found[0]["resolution"]
