"""What the commits of both sides of a merge say and change: of interest beside a conflict, and collected when asked."""

from __future__ import annotations

import re
from typing import NamedTuple, TypedDict

from llmerge_helpers.collect.replay import Merge, Workshop

_CHARS = 4000  # of a column
_READ = 400_000  # bytes of a diff that are looked at: merges of releases have hundreds of megabytes
_COMMITS = 30


class Told(TypedDict):
    """The columns of a row that `context` in 00 adds."""

    ours_message: str
    theirs_message: str
    ours_diff: str
    theirs_diff: str


class Sides(NamedTuple):
    """The messages of each side's commits, and its diff from the base, file by file."""

    messages: tuple[str, str]
    diffs: tuple[dict[str, str], dict[str, str]]

    def of(self, path: str) -> Told:
        """What a conflict in this file is told: the diff of its own file first, then as much as there is room for."""
        ours, theirs = (_joined(diff, path) for diff in self.diffs)
        return Told(ours_message=self.messages[0], theirs_message=self.messages[1], ours_diff=ours, theirs_diff=theirs)


def sides_of(workshop: Workshop, merge: Merge, paths: list[bytes]) -> Sides:
    """What both sides did since they parted; `paths`, those in conflict, come first, and nothing is empty for ever."""
    parents = (merge.parent_1, merge.parent_2)
    base = workshop.base_of(merge)
    messages, diffs = [], []
    for side, other in (parents, parents[::-1]):
        said = workshop.read(
            _READ, "log", f"--max-count={_COMMITS}", "--no-merges", "--format=%B%x00", side, f"^{other}"
        )
        commits = (" ".join(text.split()) for text in said.split("\0"))
        messages.append(_cut("".join(f"{text}\n" for text in commits if text)))
        text = workshop.diff(_READ, base, side, paths) if base else ""
        diffs.append({_name(part): part for part in re.split(r"^(?=diff --git )", text, flags=re.MULTILINE) if part})
    return Sides((messages[0], messages[1]), (diffs[0], diffs[1]))


def _name(part: str) -> str:
    found = re.match(r'diff --git "?a/.* "?b/(.*?)"?\n', part)
    return found[1] if found else part[:100]


def _joined(parts: dict[str, str], path: str) -> str:
    return _cut("".join([parts.get(path, ""), *(text for name, text in parts.items() if name != path)]))


def _cut(text: str) -> str:
    """As many whole lines as there is room for."""
    return text if len(text) <= _CHARS else text[: text.rfind("\n", 0, _CHARS) + 1]
