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
from llmerge_helpers.training.settings import check_report_to

SETTINGS_FILE = "settings.json"
FINISHED = "history.json"  # written when the adapter is on disk, and removed when a run starts


def tracking(report_to: str, output_dir: Path, name: str) -> str:
    """What to give TRL as `report_to`, with W&B set up: offline without a key, one run id for the life of a folder.

    What trackio and TensorBoard draw stays on this machine.
    """
    check_report_to(report_to)
    if report_to == "tensorboard":
        os.environ["TENSORBOARD_LOGGING_DIR"] = str(output_dir / "tensorboard")
    if report_to != "wandb":
        return report_to or "none"
    import transformers.integrations.integration_utils  # noqa: F401 (prints a notice if it finds the mode set already)

    key = secret("WANDB_API_KEY")
    if key:
        os.environ["WANDB_API_KEY"] = key
    elif os.environ.get("WANDB_MODE") != "disabled":
        os.environ["WANDB_MODE"] = "offline"  # without a key the client would stop and ask
    identifier = output_dir / "wandb_run_id.txt"
    if not identifier.exists():
        write_atomic(identifier, hashlib.sha256(f"{output_dir}{time.time_ns()}".encode()).hexdigest()[:8])
    os.environ |= {
        "WANDB_RUN_ID": identifier.read_text(encoding="utf-8"),
        "WANDB_RESUME": "allow",
        "WANDB_NAME": name,
        "WANDB_DIR": str(output_dir),
        "WANDB_SILENT": "true",
        "WANDB_DISABLE_CODE": "true",
    }
    os.environ.setdefault("WANDB_PROJECT", "llmerge")
    return "wandb"


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
        for name in ("wandb_run_id.txt", "samples.jsonl", "completions.jsonl"):
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
