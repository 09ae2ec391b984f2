"""The rule teacher behind a real socket on loopback, as any other endpoint would be; and HTTP read by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import httpx2

from llmerge_helpers.generate.teachers import answer_by_rules

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


async def _answer(request: Request, writer: asyncio.StreamWriter) -> None:
    if request.method != "POST" or not request.path.endswith("/chat/completions"):
        found = httpx2.Response(404, json={"error": {"message": f"{request.method} {request.path} is not served here"}})
    else:
        found = await answer_by_rules(httpx2.Request("POST", "http://rules.invalid/v1", content=request.body))
    kind = found.headers["content-type"]
    head = f"HTTP/1.1 {found.status_code} x\r\ncontent-type: {kind}\r\ncontent-length: {len(found.content)}\r\n\r\n"
    writer.write(head.encode() + found.content)
    await writer.drain()
