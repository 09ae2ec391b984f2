"""Texts that are nearly the same, found with MinHash (the `datasketch` library)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from llmerge_helpers.merges.splits import connected

__all__ = ["conflict_text", "group_near_duplicates", "near_duplicates_of", "sketches"]

NUM_PERM = 128
SHINGLE = 3  # tokens; short enough for one-line hunks, long enough for order to count


def conflict_text(conflict: Mapping[str, Any]) -> str:
    """The text by which two conflicts are compared: both sides and the lines around."""
    return "".join(conflict.get(name) or "" for name in ("before", "ours", "theirs", "after"))


def sketches(texts: Iterable[str]) -> Iterator[Any]:
    """A MinHash of each text: of all runs of three tokens (words and punctuation marks) in it."""
    from datasketch import MinHash

    empty = MinHash(NUM_PERM)
    for text in texts:
        sketch = empty.copy()
        tokens = re.findall(r"\w+|[^\w\s]", text)
        shingles = {" ".join(tokens[at : at + SHINGLE]) for at in range(max(1, len(tokens) - SHINGLE + 1))}
        sketch.update_batch([shingle.encode() for shingle in sorted(shingles)])
        yield sketch


def near_duplicates_of(these: Iterable[Any], others: Sequence[Any], threshold: float = 0.8) -> list[int | None]:
    """For each sketch of `these` the number of one of `others` at least that similar (Jaccard), or None."""
    index = _index(others, threshold)
    found = []
    for sketch in these:
        close = (n for n in sorted(index.query(sketch)) if sketch.jaccard(others[n]) >= threshold)
        found.append(next(close, None))
    return found


def group_near_duplicates(texts: Iterable[str], threshold: float = 0.8) -> list[int]:
    """A group number for each text: texts at least that similar (Jaccard) share one, directly or through others.

    >>> group_near_duplicates(["int a = 1; int b = 2;", "while (x) { x--; }", "int a = 1;  int b = 2;"])
    [0, 1, 0]
    """
    known = list(sketches(texts))
    index = _index(known, threshold)
    pairs = ((n, other) for n, sketch in enumerate(known) for other in index.query(sketch) if other < n)
    return connected(len(known), ((a, b) for a, b in pairs if known[a].jaccard(known[b]) >= threshold))


def _index(known: Sequence[Any], threshold: float) -> Any:
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=NUM_PERM)
    with index.insertion_session() as session:
        for number, sketch in enumerate(known):
            session.insert(number, sketch)
    return index
