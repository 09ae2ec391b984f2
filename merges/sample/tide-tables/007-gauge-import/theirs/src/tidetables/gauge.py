"""Files of gauges: one height a line, after a semicolon or a tab."""

from pathlib import Path


def read(path: Path):
    """Pairs of a time and a height."""
    number = 0
    with path.open("r", 1, encoding="ascii") as file:
        for line in file:
            number += 1
            text = line.strip()
            if not text:
                continue
            if text.startswith(("#", "//")):
                continue
            time, height = text.replace("\t", ";").split(";")
            yield time, float(height.replace(",", "."))


def count(path: Path) -> int:
    """How many heights a file holds."""
    return len(list(read(path)))
