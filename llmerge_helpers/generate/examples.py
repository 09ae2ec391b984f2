"""What 01 leaves behind: one text file an example for people, examples.jsonl for programs, results.csv for both."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmerge_helpers.conflicts.prompts import PROMPT_VERSION, messages
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.files import read_jsonl, write_atomic, write_jsonl
from llmerge_helpers.run.session import redact, resolve, shown

if TYPE_CHECKING:
    import pandas as pd

RESULT_COLUMNS = (
    "example_id", "sample", "is_correct", "match_type", "output_file", "repository", "path", "language", "kind",
    "teacher", "model", "served_model", "finish_reason", "prompt_tokens", "completion_tokens", "reasoning_tokens",
    "cost_usd", "latency_s", "attempts", "cached", "error", "id",
)  # fmt: skip


def record(row: Mapping[str, Any], result: Any, example_id: int, teacher: str) -> dict[str, Any]:
    """One line of examples.jsonl: the conflict, the raw message, how it was read, and its verdict."""
    message, reply = result.message or {}, result.reply
    usage = dict(result.usage or {})
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
        "sdk": getattr(result, "sdk", ""),
        "finish_reason": result.finish_reason,
        "usage": usage,
        "cost_usd": result.cost_usd,
        "latency_s": result.latency_s,
        "attempts": result.attempts,
        "cached": result.cached,
        "error": redact(result.error) if result.error else "",
        "key": result.key,
        "output_file": f"example_{example_id:04d}{suffix}.txt",
    }


def as_text(example: Mapping[str, Any]) -> str:
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


def results_row(example: Mapping[str, Any]) -> dict[str, Any]:
    """One line of results.csv."""
    row, usage = example["row"], example["usage"]
    flat = {
        **{k: row.get(k, "") for k in RESULT_COLUMNS},
        **{k: example.get(k, "") for k in RESULT_COLUMNS if k in example},
    }
    flat |= {k: example["verdict"][k] for k in ("is_correct", "match_type")}
    return flat | {k: usage.get(k, 0) or 0 for k in ("prompt_tokens", "completion_tokens", "reasoning_tokens")}


def write_examples(
    rows: Sequence[Mapping[str, Any]], results: Iterable[Any], output_dir: str | Path, teacher: str
) -> pd.DataFrame:
    """Write `example_*.txt`, `examples.jsonl` and `results.csv`, and give the last as a table, one line a sample.

    Text files of an earlier, longer run are removed: they would look like results of this one. Raw replies stay in
    the cache.
    """
    import pandas as pd

    output_dir = resolve(output_dir)
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


def load_examples(path: str | Path) -> list[dict[str, Any]]:
    """The examples that 01 wrote, from its output folder or its `examples.jsonl`.

    A missing file, a torn line or a file of another kind is an `LlmergeError`.
    """
    path = resolve(path)
    if path.is_dir():
        path = path / "examples.jsonl"
    if not path.exists():
        raise LlmergeError(f"{shown(path)} is not there: run `papermill notebooks/01_generate.ipynb out.ipynb` first.")
    examples = list(read_jsonl(path))
    needed = {"example_id", "row", "message", "verdict"}
    for number, example in enumerate(examples, 1):
        if not isinstance(example, dict) or needed - set(example):
            raise LlmergeError(
                f"{shown(path)}, line {number} is not an example of 01 (it needs {', '.join(sorted(needed))}): "
                "point `examples` at the output folder of 01_generate."
            )
    return examples
