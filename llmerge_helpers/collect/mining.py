"""From many repositories to one collection of rows: in parallel, resumable, with a count of everything dropped."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmerge_helpers.collect.conflicted_file import digest
from llmerge_helpers.collect.one_repository import check_languages, collect_repository, family_name, look, mine
from llmerge_helpers.collect.replay import REPLAY_MARKER_SIZE
from llmerge_helpers.collect.repository import Repository, git_version, without_password
from llmerge_helpers.collect.scenarios import build_scenarios
from llmerge_helpers.collect.sources import Source, find_sources, sources_of
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.files import remove_left
from llmerge_helpers.run.session import progress, redact, resolve

if TYPE_CHECKING:
    from pandas import DataFrame

__all__ = [
    "Collection", "Source", "build_scenarios", "collect", "collect_repository", "find_sources", "look", "sources_of",
    "waterfall",
]  # fmt: skip

_FORMAT = 5  # part files written by other code are not reused


@dataclass
class Collection:
    """Finished part files, one a repository, and what is known of each."""

    parts: list[Path]
    reports: list[dict[str, Any]]
    duplicates: int = field(default=0)

    def rows(self) -> Iterator[dict[str, Any]]:
        """All rows, repository by repository; repositories that share a first commit get one family.

        A hunk that an earlier repository had already, a fork say, is left out and counted in `duplicates`.
        """
        families, seen, self.duplicates = _families(self.reports), set(), 0
        for part in self.parts:
            for row in _rows_of(part):
                key = digest(row)
                if key in seen:
                    self.duplicates += 1
                    continue
                seen.add(key)
                yield row | {"family": families[row["family"]]}

    def table(self) -> DataFrame:
        """One line a repository: how many merges, conflicts and rows it gave, or what the problem was."""
        import pandas

        columns = {
            "merges": "merges",
            "in conflict": "merges: conflict",
            "files": "files",
            "hunks": "hunks",
            "rows": "rows",
        }
        table = []
        for report in self.reports:
            counts = report.get("counts", {})
            numbers = {name: counts.get(key, 0) for name, key in columns.items()}
            table.append({"repository": report["repository"], **numbers, "problem": report.get("error", "")})
        return pandas.DataFrame(table)

    def waterfall(self) -> DataFrame:
        """Where every merge, file and hunk went; call it when `rows` has been read, which finds the last duplicates."""
        return waterfall(self.reports, self.duplicates)


def collect(
    sources: str | os.PathLike | Iterable[str | os.PathLike | Source],
    work_dir: str | os.PathLike = "merges/.cache/parts",
    *,
    context_lines: int = 5,
    languages: Iterable[str] | None = None,
    max_merges: int | None = None,
    workers: int | None = None,
) -> Collection:
    """Mine all sources, several at a time, each into one part file under `work_dir`; what is finished is not redone.

    A part belongs to a state of the repository and to the options, so that new commits or other options mine it again.
    A repository that cannot be mined is reported, and does not stop the others; if all fail it is an `LlmergeError`.
    """
    git_version()
    found = find_sources(sources)
    folder = resolve(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    remove_left(folder.glob("*.tmp"))
    options = {"context_lines": context_lines, "languages": sorted(check_languages(languages) or ())}
    options |= {"max_merges": max_merges or None}
    jobs = [(source, str(folder), options) for source in found]
    done: dict[int, dict[str, Any]] = {}
    if len(jobs) == 1 or workers == 1:
        for number, job in enumerate(jobs):
            with progress(1, job[0].name) as line:
                done[number] = _part(*job, line)
    else:
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from concurrent.futures.process import BrokenProcessPool
        from multiprocessing import get_context

        # "spawn": a notebook has threads, and a forked copy of a process with threads can hang
        pool = ProcessPoolExecutor(min(len(jobs), workers or os.cpu_count() or 1), mp_context=get_context("spawn"))
        try:
            with progress(len(jobs), "repositories") as line:
                futures = {pool.submit(_part, *job): number for number, job in enumerate(jobs)}
                for future in as_completed(futures):
                    done[futures[future]] = future.result()
                    rows = sum(report.get("counts", {}).get("rows", 0) for report in done.values())
                    line.update(rows=rows, failed=sum("error" in report for report in done.values()))
        except BrokenProcessPool:
            raise LlmergeError(
                "a worker process ended while it mined; what is finished is kept. A script needs "
                'if __name__ == "__main__" around the call, or workers=1 (as when it comes from standard input); '
                "where memory ran out, take fewer workers."
            ) from None
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
    reports = [done[number] for number in range(len(jobs))]
    if all("error" in report for report in reports):
        raise LlmergeError(reports[0]["error"])
    return Collection([Path(report["part"]) for report in reports if "part" in report], reports)


def _part(source: Source, folder: str, options: dict[str, Any], line: Any = None) -> dict[str, Any]:
    """Mine one source into its part file, unless it is there; its report, with `part`, or with `error`."""
    try:
        with source.open() as repository:
            facts = [_FORMAT, REPLAY_MARKER_SIZE, git_version(), repository.state(), asdict(source), options]
            key = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]
            part = Path(folder) / f"{re.sub(r'[^0-9A-Za-z.-]+', '-', source.name)}-{key}.jsonl"
            if not part.exists():
                _write_part(part, source, repository, options, line)
            return json.loads(_last_line(part))["report"] | {"part": str(part)}
    except LlmergeError as error:
        problem = str(error)
    except Exception as error:  # one broken repository must not cost the others
        problem = f"{source.name} could not be mined: {type(error).__name__}: {error}"
    return {"repository": source.name, "error": redact(without_password(problem))}


def _write_part(part: Path, source: Source, repository: Repository, options: dict[str, Any], line: Any) -> None:
    report: dict[str, Any] = {}

    def tell(done: int, total: int, rows: int) -> None:
        line.total = total
        line.update(done, rows=rows)

    languages = check_languages(options["languages"])
    rows = mine(
        source, repository, options["context_lines"], languages, options["max_merges"], report, tell if line else None
    )
    handle, temporary = tempfile.mkstemp(prefix=f"{part.stem}-", suffix=".tmp", dir=part.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.write(json.dumps({"report": report}) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, part)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _rows_of(part: Path) -> Iterator[dict[str, Any]]:
    with open(part, encoding="utf-8", newline="\n") as file:
        for line in file:
            row = json.loads(line)
            if "report" not in row:
                yield row


def _last_line(part: Path) -> str:
    with open(part, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1_000_000))
        return file.read().decode("utf-8", "replace").rstrip("\n").rsplit("\n", 1)[-1]


def _families(reports: list[dict[str, Any]]) -> dict[str, str]:
    """The common family of each repository's own: all that share a first commit, directly or through others."""
    groups: list[set[str]] = []
    for report in reports:
        roots = set(report.get("roots", ()))
        touching = [group for group in groups if group & roots]
        groups = [group for group in groups if not group & roots] + [roots.union(*touching)]
    return {
        family_name(report["roots"]): family_name(next(group for group in groups if group >= set(report["roots"])))
        for report in reports
        if "roots" in report
    }


def waterfall(reports: Iterable[dict[str, Any]], duplicates: int = 0) -> DataFrame:
    """A DataFrame that says where every merge, file and hunk went: unit, what became of it, how many.

    `duplicates` are the hunks that another repository had already.
    """
    import pandas

    counts: Counter = sum((Counter(report.get("counts", {})) for report in reports), Counter())
    counts["rows"] -= duplicates
    counts["hunks: duplicate"] += duplicates
    table = []
    names = {"merges": "two-parent merges replayed", "files": "files in conflict", "hunks": "conflict hunks in them"}
    for unit, name in names.items():
        table.append((unit, name, counts[unit]))
        drops = {key.split(": ", 1)[1]: n for key, n in counts.items() if key.startswith(f"{unit}: ") and n}
        conflicted = drops.pop("conflict", 0)
        table += [(unit, f"− {reason}", n) for reason, n in sorted(drops.items(), key=lambda item: (-item[1], item[0]))]
        if unit == "merges":
            table.append((unit, "merges with conflicts", conflicted))
    table.append(("rows", "rows: hunks with a label", counts["rows"]))
    return pandas.DataFrame(table, columns=["unit", "what", "count"])
