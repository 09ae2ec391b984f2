"""What a ride costs, in cents."""

from datetime import datetime

UNLOCK_CENTS = 100
CENTS_PER_MINUTE = 15

# what a rider pays who leaves the bike outside of a station
ASTRAY_CENTS = 500


def price(started: datetime, ended: datetime, astray: bool) -> int:
    """The price of one ride, with all that is added."""
    minutes = int((ended - started).total_seconds() + 59) // 60
    cents = UNLOCK_CENTS + minutes * CENTS_PER_MINUTE
    if astray:
        cents += ASTRAY_CENTS
    return cents
