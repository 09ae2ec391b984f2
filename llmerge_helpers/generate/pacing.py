"""What the headers of a reply say of the share that is left, and when there is more: `x-ratelimit-*` and its kin."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*(ns|us|µs|μs|ms|s|m|h|d)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_EPOCH_S = 1e8  # a number above it is a time since 1970, not three years to wait
_EPOCH_MS = 1e11


def pause(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds until the limit that is used up is reset, as any service names it; 0 where something is left.

    A time of day is compared with that of the reply, so that a clock that goes wrong here does no harm.

    >>> pause({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s"})
    360.0
    >>> pause({"anthropic-ratelimit-tokens-remaining": "5", "anthropic-ratelimit-tokens-reset": "1970-01-01T00:01:00Z"})
    0.0
    """
    told = {name.lower(): value for name, value in headers.items() if "limit" in name.lower()}
    ends = [
        told.get(name.replace("remaining", "reset"))
        for name, value in told.items()
        if "remaining" in name and _is_zero(value)
    ]
    short = told.get("ratelimit", "")  # all in one: limit=9, remaining=0, reset=4, or "default";r=0;t=4
    if re.search(r"\b(remaining|r)\s*=\s*0\b", short) and (reset := re.search(r"\b(reset|t)\s*=\s*(\d+)", short)):
        ends.append(reset[2])
    if not any(ends):
        return 0.0
    if now is None:
        now = _date(headers.get("date") or "") or time.time()
    return max(seconds_until(end or "", now) or 0.0 for end in ends)


def seconds_until(text: str, now: float) -> float | None:
    """Seconds from `now` (since 1970) to the time that `text` tells in any of the ways in use; None if it tells none.

    >>> [seconds_until(text, 60.0) for text in ("2.5", "1m0.5s", "120ms", "1970-01-01T00:02:00Z", "soon")]
    [2.5, 60.5, 0.12, 60.0, None]
    >>> seconds_until("1741305600000", 1741305590.0), seconds_until("1741305600", 1741305590.0)
    (10.0, 10.0)
    """
    text = text.strip()
    try:
        number = float(text)
    except ValueError:
        pass
    else:
        if not math.isfinite(number):
            return None
        if number > _EPOCH_S:
            while number > _EPOCH_MS:  # milliseconds, or finer
                number /= 1000
            number -= now
        return max(0.0, number)
    parts = _PART.findall(text.lower())
    if parts and not _PART.sub("", text.lower()).strip():
        return sum(float(number) * _UNITS[unit] for number, unit in parts)
    at = _date(text)
    return None if at is None else max(0.0, at - now)


def _is_zero(text: str) -> bool:
    try:
        return float(text) <= 0
    except ValueError:
        return False


def _date(text: str) -> float | None:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = read(text)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
    return None
