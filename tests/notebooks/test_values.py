"""01 checks every value before the first request: its cells up to there, run in this process, one value changed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import nbformat
import pytest

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import asking

CELLS = [
    cell.source
    for cell in nbformat.read(Path(__file__).resolve().parents[2] / "notebooks/01_generate.ipynb", as_version=4).cells
    if cell.cell_type == "code" and "google.colab" not in cell.source
]
FIRST_REQUEST = next(i for i, source in enumerate(CELLS) if "await " in source)


def run_until_the_first_request(**changed: object) -> dict[str, object]:
    """The names that the cells before the first request leave, each value of `changed` in place of its own."""
    names: dict[str, object] = {"__name__": "notebook"}
    for source in CELLS[:FIRST_REQUEST]:
        exec(compile(source, "cell", "exec"), names)
        if source.startswith("dataset: str"):
            names |= {"dataset": "sample", "teacher": "rules"} | changed
    return names


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"samples": 0}, "samples must be at least 1, got 0"),
        ({"samples": -3}, "samples must be at least 1"),
        ({"limit": -1}, "limit is -1: give the number of conflicts, or 0 for all"),
        ({"split": "validation"}, "there is no split 'validation'"),
        ({"until_correct": -1}, "until_correct must not be negative"),
        ({"until_correct": 2}, "need at least as many samples, and samples is 1"),
        ({"max_tokens": 0}, "max_tokens must be at least 1"),
        ({"max_concurrency": 0}, "max_concurrency must be at least 1"),
        ({"min_delay_s": -0.5}, "min_delay_s must not be negative"),
        ({"max_cost_usd": -2.0}, "max_cost_usd must not be negative"),
        ({"teacher": "chatgpt"}, "teacher 'chatgpt' is not known"),
        ({"teacher": "openai", "model": "m", "base_url": "localhost:8000"}, "is not an http or https address"),
    ],
)
def test_a_value_out_of_its_range_is_refused_in_one_sentence_before_anything_is_sent(changed, says, monkeypatch):
    monkeypatch.setattr(asking._Run, "ask", lambda *_, **__: pytest.fail("a request"))
    with pytest.raises(LlmergeError) as caught:
        run_until_the_first_request(**changed)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_what_goes_where_is_said_before_the_first_request(capsys):
    run_until_the_first_request(limit=2)
    assert "Nothing leaves this machine" in capsys.readouterr().out
    run_until_the_first_request(limit=2, teacher="openai", model="m", base_url="https://llm.example.org/v1")
    said = capsys.readouterr().out
    assert re.search(r"\b5 conflicts of [a-z-]+(, [a-z-]+)* go to llm\.example\.org, with", said), said


def test_all_values_of_01_are_given_to_what_asks():
    """A parameter that no cell reads would be a promise that nobody keeps."""
    declared = {node.target.id for node in ast.walk(ast.parse("\n".join(CELLS[:2]))) if isinstance(node, ast.AnnAssign)}
    later = "\n".join(CELLS[2:])
    tree = compile(later, "cells", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    read = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert len(declared) > 20 and declared <= read
