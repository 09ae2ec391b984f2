"""Every service in its own shape, through the real client: the bill, the parts of a reply, the cap, the refusals."""

from __future__ import annotations

import asyncio
import dataclasses
import json

import pytest
from fault_server import FaultServer, Raw, make_rows
from hypothesis import example, given, settings
from hypothesis import strategies as st
from providers import PROVIDERS, Provider, Refusal, Tokens, error, plain_usage, refused

from llmerge_helpers.conflicts import messages, split_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Budget, RunStopped, generate, one, pick, prices, quote
from llmerge_helpers.generate.refusals import kind_of_status
from llmerge_helpers.generate.reply_cache import Ledger
from llmerge_helpers.generate.request import FAULTS, Fault, _checked, _read
from llmerge_helpers.generate.teachers import Teacher

REASONING, ANSWER = "Ours is newer, “so” ours stays.\nSure.", "```java\nf(\n  a0\n)\n```"


@pytest.fixture(autouse=True)
def hasty(monkeypatch):
    monkeypatch.setattr("llmerge_helpers.generate.engine.backoff", lambda attempt, rng: 0.01)


def true_tokens(provider: Provider, body: dict) -> Tokens:
    """As many as the question has letters, some of them cached; the reply is nearly as long as it may be."""
    prompt = sum(len(message["content"]) for message in body["messages"]) // 3
    most = body.get("max_tokens") or body["max_completion_tokens"]
    return Tokens(prompt, prompt // 4 * provider.caches, most // 2, most // 3 + prompt % 7)


def ask(provider: Provider, rows: list, folder, *, usage=None, changes=None, **options):
    """The results, and the books of the server that answered as this service does."""
    with FaultServer() as server:
        server.raw_for = answers(provider, usage)
        teacher = provider.teacher(server.url, **changes or {})
        options = {"max_tokens": 300, "progress": False, **options}
        return asyncio.run(generate(rows, teacher, cache_dir=str(folder), **options)), server.books


def answers(provider: Provider, usage=None):
    """A service in good health."""
    return lambda body: provider.reply(body, REASONING, ANSWER, true_tokens(provider, body), usage)


EACH = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
WHOLE = {"extra_body": {"stream": False, "stream_options": None}}


@EACH
@pytest.mark.parametrize("stream", [True, False])
def test_the_books_are_the_bill_and_the_reply_has_two_parts(tmp_path, provider, stream):
    results, books = ask(provider, make_rows(3), tmp_path, changes={} if stream else WHOLE)
    hidden = provider.reasoning == "hidden"
    for result in results:
        assert (result.reply.reasoning, result.reply.answer) == ("" if hidden else REASONING, ANSWER)
        assert result.verdict.match_type in ("exact_match", "mismatch", "incorrect_resolution")
        assert result.finish_reason == "stop" and result.attempts == 1
    records = list(Ledger(tmp_path).records())
    assert books.requests == 3 == len(records)
    if provider.told(Tokens(9, 0, 1, 1)):
        assert sum(result.cost_usd for result in results) == pytest.approx(books.billed_usd, rel=1e-12)
        assert results.report["cost_usd"] == pytest.approx(books.billed_usd, rel=1e-12)
        assert sum(result.usage["completion_tokens"] for result in results) == books.completion_tokens
        assert results.report["tokens_booked"] == books.prompt_tokens + books.completion_tokens
        assert results.report["cost_unknown_usd"] == 0
    else:  # unknown is not free
        assert [result.cost_usd for result in results] == [None] * 3 and not results.report["cost_usd"]
        assert results.report["cost_unknown_usd"] >= books.billed_usd > 0


UNTOLD = {"missing": {}, "zero": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}}


# where nothing is told, services differ only in where a stream says so
PLACES = {provider.place: name for name, provider in PROVIDERS.items()}.values()
CAPS = [*((name, "told") for name in PROVIDERS), *((name, usage) for name in PLACES for usage in UNTOLD)]


@pytest.mark.parametrize(("name", "usage"), CAPS, ids=map("-".join, CAPS))
def test_no_cap_is_ever_passed(tmp_path, name, usage):
    provider, told, rows = PROVIDERS[name], UNTOLD.get(usage), make_rows(25)
    each = [true_tokens(provider, provider.teacher("").body(messages(row), 300)) for row in rows]
    cap, tokens = 0.4 * sum(map(provider.bill, each)), sum(t.prompt + t.out for t in each) * 4 // 10
    changes = provider.prices if provider.markup else {}  # the table does not know what the router takes
    results, books = ask(provider, rows, tmp_path / "a", usage=told, changes=changes, max_cost_usd=cap)
    assert 0 < books.billed_usd <= cap and results.not_asked
    results, books = ask(provider, rows, tmp_path / "b", usage=told, max_tokens_total=tokens)
    assert 0 < books.prompt_tokens + books.completion_tokens <= tokens and results.not_asked
    assert results.report["tokens_booked"] >= books.prompt_tokens + books.completion_tokens


REFUSALS = [(name, refusal) for name, provider in PROVIDERS.items() for refusal in provider.refusals]


@pytest.mark.parametrize(
    ("name", "refusal"), REFUSALS, ids=[f"{name}-{refusal.status}-{n}" for n, (name, refusal) in enumerate(REFUSALS)]
)
def test_what_a_person_must_mend_stops_at_once_and_names_the_cure(tmp_path, name, refusal):
    provider = PROVIDERS[name]
    with FaultServer() as server:
        server.raw_for = lambda body: refused(refusal)
        with pytest.raises(RunStopped) as stopped:
            asyncio.run(generate(make_rows(60), provider.teacher(server.url), cache_dir=str(tmp_path), progress=False))
        assert server.books.requests <= 24
    said = str(stopped.value)
    assert refusal.cure in said and "\n" not in said
    assert stopped.value.results.report["cost_unknown_usd"] == 0  # a refusal costs nothing


ASKED = {"max_tokens": 16384, "temperature": 0.6, "messages": []}


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "You have reached your specified API usage limits. You will regain access on 2026-12-01.", "used_up"),
        (403, "Key limit exceeded (total limit).", "used_up"),
        (429, "quota exceeded for today", "used_up"),
        (429, "Number of request tokens has exceeded your per-minute rate limit", "rate_limit"),
        (429, "Requests rate limit exceeded", "rate_limit"),
        (403, "Insufficient account balance", "no_balance"),
        (429, "Quota exceeded for metric: free_tier_requests, limit: 0", "no_balance"),
        (400, "API Key not found. Please pass a valid API key.", "no_access"),
        (400, "Api key expired. Please renew the API key.", "no_access"),
        (400, "Missing or invalid Authorization header.", "no_access"),
        (403, "Method doesn't allow unregistered callers. Please use API Key or other form of identity", "no_access"),
        (403, "Access denied", "forbidden"),
        (403, "Your request was flagged by moderation", "filtered"),
        (400, "The prompt triggers the content management policy.", "filtered"),
        (400, "Failed to load model", "unknown_model"),
        (410, "The model `x` has been deprecated", "unknown_model"),
        (400, "model 'x' is not available", "unknown_model"),
        (400, "prompt is too long: 210000 tokens > 200000 maximum", "too_long"),
        (400, "the request exceeds the available context size", "too_long"),
        (400, "The maximum context length is 4096 tokens. However, your messages resulted in 9000 tokens.", "too_long"),
        (400, "max_tokens must be between 1 and 4,096", "max_tokens"),
        (400, "The maximum tokens you requested exceeds the supported limit of 4096", "max_tokens"),
        (400, "Invalid credentials in Authorization header", "no_access"),
        (400, "The provided token is malformed", "no_access"),
        (403, "API key is disabled", "no_access"),
        (429, "Account balance is negative", "no_balance"),
        (429, "You exceeded your monthly budget", "no_balance"),
        (400, "ExceededBudget: over budget", "no_balance"),
        (403, "Your account does not have sufficient funds", "no_balance"),
        (403, "Your trial has expired", "no_balance"),
        (429, "You have reached your limit of free requests. Resets in 23 hours", "used_up"),
        (429, "Please try again in 20 ms", "rate_limit"),
        (400, "The requested model is not supported", "unknown_model"),
        (400, "No model named x", "unknown_model"),
        (400, "The model `x` has been shut down", "unknown_model"),
        (400, "The provided model identifier is invalid.", "unknown_model"),
        (403, "You are not allowed to access this model", "unknown_model"),
        (403, "Access from your country is not permitted", "no_region"),
        (403, "This service is unavailable in your location", "no_region"),
        (400, "Output blocked by content safety", "filtered"),
        (400, "Request blocked by guardrail", "filtered"),
        (413, "Request too large for model", "too_long"),
        (400, "Input length 9000 exceeds the maximum allowed token length", "too_long"),
        (400, "max_tokens must be in range 1..8192", "max_tokens"),
        (400, "`temperature` is deprecated for this model.", "bad_field"),
        # a row's own trouble, or nobody's
        (400, "model x: stream_options is not supported", "bad_request"),
        (400, "messages[1].content must be a string", "bad_request"),
        (400, "Invalid JSON body", "bad_request"),
        (400, "max_tokens must be at least 1", "bad_request"),
        (404, "no such page", "bad_request"),
        (500, "CUDA out of memory", "server_error"),
        (503, "The engine is overloaded", "overloaded"),
    ],
)
def test_every_wording_has_its_kind(status, text, kind):
    assert kind_of_status(status, text, ASKED) == kind


# ---- what may be mended at once: the same question in the service's own words


def changed(test, provider: Provider, refusal: Refusal):
    """A service that refuses what `test` is true of."""
    return lambda body: refused(refusal) if test(body) else answers(provider)(body)


NOT_PERMITTED = {"type": "extra_forbidden", "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted"}
UNSUPPORTED = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
WORDS = {
    "stream_options": (
        lambda body: "stream_options" in body,
        Refusal(422, {"detail": [NOT_PERMITTED | {"input": {"include_usage": True}}]}, ""),
    ),
    "include_usage": (
        lambda body: "stream_options" in body,
        Refusal(400, error("Unknown parameter: 'stream_options.include_usage'."), ""),
    ),
    "other limit": (lambda body: "max_tokens" in body, Refusal(400, error(UNSUPPORTED, "unsupported_parameter"), "")),
    "no stream": (
        lambda body: body.get("stream"),
        Refusal(400, error("Your organization must be verified to stream this model.", "unsupported_value"), ""),
    ),
    "both": (
        lambda body: "stream_options" in body or "max_tokens" in body,
        Refusal(422, error("unrecognized: stream_options; please use max_completion_tokens"), ""),
    ),
}


@pytest.mark.parametrize(("test", "refusal"), WORDS.values(), ids=WORDS)
def test_a_service_is_asked_in_its_own_words(tmp_path, test, refusal):
    provider = PROVIDERS["vllm"]
    with FaultServer() as server:
        server.raw_for = changed(test, provider, refusal)
        teacher = provider.teacher(server.url)
        first = asyncio.run(generate(make_rows(6), teacher, cache_dir=str(tmp_path), progress=False, max_concurrency=1))
        assert server.books.requests <= 6 + 2  # learned once, not once a row
        server.raw_for = lambda body: pytest.fail("asked again")
        fresh = provider.teacher(server.url)  # a later run has not learned it, and finds the answers all the same
        again = asyncio.run(generate(make_rows(6), fresh, cache_dir=str(tmp_path), progress=False))
    assert [result.reply.answer for result in again] == [ANSWER] * 6 and all(result.cached for result in again)
    assert not any(result.error for result in first)
    for record in Ledger(tmp_path).records():
        assert not test(record["request"]) and record["request"]["messages"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (
            "Unsupported value: 'temperature' does not support 0.6 with this model. Only the default (1) is.",
            "temperature",
        ),
        ("Unrecognized request argument supplied: reasoning_effort", "reasoning_effort"),
        ("property 'top_k' is unsupported", "top_k"),
    ],
)
def test_a_field_of_ones_own_that_is_refused_is_named(tmp_path, text, field):
    with FaultServer() as server:
        server.raw_for = lambda body: refused(Refusal(400, error(text), ""))
        fields = {"temperature": 0.6, "reasoning_effort": "low", "top_k": 3}
        teacher = pick("openai", model="m", base_url=server.url, request=fields)
        with pytest.raises(RunStopped, match=rf"`request`: take it out.*`{field}`"):
            asyncio.run(generate(make_rows(40), teacher, cache_dir=str(tmp_path), progress=False))
        assert server.books.requests <= 24


def test_a_question_too_long_for_the_model_is_its_own_affair(tmp_path):
    text = (
        "This model's maximum context length is 32768 tokens. However, you requested 36384 tokens "
        "(20000 in the messages, 16384 in the completion)."
    )
    with FaultServer() as server:
        good = changed(
            lambda body: "a3\n" in body["messages"][-1]["content"], PROVIDERS["vllm"], Refusal(400, error(text), "")
        )
        server.raw_for = good
        teacher = PROVIDERS["vllm"].teacher(server.url)
        results = asyncio.run(generate(make_rows(9), teacher, cache_dir=str(tmp_path), progress=False))
    assert [bool(result.error) for result in results] == [n == 3 for n in range(9)]
    assert "lower `max_tokens`" in results[3].error and results[3].attempts == 1


def test_more_room_than_the_service_has_is_no_wrong_setting(tmp_path):
    """max_tokens is what the service allows; a reply that was cut off is asked for with twice as much."""
    text = "Invalid max_tokens value, the valid range of max_tokens is [1, 300]"
    provider = PROVIDERS["deepseek"]
    with FaultServer() as server:
        cut_off = dataclasses.replace(provider, finish="length")
        server.raw_for = changed(lambda body: body["max_tokens"] > 300, cut_off, Refusal(400, error(text), ""))
        teacher = provider.teacher(server.url)
        results = asyncio.run(generate(make_rows(4), teacher, cache_dir=str(tmp_path), progress=False, max_tokens=300))
    assert [result.finish_reason for result in results] == ["length"] * 4
    assert "max_tokens" in results[0].error


OVER = "You exceeded your current quota, please check your plan and billing details. Please retry in 0.05s."
FULL = "RESOURCE_EXHAUSTED"


@pytest.mark.parametrize(
    "refusal",
    [
        Refusal(429, [{"error": {"code": 429, "message": OVER, "status": FULL}}], ""),
        Refusal(429, error("Limit reached on tokens per min (TPM). Please try again in 6ms. Add a payment."), ""),
        Refusal(429, error("Your account x reached max RPM: 3, please try again after 0.1 seconds"), ""),
        Refusal(200, {"base_resp": {"status_code": 1002, "status_msg": "rate limit"}}, ""),
        Refusal(503, "<html>loading</html>", ""),
    ],
)  # fmt: skip
def test_what_is_over_in_a_moment_is_waited_for(tmp_path, refusal):
    provider = PROVIDERS["gemini"]
    with FaultServer() as server:
        server.raw_for = lambda body: (
            refused(refusal)
            if len(server.bodies) < 3
            else provider.reply(body, REASONING, ANSWER, true_tokens(provider, body))
        )
        results = asyncio.run(
            generate(make_rows(2), provider.teacher(server.url), cache_dir=str(tmp_path), progress=False)
        )
    assert [result.reply.answer for result in results] == [ANSWER] * 2


@pytest.mark.parametrize(
    ("refusal", "word"),
    [
        (
            Refusal(307, "", "", {"location": "https://elsewhere.example/v1/chat/completions"}),
            "moved to https://elsewhere",
        ),
        (Refusal(405, {"detail": "Method Not Allowed"}, ""), "check `base_url`"),
        (Refusal(200, "<!doctype html><html><body>Welcome</body></html>", ""), "check `base_url`"),
        (Refusal(403, {"error": {"message": "Forbidden"}}, ""), "account may use"),
    ],
)
def test_a_wrong_address_is_no_matter_of_the_row(tmp_path, refusal, word):
    with FaultServer() as server:
        server.raw_for = lambda body: refused(refusal)
        with pytest.raises(RunStopped, match=word):
            teacher = PROVIDERS["vllm"].teacher(server.url)
            asyncio.run(generate(make_rows(40), teacher, cache_dir=str(tmp_path), progress=False))
        assert server.books.requests <= 24


# ---- usage and price

THOUGHT = {"completion_tokens_details": {"reasoning_tokens": 250}}


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        # reasoning left out: told by the total, by the details, by both
        ({"prompt_tokens": 400, "completion_tokens": 50, "total_tokens": 700}, (400, 300)),
        ({"prompt_tokens": 400, "completion_tokens": 50, **THOUGHT}, (400, 300)),
        ({"prompt_tokens": 400, "completion_tokens": 50, "total_tokens": 700, **THOUGHT}, (400, 300)),
        ({"prompt_tokens": 400, "completion_tokens": 300, "total_tokens": 700, **THOUGHT}, (400, 300)),
        ({"prompt_tokens": 400, "completion_tokens": 50, "reasoning_tokens": 250}, (400, 300)),
        ({"prompt_tokens": 400, "completion_tokens": 50, "thinking_tokens": 250}, (400, 300)),
        ({"input_tokens": 400, "output_tokens": 50, "output_tokens_details": {"reasoning_tokens": 250}}, (400, 300)),
        # what was read from a cache, or put there, is beside Anthropic's own input_tokens, and within prompt_tokens
        ({"input_tokens": 10, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 90, "output_tokens": 300},
         (400, 300)),
        ({"prompt_tokens": 400, "input_tokens": 10, "cache_read_input_tokens": 390, "completion_tokens": 300},
         (400, 300)),
        # counts that contradict each other: the dear way
        ({"prompt_tokens": 400, "completion_tokens": 300, "total_tokens": 3}, (400, 300)),
        ({"prompt_tokens": 400, "completion_tokens": 300, "total_tokens": -7}, (400, 300)),
        ({"prompt_tokens": 400, "total_tokens": 700}, (400, 300)),
        ({"input_tokens": 400, "output_tokens": 300}, (400, 300)),
        # nothing that could be billed by
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, None),
        ({"prompt_tokens": 0, "completion_tokens": 300, "total_tokens": 300}, None),
        ({"prompt_tokens": 400, "completion_tokens": 0, "total_tokens": 400}, None),
        ({"prompt_tokens": "many", "completion_tokens": float("nan")}, None),
        ({"prompt_tokens": True, "completion_tokens": True}, None),
        ({"total_tokens": 700}, None),
        ({}, None),
        (None, None),
    ],
)  # fmt: skip
def test_usage_is_read_as_it_is_billed(usage, expected):
    message = {"role": "assistant", "content": "x"}
    for place in (
        {"usage": usage, "choices": [{"message": message}]},
        {"choices": [{"message": message, "usage": usage}]},
        {"x_groq": {"usage": usage}, "choices": [{"message": message}]},
        {"usage": UNTOLD["zero"], "x_groq": {"usage": usage}, "choices": [{"message": message}]},
    ):
        found = prices.read_usage(place)
        assert (found["prompt_tokens"], found["completion_tokens"]) == expected if expected else found == {}


counts = st.integers(-5, 2000)


@given(counts, counts, counts, counts, counts)
def test_no_counts_are_read_below_any_of_what_they_say(prompt, completion, total, reasoning, hit):
    usage = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total}
    usage |= {"completion_tokens_details": {"reasoning_tokens": reasoning}, "prompt_cache_hit_tokens": hit}
    found = prices.read_usage({"usage": usage, "choices": [{"message": {"content": "x"}}]})
    if found:
        out = found["completion_tokens"]
        assert out >= max(completion, total - max(0, prompt), reasoning, 1) and found["prompt_tokens"] == max(0, prompt)
        assert 0 <= found["cache_hit_tokens"] <= found["prompt_tokens"]
    else:
        assert prompt <= 0 or (completion <= 0 and total <= prompt)


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        ({"cost": 0.5}, 0.5),
        ({"cost": {"total_cost": 0.5, "currency": "USD"}}, 0.5),
        ({"estimated_cost": 0.5}, 0.5),
        ({"cost_in_usd_ticks": 5_000_000_000}, 0.5),
        ({"cost": 0.025, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.475}}, 0.5),
        ({"cost": 0.5, "is_byok": False, "cost_details": {"upstream_inference_cost": 0.475}}, 0.5),
        # no price: the table's, if it has one
        ({"cost": 0}, 0.0),
        ({"cost": -1}, None),
        ({"cost": float("nan")}, None),
        ({"cost": "0.5"}, 0.5),
        ({"cost_usd": 0.5}, 0.5),
        ({"cost": {"total": 0.5}}, 0.5),
        ({"cost": {"total_cost": 0.5, "currency": "CNY"}}, None),
        ({"cost": "little"}, None),
        ({}, None),
    ],
)
def test_a_price_that_the_reply_tells_is_the_price(usage, dollars):
    response = {"usage": {"prompt_tokens": 400, "completion_tokens": 300} | usage}
    unpriced = Teacher("openai", "nobody-knows", "http://localhost:1/v1")
    priced = Teacher("deepseek", "deepseek-flash", "https://api.deepseek.com")
    table = priced.cost(prices.read_usage(response), NOON)
    assert unpriced.bill(response, NOON)[1] == dollars
    assert priced.bill(response, NOON)[1] == (dollars or table) and table > 0


NOON = prices.datetime(2026, 11, 22, 12, tzinfo=prices.UTC)


def test_a_price_by_hand_goes_before_the_table_and_is_no_part_of_the_key(tmp_path):
    with FaultServer() as server:
        server.raw_for = answers(PROVIDERS["vllm"])
        by_hand = pick("openai", model="m", base_url=server.url, price_in=3, price_out=15)
        assert by_hand == pick("openai", model="m", base_url=server.url, price="3, 15")
        (result,) = asyncio.run(generate(make_rows(1), by_hand, cache_dir=str(tmp_path), progress=False))
        expected = (server.books.prompt_tokens * 3 + server.books.completion_tokens * 15) / 1e6
        assert result.cost_usd == pytest.approx(expected, rel=1e-12)
        other = pick("openai", model="m", base_url=server.url)
        assert asyncio.run(generate(make_rows(1), other, cache_dir=str(tmp_path), progress=False))[0].cached


def test_a_bill_above_the_worst_case_is_expected_from_then_on():
    budget = Budget(1.0)
    assert budget.worst(0.1) == 0.1
    budget.learn(0.1, 0.05)
    assert budget.worst(0.1) == 0.1
    budget.learn(0.1, 0.4)
    budget.learn(0.1, 0.2)
    assert budget.worst(0.1) == pytest.approx(0.4) and budget.worst(0.0) == 0.0


def test_a_purse_of_tokens_never_promises_more_than_its_cap():
    budget = Budget(max_tokens_total=100)
    assert budget.reserve_tokens(60) and not budget.reserve_tokens(60)
    budget.settle_tokens(60, 10)
    assert budget.reserve_tokens(90) and not budget.reserve_tokens(1) and budget.tokens == 10
    assert Budget().reserve_tokens(10**12)


def test_a_service_that_keeps_no_limit_stops_at_the_cap(tmp_path):
    """Its replies are four times as long as `max_tokens` allows: after the first ones, the engine expects that."""
    provider, rows = PROVIDERS["deepseek"], make_rows(60)
    with FaultServer() as server:
        server.raw_for = lambda body: provider.reply(body, REASONING, ANSWER, Tokens(100, 0, 4000, 4000))
        cap = 40 * provider.bill(Tokens(100, 0, 4000, 4000))
        teacher = provider.teacher(server.url)
        options = {"cache_dir": str(tmp_path), "progress": False, "max_tokens": 2000, "max_cost_usd": cap}
        asyncio.run(generate(rows, teacher, **options))
        assert 0.5 * cap < server.books.billed_usd <= cap


def test_a_run_without_price_and_cap_says_so(tmp_path, capsys, caplog):
    provider = PROVIDERS["vllm"]
    unpriced = {"price_in": 0.0, "price_out": 0.0}
    ask(provider, make_rows(1), tmp_path / "a", changes=unpriced, progress=True)
    assert "no price is known for local-32b, and nothing caps" in capsys.readouterr().out
    ask(provider, make_rows(1), tmp_path / "b", changes=unpriced)
    assert "price_in and price_out" in caplog.text and "max_tokens_total" in caplog.text
    caplog.clear()
    ask(provider, make_rows(1), tmp_path / "c", changes=unpriced, max_tokens_total=10**6)
    ask(provider, make_rows(1), tmp_path / "d")
    assert "no price" not in caplog.text + capsys.readouterr().out


def test_a_quote_of_replies_that_tell_no_usage_is_no_zero(tmp_path):
    provider = PROVIDERS["deepseek"]
    with FaultServer() as server:
        server.raw_for = lambda body: provider.reply(body, REASONING, ANSWER, true_tokens(provider, body), {})
        teacher = provider.teacher(server.url)
        found = asyncio.run(quote(make_rows(20), teacher, cache_dir=str(tmp_path), max_tokens=300))
    assert found.expected is None and found.worst > 0 and "at most $0.0" in str(found)


# ---- what a reply can be


def choice(finish_reason="stop", **message):
    return {"choices": [{"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}]}


TEXT = {"content": "b"}
ENDS = {
    "broken_off": ["network_error", "abort", "error", {"type": "abort", "message": "gone"}, "server_shutdown"],
    "no_resources": ["insufficient_system_resource"],
    "refused": ["content_filter", "sensitive", "SAFETY", "content_filter: RECITATION"],
    "cut_stream": [None, "", "null"],
}


@pytest.mark.parametrize(("kind", "end"), [(kind, end) for kind, ends in ENDS.items() for end in ends])
def test_a_broken_end_is_no_answer(kind, end):
    with pytest.raises(Fault) as raised:
        _checked(choice(end, **TEXT))
    assert raised.value.kind == kind and raised.value.response
    assert FAULTS[kind].action == ("fail" if kind == "refused" else "retry")


@pytest.mark.parametrize("end", ["stop", "STOP", "eos", "end_turn", "stop_sequence", "done", "end", "stop_token"])
def test_a_good_end_has_many_names(end):
    assert _checked(choice(end, **TEXT))["choices"][0]["finish_reason"] == "stop"


@pytest.mark.parametrize("end", ["length", "max_tokens", "MAX_TOKENS", "model_length", "max_length", "truncated"])
def test_a_cut_has_many_names(end):
    assert _checked(choice(end, **TEXT))["choices"][0]["finish_reason"] == "length"


BLANK = {
    "only_reasoning": [
        {"content": None, "reasoning": "I would take ours."},
        {"content": "", "reasoning_content": "So:\n```java\nx\n```"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "so"}]}]},
    ],
    "refused": [
        {"content": None, "refusal": "I cannot help with that."},
        {"content": [{"type": "refusal", "refusal": "No."}]},
        {"content": None, "refusal": "No.", "reasoning": "hm"},
    ],
    "blank_answer": [
        {"content": None},
        {"content": "  \n"},
        {"content": []},
        {"content": [{"type": "text", "text": " "}]},
        {"content": "", "reasoning_content": "hm"},
    ],
}


@pytest.mark.parametrize(("kind", "message"), [(kind, each) for kind, found in BLANK.items() for each in found])
def test_a_reply_without_an_answer_is_called_what_it_is(kind, message):
    with pytest.raises(Fault) as raised:
        _checked(choice(**message))
    assert raised.value.kind == kind
    assert FAULTS[kind].tries == (3 if kind == "blank_answer" else 1)


def test_reasoning_that_nobody_closed_in_time_still_holds_its_answer():
    message = {"content": None, "reasoning": "Ours.\n</think>\n\n```java\nx\n```"}
    assert _checked(choice(**message)) and _checked(choice(**message | {"content": ""}))


def test_what_would_be_the_same_is_paid_once(tmp_path):
    with FaultServer() as server:
        whole = choice(content=None, reasoning="ours") | {"usage": plain_usage(Tokens(100, 0, 5, 5))}
        server.raw_for = lambda body: Raw(200, {}, (json.dumps(whole).encode(),))
        (row,) = make_rows(1)
        result = asyncio.run(one(row, PROVIDERS["vllm"].teacher(server.url), cache_dir=str(tmp_path)))
        assert server.books.requests == 1 and "reasoning parser" in result.error and result.cost_usd > 0


# ---- the wire


def read(data: bytes, size: int = 10**9):
    """What the wire makes of these bytes, in pieces of a size."""

    async def pieces():
        for at in range(0, len(data), size):
            yield data[at : at + size]

    return asyncio.run(_read(pieces()))


def events(end="\n\n", tail=None, name="data: "):
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in ("a\u2028", "b")]
    chunks += [
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"total_tokens": 5}},
    ]
    text = end.join(name + json.dumps(chunk, ensure_ascii=False) for chunk in chunks)
    return (text + (end if tail is None else tail)).encode()


PRETTY = "".join(
    "".join(f"data: {line}\n" for line in json.dumps(json.loads(each), indent=1).split("\n")) + "\n"
    for each in events(name="").decode().split("\n\n")
    if each
).encode()
STREAMS = {
    "plain": events(),
    "crlf": events("\r\n\r\n"),
    "cr": events("\r\r"),
    "no blank lines": events("\n"),
    "no last newline": events(tail=""),
    "done without newline": events(tail="\n\ndata: [DONE]"),
    "no space": events(name="data:"),
    "event names and ids": events(name="id: 7\nevent: message\nretry: 10\ndata: "),
    "comments": b": hi\n\n" + events().replace(b"\n\n", b"\n\n: ping\n\n"),
    "comments within": events(name=": ping\ndata: "),
    "byte order mark": "\ufeff".encode() + events(),
    "blank lines first": b"\n\n\r\n" + events(),
    "empty data": b"data:\n\ndata: \n\n" + events(),
    "several lines": PRETTY,
    "without a name": b": wait\n\n" + events(name=""),
}


@pytest.mark.parametrize("size", [1, 7, 10**9])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_read_however_it_is_cut_and_set(name, size):
    completion = _checked(read(STREAMS[name], size))
    assert completion["choices"][0] == {
        "index": 0, "message": {"role": "assistant", "content": "a\u2028b"}, "finish_reason": "stop",
    }  # fmt: skip
    assert completion["usage"] == {"total_tokens": 5}


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=6),
    st.sampled_from(["\n\n", "\r\n\r\n", "\r\r"]),
    st.integers(1, 40),
)
def test_any_text_survives_the_stream(texts, end, size):
    chunks = [{"choices": [{"delta": {"content": text}}]} for text in texts]
    data = end.join(f"data: {json.dumps(chunk)}" for chunk in chunks).encode()
    expected = "".join(texts).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert read(data, size)["choices"][0]["message"]["content"] == expected


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream", "text/plain", "application/octet-stream"])
def test_one_json_text_is_read_whatever_it_is_called(tmp_path, kind):
    whole = choice(content=ANSWER, reasoning=REASONING) | {"usage": plain_usage(Tokens(100, 0, 5, 5))}
    with FaultServer() as server:
        for indent in (None, 2):
            data = b"\n\n" + json.dumps(whole, indent=indent).encode()
            server.raw_for = lambda body, data=data: Raw(200, {"content-type": kind}, (data[:1], data[1:9], data[9:]))
            teacher, folder = PROVIDERS["vllm"].teacher(server.url), str(tmp_path / str(indent))
            (result,) = asyncio.run(generate(make_rows(1), teacher, cache_dir=folder, progress=False))
            assert result.reply.answer == ANSWER and result.usage["completion_tokens"] == 10


def test_parts_of_a_stream_become_those_of_a_whole_reply():
    for provider in (PROVIDERS["mistral"],):
        for stream in (True, False):
            raw = provider.reply({"stream": stream}, REASONING, ANSWER, Tokens(9, 0, 9, 9))
            found = read(b"".join(raw.pieces))
            assert found["choices"][0]["message"] == provider.message(REASONING, ANSWER)


NAMES = (
    "choices", "message", "delta", "content", "reasoning", "refusal", "finish_reason", "index", "usage", "cost", "type",
    "text", "thinking", "error", "code", "base_resp", "status_code", "x_groq", "prompt_tokens", "completion_tokens",
    "object", "detail", "cost_details", "is_byok",
)  # fmt: skip
values = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**12) | st.floats() | st.sampled_from(["", "stop", "thinking", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=8,
)
replies = st.fixed_dictionaries(
    {"choices": st.lists(st.fixed_dictionaries({"message": values, "delta": values, "finish_reason": values}))}
)


@example({"choices": [{"delta": {"content": ["a", None, {"type": ["text"]}, 7]}}]})
@example({"choices": [{"delta": {"content": [None]}}, {"delta": [None]}]})
@example({"base_resp": {"status_code": [1008]}})
@settings(max_examples=70, deadline=None)
@given(replies | st.dictionaries(st.sampled_from(NAMES), values, max_size=4))
def test_whatever_a_service_sends_is_an_answer_or_a_fault(reply):
    teacher = Teacher("openai", "m", "http://localhost:1/v1")
    for data in (json.dumps(reply), f"data: {json.dumps(reply)}", f"event: error\ndata: {json.dumps(reply)}"):
        try:
            completion = read(data.encode())
            usage, dollars = teacher.bill(completion, NOON)
            assert all(count >= 0 for count in usage.values()) and (dollars is None or dollars >= 0)
            choice = _checked(completion)["choices"][0]
            if choice["finish_reason"] == "stop" and not isinstance(choice["message"]["content"], str):
                assert split_reply(choice["message"]).answer.strip()
        except Fault as fault:
            assert fault.sentence()
            assert teacher.bill(fault.response, NOON)


def test_an_error_in_a_stream_is_what_it_says():
    for text, kind in (
        ('data: {"error": {"message": "no credits left", "code": "insufficient_quota"}}', "no_balance"),
        ('event: error\ndata: {"message": "Overloaded", "code": 529}', "overloaded"),
        ('data: {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}', "no_balance"),
        ('data: {"base_resp": {"status_code": 1026, "status_msg": "input"}}', "filtered"),
        ('data: {"object": "error", "message": "it broke", "code": 500}', "server_error"),
        ('data: {"x_groq": {"error": "over capacity"}, "choices": []}', "server_error"),
        ("data: [1, 2]", "malformed"),
        ("data: 7", "malformed"),
        ('data: {"choices": [{"delta": 7}]}', "malformed"),
        ("upstream connect error", "malformed"),
        ("", "blank_reply"),
        (": ping\n\n: ping", "blank_reply"),
    ):
        with pytest.raises(Fault) as raised:
            read(text.encode())
        assert raised.value.kind == kind, text


# ---- what is seen before the first request

ADDRESSES = [
    ("http://localhost:8000/v1?api-version=2024-02-01", "goes on with .api-version"),
    ("http://localhost:8000/v1#top", "goes on with #top"),
    ("http://localhost:8000/v1/chat/completions", "ends in /chat/completions"),
    ("http://localhost:8000/v1/chat/completions/", "ends in /chat/completions"),
    ("http://localhost:8000/v1/responses", "ends in /responses"),
    ("http://localhost:8000/v1 ", "blanks"),
    (" http://localhost:8000/v1", "blanks"),
    ("http://local host/v1", "blanks"),
    ("http://localhost:8000/v1\u200b", "blanks"),
    ("localhost:8000/v1", "not an http or https"),
    ("http:///v1", "not an http or https"),
    ("http://localhost:99999/v1", "no address"),
    ("http://[::1/v1", "no address"),
]


@pytest.mark.parametrize(("address", "word"), ADDRESSES)
def test_an_address_that_cannot_be_asked_is_one_sentence(address, word):
    with pytest.raises(LlmergeError, match=word) as raised:
        pick("openai", model="m", base_url=address)
    assert "base_url" in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(LlmergeError, match=word):
        Teacher("openai", "m", address).client(idle_s=1)


@pytest.mark.parametrize(
    "key", ["“sk-abcdefgh”", "sk-abc\u00e9defgh", "sk-abc defgh", "sk-abc\ndefgh", "sk-ключ-abcdefgh"]
)
def test_a_key_that_no_header_carries_is_named_and_not_shown(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(LlmergeError, match="OPENAI_API_KEY holds .* copy the key anew") as raised:
        pick("openai", model="m", base_url="http://localhost:1/v1")
    assert "abc" not in str(raised.value)
    with pytest.raises(LlmergeError, match="the API key holds"):
        Teacher("openai", "m", "http://localhost:1/v1", key).client(idle_s=1)


@pytest.mark.parametrize(
    ("variable", "value", "word"),
    [
        ("HTTPS_PROXY", "socks5://localhost:9", "SOCKS proxy.*pip install"),
        ("ALL_PROXY", "socks5h://localhost:9", "SOCKS proxy.*pip install"),
        ("HTTPS_PROXY", "ftp://localhost:9", "proxy of the environment"),
        ("SSL_CERT_FILE", "/nowhere/ca.pem", "SSL_CERT_FILE is '/nowhere/ca.pem'"),
        ("SSL_CERT_FILE", __file__, "no certificates can be read there"),
    ],
)
def test_what_the_environment_spoils_is_one_sentence(monkeypatch, variable, value, word):
    for name in ("HTTPS_PROXY", "ALL_PROXY", "HTTP_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, value)
    with pytest.raises(LlmergeError, match=word):
        asyncio.run(generate(make_rows(1), Teacher("openai", "m", "https://api.example.org/v1"), progress=False))


# ---- request


@pytest.mark.parametrize(
    "given", [{"temperature": 0.6, "provider": {"order": ["x"]}}, '{"temperature": 0.6, "provider": {"order": ["x"]}}']
)
def test_request_is_merged_into_the_body_and_part_of_the_key(tmp_path, given):
    provider = PROVIDERS["vllm"]
    with FaultServer() as server:
        server.raw_for = lambda body: provider.reply(body, REASONING, ANSWER, true_tokens(provider, body))
        plain = pick("openai", model="m", base_url=server.url)
        steered = pick("openai", model="m", base_url=server.url, request=given)
        for teacher in (plain, steered, steered):
            asyncio.run(generate(make_rows(1), teacher, cache_dir=str(tmp_path), progress=False))
        assert len(server.bodies) == 2
        assert server.bodies[1] == server.bodies[0] | {"temperature": 0.6, "provider": {"order": ["x"]}}


def test_request_goes_before_what_the_service_would_be_sent(monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "a-key-of-no-shape")
    assert pick("deepseek").body([], 1)["thinking"] == {"type": "enabled"}
    plain = pick("deepseek", request={"thinking": {"type": "disabled"}, "temperature": 0.3})
    assert plain.body([], 1)["thinking"] == {"type": "disabled"} and plain.body([], 1)["temperature"] == 0.3
    assert pick("deepseek", request={"temperature": 0.3}).ignored == ("temperature",)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"request": {"messages": []}}, "must not hold messages: the engine sets it"),
        ({"request": {"model": "x"}}, "must not hold model: .*parameters of their own"),
        ({"request": {"stream": False}}, "must not hold stream"),
        ({"request": {"n": 2}}, "must not hold n: .*samples"),
        ({"request": {"max_tokens": 2}}, "must not hold max_tokens"),
        ({"request": '{"max_completion_tokens": 2}'}, "must not hold max_completion_tokens"),
        ({"request": "temperature=0.6"}, "is not JSON"),
        ({"request": "[1]"}, "is no JSON object"),
        ({"request": "0.6"}, "is no JSON object"),
        ({"request": {"temperature": float("nan")}}, "JSON cannot say"),
        ({"request": {"stop": {1, 2}}}, "JSON cannot say"),
        ({"request": {"": 1}}, "is no JSON object"),
        ({"price_in": 1.0}, "give both"),
        ({"price": "1"}, "per million tokens in and out"),
        ({"price": "a,b"}, "per million tokens in and out"),
        ({"price_in": -1.0, "price_out": 1.0}, "0 or more"),
        ({"price_in": float("nan"), "price_out": 1.0}, "0 or more"),
        ({"model": "m "}, "blanks around it"),
    ],
)
def test_a_request_or_a_price_that_makes_no_sense_is_one_sentence(arguments, word):
    with pytest.raises(LlmergeError, match=word) as raised:
        pick("openai", **{"model": "m", "base_url": "http://localhost:1/v1", **arguments})
    assert "\n" not in str(raised.value)


# ---- max_tokens raised


def test_more_room_is_not_paid_for_where_less_was_enough(tmp_path):
    provider, rows = PROVIDERS["deepseek"], make_rows(6)
    with FaultServer() as server:
        short = dataclasses.replace(provider, finish="length")

        def reply(body):
            cut_off = "a1\n" in body["messages"][-1]["content"] and body["max_tokens"] < 900
            return answers(short if cut_off else provider)(body)

        server.raw_for = reply

        def run(limit, cache):
            found = asyncio.run(
                generate(rows, provider.teacher(server.url), cache_dir=str(cache), progress=False, max_tokens=limit)
            )
            return found, server.books.requests

        first, asked = run(300, tmp_path)
        assert asked == 7 and first[1].finish_reason == "length"  # once more with 600
        again, asked = run(1000, tmp_path)
        assert asked == 8 and all(result.cached for result in again if result.index != 1)  # only what was cut off
        assert again[1].finish_reason == "stop" and [r.cost_usd for r in again][2:] == [r.cost_usd for r in first][2:]
        for marker in tmp_path.glob(".limit-*"):  # a cache from before there were markers
            marker.unlink()
        assert run(4000, tmp_path)[1] == 8
        assert run(200, tmp_path)[1] > 8  # less room may be another answer
