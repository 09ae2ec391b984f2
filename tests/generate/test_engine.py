"""Every fault of a service and what the engine makes of it; the limiter on a clock of its own; mutations."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import random
import time
from pathlib import Path

import pytest
import test_asking
import test_reply_cache
from fault_server import FAULTS, FaultServer, make_rows, take_ours

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Budget, RunStopped, asking, engine, limiter
from llmerge_helpers.generate import reply_cache as ledger
from llmerge_helpers.generate import request as wire
from llmerge_helpers.generate.limiter import Limiter
from llmerge_helpers.generate.reply_cache import Ledger
from llmerge_helpers.generate.request import FAULTS as FAULT_TABLE
from llmerge_helpers.generate.request import backoff

UNPRICED = test_asking.UNPRICED


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("llmerge_helpers.generate.engine.backoff", lambda attempt, rng: 0.01)
    monkeypatch.setattr(limiter, "LONGEST_PAUSE_S", 0.1)


@pytest.fixture(params=[True, False], ids=["priced", "unpriced"])
def priced(request):
    """With a price, a pilot of five goes ahead."""
    return {} if request.param else UNPRICED


def ask(rows, teacher, folder, **options):
    options = {"idle_s": 5.0, "deadline_s": 20.0, "progress": False, **options}
    return asyncio.run(asking.generate(rows, teacher, cache_dir=str(folder), **options))


# ---- one fault at a time

ONE_MORE = {
    "status_429": "rate_limit", "status_500": "server_error", "status_503": "overloaded", "blank": "blank_reply",
    "cut": "cut_stream", "malformed": "malformed", "null_content": "blank_answer", "insufficient": "no_resources",
    "slow_loris": "deadline", "reset": "connection_lost", "reset_late": "connection_lost", "hang": "idle",
    "error_in_stream": "server_error", "no_finish_reason": "cut_stream",
}  # fmt: skip
FAIL_THE_ROW = ("status_400", "status_404", "status_422")
HARMLESS = ("keep_alive", "wrong_model")


def test_every_fault_of_the_server_is_tested():
    stops = [fault for fault, _ in test_asking.STOPS]
    assert {*ONE_MORE, *FAIL_THE_ROW, *HARMLESS, *stops, "length"} == set(FAULTS)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", ONE_MORE)
def test_a_passing_fault_costs_one_more_request(tmp_path, fault, stream):
    with FaultServer(take_ours, faults={fault: 1.0}, faulty_tries=1) as server:
        changes = {} if stream else {"extra_body": {"stream": False, "stream_options": None}}
        limits = {"hang": {"idle_s": 0.5}, "slow_loris": {"deadline_s": 1.0}}.get(fault, {})
        (result,) = ask(make_rows(1), server.teacher(**changes), tmp_path, **limits)
    assert result.verdict.is_correct and result.error is None
    assert server.books.requests == 2 == result.attempts
    kind = ONE_MORE[fault] if stream or fault != "cut" else "malformed"
    assert result.cost_usd == pytest.approx(server.books.billed_usd)
    (record,) = [r for r in Ledger(tmp_path).records() if not r.get("error")]
    assert record["faults"] == {kind: 1}


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("fault", HARMLESS)
def test_a_harmless_oddity_costs_nothing(tmp_path, fault, stream):
    with FaultServer(take_ours, faults={fault: 1.0}) as server:
        changes = {} if stream else {"extra_body": {"stream": False, "stream_options": None}}
        (result,) = ask(make_rows(1), server.teacher(**changes), tmp_path, idle_s=0.2)
    assert result.verdict.is_correct and server.books.requests == 1
    assert (result.served_model == "another-model") == (fault == "wrong_model")


@pytest.mark.parametrize(
    "fault", [*FAIL_THE_ROW, "status_500", "blank", "null_content", "cut", "reset", "insufficient"]
)
def test_a_row_that_always_fails_fails_alone_and_with_its_reason(tmp_path, fault):
    rows = make_rows(12)
    with FaultServer(take_ours, latency_s=0.01) as server:
        server.fault_for = lambda body: fault if "a3\n" in body["messages"][-1]["content"] else None
        results = ask(rows, server.teacher(**UNPRICED), tmp_path, max_concurrency=3)
        bad = results[3]
        assert [r.verdict.match_type for r in results].count("exact_match") == 11
        assert bad.verdict.match_type == "failed" and bad.message is None and not bad.verdict.is_correct
        kind = ONE_MORE.get(fault, "bad_request")
        assert kind in bad.error and FAULT_TABLE[kind].sentence in bad.error
        tries = FAULT_TABLE[kind].tries  # and a few more that do not count, because nobody else was answered either
        assert bad.attempts == 1 if fault in FAIL_THE_ROW else tries <= bad.attempts <= 4 * tries
        server.fault_for = lambda body: None
        assert ask(rows, server.teacher(**UNPRICED), tmp_path)[3].verdict.is_correct  # it was not cached as a failure


def test_what_was_paid_for_a_failure_is_kept(tmp_path):
    with FaultServer(take_ours, faults={"null_content": 1.0}) as server:
        with pytest.raises(RunStopped, match="blank_answer") as stopped:
            ask(make_rows(1), server.teacher(), tmp_path)
        (result,) = stopped.value.results
        assert result.error and server.books.answered == 3 == len(list(Ledger(tmp_path).records()))
        assert result.cost_usd == pytest.approx(server.books.billed_usd)
        server.options.faults = {}
        (result,) = ask(make_rows(1), server.teacher(), tmp_path)
        assert result.verdict.is_correct and result.cost_usd == pytest.approx(server.books.billed_usd)
        (again,) = ask(make_rows(1), server.teacher(), tmp_path)
        assert again.cost_usd == result.cost_usd


def test_a_truncated_reply_stands_where_more_room_fails_and_all_of_it_is_charged(tmp_path):
    with FaultServer(take_ours, answer_tokens=(150, 150)) as server:
        server.fault_for = lambda body: "null_content" if body["max_tokens"] == 200 else None
        (result,) = ask(make_rows(1), server.teacher(), tmp_path, max_tokens=100)
        assert result.verdict.match_type == "truncated" and "blank_answer" in result.error
        assert server.books.requests == 4 and result.cost_usd == pytest.approx(server.books.billed_usd)


def test_a_cache_file_that_cannot_be_read_in_mid_run_loses_nothing(tmp_path, monkeypatch):
    real, seen = Ledger.get, []

    def get(self, key):
        seen.append(key)
        if len(seen) == 20 + 12:  # after the look at all rows, the twelfth that is about to be sent
            raise LlmergeError("no permission")
        return real(self, key)

    with FaultServer(take_ours, latency_s=0.05) as server:
        monkeypatch.setattr(Ledger, "get", get)
        with pytest.raises(LlmergeError, match="no permission"):
            ask(make_rows(20), server.teacher(**UNPRICED), tmp_path, max_concurrency=4)
        monkeypatch.undo()
        assert server.books.answered == server.books.requests == len(list(Ledger(tmp_path).records()))


def test_refusals_never_count_against_a_row(tmp_path):
    with FaultServer(take_ours, faults={"status_429": 1.0}, faulty_tries=12, tell_limit=False) as server:
        (result,) = ask(make_rows(1), server.teacher(**UNPRICED), tmp_path, max_concurrency=4)
    assert result.verdict.is_correct and result.attempts == 13


@pytest.mark.parametrize("rows", [1, 3, 200])
def test_nobody_listening_stops_the_run(tmp_path, rows, priced):
    with FaultServer() as server:
        teacher = server.teacher(**priced)
    with pytest.raises(RunStopped, match=r"no connection .* see that a server runs at http://127.*/v1") as stopped:
        ask(make_rows(rows), teacher, tmp_path, max_concurrency=100)
    report = stopped.value.results.report
    assert 1 <= report["faults"]["no_connection"] <= 24 and report["answers"] == 0 and report["stopped"]
    with pytest.raises(RunStopped, match="see that a server runs"):
        asyncio.run(asking.one(make_rows(1)[0], teacher, cache_dir=str(tmp_path)))


TOO_LONG = "This model's maximum context length is 4096 tokens, however you requested 16,900 tokens"


@pytest.mark.parametrize(
    ("fault", "text", "cure"),
    [
        ("status_400", TOO_LONG, "lower `max_tokens`"),
        ("status_400", "max_tokens 9 is no number", "change what it names"),
        ("status_401", "Authentication fails", "API key"),
        ("unknown_model", "", "set another `model`"),
        ("status_500", "it broke", "run again later"),
        ("null_content", "", "raise max_tokens"),
        ("error_in_stream", "", "run again later"),
    ],
)
@pytest.mark.parametrize("rows", [3, 40])
def test_a_wrong_setting_costs_24_requests_at_most(tmp_path, rows, fault, text, cure, priced):
    with FaultServer(take_ours, faults={fault: 1.0}, texts={fault[-3:]: text}) as server:
        with pytest.raises(RunStopped, match=cure) as stopped:
            ask(make_rows(rows), server.teacher(**priced), tmp_path, max_concurrency=100)
        assert server.books.requests <= 24
        assert text in str(stopped.value) and stopped.value.results.report["answers"] == 0
        server.options.faults = {}
        assert len(ask(make_rows(rows), server.teacher(**priced), tmp_path)) == rows  # the same call goes on


def test_one_row_that_fails_alone_is_told_and_stops_nothing(tmp_path):
    with FaultServer(take_ours, faults={"status_400": 1.0}) as server:
        result = asyncio.run(asking.one(make_rows(1)[0], server.teacher(), cache_dir=str(tmp_path)))
    assert "bad_request" in result.error and result.reply is None and server.books.requests == 1


def test_twenty_bad_rows_at_the_head_are_not_taken_for_all(tmp_path):
    rows = make_rows(60)
    with FaultServer(take_ours) as server:
        bad = {f"a{n}\n" for n in range(20)}
        server.fault_for = lambda body: (
            "status_400" if any(name in body["messages"][-1]["content"] for name in bad) else None
        )
        results = ask(rows, server.teacher(**UNPRICED), tmp_path, max_failed_share=0)
    assert [r.message is None for r in results] == [True] * 20 + [False] * 40
    assert (results.report["answers"], results.report["failed"]) == (40, 20)


def test_twenty_rows_in_a_row_stop_a_run_that_went_well(tmp_path):
    with FaultServer(take_ours, latency_s=0.01) as server:
        server.fault_for = lambda body: "status_400" if server.books.requests > 60 else None
        with pytest.raises(RunStopped, match="nobody for 2[4-7] questions in a row"):
            ask(make_rows(150), server.teacher(**UNPRICED), tmp_path, max_concurrency=8, max_failed_share=0)
        assert 60 + 24 <= server.books.requests < 120  # answers of before may be written meanwhile


def test_too_many_failures_stop_the_run_and_what_is_in_flight_ends(tmp_path):
    def two_of_three(body):
        return None if int(body["messages"][-1]["content"].split("  a")[1].split("\n")[0]) % 3 == 0 else "status_422"

    with FaultServer(take_ours, latency_s=0.02) as server:
        server.fault_for = two_of_three
        teacher = server.teacher(**UNPRICED)
        with pytest.raises(RunStopped, match=r"3\d of the last 5\d rows failed.*max_failed_share=0 goes on") as stopped:
            ask(make_rows(150), teacher, tmp_path, max_concurrency=8)
        assert server.books.requests <= 80
        assert stopped.value.results.report["answers"] == server.books.answered == len(list(Ledger(tmp_path).records()))
        results = ask(make_rows(150), teacher, tmp_path, max_failed_share=0)
        assert results.report["answers"] == 50 and len(results) == 150
    with pytest.raises(LlmergeError, match="share from 0"):
        asking.Options(max_failed_share=1.5)


def test_a_lone_surrogate_fails_its_row_alone(tmp_path):
    rows = make_rows(2)
    rows[0]["ours"] = "\ud800\n"
    with FaultServer(take_ours) as server:
        results = ask(rows, server.teacher(**UNPRICED), tmp_path)
    assert "not text" in results[0].error and results[1].verdict.is_correct


# ---- waiting


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_obeyed_by_everyone(tmp_path, as_date):
    with FaultServer(take_ours, retry_after=1.0 + as_date, retry_after_as_date=as_date) as server:
        arrivals = []

        def first_is_refused(body):
            arrivals.append(time.monotonic())
            return "status_429" if len(arrivals) == 1 else None

        server.fault_for = first_is_refused
        results = ask(make_rows(6), server.teacher(**UNPRICED), tmp_path, max_concurrency=1)
    assert [r.verdict.is_correct for r in results] == [True] * 6
    assert arrivals[1] - arrivals[0] >= 0.9  # a date has whole seconds


def test_a_very_long_retry_after_stops_the_run(tmp_path):
    with FaultServer(take_ours, faults={"status_429": 1.0}, retry_after=86_400) as server:
        with pytest.raises(RunStopped, match="asks to wait until"):
            ask(make_rows(3), server.teacher(**UNPRICED), tmp_path)


def check_back_off_holds_no_slot(tmp_path):
    with FaultServer(take_ours) as server:
        server.fault_for = lambda body: "status_500" if len(server.bodies) == 1 else None
        asked = asking.generate(
            make_rows(6), server.teacher(**UNPRICED), cache_dir=str(tmp_path), max_concurrency=1, progress=False
        )
        results = asyncio.run(asyncio.wait_for(asked, 60))
    assert [r.verdict.is_correct for r in results] == [True] * 6
    questions = [body["messages"][-1]["content"] for body in server.bodies]
    assert questions[0] != questions[1] and questions.count(questions[0]) == 2  # another went while it waited
    assert len(questions) == 7


def test_back_off_holds_no_slot(tmp_path, monkeypatch):
    monkeypatch.setattr("llmerge_helpers.generate.engine.backoff", lambda attempt, rng: 2.0)
    check_back_off_holds_no_slot(tmp_path)


def test_back_off_doubles_and_is_bounded():
    rng = random.Random(0)
    waits = [backoff(attempt, rng) for attempt in range(1, 12)]
    assert 0.25 <= waits[0] <= 0.5 and max(waits) <= 30 and waits[5] > 4


def test_no_more_in_flight_than_allowed(tmp_path):
    with FaultServer(take_ours, latency_s=0.03) as server:
        ask(make_rows(60), server.teacher(**UNPRICED), tmp_path, max_concurrency=7)
    assert server.books.most_in_flight == 7


def test_a_hidden_limit_is_learned(tmp_path):
    with FaultServer(take_ours, latency_s=0.05, limit=9) as server:
        results = ask(make_rows(150), server.teacher(**UNPRICED), tmp_path, max_concurrency=60)
    assert [r.verdict.is_correct for r in results] == [True] * 150 and server.books.most_in_flight == 9
    assert results.report["limits"][-1][1] <= 10 and server.books.refused <= 25


# ---- the limiter on a clock of its own


def simulate(count, schedule, *, maximum=100, latency=2.0, tell=True, retry_after=0.0, jitter=0.0, chance=0.0, seed=0):
    """Requests against a service whose limit follows `schedule`: the ideal time, the time taken, and the refusals."""
    rng, events, numbers = random.Random(seed), [], iter(range(10**9))
    now, in_service, answered, refused, todo = 0.0, 0, 0, 0, count
    free_at = 0.0
    gate = Limiter(maximum, clock=lambda: now)

    def limit(at):
        return [value for start, value in schedule if at >= start][-1]

    def push(delay, what, slot=None):
        heapq.heappush(events, (now + delay, next(numbers), what, slot))

    push(0, "wake")
    while answered < count:
        now, _, what, slot = heapq.heappop(events)
        if what == "arrive" and (in_service >= limit(now) or rng.random() < chance):
            push(0.01, "refuse", slot)
        elif what == "arrive":
            in_service += 1
            push(0.01, "accept", slot)
            push(latency * (1 + jitter * rng.uniform(-0.5, 0.5)), "leave", slot)
        elif what == "leave":
            in_service -= 1
            push(0.01, "done", slot)
        elif what == "accept":
            gate.accept(slot)
        elif what == "refuse":
            refused += 1
            gate.refuse(
                slot, retry_after=retry_after, text=f"concurrency limit of {limit(now)}" if tell and not chance else ""
            )
            gate.release(slot)
            push(max(0.5, retry_after), "again")
        elif what == "again":
            todo += 1
        elif what == "done":
            gate.release(slot, answered=True)
            answered += 1
        if now >= free_at and todo and (slot := gate.acquire()):
            todo -= 1
            free_at = now + 0.004  # what it takes to send one
            push(0.01, "arrive", slot)
            push(0.004, "wake")
        elif (wait := gate.wait()) is not None:
            push(wait + 1e-6, "wake")
    ideal, work = 0.0, count * latency
    while work > 0:
        work -= limit(ideal) * 0.01
        ideal += 0.01
    return ideal, now, refused


MOVING = ((0, 39), (20, 10), (40, 39))


@pytest.mark.parametrize("tell", [True, False])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
@pytest.mark.parametrize(
    ("schedule", "least"), [(((0, 39),), 0.9), (MOVING, 0.9), (((0, 100),), 0.9), (((0, 12), (30, 80)), 0.85)]
)
def test_the_limiter_follows_a_limit_that_it_cannot_see(schedule, least, tell, jitter):
    count = 2000
    ideal, taken, refused = simulate(count, schedule, tell=tell, jitter=jitter)
    assert ideal / taken >= least and refused < 0.02 * (count + refused)


def test_the_limiter_survives_a_service_that_takes_one_at_a_time():
    ideal, taken, refused = simulate(60, ((0, 1),), tell=False)
    assert ideal / taken > 0.9 and refused < 20


def test_a_burst_of_refusals_is_one_cut():
    gate = Limiter(100, start=40, clock=lambda: 0.0)
    slots = [gate.acquire() for _ in range(40)]
    for slot in slots[:20]:
        gate.accept(slot)
    for slot in slots[20:]:
        gate.refuse(slot)
    assert gate.limit == 20 and gate.refusals == 20


def proven_gate(load):
    """A limiter under whose eyes `load` requests were answered."""
    now = [0.0]
    gate = Limiter(100, start=load, clock=lambda: now[0])
    slots = [gate.acquire() for _ in range(load)]
    for slot in slots:
        gate.accept(slot)
    now[0] = 2.0
    for slot in slots:
        gate.release(slot, answered=True)
    now[0] = 4.0
    return gate


def test_one_refusal_alone_changes_little_and_two_in_a_row_halve():
    gate = proven_gate(40)
    slots = [gate.acquire() for _ in range(30)]
    gate.refuse(slots.pop())
    assert gate.limit == 29
    for slot in slots:
        gate.release(slot)
    trial = gate.acquire()
    assert trial is not None and gate.acquire() is None  # one at a time
    gate.accept(trial)
    assert gate.acquire() is not None and gate.acquire() is not None

    gate = proven_gate(40)
    slots = [gate.acquire() for _ in range(40)]
    gate.refuse(slots[39])
    for slot in slots[30:]:
        gate.release(slot)
    gate.refuse(gate.acquire())
    assert gate.limit == 15


def test_refusals_by_chance_do_not_starve_the_run():
    ideal, taken, _ = simulate(2000, ((0, 60),), jitter=1.0, chance=0.02)
    assert ideal / taken > 0.5


# ---- all of it at once

EVERYTHING = dict.fromkeys([*ONE_MORE, *HARMLESS, "length", "status_422"], 0.02)


def test_a_soak_loses_nothing_and_the_books_agree(tmp_path):
    rows = make_rows(250)
    with FaultServer(
        take_ours, faults=EVERYTHING, limit=25, latency="lognormal", latency_s=0.02, keep_alive_s=0.1, seed=5
    ) as server:
        results = ask(rows, server.teacher(), tmp_path, idle_s=0.5, deadline_s=1.0, max_tokens=80, max_concurrency=40)
        books = server.books
    assert [r.index for r in results] == list(range(250)) and results.not_asked == []
    kinds = {r.verdict.match_type for r in results}
    assert kinds <= {"exact_match", "truncated", "failed"} and "failed" in kinds
    assert all(r.error for r in results if r.verdict.match_type == "failed")
    assert len(books.faults) == len(EVERYTHING)
    records = list(Ledger(tmp_path).records())
    assert sum(r["usage"]["completion_tokens"] for r in records) == books.completion_tokens
    assert sum(r["cost_usd"] for r in records) == pytest.approx(books.billed_usd)
    whole = [r for r in records if not r.get("error")]
    assert len({r["key"] for r in whole}) == len(whole)  # no request was answered twice
    assert len(whole) + sum(r.get("error") is not None for r in records) == books.answered


# ---- mutations: with one guard off, a check fails


def check_everything_is_answered(tmp_path):
    with FaultServer(take_ours) as server:
        asked = asking.generate(
            make_rows(8), server.teacher(**UNPRICED), cache_dir=str(tmp_path), max_concurrency=2, progress=False
        )
        assert len(asyncio.run(asyncio.wait_for(asked, 3))) == 8


def check_every_part_of_the_key_counts(tmp_path):
    """Another sample, setting, question or endpoint is another request; the very same is not."""
    with FaultServer(take_ours) as server, FaultServer(take_ours) as other:
        base = {"samples": 1, "max_tokens": 100}
        for count, (teacher, rows, options) in enumerate(
            [
                (server.teacher(), make_rows(1), base),
                (server.teacher(), make_rows(2)[1:], base),
                (server.teacher(), make_rows(1), base | {"samples": 2}),
                (server.teacher(), make_rows(1), base | {"max_tokens": 90}),
                (server.teacher(model="deepseek-v4-pro"), make_rows(1), base),
                (server.teacher(extra_body={}), make_rows(1), base),
                (server.teacher(params={"top_p": 0.95}), make_rows(1), base),
            ],
            1,
        ):
            for _ in range(2):
                ask(rows, teacher, tmp_path, **options)
                assert server.books.requests == count
        ask(make_rows(1), other.teacher(), tmp_path, **base)
        assert other.books.requests == 1


def check_the_cap_holds(tmp_path):
    with FaultServer(take_ours, answer_tokens=(200, 200), latency_s=0.05) as server:
        ask(make_rows(40), server.teacher(), tmp_path, max_tokens=256, max_cost_usd=0.0015)
        assert 0.0005 < server.books.billed_usd <= 0.0015


def check_two_runs_share_the_work(tmp_path):
    async def both(server):
        options = {"cache_dir": str(tmp_path), "progress": False}
        await asyncio.gather(*(asking.generate(make_rows(6), server.teacher(**UNPRICED), **options) for _ in "ab"))

    with FaultServer(take_ours, latency_s=0.05) as server:
        asyncio.run(both(server))
        assert server.books.requests == 6


def check_half_an_answer_is_no_answer(tmp_path):
    with FaultServer(take_ours, faults={"cut": 1.0}, faulty_tries=1) as server:
        (result,) = ask(make_rows(1), server.teacher(**UNPRICED), tmp_path)
        assert server.books.requests == 2 and result.verdict.is_correct


def key_without(*parts):
    def mutated(body, base_url, sample):
        body = {name: value for name, value in body.items() if name not in parts}
        return real(body, "" if "base_url" in parts else base_url, 0 if "sample" in parts else sample)

    real = ledger.request_key
    return [(asking, "request_key", mutated), (engine, "request_key", mutated)]


def plain_write(path, data):
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(data, encoding="utf-8")


def mutants():
    check = check_every_part_of_the_key_counts
    for part in ("messages", "max_tokens", "model", "thinking", "top_p", "base_url", "sample"):
        yield f"key without {part}", key_without(part), check
    atomic = [(ledger, "write_atomic", plain_write)]
    yield "writes that are not atomic", atomic, test_reply_cache.check_a_failed_write_leaves_the_old_reply
    length = test_asking.check_a_cut_off_reply_is_asked_once_more_with_more_room
    whole = [(where, "is_cut_off", lambda record: False) for where in (engine, asking)]
    yield "a cut-off reply is taken for whole", whole, length
    same = [(engine, "ESCALATION", 1), (asking, "ESCALATION", 1)]
    yield "a cut-off reply is asked for again as it was", same, length
    yield "a slot is never given back", [(Limiter, "release", lambda *a, **k: None)], check_everything_is_answered
    yield "no reservation", [(Budget, "reserve", lambda self, *amounts: self.spent <= self.cap)], check_the_cap_holds
    yield "no claims", [(Ledger, "claim", lambda self, key: True)], check_two_runs_share_the_work
    yield "finish_reason is not checked", [(wire, "_checked", lambda answer: answer)], check_half_an_answer_is_no_answer


MUTANTS = list(mutants())


CHECKS = sorted({check for _, _, check in MUTANTS}, key=lambda check: check.__name__)  # xdist needs one order


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_checks_pass_without_a_mutation(tmp_path, check):
    check(tmp_path)


@pytest.mark.parametrize(("changes", "check"), [m[1:] for m in MUTANTS], ids=[m[0] for m in MUTANTS])
def test_a_mutation_is_caught(tmp_path, monkeypatch, changes, check):
    for where, name, value in changes:
        monkeypatch.setattr(where, name, value)
    with contextlib.suppress(TimeoutError), pytest.raises((AssertionError, pytest.fail.Exception, KeyError)):
        check(tmp_path)
