"""Twelve replies written by hand, in the shapes that real reasoning models use, and where each of them belongs."""

from __future__ import annotations

import random

from llmerge_helpers.conflicts import Conflict, messages, split_reply
from llmerge_helpers.verdict import verify

WORDS = ["parcel", "route", "depot", "label", "weight", "stop", "driver", "seat", "ticket", "price", "tax", "cart"]
WORDS += ["item", "order", "queue", "job", "retry", "cache"]


def conflict(number: int, repository: str = "shop", family: str = "", language: str = "Java") -> dict:
    """A conflict that no other number comes near; its resolution takes both sides' changes."""
    draw = random.Random(f"{repository} {number}")
    name = "".join(word.title() for word in draw.sample(WORDS, 3)) + str(number)
    field, other, call = draw.sample(WORDS, 3)
    body = "\n".join(f"    this.{w}{draw.randrange(999)} = {x}({draw.randrange(9999)});" for w, x in zip(
        draw.choices(WORDS, k=6), draw.choices(WORDS, k=6), strict=True))  # fmt: skip
    row = {
        "id": f"{repository}@{number:012x}:src/{name}.java#0",
        "repository": repository,
        "family": family or repository,
        "license": "MIT",
        "path": f"src/{name}.java",
        "hunk": 0,
        "language": language,
        "kind": "mixed",
        "before": f"public class {name} {{\n{body}\n",
        "base": f"  void {field}{number}(int a) {{\n    {call}{number}(a);\n",
        "ours": f"  void {field}{number}(int a, int {other}) {{\n    {call}{number}(a);\n",
        "theirs": f"  void {field}{number}(int a) {{\n    {call}{number}(Math.abs(a));\n",
        "resolution": f"  void {field}{number}(int a, int {other}) {{\n    {call}{number}(Math.abs(a));\n",
        "after": f'    log("{name}", {draw.randrange(99999)});\n  }}\n}}\n',
        "prefix": "",
        "suffix": "",
    }
    row["answer"] = row["before"] + row["resolution"] + row["after"]
    row["question"] = Conflict.of(row).question()
    return row


def right(row: dict) -> str:
    return f"```java\n{row['answer']}```"


def wrong(row: dict) -> str:
    return f"```java\n{row['before']}{row['ours']}{row['after']}```"


def example(row: dict, message: dict | None, number: int, sample: int = 0, finish_reason: str = "stop") -> dict:
    """The record that 01 would write."""
    reply = split_reply(message) if message else None
    return {
        "example_id": number, "sample": sample, "id": row["id"], "row": row, "prompt": messages(row),
        "message": message or {},
        "reasoning": reply.reasoning if reply else "", "answer": reply.answer if reply else "",
        "reasoning_source": reply.source if reply else "none",
        "verdict": verify(message, row, finish_reason=finish_reason).to_dict(),
        "teacher": "by hand", "model": "none", "served_model": "none-1", "system_fingerprint": "",
        "prompt_version": "1",
        "finish_reason": finish_reason, "usage": {"completion_tokens": 50}, "cost_usd": 0.0, "latency_s": 0.1,
        "attempts": 1, "cached": False, "error": "" if message else "connection reset", "key": f"{number}-{sample}",
        "output_file": f"example_{number:04d}.txt",
    }  # fmt: skip


THOUGHT = (
    "Ours adds a parameter. Theirs takes the absolute value. Both changes stand in different places, so keep both."
)


def twelve() -> list[tuple[str, dict, dict]]:
    """(shape, example, where it belongs): `full` and `correct` are True or the step that drops it."""
    rows = [conflict(n) for n in range(12)]
    fenced = {**rows[4], "before": rows[4]["before"] + '  String help = "\n```java\nint x = 1;\n```\n";\n'}
    fenced["answer"] = fenced["before"] + fenced["resolution"] + fenced["after"]
    fenced["question"] = Conflict.of(fenced).question()
    rows[4] = fenced
    loop = "Wait, let me look at both sides of the conflict again. "
    shapes = [
        ("reasoning_content (DeepSeek, vLLM)", {"content": right(rows[0]), "reasoning_content": THOUGHT}, "stop",
         True, True, "reasoning_content", ()),
        ("reasoning (OpenRouter, Ollama)",
         {"content": "Here it is:\n\n" + right(rows[1]), "reasoning": THOUGHT}, "stop",
         True, True, "reasoning", ()),
        ("reasoning_details, a list of parts", {"content": right(rows[2]), "reasoning_details": [
            {"type": "reasoning.text", "text": THOUGHT[:40]}, {"type": "reasoning.text", "text": THOUGHT[40:]}]},
         "stop",
         True, True, "reasoning_details", ()),
        ("inline tags, the opening left to the template",
         {"content": f"{THOUGHT}\n</think>\n\n{right(rows[3])}"}, "stop", True, True, "think_tags", ()),
        ("inline tags, and a fence in the code",
         {"content": f"<think>\n{THOUGHT}\n</think>\n\n````java\n{fenced['answer']}````"}, "stop",
         True, True, "think_tags", ()),
        ("no reasoning, only code", {"content": right(rows[5])}, "stop", True, True, "facts", ("empty",)),
        ("prose, then two blocks: quotes the conflict first",
         {"content": f"The conflict is:\n\n```java\n{rows[6]['ours']}```\n\nResolved:\n\n{right(rows[6])}"}, "stop",
         True, True, "prose", ()),
        ("wrong, with reasoning", {"content": wrong(rows[7]), "reasoning_content": THOUGHT}, "stop",
         True, "wrong", "reasoning_content", ()),
        ("cut off in the reasoning", {"content": f"<think>\n{THOUGHT} Now"}, "length",
         "truncated", "truncated", "think_tags", ("cut",)),
        ("cut off in the code", {"content": right(rows[9])[:-40], "reasoning_content": THOUGHT}, "stop",
         "truncated", "truncated", "reasoning_content", ()),
        ("only words", {"content": "I would keep both.", "reasoning_content": THOUGHT}, "stop",
         "invalid", "invalid", "reasoning_content", ()),
        ("right, but loops, changes language and leaks a token",
         {"content": right(rows[11]), "reasoning_content": loop * 40 + "我们保留两边的修改。" * 9 + "<|im_start|>"},
         "stop",
         True, True, "reasoning_content", ("loops", "language", "harness")),
    ]  # fmt: skip
    out = []
    for number, (shape, message, finish, full, correct, source, flags) in enumerate(shapes):
        belongs = {"full": full, "correct": correct, "source": source, "flags": flags}
        out.append((shape, example(rows[number], message, number, finish_reason=finish), belongs))
    return out
