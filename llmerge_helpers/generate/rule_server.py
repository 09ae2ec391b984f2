"""The rule teacher as an OpenAI-compatible endpoint on loopback, so that the one client, cache and accounting run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from llmerge_helpers.generate.teachers import Teacher, rules_version

_LONGEST_BODY = 64 * 2**20


@dataclass(frozen=True)
class Request:
    """An HTTP request as far as a chat endpoint cares."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """The next request on a connection; None when the client has closed it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {name.strip().lower(): value.strip() for name, _, value in (x.partition(":") for x in lines if x)}
        length = int(headers.get("content-length", "0"))
        if not 0 <= length <= _LONGEST_BODY:
            return None
        return Request(method, path, headers, await reader.readexactly(length))
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError, ValueError):
        return None


@asynccontextmanager
async def serve_rules() -> AsyncIterator[str]:
    """The base_url of a rule teacher that answers on 127.0.0.1 while the context is open."""
    connections: set[asyncio.Task] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.current_task())
        try:
            with suppress(ConnectionError, asyncio.CancelledError):  # asyncio would log its own cancellation
                while (request := await read_request(reader)) is not None:
                    await _answer(request, writer)
        finally:
            connections.discard(asyncio.current_task())
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)


@asynccontextmanager
async def reachable(teacher: Teacher) -> AsyncIterator[Teacher]:
    """The teacher with an address that answers; the rule teacher is started for as long as the context is open."""
    if teacher.name != "rules" or teacher.base_url:
        yield teacher
        return
    async with serve_rules() as url:
        yield replace(teacher, base_url=url)


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.method != "POST" or not request.path.endswith("/chat/completions"):
        return await _send_json(writer, "404 Not Found", _error(f"{request.method} {request.path} is not served here"))
    try:
        body = json.loads(request.body)
        # a large conflict takes a while, and the client lives on this very event loop
        reasoning, content = await asyncio.to_thread(reply, body["messages"])
    except Exception as error:  # a conflict that a rule stumbles over fails with its reason, and alone
        return await _send_json(writer, "400 Bad Request", _error(f"{type(error).__name__}: {error}"))
    prompt = sum(len(str(m.get("content"))) for m in body["messages"]) // 4
    usage = {"prompt_tokens": prompt, "completion_tokens": (len(reasoning) + len(content)) // 4}
    usage["total_tokens"] = sum(usage.values())
    usage["completion_tokens_details"] = {"reasoning_tokens": len(reasoning) // 4}
    common = {"id": "rules", "created": 0, "model": "rules", "system_fingerprint": f"rules-{rules_version()}"}
    if not body.get("stream"):
        message = {"role": "assistant", "content": content, "reasoning_content": reasoning}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        completion = common | {"object": "chat.completion", "choices": [choice], "usage": usage}
        return await _send_json(writer, "200 OK", completion)
    deltas = [{"role": "assistant", "content": None, "reasoning_content": ""}, {"reasoning_content": reasoning}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": usage}]
    common["object"] = "chat.completion.chunk"
    events = [f"data: {json.dumps(common | chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    await _send(writer, "200 OK", "text/event-stream", "".join(events).encode())


def reply(messages: list[dict[str, Any]]) -> tuple[str, str]:
    """The rule teacher's reasoning and answer to a chat; all it knows is what the question says."""
    from llmerge_helpers.baselines import simple as baselines
    from llmerge_helpers.conflicts.prompts import parse_question, render_answer

    question = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    row = parse_question(question)
    resolution, reasoning = baselines.explain(row)
    if resolution is None:
        return reasoning, "No rule resolves this conflict."
    code = "".join((row["before"] or "", resolution, row["after"] or ""))
    return reasoning, render_answer(code, row["language"] or "")


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"}}


async def _send_json(writer: asyncio.StreamWriter, status: str, value: Any) -> None:
    await _send(writer, status, "application/json", json.dumps(value).encode())


async def _send(writer: asyncio.StreamWriter, status: str, kind: str, body: bytes) -> None:
    head = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()
