"""What there is to mine: repositories, addresses, lists of them, and folders of scenarios."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from llmerge_helpers.collect.repository import Repository, clone, is_url, url_name
from llmerge_helpers.collect.scenarios import build_scenarios, scenario_folders
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.session import resolve, shown

__all__ = ["Source", "find_sources", "sources_of"]


@dataclass(frozen=True)
class Source:
    """Something to mine: a folder or an address, its name, and the licence it is known to have."""

    location: str
    name: str
    license: str = ""
    scenarios: bool = False

    @contextmanager
    def open(self, cache_dir: Path | None = None) -> Iterator[Repository]:
        """Its repository: found, cloned once, or built from scenarios."""
        if self.scenarios:
            with tempfile.TemporaryDirectory(prefix="llmerge-") as folder:
                yield Repository.open(build_scenarios(self.location, Path(folder) / "scenarios"))
        elif is_url(self.location):
            yield Repository.open(clone(self.location, cache_dir or resolve("merges/.cache/clones")))
        else:
            yield Repository.open(self.location)


def find_sources(sources: str | os.PathLike | Iterable[str | os.PathLike | Source]) -> list[Source]:
    """What `sources` names: repositories, URLs, repos.csv files and folders of scenarios, with names that differ.

    A string may hold several, separated by commas.
    """
    if isinstance(sources, str):
        sources = [part for part in re.split(r"[,\n]", sources) if part.strip()]
    elif isinstance(sources, os.PathLike):
        sources = [sources]
    found: list[Source] = []
    for source in sources:
        if isinstance(source, Source):
            found.append(source)
            continue
        source = os.fspath(source).strip()
        if is_url(source):
            found.append(Source(source, url_name(source)))
            continue
        path = resolve(source)
        if path.suffix == ".csv":
            found += _listed(path)
        elif path.is_dir() and (folders := scenario_folders(path)):
            found += [Source(str(folder), folder.name, scenarios=True) for folder in folders]
        else:
            found.append(Source(str(path), Repository.open(path).name))
    if not found:
        raise LlmergeError("there is nothing to mine: give a repository, a URL, a repos.csv or a folder of scenarios.")
    found = list({source.location: source for source in found}.values())
    names = Counter(source.name for source in found)
    return [s if names[s.name] == 1 or is_url(s.location) else _with_parent(s) for s in found]


def sources_of(name: str) -> str:
    """What the folder `merges/<name>` says it is made from: its repos.csv, or the scenarios in it."""
    folder = resolve("merges") / name
    if (folder / "repos.csv").exists():
        return str(folder / "repos.csv")
    if folder.is_dir() and scenario_folders(folder):
        return str(folder)
    raise LlmergeError(
        f"merges/{name} holds neither a repos.csv nor scenarios: say what to mine with -p sources <repository, URL, "
        "repos.csv or folder>."
    )


def _with_parent(source: Source) -> Source:
    folder = Path(source.location)
    return Source(source.location, f"{folder.parent.name}/{folder.name}", source.license, source.scenarios)


def _listed(path: Path) -> list[Source]:
    """The repositories of a repos.csv: `url` (or a local path), or `repository` alone, which means GitHub."""
    if not path.exists():
        raise LlmergeError(f"{shown(path)} does not exist: write one line a repository, under repository,url,license.")
    found = []
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            row = {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key}
            name, url = row.get("repository", ""), row.get("url", "")
            if not name and not url:
                continue
            url = url or f"https://github.com/{name}"
            if not is_url(url):
                url = str((path.parent / url).resolve()) if (path.parent / url).exists() else str(resolve(url))
            found.append(
                Source(url, name or (url_name(url) if is_url(url) else Path(url).name), row.get("license", ""))
            )
    if not found:
        raise LlmergeError(f"{shown(path)} names no repository: it needs a column `repository` or `url`.")
    return found
