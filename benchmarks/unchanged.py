"""Whether a change of the code changed anything that a user of 00 to 02 sees: one digest a thing, from one checkout.

    python benchmarks/unchanged.py --tree . --work /tmp/now path/to/repository path/to/another

Run it with the tree before and the tree after; equal digests mean the same rows, verdicts, results and data sets, byte
for byte (times aside). It calls only names that stay. `--cache` counts the replies of an earlier run that are found.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

BASELINES = ("ours", "theirs", "union", "token_merge", "rules")
TIMES = ("latency_s", "cached")  # of a reply: how long it took, and whether an earlier run had it


def digest(parts: Iterable[str | bytes]) -> str:
    """SHA-256 over the parts, each ended."""
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part)
        found.update(b"\0\n")
    return found.hexdigest()


def rows_and_verdicts(source: str, work: Path) -> None:
    """Write rows.jsonl and verdicts.jsonl of one source; runs in a process of the tree that is looked at."""
    from llmerge_helpers import baselines, collect, verdict

    with open(work / "rows.jsonl", "w") as rows, open(work / "verdicts.jsonl", "w") as verdicts:
        for row in collect.collect_repository(source):
            rows.write(json.dumps(row, sort_keys=True) + "\n")
            for name in BASELINES:
                hunk = baselines.resolve(name, row)
                code = None if hunk is None else row["before"] + hunk + row["after"]
                found = verdict.verify("no answer" if code is None else f"``````````\n{code}\n``````````", row)
                line = [row["id"], name, hunk, found.match_type, found.is_correct, found.first_difference]
                verdicts.write(json.dumps([*line, found.parses, found.detail]) + "\n")


def notebooks(tree: Path, work: Path, source: str, cache: Path | None) -> None:
    """Run 00, 01 and 02 on one source with everything that they write below `work`."""
    env = os.environ | {"PYTHONPATH": str(tree), "LLMERGE_ROOT": str(work)}
    shutil.copytree(tree / "merges", work / "merges")
    (work / "outputs").mkdir()
    if cache:
        shutil.copytree(cache, work / "outputs" / "deepseek_cache")
    steps = {
        "00_collect_merges": ["-p", "name", "one", "-p", "sources", source],
        "01_generate": ["-p", "dataset", "one", "-p", "teacher", "rules"],
        "02_inspect_and_prepare": [],
    }
    for name, parameters in steps.items():
        notebook = tree / "notebooks" / f"{name}.ipynb"
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", str(notebook), str(work / f"{name}.ipynb")]
        done = subprocess.run([*command, *parameters], env=env, cwd=tree, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"{name} on {source} failed:\n{done.stderr[-3000:]}")


def seen(work: Path) -> dict[str, str]:
    """The digest of each thing that the runs below `work` left."""
    outputs = work / "outputs"
    results = [{k: v for k, v in line.items() if k not in TIMES} for line in table(work)]
    lines = (outputs / "deepseek_sft" / "examples.jsonl").read_text(encoding="utf-8").split("\n")
    examples = [{k: v for k, v in json.loads(line).items() if k not in TIMES} for line in lines if line]
    texts = sorted(outputs.glob("deepseek_sft/example_*.txt"))
    found = {
        "rows of 00": digest([(work / "rows.jsonl").read_bytes()]),
        "verdicts of the baselines": digest([(work / "verdicts.jsonl").read_bytes()]),
        "data set of 00": folder(work / "merges" / "one" / "dataset"),
        "results.csv": digest(json.dumps(line, sort_keys=True) for line in results),
        "examples.jsonl": digest(json.dumps(line, sort_keys=True) for line in examples),
        "example_*.txt": digest(part for path in texts for part in (path.name, path.read_bytes())),
    }
    for name in ("sft_dataset/full", "sft_dataset/correct_only", "grpo_dataset"):
        found[name] = folder(outputs / name)
    for name in ("sft_dataset/rejects.jsonl", "sft_dataset/prepare_sft.log"):
        found[name] = digest([(outputs / name).read_bytes()])
    return found


def table(work: Path) -> list[dict[str, str]]:
    """The lines of results.csv."""
    with open(work / "outputs" / "deepseek_sft" / "results.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def folder(path: Path) -> str:
    """The digest of all files in a folder, with their names."""
    files = sorted(each for each in path.rglob("*") if each.is_file() and each.name != "run.json")  # it has the time
    return digest(part for each in files for part in (str(each.relative_to(path)), each.read_bytes()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="+", help="repositories, or folders of scenarios")
    parser.add_argument("--tree", type=Path, default=Path("."), help="the checkout to look at")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what is written; it must not exist")
    parser.add_argument("--cache", type=Path, help="the folder of an earlier --work: its replies have to be found")
    parser.add_argument("--only-rows", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only_rows:
        return rows_and_verdicts(given.sources[0], given.work)
    tree, everything = given.tree.resolve(), []
    for number, source in enumerate(given.sources):
        work = given.work.resolve() / str(number)
        work.mkdir(parents=True)
        cache = given.cache.resolve() / str(number) / "outputs" / "deepseek_cache" if given.cache else None
        notebooks(tree, work, source, cache)
        command = [sys.executable, __file__, source, "--only-rows", "--work", str(work)]
        subprocess.run(command, check=True, env=os.environ | {"PYTHONPATH": str(tree), "LLMERGE_ROOT": str(work)})
        found = seen(work)
        lines = (work / "rows.jsonl").read_bytes().count(b"\n")
        print(f"{Path(source).name or source}: {lines} rows")
        for name, value in found.items():
            print(f"  {value[:16]}  {name}")
        if cache:
            cached = [line["cached"] == "True" for line in table(work)]
            print(f"  {sum(cached)} of {len(cached)} replies were found in the cache of the earlier run")
        everything += found.values()
    print(f"all: {digest(everything)}")


if __name__ == "__main__":
    main()
