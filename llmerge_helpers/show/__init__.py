"""What people see."""

from llmerge_helpers.show.card import ConflictView, TrainingView

__all__ = ["ConflictView", "TrainingView"]
