"""What there is to mine: repositories, addresses, lists of them, and folders of scenarios."""

from __future__ import annotations

import csv
import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from llmerge_helpers.collect.repository import Repository, clone, git_environment, git_version, is_url, url_name
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import from_root, shown


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
            yield Repository.open(clone(self.location, cache_dir or from_root("merges/.cache/clones")))
        else:
            yield Repository.open(self.location)


def listed(sources: str | os.PathLike | Iterable[str | os.PathLike | Source]) -> list[str | os.PathLike | Source]:
    """The sources one by one; a string may hold several, separated by commas or line ends."""
    if isinstance(sources, str):
        return [part.strip() for part in re.split(r"[,\n]", sources) if part.strip()]
    return [sources] if isinstance(sources, os.PathLike) else list(sources)


def find_sources(sources: str | os.PathLike | Iterable[str | os.PathLike | Source]) -> list[Source]:
    """What `sources` names: repositories, URLs, repos.csv files and folders of scenarios, with names that differ.

    A string may hold several, separated by commas.
    """
    found: list[Source] = []
    for source in listed(sources):
        if isinstance(source, Source):
            found.append(source)
            continue
        source = os.fspath(source).strip()
        if is_url(source):
            found.append(Source(source, url_name(source)))
            continue
        path = from_root(source)
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
    folder = from_root("merges") / name
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
    # spreadsheets put a byte order mark in front
    with open(path, encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            row = {(key or "").strip().lower(): (value or "").strip() for key, value in row.items() if key}
            name, url = row.get("repository", ""), row.get("url", "")
            if not name and not url:
                continue
            url = url or f"https://github.com/{name}"
            if not is_url(url):
                url = str((path.parent / url).resolve()) if (path.parent / url).exists() else str(from_root(url))
            found.append(
                Source(url, name or (url_name(url) if is_url(url) else Path(url).name), row.get("license", ""))
            )
    if not found:
        raise LlmergeError(f"{shown(path)} names no repository: it needs a column `repository` or `url`.")
    return found


# ----------------------------------------------------------------------------------------------------------- scenarios


STAGES = ("base", "ours", "theirs", "resolution")


_EPOCH = 1_700_000_000  # commits carry fixed times and names, so that the same folders give the same commits


def is_scenario_folder(folder: Path) -> bool:
    """Whether `folder` holds scenarios: subfolders with ours, theirs and resolution."""
    return any(_is_scenario(child) for child in folder.iterdir())


def _is_scenario(folder: Path) -> bool:
    return all((folder / stage).is_dir() for stage in STAGES[1:])


def scenario_folders(folder: Path) -> list[Path]:
    """`folder` itself if it holds scenarios, else those of its subfolders that do; each becomes one repository."""
    if is_scenario_folder(folder):
        return [folder]
    return [child for child in sorted(folder.iterdir()) if child.is_dir() and is_scenario_folder(child)]


def build_scenarios(folder: str | Path, target: str | Path) -> Path:
    """The bare repository `target`, made from the scenarios in `folder`: one branch with one merge for each.

    All branches grow from one root commit, which makes the folder one family of repositories.
    """
    folder = Path(folder)
    scenarios = {child.name: child for child in sorted(folder.iterdir()) if child.is_dir() and _is_scenario(child)}
    if not scenarios:
        raise LlmergeError(f"{folder} holds no scenario: each is a folder with {', '.join(STAGES)} in it.")
    clash = [name for name in scenarios if re.search(r"[\s~^:?*\[\\]|\.\.|\.lock$|^-", name)]
    if clash:
        raise LlmergeError(f"{folder / clash[0]} cannot be a branch name: use letters, digits and hyphens.")
    common = {"README.md": f"# {folder.name}\n\nWritten for this project, MIT licensed.\n".encode()}
    common["LICENSE"] = b"SPDX-License-Identifier: MIT\n"
    return build_merges(scenarios, target, common=common)


def build_merges(
    scenarios: Mapping[str, Path],
    target: str | Path,
    stages: Sequence[str] = STAGES,
    common: Mapping[str, bytes] = MappingProxyType({}),
) -> Path:
    """The bare repository `target` with a branch a scenario, each of one merge of what lies in its folders `stages`.

    `scenarios` are folders by the name of their branch. A stage that is not there has no file; `common` are in all.
    """
    git_version()
    target = Path(target)
    environment = git_environment(pinned=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--template=", str(target)], check=True, env=environment)
    stream = [_commit("root", _EPOCH, 1, [], "Start", common)]
    for number, (name, scenario) in enumerate(scenarios.items()):
        # from the name where it can be: a scenario added between two others leaves their commits as they are
        number = int(found[0]) if (found := re.match(r"\d+", name)) else number
        files = [{**common, **_files(scenario / stage)} for stage in stages]
        time, mark = _EPOCH + number * 3600, 10 * number + 10
        words, parents = (
            ("Start of", "Our side of", "Their side of", "Merge"),
            ([1], [mark], [mark], [mark + 1, mark + 2]),
        )
        for step, (word, links) in enumerate(zip(words, parents, strict=True)):
            stream.append(_commit(name, time + step * 600, mark + step, links, f"{word} {name}", files[step]))
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], input=b"".join(stream), check=True, cwd=target, env=environment
    )
    return target


def _files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _commit(branch: str, time: int, mark: int, parents: list[int], message: str, files: Mapping[str, bytes]) -> bytes:
    who = f"Scenario Writer <scenarios@example.org> {time} +0000"
    head = f"commit refs/heads/{branch}\nmark :{mark}\nauthor {who}\ncommitter {who}\n"
    links = "".join(f"{word} :{parent}\n" for word, parent in zip(("from", "merge"), parents, strict=False))
    parts = [f"{head}data {len(message)}\n{message}\n{links}deleteall\n".encode()]
    for path, data in files.items():
        quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        parts.append(f'M 100644 inline "{quoted}"\ndata {len(data)}\n'.encode() + data + b"\n")
    return b"".join(parts) + b"\n"
