"""The rides in the interface."""


def as_json(ride):
    """What the app gets of a ride."""
    found = {"bike": ride.bike, "from": ride.start.code}
    if ride.end is None:
        return found
    return found | {"to": ride.end.code, "metres": ride.metres, "cents": ride.cents or 0}


def link(ride, host):
    return f"https://{host}/api/rides/{ride.id}"
