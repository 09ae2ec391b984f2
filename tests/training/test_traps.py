"""Ten traps that ruin a training run without a word, each with a check, and each check shown to fail without its guard.

A mutation takes one guard out of the source of one function, in memory, and a check that passes on the code as it is
must then fail. The checks run with the other tests, the mutations with `-m slow`. Where two guards stand behind each
other, both go. No GPU is needed: devices are described, and what TRL does to a 4-bit model is done to a small one.

 1. a chat template drops the reasoning from the training text
 2. an adapter loaded frozen trains for hours and stays as it is
 3. an adapter on a model that was merged in memory loses the stage before it
 4. rows that are cut lose their end, or all of them go
 5. completions that are all cut off teach nothing, and the run succeeds
 6. TRL picks bfloat16 on a CPU
 7. a T4 says that it can do bfloat16
 8. the adapters of a 4-bit model are turned to bfloat16
 9. a GGUF gives a model that cannot be saved
10. a `<think>` that the template wrote makes the format reward 0 for ever
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import textwrap

import pytest
import test_adapter as test_models
import test_chat as test_rendering
import test_rewards
import test_train as test_training
from test_adapter import base, other  # noqa: F401 (fixtures)
from test_train import few_threads, here, letters, sft_run  # noqa: F401 (fixtures)
from tiny import tiny_model

from llmerge_helpers import rewards, training
from llmerge_helpers.errors import LlmergeError
from llmerge_helpers.models import adapter as models
from llmerge_helpers.models import answer as decoding
from llmerge_helpers.models import base as base_room
from llmerge_helpers.models import chat as rendering
from llmerge_helpers.models import device as devices
from llmerge_helpers.run.files import read_json
from llmerge_helpers.training import callbacks
from llmerge_helpers.training import rows as training_data

pytestmark = pytest.mark.filterwarnings("ignore")


# ---- checks that look at what a trainer is really given


def given_to_trl(monkeypatch, stage, settings, *rewards):
    """The arguments of the trainer, and the labels of every batch, of a run of one step."""
    import trl

    kind = {"sft": trl.SFTTrainer, "grpo": trl.GRPOTrainer}[stage]
    seen, compute = {"labels": []}, kind.compute_loss

    def watching(self, model, inputs, *args, **kwargs):
        seen["args"] = self.args
        if model.training and "labels" in inputs:
            seen["labels"] += inputs["labels"].tolist()
        return compute(self, model, inputs, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(kind, "compute_loss", watching)
        seen["run"] = getattr(training, stage)(settings, *rewards)
    return seen


def check_the_trainer_sees_whole_replies(here, tmp_path, monkeypatch):  # noqa: F811
    folder = tiny_model(tmp_path / "r1", template=test_rendering.DEEPSEEK)
    settings = test_training.sft_settings(here, tmp_path / "out", max_steps=1, base_model=str(folder))
    labels = given_to_trl(monkeypatch, "sft", settings)["labels"]
    tokenizer = models.load_tokenizer(folder)
    assert len(labels) == 2
    for row in labels:
        learned = tokenizer.decode([token for token in row if token != rendering.IGNORED])
        assert learned.startswith("Each side adds an import") and learned.endswith("```<|im_end|>")


def check_trl_is_told_float32_on_a_cpu(here, sft_run, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr("llmerge_helpers.models.found_device", lambda: test_models.CPU)
    for stage, settings in (("sft", test_training.sft_settings), ("grpo", test_training.grpo_settings)):
        args = given_to_trl(monkeypatch, stage, settings(here, tmp_path / stage, max_steps=1))["args"]
        assert args.use_cpu and not args.bf16 and not args.fp16


def check_every_row_for_a_trainer_is_checked(monkeypatch):
    """A renderer that went wrong is noticed before anything trains."""
    tokenizer, row = (
        test_training.tiny_tokenizer(),
        {"prompt": test_rendering.PROMPT, "completion": test_rendering.REPLY},
    )
    cut = {name: ids[:-4] for name, ids in rendering.encode(tokenizer, *row.values()).items()}
    with monkeypatch.context() as patch:
        patch.setattr(training_data, "encode", lambda *_: cut)
        with pytest.raises(LlmergeError, match="never stop"):
            training_data.encode_rows(tokenizer, [row], 4000)


def check_grpo_moves_the_adapter_it_saves(here, sft_run, tmp_path, letters):  # noqa: F811
    """With a reference model: frozen, its loss, rewards and gradients would look alive."""
    run = training.grpo(test_training.grpo_settings(here, tmp_path / "out", beta=0.04, max_steps=2), letters)
    saved = models.load_policy(tmp_path / "out", trainable=False)
    assert models.adapter_hash(saved.model) == run.lineage["adapter_hash"] != sft_run.lineage["adapter_hash"]


def check_what_goes_on_from_an_adapter_keeps_it(base, tmp_path):  # noqa: F811
    """SFT, then another stage: base and last adapter together say what was trained."""
    import torch

    policy = models.new_policy(str(base), lora_rank=4)
    for name, parameter in policy.model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=0.05)
    models.save_adapter(policy, tmp_path / "sft", "sft")
    models.save_adapter(models.load_policy(tmp_path / "sft"), tmp_path / "grpo", "grpo")
    again = models.load_policy(tmp_path / "grpo", trainable=False)
    ids = torch.arange(40)[None]
    with torch.no_grad():
        wanted, got = policy.model.eval()(ids).logits, again.model(ids).logits
    assert torch.allclose(wanted, got, atol=1e-5)


def check_an_adapter_names_its_base_as_it_was_given(base, tmp_path, monkeypatch):  # noqa: F811
    """Not the folder in which one machine keeps it."""
    with monkeypatch.context() as patch:
        patch.setattr(models, "locate", lambda name: base)
        models.save_adapter(models.new_policy("me/mine"), tmp_path / "sft", "sft")
    assert read_json(tmp_path / "sft/adapter_config.json")["base_model_name_or_path"] == "me/mine"


def check_completions_that_are_all_cut_off_still_carry_loss(here, sft_run, tmp_path, monkeypatch, letters):  # noqa: F811
    settings = test_training.grpo_settings(here, tmp_path / "out", max_steps=2, max_completion_length=4)
    run = given_to_trl(monkeypatch, "grpo", settings, letters)["run"]
    assert run.curves()["completions/clipped_ratio"].dropna().tolist() == [1.0, 1.0]
    assert run.learned["max_delta"] > 0 and "cut off" in run.diagnosis


def check_a_t4_trains_and_is_measured_in_float16(monkeypatch):
    """As torch describes a T4: it says that it supports bfloat16."""
    import torch

    properties = type("T4", (), {"major": 7, "minor": 5, "name": "Tesla T4", "total_memory": int(14.7 * devices.GIB)})
    with monkeypatch.context() as patch:
        for name, value in {"is_available": True, "is_bf16_supported": True, "device_count": 1,
                            "get_device_properties": properties}.items():  # fmt: skip
            patch.setattr(torch.cuda, name, lambda *_, value=value, **__: value)
        device = devices.found_device()
    found = devices.plan(device, test_models.QWEN_1B5)
    assert (found.dtype, found.bf16, found.fp16) == ("float16", False, True)
    assert not found.training_arguments()["bf16"] and found.training_arguments()["fp16"]
    assert decoding._plan(device).dtype == "float16"


def check_a_4_bit_base_computes_as_its_device_can(monkeypatch):
    import torch
    import transformers

    asked = {}
    with monkeypatch.context() as patch:
        patch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", lambda *_, **options: asked.update(options))
        for device, dtype in ((test_models.T4, torch.float16), (test_models.L4, torch.bfloat16)):
            models.load_base("anything", devices.plan(device, test_models.QWEN_7B, load_in_4bit=True))
            quantized = asked["quantization_config"]
            assert quantized.load_in_4bit and quantized.bnb_4bit_compute_dtype == asked["dtype"] == dtype


def check_an_evaluation_knows_what_was_prefilled(tmp_path):
    reply = decoding._completion(test_training.tiny_tokenizer(), "q<think>\n", [1, 2], [2], [])
    assert reply.text.startswith("<think>\n")


def check_rewards_in_a_run_know_what_was_prefilled(here, tmp_path):  # noqa: F811
    """From the template through TRL to the reward."""
    template = test_training.tiny_tokenizer().chat_template.replace("assistant\\n'", "assistant\\n<think>\\n'")
    folder = tiny_model(tmp_path / "think", template=template)
    models.save_adapter(models.new_policy(str(folder), lora_rank=4), tmp_path / "sft", "sft")
    seen = []

    def format_reward(completions, prefill=(), **_):
        seen.extend(prefill)
        return [0.0] * len(completions)

    settings = test_training.grpo_settings(here, tmp_path / "out", max_steps=1, sft_model=str(tmp_path / "sft"))
    training.grpo(settings, (format_reward, rewards.resolution_reward))
    assert seen and set(seen) == {"<think>\n"}


# ---- checks that other tests make already


def check_loss_is_on_reasoning_answer_and_end():
    test_rendering.test_reasoning_answer_and_end_of_turn_carry_loss_and_nothing_else("r1-distill")


def check_precision_goes_by_capability():
    for device, dtype in ((test_models.T4, "float16"), (test_models.L4, "bfloat16")):
        test_models.test_precision_goes_by_compute_capability(device, dtype)


def check_health_names_what_cannot_learn():
    for broken, why in (
        ({"completions/clipped_ratio": 1.0}, "cut off"),
        ({"frac_reward_zero_std": 1.0}, "no advantage"),
        ({"rewards/format_reward/mean": 0.0, "rewards/resolution_reward/mean": 0.9}, "prefill"),
    ):
        assert why in callbacks.diagnose([test_training.HEALTHY | broken] * 3)


def check_white_space_is_free():
    for blank in ("", "\n", "\n\n", "\n "):
        test_rewards.test_white_space_between_thinking_and_answer_is_free(blank)


# ---- mutations: without the guard, the check fails


def without(function, old, new):
    """A mutation of `function`: its syntax tree as text, with `new` in place of `old`, which must be there once.

    The tree knows no line breaks, comments or kinds of quotes, so that only a change of the code itself is noticed.
    """

    def mutate(monkeypatch):
        source = ast.unparse(ast.parse(textwrap.dedent(inspect.getsource(function))))
        wanted = old.replace('"', "'")
        assert source.count(wanted) == 1, f"{function.__name__} has changed: {old}"
        space = {}
        code = compile(source.replace(wanted, new), f"<{function.__name__} without a guard>", "exec")
        exec(code, vars(inspect.getmodule(function)), space)
        monkeypatch.setattr(function, "__code__", space[function.__name__].__code__)

    return mutate


def instead(owner, name, value):
    return lambda monkeypatch: monkeypatch.setattr(owner, name, value)


def as_trl_renders(tokenizer, prompt, completion):
    """The whole chat through the template, and what it has beyond the prompt is learned."""
    said = {"role": "assistant", "content": rendering.completion_text(completion)}
    whole = rendering._apply(tokenizer, [*prompt, said], add_generation_prompt=False)
    given = rendering.render_prompt(tokenizer, prompt)
    return given, whole[len(os.path.commonprefix([given, whole])) :]


RENDERED = instead(rendering, "training_text", as_trl_renders)
MERGED_AND_NEW = """from peft import LoraConfig, get_peft_model
        model = PeftModel.from_pretrained(model, adapter).merge_and_unload()
        model = get_peft_model(model, LoraConfig(r=4, target_modules="all-linear", task_type="CAUSAL_LM"))"""
FROZEN = without(models.load_policy, "is_trainable=trainable", "is_trainable=False")
UNSEEN = without(models._trainable, "if not trainable_parameters(model)", "if False")
UNASKED = without(training.fit, "if not trainable_parameters(trainer.model)", "if False")
UNMOVED = without(models.assert_learned, "if largest == 0.0", "if False")
UNLOADED = without(models.check_base, "if known and known != base_identity(folder)", "if False")

MUTANTS = {
    "1: rows as TRL renders them": (
        check_loss_is_on_reasoning_answer_and_end,
        RENDERED,
    ),
    "1: rows as TRL renders them, in the trainer": (
        check_the_trainer_sees_whole_replies,
        RENDERED,
        instead(training_data, "check_parity", lambda *_: None),
    ),
    "1: rows are not checked": (
        check_every_row_for_a_trainer_is_checked,
        without(
            training_data.encode_rows,
            'check_parity(tokenizer, tokens, row["prompt"], row["completion"])',
            "pass",
        ),
    ),
    "1: the prompt is not checked": (
        test_rendering.test_parity_check_finds_what_the_stripping_template_does,
        without(rendering.check_parity, "if masked != prompt_ids(tokenizer, given)", "if False"),
    ),
    "1: the reasoning is not checked": (
        test_rendering.test_parity_check_finds_what_the_stripping_template_does,
        without(rendering.check_parity, "reasoning not in text", "False"),
    ),
    "2: PEFT's default": (test_models.test_a_loaded_adapter_trains, FROZEN),
    "2: PEFT's default, unseen": (test_models.test_a_loaded_adapter_trains, FROZEN, UNSEEN),
    "2: a frozen adapter is not refused": (test_models.test_a_frozen_adapter_is_refused, UNSEEN),
    "2: a trainer that froze it is not refused": (
        test_training.test_a_frozen_policy_stops_before_the_first_step,
        UNASKED,
    ),
    "2: nothing moved, and nobody looks": (test_training.test_a_run_that_moves_nothing_is_an_error, UNMOVED),
    "2: GRPO on a frozen adapter, no guard left": (
        check_grpo_moves_the_adapter_it_saves,
        FROZEN,
        UNSEEN,
        UNASKED,
        UNMOVED,
    ),
    "2: GRPO's health does not see it": (
        test_training.test_health_finds_a_frozen_adapter,
        without(callbacks.Health.on_log, " or self._frozen(model)", ""),
    ),
    "3: merged, and a new adapter on it": (
        check_what_goes_on_from_an_adapter_keeps_it,
        without(
            models.load_policy,
            "model = PeftModel.from_pretrained(model, adapter, is_trainable=trainable)",
            MERGED_AND_NEW,
        ),
    ),
    "3: any base will do": (test_models.test_an_adapter_on_other_weights_is_refused, UNLOADED),
    "3: the adapter names another base": (
        check_an_adapter_names_its_base_as_it_was_given,
        without(models.save_adapter, 'config.base_model_name_or_path = policy.lineage["base_model"]', "pass"),
    ),
    "4: long rows are kept": (
        test_training.test_rows_are_whole_or_left_out,
        without(training_data.encode_rows, 'if len(e["input_ids"]) <= max_length', "if True"),
    ),
    "4: no rows, no word": (
        test_training.test_rows_are_whole_or_left_out,
        without(training_data.encode_rows, "if not kept", "if False"),
    ),
    "4: TRL cuts": (
        check_the_trainer_sees_whole_replies,
        without(training.sft_config, "ready.max_length if settings.packing else None", "64"),
    ),
    "4: a row without its end is not noticed": (
        test_rendering.test_parity_check_finds_a_row_that_was_cut,
        without(rendering.check_parity, "if not carried or carried[-1] != end", "if False"),
    ),
    "5: cut-off completions are masked": (
        check_completions_that_are_all_cut_off_still_carry_loss,
        without(training.grpo_config, "'mask_truncated_completions': False", "'mask_truncated_completions': True"),
    ),
    "5: nobody watches": (
        test_training.test_a_hopeless_grpo_run_stops_early_and_says_why,
        without(
            training.grpo_trainer,
            "callbacks=[Health(settings.patience, ready.conflicts), completions",
            "callbacks=[completions",
        ),
    ),
    "5: the watch does not stop it": (
        test_training.test_health_stops_the_run_after_patience,
        without(callbacks.Health.on_log, "control.should_training_stop = True", "pass"),
    ),
    "5: all cut off counts as healthy": (
        check_health_names_what_cannot_learn,
        without(callbacks.diagnose, 'if always("completions/clipped_ratio", lambda x: x >= 1.0)', "if False"),
    ),
    "5: no spread counts as healthy": (
        check_health_names_what_cannot_learn,
        without(callbacks.diagnose, 'if always("frac_reward_zero_std", lambda x: x >= 1.0)', "if False"),
    ),
    "6: TRL chooses the precision": (
        test_models.test_a_cpu_trains_in_float32_and_says_so_to_trl,
        without(devices.Plan.training_arguments, '"bf16": self.bf16,', ""),
    ),
    "6: SFT does not hand the plan on": (
        check_trl_is_told_float32_on_a_cpu,
        without(training.sft_config, "plan.training_arguments()", "{'use_cpu': True}"),
    ),
    "6: GRPO does not hand the plan on": (
        check_trl_is_told_float32_on_a_cpu,
        without(training.grpo_config, "ready.plan.training_arguments()", "{'use_cpu': True}"),
    ),
    "7: what torch says is believed": (
        check_a_t4_trains_and_is_measured_in_float16,
        without(devices.plan, "elif (device.capability or (0, 0)) >= (8, 0)", "elif True"),
    ),
    "7: the same, by table": (
        check_precision_goes_by_capability,
        without(devices.plan, "elif (device.capability or (0, 0)) >= (8, 0)", "elif True"),
    ),
    "7: what torch says is believed in an evaluation": (
        check_a_t4_trains_and_is_measured_in_float16,
        without(decoding._plan, "if (device.capability or (0, 0)) >= (8, 0)", "if True"),
    ),
    "8: adapters stay as TRL leaves them": (
        test_training.test_a_trainer_that_quantizes_adapters_is_put_right,
        without(training.fit, "upcast_adapters(trainer.model)", "pass"),
    ),
    "8: the cast does nothing": (
        test_models.test_adapters_turned_to_bfloat16_come_back_to_float32,
        without(models.upcast_adapters, "parameter.data = parameter.data.to(torch.float32)", "pass"),
    ),
    "8: 4-bit weights compute in bfloat16": (
        check_a_4_bit_base_computes_as_its_device_can,
        without(models.load_base, 'bnb_4bit_compute_dtype=options["dtype"]', "bnb_4bit_compute_dtype=torch.bfloat16"),
    ),
    "9: the GGUF stays packed": (
        test_models.test_a_gguf_is_dequantized,
        without(base_room.convert_gguf, "GgufConfig(dequantize=True)", "GgufConfig()"),
    ),
    "10: rewards read the completion alone": (
        test_rewards.test_a_prefilled_opening_counts_as_the_models,
        without(rewards.reply_text, "if prefill and", "if False and"),
    ),
    "10: rows forget what was prefilled": (
        check_rewards_in_a_run_know_what_was_prefilled,
        without(training_data.grpo_rows, '"prefill": prefill(text)', "'prefill': ''"),
    ),
    "10: the renderer does not see it": (
        check_loss_is_on_reasoning_answer_and_end,
        without(rendering.prefill, "match.group() if match", '"" if match'),
    ),
    "10: an evaluation forgets it": (
        check_an_evaluation_knows_what_was_prefilled,
        without(decoding._completion, "prefill(prompt) +", ""),
    ),
    "10: white space counts": (
        check_white_space_is_free,
        instead(rewards, "_ANSWER", re.compile(rewards._ANSWER.pattern.removeprefix(r"\s*"), re.DOTALL)),
    ),
    "10: the health check does not know it": (
        check_health_names_what_cannot_learn,
        without(callbacks.diagnose, "if formats and answers and", "if False and"),
    ),
}
OWN = {check for check, *_ in MUTANTS.values() if check.__module__ == __name__}  # the rest is run by its own file
CHECKS = sorted(OWN, key=lambda check: check.__name__)  # xdist needs one order


def arguments(request, check):
    return {name: request.getfixturevalue(name) for name in inspect.signature(check).parameters}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_the_check_passes(request, check):
    check(**arguments(request, check))


@pytest.mark.slow
@pytest.mark.parametrize("trap", MUTANTS)
def test_without_its_guard_the_check_fails(request, monkeypatch, trap):
    check, *mutations = MUTANTS[trap]
    given = arguments(request, check)
    for mutate in mutations:
        mutate(monkeypatch)
    with pytest.raises((AssertionError, pytest.fail.Exception, LlmergeError, LookupError, RuntimeError)):
        check(**given)
