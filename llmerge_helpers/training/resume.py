"""Runs that survive a disconnect: checkpoints that belong to their settings, one W&B run for the life of a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import secret, shown
from llmerge_helpers.run.files import differences, keep_beside, read_json, write_atomic, write_json
from llmerge_helpers.training.settings import TRACKERS, check_report_to

SETTINGS_FILE = "settings.json"
TENSORBOARD = "tensorboard"
FINISHED = "history.json"  # written when the adapter is on disk, and removed when a run starts


PROJECT = "llmerge"  # what a tracker calls all runs
RUN_ID = "{}_run_id.txt"  # of a tracker, in the folder of a run


def tracking(report_to: str, output_dir: Path, name: str) -> dict[str, str]:
    """The part of TRL's configuration that says where curves go: for the life of a folder, into one run.

    W&B is offline without a key. TensorBoard draws in the folder, and trackio for all runs beside it, on this machine.
    """
    check_report_to(report_to)
    given = {"report_to": report_to or "none", "project": PROJECT, "run_name": name}
    if report_to == "tensorboard":
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(output_dir / TENSORBOARD)
    if report_to not in ("wandb", "trackio"):
        return given
    file = output_dir / RUN_ID.format(report_to)
    if not file.exists():
        write_atomic(file, hashlib.sha256(f"{output_dir}{time.time_ns()}".encode()).hexdigest()[:8])
    identifier = file.read_text(encoding="utf-8")
    if report_to == "trackio":  # it knows a run by its name alone
        os.environ.setdefault("TRACKIO_DIR", str(output_dir.parent / "trackio"))
        return given | {"run_name": f"{name}-{identifier}"}
    import transformers.integrations.integration_utils  # noqa: F401 (prints a notice if it finds the mode set already)

    key = secret("WANDB_API_KEY")
    if key:
        os.environ["WANDB_API_KEY"] = key
    elif os.environ.get("WANDB_MODE") != "disabled":
        os.environ["WANDB_MODE"] = "offline"  # without a key the client would stop and ask
    os.environ |= {
        "WANDB_RUN_ID": identifier,
        "WANDB_RESUME": "allow",
        "WANDB_NAME": name,
        "WANDB_DIR": str(output_dir),
        "WANDB_SILENT": "true",
        "WANDB_DISABLE_CODE": "true",
    }
    os.environ.setdefault("WANDB_PROJECT", PROJECT)
    return given


def make_way(output_dir: Path, facts: Mapping[str, object], *, main_process: bool = True) -> None:
    """Put a finished run with other facts aside, as `<output_dir>_1`; `facts` is all that shapes the result of a run.

    Checkpoints of an unfinished run with other facts are an `LlmergeError` that names what differs.
    """
    try:
        before, finished = read_json(output_dir / SETTINGS_FILE), (output_dir / FINISHED).exists()
    except OSError:  # nothing here, or the main process has just put it aside
        return
    facts = json.loads(json.dumps(facts))
    what = differences(before, facts)
    if not what or not (finished or last_checkpoint(output_dir / "checkpoints")):
        return
    if not finished:
        raise LlmergeError(
            f"{shown(output_dir)} holds checkpoints of an unfinished run with other settings ({what}): set them back, "
            "choose another output_dir, or start afresh with resume False."
        )
    if main_process:
        kept = keep_beside(output_dir)
        print(f"{shown(output_dir)} held a finished run with other settings ({what}): it is kept as {shown(kept)}.")


def prepare_output(output_dir: Path, facts: Mapping[str, object], resume: bool) -> str | None:
    """The checkpoint to go on from, or None for a fresh start; without `resume`, old checkpoints go."""
    checkpoints = output_dir / "checkpoints"
    (output_dir / FINISHED).unlink(missing_ok=True)
    if not resume and checkpoints.exists():
        shutil.rmtree(checkpoints)
        if (output_dir / TENSORBOARD).exists():
            shutil.rmtree(output_dir / TENSORBOARD)
        for name in (*map(RUN_ID.format, TRACKERS), "samples.jsonl", "completions.jsonl"):
            (output_dir / name).unlink(missing_ok=True)
    last = last_checkpoint(checkpoints)
    write_json(output_dir / SETTINGS_FILE, facts)
    return str(last) if last else None


def last_checkpoint(folder: Path) -> Path | None:
    """The newest whole checkpoint; what a killed run wrote half is removed."""
    if not folder.is_dir():
        return None
    numbered = sorted(folder.glob("checkpoint-*"), key=lambda p: int(p.name.rpartition("-")[2]), reverse=True)
    for path in numbered:
        try:  # written last
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
            return path
        except (OSError, ValueError):
            shutil.rmtree(path)
    return None


def fingerprint(rows: Iterable[Mapping[str, object]]) -> str:
    """A digest of rows: a checkpoint belongs to the data that it was trained on."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]
