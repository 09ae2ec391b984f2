"""What SFT costs: our settings, packing, an allocator that keeps its memory, and TRL's defaults, on the same rows.

    python benchmarks/training.py [--rows 24] [--rounds 3] [--model outputs/models/SmolLM2-135M-Instruct]

Prints a Markdown table. Every arm trains once over the same rows of the bundled sample (the rule teacher's replies), in
a process of its own, the arms in turn, so that a busy machine hurts all alike:

* ours: rows of similar length share a batch, no gradient checkpointing, bfloat16 where the CPU has it in hardware
* random: the same without sorting by length
* packing: rows one behind another in sequences of `--max-length` (TRL's bfd), the same loss tokens
* allocator: ours, with glibc told to keep and to back its memory with huge pages (GLIBC_TUNABLES)
* float32: ours on a CPU without bfloat16
* defaults: TRL as it comes, with use_cpu (it refuses to start without): bfloat16, gradient checkpointing, random order

Tokens a second are over all tokens without padding, once by the clock (best round) and once by processor time (best
round), which other work on the machine hardly touches. Memory is the peak of the process, with the model in it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ARMS = ("ours", "random", "packing", "allocator", "float32", "defaults")
ALLOCATOR = ":".join(
    f"glibc.malloc.{option}"
    for option in ("hugetlb=1", "mmap_max=0", "trim_threshold=20000000000", "top_pad=268435456")
)


def rows_of_the_sample(tokenizer: Any, most: int, max_length: int) -> list[dict[str, Any]]:
    """Rows as 02 makes them: the rule teacher's reasoning and answer to conflicts of the sample."""
    from llmerge_helpers import merges
    from llmerge_helpers.baselines.explain import explain
    from llmerge_helpers.conflicts import Conflict, messages, render_answer, render_reply
    from llmerge_helpers.models import chat as rendering

    rows = []
    for row in merges.load("sample")["train"]:
        hunk, reasoning = explain(Conflict.of(row))
        answer = render_answer(row["before"] + (hunk or "") + row["after"], row["language"])
        example = {"prompt": messages(row), "completion": render_reply(reasoning, answer)}
        if len(rendering.encode(tokenizer, **example)["input_ids"]) <= max_length:
            rows.append(example)
    return rows[:most]


def measure(arm: str, model: str, most: int, max_length: int) -> dict[str, float]:
    """Train once over the rows the way of `arm`; tokens, seconds by the clock and of the processor, peak memory."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import set_seed
    from trl import SFTConfig, SFTTrainer

    from llmerge_helpers import models
    from llmerge_helpers.models import device as devices
    from llmerge_helpers.training.rows import encode_rows

    folder = models.locate(model)
    tokenizer = models.load_tokenizer(folder)
    rows = rows_of_the_sample(tokenizer, most, max_length)
    data, report = encode_rows(tokenizer, rows, max_length)
    common = {"report_to": "none", "disable_tqdm": True, "logging_steps": 100, "save_strategy": "no", "use_cpu": True}
    common |= {"per_device_train_batch_size": 2, "num_train_epochs": 1, "seed": 0, "learning_rate": 1e-4}
    set_seed(0)
    with tempfile.TemporaryDirectory() as output:
        if arm == "defaults":
            chat = [{**r, "completion": [{"role": "assistant", "content": r["completion"]}]} for r in rows]
            trainer = SFTTrainer(
                model=models.load_base(folder),
                args=SFTConfig(output_dir=output, **common),
                train_dataset=Dataset.from_list(chat),
                processing_class=tokenizer,
                peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM"),
            )
        else:
            bfloat16 = devices.found_device().bfloat16 and arm != "float32"
            plan = devices.plan(devices.Device("cpu", "CPU", 1e6, bfloat16=bfloat16), models.model_size(folder))
            packing = arm == "packing"
            options = common | plan.training_arguments() | {"packing": packing, "max_length": None}
            options["train_sampling_strategy"] = (
                "group_by_length" if arm in ("ours", "allocator", "float32") else "random"
            )
            if packing:  # the same number of tokens in a step
                options |= {"max_length": max_length, "per_device_train_batch_size": 1}
            trainer = SFTTrainer(
                model=models.new_policy(model).model,
                args=SFTConfig(output_dir=output, **options),
                train_dataset=data.select_columns(["input_ids", "labels"]),
                processing_class=tokenizer,
            )
        clock, processor = time.perf_counter(), time.process_time()
        trainer.train()
        clock, processor = time.perf_counter() - clock, time.process_time() - processor
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"tokens": report["tokens"], "clock": clock, "processor": processor, "memory": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--model", default="HuggingFaceTB/SmolLM2-135M-Instruct")
    parser.add_argument("--arm", choices=ARMS, help="measure one arm in this process, and print JSON")
    given = parser.parse_args()
    if given.arm:
        print(json.dumps(measure(given.arm, given.model, given.rows, given.max_length)))
        return
    found: dict[str, list[dict[str, float]]] = {arm: [] for arm in ARMS}
    for _ in range(given.rounds):
        for arm in ARMS:
            options = ["--rows", given.rows, "--max-length", given.max_length, "--model", given.model, "--arm", arm]
            environment = os.environ | ({"GLIBC_TUNABLES": ALLOCATOR} if arm == "allocator" else {})
            command = [sys.executable, str(Path(__file__).resolve()), *map(str, options)]
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
            found[arm].append(json.loads(done.stdout.strip().splitlines()[-1]))
    print(table(found))


def table(found: dict[str, list[dict[str, float]]]) -> str:
    """The measurements as Markdown; ratios against TRL's defaults."""
    lines = [
        "| arm | tokens/s by the clock | tokens/s of processor time | against defaults | peak memory |",
        "|---|---:|---:|---:|---:|",
    ]
    slowest = min(r["processor"] for r in found["defaults"])
    for arm, rounds in found.items():
        tokens, processor = rounds[0]["tokens"], min(r["processor"] for r in rounds)
        clock = tokens / min(r["clock"] for r in rounds)
        memory = statistics.median(r["memory"] for r in rounds)
        ratio = slowest / processor
        lines.append(f"| {arm} | {clock:,.0f} | {tokens / processor:,.0f} | {ratio:.2f}x | {memory:.1f} GiB |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
