"""One reply against one conflict: is it what the developers committed, and if not, why not?"""

from llmerge_helpers.verdict.judge import MATCH_TYPES, Verdict, proposal, verify

__all__ = ["MATCH_TYPES", "Verdict", "proposal", "verify"]
