"""Helpers of the llmerge notebooks: git merges in, verified training data and fine-tuned models out."""

__version__ = "0.1.0"

import os

# read when huggingface_hub is imported: TRL reports every trainer that is made, unless somebody wants that (0)
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
