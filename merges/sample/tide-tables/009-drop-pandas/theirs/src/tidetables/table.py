"""Tables of a week, as text."""

import pandas as pd
from pandas.api.types import is_datetime64_any_dtype

from tidetables.extremes import high_waters, low_waters

WIDTH = 64


def week(curve, first_day):
    """A row for each day: the times of its waters."""
    days = range(first_day, first_day + 7)
    frame = pd.DataFrame({"day": days})
    frame["high"] = frame.day.map(lambda day: high_waters(curve, day))
    frame["low"] = frame.day.map(lambda day: low_waters(curve, day))
    return frame


def text(curve, first_day, title):
    """The table under its title."""
    rows = week(curve, first_day)
    line = "=" * min(WIDTH, len(title))
    return "\n".join([title, line, rows.to_string(index=False, line_width=WIDTH)])
