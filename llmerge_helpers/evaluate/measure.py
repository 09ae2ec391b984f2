"""A model on conflicts that training never saw: verdicts with intervals, paired comparison, baselines on the same rows.

Every evaluation writes `outputs/evaluation/<name>.csv`, one line a conflict, batch by batch: one that was stopped goes
on, and one that was done is read back.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmerge_helpers.conflicts.prompts import messages, parse_question, render_answer, render_question
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate.stats import paired, rate
from llmerge_helpers.models import chat as rendering
from llmerge_helpers.models.answer import Completion, complete
from llmerge_helpers.models.base import choose_base_model
from llmerge_helpers.run.files import read_jsonl, write_atomic, write_jsonl
from llmerge_helpers.run.session import progress, resolve
from llmerge_helpers.verdict.judge import verify

if TYPE_CHECKING:
    import pandas as pd

    from llmerge_helpers.models.device import Device, Plan

OUTPUT_DIR = "outputs/evaluation"
BASELINES = ("ours", "theirs", "union", "token_merge", "rules")
COLUMNS = (
    "id", "name", "match_type", "is_correct", "answered", "format", "finish_reason", "tokens", "repository", "language",
    "kind", "detail", "reply", "key", "model",
)  # fmt: skip
JOURNAL = ("key", "reply", "finish_reason", "tokens")  # what is kept of a reply; the verdict is made from the row
TEXTS = ("id", "reply", "key", "model")  # never numbers, whatever they look like
NO_ANSWER = ("unresolved", "invalid_output", "truncated", "failed")


def load_for_evaluation(model: str, plan: Plan | None = None) -> tuple[Any, Any, str]:
    """(model, tokenizer, identity) of a LoRA adapter's folder, or of a base model by folder, hub id or `auto`.

    `plan` is how the run loads its weights: a model that only fits in 4 bit is measured in 4 bit. Without one, the
    weights are 32 bit on a CPU and 16 bit on a GPU. An adapter in float32 is merged in memory, which makes decoding
    about twice as fast on a CPU.
    """
    from llmerge_helpers.models import adapter as models
    from llmerge_helpers.models.device import found_device

    plan = plan or _plan(found_device())
    precision = "+4bit" if plan.load_in_4bit else ""  # other weights, other replies
    folder = resolve(model)
    if models.is_adapter(folder):
        policy = models.load_policy(folder, plan, trainable=False)
        identity = f"{policy.lineage['base_identity']}+{models.adapter_hash(policy.model)}{precision}"
        merged = plan.dtype == "float32" and not plan.load_in_4bit
        loaded = policy.model.merge_and_unload() if merged else policy.model
        return loaded.eval(), policy.tokenizer, identity
    base = models.locate(choose_base_model(model, plan.device.gpu_gib))
    identity = models.base_identity(base) + precision
    return models.load_base(base, plan).eval(), models.load_tokenizer(base), identity


def _plan(device: Device) -> Plan:
    from llmerge_helpers.models.device import Plan

    dtype = "float32" if device.kind == "cpu" else "bfloat16" if (device.capability or (0, 0)) >= (8, 0) else "float16"
    return Plan(device, dtype, False, False, False, 1, False, 0.0)


def evaluate(
    model: str | tuple[Any, Any, str],
    rows: Sequence[Mapping[str, Any]],
    name: str,
    *,
    max_new_tokens: int = 512,
    batch_size: int = 0,
    plan: Plan | None = None,
    output_dir: str | Path = OUTPUT_DIR,
) -> pd.DataFrame:
    """One line a conflict: its verdict and what the model wrote; greedy, so that a second run says the same.

    `model` is a folder, a hub id, or what `load_for_evaluation` gave; `plan` is the plan of its run, and
    `batch_size=0` is four times its batch (a reply takes far less memory than a step of training), 16 at most. Only
    prompts without a reply of this model at this `max_new_tokens` are asked: the journal `<name>.jsonl` keeps replies,
    and verdicts are made anew, so a corrected row counts at once. Writes `<name>.csv`.
    """
    rows = list(rows)
    if not rows:
        raise LlmergeError(f"there are no conflicts to evaluate {name} on: the test split is empty.")
    batch_size = batch_size or min(16, 4 * plan.batch_size if plan else 16)
    network, tokenizer, identity = model if isinstance(model, tuple) else load_for_evaluation(model, plan=plan)
    prompts = [rendering.render_prompt(tokenizer, messages(row)) for row in rows]
    keys = [_key(identity, prompt, max_new_tokens) for prompt in prompts]
    journal = resolve(output_dir) / f"{name}.jsonl"
    known = {r["key"]: {k: r[k] for k in JOURNAL} for r in read_jsonl(journal)} if journal.exists() else {}
    missing = {key: prompt for key, prompt in zip(keys, prompts, strict=True) if key not in known}
    todo = list(missing)
    lines: dict[int, dict[str, Any]] = {}

    def judge() -> None:
        for i, key in enumerate(keys):
            if key in known and i not in lines:
                lines[i] = _replied(name, rows[i], i, known[key])

    judge()
    with progress(len(rows), f"evaluate {name}", done=len(lines)) as line:

        def keep(indices: Sequence[int], completions: Sequence[Completion]) -> None:
            for j, reply in zip(indices, completions, strict=True):
                facts = (todo[j], reply.text, reply.finish_reason, reply.tokens)
                known[todo[j]] = dict(zip(JOURNAL, facts, strict=True))
            write_jsonl(journal, known.values())
            judge()
            line.update(len(lines), right=sum(r["is_correct"] for r in lines.values()))

        complete(
            network,
            tokenizer,
            list(missing.values()),
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            on_batch=keep,
        )
    return _save(name, [lines[i] for i in range(len(rows))], output_dir)


def evaluate_baselines(
    rows: Sequence[Mapping[str, Any]],
    names: Sequence[str] = BASELINES,
    *,
    output_dir: str | Path = OUTPUT_DIR,
) -> dict[str, pd.DataFrame]:
    """The baselines on the same rows, judged by the same verdict, a table each; no answer counts as a conflict left."""
    from llmerge_helpers.baselines.simple import resolve as baseline

    tables = {}
    for name in names:
        lines = []
        for i, row in enumerate(rows):
            reply = _resolved(row, baseline(name, row))
            lines.append(_line(name, row, i, verify(reply, row), reply, "stop", 0, ""))
        tables[name] = _save(name, lines, output_dir)
    return tables


def _resolved(row: Mapping[str, Any], hunk: str | None) -> str:
    """The answer that puts `hunk` in place of the conflict; without one, the conflict as it was."""
    parts = {**(parse_question(row["question"]) if "before" not in row else {}), **row}
    if hunk is None:
        return parts.get("question") or render_question(parts)
    return render_answer(parts["before"] + hunk + parts["after"], parts.get("language") or "Text")


def asked_rows(rows: Sequence[Mapping[str, Any]], results: Sequence[Any]) -> list[Mapping[str, Any]]:
    """The rows that `results` of `generate` are about, as `replies_table` takes them: the baselines' rows then."""
    return [rows[i] for i in sorted({result.index for result in results})]


def replies_table(
    name: str, rows: Sequence[Mapping[str, Any]], results: Sequence[Any], *, output_dir: str | Path = OUTPUT_DIR
) -> pd.DataFrame:
    """The same table for any endpoint, from what `generate` gave on `rows`: a line for every row that was asked.

    Of several samples the first counts. A row that a cap on cost left out has no line; compare with baselines on
    `asked_rows(rows, results)`. `model` is who answered.
    """
    from llmerge_helpers.conflicts.prompts import render_reply

    first: dict[int, Any] = {}
    for result in results:
        first.setdefault(result.index, result)
    lines = []
    for i, (index, result) in enumerate(sorted(first.items())):
        reply = result.reply
        text = reply.answer if reply is not None else ""
        text = render_reply(reply.reasoning, text) if reply is not None and reply.reasoning else text
        tokens = (result.usage or {}).get("completion_tokens") or 0
        facts = (result.verdict, text, result.finish_reason or "", tokens, result.key)
        lines.append(_line(name, rows[index], i, *facts, model=result.served_model or result.requested_model))
    return _save(name, lines, output_dir)


def _replied(name: str, row: Mapping[str, Any], i: int, kept: Mapping[str, Any], model: str = "") -> dict[str, Any]:
    """The line of a reply that was kept, judged by the row as it is now."""
    verdict = verify(kept["reply"], row, finish_reason=kept["finish_reason"])
    return _line(name, row, i, verdict, *(kept[k] for k in ("reply", "finish_reason", "tokens", "key")), model=model)


def _line(name, row, i, verdict, reply, finish_reason, tokens, key, model="") -> dict[str, Any]:
    from llmerge_helpers.rewards import format_reward

    return {
        "id": row.get("id", str(i)),
        "name": name,
        "match_type": verdict.match_type,
        "is_correct": bool(verdict.is_correct),
        "answered": verdict.match_type not in NO_ANSWER,
        "format": finish_reason != "length" and bool(format_reward([reply])[0]),
        "finish_reason": finish_reason,
        "tokens": tokens,
        **{column: row.get(column, "") for column in ("repository", "language", "kind")},
        "detail": verdict.detail,
        "reply": reply,
        "key": key,
        "model": model,  # who answered, where the name does not say it
    }


def _key(identity: str, prompt: str, max_new_tokens: int) -> str:
    return hashlib.sha256(json.dumps([identity, prompt, max_new_tokens]).encode()).hexdigest()[:24]


def _save(name: str, lines: Sequence[Mapping[str, Any]], output_dir: str | Path) -> pd.DataFrame:
    import pandas as pd

    table = pd.DataFrame(list(lines), columns=list(COLUMNS)).assign(name=name)
    buffer = io.StringIO()
    table.to_csv(buffer, index=False)
    write_atomic(resolve(output_dir) / f"{name}.csv", buffer.getvalue())
    return table


# ----------------------------------------------------------------------------------------------------------- tables


def summary(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """One line a model or baseline, all on the same conflicts: rates with 95 % Wilson intervals."""
    import pandas as pd

    _same_rows(tables)
    lines = []
    for name, table in tables.items():
        n, answered = len(table), int(table["answered"].sum())
        lines.append(
            {
                "name": name,
                "n": n,
                "exact": rate(int((table["match_type"] == "exact_match").sum()), n),
                "correct": rate(int(table["is_correct"].sum()), n),
                "answers": rate(answered, n),
                "correct when it answers": rate(int(table["is_correct"].sum()), answered),
                "think, then one block": rate(int(table["format"].sum()), n),
            }
        )
    return pd.DataFrame(lines).set_index("name")


def right(tables: Mapping[str, pd.DataFrame], first: str = "") -> dict[str, tuple[int, int]]:
    """(right answers, conflicts) by name, `first` in front, as `plots.rates` takes them."""
    names = [first, *(name for name in tables if name != first)] if first else list(tables)
    return {name: (int(tables[name]["is_correct"].sum()), len(tables[name])) for name in names}


def verdicts(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """How many conflicts got which verdict, a column a model."""
    import pandas as pd

    from llmerge_helpers.verdict.judge import MATCH_TYPES

    counts = {name: table["match_type"].value_counts() for name, table in tables.items()}
    return pd.DataFrame(counts).reindex(MATCH_TYPES).fillna(0).astype(int)


def compare(tables: Mapping[str, pd.DataFrame], better: str, than: str) -> dict[str, Any]:
    """`better` against `than` on the same conflicts: the paired figures, and which conflicts were won and lost."""
    _same_rows({k: tables[k] for k in (better, than)})
    a, b = tables[better]["is_correct"].tolist(), tables[than]["is_correct"].tolist()
    ids = tables[better]["id"].tolist()
    won = [i for i, x, y in zip(ids, a, b, strict=True) if x and not y]
    lost = [i for i, x, y in zip(ids, a, b, strict=True) if y and not x]
    return {"better": better, "than": than, **paired(a, b), "won": won, "lost": lost}


def comparisons(tables: Mapping[str, pd.DataFrame], pairs: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Paired comparisons, a line each: wins, losses, exact McNemar p, difference with its 95 % bootstrap interval."""
    import pandas as pd

    lines = []
    for better, than in pairs:
        found = compare(tables, better, than)
        difference = f"{100 * found['diff']:+.1f} ({100 * found['low']:+.1f} to {100 * found['high']:+.1f})"
        lines.append(
            {"comparison": f"{better} against {than}", "wins": found["wins"], "losses": found["losses"],
             "difference in points": difference, "p": round(found["p"], 3)}
        )  # fmt: skip
    return pd.DataFrame(lines).set_index("comparison")


def _same_rows(tables: Mapping[str, pd.DataFrame]) -> None:
    ids = {name: table["id"].tolist() for name, table in tables.items()}
    first = next(iter(ids.values()), [])
    for name, found in ids.items():
        if found != first:
            raise LlmergeError(f"{name} was evaluated on other conflicts than the rest: evaluate all on the same rows.")


def load_evaluation(name: str, output_dir: str | Path = OUTPUT_DIR) -> pd.DataFrame | None:
    """The table of an earlier evaluation, or None."""
    import pandas as pd

    path = resolve(output_dir) / f"{name}.csv"
    return pd.read_csv(path, keep_default_na=False, dtype=dict.fromkeys(TEXTS, str)) if path.exists() else None


def teacher_table(rows: Sequence[Mapping[str, Any]], *, output_dir: str | Path = OUTPUT_DIR) -> pd.DataFrame:
    """The teacher on the same conflicts: its replies from 01 where it was asked, elsewhere the rules'.

    `model` says which of the two answered. 01 writes `teacher.csv`; nothing is written here.
    """
    import pandas as pd

    from llmerge_helpers.baselines.simple import explain
    from llmerge_helpers.conflicts.prompts import render_reply

    table = load_evaluation("teacher", output_dir)
    known = {line["id"]: line for line in table.to_dict("records") if line.get("model")} if table is not None else {}
    lines = []
    for i, row in enumerate(rows):
        kept = known.get(row.get("id"))
        if kept is None:
            hunk, reasoning = explain(row)
            reply = render_reply(reasoning, _resolved(row, hunk))
            lines.append(_line("teacher", row, i, verify(reply, row), reply, "stop", 0, "", model="rules"))
        elif kept["match_type"] == "failed":
            lines.append(kept)
        else:
            lines.append(_replied("teacher", row, i, kept, kept["model"]))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def side_by_side(tables: Mapping[str, pd.DataFrame], n: int = 3) -> pd.DataFrame:
    """The verdicts on the first conflicts, a column a model; who that was is said where the table knows."""
    import pandas as pd

    _same_rows(tables)
    columns = {
        _label(name, table.head(n)): table["match_type"].str.replace("_", " ").head(n).tolist()
        for name, table in tables.items()
    }
    index = pd.Index(next(iter(tables.values()))["id"].head(n).tolist(), name="conflict")
    return pd.DataFrame(columns, index=index)


def _label(name: str, table: pd.DataFrame) -> str:
    """The name, and in brackets the model that answered.

    >>> import pandas as pd
    >>> _label("teacher", pd.DataFrame({"model": ["deepseek-chat", "deepseek-chat"]}))
    'teacher (deepseek-chat)'
    """
    found = [model for model in dict.fromkeys(table.get("model", ())) if model]
    return f"{name} ({', '.join(found)})" if found else name
