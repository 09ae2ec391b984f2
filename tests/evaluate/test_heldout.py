"""The conflicts that 02 held out, read by 03 and 04."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict
from tiny import conflict_row

from llmerge_helpers import merges
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.evaluate import held_out, reader_examples
from llmerge_helpers.merges.splits import split_fingerprint
from llmerge_helpers.run.files import write_json

ROWS = [conflict_row(i) for i in range(9)]


@pytest.fixture
def data(tmp_path):
    """A data set as 02 leaves it, with nine conflicts held out."""
    DatasetDict(test=Dataset.from_list(ROWS)).save_to_disk(str(tmp_path / "heldout"))
    results = {"heldout": str(tmp_path / "heldout"), "split": split_fingerprint(ROWS), "dataset": "merges/mine/dataset"}
    for folder in ("sft_dataset", "grpo_dataset"):
        write_json(tmp_path / folder / "run.json", {"status": "finished", "results": results})
    return tmp_path


def adapter(folder, **lineage):
    write_json(folder / "adapter_config.json", {"base_model_name_or_path": "a/b"})
    write_json(folder / "lineage.json", {"stage": "sft", "base_model": "a/b", "parents": [], **lineage})
    return str(folder)


def test_the_conflicts_of_the_reader_come_first_and_others_follow(data):
    chosen = [row["id"] for row in held_out(data / "sft_dataset/correct_only", 6)]
    assert chosen[:3] == [row["id"] for row in ROWS[:3]]
    assert len(set(chosen)) == 6 and chosen == [row["id"] for row in held_out(data / "grpo_dataset", 6)]
    assert held_out(data / "grpo_dataset", 3) == ROWS[:3]
    assert len(held_out(data / "sft_dataset/full")) == 9
    sample = merges.load("sample")["test"]
    assert [row["id"] for row in reader_examples("sample")] == sample["id"][:3]


def test_a_held_out_row_knows_what_came_before_it_where_a_student_is_told(data):
    rows = [row | {"merge_commit": f"m{n // 3}", "order": n % 3} for n, row in enumerate(ROWS)]
    DatasetDict(test=Dataset.from_list(rows)).save_to_disk(str(data / "whole"))
    results = {"heldout": str(data / "whole"), "split": "", "dataset": "", "siblings": 2}
    write_json(data / "sft_dataset/run.json", {"status": "finished", "results": results})
    for n in (0, 5):  # a draw parts merges, and its rows know of all that came before all the same
        found = {row["id"]: sum(row["earlier"]["ways"].values()) for row in held_out(data / "sft_dataset", n)}
        assert found == {row["id"]: row["order"] for row in rows if row["id"] in found} and len(found) == (n or 9)
    assert "earlier" not in held_out(data / "grpo_dataset")[0]


def test_an_adapter_of_another_split_is_refused(data):
    """00 was run again with another seed: some of what the adapter learned from is held out by now."""
    own = adapter(data / "own", split=split_fingerprint(ROWS))
    assert len(held_out(data / "grpo_dataset", sft_model=own)) == 9
    assert len(held_out(data / "grpo_dataset", sft_model=adapter(data / "elsewhere"))) == 9  # nobody can tell
    other = adapter(data / "other", split=split_fingerprint(ROWS[1:]))
    with pytest.raises(LlmergeError, match="was trained on another split .* run 03_sft_train on it again"):
        held_out(data / "grpo_dataset", sft_model=other)


def test_a_data_set_that_02_did_not_write_or_finish_is_not_measured_on_another(data):
    DatasetDict(train=Dataset.from_list(ROWS)).save_to_disk(str(data / "elsewhere/mine"))
    for folder in ("elsewhere/mine", "nowhere"):
        with pytest.raises(LlmergeError, match="does not say which conflicts were held out .* run `papermill"):
            held_out(data / folder)
    write_json(data / "sft_dataset/run.json", {"status": "started", "results": {}})
    with pytest.raises(LlmergeError, match="does not say which conflicts were held out"):
        held_out(data / "sft_dataset/full")


def test_no_test_conflicts_is_one_sentence(data):
    results = {"heldout": "", "split": split_fingerprint([]), "dataset": "merges/mine/dataset"}
    write_json(data / "sft_dataset/run.json", {"status": "finished", "results": results})
    with pytest.raises(LlmergeError, match="merges/mine/dataset has no test conflicts .* test_size above 0"):
        held_out(data / "sft_dataset/full")


def test_the_fingerprint_is_of_the_conflicts_and_their_order():
    assert split_fingerprint(ROWS) != split_fingerprint(ROWS[::-1]) != split_fingerprint(ROWS[1:])
    assert split_fingerprint(ROWS) == split_fingerprint([row | {"answer": "corrected"} for row in ROWS])
