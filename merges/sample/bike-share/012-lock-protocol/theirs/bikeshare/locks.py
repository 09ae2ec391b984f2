"""Messages of the locks, as they come over the air."""

import struct

OPEN, CLOSED, JAMMED = 1, 2, 3
HEADER_BYTES = 6  # firmware 2.3

NAMES = {
    OPEN: "open",
    CLOSED: "closed",
    JAMMED: "jammed, send a fitter",
}


def body(message: bytes) -> bytes:
    """The message without its header."""
    return bytes(message[HEADER_BYTES:])


def read(message: bytes) -> tuple[int, int, int]:
    """State, battery in percent and temperature."""
    data = body(message)
    warmth = data[2] - 256 if data[2] > 127 else data[2]
    return data[0], data[1], warmth


def state_name(state: int) -> str:
    # locks of the first batch
    # send nought while they start
    return NAMES.get(state, "unknown")
