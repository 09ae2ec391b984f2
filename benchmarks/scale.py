"""The end of a big run: cached replies read back, judged and written, beside a plain loop over the same files.

    python benchmarks/scale.py 10000                   # 10,000 replies of 24 kB: a minute, 1 GB of disk
    python benchmarks/scale.py 100000 --folder /tmp    # 9 GB of disk, removed afterwards
    python benchmarks/scale.py 20000 --notebook        # all of notebook 01, on 20,000 rows with their files

Each step runs in a process of its own, so that its peak memory is its own. Every figure is printed as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from fault_server import FaultServer, make_rows, take_ours  # noqa: E402
from notebook_runs import copy_of_project, papermill  # noqa: E402

from llmerge_helpers import merges  # noqa: E402
from llmerge_helpers.conflicts import Conflict, Row, messages, split_reply  # noqa: E402
from llmerge_helpers.generate import Teacher, generate, write_examples  # noqa: E402
from llmerge_helpers.generate.reply_cache import Ledger, request_key  # noqa: E402
from llmerge_helpers.merges import COLUMNS  # noqa: E402
from llmerge_helpers.prepare import load_examples  # noqa: E402
from llmerge_helpers.verdict import verify  # noqa: E402

WORDS = "the branch renames this field and the other one moves its use so both have to stay in the order of ours "
RESULTS = ("example_id", "is_correct", "match_type", "path", "language", "model", "prompt_tokens", "completion_tokens")


def teacher(url: str = "http://127.0.0.1:9/v1") -> Teacher:
    """A teacher without a price; nobody listens at its address."""
    return Teacher("openai", "fake", url, "sk-loopback-0123456789abcdef")


def conflict_rows(count: int) -> Iterator[Row]:
    """Rows with all columns, four in a file and a merge of its own. Text is judged fast: what counts here is memory."""
    for number, row in enumerate(make_rows(count)):
        file, hunk = divmod(number, 4)
        drawn = random.Random(file)
        lines = "".join(f"{n}. The field {drawn.randrange(10**6)} is made from the name.\n" for n in range(150))
        base = lines[hunk * 900 :][:400] + "\n"
        row |= {"ours": f"a{number}\n{base}", "theirs": f"{base}c{number}\n", "base": base}
        row |= {"resolution": row["ours"], "language": "Text"}
        row |= {"answer": row["before"] + row["resolution"] + row["after"], "prefix": lines}
        row |= {"suffix": lines, "path": f"src/main/doc/org/example/A{file}.txt", "hunk": hunk}
        row |= {"id": f"example/shop@{file:040x}:{row['path']}#{hunk}", "merge_commit": f"{file:040x}"}
        row |= {"committed_at": f"{2000 + file % 20}-01-01T00:00:00+00:00", "question": Conflict.of(row).question()}
        row |= {"repository": "example/shop", "family": "example", "kind": ("mixed", "ours", "theirs")[number % 3]}
        yield {name: row.get(name, "") for name in COLUMNS} | {"decided": True, "white_space_only": False}


def data_set(folder: Path, count: int, size: int) -> dict[str, object]:
    """A data set of `count` rows to ask about, and the replies to them and to the reader's three."""
    project = copy_of_project(folder / "project")
    found = merges.save(conflict_rows(count + 4), project / "merges/big/dataset", test_size=4 / count)
    rows = [row for part in found.values() for row in part.select_columns(["question"])]
    build(folder, rows, size)
    on_disk = sum(path.stat().st_size for path in (project / "merges/big").rglob("*.*")) >> 20
    texts = sum(len(row["prefix"] + row["suffix"]) for row in conflict_rows(400)) / 400
    return {"rows": len(rows), "data_set_mb": on_disk, "all_as_text_mb": int(texts * len(rows)) >> 20}


def notebook(folder: Path, count: int) -> dict[str, object]:
    """All cells of 01 under papermill, every reply in the cache; the kernel's memory, and what of it is no file."""
    most = {"rss_mb": 0, "not_of_files_mb": 0}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.2):
            for process in psutil.Process().children(recursive=True):
                with suppress(psutil.Error, OSError):
                    status = Path(f"/proc/{process.pid}/status").read_text()
                    for name, line in (("rss_mb", "VmRSS"), ("not_of_files_mb", "RssAnon")):
                        if found := re.search(rf"{line}:\s+(\d+)", status):  # a process that has just ended has none
                            most[name] = max(most[name], int(found[1]) >> 10)

    watching = threading.Thread(target=watch)
    watching.start()
    given = {"dataset": "big", "teacher": "openai", "base_url": teacher().endpoint, "model": teacher().model}
    given |= {"cache_dir": str(folder / "cache")}
    arguments = [word for name, value in given.items() for word in ("-p", name, value)]
    ran = papermill(folder / "project", "01_generate", *arguments, env={"OPENAI_API_KEY": teacher().api_key})
    done.set()
    watching.join()
    if ran.returncode:
        sys.exit(ran.stderr[-3000:])
    results = json.loads((folder / "project/outputs/deepseek_sft/run.json").read_text())["results"]
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {**most, "notebook_processor_s": round(usage.ru_utime + usage.ru_stime, 1), **results}


def build(folder: Path, rows: int | Sequence[Row], size: int) -> None:
    """Replies of about `size` characters in a cache, as the engine leaves them; every third is wrong."""
    ledger, asked = Ledger(folder / "cache"), teacher()
    for number, row in enumerate(make_rows(rows) if isinstance(rows, int) else rows):
        body = asked.body(messages(row), 16_384)
        _, content = take_ours(body)
        content = content if number % 3 else content.replace("a", "aa")
        thoughts = (f"Conflict {number}: " + WORDS * (size // len(WORDS))).strip()
        message = {"role": "assistant", "content": content, "reasoning_content": thoughts}
        response = {"id": "x", "model": "fake-1", "choices": [{"message": message, "finish_reason": "stop"}]}
        usage = {"prompt_tokens": 200, "completion_tokens": size // 4, "reasoning_tokens": size // 4 - 20}
        usage["cache_hit_tokens"] = 0
        record = {"key": request_key(body, asked.endpoint, 0), "base_url": asked.endpoint, "sample": 0}
        record |= {"request": body, "response": response, "teacher": "openai", "requested_model": "fake"}
        record |= {"served_model": "fake-1", "system_fingerprint": "fp", "finish_reason": "stop", "usage": usage}
        record |= {"cost_usd": None, "latency_s": 2.5, "attempts": 1, "faults": {}, "spoiled": [], "sdk": "openai"}
        path = ledger.path(record["key"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"schema": 1, **record}, ensure_ascii=False), encoding="utf-8")


def ours(folder: Path, count: int, text_files: bool = True) -> dict[str, object]:
    """`generate` from the cache, then `write_examples`."""
    rows, start = make_rows(count), time.monotonic()
    cache = str(folder / "cache")
    results = asyncio.run(generate(rows, teacher(), cache_dir=cache, progress=False, offline=True))
    read_s = time.monotonic() - start
    table = write_examples(rows, results, folder / "ours", "openai", **({} if text_files else {"text_files": False}))
    return {"results": len(results), "right": int(table.is_correct.sum()), "read_back_s": round(read_s, 1)}


def plain(folder: Path, count: int) -> dict[str, object]:
    """What anybody would write: each file read, judged, and three lines written; no order, no checks, nothing safe."""
    rows = {messages(row)[-1]["content"]: (number, row) for number, row in enumerate(make_rows(count))}
    right, out = 0, folder / "plain"
    out.mkdir()
    with open(out / "examples.jsonl", "w") as lines, open(out / "results.csv", "w") as table:
        writer = csv.writer(table)
        writer.writerow(RESULTS)
        for path in sorted((folder / "cache").glob("*/*.json")):
            record = json.loads(path.read_text(encoding="utf-8"))
            number, row = rows[record["request"]["messages"][-1]["content"]]
            message = record["response"]["choices"][0]["message"]
            verdict, reply = verify(message, row, finish_reason="stop"), split_reply(message)
            right += verdict.is_correct
            kept = {name: record[name] for name in ("usage", "cost_usd", "latency_s", "served_model", "sdk", "key")}
            line = {"example_id": number, "row": row, "prompt": record["request"]["messages"], "message": message}
            line |= {"reasoning": reply.reasoning, "answer": reply.answer, "verdict": verdict.to_dict(), **kept}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")
            flat = {**row, **record["usage"], **line["verdict"], "example_id": number, "model": "fake"}
            writer.writerow([flat.get(name) for name in RESULTS])
            parts = [verdict.match_type, *(m["content"] for m in line["prompt"]), reply.reasoning, reply.answer]
            (out / f"{number:06d}.txt").write_text("\n\n".join([*parts, row["answer"]]))
    return {"right": right}


def load(folder: Path, count: int) -> dict[str, object]:
    """What 02 reads first."""
    examples = load_examples(folder / "ours")
    return {"examples": len(examples), "file_mb": (folder / "ours" / "examples.jsonl").stat().st_size >> 20}


def first(folder: Path, count: int) -> dict[str, object]:
    """Seconds, by the clock and of processor time, from the call to the first request, of `count` rows of
    which none is on disk, and of twice as many with the first half on disk."""

    async def until_the_first(server: FaultServer, cache: str, rows: list) -> list[float]:
        start, processor = time.monotonic(), time.process_time()
        asked = Teacher("openai", "fake", server.url, "k", cache_url=teacher().endpoint)
        asking = asyncio.create_task(generate(rows, asked, cache_dir=cache, progress=False))
        while not server.in_flight and not asking.done():
            await asyncio.sleep(0.005)
        seconds = time.monotonic() - start, time.process_time() - processor
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return [round(s, 2) for s in seconds]

    import openai  # noqa: F401  # a second that every process needs once

    with FaultServer(faults={"hang": 1.0}) as server:
        none = asyncio.run(until_the_first(server, str(folder / "empty"), make_rows(count)))
        half = asyncio.run(until_the_first(server, str(folder / "cache"), make_rows(2 * count)))
    return {"first_request_s": none, "first_request_s_behind_cached": half}


STEPS = {"build": build, "plain": plain, "ours": ours, "load": load, "first": first}
NOTEBOOK = {"data_set": data_set, "notebook": notebook}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("count", type=int, nargs="?", default=10_000)
    parser.add_argument("--size", type=int, default=24_000, help="characters of a reply")
    parser.add_argument("--folder", default=None, help="where there is room")
    parser.add_argument("--step", default="", help="one of the steps, in a --folder that build has filled")
    parser.add_argument("--notebook", action="store_true", help="what notebook 01 does, instead")
    arguments = parser.parse_args()
    if arguments.step:
        options = {"size": arguments.size} if arguments.step in ("build", "data_set") else {}
        start = time.monotonic()
        figures = (STEPS | NOTEBOOK)[arguments.step](Path(arguments.folder), arguments.count, **options) or {}
        usage = resource.getrusage(resource.RUSAGE_SELF)
        figures |= {"seconds": round(time.monotonic() - start, 1)}
        figures |= {"processor_s": round(usage.ru_utime + usage.ru_stime, 1), "peak_mb": usage.ru_maxrss >> 10}
        print(json.dumps({"step": arguments.step, "replies": arguments.count, **figures}), flush=True)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        found = {}
        for step in NOTEBOOK if arguments.notebook else STEPS:
            command = [sys.executable, __file__, str(arguments.count), "--step", step, "--folder", folder]
            command += ["--size", str(arguments.size)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()[-1]
            print(done, flush=True)
            found[step] = json.loads(done)
        if arguments.notebook:
            return
        ratio = {name: round(found["ours"][name] / found["plain"][name], 2) for name in ("seconds", "processor_s")}
        print(json.dumps({"ours_against_plain": ratio}), flush=True)


if __name__ == "__main__":
    main()
