"""Settings of a training of `tag`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.data.codecs.tagged import TaggedWords
from ensue.data.readers.tagged import TaggedSettings
from ensue.layers import ENCODERS, BidirectionalSettings
from ensue.models.baselines.hmm import HMMSettings
from ensue.models.baselines.most_frequent_tag import MostFrequentTagSettings
from ensue.models.names import Models
from ensue.models.pool import MixtureSettings
from ensue.models.tagger import TaggerSettings
from ensue.settings import Choice, Flag, Settings
from ensue.training.settings import AdamWSettings, BatchingSettings, TrainingSettings

MODELS = Models(
    "tag",
    {"most-frequent-tag": MostFrequentTagSettings, "hmm": HMMSettings, "tagger": TaggerSettings},
    layers=ENCODERS,
    network=lambda body: TaggerSettings(body=body),
    cell=BidirectionalSettings,
    size="base",
)

Model = Annotated[Any, Choice(MODELS.parts), Flag()]


class TagSettings(Settings):
    """All settings of a training of `tag`."""

    task: Literal["tag"] = "tag"
    """The verb."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """Random seed."""
    data: TaggedSettings = TaggedSettings()
    """Data: reading and splitting."""
    codec: TaggedWords = TaggedWords()
    """Codec: the features of a word."""
    vectors: Annotated[str, Flag(path=True)] = ""
    """Word vectors for the network: a file in the text format of word2vec or GloVe."""
    model: Model = TaggerSettings()
    """Model: lstm, gru or another cell, convolution, recurrent, hmm, most-frequent-tag."""
    mixture: MixtureSettings = MixtureSettings()
    """Choice of the run's model on the validation part."""
    training: TrainingSettings = TrainingSettings(
        batching=BatchingSettings(batch_size=16),
        optimiser=AdamWSettings(learning_rate=0.004, weight_decay=0.01),
        ema_decay=0.99,
    )
    """Training: budget, batches, optimiser and schedule."""
