import pytest

from llmerge_helpers.evaluate import paired, rate, wilson


def test_wilson_against_the_closed_form():
    k, n, z = 17, 40, 1.959963984540054
    centre = (k / n + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * ((k / n * (1 - k / n) / n + z * z / (4 * n * n)) ** 0.5)
    low, high = wilson(k, n)
    assert low == pytest.approx(centre - half) and high == pytest.approx(centre + half)


def test_the_ends_stay_inside():
    assert wilson(0, 10)[0] == pytest.approx(0) and wilson(10, 10)[1] == pytest.approx(1)
    assert wilson(0, 0) == (0, 1)
    assert rate(0, 0) == "–"


def test_paired_counts_only_where_they_differ():
    a = [True] * 30 + [False] * 10
    b = [True] * 20 + [False] * 20
    result = paired(a, b)
    assert (result["wins"], result["losses"]) == (10, 0)
    assert result["p"] == pytest.approx(2 * 0.5**10)
    assert result["low"] <= result["diff"] == 0.25 <= result["high"]
    assert paired([], [])["p"] == 1.0
    with pytest.raises(ValueError, match="same conflicts"):
        paired([True], [])
