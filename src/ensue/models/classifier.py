"""A network that says of a whole sequence what it is: steps go in, pass a layer, become one
vector, and a head."""

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
from ensue.layers import ENCODERS, Unidirectional, UnidirectionalSettings
from ensue.layers.padding import without_padding
from ensue.layers.pooling import Pooling
from ensue.models.contract import Loss, Predictor
from ensue.models.parameters import ParameterMixin, tables_of
from ensue.settings import Settings, choice
from ensue.state import State

Body = Annotated[Any, choice(ENCODERS)]


class ClassifierSettings(Settings):
    """Settings of a network that says what a whole sequence is."""

    name: Literal["network"] = "network"
    embedding: int = Field(default=100, ge=1)
    """Features that stand for each symbol of a step."""
    body: Body = UnidirectionalSettings()
    """The layer that reads the steps."""
    pooling: Literal["last", "ends", "mean", "max", "sum", "attention"] = "max"
    """How one vector is made of those of all steps: the last; the first and the last, where a layer
    reads both ways; their mean, their highest values, their sum; their mean weighed by what the
    network attends to."""
    token_dropout: float = Field(default=0.1, ge=0, lt=1)
    """Share of steps whose symbols are hidden in training."""
    input_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the body's input dropped in training."""
    output_dropout: float = Field(default=0.3, ge=0, lt=1)
    """Share of the pooled vector dropped in training."""
    random_prefix: float = Field(default=0.0, ge=0, le=1)
    """Share of examples of which training sees a beginning alone, of any length: so that half a
    sequence tells too."""
    output: Literal["gaussian", "quantiles"] = "gaussian"
    """What is told of labels that are numbers: a normal distribution, or quantiles, which need
    not be even."""
    auxiliary: Literal["none", "lm"] = "none"
    """What else is learned from the same steps: with generate, which symbol comes next, by a
    causal body."""
    auxiliary_weight: float = Field(default=0.3, gt=0)
    """What the mean nats of that count beside those of the label."""

    def build(self, shape: Fields, kind: LabelKind, size: int) -> Classifier:
        """Make the network for steps of a shape, and `size` labels. Raises SettingError for what
        does not go together.

        >>> ClassifierSettings().build(Fields({"symbol": 9}), "multiclass", 3).head.size
        3
        """
        return Classifier(self, shape, kind, size)


class Classifier(ParameterMixin, Predictor):
    """p(label | steps) = head(pool(body(input))), input_t = embeddings of the symbols of step t,
    and its numbers.

    Numbers that hold for the whole example ("static") join the pooled vector.

    >>> model = ClassifierSettings(embedding=4).build(Fields({"symbol": 9}), "multiclass", 3)
    >>> fields = {"symbol": torch.tensor([[1, 2, 3], [4, 0, 0]]), "target": torch.tensor([0, 2])}
    >>> model(Batch(fields, torch.tensor([3, 1]), torch.ones(2), torch.ones(2))).probs.shape
    torch.Size([2, 3])
    """

    def __init__(
        self, settings: ClassifierSettings, shape: Fields, kind: LabelKind, size: int
    ) -> None:
        super().__init__()
        self.settings, self.shape = settings, shape
        self.tables = tables_of(shape.symbols, settings.embedding)
        self.body = settings.body.build(len(shape.symbols) * settings.embedding + shape.numbers)
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
                    "what comes next cannot be learned beside this", where="--auxiliary", hint=hint
                )
            self.next = Categorical(self.body.width, next(iter(shape.symbols.values())))

    def forward(self, batch: Batch[Tensor]) -> Distribution:
        """Give the distribution of the label of each row."""
        return self.head(self.pooled(self.read(batch), batch))

    def read(self, batch: Batch[Tensor]) -> Tensor:
        """Give what the body makes of each step, (batch, time, width)."""
        parts = []
        for name, table in self.tables.items():
            features = table(batch[name])
            if self.training and self.settings.token_dropout:
                kept = (
                    torch.rand(batch[name].shape, device=features.device)
                    >= self.settings.token_dropout
                )
                features = features * kept[..., None]
            parts.append(features)
        if self.shape.numbers:
            parts.append(batch["numbers"])
        return self.body(self.input_dropout(torch.cat(parts, -1)), batch.lengths)

    def pooled(self, read: Tensor, batch: Batch[Tensor]) -> Tensor:
        """Give what the head is given, of what was read of the steps, (batch, features)."""
        pooled = self.output_dropout(self.pooling(read, batch.lengths))
        return torch.cat([pooled, batch["static"]], 1) if self.shape.static else pooled

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Give the nats of each row, and as `extra` what else is learned from: quantiles, and
        the next symbols."""
        batch = self._begun(batch) if self.training and self.settings.random_prefix else batch
        read = self.read(batch)
        nats, extra = self.head.cost(self.pooled(read, batch), batch["target"])
        if self.next is not None and self.training:
            extra = self._next_nats(self.next, read, batch) + (0 if extra is None else extra)
        return Loss(nats, batch.counts, extra), ()

    def _begun(self, batch: Batch[Tensor]) -> Batch[Tensor]:
        """Cut some rows to beginnings of one step or more."""
        chance, share = torch.rand(2, len(batch.lengths), device=batch.lengths.device)
        short = (batch.lengths * share).ceil().long().clamp_min(1).minimum(batch.lengths)
        return replace(
            batch, lengths=torch.where(chance < self.settings.random_prefix, short, batch.lengths)
        )

    def _next_nats(self, head: Categorical, read: Tensor, batch: Batch[Tensor]) -> Tensor:
        """Give the mean nats of the symbols after the first, weighed, (batch,)."""
        symbols, rest = batch[next(iter(self.shape.symbols))], (batch.lengths - 1).clamp_min(0)
        if symbols.shape[1] < 2:
            return read.new_zeros(len(read))
        nats = without_padding(head.nats(read[:, :-1], symbols[:, 1:]), rest).sum(1)
        return self.settings.auxiliary_weight * nats / rest.clamp_min(1)
