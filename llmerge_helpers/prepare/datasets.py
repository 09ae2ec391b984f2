"""From teacher replies to training data: every reply is kept, or dropped for one reason that is counted and written."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from llmerge_helpers import merges, models
from llmerge_helpers.conflicts import Conflict, Form, Row
from llmerge_helpers.conflicts.prompts import TEXTS
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Example
from llmerge_helpers.merges.dataset import without_bars, write_dataset
from llmerge_helpers.merges.splits import group_by_shared_keys, held_out_groups, merge_of, split_fingerprint, split_keys
from llmerge_helpers.models import ChatTokenizer, load_chat_tokenizer, render_prompt
from llmerge_helpers.prepare.candidates import (
    FLAGS,
    STEPS,
    STEPS_CORRECT,
    Candidate,
    candidate_of,
    count_tokens,
    drop,
    near_equals,
    number_groups,
    one_conflict_a_group,
    shortest,
)
from llmerge_helpers.prepare.dataset_card import data_card
from llmerge_helpers.prepare.exports import pairs, write_exports
from llmerge_helpers.run import from_root, shown
from llmerge_helpers.run.files import room_beside, write_atomic, write_jsonl
from llmerge_helpers.verdict import MATCH_TYPES

if TYPE_CHECKING:
    import pandas as pd
    from datasets import DatasetDict, Features

HELD_OUT_CARD = (
    "# Conflicts that no training saw\n\n"
    "The test split of the data set of merges, as 02 found it. 03 and 04 measure models on it; train on none of it.\n"
)
# what the rewards and the evaluation of 04 need of a row, beside the prompt
ROW_COLUMNS = (
    "id", "repository", "path", "language", "kind", *TEXTS, "resolution", "prefix", "suffix", "question", "answer",
)  # fmt: skip


@dataclass
class Prepared:
    """The datasets that were built, and what a person wants to know about how."""

    datasets: dict[str, DatasetDict]  # full, correct_only, grpo
    paths: dict[str, Path]
    steps: dict[str, list[tuple[str, int]]]  # by dataset: all replies, then how many each step dropped
    candidates: list[Candidate] = field(repr=False)
    tokenizer: ChatTokenizer
    accept: tuple[str, ...]
    notes: list[str]
    split: merges.Split  # what was held out, and of which data set of merges

    def results(self) -> dict[str, object]:
        """The figures for run.json: where conflicts are from, rows by dataset and split, what was dropped, whose."""
        rows = {name: {split: len(part) for split, part in d.items()} for name, d in self.datasets.items()}
        dropped = {name: dict(steps[1:]) for name, steps in self.steps.items()}
        more = {"dropped": dropped, "tokenizer": self.tokenizer.name, "notes": self.notes}
        split = {"dataset": self.split.source, "split": self.split.fingerprint, "heldout": self.split.folder}
        split |= {"siblings": self.split.siblings} if self.split.siblings else {}
        teachers = sorted({c.teacher for c in self.candidates})
        return split | {"rows": rows, "teachers": teachers, **more}

    def card(self, name: str) -> str:
        """The first part of a data set's card, for a notebook: no YAML head, and headings two steps lower."""
        text = (self.paths[name] / "README.md").read_text(encoding="utf-8")
        return text.split("---\n", 2)[2].partition("## What was dropped")[0].replace("\n#", "\n###")

    def counts(self) -> pd.DataFrame:
        """Rows by dataset, split and verdict."""
        import pandas as pd

        rows = []
        for name in ("full", "correct_only"):
            for split, part in self.datasets.get(name, {}).items():
                found = Counter(part["match_type"])
                rows.append({"dataset": name, "split": split, "rows": len(part)} | {m: found[m] for m in MATCH_TYPES})
        for split, part in self.datasets["grpo"].items():
            rows.append({"dataset": "grpo", "split": split, "rows": len(part)})
        frame = pd.DataFrame(rows, dtype=object)
        frame = frame.loc[:, [c for c in frame if c not in MATCH_TYPES or frame[c].sum()]]
        return frame.where(frame.notna(), "")

    def flags(self) -> pd.DataFrame:
        """How many replies have each flag."""
        import pandas as pd

        found = Counter(flag for c in self.candidates if c.match_type != "failed" for flag in c.thinking.flags)
        return pd.DataFrame([{"flag": f, "meaning": FLAGS[f], "replies": found[f]} for f in FLAGS])

    def reasoning_sources(self) -> pd.DataFrame:
        """Where the reasoning of the replies comes from, and how long it is."""
        import pandas as pd

        by_source: dict[str, list[int]] = {}
        for c in [c for c in self.candidates if c.match_type != "failed"]:
            by_source.setdefault(c.thinking.source, []).append(len(c.thinking.text.split()))
        rows = [
            {"thinking_source": s, "replies": len(w), "median words": sorted(w)[len(w) // 2]}
            for s, w in by_source.items()
        ]
        return pd.DataFrame(rows).sort_values("replies", ascending=False, kind="stable")


def prepare(
    examples: Sequence[Example],
    output_dir: str | Path = "outputs/sft_dataset",
    *,
    held_out: Sequence[Row] = (),
    merged: Sequence[Row] = (),
    accept: str | Sequence[str] = ("exact_match", "normalized_match"),
    correct_only: bool = False,
    max_tokens: int = 8192,
    max_near_equal: int = 1,
    base_model: str = "auto",
    style: str = "auto",
    input: str = "sides",
    hints: bool = False,
    siblings: int = 0,
    context: str = "",
    validation_size: float = 0.1,
    grpo_share: float = 0.0,
    keep: str = "shortest",
    drop_flagged: bool = False,
    seed: int = 0,
    facts: Mapping[str, str | None] | None = None,
    runs: Sequence[Path] = (),
) -> Prepared:
    """Build `full` and `correct_only` (only the latter with `correct_only`) and the GRPO dataset beside them.

    `held_out` are the test rows of the merges dataset: nothing near one of them is used, and they are laid beside the
    data sets, where 03 and 04 read them. Of conflicts of one merge that are nearly the same change, `max_near_equal`
    are used (0: all that are no near-duplicates with the lines around them). `style`, `input`, `hints`, `siblings`
    and `context` say how the student is asked (`conflicts.Form`; auto is compact for a small `base_model`); siblings
    are looked for in `merged`, the rows of the training split, or else among the examples. `keep` is `shortest` (of
    several right replies to a conflict, whoever wrote them, the one with the shortest reasoning) or `all`. `facts` go
    on the data cards. `runs` are the folders of 01: what their teachers said of the reader's conflicts goes beside the
    data. Of the solved conflicts to train on, `grpo_share` are left to GRPO, which learns nothing from what SFT has
    taught by heart. Nothing is written before everything is built; the same input gives the same bytes. Raises
    `LlmergeError` where a dataset would be empty, with the parameter to change.
    """
    test = [Conflict.of(row) for row in _without_files(held_out)]
    accept = _check(accept, max_tokens, max_near_equal, validation_size, grpo_share, keep)
    tokenizer, notes = load_chat_tokenizer(base_model), []
    names = ["correct_only"] if correct_only else ["full", "correct_only"]
    style = ("compact" if models.is_small(tokenizer.name) else "full") if style == "auto" else style
    form = Form(style, input, hints, siblings, context).checked()
    rows = [example["row"] for example in examples]
    asked = merges.with_earlier(rows, merged or rows, siblings)
    candidates = [candidate_of(example, form, row) for example, row in zip(examples, asked, strict=True)]
    if not candidates:
        raise LlmergeError("there are no examples: run 01_generate with a larger limit.")
    if tokenizer.estimated:
        notes.append(f"Token lengths are estimated from characters: the tokenizer of {tokenizer.name} is out of reach.")

    drop(candidates, "failed", lambda c: c.match_type == "failed")
    drop(candidates, "truncated", lambda c: c.match_type == "truncated")
    drop(candidates, "invalid", lambda c: c.match_type == "invalid_output")
    drop(candidates, "around", lambda c: not c.completion)
    held_out_keys = number_groups(candidates, test)
    drop(candidates, "test", lambda c: c.group in held_out_keys)
    seen: set[tuple[str, str]] = set()
    drop(candidates, "again", lambda c: (c.key, c.completion) in seen or seen.add((c.key, c.completion)))
    count_tokens(candidates, tokenizer)
    drop(candidates, "long", lambda c: c.n_tokens > max_tokens)
    chosen = one_conflict_a_group(candidates, accept)  # of those whose replies can be used
    drop(candidates, "duplicate", lambda c: chosen[c.group] != c.key)
    pool = [c for c in candidates if c.group not in held_out_keys and chosen[c.group] == c.key]
    spare = near_equals(pool, accept, max_near_equal)
    drop(candidates, "near_equal", lambda c: c.key in spare)
    drop(candidates, "wrong", lambda c: c.match_type not in accept, "correct_only")
    if drop_flagged:
        drop(candidates, "flagged", lambda c: bool(c.thinking.flags), "correct_only")
    if keep == "shortest":
        best = shortest(candidates)
        drop(candidates, "longer", lambda c: best[c.key] is not c, "correct_only")
    for name in names:
        _refuse_empty(candidates, name, accept, max_tokens)

    pool = [c for c in pool if c.key not in spare]
    if siblings and len({merge_of(c.example["row"]) for c in pool}) < 2:
        raise LlmergeError(
            "siblings needs conflicts of several merges: of one alone, a question to train on would tell how those to "
            "validate on were resolved. Set siblings to 0."
        )
    notes.append(_split(pool, validation_size, seed))
    practice = _practice(pool, grpo_share, seed)
    drop(candidates, "practice", lambda c: c.key in practice)
    if practice:
        notes.append(f"{len(practice)} conflicts that a teacher solved are left to GRPO, and in no SFT data.")
    notes += _undecided(pool) + _paired(candidates, accept)
    off = {"flagged"} if not drop_flagged else set()
    off |= {"practice"} if not practice else set()
    off |= {"longer"} if keep != "shortest" else set()
    output_dir = from_root(output_dir)
    paths = {name: output_dir / name for name in names}
    paths |= {"grpo": _beside(output_dir, "grpo"), "heldout": _beside(output_dir, "heldout")}
    with room_beside(output_dir) as room:
        built = {name: _sft(candidates, name, room) for name in names}
        built["grpo"], hard = _grpo(pool, practice, tokenizer, max_tokens, room)
        steps = {name: _steps(candidates, name, off) for name in names}
        source = str((facts or {}).get("dataset") or "")
        split = merges.Split(
            shown(paths["heldout"]) if test else "", split_fingerprint(_without_files(held_out)), source, siblings
        )
        prepared = Prepared(built, paths, steps, candidates, tokenizer, accept, [*notes, *hard], split)
        assert_no_leak(prepared, test)
        _write(prepared, output_dir, facts or {}, max_tokens)
        _write_held_out(held_out, paths["heldout"])
        for folder in (output_dir, paths["grpo"]):
            _write_teachers(runs, folder / "teacher.csv")
    return prepared


def _beside(output_dir: Path, what: str) -> Path:
    """The folder of `what` beside that of the SFT data: grpo_dataset and heldout beside sft_dataset."""
    name = output_dir.name
    if name == "sft_dataset" and what == "heldout":
        return output_dir.with_name(what)
    return output_dir.with_name(name.replace("sft", what) if "sft" in name else f"{name}_{what}")


def _without_files(rows: Sequence[Row]) -> Iterable[Row]:
    """The rows with what makes their conflicts alone: each of a data set carries a whole file, too."""
    columns = getattr(rows, "column_names", None)
    wanted = (*TEXTS, "question", "path", "language")
    return rows.select_columns([c for c in wanted if c in columns]) if columns else rows


def _write_held_out(rows: Sequence[Row], path: Path) -> None:
    from datasets import Dataset, DatasetDict

    if not len(rows):  # nothing to measure on; an older folder would be taken for this run's
        shutil.rmtree(path, ignore_errors=True)
        return
    with room_beside(path) as room, without_bars():
        if isinstance(rows, Dataset):  # its own cache would lie among the files of the data set of merges
            test = rows.flatten_indices(cache_file_name=str(room / "rows.arrow"))
        else:
            test = Dataset.from_list([dict(row) for row in rows])
        save(DatasetDict(test=test), path, HELD_OUT_CARD)


def _write_teachers(runs: Sequence[Path], path: Path) -> None:
    """The tables of the runs' teachers as one, where 03 and 04 read it: those of whom the data is, and no other."""
    import pandas as pd

    # as text: an id may look like a number
    tables = [
        pd.read_csv(run / path.name, dtype=str, keep_default_na=False) for run in runs if (run / path.name).exists()
    ]
    if not tables:
        path.unlink(missing_ok=True)
        return
    write_atomic(path, pd.concat(tables).fillna("").to_csv(index=False, lineterminator="\n"))


def _check(
    accept: str | Sequence[str],
    max_tokens: int,
    max_near_equal: int,
    validation_size: float,
    grpo_share: float,
    keep: str,
) -> tuple[str, ...]:
    names = tuple(name.strip() for name in (accept.split(",") if isinstance(accept, str) else accept) if name.strip())
    unknown = [name for name in names if name not in MATCH_TYPES[:5]]
    if unknown or not names:
        raise LlmergeError(f"accept holds {unknown or 'nothing'}: give verdicts out of {', '.join(MATCH_TYPES[:5])}.")
    if max_tokens < 1:
        raise LlmergeError(f"max_tokens must be at least 1, got {max_tokens}.")
    if max_near_equal < 0:
        raise LlmergeError(f"max_near_equal is {max_near_equal}: give a number of conflicts, or 0 for all.")
    if not 0 <= validation_size < 1:
        raise LlmergeError(f"validation_size is a share from 0 to below 1, got {validation_size}.")
    if not 0 <= grpo_share < 1:
        raise LlmergeError(f"grpo_share is a share from 0 to below 1, got {grpo_share}.")
    if keep not in ("shortest", "all"):
        raise LlmergeError(f"keep must be 'shortest' or 'all', got {keep!r}.")
    return names


def _steps(candidates: Sequence[Candidate], name: str, off: Collection[str] = ()) -> list[tuple[str, int]]:
    """All replies, then how many each step dropped, without the steps that were turned off."""
    found = Counter(c.dropped[name] for c in candidates if name in c.dropped)
    words = STEPS | (STEPS_CORRECT if name == "correct_only" else {})
    return [("all replies", len(candidates)), *((text, found[step]) for step, text in words.items() if step not in off)]


def _refuse_empty(candidates: Sequence[Candidate], name: str, accept: Sequence[str], max_tokens: int) -> None:
    if any(name not in c.dropped for c in candidates):
        return
    step = Counter(c.dropped[name] for c in candidates).most_common(1)[0][0]
    lengths = [c.n_tokens for c in candidates if c.n_tokens]
    advice = {
        "test": "run 01_generate with split train",
        "long": f"raise max_tokens (now {max_tokens}; the shortest example has {min(lengths, default=0)})",
        "wrong": f"widen accept (now {', '.join(accept)}), or run 01_generate with a larger limit, more samples or a "
        "better teacher",
        "flagged": "set drop_flagged to False",
        "truncated": "raise max_tokens of 01_generate",
        "failed": "set right what kept the teacher from answering (results.csv of 01 says it), run 01_generate again",
    }.get(step, "run 01_generate with a larger limit or another teacher")
    why = "; ".join(f"{text}: {count}" for text, count in _steps(candidates, name)[1:] if count)
    raise LlmergeError(f"{name} would be empty ({len(candidates)} replies; {why}): {advice}.")


# ------------------------------------------------------------------------------------------------------- datasets


_UNITS = {"family": "repository families", "merge": "merges", "file": "files", "conflict": "conflicts"}


def _split(pool: Sequence[Candidate], validation_size: float, seed: int) -> str:
    """Put whole families (else merges, else files, else conflicts) on the validation side; the sentence that says so.

    A merge is never parted, unless it is the only one.
    """
    rows = {c.key: c.example["row"] for c in pool}
    level, keys = split_keys(list(rows.values()))
    group = {c.key: c.group for c in pool}
    units = [unit or f"conflict {key}" for unit, key in zip(keys, rows, strict=True)]
    # other hunks of a merge tell how it was decided, in other files too
    merged = [merge_of(row) or f"conflict {key}" for key, row in rows.items()]
    merged = merged if len(set(merged)) > 1 else units
    groups = group_by_shared_keys(list(zip(units, (group[key] for key in rows), merged, strict=True)))
    right = {c.key for c in pool if "correct_only" not in c.dropped}
    with_right = {g for key, g in zip(rows, groups, strict=True) if key in right}
    # in two goes, so that correct_only gets a validation side of the same share
    weights = [(g, float(key in right)) for key, g in zip(rows, groups, strict=True) if g in with_right]
    side = held_out_groups([g for g, _ in weights], [w for _, w in weights], validation_size, seed)
    others = [g for g in groups if g not in with_right]
    side |= held_out_groups(others, [1.0] * len(others), validation_size, seed, at_least_one=not side)
    split = {key: "validation" if g in side else "train" for key, g in zip(rows, groups, strict=True)}
    for c in pool:
        c.split = split[c.key]
    many = f"{len(set(groups))} {_UNITS[level]}"
    alone = {
        "family": "no family is on both sides",
        "merge": "there is only one repository family, so train and validation share it, but no merge",
        "file": "there is only one repository family, so train and validation share it, but no file",
        "conflict": "there is only one file (or none is named), so train and validation share it, but no conflict",
    }[level]
    count = Counter(split.values())
    return f"Split by {level} ({many}): {count['train']} conflicts train, {count['validation']} validate; {alone}."


def _practice(pool: Sequence[Candidate], share: float, seed: int) -> set[str]:
    """The solved conflicts to train on that SFT does without: about `share` of them, in whole merges where it can be.

    The others of a merge would tell SFT how it was decided.
    """
    solved = {c.key: c for c in pool if c.split == "train" and "correct_only" not in c.dropped}
    groups = [merge_of(c.example["row"]) or f"conflict {key}" for key, c in solved.items()]
    groups = groups if len(set(groups)) > 1 else list(solved)
    chosen = held_out_groups(groups, [1.0] * len(groups), share, seed, at_least_one=False)
    return {key for key, group in zip(solved, groups, strict=True) if group in chosen}


def _undecided(pool: Sequence[Candidate]) -> list[str]:
    """A sentence on the conflicts that nobody decided for certain; none where the data set does not tell."""
    rows = {c.key: c.example["row"] for c in pool}.values()
    undecided = sum(row.get("decided") is False for row in rows)
    if not undecided and not any(row.get("merge_size") for row in rows):
        return []
    return [
        f"{undecided or 'None'} of the {len(rows)} conflicts {'is' if undecided < 2 else 'are'} undecided: so we call "
        "those of a merge that took one parent's tree as it is, where nobody resolved a conflict for certain."
    ]


def _paired(candidates: Sequence[Candidate], accept: Sequence[str]) -> list[str]:
    """A sentence on the preference pairs; none where no conflict has a right and a wrong reply."""
    found = [pair["id"] for split in ("train", "validation") for pair in pairs(candidates, accept, split)]
    if not found:
        return []
    return [
        f"preferences.jsonl pairs a right reply with a wrong one {len(found)} times, for {len(set(found))} conflicts."
    ]


def _sft(candidates: Sequence[Candidate], name: str, work: Path) -> DatasetDict:
    from datasets import Features, List, Value

    message = List({"role": Value("string"), "content": Value("string")})
    texts = dict.fromkeys(("id", "match_type", "thinking_source"), Value("string"))
    numbers = dict.fromkeys(("example_id", "sample", "n_tokens"), Value("int64"))
    columns = {"prompt": message, "completion": message} | texts | numbers
    order = ("prompt", "completion", "example_id", "sample", "id", "match_type", "thinking_source", "n_tokens")
    features = Features({column: columns[column] for column in order})
    kept = [c for c in candidates if name not in c.dropped]
    return memory_mapped(
        {s: [c.sft_row() for c in kept if c.split == s] for s in ("train", "validation")}, features, work
    )


def _grpo(
    pool: Sequence[Candidate], practice: Collection[str], tokenizer: ChatTokenizer, max_tokens: int, work: Path
) -> tuple[DatasetDict, list[str]]:
    """One row a conflict, with the teacher's pass rate over the replies that came."""
    from datasets import Features, List, Value

    replies: dict[str, list[Candidate]] = {}
    for c in pool:
        replies.setdefault(c.key, []).append(c)
    uncounted = [some[0] for some in replies.values() if not any(c.n_prompt_tokens for c in some)]
    counts = tokenizer.count(render_prompt(tokenizer, c.prompt) for c in uncounted)
    for c, count in zip(uncounted, counts, strict=True):
        c.n_prompt_tokens = count
    rows: dict[str, list[dict[str, object]]] = {"train": [], "validation": []}
    left_out: Counter[str] = Counter()
    for key, some in replies.items():
        length = max(c.n_prompt_tokens for c in some)
        came = [c for c in some if c.match_type != "failed"]
        if not came or length > max_tokens:
            left_out["a prompt over max_tokens" if came else "no reply to tell how hard they are"] += 1
            continue
        row, c = some[0].example["row"], some[0]
        texts = {name: str(row.get(name, getattr(c.conflict, name, "")) or "") for name in ROW_COLUMNS}
        texts |= {side: row.get(side) for side in ("prefix", "suffix")}  # None, where the rest of the file is not known
        right = sum(bool(r.example["verdict"]["is_correct"]) for r in came)
        numbers = {"pass_rate": right / len(came), "samples": len(came), "n_prompt_tokens": length}
        numbers["practice"] = key in practice
        rows[c.split].append({"prompt": c.prompt, **texts, "id": str(key), **numbers})
    message = List({"role": Value("string"), "content": Value("string")})
    features = {"prompt": message, **dict.fromkeys(ROW_COLUMNS, Value("string"))}
    features |= {"pass_rate": Value("float64"), "samples": Value("int64"), "n_prompt_tokens": Value("int64")}
    features["practice"] = Value("bool")  # True: in no SFT data
    notes = [f"{count} conflicts are not in the GRPO dataset: {why}." for why, count in sorted(left_out.items())]
    return memory_mapped(rows, Features(features), work), notes


def assert_no_leak(prepared: Prepared, test: Iterable[Conflict] = ()) -> None:
    """Raise unless no conflict, nor its question, stands both in train and in validation or the held-out rows."""
    conflict = {str(c.key): c.conflict.text() for c in prepared.candidates}
    texts: dict[str, set[str]] = {"train": set(), "validation": set(), "test": {c.text() for c in test}}
    for dataset in prepared.datasets.values():
        for split, part in dataset.items():
            texts[split] |= {message[-1]["content"] for message in part["prompt"]} | {conflict[i] for i in part["id"]}
    for one, other in (("train", "validation"), ("train", "test"), ("validation", "test")):
        if texts[one] & texts[other]:
            raise LlmergeError(
                f"{len(texts[one] & texts[other])} conflicts are both in {one} and {other}: a bug, report it."
            )


def _write(prepared: Prepared, output_dir: Path, facts: Mapping[str, str | None], max_tokens: int) -> None:
    for name in {"full", "correct_only"} - set(prepared.datasets):
        shutil.rmtree(output_dir / name, ignore_errors=True)  # of an earlier run with other parameters
    cards = {name: data_card(name, prepared, facts, max_tokens) for name in prepared.datasets}
    for name in prepared.datasets:
        path = prepared.paths[name]
        prepared.datasets[name] = save(prepared.datasets[name], path, cards[name])
    write_jsonl(output_dir / "rejects.jsonl", (c.reject() for c in prepared.candidates if c.dropped))
    written = write_exports(prepared.candidates, prepared.accept, output_dir)
    lines = [f"tokenizer: {prepared.tokenizer.name}", f"max_tokens: {max_tokens}", *prepared.notes]
    for name, steps in prepared.steps.items():
        left = steps[0][1] - sum(count for _, count in steps[1:])
        lines += [f"{name}: {count} {text}" for text, count in steps] + [f"{name}: {left} kept"]
    for name, dataset in prepared.datasets.items():
        lines += [f"{name}/{split}: {len(part)} rows" for split, part in dataset.items()]
    lines += [f"{name}: {count} lines" for name, count in written.items()]
    for c in prepared.candidates:
        for name, step in c.dropped.items():
            lines.append(
                f"dropped from {name}: example {c.example['example_id']}.{c.example.get('sample') or 0}: {step}"
            )
    write_atomic(output_dir / "prepare_sft.log", "\n".join(lines) + "\n")


def memory_mapped(rows: Mapping[str, list[dict[str, object]]], features: Features, work: Path) -> DatasetDict:
    """The rows of each split in memory-mapped files below `work`: a GRPO row holds a whole source file."""
    import pyarrow
    from datasets import Dataset, DatasetDict, DatasetInfo

    built, schema, info = {}, features.arrow_schema, DatasetInfo(features=features)
    for split, part in rows.items():
        path = work / f"{len(list(work.iterdir()))}.arrow"
        with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, schema) as stream:
            for start in range(0, len(part), 100):
                stream.write_batch(pyarrow.RecordBatch.from_pylist(part[start : start + 100], schema=schema))
        built[split] = Dataset.from_file(str(path), info=info) if part else Dataset(schema.empty_table(), info=info)
    return DatasetDict(built)


def save(dataset: DatasetDict, path: Path, card: str) -> DatasetDict:
    """The dataset as read back from `path`, where it and its card were written as a whole.

    Readers see the old folder or the new one, never a part. The bytes depend on the rows alone.
    """
    from datasets import load_from_disk

    for part in dataset.values():  # the fingerprint goes to disk, and is drawn at random when left alone
        content = hashlib.sha256()
        for batch in part.data.to_reader(max_chunksize=256):
            content.update(batch.serialize())
        part._fingerprint = content.hexdigest()[:16]
    with room_beside(path) as room:
        write_dataset(dataset, path, room, card)
    return load_from_disk(str(path))
