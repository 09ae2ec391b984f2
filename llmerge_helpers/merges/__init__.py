"""Data sets of conflicts: saved whole or not at all, loaded with the columns that others use, split without a leak.

In come rows of `collect`, or a data set that others made of questions and answers; out comes a `DatasetDict` with
`train` and `test`, disjoint by family of repositories (by merge, in time, where there is one family) and free of
near-duplicates. `leakage_report` shows that it is so, and `split_of` says which conflicts 02 held out of a data set.
`siblings` are the conflicts of a row's merge, `with_earlier` tells each row what came before it there, and `shares`
tells figures with and without what nobody decided.

>>> dataset_path("sample").parts[-3:]
('merges', 'sample', 'dataset')
"""

from llmerge_helpers.merges.dataset import COLUMNS, choose, dataset_path, dataset_version, load, save, shares
from llmerge_helpers.merges.splits import Split, check_same_split, leakage_report, split_of
from llmerge_helpers.merges.whole_merge import by_merge, siblings, with_earlier

__all__ = [
    "COLUMNS", "Split", "by_merge", "check_same_split", "choose", "dataset_path", "dataset_version",
    "leakage_report", "load", "save", "shares", "siblings", "split_of", "with_earlier",
]  # fmt: skip
