"""Teachers: which endpoint answers, under which name, with which key, and what is sent to it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import math
import os
import re
import tokenize
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from llmerge_helpers.conflicts import Conflict, Message, render_answer
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import prices
from llmerge_helpers.generate.prices import HERE
from llmerge_helpers.generate.request import Dialect
from llmerge_helpers.run import redact, secret

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

OPENAI_URL = "https://api.openai.com/v1"
RETIRED = {"deepseek-reasoner": "2026-07-24", "deepseek-chat": "2026-07-24"}
# DeepSeek takes these in thinking mode, and does nothing with them: sent, they would be fiction in every record.
IGNORED_IN_THINKING = ("temperature", "presence_penalty", "frequency_penalty")
# What the rule teacher's answers rest on: a change in any of these files makes another teacher of it.
RULE_FOLDERS = "baselines", "conflicts"
# Code whose answers are, word for word, those of an older version: they name replies in the
# cache. A test compares the answers; whoever changes one takes the entry out.
ANSWERS_AS = {"66307bb68bcc": "8b52f81f7eb8"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What the engine itself sets, or reads the reply by.
OUR_FIELDS = (
    "messages", "model", "stream", "stream_options", "n", "max_tokens", "max_completion_tokens", "max_output_tokens",
    "max_new_tokens", "extra_body", "extra_headers", "extra_query",
)  # fmt: skip
_PATHS = ("/chat/completions", "/completions", "/responses", "/messages", "/models", "/embeddings")


class Batch(NamedTuple):
    """OpenAI's batch interface at a service: the share of the price that it asks, and the largest file it takes."""

    share: float = 0.5
    most_bytes: int = 200_000_000
    most_requests: int = 50_000


class Service(NamedTuple):
    """A teacher with a name: its address, its model of today, its key's variable, its own fields, its batches."""

    base_url: str
    model: str
    key: str
    extra_body: Mapping[str, object] = {}
    batch: Batch | None = None


SERVICES = {
    "deepseek": Service(
        "https://api.deepseek.com", "deepseek-flash", "DEEPSEEK_API_KEY", {"thinking": {"type": "enabled"}}
    ),
}

# Services that copy OpenAI's files and batches, for teachers that are named by their address only.
BATCHES = {
    "api.openai.com": Batch(),
    "api.groq.com": Batch(),
    "dashscope.aliyuncs.com": Batch(),
    "dashscope-intl.aliyuncs.com": Batch(),
    "api.moonshot.ai": Batch(0.6, 100_000_000),
    "api.moonshot.cn": Batch(0.6, 100_000_000),
}


@dataclass(frozen=True)
class Teacher:
    """An OpenAI-compatible endpoint and what is sent to it; printed or stored, it never shows its key.

    `params` are sampling parameters, `extra_body` fields of this service only; both are part of the request and so of
    the cache key. `cache_url` stands for the endpoint in the key where its address is not stable. `price_in` and
    `price_out` are US dollars per million tokens, given by hand; 0 leaves the price to the table. `batch` is there
    where the endpoint takes whole files of requests.
    """

    name: str
    model: str
    base_url: str
    api_key: str = field(default="", repr=False)
    params: Mapping[str, object] = field(default_factory=dict)
    extra_body: Mapping[str, object] = field(default_factory=dict)
    cache_url: str = ""
    price_in: float = 0.0
    price_out: float = 0.0
    dialect: Dialect = field(default_factory=Dialect, repr=False, compare=False)  # what the service has taught us
    batch: Batch | None = None

    @property
    def endpoint(self) -> str:
        """The address as it stands in records and cache keys."""
        return (self.cache_url or self.base_url).rstrip("/")

    @property
    def host(self) -> str:
        """Where it is served, with the port; empty for those that answer in this process."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def local(self) -> bool:
        """True where nothing leaves this machine."""
        return self.name in HERE or _host(self.base_url) in _LOOPBACK

    @property
    def knows_answers(self) -> bool:
        """True if its replies are the answers by which others are judged: it measures nothing."""
        return self.name == "developers"

    @property
    def place(self) -> str:
        """Who serves it: a service by its name, any other endpoint by its host."""
        return self.host if self.name == "openai" else self.name

    @property
    def label(self) -> str:
        """What tells it from other teachers: `rules`, `developers`, or the model and who serves it."""
        return self.name if self.name in HERE else f"{self.model} ({self.place})"

    @property
    def thinking(self) -> bool:
        """True where the service was told to think before it answers."""
        asked = self.extra_body.get("thinking")
        return isinstance(asked, Mapping) and asked.get("type") == "enabled"

    @property
    def ignored(self) -> tuple[str, ...]:
        """Parameters that are left out of the request because thinking mode ignores them."""
        return tuple(k for k in IGNORED_IN_THINKING if k in {**self.params, **self.extra_body}) if self.thinking else ()

    def body(self, messages: list[Message], max_tokens: int) -> dict[str, object]:
        """Exactly what is sent: the JSON body of one streamed request."""
        limit = "max_completion_tokens" if _host(self.base_url) == "api.openai.com" else "max_tokens"
        fixed = {"model": self.model, "messages": messages, limit: max_tokens}
        fixed |= {"stream": True, "stream_options": {"include_usage": True}}
        more = {k: v for k, v in {**self.params, **self.extra_body}.items() if k not in self.ignored}
        return fixed | more

    def cost(self, usage: Mapping[str, int], when: datetime | None = None) -> float | None:
        """US dollars for the tokens in `usage`; None where nobody knows the price."""
        if self.price_in or self.price_out:
            tokens = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
            return (tokens[0] * self.price_in + tokens[1] * self.price_out) / 1e6
        return prices.cost(usage, self.model, provider=self.name, base_url=self.base_url, when=when)

    def bill(self, response: Mapping[str, object], when: datetime) -> tuple[dict[str, int], float | None]:
        """The tokens and the US dollars of a response; {} and None where it does not tell, which is not free."""
        usage = prices.read_usage(response)
        known, told = self.cost(usage, when) if usage else None, prices.told_cost(response)
        # nothing at all is what a router says of a price that it does not know
        return usage, told if told or (known is None and usage) else known

    def client(self, *, idle_s: float) -> AsyncOpenAI:
        """A client for the running event loop; it retries nothing, since the engine has to see every fault."""
        import httpx2
        from openai import AsyncOpenAI, DefaultAioHttpClient

        _check_key(self.api_key)
        _check_address(self.base_url)
        # the engine bounds the requests, so a pool that bounds them too could only time out (aiohttp: 0 is no bound)
        limits = httpx2.Limits(max_connections=0, keepalive_expiry=30)
        timeout = httpx2.Timeout(idle_s, connect=min(30.0, idle_s), pool=None)
        rules = self.name == "rules" and not self.base_url
        local = rules or _host(self.base_url) in _LOOPBACK  # never through a proxy
        make, transport = DefaultAioHttpClient, None  # half the processor time of httpx2's own transport
        if rules:
            transport = httpx2.MockTransport(answer_by_rules)  # no socket: it answers in this process
        elif not local and any(address.startswith("socks") for address in getproxies().values()):
            make, limits = httpx2.AsyncClient, httpx2.Limits(keepalive_expiry=30)  # aiohttp knows no such proxy
        options = {"limits": limits, "timeout": timeout, "transport": transport}
        try:
            # to read the certificates takes a tenth of a second, and without TLS there is nothing to check with them
            checked = not (local and self.base_url.startswith("http://"))
            http = make(trust_env=not local, follow_redirects=False, verify=checked, **options)
        except (ImportError, ValueError, OSError, httpx2.InvalidURL) as error:
            raise LlmergeError(_why_no_client(error)) from None
        address = "http://rules.invalid/v1" if rules else self.base_url
        return AsyncOpenAI(
            api_key=self.api_key or "none", base_url=address, max_retries=0, timeout=timeout, http_client=http
        )


def pick(
    name: str = "auto",
    *,
    model: str = "",
    base_url: str = "",
    request: Mapping[str, object] | str = "",
    price_in: float = 0.0,
    price_out: float = 0.0,
    price: str = "",
    split: str = "train",
    **params: object,
) -> Teacher:
    """The teacher called `name`; `auto` is DeepSeek where DEEPSEEK_API_KEY is set, else the rule teacher.

    `developers` hands out what was committed, so `split`, of which the conflicts are, must be train for it.

    `model` and `base_url` replace the teacher's own. `request`, a mapping or the text of a JSON object, is merged into
    every request (temperature, reasoning_effort, a provider's options), as are `params`. `price_in` and `price_out`
    are US dollars per million tokens, for a model whose price is not known; `price` is both in one text, "0.14,0.28".
    A missing key, an unknown name or a model that is retired is an `LlmergeError`.
    """
    if name not in (names := ("auto", *SERVICES, "openai", *HERE)):
        raise LlmergeError(f"teacher '{name}' is not known: choose one of {', '.join(names)}.")
    _check_address(base_url)
    if model != model.strip() or not model.isprintable():
        raise LlmergeError(f"model {model!r} has blanks around it, or a character that cannot be seen: take them out.")
    price_in, price_out = _read_price(price) if price else (price_in, price_out)
    more = {"extra_body": _fields(request), **_prices(price_in, price_out), "params": params}
    if name == "auto":
        if not secret("DEEPSEEK_API_KEY") and (base_url or model):
            raise LlmergeError(
                "model or base_url is set, but teacher is auto and there is no DEEPSEEK_API_KEY: "
                "set teacher to openai (any OpenAI-compatible endpoint), or set the key."
            )
        if base_url and not _host(base_url).endswith("deepseek.com"):
            raise LlmergeError(
                f"teacher is auto and base_url is {_host(base_url)}: set teacher to openai, or to deepseek if "
                "DEEPSEEK_API_KEY shall be sent there."
            )
        name = "deepseek" if secret("DEEPSEEK_API_KEY") else "rules"
    if name in HERE:
        if model or base_url:
            raise LlmergeError(f"teacher {name} runs on this machine and has no model or base_url: leave both empty.")
        if more["extra_body"] or price_in:
            raise LlmergeError(
                f"teacher {name} runs on this machine and takes no request and no price: leave them out."
            )
        if name == "developers" and split != "train":
            raise LlmergeError(
                f"teacher developers hands out the answers, and split is {split}, on which models are measured: "
                "set split to train, or choose another teacher."
            )
        version = f"rules://{rules_version()}" if name == "rules" else "developers://committed"
        return Teacher(name, name, "", params=params, cache_url=version)
    if name in SERVICES:
        return _of_service(name, model, base_url, more)
    if not model:
        raise LlmergeError("teacher openai needs a model: set `model` to a name that the endpoint serves.")
    key = secret("OPENAI_API_KEY") or ""
    if not key and not base_url:
        raise LlmergeError(
            "teacher openai needs OPENAI_API_KEY (in the environment or in Colab's secrets), or a base_url of an "
            "endpoint that needs no key."
        )
    _check_not_retired(model, base_url)
    _check_key(key, "OPENAI_API_KEY")
    address = base_url or OPENAI_URL
    return Teacher("openai", model, address, key, batch=BATCHES.get(_host(address)), **more)


def _of_service(name: str, model: str, base_url: str, more: Mapping[str, object]) -> Teacher:
    service = SERVICES[name]
    model = model or service.model
    _check_not_retired(model, service.base_url)
    key = secret(service.key)
    if not key:
        raise LlmergeError(
            f"teacher {name} needs {service.key}, and it is neither in the environment nor in Colab's secrets: "
            "set it there, or set teacher to rules."
        )
    _check_key(key, service.key)
    more = {**more, "extra_body": {**service.extra_body, **more["extra_body"]}}
    batch = BATCHES.get(_host(base_url)) if base_url else service.batch
    return Teacher(name, model, base_url or service.base_url, key, batch=batch, **more)


def _fields(request: Mapping[str, object] | str) -> dict[str, object]:
    """The fields of `request`, if they are a JSON object that can be merged into a body."""
    example = """such as {"temperature": 0.6}"""
    if isinstance(request, str) and request.strip():
        try:
            request = json.loads(request)
        except ValueError as error:
            raise LlmergeError(f"request is not JSON ({error}): give one JSON object, {example}.") from None
    fields = request if request and not isinstance(request, str) else {}
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) and name.strip() for name in fields):
        raise LlmergeError(f"request {request!r} is no JSON object: give one, {example}.")
    if ours := [name for name in fields if name in OUR_FIELDS]:
        other = (
            "max_tokens, model and samples are parameters of their own"
            if ours[0] in ("n", "model") or (ours[0].startswith("max_"))
            else "the engine sets it, and reads the replies by it"
        )
        raise LlmergeError(f"request must not hold {' or '.join(ours)}: {other}.")
    try:
        json.dumps(fields, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LlmergeError(f"request holds what JSON cannot say ({error}): give numbers, texts and lists.") from None
    return dict(fields)


def _read_price(text: str) -> tuple[float, float]:
    """The two prices in a text like `0.14,0.28`."""
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        raise LlmergeError(
            f"price {text!r} is no price: give US dollars per million tokens in and out, such as 0.14,0.28."
        ) from None
    return first, second


def _prices(price_in: float, price_out: float) -> dict[str, float]:
    for price in (price_in, price_out):
        if not math.isfinite(price) or price < 0:
            raise LlmergeError(f"price_in and price_out are US dollars per million tokens, 0 or more; got {price}.")
    if bool(price_in) != bool(price_out):
        raise LlmergeError(
            f"price_in is {price_in:g} and price_out is {price_out:g}: give both, in US dollars per million tokens, "
            "or leave both at 0."
        )
    return {"price_in": float(price_in), "price_out": float(price_out)}


def _check_address(base_url: str) -> None:
    """Raise an `LlmergeError` for an address that no request can be sent to."""
    if not base_url:
        return
    shown, advice = redact(base_url), "give the part before /chat/completions, such as http://localhost:8000/v1"
    if base_url != base_url.strip() or re.search(r"\s", base_url) or not base_url.isprintable():
        raise LlmergeError(f"base_url '{shown}' has blanks in or around it: take them out.")
    try:
        parts = urlsplit(base_url)
        port_is_read = parts.port is None or parts.port > 0
    except ValueError as error:
        raise LlmergeError(f"base_url '{shown}' is no address ({error}): {advice}.") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_read:
        raise LlmergeError(f"base_url '{shown}' is not an http or https address: {advice}.")
    if parts.query or parts.fragment or base_url.endswith(("?", "#")):
        behind = base_url[len(base_url.split("?")[0].split("#")[0]) :]
        raise LlmergeError(
            f"base_url '{shown}' goes on with {redact(behind)}, which cannot be sent there: leave it out (Azure "
            "needs no api-version at https://NAME.openai.azure.com/openai/v1)."
        )
    if end := next((end for end in _PATHS if parts.path.rstrip("/").endswith(end)), ""):
        raise LlmergeError(f"base_url '{shown}' ends in {end}, which is added to it: {advice}.")


def _check_key(key: str, name: str = "the API key") -> None:
    """Raise an `LlmergeError` for a key that no header can carry; it is never shown."""
    wrong = next((sign for sign in key if not "!" <= sign <= "~"), None)
    if wrong is not None:
        what = unicodedata.name(wrong, "a control character").lower()
        raise LlmergeError(
            f"{name} holds {what} (sign {key.index(wrong) + 1} of {len(key)}), which no key does: copy the key anew, "
            "without quotes or blanks."
        )


def _why_no_client(error: Exception) -> str:
    certificates = next((name for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)), "SSL_CERT_FILE")
    if isinstance(error, OSError):
        return (
            f"{certificates} is {os.environ.get(certificates, 'not set')!r}, and no certificates can be read there "
            f"({error.strerror or error}): name a file of certificates, or unset it."
        )
    if isinstance(error, ImportError):
        return (
            "the environment names a SOCKS proxy (ALL_PROXY or HTTPS_PROXY), and the package for it is not there: "
            "`pip install socksio`, or unset the variable, or name an http proxy."
        )
    return (
        f"the proxy of the environment (HTTPS_PROXY, ALL_PROXY) is no address ({redact(str(error))}): mend or unset it."
    )


def _check_not_retired(model: str, base_url: str) -> None:
    if model in RETIRED and _host(base_url).endswith("deepseek.com"):
        raise LlmergeError(
            f"the model name {model} was retired on {RETIRED[model]}: today's names are deepseek-flash and "
            "deepseek-v4-pro, both think by default. R1's own weights are served by other hosts: "
            "set teacher to openai, with base_url and model."
        )


@cache
def rules_version() -> str:
    """A digest of the code that the rule teacher's answers rest on, so that those of other rules are not reused."""
    package = Path(__file__).parents[1]
    found = digest_of_code(path for folder in RULE_FOLDERS for path in (package / folder).glob("*.py"))
    return ANSWERS_AS.get(found, found)


def digest_of_code(files: Iterable[Path]) -> str:
    """A digest of Python files by name and code, twelve letters; comments and blank lines do not count."""
    digest = hashlib.sha256()
    for path in sorted(files):
        source = path.read_text(encoding="utf-8")
        lines = source.splitlines()
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                row, column = token.start
                lines[row - 1] = lines[row - 1][:column]
        code = "\n".join(line.rstrip() for line in lines if line.strip())
        digest.update(f"{path.parent.name}/{path.name}\0{code}\0".encode())
    return digest.hexdigest()[:12]


async def balance(teacher: Teacher, client: AsyncOpenAI) -> str | None:
    """The account's balance where the service tells it (DeepSeek does), as `9.50 USD`; None where it does not."""
    import openai

    if teacher.name != "deepseek":
        return None
    try:
        answer = await client.get("/user/balance", cast_to=object)
        infos = answer["balance_infos"]
        return ", ".join(f"{info['total_balance']} {info['currency']}" for info in infos) or None
    except (openai.APIError, KeyError, TypeError, ValueError):
        return None


def _host(base_url: str) -> str:
    return urlsplit(base_url).hostname or ""


# ---------------------------------------------------------------------------------------------------- the rule teacher


async def answer_by_rules(request: httpx2.Request) -> httpx2.Response:
    """The rule teacher as the other end of an HTTP client: the one client, cache, faults and accounting run over it."""
    import httpx2

    try:
        body = json.loads(request.content)
        # a large conflict takes a while, and the client lives on this very event loop
        reasoning, content = await asyncio.to_thread(reply, body["messages"])
    except Exception as error:  # a conflict that a rule stumbles over fails with its reason, and alone
        message = {"message": f"{type(error).__name__}: {error}", "type": "invalid_request_error"}
        return httpx2.Response(400, json={"error": message})
    prompt = sum(len(str(m.get("content"))) for m in body["messages"]) // 4
    usage = {"prompt_tokens": prompt, "completion_tokens": (len(reasoning) + len(content)) // 4}
    usage["total_tokens"] = sum(usage.values())
    details = {"completion_tokens_details": {"reasoning_tokens": len(reasoning) // 4}}
    common = {"id": "rules", "created": 0, "model": "rules", "system_fingerprint": f"rules-{rules_version()}"}
    if not body.get("stream"):
        message = {"role": "assistant", "content": content, "reasoning_content": reasoning}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        more = {"object": "chat.completion", "choices": [choice], "usage": usage | details}
        return httpx2.Response(200, json=common | more)
    deltas = [{"role": "assistant", "content": None, "reasoning_content": ""}, {"reasoning_content": reasoning}]
    chunks = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    chunks += [{"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": "stop"}]}]
    chunks += [{"choices": [], "usage": usage | details}]
    common["object"] = "chat.completion.chunk"
    events = [f"data: {json.dumps(common | chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content="".join(events).encode())


def reply(messages: list[Message]) -> tuple[str, str]:
    """The rule teacher's reasoning and answer to a chat; all it knows is what the question says."""
    from llmerge_helpers.baselines.explain import explain

    question = next((m["content"] for m in reversed(messages) if m["role"] == "user"), "")
    conflict = Conflict.of({"question": question})
    resolution, reasoning = explain(conflict)
    return reasoning, render_answer(conflict.with_(resolution), conflict.language)
