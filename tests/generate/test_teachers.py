"""Teachers, what is sent to them, what it costs, and the rule teacher's endpoint."""

from __future__ import annotations

import asyncio
import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from itertools import permutations

import httpx2
import pytest
from fault_server import KEY, FaultServer, make_rows

from llmerge_helpers import merges
from llmerge_helpers.baselines import explain as explaining
from llmerge_helpers.conflicts import Conflict, messages
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Teacher, generate, pick, prices, teachers
from llmerge_helpers.generate.pacing import retry_after, told_wait
from llmerge_helpers.generate.request import FAULTS, Fault, kind_of_status
from llmerge_helpers.generate.teachers import answer_by_rules, balance, rules_version

TUESDAY_NIGHT, TUESDAY_NOON = datetime(2026, 11, 24, 2, tzinfo=UTC), datetime(2026, 11, 24, 12, tzinfo=UTC)
SUNDAY_NIGHT = datetime(2026, 11, 22, 2, tzinfo=UTC)
MILLION = {"prompt_tokens": 10**6, "completion_tokens": 10**6, "cache_hit_tokens": 0}


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("DEEPSEEK_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


# ---- picking


def test_auto_is_deepseek_where_its_key_is_set(monkeypatch):
    assert pick().name == "rules"
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    teacher = pick()
    assert (teacher.name, teacher.model, teacher.base_url) == ("deepseek", "deepseek-flash", "https://api.deepseek.com")
    assert pick("rules").name == "rules"


def test_no_key_is_one_sentence_that_names_both_places():
    with pytest.raises(LlmergeError, match="DEEPSEEK_API_KEY.*environment.*Colab"):
        pick("deepseek")
    with pytest.raises(LlmergeError, match="OPENAI_API_KEY"):
        pick("openai", model="m")


@pytest.mark.parametrize("name", ["deepseek-reasoner", "deepseek-chat"])
def test_a_retired_model_gets_a_sentence_with_todays_names(monkeypatch, name):
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    for pick_it in (
        lambda: pick("deepseek", model=name),
        lambda: pick("openai", model=name, base_url="https://api.deepseek.com/v1"),
    ):
        with pytest.raises(LlmergeError, match="retired on 2026-07-24.*deepseek-flash and deepseek-v4-pro"):
            pick_it()
    assert pick("openai", model=name, base_url="http://localhost:8000/v1").model == name


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"name": "gpt"}, "choose one of auto, deepseek, openai, rules"),
        ({"name": "openai", "base_url": "http://h/v1"}, "needs a model"),
        ({"name": "openai", "model": "m", "base_url": "h:80"}, "not an http"),
        ({"name": "rules", "model": "m"}, "has no model"),
        ({"name": "auto", "base_url": "http://h/v1"}, "set teacher to openai"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments, word):
    with pytest.raises(LlmergeError, match=word):
        pick(**arguments)


def test_a_teacher_never_shows_its_key(monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    teacher = pick("deepseek")
    assert teacher.api_key == KEY
    assert KEY not in repr(teacher) + str(teacher) + teacher.endpoint + json.dumps(teacher.body([], 1))


# ---- what is sent


def test_parameters_that_thinking_ignores_are_left_out():
    thinking = {"thinking": {"type": "enabled"}}
    teacher = Teacher("deepseek", "m", "http://h", params={"temperature": 0.6, "top_p": 0.9}, extra_body=thinking)
    body = teacher.body([{"role": "user", "content": "x"}], 7)
    assert teacher.ignored == ("temperature",)
    assert body == {
        "model": "m", "messages": [{"role": "user", "content": "x"}], "max_tokens": 7, "stream": True,
        "stream_options": {"include_usage": True}, "top_p": 0.9, **thinking,
    }  # fmt: skip
    plain = Teacher("openai", "m", "http://h", params={"temperature": 0.6})
    assert plain.ignored == () and plain.body([], 7)["temperature"] == 0.6


@pytest.mark.parametrize(
    "usage",
    [
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": 40},
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": ["cached"]},
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": float("nan")}},
        {"prompt_tokens": 10, "completion_tokens": 5, "completion_tokens_details": "none"},
        {"prompt_tokens": 10, "completion_tokens": 5, "prompt_cache_hit_tokens": -3},
    ],
)
def test_counts_that_do_not_fit_together_cost_no_answer(usage):
    found = prices.read_usage({"usage": usage})
    assert (found["prompt_tokens"], found["completion_tokens"]) == (10, 5) and 0 <= found["cache_hit_tokens"] <= 10
    assert prices.cost(found, "deepseek-flash", provider="deepseek") > 0
    assert prices.cost({**found, "cache_hit_tokens": 40}, "deepseek-flash", provider="deepseek") is not None


def test_openai_itself_wants_another_name_for_max_tokens():
    body = Teacher("openai", "m", "https://api.openai.com/v1").body([], 7)
    assert body["max_completion_tokens"] == 7 and "max_tokens" not in body


# ---- what it costs


def test_peak_hours_cost_twice_but_not_on_weekends():
    costs = [
        prices.cost(MILLION, "deepseek-flash", provider="deepseek", when=when)
        for when in (TUESDAY_NOON, TUESDAY_NIGHT, SUNDAY_NIGHT)
    ]
    assert costs == pytest.approx([0.75, 1.5, 0.75])


@pytest.mark.parametrize(
    ("model", "hit", "miss", "output"),
    [
        ("deepseek-flash", 0.003, 0.15, 0.60),
        ("deepseek-v4-flash", 0.003, 0.15, 0.60),
        ("deepseek-v4-pro", 0.022, 0.66, 1.98),
    ],
)
def test_the_package_knows_todays_prices_and_their_peaks(model, hit, miss, output):
    """DeepSeek's price page of 2026-11-15, US dollars per million tokens."""
    usage = MILLION | {"cache_hit_tokens": 400_000}
    for when, factor in ((TUESDAY_NOON, 1), (TUESDAY_NIGHT, 2), (SUNDAY_NIGHT, 1)):
        known = prices.cost(usage, model, provider="deepseek", when=when)
        assert known == pytest.approx(factor * (0.4 * hit + 0.6 * miss + output))


def test_an_unknown_price_is_none_and_the_rules_are_free():
    assert prices.cost(MILLION, "nobody-knows", base_url="http://localhost:8000/v1") is None
    assert prices.cost(MILLION, "rules", provider="rules") == 0.0
    assert prices.cost(MILLION, "gpt-4o-mini", base_url="https://api.openai.com/v1", when=TUESDAY_NOON) > 0


def test_cached_tokens_are_read_in_both_dialects():
    openai = {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}}}
    assert prices.read_usage(openai)["cache_hit_tokens"] == 4
    assert prices.read_usage({"usage": None}) == {} == prices.read_usage(None)


def test_the_worst_case_bounds_every_tokenizer():
    body = {"messages": [{"role": "user", "content": "é" * 100}], "max_tokens": 50}
    worst = prices.worst_usage(body)
    assert worst["prompt_tokens"] >= 200 and worst["completion_tokens"] == 50


def test_a_budget_never_promises_more_than_its_cap():
    budget = prices.Budget(cap=1.0)
    assert budget.reserve(0.6) and not budget.reserve(0.6)
    budget.settle(0.6, spent=0.1)
    assert budget.reserve(0.6)
    budget.settle(0.6, spent=0.0, unknown=0.6)
    assert not budget.reserve(0.4) and budget.reserve(0.2)
    assert prices.Budget().reserve(1e9)


def test_a_quote_says_when_the_price_changes():
    usage = [{"prompt_tokens": 1000, "completion_tokens": 1000 + n} for n in range(5)]

    def price(u, when):
        return prices.cost(u, "deepseek-flash", provider="deepseek", when=when)

    quote = prices.quote(7, 100, usage, 99.0, price, TUESDAY_NIGHT)
    assert quote.low < quote.expected < quote.high <= 99.0
    assert quote.expected == pytest.approx(100 * (1000 * 0.3 + 1002 * 1.2) / 1e6)
    assert "from Tue 04:00 UTC 0.5x as much" in str(quote)
    assert "nothing to pay" in str(prices.quote(7, 0, [], 0.0, price, TUESDAY_NOON))


def test_balance_is_read_where_the_service_tells_it():
    async def read(server, **changes):
        teacher = server.teacher(**changes)
        async with teacher.client(idle_s=5) as client:
            return await balance(teacher, client)

    with FaultServer(balance="9.50") as server:
        assert asyncio.run(read(server)) == "9.50 USD"
        assert asyncio.run(read(server, name="openai")) is None
        server.options.balance = None
        assert asyncio.run(read(server)) is None


# ---- faults


@pytest.mark.parametrize(
    ("status", "text", "kind", "action"),
    [
        (400, "Invalid format", "bad_request", "fail"),
        (404, "no such page", "bad_request", "fail"),
        (422, "bad field", "bad_request", "fail"),
        (413, "too large", "bad_request", "fail"),
        (400, "Model Not Exist", "unknown_model", "stop"),
        (404, "The model `x` does not exist", "unknown_model", "stop"),
        (401, "", "no_access", "stop"),
        (402, "Insufficient Balance", "no_balance", "stop"),
        (429, "insufficient_quota", "no_balance", "stop"),
        (429, "slow down", "rate_limit", "retry"),
        (500, "", "server_error", "retry"),
        (502, "", "server_error", "retry"),
        (504, "", "server_error", "retry"),
        (503, "", "overloaded", "retry"),
    ],
)
def test_the_retry_table(status, text, kind, action):
    assert kind_of_status(status, text) == kind and FAULTS[kind].action == action


def test_retry_after_in_seconds_as_a_date_and_as_nonsense():
    assert retry_after({"retry-after": "Tue, 24 Nov 2026 12:00:30 GMT"}, now=TUESDAY_NOON.timestamp()) == 30.0
    assert retry_after({"retry-after": "Tue, 24 Nov 2026 11:00:00 GMT"}, now=TUESDAY_NOON.timestamp()) == 0.0
    for text in ("-3", "soon", "nan", "inf", ""):
        assert retry_after({"retry-after": text}) == 0.0
    assert retry_after({"retry-after-ms": "soon", "retry-after": "1m30s"}) == 90.0
    known = {
        "try again in 20s": 20,
        "retry after 2 minutes": 120,
        "Please wait 1 hour, 5 min.": 3900,
        "wait 3 files": 0,
    }
    assert {text: told_wait(text) for text in known} == known


def test_a_fault_never_repeats_a_secret(monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "plain-secret-value")
    fault = Fault("no_access", f"invalid key {KEY} plain-secret-value")
    assert KEY not in str(fault) and "plain-secret-value" not in str(fault)


# ---- the rule teacher

# what the rules say about the bundled conflicts and these, word for word, under the version that stands beside it
SAID = "8b52f81f7eb8", "0c8a8de0bcc252c1"


def test_replies_of_other_rules_are_never_reused(tmp_path):
    """A file of the rules that is not hashed would let replies of old rules stand for new ones, in silence."""
    script = (
        "import sys\n"
        "from llmerge_helpers.baselines.explain import explain\n"
        "from llmerge_helpers.conflicts import Conflict\n"
        "explain(Conflict(ours='a', base='b', theirs='c'))\n"
        "print(*{name.split('.')[1] for name in sys.modules if name.startswith('llmerge_helpers.')})"
    )
    used = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert set(used) - {"errors"} == set(teachers.RULE_FOLDERS)
    path = tmp_path / "rules.py"
    digests = []
    for source in (
        "x = 1\n",
        "x = 2\n",
        "x = '#1'\n",
        "x = '#2'\n",
        "def f():\n    return x\n",
        "def f():\n  return x\n",
    ):
        path.write_text(source)
        digests.append(teachers.digest_of_code([path]))
    assert len(set(digests)) == len(digests)
    path.write_text("# why\n\nx = 1  # what\n")
    assert teachers.digest_of_code([path]) == digests[0]
    path.rename(tmp_path / "other.py")
    assert teachers.digest_of_code([tmp_path / "other.py"]) != digests[0]


def test_the_version_of_the_rules_is_that_of_what_they_say():
    """The words of the rules decide: replies in a cache are found as long as these are the same, and no longer."""
    texts = [
        {"ours": a, "base": b, "theirs": c, "before": "f(\n", "after": ")\n"} for a, b, c in permutations(SIDES, 3)
    ]
    dataset = merges.load("sample")
    texts += [dict(row) for split in sorted(dataset) for row in dataset[split]]
    said = hashlib.sha256(json.dumps([explaining.explain(Conflict.of(row)) for row in texts]).encode()).hexdigest()[:16]
    assert (rules_version(), said) == SAID, "the rules say something else: take their entry out of ANSWERS_AS"


SIDES = (
    "", "  a = 1\n", "  a = 2\n", "  a = 1\n  b = 2\n", "import os\n", "import re\n", "  b = f(1, 2)\n  a = 1\n",
    "  a =  1\n",
)  # fmt: skip


@pytest.fixture
def explain(monkeypatch):
    """Seen by the rule teacher: what it was given."""
    seen = []

    def fake(conflict):
        seen.append(conflict)
        return conflict.ours, "Ours is newer."

    monkeypatch.setattr(explaining, "explain", fake)
    return seen


@pytest.mark.parametrize("stream", [False, True])
def test_the_rule_teacher_speaks_the_api(explain, stream):
    row = make_rows(1)[0]

    async def ask():
        teacher = pick("rules")
        async with teacher.client(idle_s=20) as client:
            assert teacher.endpoint == f"rules://{rules_version()}"  # no port in the key
            create = client.chat.completions.create
            answer = await create(model="rules", messages=messages(row), stream=stream)
            if not stream:
                message = answer.choices[0].message
                return message.reasoning_content, message.content, answer.usage.completion_tokens
            parts = [chunk async for chunk in answer]
            deltas = [choice.delta for chunk in parts for choice in chunk.choices]
            reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
            return reasoning, "".join(delta.content or "" for delta in deltas), parts[-1].usage.completion_tokens

    reasoning, content, tokens = asyncio.run(ask())
    assert reasoning == "Ours is newer." and "```java\nf(\n  a0\n)\n```" in content and tokens > 0
    assert explain == [Conflict.of(row)]


def test_the_rule_teacher_needs_no_server_and_is_found_in_the_cache_again(explain, tmp_path, caplog):
    def run():
        return asyncio.run(generate(make_rows(3), pick("rules"), progress=False, cache_dir=str(tmp_path)))

    first, again = run(), run()
    assert [result.verdict.match_type for result in first] == ["exact_match"] * 3
    assert first[0].cost_usd == 0.0 and first[0].system_fingerprint == f"rules-{rules_version()}"
    assert len(explain) == 3 and all(result.cached for result in again)
    assert not caplog.records


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'{"messages": []}', b'{"messages": [{"role": "user", "content": "hi"}]}']
)
def test_the_rule_teacher_refuses_nonsense_politely(raw):
    answer = asyncio.run(answer_by_rules(httpx2.Request("POST", "http://rules.invalid/v1", content=raw)))
    assert answer.status_code == 400 and answer.json()["error"]["message"]


def test_the_key_of_one_service_is_not_sent_to_another(monkeypatch):
    monkeypatch.setenv("DEEPSEEK_API_KEY", KEY)
    with pytest.raises(LlmergeError, match="set teacher to openai, or to deepseek if"):
        pick("auto", model="m", base_url="http://elsewhere.example/v1")
    assert pick("auto", base_url="https://api.deepseek.com/v1").name == "deepseek"
