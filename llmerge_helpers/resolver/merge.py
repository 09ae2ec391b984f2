"""The merge that a repository is in: what is being done, whose sides they are, which files are in conflict."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from llmerge_helpers.conflicts import Conflict, Decided
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.resolver.files import git
from llmerge_helpers.run.files import read_json, write_json

# what git leaves while it waits, and who "ours" and "theirs" are then
_DOING = {
    "rebase-merge": ("rebase", "the branch you rebase onto", "your own commit"),
    "rebase-apply": ("rebase", "the branch you rebase onto", "your own commit"),
    "CHERRY_PICK_HEAD": ("cherry-pick", "the branch you are on", "the commit you pick"),
    "REVERT_HEAD": ("revert", "the branch you are on", "the state before the commit you revert"),
    "MERGE_HEAD": ("merge", "the branch you are on", "the branch you merge in"),
}
_STASH = ("stash, or a checkout", "the branch you are on", "what you had put aside")
_HEADS = ("HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD")
_TELLS = {(1, 2): "theirs deleted it", (1, 3): "ours deleted it", (1,): "both deleted or renamed it"}
_TELLS |= {(2,): "only ours has it, it was renamed", (3,): "only theirs has it, it was renamed"}


@dataclass(frozen=True)
class Merge:
    """A repository in the middle of something, and the files (with what is odd about them) that wait for a person."""

    root: Path
    git_dir: Path
    doing: tuple[str, str, str]
    files: dict[str, str]  # path from the root: why its text alone does not tell, or nothing
    identity: str

    @property
    def memory(self) -> Path:
        """Where the decisions of this merge are kept: beside git's own notes on it."""
        return self.git_dir / "llmerge-decisions.json"

    def remembered(self) -> list[Kept]:
        """The decisions taken so far in this merge; those of another one are forgotten."""
        try:
            found = read_json(self.memory)
            entries = found["decisions"] if found["merge"] == self.identity else []
            return [Kept(**each) for each in entries]
        except (OSError, LlmergeError, KeyError, TypeError):
            return []  # nothing was decided, or something else wrote it: then nothing is known

    def remember(self, decisions: list[Kept]) -> None:
        """Keep the decisions of this merge, for the next file that git calls the tool on."""
        write_json(self.memory, {"merge": self.identity, "decisions": [vars(each) for each in decisions]})


@dataclass(frozen=True)
class Kept:
    """One decision: of which conflict, its text, and whether a person took it one by one."""

    digest: str
    path: str
    ours: str
    base: str | None
    theirs: str
    text: str
    by_person: bool

    @property
    def decided(self) -> Decided:
        """What later conflicts learn of it."""
        return Decided(Conflict(path=self.path, ours=self.ours, base=self.base, theirs=self.theirs), self.text)


def merge_at(folder: Path) -> Merge | None:
    """The merge, rebase, cherry-pick, revert or stash that the repository around `folder` is in; None outside one."""
    said = git(["rev-parse", "--show-toplevel", "--absolute-git-dir"], folder)
    if not said or said.count(b"\n") != 2:
        return None
    root, git_dir = (Path(os.fsdecode(line)) for line in said.splitlines())
    doing = next((words for name, words in _DOING.items() if (git_dir / name).exists()), _STASH)
    stages: dict[str, list[int]] = {}
    for entry in (git(["ls-files", "-u", "-z"], root) or b"").split(b"\0"):
        if entry:
            head, _, path = entry.partition(b"\t")
            stages.setdefault(os.fsdecode(path), []).append(int(head.split()[2]))
    files = {path: _TELLS.get(tuple(have), "") for path, have in sorted(stages.items())}
    heads = git(["rev-parse", "--verify", "-q", "HEAD"], root) or b""
    heads += b"".join((git_dir / name).read_bytes() for name in _HEADS[1:] if (git_dir / name).is_file())
    return Merge(root, git_dir, doing, files, hashlib.sha256(heads).hexdigest()[:16])


def marker_size(path: Path) -> int:
    """How long the markers of a file are, as its attributes say; 7 where they say nothing."""
    said = git(["check-attr", "-z", "conflict-marker-size", "--", path.name], path.parent) or b""
    fields = said.split(b"\0")
    return int(fields[2]) if len(fields) > 2 and fields[2].isdigit() and 0 < int(fields[2]) < 200 else 7
