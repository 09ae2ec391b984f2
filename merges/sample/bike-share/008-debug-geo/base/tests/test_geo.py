import pytest

from bikeshare.geo import distance, nearest

MILL_BRIDGE = (52.01, 8.53)


def test_a_distance_is_the_same_both_ways():
    other = (52.02, 8.53)
    there = distance(MILL_BRIDGE, other)
    back = distance(other, MILL_BRIDGE)
    assert there == pytest.approx(back)


def north_of(point, metres):
    return point[0] + metres / 111_000, point[1]
