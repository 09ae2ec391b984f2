"""People who book seats."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Guest:
    name: str
    email: str
    member_number: int | None = None

    @property
    def is_member(self) -> bool:
        return self.member_number is not None

    def greeting(self) -> str:
        return f"Dear {self.name},"
