"""Riders, and what they may do."""

from dataclasses import dataclass


@dataclass
class Rider:
    number: int
    name: str

    def greeting(self) -> str:
        """The first words in the app."""
        first = self.name.split(" ")[0]
        return f"Hello {first}"


def years(born, today):
    had_birthday = (today.month, today.day) >= (born.month, born.day)
    return today.year - born.year - (not had_birthday)


def may_ride(rider, today):
    """Whether the rider gets a bike today."""
    return rider is not None
