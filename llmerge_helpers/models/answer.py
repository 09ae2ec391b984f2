"""Replies of a model to rendered prompts: batched, greedy or drawn, and cut where the model ended them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from llmerge_helpers.models.adapter import check_base, is_adapter, load_policy, read_lineage, saved_hash
from llmerge_helpers.models.base import base_identity, choose_base_model, load_base, locate
from llmerge_helpers.models.chat import end_of_turn_token, load_tokenizer, prefill, prompt_ids
from llmerge_helpers.models.device import Device, Plan, found_device
from llmerge_helpers.run import from_root

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase


class Loaded(NamedTuple):
    """A model that is ready to answer; `identity` tells its weights from all others."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str


@dataclass(frozen=True)
class Completion:
    """One generated reply: what the template had opened and what the model wrote, and whether it stopped by itself."""

    text: str
    finish_reason: str  # "stop" or "length"
    tokens: int
    # the mean probability (geometric) that the model gave the tokens it wrote; another batch rounds otherwise
    confidence: float = field(default=float("nan"), compare=False)


class Sampling(NamedTuple):
    """How replies are drawn; greedy at temperature 0. What a model's own configuration says never gets in unasked."""

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0

    def arguments(self) -> dict[str, object]:
        """The part of `generate`'s arguments that decides which token comes next."""
        drawn = {"temperature": self.temperature, "top_p": self.top_p, "top_k": self.top_k} if self.temperature else {}
        return {"do_sample": bool(self.temperature), "repetition_penalty": self.repetition_penalty, **drawn}


GREEDY = Sampling()


def own_sampling(config: GenerationConfig) -> Sampling:
    """The sampling that the makers of a model recommend, as far as its `generation_config` says so."""
    if not config.do_sample:
        return GREEDY._replace(repetition_penalty=config.repetition_penalty or 1.0)
    known = {name: getattr(config, name, None) for name in Sampling._fields}
    return Sampling(**{"temperature": 1.0} | {name: value for name, value in known.items() if value is not None})


@dataclass(frozen=True)
class Known:
    """A model that can be asked for, and is not loaded before: who has all replies of it needs no weights."""

    folder: Path  # of the adapter, or of the base
    base: Path
    plan: Plan
    identity: str

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Its tokenizer, which renders the prompts that its replies are kept by."""
        return load_tokenizer(self.base)

    def own_sampling(self) -> Sampling:
        """What its makers recommend."""
        from transformers import GenerationConfig

        found = (self.base / "generation_config.json").exists()
        return own_sampling(GenerationConfig.from_pretrained(self.base)) if found else GREEDY

    def load(self) -> Loaded:
        """The model itself; an adapter merged in memory, which makes decoding 1.3 times as fast and more, except into
        weights of 4 bit."""
        if self.folder == self.base:
            return Loaded(load_base(self.base, self.plan).eval(), self.tokenizer(), self.identity)
        policy = load_policy(self.folder, self.plan, trainable=False)
        loaded = policy.model if self.plan.load_in_4bit else policy.model.merge_and_unload()
        return Loaded(loaded.eval(), policy.tokenizer, self.identity)


def known_model(model: str, plan: Plan | None = None) -> Known:
    """A LoRA adapter by its folder, or a base model by folder, hub id or `auto`, without reading its weights.

    `plan` is how the run loads its weights: a model that only fits in 4 bit is measured in 4 bit. Without one, the
    weights are 32 bit on a CPU and 16 bit on a GPU.
    """
    plan = plan or _plan(found_device())
    precision = "+4bit" if plan.load_in_4bit else ""  # other weights, other replies
    folder = from_root(model)
    if is_adapter(folder):
        lineage = read_lineage(folder)
        base = locate(lineage["base_model"])
        check_base(folder, lineage, base)
        return Known(folder, base, plan, f"{lineage['base_identity']}+{saved_hash(folder)}{precision}")
    base = locate(choose_base_model(model, plan.device.gpu_gib))
    return Known(base, base, plan, base_identity(base) + precision)


def load_for_evaluation(model: str, plan: Plan | None = None) -> Loaded:
    """Model, tokenizer and identity of what `known_model` finds by that name."""
    return known_model(model, plan).load()


def complete(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int = 16,
    sampling: Sampling = GREEDY,
    seed: int = 0,
    on_batch: Callable[[Sequence[int], Sequence[Completion]], None] | None = None,
) -> list[Completion]:
    """Replies to rendered prompts, in their order, decoded greedily, or drawn as `sampling` says and from `seed`.

    Prompts of similar length share a batch, padded on the left, so that padding costs little and every reply starts
    right after its prompt. `on_batch(indices, completions)` is called after each batch.
    """
    import torch
    from transformers import GenerationConfig

    # a batch is as long as its longest prompt; the longest first, where memory would run out, and which tells the most
    # that a batch takes
    order = sorted(range(len(prompts)), key=lambda i: -len(prompts[i]))
    done: dict[int, Completion] = {}
    device = next(model.parameters()).device
    was_training, cache, own = model.training, model.config.use_cache, model.generation_config
    model.eval()  # without dropout; put back below, because a trainer asks for samples in between
    ends = sorted(end_ids(model, tokenizer))
    # none of what the base was published with: a repetition_penalty punishes who copies code, and GRPO knows of none
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=tokenizer.pad_token_id, do_sample=False)
    try:
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            ids = [prompt_ids(tokenizer, prompts[i]) for i in indices]
            width = max(map(len, ids))
            padded = torch.full((len(ids), width), tokenizer.pad_token_id)
            mask = torch.zeros((len(ids), width), dtype=torch.long)
            for row, tokens in enumerate(ids):
                padded[row, width - len(tokens) :] = torch.tensor(tokens)
                mask[row, width - len(tokens) :] = 1
            # a draw of its own, so that a training run around it draws as it would have
            sure = _Sure()
            with torch.no_grad(), torch.random.fork_rng(enabled=bool(sampling.temperature)):
                if sampling.temperature:
                    torch.manual_seed(seed + start)
                out = model.generate(
                    input_ids=padded.to(device),
                    attention_mask=mask.to(device),
                    max_new_tokens=max_new_tokens,
                    use_cache=True,
                    logits_processor=[sure],
                    **sampling.arguments(),
                )
            sure.add(out)
            fresh = [
                _completion(tokenizer, prompts[i], out[row, width:].tolist(), ends, sure.of(row))
                for row, i in enumerate(indices)
            ]
            done.update(zip(indices, fresh, strict=True))
            if on_batch is not None:
                on_batch(indices, fresh)
    finally:
        model.train(was_training)
        model.config.use_cache, model.generation_config = cache, own
    return [done[i] for i in range(len(prompts))]


def end_ids(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The tokens that end a reply: the template's end of a turn, the tokenizer's own, and those the model declares.

    GRPO stops at the same ones, so that a reply is cut off in training where it is in an evaluation.
    """
    declared = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    declared = [declared] if isinstance(declared, int) else declared or []
    end = tokenizer.convert_tokens_to_ids(end_of_turn_token(tokenizer))
    return frozenset({end, tokenizer.eos_token_id, *declared})


class _Sure:
    """Remembers how likely each token was that a model wrote, and not the scores of all the others.

    `generate` hands it the scores before each token, and with the next ones the token that was taken.
    """

    def __init__(self) -> None:
        self.scores: Tensor | None = None
        self.kept: list[Tensor] = []

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        self.add(input_ids)
        self.scores = scores
        return scores

    def add(self, ids: Tensor) -> None:
        """Take the last of `ids` as what was written."""
        if self.scores is not None:
            scores = self.scores.float()
            self.kept.append(scores.gather(1, ids[:, -1:])[:, 0] - scores.logsumexp(1))
        self.scores = None

    def of(self, row: int) -> list[float]:
        """The logarithms of the probabilities of one reply's tokens."""
        return [float(each[row]) for each in self.kept]


def _completion(
    tokenizer: PreTrainedTokenizerBase, prompt: str, generated: list[int], ends: Sequence[int], likely: list[float]
) -> Completion:
    stop = next((n for n, token in enumerate(generated) if token in ends), None)
    words = generated if stop is None else generated[:stop]
    likely = likely[: len(words) + (stop is not None)]  # that it stopped is a choice, too
    sure = math.exp(fmean(likely)) if likely else float("nan")
    text = prefill(prompt) + tokenizer.decode(words, skip_special_tokens=False)
    return Completion(text, "length" if stop is None else "stop", len(words), sure)


def _plan(device: Device) -> Plan:
    dtype = "float32" if device.kind == "cpu" else "bfloat16" if (device.capability or (0, 0)) >= (8, 0) else "float16"
    return Plan(device, dtype, False, False, False, 1, False, 0.0)
