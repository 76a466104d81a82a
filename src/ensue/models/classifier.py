"""Neural classifier of sequences: steps pass an encoder, are pooled to one vector, and a head."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Distribution

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelKind
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.heads import LABEL_HEADS, Categorical, Regression
from ensue.layers import ENCODERS, RecurrentSettings, Unidirectional, build_encoder
from ensue.layers.padding import without_padding
from ensue.layers.pooling import Pooling
from ensue.models.contract import Loss, Predictor
from ensue.models.parameters import ParameterMixin, build_embeddings
from ensue.settings import Choice, Flag, Settings
from ensue.state import State

Body = Annotated[Any, Choice(ENCODERS)]


class ClassifierSettings(Settings):
    """Settings of a neural classifier."""

    name: Literal["network"] = "network"
    embedding: int = Field(default=100, ge=1)
    """Embedding features of each symbol of a step."""
    body: Body = RecurrentSettings(width=128)
    """Encoder of the steps."""
    pooling: Literal["last", "ends", "mean", "max", "sum", "attention"] = "max"
    """Pooling of the steps to one vector; ends joins the first and last step."""
    token_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of steps whose symbols are hidden in training."""
    input_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Dropout of the body's input."""
    output_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Dropout of the pooled vector."""
    random_prefix: float = Field(default=0.0, ge=0, le=1)
    """Share of training examples cut to a random prefix, for early classification."""
    output: Literal["gaussian", "quantiles"] = "gaussian"
    """Distribution of numeric labels: gaussian, or quantiles, which may be asymmetric."""
    auxiliary: Annotated[Literal["none", "lm"], Flag()] = "none"
    """Auxiliary loss: lm predicts the next symbol; needs a causal body."""
    auxiliary_weight: float = Field(default=0.3, gt=0)
    """Weight of the auxiliary loss, relative to the label's."""

    def build(self, shape: Fields, kind: LabelKind, size: int) -> Classifier:
        """Build the network for `size` labels.

        Raises SettingError for settings that contradict each other.

        >>> ClassifierSettings().build(Fields({"symbol": 9}), "multiclass", 3).head.size
        3
        """
        return Classifier(self, shape, kind, size)


class Classifier(ParameterMixin, Predictor):
    """p(label | steps) = head(pool(body(input))).

    input_t joins the embeddings of the symbols of step t and its numbers. Numbers that hold for the
    whole example ("static") join the pooled vector.

    >>> model = ClassifierSettings(embedding=4).build(Fields({"symbol": 9}), "multiclass", 3)
    >>> fields = {"symbol": torch.tensor([[1, 2, 3], [4, 0, 0]]), "target": torch.tensor([0, 2])}
    >>> model(Batch(fields, torch.tensor([3, 1]), torch.ones(2))).probs.shape
    torch.Size([2, 3])
    """

    def __init__(
        self, settings: ClassifierSettings, shape: Fields, kind: LabelKind, size: int
    ) -> None:
        super().__init__()
        self.settings, self.shape = settings, shape
        self.tables = build_embeddings(shape.symbols, settings.embedding)
        self.body = build_encoder(
            settings.body, len(shape.symbols) * settings.embedding + shape.numbers
        )
        self.pooling = Pooling(settings.pooling, self.body.width)
        features = self.pooling.features + shape.static
        number = kind == "regression"
        self.head = (
            Regression(features, output=settings.output)
            if number
            else LABEL_HEADS[kind](features, size)
        )
        self.input_dropout = nn.Dropout(settings.input_dropout)
        self.output_dropout = nn.Dropout(settings.output_dropout)
        self.next: Categorical | None = None
        if settings.auxiliary == "lm":
            if not isinstance(self.body, Unidirectional) or not shape.symbols:
                hint = "choose a causal body over symbols, such as --model lstm"
                raise SettingError(
                    "an auxiliary language model does not fit this model",
                    where="--auxiliary",
                    hint=hint,
                )
            self.next = Categorical(self.body.width, next(iter(shape.symbols.values())))

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the label of each row."""
        return self.head(self.pool(self.read(batch), batch))

    def read(self, batch: Batch[Tensor]) -> Tensor:
        """Encode the steps, (batch, time, width)."""
        parts = []
        for name, table in self.tables.items():
            features = table(batch[name])
            if self.training and self.settings.token_dropout:
                mask = (
                    torch.rand(batch[name].shape, device=features.device)
                    >= self.settings.token_dropout
                )
                features = features * mask[..., None]
            parts.append(features)
        if self.shape.numbers:
            parts.append(batch["numbers"])
        return self.body(self.input_dropout(torch.cat(parts, -1)), batch.lengths)

    def pool(self, read: Tensor, batch: Batch[Tensor]) -> Tensor:
        """Pool the encoded steps to the head's input, (batch, features)."""
        pooled = self.output_dropout(self.pooling(read, batch.lengths))
        return torch.cat([pooled, batch["static"]], 1) if self.shape.static else pooled

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of each row, with the objective of quantiles, and a penalty."""
        if self.training and self.settings.random_prefix:
            batch = self._cut_prefixes(batch)
        read = self.read(batch)
        nats, objective = self.head.cost(self.pool(read, batch), batch["target"])
        penalties = {}
        if self.next is not None and self.training:
            penalties["next symbols"] = self._auxiliary_nats(self.next, read, batch)
        return Loss(nats, batch.counts, objective, penalties), ()

    def _cut_prefixes(self, batch: Batch[Tensor]) -> Batch[Tensor]:
        """Cut some rows to random prefixes of at least one step."""
        draw, share = torch.rand(2, len(batch.lengths), device=batch.lengths.device)
        short = (batch.lengths * share).ceil().long().clamp_min(1).minimum(batch.lengths)
        return replace(
            batch, lengths=torch.where(draw < self.settings.random_prefix, short, batch.lengths)
        )

    def _auxiliary_nats(self, head: Categorical, read: Tensor, batch: Batch[Tensor]) -> Tensor:
        """Return the weighted mean nats of the symbols after the first, (batch,)."""
        symbols, rest = batch[next(iter(self.shape.symbols))], (batch.lengths - 1).clamp_min(0)
        if symbols.shape[1] < 2:
            return read.new_zeros(len(read))
        nats = without_padding(head.nats(read[:, :-1], symbols[:, 1:]), rest).sum(1)
        return self.settings.auxiliary_weight * nats / rest.clamp_min(1)
