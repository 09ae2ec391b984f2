"""Files of gauges: one height a line."""

from pathlib import Path


def read(path: Path):
    """Pairs of a time and a height."""
    number = 0
    with path.open("r", encoding="ascii") as file:
        for line in file:
            number += 1
            text = line.strip()
            if not text:
                continue
            time, height = text.split(";")
            yield time, float(height.replace(",", "."))


def count(path: Path) -> int:
    """How many heights a file holds."""
    return len(list(read(path)))
