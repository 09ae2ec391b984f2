"""Teachers: which endpoint answers, under which name, with which key, and what is sent to it."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import tokenize
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from llmerge_helpers.conflicts import Conflict, Message, render_answer
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import secret

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
ANSWERS_AS = {"f85e14376e8a": "8b52f81f7eb8"}
_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Service(NamedTuple):
    """A teacher with a name: its address, its model of today, the variable of its key, and fields of its own."""

    base_url: str
    model: str
    key: str
    extra_body: Mapping[str, object] = {}


SERVICES = {
    "deepseek": Service(
        "https://api.deepseek.com", "deepseek-flash", "DEEPSEEK_API_KEY", {"thinking": {"type": "enabled"}}
    ),
}


@dataclass(frozen=True)
class Teacher:
    """An OpenAI-compatible endpoint and what is sent to it; printed or stored, it never shows its key.

    `params` are sampling parameters, `extra_body` fields of this service only; both are part of the request and so of
    the cache key. `cache_url` stands for the endpoint in the key where its address is not stable.
    """

    name: str
    model: str
    base_url: str
    api_key: str = field(default="", repr=False)
    params: Mapping[str, object] = field(default_factory=dict)
    extra_body: Mapping[str, object] = field(default_factory=dict)
    cache_url: str = ""

    @property
    def endpoint(self) -> str:
        """The address as it stands in records and cache keys."""
        return (self.cache_url or self.base_url).rstrip("/")

    @property
    def host(self) -> str:
        """Where it is served, with the port; empty for the rules, which answer in this process."""
        return urlsplit(self.base_url).netloc.rpartition("@")[2]

    @property
    def local(self) -> bool:
        """True where nothing leaves this machine."""
        return self.name == "rules" or _host(self.base_url) in _LOOPBACK

    @property
    def place(self) -> str:
        """Who serves it: a service by its name, any other endpoint by its host."""
        return self.host if self.name == "openai" else self.name

    @property
    def label(self) -> str:
        """What tells it from other teachers: `rules`, or the model and who serves it."""
        return "rules" if self.name == "rules" else f"{self.model} ({self.place})"

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

    def client(self, *, idle_s: float) -> AsyncOpenAI:
        """A client for the running event loop; it retries nothing, since the engine has to see every fault."""
        import httpx2
        from openai import AsyncOpenAI

        # the engine bounds the requests, so a pool that bounds them too could only time out
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30)
        timeout = httpx2.Timeout(idle_s, connect=min(30.0, idle_s), pool=None)
        rules = self.name == "rules" and not self.base_url
        local = rules or _host(self.base_url) in _LOOPBACK  # never through a proxy
        transport = httpx2.MockTransport(answer_by_rules) if rules else None  # no socket: it answers in this process
        http = httpx2.AsyncClient(
            limits=limits, timeout=timeout, trust_env=not local, follow_redirects=False, transport=transport
        )
        address = "http://rules.invalid/v1" if rules else self.base_url
        return AsyncOpenAI(
            api_key=self.api_key or "none", base_url=address, max_retries=0, timeout=timeout, http_client=http
        )


def pick(name: str = "auto", *, model: str = "", base_url: str = "", **params: object) -> Teacher:
    """The teacher called `name`; `auto` is DeepSeek where DEEPSEEK_API_KEY is set, else the rule teacher.

    `model` and `base_url` replace the teacher's own. `params` are sampling parameters (temperature=...). A missing key,
    an unknown name or a model that is retired is an `LlmergeError`.
    """
    if name not in (names := ("auto", *SERVICES, "openai", "rules")):
        raise LlmergeError(f"teacher '{name}' is not known: choose one of {', '.join(names)}.")
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
    if base_url and urlsplit(base_url).scheme not in ("http", "https"):
        raise LlmergeError(f"base_url '{base_url}' is not an http or https address.")
    if name == "rules":
        if model or base_url:
            raise LlmergeError("teacher rules runs on this machine and has no model or base_url: leave both empty.")
        return Teacher("rules", "rules", "", params=params, cache_url=f"rules://{rules_version()}")
    if name in SERVICES:
        return _of_service(name, model, base_url, params)
    if not model:
        raise LlmergeError("teacher openai needs a model: set `model` to a name that the endpoint serves.")
    key = secret("OPENAI_API_KEY") or ""
    if not key and not base_url:
        raise LlmergeError(
            "teacher openai needs OPENAI_API_KEY (in the environment or in Colab's secrets), or a base_url of an "
            "endpoint that needs no key."
        )
    _check_not_retired(model, base_url)
    return Teacher("openai", model, base_url or OPENAI_URL, key, params=params)


def _of_service(name: str, model: str, base_url: str, params: Mapping[str, object]) -> Teacher:
    service = SERVICES[name]
    model = model or service.model
    _check_not_retired(model, service.base_url)
    key = secret(service.key)
    if not key:
        raise LlmergeError(
            f"teacher {name} needs {service.key}, and it is neither in the environment nor in Colab's secrets: "
            "set it there, or set teacher to rules."
        )
    return Teacher(name, model, base_url or service.base_url, key, params=params, extra_body=service.extra_body)


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
