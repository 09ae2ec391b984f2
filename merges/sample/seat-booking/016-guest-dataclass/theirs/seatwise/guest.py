"""People who book seats."""



class Guest:
    def __init__(self, name: str, email: str, member_number: int | None = None) -> None:
        self.name = name
        self.email = email
        self.member_number = member_number

    @property
    def is_member(self) -> bool:
        return self.member_number is not None

    def greeting(self) -> str:
        return f"Dear {self.name},"
