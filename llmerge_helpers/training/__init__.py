"""SFT, GRPO, KTO and DPO with LoRA, or SFT of all weights, on TRL's trainers: check, configure, train, save.

In come settings (parameters of 03 and 04, or a YAML file) and the data sets of 02; out come a LoRA adapter (or with
`lora_rank` 0 a whole model) with its lineage, a card, curves, samples and completions. A run is made in the open, so
that any argument of TRL and any reward can be changed on the way: `prepare_sft`, `sft_config`, `sft_trainer`, `fit`,
and the same for GRPO. It can be killed at any time and goes on from its last checkpoint.

>>> SftSettings(epochs=2.0).lora_rank
16
>>> completion_budget({"completion_tokens_95": 800})
900
"""

from llmerge_helpers.models import completion_budget
from llmerge_helpers.training.drawing import Tried, probe
from llmerge_helpers.training.preferences import (
    dpo,
    kto,
    preference_config,
    preference_counts,
    preference_trainer,
    prepare_preferences,
)
from llmerge_helpers.training.rejection import Round, Rounds, rounds
from llmerge_helpers.training.rows import load_rows
from llmerge_helpers.training.settings import GrpoSettings, PreferenceSettings, SftSettings
from llmerge_helpers.training.train import (
    Ready,
    Trained,
    fit,
    grpo,
    grpo_config,
    grpo_trainer,
    pack,
    prepare_grpo,
    prepare_sft,
    sft,
    sft_config,
    sft_trainer,
)

__all__ = [
    "GrpoSettings", "PreferenceSettings", "Ready", "Round", "Rounds", "SftSettings", "Trained", "Tried",
    "completion_budget", "dpo", "fit", "grpo", "grpo_config", "grpo_trainer", "kto", "load_rows", "pack",
    "preference_config", "preference_counts", "preference_trainer", "prepare_grpo", "prepare_preferences",
    "prepare_sft", "probe", "rounds", "sft", "sft_config", "sft_trainer",
]  # fmt: skip
