"""Places with a gauge, and what is known of their tides."""

from dataclasses import dataclass
from math import cos, radians


@dataclass(frozen=True)
class Station:
    """A gauge, in a port or at sea."""

    code: str
    name: str
    latitude: float
    longitude: float
    chart_zero: float = 0.0


def nearest(places: list, latitude: float, longitude: float):
    """The place with the shortest way, as the crow flies."""
    if not places:
        raise LookupError("no places are known")
    open_ones = [station for station in places if not station.closed]
    return min(open_ones, key=lambda station: distance(station, latitude, longitude))


def distance(place, latitude: float, longitude: float) -> float:
    """Good enough for a coast: degrees, with the longitude shortened."""
    north = place.latitude - latitude
    east = (place.longitude - longitude) * cos(radians(latitude))
    return (north**2 + east**2) ** 0.5
