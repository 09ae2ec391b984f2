"""Which conflicts may stand on which side: groups that belong together, and a split that never parts one."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import Any


def joined(keys: Sequence[Sequence[Hashable]]) -> list[int]:
    """A group number for each item, in order of appearance; items that share any key are in one group.

    >>> joined([("a", 1), ("b", 2), ("c", 1), ("b", 3)])
    [0, 1, 0, 1]
    """
    parent: dict[Hashable, Hashable] = {}

    def find(key: Hashable) -> Hashable:
        parent.setdefault(key, key)
        while parent[key] != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for row in keys:
        tagged = list(enumerate(row))  # a key counts only against keys in the same place
        for key in tagged[1:]:
            parent[find(key)] = find(tagged[0])
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(find((0, row[0])), len(numbers)) for row in keys]


def split_level(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the split can be made by: repository family, else file, else single conflicts."""
    if len({family_of(row) for row in rows}) > 1:
        return "family"
    return "file" if len({file_of(row) for row in rows}) > 1 else "conflict"


def family_of(row: Mapping[str, Any]) -> str:
    """The repository family of a row: its root commits where they are known, else its name."""
    return str(row.get("family") or row.get("repository") or "")


def file_of(row: Mapping[str, Any]) -> str:
    """The file of a row, in its repository."""
    return f"{row.get('repository', '')}:{row.get('path', '')}"


def choose_validation(
    groups: Sequence[int], weights: Sequence[float], share: float, seed: int, at_least_one: bool = True
) -> set[int]:
    """The groups that make up the validation side: about `share` of the weight, and never all.

    With `at_least_one`, the lightest group where every one is larger than the share.

    >>> sorted(choose_validation([0, 1, 2, 3, 4], [1, 1, 1, 1, 1], 0.2, seed=0))
    [2]
    """
    weight: dict[int, float] = defaultdict(float)
    for group, value in zip(groups, weights, strict=True):
        weight[group] += value
    order = sorted(weight)
    random.Random(seed).shuffle(order)
    chosen: set[int] = set()
    if share <= 0 or len(order) < 2:
        return chosen
    target, taken = share * sum(weight.values()), 0.0
    for group in order:
        if len(chosen) < len(order) - 1 and taken + weight[group] <= target * 1.25:
            chosen.add(group)
            taken += weight[group]
        if taken >= target:
            break
    return chosen or ({min(order, key=weight.__getitem__)} if at_least_one else set())
