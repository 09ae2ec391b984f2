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
    for line in path.read_text(encoding="utf-8").splitlines():
        code, grams = line.strip().split(";")
        announce([(code, int(grams), truck)])
        count += 1
    return count
