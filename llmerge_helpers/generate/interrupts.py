"""What Ctrl-C does while requests are in flight: the first lets them end, the second cancels them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType


class Interrupts:
    """Counts the interrupts of the block it is entered for, in a shell and in a kernel alike.

    `first()` is called at the first one and says whether it lets the block end by itself. Where it does not, and at the
    second one, the task that runs the block is cancelled. Only the main thread is sent signals; elsewhere nothing
    changes.
    """

    # asyncio.run and ipykernel both set a handler that cancels the task at once: ours stands before theirs, once for
    # all blocks that run at the same time, and goes with the last of them.
    _entered: list[Interrupts] = []
    _before: signal.Handlers | Callable[[int, FrameType | None], object] | int | None = None

    def __init__(self, first: Callable[[], bool]):
        self.first, self.count = first, 0
        self._asked_to_stop: bool | None = None  # None: the loop is not held

    def __enter__(self) -> Interrupts:
        self._task, self._loop = asyncio.current_task(), asyncio.get_running_loop()
        here = threading.current_thread() is threading.main_thread()
        if here and signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            if not Interrupts._entered:
                Interrupts._before = signal.signal(signal.SIGINT, _on_sigint)
            Interrupts._entered.append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._asked_to_stop is not None:
            del self._loop.stop  # the attribute, not the method
            if self._asked_to_stop:
                self._loop.stop()
        if self in Interrupts._entered:
            Interrupts._entered.remove(self)
            if not Interrupts._entered:
                signal.signal(signal.SIGINT, Interrupts._before or signal.SIG_DFL)

    def cancelled_here(self) -> bool:
        """True if the cancellation that just came is one of ours; then it is taken back."""
        return self.count > 0 and self._task is not None and self._task.uncancel() == 0

    def _take(self) -> None:
        self.count += 1
        if self.count > 1 or not self.first():
            self._task.cancel()
        elif "stop" not in vars(self._loop):
            # a kernel that is shut down, as by a papermill that was interrupted, stops its loop and all that is in
            # flight on it: it does so once this has ended, if nobody kills it before
            self._asked_to_stop, self._loop.stop = False, self._stop_later

    def _stop_later(self) -> None:
        self._asked_to_stop = True


def _on_sigint(number: int, frame: FrameType | None) -> None:
    for block in Interrupts._entered:
        block._loop.call_soon_threadsafe(block._take)  # a signal may come anywhere, even inside the loop's own books
