"""Helpers of the llmerge notebooks: git merges in, verified training data and fine-tuned models out."""

__version__ = "0.1.0"
