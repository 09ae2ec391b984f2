"""Conflicts written by hand as folders of plain files, turned into a git repository that is mined like any other."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from llmerge_helpers.collect.repository import git_environment, git_version
from llmerge_helpers.errors import LlmergeError

__all__ = ["build_scenarios", "is_scenario_folder", "scenario_folders"]

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
    git_version()
    folder, target = Path(folder), Path(target)
    scenarios = sorted(child for child in folder.iterdir() if child.is_dir() and _is_scenario(child))
    if not scenarios:
        raise LlmergeError(f"{folder} holds no scenario: each is a folder with {', '.join(STAGES)} in it.")
    clash = [s.name for s in scenarios if re.search(r"[\s~^:?*\[\\]|\.\.|\.lock$|^-", s.name)]
    if clash:
        raise LlmergeError(f"{folder / clash[0]} cannot be a branch name: use letters, digits and hyphens.")
    environment = git_environment(pinned=True)
    subprocess.run(["git", "init", "--quiet", "--bare", "--template=", str(target)], check=True, env=environment)
    common = {"README.md": f"# {folder.name}\n\nWritten for this project, MIT licensed.\n".encode()}
    common["LICENSE"] = b"SPDX-License-Identifier: MIT\n"
    stream = [_commit("root", _EPOCH, 1, [], "Start", common)]
    for number, scenario in enumerate(scenarios):
        # from the name where it can be: a scenario added between two others leaves their commits as they are
        number = int(found[0]) if (found := re.match(r"\d+", scenario.name)) else number
        files = {stage: common | _files(scenario / stage) for stage in STAGES}
        time, mark, name = _EPOCH + number * 3600, 10 * number + 10, scenario.name
        for step, (stage, parents) in enumerate(
            [("base", [1]), ("ours", [mark]), ("theirs", [mark]), ("resolution", [mark + 1, mark + 2])]
        ):
            words = {"base": "Start of", "ours": "Our side of", "theirs": "Their side of", "resolution": "Merge"}[stage]
            stream.append(_commit(name, time + step * 600, mark + step, parents, f"{words} {name}", files[stage]))
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], input=b"".join(stream), check=True, cwd=target, env=environment
    )
    return target


def _files(folder: Path) -> dict[str, bytes]:
    found = sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _commit(branch: str, time: int, mark: int, parents: list[int], message: str, files: dict[str, bytes]) -> bytes:
    who = f"Scenario Writer <scenarios@example.org> {time} +0000"
    head = f"commit refs/heads/{branch}\nmark :{mark}\nauthor {who}\ncommitter {who}\n"
    links = "".join(f"{word} :{parent}\n" for word, parent in zip(("from", "merge"), parents, strict=False))
    parts = [f"{head}data {len(message)}\n{message}\n{links}deleteall\n".encode()]
    for path, data in files.items():
        quoted = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        parts.append(f'M 100644 inline "{quoted}"\ndata {len(data)}\n'.encode() + data + b"\n")
    return b"".join(parts) + b"\n"
