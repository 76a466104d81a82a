"""Features of a window: lags, means, spreads, calendar and covariates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Normal

from ensue.batch import Batch
from ensue.heads.numbers.contract import normal_quantile
from ensue.models.contract import Loss
from ensue.models.forecaster_contract import Sizes, Uniforms
from ensue.state import State

Array = NDArray[Any]
LIMIT = 3.0
"""Values are clipped at so many standard deviations, so that one jump cannot outweigh the rest."""

Fields = Mapping[str, Array]
"""The fields of a batch, as `WindowGatherer.arrays` returns them."""


class WindowModel(ABC):
    """Forecasts each value independently, with normal errors, from the features of a window."""

    sizes: Sizes

    @abstractmethod
    def predict(self, fields: Fields) -> tuple[Array, Array]:
        """Return the scaled forecasts (batch, horizon * channels) and their error spread.

        The spread is (horizon * channels,).
        """

    def check(self) -> None:
        """Forecast from zeros. Raises ValueError if loaded weights do not fit the features."""
        sizes = self.sizes
        shapes = {
            "past": (1, sizes.window, sizes.channels),
            "known": (1, sizes.window + sizes.horizon, sizes.known),
            "covariate": (1, sizes.window, sizes.past),
            "static": (1, sizes.static),
        }
        self._normal({name: np.zeros(shape) for name, shape in shapes.items()})

    def __call__(self, batch: Batch[Tensor]) -> Normal:
        """Return the normal distribution of each value."""
        return Normal(*self.normal(batch), validate_args=False)

    def normal(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of each value."""
        return self._normal(
            {name: field.cpu().double().numpy() for name, field in batch.fields.items()}
        )

    def _normal(self, fields: Fields) -> tuple[Tensor, Tensor]:
        shape = (-1, self.sizes.horizon, self.sizes.channels)
        mean, spread = (torch.from_numpy(one).view(shape) for one in self.predict(fields))
        return mean, spread.expand(mean.shape)

    def loss(self, batch: Batch[Tensor], state: State | None = None) -> tuple[Loss, State]:
        """Return the loss of each row, in units of the data. Imputed values count nothing."""
        nats = torch.log(batch["scale"])[:, None] - self(batch).log_prob(batch["target"])
        return Loss(torch.where(batch["observed"], nats, 0.0).sum((1, 2)), batch.counts), ()

    def draw(self, batch: Batch[Tensor], uniforms: Uniforms) -> Tensor:
        """Sample each step independently."""
        mean, spread = self.normal(batch)
        first = torch.stack([uniforms(step)[0] for step in range(mean.shape[1])], 2)
        return mean + spread * normal_quantile(first)


def window_features(fields: Fields, sizes: Sizes, spreads: bool = True) -> Array:
    """Compute the features of each window, (batch, features).

    For each channel: its scaled values; mean and spread of its last 3 steps, season and two
    seasons, as far as the window reaches. Then the calendar of the first step, the other known
    covariates of the horizon, past and static covariates.
    """
    past, rows = fields["past"], len(fields["past"])
    spans = sorted(
        {span for span in (3, sizes.season, 2 * sizes.season) if 1 < span < sizes.window}
    )
    ends = [past[:, -span:] for span in spans]
    of_window = [past, *(end.mean(1, keepdims=True) for end in ends)]
    of_window += [end.std(1, keepdims=True) for end in ends if spreads]
    known = fields["known"][:, sizes.window : sizes.window + sizes.horizon]
    calendar, known = known[:, 0, : sizes.calendar], known[:, :, sizes.calendar :]
    covariates = [
        one.reshape(rows, -1) for one in (calendar, known, fields["covariate"], fields["static"])
    ]
    return np.concatenate(
        [np.clip(np.concatenate(of_window, 1), -LIMIT, LIMIT).reshape(rows, -1), *covariates], 1
    )


def window_targets(fields: Fields) -> Array:
    """Return the scaled targets, (batch, horizon * channels)."""
    return fields["target"].reshape(len(fields["target"]), -1)


def get_observed(fields: Fields) -> Array:
    """Mark the targets that were measured; the others are imputed."""
    return fields["observed"].reshape(len(fields["observed"]), -1)


def compute_anchors(fields: Fields, sizes: Sizes) -> dict[str, Array]:
    """Compute naive forecasts that a model may correct, (batch, horizon * channels) each.

    They are the mean of the window, its last value, and, where there are seasons, its last season.
    """
    past, ahead = fields["past"], np.arange(sizes.horizon)
    found = {"mean": np.zeros_like(past[:, :1])[:, 0 * ahead], "last": past[:, -1 + 0 * ahead]}
    if 1 < sizes.season <= sizes.window:
        found["season"] = past[:, sizes.window - sizes.season + ahead % sizes.season]
    return {name: values.reshape(len(past), -1) for name, values in found.items()}
