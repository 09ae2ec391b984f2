"""How often each baseline, and each rule of the rule teacher, writes exactly what the developers wrote.

    python benchmarks/baselines.py path/to/repository another/repository …

Prints, for each repository and for all together: how many hunks a baseline answers, how many of all it solves exactly,
and how precise it is when it answers, with 95 % intervals that know which hunks are of one merge; then the same for
each rule, and hunks a second.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from llmerge_helpers.baselines import simple as baselines
from llmerge_helpers.baselines.rules import RULES, decide
from llmerge_helpers.collect import collect_repository
from llmerge_helpers.conflicts import Conflict
from llmerge_helpers.evaluate import estimate, merges_of, rate


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
    merges = merges_of(rows)
    print(f"\n## {title}: {len(rows):,} hunks of {len(set(merges)):,} merges\n")
    if not rows:
        return
    print("| baseline | answered | exact, of all | exact, when it answers |\n|---|---:|---:|---:|")
    for name in baselines.NAMES:
        answers = [baselines.resolve(name, row) for row in rows]
        exact = [answer == row["resolution"] for answer, row in zip(answers, rows, strict=True)]
        when = [i for i, answer in enumerate(answers) if answer is not None]
        if when:
            precise = estimate([exact[i] for i in when], [merges[i] for i in when])
            print(f"| {name} | {len(when):,} | {estimate(exact, merges).percent} | {precise} |")
        else:
            print(f"| {name} | no answer | – | – |")
    decided: dict[str, list[int]] = {rule.__name__: [] for rule in RULES}
    start = time.process_time()
    decisions = [decide(Conflict.of(row)) for row in rows]
    seconds = time.process_time() - start
    for i, (rule, _) in enumerate(decisions):
        decided[rule].append(i)
    exact = [answer.resolution == row["resolution"] for (_, answer), row in zip(decisions, rows, strict=True)]
    print("\n| rule | exact, when it decides |\n|---|---:|")
    for rule, found in decided.items():
        print(f"| {rule} | {rate([exact[i] for i in found], [merges[i] for i in found])} |")
    print(f"\nThe rules decide {len(rows) / seconds:,.0f} hunks a second of processor time.")


if __name__ == "__main__":
    main(sys.argv[1:])
