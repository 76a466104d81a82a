"""Gradient-boosted trees on window features, grown by scikit-learn.

Their nodes are stored as arrays and evaluated here, so that a run needs no pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from pydantic import Field

from ensue.models.baselines.ridge import Windows, residual_spread
from ensue.models.baselines.window_features import (
    Array,
    Fields,
    WindowModel,
    get_observed,
    window_features,
    window_targets,
)
from ensue.models.contract import Predictor
from ensue.models.forecaster_contract import Forecasting, Sizes
from ensue.models.parameters import mismatch
from ensue.settings import Settings

MIN_LEAF = 20
"""Forecast values per leaf, at least."""
MAX_FEATURES = 64
"""Features among which each split is chosen; a long window has hundreds, nearly alike."""


class BoostingSettings(Settings):
    """Settings of gradient boosting on window features."""

    name: Literal["boosting"] = "boosting"
    trees: int = Field(100, ge=1)
    """Maximum number of trees; selected on the validation part."""
    leaves: int = Field(15, ge=2)
    """Maximum number of leaves per tree."""
    learning_rate: float = Field(0.1, gt=0, le=1)
    """Learning rate (shrinkage) of each tree."""
    max_examples: int = Field(100_000, ge=100)
    """Maximum number of forecast steps to fit on, evenly spread over the windows."""

    def build(self, sizes: Sizes) -> Boosting:
        """Build the unfitted model."""
        return Boosting(self, sizes)


class Boosting(WindowModel, Predictor, Forecasting):
    """y = start + sum of trees over (window features, steps ahead), with normal errors.

    Their spread is that of the errors on the validation windows.
    """

    def __init__(self, settings: BoostingSettings, sizes: Sizes) -> None:
        self.settings, self.sizes, self.horizon = settings, sizes, sizes.horizon
        self._arrays: dict[str, Array] = {}

    def fit(self, train: Windows, validation: Windows) -> None:
        """Grow the trees; select their number and measure errors on the validation windows."""
        self._grow(train)
        count = len(self._arrays["roots"])
        squares = np.zeros((count + 1, self.horizon * self.sizes.channels))
        measured = np.zeros_like(squares[0])
        for fields in validation():
            error, there = window_targets(fields) - self._arrays["start"], get_observed(fields)
            x = self._rows(window_features(fields, self.sizes))
            measured += there.sum(0)
            for tree in range(count + 1):
                squares[tree] += np.where(there, error**2, 0.0).sum(0)
                error = error - self._sum_trees(x, tree, tree + 1).reshape(error.shape)
        best = int(squares.sum(1).argmin())
        self._arrays["roots"] = self._arrays["roots"][:best]
        self._arrays["spread"] = residual_spread(squares[best], measured, self.sizes)

    def refit(self, train: Windows) -> None:
        """Grow as many trees on other windows."""
        kept, spread = len(self._arrays["roots"]), self._arrays["spread"]
        self._grow(train)
        self._arrays |= {"roots": self._arrays["roots"][:kept], "spread": spread}

    def _grow(self, train: Windows) -> None:
        """Fit each tree to the errors of those before it (Friedman 2001)."""
        from sklearn.tree import DecisionTreeRegressor

        windows = [(window_targets(one), window_features(one, self.sizes)) for one in train()]
        target, features = map(np.concatenate, zip(*windows, strict=True))
        selected = np.arange(0, target.size, -(-target.size // self.settings.max_examples))
        x, error = self._rows(features, selected), target.ravel()[selected]
        start, tables, count = error.mean(), [], 0
        error = error - start
        for number in range(self.settings.trees):
            # Thresholds drawn at random (Geurts et al. 2006) need no sorting, and overfit less.
            tree = DecisionTreeRegressor(
                splitter="random",
                max_leaf_nodes=self.settings.leaves,
                min_samples_leaf=MIN_LEAF,
                max_features=min(MAX_FEATURES, x.shape[1]),
                random_state=number,
            ).fit(x, error)
            nodes, value = tree.tree_, self.settings.learning_rate * tree.tree_.value.ravel()
            error -= value[tree.apply(x)]
            left, right = nodes.children_left + count, nodes.children_right + count
            tables.append((nodes.feature, nodes.threshold, left, right, value))
            count += len(value)
        names = ("feature", "threshold", "left", "right", "value")
        self._arrays = {
            **dict(zip(names, map(np.concatenate, zip(*tables, strict=True)), strict=True)),
            "roots": np.cumsum([0, *(len(table[-1]) for table in tables[:-1])]),
            "start": np.array([start]),
            "spread": np.ones(target.shape[1]),
        }

    def _rows(self, features: Array, selected: Array | None = None) -> Array:
        """Build a row for each selected value of the windows: features, step and channel.

        They are float32, as trees of scikit-learn compare them.
        """
        width = self.horizon * self.sizes.channels
        every = np.arange(len(features) * width) if selected is None else selected
        window, place = np.divmod(every, width)
        places = np.stack(np.divmod(place, self.sizes.channels), 1)
        with np.errstate(over="ignore"):  # of a covariate; it is above each threshold
            return np.concatenate([features[window], places], 1, dtype=np.float32)

    def _sum_trees(self, x: Array, first: int, end: int) -> Array:
        """Sum the values of some trees for each row."""
        nodes, rows = self._arrays, np.arange(len(x))
        total = np.zeros(len(x))
        for root in nodes["roots"][first:end]:
            at = np.full(len(x), root)
            while len(inner := rows[nodes["feature"][at] >= 0]):
                node = at[inner]
                left = x[inner, nodes["feature"][node]] <= nodes["threshold"][node]
                at[inner] = np.where(left, nodes["left"][node], nodes["right"][node])
            total += nodes["value"][at]
        return total

    def predict(self, fields: Fields) -> tuple[Array, Array]:
        """Return the scaled forecasts, and the spread of their errors."""
        rows = self._rows(window_features(fields, self.sizes))
        if self._arrays["feature"].max(initial=-1) >= rows.shape[1]:
            raise mismatch("the saved trees need more features than there are")
        added = self._sum_trees(rows, 0, len(self._arrays["roots"]))
        return self._arrays["start"] + added, self._arrays["spread"]

    @property
    def selected(self) -> str:
        """What was selected on the validation part."""
        return f"number of boosted trees, {len(self._arrays['roots'])}, and error spread"

    @property
    def parameter_count(self) -> int:
        """Number of node values."""
        return self._arrays["value"].size

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the node tables."""
        return self._arrays

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned.

        Raises ValueError if they are no valid trees, on which an evaluation might never end.
        """
        self._arrays = {name: np.array(array) for name, array in arrays.items()}
        nodes, places = self._arrays, ("feature", "left", "right", "roots")
        count = len(nodes["feature"])
        if nodes.keys() != {*places, "threshold", "value", "start", "spread"}:
            raise ValueError("these are no arrays of trees")
        if any(nodes[name].dtype != (np.int64 if name in places else np.float64) for name in nodes):
            raise ValueError("arrays of trees have other types")
        if any(
            nodes[name].shape != (count,)
            for name in ("feature", "threshold", "left", "right", "value")
        ):
            raise ValueError("arrays of trees have unequal lengths")
        inner, own = nodes["feature"] >= 0, np.arange(count)
        for name in ("left", "right"):
            if ((nodes[name] <= own) | (nodes[name] >= count))[inner].any():
                raise ValueError("a node of a tree is not above its children")
        if nodes["roots"].ndim != 1 or ((nodes["roots"] < 0) | (nodes["roots"] >= count)).any():
            raise ValueError("a tree has no root")
        self.check()
