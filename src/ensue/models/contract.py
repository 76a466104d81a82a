"""What a model is. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from torch.distributions import Distribution

from ensue.batch import Batch
from ensue.layers.padding import without_padding
from ensue.state import State, reset_rows


@dataclass(frozen=True)
class Loss:
    """What a batch cost: `nats` (batch,) for `count` (batch,) steps, exactly; `extra` is not
    about the data."""

    nats: Tensor
    count: Tensor
    extra: Tensor | None = None


class Autoregressive(ABC):
    """A resumable map from what came before to the distribution of what comes next.

    Symbols are ids below `size`, the number of symbols that can come next. The id `size` itself is
    the start of a sequence: it may be an input, and never comes next.
    """

    size: int
    infinite: Collection[str] = ()
    """The arrays in which an infinity means something; a run that has another number that is not
    finite is refused."""

    @abstractmethod
    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Give the state before anything was seen."""

    @abstractmethod
    def __call__(
        self, inputs: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Distribution, State]:
        """Map inputs (batch, time) to the distribution of what follows each, and the state after
        the last.

        The distribution has batch shape (batch, time), `log_prob` of ids and `probs` (batch, time,
        size).
        """

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """How many numbers were learned."""

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give all that was learned, as named arrays for `weights.safetensors`."""

    @abstractmethod
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave. Raises RunError if a name or shape does not fit."""

    def nats(
        self, inputs: Tensor, targets: Tensor, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Give minus the log-probability of each target, in nats, (batch, time), zero past
        `lengths`."""
        distribution, state = self(inputs, state, lengths)
        return without_padding(-distribution.log_prob(targets), lengths), state

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Give the nats of each row, and the state with which the batch that follows goes on.

        Rows that `batch.fresh` marks start from `initial`, the others from `state`.
        """
        start = self.initial(len(batch.lengths))
        state = start if state is None else reset_rows(state, start, batch.fresh)
        nats, state = self.nats(batch["input"], batch["target"], state, batch.lengths)
        if "counted" in batch.fields:
            nats = nats * batch["counted"]
        return Loss(nats.sum(1), batch.counts), state


class Predictor(ABC):
    """A map from whole examples to the distribution of what is asked of them: a label, tags, the
    steps to come.

    What came of it stands in the field "target" of a batch. Fitted models, such as boosted trees,
    are Predictors too.
    """

    infinite: Collection[str] = ()
    """The arrays in which an infinity means something; a run that has another number that is not
    finite is refused."""

    @abstractmethod
    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Give a distribution of batch shape (batch,), or (batch, time) where each step has a
        target of its own."""

    @property
    @abstractmethod
    def parameter_count(self) -> int:
        """How many numbers were learned."""

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give all that was learned, as named arrays for `weights.safetensors`."""

    @abstractmethod
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave. Raises RunError if a name or shape does not fit."""

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Give the nats of each row. No state goes in, or on to the batch that follows."""
        nats = -self(batch).log_prob(batch["target"])
        if nats.dim() > 1:
            nats = without_padding(nats, batch.lengths).sum(1)
        return Loss(nats, batch.counts), ()
