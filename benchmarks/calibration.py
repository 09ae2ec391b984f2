"""How likely the rules are right: fits the table of `llmerge_helpers/resolver/weights.py`, and tests it elsewhere.

    python benchmarks/calibration.py --fit path/to/repository … --test another/repository … [--write]

A source is a repository, or a .jsonl file of rows collected before. The chance is a logistic regression, each merge
weighing as the root of its conflicts; what it says is then levelled by what came true on repositories left out of the
fit, one after the other. Prints, for repositories that took no part: accuracy against coverage, and reliability, each
*alone* (nothing of the merge is known) and *interactive* (the earlier conflicts as their developers resolved them).
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from llmerge_helpers.collect import collect_repository
from llmerge_helpers.conflicts import Conflict, Decided, Row, render_answer
from llmerge_helpers.evaluate import estimate
from llmerge_helpers.resolver.confidence import features, levelled
from llmerge_helpers.resolver.proposals import by_rules
from llmerge_helpers.run.files import read_jsonl, write_atomic
from llmerge_helpers.verdict import verify

RIDGE = 3.0
EDGES = (0.0, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95)
SETTINGS = ("alone", "interactive")


@dataclass
class Told:
    """One proposal of the rules, and what became of it."""

    setting: str
    repository: str
    merge: str
    size: int
    found: dict[str, float]
    right: bool
    exact: bool


def told_of(source: str) -> tuple[list[Told], dict[str, int]]:
    """The proposals for all conflicts of a source in both settings, and how many conflicts there were."""
    is_file = source.endswith(".jsonl")
    rows: list[Row] = list(read_jsonl(source) if is_file else collect_repository(source))
    merges: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["decided"]:
            merges[row["merge_commit"]].append(row)
    found: list[Told] = []
    for merge, inside in merges.items():
        earlier: list[Decided] = []
        for row in sorted(inside, key=lambda row: row["order"]):
            conflict = Conflict.of(row)
            judged: dict[str, bool] = {}
            for setting, known in (("alone", []), ("interactive", earlier)):
                told = by_rules(conflict, known)
                if told.text is None:
                    continue
                if told.text not in judged:
                    reply = render_answer(conflict.with_(told.text), conflict.language)
                    bare = dict(row, prefix=None, suffix=None)  # the file around makes it slow, and hardly another
                    judged[told.text] = told.text == row["resolution"] or verify(reply, bare).is_correct
                rule = told.by.removeprefix("rules: ").replace(" ", "_")
                exact = told.text == row["resolution"]
                what = features(conflict, rule, told.text, known)
                found.append(Told(setting, source, merge, len(inside), what, judged[told.text], exact))
            earlier.append(Decided(conflict, row["resolution"]))
    return found, {"conflicts": sum(map(len, merges.values())), "merges": len(merges)}


def fit(told: Sequence[Told]) -> dict[str, float]:
    """The weights of a logistic regression with a ridge, by Newton's method."""
    names = ["constant", *sorted({name for each in told for name in each.found} - {"constant"})]
    x = np.array([[each.found.get(name, 0.0) for name in names] for each in told])
    y = np.array([each.right for each in told], dtype=float)
    w = np.array([each.size**-0.5 for each in told])
    spread = x.std(axis=0)
    spread[spread == 0] = 1
    scaled, weights = x / spread, np.zeros(len(names))
    ridge = np.eye(len(names)) * RIDGE
    ridge[0, 0] = 1e-6
    for _ in range(40):
        p = 1 / (1 + np.exp(-scaled @ weights))
        hessian = (scaled * (w * p * (1 - p))[:, None]).T @ scaled + ridge
        step = np.linalg.solve(hessian, scaled.T @ (w * (y - p)) - ridge @ weights)
        weights += step
        if abs(step).max() < 1e-8:
            break
    return {name: round(float(v), 4) for name, v in zip(names, weights / spread, strict=True) if abs(v) > 5e-5}


def raw(weights: dict[str, float], told: Sequence[Told]) -> np.ndarray:
    """What the regression says of each."""
    sums = [sum(weights.get(name, 0.0) * value for name, value in each.found.items()) for each in told]
    return 1 / (1 + np.exp(-np.array(sums)))


def levels_of(told: Sequence[Told]) -> list[tuple[float, float]]:
    """What a chance meant on repositories that were left out: by tenths, and finer at the top, never falling."""
    said = np.zeros(len(told))
    homes = np.array([each.repository for each in told])
    for home in sorted(set(homes)):
        kept = [each for each, other in zip(told, homes != home, strict=True) if other]
        inside = homes == home
        said[inside] = raw(fit(kept), [each for each, here in zip(told, inside, strict=True) if here])
    y = np.array([each.right for each in told], dtype=float)
    w = np.array([each.size**-0.5 for each in told])
    found: list[list[float]] = []  # weight, what was said, what came true
    for low, high in zip(EDGES, (*EDGES[1:], 1.01), strict=True):
        inside = (said >= low) & (said < high)
        if w[inside].sum():
            found.append([w[inside].sum(), *(float(np.average(v[inside], weights=w[inside])) for v in (said, y))])
    while any(a[2] > b[2] for a, b in zip(found, found[1:], strict=False)):
        n = next(n for n in range(len(found) - 1) if found[n][2] > found[n + 1][2])
        (wa, *a), (wb, *b) = found[n : n + 2]
        found[n : n + 2] = [[wa + wb, *((wa * i + wb * j) / (wa + wb) for i, j in zip(a, b, strict=True))]]
    return [(round(float(x), 4), round(float(t), 4)) for _, x, t in found]


def report(told: Sequence[Told], chances: np.ndarray, sizes: dict[str, int]) -> None:
    """The tables of one setting."""
    right, exact = ([getattr(each, name) for each in told] for name in ("right", "exact"))
    merges = [each.merge for each in told]

    def line(label: str, inside: np.ndarray) -> str:
        picked = np.where(inside)[0]
        one = estimate([right[i] for i in picked], [merges[i] for i in picked])
        by_merge = defaultdict(list)
        for i in picked:
            by_merge[merges[i]].append(right[i])
        once = np.mean([np.mean(each) for each in by_merge.values()]) if by_merge else float("nan")
        share = 100 * len(picked) / sizes["conflicts"]
        e = 100 * np.mean([exact[i] for i in picked]) if len(picked) else float("nan")
        said = 100 * chances[picked].mean() if len(picked) else float("nan")
        return f"| {label} | {share:.1f} % | {said:.1f} | {one} | {e:.1f} | {100 * once:.1f} |"

    head = "| {} | of all | says | right | exact | right, each merge once |\n|---|---:|---:|---:|---:|---:|"
    print(head.format("at least as sure as"))
    for above in (0.95, 0.9, 0.85, 0.8, 0.7, 0.6, 0.5, 0.0):
        print(line(f"{above:.2f}", chances >= above))
    order = np.argsort(-chances, kind="stable")
    print("\n" + head.format("coverage: the surest"))
    for share in (0.05, 0.1, 0.2, 0.3, 0.5):
        inside = np.zeros(len(told), dtype=bool)
        inside[order[: int(share * sizes["conflicts"])]] = True
        print(line(f"{100 * share:.0f} %", inside))
    print("\n" + head.format("reliability: says between"))
    for low, high in zip(EDGES, (*EDGES[1:], 1.01), strict=True):
        if ((chances >= low) & (chances < high)).any():
            print(line(f"{low:.2f} and {min(high, 1):.2f}", (chances >= low) & (chances < high)))


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fit", nargs="+", default=[], help="repositories or .jsonl of rows to fit on")
    parser.add_argument("--test", nargs="+", default=[], help="others, to test on")
    parser.add_argument("--write", action="store_true", help="write the table into the package")
    given = parser.parse_args(arguments)
    if not given.fit or not given.test or {*given.fit} & {*given.test}:
        sys.exit("usage: python benchmarks/calibration.py --fit repository … --test other/repository …")
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(told_of, [*given.fit, *given.test]))
    learnt = [each for told, _ in found[: len(given.fit)] for each in told]
    weights, levels = fit(learnt), levels_of(learnt)
    if given.write:
        table = "".join(f'    "{name}": {value},\n' for name, value in weights.items())
        text = f'"""Written by `benchmarks/calibration.py`."""\n\nWEIGHTS: dict[str, float] = {{\n{table}}}\n'
        text += "LEVELS: list[tuple[float, float]] = [\n" + "".join(f"    {pair},\n" for pair in levels) + "]\n"
        write_atomic(Path(__file__).parent.parent / "llmerge_helpers/resolver/weights.py", text)
    tested = found[len(given.fit) :]
    sizes = {name: sum(counts[name] for _, counts in tested) for name in ("conflicts", "merges")}
    print(f"fitted on {len(given.fit)} repositories, tested on {len(given.test)} others: {sizes}")
    for setting in SETTINGS:
        told = [each for some, _ in tested for each in some if each.setting == setting]
        print(f"\n### {setting}\n")
        report(told, np.array([levelled(p, levels) for p in raw(weights, told)]), sizes)
        small = [each.size <= 30 for each in told]
        chances = np.array([levelled(p, levels) for p in raw(weights, told)])
        few = [each for each, keep in zip(told, small, strict=True) if keep]
        print("\nmerges of at most 30 conflicts only:\n")
        report(few, chances[np.array(small)], sizes)


if __name__ == "__main__":
    main()
