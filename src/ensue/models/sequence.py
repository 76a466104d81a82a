"""Neural language model: an embedding, a causal layer and a head that scores the next symbol."""

from __future__ import annotations

from collections.abc import Mapping
from math import log
from typing import Annotated, Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution

from ensue.engine import dense, make_features
from ensue.engine.shapes import check_symbols
from ensue.engine.step.network import Precision
from ensue.errors import SettingError
from ensue.heads import HEADS, CategoricalSettings
from ensue.layers import LAYERS, RecurrentSettings
from ensue.layers.padding import without_padding
from ensue.models.contract import Autoregressive
from ensue.models.parameters import ParameterMixin
from ensue.settings import Choice, Settings
from ensue.state import State

Body = Annotated[Any, Choice(LAYERS)]
Head = Annotated[Any, Choice(HEADS)]


class SequenceSettings(Settings):
    """Settings of a neural language model."""

    name: Literal["sequence"] = "sequence"
    embedding: int = Field(default=128, ge=0)
    """Embedding features of a symbol; 0 for one-hot input."""
    body: Body = RecurrentSettings()
    """Causal layer between input and head."""
    head: Head = CategoricalSettings()
    """Head that scores the next symbol."""
    input_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the body's input."""
    output_dropout: float = Field(default=0.15, ge=0, lt=1)
    """Dropout of the body's output."""

    def refuse_contradictions(self) -> None:
        """Raise SettingError if settings contradict each other."""
        if self.head.tied and not self.embedding:
            hint = "set embedding to a number of features, or tied=false"
            what = "tied=true needs embedded input, and embedding is 0"
            raise SettingError(what, where="--set", hint=hint)

    def build(self, size: int) -> SequenceModel:
        """Build the network for `size` symbols.

        Raises SettingError if settings contradict each other.
        """
        self.refuse_contradictions()
        return SequenceModel(self, size)


class SequenceModel(ParameterMixin, Autoregressive):
    """p(next | before) = head(body(embedding(before))).

    >>> import torch
    >>> model = SequenceSettings(embedding=4).build(size=5)
    >>> inputs = torch.tensor([[5, 0, 3]])
    >>> distribution, state = model(inputs, model.initial(1))
    >>> distribution.probs.shape
    torch.Size([1, 3, 5])
    """

    def __init__(self, settings: SequenceSettings, size: int) -> None:
        super().__init__()
        self.size = size
        self.table = nn.Embedding(size + 1, settings.embedding) if settings.embedding else None
        self.body = settings.body.build(settings.embedding or size + 1)
        self.head = settings.head.build(self.body.width, size, self.table)
        self.input_dropout = nn.Dropout(settings.input_dropout)
        self.output_dropout = nn.Dropout(settings.output_dropout)
        self.tied = settings.head.tied
        self.weights: Precision = "fp32"
        """Lowest precision that holds its matrices exactly."""
        if self.table is not None and self.tied:
            # As output weights, torch's N(0, 1) would start far from the uniform distribution.
            nn.init.normal_(self.table.weight, std=settings.embedding**-0.5)

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return the body's state before any input."""
        return self.body.initial(batch_size, context)

    def forward(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Distribution, State]:
        """Map inputs (batch, time) to the distribution of the next symbol."""
        features, state = self.features(inputs, state, lengths)
        return self.head(features), state

    def advance(self, inputs: Tensor, state: State) -> State:
        """Return the state after inputs (batch, time); the head is not computed."""
        return self.features(inputs, state)[1]

    def features(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the head's input, (batch, time, width), and the state after the last step.

        Raises ValueError for shapes or ids that do not fit the network.
        """
        check_symbols(inputs, self.size)
        like = next(self.parameters()) if self.table is None else self.table.weight
        x = make_features(inputs, self.size + 1, None if self.table is None else like, like.dtype)
        if self.training and self.input_dropout.p:
            x = self.input_dropout(dense(x))
        features, state = self.body(x, state, lengths)
        return self.output_dropout(features), state

    def logits_at(
        self, inputs: Tensor, state: State, lengths: Tensor | None, chosen: Tensor
    ) -> tuple[Tensor, State]:
        """Return the log-probability of every symbol at the `chosen` steps, (chosen, size)."""
        features, state = self.features(inputs, state, lengths)
        return cast(Categorical, self.head(features[chosen])).logits, state

    def nats(
        self, inputs: Tensor, targets: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the head's fused negative log-likelihood of each target, (batch, time).

        It is zero past `lengths`.
        """
        if targets.shape != inputs.shape:
            raise ValueError(
                f"targets are {tuple(targets.shape)}, and inputs {tuple(inputs.shape)}"
            )
        features, state = self.features(inputs, state, lengths)
        return without_padding(self.head.nats(features, targets), lengths), state


def grow_symbols(
    arrays: Mapping[str, np.ndarray],
    network: SequenceModel,
    new: NDArray[np.integer],
    sharing: NDArray[np.integer],
) -> dict[str, np.ndarray]:
    """Grow the weights of a network with fewer symbols to those of `network`.

    The symbols with ids `new` get the weights of the symbol after them, and all of `sharing` the
    probability that one of these had.
    """
    size, shapes, grown = network.size, network.arrays(), dict[str, np.ndarray]()
    old_ids = np.delete(np.arange(size + 1), new)
    ids = np.searchsorted(old_ids, np.arange(size + 1))
    for name, array in arrays.items():
        for axis, length in enumerate(shapes[name].shape):
            if length != array.shape[axis]:
                array = array.take(ids[:length], axis)
        if name.startswith("head.") and name.endswith("bias"):
            array[sharing] -= log(len(new) + 1)
        grown[name] = array
    return grown
