"""What the engine gives back: one `Result` a sample, and what the run as a whole came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from llmerge_helpers.conflicts.prompts import Reply, split_reply
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.verdict.judge import Verdict, verify

if TYPE_CHECKING:
    import pandas as pd


@dataclass
class Result:
    """One sample of one row. `cost_usd` is what it cost, paid attempts without an answer included, whenever that was.

    `cached` means that this run did not ask: the answer was on disk, or another row asked the very same question.
    `truncated` lists the ledger keys of earlier tries with a smaller `max_tokens`. The verdict is made when it is first
    looked at: judging ten thousand replies takes far longer than reading them back.
    """

    index: int
    id: str
    sample: int
    key: str
    message: dict[str, Any] | None = None
    finish_reason: str | None = None
    usage: dict[str, int] = field(default_factory=dict)
    cost_usd: float | None = None
    latency_s: float | None = None
    attempts: int = 0
    cached: bool = False
    error: str | None = None
    requested_model: str = ""
    served_model: str = ""
    system_fingerprint: str = ""
    sdk: str = ""
    prompt_version: str = ""
    truncated: tuple[str, ...] = ()
    rows: Sequence[Mapping[str, Any]] = field(default=(), repr=False, compare=False)

    @cached_property
    def reply(self) -> Reply | None:
        """The reply as reasoning and answer; None if there is none."""
        return split_reply(self.message) if self.message is not None else None

    @cached_property
    def verdict(self) -> Verdict:
        """The verdict on the reply."""
        if self.message is None:
            return Verdict("failed", False, detail=self.error or "There is no reply.")
        return verify(self.message, self.rows[self.index], finish_reason=self.finish_reason)

    @property
    def judged(self) -> bool:
        """True once the verdict is made."""
        return "verdict" in self.__dict__


class Results(list[Result]):
    """The results in the order of rows and samples; `report` has the figures of the run, `not_asked` what is left."""

    report: dict[str, Any]
    not_asked: list[tuple[int, int]]

    def __init__(self, results: Sequence[Result] = (), report: dict | None = None, not_asked: Sequence = ()):
        super().__init__(results)
        self.report, self.not_asked = dict(report or {}), list(not_asked)


class RunStopped(LlmergeError):
    """The run cannot go on until a person acts; every answer is on disk, and `results` has those of this run."""

    def __init__(self, message: str, results: Results | None = None):
        super().__init__(message)
        self.results = results if results is not None else Results()


def pass_rates(results: Sequence[Result]) -> pd.DataFrame:
    """One line a row: how many samples were drawn, how many were right, and the share: how hard the conflict is."""
    import pandas as pd

    drawn: dict[int, list[Result]] = {}
    for result in results:
        drawn.setdefault(result.index, []).append(result)
    lines = []
    for index, group in sorted(drawn.items()):
        right = sum(result.verdict.is_correct for result in group)
        lines.append((index, group[0].id, len(group), right, right / len(group)))
    return pd.DataFrame(lines, columns=["index", "id", "samples", "right", "pass_rate"])
