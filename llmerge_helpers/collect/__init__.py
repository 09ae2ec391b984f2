"""Merge histories in, rows out."""

from llmerge_helpers.collect.labels import align
from llmerge_helpers.collect.mining import (
    Collection,
    Source,
    build_scenarios,
    collect,
    collect_repository,
    find_sources,
    look,
    sources_of,
    waterfall,
)

__all__ = [
    "Collection",
    "Source",
    "align",
    "build_scenarios",
    "collect",
    "collect_repository",
    "find_sources",
    "look",
    "sources_of",
    "waterfall",
]
