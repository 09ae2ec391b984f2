"""Answers to the app's requests."""

from bikeshare.errors import NotFound, Refused
from bikeshare.store import Store


def show_station(store: Store, code: str) -> dict:
    station = store.station(code)
    if station is None:
        raise NotFound(code)
    return {"code": station.code, "bikes": station.bikes}


def start_ride(store: Store, rider: int, bike: int) -> int:
    if store.open_ride(rider):
        raise Refused("another ride is open")
    # the lock opens as soon as
    # the ride is in the store,
    # whatever the app does then
    started = store.clock.now()
    return store.add_ride(rider, bike, started)
