"""Features of a window, for models that see all of it at once: lags, means, spreads, the
calendar, what is beside."""

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
from ensue.models.forecaster_contract import Sizes, Uniforms

Array = NDArray[Any]
LIMIT = 3.0
"""Spreads from the mean of a window beyond which its values count as so many: one jump would
outweigh all the rest."""

Fields = Mapping[str, Array]
"""The fields of a batch, as `Inputs.arrays` gives them."""


class WindowModel(ABC):
    """What a forecaster of each number by itself, from the features of a window, is beside its
    contracts."""

    sizes: Sizes

    @abstractmethod
    def predict(self, fields: Fields) -> tuple[Array, Array]:
        """Give the scaled forecasts, row after row, and the spread of their errors, (horizon *
        channels,)."""

    def __call__(self, batch: Batch[Tensor]) -> Normal:
        """Give the normal distribution of each number."""
        return Normal(*self.normal(batch), validate_args=False)

    def normal(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor]:
        """Give mean and spread of each number."""
        fields = {name: field.cpu().double().numpy() for name, field in batch.fields.items()}
        shape = (-1, self.sizes.horizon, self.sizes.channels)
        mean, spread = (torch.from_numpy(one).view(shape) for one in self.predict(fields))
        return mean, spread.expand(mean.shape)

    def draw(self, batch: Batch[Tensor], uniforms: Uniforms) -> Tensor:
        """Draw each step by itself."""
        mean, spread = self.normal(batch)
        first = torch.stack([uniforms(step)[0] for step in range(mean.shape[1])], 2)
        return mean + spread * normal_quantile(first)


def window_features(fields: Fields, sizes: Sizes, spreads: bool = True) -> Array:
    """Give the features of each window, (batch, features).

    Of each channel: its scaled values; the mean and the spread of its last 3 steps, season and two
    seasons, as far as the window reaches. Then the calendar of the first step, known columns of the
    whole horizon, past and static columns.
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
    beside = [
        one.reshape(rows, -1) for one in (calendar, known, fields["covariate"], fields["static"])
    ]
    return np.concatenate(
        [np.clip(np.concatenate(of_window, 1), -LIMIT, LIMIT).reshape(rows, -1), *beside], 1
    )


def window_targets(fields: Fields) -> Array:
    """Give the scaled targets, (batch, horizon * channels)."""
    return fields["target"].reshape(len(fields["target"]), -1)


def observed(fields: Fields) -> Array:
    """Tell which of those targets were measured, and not filled in."""
    return fields["observed"].reshape(len(fields["observed"]), -1)


def anchors(fields: Fields, sizes: Sizes) -> dict[str, Array]:
    """Give the forecasts that a model may begin from, (batch, horizon * channels) each.

    The mean of the window, its last value, and, where there are seasons, the values of the last
    one.
    """
    past, ahead = fields["past"], np.arange(sizes.horizon)
    found = {"mean": np.zeros_like(past[:, :1])[:, 0 * ahead], "last": past[:, -1 + 0 * ahead]}
    if 1 < sizes.season <= sizes.window:
        found["season"] = past[:, sizes.window - sizes.season + ahead % sizes.season]
    return {name: values.reshape(len(past), -1) for name, values in found.items()}
