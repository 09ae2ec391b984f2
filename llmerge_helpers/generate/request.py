"""One request on the wire: streamed, watched, put together, and checked to be a whole answer."""

from __future__ import annotations

import asyncio
import json
import math
import random
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from llmerge_helpers.run import redact

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CUT_SHORT = ("length", "max_tokens")
Completion = dict[str, Any]  # a chat completion as the service sent it: nothing in it can be relied on


async def send(
    client: AsyncOpenAI,
    body: Mapping[str, object],
    *,
    deadline_s: float,
    on_accept: Callable[[], None] = lambda: None,
) -> Completion:
    """The response to `body` in the shape of a chat completion, whether it was streamed or not.

    `on_accept` is called once the response headers say that the service took the request. Every trouble is a `Fault`;
    the silence watchdog is the client's read timeout, which every byte, a keep-alive comment included, starts anew.
    """
    # The SDK gives the connection, the headers and typed errors. Its own walk over the messages costs more than all of
    # that, and so does its parser (one pydantic object a token): `extra_body` takes precedence and is sent as it is.
    create = client.chat.completions.with_streaming_response.create
    try:
        async with (
            asyncio.timeout(deadline_s),
            create(model=body["model"], messages=(), stream=True, extra_body=dict(body)) as answer,
        ):
            on_accept()
            response = answer.http_response
            if "text/event-stream" in response.headers.get("content-type", ""):
                completion = await _from_stream(response.aiter_bytes())
            else:
                completion = _from_text(await response.aread())
            request_id = answer.headers.get("x-request-id") or answer.headers.get("x-deepseek-request-id")
            if request_id:
                completion["request_id"] = request_id
    except Exception as error:
        fault = fault_of(error)
        if fault is None:
            raise
        raise fault from None
    return _checked(completion)


def _from_text(raw: bytes) -> Completion:
    if not raw.strip():  # blank lines keep the connection alive, and are all that an overloaded service sends
        raise Fault("blank_reply")
    try:
        completion = json.loads(raw)
    except ValueError:
        raise Fault("malformed", raw[:100].decode("utf-8", "replace")) from None
    if not isinstance(completion, dict):
        raise Fault("malformed", str(completion)[:100])
    if completion.get("error"):
        raise fault_of_body(completion["error"])
    return completion


async def _from_stream(chunks: AsyncIterator[bytes]) -> Completion:
    completion: Completion = {"object": "chat.completion"}
    message: Completion = {"role": "assistant", "content": None}
    parts: dict[str, list[str]] = {}
    finish_reason, rest, line, seen = None, b"", b"", False

    def partial() -> Completion:
        texts = {name: _paired("".join(pieces)) for name, pieces in parts.items()}
        return completion | {"choices": [{"index": 0, "message": message | texts, "finish_reason": finish_reason}]}

    try:
        async for data in chunks:
            lines = (rest + data).split(b"\n")
            rest = lines.pop()
            for line in lines:
                if not line.startswith(b"data:"):
                    continue  # a blank line, a comment that keeps the connection alive, an event name
                line = line[5:].strip()
                if line == b"[DONE]":
                    continue
                chunk = json.loads(line)
                if chunk.get("error"):
                    raise fault_of_body(chunk["error"])
                seen = True
                for name in ("id", "created", "model", "system_fingerprint", "usage"):
                    if chunk.get(name) is not None:
                        completion[name] = chunk[name]
                for choice in chunk.get("choices") or ():
                    finish_reason = choice.get("finish_reason") or finish_reason
                    for name, value in (choice.get("delta") or {}).items():
                        if name == "role" or value is None:
                            continue
                        if isinstance(value, str):
                            parts.setdefault(name, []).append(value)
                        elif isinstance(value, list):
                            message.setdefault(name, []).extend(value)
                        else:
                            message[name] = value
    except (ValueError, AttributeError, TypeError):
        raise Fault("malformed", line[:100].decode("utf-8", "replace"), response=partial()) from None
    except BaseException as error:
        fault = fault_of(error)
        if fault is not None and fault.response is None:
            fault.response = partial() if seen else None
            raise fault from None
        raise
    if not seen:
        raise Fault("malformed", rest[:100].decode("utf-8", "replace")) if rest.strip() else Fault("blank_reply")
    return partial()


def _paired(text: str) -> str:
    """`text` with the halves of a character that a host sent in two chunks put together; a lone half becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _checked(completion: Completion) -> Completion:
    """The completion, if it is a whole answer."""
    try:
        choice = completion["choices"][0]
        finish_reason, message = choice.get("finish_reason"), choice.get("message") or {}
        content = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Fault("malformed", "a response without choices", response=completion) from None
    if finish_reason == "insufficient_system_resource":
        raise Fault("no_resources", response=completion)
    if not finish_reason:
        raise Fault("cut_stream", "no finish_reason", response=completion)
    if finish_reason in CUT_SHORT:
        choice["finish_reason"] = "length"
    elif finish_reason == "stop" and not (content.strip() if isinstance(content, str) else content):
        raise Fault("blank_answer", response=completion)
    return completion


# -------------------------------------------------------------------------------------------------------------- faults


LONGEST_BACKOFF_S = 30.0


@dataclass(frozen=True)
class FaultRule:
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


FAULTS = {
    # ---- the request is wrong: it would be wrong again
    "bad_request": FaultRule("fail", 1, False, "nothing", "the service refused the request"),
    "unknown_model": FaultRule(
        "stop", 1, False, "nothing", "the service does not know this model: set another `model`"
    ),
    # ---- nothing will work until a person acts
    "no_access": FaultRule("stop", 1, False, "nothing", "the service refused the API key: check it, then run again"),
    "no_balance": FaultRule("stop", 1, False, "nothing", "the account has no balance left: top it up, then run again"),
    # ---- the service is busy; never counted against a row
    "rate_limit": FaultRule("retry", 10**9, True, "nothing", "the service asked for fewer requests"),
    # ---- it failed, and may work in a moment
    "overloaded": FaultRule("retry", 8, True, "nothing", "the service is overloaded"),
    "server_error": FaultRule("retry", 6, False, "nothing", "the service failed"),
    "no_connection": FaultRule("retry", 6, False, "nothing", "no connection to the service"),
    "connection_lost": FaultRule("retry", 6, False, "unknown", "the connection broke before the answer was whole"),
    "blank_reply": FaultRule("retry", 6, False, "nothing", "the reply had no content at all (an overloaded service)"),
    "cut_stream": FaultRule("retry", 6, False, "unknown", "the reply ended before the answer was whole"),
    "malformed": FaultRule("retry", 6, False, "unknown", "the reply was not valid JSON"),
    "no_resources": FaultRule(
        "retry", 6, False, "told", "the service broke the answer off (insufficient_system_resource)"
    ),
    "blank_answer": FaultRule("retry", 3, False, "told", "the answer was blank although it ended normally"),
    "idle": FaultRule("retry", 3, False, "unknown", "nothing came for too long"),
    "deadline": FaultRule("retry", 2, False, "unknown", "the answer took too long as a whole"),
}


STATUS = {
    401: "no_access", 402: "no_balance", 403: "no_access", 408: "server_error", 409: "server_error",
    425: "server_error", 429: "rate_limit", 503: "overloaded", 529: "overloaded",
}  # fmt: skip


_UNKNOWN_MODEL = re.compile(r"model[ _]?not[ _]?(exist|found)|model .{0,80}(does not exist|not found)", re.IGNORECASE)


_NO_BALANCE = re.compile(r"insufficient[ _](balance|quota)", re.IGNORECASE)


class Fault(Exception):
    """A request that gave no usable answer; `kind` is its row in `FAULTS`, `response` what was paid anyway."""

    def __init__(self, kind: str, detail: str = "", *, retry_after: float = 0.0, response: dict | None = None):
        self.kind, self.retry_after, self.response = kind, retry_after, response
        self.detail = redact(" ".join(detail.split()))[:300]
        self.rule = FAULTS[kind]
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


def fault_of_body(error: object) -> Fault:
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


def _message(body: object) -> str:
    error = body.get("error", body) if isinstance(body, Mapping) else body
    message = error.get("message") if isinstance(error, Mapping) else error
    return message if isinstance(message, str) else ""
