"""A model on conflicts that training never saw: verdicts with intervals, paired comparison, baselines on the same rows.

Every evaluation writes `outputs/evaluation/<name>.csv`, one line a conflict, batch by batch: one that was stopped goes
on, and one that was done is read back.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmerge_helpers import rendering
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.files import in_place, read_jsonl, write_atomic, write_jsonl
from llmerge_helpers.hub import choose_base_model
from llmerge_helpers.prompts import messages, parse_question, render_answer, render_question
from llmerge_helpers.run import finished, progress, resolve, shown
from llmerge_helpers.stats import paired, rate
from llmerge_helpers.verdict import verify

if TYPE_CHECKING:
    import pandas as pd

    from llmerge_helpers.devices import Device, Plan

OUTPUT_DIR = "outputs/evaluation"
BASELINES = ("ours", "theirs", "union", "token_merge", "rules")
COLUMNS = (
    "id", "name", "match_type", "is_correct", "answered", "format", "finish_reason", "tokens", "repository", "language",
    "kind", "detail", "reply", "key", "model",
)  # fmt: skip
JOURNAL = ("key", "reply", "finish_reason", "tokens")  # what is kept of a reply; the verdict is made from the row
TEXTS = ("id", "reply", "key", "model")  # never numbers, whatever they look like
NO_ANSWER = ("unresolved", "invalid_output", "truncated", "failed")


@dataclass(frozen=True)
class Completion:
    """One generated reply: what the template had opened and what the model wrote, and whether it stopped by itself."""

    text: str
    finish_reason: str  # "stop" or "length"
    tokens: int


def complete(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int = 16,
    on_batch: Any = None,
) -> list[Completion]:
    """Replies to rendered prompts, in their order, decoded greedily.

    Prompts of similar length share a batch, padded on the left, so that padding costs little and every reply starts
    right after its prompt. `on_batch(indices, completions)` is called after each batch.
    """
    import torch

    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    done: dict[int, Completion] = {}
    device = next(model.parameters()).device
    was_training, cache = model.training, model.config.use_cache
    model.eval()
    ends = sorted(end_ids(model, tokenizer))
    try:
        for start in range(0, len(order), batch_size):
            indices = order[start : start + batch_size]
            ids = [rendering.prompt_ids(tokenizer, prompts[i]) for i in indices]
            width = max(map(len, ids))
            padded = torch.full((len(ids), width), tokenizer.pad_token_id)
            mask = torch.zeros((len(ids), width), dtype=torch.long)
            for row, tokens in enumerate(ids):
                padded[row, width - len(tokens) :] = torch.tensor(tokens)
                mask[row, width - len(tokens) :] = 1
            with torch.no_grad():
                out = model.generate(
                    input_ids=padded.to(device),
                    attention_mask=mask.to(device),
                    max_new_tokens=max_new_tokens,
                    eos_token_id=ends,
                    pad_token_id=tokenizer.pad_token_id,
                    use_cache=True,
                    do_sample=False,
                )
            fresh = [
                _completion(tokenizer, prompts[i], out[row, width:].tolist(), ends) for row, i in enumerate(indices)
            ]
            done.update(zip(indices, fresh, strict=True))
            if on_batch is not None:
                on_batch(indices, fresh)
    finally:
        model.train(was_training)
        model.config.use_cache = cache
    return [done[i] for i in range(len(prompts))]


def end_ids(model: Any, tokenizer: Any) -> frozenset[int]:
    """The tokens that end a reply: the template's end of a turn, the tokenizer's own, and those the model declares.

    GRPO stops at the same ones, so that a reply is cut off in training where it is in an evaluation.
    """
    declared = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    declared = [declared] if isinstance(declared, int) else declared or []
    end = tokenizer.convert_tokens_to_ids(rendering.end_of_turn_token(tokenizer))
    return frozenset({end, tokenizer.eos_token_id, *declared})


def _completion(tokenizer: Any, prompt: str, generated: list[int], ends: Sequence[int]) -> Completion:
    stop = next((n for n, token in enumerate(generated) if token in ends), None)
    words = generated if stop is None else generated[:stop]
    text = rendering.prefill(prompt) + tokenizer.decode(words, skip_special_tokens=False)
    return Completion(text, "length" if stop is None else "stop", len(words))


def load_for_evaluation(model: str, plan: Plan | None = None) -> tuple[Any, Any, str]:
    """(model, tokenizer, identity) of a LoRA adapter's folder, or of a base model by folder, hub id or `auto`.

    `plan` is how the run loads its weights: a model that only fits in 4 bit is measured in 4 bit. Without one, the
    weights are 32 bit on a CPU and 16 bit on a GPU. An adapter in float32 is merged in memory, which makes decoding
    about twice as fast on a CPU.
    """
    from llmerge_helpers import models
    from llmerge_helpers.devices import found_device

    plan = plan or _plan(found_device())
    precision = "+4bit" if plan.load_in_4bit else ""  # other weights, other replies
    folder = resolve(model)
    if (folder / "adapter_config.json").exists():
        policy = models.load_policy(folder, plan, trainable=False)
        identity = f"{policy.lineage['base_identity']}+{models.adapter_hash(policy.model)}{precision}"
        merged = plan.dtype == "float32" and not plan.load_in_4bit
        loaded = policy.model.merge_and_unload() if merged else policy.model
        return loaded.eval(), policy.tokenizer, identity
    base = models.locate(choose_base_model(model, plan.device.gpu_gib))
    identity = models.base_identity(base) + precision
    return models.load_base(base, plan).eval(), models.load_tokenizer(base), identity


def _plan(device: Device) -> Plan:
    from llmerge_helpers.devices import Plan

    dtype = "float32" if device.kind == "cpu" else "bfloat16" if (device.capability or (0, 0)) >= (8, 0) else "float16"
    return Plan(device, dtype, False, False, False, 1, False, 0.0)


def evaluate(
    model: str | tuple[Any, Any, str],
    rows: Sequence[Mapping[str, Any]],
    name: str,
    *,
    max_new_tokens: int = 512,
    batch_size: int = 16,
    plan: Plan | None = None,
    output_dir: str | Path = OUTPUT_DIR,
) -> pd.DataFrame:
    """One line a conflict: its verdict and what the model wrote; greedy, so that a second run says the same.

    `model` is a folder, a hub id, or what `load_for_evaluation` gave; `plan` is the plan of its run. Only prompts
    without a reply of this model at this `max_new_tokens` are asked: the journal `<name>.jsonl` keeps replies, and
    verdicts are made anew, so a corrected row counts at once. Writes `<name>.csv`.
    """
    rows = list(rows)
    if not rows:
        raise LlmergeError(f"there are no conflicts to evaluate {name} on: the test split is empty.")
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
    from llmerge_helpers.baselines import resolve as baseline

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
    from llmerge_helpers.prompts import render_reply

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

    from llmerge_helpers.verdict import MATCH_TYPES

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


def reader_examples(dataset: str = "auto", n: int = 3) -> list[dict[str, Any]]:
    """The conflicts that the reader follows from 01 to 04: the first of the test split."""
    from llmerge_helpers import merges

    test = merges.load(merges.dataset_path(dataset))["test"]
    return [dict(test[i]) for i in range(min(n, len(test)))]


def held_out(dataset: str, n: int = 0, seed: int = 0, *, sft_model: str = "") -> list[dict[str, Any]]:
    """Conflicts that no training saw: the reader's three, then others of the test split in random order, `n` in all.

    `dataset` is one of 02's; the run.json of 02 and 01 lead to the merges that it was made from. Those may have been
    split anew since: a test row that is in `dataset`, or in the one that `sft_model` was trained on, is left out, and
    so is one that is nearly the same as a row there.
    """
    import random

    from llmerge_helpers import merges
    from llmerge_helpers.filters import NEAR_DUPLICATE, conflict_of, conflict_text
    from llmerge_helpers.similarity import near_duplicates_of, sketches

    source = merges.dataset_path(source_of(dataset))
    test = merges.load(source)["test"]
    if not len(test):
        raise LlmergeError(f"{shown(source)} has no test conflicts to measure on: build it with a test_size above 0.")
    sft_data = (finished(sft_model) or {}).get("parameters", {}).get("dataset", "") if sft_model else ""
    names, texts = _trained_on([dataset, sft_data] if sft_data else [dataset])
    unnamed = [(i, row) for i, row in enumerate(_asked(test)) if names.isdisjoint((row.get("id", ""), row["question"]))]
    sketched = sketches(conflict_text(conflict_of(row)) for _, row in unnamed)
    copies = near_duplicates_of(sketched, list(sketches(texts)), NEAR_DUPLICATE)
    fresh = [i for (i, _), copy in zip(unnamed, copies, strict=True) if copy is None]
    dropped = len(test) - len(fresh)
    if dropped:
        where = f"{dropped} of {len(test)} test conflicts in {shown(source)} are in the training data, or nearly so"
        if not fresh:
            raise LlmergeError(f"{where}: it was split anew, so run 01 and 02 again (cached answers are reused).")
        print(f"{where}, and are not used here.")
    first, others = fresh[:3], fresh[3:]
    random.Random(seed).shuffle(others)
    return [dict(test[i]) for i in (first + others)[: n or None]]


def _trained_on(datasets: Sequence[str]) -> tuple[set[str], list[str]]:
    """Ids and questions, and the texts of the conflicts, in datasets of 02; nothing for one that is not there."""
    from datasets import load_from_disk

    from llmerge_helpers.filters import conflict_of, conflict_text

    names: set[str] = set()
    texts: dict[str, None] = {}
    for folder in (in_place(resolve(each)) for each in datasets):
        if not any((folder / name).exists() for name in ("dataset_dict.json", "state.json")):
            continue
        data = load_from_disk(str(folder))
        for split, rows in (data if isinstance(data, dict) else {"train": data}).items():
            if split == "test":  # of a dataset of merges, where training sees only the rest
                continue
            for row in _asked(rows):
                prompt = row.get("prompt") or ""
                asked = row.get("question") or (prompt if isinstance(prompt, str) else prompt[-1]["content"])
                names.update((row.get("id"), row.get("question"), asked))
                texts[conflict_text(conflict_of(row | {"question": asked}))] = None
    return names - {"", None}, list(texts)


def _asked(rows: Any) -> Any:
    """The columns that tell conflicts apart, without the whole files that rows of merges carry."""
    from llmerge_helpers.filters import PARTS

    return rows.select_columns([c for c in ("id", "question", "prompt", *PARTS) if c in rows.column_names])


def source_of(dataset: str) -> str:
    """The merges dataset that a dataset of 02 was made from, as its run.json tells; `auto` where nothing tells."""
    from llmerge_helpers.replies import dataset_of

    folder = resolve(dataset)
    for place in (folder, folder.parent, folder.parent / "sft_dataset"):
        examples = (finished(place) or {}).get("parameters", {}).get("examples")
        found = dataset_of(examples) if examples else None
        if found:
            return found
    return "auto"


def teacher_table(rows: Sequence[Mapping[str, Any]], *, output_dir: str | Path = OUTPUT_DIR) -> pd.DataFrame:
    """The teacher on the same conflicts: its replies from 01 where it was asked, elsewhere the rules'.

    `model` says which of the two answered. 01 writes `teacher.csv`; nothing is written here.
    """
    import pandas as pd

    from llmerge_helpers.baselines import explain
    from llmerge_helpers.prompts import render_reply

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
