"""Datasets on disk, each with a card that says what is in it and what is not; and the way to the Hub."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from llmerge_helpers.conflicts import Row
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import from_root, shown

if TYPE_CHECKING:
    from llmerge_helpers.prepare.candidates import Candidate
    from llmerge_helpers.prepare.datasets import Prepared

TITLES = {
    "full": "Merge conflicts with a teacher's reasoning: every finished reply",
    "correct_only": "Merge conflicts with a teacher's reasoning: accepted replies",
    "grpo": "Merge conflicts with the teacher's pass rate",
}
WHAT = {
    "full": "Each row is one merge conflict (`prompt`) and one teacher reply, reasoning first (`completion`), "
    "right or wrong: `match_type` says which.",
    "correct_only": "Each row is one merge conflict (`prompt`) and one teacher reply, reasoning first "
    "(`completion`), whose verdict was accepted.",
    "grpo": "Each row is one merge conflict (`prompt`), what the rewards need to judge an answer, how often the "
    "teacher got it right (`pass_rate`), and whether it is in no SFT data (`practice`).",
}

_COMMITTED = (
    " An answer of `developers` is the resolution that was committed, so it is right by definition; a program wrote "
    "the reasoning."
)


def data_card(name: str, prepared: Prepared, facts: Mapping[str, str | None], max_tokens: int) -> str:
    """The `README.md` of a dataset in the Hub's format: YAML head, then what a user of the data has to know.

    `facts` may hold `dataset`, `teacher`, `served_models` and `prompt_version`.
    """
    dataset = prepared.datasets[name]
    total = sum(len(part) for part in dataset.values())
    used = {str(i) for part in dataset.values() for i in part["id"]}
    candidates = [c for c in prepared.candidates if str(c.key) in used]
    rows = {str(c.key): c.example["row"] for c in candidates}
    licences = Counter(row.get("license") or "unknown" for row in rows.values())
    head = {
        "pretty_name": TITLES[name],
        "license": "other" if len(licences) != 1 or "unknown" in licences else next(iter(licences)).lower(),
        "language": ["en", "code"],
        "task_categories": ["text-generation"],
        "size_categories": [_size(total)],
        "tags": ["git", "merge-conflict", "reasoning", "grpo" if name == "grpo" else "sft", "trl"],
        "source_datasets": ["original"],
        "annotations_creators": ["machine-generated"],
    }
    teachers = _teachers(candidates, name)
    parts = [
        _yaml(head),
        f"# {TITLES[name]}",
        WHAT[name] + (f" Accepted: {', '.join(prepared.accept)}." if name == "correct_only" else ""),
        "## Counts",
        _table(["split", "rows"], [(split, len(part)) for split, part in dataset.items()]),
    ]
    if name != "grpo":
        parts += [
            _counted("verdict", [m for part in dataset.values() for m in part["match_type"]]),
            _counted("source of the reasoning", [s for part in dataset.values() for s in part["thinking_source"]]),
            "## What was dropped",
            _table(["step", "replies"], prepared.steps[name]),
            f"A row has at most {max_tokens:,} tokens through the chat template of {prepared.tokenizer.name}"
            f"{' (estimated)' if prepared.tokenizer.estimated else ''}; none was cut to fit.",
        ]
    parts += [
        "## Split",
        "\n".join(f"* {note}" for note in prepared.notes),
        "## Sources and licences",
        f"The conflicts come from {facts.get('dataset') or 'the dataset that 01_generate was run on'}. Each row's "
        "code stays under the licence of its repository.",
        _table(["repository", "licence", "conflicts"], _repositories(list(rows.values()))),
        _counted("language", [row.get("language") or "unknown" for row in rows.values()]),
        "## Teacher",
        f"The reasoning and the answers were written by {', '.join(each[0] for each in teachers) or 'no teacher'}"
        + (f", prompt version {facts['prompt_version']}" if facts.get("prompt_version") else "")
        + "."
        + (_COMMITTED if any(c.example.get("teacher") == "developers" for c in candidates) else "")
        + " Check that the teacher's terms allow training on its output, and that your use fits the licences above.",
        _table(["teacher", "conflicts", "replies", "right", *(["rows"] if name != "grpo" else [])], teachers),
        "## Limits",
        "* A verdict compares with one committed resolution; another one may be as good, and counts as wrong here.\n"
        "* Names, comments and code of the repositories are as their authors wrote them; nothing was anonymised.\n"
        "* Reasoning with the source `facts` was written by a program from the conflict itself, not by the teacher.\n"
        "* Conflicts near one of the test split, and near-duplicates of each other, are left out.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _teachers(candidates: Sequence[Candidate], name: str) -> list[tuple[str | int, ...]]:
    """For each teacher: the conflicts here that it answered, its replies, how many are right, and how many are rows."""
    by: dict[str, list[Candidate]] = {}
    for c in candidates:
        by.setdefault(c.teacher, []).append(c)
    lines = []
    for teacher, some in sorted(by.items()):
        right = sum(bool(c.example["verdict"]["is_correct"]) for c in some)
        rows = () if name == "grpo" else (sum(name not in c.dropped for c in some),)
        lines.append((teacher, len({c.key for c in some}), len(some), right, *rows))
    return lines


def push_to_hub(path: str | Path, repo_id: str, private: bool = True) -> str:
    """Send a prepared dataset and its card to the Hub (private unless told otherwise); the address comes back.

    Nothing in the notebooks calls this. The token is that of `hf auth login` or `HF_TOKEN`, the Hub the one of
    `HF_ENDPOINT` where it is set.
    """
    from datasets import load_from_disk
    from huggingface_hub import HfApi

    path = from_root(path)
    if not (path / "dataset_dict.json").exists():
        raise LlmergeError(
            f"{shown(path)} holds no dataset: run `papermill notebooks/02_inspect_and_prepare.ipynb out.ipynb`."
        )
    api = HfApi()
    api.create_repo(repo_id, repo_type="dataset", private=private, exist_ok=True)
    api.upload_file(
        path_or_fileobj=str(path / "README.md"), path_in_repo="README.md", repo_id=repo_id, repo_type="dataset"
    )
    load_from_disk(str(path)).push_to_hub(repo_id, private=private)  # adds its own fields to the card that is there
    return f"{api.endpoint}/datasets/{repo_id}"


def _size(n: int) -> str:
    """The Hub's word for a number of rows.

    >>> _size(57), _size(1000), _size(12_345_678)
    ('n<1K', '1K<n<10K', '10M<n<100M')
    """
    if n < 1000:
        return "n<1K"
    power = len(str(n)) - 1
    names = [f"{10 ** (p % 3)}{'KMB'[p // 3 - 1]}" for p in (power, power + 1)]
    return f"{names[0]}<n<{names[1]}"


def _yaml(head: Mapping[str, str | list[str]]) -> str:
    lines = ["---"]
    for key, value in head.items():
        lines += [f"{key}:", *(f"- {item}" for item in value)] if isinstance(value, list) else [f'{key}: "{value}"']
    return "\n".join([*lines, "---"])


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in cells
    )


def _counted(name: str, values: Sequence[str]) -> str:
    counts = Counter(values)
    return _table([name, "rows"], sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _repositories(rows: Sequence[Row], most: int = 60) -> list[tuple[str, str, int]]:
    counts = Counter((row.get("repository") or "unknown", row.get("license") or "unknown") for row in rows)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown_rows = [(repository, licence, count) for (repository, licence), count in order[:most]]
    rest = sum(count for _, count in order[most:])
    return [*shown_rows, (f"{len(order) - most} more", "", rest)] if rest else shown_rows
