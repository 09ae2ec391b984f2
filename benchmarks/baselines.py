"""How often each baseline, and each rule of the rule teacher, writes exactly what the developers wrote.

    python benchmarks/baselines.py path/to/repository another/repository …

Prints, for each repository and for all together: how many hunks a baseline answers, how many of all it solves exactly,
and how precise it is when it answers, with Wilson 95 % intervals; then the same for each rule, and hunks a second.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from llmerge_helpers.baselines import simple as baselines
from llmerge_helpers.baselines.rules import RULES, decide
from llmerge_helpers.collect import collect_repository
from llmerge_helpers.conflicts import Conflict
from llmerge_helpers.evaluate import rate


def main(sources: Sequence[str]) -> None:
    if not sources:
        sys.exit("usage: python benchmarks/baselines.py path/to/repository …")
    everything: list[dict[str, Any]] = []
    for source in sources:
        rows = list(collect_repository(source))
        report(source, rows)
        everything += rows
    if len(sources) > 1:
        report("all together", everything)


def report(title: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n## {title}: {len(rows):,} hunks\n")
    if not rows:
        return
    print("| baseline | answered | exact, of all | exact, when it answers |\n|---|---:|---:|---:|")
    for name in baselines.NAMES:
        answers = [baselines.resolve(name, row) for row in rows]
        answered = sum(answer is not None for answer in answers)
        exact = sum(answer == row["resolution"] for answer, row in zip(answers, rows, strict=True))
        if answered:
            print(f"| {name} | {answered:,} | {rate(exact, len(rows))} | {rate(exact, answered)} |")
        else:
            print(f"| {name} | no answer | – | – |")
    fired, exact_by = Counter[str](), Counter[str]()
    start = time.process_time()
    decisions = [decide(Conflict.of(row)) for row in rows]
    seconds = time.process_time() - start
    for (rule, answer), row in zip(decisions, rows, strict=True):
        fired[rule] += 1
        exact_by[rule] += answer.resolution == row["resolution"]
    print("\n| rule | decides | exact |\n|---|---:|---:|")
    for rule in (rule.__name__ for rule in RULES):
        print(f"| {rule} | {fired[rule]:,} | {rate(exact_by[rule], fired[rule])} |")
    print(f"\nThe rules decide {len(rows) / seconds:,.0f} hunks a second of processor time.")


if __name__ == "__main__":
    main(sys.argv[1:])
