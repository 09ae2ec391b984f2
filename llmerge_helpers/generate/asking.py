"""Ask a teacher about every row: what is on disk is read back, the rest is asked, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from llmerge_helpers.conflicts.prompts import PROMPT_VERSION, messages
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import prices
from llmerge_helpers.generate.engine import ESCALATION, Engine, Job, is_cut_off, say, sdk_version
from llmerge_helpers.generate.limiter import Limiter
from llmerge_helpers.generate.prices import Budget, Quote
from llmerge_helpers.generate.reply_cache import Ledger, request_key
from llmerge_helpers.generate.results import Result, Results, RunStopped, pass_rates
from llmerge_helpers.generate.rule_server import reachable
from llmerge_helpers.generate.teachers import Teacher, balance
from llmerge_helpers.run.session import Progress, redact, resolve

__all__ = ["Result", "Results", "RunStopped", "generate", "pass_rates", "quote"]


async def generate(
    rows: Iterable[Mapping[str, Any]],
    teacher: Teacher,
    *,
    samples: int = 1,
    until_correct: int = 0,
    max_tokens: int = 16_384,
    max_concurrency: int = 100,
    min_delay_s: float = 0.0,
    max_cost_usd: float = 0.0,
    cache_dir: str = "outputs/deepseek_cache",
    offline: bool = False,
    on_result: Callable[[Result], Any] | None = None,
    progress: bool = True,
    pilot: int = 5,
    idle_s: float = 300.0,
    deadline_s: float = 1800.0,
    patience_s: float = 300.0,
    budget: Budget | None = None,
) -> Results:
    """The teacher's replies to `rows`, in the order of rows and samples; what is in the cache is not asked again.

    `until_correct=k` draws samples of a row until k are right, `samples` at most. `max_cost_usd` (0: no cap) is never
    passed: a request is sent only if its worst case fits, and what was left out is in `.not_asked`. `offline` asks
    nothing: a reply that is not in the cache is an `LlmergeError` that names the field that differs. `idle_s` is the
    longest silence within an answer, `deadline_s` the longest answer, `patience_s` how long a service may answer nobody
    before the run stops. `budget` is one purse for several calls; its cap then counts, not `max_cost_usd`. A run that
    cannot go on raises `RunStopped`; the same call resumes it.
    """
    run = _Run(**locals())  # just the arguments, as named above
    await run.read_back()
    if run.queue:
        await run.ask()
    return run.results()


async def quote(rows: Iterable[Mapping[str, Any]], teacher: Teacher, **options: Any) -> Quote:
    """What `generate` with the same arguments would cost, from a pilot of 5 whose answers are kept in the cache."""
    arguments = inspect.signature(generate).bind(rows, teacher, **{"progress": False, **options})
    arguments.apply_defaults()
    run = _Run(**arguments.arguments)
    await run.read_back()
    if run.queue:
        await run.ask(only_pilot=True)
    return run.quote()


@dataclass(slots=True)
class _Drawn:
    """How far the samples of a row are, with `until_correct`."""

    asked: int
    open: int
    right: int = 0


class _Run:
    """One call: its rows, what is known of them, and the books."""

    def __init__(self, rows: Iterable[Mapping[str, Any]], teacher: Teacher, **options: Any):
        """`options` are those of `generate`, all of them."""
        _check_options(options)
        whole = hasattr(rows, "__len__") and hasattr(rows, "__getitem__")
        self.rows: Any = rows if whole and not isinstance(rows, Mapping) else list(rows)
        self.teacher, self.options = teacher, SimpleNamespace(**options)
        self.ledger = Ledger(resolve(options["cache_dir"]))
        self.budget = options["budget"] if options["budget"] is not None else Budget(options["max_cost_usd"])
        self.spent_before = self.budget.spent, self.budget.unknown  # by other calls that share the purse
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
                f"max_cost_usd is set, but no price is known for {teacher.model} at {teacher.endpoint}: "
                "set it to 0 and watch the tokens, or choose a model with a known price."
            )

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
            job = self.queue[0]
            body = self._body(job.index, job.max_tokens)
            why = self.ledger.explain_miss(body, self.teacher.endpoint, job.sample)
            raise LlmergeError(
                f"offline: {len(self._left())} of {len(self._left()) + len(self.done)} replies are not in the cache. "
                f"For row {job.index}, sample {job.sample}: {why}."
            )

    def _questions(self) -> Iterator[Mapping[str, Any]]:
        columns = getattr(self.rows, "column_names", None)
        if columns and "question" in columns and hasattr(self.rows, "select_columns"):
            _check_columns(0, columns)
            # a dataset would decode whole files, too
            yield from self.rows.select_columns([name for name in ("id", "question") if name in columns])
            return
        for index, row in enumerate(self.rows):
            _check_columns(index, row)
            yield row

    def _body(self, index: int, max_tokens: int) -> dict[str, Any]:
        return self.teacher.body(messages(self.rows[index]), max_tokens)

    def _look_up(self, index: int, sample: int, chat: list[dict[str, str]]) -> None:
        """Take the answer from disk, or put the sample into the queue."""
        limit, cut_off, first_key = self.options.max_tokens, None, ""
        while True:
            key = request_key(self.teacher.body(chat, limit), self.teacher.endpoint, sample)
            first_key = first_key or key
            record = self.ledger.get(key)
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

    def _draw(self, index: int) -> range:
        """The numbers of the samples to draw next, as many as right answers are missing."""
        drawn, options = self.drawn[index], self.options
        more = max(0, min(options.until_correct - drawn.right, options.samples - drawn.asked))
        drawn.asked, drawn.open = drawn.asked + more, drawn.open + more
        return range(drawn.asked - more, drawn.asked)

    # --------------------------------------------------------------------------------------------------- asking

    async def ask(self, only_pilot: bool = False) -> None:
        """Ask what is in the queue; first a pilot, where money is at stake."""
        options = self.options
        self.ledger.check_writable()
        for name in self.teacher.ignored:
            say(f"note: {self.teacher.model} ignores {name} while it thinks; it is left out of the request")
        async with AsyncExitStack() as stack:
            stack.push(self._interrupted)
            teacher = await stack.enter_async_context(reachable(self.teacher))
            client = await stack.enter_async_context(teacher.client(idle_s=options.idle_s))
            self.judge = stack.enter_context(ThreadPoolExecutor(1, "judge"))
            self.engine = engine = Engine(
                teacher, client, self.ledger, Limiter(options.max_concurrency), self.budget, self._body, self._ended,
                self._tick, options.min_delay_s, options.deadline_s, options.patience_s,
            )  # fmt: skip
            stack.callback(engine.close)
            if options.progress:
                self.line = stack.enter_context(Progress(len(self._left()), teacher.model))
            self.asking_since = time.monotonic()
            if self._dollars({"completion_tokens": 10**6}):
                await self._pilot()
                self.quoted = self.quote()
                money = None if engine.stopped else await balance(teacher, client)
                say(f"{self.quoted}" + (f"; balance {money}" if money else ""))
            if not only_pilot:
                await engine.run(self.queue)
                for job in engine.unfinished():
                    if job.cut_off:  # the second try with more room was not made: the first one stands
                        await self._ended(job, job.cut_off, None, False)
            self._tick()
        if engine.capped:
            self._say_capped()
        if engine.stopped:
            on_disk = self._on_disk()
            left = len(self.done) + len(self._left()) - on_disk
            raise RunStopped(
                f"stopped: {redact(engine.stopped)} {on_disk} answers are on disk, {left} are left; the same command "
                "goes on from here.",
                self.results(),
            )

    def _interrupted(self, kind: type[BaseException] | None, *_: object) -> None:
        """By now every answer is written, and nothing is in flight."""
        if kind is not None and issubclass(kind, asyncio.CancelledError | KeyboardInterrupt):
            say(f"interrupted: {self._on_disk()} answers are on disk; the same command goes on from here.")

    async def _pilot(self) -> None:
        """A few answers from all over the rows, so that the quote rests on something; they count as any other."""
        few = self.options.pilot
        if len(self.known) >= few or len(self.queue) <= few:
            return
        jobs = list(self.queue)
        chosen = {n * len(jobs) // few for n in range(few)}
        self.queue = deque(job for n, job in enumerate(jobs) if n in chosen)
        rest = [job for n, job in enumerate(jobs) if n not in chosen]
        await self.engine.run(self.queue)
        self.queue.extend(rest)

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

    def _dollars(self, usage: Mapping[str, int], when: datetime | None = None) -> float | None:
        where = {"provider": self.teacher.name, "base_url": self.teacher.base_url}
        return prices.cost(usage, self.teacher.model, when=when, **where)

    # -------------------------------------------------------------------------------------------------- answers

    async def _ended(self, job: Job, record: dict[str, Any] | None, error: str | None, cached: bool) -> None:
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

    def _know(self, *records: Mapping[str, Any] | None) -> None:
        """Note what one row needed, a reply that was cut off and asked again included."""
        usages = [record.get("usage") or {} for record in records if record]
        if usages:
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
        if self.options.on_result:
            self.options.on_result(result)

    def _result(
        self, index: int, sample: int, first_key: str, record: dict[str, Any], cut_off: dict[str, Any] | None,
        cached: bool, error: str | None = None, vain: Iterable[Mapping[str, Any]] = (),
    ) -> Result:  # fmt: skip
        choice = record["response"]["choices"][0]
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
            message=choice["message"],
            finish_reason=choice["finish_reason"],
            usage=record["usage"],
            cost_usd=0.0 if twin else None if None in costs else sum(costs),
            latency_s=record["latency_s"],
            attempts=sum(r["attempts"] for r in records),
            cached=cached or twin,
            error=error,
            requested_model=record["requested_model"],
            served_model=record["served_model"],
            system_fingerprint=record["system_fingerprint"],
            sdk=record["sdk"],
            prompt_version=record["prompt_version"],
            truncated=(cut_off["key"],) if cut_off else (),
            rows=self.rows,
        )

    def _no_result(self, index: int, sample: int, job: Job, error: str | None) -> Result:
        spent = [attempt.get("cost_usd") for attempt in job.spoiled or ()]
        return Result(
            index=index, id=self.ids[index], sample=sample, key=job.key, error=error, attempts=job.attempts,
            cost_usd=None if None in spent else sum(spent), requested_model=self.teacher.model,
            sdk=sdk_version(), prompt_version=PROMPT_VERSION, rows=self.rows,
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
        unknown = f" and up to ${self.budget.unknown:.4f} not accounted for" if self.budget.unknown else ""
        say(
            f"stopped at max_cost_usd = ${self.budget.cap:g}: ${self.budget.spent:.4f} spent{unknown}, and "
            f"the worst case of one more request does not fit. {len(self._left())} samples were not asked; "
            "run again with more to go on."
        )

    def results(self) -> Results:
        """The results so far, in the order of rows and samples, with the figures of the run."""
        engine = self.engine
        results = [self.done[place] for place in sorted(self.done)]
        asked = [result for result in results if not result.cached]
        report = {
            "asked": len(asked),
            "cached": self.counts["cached"],
            "failed": self.counts["failed"],
            "truncated": self.counts["truncated"],
            "not_asked": len(self._left()),
            "cost_usd": self.budget.spent - self.spent_before[0],
            "cost_unknown_usd": self.budget.unknown - self.spent_before[1],
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


def _check_options(options: Mapping[str, Any]) -> None:
    for name in ("samples", "max_tokens", "max_concurrency"):
        if options[name] < 1:
            raise LlmergeError(f"{name} must be at least 1, got {options[name]}.")
    for name in ("until_correct", "min_delay_s", "max_cost_usd"):
        if options[name] < 0:
            raise LlmergeError(f"{name} must not be negative, got {options[name]}.")
    if options["until_correct"] > options["samples"]:
        raise LlmergeError(
            f"until_correct={options['until_correct']} right answers need at least as many samples, "
            f"and samples is {options['samples']}: raise samples."
        )


def _check_columns(index: int, row: Iterable[str]) -> None:
    """Raise an `LlmergeError` for a row that could be asked but not judged, or not even asked."""
    names = set(row)
    if not ("question" in names or {"ours", "theirs"} <= names):
        raise LlmergeError(f"row {index} is no conflict: it has neither a question nor ours and theirs.")
    if not ("answer" in names or {"before", "resolution", "after"} <= names):
        raise LlmergeError(f"row {index} cannot be judged: it has neither an answer nor before, resolution and after.")
