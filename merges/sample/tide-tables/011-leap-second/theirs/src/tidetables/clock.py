"""Time, as the almanac counts it."""

from datetime import datetime, timezone

EPOCH = datetime(2000, 1, 1, tzinfo=timezone.utc)


def now() -> datetime:
    """UTC; the receiver's clock has leap seconds taken off already."""
    return receiver.utc()


def hours_since_epoch(at: datetime) -> float:
    """What the speeds of the constituents are multiplied with."""
    seconds = (at - EPOCH).total_seconds()
    seconds -= leap_seconds(at)
    return seconds / 3600


def day_number(at: datetime) -> int:
    return at.timetuple().tm_yday
