"""The moon, as far as tides need it."""

from datetime import datetime, timezone

KNOWN_NEW_MOON = datetime.fromisoformat("2000-01-06T18:14:00+00:00")
PHASES = ["new", "first quarter", "full", "last quarter"]

# the mean of new moons: 29.530588 days
MONTH = 29.530588


def age(at: datetime | None = None) -> float:
    """Days since the last new moon."""
    when = at or datetime.now(timezone.utc)
    return (when - KNOWN_NEW_MOON).total_seconds() / 86400 % MONTH


def phase(at: datetime | None = None) -> str:
    """The nearest of the four phases."""
    part = age(at) / MONTH
    number = round(part * 4) % 4
    return PHASES[number]
