"""The notebooks run by papermill, as users run them: fresh outputs, both folders, bad input, money and secrets."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import nbformat
import pytest
from fault_server import FaultServer, take_ours
from notebook_runs import ROOT, cleaned, comparable, copy_of_project, papermill
from tiny import tiny_model
from warm_notebooks import run_cells

from llmerge_helpers.merges import load

FIRST = ("00_collect_merges", "01_generate", "02_inspect_and_prepare")
KEY = "sk-loopback-0123456789abcdef"
# what takes long to make is made once, by one of several workers: a project, and a process with the imports
TOGETHER = pytest.mark.xdist_group("project")


def ok(done: subprocess.CompletedProcess) -> subprocess.CompletedProcess:
    assert done.returncode == 0, done.stderr[-4000:]
    return done


def stopped(done: subprocess.CompletedProcess, *parts: str) -> None:
    """It failed, and the last thing it says is one sentence of ours with `parts` in it."""
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if "LlmergeError" in line or "RunStopped" in line]
    assert said, done.stderr[-3000:]
    for part in parts:
        assert part in said[-1]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project in which 00, 01 and 02 were run from its root."""
    root = copy_of_project(tmp_path_factory.mktemp("project"))
    for name in FIRST:
        ok(papermill(root, name))
    return root


@pytest.fixture
def empty(tmp_path):
    return copy_of_project(tmp_path)


def results(root) -> list[dict]:
    with open(root / "outputs" / "deepseek_sft" / "results.csv", newline="") as file:
        return list(csv.DictReader(file))


def examples(root) -> list[dict]:
    lines = (root / "outputs" / "deepseek_sft" / "examples.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def said(root, name: str) -> str:
    """All that the notebook printed and showed."""
    return "\n".join(sum(comparable(cleaned(root / f"out_{name}.ipynb")), []))


# ------------------------------------------------------------------------------------------------- what comes out


@TOGETHER
@pytest.mark.parametrize("name", FIRST)
def test_committed_outputs_are_fresh(project, name):
    committed = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    assert comparable(committed) == comparable(cleaned(project / f"out_{name}.ipynb")), "run `make notebooks`"


@TOGETHER
def test_the_bundled_dataset_is_fresh(project):
    built, committed = (
        {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.*") if not p.name.startswith("cache-")}
        for folder in (project / "merges/sample/dataset", ROOT / "merges/sample/dataset")
    )
    assert built == committed, "run `make notebooks`"


@TOGETHER
def test_everything_promised_is_there(project):
    outputs = project / "outputs"
    rows = results(project)
    texts = sorted(p.name for p in (outputs / "deepseek_sft").glob("example_*.txt"))
    assert texts == [f"example_{n:04d}.txt" for n in range(len(rows))] and len(rows) >= 48
    assert {r["match_type"] for r in rows} >= {"exact_match", "incorrect_resolution"}
    for folder in ("deepseek_sft", "sft_dataset"):
        assert json.loads((outputs / folder / "run.json").read_text())["status"] == "finished"
    assert (outputs / "deepseek_sft" / "deepseek_sft.log").exists()
    for name in ("full", "correct_only"):
        assert (outputs / "sft_dataset" / name / "dataset_dict.json").exists()
        assert (outputs / "sft_dataset" / name / "README.md").exists()
    assert (outputs / "grpo_dataset").is_dir()


@TOGETHER
def test_limit_works_from_the_notebooks_folder(empty):
    ok(run_cells(empty, "01_generate", "-p", "limit", "10", cwd=empty / "notebooks"))
    assert len(results(empty)) == 10


@TOGETHER
def test_a_dataset_of_questions_and_answers_works(empty):
    from datasets import Dataset, DatasetDict, load_from_disk

    rows = load_from_disk(str(ROOT / "merges/sample/dataset"))["train"].select(range(8))
    plain = Dataset.from_dict({"question": rows["question"], "answer": rows["answer"]})
    DatasetDict(train=plain, test=plain.select(range(2))).save_to_disk(str(empty / "merges/plain/dataset"))
    ok(run_cells(empty, "01_generate", "-p", "dataset", "plain"))
    assert len(results(empty)) == 8


# ------------------------------------------------------------------------------------------------------ bad input


@TOGETHER
def test_a_misspelt_parameter_stops_before_anything_is_asked(empty):
    stopped(run_cells(empty, "01_generate", "-p", "lmit", "10"), "unknown parameter 'lmit'", "limit")
    assert not list((empty / "outputs").iterdir())


@TOGETHER
def test_a_missing_dataset_names_the_command_that_builds_it(empty):
    stopped(run_cells(empty, "01_generate", "-p", "dataset", "mine"), "merges/mine", "00_collect_merges")


@TOGETHER
def test_a_dataset_with_wrong_columns_names_them(empty):
    from datasets import Dataset

    Dataset.from_dict({"text": ["a"]}).save_to_disk(str(empty / "merges/wrong/dataset"))
    stopped(run_cells(empty, "01_generate", "-p", "dataset", "wrong"), "question")


@TOGETHER
def test_no_key_for_deepseek_names_both_places(empty):
    stopped(run_cells(empty, "01_generate", "-p", "teacher", "deepseek"), "DEEPSEEK_API_KEY", "Colab")


@TOGETHER
def test_an_unreadable_cache_file_is_set_aside_and_asked_again(project, tmp_path):
    root = copy_of_project(tmp_path)
    shutil.copytree(project / "outputs/deepseek_cache", root / "outputs/deepseek_cache")
    victim = examples(project)[-1]  # not the one that is shown in full, before the others
    path = root / f"outputs/deepseek_cache/{victim['key'][:2]}/{victim['key']}.json"
    assert path.exists()
    path.write_text('{"torn": ')
    ok(run_cells(root, "01_generate"))
    assert [r["match_type"] for r in results(root)] == [r["match_type"] for r in results(project)]
    assert [r["id"] for r in results(root) if r["cached"] == "False"] == [victim["id"]]
    assert path.with_name(f"{path.name}.set-aside").read_text() == '{"torn": '
    assert json.loads(path.read_text())["key"] == victim["key"]


# ------------------------------------------------------------------------------------------------ money, secrets


def openai(server, *more: str) -> tuple[str, ...]:
    return ("-p", "teacher", "openai", "-p", "base_url", server.url, "-p", "model", "fake-model", *more)


def test_a_key_appears_in_no_file(empty):
    with FaultServer(faults={"status_500": 0.2}) as server:
        done = papermill(empty, "01_generate", *openai(server, "-p", "limit", "12"), env={"OPENAI_API_KEY": KEY})
    ok(done)
    assert KEY not in done.stdout + done.stderr
    for path in empty.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert KEY.encode() not in path.read_bytes(), path


def test_the_bill_never_passes_the_cap_and_the_notebook_says_what_was_not_asked(empty):
    cap = 0.004
    arguments = ("-p", "teacher", "deepseek", "-p", "max_tokens", "2000", "-p", "max_cost_usd", str(cap))
    with FaultServer(take_ours) as server:
        ok(papermill(empty, "01_generate", *arguments, "-p", "base_url", server.url, env={"DEEPSEEK_API_KEY": KEY}))
        assert 0 < server.books.billed_usd <= cap
        answered = server.books.answered
    run = json.loads((empty / "outputs/deepseek_sft/run.json").read_text())
    rows = results(empty)
    assert run["status"] == "finished" and 0 < len(rows) == run["results"]["answers"] <= answered
    assert sum(float(row["cost_usd"]) for row in rows) <= cap and not any(row["error"] for row in rows)
    asked_for = len(load("sample")["train"])
    assert run["results"]["not_asked"] == asked_for - len(rows) > 0
    told = said(empty, "01_generate")
    assert "stopped at max_cost_usd = $0.004" in told
    readers = 3  # the conflicts of the test split that are asked with the others
    assert f"{asked_for + readers - len(rows)} samples were not asked" in told


def test_a_first_row_that_fails_costs_only_itself(empty):
    """The one that is shown in full, step by step."""
    with FaultServer(take_ours) as server:
        first = server.bodies  # the list, which grows
        server.fault_for = lambda body: "status_400" if body["messages"] == first[0]["messages"] else None
        ok(papermill(empty, "01_generate", *openai(server, "-p", "limit", "6")))
        question = first[0]["messages"][-1]["content"]
    failed = [e for e in examples(empty) if e["verdict"]["match_type"] == "failed"]
    assert [e["prompt"][-1]["content"] for e in failed] == [question] and "refused" in failed[0]["error"]
    assert [bool(row["error"]) for row in results(empty)].count(False) == 5
    told = said(empty, "01_generate")
    assert "no reply: bad_request: the service refused the request" in told
    assert json.loads((empty / "outputs/deepseek_sft/run.json").read_text())["status"] == "finished"


def test_a_wrong_key_stops_the_run_and_shows_no_key(empty):
    with FaultServer(faults={"status_401": 1.0}) as server:
        done = papermill(empty, "01_generate", *openai(server), env={"OPENAI_API_KEY": KEY})
    stopped(done, "key")
    written = [p for p in empty.rglob("*") if p.is_file() and not p.is_symlink()]
    assert KEY not in done.stderr and not [p for p in written if KEY.encode() in p.read_bytes()]


@TOGETHER
def test_what_was_answered_before_a_kill_is_not_asked_again(empty):
    arguments = ("-p", "samples", "4", "-p", "max_concurrency", "8")
    with FaultServer(latency_s=0.1) as server:
        command = [sys.executable, "-c", "import sys; sys.path.insert(0, sys.argv[1]); import notebook_runs as n; "
                   "from pathlib import Path; n.papermill(Path(sys.argv[2]), '01_generate', *sys.argv[3:])",
                   str(ROOT / "tests" / "support"), str(empty), *openai(server, *arguments)]  # fmt: skip
        running = subprocess.Popen(command, start_new_session=True)
        deadline = time.monotonic() + 120
        while server.books.requests < 60 and time.monotonic() < deadline:
            time.sleep(0.05)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        before = server.books.requests
        assert 60 <= before < 200
        ok(run_cells(empty, "01_generate", *openai(server, *arguments)))
        asked = server.books.requests
    rows = len({r["id"] for r in results(empty)})
    assert len(results(empty)) == 4 * rows
    needed = 4 * (rows + 3)  # the reader's three conflicts are of the test split
    assert needed <= asked <= needed + 8, "more was asked again than was in flight"


@TOGETHER
def test_a_run_in_which_nothing_was_answered_fails_and_leaves_its_reasons(empty):
    with FaultServer(faults={"status_400": 1.0}) as server:
        done = run_cells(empty, "01_generate", *openai(server, "-p", "limit", "3"))
    stopped(done, "answer")
    folder = empty / "outputs/deepseek_sft"
    record = json.loads((folder / "run.json").read_text()) if (folder / "run.json").exists() else {}
    assert record.get("status") != "finished"
    stopped(run_cells(empty, "02_inspect_and_prepare"), "01_generate")


@TOGETHER
def test_two_teachers_are_kept_compared_and_joined(empty):
    """Rules, then another teacher with two answers a conflict: nothing is replaced, and 02 takes both."""
    ok(run_cells(empty, "01_generate", "-p", "limit", "8"))
    first = (empty / "outputs/deepseek_sft/results.csv").read_bytes()
    with FaultServer(take_ours) as server:
        ok(papermill(empty, "01_generate", *openai(server, "-p", "limit", "8", "-p", "samples", "2")))
        host = server.url.split("/")[2]
    assert (empty / "outputs/deepseek_sft_1/results.csv").read_bytes() == first
    told = said(empty, "01_generate")
    assert "it is kept as outputs/deepseek_sft_1" in told and f"fake-model ({host}), pass@2" in told
    assert f"go to {host}, on this machine" in told and "pass@1: " in told
    ok(papermill(empty, "02_inspect_and_prepare", "-p", "examples", "outputs/deepseek_sft_1,outputs/deepseek_sft"))
    told = said(empty, "02_inspect_and_prepare")
    assert f"rules against fake-model ({host}), any answer" in told and "24 replies to 8 conflicts" in told
    for folder in ("sft_dataset", "grpo_dataset"):
        with open(empty / "outputs" / folder / "teacher.csv", newline="") as file:
            assert {line["name"] for line in csv.DictReader(file)} == {"rules", f"fake-model ({host})"}
    stopped(run_cells(empty, "02_inspect_and_prepare", "-p", "examples", "outputs/deepseek_sft,outputs/b"), "outputs/b")


# ------------------------------------------------------------------------------------------------------- training


@TOGETHER
def test_03_and_04_train_on_what_02_wrote(project, tmp_path):
    root = copy_of_project(tmp_path / "project")
    shutil.copytree(project / "outputs", root / "outputs", dirs_exist_ok=True)
    tiny = str(tiny_model(tmp_path / "tiny"))
    ok(
        papermill(
            root,
            "03_sft_train",
            "-p",
            "base_model",
            tiny,
            "-p",
            "max_steps",
            "2",
            "-p",
            "limit",
            "8",
            "-p",
            "max_length",
            "4000",
        )
    )
    assert json.loads((root / "outputs/sft_model/run.json").read_text())["status"] == "finished"
    assert (root / "outputs/sft_model/adapter_model.safetensors").exists()
    arguments = (
        "-p",
        "max_steps",
        "1",
        "-p",
        "num_generations",
        "2",
        "-p",
        "max_completion_length",
        "16",
        "-p",
        "limit",
        "4",
    )
    ok(papermill(root, "04_to_grpo", *arguments, "-p", "n_heldout", "4"))
    assert json.loads((root / "outputs/grpo_model/run.json").read_text())["status"] == "finished"
    assert (root / "outputs/grpo_model/adapter_model.safetensors").exists()


@TOGETHER
@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("02_inspect_and_prepare", ("01_generate",)),
        ("03_sft_train", ("02_inspect_and_prepare",)),
        ("04_to_grpo", ("02_inspect_and_prepare",)),
    ],
)
def test_each_names_the_step_that_is_missing_before_it(empty, name, parts):
    stopped(run_cells(empty, name), *parts)
