"""Distances on the ground."""

from math import asin, cos, radians, sin, sqrt

EARTH_METRES = 6_371_000


def distance(a, b):
    """Metres between two (latitude, longitude) pairs."""
    lat_a, lon_a = map(radians, a)
    lat_b, lon_b = map(radians, b)
    half = sin((lat_b - lat_a) / 2) ** 2
    half += cos(lat_a) * cos(lat_b) * sin((lon_b - lon_a) / 2) ** 2
    return 2 * EARTH_METRES * asin(sqrt(half))


def nearest(point, stations):
    """The station that is nearest to a point, None if there is none."""
    return min(stations, key=lambda s: distance(point, s.at), default=None)


def is_in_town(point, middle, metres=9_000):
    """Whether a bike is where the vans go."""
    # outside of it a bike counts
    # as lost after three days
    return distance(middle, point) <= metres
