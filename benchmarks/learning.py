"""Does it learn? SFT on the rule teacher's right answers, then GRPO, measured on conflicts of other repositories.

    python benchmarks/learning.py data WORK --train PATH… --test PATH…
    python -m llmerge_helpers.training sft WORK/sft.yaml
    python -m llmerge_helpers.training grpo WORK/grpo.yaml
    python benchmarks/learning.py table WORK

`data` mines the repositories, keeps short conflicts (a small model on a CPU has no time for long ones), leaves out of
the training side whatever shares a repository family with the test side or is nearly one of its conflicts, and writes
both datasets, the test rows and the two files of settings. Change those as you like. `table` evaluates what is there
(base, `WORK/sft_model`, `WORK/grpo_model`), resumes where it was stopped, and prints the tables.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

MODEL = "HuggingFaceTB/SmolLM2-135M-Instruct"
ROOM = 16  # tokens of a reply beyond the longest of training


def short_rows(paths: list[str], work: Path, context_lines: int, most: int) -> list[dict[str, Any]]:
    """Every labelled conflict of the repositories whose question and right answer take at most `most` tokens."""
    from llmerge_helpers import models
    from llmerge_helpers.collect import collect
    from llmerge_helpers.conflicts import messages, render_answer

    tokenizer = models.load_tokenizer(models.locate(MODEL))
    rows = []
    for row in collect(paths, work / "parts", context_lines=context_lines).rows():
        if len(row["question"]) + len(row["answer"]) > 8 * most:
            continue
        given, learned = models.training_text(tokenizer, messages(row), render_answer(row["answer"], row["language"]))
        if len(tokenizer(given + learned)["input_ids"]) <= most:
            rows.append(row)
    return rows


def taught(row: dict[str, Any]) -> dict[str, Any] | None:
    """A training row with the rule teacher's answer, and no reasoning; None where it is not right."""
    from llmerge_helpers import baselines
    from llmerge_helpers.conflicts import messages, render_answer
    from llmerge_helpers.verdict import verify

    hunk = baselines.resolve("rules", row)
    answer = None if hunk is None else render_answer(row["before"] + hunk + row["after"], row["language"])
    if answer is None or not verify(answer, row).is_correct:
        return None
    return {"prompt": messages(row), "completion": [{"role": "assistant", "content": answer}]}


def data(work: Path, given: argparse.Namespace) -> None:
    """Write the datasets, the test rows and the settings."""
    import yaml
    from datasets import Dataset, DatasetDict

    from llmerge_helpers.conflicts import Conflict, messages
    from llmerge_helpers.merges.splits import family_of, near_duplicates_of, sketches
    from llmerge_helpers.run.files import write_jsonl

    train = short_rows(given.train, work, given.context_lines, given.max_length)
    test = short_rows(given.test, work, given.context_lines, given.max_length)
    shuffle = random.Random(0).shuffle
    shuffle(test)
    test, families = test[: given.n], {family_of(row) for row in test}
    known = list(sketches(Conflict.of(row).text() for row in test))
    found = near_duplicates_of(sketches(Conflict.of(row).text() for row in train), known)
    train = [r for r, near in zip(train, found, strict=True) if near is None and family_of(r) not in families]
    shuffle(train)
    right = [(row, example) for row in train if (example := taught(row)) is not None]
    print(f"{len(train)} short conflicts to train on, {len(right)} answered right by the rules; {len(test)} to test")
    sft = [example for _, example in right]
    DatasetDict(train=Dataset.from_list(sft[32:]), validation=Dataset.from_list(sft[:32])).save_to_disk(work / "sft")
    columns = ("id", "before", "ours", "base", "theirs", "after", "answer", "language", "path", "kind", "repository")
    solved = {row["id"] for row, _ in right}
    grpo = [
        {"prompt": messages(row), **{c: row[c] or "" for c in columns}, "pass_rate": float(row["id"] in solved)}
        | {"thinking": False}
        for row in train
    ]
    DatasetDict(train=Dataset.from_list(grpo)).save_to_disk(work / "grpo")
    write_jsonl(work / "test.jsonl", test)
    common = {"max_steps": -1, "report_to": "none", "seed": 0}
    settings = {
        "sft": {"dataset": str(work / "sft"), "base_model": MODEL, "output_dir": str(work / "sft_model"), "epochs": 3.0}
        | {"batch_size": 8, "lora_rank": 32, "max_length": given.max_length, "save_steps": 40, **common},
        "grpo": {"dataset": str(work / "grpo"), "sft_model": str(work / "sft_model"), "num_generations": 8}
        | {"output_dir": str(work / "grpo_model"), "save_steps": 10, **common, "max_steps": 60},
    }
    for name, values in settings.items():
        (work / f"{name}.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")


def table(work: Path) -> None:
    """Evaluate what is there and print it."""
    from llmerge_helpers import evaluate, training
    from llmerge_helpers.models import read_lineage
    from llmerge_helpers.run.files import read_jsonl

    rows = list(read_jsonl(work / "test.jsonl"))
    stages = {"base": MODEL, "sft": str(work / "sft_model"), "grpo": str(work / "grpo_model")}
    stages = {name: each for name, each in stages.items() if name == "base" or (Path(each) / "lineage.json").exists()}
    budget = training.completion_budget(read_lineage(stages["sft"])) + ROOM if "sft" in stages else 200
    out = {"output_dir": work / "evaluation"}
    tables = {name: evaluate.evaluate(each, rows, name, max_new_tokens=budget, **out) for name, each in stages.items()}
    tables |= evaluate.evaluate_baselines(rows, **out)
    print(evaluate.summary(tables).to_string())
    print(evaluate.verdicts(tables).to_string())
    order = [name for name in ("grpo", "sft", "base") if name in stages]
    pairs = [(a, b) for a in order[:-1] for b in (*order[order.index(a) + 1 :], "ours", "theirs", "rules")]
    print(evaluate.comparisons(tables, pairs).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("data", "table"))
    parser.add_argument("work", type=Path)
    parser.add_argument("--train", nargs="+", default=[])
    parser.add_argument("--test", nargs="+", default=[])
    parser.add_argument("--n", type=int, default=200, help="conflicts to test on")
    parser.add_argument("--max-length", type=int, default=320)
    parser.add_argument("--context-lines", type=int, default=2)
    given = parser.parse_args()
    work = given.work.resolve()
    work.mkdir(parents=True, exist_ok=True)
    data(work, given) if given.step == "data" else table(work)


if __name__ == "__main__":
    main()
