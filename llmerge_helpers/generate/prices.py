"""What tokens cost: prices from `genai-prices`, DeepSeek's peak hours, a quote, a budget."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PEAK_HOURS_UTC = ((1, 4), (6, 10))  # Monday to Friday; Chinese holidays count as peak here, which errs on the dear side

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

    `provider` is deepseek, rules (free), or empty: then the endpoint's address tells.
    """
    if provider == "rules":
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
    """The token counts of a response under one set of names; empty if it has none, 0 for what is no count.

    >>> read_usage({"usage": {"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 4}})
    {'prompt_tokens': 9, 'completion_tokens': 5, 'reasoning_tokens': 0, 'cache_hit_tokens': 4}
    """
    usage = (response or {}).get("usage")
    if not isinstance(usage, Mapping):
        return {}
    hit = usage.get("prompt_cache_hit_tokens")
    if hit is None:
        hit = _within(usage.get("prompt_tokens_details"), "cached_tokens")
    prompt = _count(usage.get("prompt_tokens"))
    return {
        "prompt_tokens": prompt,
        "completion_tokens": _count(usage.get("completion_tokens")),
        "reasoning_tokens": _count(_within(usage.get("completion_tokens_details"), "reasoning_tokens")),
        "cache_hit_tokens": min(_count(hit), prompt),
    }


def _within(details: object, name: str) -> object:
    return details.get(name) if isinstance(details, Mapping) else None


def _count(value: object) -> int:
    return max(0, int(value)) if isinstance(value, int | float) and math.isfinite(value) else 0


def worst_usage(body: Mapping[str, object]) -> dict[str, int]:
    """The most tokens that a request can be billed for: a token is a byte or more, the answer `max_tokens` or fewer."""
    text = sum(len(str(m.get("content") or "").encode("utf-8", "surrogatepass")) for m in body["messages"])
    limit = body.get("max_tokens") or body.get("max_completion_tokens") or 0
    return {"prompt_tokens": text + 32 * len(body["messages"]) + 64, "completion_tokens": int(limit)}


@dataclass
class Budget:
    """Money that may be spent: every request reserves its worst case before it is sent, so `cap` is never passed."""

    cap: float = 0.0  # 0: no cap
    spent: float = 0.0
    unknown: float = 0.0  # the most that attempts without an answer can have cost; nobody tells
    reserved: float = 0.0

    def reserve(self, amount: float) -> bool:
        """Set `amount` aside, if it fits."""
        if self.cap and self.spent + self.unknown + self.reserved + amount > self.cap:
            return False
        self.reserved += amount
        return True

    def settle(self, reserved: float, spent: float, unknown: float = 0.0) -> None:
        """Replace a reservation by what the request cost."""
        self.reserved = max(0.0, self.reserved - reserved)
        self.spent += spent
        self.unknown += unknown


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
            return f"{head}; no price is known for this model"
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
