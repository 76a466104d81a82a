"""Sequences of records, of numbers and symbols: learn what comes next, and continue them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ensue.data.demos import DEMOS
from ensue.data.detect import are_steps, get_encoding, parse_assignments
from ensue.data.files import find_files
from ensue.errors import DataError, SettingError
from ensue.tasks.contract import Choices, Proposal
from ensue.tasks.demos import demo_name
from ensue.tasks.generate.steps.settings import MODELS, StepSettings
from ensue.tasks.generate.steps.trained import open_steps
from ensue.tasks.generate.steps.training import TRAINING
from ensue.tasks.pipeline import make_task
from ensue.tasks.proposal import propose

BASELINES = MODELS.parts.keys() - {"network"}
"""Models that only sequences of records have."""
OF_TEXT = {"codec", "baseline", "data"}
"""Settings of a file that is for text unless it says otherwise."""


def are_records(choices: Choices, values: Mapping[str, Any], of_text: Collection[str]) -> bool:
    """Whether the data are sequences of records: by settings, flags, or a table without texts.

    `values` are the settings of a file, `of_text` the flags of text.
    """
    if "kind" in values or values.keys() & OF_TEXT:
        return values.get("kind") == "steps"
    if "format" in choices.flags:
        return choices.flags["format"] == "steps"
    if choices.flags.keys() - {*of_text} or choices.model in BASELINES:
        return True
    demo = demo_name(choices.data, "generate")
    if demo is not None:
        return DEMOS[demo].others.get("generate") == "steps"
    try:
        files = find_files(choices.data)
    except DataError:  # reported once the settings are known to be right
        return False
    encoding = get_encoding(parse_assignments(choices.assignments))
    return "column" not in choices.flags and are_steps(files, encoding)


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: the file first, then flags, then `--set` assignments."""
    if choices.codec is not None:
        what = "sequences of records have no codec"
        raise SettingError(what, where="--codec", hint="leave it out, or give --format text")
    reasons = ["data: sequences of records, a row per step (choose with --format)"]
    why = "model lstm: the usual recurrent network"
    return propose(StepSettings, MODELS, why, choices, reasons)


STEPS = make_task(TRAINING, _propose, open_steps)
"""The task of `ensue train generate` on a table with a row per step."""
