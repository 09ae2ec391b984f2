"""The engine against the loopback fake: what is asked, what is kept, what it costs, how it stops and goes on."""

from __future__ import annotations

import asyncio
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import datasets
import pytest
from fault_server import KEY, FaultServer, make_rows, take_ours

from llmerge_helpers.conflicts.prompts import PROMPT_VERSION
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Budget, RunStopped, asking, generate, one, quote, write_examples
from llmerge_helpers.generate.reply_cache import Ledger
from llmerge_helpers.generate.request import _paired
from llmerge_helpers.verdict import verify

ROOT = Path(__file__).resolve().parents[2]
SUPPORT = ROOT / "tests" / "support"
UNPRICED = {"name": "openai", "model": "m", "extra_body": {}}


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("llmerge_helpers.generate.engine.backoff", lambda attempt, rng: 0.01)


@pytest.fixture
def run(tmp_path):
    def run(rows, teacher, **options):
        options = {"cache_dir": str(tmp_path / "cache"), "progress": False, "idle_s": 5.0, **options}
        return asyncio.run(generate(rows, teacher, **options))

    return run


# ---- the way there and back


def test_results_come_in_the_order_of_rows_and_samples(run):
    rows = make_rows(12)
    with FaultServer(take_ours, latency="uniform", latency_s=0.05) as server:
        results = run(rows, server.teacher(**UNPRICED), samples=2)
    assert [(r.index, r.sample) for r in results] == [(n, s) for n in range(12) for s in range(2)]
    assert [r.id for r in results[::2]] == [row["id"] for row in rows]
    assert all(r.verdict.match_type == "exact_match" and r.reply.reasoning == "Ours is newer." for r in results)
    assert server.books.requests == 24 and max(server.books.by_body.values(), key=str) == {"requests": 2, "answered": 2}


def test_a_second_run_asks_nothing(run):
    rows = make_rows(6)
    with FaultServer(take_ours) as server:
        first = run(rows, server.teacher(), samples=2)
        again = run(rows, server.teacher(), samples=2, max_concurrency=3, idle_s=9.0, deadline_s=60.0)
        assert server.books.requests == 12
    assert not any(r.cached for r in first) and all(r.cached for r in again)
    assert [(r.key, r.message, r.usage, r.cost_usd) for r in first] == [
        (r.key, r.message, r.usage, r.cost_usd) for r in again
    ]
    assert again.report["cost_usd"] == 0 and again.report["cached"] == 12


def test_the_record_holds_exactly_what_was_sent_and_where_it_came_from(run, tmp_path):
    with FaultServer(take_ours) as server:
        teacher = server.teacher(params={"top_p": 0.95, "temperature": 1.0})
        (result,) = run(make_rows(1), teacher, max_tokens=77)
        (body,) = server.bodies
    (record,) = Ledger(tmp_path / "cache").records()
    assert record["request"] == body and body["max_tokens"] == 77 and "temperature" not in body
    assert record["response"]["choices"][0]["message"]["reasoning_content"] == "Ours is newer."
    assert record["base_url"] == server.url and record["sample"] == 0 and record["key"] == result.key
    assert (result.requested_model, result.served_model) == ("deepseek-flash", "fake-1")
    assert result.system_fingerprint == "fp_1" and result.prompt_version == PROMPT_VERSION
    assert result.sdk.startswith("openai ") and result.attempts == 1 and result.latency_s >= 0
    assert server.books.keys == {KEY}


def test_an_answer_that_was_not_streamed_is_read_too(run):
    with FaultServer(take_ours) as server:
        teacher = server.teacher(**UNPRICED | {"extra_body": {"stream": False, "stream_options": None}})
        (result,) = run(make_rows(1), teacher)
    assert result.verdict.is_correct and result.usage["completion_tokens"] > 0 and server.bodies[0]["stream"] is False


def test_rows_with_only_question_and_answer_and_datasets_work(run):
    from llmerge_helpers.conflicts import Conflict

    rows = [{"question": Conflict.of(row).question(), "answer": row["answer"]} for row in make_rows(3)]
    with FaultServer(take_ours) as server:
        plain = run(rows, server.teacher(**UNPRICED))
        table = run(datasets.Dataset.from_list(rows), server.teacher(**UNPRICED))
        lazily = run((row for row in rows), server.teacher(**UNPRICED))
        assert server.books.requests == 3
    for results in (plain, table, lazily):
        assert [r.verdict.is_correct for r in results] == [True] * 3 and results[2].id == "2"


def test_the_very_same_question_is_asked_once_a_sample(run):
    rows = [make_rows(1)[0] | {"id": name} for name in "abc"]
    with FaultServer(take_ours) as server:
        results = run(rows, server.teacher(), samples=2)
        assert server.books.requests == 2
        again = run(rows, server.teacher(), samples=2)
        assert server.books.requests == 2
    assert [r.id for r in results] == list("aabbcc") and all(r.verdict.is_correct for r in results)
    assert sum(not r.cached for r in results) == 2
    for found in (results, again):  # what was paid once is charged once
        assert sum(r.cost_usd for r in found) == pytest.approx(server.books.billed_usd)


def test_an_error_of_the_caller_stays_loud_and_loses_nothing(run):
    class Broken(dict):
        def get(self, name, default=None):
            return 1 // 0 if name == "prefix" else super().get(name, default)

    with FaultServer(take_ours, latency_s=0.05) as server:
        with pytest.raises(ZeroDivisionError):
            run(list(map(Broken, make_rows(8))), server.teacher(**UNPRICED))
        asked = server.books.requests
        assert server.books.answered == asked
        results = run(make_rows(8), server.teacher(**UNPRICED))
        assert server.books.requests == 8 and sum(r.cached for r in results) == asked


@pytest.mark.parametrize(
    ("rows", "options", "word"),
    [
        ([{"text": "x", "answer": "y"}], {}, "row 0 is no conflict"),
        ([make_rows(1)[0], {"question": "x"}], {}, "row 1 cannot be judged"),
        (datasets.Dataset.from_list([{"question": "x"}]), {}, "row 0 cannot be judged"),
        ([], {"samples": 0}, "samples must be at least 1"),
        ([], {"max_tokens": 0}, "max_tokens must be at least 1"),
        ([], {"max_cost_usd": -1.0}, "must not be negative"),
        ([], {"samples": 2, "until_correct": 3}, "raise samples"),
        *(
            ([], {"shard": bad}, "is no share of the rows")
            for bad in ("9/8", "0/8", "1/0", "2", "a/b", "-1/2", "1/2/3", 2)
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_asked(run, rows, options, word):
    with FaultServer() as server:
        with pytest.raises(LlmergeError, match=word):
            run(rows, server.teacher(), **options)
        assert server.books.requests == 0


def test_no_rows_are_no_results(run):
    with FaultServer() as server:
        assert run([], server.teacher()) == []


# ---- a big run


def long_winded(body):
    reasoning, content = take_ours(body)
    return reasoning + " So it is." * 1_000, content


def test_a_result_holds_no_reply_and_reads_it_when_it_is_looked_at(run, tmp_path):
    rows = make_rows(6)
    with FaultServer(long_winded) as server:
        asked, teacher = run(rows, server.teacher()), server.teacher()
    for results in (asked, run(rows, teacher, offline=True)):
        assert all(len(pickle.dumps((r.record, r.judge(), r.key))) < 2_000 for r in results)
        for result, row in zip(results, rows, strict=True):
            assert result.verdict == verify(result.message, row) and result.verdict.answer.count("a") >= 1
            assert result.finish_reason == "stop" and len(result.reply.reasoning) > 10_000 and result.answered
    Ledger(tmp_path / "cache").path(results[0].key).unlink()
    with pytest.raises(LlmergeError, match="is gone from the cache .*: run the same command again"):
        results[0].text()


@pytest.fixture
def piecemeal(monkeypatch):
    """Rows are looked up one at a time, as if each were two thousand."""
    monkeypatch.setattr(asking, "AT_ONCE", 1)
    monkeypatch.setattr(asking, "SLICE_S", 0.0)


def test_the_first_request_is_sent_before_all_rows_are_looked_up(run, piecemeal, monkeypatch):
    looked, listing = [], Ledger.listing

    def slowly(ledger):
        is_known = listing(ledger)
        return lambda key: time.sleep(0.001) or looked.append(key) or is_known(key)

    def respond(body):
        seen.append(len(looked))
        return take_ours(body)

    seen: list[int] = []
    monkeypatch.setattr(Ledger, "listing", slowly)
    with FaultServer(respond) as server:
        results = run(make_rows(300), server.teacher(**UNPRICED))
        assert seen[0] < 250 and len(looked) == 300
        seen.clear(), looked.clear()
        run(make_rows(600), server.teacher(**UNPRICED))  # the first half is on disk
        assert seen[0] < 250 and len(seen) == 300
    assert [r.index for r in results] == list(range(300)) and all(r.verdict.is_correct for r in results)


@pytest.mark.parametrize("priced", [{}, UNPRICED], ids=["with a pilot", "without"])
def test_what_is_looked_up_on_the_way_is_asked_and_paid_once(run, piecemeal, priced):
    rows = make_rows(60)
    rows += [row | {"id": f"again {row['id']}"} for row in rows[:20]]
    with FaultServer(take_ours, latency="uniform", latency_s=0.01) as server:
        run(rows[10:30], server.teacher(**priced), samples=2)
        results = run(rows, server.teacher(**priced), samples=2)
        assert server.books.requests == 120 and sum(r.cached for r in results) == 160 - 80
    assert [(r.index, r.sample) for r in results] == [(n, s) for n in range(80) for s in range(2)]
    assert all(r.verdict.is_correct for r in results) and not results.not_asked
    if not priced:  # then it has a price
        assert results.report["quote"].rows_to_ask <= 120
        assert sum(r.cost_usd for r in results) == pytest.approx(server.books.billed_usd)


def test_a_question_that_failed_is_not_asked_again_for_another_row(run, piecemeal):
    rows = [*make_rows(40), *make_rows(1)]
    with FaultServer(take_ours) as server:
        server.fault_for = lambda body: "status_422" if "a0\n" in body["messages"][-1]["content"] else None
        results = run(rows, server.teacher(**UNPRICED), max_concurrency=2)
        assert server.books.requests == 40
    assert [r.index for r in results if not r.answered] == [0, 40] and results[40].error == results[0].error


@pytest.mark.parametrize(("options", "faults"), [({}, {"status_401": 1.0}), ({"max_cost_usd": 1e-6}, {})])
def test_a_run_that_stops_early_tells_what_is_there_and_what_is_left(run, piecemeal, options, faults):
    with FaultServer(take_ours) as server:
        run(make_rows(50)[40:], server.teacher())
        server.options.faults = faults
        if faults:
            with pytest.raises(RunStopped, match="10 answers are on disk, 40 are left") as stopped:
                run(make_rows(50), server.teacher())
            results = stopped.value.results
        else:
            results = run(make_rows(50), server.teacher(), **options)
    assert [r.index for r in results] == list(range(40, 50)) and len(results.not_asked) == 40


def test_an_error_in_a_later_row_stays_loud(run, piecemeal):
    class Broken(dict):
        def get(self, name, default=None):
            return 1 // 0

    rows = make_rows(200)
    with FaultServer(take_ours, latency_s=0.02) as server:
        with pytest.raises(ZeroDivisionError):
            run([*rows, Broken(rows[0])], server.teacher(**UNPRICED), max_concurrency=2)
        assert server.books.answered == server.books.requests


def test_a_cut_off_reply_on_disk_is_asked_again_in_its_turn(run, piecemeal, tmp_path):
    with FaultServer(take_ours, answer_tokens=(150, 150)) as server:
        teacher = server.teacher(**UNPRICED)
        run(make_rows(1), teacher, max_tokens=100)
        second_try = run(make_rows(1), teacher, max_tokens=100)[0].key
        Ledger(tmp_path / "cache").path(second_try).unlink()
        assert server.books.requests == 2
        results = run(make_rows(3), teacher, max_tokens=100)
        assert [body["max_tokens"] for body in server.bodies[2:]].count(200) == 3 and server.books.requests == 7
    assert all(r.verdict.is_correct and len(r.truncated) == 1 for r in results)


# ---- shards


def test_shards_share_the_rows_and_their_caches_make_a_whole(run, tmp_path):
    rows = make_rows(40)
    rows += [row | {"id": f"again {row['id']}"} for row in rows[:5]]
    shards, whole = [], tmp_path / "whole"
    with FaultServer(take_ours) as server:
        teacher = server.teacher()
        for number in (1, 2, 3):
            cache = tmp_path / f"cache {number}"
            common = {"shard": f"{number}/3", "cache_dir": str(cache)}
            shards.append(run(rows, teacher, max_cost_usd=1.0, **common))
            shutil.copytree(cache, whole, dirs_exist_ok=True)
        assert server.books.requests == 40
        backwards = run(rows[::-1], teacher, shard="2/3", cache_dir=str(whole), offline=True)
        first = asyncio.run(one(rows[0], teacher, shard="2/3", cache_dir=str(whole)))
    places = [{r.index for r in results} for results in shards]
    assert all(places) and sum(map(len, places)) == 45 == len(set.union(*places))
    assert {r.id for r in backwards} == {r.id for r in shards[1]} and first.verdict.is_correct
    results = run(rows, teacher, cache_dir=str(whole), offline=True)  # the server is gone
    table = write_examples(rows, results, tmp_path / "sft", "deepseek")
    assert (
        len(table) == 45 and table.is_correct.all() and table.cost_usd.sum() == pytest.approx(server.books.billed_usd)
    )


# ---- samples


def right_from_the_nth(n):
    """A fake teacher that answers the n-th request for a body, and later ones, rightly."""
    seen: dict[str, int] = {}

    def respond(body):
        question = body["messages"][-1]["content"]
        seen[question] = seen.get(question, 0) + 1
        return take_ours(body) if seen[question] >= n else ("Hm.", "```java\nnonsense\n```")

    return respond


def test_until_correct_draws_until_enough_are_right(run):
    with FaultServer(right_from_the_nth(3)) as server:
        results = run(make_rows(2), server.teacher(**UNPRICED), samples=6, until_correct=2, max_concurrency=1)
        again = run(make_rows(2), server.teacher(**UNPRICED), samples=6, until_correct=2)
        assert server.books.requests == 8
    for index in (0, 1):
        assert [r.verdict.is_correct for r in results if r.index == index].count(True) == 2
        assert sum(r.index == index for r in results) == 4
    assert [r.key for r in again] == [r.key for r in results] and all(r.cached for r in again)


def test_until_correct_goes_on_past_samples_that_are_on_disk(run, tmp_path):
    with FaultServer(right_from_the_nth(99)) as server:
        first = run(make_rows(1), server.teacher(**UNPRICED), samples=6)
        (tmp_path / "cache" / first[0].key[:2] / f"{first[0].key}.json").unlink()  # that one failed then
        results = run(make_rows(1), server.teacher(**UNPRICED), samples=6, until_correct=1)
        assert server.books.requests == 7
    assert [r.sample for r in results] == list(range(6)) and not results.not_asked


def test_until_correct_gives_up_after_all_samples(run):
    with FaultServer(right_from_the_nth(99)) as server:
        results = run(make_rows(2), server.teacher(**UNPRICED), samples=3, until_correct=1)
        assert server.books.requests == 6
    assert not any(r.verdict.is_correct for r in results)


# ---- max_tokens


def check_a_cut_off_reply_is_asked_once_more_with_more_room(tmp_path):
    async def main(server, **options):
        return await generate(make_rows(1), server.teacher(), cache_dir=str(tmp_path), progress=False, **options)

    with FaultServer(take_ours, answer_tokens=(150, 150)) as server:
        (result,) = asyncio.run(main(server, max_tokens=100))
        assert [body["max_tokens"] for body in server.bodies] == [100, 200]
        assert result.finish_reason == "stop" and result.verdict.is_correct and len(result.truncated) == 1
        assert result.cost_usd == pytest.approx(server.books.billed_usd) and result.attempts == 2
        (hopeless,) = asyncio.run(main(server, max_tokens=50))
        assert [body["max_tokens"] for body in server.bodies] == [100, 200, 50]  # 100 is on disk
        assert hopeless.finish_reason == "length" and hopeless.verdict.match_type == "truncated"
        before = server.books.requests
        for tokens in (100, 50):
            asyncio.run(main(server, max_tokens=tokens))
        assert server.books.requests == before


def test_a_cut_off_reply_is_asked_once_more_with_more_room(tmp_path):
    check_a_cut_off_reply_is_asked_once_more_with_more_room(tmp_path)


def test_both_tries_of_a_truncated_reply_are_kept(run, tmp_path):
    with FaultServer(take_ours, answer_tokens=(500, 500)) as server:
        (result,) = run(make_rows(1), server.teacher(), max_tokens=100)
        assert server.books.requests == 2
    ledger = Ledger(tmp_path / "cache")
    kept = [ledger.get(key) for key in (*result.truncated, result.key)]
    assert [r["request"]["max_tokens"] for r in kept] == [100, 200]
    assert [r["finish_reason"] for r in kept] == ["length", "length"]
    assert result.cost_usd == pytest.approx(server.books.billed_usd)


# ---- offline


def test_offline_replays_and_names_what_differs_on_a_miss(run):
    with FaultServer(take_ours) as server:
        teacher = server.teacher()
        online = run(make_rows(3), teacher, max_tokens=1000)
    replayed = run(make_rows(3), teacher, max_tokens=1000, offline=True)  # the server is gone
    assert [r.message for r in replayed] == [r.message for r in online]
    with pytest.raises(
        LlmergeError, match=r"3 of 3 replies are not in .* row 0, sample 0.* max_tokens that they were asked with"
    ):
        run(make_rows(3), teacher, max_tokens=500, offline=True)
    with pytest.raises(LlmergeError, match=r"1 of 4 .* row 3, sample 0"):
        run(make_rows(4), teacher, max_tokens=1000, offline=True)


def test_a_torn_cache_file_costs_one_request_and_a_warning(run, tmp_path, caplog):
    with FaultServer(take_ours) as server:
        first = run(make_rows(3), server.teacher())
        path = Ledger(tmp_path / "cache").path(first[1].key)
        path.write_text(path.read_text()[:100])
        results = run(make_rows(3), server.teacher())
        assert server.books.requests == 4
    assert [r.cached for r in results] == [True, False, True] and "set aside" in caplog.text


# ---- money


def test_the_cap_is_never_passed_and_a_new_cap_goes_on(run, capsys):
    rows = make_rows(60)
    with FaultServer(take_ours, answer_tokens=(50, 200)) as server:
        need = 60 * 125 * 0.6e-6
        first = run(rows, server.teacher(), max_tokens=256, max_cost_usd=need / 3)
        spent = server.books.billed_usd
        assert 0 < spent <= need / 3
        assert first.not_asked and len(first) + len(first.not_asked) == 60
        assert all(r.verdict.is_correct for r in first) and "stopped at max_cost_usd" in capsys.readouterr().out
        again = run(rows, server.teacher(), max_tokens=256)
        assert len(again) == 60 and server.books.requests == 60 and sum(r.cached for r in again) == len(first)


def test_one_purse_serves_several_calls(tmp_path):
    async def main(server):
        purse, common = Budget(cap=0.0012), {"cache_dir": str(tmp_path), "max_tokens": 256}
        await generate(make_rows(1), server.teacher(), budget=purse, progress=False, **common)
        await quote(make_rows(40), server.teacher(), budget=purse, **common)
        await generate(make_rows(40), server.teacher(), budget=purse, progress=False, **common)
        return await generate(make_rows(50)[40:], server.teacher(), budget=purse, progress=False, **common)

    with FaultServer(take_ours, answer_tokens=(50, 200)) as server:
        last = asyncio.run(main(server))
        assert 0 < server.books.billed_usd <= 0.0012
    assert last.not_asked


def test_the_worst_case_of_a_quote_holds(tmp_path):
    async def main(server):
        return await quote(make_rows(12), server.teacher(), cache_dir=str(tmp_path), max_tokens=100, pilot=0)

    with FaultServer(take_ours, faults={"length": 1.0}) as server:
        found = asyncio.run(main(server))
        assert server.books.requests == 0
        asyncio.run(generate(make_rows(12), server.teacher(), cache_dir=str(tmp_path), max_tokens=100, progress=False))
        assert 0 < server.books.billed_usd <= found.worst


def test_halves_of_a_character_in_two_chunks_are_put_together():
    assert _paired("a\ud83d\ude00b") == "a\U0001f600b" and _paired("a\ud83db") == "a\ufffdb"


def test_a_cap_below_one_worst_case_asks_nothing(run):
    with FaultServer(take_ours) as server:
        results = run(make_rows(3), server.teacher(), max_cost_usd=1e-6)
        assert server.books.requests == 0 and results == [] and len(results.not_asked) == 3


def test_without_a_price_there_is_no_cap(run):
    with FaultServer() as server:
        with pytest.raises(LlmergeError, match="no price is known for m"):
            run(make_rows(1), server.teacher(**UNPRICED), max_cost_usd=1.0)


def test_the_books_agree_with_the_bill(run, tmp_path):
    faults = {"null_content": 0.15, "insufficient": 0.15, "length": 0.15}
    with FaultServer(take_ours, faults=faults, answer_tokens=(20, 90)) as server:
        results = run(make_rows(40), server.teacher(), max_tokens=100)
        books = server.books
    records = list(Ledger(tmp_path / "cache").records())
    assert books.faults.total() > 5
    assert sum(r["usage"]["completion_tokens"] for r in records) == books.completion_tokens
    assert sum(r["usage"]["prompt_tokens"] for r in records) == books.prompt_tokens
    assert sum(r["cost_usd"] for r in records) == pytest.approx(books.billed_usd)
    assert sum(r.cost_usd for r in results) == pytest.approx(books.billed_usd)
    assert results.report["cost_usd"] == pytest.approx(books.billed_usd)


def test_the_quote_comes_before_the_rest_is_asked(run, capsys):
    with FaultServer(take_ours, answer_tokens=(50, 150)) as server:
        results = run(make_rows(80), server.teacher())
        quoted = results.report["quote"]
        rest = server.books.billed_usd * 75 / 80
    assert (quoted.rows_cached, quoted.rows_to_ask, quoted.pilot) == (5, 75, 5)
    assert quoted.low <= rest <= quoted.high and abs(quoted.expected / rest - 1) < 0.3
    out = capsys.readouterr().out
    assert "quote: 5 answers on disk, 75 to ask: about $" in out and "balance 12.34 USD" in out


def test_a_quote_knows_that_replies_are_cut_off_and_asked_again(tmp_path):
    async def main(server, what, **options):
        return await what(make_rows(40), server.teacher(), cache_dir=str(tmp_path), max_tokens=100, **options)

    with FaultServer(take_ours, answer_tokens=(150, 150)) as server:
        quoted = asyncio.run(main(server, quote))
        budget = Budget()
        asyncio.run(main(server, generate, progress=False, budget=budget))
        assert server.books.requests == 80
    assert quoted.pilot == 5 and quoted.expected == pytest.approx(budget.spent, rel=0.1)


def test_an_interrupted_request_counts_at_its_worst(tmp_path):
    budget = Budget(1.0)

    async def main(server):
        options = {"cache_dir": str(tmp_path), "progress": False, "budget": budget, "pilot": 0}
        asking = asyncio.create_task(generate(make_rows(3), server.teacher(), **options))
        while server.in_flight < 3:
            await asyncio.sleep(0.01)
        reserved = budget.reserved
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return reserved

    with FaultServer(take_ours, latency_s=30.0) as server:
        reserved = asyncio.run(main(server))
    assert 0 < reserved == pytest.approx(budget.unknown) and budget.spent == 0 and budget.reserved == pytest.approx(0)


def test_a_quote_alone_asks_the_pilot_only(tmp_path):
    async def main(server):
        return await quote(make_rows(30), server.teacher(), cache_dir=str(tmp_path))

    with FaultServer(take_ours) as server:
        first = asyncio.run(main(server))
        again = asyncio.run(main(server))
        assert server.books.requests == 5
    assert first.rows_to_ask == again.rows_to_ask == 25 and first.expected == pytest.approx(again.expected)


# ---- stopping and going on


STOPS = [("status_401", "API key"), ("status_402", "balance"), ("unknown_model", "model")]


@pytest.mark.parametrize(("fault", "word"), STOPS)
def test_what_only_a_person_can_mend_stops_the_run_and_it_resumes(run, fault, word):
    rows = make_rows(30)
    with FaultServer(take_ours, latency_s=0.02) as server:
        teacher = server.teacher(**UNPRICED)
        run(rows[:10], teacher)
        server.options.faults = {fault: 1.0}
        with pytest.raises(RunStopped, match=word) as stopped:
            run(rows, teacher, max_concurrency=4)
        assert server.books.requests <= 10 + 4 and len(stopped.value.results) == 10
        assert "10 answers are on disk, 20 are left" in str(stopped.value)
        server.options.faults = {}
        assert len(run(rows, teacher)) == 30 and server.books.answered == 30


def test_a_full_disk_stops_the_run_and_says_what_is_really_kept(run, tmp_path, monkeypatch):
    put, kept = Ledger.put, iter(range(7))

    def until_full(ledger, record):
        if next(kept, None) is None:
            raise OSError(28, "No space left on device")
        put(ledger, record)

    rows = make_rows(12)
    with FaultServer(take_ours) as server:
        with monkeypatch.context() as patch, pytest.raises(RunStopped, match="No space left on device") as stopped:
            patch.setattr(Ledger, "put", until_full)
            run(rows, server.teacher(**UNPRICED), max_concurrency=12)
        assert len(list(Ledger(tmp_path / "cache").records())) == 7
        assert "7 answers are on disk, 5 are left" in str(stopped.value)
        results = run(rows, server.teacher(**UNPRICED))
        assert [r.verdict.is_correct for r in results] == [True] * 12 and sum(r.cached for r in results) == 7


def test_a_service_that_answers_nobody_stops_the_run(run):
    with FaultServer(take_ours, faults={"status_500": 1.0}) as server:
        with pytest.raises(RunStopped, match="answered nobody for"):
            run(make_rows(50), server.teacher(**UNPRICED), max_concurrency=2, patience_s=0.3)
        server.options.faults = {}
        assert len(run(make_rows(50), server.teacher(**UNPRICED))) == 50


def test_a_cancelled_run_keeps_what_was_answered(tmp_path, capsys):
    rows = make_rows(40)

    async def main(server, after):
        task = asyncio.create_task(
            generate(rows, server.teacher(**UNPRICED), cache_dir=str(tmp_path), progress=False, max_concurrency=10)
        )
        while server.books.answered < after:
            await asyncio.sleep(0.005)
        if after < 40:
            task.cancel()
        return await task

    with FaultServer(take_ours, latency_s=0.03) as server:
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main(server, 15))
        kept = len(list(Ledger(tmp_path).records()))
        assert kept >= 15 - 10 and "interrupted: " in capsys.readouterr().out
        assert len(asyncio.run(main(server, 40))) == 40
        assert sum(b["requests"] > 1 for b in server.books.by_body.values()) <= 10


def test_a_hundred_thousand_rows_are_not_a_hundred_thousand_tasks(tmp_path):
    rows = [{"question": f"q{n}", "answer": ""} for n in range(100_000)]

    async def main(server):
        task = asyncio.create_task(
            generate(rows, server.teacher(**UNPRICED), cache_dir=str(tmp_path), progress=False, max_concurrency=20)
        )
        most = 0
        while server.in_flight < 20:
            await asyncio.sleep(0.02)
            most = max(most, len(asyncio.all_tasks()))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return most

    with FaultServer(faults={"hang": 1.0}) as server:
        assert asyncio.run(main(server)) <= 2 * 20 + 20


def test_a_pause_between_dispatches_is_kept(run):
    with FaultServer(take_ours) as server:
        start = time.monotonic()
        run(make_rows(5), server.teacher(**UNPRICED), min_delay_s=0.1)
        assert server.books.last_at - server.books.started_at >= 0.35 and time.monotonic() - start >= 0.4


def test_a_change_of_the_served_model_is_said_and_stands_on_the_row(run, capsys):
    with FaultServer(take_ours, faults={"wrong_model": 0.3}) as server:
        results = run(make_rows(20), server.teacher(**UNPRICED), max_concurrency=1)
    served = results.report["served_models"]
    assert set(served) == {"fake-1", "another-model"} and sum(served.values()) == 20
    assert sum(r.served_model == "another-model" for r in results) == served["another-model"]
    assert "the service now answers as" in capsys.readouterr().out


def test_ignored_parameters_are_said(run, capsys):
    with FaultServer(take_ours) as server:
        run(make_rows(1), server.teacher(params={"temperature": 0.6}))
        assert "temperature" not in server.bodies[0]
    assert "ignores temperature while it thinks" in capsys.readouterr().out


def test_the_key_is_nowhere(run, tmp_path, capsys, caplog):
    caplog.set_level("DEBUG")
    with FaultServer(take_ours, faults={"status_500": 0.2, "status_422": 0.1, "null_content": 0.1}) as server:
        results = run(make_rows(30), server.teacher())
        server.options.faults = {"status_401": 1.0}
        with pytest.raises(RunStopped) as stopped:
            run(make_rows(31), server.teacher())
    assert server.books.keys == {KEY}
    texts = [path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file()]
    texts += [repr(results), repr(results.report), str(stopped.value), caplog.text, *capsys.readouterr()]
    assert len(texts) > 30 and not any(KEY in text for text in texts)


# ---- other processes

CHILD = """
import asyncio, sys
sys.path[:0] = [{root!r}, {tests!r}]
from fault_server import make_rows
from llmerge_helpers.generate import generate
from llmerge_helpers.generate.teachers import Teacher
teacher = Teacher("openai", "m", {url!r}, "k")
results = asyncio.run(generate(make_rows({count}), teacher, cache_dir={cache!r}, max_concurrency=8, progress=False))
print(len(results), sum(r.verdict.is_correct for r in results))
"""


def child(server, cache, count):
    code = CHILD.format(root=str(ROOT), tests=str(SUPPORT), url=server.url, cache=str(cache), count=count)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def test_two_processes_on_one_cache_ask_everything_once(tmp_path):
    with FaultServer(take_ours, latency_s=0.1) as server:
        children = [child(server, tmp_path, 40) for _ in range(2)]
        outputs = [process.communicate(timeout=60)[0].strip() for process in children]
        assert outputs == ["40 40", "40 40"]
        assert server.books.requests == 40


def test_after_a_sigkill_nothing_answered_is_asked_again(tmp_path):
    with FaultServer(take_ours, latency_s=0.1) as server:
        process = child(server, tmp_path, 60)
        while server.books.answered < 20:
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        time.sleep(0.2)  # what is in flight at the server runs out
        on_disk = {record["request"]["messages"][1]["content"] for record in Ledger(tmp_path).records()}
        first = len(server.bodies)
        assert child(server, tmp_path, 60).communicate(timeout=60)[0].strip() == "60 60"
        asked_again = {body["messages"][1]["content"] for body in server.bodies[first:]}
        assert len(on_disk) >= 20 - 8 and not on_disk & asked_again
        assert sum(b["requests"] > 1 for b in server.books.by_body.values()) <= 8
        assert not any(json.loads(p.read_text())["key"] != p.stem for p in tmp_path.glob("*/*.json"))
