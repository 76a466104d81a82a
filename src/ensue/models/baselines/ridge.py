"""Ridge regression of all steps at once on the features of a window (Hoerl & Kennard 1970): the
classical way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Literal

import numpy as np
from pydantic import Field

from ensue.errors import RunError
from ensue.models.baselines.window_features import (
    LIMIT,
    Array,
    Fields,
    WindowModel,
    anchors,
    observed,
    window_features,
    window_targets,
)
from ensue.models.contract import Predictor
from ensue.models.forecaster_contract import Forecasting, Sizes
from ensue.settings import Settings

PENALTIES = tuple(10.0**power for power in np.arange(-3, 6.5, 0.5))
OPEN = ""
"""The anchor before one was chosen."""
LEAST = 1e-6
"""The least spread that a forecast may have, in units of the scaled past."""
SHARED = 20

Windows = Callable[[], Iterable[Fields]]
"""Gives the windows that are learned from, some at a time."""


def residual_spread(squares: Array, counts: Array, sizes: Sizes) -> Array:
    """Give the spread of errors at each step, (horizon * channels,), of sums of squares over so
    many windows each.

    A step by itself is not told by a few windows: all steps together stand for SHARED more of them.
    """
    whole, count = (one.reshape(-1, sizes.channels) for one in (squares, counts))
    mean = (whole + SHARED * whole.sum(0) / np.maximum(count.sum(0), 1)) / (count + SHARED)
    return np.maximum(np.sqrt(mean.reshape(-1)), LEAST)


class RidgeSettings(Settings):
    """Settings of a ridge regression on window features."""

    name: Literal["ridge"] = "ridge"
    penalty: float = Field(0.0, ge=0)
    """What a squared weight costs, of features with spread 1; 0 chooses it on the validation
    part, as is the anchor."""

    spreads: bool = False
    """Whether the spreads of the last steps and seasons are features too; what is linear in them
    rarely gains."""

    def build(self, sizes: Sizes) -> Ridge:
        """Make the model, which has learned nothing yet."""
        return Ridge(sizes, self.penalty, self.spreads)


class Ridge(WindowModel, Predictor, Forecasting):
    """min sum |Y - anchor - X W|^2 + penalty |W|^2, on standardised features.

    The anchor is what is forecast where the penalty is high: the window's mean, its last value, or
    its last season. The spread is that of the errors on other windows.
    """

    def __init__(self, sizes: Sizes, penalty: float, spreads: bool) -> None:
        self.features = partial(window_features, sizes=sizes, spreads=spreads)
        self.sizes, self.horizon, self.penalty, self.anchor = sizes, sizes.horizon, penalty, OPEN
        self._arrays: dict[str, Array] = {}

    def fit(self, learned: Windows, others: Windows) -> None:
        """Learn from some windows; the penalty and the anchor, if they are open, and the spread
        come from others."""
        weights = self._solved(learned)
        missed = dict.fromkeys(weights, 0.0)
        squares: dict[tuple[str, float], Array] = dict.fromkeys(weights, np.zeros(1))
        counts = np.zeros(self.horizon * self.sizes.channels)
        for fields in others():
            x, target, begins = (
                self.features(fields),
                window_targets(fields),
                anchors(fields, self.sizes),
            )
            counts += (there := observed(fields)).sum(0)
            for (anchor, penalty), weight in weights.items():
                error = np.where(there, target - begins[anchor] - x @ weight[:-1] - weight[-1], 0.0)
                missed[anchor, penalty] += float(np.abs(error).sum())
                squares[anchor, penalty] = squares[anchor, penalty] + (error**2).sum(0)
        best = min(weights, key=lambda one: missed[one])
        self.anchor, self.penalty = best
        self._arrays = {
            "weights": weights[best],
            "spread": residual_spread(squares[best], counts, self.sizes),
        }

    def refit(self, learned: Windows) -> None:
        """Learn anew from other windows, with the penalty, the anchor and the spread that it
        has."""
        self._arrays = self._arrays | {"weights": self._solved(learned)[self.anchor, self.penalty]}

    def _solved(self, learned: Windows) -> dict[tuple[str, float], Array]:
        """Give the weights, intercepts below them, of each anchor and penalty."""
        names = (
            list(anchors(next(iter(learned())), self.sizes))
            if self.anchor == OPEN
            else [self.anchor]
        )
        count, means, products, across = self._moments(learned, names)
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
        """Give how many windows there are, the means of features and targets, and their products
        about the means.

        The targets are those less each anchor, side by side.
        """

        def both(fields: Fields) -> tuple[Array, Array]:
            begins, target = anchors(fields, self.sizes), window_targets(fields)
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
        """Give the scaled forecasts, and the spread of their errors."""
        weights, begin = self._arrays["weights"], anchors(fields, self.sizes)[self.anchor]
        return begin + self.features(fields) @ weights[:-1] + weights[-1], self._arrays["spread"]

    @property
    def selected(self) -> str:
        """What was chosen, and not learned."""
        return (
            f"the penalty of the ridge, {self.penalty:g}, its anchor ({self.anchor}) and the "
            f"spread of its errors"
        )

    @property
    def parameter_count(self) -> int:
        """How many numbers were learned."""
        return sum(array.size for array in self._arrays.values())

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give weights, intercepts below them, and spreads."""
        return {
            **self._arrays,
            "penalty": np.array([self.penalty]),
            "anchor": np.frombuffer(self.anchor.encode(), np.uint8),
        }

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave."""
        told, names = self.horizon * self.sizes.channels, ["anchor", "penalty", "spread", "weights"]
        if sorted(arrays) != names or arrays["weights"].shape[1] != told:
            raise RunError(
                "the saved weights are not those of this model", hint="use the settings they had"
            )
        self.penalty, self.anchor = float(arrays["penalty"][0]), arrays["anchor"].tobytes().decode()
        self._arrays = {name: np.array(arrays[name]) for name in ("weights", "spread")}
