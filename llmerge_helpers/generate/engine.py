"""Keeps as many requests in flight as the service allows, and turns every one into an answer on disk or a reason."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
import math
import random
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING

from llmerge_helpers.conflicts.prompts import PROMPT_VERSION
from llmerge_helpers.generate import prices
from llmerge_helpers.generate.limiter import Limiter, Slot
from llmerge_helpers.generate.pacing import pause
from llmerge_helpers.generate.prices import worst_usage
from llmerge_helpers.generate.reply_cache import Ledger, Record, request_key
from llmerge_helpers.generate.request import Fault, backoff, send
from llmerge_helpers.generate.teachers import Teacher
from llmerge_helpers.run import redact

if TYPE_CHECKING:
    from openai import AsyncOpenAI

ESCALATION = 2  # a reply that max_tokens cut off is asked for once more, with this many times as many
GRACE_S = 1.0  # a request that was not refused by then was accepted: refusals come at once
LONGEST_RETRY_AFTER_S = 3600.0
WORTH_A_WORD_S = 30.0
BREAKER = 20  # so many fail in a row: it is hardly the rows
BREAKER_PROBES = 4  # so many more, from all over the rows, have to fail, too
GOLDEN = 0.618034  # its multiples, without what is before the point, lie spread over 0 to 1 however many they are
ALIVE_S = 0.02  # an error that is dressed as an answer comes at once
SHARE_ROWS = 50, 200  # the share of failures counts from so many rows on, and over the last so many
CLAIMED_ELSEWHERE_S = 1.0
_CONTEXT = re.compile(
    r"context.{0,20}(length|window|size|limit)|too many (input )?tokens|(prompt|input|request).{0,40}too (long|large)"
    r"|(exceed|larger|longer|more|greater)\w*.{0,60}(max\w*|context|tokens)|max_model_len|n_ctx|num_ctx",
    re.IGNORECASE,
)
logger = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Job:
    """One sample of one row that has to be asked, and what has happened to it so far."""

    index: int
    sample: int
    key: str
    max_tokens: int
    cut_off: Record | None  # the record of a reply that max_tokens cut off
    first_key: str  # the key under which it was planned
    spoiled: list[Record] | None = None  # paid replies of no use; None: the ledger was not asked yet
    faults: dict[str, int] = field(default_factory=dict)
    counted: dict[str, int] = field(default_factory=dict)  # those that may be the row's own
    attempts: int = 0
    answers_before: int = 0


Done = Callable[[Job, Record | None, str | None, bool], Awaitable[None]]


@dataclass(eq=False)
class Engine:
    """Asks jobs. `body(job)` gives the request; `done(job, record, error, cached)` takes every end of a job."""

    teacher: Teacher
    client: AsyncOpenAI
    ledger: Ledger
    limiter: Limiter
    budget: prices.Budget
    body: Callable[[int, int], dict[str, object]]
    done: Done
    tick: Callable[[], None]
    min_delay_s: float
    deadline_s: float
    patience_s: float
    max_failed_share: float = 0.0  # 0: never too many
    cheaper_in: Callable[[], float] = float  # seconds until it is worth to send, 0 where it is now
    fresh: deque[Job] = field(default_factory=deque)
    later: list[tuple[float, int, Job]] = field(default_factory=list)  # a heap: back-off holds no task and no slot
    tasks: set[asyncio.Task] = field(default_factory=set)
    stopped: str | None = None  # why the run cannot go on
    capped: bool = False
    faults: Counter[str] = field(default_factory=Counter)
    unwritten: set[str] = field(default_factory=set)  # keys of answers that came and are not on disk
    answers: int = 0
    failed: int = 0  # rows that ended without an answer
    interrupted: bool = False
    abandoned: tuple[int, float] = (0, 0.0)  # requests that were cancelled in flight, and what they may have cost
    tokens: int = 0
    most_tasks_seen: int = 0

    def __post_init__(self) -> None:
        self._wake = asyncio.Event()
        self._count = itertools.count()
        self._rng = random.Random()
        self._serving = 0
        self._last_answer = time.monotonic()
        self._next_dispatch = 0.0
        self._quiet_until = 0.0
        self._crash: BaseException | None = None
        self._running = False
        self._alive = False  # the service has taken a request, and not at once given an error for an answer
        self._vain: Counter[str] = Counter()  # requests without an answer since the last one with
        self._failing: Counter[str] = Counter()  # rows that failed since the last answer
        self._drawn = 0
        self._last_fault: dict[str, Fault] = {}
        self._recent: deque[bool] = deque(maxlen=SHARE_ROWS[1])  # which of the last rows failed
        self._flying: dict[Job, tuple[float, float]] = {}  # until when at most, and for how much at most
        self._disk = ThreadPoolExecutor(4, "ledger")  # fsync waits for the disk, not for this process

    async def run(self, jobs: deque[Job], filling: Callable[[], bool] = bool) -> None:
        """Work until every job has ended, those added meanwhile included, or the run has to stop.

        While `filling()`, more jobs may come. When it returns, nothing is in flight any more.
        """
        self.fresh = jobs
        self._last_answer = time.monotonic()
        self._running = True
        try:
            while True:
                self._dispatch()
                if not self.tasks:
                    self._check_breaker()
                    if self.over or not (self.fresh or self.later or filling()):  # even after a crash: it is paid for
                        break
                await self._sleep()
        finally:
            self._running = False
            self.abandoned = len(self._flying), sum(worst for _, worst in self._flying.values())
            for task in self.tasks:
                task.cancel()
            await asyncio.gather(*self.tasks, return_exceptions=True)
        if self._crash:
            raise self._crash

    def wake(self) -> None:
        """Look again: there are more jobs, or no more will come."""
        self._wake.set()

    def abort(self, error: Exception) -> None:
        """Make `run` raise this, once what is in flight has ended."""
        self._crash = self._crash or error

    def unfinished(self) -> list[Job]:
        """The jobs that had to be left."""
        return [*(job for _, _, job in self.later), *self.fresh]

    def interrupt(self) -> bool:
        """Send nothing new and let what is in flight end; False if there is nothing to wait for."""
        if not self._running:
            return False
        self.interrupted = True
        self._wake.set()
        if self._flying:
            many, cost = self.in_flight()
            seconds = max(until for until, _ in self._flying.values()) - time.monotonic()
            say(
                f"interrupted: nothing new is sent; waiting for {many} in flight, {max(1.0, seconds):.0f} s at most"
                f"{f' (they may cost up to {cost})' if cost else ''}. Interrupt again to leave them."
            )
        return True

    def in_flight(self) -> tuple[str, str]:
        """How many requests are in flight, in words, and what they may cost; empty where no price is known."""
        count, most = len(self._flying), sum(worst for _, worst in self._flying.values())
        return f"{count} request{'s' * (count != 1)}", f"${most:.4f}" if most else ""

    def stop_if_vain(self, reasons: int = 1) -> None:
        """Stop if nothing was answered, and all that was asked failed for as many reasons at most."""
        if not self.answers and 0 < len(self._failing) <= reasons:
            self.stopped = self.stopped or self._vain_sentence(self._failing, "question")

    def close(self) -> None:
        """Wait for the last answer to be on disk."""
        self._disk.shutdown(wait=True)

    # -------------------------------------------------------------------------------------------------- dispatching

    @property
    def over(self) -> bool:
        """True once nothing new is sent."""
        return bool(self.stopped or self.capped or self._crash or self.interrupted)

    def _held(self) -> bool:
        """True while what is in flight has to show first whether anything is answered at all."""
        vain = self._failing.total()
        if not self.answers and (self._vain or not self._alive):  # a wrong setting: 24 requests at most
            vain = self._vain.total()
        elif vain < BREAKER:
            return False
        return vain + self.limiter.in_flight >= BREAKER + BREAKER_PROBES

    def _check_breaker(self) -> None:
        """With nothing in flight: stop if every question fails, or every request before the first answer."""
        most = BREAKER + BREAKER_PROBES
        if not self.stopped and self._failing.total() >= most:
            self.stopped = self._vain_sentence(self._failing, "question")
        elif not self.stopped and not self.answers and self._vain.total() >= most:
            self.stopped = self._vain_sentence(self._vain, "request")

    def _vain_sentence(self, counts: Counter[str], what: str) -> str:
        (kind, most), total = counts.most_common(1)[0], counts.total()
        often = "" if most == total else f"{most} times "
        fault = self._last_fault[kind]
        row = f"{total} {what}s in a row" if total > 1 else f"the one {what} asked"
        return f"{self.teacher.model} has answered nobody for {row} ({often}{fault.sentence()}){self._cure(fault)}."

    def _cure(self, fault: Fault) -> str:
        if ":" in fault.rule.sentence:  # it says already what to do
            return ""
        if _CONTEXT.search(fault.detail):
            return ": lower max_tokens, leave out the longest conflicts, or serve the model with a longer context"
        if fault.kind == "no_connection":
            return f": see that a server runs at {self.teacher.endpoint}, and that base_url is its address"
        return CURES.get(fault.kind, ": see what the service says of itself, and run again later")

    def _dispatch(self) -> None:
        if self._too_dear():
            return
        most = 2 * self.limiter.maximum + 16  # a few more than in flight: those whose answer is being judged
        while len(self.tasks) < most and not self.over and not self._held():
            now = time.monotonic()
            due = bool(self.later) and self.later[0][0] <= now
            if not (due or self.fresh) or now < self._next_dispatch:
                return
            slot = self.limiter.acquire()
            if slot is None:
                return
            job = heapq.heappop(self.later)[2] if due else self._next_fresh()
            try:
                started = self._start(job, slot)
            except Exception as error:  # raised by `run`, once what is in flight has ended
                self._crash, started = error, None
            if not started:
                self.limiter.release(slot)
            if started is None:
                return

    def _next_fresh(self) -> Job:
        """The next row; until one is answered, from all over: the first ones may be those that failed before."""
        if self.answers and self._failing.total() < BREAKER:
            return self.fresh.popleft()
        place = int(len(self.fresh) * (self._drawn * GOLDEN % 1))
        self._drawn += 1
        job = self.fresh[place]
        del self.fresh[place]
        return job

    def _start(self, job: Job, slot: Slot) -> bool | None:
        """True: it is in flight; False: it needs no slot now; None: nothing can be sent now."""
        if not self.ledger.claim(job.key):
            self._postpone(job, CLAIMED_ELSEWHERE_S)  # another process is asking it: its answer will be ours
            return False
        record = self.ledger.get(job.key)
        if record is not None:
            self.ledger.release(job.key)
            self._spawn(self._ended(job, record, None, cached=True))
            return False
        body = self.body(job.index, job.max_tokens)
        usage = worst_usage(body)
        worst = self.budget.worst(self.price(usage, dear=True) or 0.0)
        tokens = math.ceil(self.budget.worst(usage["prompt_tokens"] + usage["completion_tokens"]))
        if not self.budget.reserve(worst, tokens):
            self.ledger.release(job.key)
            if job.cut_off:  # no money for a second try: the first one stands
                self._spawn(self.done(job, job.cut_off, None, False))
                return False
            heapq.heappush(self.later, (0.0, next(self._count), job))
            # what is in flight may turn out cheaper than its worst case
            self.capped = self.limiter.in_flight <= 1
            return None
        if job.spoiled is None:
            job.spoiled = self.ledger.attempts(job.key)
        job.attempts += 1
        job.answers_before = self.answers
        self._next_dispatch = time.monotonic() + self.min_delay_s
        self._spawn(self._attempt(job, body, slot, worst, tokens))
        return True

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self.tasks.add(task)
        self.most_tasks_seen = max(self.most_tasks_seen, len(self.tasks))
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task) -> None:
        self.tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            self._crash = self._crash or task.exception()
        self._wake.set()

    def _postpone(self, job: Job, delay_s: float) -> None:
        heapq.heappush(self.later, (time.monotonic() + delay_s, next(self._count), job))

    async def _sleep(self) -> None:
        self.tick()
        now = time.monotonic()
        waits = [1.0]
        if self.later:
            waits.append(self.later[0][0] - now)
        if (wait := self.limiter.wait()) is not None:
            waits.append(wait)
        if now < self._next_dispatch:
            waits.append(self._next_dispatch - now)
        # a job that is due but has no slot wakes with the slot, not with the clock
        timer = asyncio.get_running_loop().call_later(min(w for w in waits if w > 0), self._wake.set)
        self._wake.clear()
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    # ---------------------------------------------------------------------------------------------- one request

    async def _attempt(self, job: Job, body: dict[str, object], slot: Slot, reserved: float, tokens: int) -> None:
        began, clock = datetime.now(UTC), time.monotonic()
        spent, unknown, answered, serving, told = 0.0, 0.0, False, False, False
        used = tokens  # until somebody tells, the worst
        record: Record | None = None
        fault: Fault | None = None

        def accepted(headers: Mapping[str, str] | None = None) -> None:
            nonlocal serving
            if headers and (wait := pause(headers)) > 0:
                self._pause(wait)
            self._serving += not serving
            serving = True
            self.limiter.accept(slot)
            if not self._alive:
                asyncio.get_running_loop().call_later(ALIVE_S, still_there)
            self._wake.set()

        def still_there() -> None:
            self._alive = self._alive or job in self._flying
            self._wake.set()

        self._flying[job] = clock + self.deadline_s, reserved
        grace = asyncio.get_running_loop().call_later(GRACE_S, accepted)
        try:
            try:
                dialect = self.teacher.dialect
                response = await send(
                    self.client, body, deadline_s=self.deadline_s, on_accept=accepted, dialect=dialect
                )
            except Fault as error:
                fault, response = error, error.response
            self.limiter.serve(slot)
            (usage, dollars), told = self.teacher.bill(response, began), True
            if usage or dollars is not None:
                spent = dollars or 0.0
            elif fault is None or fault.rule.bill != "nothing":
                unknown = reserved
            if usage:
                used = usage["prompt_tokens"] + usage["completion_tokens"]
            elif fault is not None and fault.rule.bill == "nothing":
                used = 0
            if response is not None and (fault is None or usage):
                said = self.teacher.dialect.fit(body)
                record = self.record(job, said, response, usage, dollars, began, time.monotonic() - clock)
                if fault is None:
                    await self._on_disk(self.ledger.put, record)
                    answered = True
                else:
                    record["error"] = fault.sentence()
                    await self._on_disk(self.ledger.put_attempt, record)
                    job.spoiled.append(record)
            if fault is not None and fault.rule.slow:
                overload = fault.kind == "overloaded"
                self.limiter.refuse(slot, retry_after=fault.retry_after, text=fault.detail, overload=overload)
        except asyncio.CancelledError:
            unknown = unknown if told else reserved  # it was sent, and nobody will tell what it cost
            raise
        finally:
            grace.cancel()
            self._serving -= serving
            del self._flying[job]
            self.limiter.release(slot, answered=answered)
            self.budget.learn(reserved, spent)
            self.budget.learn(tokens, used)
            self.budget.settle(reserved, spent, unknown)
            self.budget.settle_tokens(tokens, used)
            self.ledger.release(job.key)
            self._wake.set()
        if fault is not None:
            await self._failed(job, fault)
        else:
            self.answers += 1
            self._last_answer = max(self._last_answer, time.monotonic())
            self._vain.clear()
            self._failing.clear()
            self._recent.append(False)
            self.tokens += usage.get("completion_tokens", 0)
            await self._ended(job, record, None, cached=False)

    async def _on_disk(self, write: Callable[[Record], None], record: Record) -> None:
        """Write before anything reads the answer; a cancellation waits until the file is whole."""
        written = asyncio.get_running_loop().run_in_executor(self._disk, write, record)
        try:
            await asyncio.shield(written)
        except OSError as error:
            self.unwritten.add(record["key"])
            self.stopped = self.stopped or (
                f"an answer could not be written to the cache ({error.strerror or error}): make room or give "
                "permission there, then run the same command again."
            )

    async def _ended(self, job: Job, record: Record | None, error: str | None, cached: bool) -> None:
        if record is not None and is_cut_off(record) and not job.cut_off:
            job.cut_off = record  # never the same request again: once with more room, then it stays cut off
            job.max_tokens *= ESCALATION
            job.key = request_key(self.body(job.index, job.max_tokens), self.teacher.endpoint, job.sample)
            job.spoiled, job.attempts = None, 0
            job.counted.clear()
            self._postpone(job, 0.0)
            self._wake.set()
            return
        if record is None and job.cut_off:
            record = job.cut_off
        await self.done(job, record, error, cached)

    async def _failed(self, job: Job, fault: Fault) -> None:
        self.faults[fault.kind] += 1
        job.faults[fault.kind] = job.faults.get(fault.kind, 0) + 1
        logger.info("row %d, sample %d: %s", job.index, job.sample, fault.sentence())
        rule = fault.rule
        self._last_fault[fault.kind] = fault
        # a second try with more room than the service has is no wrong setting: the first one stands
        if rule.action == "stop" and not (fault.kind == "max_tokens" and job.cut_off):
            self.stopped = self.stopped or f"{fault.rule.sentence}. {fault.detail}".strip()
            heapq.heappush(self.later, (0.0, next(self._count), job))
            return
        if not rule.slow:
            self._vain[fault.kind] += 1
        if rule.action in ("fail", "stop"):
            return await self._give_up(job, fault, fault.sentence())
        if not self.answers and (probe := self._vain.total() - BREAKER) >= 0:  # it may get over it: take the time
            self._next_dispatch = max(self._next_dispatch, time.monotonic() + backoff(1 + probe, self._rng))
        if fault.retry_after:
            self._pause(fault.retry_after)
        if fault.retry_after > LONGEST_RETRY_AFTER_S:
            heapq.heappush(self.later, (0.0, next(self._count), job))
            return
        # a fault counts against the row only if it can be the row's: while the service answers nobody, it is not
        if rule.bill == "told" or self.answers > job.answers_before or not self.fresh:
            job.counted[fault.kind] = job.counted.get(fault.kind, 0) + 1
        if job.counted.get(fault.kind, 0) >= rule.tries or job.faults[fault.kind] >= 4 * rule.tries:
            return await self._give_up(job, fault, f"{fault.sentence()}, {job.attempts} attempts")
        silent = time.monotonic() - self._last_answer
        patience = self.patience_s + fault.retry_after + (self.deadline_s if self._serving else 0.0)
        if silent > patience:
            if not self.fresh:
                return await self._give_up(job, fault, f"{fault.sentence()}, {job.attempts} attempts")
            self.stopped = self.stopped or (
                f"{self.teacher.model} has answered nobody for {silent:.0f} s ({fault.sentence()}); run again later."
            )
        self._postpone(job, max(backoff(sum(job.faults.values()), self._rng), fault.retry_after))

    def _pause(self, seconds: float) -> None:
        """Send nothing for so long, as the service asks; over an hour the run stops, and says when to go on."""
        at = datetime.now(UTC) + timedelta(seconds=min(seconds, 10**9))
        if seconds > LONGEST_RETRY_AFTER_S:
            self.stopped = self.stopped or f"the service asks to wait until {at:%Y-%m-%d %H:%M} UTC; run again then."
            return
        until = time.monotonic() + seconds
        if seconds > WORTH_A_WORD_S and until > self._quiet_until + 1.0:
            say(f"the service asks to wait until {at:%H:%M:%S} UTC ({seconds:.0f} s): nothing is sent before")
        self.limiter.pause(seconds)
        self._rest(until)

    def _rest(self, until: float) -> None:
        """Until then nobody can be answered, and that is no silence of the service."""
        self._quiet_until = max(self._quiet_until, until)
        self._last_answer = max(self._last_answer, until)

    def _too_dear(self) -> bool:
        """True while the price will be lower in a while, and that was asked for."""
        wait = self.cheaper_in()
        until = time.monotonic() + wait
        if wait and until > self._quiet_until + 1.0:
            at = datetime.now(UTC) + timedelta(seconds=wait)
            say(f"the price is lower from {at:%a %H:%M} UTC on, in {wait / 3600:.1f} h: nothing is sent before")
        if wait:
            self._rest(until)
        return wait > 0

    async def _give_up(self, job: Job, fault: Fault, error: str) -> None:
        """The row ends without an answer; too many of them end the run."""
        if fault.kind == "no_connection" and not self.answers:  # that is nobody's row
            self.stopped = self.stopped or self._vain_sentence(self._vain, "request")
            heapq.heappush(self.later, (0.0, next(self._count), job))
            return
        if not job.cut_off:
            self.failed += 1
            self._failing[fault.kind] += 1
            self._recent.append(True)
            failed, rows = sum(self._recent), len(self._recent)
            if self.max_failed_share and rows >= SHARE_ROWS[0] and failed > self.max_failed_share * rows:
                self.stopped = self.stopped or (
                    f"{failed} of the last {rows} rows failed, more than max_failed_share = {self.max_failed_share:g}, "
                    f"the last with {fault.sentence()}{self._cure(fault)}; max_failed_share=0 goes on all the same."
                )
        await self._ended(job, None, error, cached=False)

    def price(self, usage: Mapping[str, int], when: datetime | None = None, dear: bool = False) -> float | None:
        """What the tokens cost at that time; with `dear`, at the dearest time before the request must have ended."""
        when = when or datetime.now(UTC)
        dollars = self.teacher.cost(usage, when)
        if dear and dollars:  # the price may change while the request runs
            end = when + timedelta(seconds=self.deadline_s)
            dollars = max(dollars, self.teacher.cost(usage, end) or 0.0)
        return dollars

    def record(
        self, job: Job, body: dict, response: dict, usage: dict, dollars: float | None, began: datetime, took: float
    ) -> Record:
        """What the ledger keeps of a reply."""
        kept = ("error", "usage", "cost_usd", "started_at")
        return {
            "key": job.key,
            "base_url": self.teacher.endpoint,
            "sample": job.sample,
            "request": body,
            "response": response,
            "teacher": self.teacher.name,
            "requested_model": self.teacher.model,
            "served_model": response.get("model") or "",
            "system_fingerprint": response.get("system_fingerprint") or "",
            "finish_reason": response["choices"][0].get("finish_reason") if response.get("choices") else None,
            "usage": usage,
            "cost_usd": dollars,
            "started_at": began.isoformat(timespec="milliseconds"),
            "finished_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "latency_s": round(took, 3),
            "attempts": job.attempts,
            "faults": dict(job.faults),
            "spoiled": [{name: attempt.get(name) for name in kept} for attempt in job.spoiled or ()],
            "sdk": sdk_version(),
            "prompt_version": PROMPT_VERSION,
        }


CURES = {
    "bad_request": ": change what it names, then run again",
    "blank_answer": ": raise max_tokens, or take another model",
    "idle": ": raise idle_s, or ask when the service is less busy",
    "deadline": ": raise deadline_s, or lower max_tokens",
}


def is_cut_off(record: Record) -> bool:
    """True for a reply that `max_tokens` cut off."""
    return record.get("finish_reason") == "length"


@cache
def sdk_version() -> str:
    """The client library, as it stands on every record."""
    return f"openai {metadata.version('openai')}"


def say(text: str) -> None:
    """Tell the person, and the log."""
    logger.info(text)
    print(redact(text))
