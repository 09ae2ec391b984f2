"""Guesses how many seats of each showing will be sold in the end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

DAYS_WATCHED = 28


@dataclass(frozen=True)
class Sales:
    showing: str
    day: date
    seats: int
    cancelled: bool = False


def forecast(showings: Iterable[list[Sales]]) -> dict[str, int]:
    """The name of each showing that takes place and its seats; the last seven sales count twice."""
    result = {}
    for sales in showings:
        if any(sale.cancelled for sale in sales):
            continue
        recent = sales[-7:]
        per_day = sum(sale.seats for sale in sales + recent) / (DAYS_WATCHED + len(recent))
        result[sales[0].showing] = round(per_day * 40)
    return result


def accuracy(guessed: int, sold: int) -> float:
    """1 for a perfect guess, 0 for one that is off by the whole number or more."""
    if sold == 0:
        return 1.0 if guessed == 0 else 0.0
    return max(0.0, 1.0 - abs(guessed - sold) / sold)


def read(path: str) -> Iterator[list[Sales]]:
    """The sales of each showing; the file is sorted by showing and day."""
    group: list[Sales] = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            showing, day, seats, *rest = line.rstrip("\n").split("\t")
            sale = Sales(showing, date.fromisoformat(day), int(seats), cancelled="cancelled" in rest)
            if group and group[0].showing != showing:
                yield group
                group = []
            group.append(sale)
    if group:
        yield group
