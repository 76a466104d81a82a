"""Settings of a training of `generate`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.data.codecs import CODECS, Characters
from ensue.data.settings import DataSettings
from ensue.data.text_parts import TextParts
from ensue.layers import LAYERS
from ensue.models.names import Models
from ensue.models.ngram import NgramSettings
from ensue.models.pool import MixtureSettings
from ensue.models.sequence import SequenceSettings
from ensue.settings import Choice, Flag, Settings
from ensue.training.settings import TextTrainingSettings

Codec = Annotated[Any, Choice(CODECS), Flag()]
MODELS = Models(
    "generate",
    {"ngram": NgramSettings, "sequence": SequenceSettings},
    layers=LAYERS,
    network=lambda body: SequenceSettings(body=body),
)

Model = Annotated[Any, Choice(MODELS.parts), Flag()]


class GenerateSettings(Settings):
    """All settings of `ensue train generate`."""

    task: Literal["generate"] = "generate"
    """The verb."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """Random seed."""
    data: DataSettings = DataSettings()
    """Format and split of the data."""
    pretrained: Annotated[str, Flag(path=True)] = ""
    """Pretrained run of `generate`, whose network is trained further; its codec gets new symbols
    of their own."""
    codec: Codec = Characters()
    """Codec: characters, bytes, words, tokens (split at blanks) or subwords."""
    model: Model = SequenceSettings()
    """Model or cell (`ensue list models`, `ensue list cells`), or a Python file that defines a
    cell."""
    baseline: NgramSettings = NgramSettings()
    """N-gram baseline, with which a network is compared and mixed."""
    mixture: MixtureSettings = MixtureSettings()
    """Choice of the run's model on the validation part: network, baseline or their mixture."""
    training: TextTrainingSettings = TextTrainingSettings()
    """Budget and optimisation of the training."""
    count_validation: bool | Literal["auto"] = "auto"
    """Count the validation part too, after order and discounts are selected; auto: unless it is
    a separate file."""

    @property
    def compares_ngrams(self) -> bool:
        """Whether the model is an n-gram, and settings choose another one as its baseline."""
        memory = self.baseline.memory
        given = self.baseline not in (NgramSettings(memory=memory), self.model)
        return given and isinstance(self.model, NgramSettings)

    def counts_validation(self, parts: TextParts) -> bool:
        """Whether the n-gram counts the validation part after the selection."""
        if self.count_validation == "auto":
            return "validation" not in parts.given
        return self.count_validation
