"""Every conflict asked of a teacher, every reply on disk before it is read."""

from llmerge_helpers.generate.asking import Result, Results, RunStopped, generate, pass_rates, quote
from llmerge_helpers.generate.examples import load_examples, write_examples
from llmerge_helpers.generate.prices import Budget
from llmerge_helpers.generate.teachers import Teacher, pick

__all__ = [
    "Budget",
    "Result",
    "Results",
    "RunStopped",
    "Teacher",
    "generate",
    "load_examples",
    "pass_rates",
    "pick",
    "quote",
    "write_examples",
]
