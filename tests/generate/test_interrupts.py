"""Ctrl-C in a shell and in a kernel: what is in flight ends and is kept; a second one ends it within two seconds."""

from __future__ import annotations

import asyncio
import queue
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fault_server import FaultServer, make_rows, take_ours

from llmerge_helpers.generate import RunStopped, generate, quote
from llmerge_helpers.generate.reply_cache import Ledger

ROOT = Path(__file__).resolve().parents[2]
CODE = """
import asyncio, sys
sys.path[:0] = [{root!r}, {support!r}]
from fault_server import make_rows
from llmerge_helpers.generate import Teacher, generate
teacher = Teacher("deepseek", "deepseek-flash", {url!r}, "k")
asking = generate(make_rows(400), teacher, cache_dir={cache!r}, max_concurrency=12, progress=False)
"""


def code(server, folder):
    return CODE.format(root=str(ROOT), support=str(ROOT / "tests" / "support"), url=server.url, cache=str(folder))


def started(server, folder):
    shell = (
        "\ntry:\n    asyncio.run(asking)\nexcept Exception as error:\n    sys.exit(f'{type(error).__name__}: {error}')"
    )
    command = [sys.executable, "-c", code(server, folder) + shell]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(condition, seconds=30.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def check_an_interrupt_loses_nothing(folder, seed):
    rng = random.Random(seed)
    with FaultServer(take_ours, latency="uniform", latency_s=0.15, seed=seed) as server:
        process = started(server, folder)
        wait_for(lambda: server.books.requests)
        time.sleep(rng.uniform(0.0, 0.8))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    books = server.books
    assert process.returncode == 1 and "Traceback" not in err
    kept = len(list(Ledger(folder).records()))
    assert kept == books.answered == books.requests, (out, err)
    assert f"RunStopped: interrupted: {kept} answers are on disk, {400 - kept} are left" in err
    assert out.count("interrupted: nothing new is sent; waiting for ") <= 1
    waited = re.search(r"waiting for (\d+) requests? in flight, \d+ s at most \(they may cost up to \$[\d.]+\)", out)
    assert waited is None or int(waited[1]) <= 12


@pytest.mark.parametrize("seed", range(2))
def test_an_interrupt_loses_nothing(tmp_path, seed):
    check_an_interrupt_loses_nothing(tmp_path, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 22))
def test_no_interrupt_of_twenty_loses_anything(tmp_path, seed):
    check_an_interrupt_loses_nothing(tmp_path, seed)


def test_a_second_interrupt_ends_at_once_and_says_what_was_left(tmp_path):
    with FaultServer(take_ours, faults={"hang": 1.0}) as server:
        process = started(server, tmp_path)
        wait_for(lambda: server.in_flight == 5)  # the pilot
        process.send_signal(signal.SIGINT)
        assert "waiting for 5 requests in flight, 1" in process.stdout.readline()
        start = time.monotonic()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        assert time.monotonic() - start < 2.0 and process.returncode == 1
    assert re.search(
        r"interrupted: 5 cancelled in flight \(up to \$0\.\d+ may have been paid for no answer\); 0 ans", err
    )


def test_nothing_is_retried_after_an_interrupt(tmp_path):
    with FaultServer(take_ours, latency_s=0.3, faults={"null_content": 1.0}) as server:
        process = started(server, tmp_path)
        wait_for(lambda: server.in_flight == 5)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert server.books.requests == server.books.answered == 5 and "interrupted: 0 answers are on disk, 400 are" in err


def test_a_task_that_somebody_cancels_ends_at_once_and_the_handler_is_put_back(tmp_path, capsys):
    async def main(server):
        before = signal.getsignal(signal.SIGINT)
        options = {"progress": False, "cache_dir": str(tmp_path)}
        asking = [asyncio.create_task(f(make_rows(9), server.teacher(), **options)) for f in (generate, quote)]
        while server.in_flight < 5:
            await asyncio.sleep(0.01)
        assert signal.getsignal(signal.SIGINT) is not before
        for task in asking:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert signal.getsignal(signal.SIGINT) is before

    with FaultServer(take_ours, faults={"hang": 1.0}) as server:
        asyncio.run(main(server))
    assert "interrupted: 5 cancelled in flight (up to $" in capsys.readouterr().out


def test_two_runs_in_one_loop_both_end(tmp_path):
    async def main(server):
        asking = (
            generate(make_rows(30)[n::2], server.teacher(), progress=False, cache_dir=str(tmp_path), max_concurrency=3)
            for n in (0, 1)
        )
        both = asyncio.gather(*asking, return_exceptions=True)
        while server.books.answered < 12:
            await asyncio.sleep(0.01)
        signal.raise_signal(signal.SIGINT)
        return await both

    with FaultServer(take_ours, latency_s=0.1) as server:
        ends = asyncio.run(main(server))
        assert [type(end) for end in ends] == [RunStopped] * 2 and server.books.answered == server.books.requests < 30


# ---- a real kernel


@pytest.fixture
def kernel():
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", startup_timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def outputs(client, until):
    """What the cell prints and its error, up to what `until` is looking for, or its end."""
    text, error = "", None
    while True:
        try:
            message = client.get_iopub_msg(timeout=20)
        except queue.Empty:
            raise AssertionError(text) from None
        kind, content = message["msg_type"], message["content"]
        text += content.get("text", "") if kind == "stream" else ""
        error = content if kind == "error" else error
        if (until and until in text) or (kind == "status" and content["execution_state"] == "idle"):
            return text, error


@pytest.mark.slow
def test_the_stop_button_of_a_notebook_lets_what_is_in_flight_end(tmp_path, kernel):
    manager, client = kernel
    client.execute("1")
    outputs(client, None)
    with FaultServer(take_ours, latency_s=0.5) as server:
        client.execute(code(server, tmp_path) + "await asking")
        wait_for(lambda: server.books.requests > 8)
        manager.interrupt_kernel()
        text, error = outputs(client, None)
        assert re.search(r"waiting for \d+ requests? in flight", text)
        kept = len(list(Ledger(tmp_path).records()))
        assert kept == server.books.answered == server.books.requests
        (line,) = error["traceback"]
        assert line.startswith(f"RunStopped: interrupted: {kept} answers are on disk, {400 - kept} are left")

        server.options.faults, server.options.latency_s = {"hang": 1.0}, 0.0
        client.execute(
            "asking = generate(make_rows(400), teacher, cache_dir=" + repr(str(tmp_path / "b")) + ")\nawait asking"
        )
        wait_for(lambda: server.in_flight >= 5)
        manager.interrupt_kernel()
        outputs(client, "Interrupt again to leave them.")
        start = time.monotonic()
        manager.interrupt_kernel()
        _, error = outputs(client, None)
        assert time.monotonic() - start < 2.0 and "5 cancelled in flight" in error["traceback"][0]
        client.execute("print(6 * 7)")
        assert outputs(client, None) == ("42\n", None)  # the kernel is as good as before


@pytest.mark.slow
def test_an_interrupted_papermill_leaves_its_kernel_the_time_that_it_has(tmp_path):
    """Papermill kills its kernel after 2.5 s: what is answered until then is kept, and the notebook says why."""
    import nbformat

    with FaultServer(take_ours, latency_s=0.5) as server:
        cell = nbformat.v4.new_code_cell(code(server, tmp_path / "cache") + "await asking")
        kernel = {"kernelspec": {"name": "python3", "display_name": "python3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=kernel), tmp_path / "in.ipynb")
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", "in.ipynb", "out.ipynb"]
        process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: server.books.requests > 8, 60.0)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) != 0
        kept = len(list(Ledger(tmp_path / "cache").records()))
        assert kept == server.books.answered == server.books.requests
    outputs = nbformat.read(tmp_path / "out.ipynb", as_version=4).cells[0].outputs
    assert f"interrupted: {kept} answers are on disk" in str(outputs[-1])
