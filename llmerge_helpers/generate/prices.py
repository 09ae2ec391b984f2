"""What tokens cost: prices from `genai-prices`, DeepSeek's peak hours, a quote, a budget."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PEAK_HOURS_UTC = ((1, 4), (6, 10))  # Monday to Friday; Chinese holidays count as peak here, which errs on the dear side

HERE = "rules", "developers"  # teachers that answer in this process, for nothing

Price = Callable[[Mapping[str, int], datetime], "float | None"]  # dollars for these tokens at that time


def is_peak(when: datetime) -> bool:
    """True in DeepSeek's peak hours.

    >>> is_peak(datetime(2026, 11, 24, 2, tzinfo=UTC)), is_peak(datetime(2026, 11, 22, 2, tzinfo=UTC))  # a Sunday
    (True, False)
    """
    when = when.astimezone(UTC)
    return when.weekday() < 5 and any(start <= when.hour < end for start, end in PEAK_HOURS_UTC)


def next_change(when: datetime) -> datetime:
    """When DeepSeek's price changes next."""
    hour = when.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    now = is_peak(when)
    while is_peak(hour) == now:
        hour += timedelta(hours=1)
    return hour


def cost(
    usage: Mapping[str, int], model: str, *, provider: str = "", base_url: str = "", when: datetime | None = None
) -> float | None:
    """US dollars for the tokens in `usage` (as `read_usage` gives them); None if nobody knows the price.

    `provider` is deepseek, rules or developers (free), or empty: then the endpoint's address tells.
    """
    if provider in HERE:
        return 0.0
    when = (when or datetime.now(UTC)).astimezone(UTC)
    hit, prompt, output = (usage.get(k) or 0 for k in ("cache_hit_tokens", "prompt_tokens", "completion_tokens"))
    deepseek = provider == "deepseek" or "deepseek.com" in base_url
    from genai_prices import Usage, calc_price

    # the package refuses more hits than tokens, and such counts were paid for all the same
    tokens = Usage(input_tokens=prompt, cache_read_tokens=min(hit, prompt), output_tokens=output)
    where = {"provider_id": "deepseek"} if deepseek else {"provider_api_url": base_url or None}
    # the package knows no weekends: there it is given the price of noon, which is never a peak
    at = when.replace(hour=12) if deepseek and not is_peak(when) else when
    try:
        return float(calc_price(tokens, model, genai_request_timestamp=at, **where).total_price)
    except (LookupError, ValueError):
        return None


def read_usage(response: Mapping[str, object] | None) -> dict[str, int]:
    """The token counts that a response is billed for, under one set of names; empty where it does not tell them.

    Counts that do not fit together are read the dear way. Some services leave reasoning out of `completion_tokens`:

    >>> told = {"prompt_tokens": 400, "completion_tokens": 50, "total_tokens": 700}
    >>> read_usage({"usage": told | {"completion_tokens_details": {"reasoning_tokens": 250}}})
    {'prompt_tokens': 400, 'completion_tokens': 300, 'reasoning_tokens': 250, 'cache_hit_tokens': 0}
    """
    usage = told_usage(response)
    prompt, completion, total = (_first_count(usage, *names) for names in _NAMES)
    if not completion and _has_text(response):
        completion = max(0, total - prompt)  # something was written: nothing is no count of it
        if not completion:
            return {}
    if not prompt and total <= completion:
        return {}  # no question has no tokens: zeros, or a half that says nothing of the rest
    details = [usage, *(usage.get(f"{name}_tokens_details") for name in ("completion", "output"))]
    reasoning = max(_count(_within(each, f"{name}_tokens")) for each in details for name in ("reasoning", "thinking"))
    if reasoning > completion:  # so it is no part of them
        completion += reasoning
    hit = _first_count(usage, "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens")
    hit = hit or max(_count(_within(usage.get(f"{n}_tokens_details"), "cached_tokens")) for n in ("prompt", "input"))
    if "prompt_tokens" not in usage:  # Anthropic's own names: there, what was read from a cache or put there is beside
        hit += (read := _count(usage.get("cache_read_input_tokens")))
        beside = read + _count(usage.get("cache_creation_input_tokens"))
        prompt, total = prompt + beside, total + beside if total else 0
    return {
        "prompt_tokens": prompt,
        "completion_tokens": max(completion, total - prompt),
        "reasoning_tokens": reasoning,
        "cache_hit_tokens": hit if hit <= prompt else 0,
    }


_NAMES = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"), ("total_tokens",))


def told_usage(response: Mapping[str, object] | None) -> Mapping[str, object]:
    """Where a response tells its usage: at the top, within its first choice (Moonshot) or under `x_groq`."""
    response = response or {}
    choices = response.get("choices")
    places = [response, response.get("x_groq"), choices[0] if isinstance(choices, list) and choices else None]
    found = [usage for place in places if isinstance(usage := _within(place, "usage"), Mapping)]
    counted = (each for each in found if any(_first_count(each, *names) for names in _NAMES))
    return next(counted, found[0] if found else {})


def told_cost(response: Mapping[str, object] | None) -> float | None:
    """The price in US dollars that a response gives itself (OpenRouter, xAI, LiteLLM and others); None without one.

    >>> told_cost({"usage": {"cost": 0.25}}), told_cost({"usage": {"cost_in_usd_ticks": 25 * 10**8}}), told_cost({})
    (0.25, 0.25, None)
    """
    usage = told_usage(response)
    ticks, told = usage.get("cost_in_usd_ticks"), [usage.get(name) for name in _COSTS if usage.get(name) is not None]
    cost = told[0] if told else None
    if isinstance(cost, Mapping):
        if str(cost.get("currency") or "USD").upper() not in ("USD", "$"):
            return None
        cost = next((cost[name] for name in ("total_cost", "total") if cost.get(name) is not None), None)
    cost = ticks / TICKS_IN_A_DOLLAR if _is_amount(ticks) else _amount(cost)
    # with a key of one's own behind it, the router tells its fee, and beside it what that key is charged
    upstream = _within(usage.get("cost_details"), "upstream_inference_cost") if usage.get("is_byok") else None
    return None if not _is_amount(cost) else float(cost) + (float(upstream) if _is_amount(upstream) else 0.0)


TICKS_IN_A_DOLLAR = 10**10
_COSTS = ("cost", "estimated_cost", "cost_usd", "total_cost")


def _amount(value: object) -> object:
    """A number that was written as text, as one; anything else as it is."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return None


def _has_text(response: Mapping[str, object] | None) -> bool:
    choices = (response or {}).get("choices")
    message = _within(choices[0], "message") if isinstance(choices, list) and choices else None
    return any(_within(message, name) for name in ("content", "reasoning_content", "reasoning"))


def _within(details: object, name: str) -> object:
    return details.get(name) if isinstance(details, Mapping) else None


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _count(value: object) -> int:
    return int(value) if _is_amount(value) else 0


def _first_count(usage: Mapping[str, object], *names: str) -> int:
    return next(filter(None, (_count(usage.get(name)) for name in names)), 0)


def worst_usage(body: Mapping[str, object]) -> dict[str, int]:
    """The most tokens that a request can be billed for: a token is a byte or more, the answer `max_tokens` or fewer."""
    text = sum(len(str(m.get("content") or "").encode("utf-8", "surrogatepass")) for m in body["messages"])
    text += len(json.dumps({name: value for name, value in body.items() if name != "messages"}))  # a schema is read too
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    return {"prompt_tokens": text + 32 * len(body["messages"]) + 64, "completion_tokens": int(limit)}


@dataclass
class Budget:
    """What may be spent: every request reserves its worst case before it is sent, so no cap is ever passed.

    `cap` is in US dollars, `max_tokens_total` in tokens of questions and replies, for models whose price nobody knows.
    """

    cap: float = 0.0  # 0: no cap
    max_tokens_total: int = 0  # 0: no cap
    spent: float = 0.0
    unknown: float = 0.0  # the most that attempts without an answer can have cost; nobody tells
    reserved: float = 0.0
    tokens: int = 0  # spent, or at the worst: what nobody tells counts in full
    tokens_reserved: int = 0
    overrun: float = 1.0  # by how much a bill was above the worst case: a service that keeps no limit, a price too low

    def worst(self, amount: float) -> float:
        """The worst case after what this purse has seen."""
        return amount * self.overrun

    def reserve(self, amount: float, tokens: int = 0) -> bool:
        """Set `amount` and `tokens` aside, if both fit."""
        if self.cap and self.spent + self.unknown + self.reserved + amount > self.cap:
            return False
        if tokens and not self.reserve_tokens(tokens):
            return False
        self.reserved += amount
        return True

    def take(self, amount: float, tokens: int) -> None:
        """Set both aside whether they fit or not: it is being spent already."""
        self.reserved += amount
        self.tokens_reserved += tokens

    def give_back(self, amount: float, tokens: int) -> None:
        """Undo a reservation of which nothing was spent."""
        self.settle(amount, 0.0)
        self.settle_tokens(tokens, 0)

    def reserve_tokens(self, tokens: int) -> bool:
        """Set `tokens` aside, if they fit."""
        if self.max_tokens_total and self.tokens + self.tokens_reserved + tokens > self.max_tokens_total:
            return False
        self.tokens_reserved += tokens
        return True

    def settle(self, reserved: float, spent: float, unknown: float = 0.0) -> None:
        """Replace a reservation by what the request cost."""
        self.reserved = max(0.0, self.reserved - reserved)
        self.spent += spent
        self.unknown += unknown

    def settle_tokens(self, reserved: int, used: int) -> None:
        """Replace a reservation of tokens by what the request took."""
        self.tokens_reserved = max(0, self.tokens_reserved - reserved)
        self.tokens += used

    def learn(self, worst: float, bill: float) -> None:
        """Note a bill above the worst case that was expected, so that the next one is not."""
        if 0 < worst < bill:
            self.overrun = max(self.overrun, bill / worst)


@dataclass(frozen=True)
class Quote:
    """What the requests that are still to be made will cost, in US dollars; None where the price is unknown."""

    rows_cached: int
    rows_to_ask: int
    pilot: int
    low: float | None
    expected: float | None
    high: float | None
    worst: float | None
    note: str = ""

    def __str__(self) -> str:
        cached = f"quote: {self.rows_cached} answer{'s' * (self.rows_cached != 1)} on disk"
        if not self.rows_to_ask:
            return f"{cached}, nothing to ask, nothing to pay"
        head = f"{cached}, {self.rows_to_ask} to ask"
        if self.worst is None:
            return f"{head}; no price is known for this model: give its price, or a cap in tokens"
        if not self.worst:
            return f"{head}, for nothing"
        if self.expected is None:
            return f"{head}; at most {_usd(self.worst)}"
        about = f"about {_usd(self.expected)} ({_usd(self.low)} to {_usd(self.high)}, at most {_usd(self.worst)})"
        return f"{head}: {about}, judging by {self.pilot} answers" + (f"; {self.note}" if self.note else "")


def _usd(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 1 else f"${amount:.4f}"


def quote(
    cached: int, bodies: int, known: Sequence[Mapping[str, int]], worst: float | None, price: Price, when: datetime
) -> Quote:
    """The quote for `bodies` requests from the usage of some that were answered.

    Low and high are the mean plus and minus two standard errors, so they hold for the sum of many, not for one.
    `price(usage, when)` gives dollars; `worst` is the sum of the worst cases.
    """
    costs = [price(usage, when) for usage in known]
    if worst is None or len(costs) < 2 or None in costs:
        return Quote(cached, bodies, len(costs), None, None, None, worst)
    mean = statistics.fmean(costs)
    error = 2 * statistics.stdev(costs) * math.sqrt(1 / len(costs) + 1 / max(1, bodies))
    low, high = bodies * max(0.0, mean - error), min(worst, bodies * (mean + error))
    change = next_change(when)
    other = statistics.fmean([price(usage, change) for usage in known])
    note = f"from {change:%a %H:%M} UTC {other / mean:.2g}x as much" if mean and abs(other / mean - 1) > 0.01 else ""
    return Quote(cached, bodies, len(costs), low, bodies * mean, high, worst, note)


def total(usages: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The sum of token counts."""
    names = ("prompt_tokens", "completion_tokens", "reasoning_tokens", "cache_hit_tokens")
    usages = list(usages)
    return {name: sum(usage.get(name) or 0 for usage in usages) for name in names}
