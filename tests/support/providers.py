"""What each service says, in its own shape: replies, streams, usage, refusals. A service is one entry of `PROVIDERS`.

Shapes and wordings as the services document them, or as people have reported them; none is copied.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fault_server import KEY, Raw
from genai_prices import Usage, calc_price

from llmerge_helpers.generate import Teacher

Json = dict[str, object]


@dataclass(frozen=True)
class Tokens:
    """What one reply really took; the bill rests on these, however the service tells them."""

    prompt: int
    cached: int
    reasoning: int
    answer: int

    @property
    def out(self) -> int:
        return self.reasoning + self.answer


@dataclass(frozen=True)
class Refusal:
    """A refusal in a service's own words; `cure` stands in the sentence that stops the run."""

    status: int
    body: object
    cure: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Provider:
    """One service. `told` is its usage, `place` where a stream says it: end, choice, x_groq, or nowhere at all."""

    base_url: str
    model: str
    told: Callable[[Tokens], Json]
    refusals: tuple[Refusal, ...]
    name: str = "openai"  # that of the teacher
    reasoning: str = "reasoning_content"  # a field of the message; or tags, thought, parts, hidden
    place: str = "end"
    price_in: float = 0.0  # by hand, where the table has none
    price_out: float = 0.0
    markup: float = 0.0  # the service says itself what it takes: so many times the price of the table
    finish: str = "stop"
    newline: str = "\n"
    content_type: str = "text/event-stream; charset=utf-8"
    comment: str = ""
    extra: Json = field(default_factory=dict)  # of every chunk and reply
    first: tuple[Json, ...] = ()  # chunks before the reply
    repeats: bool = False  # its last chunk holds the whole message again

    def bill(self, tokens: Tokens) -> float:
        """What the service takes for a reply, by the price table and the true counts."""
        if self.price_in:
            return (tokens.prompt * self.price_in + tokens.out * self.price_out) / 1e6
        usage = Usage(input_tokens=tokens.prompt, cache_read_tokens=tokens.cached, output_tokens=tokens.out)
        return float(calc_price(usage, self.model, provider_api_url=self.base_url).total_price) * (self.markup or 1)

    @property
    def caches(self) -> bool:
        """True if the service tells, and bills, what was in its cache."""
        return self.told(Tokens(8, 4, 1, 1)) != self.told(Tokens(8, 0, 1, 1))

    @property
    def prices(self) -> dict[str, float]:
        """US dollars per million tokens, as one would give them by hand."""
        million = 10**6
        return {"price_in": self.bill(Tokens(million, 0, 0, 0)), "price_out": self.bill(Tokens(0, 0, million, 0))}

    def usage(self, tokens: Tokens) -> Json:
        """What the service tells of a reply."""
        return self.told(tokens) | ({"cost": self.bill(tokens)} if self.markup else {})

    def teacher(self, url: str, **changes: object) -> Teacher:
        """The real teacher of this service, whose requests go to `url`."""
        known = {"name": self.name, "model": self.model, "base_url": self.base_url, "api_key": KEY, "to": url}
        return Rerouted(**{**known, "price_in": self.price_in, "price_out": self.price_out, **changes})

    def message(self, reasoning: str, answer: str) -> Json:
        """The message of a whole reply."""
        message: Json = {"role": "assistant", "content": answer}
        if self.reasoning == "tags":
            message["content"] = f"<think>\n{reasoning}\n</think>\n\n{answer}"
        elif self.reasoning == "thought":
            message["content"] = f"<thought>\n{reasoning}\n</thought>{answer}"
        elif self.reasoning == "parts":
            thinking = {"type": "thinking", "thinking": [{"type": "text", "text": reasoning}]}
            message["content"] = [thinking, {"type": "text", "text": answer}]
        elif self.reasoning != "hidden":
            message[self.reasoning] = reasoning
        return message

    def deltas(self, reasoning: str, answer: str) -> list[Json]:
        """The same message in pieces."""
        message = self.message(reasoning, answer)
        if self.reasoning == "parts":
            halves = [{"type": "text", "text": half} for half in _halves(reasoning)]
            deltas = [{"content": [{"type": "thinking", "thinking": [half]}]} for half in halves]
            return [*deltas, *({"content": half} for half in _halves(answer))]
        pieces = [{"role": "assistant", "content": ""}]
        if self.reasoning in message:
            pieces += [{self.reasoning: half, "content": None} for half in _halves(reasoning)]
        return pieces + [{"content": half} for half in _halves(str(message["content"]))]

    def reply(self, body: Json, reasoning: str, answer: str, tokens: Tokens, usage: Json | None = None) -> Raw:
        """The reply to `body`, streamed if it asks for that; `usage` replaces what the service would tell."""
        usage = self.usage(tokens) if usage is None else usage
        billed = tokens.prompt, tokens.out, self.bill(tokens)
        common = {"id": "r-1", "created": 1, "model": self.model, **self.extra}
        if not body.get("stream"):
            choice = {"index": 0, "message": self.message(reasoning, answer), "finish_reason": self.finish}
            whole = common | {"object": "chat.completion", "choices": [choice]} | ({"usage": usage} if usage else {})
            return Raw(200, {"content-type": "application/json"}, (json.dumps(whole).encode(),), *billed)
        choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in self.deltas(reasoning, answer)]
        last: Json = {"index": 0, "delta": {}, "finish_reason": self.finish}
        last |= {"message": self.message(reasoning, answer)} if self.repeats else {}
        end: Json = {"choices": [last | ({"usage": usage} if self.place == "choice" else {})]}
        end |= {"x_groq": {"id": "q", "usage": usage}} if self.place == "x_groq" else {}
        chunks = [*self.first, *({"choices": [choice]} for choice in choices), end]
        if self.place == "end" and usage:
            chunks.append({"choices": [], "usage": usage})
        texts = [f"data: {json.dumps(common | {'object': 'chat.completion.chunk'} | chunk)}" for chunk in chunks]
        blank = 2 * self.newline
        text = self.comment + blank.join([*texts, "data: [DONE]"]) + blank
        data = text.encode()
        third = len(data) // 3 + 1  # wherever the network cuts it
        pieces = tuple(data[at : at + third] for at in range(0, len(data), third))
        return Raw(200, {"content-type": self.content_type}, pieces, *billed)


@dataclass(frozen=True)
class Rerouted(Teacher):
    """A teacher with the address and the price of a real service, whose requests go to another place."""

    to: str = ""

    def client(self, *, idle_s: float) -> object:
        there = {each.name: getattr(self, each.name) for each in dataclasses.fields(Teacher)}
        return Teacher(**there | {"base_url": self.to}).client(idle_s=idle_s)


def refused(refusal: Refusal) -> Raw:
    """A refusal on the wire."""
    text = refusal.body if isinstance(refusal.body, str) else json.dumps(refusal.body)
    kind = "application/json" if not isinstance(refusal.body, str) else "text/html"
    return Raw(refusal.status, {"content-type": kind, **refusal.headers}, (text.encode(),))


def _halves(text: str) -> list[str]:
    return [text[: len(text) // 2], text[len(text) // 2 :]]


# ------------------------------------------------------------------------------------------------ ways to tell the usage


def openai_usage(t: Tokens) -> Json:
    """Reasoning is part of completion_tokens, and told beside it."""
    details = {
        "prompt_tokens_details": {"cached_tokens": t.cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": t.reasoning},
    }
    return {"prompt_tokens": t.prompt, "completion_tokens": t.out, "total_tokens": t.prompt + t.out, **details}


def plain_usage(t: Tokens) -> Json:
    """Three numbers, and no word of reasoning or of a cache."""
    return {"prompt_tokens": t.prompt, "completion_tokens": t.out, "total_tokens": t.prompt + t.out}


def deepseek_usage(t: Tokens) -> Json:
    """Hits and misses of the cache under names of their own."""
    cache = {"prompt_cache_hit_tokens": t.cached, "prompt_cache_miss_tokens": t.prompt - t.cached}
    return plain_usage(t) | cache | {"completion_tokens_details": {"reasoning_tokens": t.reasoning}}


def xai_usage(t: Tokens) -> Json:
    """Reasoning is left out of completion_tokens, and told beside it."""
    return openai_usage(t) | {"completion_tokens": t.answer}


def gemini_usage(t: Tokens) -> Json:
    """Reasoning is left out of completion_tokens, and only the total knows of it."""
    cache = {"prompt_tokens_details": {"cached_tokens": t.cached}} if t.cached else {}
    return plain_usage(t) | {"completion_tokens": t.answer} | cache


def moonshot_usage(t: Tokens) -> Json:
    """Hits of the cache on the upper floor."""
    return plain_usage(t) | {"cached_tokens": t.cached}


def anthropic_usage(t: Tokens) -> Json:
    """The details are there, and empty."""
    return plain_usage(t) | {"prompt_tokens_details": None, "completion_tokens_details": None}


def nothing(t: Tokens) -> Json:
    """Some servers tell nothing."""
    return {}


# -------------------------------------------------------------------------------------------------------------- refusals


def error(message: str, code: object = None, kind: str = "invalid_request_error", **more: object) -> Json:
    """OpenAI's shape of a refusal, which most have taken over."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code, **more}}


KEY_CURE, MODEL_CURE, MONEY_CURE = "API key: check it", "set another `model`", "top it up"
LIMIT_CURE, DAY_CURE, ADDRESS_CURE, REGION_CURE = "at most 8192", "after the reset", "check `base_url`", "region"


PROVIDERS = {
    "deepseek": Provider(
        "https://api.deepseek.com",
        "deepseek-flash",
        deepseek_usage,
        (
            Refusal(401, error("Authentication Fails, Your api key: ****abcd is invalid", kind="authentication_error"), KEY_CURE),
            Refusal(402, error("Insufficient Balance", "invalid_request_error", "unknown_error"), MONEY_CURE),
            Refusal(400, error("Model Not Exist", "invalid_request_error"), MODEL_CURE),
            Refusal(400, error("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"), LIMIT_CURE),
        ),
        name="deepseek",
        comment=": keep-alive\n\n: keep-alive\n\n",
    ),
    "openai": Provider(
        "https://api.openai.com/v1",
        "gpt-5-mini",
        openai_usage,
        (
            Refusal(401, error("Incorrect API key provided: sk-n***me.", "invalid_api_key"), KEY_CURE),
            Refusal(429, error("You exceeded your current quota, please check your plan and billing details.", "insufficient_quota", "insufficient_quota"), MONEY_CURE),
            Refusal(429, error("Your account is not active, please check your billing details.", "billing_not_active"), MONEY_CURE),
            Refusal(429, error("Over.", "insufficient_quota"), MONEY_CURE),
            Refusal(404, error("The model `gpt-9` does not exist or you do not have access to it.", "model_not_found"), MODEL_CURE),
            Refusal(403, error("Project `proj_1` does not have access to model `gpt-9`", "model_not_found"), MODEL_CURE),
            Refusal(404, error("This is not a chat model and thus not supported in the v1/chat/completions endpoint."), MODEL_CURE),
            Refusal(403, error("Country, region, or territory not supported", "unsupported_country_region_territory", "request_forbidden"), REGION_CURE),
            Refusal(400, error("max_tokens is too large: 16384. This model supports at most 8192 completion tokens, whereas you provided 16384."), LIMIT_CURE),
            Refusal(429, error("Rate limit reached for gpt-9 on requests per day (RPD): Limit 200, Used 200, Requested 1.", "rate_limit_exceeded"), DAY_CURE),
        ),
        reasoning="hidden",
    ),
    "azure": Provider(
        "https://llm.openai.azure.com/openai/v1",
        "gpt-5-mini",
        openai_usage,
        (
            Refusal(401, error("Access denied due to invalid subscription key or wrong API endpoint.", "401"), KEY_CURE),
            Refusal(404, error("The API deployment for this resource does not exist. If you created it within the last 5 minutes, wait.", "DeploymentNotFound"), MODEL_CURE),
            Refusal(404, {"error": {"code": "404", "message": "Resource not found"}}, ADDRESS_CURE),
        ),
        reasoning="hidden",
        first=({"choices": [], "prompt_filter_results": [{"prompt_index": 0}], "model": ""},),
    ),
    "openrouter": Provider(
        "https://openrouter.ai/api/v1",
        "deepseek/deepseek-r1",
        openai_usage,
        (
            Refusal(401, error("No auth credentials found", 401), KEY_CURE),
            Refusal(402, error("This request requires more credits, or fewer max_tokens. You requested up to 16384 tokens, but can only afford 2666.", 402), MONEY_CURE),
            Refusal(404, error("No endpoints found for deepseek/r9.", 404), MODEL_CURE),
            Refusal(400, error("deepseek/r9 is not a valid model ID", 400), MODEL_CURE),
            Refusal(
                429,
                error("Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day", 429, metadata={"headers": {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1795996800000"}}),
                "The reset is at 2026-11-30 00:00 UTC",
                {"x-ratelimit-remaining": "0"},
            ),
        ),
        reasoning="reasoning",
        markup=1.5,
        comment=": OPENROUTER PROCESSING\n\n",
        extra={"provider": "Nebius"},
    ),
    "together": Provider(
        "https://api.together.xyz/v1",
        "deepseek-ai/DeepSeek-R1",
        moonshot_usage,
        (
            Refusal(401, error("Invalid API key provided. You can find your API key at together.", "invalid_api_key"), KEY_CURE),
            Refusal(402, error("Credit limit exceeded, please navigate to the billing page", "credit_limit", "credit_limit"), MONEY_CURE),
            Refusal(404, error("Unable to access model x. Please visit the site to view the list of supported models.", "model_not_available"), MODEL_CURE),
            Refusal(422, error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8192. Given: 300 `inputs` tokens and 16384 `max_new_tokens`"), LIMIT_CURE),
        ),
        reasoning="tags",
        finish="eos",
        price_in=3.0,
        price_out=7.0,
    ),
    "fireworks": Provider(
        "https://api.fireworks.ai/inference/v1",
        "accounts/fireworks/models/nobody-knows",
        openai_usage,
        (
            Refusal(401, {"error": {"object": "error", "type": "invalid_request_error", "message": "The API key you provided is invalid."}}, KEY_CURE),
            Refusal(403, {"error": "unauthorized"}, KEY_CURE),
            Refusal(412, {"error": {"object": "error", "message": "Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices."}}, MONEY_CURE),
            Refusal(404, {"error": {"object": "error", "code": "NOT_FOUND", "message": "Model not found, inaccessible, and/or not deployed"}}, MODEL_CURE),
        ),
        price_in=0.5,
        price_out=2.0,
    ),
    "groq": Provider(
        "https://api.groq.com/openai/v1",
        "openai/gpt-oss-120b",
        openai_usage,
        (
            Refusal(401, error("Invalid API Key", "invalid_api_key"), KEY_CURE),
            Refusal(404, error("The model `x` does not exist or you do not have access to it.", "model_not_found"), MODEL_CURE),
            Refusal(400, error("The model `x` has been decommissioned and is no longer supported.", "model_decommissioned"), MODEL_CURE),
            Refusal(400, error("`max_completion_tokens` must be less than or equal to `8192`, the maximum value for `max_completion_tokens` is less than the `context_window` for this model"), LIMIT_CURE),
            Refusal(429, error("Rate limit reached for model `x` on tokens per day (TPD): Limit 100000, Used 99000, Requested 2000. Please try again in 7m12s.", "rate_limit_exceeded", "tokens"), DAY_CURE, {"retry-after": "432"}),
        ),
        reasoning="reasoning",
        place="x_groq",
    ),
    "cerebras": Provider(
        "https://api.cerebras.ai/v1",
        "gpt-oss-120b",
        openai_usage,
        (
            Refusal(401, {"message": "Wrong API Key", "type": "invalid_request_error", "param": "api_key", "code": "wrong_api_key"}, KEY_CURE),
            Refusal(402, {"message": "Payment required to access this resource.", "type": "payment_required_error", "code": "payment_required"}, MONEY_CURE),
            Refusal(404, {"message": "Model x does not exist or you do not have access to it.", "type": "not_found_error", "code": "model_not_found"}, MODEL_CURE),
            Refusal(429, {"message": "Tokens per day limit exceeded - too many tokens processed.", "type": "too_many_tokens_error", "code": "token_quota_exceeded"}, DAY_CURE),
        ),
        reasoning="reasoning",
        extra={"time_info": {"queue_time": 0.01}},
    ),
    "mistral": Provider(
        "https://api.mistral.ai/v1",
        "magistral-medium-latest",
        plain_usage,
        (
            Refusal(401, {"detail": "Unauthorized"}, KEY_CURE),
            Refusal(400, {"object": "error", "message": "Invalid model: x", "type": "invalid_model", "param": None, "code": "1500"}, MODEL_CURE),
            Refusal(402, {"detail": "Payment required"}, MONEY_CURE),
        ),
        reasoning="parts",
    ),
    "gemini": Provider(
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini-2.5-flash",
        gemini_usage,
        (
            Refusal(400, [{"error": {"code": 400, "message": "API key not valid. Please pass a valid API key.", "status": "INVALID_ARGUMENT", "details": [{"reason": "API_KEY_INVALID"}]}}], KEY_CURE),
            Refusal(404, [{"error": {"code": 404, "message": "models/gemini-9 is not found for API version v1main, or is not supported for generateContent.", "status": "NOT_FOUND"}}], MODEL_CURE),
            Refusal(400, [{"error": {"code": 400, "message": "User location is not supported for the API use.", "status": "FAILED_PRECONDITION"}}], REGION_CURE),
            Refusal(429, [{"error": {"code": 429, "message": "You exceeded your current quota, please check your plan and billing details. Please retry in 37.8s.", "status": "RESOURCE_EXHAUSTED", "details": [{"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}, {"retryDelay": "37s"}]}}], DAY_CURE),
            Refusal(400, [{"error": {"code": 400, "message": "Unable to submit request because it has a maxOutputTokens value of 16384 but the supported range is from 1 (inclusive) to 8192 (exclusive).", "status": "INVALID_ARGUMENT"}}], LIMIT_CURE),
        ),
        reasoning="thought",
    ),
    "anthropic": Provider(
        "https://api.anthropic.com/v1",
        "claude-haiku-4-5",
        anthropic_usage,
        (
            Refusal(401, {"error": {"code": "authentication_error", "message": "invalid x-api-key", "type": "authentication_error"}}, KEY_CURE),
            Refusal(400, {"error": {"code": "invalid_request_error", "message": "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing.", "type": "invalid_request_error"}}, MONEY_CURE),
            Refusal(404, {"error": {"code": "not_found_error", "message": "model: claude-9", "type": "not_found_error"}}, MODEL_CURE),
            Refusal(400, {"error": {"message": "max_tokens: 16384 > 8192, which is the maximum allowed number of output tokens for claude-3-5-sonnet-20241022", "type": "invalid_request_error"}}, LIMIT_CURE),
        ),
        reasoning="hidden",
        newline="\r\n",
    ),
    "xai": Provider(
        "https://api.x.ai/v1",
        "grok-4",
        xai_usage,
        (
            Refusal(400, {"code": "Client specified an invalid argument", "error": "Incorrect API key provided: na***ys. You can obtain an API key from the console."}, KEY_CURE),
            Refusal(403, {"code": "The caller does not have permission to execute the specified operation", "error": "Your newly created team doesn't have any credits yet. You can purchase credits on the console."}, MONEY_CURE),
            Refusal(404, {"code": "Some requested entity was not found", "error": "The model grok-9 does not exist or your team does not have access to it."}, MODEL_CURE),
        ),
    ),
    "moonshot": Provider(
        "https://api.moonshot.ai/v1",
        "kimi-k2-thinking",
        moonshot_usage,
        (
            Refusal(401, error("Invalid Authentication", kind="invalid_authentication_error"), KEY_CURE),
            Refusal(429, error("Your account x is suspended due to insufficient balance, please recharge your account or check your plan and billing details", kind="exceeded_current_quota_error"), MONEY_CURE),
            Refusal(404, error("Not found the model kimi-9 or Permission denied", kind="resource_not_found_error"), MODEL_CURE),
        ),
        place="choice",
    ),
    "dashscope": Provider(
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "qwen3-max",
        openai_usage,
        (
            Refusal(401, error("Incorrect API key provided.", "invalid_api_key"), KEY_CURE),
            Refusal(400, error("Access denied, please make sure your account is in good standing.", "Arrearage", "Arrearage"), MONEY_CURE),
            Refusal(403, error("The free tier of the model has been exhausted.", "AllocationQuota.FreeTierOnly"), MONEY_CURE),
            Refusal(404, error("The model `qwen9` does not exist or you do not have access to it.", "model_not_found"), MODEL_CURE),
            Refusal(400, error("<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]", "invalid_parameter_error"), LIMIT_CURE),
        ),
        price_in=1.2,
        price_out=6.0,
    ),
    "zai": Provider(
        "https://api.z.ai/api/paas/v4",
        "glm-4.6",
        openai_usage,
        (
            Refusal(401, {"error": {"code": "1000", "message": "Authentication Failed"}}, KEY_CURE),
            Refusal(429, {"error": {"code": "1113", "message": "Insufficient balance or no resource package. Please recharge."}}, MONEY_CURE),
            Refusal(400, {"error": {"code": "1211", "message": "Unknown Model, please check the model code."}}, MODEL_CURE),
            Refusal(429, {"error": {"code": "1308", "message": "Usage limit reached for 5 hour. Your limit will reset at 2026-11-30 00:00:00"}}, DAY_CURE),
        ),
    ),
    "minimax": Provider(
        "https://api.minimax.io/v1",
        "MiniMax-M2",
        plain_usage,
        (
            Refusal(200, {"base_resp": {"status_code": 1008, "status_msg": "insufficient balance"}}, MONEY_CURE),
            Refusal(200, {"id": "x", "choices": None, "base_resp": {"status_code": 1004, "status_msg": "login fail: Please carry the API secret key in the 'Authorization' field of the request header"}}, KEY_CURE),
            Refusal(200, {"choices": [], "base_resp": {"status_code": 2013, "status_msg": "invalid params, unknown model 'x'"}}, MODEL_CURE),
            Refusal(500, {"type": "error", "error": {"type": "api_error", "message": "insufficient balance (1008)"}}, MONEY_CURE),
            Refusal(401, {"type": "error", "error": {"type": "authorized_error", "message": "login fail (1004)"}}, KEY_CURE),
        ),
        reasoning="tags",
        extra={"base_resp": {"status_code": 0, "status_msg": ""}},
        repeats=True,
    ),
    "vllm": Provider(
        "http://10.0.0.9:8000/v1",
        "local-32b",
        plain_usage,
        (
            Refusal(404, {"error": {"message": "The model `x` does not exist.", "type": "NotFoundError", "param": None, "code": 404}}, MODEL_CURE),
            Refusal(400, {"object": "error", "message": "'max_tokens' or 'max_completion_tokens' is too large: 16384. This model's maximum context length is 8192 tokens and your request has 400 input tokens (16384 > 8192 - 400).", "type": "BadRequestError", "code": 400}, LIMIT_CURE),
            Refusal(401, {"error": "Unauthorized"}, KEY_CURE),
            Refusal(404, {"detail": "Not Found"}, ADDRESS_CURE),
        ),
        reasoning="reasoning",
        price_in=0.1,
        price_out=0.4,
    ),
    "sglang": Provider(
        "http://10.0.0.9:30000/v1",
        "local-32b",
        anthropic_usage,
        (
            Refusal(400, {"object": "error", "message": "Requested token count exceeds the model's maximum context length of 8192 tokens. You requested a total of 16784 tokens: 400 tokens from the input messages and 16384 tokens for the completion.", "type": "BadRequestError", "code": 400}, LIMIT_CURE),
            Refusal(404, {"object": "error", "message": "Model 'x' not found", "type": "NotFoundError", "code": 404}, MODEL_CURE),
        ),
        price_in=0.1,
        price_out=0.4,
    ),
    "ollama": Provider(
        "http://10.0.0.9:11434/v1",
        "qwen3:32b",
        plain_usage,
        (
            Refusal(404, error('model "x" not found, try pulling it first', kind="api_error"), MODEL_CURE),
            Refusal(404, "404 page not found", ADDRESS_CURE),
        ),
        reasoning="reasoning",
        price_in=0.1,
        price_out=0.4,
    ),
    "lmstudio": Provider(
        "http://10.0.0.9:1234/v1",
        "local-32b",
        openai_usage,
        (
            Refusal(404, error("No models loaded. Please load a model in the developer page or use the `lms load` command.", "model_not_found"), MODEL_CURE),
            Refusal(200, {"error": "Unexpected endpoint or method. (POST /chat/completions)"}, ADDRESS_CURE),
        ),
        content_type="text/plain",
        price_in=0.1,
        price_out=0.4,
    ),
    "transformers": Provider(
        "http://10.0.0.9:8000/v1",
        "Qwen/Qwen3-0.6B",
        nothing,
        (
            Refusal(500, {"detail": "x is not a local folder and is not a valid model identifier listed on the hub"}, MODEL_CURE),
            Refusal(404, {"detail": "Not Found"}, ADDRESS_CURE),
        ),
        reasoning="tags",
        price_in=0.1,
        price_out=0.4,
    ),
}  # fmt: skip
