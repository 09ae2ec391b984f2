"""Questions by the file: uploaded, answered within a day at a lower price, taken up again by the same command."""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import os
import random
import re
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate.engine import ESCALATION, Engine, Job, is_cut_off, say
from llmerge_helpers.generate.prices import told_cost, worst_usage
from llmerge_helpers.generate.reply_cache import Ledger, Record, request_key
from llmerge_helpers.generate.request import Completion, Fault, backoff, fault_of, send
from llmerge_helpers.generate.teachers import BATCHES, Teacher
from llmerge_helpers.run import redact, shown
from llmerge_helpers.run.files import atomic_file, read_json, write_json
from llmerge_helpers.run.screen import Progress

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch as Told
    from openai.types import FileObject

FOLDER = "batches"  # in the cache: for each open batch its state, its requests, and its answers once they are here
URL = "/v1/chat/completions"
OVER = ("completed", "expired", "cancelled", "failed")
CALLS = 10  # how often an upload, a look at the list or a download is tried
TRIES = 2  # how often one request is sent in a run: each time may take a day
UNREACHABLE_S = 3600.0  # a run of many hours outlives an hour without network
STREAMING = ("stream", "stream_options")
PLANNING = "0" * 64  # the claim of whoever decides what goes into a batch
_IDS = re.compile(r"\b(?:acct|account|batch|file|org|proj|project|req|user)[-_](?=\w*[\dA-Z])[\w-]{4,}")

Answer = TypeVar("Answer")
Thing = TypeVar("Thing", "Told", "FileObject")


def check_has_batches(teacher: Teacher) -> None:
    """Raise an `LlmergeError` where the teacher takes no files of requests."""
    if teacher.batch is None:
        raise LlmergeError(
            f"patience is batch, and {teacher.name} at {teacher.endpoint} has no batch interface like OpenAI's: leave "
            f"patience empty, or choose a teacher that has one ({', '.join(BATCHES)})."
        )


def open_keys(ledger: Ledger, teacher: Teacher) -> set[str]:
    """The keys of the questions that open batches of this endpoint answer."""
    return {key for sent in _open(ledger, teacher) for key in sent.requests}


def body_of_batch(body: dict[str, object]) -> dict[str, object]:
    """The body as it stands in a file of requests: nothing there is streamed.

    >>> body_of_batch({"model": "m", "stream": True, "stream_options": {"include_usage": True}})
    {'model': 'm'}
    """
    return {name: value for name, value in body.items() if name not in STREAMING}


def pause_s(looks: int) -> float:
    """Seconds until the next look at what is open, after so many without news: five, then more, five minutes at most.

    >>> [round(pause_s(looks)) for looks in (0, 1, 5, 50)]
    [5, 8, 38, 300]
    """
    return min(300.0, 5.0 * 1.5 ** min(looks, 20))


class Asked(NamedTuple):
    """One request of a file: which sample it asks for, and what it may take at most."""

    sample: int
    dollars: float
    tokens: int = 0  # none in the state of a batch from before they were counted: its bill counts all the same


@dataclass
class Sent:
    """A file of requests, and how far it is: planned, uploaded (it may then be created, too), created."""

    name: str
    endpoint: str
    share: float
    planned_at: float
    requests: dict[str, Asked] = field(default_factory=dict)  # by key
    file_id: str = ""
    batch_id: str = ""
    created_at: float = 0.0

    @property
    def worst(self) -> tuple[float, int]:
        """What it takes at most, in dollars and in tokens."""
        asked = self.requests.values()
        return sum(each.dollars for each in asked), sum(each.tokens for each in asked)


class Line(NamedTuple):
    """One line of an output or an error file; status 0 means that the request was never answered."""

    key: str
    status: int
    body: object
    request_id: str
    error: str


def read_line(raw: bytes) -> Line | None:
    """What a line says; None if it is no such line.

    >>> read_line(b'{"custom_id": "k", "response": {"status_code": 200, "body": {}}, "error": null}')
    Line(key='k', status=200, body={}, request_id='', error='')
    >>> read_line(b'{"custom_id": "k", "response": null, "error": {"code": "batch_expired"}}')
    Line(key='k', status=0, body=None, request_id='', error='batch_expired')
    """
    try:
        line = json.loads(raw)
        key, response, error = line["custom_id"], line.get("response"), line.get("error")
        if not isinstance(key, str):
            return None
        told = error if isinstance(error, dict) else {"message": error}
        words = ": ".join(str(told[name]) for name in ("code", "message") if told.get(name))
        if not isinstance(response, dict):
            return Line(key, 0, None, "", words)
        status = int(response.get("status_code") or 200)
        if not 200 <= status <= 599:
            return None
        return Line(key, status, response.get("body"), str(response.get("request_id") or ""), words)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None


class Batches:
    """Asks an engine's jobs by the file. Its books, its ledger and its ends of jobs are the engine's."""

    def __init__(self, engine: Engine, line: Progress | None = None):
        check_has_batches(engine.teacher)
        self.engine, self.line, self.offer = engine, line, engine.teacher.batch
        self.ledger, self.folder = engine.ledger, engine.ledger.folder / FOLDER
        self.jobs: deque[Job] = deque()
        self.waiting: dict[str, Job] = {}  # those that an open batch answers, by key
        self.mine: dict[str, Sent] = {}
        self.elsewhere: dict[str, Sent] = {}  # open ones that another process watches
        self.most_requests = self.offer.most_requests
        self.vain = ""  # why the last question that failed did
        self.full_at = 0  # with so many batches open, the service had no room for another one
        self.counted: dict[str, str] = {}  # batch -> how much of it is done
        self.heard = time.monotonic()
        self._rng = random.Random()

    async def run(self, jobs: deque[Job]) -> None:
        """Work until every job has ended, those added meanwhile included, or the run has to stop.

        What is open when it stops stays open at the service; its state is on disk, for the next run.
        """
        engine, looks = self.engine, 0
        self.jobs = engine.fresh = jobs
        try:
            while True:
                looks = 0 if await self._send_what_fits() else looks + 1
                open_ = self.mine or self.elsewhere
                if engine.stopped or not open_ and (engine.capped or not self.jobs):
                    break
                ended, wait = await self._look()
                if engine.stopped:
                    break
                if not ended:
                    self._show()
                    await asyncio.sleep(max(pause_s(looks), wait))
            if self.vain and not engine.answers:  # that is no run that has finished
                engine.stopped = engine.stopped or f"not one question was answered ({self.vain})."
        except Fault as fault:
            engine.faults[fault.kind] += 1
            engine.stopped = engine.stopped or f"{_plain(fault.sentence())}."
        except OSError as error:
            engine.stopped = engine.stopped or (
                f"the cache could not be written ({error.strerror or error}): make room or give permission there, "
                "then run the same command again; what is open stays with the service."
            )
        except (asyncio.CancelledError, KeyboardInterrupt):
            created = {key for sent in self.mine.values() if sent.batch_id for key in sent.requests}
            if stay := len(created & self.waiting.keys()):
                say(
                    f"{stay} questions stay with the service, which goes on answering their batch; the "
                    "same command takes it up."
                )
            raise
        finally:
            jobs.extend(self.waiting.values())
            for name in self.mine:
                self.ledger.release(name)

    # ------------------------------------------------------------------------------------------------ what goes out

    async def _send_what_fits(self) -> bool:
        """Take up what is open, make batches of what is left, and start them; True if there were any to start."""
        async with self._planning():
            self._take_up()
            await self._sort()
            while self.jobs and self._has_room() and await self._plan():
                pass
        fresh = [sent for sent in self.mine.values() if not sent.batch_id]
        for sent in fresh:
            await self._start(sent)
        return bool(fresh)

    def _has_room(self) -> bool:
        return not self.full_at or len(self.mine) + len(self.elsewhere) < self.full_at

    @asynccontextmanager
    async def _planning(self) -> AsyncIterator[None]:
        """One process at a time decides what goes into a batch, so that no question goes into two."""
        while not self.ledger.claim(PLANNING):
            await asyncio.sleep(0.1)
        try:
            yield
        finally:
            self.ledger.release(PLANNING)

    def _take_up(self) -> None:
        """Find the open batches that answer any of our questions; those that nobody watches are ours from now on."""
        for name in [name for name in self.elsewhere if not self._path(name).exists()]:
            del self.elsewhere[name]
        for path in self.folder.glob("*.[jt]*"):
            if not self._path(path.name.strip(".").split(".")[0]).exists():
                path.unlink(missing_ok=True)  # a run was killed before the state was there, or after it was gone
        self._free()
        wanted = {job.key for job in self.jobs} | self.waiting.keys()
        for sent in _open(self.ledger, self.engine.teacher, skip=self.mine):
            if sent.name not in self.elsewhere and not wanted & sent.requests.keys():
                if all(self.ledger.path(key).exists() for key in sent.requests) and self.ledger.claim(sent.name):
                    self._forget(sent)  # a run was killed between its last answer and this
                continue
            if not self.ledger.claim(name := sent.name):
                self.elsewhere[name] = sent
                continue
            self.elsewhere.pop(name, None)
            sent = _read(self._path(name))  # who watched it may have gone on, or ended it, before our claim
            if sent is None:
                self.ledger.release(name)
            elif not sent.file_id:  # it never left this machine
                self._forget(sent)
            else:
                self.mine[sent.name] = sent
                self.engine.budget.take(*sent.worst)  # even above the cap: it was sent, and will be billed
                say(f"a batch of {len(sent.requests)} questions is open at the service; its answers are taken up")
        self._free()

    def _free(self) -> None:
        """Put the jobs whose batch is gone back into the queue."""
        held = {key for sent in (*self.mine.values(), *self.elsewhere.values()) for key in sent.requests}
        self.jobs.extend(self.waiting.pop(key) for key in [key for key in self.waiting if key not in held])

    async def _sort(self) -> None:
        """End the jobs whose answer is on disk by now, and set those aside that an open batch answers."""
        held = {key for sent in (*self.mine.values(), *self.elsewhere.values()) for key in sent.requests}
        for _ in range(len(self.jobs)):
            job = self.jobs.popleft()
            if job.key in held:
                self.waiting[job.key] = job
            elif (record := self.ledger.get(job.key)) is not None:
                await self._ended(job, record, None, cached=True)
            else:
                self.jobs.append(job)

    async def _plan(self) -> bool:
        """Write the next file of requests and its state; False if nothing can be sent now."""
        engine, budget = self.engine, self.engine.budget
        sent = Sent(uuid.uuid4().hex, engine.teacher.endpoint, self.offer.share, time.time())
        chosen: list[Job] = []
        busy: list[Job] = []  # another process is asking them, one by one
        size, short = 0, False
        self.folder.mkdir(parents=True, exist_ok=True)
        with atomic_file(self._path(sent.name, "jsonl")) as file:
            while self.jobs and len(chosen) < self.most_requests:
                job = self.jobs.popleft()
                if not self.ledger.claim(job.key):
                    busy.append(job)
                    continue
                self.ledger.release(job.key)
                body = engine.body(job.index, job.max_tokens)
                request = {
                    "custom_id": job.key,
                    "method": "POST",
                    "url": URL,
                    "body": body_of_batch(engine.teacher.dialect.fit(body)),
                }
                try:
                    line = json.dumps(request, ensure_ascii=False).encode() + b"\n"
                except UnicodeEncodeError as error:  # one such line, and the service would refuse the whole file
                    await self._ended(job, None, fault_of(error).sentence(), cached=False)
                    continue
                usage = worst_usage(body)
                worst = budget.worst(self.offer.share * (engine.price(usage, dear=True) or 0.0))
                tokens = math.ceil(budget.worst(usage["prompt_tokens"] + usage["completion_tokens"]))
                if chosen and size + len(line) > self.offer.most_bytes:
                    self.jobs.appendleft(job)
                    break
                if not budget.reserve(worst, tokens):
                    self.jobs.appendleft(job)
                    short = True
                    break
                file.write(line)
                size += len(line)
                chosen.append(job)
                sent.requests[job.key] = Asked(job.sample, worst, tokens)
                if len(chosen) % 200 == 0:
                    await asyncio.sleep(0)  # a person may want to interrupt
        self.jobs.extend(busy)
        if short and (self.mine or self.elsewhere):  # what is open may turn out cheaper than its worst case
            self._path(sent.name, "jsonl").unlink()
            budget.give_back(*sent.worst)
            self.jobs.extendleft(reversed(chosen))
            return False
        if not chosen:
            self._path(sent.name, "jsonl").unlink()
            return await self._no_money() if short else False
        self.ledger.claim(sent.name)
        self._save(sent)
        self.mine[sent.name] = sent
        self.waiting |= {job.key: job for job in chosen}
        return True

    async def _no_money(self) -> bool:
        """Not one request fits, and nothing is open: the end, unless it is a second try, whose first one stands."""
        job = self.jobs.popleft()
        if job.cut_off:
            await self.engine.done(job, job.cut_off, None, False)
            return True
        self.jobs.appendleft(job)
        self.engine.capped = True
        return False

    async def _start(self, sent: Sent) -> None:
        """Upload the file and create the batch; each step is on disk before the next one is made."""
        client, told, doubtful = self.engine.client, None, bool(sent.file_id)
        if not sent.file_id:
            path = self._path(sent.name, "jsonl")
            uploaded = await self._call(lambda: client.files.create(file=path, purpose="batch"))
            sent.file_id = _with_id(uploaded).id
            self._save(sent)
        else:
            told = await self._find(sent)
        for attempt in itertools.count(1):
            if told is not None:
                break
            try:
                told = _with_id(
                    await client.batches.create(
                        input_file_id=sent.file_id, endpoint=URL, completion_window="24h", timeout=120.0
                    )
                )
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                if fault.rule.action != "retry" and not doubtful:
                    self._drop(sent)  # it was refused: nothing is open, and nothing will be billed
                if fault.rule.action != "retry" or attempt >= CALLS:
                    raise fault from None
                self.engine.faults[fault.kind] += 1
                doubtful = doubtful or fault.kind != "rate_limit"
                await asyncio.sleep(max(backoff(attempt, self._rng), fault.retry_after))
                told = await self._find(sent)  # it may have been created all the same
        sent.batch_id, sent.created_at = told.id, float(told.created_at or time.time())
        self._save(sent)
        at_most = f", at most ${sent.worst[0]:.4f}" if sent.worst[0] else ""
        say(
            f"sent {len(sent.requests)} questions as a batch at {sent.share:g} of the price{at_most}: answers come "
            "within 24 hours. An interrupt leaves it with the service, and the same command takes it up."
        )

    async def _find(self, sent: Sent) -> Told | None:
        """The batch that was made of this file, if the service has one; the list may lag, so it is read twice."""

        async def look() -> Told | None:
            async for told in self.engine.client.batches.list(limit=100):
                if told.input_file_id == sent.file_id:
                    return told
                if isinstance(told.created_at, int) and told.created_at < sent.planned_at - 86_400:
                    break  # the newest come first
            return None

        found = await self._call(look)
        if found is None:
            await asyncio.sleep(pause_s(0))
            found = await self._call(look)
        return found

    # ------------------------------------------------------------------------------------------------ what comes back

    async def _look(self) -> tuple[bool, float]:
        """Ask how far each batch is, and take what is over; True if any was, and how long the service asks to wait."""
        engine, over, wait = self.engine, False, 0.0
        for sent in list(self.mine.values()):
            try:
                told = _with_id(await engine.client.batches.retrieve(sent.batch_id))
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                self._missed(sent, fault)
                wait = max(wait, fault.retry_after)
                continue
            self.heard = time.monotonic()
            counts = told.request_counts
            self.counted[sent.name] = f"{(counts.completed or 0) + (counts.failed or 0)}" if counts else ""
            status = str(told.status or "").lower()
            if status not in OVER:
                continue
            over = True
            if status == "failed" and not (told.output_file_id or told.error_file_id):
                self._failed_whole(sent, told)
            else:
                try:
                    await self._collect(sent, told, status)
                except Fault as fault:
                    if fault.rule.action != "fail":
                        raise
                    self._lost(sent, "no longer has the answers of", fault)
            if engine.stopped:
                break
        return over, wait

    def _missed(self, sent: Sent, fault: Fault) -> None:
        """A look that told nothing: the next one may, unless a person has to act."""
        engine = self.engine
        engine.faults[fault.kind] += 1
        if fault.rule.action == "fail" or fault.kind == "unknown_model":
            self._lost(sent, "does not know", fault)
        elif fault.rule.action == "stop":
            engine.stopped = f"{_plain(fault.rule.sentence)}. {_plain(fault.detail)}".strip()
        elif time.monotonic() - self.heard > UNREACHABLE_S:
            engine.stopped = f"nothing was heard of the open batch for an hour ({_plain(fault.sentence())})."

    def _lost(self, sent: Sent, what: str, fault: Fault) -> None:
        self.engine.stopped = (
            f"the service {what} a batch that was sent from here ({_plain(fault.sentence())}): use the key and the "
            f"base_url that it was sent with, or delete {shown(self._path(sent.name))} to ask its questions anew."
        )

    def _failed_whole(self, sent: Sent, told: Told) -> None:
        """A file that the service would not start on: nothing was answered, nothing is billed."""
        errors = (told.errors.data if told.errors else None) or []
        text = "; ".join(f"{error.code or ''} {error.message or ''}".strip() for error in errors[:3])
        self._drop(sent)
        if "token_limit" in text or "enqueued" in text.lower():
            if self.mine or self.elsewhere:  # room comes when they end
                self.full_at = len(self.mine) + len(self.elsewhere)
            elif len(sent.requests) > 1:
                self.most_requests = len(sent.requests) // 2
                say(f"the service has no room for {len(sent.requests)} questions at once; half as many are sent")
                return
            else:
                self.engine.stopped = f"the service has no room for a single question in a batch ({_plain(text)})."
            return
        self.engine.stopped = f"the service refused the batch ({_plain(text) or 'it does not say why'})."

    async def _collect(self, sent: Sent, told: Told, status: str) -> None:
        """Everything that a batch brought onto the disk, then into the books, then to the jobs that wait for it."""
        ended_at = told.completed_at or told.expired_at or told.cancelled_at or time.time()
        began, took = datetime.fromtimestamp(sent.created_at, UTC), max(0.0, ended_at - sent.created_at)
        files = {
            self._path(sent.name, f"{kind}.jsonl"): file_id
            for kind, file_id in (("output", told.output_file_id), ("errors", told.error_file_id))
            if file_id
        }
        lines, torn = await self._bring(files)
        unread = dict(sent.requests)
        faults: dict[str, Fault | None] = {}  # None: there is an answer
        on_disk: set[str] = set()
        requests = _offsets(self._path(sent.name, "jsonl"), sent.requests)
        with open(self._path(sent.name, "jsonl"), "rb") as asked, ExitStack() as stack, _Reader() as reader:
            opened = {path: stack.enter_context(open(path, "rb")) for path in files}
            for key, (path, at) in lines.items():
                opened[path].seek(at)
                line = read_line(opened[path].readline())
                if key not in unread or (line.status == 0 and status in ("expired", "cancelled")):
                    continue  # none of ours, or never begun
                unread.pop(key)
                asked.seek(requests[key])
                body = json.loads(asked.readline())["body"]
                response, fault = await reader.read(line, body)
                known = await self._enter(sent, key, body, response, fault, began, took)
                faults[key] = None if known else fault
                on_disk |= {key} if known else set()
                if len(faults) % 50 == 0:
                    self._show(f"{len(faults)} of {len(sent.requests)} read")
        for key, (_, worst, tokens) in unread.items():
            lost = torn or status == "completed"  # it may have been answered, and billed
            self.engine.budget.settle(worst, 0.0, worst if lost else 0.0)
            self.engine.budget.settle_tokens(tokens, tokens if lost else 0)
            if lost:
                faults[key] = Fault("malformed", "the batch has no line for it that can be read")
                if key in self.waiting:
                    self.waiting[key].attempts += 1
        jobs = [self.waiting.pop(key) for key in sent.requests if key in self.waiting]
        self._forget(sent, keep=torn)
        self.mine.pop(sent.name)
        for job in jobs:
            await self._pass_on(job, faults, cached=job.key in on_disk, stuck=len(unread) == len(sent.requests))

    async def _bring(self, files: dict[Path, str]) -> tuple[dict[str, tuple[Path, int]], bool]:
        """Where each question's line stands, in which file and how far in; True if some lines cannot be read."""
        for again in (False, True):
            found: dict[str, tuple[Path, int]] = {}
            answered: set[str] = set()
            torn = False
            for path, file_id in files.items():
                await self._download(file_id, path, again)
                for at, raw in _lines(path):
                    line = read_line(raw)
                    torn = torn or line is None
                    if line is None or line.key in answered:
                        continue
                    if line.status == 200:  # an answer counts more than an error, and the first one counts
                        answered.add(line.key)
                        found[line.key] = path, at
                    found.setdefault(line.key, (path, at))
            if not torn:  # else once more: it may have been cut on the way
                break
        return found, torn

    async def _enter(
        self, sent: Sent, key: str, body: dict[str, object], response: Completion | None, fault: Fault | None,
        began: datetime, took: float,
    ) -> bool:  # fmt: skip
        """Put one reply on disk, then into the books; True if there was an answer already."""
        engine, (sample, worst, tokens) = self.engine, sent.requests[key]
        usage, dollars = self._bill(response, began, sent.share)
        job = self.waiting.get(key) or Job(-1, sample, key, 0, None, key)  # a row that only an earlier run asked for
        job.attempts += 1
        job.spoiled = await asyncio.to_thread(self.ledger.attempts, key)
        answer = self.ledger.get(key)
        spent, used = dollars or 0.0, usage["prompt_tokens"] + usage["completion_tokens"] if usage else tokens
        told = bool(usage) or dollars is not None
        engine.budget.learn(worst, spent)
        engine.budget.learn(tokens, used)
        if fault is not None and fault.rule.bill == "nothing" and not told:
            used, told = 0, True
        if any(old and old.get("response") == response for old in (answer, *job.spoiled)):
            spent, used, told = 0.0, 0, True  # a run that was killed here has it in its books
        elif response is not None and (fault is None or usage):
            record: Record = engine.record(job, body, response, usage, dollars, began, took)
            record["batch"] = sent.share
            if fault is None and answer is None:
                await asyncio.to_thread(self.ledger.put, record)
            else:
                record["error"] = _plain(fault.sentence()) if fault else "another run had an answer by then"
                await asyncio.to_thread(self.ledger.put_attempt, record)
                job.spoiled.append(record)
        engine.budget.settle(worst, spent, 0.0 if told else worst)
        engine.budget.settle_tokens(tokens, used)
        if fault is None:
            engine.answers += 1
            engine.tokens += usage.get("completion_tokens", 0)
        return answer is not None

    def _bill(self, response: Completion | None, when: datetime, share: float) -> tuple[dict[str, int], float | None]:
        """The tokens and the US dollars of a reply that came by batch; {} and None where nobody tells."""
        if response is None:
            return {}, None
        usage, dollars = self.engine.teacher.bill(response, when)
        whole = dollars is None or told_cost(response)  # a price that the reply itself tells is what is billed
        return usage, dollars if whole else dollars * share

    async def _pass_on(self, job: Job, faults: dict[str, Fault | None], cached: bool, stuck: bool) -> None:
        """What becomes of a job whose batch is over: an answer, a reason, or the next batch."""
        engine = self.engine
        if job.key not in faults:  # the batch ended before its turn: the row has no part in that
            job.faults["unfinished"] = job.faults.get("unfinished", 0) + stuck
            if job.faults["unfinished"] < TRIES:
                return self.jobs.append(job)
            return await self._ended(job, None, "no batch came to this question before it ended", cached=False)
        fault = faults[job.key]
        if fault is None:
            return await self._ended(job, self.ledger.get(job.key), None, cached)
        engine.faults[fault.kind] += 1
        job.faults[fault.kind] = job.faults.get(fault.kind, 0) + 1
        if fault.rule.action == "stop":
            engine.stopped = engine.stopped or f"{_plain(fault.rule.sentence)}. {_plain(fault.detail)}".strip()
            return self.jobs.append(job)
        if fault.rule.action == "retry" and job.attempts < TRIES:
            return self.jobs.append(job)
        await self._ended(job, None, f"{_plain(fault.sentence())}, {job.attempts} attempts", cached=False)

    async def _ended(self, job: Job, record: Record | None, error: str | None, cached: bool) -> None:
        if record is not None and is_cut_off(record) and not job.cut_off:
            job.cut_off = record  # once with more room, then it stays cut off
            job.max_tokens *= ESCALATION
            job.key = request_key(self.engine.body(job.index, job.max_tokens), self.engine.teacher.endpoint, job.sample)
            job.spoiled, job.attempts = None, 0
            return self.jobs.append(job)
        self.vain = error or self.vain
        await self.engine.done(job, job.cut_off if record is None else record, error, cached)

    # ---------------------------------------------------------------------------------------------------- the wire

    async def _call(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """The answer of a call that costs nothing, tried again as long as that may help; else a `Fault`."""
        for attempt in itertools.count(1):
            try:
                return await ask()
            except Exception as error:
                fault = fault_of(error)
                if fault is None:
                    raise
                if fault.rule.action != "retry" or attempt >= CALLS:
                    raise fault from None
                self.engine.faults[fault.kind] += 1
                await asyncio.sleep(max(backoff(attempt, self._rng), fault.retry_after))
        raise AssertionError

    async def _download(self, file_id: str, path: Path, again: bool) -> None:
        """The file of the service at `path`, whole; what an earlier run has brought is brought again only if told."""

        async def fetch() -> None:
            async with self.engine.client.files.with_streaming_response.content(file_id) as answer:
                with atomic_file(path) as file:
                    async for chunk in answer.iter_bytes():
                        file.write(chunk)

        if again or not path.exists():
            await self._call(fetch)

    # --------------------------------------------------------------------------------------------------- the state

    def _path(self, name: str, ending: str = "json") -> Path:
        return self.folder / f"{name}.{ending}"

    def _save(self, sent: Sent) -> None:
        write_json(self._path(sent.name), asdict(sent))

    def _drop(self, sent: Sent) -> None:
        """Give up a batch that the service never began, and put its jobs back."""
        self._forget(sent)
        self.mine.pop(sent.name, None)
        self.engine.budget.give_back(*sent.worst)
        self._free()

    def _forget(self, sent: Sent, keep: bool = False) -> None:
        """Remove the state, then what belongs to it; with `keep` the answers, which were paid for, are set aside."""
        output = self._path(sent.name, "output.jsonl")
        if keep and output.exists():
            os.replace(output, kept := output.with_suffix(".set-aside"))
            say(f"note: some answers of a batch cannot be read; as they came they are in {shown(kept)}")
        for ending in ("json", "output.jsonl", "errors.jsonl", "jsonl"):
            self._path(sent.name, ending).unlink(missing_ok=True)
        self.ledger.release(sent.name)

    def _show(self, now: str = "") -> None:
        self.engine.tick()
        if self.line is not None:
            done = sum(int(text or 0) for name, text in self.counted.items() if name in self.mine)
            asked = sum(len(sent.requests) for sent in (*self.mine.values(), *self.elsewhere.values()))
            self.line.update(self.line.done, **{"at the service": now or f"{done} of {asked} done"})


class _Reader:
    """Reads a line as if it had come over the wire, so that the one client, its faults and its checks see it."""

    def __enter__(self) -> _Reader:
        import httpx2
        from openai import AsyncOpenAI

        http = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda _: self._response), trust_env=False)
        self._client: AsyncOpenAI = AsyncOpenAI(
            api_key="none", base_url="http://batch.invalid/v1", max_retries=0, http_client=http
        )
        return self

    def __exit__(self, *_: object) -> None:
        pass  # there is no socket to close

    async def read(self, line: Line, body: dict[str, object]) -> tuple[Completion | None, Fault | None]:
        """The completion, and the fault if it is no usable answer."""
        import httpx2

        if line.status == 0:
            return None, Fault("server_error", line.error or "the batch has no answer for it")
        headers = {"content-type": "application/json"} | ({"x-request-id": line.request_id} if line.request_id else {})
        content = json.dumps(line.body).encode("ascii")
        self._response = httpx2.Response(line.status, headers=headers, content=content)
        try:
            return await send(self._client, body, deadline_s=600.0), None
        except Fault as fault:
            return fault.response, fault


def _open(ledger: Ledger, teacher: Teacher, skip: Collection[str] = ()) -> Iterator[Sent]:
    """The batches of this endpoint that are not over, as their states on disk say."""
    for path in sorted((ledger.folder / FOLDER).glob("*.json")):
        if path.stem not in skip and (sent := _read(path)) is not None and sent.endpoint == teacher.endpoint:
            yield sent


def _read(path: Path) -> Sent | None:
    """The state of a batch; None where it has ended."""
    try:
        sent = Sent(**read_json(path))
        sent.requests = {
            key: Asked(int(sample), float(dollars), *map(int, tokens))
            for key, (sample, dollars, *tokens) in sent.requests.items()
        }
    except FileNotFoundError:
        return None
    except (TypeError, ValueError, AttributeError):
        raise LlmergeError(
            f"{shown(path)} is not the state of a batch: look in the service's console whether one is open, then "
            "delete it."
        ) from None
    return sent


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not blank, each with its place."""
    at = 0
    with open(path, "rb") as file:
        for line in file:
            if line.strip():
                yield at, line
            at += len(line)


def _offsets(path: Path, keys: Collection[str]) -> dict[str, int]:
    """Where in a file of requests the line of each key begins; they stand there in this order."""
    found, at = {}, 0
    with open(path, "rb") as file:
        for key, line in zip(keys, file, strict=True):
            found[key] = at
            at += len(line)
    return found


def _with_id(told: Thing) -> Thing:
    """What the service answered, if it is what was asked for: a proxy's page is none."""
    if not getattr(told, "id", None):
        raise Fault("malformed", str(told)[:100])
    return told


def _plain(text: str) -> str:
    """`text` without keys, and without the names of files, batches and accounts.

    >>> _plain("file-Ab12Cd34 of org-9XyZw in batch_69c086: no file-based input")
    '*** of *** in ***: no file-based input'
    """
    return _IDS.sub("***", redact(text))
