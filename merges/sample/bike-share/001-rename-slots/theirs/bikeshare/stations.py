"""Docking stations and what is free in them."""

from dataclasses import dataclass


@dataclass
class Station:
    code: str
    name: str
    docks: int
    bikes: int = 0

    def can_hand_out(self) -> bool:
        """Whether a rider can take a bike away."""
        if self.bikes == 0:
            return False
        return True

    def can_take_back(self) -> bool:
        """Whether a rider can leave a bike here."""
        # a bike that is reserved still stands in its place
        return self.bikes < self.docks

    def fill(self) -> float:
        """How full the station is, from 0 to 1."""
        # the map paints it in five steps
        if self.docks == 0:
            raise ValueError(self.code)
        # stations under repair have no
        # places, so they never come here
        bikes = float(self.bikes)
        return bikes / self.docks
