"""Contracts of the training loop: learner, feed of batches and events. Read this page first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from ensue.batch import Batch

if TYPE_CHECKING:
    from torch import Tensor  # events of reading data must not import torch: it takes seconds


class Feed(Protocol):
    """The batches of the training part, in an order that depends on seed and epoch alone."""

    @property
    def unit(self) -> str:
        """What a batch's count is of: "symbols", "words", "examples", "steps"."""
        ...

    def __len__(self) -> int:
        """Return the number of batches per epoch."""
        ...

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch[np.ndarray]]:
        """Yield the batches of an epoch from number `first` on."""
        ...


@dataclass(frozen=True)
class Update:
    """Result of one optimiser step: the batch's total loss in `nats`, over `count` symbols.

    `norm` is the gradient norm before clipping, or None.
    """

    nats: float
    count: int
    norm: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """State of a learner from which training resumes with the same bits.

    Tensors by name, and plain JSON values.
    """

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


class Learner(ABC):
    """A model together with the algorithm that fits it to batches."""

    @abstractmethod
    def update(self, batch: Batch[np.ndarray], scale: float) -> Update:
        """Fit one batch at `scale` times the peak learning rate.

        Raises NonFiniteError, and leaves the weights unchanged, if loss or gradient is not finite.
        """

    @abstractmethod
    def finish(self) -> None:
        """Complete the fit after the last batch."""

    @abstractmethod
    def evaluation_mode(self) -> AbstractContextManager[None]:
        """Put the model into evaluation mode: averaged weights, no dropout, no gradients."""

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return a copy of the weights; called within `evaluation_mode`.

        Raises NonFiniteError if they are not finite.
        """

    @abstractmethod
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Set the weights to what `arrays` returned."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Return everything that the next update depends on."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Return to the state of `snapshot`."""


@dataclass(frozen=True)
class Progress:
    """Metrics of the training: one line of the log.

    Losses are in nats per symbol; `loss` is the mean since the last such event.
    """

    step: int
    steps: int | None
    """Total steps; None until the timed start of a training by `minutes` has ended."""
    epoch: float
    loss: float | None
    validation: float | None
    learning_rate: float
    norm: float | None
    """Largest gradient norm since the last such event, before clipping."""
    seconds: float
    unit: str
    """What `per_second` counts: "symbols", "words", "examples" or "steps"."""
    per_second: float
    eta_seconds: float | None
    memory_mb: float
    """Peak memory so far: of the process, or on the GPU."""


@dataclass(frozen=True)
class Sample:
    """A text sampled from the model at a step, and its negative log-likelihood in nats.

    `nats` is None if it is not finite.
    """

    step: int
    text: str
    nats: float | None


@dataclass(frozen=True)
class Reading:
    """Progress of reading large data, in bytes; each file is read several times."""

    done: int
    total: int
    left: float | None = None
    """Estimated seconds left."""


@dataclass(frozen=True)
class Working:
    """A task in progress; `share` of it is done, or None if that is unknown."""

    what: str
    share: float | None = None


@dataclass(frozen=True)
class Note:
    """A message for the user."""

    text: str


@dataclass(frozen=True)
class Stage:
    """The stage that begins after the fit; not shown once it is over."""

    text: str


Event: TypeAlias = Progress | Sample | Reading | Working | Note | Stage
Callback: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Outcome:
    """Result of a training; `how` is "finished", "stopped early" or "interrupted"."""

    how: str
    step: int
    steps: int | None
    seconds: float
    validation: float | None
    """Best validation loss in nats per symbol: that of the saved weights."""
    best_step: int
