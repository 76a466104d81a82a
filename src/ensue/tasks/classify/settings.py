"""Settings of a training of `classify`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.data.codecs import CONTENT_SETTINGS, Measurements, TextSettings, TreeCodecSettings
from ensue.data.labelled_examples import LabelledSettings
from ensue.layers import ENCODERS, BidirectionalSettings, ConvolutionSettings, NoLayerSettings
from ensue.models.baselines.dtw import DTWSettings
from ensue.models.baselines.lm_bayes import LMBayesSettings
from ensue.models.baselines.majority import MajoritySettings
from ensue.models.baselines.nbsvm import NBSVMSettings
from ensue.models.baselines.ngram_bayes import NgramBayesSettings
from ensue.models.baselines.summary_features import SummaryFeaturesSettings
from ensue.models.classifier import ClassifierSettings
from ensue.models.names import Models
from ensue.models.pool import MixtureSettings
from ensue.models.tree import TreeSettings
from ensue.settings import Choice, Flag, Settings
from ensue.training.settings import (
    AdamWSettings,
    BatchingSettings,
    CosineSettings,
    TrainingSettings,
)

Codec = Annotated[Any, Choice(CONTENT_SETTINGS), Flag()]
MODELS = Models(
    "classify",
    {
        "network": ClassifierSettings,
        "tree": TreeSettings,
        "lm-bayes": LMBayesSettings,
        "majority": MajoritySettings,
        "ngram-bayes": NgramBayesSettings,
        "nbsvm": NBSVMSettings,
        "dtw": DTWSettings,
        "summary-features": SummaryFeaturesSettings,
    },
    layers=ENCODERS,
    network=lambda body: ClassifierSettings(body=body),
    others={"embedding-bag": ClassifierSettings(body=NoLayerSettings(), pooling="mean")},
)
"""Settings of each classifier; they have `build(shape, kind, size) -> Predictor`.

Models that are no networks are fitted in closed form: `fit(train, validation)` fits on the first
part, selects on the second, and may return notes about the selection. Their settings have
`suits(shape, kind)`: whether the model is a baseline for such steps and labels.
"""

Model = Annotated[Any, Choice(MODELS.parts), Flag()]


class ClassifySettings(Settings):
    """All settings of a training of `classify`."""

    task: Literal["classify"] = "classify"
    """The verb."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """Random seed."""
    data: LabelledSettings = LabelledSettings()
    """Data: reading and splitting."""
    codec: Codec = TextSettings()
    """Codec of text: words, tokens (split at blanks), characters, bytes or subwords; that of
    measurements and trees follows from the format."""
    model: Model = ClassifierSettings()
    """Model, such as convolution, lstm, embedding-bag or nbsvm; see `ensue list models`."""
    mixture: MixtureSettings = MixtureSettings()
    """Choice of the run's model on the validation part."""
    pretrained: Annotated[str, Flag(path=True)] = ""
    """Pretrained run of `generate`: its codec is used, and its weights where their shapes fit."""
    training: TrainingSettings = TrainingSettings(
        batching=BatchingSettings(batch_size=32),
        optimiser=AdamWSettings(learning_rate=0.002, weight_decay=0.1),
        schedule=CosineSettings(warmup=20),
        ema_decay=0.98,
        patience=8,
    )
    """Training: budget, batches, optimiser and schedule."""


SHAPES = ConvolutionSettings(width=32, windows=(5, 11, 23), depth=2, dropout=0.1)
"""Layer for evenly spaced numbers: it finds shapes at any position."""
BOTH_WAYS = BidirectionalSettings(cell="gru", width=64)
"""Layer for numbers at any times: it can use the times. Both were chosen by a few trials on
datasets of 40 to 2,000 examples."""
MAX_SERIES_LENGTH = 3000
"""Default of data.max_length for measurements; most series of the UCR/UEA archives are shorter."""

READER_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "long_table": {
        "codec": Measurements(),
        "model": ClassifierSettings(body=BOTH_WAYS, input_dropout=0.0, random_prefix=0.3),
    },
    "series_file": {
        "codec": Measurements(),
        "model": ClassifierSettings(body=SHAPES, input_dropout=0.0),
    },
    "trees": {
        "codec": TreeCodecSettings(),
        "model": TreeSettings(),
        "training": TrainingSettings(
            batching=BatchingSettings(batch_size=25),
            optimiser=AdamWSettings(learning_rate=0.002, weight_decay=0.05, max_grad_norm=5.0),
            schedule=CosineSettings(warmup=20),
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
