"""A loopback fake of OpenAI's files and batches beside the fake teacher, with faults by the step and a bill of its own.

In a test: `with BatchServer(take_ours) as server: server.next["create"] = ["created_500"] ... server.bill`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from fault_server import FaultServer, _Exchange, _json, plain_reply
from rule_endpoint import Request, read_request

from llmerge_helpers.generate import Teacher
from llmerge_helpers.generate.teachers import Batch

SHARE = Fraction(1, 2)


class BatchServer(FaultServer):
    """The server; `next[step]` are faults that the next calls of upload, create, list, poll or content meet, in order.

    A fault is a status, `reset` (nothing comes back), `cut` (half of it comes), or `created_<status>`: what was asked
    for is done, and the answer is that status all the same. A batch ends after `polls` looks, as `ends` says.
    """

    def __init__(self, respond: Callable[[dict[str, Any]], tuple[str, str]] = plain_reply, **options: Any):
        super().__init__(respond, **options)
        self.next: dict[str, list[str]] = defaultdict(list)
        self.calls: Counter[str] = Counter()
        self.on_call: Callable[[str], None] = lambda step: None  # before the step is done
        self.after_call: Callable[[str], None] = lambda step: None  # when it is done, and not answered yet
        self.files: dict[str, bytes] = {}
        self.made: dict[str, dict[str, Any]] = {}  # batches, by id
        self.polls = 1
        self.ends: list[str] = []  # of the batches to come: completed where nothing is left here
        self.finished = 10**9  # how many requests of a batch that does not complete are answered
        self.room: int | None = None  # requests that may wait at once
        self.line_fault: Callable[[dict[str, Any], int], str | None] = lambda body, times: None
        self.tokens: Callable[[dict[str, Any]], int] = lambda body: 40
        self.spoil: Callable[[list[bytes]], list[bytes]] = lambda lines: lines  # of an output file
        self.asked: Counter[str] = Counter()  # times that a custom_id came
        self.paid: Counter[str] = Counter()  # times that it was answered, and billed
        self.bill = Fraction(0)

    def teacher(self, **changes: Any) -> Teacher:
        return super().teacher(**{"batch": Batch(float(SHARE)), **changes})

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(asyncio.current_task())
        try:
            while (request := await read_request(reader)) is not None:
                path = request.path.removeprefix("/v1").partition("?")[0]
                step = {"/files": "upload", "/batches": "create" if request.method == "POST" else "list"}.get(path)
                step = step or ("content" if path.endswith("/content") else "poll" if "/batches/" in path else "")
                if not step:
                    if request.method == "GET":
                        self._control(request, writer)
                    elif not await _Exchange(self, json.loads(request.body), request.headers, reader, writer).run():
                        return
                    await writer.drain()
                    continue
                if not self._step(step, path, request, writer):
                    return
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(asyncio.current_task())
            writer.close()

    def _step(self, step: str, path: str, request: Request, writer: asyncio.StreamWriter) -> bool:
        self.calls[step] += 1
        self.on_call(step)
        fault = self.next[step].pop(0) if self.next[step] else ""
        if fault.isdigit():
            _json(writer, int(fault), {"error": {"message": f"no, not file-Ab12Cd34 ({fault})"}}, {"retry-after": "0"})
            return True
        if fault == "reset":
            return False
        answer = getattr(self, f"_{step}")(path, request)
        self.after_call(step)
        if fault.startswith("created_"):
            _json(writer, int(fault.removeprefix("created_")), {"error": {"message": "it broke"}})
        elif isinstance(answer, bytes):
            sent = answer[: len(answer) // 2] if fault == "cut" else answer
            writer.write(f"HTTP/1.1 200 OK\r\ncontent-length: {len(answer)}\r\n\r\n".encode() + sent)
            return fault != "cut"
        else:
            _json(writer, 200 if answer else 404, answer or {"error": {"message": "No such batch"}})
        return True

    def _upload(self, path: str, request: Request) -> dict[str, Any]:
        boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        parts = request.body.split(b"--" + boundary)
        content = next(part for part in parts if b"filename=" in part).partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
        assert any(b'name="purpose"' in part and b"batch" in part for part in parts)
        name = f"file-Ab12Cd{len(self.files)}"
        self.files[name] = content
        return {"id": name, "object": "file", "bytes": len(content), "purpose": "batch", "created_at": 0}

    def _create(self, path: str, request: Request) -> dict[str, Any]:
        asked = json.loads(request.body)
        assert (asked["endpoint"], asked["completion_window"]) == ("/v1/chat/completions", "24h")
        name = f"batch_69c08{len(self.made)}"
        end = self.ends.pop(0) if self.ends else "completed"
        told = {"id": name, "object": "batch", "input_file_id": asked["input_file_id"], "created_at": int(time.time())}
        told |= {"endpoint": asked["endpoint"], "completion_window": "24h", "status": "validating", "_end": end}
        lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines()]
        assert len({line["custom_id"] for line in lines}) == len(lines)
        waiting = sum(old["_size"] for old in self.made.values() if old["status"] in ("validating", "in_progress"))
        if self.room is not None and waiting + len(lines) > self.room:
            told["_end"] = "failed"
            error = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached in org-9XyZw123"}
            told["errors"] = {"object": "list", "data": [error]}
        elif end == "failed":
            error = {"code": "invalid_model", "message": "model m of org-9XyZw123 is not for file-Ab12Cd34"}
            told["errors"] = {"object": "list", "data": [error]}
        else:
            self._answer_all(told, lines)
        self.made[name] = told | {"_polls": 0, "_size": len(lines)}
        return self._shown(name)

    def _answer_all(self, told: dict[str, Any], lines: list[dict[str, Any]]) -> None:
        output, errors = [], []
        for number, line in enumerate(lines):
            key, body = line["custom_id"], line["body"]
            assert (line["method"], line["url"]) == ("POST", told["endpoint"]) and "stream" not in body
            self.asked[key] += 1
            if told["_end"] != "completed" and number >= self.finished:
                error = {"code": f"batch_{told['_end']}", "message": "This request was not executed"}
                errors.append({"id": "r", "custom_id": key, "response": None, "error": error})
                continue
            fault = self.line_fault(body, self.asked[key])
            response = {"status_code": 200, "request_id": f"req_{number}", "body": self._completion(body, key, fault)}
            if fault and fault.isdigit():
                response |= {"status_code": int(fault), "body": {"error": {"message": f"no ({fault}) for org-9XyZw1"}}}
                errors.append({"id": "r", "custom_id": key, "response": response, "error": None})
            elif fault != "no_line":
                output.append({"id": "r", "custom_id": key, "response": response, "error": None})
        files = {"output_file_id": output, "error_file_id": errors}
        told["_counts"] = {"total": len(lines), "completed": len(output), "failed": len(errors)}
        for kind, found in files.items():
            if found:
                told[kind] = f"file-Ab12Cd{len(self.files)}"
                raw = [json.dumps(line).encode() + b"\n" for line in found]
                self.files[told[kind]] = b"".join(self.spoil(raw) if kind == "output_file_id" else raw)

    def _completion(self, body: dict[str, Any], key: str, fault: str | None) -> dict[str, Any] | None:
        if fault and fault.isdigit():
            return None
        reasoning, content = self.respond(body)
        needed, limit = self.tokens(body), body["max_tokens"]
        finish, tokens = ("stop", needed) if needed <= limit else ("length", limit)
        content = {"blank": "", "length": content[:5]}.get(fault or ("length" if finish == "length" else ""), content)
        prompt = sum(len(m["content"].encode()) for m in body["messages"]) // 3
        usage = {"prompt_tokens": prompt, "completion_tokens": tokens, "total_tokens": prompt + tokens}
        _, miss, output = (Fraction(str(price)) for price in self.options.prices)
        now = datetime.now(UTC)
        peak = now.weekday() < 5 and (1 <= now.hour < 4 or 6 <= now.hour < 10)
        self.bill += SHARE * (prompt * miss + tokens * output) / 10**6 * (2 if peak else 1)
        self.paid[key] += 1
        digest = hashlib.sha256(f"{key}{self.asked[key]}".encode()).hexdigest()[:16]
        message = {"role": "assistant", "content": content, "reasoning_content": reasoning}
        choices = [{"index": 0, "message": message, "finish_reason": finish}]
        return {"id": digest, "object": "chat.completion", "model": "fake-1", "choices": choices, "usage": usage}

    def _list(self, path: str, request: Request) -> dict[str, Any]:
        after = re.search(r"after=([\w-]+)", request.path)
        names = list(reversed(self.made))
        names = names[names.index(after[1]) + 1 :] if after else names
        page = [self._shown(name) for name in names[:2]]
        return {"object": "list", "data": page, "has_more": len(names) > 2}

    def _poll(self, path: str, request: Request) -> dict[str, Any] | None:
        told = self.made.get(path.rpartition("/")[2])
        if told is None:
            return None
        told["_polls"] += 1
        told["status"] = told["_end"] if told["_polls"] > self.polls else "in_progress"
        return self._shown(told["id"])

    def _content(self, path: str, request: Request) -> bytes | None:
        return self.files.get(path.split("/")[-2])

    def _shown(self, name: str) -> dict[str, Any]:
        told = self.made[name]
        over = told["status"] == told["_end"]
        shown = {k: v for k, v in told.items() if not k.startswith("_") and (over or not k.endswith("put_file_id"))}
        if not over:
            shown = {k: v for k, v in shown.items() if k not in ("output_file_id", "error_file_id", "errors")}
            shown["input_file_id"] = told["input_file_id"]
        return shown | {"request_counts": told.get("_counts")}
