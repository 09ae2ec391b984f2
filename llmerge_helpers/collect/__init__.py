"""Merge histories in, rows out: every merge replayed without a work tree, every conflict with what was made of it.

In come repositories, addresses, a repos.csv or folders of scenarios, which are only read; out come rows, one for each
conflict hunk whose resolution is certain, and a count of everything else under the reason why not. A collection of many
repositories is mined in parallel, on one machine or many, each into part files of its own; no merge is mined twice.

>>> rows = collect_repository("merges/sample/seat-booking", max_merges=2)
>>> sorted({row["language"] for row in rows})
['Java']
"""

from llmerge_helpers.collect.labels import align
from llmerge_helpers.collect.machines import cluster
from llmerge_helpers.collect.mining import Collection, collect, collect_repository, look, waterfall
from llmerge_helpers.collect.sources import Source, build_scenarios, find_sources, sources_of

__all__ = [
    "Collection", "Source", "align", "build_scenarios", "cluster", "collect", "collect_repository", "find_sources",
    "look", "sources_of", "waterfall",
]  # fmt: skip
