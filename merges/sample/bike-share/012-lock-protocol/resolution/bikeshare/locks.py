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
    if len(message) < HEADER_BYTES + 3:
        raise ValueError(f"a message of {len(message)} bytes")
    return message[HEADER_BYTES:]


def read(message: bytes) -> tuple[int, int, int]:
    """State, battery in percent and temperature."""
    data = body(message)
    return struct.unpack(">BBb", data[:3])


def state_name(state: int) -> str:
    # locks of the first batch
    # send nought while they start
    return NAMES.get(state, f"unknown state {state}")
