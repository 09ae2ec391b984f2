"""The chat in which a row is asked: its question, and before it what the form tells of the merge and its two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from llmerge_helpers.conflicts.conflict import Conflict
from llmerge_helpers.conflicts.earlier import NEW_TEXT, Sibling, SoFar
from llmerge_helpers.conflicts.languages import fence_of
from llmerge_helpers.conflicts.prompts import (
    CONTEXTS,
    FULL,
    SYSTEM_PROMPT,
    Form,
    Message,
    fenced,
    part,
    render_context,
    render_siblings,
)

# characters of one earlier conflict, or text in place of it, by style; a longer one is told by its way alone
_LONGEST = {"full": 2000, "compact": 600}
# characters of what is told of one side, by style
_OF_A_SIDE = {"full": 4000, "compact": 800}
_NOTHING: SoFar = {"ways": {}, "hunks": []}


def question_of(row: Mapping[str, object]) -> str:
    """The question of a row: its own, or the one that its conflict makes."""
    return str(row.get("question") or "") or Conflict.of(row).question()


def messages(row: Mapping[str, object], form: Form = FULL, hints: str = "") -> list[Message]:
    """The chat in which a row is asked: system prompt and question, in the compact style the question alone.

    >>> row = {"ours": "a\\n", "base": "", "theirs": "b\\n", "path": "x.py"}
    >>> [turn["role"] for turn in messages(row)], [turn["role"] for turn in messages(row, Form("compact"))]
    (['system', 'user'], ['user'])
    >>> print(messages(row, Form(siblings=3))[1]["content"].splitlines()[0])
    Earlier in this merge (at most 3, 0 parts): nothing is decided yet.
    """
    plain = form[:2] == FULL[:2] and not hints
    asked = question_of(row) if plain else Conflict.of(row).question(form, hints)
    question: Message = {"role": "user", "content": told(row, form) + asked}
    return [question] if form.style == "compact" else [{"role": "system", "content": SYSTEM_PROMPT}, question]


def told(row: Mapping[str, object], form: Form) -> str:
    """What stands before the conflict in a question of this form; nothing unless it has siblings or context."""
    text = ""
    if form.context:
        text += render_context(form.context, _sides(row, form))
    if form.siblings:
        known = row.get("earlier")
        text += _earlier(known if isinstance(known, Mapping) else _NOTHING, form)
    return text


# ---- the merge so far


def _earlier(known: SoFar, form: Form) -> str:
    ways = known["ways"]
    count = sum(ways.values())
    said = f"{count} decided ({'; '.join(f'{way}: {n}' for way, n in ways.items())})"
    parts = [each for hunk in known["hunks"][: form.siblings] for each in _shown(hunk, form)]
    return render_siblings(form.siblings, said if count else "nothing is decided yet", parts)


def _shown(hunk: Sibling, form: Form) -> Sequence[str]:
    """A decided conflict as parts of a question: the conflict with what was done, and the text if it is new."""
    conflict = Conflict(ours=hunk["ours"], base=hunk["base"], theirs=hunk["theirs"], path=hunk["path"])
    text, info = conflict.marked(), fence_of(hunk["language"])
    longest = _LONGEST[form.style]
    if len(text) > longest:
        return [part(hunk["path"], f"{text.count(chr(10))} lines, resolved as {hunk['way']}")]
    shown = [part(hunk["path"], f"resolved as {hunk['way']}", fenced(text, info))]
    if hunk["way"] == NEW_TEXT and len(hunk["resolution"]) <= longest:
        shown.append(part(hunk["path"], NEW_TEXT, fenced(hunk["resolution"], info)))
    return shown


# ---- what the two sides are


def _sides(row: Mapping[str, object], form: Form) -> list[str]:
    """What the commits of each side say and change, as far as the row knows and there is room."""
    shown = []
    names = ("message", "diff") if form.context == CONTEXTS[-1] else (form.context,)
    for name in names:
        for side in ("ours", "theirs"):
            text = str(row.get(f"{side}_{name}") or "")
            if text.strip():
                kept = _cut(text, _OF_A_SIDE[form.style])
                shown.append(part(side, name, fenced(kept, "diff" if name == "diff" else "")))
    return shown


def _cut(text: str, most: int) -> str:
    """Whole lines of a text, `most` characters of them, and that there are more.

    >>> _cut("a\\nb\\n", 9), _cut("a\\nb\\nc\\n", 4)
    ('a\\nb\\n', 'a\\nb\\n…\\n')
    """
    if len(text) <= most:
        return text
    return text[: text.rfind("\n", 0, most) + 1] + "…\n"
