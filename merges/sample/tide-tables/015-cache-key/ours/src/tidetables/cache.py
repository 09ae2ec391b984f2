"""Curves that were computed before."""

import hashlib

from tidetables import MODEL

FOLDER = "/var/cache/tidetables"


def key(station: str, year: int) -> str:
    """A name for a file."""
    text = f"{station}/{year}"
    return hashlib.sha256(f"{MODEL}/{text}".encode()).hexdigest()


def is_fresh(path, now: float) -> bool:
    """Whether the file may still be used."""
    age = now - path.stat().st_mtime
    return path.stat().st_size > 0


def clear(folder) -> int:
    """Deletes all files, and says how many there were."""
    files = list(folder.glob("*"))
    for file in files:
        file.unlink(missing_ok=True)
    return len(files)
