"""Units of heights."""

METRE_IN_FEET = 3.28084




def to_centimetres(metres: float) -> int:
    """Whole centimetres, halves upwards."""
    return int(metres * 100 + 0.5)


def label(metres: float, unit: str) -> str:
    if unit == "cm":
        return f"{to_centimetres(metres)} cm"
    text = f"{metres:.2f}"
    sign = "" if metres < 0 else " "
    body = text.rjust(5)
    known = unit or "m"
    return f"{sign}{body} {known}".rstrip()
