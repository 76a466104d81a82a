"""Language modelling: train on text, and generate more of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ensue.data.files import find_files
from ensue.data.settings import guess_format
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
    if choices.model is not None:
        settings = change(settings, model=MODELS.resolve(choices.model))
    elif "model" not in values:
        settings = change(settings, model=MODELS.resolve("lstm"))
        reasons.append(
            "model lstm: the usual recurrent network, and the fastest here (choose with --model)"
        )
    if choices.codec is not None:
        settings = change(settings, codec=choices.codec)
    elif "codec" not in values:
        reasons.append("codec characters: fits any text (choose with --codec)")
    settings = _with_size(settings, choices, values, reasons)
    settings = with_budget(settings, choices)
    settings = _with_format(apply_overrides(settings, choices), choices.data, reasons)
    if settings.pretrained:
        refuse_contradictions(settings)
    if isinstance(settings.model, SequenceSettings):
        settings.model.refuse_contradictions()  # before n-grams are counted
    return finish(settings, reasons, choices)


def _with_format(
    settings: GenerateSettings, data: Sequence[Path], reasons: list[str]
) -> GenerateSettings:
    """Read tokens line by line, as lmplz does, if no line is blank."""
    if (
        settings.codec.name != "tokens"
        or settings.data.format != "auto"
        or demo_name(data, "generate", "text")
    ):
        return settings
    guessed = guess_format(find_files(data), settings.data.encoding, sentences=True)
    if guessed == "lines":
        reasons.append(
            "data.format lines: each line of tokens is a sentence, as for lmplz (or "
            "--set data.format=text)"
        )
        return assign(settings, "data.format=lines")
    return settings


def _with_size(
    settings: GenerateSettings, choices: Choices, values: Mapping[str, Any], reasons: list[str]
) -> GenerateSettings:
    """Set the network's size and its learning rate, unless the settings file (`values`) does."""
    size = choices.size
    if size is None:
        if "model" in values or not is_network(settings.model):
            return settings
        size, reason = _size_for(choices.data)
        reasons.append(reason)
    model, training = resize(settings.model, size), settings.training
    if "learning_rate" not in values.get("training", {}).get("optimiser", {}):
        cell = getattr(getattr(model, "body", None), "cell", None)
        rate = LEARNING_RATES[size] * (UNGATED_SHARE if cell in UNGATED else 1)
        optimiser = training.optimiser.model_copy(update={"learning_rate": rate})
        training = training.model_copy(update={"optimiser": optimiser})
    return change(settings, model=model, training=training)


def _size_for(data: Sequence[Path]) -> tuple[SizeName, str]:
    """Choose a size that trains in a few minutes on a laptop."""
    if demo_name(data, "generate", "text"):
        return "small", "size small: trains in a few minutes (choose with --size)"
    amount = sum(file.stat().st_size for file in find_files(data))
    size: SizeName = "tiny" if amount < SMALL_DATA else "small" if amount < LARGE_DATA else "base"
    return size, f"size {size}: the data has {amount:,} bytes (choose with --size)"


TASK = make_task(TRAINING, _propose, open_text, kinds={"steps": STEPS})
"""The task of `ensue train generate`."""
