"""A model, baselines, or the replies of a teacher on conflicts that training never saw: a table with a verdict on each.

Every evaluation writes `outputs/evaluation/<name>.csv`, one line a conflict, batch by batch: one that was stopped goes
on, and one that was done is read back.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, BinaryIO, Literal, NamedTuple, TypedDict

from llmerge_helpers.baselines import ask, resolve
from llmerge_helpers.baselines.explain import explain
from llmerge_helpers.conflicts import Conflict, Form, Row, render_answer, render_reply
from llmerge_helpers.conflicts.prompts import FULL
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import (
    Completion,
    Loaded,
    Sampling,
    complete,
    known_model,
    own_sampling,
    render_prompt,
)
from llmerge_helpers.models.answer import GREEDY
from llmerge_helpers.rewards import format_reward
from llmerge_helpers.run import ending, from_root, progress
from llmerge_helpers.run.files import atomic_file, read_jsonl, write_atomic, write_jsonl
from llmerge_helpers.verdict import Verdict, verify

if TYPE_CHECKING:
    import pandas as pd

    from llmerge_helpers.generate import Example, Result
    from llmerge_helpers.models import Plan

OUTPUT_DIR = "outputs/evaluation"
BASELINES = ("ours", "theirs", "union", "token_merge", "rules")
NEVER_NUMBERS = ("id", "merge_commit", "reply", "key", "model")  # whatever they look like
NO_ANSWER = ("unresolved", "invalid_output", "truncated", "failed")


class Line(TypedDict):
    """One line of the table of an evaluation; its columns, in this order."""

    id: str
    name: str
    match_type: str
    is_correct: bool
    answered: bool
    format: bool
    finish_reason: str
    tokens: int
    repository: str
    merge_commit: str  # conflicts of one merge are not independent: intervals need to know; empty where nobody does
    decided: bool  # False where the merge has one parent's tree: nobody decided this conflict for certain
    language: str
    kind: str
    detail: str
    reply: str
    key: str
    model: str  # who answered, where the name does not say it
    sample: int  # which of several answers to the conflict
    confidence: float  # the mean probability of the reply's tokens; nan where nobody knows it


COLUMNS = tuple(Line.__annotations__)


FROM_ROW = ("id", "repository", "merge_commit", "language", "kind", "decided")
# lines that are written at once, and lines of a table that keep their reply: those of a big run fit into no memory
IN_ONE_PART, WITH_REPLY = 500, 2_000


def _from_row(row: Row) -> dict[str, str | bool]:
    """What a line says of its conflict, as far as its row knows."""
    texts = {column: str(row.get(column) or "") for column in FROM_ROW[1:-1]}
    return texts | {"decided": row.get("decided") is not False}


class Replied(NamedTuple):
    """What was replied to one conflict. The verdict on it is not kept, but made from the row as it is now."""

    key: str  # of the model and its prompt, or of a teacher's request; empty for a baseline
    reply: str
    finish_reason: str
    tokens: int
    model: str = ""
    confidence: float = math.nan


JOURNAL = ("key", "reply", "finish_reason", "tokens", "confidence")  # what a journal keeps: it is of one model
LONG = 60  # seconds that are worth a word beforehand
TOGETHER = 8  # batches whose prompts are sorted by length


# ---- who is measured


def evaluate(
    model: str | Loaded,
    rows: Sequence[Row],
    name: str,
    *,
    max_new_tokens: int = 512,
    batch_size: int = 0,
    plan: Plan | None = None,
    form: Form = FULL,
    samples: int = 1,
    sampling: Sampling | Literal["own"] | None = None,
    minutes: float = 0,
    output_dir: str | Path = OUTPUT_DIR,
    clock: Callable[[], float] = time.monotonic,
) -> pd.DataFrame:
    """One line an answer: its verdict and what the model wrote; greedy, so that a second run says the same.

    More `samples` of each conflict, for pass@1 and pass@k, are drawn at temperature 1; `sampling` says it otherwise,
    `own` as the makers of the model recommend.
    `model` is a folder, a hub id, or what `load_for_evaluation` gave; `plan` and `form` are those of its run, and
    `batch_size=0` is four times its batch (a reply takes far less memory than a step of training), 16 at most. Only
    prompts without a reply of this model at this `max_new_tokens` are asked: the journal `<name>.jsonl` keeps replies,
    and verdicts are made anew, so a corrected row counts at once. Where all replies are known, no weights are read.

    What takes long says when it will end. With `minutes` above 0 it ends then: conflicts are asked in the order of
    `rows`, which of `held_out` is random, so that those that were reached are a sample of all; a sentence says how many
    they are, and the table has no others (`shared` brings several to the same ones). A second call goes on. Writes
    `<name>.csv`.
    """
    rows = list(rows)
    if not rows:
        raise LlmergeError(f"there are no conflicts to evaluate {name} on: the test split is empty.")
    batch_size = batch_size or min(16, 4 * plan.batch_size if plan else 16)
    started, loaded = clock(), model if isinstance(model, Loaded) else None
    if loaded is not None:
        _, tokenizer, identity = loaded
    else:
        found = known_model(model, plan=plan)
        tokenizer, identity = found.tokenizer(), found.identity
    how = sampling or Sampling(float(samples > 1))
    if how == "own":
        how = own_sampling(loaded.model.generation_config) if loaded else found.own_sampling()
    if samples > 1 and not how.temperature:
        raise LlmergeError(f"{samples} greedy answers to one conflict are the same {samples} times: take samples 1.")
    asked = [(i, sample) for i in range(len(rows)) for sample in range(samples)]  # lines, in their order
    prompts = [render_prompt(tokenizer, ask(rows[i], form)) for i, _ in asked]
    drawn = [[*how, sample] if how.temperature else list(how[3:]) for _, sample in asked]
    keys = [_key(identity, prompt, max_new_tokens, each) for prompt, each in zip(prompts, drawn, strict=True)]
    journal = _place(output_dir, name, "jsonl")
    known: dict[str, Replied] = {}
    if journal.exists():
        known = {kept["key"]: _kept(kept) for kept in read_jsonl(journal)}
    missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in known}
    lines: dict[int, Line] = {}

    def judge() -> None:
        for i, key in enumerate(keys):
            if key in known and i not in lines:
                row, sample = asked[i]
                lines[i] = judged(name, rows[row], row, known[key]) | {"sample": sample}

    judge()
    with progress(len(asked), f"evaluate {name}", done=len(lines)) as line:

        def keep(indices: Sequence[int], completions: Sequence[Completion]) -> None:
            for j, reply in zip(indices, completions, strict=True):
                known[todo[j]] = Replied(
                    todo[j], reply.text, reply.finish_reason, reply.tokens, "", round(reply.confidence, 4)
                )
            write_jsonl(journal, [_line_of_journal(kept) for kept in known.values()])
            judge()
            line.update(len(lines), right=sum(r["is_correct"] for r in lines.values()))
            pace.count(len(indices))

        pace = _Pace(name, len(missing), batch_size, 60 * minutes, started, clock)
        while missing and (count := pace.next()):
            loaded = loaded or found.load()
            todo = list(missing)[:count]
            complete(
                loaded.model,
                tokenizer,
                [missing[key] for key in todo],
                max_new_tokens=max_new_tokens,
                batch_size=batch_size,
                sampling=how,
                seed=int(todo[0], 16) % 2**31,  # of what is left: nothing is drawn twice alike
                on_batch=keep,
            )
            missing = {key: prompt for key, prompt in missing.items() if key not in known}
    # whole conflicts, and none beyond the first that was not reached: an earlier call may have asked some
    reached = next((i - asked[i][1] for i in range(len(asked)) if i not in lines), len(asked))
    if reached < len(asked):
        print(
            f"{name}: {reached // samples:,} of {len(rows):,} conflicts were asked within {minutes:g} minutes, and the "
            "table is of those: run it again to go on, or give it more minutes."
        )
    table = saved(name, [lines[i] for i in range(reached)], output_dir)
    # the rows tell what the developers had decided before, if anything of the merge is told at all
    return table.assign(setting="interactive") if form.siblings else table


class _Pace:
    """How many prompts come next, so that all of them end within a budget, or none where it is spent.

    Inside a part, prompts are sorted by length, so that a part is always finished: what was reached at the end of one
    is no matter of length.
    """

    def __init__(
        self, name: str, prompts: int, batch: int, budget: float, started: float, clock: Callable[[], float]
    ) -> None:
        self.name, self.prompts, self.batch, self.budget, self.clock = name, prompts, batch, budget, clock
        self.started, self.first, self.done = started, 0.0, 0

    def next(self) -> int:
        """All, where there is no budget; else a batch, then what fits into what is left of it."""
        self.first = self.first or self.clock()  # after the model was found: what came before is not the pace
        if not self.budget:
            return self.prompts
        if not self.done:
            return self.batch
        left = self.budget - (self.clock() - self.started)
        return self.batch * max(0, min(TOGETHER, int(left // (self._each() * self.batch))))

    def count(self, prompts: int) -> None:
        """Take note of what was asked; after the first batch, say when the rest will end if that is long."""
        first, self.done = not self.done, self.done + prompts
        left = self._each() * (self.prompts - self.done)
        if self.budget:
            left = min(left, self.budget - (self.clock() - self.started))
        if first and left > LONG:
            print(f"{self.name}: {self.done:,} of {self.prompts:,} answers; {ending(left, datetime.now())}")

    def _each(self) -> float:
        return max(1e-6, (self.clock() - self.first) / self.done)


def _kept(line: Mapping[str, str | int | float | None]) -> Replied:
    key, reply, finish_reason, tokens, confidence = (line.get(column) for column in JOURNAL)
    return Replied(key, reply, finish_reason, tokens, "", math.nan if confidence is None else confidence)


def _line_of_journal(kept: Replied) -> dict[str, str | int | float | None]:
    line = {column: getattr(kept, column) for column in JOURNAL}
    return line | {"confidence": None if math.isnan(kept.confidence) else kept.confidence}


def evaluate_baselines(
    rows: Sequence[Row],
    names: Sequence[str] = BASELINES,
    *,
    output_dir: str | Path = OUTPUT_DIR,
) -> dict[str, pd.DataFrame]:
    """The baselines on the same rows, judged by the same verdict, a table each; no answer counts as a conflict left."""
    with ExitStack() as stack:
        tables = {name: stack.enter_context(_table(name, output_dir)) for name in names}
        for i, row in enumerate(rows):  # once: of a data set, reading them takes a while
            for name, table in tables.items():
                reply = resolved(Conflict.of(row), resolve(name, row))
                table.add(judged(name, row, i, Replied("", reply, "stop", 0)))
    return {name: table.frame() for name, table in tables.items()}


def with_baselines(
    tables: Mapping[str, pd.DataFrame], rows: Sequence[Row], *, output_dir: str | Path = OUTPUT_DIR
) -> dict[str, pd.DataFrame]:
    """The tables, and behind them those of the baselines on the same rows; of a name that is there, the table stays.

    The rules may be the teacher, and then have answered.
    """
    others = [name for name in BASELINES if name not in tables]
    return dict(tables) | evaluate_baselines(rows, others, output_dir=output_dir)


def replies_table(
    name: str,
    rows: Sequence[Row],
    results: Sequence[Result],
    *,
    output_dir: str | Path = OUTPUT_DIR,
    file: str = "",
) -> pd.DataFrame:
    """The same table for any endpoint, from what `generate` gave on `rows`: a line for every answer, or failure.

    A row that a cap on cost left out has no line; compare with baselines on `asked_rows(rows, results)`. `model` is
    who answered, `sample` which of several answers to a conflict a line has. `file` is its name where not `name`.
    Of a big run, replies are in the file, and only the first of them in the table.
    """
    columns = [column for column in FROM_ROW if column in (getattr(rows, "column_names", None) or ())]
    if columns and hasattr(rows, "select_columns"):
        rows = rows.select_columns(columns)
    with _table(name, output_dir, file) as table:
        for line in _replied(name, rows, results):
            table.add(line)
    return table.frame()


def _replied(name: str, rows: Sequence[Row], results: Sequence[Result]) -> Iterator[Line]:
    numbers: dict[int, int] = {}
    for result in sorted(results, key=lambda result: (result.index, result.sample)):
        i = numbers.setdefault(result.index, len(numbers))
        reply, text = result.reply, ""
        if reply is not None:
            text = written(reply.reasoning, reply.answer)
        tokens = (result.usage or {}).get("completion_tokens") or 0
        model = result.served_model or result.requested_model
        replied = Replied(result.key, text, result.finish_reason or "", tokens, model)
        yield _line(name, rows[result.index], i, replied, result.verdict) | {"sample": result.sample}


def examples_tables(runs: Mapping[str, Sequence[Example]]) -> dict[str, pd.DataFrame]:
    """What several runs of 01 answered, a table a run, on the conflicts that all of them asked, in one order."""
    import pandas as pd

    asked = [dict.fromkeys(example["id"] for example in examples) for examples in runs.values()]
    shared = [ident for ident in next(iter(asked), {}) if all(ident in each for each in asked)]
    place = {ident: i for i, ident in enumerate(shared)}
    tables = {}
    for name, examples in runs.items():
        lines = []
        kept = [example for example in examples if example["id"] in place]
        for example in sorted(kept, key=lambda each: (place[each["id"]], each.get("sample") or 0)):
            verdict, text = example["verdict"], written(example["reasoning"], example["answer"])
            tokens = (example.get("usage") or {}).get("completion_tokens") or 0
            model = example.get("served_model") or example.get("model") or ""
            replied = Replied(example.get("key") or "", text, example.get("finish_reason") or "", tokens, model)
            found = Verdict(verdict["match_type"], bool(verdict["is_correct"]), detail=verdict.get("detail") or "")
            line = _line(name, example["row"], place[example["id"]], replied, found)
            lines.append(line | {"sample": example.get("sample") or 0})
        tables[name] = pd.DataFrame(lines, columns=list(COLUMNS)).assign(name=name)
    return tables


def asked_rows(rows: Sequence[Row], results: Sequence[Result]) -> Sequence[Row]:
    """The rows that `results` of `generate` are about, as `replies_table` takes them: the baselines' rows then."""
    numbers = sorted({result.index for result in results})
    return rows.select(numbers) if hasattr(rows, "select") else [rows[i] for i in numbers]


# ---- what was measured before


def load_evaluation(name: str, output_dir: str | Path = OUTPUT_DIR) -> pd.DataFrame | None:
    """The table of an earlier evaluation, or None where there is none: `outputs/evaluation/<name>.csv` as it was.

    `name` is base, sft, grpo, or that of a baseline; `output_dir` also the folder of a run of 01, where its teacher's
    answers to the reader's three conflicts are called `teacher`. Read so, ids and commits that look like numbers stay
    what they are; `summary`, `comparisons` and `side_by_side` take such tables, and those that `pandas.read_csv` read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     row = {"id": "7", "ours": "a\\n", "base": "", "theirs": "b\\n", "answer": "a\\n", "language": "Text"}
    ...     _ = evaluate_baselines([row], ("ours", "theirs"), output_dir=folder)
    ...     load_evaluation("ours", folder)[["id", "match_type"]].values.tolist(), load_evaluation("sft", folder)
    ([['7', 'exact_match']], None)
    """
    import pandas as pd

    path = from_root(output_dir) / f"{name}.csv"
    return pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(NEVER_NUMBERS, str)) if path.exists() else None


def teacher_tables(rows: Sequence[Row], dataset: str | Path, keep: str | Path = "") -> dict[str, pd.DataFrame]:
    """Whose replies `dataset` was made of, on the same conflicts: `teacher`, or several by name, a table each.

    02 lays `teacher.csv` of each run of 01 beside what it makes of that run, so a model is never shown beside a
    teacher that it did not learn from. `dataset` may as well be a model's folder, where an earlier call has kept them
    with `keep`. Where a teacher was not asked, the rules stand in: `model` says who answered.
    """
    folder = from_root(dataset)
    found = (load_evaluation("teacher", place) for place in (folder, folder.parent))
    table = next((each for each in found if each is not None), None)
    if keep:
        kept = from_root(keep) / "teacher.csv"
        if table is None:
            kept.unlink(missing_ok=True)
        else:
            write_atomic(kept, table.to_csv(index=False, lineterminator="\n"))
    names = list(dict.fromkeys(table["name"])) if table is not None and "name" in table else []
    if len(names) < 2:
        return {"teacher": _teacher(rows, table)}
    return {name: _teacher(rows, table[table["name"] == name]) for name in names}


def _teacher(rows: Sequence[Row], table: pd.DataFrame | None) -> pd.DataFrame:
    import pandas as pd

    known: dict[str, Line] = {}
    for line in table.to_dict("records") if table is not None else ():
        if line.get("model"):
            known.setdefault(line["id"], line)  # of several answers the first
    lines = []
    for i, row in enumerate(rows):
        kept = known.get(row.get("id"))
        if kept is None:  # 01 did not ask about this one
            hunk, reasoning = explain(Conflict.of(row))
            reply = render_reply(reasoning, resolved(Conflict.of(row), hunk))
            lines.append(judged("teacher", row, i, Replied("", reply, "stop", 0, "rules")))
        elif kept["match_type"] == "failed":  # there is no reply to judge anew
            lines.append({column: kept.get(column, 0) for column in COLUMNS} | _from_row(row))
        else:
            said = {column: kept[column] for column in Replied._fields if column in kept}  # older ones say less
            lines.append(judged("teacher", row, i, Replied(**said)))
    return pd.DataFrame(lines, columns=list(COLUMNS))


# ---- a line, and the file of them


def judged(name: str, row: Row, i: int, replied: Replied) -> Line:
    """The line of a reply, judged by the row as it is now."""
    return _line(name, row, i, replied, verify(replied.reply, row, finish_reason=replied.finish_reason))


def _line(name: str, row: Row, i: int, replied: Replied, verdict: Verdict) -> Line:
    return {
        "id": row.get("id", str(i)),
        "name": name,
        "match_type": verdict.match_type,
        "is_correct": bool(verdict.is_correct),
        "answered": verdict.match_type not in NO_ANSWER,
        "format": replied.finish_reason != "length" and bool(format_reward([replied.reply])[0]),
        "finish_reason": replied.finish_reason,
        "tokens": replied.tokens,
        **_from_row(row),
        "detail": verdict.detail,
        "reply": replied.reply,
        "key": replied.key,
        "model": replied.model,
        "sample": 0,
        "confidence": replied.confidence,
    }


def written(reasoning: str, answer: str) -> str:
    """A reply as one text; of a teacher that tells no reasoning, the answer alone."""
    return render_reply(reasoning, answer) if reasoning else answer


def resolved(conflict: Conflict, hunk: str | None) -> str:
    """The answer that puts `hunk` in place of the conflict; without one, the conflict as it was."""
    return conflict.question() if hunk is None else render_answer(conflict.with_(hunk), conflict.language)


def _key(identity: str, prompt: str, max_new_tokens: int, how: Sequence[float]) -> str:
    unlike = [] if list(how) == [GREEDY.repetition_penalty] else [list(how)]  # plain greedy, as in older journals
    return hashlib.sha256(json.dumps([identity, prompt, max_new_tokens, *unlike]).encode()).hexdigest()[:24]


def _place(output_dir: str | Path, name: str, suffix: str) -> Path:
    # a teacher is named by model and host, which hold what no file name may
    return from_root(output_dir) / f"{re.sub(r'[^A-Za-z0-9._-]+', '-', name)}.{suffix}"


class _Table:
    """The lines of a table, which go to its file as they come."""

    def __init__(self, name: str, file: BinaryIO):
        self.name, self.file = name, file
        self.waiting: list[Line] = []
        self.parts: list[pd.DataFrame] = []

    def add(self, line: Line) -> None:
        self.waiting.append(line)
        if len(self.waiting) == IN_ONE_PART:
            self.flush()

    def flush(self) -> None:
        import pandas as pd

        part = pd.DataFrame(self.waiting, columns=list(COLUMNS)).assign(name=self.name)
        if len(part) or not self.parts:  # a table without lines has a head
            text = part.to_csv(index=False, header=not self.parts, lineterminator="\n")
            self.file.write(text.encode("utf-8", "surrogatepass"))
            if len(self.parts) * IN_ONE_PART >= WITH_REPLY:
                part["reply"] = None
            # most values come again and again, in the tables beside this one too
            self.parts.append(part.map(lambda value: intern(value) if type(value) is str else value))
        self.waiting = []

    def frame(self) -> pd.DataFrame:
        import pandas as pd

        return pd.concat(self.parts, ignore_index=True) if len(self.parts) > 1 else self.parts[0]


@contextmanager
def _table(name: str, output_dir: str | Path, file: str = "") -> Iterator[_Table]:
    """A table to fill; its file is there, whole, once the block ends well."""
    with atomic_file(_place(output_dir, file or name, "csv")) as out:
        table = _Table(name, out)
        yield table
        table.flush()


def saved(name: str, lines: Sequence[Line], output_dir: str | Path, file: str = "") -> pd.DataFrame:
    """The table of these lines, which is then on disk."""
    with _table(name, output_dir, file) as table:
        for line in lines:
            table.add(line)
    return table.frame()
