"""Where things are: the root, paths seen from it, and paths as they may be printed."""

from __future__ import annotations

import os
from pathlib import Path


def root() -> Path:
    """The folder that holds `llmerge_helpers/`: `$LLMERGE_ROOT`, else upwards from here, else around the package."""
    if os.environ.get("LLMERGE_ROOT"):
        return Path(os.environ["LLMERGE_ROOT"]).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / "llmerge_helpers" / "__init__.py").exists():
            return folder
    return Path(__file__).resolve().parents[2]


def resolve(path: str | os.PathLike) -> Path:
    """`path` seen from the root, so that a notebook finds it whichever folder it was started in."""
    return root() / Path(path).expanduser()


def shown(path: str | os.PathLike) -> str:
    """`path` as it may be printed: relative to the root where it lies inside, so that no output names a home folder."""
    path = Path(path)
    try:
        return str(path.resolve().relative_to(root()))
    except ValueError:
        return str(path)
