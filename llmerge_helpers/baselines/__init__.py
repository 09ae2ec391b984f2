"""What costs nothing, and what every model has to beat: one side, both, a token merge, stated rules.

In comes a row (or its `Conflict`), out comes the text that stands in place of the conflict, or None; no label is ever
read. The rules are the rule teacher as well: `baselines.explain` tells, in words, why they decide as they do. With what
was decided in a merge so far, `rules_in_merge` proposes what its next conflict may become, by the rules or otherwise.

>>> resolve("union", {"ours": "a\\n", "base": "", "theirs": "b\\n"})
'a\\nb\\n'
"""

from llmerge_helpers.baselines.hints import ask
from llmerge_helpers.baselines.in_merge import Proposal, rules_in_merge
from llmerge_helpers.baselines.simple import NAMES, resolve

__all__ = ["NAMES", "Proposal", "ask", "resolve", "rules_in_merge"]
