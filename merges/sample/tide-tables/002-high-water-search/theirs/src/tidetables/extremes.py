"""High and low waters of a day."""

from tidetables.curve import Curve
from tidetables.smooth import vertex

STEP = 6  # minutes


def high_waters(curve: Curve, day: int) -> list[float]:
    """Minutes, with their tenths, at which rising water turns to falling."""
    found = []
    for minute in range(0, 1440, STEP):
        before, here, after = (curve.height(day, minute + d) for d in (-STEP, 0, STEP))
        if before < here >= after:
            found.append(round(minute + STEP * vertex(before, here, after), 1))
    return found


def range_of(curve: Curve, day: int) -> float:
    """The height between the highest and the lowest water."""
    heights = [curve.height(day, minute) for minute in range(0, 1440, 60)]
    return max(heights) - min(heights)
