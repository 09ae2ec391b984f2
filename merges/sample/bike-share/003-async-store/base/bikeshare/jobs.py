"""What runs every night."""

import logging
from datetime import timedelta

log = logging.getLogger(__name__)

# rides that nobody ended
FORGOTTEN = timedelta(hours=24)


def close_forgotten(store) -> int:
    rides = store.rides_older_than(FORGOTTEN)
    for ride in rides:
        store.close(ride)
    return len(rides)


def report(count: int) -> None:
    if count == 0:
        return
    log.warning("%d rides were closed", count)
