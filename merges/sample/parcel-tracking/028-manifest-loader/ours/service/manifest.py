"""Reads the list of parcels that a truck brings."""

from pathlib import Path

from service.locks import truck_lock
from service.store import announce

BATCH = 200


class ManifestError(ValueError):
    """The manifest cannot be read."""


def load(path: Path, truck: str) -> int:
    """Announces all the parcels of a manifest and returns how many there were."""
    count = 0
    with truck_lock(truck), path.open(encoding="utf-8") as file:
        batch = []
        for line in file:
            code, grams = line.strip().split(";")
            batch.append((code, int(grams), truck))
            if len(batch) == BATCH:
                announce(batch)
                count += len(batch)
                batch = []
        if batch:
            announce(batch)
        count += len(batch)
    return count
