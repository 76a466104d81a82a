"""The contracts of models. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution

from ensue.batch import Batch
from ensue.fields import Fields, Steps
from ensue.heads.contract import StepDistribution
from ensue.layers.padding import without_padding
from ensue.state import State, reset_rows


@dataclass(frozen=True)
class Loss:
    """The loss of a batch.

    `nats` (batch,) is summed over `count` (batch,) steps. Training minimises the objective (batch,)
    if there is one, else the nats, plus the penalties (batch,), by name.
    """

    nats: Tensor
    count: Tensor
    objective: Tensor | None = None
    penalties: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def cost(self) -> Tensor:
        """What training minimises."""
        cost = self.nats if self.objective is None else self.objective
        return sum(self.penalties.values(), cost)


class Model(ABC):
    """What every model has: fitted parameters, which are saved as named arrays."""

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """Number of fitted parameters."""

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return all fitted parameters, as named arrays for `weights.safetensors`."""

    @abstractmethod
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if a name or shape does not fit."""


class Autoregressive(Model):
    """A resumable map from past symbols to the distribution of the next one.

    Symbols are ids below `size`, the number of symbols that can come next. The id `size` itself is
    the start of a sequence: it may be an input, and never comes next.
    """

    size: int
    scores: tuple[int, ...] = ()
    """Shape of the `nats` of one step, of a model that scores for others too."""

    @abstractmethod
    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return the state before any input."""

    @abstractmethod
    def __call__(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Distribution, State]:
        """Map inputs (batch, time) to the distribution of the next symbol and the last state.

        The distribution has batch shape (batch, time), `log_prob` of ids and `probs` (batch, time,
        size).
        """

    def advance(self, inputs: Tensor, state: State) -> State:
        """Return the state after inputs (batch, time), without any distribution where it can."""
        return self(inputs, state)[1]

    def logits_at(
        self, inputs: Tensor, state: State, lengths: Tensor | None, chosen: Tensor
    ) -> tuple[Tensor, State]:
        """Return the log-probability of every symbol at the `chosen` steps, a mask (batch, time).

        They are (chosen, size). A network computes its head at these steps only.
        """
        distribution, state = self(inputs, state, lengths)
        return cast(Categorical, distribution).logits[chosen], state

    def nats(
        self, inputs: Tensor, targets: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Return the negative log-likelihood of each target in nats, (batch, time).

        It is zero past `lengths`.
        """
        distribution, state = self(inputs, state, lengths)
        return without_padding(-distribution.log_prob(targets), lengths), state

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of each row, and the state with which the next batch goes on.

        Rows that `batch.fresh` marks start from `initial`, the others from `state`.
        """
        start = self.initial(len(batch.lengths))
        state = start if state is None else reset_rows(state, start, batch.fresh)
        nats, state = self.nats(batch["input"], batch["target"], state, batch.lengths)
        if "counted" in batch.fields:
            nats = nats * batch["counted"]
        return Loss(nats.sum(1), batch.counts), state


class StepModel(Model):
    """A resumable map from past steps of several fields to the distribution of the next one.

    The law is that of `Autoregressive`, with steps in place of ids.
    """

    fields: Fields

    @abstractmethod
    def initial(self, batch_size: int, context: State | None = None) -> State:
        """Return the state before any input."""

    @abstractmethod
    def __call__(
        self, inputs: Steps, state: State, lengths: Tensor | None = None
    ) -> tuple[StepDistribution, State]:
        """Map steps (batch, time) to the distribution of the next one and the last state.

        The distribution has batch shape (batch, time).
        """

    def start(self, rows: int, device: torch.device | None = None) -> Steps:
        """Return the input before the first step, (rows, 1)."""
        ids = torch.tensor([[*self.fields.symbols.values()]], dtype=torch.int64, device=device)
        nothing = torch.full((rows, 1, len(self.fields.numbers)), torch.nan, device=device)
        return {"symbols": ids.expand(rows, 1, -1), "numbers": nothing}

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of each row, which starts a sequence; so `()` comes out."""
        steps = {name: batch[name] for name in ("symbols", "numbers")}
        first = self.start(len(batch.lengths), batch.lengths.device)
        inputs = {name: torch.cat([first[name], steps[name][:, :-1]], 1) for name in steps}
        distribution, _ = self(inputs, self.initial(len(batch.lengths)), batch.lengths)
        costs = [(nats, nats if loss is None else loss) for nats, loss in distribution.costs(steps)]
        nats, objective = (
            without_padding(torch.stack(one).sum(0), batch.lengths) * batch["counted"]
            for one in zip(*costs, strict=True)
        )
        return Loss(nats.sum(1), batch.counts, objective.sum(1)), ()


class Predictor(Model):
    """A map from whole examples to the distribution of their target: a label, tags or future steps.

    The target is the field "target" of a batch. Models fitted in closed form, and boosted trees,
    are Predictors too.
    """

    @abstractmethod
    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the target.

        Its batch shape is (batch,), or (batch, time) where each step has its own target.
        """

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of each row. A Predictor has no state, so `()` comes out."""
        nats = -self(batch).log_prob(batch["target"])
        if nats.dim() > 1:
            nats = without_padding(nats, batch.lengths).sum(1)
        return Loss(nats, batch.counts), ()
