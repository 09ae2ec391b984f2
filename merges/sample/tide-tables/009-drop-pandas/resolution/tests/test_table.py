from tidetables.table import text, week
from tidetables.testing import flat_curve, spring_curve


def test_a_week_has_seven_rows():
    assert len(week(flat_curve(), 100)) == 7


def test_days_are_in_order():
    days = [day for day, *_ in week(flat_curve(), 100)]
    assert days == sorted(days)


def test_the_title_is_underlined():
    lines = text(flat_curve(), 100, "Skarholm").splitlines()
    assert lines[1] == "========"
