"""The teacher engine against the loopback fake of the API: speed beside its peers, faults, kills, cache, cap, quote.

    python benchmarks/engine.py                       # everything, about fifteen minutes
    python benchmarks/engine.py speed --curator PYTHON  # PYTHON: of an environment that has bespokelabs-curator
    python benchmarks/engine.py kills cache planning cap quote soak

Every figure is printed as JSON, one line each. The server runs in a process of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from fault_server import FAULTS, FaultServer, make_rows, take_ours  # noqa: E402

from llmerge_helpers.conflicts import messages  # noqa: E402
from llmerge_helpers.generate import Teacher, generate  # noqa: E402
from llmerge_helpers.generate.reply_cache import Ledger  # noqa: E402

REQUESTS, LATENCY_S = 1000, 2.0
LIMITS = {
    "open limit of 100": {"limit": 100},
    "hidden limit of 39": {"limit": 39},
    "39, 10 from 15 s, 39 from 30 s": {"schedule": [(0, 39), (15, 10), (30, 39)]},
    "the same, limit not told": {"schedule": [(0, 39), (15, 10), (30, 39)], "tell_limit": False},
}


def say(**figures: object) -> None:
    """One line of JSON."""
    print(json.dumps(figures), flush=True)


@contextlib.contextmanager
def server(**options: object) -> Iterator[str]:
    """A fault server in its own process; its base_url."""
    command = [sys.executable, str(ROOT / "tests" / "support" / "fault_server.py"), json.dumps(options)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()


def books(url: str) -> dict:
    """What the server counted."""
    with urllib.request.urlopen(url.removesuffix("/v1") + "/books") as answer:
        return json.load(answer)


def unpriced(url: str) -> Teacher:
    """A teacher without a price: no pilot goes ahead of the rest."""
    return Teacher("openai", "fake", url, "sk-loopback-0123456789abcdef")


def priced(url: str) -> Teacher:
    """A teacher with DeepSeek's prices."""
    return Teacher("deepseek", "deepseek-flash", url, "sk-loopback-0123456789abcdef")


def ask(rows: list[dict], teacher: Teacher, folder: str, **options: object):
    """`generate`, waited for."""
    return asyncio.run(generate(rows, teacher, cache_dir=folder, progress=False, **options))


# ---------------------------------------------------------------------------------------------------------- speed


def ideal_s(options: dict) -> float:
    """The time in which a service with this limit can serve all requests at all."""
    schedule, seconds, work = options.get("schedule") or [(0, options["limit"])], 0.0, REQUESTS * LATENCY_S
    while work > 0:
        work -= [limit for start, limit in schedule if seconds >= start][-1] * 0.01
        seconds += 0.01
    return seconds


def with_engine(url: str) -> None:
    """Ours, everything on: one file a reply, fsync, verdicts."""
    with tempfile.TemporaryDirectory() as folder:
        unpriced(url).client(idle_s=1.0)  # all that a client imports: the peers' imports are not timed either
        start, cpu = time.monotonic(), time.process_time()
        results = ask(make_rows(REQUESTS), unpriced(url), folder, max_concurrency=100)
        assert all(r.verdict.is_correct for r in results)
        say(seconds=time.monotonic() - start, cpu=time.process_time() - cpu)


def with_threads(url: str) -> None:
    """A pool of 32 threads, one synchronous client, the SDK's own retries, then again after a second."""
    from openai import OpenAI, OpenAIError

    client = OpenAI(api_key="k", base_url=url)

    def one(row: dict) -> None:
        while True:
            with contextlib.suppress(OpenAIError):
                return client.chat.completions.create(model="fake", messages=messages(row))
            time.sleep(1)

    start = time.monotonic()
    with ThreadPoolExecutor(32) as pool:
        list(pool.map(one, make_rows(REQUESTS)))
    say(seconds=time.monotonic() - start)


def one_by_one(url: str) -> None:
    """One request at a time and a pause of a second; ten are timed, the rest is arithmetic."""
    from openai import OpenAI

    client, start = OpenAI(api_key="k", base_url=url), time.monotonic()
    for row in make_rows(10):
        client.chat.completions.create(model="fake", messages=messages(row))
        time.sleep(1)
    say(seconds=(time.monotonic() - start) / 10 * REQUESTS, extrapolated=True)


CURATOR = """
import json, os, sys, time
from pathlib import Path
os.environ |= {"TELEMETRY_ENABLED": "false", "CURATOR_DISABLE_RICH_DISPLAY": "1", "HOSTED_CURATOR_VIEWER": "0",
               "CURATOR_CACHE_DIR": sys.argv[3], "HF_HUB_OFFLINE": "1", "OPENAI_API_KEY": "k"}
import importlib.util
package = Path(importlib.util.find_spec("litellm").origin).parent
os.environ["TIKTOKEN_CACHE_DIR"] = str(package / "litellm_core_utils" / "tokenizers")  # it counts tokens, offline
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
from bespokelabs import curator
from datasets import Dataset

class Teacher(curator.LLM):
    def prompt(self, row):
        return row["chat"]
    def parse(self, row, response):
        return {"answer": response}

chats = json.loads(Path(sys.argv[2]).read_text())
settings = {"base_url": sys.argv[1], "max_concurrent_requests": 100, "max_requests_per_minute": 10**7,
            "max_tokens_per_minute": 10**10}
teacher = Teacher(model_name="gpt-4o-mini", backend="openai", backend_params=settings)
start = time.monotonic()
answers = teacher(Dataset.from_list([{"chat": chat} for chat in chats]))
answers = getattr(answers, "dataset", answers)
print(json.dumps({"seconds": time.monotonic() - start, "answered": len(answers)}), file=sys.stderr)
"""


def with_curator(url: str, python: str) -> dict:
    """bespokelabs-curator with 100 concurrent requests and no other limit."""
    with tempfile.TemporaryDirectory() as folder:
        chats = Path(folder) / "chats.json"
        chats.write_text(json.dumps([messages(row) for row in make_rows(REQUESTS)]))
        script = Path(folder) / "peer.py"
        script.write_text(CURATOR)
        command = [python, str(script), url, str(chats), folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        lines = [line for line in done.stderr.splitlines() if line.startswith('{"seconds"')]
        return json.loads(lines[-1]) if lines else {"failed": done.stderr[-2000:]}


def speed(arguments: argparse.Namespace) -> None:
    """A thousand requests of two seconds: ours and its peers, each in a process of its own, against its own server."""
    for name, options in LIMITS.items():
        if arguments.limits and not any(word in name for word in arguments.limits):
            continue
        peers = ["engine"] * arguments.repeat + ["threads", "one_by_one"] + ["curator"] * bool(arguments.curator)
        for peer in peers:
            if arguments.only and peer not in arguments.only:
                continue
            with server(latency_s=LATENCY_S, **options) as url:
                if peer == "curator":
                    figures = with_curator(url, arguments.curator)
                else:
                    command = [sys.executable, __file__, "peer", "--peer", peer, "--url", url]
                    figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
                counted = books(url)
            ideal, seconds = ideal_s(options), figures.get("seconds")
            share = counted["refused"] / max(1, counted["requests"])
            say(
                service=name, peer=peer, ideal_s=round(ideal, 1), seconds=seconds and round(seconds, 1),
                of_ideal=seconds and round(ideal / seconds, 3), requests=counted["requests"],
                refused=counted["refused"], refused_share=round(share, 4),
                **{name: value for name, value in figures.items() if name != "seconds"},
            )  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- faults


def soak(arguments: argparse.Namespace) -> None:
    """Two thousand rows under every fault at once; every row ends, nothing twice, the books agree with the bill."""
    stops = ("status_400", "status_401", "status_402", "status_404", "unknown_model")
    faults = {fault: 0.02 for fault in FAULTS if fault not in stops}
    options = {"faults": faults, "schedule": [(0, 60), (10, 15), (25, 60)], "latency": "lognormal", "latency_s": 0.4}
    options |= {"retry_after": 0.3, "bursts": [{"fault": "status_503", "every_s": 20, "first_s": 8, "for_s": 2}]}
    rows = make_rows(2000)
    with FaultServer(take_ours, seed=1, answer_tokens=(20, 60), **options) as fake:
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            teacher = priced(fake.url)
            results = ask(rows, teacher, folder, max_tokens=100, idle_s=8.0, deadline_s=12.0, pilot=0)
            seconds = time.monotonic() - start
            records = list(Ledger(folder).records())
    keys = Counter(r["key"] for r in records if not r.get("error"))
    bill, spent = fake.books.billed_usd, sum(r["cost_usd"] for r in records)
    ended = Counter(r.verdict.match_type for r in results)
    assert [r.index for r in results] == list(range(2000)) and max(keys.values()) == 1
    assert all(r.error for r in results if r.verdict.match_type == "failed")
    say(
        soak=len(results), seconds=round(seconds, 1), ended=ended, without_reason=0, answered_twice=0,
        requests=fake.books.requests, faults=fake.books.faults.total(), refused=fake.books.refused,
        billed_usd=round(bill, 8), ledger_usd=round(spent, 8), difference_usd=round(bill - spent, 12),
        billed_tokens=fake.books.completion_tokens,
        ledger_tokens=sum(r["usage"]["completion_tokens"] for r in records),
    )  # fmt: skip


def kills(arguments: argparse.Namespace) -> None:
    """One run of 1,500 rows killed 30 times with SIGKILL at random moments, then finished."""
    rng, in_flight, unwritten, again_though_on_disk = random.Random(3), 0, 0, 0
    with tempfile.TemporaryDirectory() as folder, FaultServer(take_ours, latency="uniform", latency_s=0.4) as fake:
        command = [sys.executable, __file__, "peer", "--peer", "run", "--url", fake.url, "--folder", folder]
        on_disk: set[str] = set()
        for _ in range(30):
            before = fake.books.requests
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            while fake.books.requests == before and process.poll() is None:
                time.sleep(0.01)
            time.sleep(rng.uniform(0.05, 0.6))
            os.kill(process.pid, signal.SIGKILL)
            in_flight += fake.in_flight
            process.wait()
            time.sleep(1.0)  # the server notices
            again_though_on_disk += sum(question(body) in on_disk for body in fake.bodies[before:])
            on_disk = {question(record["request"]) for record in Ledger(folder).records()}
        unwritten = fake.books.answered - len(on_disk)
        before = fake.books.requests
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        again_though_on_disk += sum(question(body) in on_disk for body in fake.bodies[before:])
        resent = sum(body["requests"] - 1 for body in fake.books.by_body.values())
        set_aside = len(list(Path(folder).rglob("*.set-aside")))
    say(
        kills=30, rows=1500, finished=json.loads(done.stdout), resent=resent, waiting_at_the_service=in_flight,
        answered_but_not_yet_written=unwritten, sent_again_though_on_disk=again_though_on_disk, torn_files=set_aside,
    )  # fmt: skip
    assert again_though_on_disk == 0 and resent <= in_flight + unwritten


def question(body: dict) -> str:
    """What a request asks."""
    return body["messages"][-1]["content"]


def run_for_kills(url: str, folder: str) -> None:
    """The run that is killed."""
    results = ask(make_rows(1500), unpriced(url), folder, max_concurrency=40)
    say(results=len(results), right=sum(r.verdict.is_correct for r in results))


# ------------------------------------------------------------------------------------------------------------ cache


def long_reply(body: dict) -> tuple[str, str]:
    """A reply as long as those of a reasoning model: about 2,000 tokens."""
    reasoning, content = take_ours(body)
    return (reasoning + " Both sides changed the call; the base had neither.\n") * 110, content


def cache(arguments: argparse.Namespace) -> None:
    """Ten thousand replies read back."""
    with tempfile.TemporaryDirectory() as folder:
        with FaultServer(long_reply) as fake:
            ask(make_rows(10_000), priced(fake.url), folder, pilot=0)
            asked = fake.books.requests
        size = sum(path.stat().st_size for path in Path(folder).glob("*/*.json"))
        for _ in range(arguments.repeat):
            command = [sys.executable, __file__, "peer", "--peer", "read", "--url", fake.url, "--folder", folder]
            figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
            say(cached_rows=10_000, asked_once=asked, megabytes=round(size / 1e6), **figures)


def planning(arguments: argparse.Namespace) -> None:
    """A hundred thousand rows planned, and what is alive then."""
    with server(faults={"hang": 1.0}) as url, tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "peer", "--peer", "plan", "--url", url, "--folder", folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        say(**json.loads(done.stdout.splitlines()[-1]))


def read(url: str, folder: str) -> None:
    """Read back, in a fresh process."""
    rows, start = make_rows(10_000), time.monotonic()
    results = ask(rows, priced(url), folder, offline=True)
    seconds, memory = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.monotonic()
    right = sum(r.verdict.is_correct for r in results)
    judging = time.monotonic() - start
    say(
        seconds=round(seconds, 2),
        memory_mb=round(memory),
        results=len(results),
        right=right,
        judging_s=round(judging, 1),
    )


def plan(url: str, folder: str) -> None:
    """Plan a hundred thousand rows and count what is alive once requests are in flight."""

    async def main() -> dict:
        rows, start = make_rows(100_000), time.monotonic()
        asking = generate(rows, unpriced(url), cache_dir=folder, progress=False, max_concurrency=100)
        task = asyncio.create_task(asking)
        most = 0
        while books_in_flight(url) < 100:
            await asyncio.sleep(0.2)
            most = max(most, len(asyncio.all_tasks()))
        seconds = time.monotonic() - start
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return {"planned_rows": len(rows), "seconds_until_100_in_flight": round(seconds, 1), "most_tasks": most}

    figures = asyncio.run(main())
    say(**figures, memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))


def books_in_flight(url: str) -> int:
    """How many requests the server is holding."""
    return books(url)["in_flight"]


# ------------------------------------------------------------------------------------------------------------ money


def cap(arguments: argparse.Namespace) -> None:
    """A cap at a third of the need, with paid faults: what the server billed never passes it."""
    for seed in range(5):
        faults = {"null_content": 0.03, "insufficient": 0.03, "status_500": 0.03, "cut": 0.005}
        options = {"faults": faults, "answer_tokens": (2000, 9000), "latency_s": 0.05, "seed": seed}
        rows = make_rows(600)
        need = 600 * 5500 * 0.6e-6
        with FaultServer(take_ours, **options) as fake, tempfile.TemporaryDirectory() as folder:
            results = ask(rows, priced(fake.url), folder, max_tokens=10_000, max_cost_usd=need / 3)
            billed = fake.books.billed_usd
            assert billed <= need / 3, (billed, need / 3)
            say(
                cap_usd=round(need / 3, 6), billed_usd=round(billed, 6), used=round(billed / (need / 3), 3),
                answered=len(results), not_asked=len(results.not_asked),
                unaccounted_usd=round(results.report["cost_unknown_usd"], 6),
            )  # fmt: skip


def quote(arguments: argparse.Namespace) -> None:
    """The quote after a pilot of five against the bill, thirty times."""
    errors, inside = [], 0
    for seed in range(30):
        with FaultServer(take_ours, answer_tokens=(2000, 9000), seed=seed) as fake:
            with tempfile.TemporaryDirectory() as folder:
                results = ask(make_rows(120), priced(fake.url), folder)
        quoted = results.report["quote"]
        asked_later = fake.books.billed_usd * quoted.rows_to_ask / 120
        errors.append(quoted.expected / asked_later - 1)
        inside += quoted.low <= asked_later <= quoted.high
    within = sum(abs(error) <= 0.3 for error in errors)
    say(
        quotes=len(errors), within_30_percent=within, median_error=round(statistics.median(map(abs, errors)), 3),
        worst_error=round(max(map(abs, errors)), 3), bill_between_low_and_high=inside,
    )  # fmt: skip


SECTIONS = {
    "speed": speed,
    "soak": soak,
    "kills": kills,
    "cache": cache,
    "planning": planning,
    "cap": cap,
    "quote": quote,
}


def main() -> None:
    """Run the sections that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", choices=[*SECTIONS, "peer"], metavar="section")
    parser.add_argument("--curator", default="", help="a Python that has bespokelabs-curator")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--limits", nargs="*", default=[])
    parser.add_argument("--only", nargs="*", default=[])
    parser.add_argument("--peer", default="", help=argparse.SUPPRESS)
    parser.add_argument("--url", default="", help=argparse.SUPPRESS)
    parser.add_argument("--folder", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        with_folder = {"run": run_for_kills, "read": read, "plan": plan}
        if arguments.peer in with_folder:
            return with_folder[arguments.peer](arguments.url, arguments.folder)
        return {"engine": with_engine, "threads": with_threads, "one_by_one": one_by_one}[arguments.peer](arguments.url)
    for name in arguments.sections or SECTIONS:
        SECTIONS[name](arguments)


if __name__ == "__main__":
    main()
