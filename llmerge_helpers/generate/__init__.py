"""Every conflict asked of a teacher, every reply on disk before it is read, and nothing paid for twice.

In come rows of a data set of merges and a `Teacher` (any OpenAI-compatible endpoint, or the rules, which answer in this
process); out come `Results` with reply, verdict and cost of each sample, and the files that 02 reads: `results.csv`,
`examples.jsonl`, one text an example. A run that was stopped goes on where it was; `quote` says before what it will
cost, and a cap is never passed.

>>> import asyncio, tempfile
>>> row = {"ours": "f(a, 2)\\n", "base": "f(a, 1)\\n", "theirs": "g(a, 1)\\n", "answer": "g(a, 2)\\n"}
>>> with tempfile.TemporaryDirectory() as folder:
...     asyncio.run(one(row, pick("rules"), cache_dir=folder)).verdict.match_type
'exact_match'
"""

from llmerge_helpers.generate.asking import Options, Result, Results, RunStopped, generate, one, quote
from llmerge_helpers.generate.consent import agree, going_out
from llmerge_helpers.generate.examples import Example, write_examples
from llmerge_helpers.generate.prices import Budget
from llmerge_helpers.generate.teachers import Teacher, pick

__all__ = [
    "Budget", "Example", "Options", "Result", "Results", "RunStopped", "Teacher", "agree", "generate",
    "going_out", "one", "pick", "quote", "write_examples",
]  # fmt: skip
