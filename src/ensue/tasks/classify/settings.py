"""Settings of a training of `classify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.data.codecs import CONTENT_SETTINGS, Measurements, TextSettings, TreeCodecSettings
from ensue.data.labelled_examples import LabelledSettings
from ensue.models.classifier import ClassifierSettings
from ensue.models.classifiers import CLASSIFIERS, network_for_measurements
from ensue.models.tree import TreeSettings
from ensue.settings import Settings, choice
from ensue.training.settings import (
    BatchingSettings,
    OptimiserSettings,
    ScheduleSettings,
    TrainingSettings,
)

Codec = Annotated[Any, choice(CONTENT_SETTINGS)]
Model = Annotated[Any, choice(CLASSIFIERS)]


class ClassifySettings(Settings):
    """All settings of a training of `classify`."""

    task: Literal["classify"] = "classify"
    """The verb."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """Random seed."""
    data: LabelledSettings = LabelledSettings()
    """Data: reading and splitting."""
    codec: Codec = TextSettings()
    """Codec: how the content of an example becomes steps."""
    model: Model = ClassifierSettings()
    """Model."""
    pretrained: str = ""
    """Pretrained run of `generate`: its codec is used, and its weights where their shapes fit."""
    training: TrainingSettings = TrainingSettings(
        batching=BatchingSettings(batch_size=32),
        optimiser=OptimiserSettings(learning_rate=0.002, weight_decay=0.1),
        schedule=ScheduleSettings(warmup=20),
        ema_decay=0.98,
        patience=8,
    )
    """Training: budget, batches, optimiser and schedule."""


MEASUREMENT_READERS = ("long_table", "series_file")
"""Readers whose examples are sequences of measurements."""

READER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "long_table": {"codec": Measurements(), "model": network_for_measurements(regular=False)},
    "series_file": {"codec": Measurements(), "model": network_for_measurements(regular=True)},
    "trees": {
        "codec": TreeCodecSettings(),
        "model": TreeSettings(),
        "training": TrainingSettings(
            batching=BatchingSettings(batch_size=25),
            optimiser=OptimiserSettings(learning_rate=0.002, weight_decay=0.05, max_grad_norm=5.0),
            schedule=ScheduleSettings(warmup=20),
            ema_decay=0.99,
            patience=8,
        ),
    },
}
"""Defaults by the name of the data's reader, in place of those of ClassifySettings."""

MODEL_REASONS: Mapping[str, str] = {
    "long_table": "model bidirectional, for irregularly sampled series",
    "series_file": "model convolution, which finds local patterns anywhere in a series",
    "trees": "model tree, which composes each tree from its words up",
}
"""The reason for the default model of a reader, as the training reports it."""
