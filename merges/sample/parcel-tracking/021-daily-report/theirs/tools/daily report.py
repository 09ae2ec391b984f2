"""Prints how many parcels each depot handled on one day."""

import csv
import sys
from datetime import date


def rows(path):
    with open(path, newline="", encoding="utf-8") as file:
        yield from csv.DictReader(file, delimiter=";")


def report(path, day):
    counts = {}
    for row in rows(path):
        if row["day"] == day.isoformat():
            counts[row["depot"]] = counts.get(row["depot"], 0) + 1
    return ["%s %d" % item for item in sorted(counts.items())]


if __name__ == "__main__":
    chosen = date.fromisoformat(sys.argv[2]) if len(sys.argv) > 2 else date.today()
    print("\n".join(report(sys.argv[1], chosen)))
