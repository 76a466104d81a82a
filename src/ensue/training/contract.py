"""Contracts of the training loop: feed of batches, events and outcome. Read this page first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
