"""What the free baselines would do with a conflict, as a line that a question can hold."""

from __future__ import annotations

from llmerge_helpers.baselines.rules import decide
from llmerge_helpers.conflicts import Conflict, Form, Message, Row, messages
from llmerge_helpers.conflicts.plans import plan_of, text_of

_WORDS = {"ours_theirs": "ours then theirs", "theirs_ours": "theirs then ours", "empty": "nothing"}


def ask(row: Row, form: Form) -> list[Message]:
    """The chat in which a row is asked in this form, with hints where it wants them.

    >>> row = {"ours": "a\\n", "base": "", "theirs": "b\\n"}
    >>> ask(row, Form("compact", hints=True))[0]["content"].splitlines()[-1]
    'Hints: rules ours then theirs, token merge none'
    """
    return messages(row, form, hints_of(Conflict.of(row)) if form.hints else "")


def hints_of(conflict: Conflict) -> str:
    """What the rules and the token merge would put in place of the conflict, each as a plan.

    >>> hints_of(Conflict(ours="f(3)\\n", base="f(1)\\n", theirs="f(2)\\n"))
    'rules ours, token merge none'
    """
    merged = text_of(conflict, "token_merge")
    return f"rules {_named(conflict, decide(conflict)[1].resolution)}, token merge {_named(conflict, merged)}"


def _named(conflict: Conflict, text: str | None) -> str:
    """A text as a plan in words."""
    plan = "none" if text is None else plan_of(conflict, text)
    return {"token_merge": "merged", None: "new text"}.get(plan, _WORDS.get(plan or "", plan or ""))
