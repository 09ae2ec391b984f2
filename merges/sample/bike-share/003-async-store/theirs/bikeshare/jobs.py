"""What runs every night."""

import logging
from datetime import timedelta

log = logging.getLogger(__name__)

# rides that nobody ended
FORGOTTEN = timedelta(hours=24)


def close_forgotten(store) -> int:
    closed = store.rides_older_than(FORGOTTEN)
    for ride in closed:
        store.close(ride)
    return len(closed)


def report(count: int) -> None:
    if count == 0:
        return
    log.warning("%d rides were forgotten and closed", count)
