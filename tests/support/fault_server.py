"""A loopback fake of the teacher's API, streaming and not, with seeded faults and books of what it answered and billed.

In a test: `with FaultServer(faults={"blank": 0.1}) as server: ... server.url ... server.books`. Or as a process:
`python tests/support/fault_server.py '{"latency_s": 2}'` prints its address; GET /books gives the books,
POST /options changes options while it runs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from rule_endpoint import read_request

from llmerge_helpers.conflicts.prompts import parse_question
from llmerge_helpers.generate import Teacher

FAULTS = (
    "status_400", "status_401", "status_402", "status_404", "status_422", "status_429", "status_500", "status_503",
    "unknown_model", "blank", "cut", "keep_alive", "malformed", "null_content", "insufficient", "length",
    "slow_loris", "reset", "reset_late", "wrong_model", "error_in_stream", "hang", "no_finish_reason",
)  # fmt: skip
KEY = "sk-loopback-0123456789abcdef"
TEXTS = {
    400: "Invalid request", 401: "Authentication Fails (invalid key)", 402: "Insufficient Balance", 404: "Not Found",
    422: "Invalid parameter", 429: "Too many requests", 500: "Internal error", 503: "Server overloaded",
}  # fmt: skip


@dataclass
class Options:
    """What the server does; everything can change while it runs."""

    seed: int = 0
    faults: dict[str, float] = field(default_factory=dict)  # name -> probability for each request
    faulty_tries: int = 10**9  # a body is spared after so many requests
    bursts: list[dict[str, Any]] = field(default_factory=list)  # {"fault", "every_s", "first_s", "for_s"}
    latency_s: float = 0.0
    latency: str = "fixed"  # or uniform, lognormal: with this mean
    header_delay_s: float = 0.0
    late_headers: bool = False  # some hosts send headers only when the answer is there
    limit: int | None = None  # requests in flight; above it 429
    schedule: list[tuple[float, int]] = field(default_factory=list)  # [(seconds since the first request, limit)]
    tell_limit: bool = True
    texts: dict[str, str] = field(default_factory=dict)  # status -> what its error says
    retry_after: float | None = None
    retry_after_as_date: bool = False
    model: str = "fake-1"
    fingerprint: str = "fp_1"
    balance: str | None = "12.34"
    answer_tokens: tuple[int, int] = (20, 60)  # uniform, seeded by the body; more than max_tokens is cut off
    padding: int = 0  # so many characters more of reasoning
    cached_share: float = 0.5  # of prompt tokens that hit the service's own cache
    prices: tuple[float, float, float] = (
        0.003,
        0.15,
        0.60,
    )  # hit, miss, output; per million, x2 in peak hours
    keep_alive_s: float = 0.3
    keep_alive_every_s: float = 0.05


@dataclass
class Books:
    """What happened. Requests are told apart by their body."""

    requests: int = 0
    refused: int = 0
    answered: int = 0  # a whole reply was written: stop, length or blank, all billed
    billed_usd: float = 0.0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    most_in_flight: int = 0
    by_body: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    keys: set[str] = field(default_factory=set)  # the API keys that came
    started_at: float = 0.0
    last_at: float = 0.0


@dataclass(frozen=True)
class Raw:
    """A reply of another service, byte for byte, and what it really costs."""

    status: int
    headers: dict[str, str]
    pieces: tuple[bytes, ...]
    prompt_tokens: int = 0
    completion_tokens: int = 0
    dollars: float = 0.0


Respond = Callable[[dict[str, Any]], tuple[str, str]]


def plain_reply(body: dict[str, Any]) -> tuple[str, str]:
    """Reasoning and content that depend on nothing but the question."""
    digest = hashlib.sha256(body["messages"][-1]["content"].encode()).hexdigest()[:8]
    return f"I look at both sides of {digest}.", f"```text\nanswer {digest}\n```"


def take_ours(body: dict[str, Any]) -> tuple[str, str]:
    """The answer that `make_rows` calls right."""
    if not body["messages"]:  # some clients send one to read the response's headers
        return "", "There is no question."
    question = parse_question(body["messages"][-1]["content"])
    code = f"{question['before']}{question['ours']}{question['after']}"
    return "Ours is newer.", f"```java\n{code}```"


def make_rows(count: int) -> list[dict[str, Any]]:
    """Small conflicts, each with a question of its own; to take ours is right."""
    rows = []
    for n in range(count):
        row = {"id": f"row-{n}", "language": "Java", "path": "A.java", "before": "f(\n", "after": ")\n"}
        row |= {"ours": f"  a{n}\n", "base": "  b\n", "theirs": f"  c{n}\n", "resolution": f"  a{n}\n"}
        rows.append(row | {"answer": row["before"] + row["resolution"] + row["after"]})
    return rows


class FaultServer:
    """The server in a thread of its own; use it as a context manager."""

    def __init__(self, respond: Respond = plain_reply, **options: Any):
        self.respond, self.options, self.books = respond, Options(**options), Books()
        self.bodies: list[dict[str, Any]] = []  # every body that came, as it came
        self.fault_for: Callable[[dict[str, Any]], str | None] = lambda body: None  # goes before the drawn ones
        self.raw_for: Callable[[dict[str, Any]], Raw | None] = lambda body: None  # goes before everything else
        self.headers_for: Callable[[dict[str, Any]], dict[str, str]] = lambda body: {}  # of answers and refusals
        self.in_flight = 0
        self._started = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def teacher(self, **changes: Any) -> Teacher:
        """A priced teacher that asks this server."""
        thinking = {"thinking": {"type": "enabled"}}
        known = {"name": "deepseek", "model": "deepseek-flash", "base_url": self.url, "api_key": KEY}
        return Teacher(**{**known, "extra_body": thinking, **changes})

    def __enter__(self) -> FaultServer:
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)
        self._thread.start()
        self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    async def _main(self, port: int = 0) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._connections: set[asyncio.Task] = set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", port, backlog=2048)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.current_task())
        try:
            while (request := await read_request(reader)) is not None:
                if request.method == "GET" or request.path == "/options":
                    self._control(request, writer)
                elif not await _Exchange(self, json.loads(request.body), request.headers, reader, writer).run():
                    return
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(asyncio.current_task())
            writer.close()

    def _control(self, request: Any, writer: asyncio.StreamWriter) -> None:
        if request.path == "/options":
            for name, value in json.loads(request.body).items():
                setattr(self.options, name, value)
        if request.path.endswith("/user/balance") and self.options.balance:
            info = {"currency": "USD", "total_balance": self.options.balance}
            return _json(writer, 200, {"is_available": True, "balance_infos": [info]})
        if request.path in ("/books", "/options"):
            books = vars(self.books) | {"keys": sorted(self.books.keys), "in_flight": self.in_flight}
            return _json(writer, 200, books)
        _json(writer, 404, {"error": {"message": "not found"}})

    def limit_now(self) -> int | None:
        """The limit that holds just now."""
        since = time.monotonic() - self.books.started_at
        return next((limit for start, limit in reversed(self.options.schedule) if since >= start), self.options.limit)


class _Exchange:
    """One request and what becomes of it."""

    def __init__(self, server: FaultServer, body: dict, headers: Any, reader: Any, writer: Any):
        self.server, self.options, self.books = server, server.options, server.books
        self.body, self.reader, self.writer, self.stream = body, reader, writer, bool(body.get("stream"))
        self.digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        self.books.keys.add(headers.get("authorization", "").removeprefix("Bearer "))

    async def run(self) -> bool:
        """True if the connection can be used again."""
        books, options, now = self.books, self.options, time.monotonic()
        books.started_at = books.started_at or now
        books.last_at = now
        books.requests += 1
        self.server.bodies.append(self.body)
        mine = books.by_body.setdefault(self.digest, {"requests": 0, "answered": 0})
        mine["requests"] += 1
        self.rng = random.Random(f"{options.seed}:{self.digest}:{mine['requests']}")
        self.fault = self.server.fault_for(self.body) or self._draw(mine["requests"])
        limit = self.server.limit_now()
        if limit is not None and self.server.in_flight >= limit:
            self._refuse(429, limit)
            return True
        self.server.in_flight += 1
        books.most_in_flight = max(books.most_in_flight, self.server.in_flight)
        try:
            if raw := self.server.raw_for(self.body):
                return await self._send_raw(raw)
            if self.fault:
                books.faults[self.fault] += 1
            return await self._answer()
        finally:
            self.server.in_flight -= 1

    async def _send_raw(self, raw: Raw) -> bool:
        if self.options.latency_s:
            await asyncio.sleep(self._latency())
        books = self.books
        books.answered += raw.completion_tokens > 0
        books.billed_usd += raw.dollars
        books.prompt_tokens += raw.prompt_tokens
        books.completion_tokens += raw.completion_tokens
        lines = [f"HTTP/1.1 {raw.status} Said", *(f"{name}: {text}" for name, text in raw.headers.items())]
        self.writer.write("\r\n".join([*lines, "transfer-encoding: chunked", "", ""]).encode())
        for piece in filter(None, raw.pieces):
            self._write(piece)
            await self.writer.drain()
        self.writer.write(b"0\r\n\r\n")
        return True

    def _draw(self, tries: int) -> str | None:
        if tries > self.options.faulty_tries:
            return None
        since = time.monotonic() - self.books.started_at
        for burst in self.options.bursts:
            if burst["first_s"] <= since % burst["every_s"] < burst["first_s"] + burst["for_s"]:
                return burst["fault"]
        point = self.rng.random()
        for name, probability in self.options.faults.items():
            if name not in FAULTS:
                raise ValueError(f"unknown fault {name}")
            point -= probability
            if point < 0:
                return name
        return None

    def _refuse(self, status: int, limit: int | None = None) -> None:
        self.books.refused += status == 429
        text = self.options.texts.get(str(status), TEXTS[status])
        if limit is not None and self.options.tell_limit:
            text = (
                f"Your current concurrency is {limit + 1}, which exceeds your concurrency limit of {limit} "
                "based on your remaining balance"
            )
        headers = dict(self.server.headers_for(self.body))
        if status in (429, 503) and self.options.retry_after is not None:
            seconds = self.options.retry_after
            date = formatdate(time.time() + seconds, usegmt=True)
            headers["retry-after"] = date if self.options.retry_after_as_date else f"{seconds:g}"
        _json(self.writer, status, {"error": {"message": text, "type": "error"}}, headers)

    async def _answer(self) -> bool:
        fault = self.fault or ""
        if fault.startswith("status_"):
            self._refuse(int(fault.removeprefix("status_")))
            return True
        if fault == "unknown_model":
            _json(self.writer, 400, {"error": {"message": "Model Not Exist"}})
            return True
        if fault == "reset":
            return self._reset()
        if fault == "hang":
            while not self.reader.at_eof():
                await asyncio.sleep(0.05)
            return False
        if self.options.late_headers:
            await asyncio.sleep(self._latency())
        elif self.options.header_delay_s:
            await asyncio.sleep(self.options.header_delay_s)
        kind = "text/event-stream" if self.stream else "application/json"
        more = "".join(f"{name}: {value}\r\n" for name, value in self.server.headers_for(self.body).items())
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{more}transfer-encoding: chunked\r\n\r\n"
        self.writer.write(head.encode())
        self._alive()
        await self.writer.drain()
        if fault == "slow_loris":
            while True:
                self._write(b":" if self.stream else b"\n")
                await self.writer.drain()
                await asyncio.sleep(0.02)
        if fault == "keep_alive":
            end = time.monotonic() + self.options.keep_alive_s
            while time.monotonic() < end:
                self._alive()
                await self.writer.drain()
                await asyncio.sleep(self.options.keep_alive_every_s)
        if not self.options.late_headers:
            await asyncio.sleep(self._latency())
        if self.reader.at_eof():
            raise ConnectionError("the client is gone: nothing is answered, nothing billed")
        if fault == "blank":
            self._write(b"\n\n\n")
        elif self.stream:
            await self._send_stream()
        else:
            self._send_whole()
        self.writer.write(b"0\r\n\r\n")
        return True

    def _write(self, data: bytes) -> None:
        self.writer.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _alive(self) -> None:
        self._write(b": keep-alive\n\n" if self.stream else b"\n")

    def _latency(self) -> float:
        mean = self.options.latency_s
        if self.options.latency == "uniform":
            return self.rng.uniform(0, 2 * mean)
        if self.options.latency == "lognormal":
            return mean * self.rng.lognormvariate(-0.5, 1.0)
        return mean

    def _reset(self) -> bool:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        return False

    def _reply(self) -> tuple[str, str | None, str, dict[str, Any]]:
        """Reasoning, content, finish_reason, usage."""
        reasoning, content = self.server.respond(self.body)
        reasoning += "so it goes, " * (self.options.padding // 12)
        of_question = random.Random(f"{self.options.seed}:{self.body['messages'][-1:]}")
        needed, limit = of_question.randint(*self.options.answer_tokens), int(self.body.get("max_tokens") or 10**9)
        finish, tokens = "stop", needed
        if needed > limit or self.fault == "length":
            finish, tokens, content = "length", limit, content[: len(content) // 2]
        if self.fault == "null_content":
            content = None
        if self.fault == "insufficient":
            finish, tokens, content = "insufficient_system_resource", tokens // 2, content[: len(content) // 2]
        if self.fault == "no_finish_reason":
            finish = None
        prompt = sum(len(m["content"].encode()) for m in self.body["messages"]) // 3
        hit = int(prompt * self.options.cached_share)
        usage = {
            "prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens,
            "prompt_cache_hit_tokens": hit, "prompt_cache_miss_tokens": prompt - hit,
            "completion_tokens_details": {"reasoning_tokens": tokens // 2},
        }  # fmt: skip
        return reasoning, content, finish, usage

    def _bill(self, usage: dict[str, Any]) -> None:
        books, (hit, miss, output) = self.books, self.options.prices
        books.answered += 1
        books.by_body[self.digest]["answered"] += 1
        books.prompt_tokens += usage["prompt_tokens"]
        books.completion_tokens += usage["completion_tokens"]
        dollars = usage["prompt_cache_hit_tokens"] * hit + usage["prompt_cache_miss_tokens"] * miss
        now = datetime.now(UTC)
        peak = now.weekday() < 5 and (1 <= now.hour < 4 or 6 <= now.hour < 10)
        books.billed_usd += (dollars + usage["completion_tokens"] * output) / 1e6 * (2 if peak else 1)

    @property
    def _common(self) -> dict[str, Any]:
        model = "another-model" if self.fault == "wrong_model" else self.options.model
        return {"id": self.digest, "created": 0, "model": model, "system_fingerprint": self.options.fingerprint}

    def _send_whole(self) -> None:
        reasoning, content, finish, usage = self._reply()
        message = {"role": "assistant", "content": content, "reasoning_content": reasoning}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        data = json.dumps(self._common | {"object": "chat.completion", "choices": [choice], "usage": usage}).encode()
        if self.fault == "error_in_stream":
            data = b'{"error": {"message": "it broke", "code": 500}}'
        if self.fault in ("malformed", "cut"):
            data = data[: len(data) // 2]
        if self.fault == "reset_late":
            self._reset()
            return
        self._write(data)
        if self.fault not in ("malformed", "cut", "error_in_stream"):
            self._bill(usage)

    async def _send_stream(self) -> None:
        reasoning, content, finish, usage = self._reply()
        piece = (
            max(1, -(-len(reasoning) // 2)) if not self.options.padding else 48
        )  # as a service streams: a few tokens
        deltas: list[dict[str, Any]] = [{"role": "assistant", "content": None, "reasoning_content": ""}]
        deltas += [{"reasoning_content": reasoning[at : at + piece]} for at in range(0, len(reasoning), piece)]
        if content:
            deltas += [{"content": content[: len(content) // 2]}, {"content": content[len(content) // 2 :]}]
        for number, delta in enumerate(deltas):
            self._event({"choices": [{"index": 0, "delta": delta, "finish_reason": None}]})
            if number == 2 and self.fault in ("cut", "reset_late", "malformed", "error_in_stream"):
                await self.writer.drain()
                if self.fault == "reset_late":
                    await asyncio.sleep(0.01)
                    self._reset()
                if self.fault == "malformed":
                    self._write(b'data: {"choices": [{"delta": {"content": "x\n\n')
                if self.fault == "error_in_stream":
                    self._event({"error": {"message": "it broke", "code": 500}})
                return
        if finish:
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
            self._event({"choices": [], "usage": usage})
            self._bill(usage)
        self._write(b"data: [DONE]\n\n")

    def _event(self, chunk: dict[str, Any]) -> None:
        data = json.dumps(self._common | {"object": "chat.completion.chunk"} | chunk)
        self._write(f"data: {data}\n\n".encode())


def _json(writer: asyncio.StreamWriter, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
    data = json.dumps(value).encode()
    lines = [f"HTTP/1.1 {status} {'OK' if status == 200 else 'Error'}", "content-type: application/json"]
    lines += [f"{name}: {text}" for name, text in {"content-length": str(len(data)), **(headers or {})}.items()]
    writer.write("\r\n".join([*lines, "", ""]).encode() + data)


if __name__ == "__main__":
    alone = FaultServer(take_ours, **json.loads(sys.argv[1] if len(sys.argv) > 1 else "{}"))

    async def announce() -> None:
        serving = asyncio.create_task(alone._main())
        while not alone._started.is_set():
            await asyncio.sleep(0.01)
        print(alone.url, flush=True)
        await serving

    asyncio.run(announce())
