"""Whether a merge was decided conflict by conflict, or took one side whole and teaches nothing but "take ours".

`git merge -s ours`, a fork that takes over a tag of its upstream, `git checkout --theirs .`: nobody looked at a hunk.
What tells is the tree of the merge, or a file: it is one parent's, and what the other one changed without any conflict
is gone.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from llmerge_helpers.collect.replay import REPLAY_MARKER_SIZE, CatFile, Damaged, Replay, Workshop, entries
from llmerge_helpers.conflicts import Hunk, parse

WHOLESALE = "one side was taken whole"
SUBTREE = "one side is a folder of the other"
UNRELATED = "no common ancestor"
TIMELESS = "its date is beyond the year 9999"
BEYOND = "the base lies beyond the boundary of a shallow clone"


class Decision(NamedTuple):
    """Whether somebody decided the conflicts of a merge for certain, and why its rows teach nothing ("": they do)."""

    decided: bool
    reason: str = ""


def left_out(replay: Replay, workshop: Workshop) -> str:
    """Why the conflicts of a replay are none that anybody saw, "" if they are."""
    if not replay.merge.committed_at:
        return TIMELESS
    if workshop.is_beyond(replay.merge):
        return BEYOND
    # only files that are new on both sides: so it is where git finds no base
    if all(1 not in stages for stages in replay.files.values()) and not workshop.have_common_ancestor(replay.merge):
        return UNRELATED
    return ""


def decision(replay: Replay, objects: CatFile) -> Decision:
    """What the tree of a merge in conflict tells of how it was made."""
    merge = replay.merge
    tree, ours, theirs = (
        objects.id_of(f"{sha}^{{tree}}".encode()) for sha in (merge.sha, merge.parent_1, merge.parent_2)
    )
    if not (tree and ours and theirs):
        raise Damaged(f"a tree of {merge.sha} is missing")
    if _is_subtree(merge.sha, theirs, ours, objects):
        return Decision(False, SUBTREE)
    both = [path for path, stages in replay.files.items() if {2, 3} <= stages.keys()]
    clashes = both if len(both) > 1 else list(replay.files)  # a file that one side removed has nothing to choose from
    for stage, parent in ((2, ours), (3, theirs)):
        if tree == parent:
            lost = _differ(replay.tree, tree, replay.files.keys(), objects)
        elif len(clashes) > 1 and all(_took(replay, path, stage, objects) for path in clashes):
            lost = False  # what else the merge holds was merged
        else:
            continue
        lost = lost or any(_lost_changes(replay, path, stage, objects) for path in replay.files)
        return Decision(False, WHOLESALE if lost else "")
    return Decision(True)


def took_side_whole(replay: Replay, path: bytes, objects: CatFile) -> bool:
    """Whether one file in conflict is one side's, and what the other changed in it without any conflict is gone.

    So `git checkout --ours FILE` leaves it, in a merge whose other files somebody may have resolved.
    """
    return any(_took(replay, path, stage, objects) and _lost_changes(replay, path, stage, objects) for stage in (2, 3))


def _took(replay: Replay, path: bytes, stage: int, objects: CatFile) -> bool:
    """Whether the file was committed as that side had it, or left out as that side did."""
    return objects.id_of(replay.merge.sha.encode() + b":" + path) == replay.blobs[path].get(stage, "")


def _lost_changes(replay: Replay, path: bytes, stage: int, objects: CatFile) -> bool:
    """Whether the file, with that side in place of each conflict, has changes of the other side that were not kept."""
    left, blob = objects.get(replay.tree.encode() + b":" + path), replay.blobs[path].get(stage)
    taken = objects.get(blob.encode()) if blob else None
    if left is None or taken is None or left[0] != "blob" or b"<" * REPLAY_MARKER_SIZE not in left[1]:
        return False
    parts = parse(left[1].decode("latin-1"), REPLAY_MARKER_SIZE)
    side = "ours" if stage == 2 else "theirs"
    # the replay always shows a base: a conflict without one is text of the file
    hunks = (isinstance(part, Hunk) and part.base is not None for part in parts)
    text = "".join(getattr(part, side) if hunk else str(part) for part, hunk in zip(parts, hunks, strict=True))
    return text.rstrip("\r\n") != taken[1].decode("latin-1").rstrip("\r\n")


def _differ(left: str, right: str, apart_from: Collection[bytes], objects: CatFile) -> bool:
    """Whether two trees differ in a file that is none of `apart_from`."""
    folders = {b"/".join(path.split(b"/")[:depth]) for path in apart_from for depth in range(1, path.count(b"/") + 1)}
    waiting = [(b"", left, right)]
    while waiting:
        above, *names = waiting.pop()
        sides = [_tree(name, objects) for name in names]
        for name in sides[0].keys() | sides[1].keys():
            path, (one, other) = above + name, (side.get(name) for side in sides)
            if one == other or path in apart_from:
                continue
            if path not in folders or not (one and other and one[0] == other[0] == b"40000"):
                # git puts the sides of some conflicts beside the path, under a name with a tilde
                if not any(path.startswith(conflicted + b"~") for conflicted in apart_from):
                    return True
                continue
            waiting.append((path + b"/", one[1], other[1]))
    return False


def _tree(name: str, objects: CatFile) -> dict[bytes, tuple[bytes, str]]:
    found = objects.get(name.encode())
    listed = entries(found[1], len(name) // 2) if found and found[0] == "tree" else ()
    return {entry: (mode, oid.hex()) for mode, entry, oid in listed}


def _is_subtree(merge: str, theirs: str, ours: str, objects: CatFile) -> bool:
    """Whether the second parent's files lie in a folder of the merge: `git subtree`, `git merge -s subtree`."""
    names, others = _tree(theirs, objects).keys(), _tree(ours, objects).keys()
    if len(names) < 2 or 2 * len(names & others) >= len(names):
        return False
    level = [objects.id_of(f"{merge}^{{tree}}".encode())]
    for _ in range(3):
        folders = [oid for name in level for mode, oid in _tree(name, objects).values() if mode == b"40000"]
        if any(5 * len(names & _tree(folder, objects).keys()) >= 4 * len(names) for folder in folders):
            return True
        level = folders[:200]  # deep in a large tree nobody keeps another project
    return False
