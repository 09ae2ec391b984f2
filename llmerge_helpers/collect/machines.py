"""Many machines: a Dask scheduler that spreads repositories over its workers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from llmerge_helpers.errors import LlmergeError

SECONDS = 30  # to wait for the scheduler, and for its first worker


@contextmanager
def cluster(scheduler: str) -> Iterator[Executor | None]:
    """An executor for `collect` on the cluster with a Dask scheduler at this address; None, this machine, for "".

    Work of a worker that dies goes to another one, three times at most. An `LlmergeError` where nobody answers.

    >>> with cluster("") as executor:
    ...     print(executor)
    None
    """
    if not scheduler:
        yield None
        return
    try:
        from distributed import Client
    except ImportError:
        raise LlmergeError(
            "a scheduler needs Dask, here and on each worker: pip install -c constraints.txt -e '.[cluster]'."
        ) from None
    try:
        client = Client(scheduler, timeout=SECONDS, set_as_default=False)
    except Exception as error:  # what it raises depends on when it finds out: its own asserts, too
        raise LlmergeError(
            f"no Dask scheduler answers at {scheduler} ({type(error).__name__}): start one with `dask scheduler`, and "
            "give the address that it prints, such as tcp://10.0.0.1:8786."
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=SECONDS)
        except TimeoutError:
            raise LlmergeError(
                f"the scheduler at {scheduler} has no worker: start some with `dask worker {scheduler}`, from this "
                "project's environment."
            ) from None
        # each repository is a task of its own, and two that look alike are still two
        yield client.get_executor(pure=False, retries=3)
