"""From many repositories to one collection of rows: in parallel, resumable, with a count of everything dropped."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from llmerge_helpers.collect.conflicted_file import ConflictedFile, Drop, read_file
from llmerge_helpers.collect.licences import is_licence_file, spdx_of
from llmerge_helpers.collect.replay import REPLAY_MARKER_SIZE, CatFile, Replay, Workshop, entries
from llmerge_helpers.collect.repository import Repository, git_version, without_password
from llmerge_helpers.collect.sources import Source, find_sources
from llmerge_helpers.conflicts import Conflict, Row
from llmerge_helpers.conflicts.languages import is_known
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import from_root, progress, redact
from llmerge_helpers.run.files import remove_left
from llmerge_helpers.run.screen import Progress

if TYPE_CHECKING:
    from pandas import DataFrame


_FORMAT = 5  # part files written by other code are not reused


class MiningOptions(TypedDict):
    """What shapes the rows of a repository: a part file belongs to these."""

    context_lines: int
    languages: list[str]  # empty: all
    max_merges: int | None


class Report(TypedDict, total=False):
    """What is known of one repository: how it was mined, or why it could not be."""

    repository: str
    git: str
    roots: list[str]
    counts: Counter[str]
    seconds: float
    part: str
    error: str


@dataclass
class Collection:
    """Finished part files, one a repository, and what is known of each."""

    parts: list[Path]
    reports: list[Report]
    duplicates: int = field(default=0)

    def rows(self) -> Iterator[Row]:
        """All rows, repository by repository; repositories that share a first commit get one family.

        A hunk that an earlier repository had already, a fork say, is left out and counted in `duplicates`.
        """
        families, seen, self.duplicates = _families(self.reports), set(), 0
        for part in self.parts:
            for row in _rows_of(part):
                # a fork has the same conflicts under other commit names
                key = Conflict.of(row).digest()
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

    def steps(self, unit: str) -> list[tuple[str, int]]:
        """Where every one of `unit` (merges, files, hunks) went: all, then what was dropped and why; for a figure."""
        table = self.waterfall()
        lines = table[table["unit"] == unit]
        return list(zip(lines["what"].str.removeprefix("− "), lines["count"], strict=True))


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
    folder = from_root(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    remove_left(folder.glob("*.tmp"))
    options = mining_options(context_lines, languages, max_merges)
    jobs = [(source, str(folder), options) for source in found]
    done: dict[int, Report] = {}
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


def _part(source: Source, folder: str, options: MiningOptions, line: Progress | None = None) -> Report:
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


def _write_part(
    part: Path, source: Source, repository: Repository, options: MiningOptions, line: Progress | None
) -> None:
    report: Report = {}

    def tell(done: int, total: int, rows: int) -> None:
        line.total = total
        line.update(done, rows=rows)

    rows = mine(source, repository, options, report, tell if line else None)
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


def _rows_of(part: Path) -> Iterator[Row]:
    with open(part, encoding="utf-8", newline="\n") as file:
        for line in file:
            row = json.loads(line)
            if "report" not in row:
                yield row


def _last_line(part: Path) -> str:
    with open(part, "rb") as file:
        # the report stands last, and rows may be gigabytes
        file.seek(max(0, file.seek(0, os.SEEK_END) - 1_000_000))
        return file.read().decode("utf-8", "replace").rstrip("\n").rsplit("\n", 1)[-1]


def _families(reports: list[Report]) -> dict[str, str]:
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


def waterfall(reports: Iterable[Report], duplicates: int = 0) -> DataFrame:
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


# ------------------------------------------------------------------------------------------------------ one repository


def collect_repository(
    source: str | os.PathLike | Source,
    *,
    context_lines: int = 5,
    languages: Iterable[str] | None = None,
    max_merges: int | None = None,
    report: Report | None = None,
    cache_dir: Path | None = None,
    on_merge: Callable[[int, int, int], None] | None = None,
) -> Iterator[Row]:
    """The rows of one repository, oldest merge first: one for each conflict hunk whose resolution is certain.

    `languages` (names as in `languages.py`) and `max_merges` (the newest ones; 0 or None: all) choose. `report`, a
    dict, is filled with counts of everything kept and dropped; `on_merge` is called with (done, of, rows). The source
    is only read. A folder of several services of scenarios gives the rows of all of them.
    """
    options = mining_options(context_lines, languages, max_merges)
    report = {} if report is None else report
    for one in [source] if isinstance(source, Source) else find_sources([source]):
        with one.open(cache_dir) as repository:
            yield from mine(one, repository, options, report, on_merge)


def mining_options(context_lines: int, languages: Iterable[str] | None, max_merges: int | None) -> MiningOptions:
    """The options as they stand in the name of a part file; an unknown language is an `LlmergeError`."""
    names = sorted(check_languages(languages) or ())
    return MiningOptions(context_lines=context_lines, languages=names, max_merges=max_merges or None)


def check_languages(languages: Iterable[str] | None) -> frozenset[str] | None:
    """The set of language names, or None for all; an unknown name is an `LlmergeError`."""
    names = frozenset(languages or ())
    for name in sorted(names):
        if not is_known(name) and name != "Text":
            raise LlmergeError(
                f"unknown language {name!r}: write it as in llmerge_helpers/conflicts/languages.py, e.g. Java."
            )
    return names or None


def mine(
    source: Source,
    repository: Repository,
    options: MiningOptions,
    report: Report,
    on_merge: Callable[[int, int, int], None] | None = None,
) -> Iterator[Row]:
    """The rows of an open repository; `report` gets a count of everything kept and dropped."""
    started = time.monotonic()
    counts = report.setdefault("counts", Counter())
    report["repository"] = source.name
    report["git"] = ".".join(map(str, git_version()))
    report["roots"] = repository.roots()
    family, seen = family_name(report["roots"]), set()
    with Workshop.open(repository) as workshop, workshop.cat_file() as objects:
        total = workshop.merges(options["max_merges"])
        counts["merges"] += total
        licences = _Licences(objects, source.license)
        for done, replay in enumerate(workshop.replays(), 1):
            counts[f"merges: {replay.status}"] += 1
            if replay.status == "conflict":
                facts = Row(repository=source.name, family=family, license=licences.at(replay.merge.sha))
                for file in _files(replay, objects, options, counts):
                    yield from _fresh_rows(file, facts, options, counts, seen)
            if on_merge:
                on_merge(done, total, counts["rows"])
        answered = sum(counts[f"merges: {status}"] for status in ("clean", "conflict", "failed"))
        if answered != counts["merges"]:  # one report may add up several sources
            raise LlmergeError(f"git merge-tree answered {answered} of {counts['merges']} merges of {source.name}.")
    report["seconds"] = round(report.get("seconds", 0) + time.monotonic() - started, 3)


def _files(replay: Replay, objects: CatFile, options: MiningOptions, counts: Counter[str]) -> Iterator[ConflictedFile]:
    """The files in conflict that can be learned from; the others are counted under the reason why not."""
    languages = frozenset(options["languages"]) or None
    for path in replay.files:
        counts["files"] += 1
        file = read_file(replay, path, objects, languages)
        if isinstance(file, Drop):
            counts[f"files: {file.reason}"] += 1
        else:
            counts["hunks"] += len(file.hunks)
            yield file


def _fresh_rows(
    file: ConflictedFile, facts: Row, options: MiningOptions, counts: Counter[str], seen: set[bytes]
) -> Iterator[Row]:
    """The rows of a file that no earlier one of the repository had; the other hunks are counted under their reason."""
    for row in file.rows(facts, options["context_lines"]):
        if not isinstance(row, Drop) and (key := Conflict.of(row).digest()) in seen:
            row = Drop("duplicate")
        if isinstance(row, Drop):
            counts[f"hunks: {row.reason}"] += 1
            continue
        seen.add(key)
        counts["rows"] += 1
        counts[f"label: {row['label']}"] += 1
        yield row


def family_name(roots: Iterable[str]) -> str:
    """A name for all repositories that grew from these first commits."""
    return hashlib.sha256("\n".join(sorted(roots)).encode()).hexdigest()[:16]


class _Licences:
    """The licence at a commit, read once for each version of the licence file."""

    def __init__(self, objects: CatFile, listed: str):
        self._objects, self._listed, self._known = objects, listed, {}

    def at(self, commit: str) -> str:
        tree = self._objects.get(f"{commit}^{{tree}}".encode())
        found = "unknown"
        for mode, name, oid in entries(tree[1] if tree else b"", len(commit) // 2):
            if mode.startswith(b"100") and is_licence_file(name.decode("latin-1")):
                if oid not in self._known:
                    blob = self._objects.get(oid.hex().encode())
                    self._known[oid] = spdx_of(blob[1][:100_000].decode("utf-8", "replace")) if blob else "unknown"
                found = self._known[oid]
            if found != "unknown":
                break
        return self._listed or "unknown" if found == "unknown" else found


def look(
    sources: str | os.PathLike | Iterable[str | os.PathLike | Source],
    number: int = 0,
    languages: Iterable[str] | None = None,
) -> ConflictedFile:
    """The conflicted file with this number, oldest merge first, in the first source that has so many with a row."""
    wanted = check_languages(languages)
    problem = None
    for source in find_sources(sources):
        try:
            with source.open() as repository, Workshop.open(repository) as workshop, workshop.cat_file() as objects:
                workshop.merges()
                pairs = ((replay, path) for replay in workshop.replays() for path in replay.files)
                files = (read_file(replay, path, objects, wanted) for replay, path in pairs)
                facts = Row(repository=source.name, family="", license=source.license)
                good = (
                    f for f in files
                    if isinstance(f, ConflictedFile) and not all(isinstance(row, Drop) for row in f.rows(facts, 5))
                )  # fmt: skip
                if file := next(itertools.islice(good, number, None), None):
                    return file
        except LlmergeError as error:  # one of many that cannot be cloned, say
            problem = problem or error
    raise problem or LlmergeError("no conflict of these sources has a resolution that is certain.")
