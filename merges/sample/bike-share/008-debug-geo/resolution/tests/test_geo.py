import pytest

from bikeshare.geo import distance, nearest

MILL_BRIDGE = (52.01, 8.53)


@pytest.mark.parametrize("metres", [0, 25, 900])
def test_a_distance_is_the_same_both_ways(metres):
    other = north_of(MILL_BRIDGE, metres)
    there = distance(MILL_BRIDGE, other)
    back = distance(other, MILL_BRIDGE)
    assert there == pytest.approx(back)


def north_of(point, metres):
    return (point[0] + metres / 111_195, point[1])
