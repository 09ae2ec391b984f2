"""What the merge adds to the rules: each conflict after those that were decided before it, in both settings.

    python benchmarks/siblings.py path/to/repository another/repository …

Prints exact and right answers of the rules alone, of the plain rule "the side that 60 % took so far, else the rules",
and of `rules_in_merge`, interactive (what came before is as the developers resolved it) and alone (as the rules
themselves did); on all hunks, with each merge counted once, in merges of at most 30 hunks, and on the hunks that have
an earlier one; then the differences, paired, with 95 % intervals that know which hunks are of one merge.

The numbers in `baselines/in_merge.py` were chosen on psf/requests, scrapy/scrapy, apache/storm, moment/moment,
jekyll/jekyll, rust-lang/cargo, expressjs/express, catchorg/Catch2, AFNetworking/AFNetworking, nteract/papermill,
google/googletest, typeorm/typeorm, scalatra/scalatra and ohmyzsh/ohmyzsh: measure on others.
"""

from __future__ import annotations

import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import pandas as pd

from llmerge_helpers.baselines import resolve
from llmerge_helpers.collect import collect_repository
from llmerge_helpers.conflicts import Row
from llmerge_helpers.evaluate import Turn, by_rules, estimate, evaluate_baselines, evaluate_in_merges, merges_of, paired
from llmerge_helpers.evaluate.measure import resolved
from llmerge_helpers.models import Completion

ENOUGH = 0.6  # of the plain rule


def plain(turns: Sequence[Turn]) -> list[Completion]:
    """The side that most of the merge took so far, else the rules."""
    answers = []
    for turn in turns:
        kinds = [each.conflict.kind_of(each.resolution) for each in turn.decided]
        side = next((s for s in ("ours", "theirs") if kinds and kinds.count(s) >= ENOUGH * len(kinds)), "rules")
        hunk = resolve(side, turn.row)
        answers.append(Completion(resolved(turn.conflict, hunk), "stop", 0))
    return answers


def main(sources: Sequence[str]) -> None:
    if not sources:
        sys.exit("usage: python benchmarks/siblings.py path/to/repository …")
    rows: list[Row] = []
    for source in sources:
        found = list(collect_repository(source))
        rows += found
        print(f"{source}: {len(found):,} hunks of {len(set(merges_of(found))):,} merges", file=sys.stderr, flush=True)
    report(rows)


def report(rows: list[Row]) -> None:
    merges = merges_of(rows)
    with tempfile.TemporaryDirectory() as folder:
        tables = {"rules alone": evaluate_baselines(rows, ("rules",), output_dir=folder)["rules"]}
        for setting in ("interactive", "alone"):
            for name, answer in (("plain", plain), ("in merge", by_rules)):
                told = f"{name}, {setting}"
                tables[told] = evaluate_in_merges(name, rows, answer, setting, output_dir=folder)
                print(told, file=sys.stderr, flush=True)
    first = _firsts(rows)
    parts = {
        "all": np.ones(len(rows), dtype=bool),
        "merges of at most 30": np.array([(row["merge_size"] or 1) <= 30 for row in rows]),
        "with an earlier hunk": ~first,
    }
    for part, chosen in parts.items():
        groups = [merge for merge, here in zip(merges, chosen, strict=True) if here]
        print(f"\n## {part}: {chosen.sum():,} hunks of {len(set(groups)):,} merges\n")
        print("| | exact | right | exact, each merge once | right, each merge once |\n|---|---:|---:|---:|---:|")
        for name, table in tables.items():
            rates = [estimate(_hits(table, what)[chosen], groups).percent for what in ("exact", "right")]
            once = [f"{100 * _once(_hits(table, what)[chosen], groups).mean():.1f}" for what in ("exact", "right")]
            print(f"| {name} | {' | '.join([*rates, *once])} |")
        print("\n| against the rules alone | exact | right | exact, each merge once | right, each merge once |")
        print("|---|---:|---:|---:|---:|")
        for name, table in list(tables.items())[1:]:
            cells = []
            for what in ("exact", "right"):
                a, b = (_hits(each, what)[chosen] for each in (table, tables["rules alone"]))
                found = paired(a, b, groups)
                cells.append(f"{100 * found['diff']:+.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})")
            for what in ("exact", "right"):
                a, b = (_hits(each, what)[chosen] for each in (table, tables["rules alone"]))
                cells.append(_mean(_once(a, groups) - _once(b, groups)))
            print(f"| {name} | {' | '.join(cells)} |")


def _hits(table: pd.DataFrame, what: str) -> np.ndarray:
    exact = table["match_type"] == "exact_match"
    return (exact if what == "exact" else table["is_correct"]).to_numpy(dtype=bool)


def _firsts(rows: Sequence[Row]) -> np.ndarray:
    """Which rows have no earlier one of their merge."""
    merges = merges_of(rows)
    before: dict[str, int] = {}
    for merge, row in zip(merges, rows, strict=True):
        before[merge] = min(before.get(merge, row["order"]), row["order"])
    return np.array([row["order"] == before[merge] for merge, row in zip(merges, rows, strict=True)])


def _once(hits: np.ndarray, groups: Sequence[str]) -> np.ndarray:
    """The share of right answers in each merge."""
    by: dict[str, list[bool]] = defaultdict(list)
    for merge, hit in zip(groups, hits, strict=True):
        by[merge].append(bool(hit))
    return np.array([np.mean(each) for each in by.values()])


def _mean(differences: np.ndarray) -> str:
    """The mean over merges, with its 95 % interval."""
    half = 1.96 * differences.std(ddof=1) / len(differences) ** 0.5
    mean = differences.mean()
    return f"{100 * mean:+.1f} ({100 * (mean - half):+.1f} to {100 * (mean + half):+.1f})"


if __name__ == "__main__":
    main(sys.argv[1:])
