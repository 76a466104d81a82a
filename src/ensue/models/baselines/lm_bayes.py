"""Generative classifier: a neural language model for each label, and Bayes' rule."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelKind
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.layers import RecurrentSettings
from ensue.models.baselines.ngram_bayes import log_likelihoods
from ensue.models.contract import Loss, Predictor
from ensue.models.parameters import ParameterMixin
from ensue.models.sequence import SequenceSettings
from ensue.settings import Settings
from ensue.state import State


class LMBayesSettings(Settings):
    """Settings of the generative classifier with neural language models."""

    name: Literal["lm-bayes"] = "lm-bayes"
    sequence: SequenceSettings = SequenceSettings(
        embedding=100, body=RecurrentSettings(width=128), input_dropout=0.2
    )
    """Language model of each label."""

    def build(self, shape: Fields, kind: LabelKind, size: int) -> LMBayes:
        """Build the networks for `size` labels.

        Raises SettingError for other data than sequences of symbols with one label.
        """
        if kind not in ("multiclass", "ordinal") or len(shape.symbols) != 1:
            what = "lm-bayes needs sequences of symbols with one label each"
            raise SettingError(what, where="--model lm-bayes", hint="choose another model")
        return LMBayes(self, shape, size)


class LMBayes(ParameterMixin, Predictor):
    """log p(label | x) = prior(label) + exponent * log p(x | label) - log of the sum over labels.

    p(x | label), of all symbols and an end, is that of the label's own network. Each network is
    trained generatively, on its own examples alone (Ng & Jordan 2001). `prior` and the exponent are
    trained discriminatively; with an exponent of 1, long texts get overconfident predictions.

    >>> model = LMBayesSettings().build(Fields({"symbol": 9}), "multiclass", 3)
    >>> fields = {"symbol": torch.tensor([[1, 2, 3], [4, 0, 0]]), "target": torch.tensor([0, 2])}
    >>> model(Batch(fields, torch.tensor([3, 1]), torch.ones(2))).probs.shape
    torch.Size([2, 3])
    """

    def __init__(self, settings: LMBayesSettings, shape: Fields, size: int) -> None:
        super().__init__()
        ((self.field, self.ends),) = shape.symbols.items()
        self.models = nn.ModuleList(settings.sequence.build(self.ends + 1) for _ in range(size))
        self.prior = nn.Parameter(torch.zeros(size))
        self.log_exponent = nn.Parameter(torch.tensor(-1.0))

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the label of each row."""
        return self._predict(
            log_likelihoods(self.models, batch[self.field], batch.lengths, self.ends)
        )

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of each label.

        In training, a penalty is the loss of the label's language model, per symbol.
        """
        symbols, lengths, target = batch[self.field], batch.lengths, batch["target"]
        with torch.no_grad():
            scores = log_likelihoods(self.models, symbols, lengths, self.ends)
        nats = -self._predict(scores).log_prob(target)
        if not self.training:
            return Loss(nats, batch.counts), ()
        own_nats = torch.zeros_like(nats)
        for label in target.unique().tolist():
            own = target == label
            found = log_likelihoods([self.models[label]], symbols[own], lengths[own], self.ends)[
                :, 0
            ]
            per_symbol = -found / (lengths[own] + 1)
            own_nats = own_nats.masked_scatter(own, per_symbol.to(nats.dtype))
        return Loss(nats, batch.counts, penalties={"own symbols": own_nats}), ()

    def _predict(self, scores: Tensor) -> Distribution:
        return Categorical(
            logits=self.prior + self.log_exponent.exp() * scores, validate_args=False
        )
