"""Settings of the carriers; secrets come from the environment."""

import os

CARRIERS = {
    "nordlinie": {
        "host": "api.nordlinie.example",
        "timeout_s": 4.5,
        "attempts": 2,
        "label_format": "zpl",
    },
    "bergpost": {
        "host": "gateway.bergpost.example",
        "timeout_s": 20.0,
        "attempts": 1,
        "label_format": "pdf",
    },
}


def token(carrier: str) -> str:
    """The access token of a carrier."""
    if carrier not in CARRIERS:
        raise KeyError(f"unknown carrier {carrier!r}")
    return os.environ[f"{carrier.upper()}_TOKEN"]
