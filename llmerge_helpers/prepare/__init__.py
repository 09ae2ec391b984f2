"""Replies in, training data out."""

from llmerge_helpers.prepare.dataset_card import push_to_hub
from llmerge_helpers.prepare.datasets import Prepared, prepare
from llmerge_helpers.prepare.replies import Replies, load_replies
from llmerge_helpers.prepare.thinking import flags_of, thinking_of

__all__ = ["Prepared", "Replies", "flags_of", "load_replies", "prepare", "push_to_hub", "thinking_of"]
