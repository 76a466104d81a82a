"""What there is to choose in a training of `classify`."""

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
    """What every random choice follows from."""
    data: LabelledSettings = LabelledSettings()
    """How the data is read and split."""
    codec: Codec = TextSettings()
    """How contents become steps."""
    model: Model = ClassifierSettings()
    """What learns."""
    pretrained: str = ""
    """The run of `generate` whose codec, embeddings and recurrent weights are taken over, where
    they fit."""
    training: TrainingSettings = TrainingSettings(
        batching=BatchingSettings(batch_size=32),
        optimiser=OptimiserSettings(learning_rate=0.002, weight_decay=0.1),
        schedule=ScheduleSettings(warmup=20),
        ema_decay=0.98,
        patience=8,
    )
    """How long and how to train."""


MEASURED = ("long_table", "series_file")
"""Readers whose examples are measurements."""

OF_KIND: Mapping[str, Mapping[str, Any]] = {
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
"""What is chosen in place of the defaults above, by the name of the data's reader."""

WHY: Mapping[str, str] = {
    "long_table": "model bidirectional, for steps at times of their own",
    "series_file": "model convolution, for shapes",
    "trees": "model tree, which puts the parts of each tree together, from its words up",
}
"""Why that model."""
