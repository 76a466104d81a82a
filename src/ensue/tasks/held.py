"""The model that a run holds: that of its settings, another one, or a mixture, in one file.

The note of weights.safetensors has the settings of each member, so that one rename replaces model
and settings together; without a note the weights are those of the model in run.toml.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import numpy as np
from torch import nn

from ensue.atomic_io import format_errors, parse_json
from ensue.batch import select_named
from ensue.models.parameters import limit_allocation, load_into
from ensue.models.pool import Choice, Pool
from ensue.settings import read_stored, to_plain
from ensue.tasks.cached import CODEC
from ensue.tasks.fitting import Fitted
from ensue.tasks.results import CALIBRATION
from ensue.training.folder.run import CHECKPOINT, WEIGHTS, Run

C = TypeVar("C")
Arrays = Mapping[str, np.ndarray]
MAX_MEMBERS = 64
"""Most members of a mixture; no verb has as many models."""


def save_model(run: Run, fitted: Fitted) -> None:
    """Write the model that a run holds, in place of that of its settings."""
    members = [to_plain(one.settings.model) for one in fitted.members or (fitted,)]
    run.write_arrays(fitted.model.arrays(), note=json.dumps(members))


def open_model(
    run: Run,
    settings: Any,
    build: Callable[[Any, Arrays], Any],
    mix: Callable[[Sequence[Any], Arrays], Any] = lambda models, arrays: Pool(models),
) -> tuple[Any, list[Any]]:
    """Open the model of a run, and the settings of each member, those of the run if it has one.

    `build(settings, arrays)` builds a model of settings, and `mix(models, arrays)` a mixture of
    several, for these arrays to be loaded into. Raises RunError where the file is damaged.
    """
    where, arrays = str(run.path / WEIGHTS), run.map_arrays()
    members = [settings]
    if note := run.read_note():
        stored = parse_json(note.encode(), where, _read_members, "its note")
        members = [
            read_stored(type(settings), to_plain(settings) | {"model": one}, where)
            for one in stored
        ]
    models = []
    with format_errors(str(run.path / CODEC)), limit_model_size(run):
        for number, one in enumerate(members):
            own = arrays if len(members) == 1 else select_named(arrays, f"{number}.")
            models.append(build(one, own))
    with format_errors(where):
        model = models[0] if len(models) == 1 else mix(models, arrays)
    load_into(model, arrays, where)
    for one in models:
        if isinstance(one, nn.Module):
            one.eval()
    return model, members


def open_calibration(run: Run, read: Callable[[Any], C], usual: C) -> C:
    """Read the calibration of a run, which lacks it if calibrating failed after the training."""
    return run.parse(CALIBRATION, read) if run.has(CALIBRATION) else usual


def describe_choice(names: Sequence[str], found: Choice, loss: str) -> str:
    """Say what was chosen on the validation part, and how it compares there."""
    part = "on the validation part, where early stopping and penalties were selected too"
    # Adding 0 makes a -0 a 0.
    own, alone, mixed = (round(one, 4) + 0.0 for one in (found.nats, found.alone, found.mixed))
    if len(names) == 1:
        nats = f"{alone:.4f} {loss} against {mixed:.4f} of a mixture of all"
        nats += ", which has more errors" * (len(found.members) > 1)
        return f"the model of the run, {names[0]}: {part} ({nats})"
    shares = (
        f"{name} ({weight:.0%})" for name, weight in zip(names, found.weights.mean(1), strict=True)
    )
    nats = f"{own:.4f} {loss} against {alone:.4f} of the best model alone"
    return f"the model of the run, a mixture of {', '.join(shares)}: {part} ({nats})"


def _read_members(values: Any) -> list[Mapping[str, Any]]:
    if not isinstance(values, list) or not 0 < len(values) <= MAX_MEMBERS:
        raise ValueError("it names no members")
    return [{**one} for one in values]


def limit_model_size(run: Run, training: bool = False) -> AbstractContextManager[None]:
    """While active, refuse to build a model much larger than the saved one. Raises RunError.

    That of a resumed `training` is in its checkpoint: the run may hold another one.
    """
    checkpoint = run.checkpoint() if training else None
    if checkpoint is not None:
        saved = sum(one.numel() for one in checkpoint.learner.tensors.values())
        return limit_allocation(saved, str(run.path / CHECKPOINT))
    if not run.has(WEIGHTS):
        return nullcontext()
    saved = sum(one.size for one in run.map_arrays().values())
    return limit_allocation(saved, str(run.path / WEIGHTS))
