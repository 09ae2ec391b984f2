"""A model on conflicts that training never saw."""

from llmerge_helpers.evaluate.heldout import held_out, reader_examples
from llmerge_helpers.evaluate.measure import (
    asked_rows,
    compare,
    comparisons,
    evaluate,
    evaluate_baselines,
    load_evaluation,
    replies_table,
    right,
    side_by_side,
    summary,
    teacher_table,
    verdicts,
)

__all__ = [
    "asked_rows",
    "compare",
    "comparisons",
    "evaluate",
    "evaluate_baselines",
    "held_out",
    "load_evaluation",
    "reader_examples",
    "replies_table",
    "right",
    "side_by_side",
    "summary",
    "teacher_table",
    "verdicts",
]
