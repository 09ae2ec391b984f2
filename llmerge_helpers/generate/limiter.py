"""How many requests may be in flight: up while the service accepts, down when it refuses (AIMD with a memory).

After TCP's congestion control (Jacobson 1988; CUBIC, RFC 9438) and the limiters of inspect_ai and DataDesigner.
"""

from __future__ import annotations

import re
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

GROWTH = 8  # an accepted full load raises the limit by an eighth, so an overshoot is refused by an eighth at most
CUT = 0.5
SETTLING_S = 0.1  # the service may have seen an answer of this age end before or after a request
PROBE_EVERY_S = 4.0
RAREST_PROBE_S = 16.0
PROBES = 8.0  # failed probes in hand: a refusal costs one, an answer earns a part of one
EARNED = 0.015  # so that probing costs 1.5 % refusals at most
LONGEST_PAUSE_S = 30.0

_LEARNED = (
    re.compile(r"concurren\w*[^.\d]{0,60}?limit[^.\d]{0,30}?(\d+)", re.IGNORECASE),
    re.compile(r"(?:limit|max\w*)\b[^.\d]{0,60}?concurren[^.\d]{0,40}?(\d+)", re.IGNORECASE),
)


def learned_limit(text: str) -> int | None:
    """The concurrency limit that an error text names, or None.

    >>> learned_limit("Your current concurrency is 40, which exceeds your concurrency limit of 39 based on ...")
    39
    >>> learned_limit("Rate limit reached: 500 requests per minute") is None
    True
    """
    for pattern in _LEARNED:
        if found := pattern.search(text):
            return int(found.group(1)) or None
    return None


@dataclass(eq=False)
class Slot:
    """One place in flight: `level` requests were at the service with it, and the limit had been cut `period` times."""

    level: int
    fills: int  # the limit, if this was the last place below it, else 0
    period: int
    since: float
    settled: bool = False  # accepted or refused
    served: bool = False  # the answer is here; it may not be on disk yet
    held: bool = True


@dataclass
class Limiter:
    """Gives out slots. It is a plain state machine that never sleeps, so tests run it on a clock of their own.

    The service shows that it accepts a request by its first sign of life, the response headers, long before the answer
    is there. A refusal above a load that was accepted before is a failed probe: back to that load. One at or below it
    may be chance: one request at a time tries then, and each further refusal in a row halves the limit.
    """

    maximum: int
    start: int = 20
    clock: Callable[[], float] = time.monotonic
    limit: int = field(init=False)
    ceiling: int = field(init=False)  # growth above it is a probe
    in_flight: int = 0
    at_service: int = 0  # those in flight whose answer is not here yet
    refusals: int = 0
    paused_until: float = float("-inf")
    history: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=10_000))
    _ends: list[float] = field(default_factory=list)  # when the service was done with a request
    _proven: int = 0  # the highest load accepted since the last congestion
    _period: int = 0
    _open: int = 0  # slots of this period that are neither accepted nor refused
    _careful: bool = False
    _streak: int = 0  # probes in a row that went well
    _alone: int = 0  # refusals in a row while nothing else of ours was in flight
    _probes: float = PROBES
    _next_probe: float = float("-inf")
    _interval: float = PROBE_EVERY_S
    _refused_at: int = 0  # the load at the last refusal that may have been chance
    _best: int = 0  # the highest load ever accepted at the full limit
    _latency: float = 0.0

    def __post_init__(self) -> None:
        self.maximum = self.ceiling = max(1, self.maximum)
        self._set(min(self.start, self.maximum))

    def acquire(self) -> Slot | None:
        """A slot, or None if there is none just now."""
        now = self.clock()
        if now < self.paused_until or (self._careful and self._open):
            return None
        if self.in_flight >= self.limit:
            if not (self.limit == self.ceiling < self.maximum and self._probes >= 1 and now >= self._next_probe):
                return None
            step = max(1, min(2 ** (self._streak // 3), self.limit // GROWTH))
            self.ceiling = min(self.maximum, self.limit + step)
            self._set(self.ceiling)
            self._next_probe = now + max(self._interval, self._latency)
        self.in_flight += 1
        self.at_service += 1
        self._open += 1
        fills = self.limit if self.in_flight >= self.limit else 0
        return Slot(self.at_service, fills, self._period, now)

    def wait(self) -> float | None:
        """Seconds until `acquire` may answer differently without any other event, or None."""
        now = self.clock()
        if now < self.paused_until:
            return self.paused_until - now
        if self.in_flight >= self.limit == self.ceiling < self.maximum and now < self._next_probe:
            return self._next_probe - now
        return None

    def pause(self, seconds: float) -> None:
        """Give out no slot for so long."""
        self.paused_until = max(self.paused_until, self.clock() + seconds)

    def accept(self, slot: Slot) -> None:
        """The service took the request."""
        if not self._settle(slot):
            return
        self._careful, self._alone = False, 0
        # what ended just after the request left may have ended before it arrived
        settling = min(SETTLING_S, self._latency / 8)
        ended = bisect_right(self._ends, slot.since + settling) - bisect_left(self._ends, slot.since)
        load = slot.level - ended
        news = load > self._proven
        self._proven = max(self._proven, load)
        self._best = max(self._best, self._proven)
        if slot.fills != self.limit or slot.level < self.limit - self.limit // GROWTH:
            return  # that was not the full load
        if self.limit < self.ceiling:
            self._set(min(self.ceiling, self.limit + max(1, self.limit // GROWTH)))
        elif news:  # the probe went well: at once the next one, and after three of them farther
            self._streak += 1
            self._next_probe = float("-inf")

    def refuse(self, slot: Slot, *, retry_after: float = 0.0, text: str = "", overload: bool = False) -> None:
        """The service refused: 429, or with `overload` 503, which is not about our share and leaves no ceiling."""
        now = self.clock()
        self.refusals += 1
        self.pause(retry_after)
        if not self._settle(slot):
            return  # one burst of refusals is one refusal
        told = learned_limit(text)
        probe = slot.level > self._proven >= slot.level * CUT
        if probe:
            self._probes = max(0.0, self._probes - 1)
            self._interval = min(2 * self._interval, RAREST_PROBE_S)
        if told is not None and told < slot.level:
            self._proven = self.ceiling = min(told, self.maximum)
            self._set(self.ceiling)
        elif probe and not overload:
            self.ceiling = self._proven
            self._set(self.ceiling)
        elif self._careful:  # the second in a row: congestion
            self._set(int(slot.level * CUT))
            if not overload:
                self.ceiling, self._proven = max(1, slot.level - 1), 0
        else:  # one alone may be chance: back by one, and see what becomes of the next
            self._careful = True
            self._set(slot.level - 1)
            if not overload:
                again = abs(slot.level - self._refused_at) <= max(1, slot.level // GROWTH)  # so it is not chance
                self.ceiling = self._proven = max(1, (slot.level if again else max(slot.level, self._proven)) - 1)
                self._refused_at = slot.level
        if self.in_flight <= 1:  # nothing of ours is running and still no: wait longer every time
            self.paused_until = max(self.paused_until, now + min(LONGEST_PAUSE_S, 0.5 * 2**self._alone))
            self._alone = min(self._alone + 1, 10)
        self._streak = 0
        self._period += 1
        self._open = 0
        if self.limit <= 0.8 * self._best:  # the service took more before: its limit has moved, and may move back
            self._interval = PROBE_EVERY_S
        self._next_probe = now + max(self._interval, self._latency, 10 * retry_after)

    def serve(self, slot: Slot) -> None:
        """The service is done with the request; its slot is held until the answer is on disk."""
        if slot.served:
            return
        slot.served = True
        self.at_service -= 1
        self._ends.append(self.clock())
        if len(self._ends) > 20_000:
            del self._ends[:10_000]

    def release(self, slot: Slot, *, answered: bool = False) -> None:
        """Give the slot back; safe to call twice."""
        if not slot.held:
            return
        slot.held = False
        self.in_flight -= 1
        self.serve(slot)
        self._settle(slot)
        if answered:
            took = self.clock() - slot.since
            self._latency = took if not self._latency else 0.9 * self._latency + 0.1 * took
            self._probes = min(PROBES, self._probes + EARNED)

    def _settle(self, slot: Slot) -> bool:
        if slot.settled:
            return False
        slot.settled = True
        if slot.period != self._period:
            return False
        self._open -= 1
        return True

    def _set(self, limit: int) -> None:
        limit = max(1, limit)
        if not self.history or self.history[-1][1] != limit:
            self.history.append((self.clock(), limit))
        self.limit = limit
