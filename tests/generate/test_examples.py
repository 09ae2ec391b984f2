import json
import tracemalloc
from types import SimpleNamespace

import pytest

from llmerge_helpers import prepare as replies
from llmerge_helpers import verdict
from llmerge_helpers.conflicts import Conflict, Decided, messages, prompts, so_far
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.generate import Result, examples
from llmerge_helpers.generate.asking import Shelf
from llmerge_helpers.generate.reply_cache import Ledger

ROW = {
    "id": "shop@0123456789ab:src/Cart.java#0",
    "repository": "shop",
    "path": "src/Cart.java",
    "language": "Java",
    "kind": "mixed",
    "before": "class Cart {\n",
    "ours": "  int size = 1;\n",
    "base": "  int size;\n",
    "theirs": "  long size;\n",
    "after": "}\n",
    "resolution": "  long size = 1;\n",
}
ROW["answer"] = ROW["before"] + ROW["resolution"] + ROW["after"]
ROW["question"] = Conflict.of(ROW).question()


def result(content, sample=0, index=0, error="", reasoning="Both changed one line."):
    message = {"role": "assistant", "content": content, "reasoning_content": reasoning} if content else None
    reply = prompts.split_reply(message) if message else None
    return SimpleNamespace(
        index=index, sample=sample, message=message, reply=reply,
        verdict=verdict.verify(message if message else None, ROW), finish_reason="stop" if message else "",
        usage={"prompt_tokens": 100, "completion_tokens": 50, "reasoning_tokens": 20} if message else {},
        cost_usd=0.001, latency_s=1.5, attempts=1, cached=False, error=error, requested_model="m", served_model="m-1",
        system_fingerprint="fp", key="k", sdk="",
    )  # fmt: skip


RIGHT = prompts.render_answer(ROW["answer"], "Java")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LLMERGE_ROOT", str(tmp_path))
    return tmp_path / "outputs" / "deepseek_sft"


def test_the_three_kinds_of_files(folder):
    results = [
        result(RIGHT),
        result("no code", sample=1),
        result("", sample=2, error="402: pay with sk-0123456789abcdefgh"),
    ]
    table = examples.write_examples([ROW], results, folder, "deepseek")
    assert list(table.match_type) == ["exact_match", "invalid_output", "failed"]
    assert list(table.is_correct) == [True, False, False]
    assert sorted(p.name for p in folder.iterdir()) == [
        "example_0000.txt", "example_0000_1.txt", "example_0000_2.txt", "examples.jsonl", "results.csv",
    ]  # fmt: skip
    first = (folder / "example_0000.txt").read_text()
    for part in (prompts.SYSTEM_PROMPT, "<<<<<<< ours", "Both changed one line.", "long size = 1;", "exact_match"):
        assert part in first
    header = (folder / "results.csv").read_text().splitlines()[0].split(",")
    promised = (
        "example_id sample is_correct match_type output_file repository language model finish_reason prompt_tokens "
        "completion_tokens reasoning_tokens cost_usd latency_s attempts cached error"
    )
    assert set(promised.split()) <= set(header)
    assert "sk-0123456789" not in "".join(p.read_text() for p in folder.iterdir())


def test_what_was_written_is_what_is_read(folder):
    examples.write_examples([ROW], [result(RIGHT)], folder, "deepseek")
    [read] = replies.load_examples("outputs/deepseek_sft")
    assert read["row"] == ROW and read["verdict"]["match_type"] == "exact_match"
    assert read["message"]["content"] == RIGHT and read["reasoning"] == "Both changed one line."
    assert read == replies.load_examples(folder / "examples.jsonl")[0]


def test_a_shorter_run_leaves_no_file_of_the_longer_one(folder):
    rows = [ROW, ROW | {"id": "other"}]
    examples.write_examples(rows, [result(RIGHT), result(RIGHT, index=1)], folder, "rules")
    examples.write_examples(rows[:1], [result(RIGHT)], folder, "rules")
    assert [p.name for p in folder.glob("example_*")] == ["example_0000.txt"]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, r"examples\.jsonl is not there: run `papermill notebooks/01_generate\.ipynb"),
        ('{"example_id": 0, "row": {}, "mess', r"line 1 is torn"),
        (json.dumps({"question": "q", "answer": "a"}), "is not an example of 01"),
    ],
)
def test_bad_files_are_one_sentence(folder, content, sentence):
    folder.mkdir(parents=True)
    if content is not None:
        (folder / "examples.jsonl").write_text(content)
    with pytest.raises(LlmergeError, match=sentence):
        replies.load_examples(folder)


def test_the_results_know_the_merge_of_each_conflict(folder):
    rows = [ROW | {"merge_commit": "01234567"}, ROW | {"id": "other"}]
    table = examples.write_examples(rows, [result(RIGHT), result(RIGHT, index=1)], folder, "rules")
    assert table["merge_commit"].tolist() == ["01234567", ""]


def texts(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.txt"))


def test_many_text_files_lie_in_folders_of_a_thousand_and_can_be_left_out(folder, monkeypatch):
    monkeypatch.setattr(examples, "IN_ONE_FOLDER", 3)
    rows = [ROW | {"id": str(n)} for n in range(8)]
    some = [result(RIGHT, index=n) for n in range(8) if n != 4] + [result(RIGHT, index=7, sample=1)]
    table = examples.write_examples(rows, some, folder, "rules")
    assert texts(folder) == [
        *(f"000/example_000{n}.txt" for n in range(3)), "001/example_0003.txt", "001/example_0005.txt",
        "002/example_0006.txt", "002/example_0007.txt", "002/example_0007_1.txt",
    ] == list(table.output_file)  # fmt: skip
    examples.write_examples(rows, some[:3], folder, "rules")
    assert texts(folder) == [f"example_000{n}.txt" for n in range(3)] and not (folder / "000").exists()
    table = examples.write_examples(rows, some, folder, "rules", text_files=False)
    assert texts(folder) == [] and set(table.output_file) == {""} and len(replies.load_examples(folder)) == 8


def test_what_breaks_off_leaves_the_old_files_whole(folder):
    rows = [ROW, ROW | {"id": "other"}]
    examples.write_examples(rows, [result(RIGHT), result(RIGHT, index=1)], folder, "rules")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    broken = result("no code", index=1)
    del broken.verdict
    with pytest.raises(AttributeError):
        examples.write_examples(rows, [result(RIGHT), broken], folder, "rules")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_memory_does_not_grow_with_the_replies(folder, tmp_path):
    ledger, thoughts, results = Ledger(tmp_path / "cache"), "Both changed one line. " * 5_000, []
    shelf = Shelf(ledger)
    for sample in range(24):
        message = {"role": "assistant", "content": RIGHT, "reasoning_content": thoughts}
        record = {"key": f"{sample:064x}", "request": {}, "finish_reason": "stop", "usage": {}}
        ledger.put(record | {"response": {"choices": [{"message": message}]}})
        results.append(Result(0, ROW["id"], sample, record["key"], record, rows=[ROW], shelf=shelf))
    tracemalloc.start()
    table = examples.write_examples([ROW], results, folder, "rules")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert table.is_correct.all() and (folder / "examples.jsonl").stat().st_size > 40 * len(thoughts)
    assert most < 20 * len(thoughts)


def test_a_text_that_comes_again_is_in_memory_once(folder):
    row = ROW | {"prefix": "// head\n" * 30}
    examples.write_examples([row], [result(RIGHT, reasoning="So. " * 50 + "."), result(RIGHT, sample=1)], folder, "m")
    first, second = replies.load_examples(folder)
    assert first["reasoning"] is first["message"]["reasoning_content"]
    assert first["prompt"][-1]["content"] is first["row"]["question"]
    assert (
        first["row"]["prefix"] is second["row"]["prefix"]
        and first["prompt"][0]["content"] is second["prompt"][0]["content"]
    )


def test_an_example_holds_the_question_as_it_was_asked():
    before = Decided(Conflict(ours="a\n", base="", theirs="b\n", path="a.py"), "a\n")
    row, form = ROW | {"earlier": so_far([before], Conflict.of(ROW), 3)}, prompts.Form(siblings=3)
    found = examples.record(row, result("x"), 0, "rules", form)
    assert found["prompt"] == messages(row, form) and "a.py, resolved as ours:" in found["prompt"][1]["content"]
    assert found["row"] == ROW  # what came before can be found again
