"""Ridge regression from window features to all steps ahead (Hoerl & Kennard 1970)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from ensue.models.baselines.window_features import (
    LIMIT,
    Array,
    Fields,
    WindowModel,
    compute_anchors,
    get_observed,
    window_features,
    window_targets,
)
from ensue.models.contract import Predictor
from ensue.models.forecaster_contract import Forecasting, Sizes
from ensue.models.parameters import mismatch
from ensue.settings import Settings

PENALTIES = tuple(10.0**power for power in np.arange(-3, 6.5, 0.5))
UNSELECTED = ""
"""The anchor before selection."""
MIN_SPREAD = 1e-6
"""Minimum standard deviation of errors, in units of the scaled past."""
POOLED_WINDOWS = 20
"""Weight of the pooled error variance, in windows: few windows alone estimate it badly."""

Windows = Callable[[], Iterable[Fields]]
"""Returns the windows to fit on, in batches."""


def residual_spread(squares: Array, counts: Array, sizes: Sizes) -> Array:
    """Estimate the standard deviation of errors at each step, (horizon * channels,).

    `squares` are sums of squared errors, `counts` their numbers. With few windows each step's
    variance is shrunk to that of all steps, which counts as SHARED windows.
    """
    whole, count = (one.reshape(-1, sizes.channels) for one in (squares, counts))
    mean = (whole + POOLED_WINDOWS * whole.sum(0) / np.maximum(count.sum(0), 1)) / (
        count + POOLED_WINDOWS
    )
    return np.maximum(np.sqrt(mean.reshape(-1)), MIN_SPREAD)


class RidgeSettings(Settings):
    """Settings of ridge regression on window features."""

    name: Literal["ridge"] = "ridge"
    penalty: float = Field(0.0, ge=0)
    """L2 penalty on standardised features; 0 selects it on the validation part, with the anchor."""

    spreads: bool = False
    """Also use the spreads of recent steps and seasons as features; a linear model rarely gains."""

    def build(self, sizes: Sizes) -> Ridge:
        """Build the unfitted model."""
        return Ridge(sizes, self.penalty, self.spreads)


class Ridge(WindowModel, Predictor, Forecasting):
    """min sum |Y - anchor - X W|^2 + penalty |W|^2, on standardised features.

    The anchor is the naive forecast that a high penalty shrinks to: the window's mean, its last
    value, or its last season. Errors are normal, with the spread of those on the validation
    windows.
    """

    def __init__(self, sizes: Sizes, penalty: float, spreads: bool) -> None:
        self.features = partial(window_features, sizes=sizes, spreads=spreads)
        self.sizes, self.horizon, self.penalty, self.anchor = (
            sizes,
            sizes.horizon,
            penalty,
            UNSELECTED,
        )
        self._arrays: dict[str, Array] = {}

    def fit(self, train: Windows, validation: Windows) -> None:
        """Fit the weights; select penalty and anchor on the validation windows.

        The spread of errors is measured on them too.
        """
        weights = self._solve(train)
        absolute_errors = dict.fromkeys(weights, 0.0)
        squares: dict[tuple[str, float], Array] = dict.fromkeys(weights, np.zeros(1))
        counts = np.zeros(self.horizon * self.sizes.channels)
        for fields in validation():
            x = self.features(fields)
            target = window_targets(fields)
            begins = compute_anchors(fields, self.sizes)
            counts += (measured := get_observed(fields)).sum(0)
            for (anchor, penalty), weight in weights.items():
                error = np.where(
                    measured, target - begins[anchor] - x @ weight[:-1] - weight[-1], 0.0
                )
                absolute_errors[anchor, penalty] += float(np.abs(error).sum())
                squares[anchor, penalty] = squares[anchor, penalty] + (error**2).sum(0)
        best = min(weights, key=lambda one: absolute_errors[one])
        self.anchor, self.penalty = best
        self._arrays = {
            "weights": weights[best],
            "spread": residual_spread(squares[best], counts, self.sizes),
        }

    def refit(self, train: Windows) -> None:
        """Fit the weights on other windows, with the same penalty, anchor and spread."""
        self._arrays = self._arrays | {"weights": self._solve(train)[self.anchor, self.penalty]}

    def _solve(self, train: Windows) -> dict[tuple[str, float], Array]:
        """Solve for the weights of each anchor and penalty; the last row is the intercept."""
        names = [self.anchor]
        if self.anchor == UNSELECTED:
            names = list(compute_anchors(next(iter(train())), self.sizes))
        count, means, products, across = self._moments(train, names)
        features = len(products)
        spread = np.sqrt(np.maximum(np.diag(products) / count, 0))
        # What never varies has no weight.
        spread = np.where(spread > 1e-12 * np.maximum(np.abs(means[:features]), 1), spread, np.inf)
        values, vectors = np.linalg.eigh(products / spread / spread[:, None])
        turned = vectors.T @ (across / spread[:, None])
        found = {}
        for penalty in (self.penalty,) if self.penalty else PENALTIES:
            weight = (
                vectors @ (turned / (np.maximum(values, 0) + penalty)[:, None]) / spread[:, None]
            )
            whole = np.concatenate([weight, (means[features:] - means[:features] @ weight)[None]])
            for name, part in zip(names, np.split(whole, len(names), axis=1), strict=True):
                found[name, penalty] = part
        return found

    def _moments(self, windows: Windows, names: Sequence[str]) -> tuple[int, Array, Array, Array]:
        """Compute the number of windows, the means of features and targets, and centred products.

        Targets are differences from each anchor, side by side.
        """

        def both(fields: Fields) -> tuple[Array, Array]:
            begins, target = compute_anchors(fields, self.sizes), window_targets(fields)
            beyond = np.concatenate([target - begins[name] for name in names], 1)
            return self.features(fields), np.clip(beyond, -LIMIT, LIMIT)

        count, sums = 0, 0.0
        for fields in windows():
            x = np.concatenate(both(fields), 1)
            count, sums = count + len(x), sums + x.sum(0)
        means = np.asarray(sums) / count
        features = len(means) - self.horizon * self.sizes.channels * len(names)
        products = 0.0
        for fields in windows():
            x, y = both(fields)
            x = x - means[:features]
            products = products + x.T @ np.concatenate([x, y - means[features:]], 1)
        whole = np.asarray(products)
        return count, means, whole[:, :features], whole[:, features:]

    def predict(self, fields: Fields) -> tuple[Array, Array]:
        """Return the scaled forecasts, and the spread of their errors."""
        weights, begin = self._arrays["weights"], compute_anchors(fields, self.sizes)[self.anchor]
        return begin + self.features(fields) @ weights[:-1] + weights[-1], self._arrays["spread"]

    @property
    def selected(self) -> str:
        """What was selected on the validation part."""
        return f"L2 penalty of ridge, {self.penalty:g}, anchor ({self.anchor}) and error spread"

    @property
    def parameter_count(self) -> int:
        """Number of fitted parameters."""
        return sum(array.size for array in self._arrays.values())

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return weights (the last row is the intercept), spreads, penalty and anchor."""
        return {
            **self._arrays,
            "penalty": np.array([self.penalty]),
            "anchor": np.frombuffer(self.anchor.encode(), np.uint8),
        }

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if they are those of another model."""
        columns = self.horizon * self.sizes.channels
        names = ["anchor", "penalty", "spread", "weights"]
        if sorted(arrays) != names or arrays["weights"].shape[1] != columns:
            raise mismatch("the saved weights are not those of this model")
        self.penalty, self.anchor = float(arrays["penalty"][0]), arrays["anchor"].tobytes().decode()
        self._arrays = {name: np.array(arrays[name]) for name in ("weights", "spread")}
        self.check()
