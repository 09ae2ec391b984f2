"""SFT, GRPO, KTO and DPO with LoRA from a file of settings, in a script or under `accelerate launch`.

    accelerate launch -m llmerge_helpers.training sft params.yaml
    accelerate launch -m llmerge_helpers.training grpo params.yaml
    python -m llmerge_helpers.training kto params.yaml
    python -m llmerge_helpers.training dpo params.yaml

A params file holds the names of `SftSettings`, `GrpoSettings`, or for KTO and DPO `PreferenceSettings`; every run
leaves its own in `output_dir`. Any argument of TRL goes below `trl:`, such as `trl: {neftune_noise_alpha: 5}`, and
comes before all others. Everything that can be wrong is checked before a model is loaded; a run that was killed goes on
where its last checkpoint is, if its settings are the same. With `rounds: 2`, sft goes on with two rounds of rejection
sampling; grpo first tries which conflicts teach its model something (`probe: -1` leaves that out). kto learns from the
wrong replies that 02 dropped, dpo from its pairs of a right and a wrong reply; both go on from the adapter of SFT. With
`lora_rank: 0`, sft trains all weights of a small model, and the others put their adapter on it.

How many processes, and how they share the work, is `accelerate`'s business: `--multi_gpu --num_processes 4` for copies
of the model (tested here with two CPU processes), `--use_fsdp --fsdp_version 2` to shard one that is too large for a
GPU. accelerate shards on GPUs only, so the tests shard with torch alone, and look at the adapter that is saved. GRPO
takes vLLM in its own processes where it is installed (`use_vllm: colocate`), or as a server on other GPUs: start
`trl vllm-serve --model BASE`, and set `use_vllm: server`; vLLM needs a GPU and is not part of the tests.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import yaml

from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.run import shown
from llmerge_helpers.training.preferences import dpo, kto
from llmerge_helpers.training.rejection import rounds
from llmerge_helpers.training.train import grpo, main_process, sft


def main(arguments: Sequence[str] | None = None) -> int:
    """`sft`, `grpo`, `kto` or `dpo` with a YAML file of settings; every process of `accelerate launch` runs this."""
    parser = argparse.ArgumentParser(prog="llmerge_helpers.training", description=__doc__.splitlines()[0])
    parser.add_argument("stage", choices=("sft", "grpo", "kto", "dpo"))
    parser.add_argument("params", help="YAML file: names of SftSettings, GrpoSettings or PreferenceSettings")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO if main_process() else logging.WARNING, format="%(message)s")
    try:
        path = Path(given.params)
        if not path.exists():
            raise LlmergeError(f"{path} is not there: give a YAML file of settings.")
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise LlmergeError(f"{path} must hold `name: value` lines.")
        result = {"sft": sft, "grpo": grpo, "kto": kto, "dpo": dpo}[given.stage](values)
        further = rounds(values) if values.get("rounds") and given.stage == "sft" else None
    except LlmergeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if main_process():
        facts = {"seconds": round(result.seconds), "memory GiB": round(result.memory_gib, 2), **result.learned}
        if further is not None:
            print(f"{further.table}\nthe adapter to go on from: {shown(further.model)}")
        print(f"{given.stage} finished: {shown(result.output_dir)}; {facts} {result.diagnosis}".rstrip())
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
