"""The memory plan against bytes that are counted another way, over cards, models, lengths and batches.

    python benchmarks/memory_plan.py [--all]

Each plan is held against what a step cannot do without: the weights one by one, 16 bytes a weight that learns, what
`torch.autograd.graph.saved_tensors_hooks` sees kept for backward in a whole forward of the model at the plan's own
batch and length (fake tensors; two depths give all layers), one layer once more where it is computed again, and the
tile and the gradient of TRL's head. The plan shares no code with this: it weighs what lives, at other lengths and
other depths, and adds what a context and an allocator take; so it should lie above, by a little. No GPU is needed, and
no weights are read. Prints a Markdown table, one line a card and model (`--all`: one a plan), and the peaks that others
counted.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import warnings
from functools import cache
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
warnings.filterwarnings("ignore")

from known_models import config  # noqa: E402

from llmerge_helpers.errors import LlmergeError  # noqa: E402
from llmerge_helpers.models.device import GIB, Device, Plan, plan  # noqa: E402
from llmerge_helpers.models.memory import size_of  # noqa: E402

CARDS = (
    Device("cuda", "T4", 14.6, (7, 5)),
    Device("cuda", "L4", 22.0, (8, 9)),
    Device("cuda", "A100-40", 39.4, (8, 0)),
    Device("cuda", "A100-80", 79.2, (8, 0)),
)
MODELS = ("R1-Distill-Qwen-1.5B", "Qwen3-4B", "R1-Distill-Qwen-7B", "R1-Distill-Llama-8B", "R1-Distill-Qwen-14B")
LENGTHS = (1024, 2048, 4096, 8192)
BATCHES = (0, 1, 2)  # 0: the plan's own
MOST = 88
RANK = 16
# (card, model, batch, length, checkpointing) and the GiB that it takes at least, counted before this was written
KNOWN = (
    (0, "R1-Distill-Qwen-1.5B", 8, 8192, True, 17.4),
    (1, "R1-Distill-Qwen-1.5B", 8, 1024, False, 29.7),
    (3, "R1-Distill-Qwen-7B", 8, 2048, False, 128.0),
)


@cache
def kept(model: str, dtype: str, batch: int, length: int, checkpointing: bool, depth: int) -> int:
    """Bytes that a forward of the first layers keeps for backward, weights left out."""
    import torch
    from peft import LoraConfig, get_peft_model
    from torch._subclasses.fake_tensor import FakeTensorMode
    from transformers import AutoModelForCausalLM

    number = getattr(torch, dtype)
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(config(model, num_hidden_layers=depth), dtype=number)
        network = get_peft_model(network, LoraConfig(r=RANK, target_modules="all-linear", task_type="CAUSAL_LM"))
    with FakeTensorMode(allow_non_fake_inputs=True):
        for part in network.modules():
            for name, weight in part._parameters.items():
                if weight is not None:
                    each = torch.empty(weight.shape, dtype=torch.float32 if weight.requires_grad else number)
                    part._parameters[name] = torch.nn.Parameter(each, weight.requires_grad)
            for name, buffer in part._buffers.items():
                part._buffers[name] = buffer if buffer is None else torch.empty(buffer.shape, dtype=buffer.dtype)
        network.train()
        if checkpointing:
            network.gradient_checkpointing_enable()
        network.enable_input_require_grads()
        weights = {weight.untyped_storage()._cdata for weight in network.parameters()}
        seen = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage._cdata not in weights:
                seen[storage._cdata] = storage  # held, so that no other takes its place
            return tensor

        mask = None if batch == 1 else torch.ones((batch, 1, length, length), dtype=torch.bool)
        ids = torch.zeros((batch, length), dtype=torch.long)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda each: each), torch.autocast("cpu", number):
            network.get_base_model().base_model(input_ids=ids, attention_mask=mask, use_cache=False)
        return sum(storage.nbytes() for storage in seen.values())


@cache
def counted(model: str, dtype: str, four_bit: bool, batch: int, length: int, checkpointing: bool) -> float:
    """GiB that a step of SFT takes at least."""
    import torch
    from transformers import AutoModelForCausalLM

    made = config(model)
    with torch.device("meta"):
        network = AutoModelForCausalLM.from_config(made)
    rows = {name: module.weight.shape for name, module in network.named_modules() if hasattr(module, "weight")}
    inner = {name: shape for name, shape in rows.items() if len(shape) == 2 and name.startswith("model.layers")}
    weights = sum(weight.numel() * 2 for weight in network.parameters())
    if four_bit:
        weights -= sum(shape.numel() for shape in inner.values()) * 1.48
    learn = sum(RANK * sum(shape) for shape in inner.values())
    a_layer = [kept(model, dtype, batch, length, False, depth) for depth in (3, 4)]
    by_layer = a_layer[1] - a_layer[0]
    if checkpointing:
        inputs = [kept(model, dtype, batch, length, True, depth) for depth in (3, 4)]
        states = inputs[0] + (made.num_hidden_layers - 3) * (inputs[1] - inputs[0]) + by_layer
    else:
        states = a_layer[0] + (made.num_hidden_layers - 3) * by_layer
    tokens = batch * length
    head = 2 * min(tokens, 4096) * 32_768 + tokens * made.hidden_size * 4
    return (weights + 16 * learn + states + head) / GIB


def plans() -> list[tuple[Device, str, int, Plan]]:
    """What is planned for every card, model and length, with 4 bit where 16 bit does not fit."""
    found = []
    for card in CARDS:
        for model in MODELS:
            size = size_of(config(model))
            for length in LENGTHS:
                seen = set()
                for batch in BATCHES:
                    for four_bit in (False, True):
                        try:
                            made = plan(card, size, batch_size=batch, max_length=length, load_in_4bit=four_bit)
                        except LlmergeError:
                            continue
                        if (made.batch_size, made.gradient_checkpointing) not in seen:
                            found.append((card, model, length, made))
                            seen.add((made.batch_size, made.gradient_checkpointing))
                        break
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--all", action="store_true", help="one line a plan")
    given = parser.parse_args()
    lines, ratios = {}, []
    made = plans()
    step = max(1.0, len(made) / MOST)  # spread over all of them
    for card, model, length, each in [made[int(i * step)] for i in range(min(MOST, len(made)))]:
        bytes_ = counted(model, each.dtype, each.load_in_4bit, each.batch_size, length, each.gradient_checkpointing)
        ratios.append(each.expected_gib / bytes_)
        lines.setdefault((card.name, model), []).append((length, each, bytes_, ratios[-1]))
    if given.all:
        print("| card | model | weights | length | batch | checkpointing | planned GiB | counted GiB | ratio |")
        print("|---|---|---|---:|---:|---|---:|---:|---:|")
        for (card, model), rows in lines.items():
            for length, each, bytes_, ratio in rows:
                weights = "4 bit" if each.load_in_4bit else each.dtype
                again = "yes" if each.gradient_checkpointing else "no"
                print(f"| {card} | {model} | {weights} | {length:,} | {each.batch_size} | {again} | "
                      f"{each.expected_gib:.1f} | {bytes_:.1f} | {ratio:.2f} |")  # fmt: skip
    else:
        print("| card | model | plans | least ratio | mean ratio | largest ratio |\n|---|---|---:|---:|---:|---:|")
        for (card, model), rows in lines.items():
            found = [row[3] for row in rows]
            figures = f"{min(found):.2f} | {statistics.mean(found):.2f} | {max(found):.2f}"
            print(f"| {card} | {model} | {len(rows)} | {figures} |")
    below = sum(ratio < 1 for ratio in ratios)
    print(f"\n{len(ratios)} plans of {len(made)}: {below} below what was counted, mean ratio "
          f"{statistics.mean(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f}.")  # fmt: skip
    print("\n| known | model | batch | length | at least GiB | planned GiB |\n|---|---|---:|---:|---:|---:|")
    for number, model, batch, length, checkpointing, least in KNOWN:
        memory = plan(CARDS[number], size_of(config("SmolLM2-135M"))).memory
        own = type(memory)(size_of(config(model)), memory.dtype, memory.autocast, False, RANK)
        planned = own.training(batch, length, checkpointing)
        print(f"| {CARDS[number].name} | {model} | {batch} | {length:,} | {least} | {planned:.1f} |")


if __name__ == "__main__":
    main()
