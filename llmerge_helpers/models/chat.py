"""One renderer for training and inference: what a model is given, what it learns to write, and how it stops.

Training tokens are the tokens of the inference prompt followed by those of the reply, so the two agree by construction,
also for templates that open `<think>` for the model, and for those that drop the reasoning of an assistant turn. No
torch here: 02 counts tokens with the same functions that 03 trains with.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from llmerge_helpers.errors import LlmergeError

IGNORED = -100  # the label that carries no loss
_SENTINEL = "words-of-the-assistant-7f3a"
_OPEN = re.compile(r"<think>\s*\Z")
_CLOSED = re.compile(r"<think>\s*</think>\s*\Z")


def render_prompt(tokenizer: Any, messages: Sequence[Mapping[str, Any]]) -> str:
    """The text before generation, thinking switched on where the template has a switch.

    A system message goes in front of the user's where the template refuses one (Gemma), and an empty thinking block
    that the template would force on the model is taken away.
    """
    return _CLOSED.sub("", _apply(tokenizer, messages, add_generation_prompt=True))


def _apply(tokenizer: Any, messages: Sequence[Mapping[str, Any]], *, add_generation_prompt: bool) -> str:
    from jinja2 import TemplateError

    options = {"tokenize": False, "add_generation_prompt": add_generation_prompt, "enable_thinking": True}
    messages = [dict(message) for message in messages]
    try:
        return tokenizer.apply_chat_template(messages, **options)
    except TemplateError as error:
        if not messages or messages[0]["role"] != "system":
            raise LlmergeError(f"the chat template refuses these messages: {error}") from None
    system, user, *rest = messages
    return _apply(
        tokenizer,
        [user | {"content": f"{system['content']}\n\n{user['content']}"}, *rest],
        add_generation_prompt=add_generation_prompt,
    )


def prefill(prompt_text: str) -> str:
    """The `<think>` that a template wrote for the model at the end of its prompt; empty where it wrote none.

    What the model writes then starts inside the block: put this in front before a reply is judged.

    >>> prefill("<|Assistant|><think>\\n"), prefill("<|im_start|>assistant\\n")
    ('<think>\\n', '')
    """
    match = _OPEN.search(prompt_text)
    return match.group() if match else ""


def end_of_turn(tokenizer: Any) -> str:
    """What the template writes after an assistant's words, up to and with the token that ends the turn."""
    tail = _tail(tokenizer)
    token = end_of_turn_token(tokenizer)
    return tail[: tail.index(token) + len(token)] if token in tail else token


def end_of_turn_token(tokenizer: Any) -> str:
    """The token that ends a turn: the first special token after an assistant's words, else the tokenizer's own."""
    tail = _tail(tokenizer)
    special = {str(token) for token in tokenizer.all_special_tokens}
    special |= {str(token) for token in getattr(tokenizer, "added_tokens_encoder", {})}
    found = [(tail.index(token), -len(token), token) for token in special if token and token in tail]
    return min(found)[2] if found else tokenizer.eos_token


def _tail(tokenizer: Any) -> str:
    turn = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _SENTINEL}]
    return _apply(tokenizer, turn, add_generation_prompt=False).rpartition(_SENTINEL)[2]


def completion_text(completion: str | Sequence[Mapping[str, Any]]) -> str:
    """The words of a completion: a string, or chat messages with the reasoning inside or in a field of its own."""
    if isinstance(completion, str):
        return completion
    from llmerge_helpers.conflicts.prompts import render_reply

    message = completion[-1]
    content = message.get("content") or ""
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    return render_reply(reasoning, content) if reasoning and "</think>" not in content else content


def training_text(
    tokenizer: Any, prompt: Sequence[Mapping[str, Any]], completion: str | Sequence[Mapping[str, Any]]
) -> tuple[str, str]:
    """What the model is given and what it learns to write; joined, the whole training example.

    Where the template opens `<think>`, the opening belongs to the first part and is taken off the second; a completion
    without reasoning then closes the block at once.
    """
    given, written = render_prompt(tokenizer, prompt), completion_text(completion)
    if prefill(given):
        written = re.sub(r"\A\s*<think>\n?", "", written) if "</think>" in written else f"</think>\n\n{written}"
    return given, written + end_of_turn(tokenizer)


def encode(
    tokenizer: Any, prompt: Sequence[Mapping[str, Any]], completion: str | Sequence[Mapping[str, Any]]
) -> dict[str, list[int]]:
    """Token ids and labels of one training example; the prompt carries no loss, the whole reply and its end do."""
    given, learned = training_text(tokenizer, prompt, completion)
    before = prompt_ids(tokenizer, given)
    after = tokenizer(learned, add_special_tokens=False)["input_ids"]
    return {"input_ids": before + after, "labels": [IGNORED] * len(before) + after}


def prompt_ids(tokenizer: Any, prompt_text: str) -> list[int]:
    """Token ids of a rendered prompt; the template has written its special tokens already."""
    return tokenizer(prompt_text, add_special_tokens=False)["input_ids"]


def trainer_prompt(tokenizer: Any, messages: Sequence[Mapping[str, Any]]) -> str:
    """A rendered prompt as TRL's GRPO wants it: TRL adds the tokenizer's special tokens to plain text once more.

    The opening token that the template wrote is taken off where the tokenizer puts it back; what TRL then feeds the
    model is checked to be exactly what `encode` trains on.
    """
    text = render_prompt(tokenizer, messages)
    wanted = prompt_ids(tokenizer, text)
    candidates = [text]
    if tokenizer.bos_token and text.startswith(tokenizer.bos_token):
        candidates.append(text.removeprefix(tokenizer.bos_token))
    for candidate in candidates:
        if tokenizer(candidate)["input_ids"] == wanted:
            return candidate
    raise LlmergeError(
        "TRL would give the model other tokens than it was trained on: this tokenizer adds some of its own."
    )


def check_parity(tokenizer: Any, row: Mapping[str, Any], prompt: Any, completion: Any) -> None:
    """Raise `LlmergeError` unless a tokenised row holds the inference prompt, then reasoning, answer and end of turn.

    `row` has the `input_ids` and `labels` that a trainer will see.
    """
    given, learned = training_text(tokenizer, prompt, completion)
    carried = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label != IGNORED]
    masked = [token for token, label in zip(row["input_ids"], row["labels"], strict=True) if label == IGNORED]
    if masked != prompt_ids(tokenizer, given):
        raise LlmergeError("a training row does not start with the prompt that the model will see when it is used.")
    text = tokenizer.decode(carried)
    reasoning = completion_text(completion).partition("</think>")[0].removeprefix("<think>").strip()
    reasoning, text = (unicodedata.normalize("NFC", each) for each in (reasoning, text))  # as some tokenizers do
    if "</think>" in completion_text(completion) and reasoning not in text:
        raise LlmergeError("the reasoning of a training row carries no loss: the chat template takes it away.")
    end = tokenizer.convert_tokens_to_ids(end_of_turn_token(tokenizer))
    if not carried or carried[-1] != end:
        raise LlmergeError("a training row does not end with the end of the turn, so the model would never stop.")
