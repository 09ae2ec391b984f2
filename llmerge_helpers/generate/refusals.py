"""What services say when they refuse: each has words, codes and places of its own; here they become one kind each."""

from __future__ import annotations

import re
from collections.abc import Mapping

LIMITS = ("max_tokens", "max_completion_tokens")
STATUS = {
    401: "no_access", 402: "no_balance", 403: "forbidden", 408: "server_error", 409: "server_error",
    425: "server_error", 429: "rate_limit", 503: "overloaded", 529: "overloaded",
}  # fmt: skip
# MiniMax: the status within a reply that says 200
BASE_RESP = {
    1002: 429, 1039: 429, 1041: 429, 1004: 401, 2049: 401, 1008: 402, 1026: 422, 1027: 422, 1042: 422, 2013: 400,
}  # fmt: skip


def _says(*wordings: str) -> re.Pattern[str]:
    return re.compile("|".join(wordings), re.IGNORECASE | re.DOTALL)


# What services say in their own words, whatever the status: the first that fits counts.
_WORDINGS = (
    ("used_up", (400, 429), _says(r"regain access|API usage limit")),
    ("used_up", (402, 403, 429), _says(
        r"per[-_ ]?day", r"\bdaily\b", r"\b[RT]PD\b", r"limit (will|to) reset", r"(weekly|monthly|hour) (usage )?limit",
        r"for today\b|key limit exceeded|\b24[- ]?h(ours?)?\b",
        r"(reset|again)\w* (in|after) (about )?\d+ ?(h|d)(ou)?(r|ay)?s?\b",
    )),
    ("no_balance", (400, 401, 402, 403, 412, 422, 429, 500), _says(
        r"insufficient[ _-]?(account[ _])?(balance|quota|credit|fund|user)", r"requires more credits|credit limit",
        r"(balance|credit)s? .{0,20}(too low|exhausted|not enough)", r"(not enough|out of|any|no) credits",
        r"arrear|overdue|good standing|unpurchased|FreeTierOnly", r"free tier.{0,40}exhausted",
        r"billing_(hard_limit|not_active)|hard limit|spend(ing)?[ _]limit|payment[ _]required|please recharge",
        r"account.{0,60}(not active|suspended|deactivated)", r"exceeded_current_quota|余额|欠费|\blimit: 0\b",
        r"(balance|credit)s? .{0,10}negative|negative (balance|credit)|sufficient (balance|funds?|credit)",
        r"(over|no|exceed(ed|s)?)[ _]?(your |the )?(monthly |max(imum)? )?budget|budget .{0,20}exceed",
        r"run out of (credit|fund)|(subscription|trial|plan|quota) .{0,12}expired",
        r"(add|update|valid) a? ?payment method|organi[sz]ation .{0,20}disabled",
    )),
    # Google asks to check plan and billing in every refusal, one that is over in a minute included
    ("rate_limit", (429,), _says(
        r"per ?min", r"(retry|try again) (in|after) [\d.]+ ?m?s", r"RESOURCE_EXHAUSTED|retryDelay",
    )),
    ("no_balance", (403, 429), _says(r"exceeded your current quota|check your (plan|billing)|quota.{0,20}exhausted")),
    ("no_region", (400, 403, 451), _says(
        r"unsupported_country|country, region|region,? or territory|location is not supported",
        r"not (available|supported|allowed|offered) in (your|this) (country|region|location)",
        r"\b(geo|region)[-_ ]?(block|restrict)",
        r"(from|in) (your|this) (country|region|location|territory)\b.{0,40}(not|un|block|den)",
        r"(not|un)\w* .{0,30}\b(from|in) your (country|region|location|territory)",
    )),
    ("no_access", (400, 403, 404), _says(
        r"(incorrect|invalid|wrong|expired|missing|valid|no|revoked) (\w+ )?(api|access|secret|auth)[ _-]?(key|token)",
        r"(api|access)[ _-]?key\b.{0,40}?(invalid|incorrect|not valid|expired|missing|not found|not exist|revoked)",
        r"invalid_?api_?key|API_KEY_INVALID|authorized_error|login fail|authentication[ _](error|fail)|unauthori[sz]ed",
        r"(invalid|missing)( or invalid)? authorization|unregistered callers|reported as leaked|令牌",
        r"(invalid|incorrect|bad|wrong) credentials|authentication (token|fail)",
        r"(api[ _-]?key|\btoken) .{0,24}(malformed|disabled|revoked|blocked|invalid)",
    )),
    ("filtered", (400, 403, 422), _says(
        r"content[_ ]?(filter|management|polic|safety)|data_?inspection|inappropriate content|moderation|flagged",
        r"\bsensitive\b|guardrail|violates? .{0,20}(usage|polic)",
    )),
)  # fmt: skip
_GONE = (
    r"does not exist|doesn't exist|not found|not exist|not available|not deployed|not served"
    r"|no longer (available|supported)|(has been|is) (decommissioned|deprecated|retired|removed|shut down|turned off)"
    r"|list (the )?available"
)
_UNKNOWN_MODEL = _says(
    r"model[ _-]?not[ _]?(exist|found|available|supported|loaded)|model_decommissioned|invalid_model|DeploymentNotFou",
    rf"\b(models?|deployment)\b.{{0,120}}?({_GONE})",
    r"(not found the|unknown|invalid|no such|unable to access|not a valid|not a chat|access to)( \w+)? model\b",
    r"no endpoints found|no models? (is |are )?loaded|not_found_error.{0,20}\bmodel:|\bmodel: .{0,80}not_found_error",
    r"\bno (model|deployment) (named|called|with)|no such deployment|\bmodel( \S{1,80})? is not supported",
    r"model (id|identifier|name) .{0,20}(invalid|not valid)|enable model access",
    r"(allowed|permitted|enabled|permission|authori[sz]ed) to (access|use) (the |this |that )?model",
    r"only supported in v1/responses|model (is )?unloaded|(failed to load|unable to find) model|模型不存在",
)  # fmt: skip
_NO_PAGE = _says(
    r"unexpected endpoint|page not found|resource not found|no route|cannot post|method not allowed|<html|<!doctype",
    r"^\W*not found\W*$",
)
_CONTEXT = _says(
    r"context[ _](length|window|size|limit)(?:\D{0,40}(\d+))?", r"(prompt|input|inputs|messages?)\b.{0,30}too long",
    r"max_new_tokens|request too large for|\b(prompt|input)\b.{0,40}tokens?, too many",
    r"exceeds? (the )?max(imum)? (allowed )?(token )?(length|number of tokens)", r"input token count",
)  # fmt: skip
_ALLOWED = tuple(map(_says, (  # the surest first
    r"\[\s*[01]\s*,\s*(\d+)\s*\]", r"\b[01] ?\.\.=? ?(\d+)", r"\d > (\d+)",
    r"<=\D{0,3}(\d+)", r"less than or equal to\D{0,3}(\d+)",
    r"at most\D{0,3}(\d+)", r"from [01]\b.{0,20}? to (\d+)", r"between [01] and (\d+)", r"up to (\d+)",
    r"\bmax(?:imum)?\b[^.\d]{0,60}?(\d+)", r"\blimit[^.\d]{0,30}?(\d+)",
)))  # fmt: skip
_ABOUT_LIMIT = _says(r"max(imum)?[_ ]?(completion_|output_|new_)?tokens|maxOutputTokens|(output|completion) tokens")
_ABOUT_REPLY = _says(r"max_(completion_|new_)?tokens|\bcompletion\b")
_REFUSAL = _says(
    r"un(supported|recogni[sz]ed|known|expected)|extra|not (permitted|supported|allowed|valid)|does not support",
    r"invalid|must be|should be|cannot|only|deprecated",
)
_OURS = ("model", "messages", "stream", "stream_options", *LIMITS)


def kind_of_status(status: int, text: str, said: Mapping[str, object] | None = None) -> str:
    """The kind of fault for an HTTP status, the words that came with it, and the body that they answer.

    >>> kind_of_status(400, "Model Not Exist"), kind_of_status(422, "bad field"), kind_of_status(502, "")
    ('unknown_model', 'bad_request', 'server_error')
    """
    for kind, statuses, wording in _WORDINGS:
        if status in statuses and wording.search(text):
            return kind
    if status in (400, 413, 422):
        if allowed_tokens(text, said):
            return "max_tokens"
        if refused_field(text, said):
            return "bad_field"
    if status in (400, 403, 404, 410, 422) and _UNKNOWN_MODEL.search(text):
        return "unknown_model"
    if status == 500 and "not a valid model" in text:  # transformers serve looks for it on the hub
        return "unknown_model"
    if status in (400, 413, 422) and _CONTEXT.search(text):
        return "too_long"
    return STATUS.get(status) or ("server_error" if status >= 500 else "bad_request")


def is_no_page(status: int, body: object) -> bool:
    """True for the answer of a server that has no chat at this address; LM Studio says so with status 200."""
    text = words(body)
    if status == 200:
        return bool(_NO_PAGE.search(text))
    no_api = not isinstance(body, Mapping) or "error" not in body or "resource not found" in text.lower()
    return status in (404, 405) and no_api and bool(not text.strip() or _NO_PAGE.search(message_of(body) or text))


def allowed_tokens(text: str, said: Mapping[str, object] | None) -> int:
    """The most tokens of a reply that a refusal speaks of, where it is less than was asked for; else 0.

    >>> allowed_tokens("the valid range of max_tokens is [1, 8192]", {"max_tokens": 16384})
    8192
    """
    asked = next((value for name in LIMITS if isinstance(value := (said or {}).get(name), int)), 0)
    text = re.sub(r"(?<=\d),(?=\d{3}\b)", "", text)
    context = next((int(found[2]) for found in _CONTEXT.finditer(text) if found[2]), 0)
    if context:  # a question that does not fit is its own affair, an answer that never could is a setting
        return context if asked >= context and _ABOUT_REPLY.search(text) else 0
    found = (each for pattern in _ALLOWED for each in pattern.finditer(text)) if _ABOUT_LIMIT.search(text) else ()
    return next((number for each in found if 1 < (number := int(each[1])) < asked), 0)


def refused_field(text: str, said: Mapping[str, object] | None) -> str:
    """The field of a body, one of those that a person chose, that a refusal names; empty if it names none."""
    mine = (name for name in said or () if name not in _OURS)
    return next((name for name in mine if re.search(rf"\b{re.escape(name)}\b", text) and _REFUSAL.search(text)), "")


# ---------------------------------------------------------------------------------------------------- what they say


def message_of(body: object) -> str:
    """The sentence in a refusal, wherever a service puts it.

    >>> message_of([{"error": {"code": 400, "message": "no"}}]), message_of({"detail": [{"msg": "not so"}]})
    ('no', 'not so')
    """
    if isinstance(body, list):
        return "; ".join(filter(None, map(message_of, body)))
    if not isinstance(body, Mapping):
        return body if isinstance(body, str) and "<" not in body else ""
    for name in ("error", "errors", "message", "msg", "detail", "status_msg"):
        if body.get(name) and (found := message_of(body[name])):
            return found
    return ""


_ECHOES = ("input", "ctx", "url", "request_id", "user_id", "id", "help", "links")  # what was sent; what says nothing


def words(body: object) -> str:
    """All that a refusal says, codes included, in one line.

    >>> words({"error": {"message": "Over", "code": "insufficient_quota", "param": None}})
    'Over insufficient_quota'
    """
    if isinstance(body, Mapping):
        return " ".join(filter(None, (words(value) for name, value in body.items() if name not in _ECHOES)))
    if isinstance(body, list):
        return " ".join(filter(None, map(words, body)))
    return "" if body is None or isinstance(body, bool) else str(body)
