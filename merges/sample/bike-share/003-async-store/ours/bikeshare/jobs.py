"""What runs every night."""

import asyncio
import logging
from datetime import timedelta

log = logging.getLogger(__name__)

# rides that nobody ended
FORGOTTEN = timedelta(hours=24)


async def close_forgotten(store) -> int:
    rides = await store.rides_older_than(FORGOTTEN)
    await asyncio.gather(*(store.close(ride) for ride in rides))
    return len(rides)


def report(count: int) -> None:
    if count == 0:
        return
    log.warning("%d rides were closed", count)
