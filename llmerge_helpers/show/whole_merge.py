"""A merge as one card: its conflicts in their order, what each took, and what the rules would have proposed there."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from llmerge_helpers.baselines import resolve, rules_in_merge
from llmerge_helpers.conflicts import Conflict, Decided, Row
from llmerge_helpers.conflicts.earlier import way_of
from llmerge_helpers.show.card import STYLE, ConflictView, clip

MOST = 40  # conflicts of a merge that are shown
_TD = "text-align:left;vertical-align:top;padding:.1em .8em .1em 0"


class Step(NamedTuple):
    """One conflict of a merge: where it is, what it took, and whether the rules were right, alone and in the merge."""

    place: str
    lines: int
    took: str
    alone: bool
    in_merge: bool


@dataclass(frozen=True)
class MergeView:
    """The conflicts of one merge, as `merges.siblings` gives them, as a card that shows itself."""

    rows: Sequence[Row]

    @cached_property
    def steps(self) -> list[Step]:
        """What is shown of each conflict, in order; the rules know what the developers did before it."""
        decided: list[Decided] = []
        found = []
        for number, row in enumerate(self.rows[:MOST]):
            conflict, resolution = Conflict.of(row), str(row.get("resolution") or "")
            lines = sum(side.count("\n") for side in (conflict.ours, conflict.known_base, conflict.theirs))
            alone = resolve("rules", row) == resolution
            in_merge = rules_in_merge(decided, conflict).resolution == resolution
            place = f"{(row.get('order') or number) + 1} · {conflict.path}"
            found.append(Step(place, lines, way_of(conflict, resolution), alone, in_merge))
            decided.append(Decided(conflict, resolution))
        return found

    @property
    def heading(self) -> str:
        """Which merge it is, how many of its conflicts are here, and what they took."""
        row = self.rows[0] if self.rows else {}
        here, size = len(self.rows), row.get("merge_size") or 0
        ways = Counter(way_of(Conflict.of(each), str(each.get("resolution") or "")) for each in self.rows)
        parts = [f"merge {str(row.get('merge_commit') or '')[:10] or 'unknown'}", str(row.get("repository") or "")]
        parts += [str(row.get("committed_at") or "")[:10], f"{here} of {max(size, here)} conflicts"]
        parts += ["; ".join(f"{way}: {count}" for way, count in ways.most_common())]
        return " · ".join(clip(part, 90) for part in parts if part)

    @property
    def summary(self) -> str:
        """How often the rules were right, alone and with what was decided before."""
        alone, in_merge = (sum(getattr(step, name) for step in self.steps) for name in ("alone", "in_merge"))
        more = len(self.rows) - len(self.steps)
        told = f"Exactly right: the rules alone {alone}, in their merge {in_merge} of {len(self.steps)}."
        return told + (f" {more} more conflicts are not shown." if more else "")

    def _repr_html_(self) -> str:
        names = ("conflict", "lines", "took", "rules alone", "rules in the merge")
        head = "".join(f'<th style="{_TD}">{name}</th>' for name in names)
        body = []
        for step in self.steps:
            cells = (clip(step.place, 90), step.lines, step.took, "✓✗"[not step.alone], "✓✗"[not step.in_merge])
            body.append("".join(f'<td style="{_TD}">{html.escape(str(cell))}</td>' for cell in cells))
        rows = "".join(f'<tr style="background:none">{cells}</tr>' for cells in (head, *body))
        cards = "".join(
            f"<details><summary>{html.escape(clip(step.place, 90))}</summary>{ConflictView(row).html()}</details>"
            for step, row in zip(self.steps, self.rows, strict=False)
        )
        return (
            f'{STYLE}<div style="margin:0 0 1.2em 0"><div><b>{html.escape(self.heading)}</b></div>'
            f'<div>{html.escape(self.summary)}</div><table style="margin:.4em 0">{rows}</table>{cards}</div>'
        )

    def __repr__(self) -> str:
        lines = [
            f"{clip(step.place, 60):60}  {step.lines:4} lines  {step.took:24} rules {'✓✗'[not step.alone]}  "
            f"in the merge {'✓✗'[not step.in_merge]}"
            for step in self.steps
        ]
        return "\n".join([self.heading, self.summary, *lines]) + "\n"
