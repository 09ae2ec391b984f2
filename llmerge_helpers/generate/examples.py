"""What 01 leaves behind: one text file an example for people, examples.jsonl for programs, results.csv for both."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.conflicts import Message, Row, messages
from llmerge_helpers.conflicts.prompts import PROMPT_VERSION
from llmerge_helpers.run import from_root, redact
from llmerge_helpers.run.files import write_atomic, write_jsonl
from llmerge_helpers.verdict import VerdictRecord

if TYPE_CHECKING:
    import pandas as pd

    from llmerge_helpers.generate.asking import Result

RESULT_COLUMNS = (
    "example_id", "sample", "is_correct", "match_type", "output_file", "repository", "path", "language", "kind",
    "teacher", "model", "served_model", "finish_reason", "prompt_tokens", "completion_tokens", "reasoning_tokens",
    "cost_usd", "latency_s", "attempts", "cached", "error", "id",
    "merge_commit",
)  # fmt: skip


class Example(TypedDict):
    """One line of examples.jsonl: a conflict, the teacher's reply to it, how it was read, and its verdict."""

    example_id: int
    sample: int
    id: str
    row: Row
    prompt: list[Message]
    message: dict[str, object]  # as the service sent it
    reasoning: str
    answer: str
    reasoning_source: str
    verdict: VerdictRecord
    teacher: str
    model: str
    served_model: str
    system_fingerprint: str
    prompt_version: str
    sdk: str
    finish_reason: str | None
    usage: dict[str, int]
    cost_usd: float | None
    latency_s: float | None
    attempts: int
    cached: bool
    error: str
    key: str
    output_file: str


def record(row: Row, result: Result, example_id: int, teacher: str) -> Example:
    """One line of examples.jsonl: the conflict, the raw message, how it was read, and its verdict."""
    message, reply = result.message or {}, result.reply
    suffix = f"_{result.sample}" if result.sample else ""
    return {
        "example_id": example_id,
        "sample": result.sample,
        "id": row.get("id", str(example_id)),
        "row": dict(row),
        "prompt": messages(row),
        "message": message,
        "reasoning": reply.reasoning if reply else "",
        "answer": reply.answer if reply else "",
        "reasoning_source": reply.source if reply else "none",
        "verdict": result.verdict.to_dict(),
        "teacher": teacher,
        "model": result.requested_model,
        "served_model": result.served_model,
        "system_fingerprint": result.system_fingerprint,
        "prompt_version": PROMPT_VERSION,
        "sdk": result.sdk,
        "finish_reason": result.finish_reason,
        "usage": dict(result.usage),
        "cost_usd": result.cost_usd,
        "latency_s": result.latency_s,
        "attempts": result.attempts,
        "cached": result.cached,
        "error": redact(result.error) if result.error else "",
        "key": result.key,
        "output_file": f"example_{example_id:04d}{suffix}.txt",
    }


def as_text(example: Example) -> str:
    """One example as a person reads it, in five parts; nothing is ever parsed back out of this."""
    row, verdict = example["row"], example["verdict"]
    parts = {
        "VERDICT": f"{verdict['match_type']}: {verdict['detail']}"
        + (f"\n{example['error']}" if example["error"] else ""),
        "PROMPT": "\n\n".join(m["content"] for m in example["prompt"]),
        "REASONING": example["reasoning"] or "(none)",
        "ANSWER": example["answer"] or "(none)",
        "EXPECTED": row.get("answer", ""),
    }
    head = f"{example['id']}\n{example['model']} ({example['teacher']}), sample {example['sample']}\n"
    return head + "".join(f"\n{'=' * 20} {name} {'=' * 20}\n{text.rstrip()}\n" for name, text in parts.items())


def results_row(example: Example) -> dict[str, object]:
    """One line of results.csv."""
    row, usage = example["row"], example["usage"]
    flat = {
        **{k: row.get(k, "") for k in RESULT_COLUMNS},
        **{k: example.get(k, "") for k in RESULT_COLUMNS if k in example},
    }
    flat |= {k: example["verdict"][k] for k in ("is_correct", "match_type")}
    return flat | {k: usage.get(k, 0) or 0 for k in ("prompt_tokens", "completion_tokens", "reasoning_tokens")}


def write_examples(
    rows: Sequence[Row], results: Iterable[Result], output_dir: str | Path, teacher: str
) -> pd.DataFrame:
    """Write `example_*.txt`, `examples.jsonl` and `results.csv`, and give the last as a table, one line a sample.

    Text files of an earlier, longer run are removed: they would look like results of this one. Raw replies stay in
    the cache.
    """
    import pandas as pd

    output_dir = from_root(output_dir)
    examples = [record(rows[r.index], r, r.index, teacher) for r in results]
    for example in examples:
        write_atomic(output_dir / example["output_file"], as_text(example))
    current = {example["output_file"] for example in examples}
    for old in output_dir.glob("example_*.txt"):
        if old.name not in current:
            old.unlink()
    write_jsonl(output_dir / "examples.jsonl", examples)
    table = pd.DataFrame([results_row(e) for e in examples], columns=list(RESULT_COLUMNS))
    buffer = io.StringIO()
    table.to_csv(buffer, index=False)
    write_atomic(output_dir / "results.csv", buffer.getvalue())
    return table
