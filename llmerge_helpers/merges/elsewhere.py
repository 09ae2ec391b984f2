"""Rows made elsewhere, in files of their own: JSON lines, JSON, CSV, TSV or parquet, and the names of their columns."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import shown

SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".parquet")
# what the four texts of a conflict are called; of several names the first one is ours
SIDES = {
    "ours": ("ours", "a", "left", "local", "current", "version_a"),
    "base": ("base", "o", "ancestor", "original", "parent"),
    "theirs": ("theirs", "b", "right", "remote", "incoming", "version_b"),
    "resolution": ("resolution", "m", "merged", "merge", "resolved", "resolve", "child"),
}


def is_file_of_rows(path: Path) -> bool:
    """Whether a path names such a file, be it there or not."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def read_rows(path: Path) -> list[dict[str, object]]:
    """The rows of a file, each a mapping of columns; what cannot be read is an `LlmergeError` that says where."""
    if not path.exists():
        raise LlmergeError(f"there is no file {shown(path)}: give one of rows ({', '.join(SUFFIXES)}), or a data set.")
    try:
        rows = _read(path)
    except (OSError, ValueError) as error:  # pandas, pyarrow and json raise their own kinds of ValueError
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LlmergeError(f"{shown(path)} cannot be read ({why}): is it whole, and what its name says?") from None
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise LlmergeError(
            f"{shown(path)} holds {'something other than rows' if rows else 'no row'}: one object a row."
        )
    return [dict(row) for row in rows]


def _read(path: Path) -> list[dict[str, object]]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        import pyarrow.parquet

        return pyarrow.parquet.read_table(path).to_pylist()
    if suffix in (".csv", ".tsv"):
        import pandas as pd

        separator = "," if suffix == ".csv" else "\t"
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False).to_dict("records")
    text = path.read_text(encoding="utf-8-sig")
    if suffix == ".json":
        found = json.loads(text)
        return found if isinstance(found, list) else [found]
    rows = []
    for number, line in enumerate(text.split("\n"), 1):
        try:
            rows += [json.loads(line)] if line.strip() else []
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from None
    return rows


def four_columns(columns: Iterable[str]) -> dict[str, str]:
    """Which columns hold ours, base, theirs and resolution, in whatever case; empty unless all four are told apart.

    >>> four_columns(["A", "B", "O", "M", "language"])
    {'ours': 'A', 'base': 'O', 'theirs': 'B', 'resolution': 'M'}
    >>> four_columns(["question", "answer"])
    {}
    """
    known = {column.strip().lower(): column for column in reversed(list(columns))}
    found = {side: next((known[name] for name in names if name in known), "") for side, names in SIDES.items()}
    return found if all(found.values()) else {}
