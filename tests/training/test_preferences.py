"""KTO and DPO on a tiny random model: right replies become likelier and wrong ones less so, and only fit rows count."""

from __future__ import annotations

import json

import pytest
from test_train import few_threads, here, sft_run  # noqa: F401 (fixtures)
from tiny import conflict_row, save_sft

from llmerge_helpers import models
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import Device
from llmerge_helpers.models.adapter import adapter_hash
from llmerge_helpers.run.files import write_jsonl
from llmerge_helpers.training import __main__ as command_line
from llmerge_helpers.training import preferences, settings, train

pytestmark = pytest.mark.filterwarnings("ignore")
RIGHT, BAD = "<think>\nBoth.\n</think>\n\n```java\nimport b;\n```", "<think>\nOne.\n</think>\n\n```java\nimport c;\n```"


def said(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def reject(i: int, **changes: object) -> dict[str, object]:
    """A line of rejects.jsonl: a wrong reply of the training side."""
    row = {"id": f"r{i}", "prompt": PROMPT(i), "completion": said(BAD), "match_type": "incorrect_resolution"}
    return row | {"split": "train", "dropped_from": {"correct_only": "not right"}} | changes


def PROMPT(i: int) -> list[dict[str, str]]:
    from llmerge_helpers.conflicts import messages

    return messages(conflict_row(i))[1:]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("preferences")
    save_sft(folder / "correct_only", n=4)
    both = {"correct_only": "not right", "full": "near a test row"}
    lines = [*map(reject, range(4)), reject(4, split="validation"), reject(5, dropped_from=both)]
    lines += [reject(6, match_type="exact_match"), reject(7, match_type="truncated"), reject(8, completion=said(""))]
    write_jsonl(folder / "rejects.jsonl", lines)
    pairs = [
        {"id": f"p{i}", "prompt": PROMPT(i), "chosen": said(RIGHT), "rejected": said(BAD), "split": split}
        for i, split in enumerate(["train"] * 4 + ["validation"])
    ]
    write_jsonl(folder / "preferences.jsonl", pairs)
    return folder / "correct_only"


def given(here, data, output, **more):  # noqa: F811
    return {
        "sft_model": str(here / "sft_model"), "dataset": str(data), "output_dir": str(output), "batch_size": 2,
        "max_steps": 4, "max_length": 2000, "learning_rate": 1e-2, "report_to": "none",
    } | more  # fmt: skip


def likely(adapter: str, reply: str) -> float:
    """How likely a model finds a reply to the first conflict."""
    import torch

    policy = models.load_policy(adapter, trainable=False)
    row = models.chat.encode(policy.tokenizer, PROMPT(0), reply)
    ids, start = torch.tensor([row["input_ids"]]), sum(label < 0 for label in row["labels"])
    with torch.no_grad():
        scores = policy.model(ids).logits[0].log_softmax(-1)
    return float(scores[start - 1 : -1].gather(1, ids[0, start:, None]).sum())


@pytest.mark.parametrize("method", ["kto", "dpo"])
def test_right_replies_become_likelier_than_wrong_ones(here, sft_run, data, tmp_path, method, capsys):  # noqa: F811
    (tmp_path / "p.yaml").write_text(json.dumps(given(here, data, tmp_path / "out")))
    assert command_line.main([method, str(tmp_path / "p.yaml")]) == 0
    assert f"{method} finished" in capsys.readouterr().out
    before, after = (
        likely(str(folder), RIGHT) - likely(str(folder), BAD) for folder in (here / "sft_model", tmp_path / "out")
    )
    assert after > before
    lineage = models.read_lineage(tmp_path / "out")
    assert models.stages(lineage) == f"base → sft → {method}"
    assert lineage["adapter_hash"] == adapter_hash(models.load_policy(tmp_path / "out").model)
    assert models.form_learned(lineage) == sft_run.lineage["form"]
    # whoever goes on from here knows what was trained on, by SFT too
    known = set(json.loads((tmp_path / "out/trained_on.json").read_text()))
    assert known > set(json.loads((here / "sft_model/trained_on.json").read_text()))
    assert "(KTO)" in (tmp_path / "out/README.md").read_text() or method == "dpo"


def test_only_wrong_replies_to_train_on_are_wrong(data):
    found = preferences.lines_of("kto", str(data))
    assert [line["id"] for line in found if not line["label"]] == ["r0", "r1", "r2", "r3"]
    assert sum(line["label"] for line in found) == 4
    assert [line["id"] for line in preferences.lines_of("dpo", str(data))] == ["p0", "p1", "p2", "p3"]
    told = preferences.preference_counts(str(data))
    assert told["kto"] == "4 right and 4 wrong replies" and told["dpo"].startswith("4 pairs")


@pytest.mark.parametrize("method", ["kto", "dpo"])
def test_the_trainer_gets_the_tokens_of_sft(here, sft_run, data, tmp_path, method):  # noqa: F811
    ready = preferences.prepare_preferences(method, given(here, data, tmp_path / "out", trl={"beta": 0.5}))
    config = preferences.preference_config(ready)
    assert config.beta == 0.5 and config.max_length is None and config.report_to == []
    trainer = preferences.preference_trainer(ready, config)
    row = trainer.train_dataset[0]
    name = {"kto": "completion_ids", "dpo": "chosen_ids"}[method]
    line = preferences.lines_of(method, str(data))[0]
    wanted = models.chat.encode(ready.tokenizer, line["prompt"], line.get("completion") or line["chosen"])
    assert row["prompt_ids"] + row[name] == wanted["input_ids"]
    assert len(row[name]) == sum(label >= 0 for label in wanted["labels"])


@pytest.mark.parametrize(
    ("method", "file", "sentence"),
    [
        ("kto", [], "4 right and 0 wrong replies: kto needs right and wrong ones.*samples above 1"),
        ("dpo", [], "0 pairs .*: dpo needs"),
        ("dpo", None, "there is no .*preferences.jsonl: run `papermill notebooks/02"),
    ],
)
def test_nothing_to_compare_is_one_sentence(here, sft_run, tmp_path, method, file, sentence):  # noqa: F811
    save_sft(tmp_path / "correct_only", n=4)
    if file is not None:
        write_jsonl(tmp_path / f"{'rejects' if method == 'kto' else 'preferences'}.jsonl", file)
    with pytest.raises(LlmergeError, match=sentence):
        preferences.prepare_preferences(method, given(here, tmp_path / "correct_only", tmp_path / "out"))


def test_a_pair_is_planned_as_two_rows_with_their_logits(here, sft_run):  # noqa: F811
    from known_models import config

    from llmerge_helpers.models.memory import size_of

    size, card = size_of(config("Qwen3-4B")), Device("cuda", "NVIDIA L4", 22.0, (8, 9))
    found = {}
    for method in ("kto", "dpo"):
        asked = settings.PreferenceSettings(method=method)
        found[method] = preferences._plan(card, size, asked, here / "sft_model", 1024, "Qwen3-4B")
    assert found["dpo"].batch_size < found["kto"].batch_size and found["kto"].batch_size >= 2
    alone = devices_plan(card, size, 2 * found["dpo"].batch_size)
    logits = preferences.LOGIT * 2 * found["dpo"].batch_size * 1024 * size.vocabulary / 2**30
    assert found["dpo"].expected_gib == pytest.approx(alone + logits, abs=2.0) and found["dpo"].device == card


def devices_plan(card, size, batch):
    from llmerge_helpers.models.device import plan

    return plan(card, size, lora_rank=4, batch_size=batch, max_length=1024).expected_gib


# ---- the hub


def test_an_adapter_goes_to_the_hub_without_code_and_paths(here, sft_run, tmp_path, monkeypatch, capsys):  # noqa: F811
    import huggingface_hub

    sent = []

    class Hub:
        def __init__(self, token):
            sent.append(token)

        def create_repo(self, name, private, exist_ok):
            sent.append((name, private))

        def upload_folder(self, *, repo_id, folder_path, allow_patterns):
            names = [path.name for path in folder_path.iterdir() if path.is_file()]
            sent.append(sorted(huggingface_hub.utils.filter_repo_objects(names, allow_patterns=allow_patterns)))

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    train.send(here / "sft_model", "me/mine")
    assert sent[:2] == ["hf_secret", ("me/mine", True)]
    assert {"adapter_model.safetensors", "lineage.json", "README.md", "tokenizer.json"} <= set(sent[2])
    assert not {"samples.jsonl", "params.yaml", "settings.json", "trained_on.json"} & set(sent[2])
    Hub.create_repo = lambda *_, **__: (_ for _ in ()).throw(OSError("401 for hf_secret"))
    train.send(here / "sft_model", "me/mine")  # hours of training are not lost for it
    told = capsys.readouterr().out
    assert "could not be sent to me/mine: 401" in told and "hf_secret" not in told


def test_a_packed_adapter_is_the_same_bytes_and_the_same_model(here, sft_run, tmp_path):  # noqa: F811
    import zipfile

    first, second = (train.pack(here / "sft_model", tmp_path / name) for name in ("a.zip", "b.zip"))
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as packed:
        assert not {"samples.jsonl", "params.yaml", "trained_on.json"} & set(packed.namelist())
        packed.extractall(tmp_path / "unpacked")
    known = [models.known_model(str(folder)) for folder in (here / "sft_model", tmp_path / "unpacked")]
    assert known[0].identity == known[1].identity
    assert models.form_learned(models.read_lineage(tmp_path / "unpacked")) == sft_run.lineage["form"]


@pytest.mark.parametrize(
    ("repository", "token", "sentence"), [("mine", "x", "give an id of the hub"), ("me/mine", "", "no HF_TOKEN")]
)
def test_what_cannot_be_sent_is_said_before_training(monkeypatch, repository, token, sentence):
    monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(LlmergeError, match=sentence):
        settings.check_push(repository)
    settings.check_push("")
