"""The contract of forecasters. Read this page before adding a forecaster to this folder.

Batches have the fields of `ensue.data.series.windows.WindowGatherer`, all scaled by the past of
each window alone. A forecaster's distribution is that of the field "target", (batch, horizon,
channels), in the same scale.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.batch import Batch
from ensue.data.series.panel import Series
from ensue.data.series.windows import Scaling, WindowGatherer
from ensue.errors import RunError
from ensue.heads.numbers import NumbersHead
from ensue.models.contract import Loss
from ensue.models.distributions import Forecast
from ensue.state import State

Uniforms = Callable[[int], tuple[Tensor, Tensor]]
"""For one step ahead, counted from 0: two uniform numbers in (0, 1) per path and channel.

Each is (paths, batch, channels).
"""


@dataclass(frozen=True)
class Sizes:
    """Numbers of channels, covariates and steps in a batch."""

    channels: int
    known: int
    """Known covariates: given for past and future steps."""
    calendar: int
    """How many known covariates, the first ones, are calendar waves.

    One step determines all others.
    """
    past: int
    static: int
    window: int
    horizon: int
    season: int

    @classmethod
    def of(cls, inputs: WindowGatherer) -> Sizes:
        """Get the sizes of windows."""
        layout = inputs.layout
        steps = {name: getattr(layout, name) for name in ("window", "horizon", "season")}
        return cls(**inputs.shape, **steps)


class NextValues(ABC):
    """What `Forecasting.begin` returns: a resumable map from values to those of the next step."""

    @abstractmethod
    def __call__(self, inputs: Tensor, state: State) -> tuple[Any, State]:
        """Map values (rows, 1, channels) to the distribution of the next ones and the state.

        The distribution has `draw`, which takes uniform numbers (rows, channels, 2).
        """


class Forecasting(ABC):
    """Forecasts the distribution of the steps after a window."""

    horizon: int
    """Maximum number of steps; 0 for no limit."""
    scaling: Scaling = "standard"
    """Scaling of the windows that it takes."""
    lower_bound: float = -inf
    """Lower bound of the values."""

    def begin(self, batch: Batch[Tensor]) -> tuple[NextValues, State, Tensor] | None:
        """Return the model of the next step, the state before the last value, and that value.

        None for a forecaster that draws all steps at once. Values are scaled, (batch, channels).
        """
        return None

    @abstractmethod
    def normal(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor] | None:
        """Return mean and standard deviation (batch, horizon, channels), or None if not normal."""

    def draw(self, batch: Batch[Tensor], uniforms: Uniforms) -> Tensor:
        """Sample whole paths, (paths, batch, horizon, channels). The field "target" is not read.

        A forecaster that goes step by step has `begin` in its place.
        """
        raise NotImplementedError


class HistoryForecaster(ABC):
    """Forecasts from the whole past of a series, and is fitted to that at each origin.

    So it has nothing to save, and forecasts of other series are fitted to those.
    """

    horizon, parameter_count = 0, 0

    @abstractmethod
    def forecast(self, series: Series, origins: NDArray[np.int64], horizon: int) -> Forecast:
        """Forecast from ascending origins of a series, from the steps before each alone."""

    def arrays(self) -> dict[str, np.ndarray]:
        """Return nothing."""
        return {}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if they are those of another model."""
        if arrays:
            raise RunError(
                "the saved weights are not those of this model",
                hint="use the settings of its training",
            )


def numbers_loss(head: NumbersHead, raw: Tensor, batch: Batch[Tensor]) -> Loss:
    """Return the negative log-likelihood of each row's targets, in units of the data.

    Imputed values count nothing.
    """
    nats, objective = (
        None if cost is None else torch.where(batch["observed"], cost, 0.0).sum((1, 2))
        for cost in head.cost(raw, batch["target"], batch["scale"][:, None])
    )
    assert nats is not None
    return Loss(nats, batch.counts, objective)
