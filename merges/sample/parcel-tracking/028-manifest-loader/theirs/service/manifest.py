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
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            code, grams = line.strip().split(";")
            announce([(code, int(grams), truck)])
        except ValueError as error:
            raise ManifestError(f"{path.name}, line {number}: {error}") from error
        count += 1
    return count
