"""Data sets of conflicts, split so that nothing leaks."""

from llmerge_helpers.merges.dataset import COLUMNS, choose, dataset_path, leakage_report, load, save

__all__ = ['COLUMNS', 'choose', 'dataset_path', 'leakage_report', 'load', 'save']
