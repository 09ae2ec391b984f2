"""How long a service asks to wait: what its headers say of the share that is left, and what its refusals say."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_WORDS = r"(?P<ms>millis|milliseconds?)|(?P<s>secs?|seconds?)|(?P<m>mins?|minutes?)|(?P<h>hrs?|hours?)|(?P<d>days?)"
_PART = re.compile(
    rf"(?P<number>\d+(?:\.\d+)?|\.\d+)\s*(?:{_WORDS}|(?P<unit>{'|'.join(_UNITS)}))(?![a-z])[\s,]*(?:and\b\s*)?"
)
_WAIT = re.compile(r"(?:retry|try again|wait)[^\d.]{0,12}(.{1,80})", re.IGNORECASE | re.DOTALL)
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
    now = _now(headers) if now is None else now
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
    length, rest = _duration(text)
    if length is not None and not rest:
        return length
    at = _date(text)
    return None if at is None else max(0.0, at - now)


def _duration(text: str) -> tuple[float | None, str]:
    """The length of time that `text` begins with, None without one, and what comes after it."""
    text, length = text.lower(), None
    while found := _PART.match(text):
        unit = found["unit"] or found.lastgroup
        length, text = (length or 0.0) + float(found["number"]) * _UNITS[unit], text[found.end() :]
    return length, text


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds that a `Retry-After` header asks for, in whatever way it tells them; 0 without one.

    >>> retry_after({"retry-after": "2.5"}), retry_after({"retry-after-ms": "250"}), retry_after({})
    (2.5, 0.25, 0.0)
    >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=20.0)
    40.0
    """
    now = _now(headers) if now is None else now
    told = (f"{(headers.get('retry-after-ms') or '').strip()}ms", headers.get("retry-after") or "")
    return next((wait for text in told if (wait := seconds_until(text, now)) is not None), 0.0)


def told_wait(text: str) -> float:
    """Seconds that the words of a refusal ask to wait; 0 if they ask for nothing.

    >>> told_wait("Please retry in 37.8s."), told_wait("try again in 1m2.5s"), told_wait("slow down")
    (37.8, 62.5, 0.0)
    >>> told_wait("Try again after 1 minute and 30 seconds.")
    90.0
    """
    found = _WAIT.search(text)
    return (_duration(found[1])[0] or 0.0) if found else 0.0


def reset_of(headers: Mapping[str, str], body: object, now: float | None = None) -> datetime | None:
    """When a limit is lifted, where that is told (OpenRouter tells it in the body too).

    >>> reset_of({"x-ratelimit-reset": "1741305600000"}, {}, now=1741300000.0).isoformat()
    '2025-03-07T00:00:00+00:00'
    """
    inner = body
    for name in ("error", "metadata", "headers"):
        inner = inner.get(name) if isinstance(inner, Mapping) else None
    told = headers.get("x-ratelimit-reset") or (inner.get("X-RateLimit-Reset") if isinstance(inner, Mapping) else None)
    now = _now(headers) if now is None else now
    wait = (seconds_until(str(told or ""), now) or 0.0) or retry_after(headers, now)
    try:
        return datetime.fromtimestamp(now + wait, UTC) if wait else None
    except (ValueError, OverflowError, OSError):
        return None


def _now(headers: Mapping[str, str]) -> float:
    """The time of a reply, so that a clock that goes wrong here does no harm."""
    return _date(headers.get("date") or "") or time.time()


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
