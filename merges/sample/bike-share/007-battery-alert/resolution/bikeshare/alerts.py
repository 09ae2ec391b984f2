"""What the fitters are told in the morning."""

from datetime import timedelta

IDLE = timedelta(days=14)
LOST = timedelta(days=3)


def alerts(bikes, now):
    """All alerts, the urgent ones first."""
    found = [f"{bike.number}: brakes" for bike in bikes if bike.brakes_worn]
    found += [f"{bike.number}: lost" for bike in bikes if now - bike.seen > LOST]
    found += [f"{b.number}: battery {b.volts:.1f} V" for b in bikes if b.volts < 3.4]
    for bike in bikes:
        if now - bike.moved > IDLE:
            found.append(f"{bike.number}: not moved since {bike.moved:%d %B}")
    return found


def mail_text(found):
    """The mail, or nothing where all is well."""
    if not found:
        return ""
    lines = "\n".join(f"* {line}" for line in found)
    return f"Good morning, {len(found)} things to do:\n{lines}\n"
