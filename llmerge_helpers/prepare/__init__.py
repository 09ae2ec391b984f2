"""Replies in, training data out: every reply is kept, or dropped for one reason that is counted and written.

In come the examples of a finished run of 01; out come `full` and `correct_only` for SFT, a data set for GRPO, and
beside them the conflicts that no training may see, each with a card. The thinking of a row is the teacher's own where
there is one, else an account of the facts; `flags_of` says what may be wrong with it.

>>> flags_of("Ours renames f. Theirs adds a call. Keep both."), flags_of("")
((), ('empty',))
"""

from llmerge_helpers.prepare.candidates import flags_of, thinking_of
from llmerge_helpers.prepare.dataset_card import push_to_hub
from llmerge_helpers.prepare.datasets import Prepared, prepare
from llmerge_helpers.prepare.replies import Replies, load_examples, load_replies

__all__ = [
    "Prepared", "Replies", "flags_of", "load_examples", "load_replies", "prepare", "push_to_hub", "thinking_of",
]  # fmt: skip
