"""Waters as events of a calendar."""

LONGEST = 70


def event(water, place) -> list[str]:
    """The lines of one event."""
    start = water.time.strftime("%Y%m%dT%H%M%SZ")
    title = f"{water.kind}, {water.height:.1f} m, {place}"
    return [
        "BEGIN:VEVENT",
        f"DTSTART:{start}",
        f"SUMMARY:{title}",
        "END:VEVENT",
    ]


def uid(water, place) -> str:
    """The same for the same water, however often it is computed."""
    return f"{place}-{water.time.isoformat()}@tidetables.example"


def folded(text: str, width: int) -> list[str]:
    return [text[i : i + width] for i in range(0, len(text), width)]
