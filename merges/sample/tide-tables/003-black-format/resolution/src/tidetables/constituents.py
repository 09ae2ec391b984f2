"""Constituents: waves of a fixed speed whose sum is the tide."""

from typing import NamedTuple


class Constituent(NamedTuple):
    name: str
    speed: float  # degrees an hour

    def degrees(self, hours: float) -> float:
        return self.speed * hours % 360


N2 = Constituent("N2", 28.4397295)

# the largest first
MAIN = [Constituent("M2", 28.9841042), Constituent("S2", 30.0), N2]


def by_name(name: str) -> Constituent:
    known = {one.name: one for one in MAIN}
    upper = name.strip().upper()
    try:
        return known[upper]
    except KeyError:
        raise UnknownConstituent(name, sorted(known)) from None
