"""Replies of a model to rendered prompts: batched, greedy, and cut where the model ended them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from llmerge_helpers.models import chat as rendering


@dataclass(frozen=True)
class Completion:
    """One generated reply: what the template had opened and what the model wrote, and whether it stopped by itself."""

    text: str
    finish_reason: str  # "stop" or "length"
    tokens: int


def complete(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int = 16,
    on_batch: Any = None,
) -> list[Completion]:
    """Replies to rendered prompts, in their order, decoded greedily.

    Prompts of similar length share a batch, padded on the left, so that padding costs little and every reply starts
    right after its prompt. `on_batch(indices, completions)` is called after each batch.
    """
    import torch

    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    done: dict[int, Completion] = {}
    device = next(model.parameters()).device
    was_training, cache = model.training, model.config.use_cache
    model.eval()
    ends = sorted(end_ids(model, tokenizer))
    try:
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            ids = [rendering.prompt_ids(tokenizer, prompts[i]) for i in indices]
            width = max(map(len, ids))
            padded = torch.full((len(ids), width), tokenizer.pad_token_id)
            mask = torch.zeros((len(ids), width), dtype=torch.long)
            for row, tokens in enumerate(ids):
                padded[row, width - len(tokens) :] = torch.tensor(tokens)
                mask[row, width - len(tokens) :] = 1
            with torch.no_grad():
                out = model.generate(
                    input_ids=padded.to(device),
                    attention_mask=mask.to(device),
                    max_new_tokens=max_new_tokens,
                    eos_token_id=ends,
                    pad_token_id=tokenizer.pad_token_id,
                    use_cache=True,
                    do_sample=False,
                )
            fresh = [
                _completion(tokenizer, prompts[i], out[row, width:].tolist(), ends) for row, i in enumerate(indices)
            ]
            done.update(zip(indices, fresh, strict=True))
            if on_batch is not None:
                on_batch(indices, fresh)
    finally:
        model.train(was_training)
        model.config.use_cache = cache
    return [done[i] for i in range(len(prompts))]


def end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a reply: the template's end of a turn, the tokenizer's own, and those the model declares.

    GRPO stops at the same ones, so that a reply is cut off in training where it is in an evaluation.
    """
    declared = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    declared = [declared] if isinstance(declared, int) else declared or []
    end = tokenizer.convert_tokens_to_ids(rendering.end_of_turn_token(tokenizer))
    return frozenset({end, tokenizer.eos_token_id, *declared})


def _completion(tokenizer: Any, prompt: str, generated: list[int], ends: Sequence[int]) -> Completion:
    stop = next((n for n, token in enumerate(generated) if token in ends), None)
    words = generated if stop is None else generated[:stop]
    text = rendering.prefill(prompt) + tokenizer.decode(words, skip_special_tokens=False)
    return Completion(text, "length" if stop is None else "stop", len(words))
