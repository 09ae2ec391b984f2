"""Conflicts as a task of Inspect: what it is asked, and that its scores are our verdict's."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest
from tiny import conflict_row

from llmerge_helpers.baselines import resolve
from llmerge_helpers.conflicts import Conflict, render_answer
from llmerge_helpers.run.files import write_jsonl

ROOT = Path(__file__).resolve().parents[2]


def test_the_pins_let_inspect_in():
    """Its 0.3.285, and the s3fs that it needs, take no later fsspec; one that our own libraries all take as well."""
    assert re.search(r"^fsspec==2026\.6\.0$", (ROOT / "constraints.txt").read_text(), re.M)


def test_scores_are_those_of_the_verdict(tmp_path):
    inspect_ai = pytest.importorskip("inspect_ai", reason="the extra `inspect` is not installed")
    from inspect_ai.model import ModelOutput, ModelUsage, get_model

    rows = [conflict_row(n) | {"merge_commit": f"m{n // 2}"} for n in range(4)]
    path = tmp_path / "items.jsonl"
    write_jsonl(path, rows)
    by_rules, ours = (
        [render_answer(Conflict.of(row).with_(resolve(name, row) or ""), "Java") for row in rows]
        for name in ("rules", "ours")
    )
    replies = [by_rules[0], ours[1], by_rules[2], "I do not know."]
    outputs = [ModelOutput.from_content("mockllm/model", reply) for reply in replies]
    for output in outputs:
        output.usage = ModelUsage(output_tokens=1)  # or tokens would be counted, with a table out of the net
    model = get_model("mockllm/model", custom_outputs=outputs)
    task = runpy.run_path(str(ROOT / "benchmarks" / "inspect_task.py"))["merge_conflicts"](path=str(path))
    (log,) = inspect_ai.eval(task, model=model, display="none", log_dir=str(tmp_path), max_connections=1, max_samples=1)
    assert log.status == "success", log.error
    found = {sample.id: sample.scores["right"].value for sample in log.samples}
    assert found == dict(zip((row["id"] for row in rows), "CICN", strict=True))
    assert log.results.scores[0].metrics["accuracy"].value == 0.5
    assert [message.role for message in log.samples[0].messages] == ["system", "user", "assistant"]
