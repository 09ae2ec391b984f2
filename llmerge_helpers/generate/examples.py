"""What 01 leaves behind: one text file an example for people, examples.jsonl for programs, results.csv for both."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.baselines import ask
from llmerge_helpers.conflicts import Form, Message, Row
from llmerge_helpers.conflicts.prompts import FULL, PROMPT_VERSION
from llmerge_helpers.run import from_root, redact
from llmerge_helpers.run.files import atomic_file, remove_left, write_atomic, write_jsonl
from llmerge_helpers.verdict import VerdictRecord

if TYPE_CHECKING:
    import pandas as pd

    from llmerge_helpers.generate.asking import Result

IN_ONE_FOLDER = 1_000  # text files; of more, each thousand has a folder
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


def record(row: Row, result: Result, example_id: int, teacher: str, form: Form = FULL) -> Example:
    """One line of examples.jsonl: the conflict, the raw message, how it was read, and its verdict."""
    message, reply = result.message or {}, result.reply
    suffix = f"_{result.sample}" if result.sample else ""
    return {
        "example_id": example_id,
        "sample": result.sample,
        "id": row.get("id", str(example_id)),
        # what came before it in its merge stands in the prompt, and can be found again
        "row": {name: value for name, value in row.items() if name != "earlier"},
        "prompt": ask(row, form),
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
    rows: Sequence[Row],
    results: Iterable[Result],
    output_dir: str | Path,
    teacher: str,
    text_files: bool = True,
    form: Form = FULL,
) -> pd.DataFrame:
    """Write `example_*.txt`, `examples.jsonl` and `results.csv`, and give the last as a table, one line a sample.

    One example after the other is read from the cache, judged and written, so that memory does not grow with what the
    teacher wrote. `examples.jsonl` and `results.csv` are the old ones until the new ones are whole. Of more than a
    thousand examples, the text files lie in folders of a thousand conflicts (`012/example_12345.txt`): file managers
    choke on more. `text_files=False` writes none; they are there for people, and nothing reads them, but whoever
    looks for one expects it, so no number of examples leaves them out by itself. Text files of an earlier run are
    removed: they would look like results of this one. Raw replies stay in the cache. `form` is how they were asked.
    """
    import pandas as pd

    output_dir = from_root(output_dir)
    results = list(results)
    remove_left(output_dir.glob(".*.tmp"))
    current: set[str] = set()
    lines: list[tuple[object, ...]] = []

    def examples() -> Iterator[Example]:
        for result in results:
            example = record(rows[result.index], result, result.index, teacher, form)
            if not text_files:
                example["output_file"] = ""
            elif len(results) > IN_ONE_FOLDER:
                example["output_file"] = f"{result.index // IN_ONE_FOLDER:03d}/{example['output_file']}"
            if text_files:
                write_atomic(output_dir / example["output_file"], as_text(example), lasting=False)
            current.add(example["output_file"])
            # most values come again and again
            line = results_row(example)
            lines.append(tuple(intern(v) if type(v := line[name]) is str else v for name in RESULT_COLUMNS))
            yield example

    write_jsonl(output_dir / "examples.jsonl", examples())
    table = pd.DataFrame(lines, columns=list(RESULT_COLUMNS))
    with atomic_file(output_dir / "results.csv") as file:
        table.to_csv(file, index=False, errors="surrogatepass")
    _remove_others(output_dir, current)
    return table


def _remove_others(folder: Path, current: set[str]) -> None:
    """Remove the text files that are not `current`, and the folders that are empty then."""
    for pattern in ("example_*.txt", "[0-9][0-9][0-9]*/example_*.txt"):
        for old in folder.glob(pattern):
            if old.relative_to(folder).as_posix() not in current:
                old.unlink()
                if old.parent != folder and not any(old.parent.iterdir()):
                    old.parent.rmdir()
