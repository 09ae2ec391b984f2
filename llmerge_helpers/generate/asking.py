"""Ask a teacher about every row: what is on disk is read back, the rest is asked, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import random
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from sys import intern
from typing import Any, NoReturn

from llmerge_helpers.baselines import ask
from llmerge_helpers.conflicts import Form, Message, Reply, Row, split_reply
from llmerge_helpers.conflicts.prompts import FULL, PROMPT_VERSION
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import prices
from llmerge_helpers.generate.batch import Batches, check_has_batches, open_keys
from llmerge_helpers.generate.developers import Committed
from llmerge_helpers.generate.engine import ESCALATION, Engine, Job, is_cut_off, say, sdk_version
from llmerge_helpers.generate.interrupts import Interrupts
from llmerge_helpers.generate.limiter import Limiter
from llmerge_helpers.generate.prices import Budget, Quote
from llmerge_helpers.generate.reply_cache import Ledger, Record, request_key, request_keys
from llmerge_helpers.generate.teachers import Teacher, balance
from llmerge_helpers.run import from_root, redact, shown
from llmerge_helpers.run.screen import Progress
from llmerge_helpers.verdict import Verdict, verify

logger = logging.getLogger(__name__)
AT_ONCE = 2_000  # so many rows are looked up before anything is sent: it takes a moment, and all is known then
PROBES = 64  # of more rows, so many from all over are looked up first: what is on disk often are the first half
SLICE_S = 0.01  # the longest that looking up keeps the event loop from its requests
MOST_KNOWN = 2_000  # a quote rests on so many answers at most


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
    # off-peak: send only while the service's lower price holds; batch: by files of requests, within a day and for less
    patience: str = ""
    max_failed_share: float = 0.5  # stop when more of the last rows fail (50 to 200 of them count); 0: never
    budget: Budget | None = None  # one purse for several calls; its cap then counts, not `max_cost_usd`
    form: Form = FULL  # what a question tells, and how
    shard: str = ""  # "2/8": only the second eighth of the rows, for one of eight machines; empty: all

    def __post_init__(self) -> None:
        for name in ("samples", "max_tokens", "max_concurrency"):
            if getattr(self, name) < 1:
                raise LlmergeError(f"{name} must be at least 1, got {getattr(self, name)}.")
        for name in ("until_correct", "min_delay_s", "max_cost_usd", "max_tokens_total"):
            if getattr(self, name) < 0:
                raise LlmergeError(f"{name} must not be negative, got {getattr(self, name)}.")
        if self.patience not in ("", "off-peak", "batch"):
            raise LlmergeError(f"patience is off-peak, batch or empty, got '{self.patience}'.")
        if not 0 <= self.max_failed_share <= 1:
            raise LlmergeError(f"max_failed_share is a share from 0 (off) to 1, got {self.max_failed_share}.")
        if self.until_correct > self.samples:
            raise LlmergeError(
                f"until_correct={self.until_correct} right answers need at least as many samples, "
                f"and samples is {self.samples}: raise samples."
            )
        read_shard(self.shard)
        self.form.checked()


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
    found = await _Run([row], teacher, Options(**{"progress": False, **options, "shard": ""})).whole()
    why = "not asked: the worst case of one request does not fit into max_cost_usd, or max_tokens_total"
    return found[0] if found else Result(0, str(row.get("id") or 0), 0, "", error=why, rows=[row])


def read_shard(text: str) -> tuple[int, int]:
    """Which share of how many, counted from 0, a text like `2/8` means; (0, 1) for an empty one.

    >>> read_shard("2/8"), read_shard("")
    ((1, 8), (0, 1))
    """
    found = re.fullmatch(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*", text or "1/1") if isinstance(text, str) else None
    number, of = (int(part) for part in found.groups()) if found else (0, 0)
    if not 1 <= number <= of:
        raise LlmergeError(f"shard {text!r} is no share of the rows: give 1/8 … 8/8 to eight runs, or leave it empty.")
    return number - 1, of


def shard_of(question: str, of: int) -> int:
    """Which of `of` shares a question is in, wherever its row stands; rows that ask the same are together, paid once.

    >>> [shard_of(question, 2) for question in ("c", "d", "e", "c")]
    [0, 1, 0, 0]
    """
    digest = hashlib.sha256(question.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") % of


class Shelf:
    """The replies of a cache, read when they are looked at; the last few stay at hand."""

    def __init__(self, ledger: Ledger):
        self.ledger = ledger
        self.message = lru_cache(maxsize=4)(self._message)
        self.reply = lru_cache(maxsize=4)(self._reply)

    def _message(self, key: str) -> dict[str, object]:
        record = self.ledger.get(key)
        if record is None:
            raise LlmergeError(
                f"the reply {key[:12]}… is gone from the cache {shown(self.ledger.folder)} since it was found there: "
                "run the same command again."
            )
        return record["response"]["choices"][0]["message"]

    def _reply(self, key: str) -> Reply:
        return split_reply(self.message(key))


@dataclass(slots=True)
class Result:
    """One sample of one row. `cost_usd` is what it cost, paid attempts without an answer included, whenever that was.

    `record` has the figures that the cache keeps of the reply; its text is read from there whenever it is looked at,
    so that a hundred thousand results fit into memory. `cached` means that this run did not ask: the answer was on
    disk, or another row asked the very same question. `truncated` lists the cache keys of earlier tries with a smaller
    `max_tokens`. The verdict is made when it is first looked at: judging ten thousand replies takes far longer than
    reading them back.
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
    # None: the record has the whole reply
    shelf: Shelf | Committed | None = field(default=None, repr=False, compare=False)
    _brief: Verdict | None = field(default=None, init=False, repr=False, compare=False)  # without the code
    _code: tuple[int, int] | None = field(default=None, init=False, repr=False, compare=False)  # where it stands

    def put_away(self, shelf: Shelf | Committed) -> None:
        """Forget all of an answer that is on disk but its figures."""
        if self.message is None:
            return
        figures = Record(finish_reason=self.finish_reason, usage=self.usage, latency_s=self.latency_s)
        for name in ("requested_model", "served_model", "system_fingerprint", "sdk", "prompt_version"):
            figures[name] = intern(str(self.record.get(name) or ""))
        self.record, self.shelf = figures, shelf

    @property
    def answered(self) -> bool:
        """True if a reply came; nothing is read for it."""
        return self.shelf is not None or self._choice.get("message") is not None

    @property
    def message(self) -> dict[str, Any] | None:
        """The message as the service sent it; None if there is none."""
        return self.shelf.message(self.key) if self.shelf else self._choice.get("message")

    @property
    def finish_reason(self) -> str | None:
        """Why the reply ended."""
        return self.record.get("finish_reason") if self.shelf else self._choice.get("finish_reason")

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

    @property
    def reply(self) -> Reply | None:
        """The reply as reasoning and answer; None if there is none."""
        if self.shelf:
            return self.shelf.reply(self.key)
        return split_reply(self.message) if self.message is not None else None

    def text(self) -> str:
        """Reasoning and answer as a person reads them, or why there is none."""
        if (reply := self.reply) is None:
            return f"no reply: {self.error or 'none came'}"
        return f"{reply.reasoning}\n\n=== answer ===\n\n{reply.answer}"

    @property
    def verdict(self) -> Verdict:
        """The verdict on the reply."""
        brief = self.judge()
        if self._code is None:
            return brief
        start, end = self._code
        return replace(brief, answer=self.reply.answer[start:end])

    def judge(self) -> Verdict:
        """The verdict without the code that was judged: made once, and then at hand."""
        if self._brief is None:
            self._brief = self._judged()
        return self._brief

    def _judged(self) -> Verdict:
        if (message := self.message) is None:
            return Verdict("failed", False, detail=self.error or "There is no reply.")
        verdict = verify(message, self.rows[self.index], finish_reason=self.finish_reason)
        start = self.reply.answer.find(verdict.answer) if verdict.answer else -1
        if start < 0:
            return verdict
        self._code = start, start + len(verdict.answer)
        return replace(verdict, answer=None)

    @property
    def judged(self) -> bool:
        """True once the verdict is made."""
        return self._brief is not None


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
        self.shelf: Shelf | Committed = Committed() if teacher.knows_answers else Shelf(self.ledger)
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
        self.ids: dict[int, str] = {}
        self.failed: dict[str, tuple[Job, str | None]] = {}  # keys that were asked in vain, and how it ended
        self.in_batch: set[str] = set()  # keys of ours that an open batch answers, in a run that asks one by one
        self.looking: Iterator[None] | None = self._look()  # the rows that are not looked up yet
        self.known: list[dict[str, int]] = []  # usage of some answers: what the rest will need, too
        self.seen, self.rng = 0, random.Random(0)  # how many were seen of which these are a sample
        self.worst_prompt: dict[int, int] = {}  # row -> the most tokens of its question, where money is at stake
        self.counts: Counter[str] = Counter()
        self.served: Counter[str] = Counter()
        self.engine: Engine | None = None
        self.line: Progress | None = None
        self.quoted: Quote | None = None
        self.began = self.asking_since = time.monotonic()
        if self.by_batch:
            check_has_batches(teacher)
        if self.budget.cap and self._dollars({"completion_tokens": 1}) is None:
            raise LlmergeError(
                f"max_cost_usd is set, but no price is known for {teacher.model} at {teacher.endpoint}: give it in US "
                "dollars per million tokens (price_in and price_out, in 01 as price 0.14,0.28), or set the cap to 0 "
                "and cap the tokens with max_tokens_total."
            )
        _check_rows(self.rows)
        self.priced = bool(self._dollars({"completion_tokens": 10**6}))
        peak = datetime(2026, 11, 24, 2, tzinfo=UTC)  # one of DeepSeek's
        if options.patience == "off-peak" and not self._cheaper_in(peak):
            raise LlmergeError(
                f"patience is {options.patience}, but no off-peak price is known for {teacher.model} at "
                f"{teacher.endpoint}: leave patience empty."
            )

    async def whole(self) -> Results:
        """Read back, ask the rest, and tell."""
        if await self.something_to_ask():
            await self.ask()
        return self.results()

    @cached_property
    def limits(self) -> list[int]:
        """The values of `max_tokens` under which replies lie in the cache; looked for once there is one to ask."""
        return self.ledger.limits()

    @cached_property
    def held(self) -> set[str]:
        """Questions that open batches answer: asked one by one as well, they would be paid twice."""
        return set() if self.by_batch else open_keys(self.ledger, self.teacher)

    @property
    def by_batch(self) -> bool:
        """True if the questions go out by the file."""
        return self.options.patience == "batch"

    # ------------------------------------------------------------------------------------------------- planning

    async def something_to_ask(self) -> bool:
        """Look up the first rows, and more until there is one to ask; False if all answers are on disk."""
        if self.options.offline or len(self.rows) <= AT_ONCE:
            await self.read_back()
        while self.looking and not self.queue:
            await self._look_on(2 * PROBES)
        return bool(self.queue)

    async def read_back(self) -> None:
        """Take what is on disk; the rest is in the queue."""
        await self._look_on()
        if self.queue and self.options.offline:
            job, left = self.queue[0], len(self._left())
            raise LlmergeError(
                f"offline: {left} of {left + len(self.done)} replies are not in the cache, the first of them of row "
                f"{job.index}, sample {job.sample}: ask for them with offline False, or give the cache_dir, teacher "
                "and max_tokens that they were asked with."
            )

    async def _look_on(self, rows: int = 0) -> None:
        """Look up so many more rows, or all that are left, while requests and a person's interrupt have their turns."""
        left, pause = rows or -1, time.monotonic() + SLICE_S
        while left and self.looking:
            if next(self.looking, self) is self:
                self.looking = None
            left -= 1
            if time.monotonic() >= pause:
                await asyncio.sleep(0)
                pause = time.monotonic() + SLICE_S
        self._check_not_in_batch()
        await asyncio.sleep(0)  # whoever calls again and again leaves room, too

    def _look(self) -> Iterator[None]:
        """Look up one row after the other: first what is to be asked, then, which takes longer, what is on disk."""
        options, endpoint = self.options, self.teacher.endpoint
        first = options.until_correct or options.samples
        number, of = read_shard(options.shard)
        if isinstance(self.shelf, Committed):
            yield from self._take_committed(self.shelf, number, of)
            return
        many = len(self.rows) > AT_ONCE
        # a few are simply opened: the folders of a large cache take longer to list
        is_known = self.ledger.listing() if many else bool
        stored: deque[tuple[int, int, str]] = deque()
        keys: list[Callable[[str], str]] = []  # for each sample: the key of a question
        others: list[list[Callable[[str], str]]] = []  # and those under a smaller max_tokens
        lesser = self._less(options.max_tokens)
        for index, row in self._questions():
            chat = ask(row, options.form)
            question = chat[-1]["content"]
            if of > 1 and shard_of(question, of) != number:
                continue
            self.ids[index] = str(row.get("id") or index)
            self.drawn[index] = _Drawn(first, first)
            body = None if many and keys else self.teacher.body(chat, options.max_tokens)
            if many:
                keys = keys or [request_keys(body, endpoint, sample) for sample in range(first)]
                others = others or [
                    [request_keys(self.teacher.body(chat, less), endpoint, sample) for less in lesser]
                    for sample in range(first)
                ]
            for sample in range(first):
                key = keys[sample](question) if many else request_key(body, endpoint, sample)
                if is_known(key) or (many and any(is_known(other(question)) for other in others[sample])):
                    stored.append((index, sample, key))
                else:
                    self._want(index, sample, Job(index, sample, key, options.max_tokens, None, key), chat)
            yield
        while stored:
            index, sample, key = stored.popleft()
            self._look_up(index, sample, key)
            self._draw_more(index)
            yield

    def _take_committed(self, shelf: Committed, number: int, of: int) -> Iterator[None]:
        """Take what the developers committed, once a conflict however many samples are wanted: nothing is asked."""
        for index, row in enumerate(self.rows):
            if of > 1 and shard_of(ask(row, self.options.form)[-1]["content"], of) != number:
                continue
            self.ids[index], self.drawn[index] = str(row.get("id") or index), _Drawn(1, 1)
            record = shelf.record(row, self.teacher.endpoint)
            self._take(self._result(index, 0, record["key"], record, None, cached=True))
            yield

    def _questions(self) -> Iterator[tuple[int, Row]]:
        """The rows and their numbers; of many, first some from all over, so that there soon is one to ask."""
        rows = self.questions
        # those of the pilot come first: neighbours are of one repository, and alike in length
        steps = (self.options.pilot, PROBES) if len(rows) > AT_ONCE else ()
        some = dict.fromkeys(n * len(rows) // few for few in steps for n in range(few))
        yield from ((index, rows[index]) for index in some)
        yield from ((index, row) for index, row in enumerate(rows) if index not in some)

    @cached_property
    def questions(self) -> Sequence[Row]:
        """The rows as far as a request needs them: a data set would decode whole files, too."""
        columns = getattr(self.rows, "column_names", None)
        if self.options.form == FULL and columns and "question" in columns and hasattr(self.rows, "select_columns"):
            return self.rows.select_columns([name for name in ("id", "question") if name in columns])
        return self.rows

    def _body(self, index: int, max_tokens: int) -> dict[str, object]:
        return self.teacher.body(ask(self.questions[index], self.options.form), max_tokens)

    def _look_up(self, index: int, sample: int, key: str = "") -> None:
        """Take the answer from disk, or put the sample into the queue."""
        limit, cut_off, first_key = self.options.max_tokens, None, key
        while True:
            key = key or request_key(self._body(index, limit), self.teacher.endpoint, sample)
            first_key = first_key or key
            record = self.ledger.get(key) or (None if cut_off else self._under_less(index, limit, sample))
            if record is None:
                break
            if cut_off or not is_cut_off(record):
                self._know(cut_off, record)
                return self._take(self._result(index, sample, first_key, record, cut_off, cached=True))
            # a queue of whole replies would not fit into memory
            cut_off = Record({k: v for k, v in record.items() if k not in ("request", "response")})
            limit, key = limit * ESCALATION, ""
        if cut_off and self.options.offline:  # it was never asked with more room, or in vain: it stays cut off
            return self._take(self._result(index, sample, first_key, cut_off, None, cached=True))
        self._want(index, sample, Job(index, sample, key, limit, cut_off, first_key))

    def _want(self, index: int, sample: int, job: Job, chat: list[Message] | None = None) -> None:
        """Put a sample into the queue, unless the very same question is there, or was asked in vain."""
        if job.first_key in self.failed:
            return self._take(self._no_result(index, sample, *self.failed[job.first_key]))
        self.wanted.setdefault(job.first_key, []).append((index, sample))
        if self.priced and index not in self.worst_prompt:
            body = self.teacher.body(chat or ask(self.questions[index], self.options.form), 1)
            self.worst_prompt[index] = prices.worst_usage(body)["prompt_tokens"]
        if job.first_key not in self.pending:
            self.pending.add(job.first_key)
            if job.first_key in self.held:
                self.in_batch.add(job.first_key)
            else:
                self.queue.append(job)

    def _check_not_in_batch(self) -> None:
        """Raise an `LlmergeError` where a batch answers some of our questions already."""
        if not self.in_batch:
            return
        count = len(self.in_batch)
        raise LlmergeError(
            f"{'at least ' if self.looking else ''}{count} of these questions {'is' if count == 1 else 'are'} in a "
            "batch that is open at the service: set patience to batch to take its answers; one that is cancelled in "
            "the service's console gives what is finished, and frees the rest."
        )

    def _draw_more(self, index: int) -> None:
        """Draw the next samples of a row whose drawn ones have ended; what is on disk is taken at once."""
        while not self.drawn[index].open and (more := self._draw(index)):
            for sample in more:
                self._look_up(index, sample)

    def _under_less(self, index: int, limit: int, sample: int) -> Record | None:
        """The reply that ended of itself under a smaller max_tokens: with more room it would be the same."""
        for less in self._less(limit):
            record = self.ledger.get(request_key(self._body(index, less), self.teacher.endpoint, sample))
            if record is not None and record.get("finish_reason") == "stop":
                return record
        return None

    def _less(self, limit: int) -> list[int]:
        return [less for less in self.limits if less < limit]

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
            (say if self.options.progress else logger.warning)(
                f"note: no price is known for {self.teacher.model}, and nothing caps what this run spends: give "
                "price_in and price_out (in 01: price 0.14,0.28) in US dollars per million tokens, or max_tokens_total."
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
                self._cheaper_in if options.patience == "off-peak" else float,
            )  # fmt: skip
            stack.callback(engine.close)
            planning = asyncio.create_task(self._fill(engine))
            stack.push_async_callback(_cancelled, planning)
            if options.progress:
                self.line = stack.enter_context(Progress(len(self._left()), teacher.model))
            self.asking_since = time.monotonic()
            if self.priced:
                await self._pilot()
                if not engine.over:
                    await planning
                    self.quoted = self.quote()
                    money = await balance(teacher, client)
                    say(f"{self.quoted}" + (f"; balance {money}" if money else ""))
            if not only_pilot:
                if self.by_batch:
                    await planning
                    await Batches(engine, self.line).run(self.queue)
                else:
                    await engine.run(self.queue, lambda: self.looking is not None)
                    await planning  # a run that stops early still tells what is on disk, and what is left
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

    async def _fill(self, engine: Engine) -> None:
        """Look up the rest of the rows while the engine asks what was found."""
        try:
            while self.looking:
                await self._look_on(100)
                engine.wake()
        except Exception as error:
            engine.abort(error)
        engine.wake()

    async def _pilot(self) -> None:
        """A few answers from all over the rows, so that the quote rests on something; they count as any other."""
        few = self.options.pilot
        if not self.looking and (len(self.known) >= few or len(self.queue) <= few):
            return
        if self.by_batch and open_keys(self.ledger, self.teacher) & {job.key for job in self.queue}:
            return  # the run that sent them had its pilot
        jobs = list(self.queue)
        # of a queue that is still filling, the first are from all over the rows
        chosen = {n if self.looking else n * len(jobs) // few for n in range(few)}
        self.queue = deque(job for n, job in enumerate(jobs) if n not in chosen)
        pilot = deque(job for n, job in enumerate(jobs) if n in chosen)
        await self.engine.run(pilot)
        self.queue.extendleft(reversed(pilot))  # those that a stop left
        if self.options.max_failed_share:
            self.engine.stop_if_vain()

    def quote(self) -> Quote:
        """The quote for what is left to ask now."""
        left, now = self._left(), datetime.now(UTC)
        return prices.quote(len(self.done), len(left), self.known, self._worst(left, now), self._dollars, now)

    def _worst(self, left: Sequence[tuple[int, int]], now: datetime) -> float | None:
        """What `left` costs at most: every answer cut off and asked once more with more room, at the dearer price."""
        most = {
            "prompt_tokens": 2 * sum(self.worst_prompt.get(index, 0) for index, _ in left),
            "completion_tokens": len(left) * self.options.max_tokens * (1 + ESCALATION),
        }
        dollars = [self._dollars(most, when) for when in (now, prices.next_change(now))]
        return None if None in dollars else max(dollars)

    def _cheaper_in(self, now: datetime | None = None) -> float:
        """Seconds until the price goes down; 0 if it does not at its next change."""
        now = now or datetime.now(UTC)
        change, tokens = prices.next_change(now), {"completion_tokens": 10**6}
        cheaper = (self._dollars(tokens, change) or 0.0) < (self._dollars(tokens, now) or 0.0)
        return (change - now).total_seconds() if cheaper else 0.0

    def _dollars(self, usage: Mapping[str, int], when: datetime | None = None) -> float | None:
        dollars = self.teacher.cost(usage, when)
        return dollars * self.teacher.batch.share if dollars and self.by_batch else dollars

    # -------------------------------------------------------------------------------------------------- answers

    async def _ended(self, job: Job, record: Record | None, error: str | None, cached: bool) -> None:
        """What the engine calls when a job has ended, well or not."""
        cut_off = job.cut_off if record is not job.cut_off else None
        vain = job.spoiled or () if record is job.cut_off else ()  # paid tries with more room, all of no use
        loop = asyncio.get_running_loop()
        self._know(cut_off, record)
        self.pending.discard(job.first_key)
        if record is None:
            self.failed[job.first_key] = job, error
        # taken out at once: a row that is looked up meanwhile, and asks the same, finds the answer on disk
        for index, sample in self.wanted.pop(job.first_key, ()):
            if record is not None:
                result = self._result(index, sample, job.first_key, record, cut_off, cached, error, vain)
            else:
                result = self._no_result(index, sample, job, error)
            await loop.run_in_executor(self.judge, result.judge)
            self._notice_model(result)
            self._take(result)
            self._draw_more(index)
        self._check_not_in_batch()

    def _know(self, *records: Record | None) -> None:
        """Note what one row needed, a reply that was cut off and asked again included."""
        usages = [record.get("usage") or {} for record in records if record]
        if not usages or not all(usages):  # what a service does not tell is unknown, not nothing
            return
        self.seen += 1
        if len(self.known) < MOST_KNOWN:
            self.known.append(prices.total(usages))
        elif (place := self.rng.randrange(self.seen)) < MOST_KNOWN:  # a fair sample of all
            self.known[place] = prices.total(usages)

    def _take(self, result: Result) -> None:
        self.done[result.index, result.sample] = result
        drawn = self.drawn[result.index]
        drawn.open -= 1
        if self.options.until_correct:
            drawn.right += result.judge().is_correct
        self.counts["cached" if result.cached else "asked"] += 1
        self.counts["failed"] += not result.answered
        self.counts["truncated"] += result.finish_reason == "length"
        self.counts["right"] += result.judged and result.judge().is_correct
        if result.served_model:
            self.served[result.served_model] += 1
        if not (self.engine and result.key in self.engine.unwritten):
            result.put_away(self.shelf)

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
            record=record,
            cost_usd=0.0 if twin else None if None in costs else sum(costs),
            attempts=sum(r["attempts"] for r in records),
            cached=cached or twin,
            error=error,
            truncated=(cut_off["key"],) if cut_off else (),
            rows=self.rows,
            shelf=None if "response" in record else self.shelf,
        )

    def _no_result(self, index: int, sample: int, job: Job, error: str | None) -> Result:
        twin = job.first_key in self.charged
        self.charged.add(job.first_key)
        spent = [] if twin else [attempt.get("cost_usd") for attempt in job.spoiled or ()]
        asked = Record(requested_model=self.teacher.model, sdk=sdk_version(), prompt_version=PROMPT_VERSION)
        return Result(
            index=index, id=self.ids[index], sample=sample, key=job.key, record=asked, error=error,
            attempts=job.attempts, cost_usd=None if None in spent else sum(spent), rows=self.rows,
        )  # fmt: skip

    # ---------------------------------------------------------------------------------------------- what to say

    def _on_disk(self) -> int:
        """How many answers the same call would find in the cache: neither failures nor what could not be written."""
        lost = self.engine.unwritten if self.engine else ()
        return sum(result.answered and result.key not in lost for result in self.done.values())

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
            "in flight": f"{engine.limiter.in_flight}/{engine.limiter.limit}" if left and not self.by_batch else None,
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


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def _check_rows(rows: Sequence[Row]) -> None:
    """Raise an `LlmergeError`, before anything is asked, for a row that could not be judged, or not even asked."""
    columns = getattr(rows, "column_names", None)
    for index, row in enumerate([columns][: len(rows)] if columns else rows):
        _check_columns(index, row)


def _check_columns(index: int, row: Iterable[str]) -> None:
    """Raise an `LlmergeError` for a row that could be asked but not judged, or not even asked."""
    names = set(row)
    if not ("question" in names or {"ours", "theirs"} <= names):
        raise LlmergeError(f"row {index} is no conflict: it has neither a question nor ours and theirs.")
    if not ("answer" in names or {"before", "resolution", "after"} <= names):
        raise LlmergeError(f"row {index} cannot be judged: it has neither an answer nor before, resolution and after.")
