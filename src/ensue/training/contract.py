"""What the loop knows: a learner, a feed of batches, and the events that it tells. Read this
page first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from ensue.batch import Batch

if TYPE_CHECKING:
    from torch import Tensor  # what is told while data is looked at needs none


class Feed(Protocol):
    """The batches of the training part, in an order that depends on seed and epoch alone."""

    @property
    def unit(self) -> str:
        """What is counted in them: "symbols", "words", "examples", "steps"."""
        ...

    def __len__(self) -> int:
        """Count the batches of an epoch."""
        ...

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch[np.ndarray]]:
        """Give the batches of an epoch from number `first` on."""
        ...


@dataclass(frozen=True)
class Update:
    """What one update cost: `nats` of the batch in all, for `count` symbols.

    `norm` is the length of the gradient before clipping, None where there is none.
    """

    nats: float
    count: int
    norm: float | None = None


@dataclass(frozen=True)
class Snapshot:
    """All that a learner needs to go on with the same bits: tensors by name, and plain JSON
    values."""

    tensors: Mapping[str, Tensor]
    values: Mapping[str, Any]


class Learner(ABC):
    """Something that learns from batches, whatever the way."""

    @abstractmethod
    def update(self, batch: Batch[np.ndarray], scale: float) -> Update:
        """Learn from one batch at `scale` times the full rate. Raises NonFiniteError instead of
        learning nonsense."""

    @abstractmethod
    def finish(self) -> None:
        """Do what is left to do once all batches were seen."""

    @abstractmethod
    def as_used(self) -> AbstractContextManager[None]:
        """Within, the model is as it will be used: averaged weights, no dropout, no gradients."""

    @abstractmethod
    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give what was learned, copied; called within `as_used`. Raises NonFiniteError if it is
        nonsense."""

    @abstractmethod
    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave."""

    @abstractmethod
    def snapshot(self) -> Snapshot:
        """Give everything that the next update depends on."""

    @abstractmethod
    def restore(self, snapshot: Snapshot) -> None:
        """Go back to where `snapshot` was taken."""


@dataclass(frozen=True)
class Progress:
    """Where training is; `loss` is over the symbols since the last such event. Losses in nats
    per symbol."""

    step: int
    steps: int | None
    """In all; None until a training by `minutes` has timed itself."""
    epoch: float
    loss: float | None
    validation: float | None
    learning_rate: float
    norm: float | None
    """The longest gradient since the last such event, before clipping."""
    seconds: float
    unit: str
    """What is counted: "symbols", or what else is learned."""
    per_second: float
    eta_seconds: float | None
    memory_mb: float
    """The most memory used so far: of the process, or on the GPU."""


@dataclass(frozen=True)
class Sample:
    """What the model makes up at a step, and what that costs it in nats; None where that is no
    finite number."""

    step: int
    text: str
    nats: float | None


@dataclass(frozen=True)
class Reading:
    """How far large data has been read, in bytes; each file is read several times."""

    done: int
    total: int
    left: float | None = None
    """Seconds that the rest will take, about."""


@dataclass(frozen=True)
class Working:
    """What is being done now, for as long as it takes; `share` of it is done, None where nobody
    knows."""

    what: str
    share: float | None = None


@dataclass(frozen=True)
class Note:
    """Something a person should know."""

    text: str


@dataclass(frozen=True)
class Stage:
    """What goes on from now, once something was learned; of no interest when it is over."""

    text: str


Event: TypeAlias = Progress | Sample | Reading | Working | Note | Stage
Callback: TypeAlias = Callable[[Event], None]


@dataclass(frozen=True)
class Outcome:
    """How training ended: `how` is "finished", "stopped early" or "interrupted"."""

    how: str
    step: int
    steps: int | None
    seconds: float
    validation: float | None
    """The best, in nats per symbol: that of the weights which are kept."""
    best_step: int
