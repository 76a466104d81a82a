"""Settings of a training of `generate` on sequences of records."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.data.steps import StepDataSettings
from ensue.layers import LAYERS
from ensue.models.names import Models
from ensue.models.pool import MixtureSettings
from ensue.models.steps.baselines import (
    ExtrapolationSettings,
    LastStepSettings,
    StepRidgeSettings,
)
from ensue.models.steps.network import StepNetworkSettings
from ensue.settings import Choice, Flag, Settings
from ensue.training.settings import AdamWSettings, BatchingSettings, TrainingSettings

MODELS = Models(
    "sequences of records",
    {
        "network": StepNetworkSettings,
        "last-step": LastStepSettings,
        "linear-extrapolation": ExtrapolationSettings,
        "ridge": StepRidgeSettings,
    },
    layers=LAYERS,
    network=lambda body: StepNetworkSettings(body=body),
    size="small",
)

Model = Annotated[Any, Choice(MODELS.parts), Flag()]


class StepSettings(Settings):
    """All settings of `ensue train generate` on sequences of records."""

    task: Literal["generate"] = "generate"
    """The verb."""
    kind: Literal["steps"] = "steps"
    """The kind of data: sequences of records, of numbers and symbols."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """Random seed."""
    data: StepDataSettings = StepDataSettings()
    """Data: reading and splitting."""
    model: Model = StepNetworkSettings()
    """Model: lstm, gru or another cell or causal layer, ridge, linear-extrapolation, last-step."""
    mixture: MixtureSettings = MixtureSettings()
    """Choice of the run's model: one of those that were fitted, or a mixture."""
    training: TrainingSettings = TrainingSettings(
        batching=BatchingSettings(batch_size=8),
        optimiser=AdamWSettings(learning_rate=0.003),
        ema_decay=0.99,
    )
    """Training: budget, batches, optimiser and schedule."""
