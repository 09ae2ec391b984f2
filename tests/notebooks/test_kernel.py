"""What a person meets in a live kernel: a question that waits for them, and one line for an interrupt."""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kernel():
    manager = KernelManager(kernel_name="python3")
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel(cwd=str(ROOT), env={**os.environ, "PYTHONPATH": str(ROOT)})
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run_cell(kernel, code: str, answer: str | None = None, interrupt: bool = False) -> tuple[dict, str, list[str]]:
    """The reply to a cell, what it printed, and the lines of its errors; `answer` is what a person types."""
    manager, client = kernel
    printed, errors = [], []

    def see(message: dict) -> None:
        content = message["content"]
        printed.append(content.get("text", ""))
        errors.extend(content.get("traceback", ()))
        if interrupt and "waiting" in content.get("text", ""):
            # from a thread of its own: this one waits for what the kernel says
            threading.Timer(0.2, os.kill, (manager.provisioner.pid, signal.SIGINT)).start()

    def type_in(message: dict) -> None:
        printed.append(message["content"]["prompt"])
        client.input(answer)

    reply = client.execute_interactive(
        code, allow_stdin=answer is not None, stdin_hook=type_in, output_hook=see, timeout=20
    )
    return reply["content"], "".join(printed), errors


AGREE = """
from llmerge_helpers.generate import Budget, Teacher, agree
from llmerge_helpers.generate.prices import Quote
budget = Budget()
agree(Quote(6, 40, 6, 1.0, 2.0, 3.0, 9.0), budget, Teacher("deepseek", "m", "https://api.deepseek.com"))
print("went on, cap", budget.cap)
"""


@pytest.mark.parametrize(
    ("answer", "status", "says"),
    [
        (None, "ok", "went on, cap 0.0"),  # as papermill and nbconvert run a cell
        ("y", "ok", "went on, cap 0.0"),
        ("2.5", "ok", "went on, cap 2.5"),
        ("n", "error", ""),
    ],
)
def test_the_run_waits_at_the_quote_for_whoever_is_there(kernel, answer, status, says):
    reply, printed, errors = run_cell(kernel, AGREE, answer)
    assert reply["status"] == status and says in printed
    assert ("Ask m (deepseek) for 40 more answers?" in printed) == (answer is not None)
    if status == "error":
        assert len(errors) == 1 and errors[0].startswith("LlmergeError: stopped at the quote: 6 answers are on disk")


@pytest.mark.parametrize("wait", ["for _ in range(200): await asyncio.sleep(0.1)", "time.sleep(20)"])
def test_an_interrupt_is_one_line(kernel, wait):
    run_cell(kernel, "import asyncio, time\nfrom llmerge_helpers.run import start\nrun = start('x', {'limit': 1})")
    reply, _, errors = run_cell(kernel, f"print('waiting', flush=True)\n{wait}", interrupt=True)
    assert reply["status"] == "error" and errors == ["interrupted"]
    reply, printed, _ = run_cell(kernel, "print(1 + 1)")
    assert reply["status"] == "ok" and printed == "2\n"
    _, _, errors = run_cell(kernel, "1 / 0")
    assert len(errors) > 1, "other errors keep their traceback"
