"""SFT and GRPO with LoRA."""

from llmerge_helpers.training.rows import load_rows
from llmerge_helpers.training.settings import GrpoSettings, SftSettings, completion_budget
from llmerge_helpers.training.train import grpo, prepare_grpo, prepare_sft, sft

__all__ = [
    "GrpoSettings",
    "SftSettings",
    "completion_budget",
    "grpo",
    "load_rows",
    "prepare_grpo",
    "prepare_sft",
    "sft",
]
