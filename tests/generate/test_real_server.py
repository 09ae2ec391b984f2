"""A server that others wrote: `transformers serve` with a small random model, asked like any other teacher."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from fault_server import make_rows
from tiny import tiny_model

from llmerge_helpers.generate import RunStopped, Teacher, generate
from llmerge_helpers.generate.reply_cache import Ledger

NEEDS = [name for name in ("fastapi", "uvicorn") if importlib.util.find_spec(name) is None]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of the server and the name of its model."""
    folder = tmp_path_factory.mktemp("served")
    model = str(tiny_model(folder / "model"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", model, "--host", "127.0.0.1"]
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": ""}
    with open(folder / "log", "w") as log:
        process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 180
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=2).close()
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None and time.monotonic() < end, (folder / "log").read_text()[-2000:]
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1", model
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
@pytest.mark.skipif(
    bool(NEEDS), reason=f"transformers serve needs {', '.join(NEEDS)}: pip install transformers[serving]"
)
def test_three_rows_are_answered_kept_and_not_asked_twice(served, tmp_path):
    url, model = served
    teacher = Teacher("openai", model, url)
    options = {"cache_dir": str(tmp_path), "max_tokens": 24, "progress": False, "max_concurrency": 2}
    results = asyncio.run(generate(make_rows(3), teacher, **options))
    assert [r.error for r in results] == [None] * 3 and results.report["answers"] == 3
    for result in results:  # a random model: it talks until max_tokens, once more with more room, then it is cut off
        assert result.reply is not None and result.finish_reason in ("length", "stop")
        assert 0 < result.usage["completion_tokens"] <= 48 and result.usage["prompt_tokens"] > 100
        assert result.served_model.split("@")[0] == model
    kept = len(list(Ledger(tmp_path).records()))
    again = asyncio.run(generate(make_rows(3), teacher, offline=True, **options))
    assert [r.message for r in again] == [r.message for r in results]
    assert len(list(Ledger(tmp_path).records())) == kept

    dead = Teacher("openai", model, url.replace("/v1", "/nothing"))
    with pytest.raises(RunStopped, match="0 answers are on disk, 3 are left"):
        asyncio.run(generate(make_rows(3), dead, **options))
