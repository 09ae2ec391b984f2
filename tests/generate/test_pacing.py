"""The headers in which services tell what is left and when there is more: every spelling, and that they are obeyed."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
import test_asking
from fault_server import FaultServer, make_rows, take_ours
from hypothesis import given
from hypothesis import strategies as st

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import RunStopped, asking
from llmerge_helpers.generate.pacing import pause, seconds_until

UNPRICED = test_asking.UNPRICED
NOW = 1_800_000_000.0


def run(rows, teacher, folder, **options):
    return asyncio.run(asking.generate(rows, teacher, cache_dir=str(folder), progress=False, **options))


@given(st.lists(st.tuples(st.integers(0, 99), st.sampled_from(["d", "h", "m", "s", "ms"])), min_size=1, max_size=5))
def test_a_duration_is_the_sum_of_its_parts(parts):
    units = {"d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001}
    expected = sum(number * units[unit] for number, unit in parts)
    assert seconds_until("".join(f"{number}{unit}" for number, unit in parts), NOW) == pytest.approx(expected)


@given(st.floats(0, 80_000_000), st.integers(-(10**6), 10**7))
def test_seconds_stay_and_times_are_told_apart(seconds, ahead):
    assert seconds_until(repr(seconds), NOW) == seconds
    at = NOW + ahead
    spellings = [f"{at:.0f}", f"{at * 1000:.0f}", f"{at * 1e6:.0f}", formatdate(at, usegmt=True)]
    spellings += [f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}{zone}" for zone in ("Z", "+00:00", ".000Z", "")]
    assert {seconds_until(text, NOW) for text in spellings} == {max(0.0, ahead)}


@given(st.text(max_size=30))
def test_no_text_is_too_strange(text):
    found = seconds_until(text, NOW)
    assert found is None or found >= 0
    assert pause({"x-ratelimit-remaining": text, "x-ratelimit-reset": text, "ratelimit": text}, NOW) >= 0


HEADERS = [
    ("OpenAI", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s"}, 1.0),
    ("OpenAI's tokens", {"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
    ("both", {
        "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "7.66s",
    }, 7.66),
    ("Groq, something left", {"x-ratelimit-remaining-requests": "14370", "x-ratelimit-reset-requests": "2m59.56s"}, 0),
    ("Azure", {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "10"}, 10.0),
    ("Together", {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1"}, 1.0),
    ("Together's tokens", {"x-tokenlimit-remaining": "0", "x-tokenlimit-reset": "3"}, 3.0),
    ("Cerebras", {"x-ratelimit-remaining-tokens-minute": "0", "x-ratelimit-reset-tokens-minute": "11.38"}, 11.38),
    ("Anthropic", {
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": f"{datetime.fromtimestamp(NOW + 30, UTC):%Y-%m-%dT%H:%M:%SZ}",
    }, 30.0),
    ("OpenRouter", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{(NOW + 90) * 1000:.0f}"}, 90.0),
    ("epoch seconds", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW + 90:.0f}"}, 90.0),
    ("long over", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": f"{NOW - 90:.0f}"}, 0.0),
    ("the draft of the IETF", {"RateLimit-Remaining": "0", "RateLimit-Reset": "4"}, 4.0),
    ("all in one", {"RateLimit": "limit=9, remaining=0, reset=4"}, 4.0),
    ("its later form", {"RateLimit": '"default";r=0;t=4'}, 4.0),
    ("its later form, some left", {"RateLimit": '"default";r=10;t=4'}, 0.0),
    ("no reset told", {"x-ratelimit-remaining-requests": "0"}, 0.0),
    ("nothing", {"content-type": "text/event-stream"}, 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("headers", "wait"), [each[1:] for each in HEADERS], ids=[each[0] for each in HEADERS])
def test_each_service_is_understood(headers, wait):
    assert pause(headers, NOW) == pytest.approx(wait)


def test_the_time_of_the_reply_counts_and_not_our_clock():
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": f"{NOW + 20:.0f}"}
    assert pause(headers | {"date": formatdate(NOW, usegmt=True)}) == pytest.approx(20.0)


@pytest.mark.parametrize("refused", [False, True])
def test_nothing_is_sent_before_the_reset(tmp_path, refused):
    arrivals = []
    with FaultServer(take_ours) as server:

        def headers(body):
            arrivals.append(time.monotonic())
            left = "0" if len(arrivals) == 2 else "7"
            return {"x-ratelimit-remaining-requests": left, "x-ratelimit-reset-requests": "700ms"}

        server.headers_for = headers
        server.fault_for = lambda body: "status_429" if refused and server.books.requests == 2 else None
        results = run(make_rows(5), server.teacher(**UNPRICED), tmp_path, max_concurrency=1)
    assert [r.message is not None for r in results] == [True] * 5
    waits = [after - before for before, after in zip(arrivals, arrivals[1:], strict=False)]
    assert waits[1] >= 0.65 and sum(wait >= 0.65 for wait in waits) == 1


def test_a_reset_that_is_far_away_stops_with_the_time_and_keeps_what_came(tmp_path):
    with FaultServer(take_ours, latency_s=0.02) as server:
        server.headers_for = lambda body: {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "26h"}
        with pytest.raises(RunStopped, match=r"asks to wait until 2\d\d\d-\d\d-\d\d \d\d:\d\d UTC") as stopped:
            run(make_rows(40), server.teacher(**UNPRICED), tmp_path, max_concurrency=4)
        assert server.books.answered == server.books.requests <= 5
        assert stopped.value.results.report["answers"] == server.books.answered


def test_a_pause_is_no_silence(tmp_path):
    with FaultServer(take_ours, latency_s=0.01) as server:
        answers = iter([{"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1.2"}])
        server.headers_for = lambda body: next(answers, {})
        server.fault_for = lambda body: "status_500" if server.books.requests == 2 else None
        results = run(make_rows(6), server.teacher(**UNPRICED), tmp_path, max_concurrency=1, patience_s=0.5)
    assert results.report["answers"] == 6


# ---- the cheaper hours


def test_off_peak_waits_for_the_lower_price_and_says_so(tmp_path, monkeypatch, capsys):
    begin = time.monotonic() + 1.0
    monkeypatch.setattr(asking._Run, "_cheaper_in", lambda self, now=None: max(0.0, begin - time.monotonic()))
    with FaultServer(take_ours) as server:
        run(make_rows(3), server.teacher(), tmp_path, patience="off-peak")
        assert server.books.started_at >= begin and server.books.requests == 3
    assert capsys.readouterr().out.count("the price is lower from ") == 1


def test_the_lower_price_is_that_of_the_service(tmp_path):
    with FaultServer() as server:
        asked = asking._Run(make_rows(1), server.teacher(), asking.Options(cache_dir=str(tmp_path)))
        tuesday = {hour: asked._cheaper_in(datetime(2026, 11, 24, hour, 30, tzinfo=UTC)) for hour in (0, 2, 5, 9, 12)}
        assert tuesday == {0: 0.0, 2: 5400.0, 5: 0.0, 9: 1800.0, 12: 0.0}
        with pytest.raises(LlmergeError, match="no off-peak price is known for m at http"):
            run(make_rows(1), server.teacher(**UNPRICED), tmp_path, patience="off-peak")
        with pytest.raises(LlmergeError, match="off-peak, batch or empty"):
            run(make_rows(1), server.teacher(), tmp_path, patience="later")
        assert server.books.requests == 0
