"""Questions by the file, against the loopback fake: paid once, never lost, whatever breaks, whenever it is killed."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import random
import re
import shutil
import signal
import traceback
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from batch_server import BatchServer
from fault_server import make_rows, take_ours
from hypothesis import given, settings
from hypothesis import strategies as st

from llmerge_helpers.conflicts import messages
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import RunStopped, generate, pick, prices, quote
from llmerge_helpers.generate.batch import body_of_batch, read_line
from llmerge_helpers.generate.reply_cache import Ledger, request_key
from llmerge_helpers.generate.teachers import Batch


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("llmerge_helpers.generate.batch.backoff", lambda attempt, rng: 0.001)
    monkeypatch.setattr("llmerge_helpers.generate.batch.pause_s", lambda looks: 0.002)


@pytest.fixture(autouse=True)
def nothing_told(capsys):
    """Nothing that a run prints names a key, a file, a batch or an account."""
    yield
    told = "".join(capsys.readouterr())
    assert not [name for name in ("file-Ab", "batch_69", "org-9", "sk-loop") if name in told], told


@pytest.fixture
def run(tmp_path):
    def run(rows, teacher, **options):
        options = {"cache_dir": str(tmp_path), "progress": False, "pilot": 0, "patience": "batch", **options}
        return asyncio.run(generate(rows, teacher, **options))

    return run


def books(folder: Path) -> float:
    """What the cache says was paid, unusable answers included."""
    return sum(record["cost_usd"] for record in Ledger(folder).records())


def assert_settled(server: BatchServer, folder: Path, paid_twice: int = 0) -> None:
    """The bill equals the books to the last digit, no key was paid for twice, and nothing is left open."""
    assert sum(n - 1 for n in server.paid.values()) == paid_twice
    assert books(folder) == pytest.approx(float(server.bill), rel=1e-12)
    assert not [path for path in (folder / "batches").glob("*") if path.suffix != ".set-aside"]


# ---- the way there and back


def test_answers_come_by_the_file_at_half_the_price(run, tmp_path):
    with BatchServer(take_ours) as server:
        results = run(make_rows(6), server.teacher(), samples=2)
        assert [(r.index, r.sample) for r in results] == [(n, s) for n in range(6) for s in range(2)]
        assert all(r.verdict.is_correct and not r.cached for r in results)
        assert server.calls["upload"] == server.calls["create"] == 1 and server.books.requests == 0
    assert_settled(server, tmp_path)
    assert results.report["cost_usd"] == pytest.approx(float(server.bill), rel=1e-12)
    assert sum(r.cost_usd for r in results) == pytest.approx(float(server.bill), rel=1e-12)


@pytest.mark.parametrize("first", ["", "batch"])
def test_batch_and_stream_share_their_answers(run, first):
    second = "batch" if first == "" else ""
    with BatchServer(take_ours) as server:
        run(make_rows(4), server.teacher(), patience=first)
        again = run(make_rows(6), server.teacher(), patience=second)
        assert [r.cached for r in again] == [True] * 4 + [False] * 2
        assert (
            server.books.requests == (4 if first == "" else 2)
            and sum(server.asked.values()) == 6 - server.books.requests
        )


def test_the_record_holds_what_was_sent_and_the_key_of_the_stream(run, tmp_path):
    with BatchServer(take_ours) as server:
        teacher = server.teacher(params={"top_p": 0.9})
        (result,) = run(make_rows(1), teacher, max_tokens=77)
    (record,) = Ledger(tmp_path).records()
    (line,) = [json.loads(raw) for raw in server.files["file-Ab12Cd0"].splitlines()]
    assert record["request"] == line["body"] and "stream" not in record["request"] and record["batch"] == 0.5
    body = teacher.body(record["request"]["messages"], 77)
    assert body == record["request"] | {"stream": True, "stream_options": {"include_usage": True}}
    assert record["key"] == line["custom_id"] == result.key == request_key(body, teacher.endpoint, 0)
    assert record["response"]["request_id"] == "req_0" and record["attempts"] == 1


def test_a_pilot_is_asked_at_once_and_the_quote_is_at_the_lower_price(run, tmp_path):
    with BatchServer(take_ours) as server:
        results = run(make_rows(12), server.teacher(), pilot=5)
        assert server.books.requests == 5 and sum(server.paid.values()) == 7
    told = results.report["quote"]
    assert told.rows_cached == 5 and told.expected == pytest.approx(7 / 5 * server.books.billed_usd / 2)
    assert books(tmp_path) == pytest.approx(float(server.bill) + server.books.billed_usd, rel=1e-12)


def test_a_quote_leaves_an_open_batch_alone(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.polls = 10**9
        interrupt_at(server, "poll", lambda: run(make_rows(8), server.teacher()))
        told = asyncio.run(quote(make_rows(8), server.teacher(), patience="batch", cache_dir=str(tmp_path)))
        assert told.rows_to_ask == 8 and server.books.requests == 0 and len(server.made) == 1


@pytest.mark.parametrize(
    "limits", [Batch(most_requests=3), Batch(most_bytes=5000), Batch(most_bytes=1)], ids=["requests", "bytes", "byte"]
)
def test_files_are_split_by_requests_and_bytes(run, tmp_path, limits):
    with BatchServer(take_ours) as server:
        results = run(make_rows(8), server.teacher(batch=limits))
        sizes = [batch["_size"] for batch in server.made.values()]
        inputs = [server.files[batch["input_file_id"]] for batch in server.made.values()]
    assert all(r.verdict.is_correct for r in results) and sum(sizes) == 8
    assert max(sizes) <= limits.most_requests and all(
        len(x) <= limits.most_bytes or x.count(b"\n") == 1 for x in inputs
    )
    assert_settled(server, tmp_path)


def test_until_correct_draws_by_the_file(run, tmp_path):
    def wrong_at_first(body):
        return take_ours(body) if server.asked.total() > 4 else ("", "```java\nwrong\n```")

    with BatchServer(wrong_at_first) as server:
        results = run(make_rows(4), server.teacher(), samples=3, until_correct=1)
        assert len(server.made) == 2
    assert [r.sample for r in results if r.verdict.is_correct] == [1] * 4 and len(results) == 8
    assert_settled(server, tmp_path)


def test_a_row_that_is_no_text_fails_alone(run):
    rows = make_rows(3)
    rows[1] |= {"ours": "  \ud800\n"}
    with BatchServer(take_ours) as server:
        results = run(rows, server.teacher())
    assert [r.error is None for r in results] == [True, False, True] and "not text" in results[1].error


# ---- what a step of the service may do


@pytest.mark.parametrize(
    ("step", "faults"),
    [
        ("upload", ["reset", "500", "503", "429"]),
        ("upload", ["created_500"]),
        ("create", ["created_500"]),
        ("create", ["created_503"]),
        ("create", ["500", "created_500"]),
        ("create", ["429", "reset"]),
        ("poll", ["429", "503", "reset", "500", "created_500"]),
        ("content", ["cut", "503", "reset", "cut"]),
    ],
)
def test_a_step_that_fails_is_taken_again_and_nothing_is_paid_twice(run, tmp_path, step, faults):
    with BatchServer(take_ours) as server:
        server.next[step] = list(faults)
        results = run(make_rows(5), server.teacher())
        assert not server.next[step] and len(server.made) == 1
    assert all(r.verdict.is_correct for r in results) and results.report["cost_unknown_usd"] == 0
    assert_settled(server, tmp_path)


def test_a_list_that_fails_is_read_again(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.next |= {"create": ["created_500"], "list": ["500", "reset", "429"]}
        run(make_rows(3), server.teacher())
        assert len(server.made) == 1
    assert_settled(server, tmp_path)


def test_the_list_is_read_to_its_end(run, tmp_path):
    with BatchServer(take_ours) as server:
        for n in range(5):  # of other people
            run(make_rows(1), server.teacher(model=f"m{n}", name="openai"), cache_dir=str(tmp_path / "other"))
        server.next["create"] = ["created_500"]
        others = {name: dict(server.made["batch_69c080"], id=name) for name in ("b1", "b2", "b3")}
        server.after_call = lambda step: step == "create" and server.made.update(others)
        run(make_rows(3), server.teacher())
        assert max(server.paid.values()) == 1 and server.calls["create"] == 6


@pytest.mark.parametrize(
    ("step", "fault", "sentence"),
    [
        ("upload", "401", "refused the API key"),
        ("create", "402", "no balance left"),
        ("upload", "400", "refused the request"),
        ("create", "400", "refused the request"),
        ("poll", "401", "refused the API key"),
        ("poll", "404", "does not know a batch that was sent from here .*: use the key and the base_url that"),
        ("content", "404", r"no longer has the answers of a batch .*, or delete .*/batches/\w+\.json to ask"),
    ],
)
def test_what_a_person_has_to_mend_stops_the_run_and_the_same_command_goes_on(run, tmp_path, step, fault, sentence):
    with BatchServer(take_ours) as server:
        server.next[step] = [fault]
        with pytest.raises(RunStopped, match=sentence) as stopped:
            run(make_rows(4), server.teacher())
        assert "Ab12" not in str(stopped.value)
        assert all(r.verdict.is_correct for r in run(make_rows(4), server.teacher()))
    assert_settled(server, tmp_path)


def test_a_file_that_the_service_refuses_stops_the_run(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.ends = ["failed"]
        with pytest.raises(
            RunStopped, match=r"refused the batch \(invalid_model model m of \*\*\* is not for \*\*\*\)"
        ):
            run(make_rows(4), server.teacher())
        assert len(server.made) == 1
        assert len(run(make_rows(4), server.teacher())) == 4
    assert_settled(server, tmp_path)


@pytest.mark.parametrize(("room", "most"), [(3, 50_000), (8, 5), (4, 4)])
def test_a_service_without_room_gets_smaller_files_or_one_after_the_other(run, tmp_path, room, most):
    with BatchServer(take_ours) as server:
        server.room = room
        results = run(make_rows(12), server.teacher(batch=Batch(most_requests=most)))
        assert len(server.made) < 20
    assert len(results) == 12 and all(r.verdict.is_correct for r in results)
    assert_settled(server, tmp_path)


def test_no_room_for_one_question_stops(run):
    with BatchServer(take_ours) as server:
        server.room = 0
        with pytest.raises(RunStopped, match="no room for a single question"):
            run(make_rows(3), server.teacher())


@pytest.mark.parametrize("nth", [1, 2, 4])
def test_a_full_disk_stops_the_run_and_nothing_is_lost(run, tmp_path, monkeypatch, nth):
    left, put = [nth], Ledger.put

    def full(ledger, record):
        left[0] -= 1
        if left[0] == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        put(ledger, record)

    monkeypatch.setattr(Ledger, "put", full)
    with BatchServer(take_ours) as server:
        with pytest.raises(RunStopped, match=r"could not be written \(No space left on device\): make room"):
            run(make_rows(4), server.teacher())
        assert all(r.verdict.is_correct for r in run(make_rows(4), server.teacher()))
        assert len(server.made) == 1
    assert_settled(server, tmp_path)


# ---- how a batch may end


@pytest.mark.parametrize("end", ["expired", "cancelled"])
@pytest.mark.parametrize("finished", [0, 3])
def test_what_is_finished_is_taken_and_the_rest_asked_again(run, tmp_path, end, finished):
    with BatchServer(take_ours) as server:
        server.ends, server.finished = [end], finished
        results = run(make_rows(8), server.teacher())
        assert [batch["_size"] for batch in server.made.values()] == [8, 8 - finished]
    assert all(r.verdict.is_correct and r.attempts == 1 for r in results) and results.report["cost_unknown_usd"] == 0
    assert_settled(server, tmp_path)


def test_a_question_that_no_batch_comes_to_is_a_reason(run, tmp_path):
    with BatchServer(take_ours) as server:
        run(make_rows(1), server.teacher())
        server.ends, server.finished = ["expired"] * 9, 0
        with pytest.raises(RunStopped, match=r"not one question was answered \(no batch came") as stopped:
            run(make_rows(3), server.teacher())
        assert len(server.made) == 3
    assert [r.error for r in stopped.value.results[1:]] == ["no batch came to this question before it ended"] * 2
    assert_settled(server, tmp_path)


@pytest.mark.parametrize(
    ("fault", "times", "sentence"),
    [
        ("400", 1, "bad_request: the service refused the request (HTTP 400: no (400) for ***), 1 attempts"),
        ("500", 2, "server_error: the service failed (HTTP 500: no (500) for ***), 2 attempts"),
        ("429", 2, "rate_limit: the service asked for fewer requests (HTTP 429: no (429) for ***), 2 attempts"),
        ("blank", 2, "blank_answer: the answer was blank although it ended normally, 2 attempts"),
    ],
)
def test_lines_that_fail_are_reasons(run, tmp_path, fault, times, sentence):
    with BatchServer(take_ours) as server:
        server.line_fault = lambda body, asked: fault if number(body) == 1 else None
        results = run(make_rows(3), server.teacher())
        assert sorted(server.asked.values()) == [1, 1, times]
    assert [r.error for r in results] == [None, sentence, None] and results.report["failed"] == 1
    assert_settled(server, tmp_path, paid_twice=times - 1 if fault == "blank" else 0)  # a blank answer is billed
    assert sum(r.cost_usd for r in results) == pytest.approx(float(server.bill), rel=1e-12)


def test_a_line_about_the_account_stops_the_run_and_blames_no_row(run):
    with BatchServer(take_ours) as server:
        server.line_fault = lambda body, asked: "402" if number(body) == 1 else None
        with pytest.raises(RunStopped, match="no balance left") as stopped:
            run(make_rows(3), server.teacher())
    assert [r.index for r in stopped.value.results] == [0, 2] and "2 answers are on disk, 1 are left" in str(
        stopped.value
    )


@pytest.mark.parametrize(("needed", "finish"), [(150, "stop"), (900, "length")])
def test_a_reply_that_is_cut_off_is_asked_once_more_with_more_room(run, tmp_path, needed, finish):
    with BatchServer(take_ours) as server:
        server.tokens = lambda body: needed if number(body) == 1 else 40
        results = run(make_rows(3), server.teacher(), max_tokens=100)
        assert [batch["_size"] for batch in server.made.values()] == [3, 1]
        assert [r.finish_reason for r in results] == ["stop", finish, "stop"] and len(results[1].truncated) == 1
        again = run(make_rows(3), server.teacher(), max_tokens=100, patience="")
        assert server.books.requests == 0
    assert [(r.key, r.cost_usd) for r in again] == [(r.key, r.cost_usd) for r in results]
    assert_settled(server, tmp_path)


SPOILT = {
    "out of order": lambda lines: lines[::-1],
    "twice": lambda lines: lines + lines,
    "blank lines": lambda lines: [b"\n", *lines, b"\n\n"],
    "foreign": lambda lines: [b'{"custom_id": "other", "response": {"status_code": 200, "body": {}}}\n', *lines],
    "an error first": lambda lines: [lines[0].replace(b'"status_code": 200', b'"status_code": 500'), *lines],
    "an error last": lambda lines: [*lines, lines[0].replace(b'"status_code": 200', b'"status_code": 500')],
    "without a last end": lambda lines: [*lines[:-1], lines[-1].rstrip()],
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_lines_in_any_order_and_number(run, tmp_path, spoil):
    with BatchServer(take_ours) as server:
        server.spoil = spoil
        results = run(make_rows(5), server.teacher())
    assert all(r.verdict.is_correct and r.attempts == 1 for r in results) and results.report["cost_unknown_usd"] == 0
    assert_settled(server, tmp_path)


@pytest.mark.parametrize("spoil", [lambda lines: [b'{"custom_id": \n', *lines[1:]], lambda lines: lines[1:]])
def test_a_line_that_cannot_be_read_may_have_been_billed_and_is_asked_once_more(run, tmp_path, spoil):
    with BatchServer(take_ours) as server:
        server.spoil = lambda lines: spoil(lines) if len(server.made) == 0 else lines
        results = run(make_rows(4), server.teacher())
        assert sorted(server.asked.values()) == [1, 1, 1, 2]
    assert all(r.verdict.is_correct for r in results)
    report = results.report  # the lost answer: billed, and in no book but this one
    assert report["cost_usd"] < float(server.bill) <= report["cost_usd"] + report["cost_unknown_usd"]


def test_answers_that_cannot_be_read_stay_on_disk_as_they_came(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.spoil = lambda lines: [*lines[1:], lines[0][:-40]]
        results = run(make_rows(2), server.teacher())
        assert results[0].error is None or "line" in results[0].error
    kept = [path.read_bytes() for path in (tmp_path / "batches").glob("*.set-aside")]
    assert kept and all(text in server.files.values() for text in kept)


def test_a_torn_download_is_brought_again(run, tmp_path):
    with BatchServer(take_ours) as server:
        whole = {}

        def tear(step):
            if step == "poll" and len(server.files) == 2 and not whole:
                whole.update(server.files)
                server.files["file-Ab12Cd1"] = whole["file-Ab12Cd1"][:-30]
            if step == "content" and server.calls["content"] == 2:
                server.files.update(whole)

        server.on_call = tear
        results = run(make_rows(3), server.teacher())
        assert server.calls["content"] == 2 and len(server.made) == 1
    assert all(r.verdict.is_correct for r in results)
    assert_settled(server, tmp_path)


def number(body: dict) -> int:
    """Which of `make_rows` is asked."""
    return int(re.search(r"^  a(\d+)$", body["messages"][-1]["content"], re.MULTILINE)[1])


@pytest.mark.parametrize("seed", range(4))
def test_whatever_comes_the_bill_is_in_the_books(run, tmp_path, seed):
    rng = random.Random(seed)
    with BatchServer(take_ours) as server:
        draw = {
            (n, t): rng.choice([None, None, None, "blank", "400", "500", "length"])
            for n in range(12)
            for t in (1, 2, 3)
        }
        server.line_fault = lambda body, times: draw[number(body), min(times, 3)]
        server.tokens = lambda body: 40 + 20 * (number(body) % 5)
        server.ends = [rng.choice(["expired", "cancelled", "completed"]) for _ in range(4)]
        server.finished = rng.randrange(1, 9)
        server.spoil = lambda lines: rng.sample(lines, len(lines)) + lines[:1]
        results = run(
            make_rows(12), server.teacher(batch=Batch(most_requests=rng.choice([7, 50]))), max_tokens=80, samples=2
        )
    assert len(results) == 24 and results.report["cost_unknown_usd"] == 0
    assert books(tmp_path) == pytest.approx(float(server.bill), rel=1e-12)
    assert results.report["cost_usd"] == pytest.approx(float(server.bill), rel=1e-12)
    assert sum(r.cost_usd for r in results) == pytest.approx(float(server.bill), rel=1e-12)
    answered = {record["key"] for record in Ledger(tmp_path).records() if "error" not in record}
    assert max(server.paid[key] for key in answered) <= 2  # once blank, once not


# ---- money


def test_a_file_never_holds_more_than_the_cap_allows(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.polls = 0
        teacher, options = server.teacher(), {"max_tokens": 100}
        body = body_of_batch(teacher.body(messages(make_rows(1)[0]), 100))
        cap = 5.5 * 0.5 * prices.cost(prices.worst_usage(body), teacher.model, provider="deepseek")
        results = run(make_rows(20), teacher, max_cost_usd=cap, **options)
        sizes = [batch["_size"] for batch in server.made.values()]
        assert sizes[0] == 5 and len(sizes) > 1  # what came cheaper than feared leaves room for more
        assert results.not_asked and len(results) + len(results.not_asked) == 20
        assert results.report["cost_usd"] == pytest.approx(float(server.bill), rel=1e-12) and float(server.bill) <= cap
        assert len(run(make_rows(20), teacher, **options)) == 20
    assert_settled(server, tmp_path)


def tokens_at_most(teacher, body) -> int:
    """The most tokens of a question in a batch and its answer."""
    worst = prices.worst_usage(body)
    return worst["prompt_tokens"] + worst["completion_tokens"]


@pytest.mark.parametrize("usage", ["told", "zero"])
def test_a_cap_in_tokens_holds_and_what_is_left_room_for_goes_out_later(run, tmp_path, usage):
    unpriced = {"model": "nobody-knows-its-price", "base_url": ""}
    with BatchServer(take_ours) as server:
        server.spoil = lambda lines: (
            [re.sub(rb'_tokens": \d+', b'_tokens": 0', line) for line in lines] * (usage == "zero") or lines
        )
        unpriced["base_url"] = server.url
        teacher = replace(server.teacher(), **unpriced, name="openai")
        body = teacher.body(messages(make_rows(1)[0]), 100)
        cap = 5 * tokens_at_most(teacher, body) + 10
        results = run(make_rows(20), teacher, max_tokens=100, max_tokens_total=cap)
        sizes = [batch["_size"] for batch in server.made.values()]
        assert sizes[0] == 5 and (len(sizes) > 1) == (usage == "told")
        assert results.not_asked and len(results) + len(results.not_asked) == 20
        booked = results.report["tokens_booked"]
        told = sum(sum(r.usage.get(name, 0) for name in ("prompt_tokens", "completion_tokens")) for r in results)
        assert booked <= cap and (booked == told or usage == "zero") and (booked >= cap - 10 or usage == "told")
        assert len(run(make_rows(20), teacher, max_tokens=100)) == 20


def test_what_is_open_counts_against_the_cap_in_tokens_of_the_run_that_takes_it_up(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.polls = 2
        interrupt_at(server, "poll", lambda: run(make_rows(5), server.teacher(), max_tokens=100))
        body = server.teacher().body(messages(make_rows(1)[0]), 100)
        results = run(
            make_rows(6), server.teacher(), max_tokens=100, max_tokens_total=tokens_at_most(server.teacher(), body)
        )
        assert len(results) == 5 and len(results.not_asked) == 1 and len(server.made) == 1
    assert_settled(server, tmp_path)


def test_a_cap_below_one_question_sends_nothing(run, capsys):
    with BatchServer(take_ours) as server:
        results = run(make_rows(3), server.teacher(), max_cost_usd=1e-9)
        assert not results and len(results.not_asked) == 3 and not server.calls
    assert "stopped at max_cost_usd" in capsys.readouterr().out


def test_no_money_for_a_second_try_lets_the_first_one_stand(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.tokens = lambda body: 900
        teacher = server.teacher()
        body = body_of_batch(teacher.body(messages(make_rows(1)[0]), 400))
        cap = 1.1 * 0.5 * prices.cost(prices.worst_usage(body), teacher.model, provider="deepseek")
        (result,) = run(make_rows(1), teacher, max_tokens=400, max_cost_usd=cap)
        assert len(server.made) == 1
    assert (result.finish_reason, result.message is None, result.verdict.is_correct) == ("length", False, False)
    assert_settled(server, tmp_path)


def test_a_batch_that_was_taken_up_fills_the_purse_of_the_new_run(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.polls = 3
        interrupt_at(server, "poll", lambda: run(make_rows(5), server.teacher(), max_tokens=100))
        first = server.made["batch_69c080"]
        worst = json.loads(next((tmp_path / "batches").glob("*.json")).read_text())["requests"].values()
        seen: list[str] = []
        server.on_call = lambda step: seen.append(first["status"]) if step == "upload" else None
        cap = 1.1 * sum(most for _, most, _ in worst)
        results = run(make_rows(9), server.teacher(), max_tokens=100, max_cost_usd=cap)
        assert len(results) == 9 and set(seen) == {"completed"}  # until then, the cap was taken by what is open
    assert results.report["cost_usd"] == pytest.approx(float(server.bill), rel=1e-12)
    assert_settled(server, tmp_path)


# ---- it is interrupted, or killed


def interrupt_at(server: BatchServer, step: str, call) -> None:
    """Run `call` and press Ctrl-C when the service does this step."""
    server.after_call = lambda now: now == step and os.kill(os.getpid(), signal.SIGINT)
    with suppress(KeyboardInterrupt), pytest.raises(RunStopped, match="interrupted: .* the same command goes on"):
        call()
    server.after_call = lambda now: None


def test_an_interrupt_leaves_the_batch_with_the_service_and_says_so(run, tmp_path, capsys):
    with BatchServer(take_ours) as server:
        server.polls = 5
        interrupt_at(server, "poll", lambda: run(make_rows(4), server.teacher()))
        told = capsys.readouterr().out
        assert "4 questions stay with the service" in told and "the same command takes it up" in told
        results = run(make_rows(4), server.teacher())
        assert len(server.made) == 1 and all(r.verdict.is_correct and not r.cached for r in results)
    assert_settled(server, tmp_path)


@pytest.mark.parametrize("step", ["upload", "create", "poll", "content"])
def test_an_interrupt_at_any_step_loses_nothing(run, tmp_path, step):
    with BatchServer(take_ours) as server:
        interrupt_at(server, step, lambda: run(make_rows(4), server.teacher()))
        assert len(run(make_rows(4), server.teacher())) == 4
    assert_settled(server, tmp_path)


def in_a_child(folder: Path, rows: int, address: int, die_at: int) -> None:
    """The run of a process that dies before its `die_at`-th change of a file."""
    count = 0

    def dying(change):
        def changed(*given, **named):
            nonlocal count
            if count == die_at:
                os._exit(9)
            count += 1
            return change(*given, **named)

        return changed

    try:
        url = os.read(address, 100).decode()
        os.replace, Path.unlink = dying(os.replace), dying(Path.unlink)
        teacher = replace(BatchServer.teacher(type("At", (BatchServer,), {"url": url})()), base_url=url)
        options = {"cache_dir": str(folder), "progress": False, "patience": "batch", "max_tokens": 50}
        asyncio.run(generate(make_rows(rows), teacher, **options))
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def run_and_kill(server: BatchServer, folder: Path, die_at: int = 10**6, at: tuple[str, str] = ("", "")) -> int:
    """Run in a process of its own that is killed; how it ended."""
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:  # before the server has a thread
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        in_a_child(folder, 4, reading, die_at)
    with server:
        when, step = at
        setattr(server, when or "on_call", lambda now: now == step and os.kill(child, signal.SIGKILL))
        os.write(writing, server.url.encode())
        _, status = os.waitpid(child, 0)
        os.close(reading), os.close(writing)
        server.on_call = server.after_call = lambda now: None
        ended = os.waitstatus_to_exitcode(status)
        assert ended in (0, 9, -9)
        options = {"cache_dir": str(folder), "progress": False, "patience": "batch", "max_tokens": 50}
        results = asyncio.run(
            generate(make_rows(5), server.teacher(), **options)
        )  # one more, so that something is asked
        assert len(results) == 5 and all(r.verdict.is_correct for r in results)
    return ended


CHANGES = 25  # of files, in the whole run of a child


def awkward(server: BatchServer) -> BatchServer:
    """One row whose answer is cut off, and one that is blank at first."""
    server.tokens = lambda body: 90 if number(body) == 2 else 40
    server.line_fault = lambda body, n: "blank" if number(body) == 3 and n == 1 else None
    return server


@pytest.mark.parametrize("when", ["on_call", "after_call"])
@pytest.mark.parametrize("step", ["upload", "create", "poll", "content"])
def test_killed_at_any_step_it_neither_pays_twice_nor_loses_a_batch(tmp_path, when, step):
    server = awkward(BatchServer(take_ours))
    assert run_and_kill(server, tmp_path, at=(when, step)) == -9
    assert_settled(server, tmp_path, paid_twice=1)  # the one that was blank


@pytest.mark.parametrize("die_at", range(CHANGES + 1))
def test_killed_at_any_change_of_a_file_it_neither_pays_twice_nor_loses_a_batch(tmp_path, die_at):
    server = awkward(BatchServer(take_ours))
    assert run_and_kill(server, tmp_path, die_at=die_at) == (9 if die_at < CHANGES else 0)
    assert_settled(server, tmp_path, paid_twice=1)


# ---- several at once


def test_two_runs_on_one_cache_send_each_question_once(tmp_path):
    async def both(teacher):
        options = {"cache_dir": str(tmp_path), "progress": False, "patience": "batch", "pilot": 0}
        return await asyncio.gather(*(generate(make_rows(n), teacher, **options) for n in (4, 6)))

    with BatchServer(take_ours) as server:
        server.polls = 4
        first, second = asyncio.run(both(server.teacher()))
    assert len(first) == 4 and len(second) == 6 and sum(server.asked.values()) == 6
    assert_settled(server, tmp_path)


def test_a_batch_whose_run_was_stopped_is_taken_over_by_the_one_that_waits_for_it(tmp_path):
    async def one_leaves(server):
        options = {"cache_dir": str(tmp_path), "progress": False, "patience": "batch", "pilot": 0}
        first = asyncio.create_task(generate(make_rows(4), server.teacher(), **options))
        while not server.calls["poll"]:
            await asyncio.sleep(0.01)
        second = asyncio.create_task(generate(make_rows(4), server.teacher(), **options))
        while server.calls["poll"] < 20:
            await asyncio.sleep(0.01)
        first.cancel()
        server.polls = 0
        return await second

    with BatchServer(take_ours) as server:
        server.polls = 10**9
        results = asyncio.run(one_leaves(server))
    assert len(server.made) == 1 and all(r.verdict.is_correct and not r.cached for r in results)
    assert_settled(server, tmp_path)


def test_what_a_stream_is_asking_just_now_goes_into_no_batch(run, tmp_path):
    with BatchServer(take_ours) as server:
        (known,) = run(make_rows(1), server.teacher(), cache_dir=str(tmp_path / "other"))
        ledger = Ledger(tmp_path)
        assert ledger.claim(known.key)
        server.after_call = lambda step: step == "content" and ledger.release(known.key)
        assert all(r.verdict.is_correct for r in run(make_rows(4), server.teacher()))
        assert [batch["_size"] for batch in server.made.values()] == [1, 3, 1]


def test_a_stream_does_not_ask_what_a_batch_is_answering(run, tmp_path):
    with BatchServer(take_ours) as server:
        server.polls = 2
        interrupt_at(server, "poll", lambda: run(make_rows(4), server.teacher()))
        with pytest.raises(LlmergeError, match="^4 of these questions are in a batch that is open"):
            run(make_rows(6), server.teacher(), patience="")
        assert server.books.requests == 0
        assert len(run(make_rows(6), server.teacher())) == 6
    assert_settled(server, tmp_path)


def test_an_answer_that_came_another_way_stays_and_both_are_in_the_books(run, tmp_path):
    with BatchServer(take_ours) as server:
        teacher, other = server.teacher(), tmp_path / "other"
        streamed = run(make_rows(1), teacher, patience="", cache_dir=str(other))
        server.on_call = lambda step: step == "content" and shutil.copytree(other, tmp_path, dirs_exist_ok=True)
        results = run(make_rows(2), teacher)
    assert [r.cached for r in results] == [True, False] and results[0].message == streamed[0].message
    shutil.rmtree(other)
    assert books(tmp_path) == pytest.approx(float(server.bill) + server.books.billed_usd, rel=1e-12)
    assert results.report["cost_usd"] == pytest.approx(float(server.bill), rel=1e-12)


def test_a_batch_of_other_questions_is_left_to_its_own_command(run, tmp_path):
    with BatchServer(take_ours) as server:
        interrupt_at(server, "create", lambda: run(make_rows(8)[4:], server.teacher()))
        assert len(run(make_rows(4), server.teacher())) == 4 and len(list((tmp_path / "batches").glob("*.json"))) == 1
        part = run(make_rows(8)[6:], server.teacher())  # a part of its questions takes up the whole
        assert len(part) == 2 and not any(r.cached for r in part)
        assert all(r.cached for r in run(make_rows(8), server.teacher()))
    assert_settled(server, tmp_path)


# ---- before anything is sent


@pytest.mark.parametrize("name", ["deepseek", "rules", "openai"])
def test_a_service_without_batches_is_refused_before_anything_is_sent(run, tmp_path, monkeypatch, name):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "k")
    more = {"model": "m", "base_url": "http://localhost:1/v1"} if name == "openai" else {}
    with pytest.raises(LlmergeError, match="has no batch interface like OpenAI's: leave patience empty, or choose"):
        run(make_rows(1), pick(name, **more))
    assert not list(tmp_path.iterdir())


def test_services_say_what_their_batches_cost(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    shares = {"": 0.5, "https://api.groq.com/openai/v1": 0.5, "https://api.moonshot.ai/v1": 0.6}
    assert {url: pick("openai", model="m", base_url=url).batch.share for url in shares} == shares
    assert pick("openai", model="m", base_url="https://api.x.ai/v1").batch is None


@pytest.mark.parametrize("patience", ["Batch", "off peak", "0"])
def test_another_word_for_patience_is_refused(run, patience):
    with pytest.raises(LlmergeError, match=f"patience is off-peak, batch or empty, got '{patience}'"):
        run(make_rows(1), pick("rules"), patience=patience)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"name": "x"}', '{"name": "x", "endpoint": 1, "share": 1, "requests": 3}']
)
def test_a_state_that_is_none_is_named(run, tmp_path, text):
    (tmp_path / "batches").mkdir()
    (tmp_path / "batches" / "0a.json").write_text(text)
    with BatchServer(take_ours) as server, pytest.raises(LlmergeError, match=r"batches/0a\.json"):
        run(make_rows(1), server.teacher())


# ---- lines

LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
PARTS = st.dictionaries(st.sampled_from(("status_code", "request_id", "body", "code", "message")), LEAF)
LINES = st.fixed_dictionaries({"custom_id": LEAF}, optional={"response": LEAF | PARTS, "error": LEAF | PARTS})


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=20) | (LINES | LEAF).map(lambda line: json.dumps(line).encode()))
def test_no_line_breaks_the_reading(raw):
    line = read_line(raw)
    assert line is None or (isinstance(line.key, str) and (line.status == 0 or 200 <= line.status <= 599))
