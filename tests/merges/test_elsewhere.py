"""Rows made elsewhere: files of several kinds, columns of several names, and what is said of those that do not fit."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import conflict_row

from llmerge_helpers import merges
from llmerge_helpers.conflicts import Conflict
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.merges.dataset import from_sides
from llmerge_helpers.merges.elsewhere import four_columns
from llmerge_helpers.verdict import verify

FOUR = [
    {"A": f"x = {n}\ny = {n * 7}", "B": f"x = 0\nz{n} = 1", "O": "x = 0", "M": f"x = {n}\nz{n} = 1", "lang": "python"}
    for n in range(10)
]


def write(path, rows):
    kind = path.suffix
    if kind == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)) + "\n\n", encoding="utf-8")
    elif kind == ".json":
        path.write_text("\ufeff" + json.dumps(rows), encoding="utf-8")
    elif kind == ".parquet":
        pd.DataFrame(rows).to_parquet(path)
    else:
        pd.DataFrame(rows).to_csv(path, index=False, sep="," if kind == ".csv" else "\t")
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv", ".parquet"])
def test_the_four_columns_of_mergebert_are_conflicts_of_ours(suffix, tmp_path):
    path = write(tmp_path / f"them{suffix}", FOUR)
    loaded = merges.load(path)
    rows = [*loaded["train"], *loaded["test"]]
    assert len(rows) == 10 and set(rows[0]) == set(merges.COLUMNS) and len(loaded["test"]) > 0
    row = next(row for row in rows if row["id"] == "them#3")
    assert (row["ours"], row["base"], row["theirs"], row["answer"], row["language"], row["label"]) == (
        "x = 3\ny = 21\n", "x = 0\n", "x = 0\nz3 = 1\n", "x = 3\nz3 = 1\n", "Python", "given",
    )  # fmt: skip
    assert verify(f"```python\n{row['answer']}```", row).match_type == "exact_match" and "<<<<<<<" in row["question"]
    assert merges.load(path)["test"]["id"] == loaded["test"]["id"] and merges.dataset_version(path)
    assert merges.choose(merges.load(str(path)), "train", 2)[0]["id"] in {row["id"] for row in rows}


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_questions_and_answers_of_merge_bench_are_read_from_a_file(suffix, tmp_path):
    theirs = [{"question": conflict_row(n)["question"], "answer": conflict_row(n)["answer"]} for n in range(6)]
    loaded = merges.load(write(tmp_path / f"bench{suffix}", theirs))
    found = {row["question"]: row["resolution"] for part in loaded.values() for row in part}
    assert found == {conflict_row(n)["question"]: conflict_row(n)["resolution"] for n in range(6)}


def whole_rows():
    empty = dict.fromkeys(merges.COLUMNS, "") | {"hunk": 0, "order": 1, "merge_size": 3, "white_space_only": False}
    return [empty | conflict_row(n) | {"decided": n > 2, "label": "exact", "merge_commit": f"m{n}"} for n in range(6)]


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_rows_of_ours_come_back_as_they_were(suffix, tmp_path):
    loaded = merges.load(write(tmp_path / f"items{suffix}", whole_rows()))
    found = sorted((row for part in loaded.values() for row in part), key=lambda row: row["id"])
    assert found == [{name: row[name] for name in merges.COLUMNS} for row in whole_rows()]


def test_a_saved_dataset_with_four_columns_is_read_and_some_rows_are_left_out(tmp_path, capsys):
    Dataset.from_list([*FOUR, FOUR[0] | {"M": None}]).save_to_disk(str(tmp_path / "saved"))
    loaded = merges.load(tmp_path / "saved")
    assert sum(map(len, loaded.values())) == 10
    assert "1 of 11 rows left out, a side or the resolution is missing." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("gone.jsonl", None, "there is no file gone.jsonl: give one of rows"),
        ("torn.jsonl", '{"A": "x"}\n{"A": ', "torn.jsonl cannot be read .line 2: "),
        ("torn.parquet", "PAR1 and no more", "torn.parquet cannot be read"),
        ("list.json", "[1, 2]", "holds something other than rows"),
        ("empty.jsonl", "\n", "holds no row"),
        ("latin.csv", b"A,B,O,M\n\xe9,b,o,m\n", "latin.csv cannot be read"),
        ("three.csv", "A,B,O\na,b,o\n", "no column question and no column answer, but A, B, O; ours, base, theirs"),
        ("none.jsonl", '{"A": 1, "B": 2, "O": 3, "M": 4}', "no row has two sides and a resolution"),
    ],
)
def test_a_file_that_is_none_is_one_sentence(name, text, says, tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(LlmergeError, match=says):
        merges.load(name)


LINES = st.lists(st.text("ab =\r", max_size=4), max_size=3).map(lambda lines: "".join(f"{line}\n" for line in lines))


@settings(max_examples=50, deadline=None)
@given(LINES, LINES, LINES, LINES, st.booleans())
def test_any_four_texts_make_a_row_whose_answer_is_right(ours, base, theirs, resolution, open_ended):
    texts = {"ours": ours, "base": base, "theirs": theirs, "resolution": resolution}
    given_ = {name: text.removesuffix("\n") if open_ended else text for name, text in texts.items()}
    row = from_sides(given_, four_columns(given_), "x#0")
    assert row is not None and row["answer"] == row["resolution"]
    assert Conflict.of(row).cut(row["answer"]) is not None
    assert Conflict.of({"question": row["question"]}).kind_of(row["resolution"])
