"""Many conflicts: a table with the worst first, a handful of cards, and a browser for a live notebook."""

from __future__ import annotations

import html
import os
import random
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from llmerge_helpers.conflicts import Conflict, Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Example
from llmerge_helpers.merges import siblings
from llmerge_helpers.show.card import VERDICTS, ConflictView, clip, conflict_lines
from llmerge_helpers.verdict import verify

if TYPE_CHECKING:
    import pandas as pd
    from ipywidgets import VBox

Shown = ConflictView | Example | Row  # what becomes a card
FILTERS = ("verdict", "kind", "language", "repository")
_ORDER = {name: i for i, name in enumerate(VERDICTS)}


def table(examples: Sequence[Example]) -> pd.DataFrame:
    """One line an example, the worst verdicts first: id, verdict, kind, language, lines, tokens, cost, file."""
    import pandas as pd

    rows = []
    for example in sorted(examples, key=_worst_first):
        row, usage = example["row"], example.get("usage") or {}
        conflict = Conflict.of(row)
        rows.append(
            {
                "example_id": example["example_id"],
                "sample": example.get("sample") or 0,
                "verdict": example["verdict"]["match_type"],
                "kind": row.get("kind", ""),
                "language": row.get("language", ""),
                "lines": conflict_lines(conflict),
                "tokens": usage.get("completion_tokens") or 0,
                "cost_usd": example.get("cost_usd") or 0.0,
                "path": row.get("path", ""),
            }
        )
    return pd.DataFrame(rows)


def _worst_first(example: Example) -> tuple[int, bool, int, int, int]:
    """What puts the worst verdicts first, and of one verdict the mixtures, the shortest first."""
    kind, lines = example["verdict"]["match_type"], conflict_lines(Conflict.of(example["row"]))
    mixed = example["row"].get("kind") == "mixed"
    return -_ORDER.get(kind, 0), not mixed, lines, example["example_id"], example.get("sample") or 0


def views(items: Sequence[Shown]) -> list[ConflictView]:
    """Cards of examples, of dataset rows, or of cards."""
    return [
        item if isinstance(item, ConflictView)
        else ConflictView.from_example(item) if "verdict" in item and "row" in item
        else ConflictView(item)
        for item in items
    ]  # fmt: skip


def answered(rows: Sequence[Row], table: pd.DataFrame, n: int = 3) -> list[ConflictView]:
    """The first conflicts of an evaluation as cards: what each side did, what the model wrote, the verdict."""
    lines = table.head(n).to_dict("records")
    return [
        ConflictView(row, line["reply"], verify(line["reply"], row, finish_reason=line["finish_reason"]), line["name"])
        for row, line in zip(rows, lines, strict=False)
    ]


def cards(items: Sequence[Shown], n: int = 5, seed: int | None = None) -> None:
    """Display the first `n` of `items` as cards; with a seed, `n` drawn at random."""
    from IPython.display import display

    picked = list(items) if seed is None else random.Random(seed).sample(list(items), min(n, len(items)))
    for card in views(picked[:n]):
        display(card)


def browser(examples: Sequence[Example], n: int = 3, widgets: bool | None = None) -> VBox | None:
    """A browser with buttons, filters, search and jump to id in a live notebook; elsewhere `n` cards.

    The worst verdicts come first. A live notebook is one that JupyterLab, VS Code or Colab started; papermill and
    nbconvert get the cards, so that no widget state is stored (GitHub then shows nothing at all). `widgets` decides it
    by hand.
    """
    if not examples:
        raise LlmergeError("there is nothing to browse: the list of examples is empty.")
    # a stored widget shows nothing at all on GitHub
    if widgets if widgets is not None else _live():
        try:
            return Browser(examples).widget
        except ImportError:
            print("ipywidgets is not installed: here are the first cards.")
    cards(sorted(examples, key=_worst_first), n)
    return None


def _live() -> bool:
    if "google.colab" in sys.modules:
        return True
    # jupyter_server names the notebook in the kernel's environment, VS Code its own process; nbclient does neither
    return "ipykernel" in sys.modules and any(os.environ.get(name) for name in ("JPY_SESSION_NAME", "VSCODE_PID"))


class Browser:
    """The examples one at a time, with ipywidgets; `.widget` is what to display, `.position` what is shown."""

    def __init__(self, examples: Sequence[Example]):
        import ipywidgets as w

        self.examples = sorted(examples, key=_worst_first)
        self.found: list[int] = list(range(len(self.examples)))
        self.position, self._named = 0, ""
        narrow, wide = w.Layout(width="9em"), w.Layout(width="24em", max_width="100%")
        row = w.Layout(flex_flow="row wrap")  # in a narrow window controls go below each other
        self.previous = w.Button(description="◀ previous", layout=narrow)
        self.next = w.Button(description="next ▶", layout=narrow)
        self.jump = w.Text(
            placeholder="id, Enter",
            layout=narrow,
            continuous_update=False,
            tooltip="an example's number, or part of its id",
        )
        self.search = w.Text(placeholder="search path, question, reply", layout=wide, continuous_update=False)
        self.filters = {
            name: w.Dropdown(
                options=self._options(name), description=name, layout=wide, style={"description_width": "6em"}
            )
            for name in FILTERS
        }
        self.count, self.card = w.HTML(), w.HTML(layout=w.Layout(width="100%"))
        self.previous.on_click(lambda _: self.move(-1))
        self.next.on_click(lambda _: self.move(+1))
        self.jump.observe(lambda change: self.jump_to(change["new"]), "value")
        for control in (self.search, *self.filters.values()):
            control.observe(lambda _: self.select(), "value")
        buttons = w.HBox([self.previous, self.next, self.jump, self.search, self.count], layout=row)
        choices = w.HBox(list(self.filters.values()), layout=row)
        self.widget = w.VBox([buttons, choices, self.card])
        self.draw()

    def _value(self, example: Example, name: str) -> str:
        return str(example["verdict"]["match_type"] if name == "verdict" else example["row"].get(name) or "(unknown)")

    def _options(self, name: str) -> list[tuple[str, str]]:
        counts: dict[str, int] = {}
        for example in self.examples:
            value = self._value(example, name)
            counts[value] = counts.get(value, 0) + 1
        order = sorted(counts, key=lambda value: (-counts[value], value))
        return [(f"all ({len(self.examples)})", ""), *((f"{value} ({counts[value]})", value) for value in order)]

    def select(self) -> None:
        """Apply filters and search, and show the first example that is left."""
        wanted = {name: control.value for name, control in self.filters.items() if control.value}
        words = self.search.value.casefold().split()
        self.found = [
            i for i, example in enumerate(self.examples)
            if all(self._value(example, name) == value for name, value in wanted.items())
            and (not words or all(word in _haystack(example) for word in words))
            and self._named in str(example.get("id", ""))
        ]  # fmt: skip
        self.position = 0
        self.draw()

    def move(self, step: int) -> None:
        """Go to the next or the previous example, round the end."""
        if self.found:
            self.position = (self.position + step) % len(self.found)
            self.draw()

    def jump_to(self, text: str) -> None:
        """Show the example of this number, or all whose id holds this text; filters and search stay as they are."""
        text = text.strip()
        if not text.isdecimal():
            if text != self._named:
                self._named = text
                self.select()
            return
        if self._named:
            self._named = ""
            self.select()
        self.jump.value = ""
        meant = [i for i, example in enumerate(self.examples) if example["example_id"] == int(text)]
        here = [at for at, i in enumerate(self.found) if i in meant]
        if here:
            self.position = here[0]
            self.draw()
        else:
            self.count.value = f"no example {_escape(text)}{' among these: the filters hide it' if meant else ''}"

    def draw(self) -> None:
        """Show the example at the position."""
        if self.found:
            self.card.value = ConflictView.from_example(self.examples[self.found[self.position]])._repr_html_()
        else:
            self.card.value = "<p>Nothing fits these filters.</p>"
        total = f"of {len(self.found)}" + (
            f" (of {len(self.examples)})" if len(self.found) < len(self.examples) else ""
        )
        self.count.value = f"{self.position + 1 if self.found else 0} {total}{self._place() if self.found else ''}"
        self.previous.disabled = self.next.disabled = len(self.found) < 2

    def _place(self) -> str:
        """Which conflict of its merge is shown, and how many of them can be browsed; nothing of a merge with one."""
        row = self.examples[self.found[self.position]]["row"]
        if (row.get("merge_size") or 0) < 2:
            return ""
        here = {each.get("id") for each in siblings((example["row"] for example in self.examples), row)}
        return (
            f" · conflict {row.get('order', 0) + 1} of the {row['merge_size']} of its merge, {len(here)} of them here"
        )


def _haystack(example: Example) -> str:
    row = example["row"]
    parts = (row.get("path"), row.get("question"), example.get("reasoning"), example.get("answer"), example.get("id"))
    return "\n".join(part or "" for part in parts).casefold()


def _escape(text: str) -> str:
    return html.escape(clip(text, 40))
