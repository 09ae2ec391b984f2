"""One request on the wire: streamed, watched, put together, and checked to be a whole answer."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any

from llmerge_helpers.conflicts import split_reply
from llmerge_helpers.generate.pacing import pause, reset_of, retry_after, told_wait
from llmerge_helpers.generate.prices import told_usage
from llmerge_helpers.generate.refusals import (
    BASE_RESP,
    LIMITS,
    allowed_tokens,
    is_no_page,
    kind_of_status,
    message_of,
    refused_field,
    words,
)
from llmerge_helpers.run import redact

if TYPE_CHECKING:
    import openai
    from openai import AsyncOpenAI

# How services say that a reply is whole, that a limit cut it off, and that somebody would not give it.
WHOLE = (
    "stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete", "completed", "tool_calls", "function_call",
    "end", "done", "finished", "stop_token", "end_of_turn", "end_of_text", "tool_use",
)  # fmt: skip
CUT_SHORT = (
    "length", "max_tokens", "max_output_tokens", "max_completion_tokens", "model_length",
    "model_context_window_exceeded", "max_length", "token_limit", "truncated", "max_new_tokens",
)  # fmt: skip
FILTERED = ("content_filter", "sensitive", "safety", "refusal", "recitation", "prohibited_content", "blocklist", "spii")
RAW_RESPONSE = "X-Stainless-Raw-Response"  # what `with_streaming_response` of the SDK's own methods sets
Completion = dict[str, Any]  # a chat completion as the service sent it: nothing in it can be relied on


async def send(
    client: AsyncOpenAI,
    body: Mapping[str, object],
    *,
    deadline_s: float,
    on_accept: Callable[[Mapping[str, str]], None] = lambda headers: None,
    dialect: Dialect | None = None,
) -> Completion:
    """The response to `body` in the shape of a chat completion, whether it was streamed or not.

    `on_accept` is called with the response headers, which say that the service took the request. Every trouble is a
    `Fault`; the silence watchdog is the client's read timeout, which every byte, a keep-alive comment too, starts anew.
    A service that refuses the words of a request, and says which it would take, is asked again in its own `dialect`.
    """
    import openai

    dialect = Dialect() if dialect is None else dialect
    said = dialect.fit(body)
    try:
        async with asyncio.timeout(deadline_s):
            while True:
                said = dialect.fit(body)
                try:
                    completion = await _exchange(client, said, on_accept)
                    break
                except openai.APIStatusError as error:
                    if not dialect.learn(said, error.status_code, words(_body_of(error))):
                        raise
    except Exception as error:
        fault = fault_of(error, said)
        if fault is None:
            raise
        raise fault from None
    return _checked(completion)


async def _exchange(
    client: AsyncOpenAI, body: Mapping[str, object], on_accept: Callable[[Mapping[str, str]], None]
) -> Completion:
    # The SDK gives the connection, the headers and typed errors. Its own walk over the messages costs more than all of
    # that, and so does its parser (one pydantic object a token): so it gets the body as it is, and gives the bytes.
    options = {"headers": {RAW_RESPONSE: "stream"}}
    answer = await client.post("/chat/completions", cast_to=object, body=dict(body), options=options)
    try:
        on_accept(answer.headers)
        completion = await _read(answer.http_response.aiter_bytes())
        request_id = answer.headers.get("x-request-id") or answer.headers.get("x-deepseek-request-id")
        if request_id:
            completion["request_id"] = request_id
        return completion
    finally:
        await answer.close()


@dataclass
class Dialect:
    """What a service has taught us of the words that it takes; the key of a request knows nothing of it."""

    without: set[str] = field(default_factory=set)
    limit_name: str = ""
    whole: bool = False  # it answers in one piece only

    def fit(self, body: Mapping[str, object]) -> dict[str, object]:
        """The body as this service takes it."""
        names = {old: self.limit_name for old in LIMITS if self.limit_name}
        fitted = {names.get(name, name): value for name, value in body.items() if name not in self.without}
        return fitted | {"stream": False} if self.whole else fitted

    def learn(self, said: Mapping[str, object], status: int, text: str) -> bool:
        """True if a refusal of `said` tells of other words to say it in."""
        if status not in (400, 404, 422, 501):
            return False
        if "stream_options" in text and "stream_options" in said:
            self.without.add("stream_options")
            return True
        if said.get("stream") and _NO_STREAM.search(text):
            self.whole = True
            self.without.add("stream_options")
            return True
        mine, other = LIMITS if LIMITS[0] in said else LIMITS[::-1]
        if mine in said and not self.limit_name and (_USE_OTHER[other].search(text) or _NOT_KNOWN[mine].search(text)):
            self.limit_name = other
            return True
        return False


_NO_STREAM = re.compile(
    r"verified to stream|stream(ing)?\W{0,3} (is )?(not supported|unsupported|not avail)|not support stream(ing)?\b",
    re.IGNORECASE,
)
_USE_OTHER = {name: re.compile(rf"\buse\W{{1,4}}{name}\b", re.IGNORECASE) for name in LIMITS}
_NOT_KNOWN = {
    name: re.compile(
        rf"\b{name}\b\W{{0,4}}(is |are )?(not supported|unsupported|not permitted|unknown|unexpected|extra)"
        rf"|(unsupported|unrecogni[sz]ed|unknown|unexpected|extra_forbidden)[^.]{{0,60}}\b{name}\b"
        rf"|\b{name}\b[^.]{{0,20}}extra (inputs|fields)",
        re.IGNORECASE,
    )
    for name in LIMITS
}


# ----------------------------------------------------------------------------------------------------------- the reply


async def _read(chunks: AsyncIterator[bytes]) -> Completion:
    """The reply in what came, whatever the header calls it: events of a stream, or one JSON text."""
    stream, whole = _Stream(), None  # None: nothing came yet but blanks, which keep the connection alive
    text: list[bytes] = []
    try:
        async for data in chunks:
            if whole is None:
                data = data.lstrip(b" \t\r\n\xef\xbb\xbf")
                if not data:
                    continue
                whole = data[:1] in b"{[<"
            if whole:
                text.append(data)
            else:
                stream.feed(data)
        if whole is False:
            stream.end()
    except (ValueError, AttributeError, TypeError, LookupError):
        raise Fault("malformed", stream.last.decode("utf-8", "replace")[:100], response=stream.completion()) from None
    except BaseException as error:
        fault = fault_of(error)
        if fault is not None and fault.response is None:
            fault.response = stream.completion() if stream.seen else None
            raise fault from None
        raise
    if whole:
        return _from_text(b"".join(text))
    if not stream.seen:  # blanks and comments are all that an overloaded service sends
        raise (
            Fault("malformed", stream.strange[:100].decode("utf-8", "replace"))
            if stream.strange
            else Fault("blank_reply")
        )
    return stream.completion()


def _from_text(raw: bytes) -> Completion:
    try:
        completion = json.loads(raw)
    except ValueError:
        kind = "wrong_address" if raw[:1] == b"<" else "malformed"
        raise Fault(kind, raw[:100].decode("utf-8", "replace")) from None
    if isinstance(completion, list) and len(completion) == 1:
        completion = completion[0]  # Gemini's errors come so
    if not isinstance(completion, dict):
        raise Fault("malformed", str(completion)[:100])
    if fault := _told_fault(completion):
        raise fault
    return completion


class _Stream:
    """A streamed reply, put together event by event."""

    def __init__(self) -> None:
        self.seen = False
        self.last = b""  # the data that was read last
        self.strange = b""  # a first line that is nothing of a stream
        self._rest, self._event, self._data = b"", b"", []
        self._fields: Completion = {"object": "chat.completion"}
        self._parts: dict[str, list[object]] = {}
        self._message: Completion = {"role": "assistant", "content": None}
        self._finish_reason: object = None

    def feed(self, data: bytes) -> None:
        """Read what came; lines end as the host likes."""
        data = self._rest + data
        held = b""
        if b"\r" in data:
            held = b"\r" if data.endswith(b"\r") else b""  # its line feed may be on the way
            data = data.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = data.split(b"\n")
        self._rest = rest + held
        for line in lines:
            self._line(line)

    def end(self) -> None:
        """Nothing more comes; the last line may lack its end, and the last event its blank line."""
        self._line(self._rest)
        self._rest = b""
        self._line(b"")

    def _line(self, line: bytes) -> None:
        if line.startswith(b"data: {") and not self._data and not self._event:  # nearly all are so: the short way
            self.last = line
            try:
                chunk = json.loads(line[6:])
            except ValueError:
                pass
            else:
                return self._take(chunk)
        if not line.strip():
            if self._data:
                raise ValueError("an event that is no JSON")
            self._event = b""
            return
        name, _, value = line.partition(b":")
        if line[:1] == b"{":  # a host that forgets what a line begins with
            name, value = b"data", line
        if name == b"event":
            self._event = value.strip()
        if name != b"data":
            if name not in (b"", b"event", b"id", b"retry"):
                self.strange = self.strange or line
            return
        value = self.last = value.strip()
        if not value or value == b"[DONE]":
            return
        self._data.append(value)  # an event may have several lines: it is whole as soon as it can be read
        try:
            chunk = json.loads(b"\n".join(self._data))
        except ValueError:
            return
        self._data.clear()
        self._take(chunk)

    def _take(self, chunk: Completion) -> None:
        fault = fault_of_body(chunk) if self._event == b"error" else _told_fault(chunk)
        if fault:
            raise fault
        self.seen = True
        fields = self._fields
        for name in ("id", "created", "model", "system_fingerprint", "provider", "service_tier"):
            if name not in fields and chunk.get(name):
                fields[name] = chunk[name]
        choices = chunk.get("choices") or ()
        if chunk.get("usage") or "x_groq" in chunk or (choices and "usage" in choices[0]):
            usage = told_usage(chunk)
            if usage and (any(usage.values()) or "usage" not in fields):  # zeros at the end take nothing back
                fields["usage"] = usage
        for choice in choices:
            if choice.get("index"):
                continue  # nobody asked for a second one
            reason = choice.get("finish_reason")
            self._finish_reason = reason if reason and reason != "null" else self._finish_reason
            delta = choice.get("delta")
            if not delta and not self._parts:
                delta = choice.get("message")  # the whole of it, in place of a stream, or as its end
            for name, value in (delta or {}).items():
                if name == "role" or value is None:
                    continue
                if isinstance(value, str):
                    self._parts.setdefault(name, []).append(value)
                elif isinstance(value, list):
                    self._parts.setdefault(name, []).extend(value)
                else:
                    self._message[name] = value

    def completion(self) -> Completion:
        """What has come so far, in the shape of a whole reply."""
        message = self._message | {name: _joined(name, pieces) for name, pieces in self._parts.items()}
        return self._fields | {"choices": [{"index": 0, "message": message, "finish_reason": self._finish_reason}]}


def _joined(name: str, pieces: list) -> object:
    if all(isinstance(piece, str) for piece in pieces):
        return _paired("".join(pieces))
    if name != "content":
        return pieces
    parts = [{"type": "text", "text": piece} if isinstance(piece, str) else piece for piece in pieces]
    parts = [part for part in parts if isinstance(part, Mapping)]
    joined: list = []
    for kind, group in groupby(parts, key=lambda part: str(part.get("type"))):
        group = list(group)
        values = [part.get(kind) for part in group]
        if all(isinstance(value, str) for value in values):
            joined.append(group[0] | {kind: _paired("".join(values))})
        elif all(isinstance(value, list) for value in values):  # Mistral's thinking: texts within
            joined.append(group[0] | {kind: _joined(name, list(chain.from_iterable(values)))})
        else:
            joined += group
    return joined


def _paired(text: str) -> str:
    """`text` with the halves of a character that a host sent in two chunks put together; a lone half becomes U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _checked(completion: Completion) -> Completion:
    """The completion, if it is a whole answer."""
    try:
        choice = completion["choices"][0]
        reason, message = choice.get("finish_reason"), choice.get("message") or {}
        content = message.get("content")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise Fault("malformed", "a response without choices", response=completion) from None
    if isinstance(reason, Mapping):  # SGLang: {"type": "abort", "message": …}
        detail, reason = str(reason.get("message") or ""), reason.get("type")
    else:
        error = choice.get("error")
        detail = message_of({"error": error}) if error else ""
    told = str(reason or "").strip()
    end = re.split(r"\W", told.lower(), maxsplit=1)[0]  # Gemini: "content_filter: SAFETY"
    if end == "insufficient_system_resource":
        raise Fault("no_resources", response=completion)
    if end in ("", "null", "none"):
        raise Fault("cut_stream", "no finish_reason", response=completion)
    if end in CUT_SHORT:
        choice["finish_reason"] = "length"
    elif end in FILTERED:
        raise Fault("refused", f"{told} {message.get('refusal') or detail}", response=completion)
    elif end not in WHOLE:  # network_error, abort, error, and what nobody has seen yet
        raise Fault("broken_off", f"finish_reason {told} {detail}", response=completion)
    elif isinstance(content, str) and content.strip():
        choice["finish_reason"] = "stop"
    else:
        _check_not_blank(message, completion)
        choice["finish_reason"] = "stop"
    return completion


def _check_not_blank(message: Completion, completion: Completion) -> None:
    """Raise the `Fault` of a reply that ended normally and has no text where the answer belongs."""
    reply = split_reply(message)
    if reply.answer.strip():
        return
    parts = message.get("content")
    refusals = [message, *(part for part in (parts if isinstance(parts, list) else ()) if isinstance(part, Mapping))]
    if refusal := next((str(part["refusal"]) for part in refusals if part.get("refusal")), ""):
        raise Fault("refused", refusal, response=completion)
    # Code in there is the answer, and a server that put it there does so again. Blank and no code may be chance, as it
    # is with DeepSeek, whose field has another name.
    if reply.reasoning and (reply.source != "reasoning_content" or "```" in reply.reasoning):
        raise Fault("only_reasoning", response=completion)
    raise Fault("blank_answer", response=completion)


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
    "too_long": FaultRule(
        "fail",
        1,
        False,
        "nothing",
        "question and max_tokens do not fit into the model's context: lower `max_tokens`, or set another `model`",
    ),
    "filtered": FaultRule("fail", 1, False, "nothing", "the service's content filter refused the question"),
    "unknown_model": FaultRule(
        "stop", 1, False, "nothing", "the service does not know this model, or does not serve it: set another `model`"
    ),
    "wrong_address": FaultRule(
        "stop", 1, False, "nothing", "nothing answers chat requests at this address: check `base_url`, most end in /v1"
    ),
    "max_tokens": FaultRule("stop", 1, False, "nothing", "`max_tokens` is above what the service allows: lower it"),
    "bad_field": FaultRule(
        "stop", 1, False, "nothing", "the service refused a field of `request`: take it out, or change its value"
    ),
    # ---- nothing will work until a person acts
    "no_access": FaultRule("stop", 1, False, "nothing", "the service refused the API key: check it, then run again"),
    "forbidden": FaultRule(
        "stop", 1, False, "nothing", "the service refuses access: check what this API key and account may use"
    ),
    "no_region": FaultRule(
        "stop", 1, False, "nothing", "the service does not serve this country or region: choose another `base_url`"
    ),
    "no_balance": FaultRule("stop", 1, False, "nothing", "the account has no balance left: top it up, then run again"),
    "used_up": FaultRule(
        "stop",
        1,
        False,
        "nothing",
        "what the account may ask for in a day or period is used up: run again after the reset, or set another `model`",
    ),
    "no_trust": FaultRule(
        "stop",
        1,
        False,
        "nothing",
        "no secure connection: check http and https in `base_url`, or name the certificates in SSL_CERT_FILE",
    ),
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
    "broken_off": FaultRule("retry", 6, False, "told", "the service broke the answer off"),
    "blank_answer": FaultRule("retry", 3, False, "told", "the answer was blank although it ended normally"),
    # ---- it was paid for, and the same question would give the same
    "refused": FaultRule("fail", 1, False, "told", "the model, or a content filter, refused to answer"),
    "only_reasoning": FaultRule(
        "fail",
        1,
        False,
        "told",
        "the answer is empty, all text stands in the reasoning: the server's reasoning parser does not fit the model",
    ),
    "idle": FaultRule("retry", 3, False, "unknown", "nothing came for too long"),
    "deadline": FaultRule("retry", 2, False, "unknown", "the answer took too long as a whole"),
}


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


def fault_of(error: BaseException, said: Mapping[str, object] | None = None) -> Fault | None:
    """The fault behind an exception of the SDK or of the network; None if it is neither: a bug must stay loud."""
    import aiohttp
    import httpx2
    import openai

    if isinstance(error, Fault):
        return error
    if isinstance(error, UnicodeEncodeError):
        return Fault("bad_request", "the conflict holds characters that are not text")
    if isinstance(error, openai.APIStatusError):
        return _fault_of_status(error, said)
    cause = error.__cause__ if isinstance(error, openai.APIConnectionError) else error
    if isinstance(cause, httpx2.TransportError) and isinstance(cause.__cause__, aiohttp.ClientError):
        cause = cause.__cause__  # it tells more: a connection that broke is called ConnectTimeout by the layers above
    told = f"{type(cause).__name__}: {cause}"
    if isinstance(cause, httpx2.ConnectError | aiohttp.ClientSSLError) and re.search(r"\bSSL\b|certificate", told):
        return Fault("no_trust", str(cause))
    unreached = aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | aiohttp.ClientHttpProxyError
    if isinstance(cause, unreached | httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.ProxyError):
        return Fault("no_connection", told)
    if isinstance(cause, httpx2.TimeoutException | aiohttp.ServerTimeoutError):
        return Fault("idle", type(cause).__name__)
    if isinstance(cause, TimeoutError):
        return Fault("deadline")
    if isinstance(cause, httpx2.UnsupportedProtocol | httpx2.InvalidURL | aiohttp.InvalidURL):
        return Fault("wrong_address", str(cause))
    if isinstance(cause, httpx2.TransportError | aiohttp.ClientError | OSError | openai.APIConnectionError):
        return Fault("connection_lost", told)
    if isinstance(cause, httpx2.DecodingError):
        return Fault("malformed", f"{type(cause).__name__}: {cause}")
    return None


def _body_of(error: openai.APIStatusError) -> object:
    """The body of a refusal: the SDK keeps what stands under `error`, and the code may stand beside it."""
    try:
        return json.loads(error.response.text)
    except ValueError:
        return error.response.text


def _fault_of_status(error: openai.APIStatusError, said: Mapping[str, object] | None) -> Fault:
    status, headers, body = error.status_code, error.response.headers, _body_of(error)
    text = words(body)[:4000]
    detail = f"HTTP {status}: {message_of(body) or text or error.response.reason_phrase}"
    if 300 <= status < 400:
        return Fault("wrong_address", f"HTTP {status}: it moved to {headers.get('location', 'nowhere')}")
    if is_no_page(status, body):
        return Fault("wrong_address", detail)
    kind = kind_of_status(status, text, said)
    if kind == "max_tokens":
        detail = f"Allowed are at most {allowed_tokens(text, said)} ({detail})"
    elif kind == "bad_field":
        detail = f"`{refused_field(text, said)}` ({detail})"
    elif kind == "used_up" and (reset := reset_of(headers, body)):
        detail = f"The reset is at {reset:%Y-%m-%d %H:%M} UTC ({detail})"
    wait = retry_after(headers) or pause(headers) or (told_wait(text) if kind == "rate_limit" else 0.0)
    return Fault(kind, detail, retry_after=wait)


def _told_fault(completion: Completion) -> Fault | None:
    """The fault that a body of status 200 tells of, if it does."""
    if completion.get("error"):
        return fault_of_body(completion["error"])
    if completion.get("choices") and "base_resp" not in completion and "x_groq" not in completion:
        return None
    base = completion.get("base_resp")
    code = base.get("status_code") if isinstance(base, Mapping) else 0
    if code:
        words = f"{'sensitive ' if code in (1026, 1027) else ''}{base.get('status_msg') or ''} ({code})"
        return fault_of_body({"message": words, "code": BASE_RESP.get(code if isinstance(code, int) else 0, 500)})
    speaks = any(completion.get(name) for name in ("message", "msg", "detail"))
    if completion.get("object") == "error" or (speaks and not completion.get("choices")):
        return fault_of_body(completion)
    if (x_groq := completion.get("x_groq")) and isinstance(x_groq, Mapping) and x_groq.get("error"):
        return fault_of_body({"message": x_groq["error"]})
    return None


def fault_of_body(error: object) -> Fault:
    """The fault behind an error object that came with status 200."""
    text = words(error)
    detail = message_of({"error": error}) or text or str(error)
    codes = [error.get(name) for name in ("code", "status", "http_code")] if isinstance(error, Mapping) else []
    status = next((int(code) for code in codes if str(code).isdecimal() and 400 <= int(code) < 600), 0)
    if not status and re.search(r"rate_?limit|too many requests", text, re.IGNORECASE):
        status = 429
    kind = "wrong_address" if is_no_page(200, error) else kind_of_status(status or 400, text)
    # words that nobody knows, and no status: most often the service itself is in trouble
    return Fault("server_error" if kind == "bad_request" and not status else kind, detail)


def backoff(attempt: int, rng: random.Random) -> float:
    """Seconds to wait after the `attempt`-th fault of a request: doubling from half a second, with jitter."""
    return min(LONGEST_BACKOFF_S, 0.5 * 2 ** (attempt - 1)) * rng.uniform(0.5, 1.0)
