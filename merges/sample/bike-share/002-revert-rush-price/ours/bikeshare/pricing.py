"""What a ride costs, in cents."""

from datetime import datetime

UNLOCK_CENTS = 100
CENTS_PER_MINUTE = 15
RUSH_HOURS = (7, 8, 16, 17)
RUSH_PERCENT = 20
MOST_CENTS = 2_400

# what a rider pays who leaves the bike outside of a station
ASTRAY_CENTS = 500


def is_rush(at: datetime) -> bool:
    """Whether a ride starts in the rush hour of a working day."""
    return at.weekday() < 5 and at.hour in RUSH_HOURS


def price(started: datetime, ended: datetime, astray: bool) -> int:
    """The price of one ride, with all that is added."""
    minutes = int((ended - started).total_seconds() + 59) // 60
    cents = UNLOCK_CENTS + minutes * CENTS_PER_MINUTE
    if astray:
        cents += ASTRAY_CENTS
    if is_rush(started):
        cents += cents * RUSH_PERCENT // 100
    return min(cents, MOST_CENTS)
