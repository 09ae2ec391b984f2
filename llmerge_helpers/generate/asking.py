"""Ask a teacher about every row: what is on disk is read back, the rest is asked, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, NoReturn

from llmerge_helpers.conflicts import Message, Reply, Row, messages, split_reply
from llmerge_helpers.conflicts.prompts import PROMPT_VERSION
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import prices
from llmerge_helpers.generate.engine import ESCALATION, Engine, Job, is_cut_off, say, sdk_version
from llmerge_helpers.generate.interrupts import Interrupts
from llmerge_helpers.generate.limiter import Limiter
from llmerge_helpers.generate.prices import Budget, Quote
from llmerge_helpers.generate.reply_cache import Ledger, Record, request_key
from llmerge_helpers.generate.teachers import Teacher, balance
from llmerge_helpers.run import from_root, redact
from llmerge_helpers.run.screen import Progress
from llmerge_helpers.verdict import Verdict, verify

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How rows are asked; a number that makes no sense is an `LlmergeError`."""

    samples: int = 1
    until_correct: int = 0  # draw samples of a row until so many are right, `samples` at most; 0: all samples
    max_tokens: int = 16_384
    max_concurrency: int = 100
    min_delay_s: float = 0.0
    max_cost_usd: float = 0.0  # 0: no cap
    max_tokens_total: int = 0  # a cap in tokens of questions and replies, where no price is known; 0: no cap
    cache_dir: str = "outputs/deepseek_cache"
    offline: bool = False  # ask nothing: a reply that is not in the cache is an error
    progress: bool = True
    pilot: int = 5
    idle_s: float = 300.0  # the longest silence within an answer
    deadline_s: float = 1800.0  # the longest answer
    patience_s: float = 300.0  # how long a service may answer nobody before the run stops
    patience: str = ""  # off-peak: send only while the service's lower price holds
    max_failed_share: float = 0.5  # stop when more of the last rows fail (50 to 200 of them count); 0: never
    budget: Budget | None = None  # one purse for several calls; its cap then counts, not `max_cost_usd`

    def __post_init__(self) -> None:
        for name in ("samples", "max_tokens", "max_concurrency"):
            if getattr(self, name) < 1:
                raise LlmergeError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("until_correct", "min_delay_s", "max_cost_usd", "max_tokens_total"):
            if getattr(self, name) < 0:
                raise LlmergeError(f"{name} must not be negative, got {getattr(self, name)}.")
        if self.patience not in ("", "off-peak"):
            raise LlmergeError(f"patience is off-peak or empty, got '{self.patience}'.")
        if not 0 <= self.max_failed_share <= 1:
            raise LlmergeError(f"max_failed_share is a share from 0 (off) to 1, got {self.max_failed_share}.")
        if self.until_correct > self.samples:
            raise LlmergeError(
                f"until_correct={self.until_correct} right answers need at least as many samples, "
                f"and samples is {self.samples}: raise samples."
            )


async def generate(rows: Iterable[Row], teacher: Teacher, **options: Any) -> Results:
    """The teacher's replies to `rows`, in the order of rows and samples; what is in the cache is not asked again.

    `options` are the fields of `Options`. `max_cost_usd` and `max_tokens_total` are never passed: a request is sent
    only if its worst case fits, and what was left out is in `.not_asked`. A run that cannot go on, that was interrupted
    or that no reply came of raises `RunStopped`; the same call resumes it.
    """
    run = _Run(rows, teacher, Options(**options))
    results = await run.whole()
    if results and not results.report["answers"]:  # that is no run that has finished
        run.stop_as_vain()
    return results


async def quote(rows: Iterable[Row], teacher: Teacher, **options: Any) -> Quote:
    """What `generate` with the same arguments would cost, from a pilot of 5 whose answers are kept in the cache."""
    run = _Run(rows, teacher, Options(**{"progress": False, **options}))
    await run.read_back()
    if run.queue:
        await run.ask(only_pilot=True)
    return run.quote()


async def one(row: Row, teacher: Teacher, **options: Any) -> Result:
    """The teacher's reply to one row; a `Result` without a message where the cap left it out."""
    found = await _Run([row], teacher, Options(**{"progress": False, **options})).whole()
    why = "not asked: the worst case of one request does not fit into max_cost_usd, or max_tokens_total"
    return found[0] if found else Result(0, str(row.get("id") or 0), 0, "", error=why, rows=[row])


@dataclass
class Result:
    """One sample of one row. `cost_usd` is what it cost, paid attempts without an answer included, whenever that was.

    `record` is what the cache keeps of the reply, but for the request. `cached` means that this run did not ask: the
    answer was on disk, or another row asked the very same question. `truncated` lists the cache keys of earlier tries
    with a smaller `max_tokens`. The verdict is made when it is first looked at: judging ten thousand replies takes far
    longer than reading them back.
    """

    index: int
    id: str
    sample: int
    key: str
    record: Record = field(default_factory=dict, repr=False)
    cost_usd: float | None = None
    attempts: int = 0
    cached: bool = False
    error: str | None = None
    truncated: tuple[str, ...] = ()
    rows: Sequence[Row] = field(default=(), repr=False, compare=False)

    @property
    def message(self) -> dict[str, Any] | None:
        """The message as the service sent it; None if there is none."""
        return self._choice.get("message")

    @property
    def finish_reason(self) -> str | None:
        """Why the reply ended."""
        return self._choice.get("finish_reason")

    @property
    def _choice(self) -> dict[str, Any]:
        response = self.record.get("response")
        return response["choices"][0] if response else {}

    @property
    def usage(self) -> dict[str, int]:
        """Token counts of the reply."""
        return self.record.get("usage") or {}

    @property
    def latency_s(self) -> float | None:
        """Seconds that the answer took."""
        return self.record.get("latency_s")

    @property
    def requested_model(self) -> str:
        """The model that was asked for."""
        return self.record.get("requested_model", "")

    @property
    def served_model(self) -> str:
        """The model that says it answered."""
        return self.record.get("served_model", "")

    @property
    def system_fingerprint(self) -> str:
        """What the service says of its own version."""
        return self.record.get("system_fingerprint", "")

    @property
    def sdk(self) -> str:
        """The client library that asked."""
        return self.record.get("sdk", "")

    @property
    def prompt_version(self) -> str:
        """The version of the prompt that was asked."""
        return self.record.get("prompt_version", "")

    @cached_property
    def reply(self) -> Reply | None:
        """The reply as reasoning and answer; None if there is none."""
        return split_reply(self.message) if self.message is not None else None

    def text(self) -> str:
        """Reasoning and answer as a person reads them, or why there is none."""
        if self.reply is None:
            return f"no reply: {self.error or 'none came'}"
        return f"{self.reply.reasoning}\n\n=== answer ===\n\n{self.reply.answer}"

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on the reply."""
        if self.message is None:
            return Verdict("failed", False, detail=self.error or "There is no reply.")
        return verify(self.message, self.rows[self.index], finish_reason=self.finish_reason)

    @property
    def judged(self) -> bool:
        """True once the verdict is made."""
        return "verdict" in self.__dict__


class Results(list[Result]):
    """The results in the order of rows and samples; `report` has the figures of the run, `not_asked` what is left."""

    report: dict[str, object]
    not_asked: list[tuple[int, int]]

    def __init__(self, results: Sequence[Result] = (), report: dict | None = None, not_asked: Sequence = ()):
        super().__init__(results)
        self.report, self.not_asked = dict(report or {}), list(not_asked)


class RunStopped(LlmergeError):
    """The run cannot go on until a person acts; every answer is on disk, and `results` has those of this run."""

    def __init__(self, message: str, results: Results | None = None):
        super().__init__(message)
        self.results = results if results is not None else Results()


@dataclass(slots=True)
class _Drawn:
    """How far the samples of a row are, with `until_correct`."""

    asked: int
    open: int
    right: int = 0


class _Run:
    """One call: its rows, what is known of them, and the books."""

    def __init__(self, rows: Iterable[Row], teacher: Teacher, options: Options):
        whole = hasattr(rows, "__len__") and hasattr(rows, "__getitem__")
        self.rows: Sequence[Row] = rows if whole and not isinstance(rows, Mapping) else list(rows)
        self.teacher, self.options = teacher, options
        self.ledger = Ledger(from_root(options.cache_dir))
        self.limits = self.ledger.limits()
        self.budget = options.budget if options.budget is not None else Budget(options.max_cost_usd)
        self.budget.max_tokens_total = self.budget.max_tokens_total or options.max_tokens_total
        # by other calls that share the purse
        self.spent_before = self.budget.spent, self.budget.unknown, self.budget.tokens
        self.queue: deque[Job] = deque()  # what has to be asked
        self.wanted: dict[str, list[tuple[int, int]]] = {}  # key -> the samples that want its answer
        self.pending: set[str] = set()  # keys that are being asked, or will be
        self.charged: set[str] = set()  # keys whose cost stands on a result already
        self.done: dict[tuple[int, int], Result] = {}
        self.drawn: dict[int, _Drawn] = {}
        self.ids: list[str] = []
        self.known: list[dict[str, int]] = []  # usage of answers: what the rest will need, too
        self.counts: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.engine: Engine | None = None
        self.line: Progress | None = None
        self.quoted: Quote | None = None
        self.began = self.asking_since = time.monotonic()
        if self.budget.cap and self._dollars({"completion_tokens": 1}) is None:
            raise LlmergeError(
                f"max_cost_usd is set, but no price is known for {teacher.model} at {teacher.endpoint}: give price_in "
                "and price_out in US dollars per million tokens, or set it to 0 and cap the tokens with "
                "max_tokens_total."
            )

        if options.patience and not self._cheaper_in(datetime(2026, 11, 24, 2, tzinfo=UTC)):  # a peak of DeepSeek's
            raise LlmergeError(
                f"patience is {options.patience}, but no off-peak price is known for {teacher.model} at "
                f"{teacher.endpoint}: leave patience empty."
            )

    async def whole(self) -> Results:
        """Read back, ask the rest, and tell."""
        await self.read_back()
        if self.queue:
            await self.ask()
        return self.results()

    # ------------------------------------------------------------------------------------------------- planning

    async def read_back(self) -> None:
        """Take what is on disk; the rest is in the queue."""
        options = self.options
        first = options.until_correct or options.samples
        for index, row in enumerate(self._questions()):
            chat = messages(row)
            self.ids.append(str(row.get("id") or index))
            self.drawn[index] = drawn = _Drawn(first, first)
            for sample in range(first):
                self._look_up(index, sample, chat)
            while not drawn.open and (more := self._draw(index)):
                for sample in more:
                    self._look_up(index, sample, chat)
            if index % 200 == 199:
                await asyncio.sleep(0)  # a person may want to interrupt
        if self.queue and options.offline:
            job, left = self.queue[0], len(self._left())
            raise LlmergeError(
                f"offline: {left} of {left + len(self.done)} replies are not in the cache, the first of them of row "
                f"{job.index}, sample {job.sample}: ask for them with offline False, or give the cache_dir, teacher "
                "and max_tokens that they were asked with."
            )

    def _questions(self) -> Iterator[Row]:
        columns = getattr(self.rows, "column_names", None)
        if columns and "question" in columns and hasattr(self.rows, "select_columns"):
            _check_columns(0, columns)
            # a dataset would decode whole files, too
            yield from self.rows.select_columns([name for name in ("id", "question") if name in columns])
            return
        for index, row in enumerate(self.rows):
            _check_columns(index, row)
            yield row

    def _body(self, index: int, max_tokens: int) -> dict[str, object]:
        return self.teacher.body(messages(self.rows[index]), max_tokens)

    def _look_up(self, index: int, sample: int, chat: list[Message]) -> None:
        """Take the answer from disk, or put the sample into the queue."""
        limit, cut_off, first_key = self.options.max_tokens, None, ""
        while True:
            key = request_key(self.teacher.body(chat, limit), self.teacher.endpoint, sample)
            first_key = first_key or key
            record = self.ledger.get(key) or (None if cut_off else self._under_less(chat, limit, sample))
            if record is None:
                break
            if cut_off or not is_cut_off(record):
                self._know(cut_off, record)
                return self._take(self._result(index, sample, first_key, record, cut_off, cached=True))
            cut_off, limit = record, limit * ESCALATION
        if cut_off and self.options.offline:  # it was never asked with more room, or in vain: it stays cut off
            return self._take(self._result(index, sample, first_key, cut_off, None, cached=True))
        self.wanted.setdefault(first_key, []).append((index, sample))
        if first_key not in self.pending:
            self.pending.add(first_key)
            self.queue.append(Job(index, sample, key, limit, cut_off, first_key))

    def _under_less(self, chat: list[Message], limit: int, sample: int) -> Record | None:
        """The reply that ended of itself under a smaller max_tokens: with more room it would be the same."""
        for less in self.limits:
            if less < limit:
                record = self.ledger.get(request_key(self.teacher.body(chat, less), self.teacher.endpoint, sample))
                if record is not None and record.get("finish_reason") == "stop":
                    return record
        return None

    def _draw(self, index: int) -> range:
        """The numbers of the samples to draw next, as many as right answers are missing."""
        drawn, options = self.drawn[index], self.options
        more = max(0, min(options.until_correct - drawn.right, options.samples - drawn.asked))
        drawn.asked, drawn.open = drawn.asked + more, drawn.open + more
        return range(drawn.asked - more, drawn.asked)

    # --------------------------------------------------------------------------------------------------- asking

    async def ask(self, only_pilot: bool = False) -> None:
        """Ask what is in the queue; first a pilot, where money is at stake."""
        self.ledger.check_writable()
        for name in self.teacher.ignored:
            say(f"note: {self.teacher.model} ignores {name} while it thinks; it is left out of the request")
        if self._dollars({"completion_tokens": 1}) is None and not self.budget.max_tokens_total:
            # who has no progress line prints for a program: there it goes to the log, or to stderr
            (say if options.progress else logger.warning)(
                f"note: no price is known for {self.teacher.model}, and nothing caps what this run spends: give "
                "price_in and price_out in US dollars per million tokens, or max_tokens_total."
            )
        with Interrupts(lambda: self.engine is not None and self.engine.interrupt()) as self.interrupts:
            try:
                await self._ask(only_pilot)
            except asyncio.CancelledError:
                if not self.interrupts.cancelled_here():
                    say(self._end("interrupted:"))
                    raise
        if self.interrupts.count:
            raise RunStopped(self._end("interrupted:"), self.results())
        if self.engine.capped:
            self._say_capped()
        if self.engine.stopped:
            raise RunStopped(self._end(f"stopped: {redact(self.engine.stopped)}"), self.results())

    async def _ask(self, only_pilot: bool) -> None:
        options, teacher = self.options, self.teacher
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(teacher.client(idle_s=options.idle_s))
            self.judge = stack.enter_context(ThreadPoolExecutor(1, "judge"))
            self.engine = engine = Engine(
                teacher, client, self.ledger, Limiter(options.max_concurrency), self.budget, self._body, self._ended,
                self._tick, options.min_delay_s, options.deadline_s, options.patience_s, options.max_failed_share,
                self._cheaper_in if options.patience else float,
            )  # fmt: skip
            stack.callback(engine.close)
            if options.progress:
                self.line = stack.enter_context(Progress(len(self._left()), teacher.model))
            self.asking_since = time.monotonic()
            if self._dollars({"completion_tokens": 10**6}):
                await self._pilot()
                if not engine.over:
                    self.quoted = self.quote()
                    money = await balance(teacher, client)
                    say(f"{self.quoted}" + (f"; balance {money}" if money else ""))
            if not only_pilot:
                await engine.run(self.queue)
                for job in engine.unfinished():
                    if job.cut_off:  # the second try with more room was not made: the first one stands
                        await self._ended(job, job.cut_off, None, False)
            self._tick()

    def stop_as_vain(self) -> NoReturn:
        """Raise `RunStopped` for a run that no reply came of."""
        self.engine.stop_if_vain(reasons=99)
        raise RunStopped(self._end(f"stopped: {redact(self.engine.stopped)}"), self.results())

    def _end(self, why: str) -> str:
        """Why the run ends before its time, what was cancelled in flight, and what there is to go on from."""
        on_disk = self._on_disk()
        left = len(self.done) + len(self._left()) - on_disk
        count, cost = self.engine.abandoned if self.engine else (0, 0.0)
        price = f"up to ${cost:.4f}" if cost else "nobody tells how much"
        cancelled = f" {count} cancelled in flight ({price} may have been paid for no answer);" if count else ""
        return f"{why}{cancelled} {on_disk} answers are on disk, {left} are left; the same command goes on from here."

    async def _pilot(self) -> None:
        """A few answers from all over the rows, so that the quote rests on something; they count as any other."""
        few = self.options.pilot
        if len(self.known) >= few or len(self.queue) <= few:
            return
        jobs = list(self.queue)
        # spread over all rows: neighbours are of one repository, and alike in length
        chosen = {n * len(jobs) // few for n in range(few)}
        self.queue = deque(job for n, job in enumerate(jobs) if n in chosen)
        rest = [job for n, job in enumerate(jobs) if n not in chosen]
        await self.engine.run(self.queue)
        self.queue.extend(rest)
        if self.options.max_failed_share:
            self.engine.stop_if_vain()

    def quote(self) -> Quote:
        """The quote for what is left to ask now."""
        left, now = self._left(), datetime.now(UTC)
        return prices.quote(len(self.done), len(left), self.known, self._worst(left, now), self._dollars, now)

    def _worst(self, left: Sequence[tuple[int, int]], now: datetime) -> float | None:
        """What `left` costs at most: every answer cut off and asked once more with more room, at the dearer price."""
        most: Counter[str] = Counter()
        for index, _ in left:
            body = self._body(index, self.options.max_tokens)
            for factor in (1, ESCALATION):
                usage = prices.worst_usage(body)
                most.update(usage | {"completion_tokens": usage["completion_tokens"] * factor})
        dollars = [self._dollars(most, when) for when in (now, prices.next_change(now))]
        return None if None in dollars else max(dollars)

    def _cheaper_in(self, now: datetime | None = None) -> float:
        """Seconds until the price goes down; 0 if it does not at its next change."""
        now = now or datetime.now(UTC)
        change, tokens = prices.next_change(now), {"completion_tokens": 10**6}
        cheaper = (self._dollars(tokens, change) or 0.0) < (self._dollars(tokens, now) or 0.0)
        return (change - now).total_seconds() if cheaper else 0.0

    def _dollars(self, usage: Mapping[str, int], when: datetime | None = None) -> float | None:
        return self.teacher.cost(usage, when)

    # -------------------------------------------------------------------------------------------------- answers

    async def _ended(self, job: Job, record: Record | None, error: str | None, cached: bool) -> None:
        """What the engine calls when a job has ended, well or not."""
        cut_off = job.cut_off if record is not job.cut_off else None
        vain = job.spoiled or () if record is job.cut_off else ()  # paid tries with more room, all of no use
        loop = asyncio.get_running_loop()
        self._know(cut_off, record)
        self.pending.discard(job.first_key)
        for index, sample in list(self.wanted.get(job.first_key, ())):
            if record is not None:
                result = self._result(index, sample, job.first_key, record, cut_off, cached, error, vain)
            else:
                result = self._no_result(index, sample, job, error)
            await loop.run_in_executor(self.judge, lambda result=result: result.verdict)
            self._notice_model(result)
            self._take(result)
            while not self.drawn[index].open and (more := self._draw(index)):  # what is on disk is taken at once
                for number in more:
                    self._look_up(index, number, messages(self.rows[index]))
        self.wanted.pop(job.first_key, None)

    def _know(self, *records: Record | None) -> None:
        """Note what one row needed, a reply that was cut off and asked again included."""
        usages = [record.get("usage") or {} for record in records if record]
        if usages and all(usages):  # what a service does not tell is unknown, not nothing
            self.known.append(prices.total(usages))

    def _take(self, result: Result) -> None:
        self.done[result.index, result.sample] = result
        drawn = self.drawn[result.index]
        drawn.open -= 1
        if self.options.until_correct:
            drawn.right += result.verdict.is_correct
        self.counts["cached" if result.cached else "asked"] += 1
        self.counts["failed"] += result.message is None
        self.counts["truncated"] += result.finish_reason == "length"
        self.counts["right"] += result.judged and result.verdict.is_correct
        if result.served_model:
            self.served[result.served_model] += 1

    def _result(
        self, index: int, sample: int, first_key: str, record: Record, cut_off: Record | None,
        cached: bool, error: str | None = None, vain: Iterable[Record] = (),
    ) -> Result:  # fmt: skip
        records = [record] + ([cut_off] if cut_off else [])
        costs = [r["cost_usd"] for r in (*records, *vain)]
        costs += [spoiled["cost_usd"] for r in records for spoiled in r.get("spoiled") or ()]
        twin = first_key in self.charged  # an answer that two rows share was paid for once
        self.charged.add(first_key)
        return Result(
            index=index,
            id=self.ids[index],
            sample=sample,
            key=record["key"],
            # the request is the question again: with it, a large run would need twice the memory
            record={name: value for name, value in record.items() if name != "request"},
            cost_usd=0.0 if twin else None if None in costs else sum(costs),
            attempts=sum(r["attempts"] for r in records),
            cached=cached or twin,
            error=error,
            truncated=(cut_off["key"],) if cut_off else (),
            rows=self.rows,
        )

    def _no_result(self, index: int, sample: int, job: Job, error: str | None) -> Result:
        spent = [attempt.get("cost_usd") for attempt in job.spoiled or ()]
        asked = Record(requested_model=self.teacher.model, sdk=sdk_version(), prompt_version=PROMPT_VERSION)
        return Result(
            index=index, id=self.ids[index], sample=sample, key=job.key, record=asked, error=error,
            attempts=job.attempts, cost_usd=None if None in spent else sum(spent), rows=self.rows,
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------- what to say

    def _on_disk(self) -> int:
        """How many answers the same call would find in the cache: neither failures nor what could not be written."""
        lost = self.engine.unwritten if self.engine else ()
        return sum(result.message is not None and result.key not in lost for result in self.done.values())

    def _left(self) -> list[tuple[int, int]]:
        return sorted(sample for samples in self.wanted.values() for sample in samples)

    def _notice_model(self, result: Result) -> None:
        if result.served_model and self.served and result.served_model not in self.served:
            before = ", ".join(self.served)
            say(f"note: the service now answers as {result.served_model}, before as {before}; every row says which")

    def _tick(self) -> None:
        if self.line is None or self.engine is None:
            return
        engine, counts = self.engine, self.counts
        seconds = max(1e-3, time.monotonic() - self.asking_since)
        left = len(self.wanted)
        self.line.total = counts["asked"] + left
        spent = self.budget.spent - self.spent_before[0]
        expected = spent * (1 + left / counts["asked"]) if counts["asked"] and left else 0.0
        figures = {
            "right": counts["right"],
            "from disk": counts["cached"],
            "failed": counts["failed"],
            "in flight": f"{engine.limiter.in_flight}/{engine.limiter.limit}" if left else None,
            "tokens/s": f"{engine.tokens / seconds:.0f}" if left else None,
            "so far": f"${spent:.4f}" if spent else None,
            "in all": f"about ${expected:.4f}" if expected else None,
            "faults": sum(engine.faults.values()) or None,
        }
        self.line.update(counts["asked"], **figures)

    def _say_capped(self) -> None:
        purse = self.budget
        unknown = f" and up to ${purse.unknown:.4f} not accounted for" if purse.unknown else ""
        caps = [f"max_cost_usd = ${purse.cap:g}: ${purse.spent:.4f} spent{unknown}"] if purse.cap else []
        if purse.max_tokens_total:
            caps.append(f"max_tokens_total = {purse.max_tokens_total:,}: {purse.tokens:,} taken or not accounted for")
        say(
            f"stopped at {'; '.join(caps)}, and the worst case of one more request does not fit. "
            f"{len(self._left())} samples were not asked; run again with more to go on."
        )

    def results(self) -> Results:
        """The results so far, in the order of rows and samples, with the figures of the run."""
        engine = self.engine
        results = [self.done[place] for place in sorted(self.done)]
        asked = [result for result in results if not result.cached]
        report = {
            "asked": len(asked),
            "cached": self.counts["cached"],
            "answers": sum(result.message is not None for result in results),
            "failed": self.counts["failed"],
            "stopped": (engine.stopped or "") if engine else "",
            "truncated": self.counts["truncated"],
            "not_asked": len(self._left()),
            "cost_usd": self.budget.spent - self.spent_before[0],
            "cost_unknown_usd": self.budget.unknown - self.spent_before[1],
            "tokens_booked": self.budget.tokens - self.spent_before[2],
            "seconds": round(time.monotonic() - self.began, 3),
            "served_models": dict(self.served),
            "tokens": prices.total(result.usage for result in asked),
            "faults": dict(engine.faults) if engine else {},
            "refusals": engine.limiter.refusals if engine else 0,
            "limits": [(at - self.asking_since, limit) for at, limit in engine.limiter.history] if engine else [],
            "most_tasks": engine.most_tasks_seen if engine else 0,
            "quote": self.quoted,
        }
        return Results(results, report, self._left())


def check_answered(results: Results) -> None:
    """Raise `RunStopped` where requests were made, or read back, and none of them has an answer."""
    if not results or any(result.message is not None for result in results):
        return
    reason, times = Counter(redact(result.error or "none came") for result in results).most_common(1)[0]
    raise RunStopped(
        f"stopped: none of {len(results)} requests was answered ({times} times: {reason}): set that right, and "
        "the same command asks them again.",
        results,
    )


def _check_columns(index: int, row: Iterable[str]) -> None:
    """Raise an `LlmergeError` for a row that could be asked but not judged, or not even asked."""
    names = set(row)
    if not ("question" in names or {"ours", "theirs"} <= names):
        raise LlmergeError(f"row {index} is no conflict: it has neither a question nor ours and theirs.")
    if not ("answer" in names or {"before", "resolution", "after"} <= names):
        raise LlmergeError(f"row {index} cannot be judged: it has neither an answer nor before, resolution and after.")
