"""What a model takes to train and to sample, in bytes: counted on its own layers, with tensors that hold nothing.

A few layers of the model go forward and backward under torch's fake tensors, which have shapes and no memory, while
every tensor that comes and goes is weighed: what is saved for backward, what a layer works with, the mask of a padded
batch. Two lengths and two depths give what a token, a pair of tokens and a layer add; the rest is arithmetic. This
takes seconds, needs no GPU and reads no weights.
"""

from __future__ import annotations

import json
import warnings
import weakref
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PretrainedConfig

GIB = 2**30
WIDTH = {"float32": 4, "bfloat16": 2, "float16": 2}
# nf4 with its scales quantised once more: a byte to 64 weights, and four to 256 of those
FOUR_BIT = 0.5 + 1 / 64 + 4 / (64 * 256)
SLACK = 1.04  # what an allocator rounds up and leaves between blocks, on what comes and goes
ROWS, LENGTHS = 2, (512, 2048, 4096)  # that are counted: a constant, a token's share and a pair's
# of which two differ by what a layer adds; a pass that keeps nothing needs as much at any depth
DEPTHS = {"train": (2, 3), "checkpoint": (1, 2), "read": (2,)}


@dataclass(frozen=True)
class ModelSize:
    """The figures of a model that its memory depends on."""

    parameters: int
    layers: int
    hidden: int
    vocabulary: int
    config: str = field(default="", repr=False)  # of its text model, as JSON: what is counted
    positions: int = 0  # the longest text it was made for; 0 where it does not say


def size_of(config: PretrainedConfig) -> ModelSize:
    """The size of a model with this config: shapes only, nothing is allocated, and nothing read.

    >>> from transformers import Qwen2Config
    >>> size = size_of(Qwen2Config(vocab_size=100, hidden_size=64, intermediate_size=96, num_hidden_layers=3))
    >>> size.layers, size.hidden
    (3, 64)
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        parameters = sum(p.numel() for p in AutoModelForCausalLM.from_config(config).parameters())
    text = config.get_text_config()
    kept = {k: v for k, v in text.to_dict().items() if not k.startswith("_") and k != "quantization_config"}
    positions = getattr(text, "max_position_embeddings", None) or 0
    written = json.dumps(kept | {"model_type": text.model_type}, sort_keys=True, default=str)
    return ModelSize(parameters, text.num_hidden_layers, text.hidden_size, text.vocab_size, written, positions)


# ---- arithmetic over what was counted


Terms = tuple[float, float, float]  # bytes whatever the length, of a token, and of a pair of tokens of one row


@dataclass(frozen=True)
class Pass:
    """The bytes of a pass at its peak, beside weights: at the model's ends, and what each layer adds.

    >>> Pass((0, 2, 0), (100, 10, 1)).bytes(layers=4, batch=1, length=8, padded=False)
    736
    """

    ends: Terms
    layer: Terms

    def bytes(self, layers: int, batch: int, length: int, padded: bool) -> float:
        """At this batch and length; rows of one length need no mask, whose size is that of the pairs of tokens."""
        counts = 1, batch * length, batch * length**2 if padded else 0
        return sum(n * (end + layers * each) for n, end, each in zip(counts, self.ends, self.layer, strict=True))


@dataclass(frozen=True)
class Memory:
    """What a model takes on one device, loaded in one way."""

    size: ModelSize
    dtype: str  # of the weights that are not quantised
    autocast: str  # what is computed in, where that is another
    load_in_4bit: bool
    lora_rank: int  # 0: all weights learn
    shards: int = 1  # devices that share the weights
    cpu: bool = False  # where it is computed

    @property
    def runtime(self) -> float:
        """What torch itself takes: libraries on a CPU, the context and the kernels on a GPU."""
        return (1.0 if self.cpu else 0.5) * GIB

    @property
    def weights(self) -> float:
        """Bytes of the base's weights; 4 bit is for the linear layers alone, embeddings and head stay as they are."""
        width = WIDTH[self.dtype]
        whole = self.size.parameters * width
        if self.load_in_4bit:
            whole -= self.shape.linear * self.size.layers * (width - FOUR_BIT)
            return whole + self.shape.largest * width  # one matrix at a time is unpacked
        if self.shards > 1:  # a layer and the next are whole at a time, and so is the head
            tables = self.size.vocabulary * self.size.hidden * width
            return whole / self.shards + 2 * (whole - tables) / self.size.layers + tables
        return whole

    @property
    def learning(self) -> float:
        """Bytes of what learns: adapters in float32, with gradients and Adam's two moments; of all weights these
        three alone."""
        if not self.lora_rank:
            return 12 * self.size.parameters
        return 16 * self.shape.trainable * self.size.layers / self.shards

    @property
    def static(self) -> float:
        """GiB that are there from the first step to the last."""
        return (self.weights + self.learning + self.runtime) / GIB

    @property
    def shape(self) -> Shape:
        """The layers of this model."""
        return shape(self.size.config, self.lora_rank)

    @property
    def cache(self) -> float:
        """Bytes of the keys and values of one token."""
        return self.shape.cached * self.size.layers * WIDTH[self.autocast]

    def training(self, batch: int, length: int, checkpointing: bool, padded: bool = True) -> float:
        """GiB of a step: what lives through it, one pass forward and backward, and TRL's head.

        The head works on tiles of 4,096 tokens and 32,768 words: one on a GPU; without Triton on a CPU, eight in
        float32. Where it learns, its gradient is made as a whole before it is added up.
        """
        tokens = batch * length
        tile = min(tokens, 4096) * min(self.size.vocabulary, 32_768)
        head = (33 if self.cpu else 2) * tile + (12 if self.cpu else 8) * self.size.hidden * tokens
        head += 0 if self.lora_rank else 4 * self.size.vocabulary * self.size.hidden
        passed = self._pass("checkpoint" if checkpointing else "train").bytes(
            self.size.layers, batch, length, padded and batch > 1
        )
        return self.static + SLACK * (passed + head) / GIB

    def sampling(self, rows: int, prompt: int, completion: int) -> float:
        """GiB while `rows` replies are written at once by transformers: its cache grows by copies, a layer at a time,
        and all prompts are read in one pass."""
        cached = self.cache * rows * (prompt + completion) * (1 + 1 / self.size.layers)
        read = self._pass("read").bytes(self.size.layers, rows, prompt, rows > 1)
        words = 3 * 4 * rows * self.size.vocabulary  # logits of the next token, their softmax, and a sorted copy
        return self.static + SLACK * (cached + read + words) / GIB

    def _pass(self, kind: str) -> Pass:
        return counted(self.size.config, self.dtype, self.autocast, self.lora_rank, kind)


# ---- counting


@dataclass(frozen=True)
class Shape:
    """Of one layer, on average: trainable weights, those in linear layers, the largest such, and cached values."""

    trainable: float
    linear: float
    largest: int
    cached: int


@cache
def shape(config: str, lora_rank: int) -> Shape:
    """The layers of the model with this config, with adapters of this rank."""
    layers = period(_of_layers(config))
    model = _on_meta(config, layers, "float32", lora_rank or 1)
    text = model.config.get_text_config()
    adapted = [module.get_base_layer() for module in model.modules() if hasattr(module, "lora_A")]
    linear = [layer.weight.numel() for layer in adapted if hasattr(layer, "weight")]  # experts are tables of their own
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    return Shape(trainable_parameters(model) / layers, sum(linear) / layers, max(linear, default=0), 2 * heads * width)


@cache
def counted(config: str, dtype: str, autocast: str, lora_rank: int, kind: str) -> Pass:
    """One kind of pass ("train", "checkpoint", "read") through this model, from counts at three lengths and two
    depths."""
    import numpy as np

    every = period(_of_layers(config))
    shallow, *deep = DEPTHS[kind]
    terms = []
    for layers in (shallow, *deep):
        model = _on_meta(config, layers * every, dtype, lora_rank)
        found = [peak(model, ROWS, length, dtype, autocast, kind) for length in LENGTHS]
        terms.append(np.linalg.solve([[1, ROWS * n, ROWS * n**2] for n in LENGTHS], found))
    layer = (terms[-1] - terms[0]) / every
    ends = terms[0] - shallow * every * layer
    return Pass(tuple(ends.tolist()), tuple(layer.tolist()))


def trainable_parameters(model: Module) -> int:
    """How many parameters will learn."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def is_peft(model: Module) -> bool:
    """True for a model with an adapter; of one without, all weights learn."""
    return hasattr(model, "peft_config")


def peak(model: Module, batch: int, length: int, dtype: str, autocast: str, kind: str) -> int:
    """The most bytes that live at a time in one pass of a model without its head, beside weights and gradients.

    Every row is padded, so that attention has a mask. The pass is the CPU's, whose attention keeps for backward what
    that of a GPU keeps: queries, keys and values, one copy a head, the output, and the mask as numbers.
    """
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    class Weighed(torch.utils._python_dispatch.TorchDispatchMode):
        """Adds what operations give, once for all views of it, and takes it off when the last of them goes."""

        def __init__(self, known: list[torch.Tensor]) -> None:
            super().__init__()
            self.now = self.most = 0
            self.seen = weakref.WeakKeyDictionary({tensor.untyped_storage(): 0 for tensor in known})

        def gone(self, size: int) -> None:
            self.now -= size

        def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
            out = operation(*args, **(kwargs or {}))
            for tensor in torch.utils._pytree.tree_leaves(out):
                if isinstance(tensor, torch.Tensor) and (storage := tensor.untyped_storage()) not in self.seen:
                    size = self.seen[storage] = storage.nbytes()
                    self.now += size
                    self.most = max(self.most, self.now)
                    weakref.finalize(storage, self.gone, size)
            return out

    training = kind != "read"
    model.train(training)
    with warnings.catch_warnings(), FakeTensorMode(allow_non_fake_inputs=True):
        warnings.simplefilter("ignore")
        for module in model.modules():
            for name, p in module._parameters.items():
                if p is not None:
                    fake = torch.nn.Parameter(torch.empty(p.shape, dtype=p.dtype, device="cpu"), p.requires_grad)
                    fake.grad = torch.zeros_like(fake) if p.requires_grad else None
                    module._parameters[name] = fake
            for name, b in module._buffers.items():
                module._buffers[name] = b if b is None else torch.empty(b.shape, dtype=b.dtype, device="cpu")
        if kind == "checkpoint":
            model.gradient_checkpointing_enable()
        else:
            model.gradient_checkpointing_disable()
        model.enable_input_require_grads()
        given = {
            "input_ids": torch.zeros((batch, length), dtype=torch.long),
            "attention_mask": torch.ones((batch, 1, length, length), dtype=torch.bool),
        }
        known = [*model.parameters(), *(p.grad for p in model.parameters() if p.requires_grad), *model.buffers()]
        casting = torch.autocast("cpu", getattr(torch, autocast)) if autocast != "float32" else nullcontext()
        with Weighed(known) as weighed, torch.set_grad_enabled(training), casting:
            weighed.now = weighed.most = batch * length**2  # the mask
            below = model.get_base_model() if is_peft(model) else model
            out = below.base_model(**given, use_cache=False).last_hidden_state
            if training:
                out.sum().backward()
    return weighed.most


def _on_meta(config: str, layers: int, dtype: str, lora_rank: int) -> Module:
    """The first layers of a model, with adapters, or with rank 0 without, and without memory."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModelForCausalLM

    values = _of_layers(config)
    whole = values["num_hidden_layers"]
    cut = {name: value[:layers] for name, value in values.items() if isinstance(value, list) and len(value) == whole}
    built = AutoConfig.for_model(**values | cut | {"num_hidden_layers": layers})
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_config(built, dtype=getattr(torch, dtype))
        if lora_rank:
            lora = LoraConfig(r=lora_rank, target_modules="all-linear", task_type="CAUSAL_LM")
            model = get_peft_model(model, lora)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.to(torch.float32)
    return model


def _of_layers(config: str) -> dict[str, object]:
    values = json.loads(config)
    if set(values.get("layer_types") or ()) == {"full_attention", "sliding_attention"}:
        # a layer that looks at all tokens keeps no less than one that looks back a little: one kind is counted
        values["layer_types"] = ["full_attention"] * values["num_hidden_layers"]
    return values


def period(values: dict[str, object]) -> int:
    """After how many layers the kinds of layers of a config repeat, six at most; kinds are lists of names.

    >>> period({"num_hidden_layers": 4, "layer_types": ["linear", "full", "linear", "full"]})
    2
    """
    whole = values["num_hidden_layers"]
    lists = [value for value in values.values() if isinstance(value, list) and len(value) == whole]
    lists = [value for value in lists if all(isinstance(each, str) for each in value)]
    for every in range(1, 6):
        if all(value[i] == value[i % every] for value in lists for i in range(whole)):
            return every
    return 6
