"""Prints how many parcels each depot handled on one day."""

import csv
import sys
from collections import Counter
from datetime import date


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file, delimiter=";")


def report(path, day):
    counts = Counter(row["depot"] for row in rows(path) if row["day"] == day.isoformat())
    return [f"{depot:<8}{count:>7}" for depot, count in counts.most_common()]


if __name__ == "__main__":
    chosen = date.fromisoformat(sys.argv[2]) if len(sys.argv) > 2 else date.today()
    print("\n".join(report(sys.argv[1], chosen)))
