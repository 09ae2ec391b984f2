"""One reply against one conflict: is it what the developers committed, and if not, why not?

In come a reply (text or API message) and a row; out comes a `Verdict`, with the first token that differs. The same
rules filter the data, measure models and give the reward, so nothing else in this package judges. Code is compared
token by token, in its whole file where that is known; `proposal` reads a reply to a conflict that nobody resolved.

>>> row = {"before": "f(", "resolution": "a+b", "after": ");", "language": "Java"}
>>> verify("```java\\nf(a + b); // sum\\n```", row).match_type
'normalized_match'
"""

from llmerge_helpers.verdict.judge import CORRECT, MATCH_TYPES, Verdict, VerdictRecord, proposal, verify

__all__ = ["CORRECT", "MATCH_TYPES", "Verdict", "VerdictRecord", "proposal", "verify"]
