"""Messages of the locks, as they come over the air."""

import struct

OPEN, CLOSED, JAMMED = 1, 2, 3
HEADER_BYTES = 4

NAMES = {
    OPEN: "open",
    CLOSED: "closed",
    JAMMED: "jammed",
}


def body(message: bytes) -> bytes:
    """The message without its header."""
    return message[HEADER_BYTES:]


def read(message: bytes) -> tuple[int, int, int]:
    """State, battery in percent and temperature."""
    data = body(message)
    return data[0], data[1], data[2]


def state_name(state: int) -> str:
    # locks of the first batch
    # send nought while they start
    return NAMES.get(state, "unknown")
