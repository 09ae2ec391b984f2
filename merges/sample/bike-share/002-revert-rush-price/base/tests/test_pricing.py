from datetime import datetime

from bikeshare.pricing import price


def at(hour, minute=0):
    return datetime(2024, 3, 4, hour, minute)


def test_every_minute_that_began_counts():
    assert price(at(11), at(11, 10), astray=False) == 250


def test_the_rush_hour_is_dearer():
    assert price(at(8), at(8, 10), astray=False) == 312


def test_a_bike_left_astray_costs_more():
    assert price(at(11), at(11, 10), astray=True) == 750
