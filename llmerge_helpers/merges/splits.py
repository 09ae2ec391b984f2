"""Which conflicts may stand on which side: groups that belong together, and a split that never parts one."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from llmerge_helpers.conflicts import Conflict, Row
from llmerge_helpers.conflicts.prompts import TEXTS
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import finished, from_root, shown

if TYPE_CHECKING:
    from datasets import DatasetDict
    from datasketch import MinHash, MinHashLSH
    from pandas import DataFrame

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


def split_keys(rows: Sequence[Row]) -> tuple[str, list[str]]:
    """What the split goes by (repository family, merge, file, or single conflicts), and the key of each row.

    It goes by merge only where all rows have one, with its time.
    """
    for level, key_of in (("family", family_of), ("merge", merge_of), ("file", file_of)):
        keys = [key_of(row) for row in rows]
        known = level != "merge" or (all(keys) and all(time_of(row) for row in rows))
        if known and len(set(keys)) > 1:
            return level, keys
    return "conflict", [str(number) for number in range(len(rows))]


def family_of(row: Row) -> str:
    """The repository family of a row: its root commits where they are known, else its name."""
    return str(row.get("family") or row.get("repository") or "")


def merge_of(row: Row) -> str:
    """The merge of a row; forks share theirs. Empty where it is not known."""
    return f"{family_of(row)}:{row['merge_commit']}" if row.get("merge_commit") else ""


def time_of(row: Row) -> datetime | None:
    """When the merge of a row was committed, in UTC; None where it is not known.

    >>> time_of({"committed_at": "2020-02-03T04:05:06+02:00"}), time_of({"committed_at": "in spring"})
    (datetime.datetime(2020, 2, 3, 2, 5, 6, tzinfo=datetime.timezone.utc), None)
    """
    try:
        time = datetime.fromisoformat(str(row.get("committed_at") or ""))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def file_of(row: Row) -> str:
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
        # a group stays whole: up to a quarter over the share is better than a side without one
        if len(chosen) < len(order) - 1 and taken + weight[group] <= target * 1.25:
            chosen.add(group)
            taken += weight[group]
        if taken >= target:
            break
    return chosen or ({min(order, key=weight.__getitem__)} if at_least_one else set())


def newest_groups(groups: Sequence[str], times: Sequence[datetime], share: float) -> set[str]:
    """The groups that come last in time, with as near to `share` of all as whole groups allow; never none, nor all.

    With a `share` of 0 or 1, or with one group, it is none or all.

    >>> days = [datetime(2020, 1, day, tzinfo=UTC) for day in (1, 2, 2, 3, 4)]
    >>> sorted(newest_groups(["a", "b", "b", "c", "d"], days, share=0.5))
    ['c', 'd']
    """
    if share >= 1:
        return set(groups)
    size, last = Counter(groups), dict(sorted(zip(groups, times, strict=True), key=lambda item: item[1]))
    if share <= 0 or len(size) < 2:
        return set()
    order = sorted(size, key=lambda group: (last[group], group), reverse=True)
    taken = itertools.accumulate(size[group] for group in order[:-1])
    off = [abs(count - share * len(groups)) for count in taken]
    return set(order[: off.index(min(off)) + 1])


# ----------------------------------------------------------------------------------------------------- near-duplicates


# of a similarity of 0.8, so many permutations tell ± 0.04; twice as many would take twice the time
NUM_PERM = 128


SHINGLE = 3  # tokens; short enough for one-line hunks, long enough for order to count


def sketches(texts: Iterable[str]) -> Iterator[MinHash]:
    """A MinHash of each text: of all runs of three tokens (words and punctuation marks) in it."""
    from datasketch import MinHash

    empty = MinHash(NUM_PERM)
    for text in texts:
        sketch = empty.copy()
        tokens = re.findall(r"\w+|[^\w\s]", text)
        shingles = {" ".join(tokens[at : at + SHINGLE]) for at in range(max(1, len(tokens) - SHINGLE + 1))}
        sketch.update_batch([shingle.encode() for shingle in sorted(shingles)])
        yield sketch


def near_duplicates_of(these: Iterable[MinHash], others: Sequence[MinHash], threshold: float = 0.8) -> list[int | None]:
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


def _index(known: Sequence[MinHash], threshold: float) -> MinHashLSH:
    from datasketch import MinHashLSH

    index = MinHashLSH(threshold=threshold, num_perm=NUM_PERM)
    with index.insertion_session() as session:
        for number, sketch in enumerate(known):
            session.insert(number, sketch)
    return index


def leakage_report(dataset: DatasetDict, threshold: float = 0.8) -> DataFrame:
    """What `train` and `test` have in common, as a DataFrame: check, in train, in test, in both.

    A row that is "in both" by near-duplicate stands in test and has a row of train at least `threshold` similar.
    """
    import pandas

    train, test = dataset["train"], dataset["test"]
    table = []

    def compare(check: str, left: list, right: list) -> None:
        table.append((check, len(set(left)), len(set(right)), len(set(left) & set(right))))

    compare("families of repositories", train["family"], test["family"])
    compare("repositories", train["repository"], test["repository"])
    compare("merge commits", train["merge_commit"], test["merge_commit"])
    files = [[f"{a}:{b}" for a, b in zip(side["repository"], side["path"], strict=True)] for side in (train, test)]
    compare("files", *files)
    hunks = [[Conflict.of(row).digest() for row in side.select_columns(list(TEXTS))] for side in (train, test)]
    compare("hunks, exactly", *hunks)
    these, others = (
        list(sketches(Conflict.of(row).text() for row in side.select_columns(list(TEXTS)))) for side in (test, train)
    )
    close = near_duplicates_of(these, others, threshold)
    table.append((f"rows, nearly ({threshold:.0%} alike)", len(train), len(test), sum(n is not None for n in close)))
    return pandas.DataFrame(table, columns=["check", "in train", "in test", "in both"])


# ------------------------------------------------------------------------------------------------- the split of a run


class Split(NamedTuple):
    """What 02 held out of a data set: where the rows lie, what tells this split from another, and what was split."""

    folder: str  # empty: there was no test conflict
    fingerprint: str
    source: str
    siblings: int = 0  # so many earlier conflicts of its merge were told of each that training saw


def split_fingerprint(test: Iterable[Row]) -> str:
    """What tells one split from another: a digest of the conflicts that are kept from training, 16 letters."""
    digest = hashlib.sha256()
    for row in test:
        digest.update(Conflict.of(row).digest())
    return digest.hexdigest()[:16]


def split_of(dataset: str | os.PathLike) -> Split | None:
    """The split of a data set that 02 wrote, as its run.json tells; None for one that was made elsewhere."""
    folder = from_root(dataset)
    for place in (folder, folder.parent):
        results = (finished(place) or {}).get("results", {})
        if "split" in results:
            return Split(results["heldout"], results["split"], results["dataset"], results.get("siblings", 0))
    return None


def check_same_split(
    trained_on: str | None, split: Split | None, adapter: str | os.PathLike, dataset: str | os.PathLike
) -> None:
    """Raise an `LlmergeError` where an adapter and a data set are known to be of different splits."""
    if trained_on and split and trained_on != split.fingerprint:
        raise LlmergeError(
            f"{shown(from_root(adapter))} was trained on another split than {shown(from_root(dataset))}, so it may "
            "have learned from what is held out here: run 03_sft_train on it again, or give the dataset of its split."
        )
