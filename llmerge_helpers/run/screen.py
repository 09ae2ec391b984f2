"""What a run shows a person: small tables, and one line of progress, as HTML in a notebook and as text elsewhere."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.display import DisplayHandle


class _Text:
    """Something to display that reads the same as HTML and as plain text."""

    def __init__(self, text: str, markup: str):
        self.text, self.markup = text, markup

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.markup


def show_table(rows: Mapping[str, object]) -> None:
    """Display name/value pairs as one small table."""
    rows = {name: _counts(value) if isinstance(value, Mapping) else value for name, value in rows.items()}
    width = max(map(len, rows), default=0)
    text = "\n".join(f"{name:<{width}}  {value}" for name, value in rows.items())
    row = '<tr><th>{}</th><td style="text-align:left">{}</td></tr>'  # Jupyter sets cells to the right
    cells = "".join(row.format(html.escape(k), html.escape(str(v))) for k, v in rows.items())
    _display(_Text(text, f"<table>{cells}</table>"))


def whole_cells(characters: int = 240) -> None:
    """Let pandas show this much of a cell: its own 50 cut off why a reply is wrong, which is what a reader wants."""
    import pandas as pd

    pd.set_option("display.max_colwidth", characters)


def _counts(found: Mapping[str, int]) -> str:
    """Counts by name as one line.

    >>> _counts({"prompt_tokens": 16981, "timeout": 2}), _counts({})
    ('prompt_tokens 16,981, timeout 2', 'none')
    """
    return ", ".join(f"{name} {count:,}" for name, count in found.items()) or "none"


def _in_notebook() -> bool:
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _display(thing: _Text, display_id: bool = False) -> DisplayHandle | None:
    if _in_notebook():
        from IPython.display import display

        return display(thing, display_id=True) if display_id else display(thing)
    print(repr(thing))
    return None


def ask(question: str) -> str | None:
    """What a person answers in a notebook; None where nobody can: under papermill or nbconvert, or in a shell."""
    if not _in_notebook():
        return None
    from IPython.core.error import StdinNotImplementedError

    try:  # a front end says with each cell whether somebody is there who can be asked
        return input(question)
    except StdinNotImplementedError:
        return None


class Progress:
    """One line that tells how far a long cell is: one display handle in a notebook, one line in a terminal.

    A progress bar would leave dozens of stored outputs under papermill, and a widget would leave 0 % for ever.
    """

    def __init__(self, total: int, label: str = "", every_s: float = 0.25, done: int = 0):
        self.total, self.label, self.every_s = total, label, every_s
        self.done, self.counts = done, {}
        self._before = done  # done by an earlier run, so it says nothing of this one's speed
        self.started = time.monotonic()
        self._last = 0.0
        self._handle = _display(_Text(self.line(), self._markup()), display_id=True) if _in_notebook() else None

    def update(self, done: int | None = None, **counts: object) -> None:
        """Set how many are done, and any other figures to show; drawn at most a few times a second."""
        self.done = self.done + 1 if done is None else done
        self.counts.update(counts)
        if time.monotonic() - self._last >= self.every_s:
            self._draw()

    def close(self) -> None:
        """Draw the last state, without an estimate, so that what is stored reads as a result."""
        self._draw(final=True)

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def line(self, final: bool = False) -> str:
        """The line as text."""
        parts = [f"{self.label}: {self.done}/{self.total}" if self.label else f"{self.done}/{self.total}"]
        parts += [f"{value} {name.replace('_', ' ')}" for name, value in self.counts.items() if value not in (None, "")]
        # judged by this run alone: what an earlier one did took no time now
        if not final and self._before < self.done < self.total:
            left = (time.monotonic() - self.started) / (self.done - self._before) * (self.total - self.done)
            parts.append(f"{_duration(left)} left")
        return " · ".join(parts)

    def _markup(self, final: bool = False) -> str:
        return f"<pre>{html.escape(self.line(final))}</pre>"

    def _draw(self, final: bool = False) -> None:
        self._last = time.monotonic()
        if self._handle is not None:
            self._handle.update(_Text(self.line(final), self._markup(final)))
        elif sys.stderr is not None and sys.stderr.isatty():
            print("\r\033[K" + self.line(final), end="\n" if final else "", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress(total: int, label: str = "", done: int = 0) -> Progress:
    """A `Progress` for `total` steps, `done` of them by an earlier run; use it as a context manager."""
    return Progress(total, label, done=done)


def ending(seconds: float, now: datetime) -> str:
    """When something will end that takes so many seconds more, as half a sentence.

    >>> ending(5400, datetime(2026, 5, 1, 23, 0))
    'about 1 h 30 min more, until 00:30 on 2 May.'
    >>> ending(50, datetime(2026, 5, 1, 23, 0))
    'about 1 min more, until 23:00.'
    """
    end = now + timedelta(seconds=seconds)
    minutes = max(1, round(seconds / 60))
    long = f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"
    day = f" on {end.day} {end:%B}" if end.date() != now.date() else ""
    return f"about {long} more, until {end:%H:%M}{day}."
