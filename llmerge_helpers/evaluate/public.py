"""Public benchmarks, read from their own files: ConflictBench's scenarios, and the merges that GitGoodBench names.

Each conflict becomes a row like those of 00, judged by the verdict that judges everything else; a merge of a benchmark
is one merge in every interval. Wholesale merges, which 00 leaves out, are in, as the benchmark has them, and marked
`decided: false`. What gives no row is counted under the reason why.
"""

from __future__ import annotations

import ast
import asyncio
import json
import os
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from llmerge_helpers.collect import Source, collect_repository
from llmerge_helpers.collect.repository import git_environment
from llmerge_helpers.collect.sources import build_merges
from llmerge_helpers.conflicts import Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate.intervals import estimate
from llmerge_helpers.evaluate.measure import evaluate, evaluate_baselines, replies_table
from llmerge_helpers.evaluate.tables import comparisons, merges_of, rate_of
from llmerge_helpers.run import from_root, shown
from llmerge_helpers.run.files import read_jsonl, write_atomic, write_jsonl

if TYPE_CHECKING:
    import pandas as pd

    from llmerge_helpers.generate import Teacher

OUTPUT_DIR = "outputs/benchmarks"
ITEMS = "items.jsonl"
BASELINES = ("ours", "theirs", "token_merge", "rules")
SCENARIOS = Path("Resource", "merge_scenarios")
LANGUAGES = ("Java", "Kotlin", "Python")  # of GitGoodBench; the lists in its repository name other files, too
VERSIONS = ("base", "left", "right", "child")
LONGEST_SCENARIO = 1_000_000  # letters of one cell; the list of files of a merge is far shorter


@dataclass
class Items:
    """The conflicts of a benchmark, how many merges it names, and what became of those that gave no conflict."""

    rows: list[Row]
    named: int
    left_out: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        merges = len(set(merges_of(self.rows)))
        told = f"{len(self.rows):,} conflicts of {merges:,} merges, out of {self.named:,} merges that it names"
        return told + "".join(f"\n  {count:>6,}  {why}" for why, count in self.left_out.most_common())


# ---- ConflictBench


def conflictbench(path: str | os.PathLike, *, context_lines: int = 5) -> Items:
    """The conflicts of a clone of ConflictBench: `base` and `left`, `right` and what the developer made, `child`.

    A scenario holds the files in conflict alone, so that what its tree shares with one side says nothing of the merge;
    undecided are the scenarios whose file took one side whole and lost what the other had changed without a conflict.
    """
    folder = from_root(path)
    root = folder / SCENARIOS if (folder / SCENARIOS).is_dir() else folder
    found = sorted({place.parent for name in VERSIONS for place in root.glob(f"*/*/{name}") if place.is_dir()})
    if not found:
        raise LlmergeError(
            f"{shown(folder)} holds no scenario of ConflictBench (<project>/<commit>/base, left, right, child): give "
            "the folder of a clone of github.com/UBOWENVT/ConflictBench, with its work tree."
        )
    with tempfile.TemporaryDirectory(prefix="llmerge-") as room:
        built = build_merges({f"{n:04d}": place for n, place in enumerate(found)}, Path(room, "built"), VERSIONS)
        place_of = dict(zip(_tips(built), found, strict=True))
        mined = [_mined(built, context_lines=context_lines, wholesale=wholesale) for wholesale in (False, True)]
    sure = {row["id"] for row in mined[0][0]}
    rows = [_of_scenario(row, place_of[row["merge_commit"]], row["id"] in sure) for row in mined[1][0]]
    return Items(rows, len(found), _reasons(mined[1][1]))


def _tips(repository: Path) -> list[str]:
    """The merges of the scenarios, in the order of their names."""
    asked = ["git", "for-each-ref", "--sort=refname", "--format=%(objectname)", "refs/heads/[0-9]*"]
    done = subprocess.run(asked, cwd=repository, env=git_environment(pinned=True), capture_output=True, check=True)
    return done.stdout.decode("ascii").split()


def _mined(source: str | Path | Source, **options: object) -> tuple[list[Row], Counter[str]]:
    report: dict[str, Counter[str]] = {}
    rows = list(collect_repository(source, report=report, **options))
    return rows, report["counts"]


def _of_scenario(row: Row, place: Path, decided: bool) -> Row:
    """The row with the names that ConflictBench gives: the commits were made here, and nobody knows them."""
    project, commit = place.parent.name, place.name
    return row | {
        "id": f"{project}@{commit[:12]}:{row['path']}#{row['hunk']}",
        "repository": project, "family": project, "merge_commit": commit, "parent_1": "", "parent_2": "",
        "committed_at": "", "license": "unknown", "decided": decided,
    }  # fmt: skip


def _reasons(counts: Mapping[str, int]) -> Counter[str]:
    """What was left out, of the counts of mining."""
    kept = ("label: ", "merges: conflict", "merges: more than two parents")
    return Counter({name: n for name, n in counts.items() if ": " in name and not name.startswith(kept) and n})


# ---- GitGoodBench


def gitgood(
    path: str | os.PathLike, repositories: str | os.PathLike = "", *, limit: int = 0, context_lines: int = 5
) -> Items:
    """The conflicts of the merges that GitGoodBench names, out of their repositories.

    `path` is its CSV as it is on the Hub (`git_good_bench.csv`, lite or train), a parquet file of its repository, or a
    folder of such files. `repositories` is a folder of clones or mirrors (`owner/name`, `owner__name`, `owner+name` or
    `name`); without one, each is cloned from GitHub once. Merges that are not there are counted, and so are files in
    none of its three languages. `limit` is the most repositories to mine, those with the most merges first.
    """
    wanted = merges_named(path)
    order = sorted(wanted, key=lambda name: (-len(wanted[name]), name))
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    mined = 0
    places = _places(from_root(repositories)) if repositories else {}
    for name in order:
        merges = wanted[name]
        there = places.get(name.lower()) or places.get(name.lower().rpartition("/")[2])
        if (repositories and there is None) or (limit and mined >= limit):
            beyond = there is not None or not repositories
            left_out[f"merges: {'beyond the limit' if beyond else 'their repository is not here'}"] += len(merges)
            continue
        mined += 1
        try:
            source = Source(str(there) if there else f"https://github.com/{name}", name)
            options = {"languages": LANGUAGES, "wholesale": True, "context_lines": context_lines}
            found, counts = _mined(source, only=merges, **options)
        except LlmergeError as error:
            print(f"{name}: {error}")
            left_out["merges: their repository cannot be mined"] += len(merges)
            continue
        rows += found
        left_out += _reasons(counts)
        here = counts["merges"] - counts["merges: more than two parents"]
        left_out["merges: not in this copy of the repository"] += len(merges) - here
    return Items(rows, sum(map(len, wanted.values())), +left_out)


def merges_named(path: str | os.PathLike) -> dict[str, set[str]]:
    """The merges in conflict that a file of GitGoodBench names, or several in a folder, by repository."""
    place = from_root(path)
    names = ("*.csv", "*.parquet", "data/*.parquet")
    files = [place] if place.is_file() else sorted(file for name in names for file in place.glob(name))
    found: dict[str, set[str]] = {}
    for file in files:
        for repository, commit in _named_in(file):
            found.setdefault(repository, set()).add(commit)
    if not found:
        raise LlmergeError(
            f"{shown(place)} names no merge of GitGoodBench: give git_good_bench.csv of the Hub (name, scenario and "
            "sample_type), a parquet file of its repository (name and scraped_data), or the folder of such files."
        )
    return found


def _named_in(file: Path) -> Iterator[tuple[str, str]]:
    import pandas as pd

    try:
        table = (
            pd.read_parquet(file) if file.suffix == ".parquet" else pd.read_csv(file, dtype=str, keep_default_na=False)
        )
    except (OSError, ValueError) as error:
        raise LlmergeError(f"{shown(file)} cannot be read ({type(error).__name__}): download it again.") from None
    if {"name", "scenario"} <= set(table):
        kind = next((column for column in ("sample_type", "scenario_type") if column in table), "")
        merges = table[table[kind] == "merge"] if kind else table
        for number, name, text in zip(merges.index, merges["name"], merges["scenario"], strict=True):
            if commit := _scenario(text, file, number).get("merge_commit_hash"):
                yield str(name), str(commit)
    elif {"name", "scraped_data"} <= set(table):
        for name, scraped in zip(table["name"], table["scraped_data"], strict=True):
            for merge in scraped["merge_scenarios"] if isinstance(scraped, dict) else ():
                if merge.get("had_conflicts"):
                    yield str(name), str(merge["merge_commit_hash"])


def _scenario(text: str, file: Path, number: int) -> dict[str, object]:
    """The scenario in a cell, as JSON or as Python prints a dict; it is read, and never run."""
    for read in (json.loads, ast.literal_eval):
        try:
            found = read(text[:LONGEST_SCENARIO])
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
        if isinstance(found, dict):
            return found
    raise LlmergeError(f"{shown(file)}, row {number} has a scenario that cannot be read: download the file again.")


def _places(folder: Path) -> dict[str, Path]:
    """The repositories below a folder by `owner/name`, or by `name` where no owner is told, in small letters."""
    if not folder.is_dir():
        raise LlmergeError(
            f"{shown(folder)} is no folder: give one that holds clones, such as owner/name or owner__name."
        )
    found: dict[str, Path] = {}
    for place in filter(Path.is_dir, sorted(folder.iterdir())):
        name = place.name.removesuffix(".git").replace("__", "/", 1).replace("+", "/", 1).lower()
        if git := _git_folder(place):
            found[name] = git
        else:
            below = ((each, _git_folder(each)) for each in sorted(place.iterdir()) if each.is_dir())
            found |= {f"{name}/{each.name.removesuffix('.git').lower()}": git for each, git in below if git}
    return found


def _git_folder(place: Path) -> Path | None:
    """The repository at a place, or in a folder `repo` of it; None where there is none."""
    for folder in (place, place / "repo"):
        if (folder / ".git").exists() or ((folder / "HEAD").exists() and (folder / "objects").exists()):
            return folder
    return None


# ---- whoever is measured


def items(benchmark: str, path: str | os.PathLike, repositories: str | os.PathLike = "", limit: int = 0) -> Items:
    """The conflicts of `conflictbench` or `gitgood`, or those of an earlier call, out of the `items.jsonl` it wrote."""
    place = from_root(path)
    if not place.exists():
        raise LlmergeError(f"{shown(place)} is not there: give the folder or the file of {benchmark}.")
    if place.suffix == ".jsonl":
        rows = list(read_jsonl(place))
        return Items(rows, len(set(merges_of(rows))))
    read: dict[str, Callable[[], Items]] = {
        "conflictbench": lambda: conflictbench(place),
        "gitgood": lambda: gitgood(place, repositories, limit=limit),
    }
    found = read[benchmark]()
    if not found.rows:
        raise LlmergeError(f"{shown(place)} gives no conflict whose resolution is certain.\n{found}")
    return found


def ask_teacher(
    rows: Sequence[Row],
    teacher: Teacher,
    *,
    output_dir: str | os.PathLike,
    max_cost_usd: float = 0.0,
    **options: object,
) -> pd.DataFrame:
    """The table of a teacher, any OpenAI-compatible endpoint, through the engine and the cache of 01.

    Says first what goes where and what it will cost. `options` are those of `generate`; a cap that leaves a conflict
    out is an `LlmergeError`, since a rate of the cheap ones says nothing of the benchmark.
    """
    from llmerge_helpers import generate

    print(generate.going_out(rows, teacher))
    settings = options | {"budget": generate.Budget(max_cost_usd)}
    quote = asyncio.run(generate.quote(rows, teacher, **settings))
    print(quote)
    generate.agree(quote, settings["budget"], teacher)
    results = asyncio.run(generate.generate(rows, teacher, **settings))
    if results.not_asked:
        raise LlmergeError(
            f"max_cost_usd {max_cost_usd} left {len(results.not_asked)} conflicts out: raise it (what was answered is "
            "kept, and not paid again)."
        )
    return replies_table(teacher.label, rows, results, output_dir=output_dir)


def ask_model(
    rows: Sequence[Row], model: str, *, output_dir: str | os.PathLike, max_new_tokens: int = 0
) -> pd.DataFrame:
    """The table of an adapter, or of a base model, asked in the form that it was trained with."""
    from llmerge_helpers import models

    budget, form = models.habits(model)
    return evaluate(
        model, rows, Path(model).name, max_new_tokens=max_new_tokens or budget, form=form, output_dir=output_dir
    )


def measured(tables: Mapping[str, pd.DataFrame], than: str = "rules") -> pd.DataFrame:
    """One line a name: exact and right with 95 % intervals over merges, whole merges, and against the rules in pairs.

    A whole merge is right if each of its conflicts here is; what has no row (see `Items.left_out`) is not asked.
    """
    import pandas as pd

    lines = []
    for name, table in tables.items():
        decided = table[table["decided"].astype(bool)]
        merges = merges_of(table)
        whole = [
            pd.Series(list(right)).groupby(merges).all()
            for right in (table["match_type"] == "exact_match", table["is_correct"].astype(bool))
        ]
        exact, right = (estimate(each.tolist()).percent for each in whole)
        lines.append(
            {
                "name": name,
                "exact": rate_of(table, table["match_type"] == "exact_match").percent,
                "right": rate_of(table, table["is_correct"]).percent,
                "right, decided": rate_of(decided, decided["is_correct"]).percent,
                "answers": rate_of(table, table["answered"]).percent,
                "whole merges, exact": exact,
                "whole merges, right": right,
                **_against(tables, name, than),
            }
        )
    return pd.DataFrame(lines).set_index("name")


def _against(tables: Mapping[str, pd.DataFrame], name: str, than: str) -> dict[str, str]:
    if than not in tables:
        return {}
    if name == than:
        return {f"right, against {than}": "–"}
    return {f"right, against {than}": comparisons(tables, [(name, than)])["difference in points"].iloc[0]}


def report(benchmark: str, found: Items, tables: Mapping[str, pd.DataFrame]) -> str:
    """The page of a measurement, in Markdown: of what, and the table."""
    table = measured(tables).reset_index()
    head, *lines = [list(table.columns), ["---"] * len(table.columns), *table.astype(str).values.tolist()]
    cells = "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in [head, *lines])
    decided = sum(row.get("decided") is not False for row in found.rows)
    size = f"{len(found.rows):,} conflicts of {len(set(merges_of(found.rows))):,} merges; {decided:,} decided."
    return f"# {benchmark}\n\n{size} Intervals are 95 %, over merges.\n\n{cells}\n"


def run(
    benchmark: str,
    found: Items,
    ask: Mapping[str, Callable[[Sequence[Row], Path], pd.DataFrame]] = MappingProxyType({}),
    *,
    output_dir: str | os.PathLike = OUTPUT_DIR,
    baselines: Iterable[str] = BASELINES,
) -> dict[str, pd.DataFrame]:
    """A table a name: baselines, then whoever is in `ask`; with `items.jsonl` and `table.md` beside them on disk."""
    folder = from_root(output_dir) / benchmark
    write_jsonl(folder / ITEMS, found.rows)
    tables = evaluate_baselines(found.rows, tuple(baselines), output_dir=folder)
    write_atomic(folder / "table.md", report(benchmark, found, tables))
    for name, asked in ask.items():
        tables[name] = asked(found.rows, folder)
        write_atomic(folder / "table.md", report(benchmark, found, tables))  # what is there, should the next one fail
    return tables
