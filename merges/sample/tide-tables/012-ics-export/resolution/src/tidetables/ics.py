"""Waters as events of a calendar."""

LONGEST = 75  # octets, by the format


def event(water, place) -> list[str]:
    """The lines of one event."""
    start = water.time.strftime("%Y%m%dT%H%M%SZ")
    title = f"{water.kind}, {water.height:.1f} m, {place}"
    title = title.replace("\\", "\\\\").replace(",", "\\,")
    title = "\r\n ".join(folded(title, LONGEST))
    return [
        "BEGIN:VEVENT",
        f"DTSTART:{start}",
        f"SUMMARY:{title}",
        "END:VEVENT",
    ]


def uid(water, place) -> str:
    """The same for the same water, however often it is computed."""
    day = water.time.date().isoformat()
    return f"{place}-{day}-{water.number}@tidetables.example"


def folded(text: str, width: int) -> list[str]:
    return [text[i : i + width] for i in range(0, len(text), width)] or [""]
