"""Base models and adapters."""

from llmerge_helpers.models.adapter import load_policy, locate, merge_adapter, read_lineage, stages

__all__ = ["load_policy", "locate", "merge_adapter", "read_lineage", "stages"]
