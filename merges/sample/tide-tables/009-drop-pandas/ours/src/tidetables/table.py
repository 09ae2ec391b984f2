"""Tables of a week, as text."""

from tabulous import render

from tidetables.extremes import high_waters, low_waters

WIDTH = 60


def week(curve, first_day):
    """A row for each day: the times of its waters."""
    days = range(first_day, first_day + 7)
    rows = [(day, high_waters(curve, day)) for day in days]
    return rows


def text(curve, first_day, title):
    """The table under its title."""
    rows = week(curve, first_day)
    line = "=" * min(WIDTH, len(title))
    return "\n".join([title, line, render(rows, width=WIDTH)])
