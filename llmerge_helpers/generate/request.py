"""One request on the wire: streamed, watched, put together, and checked to be a whole answer."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import TYPE_CHECKING, Any

from llmerge_helpers.generate.faults import Fault, fault_of, fault_of_body

if TYPE_CHECKING:
    from openai import AsyncOpenAI

CUT_SHORT = ("length", "max_tokens")


async def send(
    client: AsyncOpenAI,
    body: Mapping[str, Any],
    *,
    deadline_s: float,
    on_accept: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
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


def _from_text(raw: bytes) -> dict[str, Any]:
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


async def _from_stream(chunks: AsyncIterator[bytes]) -> dict[str, Any]:
    completion: dict[str, Any] = {"object": "chat.completion"}
    message: dict[str, Any] = {"role": "assistant", "content": None}
    parts: dict[str, list[str]] = {}
    finish_reason, rest, line, seen = None, b"", b"", False

    def partial() -> dict[str, Any]:
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


def _checked(completion: dict[str, Any]) -> dict[str, Any]:
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
