"""Before anything is sent: what goes where, and a person's word on the quote where a person can give it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from llmerge_helpers.conflicts import Form, Row
from llmerge_helpers.conflicts.prompts import FULL
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate.prices import HERE, Budget, Quote
from llmerge_helpers.generate.teachers import Teacher
from llmerge_helpers.run.screen import ask

NAMED = 3  # repositories that are named; of more, so many and how many others


def going_out(rows: Iterable[Row], teacher: Teacher, form: Form = FULL) -> str:
    """One sentence on what leaves this machine, from which repositories and to whom.

    >>> going_out([{"repository": "shop"}], Teacher("rules", "rules", ""))
    'Nothing leaves this machine: the rules answer here.'
    >>> going_out([{"repository": "shop"}] * 2, Teacher("openai", "m", "https://api.example.org/v1"))
    '2 conflicts of shop go to api.example.org, with the lines around them; what is on disk is not sent again.'
    """
    if teacher.name in HERE:
        what = "what was committed is the answer" if teacher.knows_answers else "the rules answer here"
        return f"Nothing leaves this machine: {what}."
    repositories, count = {}, 0
    for row in rows:
        count += 1
        repositories[row.get("repository") or "a data set that names no repository"] = True
    names = list(repositories)
    more = f" and {len(names) - NAMED} other repositories" if len(names) > NAMED else ""
    here = ", on this machine" if teacher.local else ""
    more_told = [", how others of their merges were resolved"] if form.siblings else []
    more_told += [", the commits of both sides"] if form.context else []
    return (
        f"{count:,} conflict{'s' * (count != 1)} of {', '.join(names[:NAMED])}{more} go{'es' * (count == 1)} to "
        f"{teacher.host}{here}, with the lines around "
        f"{'them' if count != 1 else 'it'}{''.join(more_told)}; what is on disk is not sent again."
    )


def agree(quote: Quote, budget: Budget, teacher: Teacher, question: Callable[[str], str | None] | None = None) -> None:
    """Return once the spending is agreed to: there is a cap, nothing is to be paid, nobody can be asked, or they agree.

    Whoever sits before a notebook answers y, n, or the most that the run may cost in dollars, which becomes the cap of
    `budget`. A no is an `LlmergeError`: what was answered so far is kept, and nothing more is sent.
    """
    free = quote.worst == 0 or (quote.worst is None and teacher.local)
    if budget.cap or not quote.rows_to_ask or free:
        return
    priced = quote.worst is not None
    how = "y, n, or the most that this run may cost, in dollars" if priced else "y or n; nobody knows the price"
    asking = f"Ask {teacher.label} for {quote.rows_to_ask:,} more answers? ({how}) "
    while (said := (question or ask)(asking)) is not None:
        said = said.strip().casefold()
        if said in ("y", "yes"):
            return
        if said in ("", "n", "no"):
            raise LlmergeError(
                f"stopped at the quote: {quote.rows_cached} answers are on disk, and nothing more is sent; run again, "
                "with max_cost_usd or a limit if you like."
            )
        dollars = re.fullmatch(r"\$?\s*(\d+(?:\.\d+)?|\.\d+)\s*\$?", said)
        if priced and dollars and float(dollars[1]) > 0:
            budget.cap = float(dollars[1])
            return
        asking = f"{said!r} is not understood: {how}. "
