"""Rounds of rejection sampling: what a model drew and got right is learned, and nothing else."""

from __future__ import annotations

import pytest
from datasets import Dataset, DatasetDict
from test_drawing import student  # noqa: F401 (fixture)
from test_train import few_threads, here, sft_settings  # noqa: F401 (fixtures)
from tiny import conflict_row, save_grpo, save_sft

from llmerge_helpers import models, training
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run.files import read_json
from llmerge_helpers.training import rejection
from llmerge_helpers.training.rows import TRAINED_ON, load_rows

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def data(here, tmp_path):  # noqa: F811
    """SFT rows of two conflicts, and four to practise on; the settings of a run on them."""
    save_sft(tmp_path / "sft_dataset/correct_only", 2)
    save_grpo(tmp_path / "grpo_dataset", 4)
    dataset = str(tmp_path / "sft_dataset/correct_only")
    return sft_settings(here, tmp_path / "model", dataset=dataset, rounds=2, max_steps=1, samples=0)


def test_what_was_drawn_right_joins_the_rows(data, tmp_path, student):  # noqa: F811
    student.rights |= {0: 4, 1: 1, 2: 2, 3: 0}
    training.sft(data)
    found = training.rounds(data)
    # the teacher's own words for 0 and 1 are others than these
    assert found.table[["conflicts", "solved", "new", "rows"]].values.tolist() == [[4, 3, 3, 5], [4, 3, 0, 0]]
    assert found.model == tmp_path / "model_round1" and models.is_adapter(found.model)
    rows = load_rows(str(tmp_path / "sft_dataset/correct_only_round1"), made_by="02")
    assert rows["train"]["id"][2:] == [conflict_row(i)["id"] for i in range(3)] and len(rows["validation"]) == 2
    assert all(conflict_row(i)["answer"] in rows["train"][2 + i]["completion"][0]["content"] for i in range(3))
    assert rows["train"][2]["prompt"] == rows["train"][0]["prompt"]
    assert set(read_json(found.model / TRAINED_ON)) == {conflict_row(i)["id"] for i in range(3)}
    lineage = models.read_lineage(found.model)
    assert models.stages(lineage) == "base → sft"  # from the base, on all rows


def test_rounds_that_were_stopped_go_on(data, student, monkeypatch):  # noqa: F811
    student.rights |= {2: 1}
    training.sft(data)
    complete = models.complete
    first = training.rounds(data | {"rounds": 1})
    asked = len(student.asked)
    monkeypatch.setattr(models, "complete", lambda *a, **k: pytest.fail("drawn again") if a[2] else [])
    monkeypatch.setattr(rejection, "sft", lambda *_: pytest.fail("trained again"))
    again = training.rounds(data | {"rounds": 1})
    assert again == first and again.rounds[0].new == 1
    monkeypatch.setattr(models, "complete", complete)
    student.rights[2] = 0
    assert len(training.rounds(data).rounds) == 2 and len(student.asked) == 2 * asked  # the second round's


def test_a_reply_without_its_form_is_not_learned(data, monkeypatch):
    training.sft(data)

    def bare(network, tokenizer, prompts, **_):
        return [models.Completion(f"```java\n{conflict_row(0)['answer']}```", "stop", 9) for _ in prompts]

    monkeypatch.setattr(models, "complete", bare)
    found = training.rounds(data)
    assert found.rounds[0].new == 0 and len(found.rounds) == 1 and found.model.name == "model"


def test_conflicts_set_aside_for_grpo_are_left_to_it(data, tmp_path, student):  # noqa: F811
    student.rights |= dict.fromkeys(range(4), 4)
    rows = load_rows(str(tmp_path / "grpo_dataset"), made_by="02")["train"]
    rows = Dataset.from_list([{**row, "practice": i == 3} for i, row in enumerate(rows)])
    DatasetDict(train=rows).save_to_disk(str(tmp_path / "grpo_dataset_2"))
    (tmp_path / "grpo_dataset").rename(tmp_path / "away")
    (tmp_path / "grpo_dataset_2").rename(tmp_path / "grpo_dataset")
    training.sft(data)
    training.rounds(data | {"rounds": 1})
    assert set(student.asked) == {0, 1, 2}


def test_no_rounds_are_no_work_and_missing_data_is_a_sentence(data, tmp_path, monkeypatch):
    assert training.rounds(data | {"rounds": 0}).rounds == []
    with pytest.raises(LlmergeError, match="holds no adapter"):
        training.rounds(data)
    training.sft(data)
    (tmp_path / "grpo_dataset").rename(tmp_path / "away")
    with pytest.raises(LlmergeError, match="no GRPO data beside .*set rounds to 0"):
        training.rounds(data)
