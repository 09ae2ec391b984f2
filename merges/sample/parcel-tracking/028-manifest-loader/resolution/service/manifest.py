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
        for number, line in enumerate(file, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            try:
                code, grams = line.strip().split(";")
                batch.append((code, int(grams), truck))
            except ValueError as error:
                raise ManifestError(f"{path.name}, line {number}: {error}") from error
            if len(batch) == BATCH:
                announce(batch)
                count += len(batch)
                batch = []
        if batch:
            announce(batch)
        count += len(batch)
    return count
