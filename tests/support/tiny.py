"""Tiny random models and small datasets in the shape of the real ones, so that training code runs in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def tiny_tokenizer(
    template: str = CHATML, special: list[str] = SPECIAL, eos: str = "<|im_end|>", **options: Any
) -> Any:
    """A byte-level tokenizer without merges: any text, 256 tokens and the special ones."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE({character: i for i, character in enumerate(alphabet)}, []))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    backend.add_special_tokens(special)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token=eos, pad_token=special[0], **options)
    tokenizer.chat_template = template
    return tokenizer


def tiny_model(folder: Path, *, seed: int = 0, template: str = CHATML, layers: int = 2, hidden: int = 32) -> Path:
    """`folder`, holding a random Llama that `load_base` can read."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = tiny_tokenizer(template)
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        intermediate_size=2 * hidden,
        num_hidden_layers=layers,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def conflict_row(i: int = 0) -> dict[str, Any]:
    """A small Java conflict; the developer kept both imports."""
    from llmerge_helpers.conflicts import Conflict

    row = {
        "id": f"demo@abc:A{i}.java#0", "repository": "demo", "path": f"A{i}.java", "language": "Java",
        "before": "import a;\n", "ours": f"import b{i};\n", "base": "", "theirs": f"import c{i};\n",
        "after": "class A {}\n", "kind": "ours_theirs",
        "resolution": f"import b{i};\nimport c{i};\n", "prefix": "", "suffix": "",
    }  # fmt: skip
    return row | {"answer": row["before"] + row["resolution"] + row["after"], "question": Conflict.of(row).question()}


def save_sft(folder: Path, n: int = 8, held_out: int = 2) -> Path:
    """An SFT dataset as 02 writes it."""
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.conflicts import messages, render_answer, render_reply

    def example(i: int) -> dict[str, Any]:
        row = conflict_row(i)
        reply = render_reply("Each side adds an import; keep both.", render_answer(row["answer"], "Java"))
        return {
            "prompt": messages(row)[1:],
            "completion": [{"role": "assistant", "content": reply}],
            "example_id": i,
            "id": row["id"],
            "match_type": "exact_match",
            "thinking_source": "reasoning_content",
            "n_tokens": 300,
        }

    train = Dataset.from_list([example(i) for i in range(n)])
    validation = Dataset.from_list([example(100 + i) for i in range(held_out)])
    DatasetDict(train=train, validation=validation).save_to_disk(str(folder))
    return folder


def save_grpo(folder: Path, n: int = 4) -> Path:
    """A GRPO dataset as 02 writes it."""
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.conflicts import messages

    rows = [conflict_row(i) | {"prompt": messages(conflict_row(i))[1:], "pass_rate": i / n} for i in range(n)]
    DatasetDict(train=Dataset.from_list(rows)).save_to_disk(str(folder))
    return folder
