"""What becomes of a connection: the fault behind it decides who pays, and what a person is told to do."""

import asyncio
import contextlib
import socket
import threading

import pytest

from llmerge_helpers.generate import Teacher
from llmerge_helpers.generate.request import Fault, send

KEY = "sk-loopback-0123456789abcdef"
BODY = {"model": "m", "messages": [{"role": "user", "content": "?"}], "stream": True}
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


@contextlib.contextmanager
def served(reply: bytes | None, scheme: str = "http"):
    """The address of a server that reads once, says `reply` and hangs up; None: it says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        ended = threading.Event()

        def serve():
            with contextlib.suppress(OSError), server.accept()[0] as connection:
                connection.recv(65536)
                if reply is None:
                    ended.wait(5)
                else:
                    connection.sendall(reply)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"{scheme}://127.0.0.1:{server.getsockname()[1]}/v1"
        finally:
            ended.set()
            server.close()
            thread.join()


def fault_at(url: str, idle_s: float = 5.0, deadline_s: float = 5.0) -> Fault:
    async def ask() -> None:
        async with Teacher("openai", "m", url, KEY).client(idle_s=idle_s) as client:
            await send(client, BODY, deadline_s=deadline_s)

    with pytest.raises(Fault) as raised:
        asyncio.run(ask())
    return raised.value


@pytest.mark.parametrize(
    ("reply", "kind", "bill"),
    [
        (b"", "connection_lost", "unknown"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "connection_lost", "unknown"),
        (HEAD, "connection_lost", "unknown"),
        (HEAD + b"5\r\ndata:", "connection_lost", "unknown"),
        (HEAD + b"zz\r\nno length\r\n", "connection_lost", "unknown"),
    ],
    ids=["hung up", "another protocol", "after the headers", "within a chunk", "no chunk"],
)
def test_a_connection_that_breaks_after_the_request_left_may_be_billed(reply, kind, bill):
    with served(reply) as url:
        fault = fault_at(url)
    assert fault.kind == kind and (fault.rule.bill == "nothing") == (bill == "nothing")


def test_where_nobody_listens_nothing_is_billed():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    fault = fault_at(f"http://127.0.0.1:{port}/v1")
    assert fault.kind == "no_connection" and fault.rule.bill == "nothing"


def test_a_name_that_nobody_knows_is_no_connection():
    assert fault_at("http://nowhere.invalid/v1").kind == "no_connection"


def test_https_at_a_plain_server_is_a_matter_of_trust():
    with served(b"HTTP/1.1 400 Bad Request\r\n\r\n", "https") as url:
        assert fault_at(url).kind == "no_trust"


def test_silence_is_told_from_a_long_answer():
    with served(None) as url:
        assert fault_at(url, idle_s=0.2).kind == "idle"
    with served(None) as url:
        assert fault_at(url, deadline_s=0.2).kind == "deadline"


def test_more_requests_are_in_flight_at_once_than_a_pool_would_hold():
    """aiohttp's own pool has room for a hundred: the engine alone says how many."""

    async def held(reader, writer):
        await reader.read(10)
        arrived.append(writer)
        if len(arrived) == 130:
            whole.set()

    async def ask_all() -> None:
        server = await asyncio.start_server(held, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with Teacher("openai", "m", url, KEY).client(idle_s=20) as client:
            asking = [asyncio.create_task(send(client, BODY, deadline_s=20)) for _ in range(130)]
            await asyncio.wait_for(whole.wait(), 10)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        for writer in arrived:
            writer.close()
        server.close()

    arrived: list[asyncio.StreamWriter] = []
    whole = asyncio.Event()
    asyncio.run(ask_all())
    assert len(arrived) == 130
