"""Language modelling: train on text, and generate more of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.data.files import find_files
from ensue.models.names import is_network, resize
from ensue.models.sequence import SequenceSettings
from ensue.settings import SizeName, assign, find_flags
from ensue.tasks.contract import Choices, Proposal
from ensue.tasks.demos import demo_name
from ensue.tasks.generate.pretrained import refuse_contradictions, start_from
from ensue.tasks.generate.settings import MODELS, GenerateSettings
from ensue.tasks.generate.steps import STEPS, are_records
from ensue.tasks.generate.trained import open_text
from ensue.tasks.generate.training import TRAINING
from ensue.tasks.pipeline import make_task
from ensue.tasks.proposal import (
    apply_overrides,
    change,
    finish,
    load_config,
    read_config,
    with_budget,
    with_model,
)

LEARNING_RATES: dict[SizeName, float] = {
    "tiny": 0.012,
    "small": 0.012,
    "base": 0.006,
    "large": 0.003,
}
"""Learning rate at which gated networks of a size learn fastest, by a few trials on characters."""
UNGATED, UNGATED_SHARE = ("tanh", "irnn", "jordan"), 1 / 8
"""Cells without gates diverge at the learning rate of gated ones."""

SMALL_DATA, LARGE_DATA = 200_000, 20_000_000
"""Bytes of data below which the size is tiny, and above which it is base."""


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: from the file, then the options, then `--set`."""
    if are_records(choices, read_config(choices.config), find_flags(GenerateSettings)):
        return STEPS.propose(choices)
    settings, values = load_config(GenerateSettings, choices)
    reasons: list[str] = []
    settings, values = start_from(settings, values, choices, reasons)
    default = None
    if choices.model is None and "model" not in values:
        default = "lstm"
        reasons.append(
            "model lstm: the usual recurrent network, and the fastest here (choose with --model)"
        )
    settings = with_model(settings, choices, MODELS, default)
    if choices.codec is not None:
        settings = change(settings, codec=choices.codec)
    elif "codec" not in values:
        reasons.append("codec characters: fits any text (choose with --codec)")
    size = choices.size
    if size is None and "model" not in values and is_network(settings.model):
        size, why = _choose_size(choices.data)
        reasons.append(f"size {size}: {why} (choose with --size)")
    if size is not None:
        settings = _with_size(settings, size, values)
    settings = apply_overrides(with_budget(settings, choices), choices)
    if settings.pretrained:
        refuse_contradictions(settings)
    if isinstance(settings.model, SequenceSettings):
        settings.model.refuse_contradictions()  # before n-grams are counted
    return finish(settings, reasons, choices)


def _choose_size(data: Sequence[Path]) -> tuple[SizeName, str]:
    """Choose a size that trains in a few minutes on a laptop, and give the reason."""
    if demo_name(data, "generate"):
        return "small", "trains in a few minutes"
    amount = sum(file.stat().st_size for file in find_files(data))
    size: SizeName = "tiny" if amount < SMALL_DATA else "small" if amount < LARGE_DATA else "base"
    return size, f"the data has {amount:,} bytes"


def _with_size(
    settings: GenerateSettings, size: SizeName, values: Mapping[str, Any]
) -> GenerateSettings:
    """Set the network's size, and its learning rate unless the settings file (`values`) does."""
    settings = change(settings, model=resize(settings.model, size))
    if "learning_rate" in values.get("training", {}).get("optimiser", {}):
        return settings
    cell = getattr(getattr(settings.model, "body", None), "cell", None)
    rate = LEARNING_RATES[size] * (UNGATED_SHARE if cell in UNGATED else 1)
    return assign(settings, f"training.optimiser.learning_rate={rate}")


TASK = make_task(TRAINING, _propose, open_text, kinds={"steps": STEPS})
"""The task of `ensue train generate`."""
