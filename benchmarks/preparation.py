"""10,000 replies to training data: seconds, peak memory, and the token count against a loop over a tokenizer.

    python benchmarks/preparation.py                                  # conflicts of the bundled sample, renamed
    python benchmarks/preparation.py --repository /path/to/a/clone    # conflicts of a real repository, renamed

Every reply belongs to a conflict of its own: names are changed from copy to copy, so that none is a near-duplicate of
another. The preparation runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import re
import resource
import statistics
import tempfile
import time
from pathlib import Path

from llmerge_helpers import collect, merges
from llmerge_helpers.baselines import explain
from llmerge_helpers.conflicts import Conflict, messages, render_answer
from llmerge_helpers.models import load_chat_tokenizer, training_text
from llmerge_helpers.prepare import load_examples, prepare
from llmerge_helpers.run.files import write_jsonl
from llmerge_helpers.verdict import verify

TEXTS = ("before", "ours", "base", "theirs", "after", "resolution", "prefix", "suffix")
NAME = re.compile(r"\b[A-Za-z_]{4,}\b")


def renamed(row: dict, copy: int) -> dict:
    """The same conflict with every longer name changed."""
    if copy:
        row = {**row, **{name: NAME.sub(lambda m: f"{m[0]}{copy}", row[name]) for name in TEXTS}}
        row["answer"] = row["before"] + row["resolution"] + row["after"]
        row["id"], row["path"] = f"{row['id']}~{copy}", f"{copy}/{row['path']}"
        row["question"] = Conflict.of(row).question()
    return row


def conflicts(repository: str) -> list[dict]:
    """The conflicts of a repository, or of the bundled sample."""
    if repository:
        return [{**row, "family": row.get("family") or "one"} for row in collect.collect_repository(repository)]
    return merges.load("sample")["train"].to_list()


def make_examples(rows: list[dict], n: int, path: Path) -> None:
    """What 01 would have written for `n` conflicts, answered by the rule teacher."""

    def records():
        copies = (renamed(row, copy) for copy in itertools.count() for row in rows)
        for number, row in enumerate(itertools.islice(copies, n)):
            resolution, reasoning = explain.explain(Conflict.of(row))
            answer = render_answer(row["before"] + (resolution or "") + row["after"], row["language"])
            yield {
                "example_id": number, "sample": 0, "id": row["id"], "row": row, "prompt": messages(row),
                "message": {"content": answer, "reasoning_content": reasoning}, "reasoning": reasoning,
                "answer": answer, "reasoning_source": "reasoning_content", "verdict": verify(answer, row).to_dict(),
                "teacher": "rules", "served_model": "rules", "finish_reason": "stop", "usage": {}, "cost_usd": 0.0,
            }  # fmt: skip

    write_jsonl(path, records())


def measured(path: str, base_model: str, queue) -> None:
    """Read, prepare and write, and say how long it took and how much memory."""
    start = time.perf_counter()
    examples = load_examples(path)
    read = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        prepared = prepare(examples, Path(folder) / "sft_dataset", base_model=base_model)
        seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {"read_s": read, "prepare_s": seconds, "cpu_s": used.ru_utime + used.ru_stime}
    queue.put(figures | {"peak_gib": used.ru_maxrss / 2**20, "rows": prepared.results()["rows"]})


def token_count(path: str, base_model: str, n: int, rounds: int) -> dict:
    """Our batched count against a loop over transformers' tokenizer, on the same `n` texts, taking turns."""
    from llmerge_helpers import models

    ours, theirs = load_chat_tokenizer(base_model), models.load_tokenizer(models.locate(ours_name(base_model)))
    with open(path, encoding="utf-8") as file:
        examples = [json.loads(line) for line in itertools.islice(file, n)]
    chats = [[*e["prompt"], {"role": "assistant", "content": e["answer"]}] for e in examples]

    def batched() -> list[int]:
        return ours.count("".join(training_text(ours, chat[:-1], chat[-1]["content"])) for chat in chats)

    def loop() -> list[int]:
        return [len(theirs.apply_chat_template(chat, tokenize=True, return_dict=False)) for chat in chats]

    times: dict[str, list[float]] = {"batched": [], "loop": []}
    for _ in range(rounds):
        for name, count in (("batched", batched), ("loop", loop)):
            start = time.perf_counter()
            found = count()
            times[name].append(time.perf_counter() - start)
            times.setdefault(f"{name}_tokens", []).append(sum(found))
    one, other = (statistics.median(times[name]) for name in ("batched", "loop"))
    return {
        "texts": len(chats), "batched_s": one, "loop_s": other, "ratio": other / one,
        "tokens": (times["batched_tokens"][0], times["loop_tokens"][0]),
    }  # fmt: skip


def ours_name(base_model: str) -> str:
    """The model behind `auto`."""
    return load_chat_tokenizer(base_model).name


def main() -> None:
    """Print one JSON line a measurement."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--repository", default="", help="a clone to mine; the bundled sample without it")
    parser.add_argument("--examples", default="", help="an examples.jsonl to prepare as it is")
    parser.add_argument("-n", type=int, default=10_000, help="replies")
    parser.add_argument("--base-model", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.examples or str(Path(folder) / "examples.jsonl")
        if not options.examples:
            make_examples(conflicts(options.repository), options.n, Path(path))
        print(json.dumps({"examples_mib": round(Path(path).stat().st_size / 2**20)}))
        context = multiprocessing.get_context("spawn")
        queue = context.Queue()
        process = context.Process(target=measured, args=(path, options.base_model, queue))
        process.start()
        print(json.dumps(queue.get()))
        process.join()
        print(json.dumps(token_count(path, options.base_model, 1000, options.rounds)))


if __name__ == "__main__":
    main()
