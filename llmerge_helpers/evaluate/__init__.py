"""A model on conflicts that no training saw: who is right how often, and who is better than whom.

In come the conflicts that 02 held out, and a model, a baseline, or what a teacher replied; out comes a table with one
line a conflict, judged by the one verdict that filters and rewards use, too. It is written batch by batch, so that an
evaluation which was stopped goes on. Tables on the same conflicts are then counted, with intervals that know which
conflicts come from one merge, and compared in pairs. `evaluate_in_merges` asks the conflicts of a merge in their order,
with what was decided before: by the developers, or by the model alone.

>>> rate([True] * 8 + [False] * 2, "abcdefghij")
'80.0 % (49.0–94.3), 10 conflicts of 10 merges'
>>> paired([True, True, False], [False, True, False])["wins"]
1
"""

from llmerge_helpers.evaluate.confidence import (
    agreement,
    by_confidence,
    calibrate,
    confidences,
    keep_calibration,
    kept_calibration,
)
from llmerge_helpers.evaluate.heldout import held_out, reader_examples, validation_rows
from llmerge_helpers.evaluate.in_order import Turn, by_model, by_rules, by_teacher, evaluate_in_merges
from llmerge_helpers.evaluate.intervals import Paired, Rate, estimate, paired, pass_at_k, rate, wilson
from llmerge_helpers.evaluate.measure import (
    asked_rows,
    evaluate,
    evaluate_baselines,
    examples_tables,
    load_evaluation,
    replies_table,
    teacher_tables,
    with_baselines,
)
from llmerge_helpers.evaluate.tables import (
    compare,
    comparisons,
    in_words,
    merges_of,
    pass_rates,
    rate_of,
    right,
    samples_of,
    shared,
    side_by_side,
    summary,
    verdicts,
)

__all__ = [
    "Paired", "Rate", "Turn", "agreement", "asked_rows", "by_confidence", "by_model", "by_rules", "by_teacher",
    "calibrate", "compare", "comparisons", "confidences", "estimate", "evaluate", "evaluate_baselines",
    "evaluate_in_merges", "examples_tables", "held_out", "in_words", "keep_calibration", "kept_calibration",
    "load_evaluation", "merges_of", "paired", "pass_at_k", "pass_rates", "rate", "rate_of", "reader_examples",
    "replies_table", "right", "samples_of", "shared", "side_by_side", "summary", "teacher_tables", "validation_rows",
    "verdicts", "wilson", "with_baselines",
]  # fmt: skip
