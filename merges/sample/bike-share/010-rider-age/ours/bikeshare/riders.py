"""Riders, and what they may do."""

from dataclasses import dataclass
from datetime import date


@dataclass
class Rider:
    number: int
    name: str
    born: date
    blocked: bool = False

    def greeting(self) -> str:
        """The first words in the app."""
        first = self.name.split(" ")[0]
        return f"Hello {first}"


def years(born, today):
    had_birthday = (today.month, today.day) >= (born.month, born.day)
    return today.year - born.year - (not had_birthday)


def may_ride(rider, today):
    """Whether the rider gets a bike today."""
    return not rider.blocked and years(rider.born, today) >= 16
