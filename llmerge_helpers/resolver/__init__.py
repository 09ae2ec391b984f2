"""Conflicts of one's own, resolved: a merge in progress or a file with markers in, the same with what was accepted out.

The base comes out of git's index where the file does not show it; rules, a trained model or any endpoint propose, with
a reason and a confidence, and learn from what a person decided before in the same merge. Only what was accepted is
written, whole or not at all: `llmerge-mergetool`, or `python -m llmerge_helpers.resolver src/App.java --model rules`.

>>> text = "<<<<<<< a\\nf(a, 2)\\n||||||| b\\nf(a, 1)\\n=======\\ng(a, 1)\\n>>>>>>> c\\n"
>>> resolved(text, answers(conflicts_in(text, "x.py"), "rules"))
'g(a, 2)\\n'
"""

from llmerge_helpers.resolver.files import conflicts_in, resolved, that_parse, with_base
from llmerge_helpers.resolver.proposals import Proposal, answers, by_rules
from llmerge_helpers.resolver.tool import main

__all__ = [
    "Proposal", "answers", "by_rules", "conflicts_in", "main", "resolved", "that_parse", "with_base",
]  # fmt: skip
