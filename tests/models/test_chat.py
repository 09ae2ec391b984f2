"""Training and inference see the same tokens, for every family of chat template."""

from __future__ import annotations

from pathlib import Path

import pytest
from tiny import CHATML, SPECIAL, tiny_tokenizer

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import ChatTokenizer, chat

REASONING = "Ours renames f, theirs adds a call; keep both."
ANSWER = "```java\ng(1);\nh();\n```"
REPLY = f"<think>\n{REASONING}\n</think>\n\n{ANSWER}"
PROMPT = [{"role": "system", "content": "Resolve."}, {"role": "user", "content": "<<<<<<< ours\nf\n>>>>>>> theirs"}]
USER = PROMPT[1:]

# written in the manner of each family: how it opens a turn, ends it, and treats the thinking of an assistant
STRIP = "{% set c = m['content'].split('</think>')[-1] %}"
DEEPSEEK = (
    "{{ bos_token }}{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] }}{% elif m['role'] == 'user' %}"
    "{{ '<｜User｜>' + m['content'] }}{% else %}"
    + STRIP
    + "{{ '<｜Assistant｜>' + c + '<｜end▁of▁sentence｜>' }}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<｜Assistant｜><think>\\n' }}{% endif %}"
)
QWEN3 = (
    "{% for m in messages %}{% if m['role'] != 'assistant' %}{{ '<|im_start|>' + m['role'] + '\\n' + m['content'] + "
    "'<|im_end|>\\n' }}{% else %}"
    + STRIP
    + "{{ '<|im_start|>assistant\\n<think>\\n\\n</think>\\n\\n' + c + '<|im_end|>\\n' }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}"
    "{% if enable_thinking is defined and not enable_thinking %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{% endif %}"
)
QWEN_THINK = QWEN3.replace(
    "'<|im_start|>assistant\\n' }}{% if enable", "'<|im_start|>assistant\\n<think>\\n' }}{% if enable"
)
QWEN_NOTHINK = QWEN3.replace(
    "{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and not enable_thinking %}"
    "{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}",
    "{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and enable_thinking %}{{ '<think>\\n' }}"
    "{% else %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}",
)
ALWAYS_CLOSED = CHATML.replace("assistant\\n' }}{% endif %}", "assistant\\n<think>\\n\\n</think>\\n\\n' }}{% endif %}")
GEMMA = (
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}{{ '<start_of_turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n' + "
    "m['content'] | trim + '<end_of_turn>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ bos_token }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + "
    "m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
PHI3 = (
    "{% for m in messages %}{{ '<|' + m['role'] + '|>\\n' + m['content'] + '<|end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\\n' }}{% else %}{{ eos_token }}{% endif %}"
)
LLAMA_TOKENS = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
FAMILIES = {
    # name: template, special tokens, eos, what ends a turn, what is prefilled
    "smollm2, qwen2.5": (CHATML, SPECIAL, "<|im_end|>", "<|im_end|>", ""),
    "chatml with another eos": (CHATML, SPECIAL, "<|endoftext|>", "<|im_end|>", ""),
    "qwen3": (QWEN3, SPECIAL, "<|im_end|>", "<|im_end|>", ""),
    "qwen3.5-think, 3.6, 3.8": (QWEN_THINK, SPECIAL, "<|im_end|>", "<|im_end|>", "<think>\n"),
    "qwen3.5-nothink": (QWEN_NOTHINK, SPECIAL, "<|im_end|>", "<|im_end|>", "<think>\n"),
    "thinking always closed": (ALWAYS_CLOSED, SPECIAL, "<|im_end|>", "<|im_end|>", ""),
    "r1-distill": (DEEPSEEK, ["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"],
                   "<｜end▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<think>\n"),
    "gemma": (GEMMA, ["<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"], "<eos>", "<end_of_turn>", ""),
    "llama3": (LLAMA3, LLAMA_TOKENS, "<|end_of_text|>", "<|eot_id|>", ""),
    "phi3": (PHI3, ["<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"], "<|endoftext|>", "<|end|>", ""),
}  # fmt: skip


def tokenizer_of(family: str):
    template, special, eos, _, _ = FAMILIES[family]
    return tiny_tokenizer(template, special, eos, bos_token=special[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_reasoning_answer_and_end_of_turn_carry_loss_and_nothing_else(family):
    *_, end, opened = FAMILIES[family]
    tokenizer = tokenizer_of(family)
    row = chat.encode(tokenizer, PROMPT, REPLY)
    learned = tokenizer.decode([t for t, label in zip(row["input_ids"], row["labels"], strict=True) if label != -100])
    given = tokenizer.decode([t for t, label in zip(row["input_ids"], row["labels"], strict=True) if label == -100])
    assert learned == REPLY.removeprefix(opened) + end
    assert given == chat.render_prompt(tokenizer, PROMPT)
    assert chat.prefill(given) == opened
    assert given.count("<think>") == (1 if opened else 0) and "</think>" not in given
    assert "Resolve." in given
    chat.check_parity(tokenizer, row, PROMPT, REPLY)


def test_a_tokenizer_that_composes_characters_takes_no_reasoning_away():
    from tiny import tiny_tokenizer
    from tokenizers import normalizers

    tokenizer = tiny_tokenizer()
    tokenizer.backend_tokenizer.normalizer = normalizers.NFC()
    reply = [{"role": "assistant", "content": "<think>\ncafe\u0301 is renamed\n</think>\n\n```java\nx\n```"}]
    chat.check_parity(tokenizer, chat.encode(tokenizer, PROMPT, reply), PROMPT, reply)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_reply_without_reasoning_is_learned_whole(family):
    tokenizer, opened = tokenizer_of(family), FAMILIES[family][-1]
    row = chat.encode(tokenizer, PROMPT, ANSWER)
    learned = tokenizer.decode([t for t in row["labels"] if t != -100])
    assert learned == ("</think>\n\n" if opened else "") + ANSWER + FAMILIES[family][-2]
    chat.check_parity(tokenizer, row, PROMPT, ANSWER)


@pytest.mark.parametrize("family", FAMILIES)
def test_grpo_prompts_are_the_tokens_of_training(family):
    tokenizer = tokenizer_of(family)
    text = chat.trainer_prompt(tokenizer, PROMPT)
    row = chat.encode(tokenizer, PROMPT, REPLY)
    masked = [t for t, label in zip(row["input_ids"], row["labels"], strict=True) if label == -100]
    assert tokenizer(text)["input_ids"] == masked


def test_a_tokenizer_that_adds_its_opening_token_gets_it_once():
    from tokenizers.processors import TemplateProcessing

    tokenizer = tokenizer_of("llama3")
    opening = (LLAMA_TOKENS[0], tokenizer.convert_tokens_to_ids(LLAMA_TOKENS[0]))
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(single=f"{opening[0]} $A", special_tokens=[opening])
    ids = tokenizer(chat.trainer_prompt(tokenizer, PROMPT))["input_ids"]
    assert ids.count(opening[1]) == 1
    assert ids == chat.prompt_ids(tokenizer, chat.render_prompt(tokenizer, PROMPT))


def test_reasoning_in_a_field_of_its_own_is_learned_too():
    tokenizer = tokenizer_of("r1-distill")
    message = {"role": "assistant", "content": ANSWER, "reasoning_content": REASONING}
    assert chat.encode(tokenizer, PROMPT, [message]) == chat.encode(tokenizer, PROMPT, REPLY)


def test_parity_check_finds_what_the_stripping_template_does():
    """What TRL's own prompt/completion path makes of R1-Distill: loss on the answer only."""
    tokenizer = tokenizer_of("r1-distill")
    given = tokenizer.apply_chat_template(PROMPT, tokenize=False, add_generation_prompt=True)
    whole = tokenizer.apply_chat_template([*PROMPT, {"role": "assistant", "content": REPLY}], tokenize=False)
    assert REASONING not in whole
    ids = tokenizer(whole, add_special_tokens=False)["input_ids"]
    before = tokenizer(given, add_special_tokens=False)["input_ids"]
    common = next(i for i, (a, b) in enumerate(zip(ids, before, strict=False)) if a != b)
    row = {"input_ids": ids, "labels": [-100] * common + ids[common:]}
    with pytest.raises(LlmergeError, match="does not start with the prompt"):
        chat.check_parity(tokenizer, row, PROMPT, REPLY)
    answer_only = chat.encode(tokenizer, PROMPT, ANSWER)
    with pytest.raises(LlmergeError, match="reasoning .* carries no loss"):
        chat.check_parity(tokenizer, answer_only, PROMPT, REPLY)


def test_parity_check_finds_a_row_that_was_cut():
    tokenizer = tokenizer_of("smollm2, qwen2.5")
    row = {k: v[:-5] for k, v in chat.encode(tokenizer, PROMPT, REPLY).items()}
    with pytest.raises(LlmergeError, match="never stop"):
        chat.check_parity(tokenizer, row, PROMPT, REPLY)


def test_counting_without_torch_sees_the_same_text():
    special = {"bos_token": SPECIAL[0], "eos_token": "<|im_end|>"}
    counter = ChatTokenizer("demo", CHATML, None, special)
    assert chat.training_text(counter, PROMPT, REPLY) == chat.training_text(
        tokenizer_of("smollm2, qwen2.5"), PROMPT, REPLY
    )


def test_a_template_that_refuses_the_messages_is_named():
    tokenizer = tiny_tokenizer("{{ raise_exception('no tools here') }}")
    with pytest.raises(LlmergeError, match="no tools here"):
        chat.render_prompt(tokenizer, USER)


def _shipped():
    import trl

    return sorted((Path(trl.__file__).parent / "chat_templates").glob("*.jinja"))


TEXT_ONLY = [
    path
    for path in _shipped()
    if not any(word in path.stem for word in ("training", "llava", "idefics", "smolvlm", "_vl", "diffusion", "muse"))
]


@pytest.mark.parametrize("path", TEXT_ONLY, ids=lambda path: path.stem)
def test_every_template_that_trl_ships(path):
    """The rule, not the list: reasoning and end of turn carry loss after exactly the inference prompt."""
    special = [*SPECIAL, "<bos>", "<|eot_id|>", "<end_of_turn>", "<|end|>", "<｜end▁of▁sentence｜>", "<|return|>",
               "<turn|>", "<|END_OF_TURN_TOKEN|>"]  # fmt: skip
    tokenizer = tiny_tokenizer(path.read_text(encoding="utf-8"), special, bos_token="<bos>")
    row = chat.encode(tokenizer, PROMPT, REPLY)
    chat.check_parity(tokenizer, row, PROMPT, REPLY)
    assert tokenizer(chat.trainer_prompt(tokenizer, PROMPT))["input_ids"] == [
        t for t, label in zip(row["input_ids"], row["labels"], strict=True) if label == -100
    ]
