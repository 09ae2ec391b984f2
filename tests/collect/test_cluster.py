"""Repositories spread over the workers of a Dask scheduler, each in a process of its own."""

import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from histories import History

from llmerge_helpers.collect import cluster, collect
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import root


def repositories(folder: Path, count: int) -> list[Path]:
    made = []
    for number in range(count):
        history = History()
        history.merge(*({f"{number}.py": f"top {number}\n{side}{number}\nend\n"} for side in "botr"))
        made.append(history.build(folder / f"repository-{number}"))
    return made


def rows(found) -> list[str]:
    return [f"{row['id']} {row['answer']}" for row in found.rows()]


@pytest.fixture
def dask_cluster(tmp_path):
    """The address of a scheduler with two workers, and the workers' processes."""
    quiet = {"stdout": subprocess.DEVNULL, "cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(root())}}
    started = []

    def start(*arguments: str, **options) -> subprocess.Popen:
        started.append(
            subprocess.Popen([sys.executable, "-m", "distributed.cli." + arguments[0], *arguments[1:]], **options)
        )
        return started[-1]

    scheduler = start(
        "dask_scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", **quiet, stderr=subprocess.PIPE, text=True
    )
    address = next(found[0] for line in scheduler.stderr if (found := re.search(r"tcp://127\.0\.0\.1:\d+", line)))
    single = ("--nthreads=1", "--no-dashboard", "--no-nanny", "--nworkers=1")
    workers = [start("dask_worker", address, *single, **quiet, stderr=subprocess.DEVNULL) for _ in range(2)]
    yield address, workers
    for process in started:
        process.kill()
        process.wait()
    scheduler.stderr.close()


def test_a_cluster_gives_the_same_rows_though_a_worker_dies(dask_cluster, tmp_path):
    address, workers = dask_cluster
    sources = repositories(tmp_path, 12)
    expected = rows(collect(sources, tmp_path / "alone", workers=1))
    parts = tmp_path / "together"
    with cluster(address) as executor, ThreadPoolExecutor(1) as thread:
        running = thread.submit(collect, sources, parts, executor=executor)
        until = time.monotonic() + 60
        while len(list(parts.glob("*.gz")) if parts.exists() else ()) < 2 and time.monotonic() < until:
            time.sleep(0.01)
        workers[0].send_signal(signal.SIGKILL)
        found = running.result(timeout=120)
    assert rows(found) == expected and len(expected) == 12
    assert len(list(parts.glob("*.gz"))) == 12 and not [report for report in found.reports if "error" in report]


def test_any_executor_will_do(tmp_path):
    sources = repositories(tmp_path, 3)
    with ThreadPoolExecutor(2) as threads:
        found = collect(sources, tmp_path / "threads", executor=threads)
    assert rows(found) == rows(collect(sources, tmp_path / "alone", workers=1))


def test_a_task_that_is_given_up_costs_its_repository_only(tmp_path):
    sources = repositories(tmp_path, 3)

    class Unlucky(ThreadPoolExecutor):
        def submit(self, fn, source, *rest):
            if source.name == "repository-1":
                return super().submit(lambda: 1 / 0)
            return super().submit(fn, source, *rest)

    with Unlucky(1) as executor:
        found = collect(sources, tmp_path / "work", executor=executor)
    assert [row["repository"] for row in found.rows()] == ["repository-0", "repository-2"]
    assert "its worker ended (ZeroDivisionError)" in found.reports[1]["error"]


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "http://127.0.0.1:9"])
def test_a_scheduler_that_does_not_answer_is_one_sentence(address, monkeypatch):
    monkeypatch.setattr("llmerge_helpers.collect.machines.SECONDS", 1)
    with pytest.raises(LlmergeError, match="no Dask scheduler answers at"), cluster(address):
        pass
