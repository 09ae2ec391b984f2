"""The one error that people are meant to read."""

from __future__ import annotations


class LlmergeError(ValueError):
    """What is wrong, where, and what to do next, in one sentence; notebooks show the sentence without a traceback."""

    def _render_traceback_(self) -> list[str]:
        # IPython asks for this: the sentence is the message, thirty frames of ours around it would hide it.
        return [f"{type(self).__name__}: {self}"]
