"""What notebooks and imports cost on top of the work.

    python benchmarks/overhead.py imports [--rounds 5]
    python benchmarks/overhead.py notebook [--rounds 5] [--dataset sample]

`imports` starts a fresh interpreter for each module and reports those that take longest, beside pandas and torch.
`notebook` fills the cache once with the rule teacher's replies, then runs 01 through papermill and the source of the
same cells in a plain Python process, in turns. The time that papermill needs for a notebook of one empty cell, its
own start and the kernel's, is taken off the first; the start of the interpreter off the second.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOK = ROOT / "notebooks" / "01_generate.ipynb"
PLAIN = """
import ast, asyncio, inspect, sys, types
import matplotlib
matplotlib.use("agg")
module, loop = types.ModuleType("__main__"), asyncio.new_event_loop()
sys.modules["__main__"] = module
for source in open(sys.argv[1], encoding="utf-8").read().split("\\0"):
    code = compile(source, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    made = eval(code, vars(module))
    if inspect.iscoroutine(made):
        loop.run_until_complete(made)
"""


def seconds(command: list[str], **options) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, **options)
    if done.returncode:
        raise SystemExit(done.stderr[-2000:])
    return time.perf_counter() - start


def imports(rounds: int) -> None:
    """The slowest modules, as Markdown."""
    files = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / "llmerge_helpers").rglob("*.py"))
    names = sorted(".".join(file.parts).removesuffix(".__init__") for file in files if file.name != "__main__")
    names += ["pandas", "torch"]
    best: dict[str, float] = {}
    for _ in range(rounds):
        for name in ["sys", *names]:
            took = seconds([sys.executable, "-c", f"import {name}"])
            best[name] = min(took, best.get(name, took))
    empty = best.pop("sys")
    print("| import of | seconds, best of rounds |\n|---|---:|")
    ours = sorted((name for name in best if "." in name), key=lambda name: -best[name])
    for name in [*ours[:5], "pandas", "torch"]:
        print(f"| `{name}` | {best[name] - empty:.2f} |")
    print(f"\n{len(ours)} modules, {sum(best[name] - empty < 0.5 for name in ours)} of them below 0.5 s.")


def notebook(rounds: int, dataset: str) -> None:
    """01 with everything cached, through papermill and as plain Python."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        parameters = {"dataset": dataset, "teacher": "rules"}
        parameters |= {"cache_dir": str(work / "cache"), "output_dir": str(work / "out")}
        options = [part for name, value in parameters.items() for part in ("-r", name, value)]
        papermill = [sys.executable, "-m", "papermill", "--no-progress-bar"]
        run = [*papermill, str(NOTEBOOK), str(work / "done.ipynb"), *options]
        one = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pass")])
        one.metadata = nbformat.read(NOTEBOOK, as_version=4).metadata
        nbformat.write(one, work / "empty.ipynb")
        start = [*papermill, str(work / "empty.ipynb"), str(work / "empty_done.ipynb")]
        cells = [c for c in nbformat.read(NOTEBOOK, as_version=4).cells if c.cell_type == "code"][1:]
        sources = [cell.source for cell in cells]
        sources.insert(1, "\n".join(f"{name} = {value!r}" for name, value in parameters.items()))
        (work / "cells").write_text("\0".join(sources), encoding="utf-8")
        plain = [sys.executable, "-c", PLAIN, str(work / "cells")]
        seconds(run)  # fills the cache
        arms = {
            "papermill": run,
            "papermill, an empty cell": start,
            "plain": plain,
            "interpreter": [sys.executable, "-c", ""],
        }
        found: dict[str, list[float]] = {name: [] for name in arms}
        for _ in range(rounds):
            for name, command in arms.items():
                found[name].append(seconds(command))
    print("| | seconds, best | median |\n|---|---:|---:|")
    for name, values in found.items():
        print(f"| {name} | {min(values):.2f} | {statistics.median(values):.2f} |")
    for label, how in (("best", min), ("median", statistics.median)):
        ours = how(found["papermill"]) - how(found["papermill, an empty cell"])
        peer = how(found["plain"]) - how(found["interpreter"])
        print(f"\nWithout the starts, {label}: {ours:.2f} s against {peer:.2f} s: {ours / peer:.2f} times.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("imports", "notebook"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dataset", default="sample")
    given = parser.parse_args()
    imports(given.rounds) if given.what == "imports" else notebook(given.rounds, given.dataset)


if __name__ == "__main__":
    main()
