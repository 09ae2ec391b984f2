"""What other trainers read: chats, pairs, and the file that names them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import serve_hub
from replies_by_hand import THOUGHT, conflict, example, right, wrong

from llmerge_helpers.models import chat
from llmerge_helpers.prepare import prepare

TINY = chat.ChatTokenizer("tiny", chat.CHATML, None, {"eos_token": "<|im_end|>"})


@pytest.fixture(autouse=True)
def tiny_tokenizer(monkeypatch):
    monkeypatch.setattr("llmerge_helpers.prepare.datasets.load_chat_tokenizer", lambda base_model: TINY)


def answered(number: int, replies: str) -> list[dict]:
    """Samples of one conflict: r a right one, w a wrong one, c one that was cut off, each with longer reasoning."""
    row = conflict(number)
    return [
        example(
            row,
            {"content": (right if kind == "r" else wrong)(row), "reasoning_content": THOUGHT + f" So be it ({n})." * n},
            number,
            n,
            "length" if kind == "c" else "stop",
        )
        for n, kind in enumerate(replies)
    ]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize(
    "replies, pairs",
    [("r", []), ("w", []), ("rw", [(0, 1)]), ("wwrr", [(2, 0), (3, 1)]), ("rww", [(0, 1), (0, 2)]), ("rcc", [])],
)
def test_every_wrong_reply_meets_a_right_one(replies, pairs, tmp_path):
    examples = answered(1, replies) + answered(2, "r")
    prepare(examples, tmp_path / "sft_dataset", validation_size=0)
    found = lines(tmp_path / "sft_dataset" / "preferences.jsonl")
    said = [e["message"]["reasoning_content"] for e in examples]
    assert [[next(n for n, s in enumerate(said) if f"<think>\n{s}\n</think>" in p[side][0]["content"])
             for side in ("chosen", "rejected")] for p in found] == [list(pair) for pair in pairs]  # fmt: skip
    for pair in found:
        assert set(pair) == {"prompt", "chosen", "rejected", "id"} and pair["id"] == conflict(1)["id"]
        assert [m["role"] for m in pair["prompt"]] == ["system", "user"] and pair["chosen"][0]["role"] == "assistant"


def test_files_have_what_each_trainer_reads_and_none_is_of_an_older_run(tmp_path):
    folder = tmp_path / "sft_dataset"
    prepared = prepare([e for n in range(8) for e in answered(n, "rw")], folder, validation_size=0.3)
    correct = prepared.datasets["correct_only"]
    for split, ending in (("train", ""), ("validation", "_validation")):
        chats, pairs = lines(folder / f"chat{ending}.jsonl"), lines(folder / f"preferences{ending}.jsonl")
        assert [c["messages"] for c in chats] == [row["prompt"] + row["completion"] for row in correct[split]] != []
        assert {p["id"] for p in pairs} == {c["id"] for c in chats}  # no conflict is on two sides
    info = json.loads((folder / "dataset_info.json").read_text())
    assert {name: entry["ranking"] for name, entry in info.items()} == {
        "llmerge_chat": False, "llmerge_chat_validation": False,
        "llmerge_preferences_llama_factory": True, "llmerge_preferences_llama_factory_validation": True,
    }  # fmt: skip
    for entry in info.values():
        for row in lines(folder / entry["file_name"]):
            columns, tags = entry["columns"], entry["tags"]
            turns = [m[tags["role_tag"]] for m in row[columns["messages"]]]
            assert turns == [tags["system_tag"], tags["user_tag"], tags["assistant_tag"]][: 3 - entry["ranking"]]
            sides = [row[columns[side]] for side in ("chosen", "rejected")] if entry["ranking"] else []
            assert all(side[tags["role_tag"]] == tags["assistant_tag"] for side in sides)  # one message, no list
    assert any("pairs a right reply with a wrong one 8 times, for 8 conflicts" in note for note in prepared.notes)
    prepare(answered(1, "r"), folder, validation_size=0)
    assert {path.name for path in folder.glob("*.json*")} == {"chat.jsonl", "dataset_info.json", "rejects.jsonl"}


SENDS = """
import sys
from llmerge_helpers.prepare import push_to_hub
print(push_to_hub(sys.argv[1], "me/x"))
from datasets import load_dataset
back = load_dataset("me/x", cache_dir=sys.argv[2])
print({split: len(part) for split, part in back.items()})
print(back["train"][0]["completion"][0]["role"])
"""


def test_a_data_set_goes_to_the_hub_and_comes_back(tmp_path):
    folder = tmp_path / "sft_dataset"
    prepared = prepare([e for n in range(8) for e in answered(n, "r")], folder, validation_size=0.3)
    with serve_hub() as hub:
        # the libraries read their address when they are imported
        names = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_of_the_test", "HF_HOME": str(tmp_path / "hf")}
        names |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
        command = [sys.executable, "-c", SENDS, str(folder / "correct_only"), str(tmp_path / "cache")]
        done = subprocess.run(command, capture_output=True, text=True, env=os.environ | names)
    assert done.returncode == 0, done.stderr + str(hub.unknown)
    address, sizes, role = done.stdout.splitlines()
    assert (
        address == f"{hub.url}/datasets/me/x" and hub.private is True and hub.tokens == {"hf_of_the_test", ""}
    )  # what goes to storage has none
    assert sizes == str({split: len(part) for split, part in prepared.datasets["correct_only"].items()})
    assert role == "assistant" and hub.commits[0] == ["README.md"] and "hf_of_the_test" not in done.stdout + done.stderr
    card = hub.files["README.md"].decode()
    assert "# Merge conflicts with a teacher's reasoning" in card and "dataset_info" in card.split("---")[1]
