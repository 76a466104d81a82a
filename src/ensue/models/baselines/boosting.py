"""Gradient-boosted trees on window features, fitted by scikit-learn.

The trees are stored as node tables and evaluated here, so that a run needs neither scikit-learn nor
pickle.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ensue.errors import RunError, UserError
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
from ensue.settings import Settings


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

    infinite = ("threshold",)  # a branch that tells what is missing from all that is there

    def __init__(self, settings: BoostingSettings, sizes: Sizes) -> None:
        self.settings, self.sizes, self.horizon = settings, sizes, sizes.horizon
        self._arrays: dict[str, Array] = {}

    def fit(self, train: Windows, validation: Windows) -> None:
        """Grow the trees; select their number, and measure the spread, on the validation windows.

        Raises UserError if scikit-learn is missing.
        """
        self._grow(train)
        target, added = np.concatenate([window_targets(one) for one in validation()]), 0.0
        measured = np.concatenate([get_observed(one) for one in validation()])
        best, kept, squares = (
            np.inf,
            0,
            np.where(measured, (target - self._arrays["start"]) ** 2, 0.0),
        )
        x = np.concatenate([self._rows(one) for one in validation()])
        for tree in range(len(self._arrays["roots"])):
            added = added + self._sum_trees(x, tree, tree + 1).reshape(target.shape)
            now = np.where(measured, (target - self._arrays["start"] - added) ** 2, 0.0)
            if now.mean() < best:
                best, kept, squares = now.mean(), tree + 1, now
        self._arrays["roots"] = self._arrays["roots"][:kept]
        self._arrays["spread"] = residual_spread(squares.sum(0), measured.sum(0), self.sizes)

    def refit(self, train: Windows) -> None:
        """Grow as many trees on other windows."""
        kept, spread = len(self._arrays["roots"]), self._arrays["spread"]
        self._grow(train)
        self._arrays |= {"roots": self._arrays["roots"][:kept], "spread": spread}

    def _grow(self, train: Windows) -> None:
        try:
            from sklearn.ensemble import HistGradientBoostingRegressor
        except ImportError:
            hint = "install it with: pip install 'ensue[sklearn]'"
            raise UserError(
                "boosting needs scikit-learn, which is missing", where="--model", hint=hint
            ) from None
        target = np.concatenate([window_targets(one) for one in train()])
        every = -(-target.size // self.settings.max_examples)
        x = np.concatenate([self._rows(one) for one in train()])[::every]
        selected = self.settings
        library = HistGradientBoostingRegressor(
            max_iter=selected.trees,
            max_leaf_nodes=selected.leaves,
            learning_rate=selected.learning_rate,
            early_stopping=False,
            random_state=0,
        )
        library.fit(x, target.ravel()[::every])
        self._arrays = {**node_tables(library), "spread": np.ones(target.shape[1])}

    def _rows(self, fields: Fields) -> Array:
        """Build a row for each forecast value of each window: its features, step and channel."""
        features = window_features(fields, self.sizes)
        places = np.indices((self.horizon, self.sizes.channels)).reshape(2, -1).T
        each = np.repeat(features, len(places), axis=0)
        return np.concatenate([each, np.tile(places, (len(features), 1))], 1)

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
        rows = self._rows(fields)
        if self._arrays["feature"].max(initial=-1) >= rows.shape[1]:
            raise RunError(
                "the saved trees need more features than there are",
                hint="use the settings of its training",
            )
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


def node_tables(library: Any) -> dict[str, Array]:
    """Convert the trees of a HistGradientBoostingRegressor to node tables.

    All nodes are concatenated; the feature of a leaf is -1.
    """
    tables: dict[str, list[Array]] = {
        name: [] for name in ("feature", "threshold", "left", "right", "value")
    }
    roots, count = [], 0
    for (tree,) in library._predictors:
        nodes = tree.nodes
        leaf = nodes["is_leaf"].astype(bool)
        tables["feature"].append(np.where(leaf, -1, nodes["feature_idx"].astype(np.int64)))
        tables["threshold"].append(np.where(leaf, 0.0, nodes["num_threshold"]))
        tables["left"].append(nodes["left"].astype(np.int64) + count)
        tables["right"].append(nodes["right"].astype(np.int64) + count)
        tables["value"].append(nodes["value"].astype(np.float64))
        roots.append(count)
        count += len(nodes)
    start = np.array(library._baseline_prediction, np.float64).reshape(1)
    return {name: np.concatenate(parts) for name, parts in tables.items()} | {
        "roots": np.array(roots),
        "start": start,
    }
