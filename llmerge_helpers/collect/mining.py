"""From many repositories to one collection of rows: in parallel, resumable, with a count of everything dropped."""

from __future__ import annotations

import hashlib
import heapq
import itertools
import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, replace
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypedDict

from llmerge_helpers.collect.attributes import names_on_the_way
from llmerge_helpers.collect.commits import sides_of
from llmerge_helpers.collect.conflicted_file import ConflictedFile, Drop, read_file
from llmerge_helpers.collect.decisions import BEYOND, UNRELATED, decision, left_out
from llmerge_helpers.collect.licences import is_licence_file, spdx_of
from llmerge_helpers.collect.parts import (
    Chosen,
    Duplicates,
    MergeCounts,
    MiningOptions,
    Part,
    PartWriter,
    counts_of,
    holds_parts,
    known_parts,
    part_key,
    rows_of,
)
from llmerge_helpers.collect.replay import REPLAY_MARKER_SIZE, CatFile, Damaged, Merge, Replay, Workshop, entries
from llmerge_helpers.collect.repository import (
    MachineTrouble,
    check_machine,
    git_name,
    git_version,
    is_url,
    without_password,
)
from llmerge_helpers.collect.sources import Source, find_sources, listed
from llmerge_helpers.conflicts import Conflict, Row, language_of
from llmerge_helpers.conflicts.languages import TABLE
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import from_root, progress, redact, shown
from llmerge_helpers.run.files import remove_left
from llmerge_helpers.run.screen import Progress

if TYPE_CHECKING:
    from pandas import DataFrame

MISSING = "content missing in this copy of the repository"
BROKEN = "content damaged in this copy of the repository"
_AT_ONCE = 20  # files that git is asked about ahead; `CatFile` remembers about so many
Job: TypeAlias = tuple[Source, str, "MiningOptions", int | None]


class Report(TypedDict, total=False):
    """What is known of one repository: how it was mined, or why it could not be."""

    repository: str
    license: str
    git: str
    roots: list[str]
    counts: Counter[str]
    seconds: float
    parts: list[Chosen]
    error: str
    problem: str


@dataclass
class Collection:
    """What became of each repository; its rows lie in part files, one for each time that it was mined."""

    reports: list[Report]
    duplicates: int = field(default=0)

    @property
    def parts(self) -> list[Path]:
        """The part files, repository by repository."""
        return [Path(part.path) for report in self.reports for part in report.get("parts", ())]

    def rows(self) -> Iterator[Row]:
        """All rows, repository by repository; repositories that share a first commit get one family.

        A hunk that an earlier repository had already, a fork say, is left out and counted in `duplicates`.
        """
        families, seen, self.duplicates = _families(self.reports), set(), 0
        for report in self.reports:
            # each part is in the order of its merges; a later part has those that came later
            streams = (rows_of(part) for part in report.get("parts", ()))
            for row in heapq.merge(*streams, key=lambda row: row["committed_at"]):
                # a fork has the same conflicts under other commit names
                key = Conflict.of(row).digest()
                if key in seen:
                    self.duplicates += 1
                    continue
                seen.add(key)
                own = {"family": families[row["family"]], **_named(row, report["repository"], report["license"])}
                yield row | own

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
            problem = report.get("error") or report.get("problem", "")
            table.append({"repository": report["repository"], **numbers, "problem": problem})
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
    wholesale: bool = False,
    context: bool = False,
    workers: int | None = None,
    executor: Executor | None = None,
) -> Collection:
    """Mine all sources, several at a time, each into a part file under `work_dir`; no merge is mined a second time.

    A part belongs to the history of a repository and to the options, wherever the repository lies and whatever it is
    called: new commits add a part with the new merges, other options mine all of it again. Merges and files that took
    one side whole are left out unless `wholesale`. With `context` a row says what the commits of both sides say and
    change. A folder of part files is a source too, so that those of many
    machines can be joined without the repositories.

    `executor` is anything that submits as those of concurrent.futures do, the one of a Dask client say; without it,
    `workers` processes of this machine do it. A repository that cannot be mined is reported, and does not stop the
    others; if all fail it is an `LlmergeError`. So it is where the machine fails, a full disk say: what is finished is
    kept.
    """
    git_version()
    options = mining_options(context_lines, languages, wholesale, context)
    newest = check_max_merges(max_merges)
    folders, found = _part_folders(sources)
    joined = [report for folder in folders for report in _joined(folder, options)]
    found = find_sources(found) if found or not joined else []
    folder = from_root(work_dir)
    folder.mkdir(parents=True, exist_ok=True)
    remove_left(folder.glob("*.tmp"))
    jobs = [(source, str(folder), options, newest) for source in found]
    if executor is None and (len(jobs) <= 1 or workers == 1):
        reports = []
        for job in jobs:
            with progress(1, job[0].name) as line:
                reports.append(_mined(*job, line))
    elif executor is not None:
        reports = _side_by_side(executor, jobs)
    else:
        # "spawn": a notebook has threads, and a forked copy of a process with threads can hang
        pool = ProcessPoolExecutor(
            min(len(jobs), workers or os.cpu_count() or 1), mp_context=get_context("spawn"),
            initializer=_end_with_parent,
        )  # fmt: skip
        try:
            reports = _side_by_side(pool, jobs)
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
    reports = joined + reports
    if all("error" in report for report in reports):
        raise LlmergeError(reports[0]["error"])
    return Collection(reports)


def _side_by_side(executor: Executor, jobs: Sequence[Job]) -> list[Report]:
    """The reports of all jobs, in their order."""
    done: dict[int, Report] = {}
    with progress(len(jobs), "repositories") as line:
        futures = {executor.submit(_mined, *job): number for number, job in enumerate(jobs)}
        try:
            for future in as_completed(futures):
                done[futures[future]] = _outcome(future, jobs[futures[future]][0])
                rows = sum(report.get("counts", {}).get("rows", 0) for report in done.values())
                line.update(rows=rows, failed=sum("error" in report for report in done.values()))
        except BaseException:
            for future in futures:
                future.cancel()
            raise
    return [done[number] for number in range(len(jobs))]


def _outcome(future: Future[Report], source: Source) -> Report:
    try:
        return future.result()
    except (LlmergeError, BrokenProcessPool):
        raise
    except Exception as error:  # a cluster has given up on it, after a few workers died say
        problem = f"{source.name} could not be mined: its worker ended ({type(error).__name__})."
        return {"repository": source.name, "error": problem}


def _end_with_parent() -> None:
    """Let this worker end when the process that started it is gone, be it killed: it would wait for work for ever."""

    def watch() -> None:
        wait([parent_process().sentinel])
        os.kill(os.getpid(), signal.SIGINT)  # clean up, as after an interrupt
        time.sleep(10)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _mined(
    source: Source, folder: str, options: MiningOptions, max_merges: int | None, line: Progress | None = None
) -> Report:
    """Mine what no part file has yet of one source, into a part of its own; its report, with `parts` or an `error`."""
    report: Report = {"repository": source.name, "license": source.license}
    try:
        with source.open() as repository, Workshop.open(repository) as workshop:
            roots, merges = workshop.roots(), workshop.merges(max_merges)
            wanted = [merge.sha for merge in merges]
            key = part_key(roots, options)
            known = known_parts(Path(folder), key)
            there = {sha for part in known for sha in part.merges}
            if new := [merge for merge in merges if merge.sha not in there]:
                stem = Path(folder) / f"{re.sub(r'[^0-9A-Za-z.-]+', '-', source.name)}-{key}"
                known.append(_write_part(stem, source, workshop, roots, new, options, line))
            report |= {"roots": roots, "git": git_name(), **_summed(known, wanted)}
            report["counts"]["merges: more than two parents"] = octopuses = workshop.octopuses
            report["counts"]["merges"] += octopuses
            report["problem"] = _problem(report["counts"])
            return report
    except MachineTrouble:
        raise
    except LlmergeError as error:
        problem = str(error)
    except OSError as error:
        check_machine(error.strerror or "", 0, source.name)
        problem = f"{source.name} could not be mined: {error}"
    except Exception as error:  # one broken repository must not cost the others
        problem = f"{source.name} could not be mined: {type(error).__name__}: {error}"
    return report | {"error": redact(without_password(problem))}


def _problem(counts: Mapping[str, int]) -> str:
    """What a person should know of a repository that was mined, "" if all is well."""
    told = []
    if (
        failed := counts.get("merges: failed", 0)
        + counts.get(f"files: {MISSING}", 0)
        + counts.get(f"files: {BROKEN}", 0)
    ):
        told.append(f"{failed} merges or files are missing or damaged here: run `git fsck` and `git fetch --refetch`")
    if beyond := counts.get(f"merges: {BEYOND}", 0):
        told.append(f"a shallow clone, in which {beyond} merges lack their base: run `git fetch --unshallow`")
    return "; ".join(told)


def _summed(parts: Sequence[Part], wanted: Sequence[str] | None) -> Report:
    """The parts to read so that each wanted merge comes once (None: all there are), and what they come to."""
    place: dict[str, int] = {}
    for number, part in enumerate(parts):
        place |= dict.fromkeys(part.again, number)
    for number, part in reversed(list(enumerate(parts))):
        place |= dict.fromkeys(part.merges, number)
    chosen: list[list[str]] = [[] for _ in parts]
    for sha in place if wanted is None else wanted:
        chosen[place[sha]].append(sha)
    counts: Counter[str] = Counter()
    found = []
    for part, shas in zip(parts, chosen, strict=True):
        if shas:
            whole = len(shas) == len(part.merges) + len(part.again)
            counts += part.counts if whole else counts_of(part.path, frozenset(shas))
            found.append(Chosen(part.path, None if whole else frozenset(shas)))
    return {"parts": found, "counts": counts, "seconds": sum(part.seconds for part in parts)}


def _write_part(
    stem: Path,
    source: Source,
    workshop: Workshop,
    roots: list[str],
    merges: Sequence[Merge],
    options: MiningOptions,
    line: Progress | None,
) -> Part:
    started = time.monotonic()
    with PartWriter(stem) as writer:
        for item in mine(source, workshop, roots, merges, options):
            writer.write(item)
            if line and isinstance(item, MergeCounts):
                line.total = len(merges)
                line.update(writer.merges, rows=writer.counts["rows"])
        return writer.finish(source.name, roots, options, time.monotonic() - started)


def _part_folders(
    sources: str | os.PathLike | Iterable[str | os.PathLike | Source],
) -> tuple[list[Path], list[str | os.PathLike | Source]]:
    """The sources that are folders of part files, and the others."""
    each_source = listed(sources)
    is_folder = [not isinstance(s, Source) and not is_url(os.fspath(s)) and holds_parts(s) for s in each_source]
    pairs = list(zip(each_source, is_folder, strict=True))
    return [from_root(each) for each, yes in pairs if yes], [each for each, yes in pairs if not yes]


def _joined(folder: Path, options: MiningOptions) -> list[Report]:
    """A report for each repository of which `folder` has parts with these options, by name."""
    groups: dict[str, list[Part]] = {}
    for part in known_parts(folder):
        if part.options == options:
            groups.setdefault(part_key(part.roots, options), []).append(part)
    if not groups:
        raise LlmergeError(f"{shown(folder)} has no part that was mined with these options: {dict(options)}.")
    reports = []
    for parts in sorted(groups.values(), key=lambda parts: (parts[0].repository, parts[0].path)):
        report: Report = {
            "repository": parts[0].repository,
            "license": "",
            "roots": parts[0].roots,
            "git": parts[0].git,
        }
        report |= _summed(parts, None)
        reports.append(report | {"problem": _problem(report["counts"])})
    return reports


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
    names = {"merges": "merges in the history", "files": "files in conflict", "hunks": "conflict hunks in them"}
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
    wholesale: bool = False,
    only: Iterable[str] | None = None,
    context: bool = False,
    report: Report | None = None,
    cache_dir: Path | None = None,
    on_merge: Callable[[int, int, int], None] | None = None,
) -> Iterator[Row]:
    """The rows of one repository, oldest merge first: one for each conflict hunk whose resolution is certain.

    `languages` (names as in `languages.py`), `max_merges` (the newest ones; 0 or None: all) and `only` (merges by the
    names of their commits) choose. `report`, a dict, is filled with counts of everything kept and dropped; `on_merge`
    is called with (done, of, rows). The source is only read. A folder of several services of scenarios gives the rows
    of all of them.
    """
    options, newest = mining_options(context_lines, languages, wholesale, context), check_max_merges(max_merges)
    report = {} if report is None else report
    counts = report.setdefault("counts", Counter())
    wanted = None if only is None else frozenset(only)
    for one in [source] if isinstance(source, Source) else find_sources([source]):
        duplicates = Duplicates(counts)
        with one.open(cache_dir) as repository, Workshop.open(repository) as workshop:
            report["repository"], report["git"] = one.name, git_name()
            roots, merges = workshop.roots(), workshop.merges(newest)
            merges = [merge for merge in merges if wanted is None or merge.sha in wanted]
            report["roots"], octopuses, done = roots, workshop.octopuses, 0
            counts.update({"merges": octopuses, "merges: more than two parents": octopuses})
            for item in mine(one, workshop, roots, merges, options):
                if isinstance(item, MergeCounts):
                    counts += item.counts
                    done += 1
                    if on_merge:
                        on_merge(done, len(merges), counts["rows"])
                elif not duplicates.has(item):
                    yield item | _named(item, one.name, one.license)


def _named(row: Row, repository: str, of_list: str) -> Row:
    """The columns of a row that say where it was found: a part is the same whatever its repository is called."""
    licence = row["license"] if row["license"] != "unknown" else of_list or "unknown"
    return Row(repository=repository, license=licence, id=repository + row["id"].removeprefix(row["repository"]))


def mining_options(
    context_lines: int, languages: Iterable[str] | None, wholesale: bool = False, context: bool = False
) -> MiningOptions:
    """The options as a part file has them; an unknown language is an `LlmergeError`."""
    names = sorted(check_languages(languages) or ())
    options = MiningOptions(context_lines=context_lines, languages=names, wholesale=wholesale)
    return options | MiningOptions(context=True) if context else options


def check_max_merges(max_merges: int | None) -> int | None:
    """The number of the newest merges to mine, None for all; an `LlmergeError` below 0."""
    if max_merges is not None and max_merges < 0:
        raise LlmergeError(f"max_merges is {max_merges}: give the number of the newest merges to mine, or 0 for all.")
    return max_merges or None


def check_languages(languages: Iterable[str] | None) -> frozenset[str] | None:
    """The set of language names as the table has them, in whatever case, or None for all; else an `LlmergeError`."""
    known = {name.lower(): name for name in TABLE}
    names = [languages] if isinstance(languages, str) else list(languages or ())
    for name in names:
        if name.strip().lower() not in known:
            raise LlmergeError(
                f"unknown language {name!r}: write it as in llmerge_helpers/conflicts/languages.py, e.g. Java."
            )
    return frozenset(known[name.strip().lower()] for name in names) or None


def mine(
    source: Source, workshop: Workshop, roots: list[str], merges: Sequence[Merge], options: MiningOptions
) -> Iterator[Row | MergeCounts]:
    """The rows of some merges of an open repository, those of a merge followed by the counts of what became of it."""
    family = family_name(roots)
    with workshop.cat_file() as objects:
        licences = _Licences(objects)
        answered = 0
        for replay in workshop.replays(merges):
            answered += 1
            counts, is_whole = Counter({"merges": 1}), replay.status != "failed"
            status = replay.status
            if status == "conflict":
                try:
                    status = left_out(replay, workshop) or status
                    _check_blobs(replay, workshop, objects)
                    if status == "conflict" or (options["wholesale"] and status == UNRELATED):
                        facts = Row(repository=source.name, family=family, license=licences.at(replay.merge.sha))
                        verdict = yield from _rows_of_merge(replay, workshop, objects, facts, options, counts)
                        status = verdict or "conflict"
                except Damaged:
                    status, is_whole = "failed", False
            is_whole = is_whole and not counts[f"files: {MISSING}"] and not counts[f"files: {BROKEN}"]
            counts[f"merges: {status}"] += 1
            yield MergeCounts(replay.merge.sha, counts, is_whole)
        if answered != len(merges):
            raise LlmergeError(f"git merge-tree answered {answered} of {len(merges)} merges of {source.name}.")


def _rows_of_merge(
    replay: Replay, workshop: Workshop, objects: CatFile, facts: Row, options: MiningOptions, counts: Counter[str]
) -> Generator[Row, None, str]:
    """The rows of a merge in conflict; returns the reason why it gives none, or ""."""
    paths = list(replay.files)
    _ask_ahead(replay, paths[:_AT_ONCE], objects, options)
    places, size = _hunks(replay, objects)
    choice = decision(replay, objects)
    if choice.reason and not options["wholesale"]:
        return choice.reason
    facts |= Row(merge_size=size)
    sides = sides_of(workshop, replay.merge, paths) if options.get("context") else None
    for number, (path, first) in enumerate(places.items()):
        if number and number % _AT_ONCE == 0:
            _ask_ahead(replay, paths[number : number + _AT_ONCE], objects, options)
        counts["files"] += 1
        file = _read(replay, path, objects, options)
        if isinstance(file, Drop):
            counts[f"files: {file.reason}"] += 1
            continue
        counts["hunks"] += len(file.hunks)
        for row in file.rows(facts, options["context_lines"]):
            if isinstance(row, Drop):
                counts[f"hunks: {row.reason}"] += 1
            else:
                counts.update({"rows": 1, f"label: {row['label']}": 1})
                told = sides.of(row["path"]) if sides else {}
                yield row | told | {"order": first + row["hunk"], "decided": choice.decided and file.decided}
    return ""


def _ask_ahead(replay: Replay, paths: Sequence[bytes], objects: CatFile, options: MiningOptions) -> None:
    """Have git answer what is asked for most of some files of a merge."""
    merge, languages = replay.merge, options["languages"]
    names = [f"{sha}^{{tree}}".encode() for sha in (merge.sha, merge.parent_1, merge.parent_2)]
    for path in paths:
        names.append(replay.tree.encode() + b":" + path)
        if {2, 3} <= replay.files[path].keys():
            names.append(merge.sha.encode() + b":" + path)
            if not languages or language_of(path.decode("utf-8", "replace")) in languages:
                names += [name for _, name in names_on_the_way(merge.parent_1, path)]
    objects.ask_ahead(names)


def _check_blobs(replay: Replay, workshop: Workshop, objects: CatFile) -> None:
    """Raise a `Damaged` where git merged a file that is not whole."""
    for oid in {oid for stages in replay.blobs.values() for oid in stages.values()}:
        if workshop.loose(oid):
            objects.get(oid.encode())


def _hunks(replay: Replay, objects: CatFile) -> tuple[dict[bytes, int], int]:
    """For each file of a merge how many conflict hunks come before its own, and how many there are in all."""
    places, size = {}, 0
    for number, path in enumerate(replay.files):
        if number and number % _AT_ONCE == 0:
            paths = itertools.islice(replay.files, number, number + _AT_ONCE)
            objects.ask_ahead(replay.tree.encode() + b":" + each for each in paths)
        places[path] = size
        text = objects.get(replay.tree.encode() + b":" + path)
        if text and text[0] == "blob" and b"<" * REPLAY_MARKER_SIZE in text[1]:
            found = (match.start() for match in _OPENING.finditer(text[1]))
            size += sum(text[1][at - 1 : at] in (b"", b"\n") for at in found)  # ten times as fast as a pattern with ^
    return places, size


_OPENING = re.compile(rb"<{%d}(?=[ \r\n]|\Z)" % REPLAY_MARKER_SIZE)


def _read(replay: Replay, path: bytes, objects: CatFile, options: MiningOptions) -> ConflictedFile | Drop:
    try:
        return read_file(replay, path, objects, frozenset(options["languages"]) or None, options["wholesale"])
    except Damaged:
        return Drop(BROKEN)
    except (ValueError, OverflowError, RecursionError):  # one odd file must not cost the others
        return Drop("it cannot be read")


def family_name(roots: Iterable[str]) -> str:
    """A name for all repositories that grew from these first commits."""
    return hashlib.sha256("\n".join(sorted(roots)).encode()).hexdigest()[:16]


class _Licences:
    """The licence at a commit, read once for each version of the licence file."""

    def __init__(self, objects: CatFile):
        self._objects, self._known = objects, {}

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
        return found


def _is_mined(replay: Replay, workshop: Workshop, objects: CatFile, wholesale: bool) -> bool:
    """Whether a merge is one of those that give rows."""
    try:
        status = left_out(replay, workshop) if replay.files else "clean"
        return status in ("", UNRELATED) if wholesale else not (status or decision(replay, objects).reason)
    except Damaged:  # counted when it is mined
        return False


def look(
    sources: str | os.PathLike | Iterable[str | os.PathLike | Source],
    number: int = 0,
    languages: Iterable[str] | None = None,
    *,
    context_lines: int = 5,
    wholesale: bool = False,
) -> ConflictedFile:
    """The conflicted file with this number, oldest merge first, in the first source that has so many with a row.

    It knows its `source`: the first of several may have none, or be out of reach. The options are those of `collect`,
    so that what is shown is in the data set, too.
    """
    wanted = check_languages(languages)
    problem = None
    for source in find_sources(sources):
        try:
            with source.open() as repository, Workshop.open(repository) as workshop, workshop.cat_file() as objects:
                replays = (r for r in workshop.replays(workshop.merges()) if _is_mined(r, workshop, objects, wholesale))
                pairs = ((replay, path) for replay in replays for path in replay.files)
                files = (read_file(replay, path, objects, wanted, wholesale) for replay, path in pairs)
                own = {"source": source, "context_lines": context_lines}
                known = (replace(file, **own) for file in files if isinstance(file, ConflictedFile))
                good = (file for file in known if file.gives_a_row)
                if file := next(itertools.islice(good, number, None), None):
                    return file
        except LlmergeError as error:  # one of many that cannot be cloned, say
            problem = problem or error
    raise problem or LlmergeError("no conflict of these sources has a resolution that is certain.")
