"""Online learning of a text: further counts for an n-gram, and updates of a network."""

from __future__ import annotations

from ensue.data.contract import Codec, Corpus
from ensue.data.text_parts import Counted, concatenate
from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.ngram import Ngram, NgramSettings, estimate
from ensue.models.sequence import SequenceModel
from ensue.training import devices
from ensue.training.gradient import GradientLearner
from ensue.training.settings import TextTrainingSettings
from ensue.training.text_feeds import make_feed

RATE_FACTOR = 0.1
"""Factor on the learning rate for the online updates."""


class OnlineLearner:
    """Trains a language model on one chunk of text after the other.

    `counted` is the text that its n-gram has counted, by the settings `ngram`.
    """

    def __init__(
        self,
        model: Autoregressive,
        codec: Codec,
        counted: Counted,
        ngram: NgramSettings,
        training: TextTrainingSettings,
    ) -> None:
        self.model, self.codec, self.counted, self.settings = model, codec, counted, ngram
        self.batching = training.batching
        network = model.network if isinstance(model, Mixture) else model
        self.learner: GradientLearner | None = None
        if isinstance(network, SequenceModel):
            device = devices.choose_device(training.hardware)
            self.learner = GradientLearner(network, training, device)
            network.eval()

    def learn(self, chunk: Corpus) -> None:
        """Count the chunk, and train on it for one epoch."""
        self.counted = concatenate(self.counted, (chunk.ids, chunk.offsets))
        if self.learner is not None:
            self.learner.network.train()
            for batch in make_feed(self.batching, self.codec, chunk, seed=0).epoch(0):
                self.learner.update(batch, RATE_FACTOR)
            self.learner.network.eval()
        if isinstance(self.model, Mixture):
            network, ngram, weights = self.model.network, self.model.ngram, self.model.weights
            self.model = Mixture(network, self._recount(ngram), weights)
        elif isinstance(self.model, Ngram):
            self.model = self._recount(self.model)

    def _recount(self, before: Ngram) -> Ngram:
        settings = before.with_choices_of(self.settings)
        return estimate(*self.counted, self.codec.size, settings).packed()
