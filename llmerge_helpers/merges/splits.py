"""Which conflicts may stand on which side: groups that belong together, and a split that never parts one."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

Group = TypeVar("Group", int, str)


def group_by_shared_keys(keys: Sequence[Sequence[Hashable]]) -> list[int]:
    """A group number for each item, in order of appearance; items that share any key are in one group.

    >>> group_by_shared_keys([("a", 1), ("b", 2), ("c", 1), ("b", 3)])
    [0, 1, 0, 1]
    """
    first: dict[Hashable, int] = {}  # a key counts only against keys in the same place
    pairs = [(n, first.setdefault(key, n)) for n, row in enumerate(keys) for key in enumerate(row)]
    return connected(len(keys), pairs)


def connected(count: int, pairs: Iterable[tuple[int, int]]) -> list[int]:
    """A group number for each of `count` items, in order of appearance, where each pair is in one group.

    >>> connected(4, [(0, 2), (2, 3)])
    [0, 1, 0, 0]
    """
    leader = list(range(count))

    def find(n: int) -> int:
        while leader[n] != n:
            leader[n] = leader[leader[n]]
            n = leader[n]
        return n

    for one, other in pairs:
        leader[find(one)] = find(other)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(find(n), len(numbers)) for n in range(count)]


def split_keys(rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[str]]:
    """What the split goes by (repository family, else file, else single conflicts), and the key of each row."""
    for level, key_of in (("family", family_of), ("file", file_of)):
        keys = [key_of(row) for row in rows]
        if len(set(keys)) > 1:
            return level, keys
    return "conflict", [str(number) for number in range(len(rows))]


def family_of(row: Mapping[str, Any]) -> str:
    """The repository family of a row: its root commits where they are known, else its name."""
    return str(row.get("family") or row.get("repository") or "")


def file_of(row: Mapping[str, Any]) -> str:
    """The file of a row, in its repository."""
    return f"{row.get('repository', '')}:{row.get('path', '')}"


def held_out_groups(
    groups: Sequence[Group], weights: Sequence[float], share: float, seed: int, at_least_one: bool = True
) -> set[Group]:
    """The groups to keep from training: about `share` of the weight, and never all unless `share` is 1.

    With `at_least_one`, the lightest group where every one is larger than the share.

    >>> sorted(held_out_groups([0, 1, 2, 3, 4], [1, 1, 1, 1, 1], 0.2, seed=0))
    [2]
    """
    weight: dict[Group, float] = defaultdict(float)
    for group, value in zip(groups, weights, strict=True):
        weight[group] += value
    order = sorted(weight)
    random.Random(seed).shuffle(order)
    chosen: set[Group] = set()
    if share >= 1:
        return set(order)
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
