"""Any model on a public benchmark, beside what costs nothing.

    python -m llmerge_helpers.evaluate conflictbench ConflictBench
    python -m llmerge_helpers.evaluate conflictbench ConflictBench --model outputs/sft_model
    python -m llmerge_helpers.evaluate gitgood git_good_bench.csv --model my-model --base-url http://localhost:8000/v1

`--model` is `rules`, the folder of an adapter, a base model, or, with `--base-url` or `--teacher`, a name at an
OpenAI-compatible endpoint, whose key is read from the environment (OPENAI_API_KEY, or that of the teacher). It may be
given several times. Tables, items and a page lie in `outputs/benchmarks/<name>/`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmerge_helpers.conflicts import Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import public
from llmerge_helpers.run import from_root, shown

if TYPE_CHECKING:
    import pandas as pd


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    found = argparse.ArgumentParser(
        prog="llmerge_helpers.evaluate", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    found.add_argument("benchmark", choices=("conflictbench", "gitgood"))
    found.add_argument("path", help="its folder or file, or an items.jsonl of an earlier run")
    found.add_argument("--model", action="append", default=[], help="who is measured, once or several times")
    found.add_argument("--teacher", default="", help="openai (any endpoint, with --base-url), or a service by its name")
    found.add_argument("--base-url", default="", help="address of an OpenAI-compatible endpoint")
    found.add_argument("--request", default="", help='a JSON object that is sent along, such as {"temperature": 0}')
    found.add_argument("--price", default="", help="dollars per million tokens in and out, such as 0.14,0.28")
    found.add_argument("--max-tokens", type=int, default=16_384, help="the longest reply of an endpoint")
    found.add_argument("--max-new-tokens", type=int, default=0, help="the longest of a model here; 0: as in training")
    found.add_argument("--max-cost-usd", type=float, default=0.0, help="never spend more; 0: ask before")
    found.add_argument("--max-concurrency", type=int, default=100, help="requests under way at once")
    found.add_argument("--repositories", default="", help="gitgood: a folder of clones; none: clone from GitHub")
    found.add_argument("--limit", type=int, default=0, help="gitgood: the most repositories; 0: all")
    found.add_argument("--output-dir", default=public.OUTPUT_DIR)
    return found


def asked(given: argparse.Namespace) -> dict[str, Callable[[Sequence[Row], Path], pd.DataFrame]]:
    """Who is to be asked, by name; whoever cannot be is an `LlmergeError` before anything is mined."""
    from llmerge_helpers import generate, models

    remote = bool(given.teacher or given.base_url)
    found: dict[str, Callable[[Sequence[Row], Path], pd.DataFrame]] = {}
    for model in given.model or ([""] if remote else []):
        if model == "rules":  # a baseline, which is always there
            continue
        if remote:
            teacher = generate.pick(
                given.teacher or "openai",
                model=model,
                base_url=given.base_url,
                request=given.request,
                price=given.price,
            )
            found[teacher.label] = lambda rows, folder, teacher=teacher: public.ask_teacher(
                rows,
                teacher,
                output_dir=folder,
                max_cost_usd=given.max_cost_usd,
                max_tokens=given.max_tokens,
                max_concurrency=given.max_concurrency,
            )
            continue
        place = from_root(model)
        if place.exists() and models.is_adapter(model):
            models.read_lineage(model)
        elif place.exists() and not (place / "config.json").exists():
            raise LlmergeError(f"{shown(place)} holds neither an adapter nor a model: give the folder of one.")
        found[place.name if place.exists() else model] = lambda rows, folder, model=model: public.ask_model(
            rows, model, output_dir=folder, max_new_tokens=given.max_new_tokens
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print the table; what cannot be done is one sentence."""
    given = parser().parse_args(arguments)
    try:
        ask = asked(given)
        found = public.items(given.benchmark, given.path, given.repositories, given.limit)
        print(f"{given.benchmark}: {found}")
        public.run(given.benchmark, found, ask, output_dir=given.output_dir)
    except LlmergeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    folder = from_root(given.output_dir) / given.benchmark
    print((folder / "table.md").read_text(encoding="utf-8"))
    print(f"written to {shown(folder)}/: {public.ITEMS}, table.md and a table a name.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
