"""03 and 04 through papermill, killed half-way and run again: the curve goes on, and ends as if nothing had been.

Measured when written: SFT killed after step 30 of 60 and GRPO after step 2 of 8; every loss, entropy, length and
sampled completion was that of the run without a kill, and so were the adapters, bit by bit.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from notebook_runs import ROOT, copy_of_project, papermill
from tiny import save_grpo, save_sft, tiny_model

RUN = "import sys; sys.path.insert(0, sys.argv[1]); import notebook_runs; from pathlib import Path; "
RUN += "notebook_runs.papermill(Path(sys.argv[2]), *sys.argv[3:])"


def kill_after_a_checkpoint(root: Path, folder: Path, *command: str) -> int:
    """Start a notebook, and kill it and its kernel once there is a checkpoint; its step comes back."""
    started = subprocess.Popen([sys.executable, "-c", RUN, str(ROOT / "tests" / "support"), str(root), *command])
    deadline = time.monotonic() + 900
    while not (found := list(folder.glob("checkpoints/checkpoint-*/trainer_state.json"))):
        assert started.poll() is None and time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.01)
    family = [*psutil.Process(started.pid).children(recursive=True), psutil.Process(started.pid)]
    for process in family:  # papermill puts its kernel into a session of its own
        process.kill()
    psutil.wait_procs(family)
    started.wait()
    assert not (folder / "history.json").exists(), "killed too late"
    return int(found[0].parent.name.rpartition("-")[2])


def curve(folder: Path, *names: str) -> list[tuple]:
    history = json.loads((folder / "history.json").read_text())
    return [(entry["step"], *(entry[name] for name in names)) for entry in history if names[0] in entry]


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_killed_notebook_goes_on_and_ends_the_same(tmp_path):
    root = copy_of_project(tmp_path / "project")
    save_sft(root / "outputs/sft_dataset/correct_only", n=12)
    save_grpo(root / "outputs/grpo_dataset", n=8)
    model = str(tiny_model(tmp_path / "tiny"))

    def run(notebook: str, name: str, *more: object) -> tuple[Path, tuple[str, ...]]:
        given = {"output_dir": f"outputs/{name}", "report_to": "none", **dict(zip(more[::2], more[1::2], strict=True))}
        return root / "outputs" / name, (notebook, *(w for k, v in given.items() for w in ("-p", k, str(v))))

    def ok(command: tuple[str, ...]) -> None:
        done = papermill(root, *command)
        assert done.returncode == 0, done.stderr[-3000:]

    facts = {}
    sft = ("base_model", model, "max_steps", 60)
    grpo = ("sft_model", "outputs/whole_sft", "max_steps", 8, "num_generations", 2, "max_completion_length", 16)
    grpo += ("n_heldout", 4)
    for notebook, stage, parameters in (("03_sft_train", "sft", sft), ("04_to_grpo", "grpo", grpo)):
        whole, command = run(notebook, f"whole_{stage}", *parameters)
        ok(command)
        again, command = run(notebook, f"killed_{stage}", *parameters)
        facts[stage] = kill_after_a_checkpoint(root, again, *command)
        ok(command)
        names = ("loss", "learning_rate") if stage == "sft" else ("reward", "entropy", "completions/mean_length")
        steps = parameters[3]
        assert [entry[0] for entry in curve(again, *names)] == list(range(1, steps + 1)), "a step is missing or double"
        for got, wanted in zip(curve(again, *names), curve(whole, *names), strict=True):
            assert got == pytest.approx(wanted, rel=1e-3), f"{stage}: step {wanted[0]}"
        hashes = [json.loads((folder / "lineage.json").read_text())["adapter_hash"] for folder in (whole, again)]
        assert hashes[0] == hashes[1]
        assert json.loads((again / "run.json").read_text())["status"] == "finished"
        print(f"{stage}: killed after step {facts[stage]} of {steps}; last {curve(whole, *names)[-1]}, "
              f"after the kill {curve(again, *names)[-1]}; the same adapter")  # fmt: skip
    samples = [sample["step"] for sample in lines(root / "outputs/killed_sft/samples.jsonl")]
    assert samples == sorted(samples)
    columns = [
        [row["completion"] for row in lines(root / f"outputs/{n}_grpo/completions.jsonl")] for n in ("whole", "killed")
    ]
    assert columns[0] == columns[1]
