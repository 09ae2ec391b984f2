"""The developers as a teacher: right by definition, in words that hold, and never where models are measured."""

from __future__ import annotations

import asyncio
import json

import pytest
from fault_server import make_rows
from hypothesis import given
from hypothesis import strategies as st

from llmerge_helpers.baselines.explain import LONGEST_REASONING
from llmerge_helpers.conflicts import Conflict
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Budget, agree, generate, going_out, one, pick, quote, write_examples
from llmerge_helpers.generate.developers import reasoning, reply_of
from llmerge_helpers.verdict import verify

CALL = {"ours": "f(a, 2)\n", "base": "f(a, 1)\n", "theirs": "g(a, 1)\n"}


@pytest.mark.parametrize(
    ("resolution", "says"),
    [
        ("f(a, 2)\n", "Only our side is kept.\n\nSo ours is taken as it is: `f(a, 2)`. What goes"),
        ("g(a, 1)\n", "Only their side is kept.\n\nSo theirs is taken as it is: `g(a, 1)`."),
        ("f(a, 2)\ng(a, 1)\n", "Both sides are kept whole, ours first and theirs behind it."),
        ("g(a, 1)\nf(a, 2)\n", "Both sides are kept whole, theirs first and ours behind it."),
        ("", "Neither side is kept.\n\nSo nothing stays in place of the conflict."),
        ("f(a, 1)\n", "Neither change is kept: the text goes back to the base.\n\nSo what stays is `f(a, 1)`."),
        ("g(a, 2)\n", "Word by word the two changes do not clash, so both are made."),
        ("g(a, 2, 3)\n", "Of the lines that are written 1 is new: `g(a, 2, 3)`."),
        ("f(a, 2)\nh()\ng(a, 1)\ni()\n", "1 stands in ours, 1 in theirs, and 2 are new: `h()`, …."),
        ("\n\n", "Blank lines take the place of both."),
    ],
)  # fmt: skip
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_reasoning_says_what_became_of_the_two_changes(resolution, says, end):
    texts = {name: text.replace("\n", end) for name, text in CALL.items()}
    conflict = Conflict(**texts, before=f"x{end}", after=f"y{end}")
    told = reasoning(conflict, conflict.with_(resolution.replace("\n", end)))
    assert told.startswith("The base has one line here. Ours changes `1` to `2`") and says in told


def test_an_answer_whose_ends_nobody_knows_is_told_as_that():
    conflict = Conflict(**CALL, before="x\n", after="y\n")
    assert reasoning(conflict, "z\n").endswith("The answer changes the lines around the conflict as well.")


LINES = st.lists(st.sampled_from(["a = 1\n", "  b(2)\n", "```\n", "<think>\n", "\n", "c" * 90 + "\n"]), max_size=12)


@given(LINES.map("".join), LINES.map("".join), LINES.map("".join), st.one_of(st.none(), LINES.map("".join)))
def test_every_resolution_is_a_right_reply_of_readable_length(ours, theirs, resolution, base):
    row = {"before": "x\n", "after": "y\n", "ours": ours, "theirs": theirs, "base": base, "language": "Python"}
    row |= {"resolution": resolution}
    reply = reply_of(row)
    assert verify(reply.answer, row).match_type == "exact_match"
    assert 0 < len(reply.reasoning.split()) <= LONGEST_REASONING


def test_nothing_is_asked_paid_or_kept(tmp_path):
    rows, teacher = make_rows(5), pick("developers")
    options = {"cache_dir": str(tmp_path / "cache"), "progress": False}
    price = asyncio.run(quote(rows, teacher, **options))
    agree(price, Budget(0), teacher, question=lambda _: pytest.fail("nothing is to be paid"))
    found = asyncio.run(generate(rows, teacher, samples=3, until_correct=2, **options))
    assert [r.verdict.match_type for r in found] == ["exact_match"] * 5, "one answer a conflict: more would be the same"
    assert price.rows_to_ask == found.report["asked"] == found.report["cost_usd"] == 0
    assert not (tmp_path / "cache").exists() and found.report["served_models"] == {"developers": 5}
    again = asyncio.run(generate(rows, teacher, offline=True, **options))
    assert [r.key for r in again] == [r.key for r in found] and len({r.key for r in found}) == 5
    assert asyncio.run(one(rows[1], teacher, **options)).key == found[1].key
    other = rows[1] | {"answer": "f(\n  c1\n)\n"}
    assert asyncio.run(one(other, teacher, **options)).key != found[1].key, "the same question, another resolution"
    shards = [asyncio.run(generate(rows, teacher, shard=f"{n}/2", **options)) for n in (1, 2)]
    assert sorted(r.index for shard in shards for r in shard) == list(range(5))


def test_files_and_tables_say_whose_answers_they_are(tmp_path):
    rows, teacher = make_rows(2), pick("developers")
    found = asyncio.run(generate(rows, teacher, progress=False, cache_dir=str(tmp_path / "cache")))
    table = write_examples(rows, found, tmp_path, teacher.place)
    assert set(table["teacher"]) == set(table["model"]) == set(table["served_model"]) == {"developers"}
    assert table["cost_usd"].tolist() == [0.0, 0.0] and table["is_correct"].all()
    first = json.loads((tmp_path / "examples.jsonl").read_text().splitlines()[0])
    assert first["reasoning_source"] == "facts" and "Only our side is kept." in first["reasoning"]
    assert "row-0\ndevelopers (developers), sample 0" in (tmp_path / "example_0000.txt").read_text()
    assert going_out(rows, teacher) == "Nothing leaves this machine: what was committed is the answer."


@pytest.mark.parametrize("split", ["test", "validation"])
def test_what_models_are_measured_on_is_not_handed_out(split):
    with pytest.raises(LlmergeError, match=f"split is {split}, on which models are measured: set split to train"):
        pick("developers", split=split)
    assert pick("rules", split=split).knows_answers is False and pick("developers").knows_answers


@pytest.mark.parametrize("more", [{"model": "m"}, {"base_url": "http://localhost:1/v1"}, {"request": '{"a": 1}'}])
def test_it_takes_no_options_of_a_service(more):
    with pytest.raises(LlmergeError, match="teacher developers runs on this machine"):
        pick("developers", **more)
