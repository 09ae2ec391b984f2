"""Collecting conflicts against the bare git commands it rests on, and against replaying in copies of the work tree.

    python benchmarks/collection.py PATH_OF_A_REPOSITORY [--copies 10] [--rounds 3]

Prints a Markdown table. Everything is measured in this one run, on this one machine:

* bare git: the same `rev-list`, `merge-tree --stdin` and `cat-file --batch`, their output thrown away
* collect: the whole collection, from the repository to the part file with all rows and their questions
* pygit2: `merge_commits` on every merge, without reading a file (only if pygit2 is installed)
* copies: for each merge of a random sample, copy the clone, check out the first parent, `git merge` the second, ask for
  the status, as collections in a work tree do; scaled to all merges
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from llmerge_helpers.collect import collect
from llmerge_helpers.collect.replay import Workshop, _records
from llmerge_helpers.collect.repository import Repository, git_environment, git_version


def best(run: Callable[[], object], rounds: int) -> float:
    """Seconds of the fastest of several rounds."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times)


def names_read(repository: Repository) -> bytes:
    """What a collection asks `cat-file` for, one name a line; a merge that git cannot replay asks for nothing."""
    names = []
    with Workshop.open(repository) as workshop:
        for replay in workshop.replays(workshop.merges()):
            merge = replay.merge
            if replay.status == "conflict":
                names += [f"{sha}^{{tree}}".encode() for sha in (merge.sha, merge.parent_1, merge.parent_2)]
            for path in replay.files:
                names += [replay.tree.encode() + b":" + path, merge.sha.encode() + b":" + path]
    return b"\n".join(names) + b"\n"


def bare_git(repository: Repository, names: bytes) -> None:
    """The commands alone, in a throwaway repository as in a collection."""
    with Workshop.open(repository) as workshop:
        workshop.roots()
        merges = workshop.merges()
        arguments = ["merge-tree", "--write-tree", "--allow-unrelated-histories", "--no-messages", "-z", "--stdin"]
        quiet = {"env": workshop._environment, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        left = [f"{merge.parent_1} {merge.parent_2}\n" for merge in merges]
        while left:  # git ends at a merge that it cannot replay: go on behind it, as a collection does
            done = subprocess.run(
                workshop._command(*arguments), input="".join(left).encode(), env=quiet["env"], capture_output=True
            )
            if not done.returncode:
                break
            left = left[sum(1 for _ in _records(iter(done.stdout.split(b"\0")[:-1]))) + 1 :]
        subprocess.run(workshop._command("cat-file", "--batch"), input=names, check=True, **quiet)


def whole_collection(path: str) -> int:
    """Number of rows of a collection into a fresh folder."""
    with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
        stdout, sys.stdout = sys.stdout, nowhere  # the progress line
        try:
            return collect([path], folder).reports[0]["counts"]["rows"]
        finally:
            sys.stdout = stdout


def with_pygit2(path: str, parents: list[tuple[str, str]]) -> int:
    """Number of merges in conflict, as libgit2 sees them."""
    import pygit2

    repository = pygit2.Repository(path)
    return sum(bool(repository.merge_commits(*pair).conflicts) for pair in parents)


def work_tree_of(repository: Repository, target: Path) -> Path:
    """A clone with a work tree and with all commits, those of pull requests too."""
    shutil.copytree(repository.common_dir, target / ".git")
    subprocess.run(["git", "config", "-f", str(target / ".git" / "config"), "core.bare", "false"], check=True)
    subprocess.run(["git", "reset", "--quiet", "--hard"], cwd=target, check=True)
    return target


def in_a_copy(clone: Path, pair: tuple[str, str]) -> None:
    """One merge replayed in a copy of a clone's work tree."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(clone, copy, symlinks=True)
        quiet = {"cwd": copy, "env": git_environment(pinned=True), "capture_output": True}
        subprocess.run(["git", "checkout", "--quiet", "--force", pair[0]], check=True, **quiet)
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *who, "merge", "--no-commit", "--no-ff", pair[1]], **quiet)
        subprocess.run(["git", "status", "--porcelain"], check=True, **quiet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path")
    parser.add_argument("--copies", type=int, default=10, help="merges that are replayed in a copy")
    parser.add_argument("--rounds", type=int, default=3, help="the fastest round counts")
    options = parser.parse_args()

    repository = Repository.open(options.path)
    with Workshop.open(repository) as workshop:
        merges = workshop.merges()
    count, parents = len(merges), [(merge.parent_1, merge.parent_2) for merge in merges]
    names = names_read(repository)
    rows = whole_collection(options.path)
    # in turns, so that a busy moment of the machine does not hit one side only
    bare = whole = float("inf")
    for _ in range(options.rounds):
        bare = min(bare, best(lambda: bare_git(repository, names), 1))
        whole = min(whole, best(lambda: whole_collection(options.path), 1))
    table = [("bare git commands", bare), (f"collect, {rows} rows to disk", whole)]
    try:
        table.append(("pygit2 `merge_commits`, no labels", best(lambda: with_pygit2(options.path, parents), 1)))
    except ImportError:
        print("pygit2 is not installed: left out\n")
    sample = random.Random(0).sample(parents, min(options.copies, count))
    with tempfile.TemporaryDirectory() as folder:
        clone = work_tree_of(repository, Path(folder) / "clone")
        one = best(lambda: [in_a_copy(clone, pair) for pair in sample], 1) / len(sample)
    table.append((f"copies of the work tree ({len(sample)} replayed, scaled)", one * count))

    git = ".".join(map(str, git_version()))
    print(f"{Path(options.path).parent.name}: {count} merges; git {git}, {os.cpu_count()} cores\n")
    print("| way | seconds | per merge | against bare git |\n|---|---:|---:|---:|")
    for way, seconds in table:
        print(f"| {way} | {seconds:,.2f} | {1000 * seconds / count:,.2f} ms | {seconds / bare:,.2f} × |")
    print(f"\ncollect is {one * count / whole:,.0f} times as fast as copies, and takes {whole / bare:.2f} × bare git")


if __name__ == "__main__":
    main()
