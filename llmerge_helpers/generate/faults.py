"""What can go wrong with a request, and what is done about it: one table, and the code that finds the row in it."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from llmerge_helpers.run.session import redact

LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True)
class Rule:
    """One row of the table.

    `action` is retry, fail (this row) or stop (the whole run; the same command resumes it). `tries` is how often one
    request may meet this fault. `slow` faults tell the limiter. `bill` is what the service may ask for the attempt:
    nothing, told (it said so in usage), or unknown.
    """

    action: str
    tries: int
    slow: bool
    bill: str
    sentence: str


RULES = {
    # ---- the request is wrong: it would be wrong again
    "bad_request": Rule("fail", 1, False, "nothing", "the service refused the request"),
    "unknown_model": Rule("stop", 1, False, "nothing", "the service does not know this model: set another `model`"),
    # ---- nothing will work until a person acts
    "no_access": Rule("stop", 1, False, "nothing", "the service refused the API key: check it, then run again"),
    "no_balance": Rule("stop", 1, False, "nothing", "the account has no balance left: top it up, then run again"),
    # ---- the service is busy; never counted against a row
    "rate_limit": Rule("retry", 10**9, True, "nothing", "the service asked for fewer requests"),
    # ---- it failed, and may work in a moment
    "overloaded": Rule("retry", 8, True, "nothing", "the service is overloaded"),
    "server_error": Rule("retry", 6, False, "nothing", "the service failed"),
    "no_connection": Rule("retry", 6, False, "nothing", "no connection to the service"),
    "connection_lost": Rule("retry", 6, False, "unknown", "the connection broke before the answer was whole"),
    "blank_reply": Rule("retry", 6, False, "nothing", "the reply had no content at all (an overloaded service)"),
    "cut_stream": Rule("retry", 6, False, "unknown", "the reply ended before the answer was whole"),
    "malformed": Rule("retry", 6, False, "unknown", "the reply was not valid JSON"),
    "no_resources": Rule("retry", 6, False, "told", "the service broke the answer off (insufficient_system_resource)"),
    "blank_answer": Rule("retry", 3, False, "told", "the answer was blank although it ended normally"),
    "idle": Rule("retry", 3, False, "unknown", "nothing came for too long"),
    "deadline": Rule("retry", 2, False, "unknown", "the answer took too long as a whole"),
}

STATUS = {
    401: "no_access", 402: "no_balance", 403: "no_access", 408: "server_error", 409: "server_error",
    425: "server_error", 429: "rate_limit", 503: "overloaded", 529: "overloaded",
}  # fmt: skip

_UNKNOWN_MODEL = re.compile(r"model[ _]?not[ _]?(exist|found)|model .{0,80}(does not exist|not found)", re.IGNORECASE)
_NO_BALANCE = re.compile(r"insufficient[ _](balance|quota)", re.IGNORECASE)


class Fault(Exception):
    """A request that gave no usable answer; `kind` is its row in `RULES`, `response` what was paid for all the same."""

    def __init__(self, kind: str, detail: str = "", *, retry_after: float = 0.0, response: dict | None = None):
        self.kind, self.retry_after, self.response = kind, retry_after, response
        self.detail = redact(" ".join(detail.split()))[:300]
        self.rule = RULES[kind]
        super().__init__(self.sentence())

    def sentence(self) -> str:
        """What happened, in words."""
        return f"{self.kind}: {self.rule.sentence}" + (f" ({self.detail})" if self.detail else "")


def kind_of_status(status: int, text: str) -> str:
    """The row of the table for an HTTP status and the body that came with it.

    >>> kind_of_status(400, "Model Not Exist"), kind_of_status(422, "bad field"), kind_of_status(502, "")
    ('unknown_model', 'bad_request', 'server_error')
    """
    if status in (400, 404) and _UNKNOWN_MODEL.search(text):
        return "unknown_model"
    if status in (403, 429) and _NO_BALANCE.search(text):
        return "no_balance"
    return STATUS.get(status) or ("server_error" if status >= 500 else "bad_request")


def fault_of(error: BaseException) -> Fault | None:
    """The fault behind an exception of the SDK or of the network; None if it is neither: a bug must stay loud."""
    import httpx2
    import openai

    if isinstance(error, Fault):
        return error
    if isinstance(error, UnicodeEncodeError):
        return Fault("bad_request", "the conflict holds characters that are not text")
    if isinstance(error, openai.APIStatusError):
        detail = f"HTTP {error.status_code}: {_message(error.body) or error.response.text}"
        wait = retry_after(error.response.headers)
        return Fault(kind_of_status(error.status_code, detail), detail, retry_after=wait)
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Fault("no_connection", f"{type(cause).__name__}: {cause}")
    if isinstance(cause, httpx2.TimeoutException):
        return Fault("idle", type(cause).__name__)
    if isinstance(cause, TimeoutError):
        return Fault("deadline")
    if isinstance(cause, httpx2.TransportError | OSError | openai.APIConnectionError):
        return Fault("connection_lost", f"{type(cause).__name__}: {cause}")
    if isinstance(cause, httpx2.DecodingError):
        return Fault("malformed", f"{type(cause).__name__}: {cause}")
    return None


def fault_of_body(error: Any) -> Fault:
    """The fault behind an error object that came with status 200."""
    detail = _message({"error": error}) or str(error)
    code = error.get("code") if isinstance(error, Mapping) else None
    status = int(code) if str(code).isdigit() else 0
    return Fault(kind_of_status(status, detail) if 400 <= status < 600 else "server_error", detail)


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float:
    """Seconds that a `Retry-After` header asks for, given in seconds or as a date; 0 without one.

    >>> retry_after({"retry-after": "2.5"}), retry_after({})
    (2.5, 0.0)
    >>> retry_after({"retry-after": "Thu, 01 Jan 1970 00:01:00 GMT"}, now=20.0)
    40.0
    """
    text = (headers.get("retry-after") or "").strip()
    try:
        wait = float(text)
    except ValueError:
        try:
            wait = parsedate_to_datetime(text).timestamp() - (time.time() if now is None else now)
        except (ValueError, TypeError):
            return 0.0
    return max(0.0, wait) if math.isfinite(wait) else 0.0


def backoff(attempt: int, rng: random.Random) -> float:
    """Seconds to wait after the `attempt`-th fault of a request: doubling from half a second, with jitter."""
    return min(LONGEST_BACKOFF_S, 0.5 * 2 ** (attempt - 1)) * rng.uniform(0.5, 1.0)


def _message(body: Any) -> str:
    error = body.get("error", body) if isinstance(body, Mapping) else body
    message = error.get("message") if isinstance(error, Mapping) else error
    return message if isinstance(message, str) else ""
