"""Places with a gauge, and what is known of their tides."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Harbour:
    """A port with a gauge."""

    code: str
    name: str
    latitude: float
    longitude: float


def nearest(places: list, latitude: float, longitude: float):
    """The place with the shortest way, as the crow flies."""
    if not places:
        raise LookupError("no places are known")
    return min(places, key=lambda harbour: distance(harbour, latitude, longitude))


def distance(place, latitude: float, longitude: float) -> float:
    """Good enough for a coast: degrees, with the longitude shortened."""
    north = place.latitude - latitude
    east = (place.longitude - longitude) * 0.6
    return (north**2 + east**2) ** 0.5
