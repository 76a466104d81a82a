"""Histogram gradient boosting of scikit-learn on the features of a window, kept as node tables of
our own.

The trees are grown by the library and walked here: a run needs no scikit-learn to be used, and no
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
    observed,
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
    """The most trees; fewer are kept if that is better on the validation part."""
    leaves: int = Field(15, ge=2)
    """The most leaves of a tree."""
    learning_rate: float = Field(0.1, gt=0, le=1)
    """The share of each tree that is added."""
    max_examples: int = Field(100_000, ge=100)
    """The most steps ahead that are learned from, evenly spread over the windows."""

    def build(self, sizes: Sizes) -> Boosting:
        """Make the model, which has learned nothing yet."""
        return Boosting(self, sizes)


class Boosting(WindowModel, Predictor, Forecasting):
    """y = start + sum of trees over (window features, steps ahead); the spread is that of errors
    on other windows."""

    infinite = ("threshold",)  # a branch that tells what is missing from all that is there

    def __init__(self, settings: BoostingSettings, sizes: Sizes) -> None:
        self.settings, self.sizes, self.horizon = settings, sizes, sizes.horizon
        self._arrays: dict[str, Array] = {}

    def fit(self, learned: Windows, others: Windows) -> None:
        """Grow the trees; how many are kept, and the spread, come from other windows. Raises
        UserError."""
        self._grow(learned)
        target, added = np.concatenate([window_targets(one) for one in others()]), 0.0
        there = np.concatenate([observed(one) for one in others()])
        best, kept, squares = np.inf, 0, np.where(there, (target - self._arrays["start"]) ** 2, 0.0)
        x = np.concatenate([self._rows(one) for one in others()])
        for tree in range(len(self._arrays["roots"])):
            added = added + self._walked(x, tree, tree + 1).reshape(target.shape)
            now = np.where(there, (target - self._arrays["start"] - added) ** 2, 0.0)
            if now.mean() < best:
                best, kept, squares = now.mean(), tree + 1, now
        self._arrays["roots"] = self._arrays["roots"][:kept]
        self._arrays["spread"] = residual_spread(squares.sum(0), there.sum(0), self.sizes)

    def refit(self, learned: Windows) -> None:
        """Grow as many trees anew from other windows."""
        kept, spread = len(self._arrays["roots"]), self._arrays["spread"]
        self._grow(learned)
        self._arrays |= {"roots": self._arrays["roots"][:kept], "spread": spread}

    def _grow(self, learned: Windows) -> None:
        try:
            from sklearn.ensemble import HistGradientBoostingRegressor
        except ImportError:
            hint = "install it with: pip install 'ensue[sklearn]'"
            raise UserError(
                "boosting needs scikit-learn, which is missing", where="--model", hint=hint
            ) from None
        target = np.concatenate([window_targets(one) for one in learned()])
        every = -(-target.size // self.settings.max_examples)
        x = np.concatenate([self._rows(one) for one in learned()])[::every]
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
        """Give a row for each number that is forecast of each window: its features, and which
        number it is."""
        features = window_features(fields, self.sizes)
        places = np.indices((self.horizon, self.sizes.channels)).reshape(2, -1).T
        each = np.repeat(features, len(places), axis=0)
        return np.concatenate([each, np.tile(places, (len(features), 1))], 1)

    def _walked(self, x: Array, first: int, end: int) -> Array:
        """Add up what some trees say of each row."""
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
        """Give the scaled forecasts, and the spread of their errors."""
        rows = self._rows(fields)
        if self._arrays["feature"].max(initial=-1) >= rows.shape[1]:
            raise RunError(
                "the saved trees ask for more features than there are",
                hint="use the settings they had",
            )
        added = self._walked(rows, 0, len(self._arrays["roots"]))
        return self._arrays["start"] + added, self._arrays["spread"]

    @property
    def selected(self) -> str:
        """What was chosen, and not learned."""
        return f"the number of trees, {len(self._arrays['roots'])}, and the spread of their errors"

    @property
    def parameter_count(self) -> int:
        """How many thresholds and values the trees have."""
        return self._arrays["value"].size

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give the node tables."""
        return self._arrays

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave. Raises ValueError where these are no trees: a walk would
        never end."""
        self._arrays = {name: np.array(array) for name, array in arrays.items()}
        nodes, places = self._arrays, ("feature", "left", "right", "roots")
        count = len(nodes["feature"])
        if nodes.keys() != {*places, "threshold", "value", "start", "spread"}:
            raise ValueError("these are not the arrays of trees")
        if any(nodes[name].dtype != (np.int64 if name in places else np.float64) for name in nodes):
            raise ValueError("places or numbers of trees are none")
        if any(
            nodes[name].shape != (count,)
            for name in ("feature", "threshold", "left", "right", "value")
        ):
            raise ValueError("trees have parts of other lengths")
        inner, own = nodes["feature"] >= 0, np.arange(count)
        for name in ("left", "right"):
            if ((nodes[name] <= own) | (nodes[name] >= count))[inner].any():
                raise ValueError("a node of a tree is not above its children")
        if nodes["roots"].ndim != 1 or ((nodes["roots"] < 0) | (nodes["roots"] >= count)).any():
            raise ValueError("a tree has no root")


def node_tables(library: Any) -> dict[str, Array]:
    """Write down the trees of a HistGradientBoostingRegressor: nodes one after the other,
    feature -1 in the leaves."""
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
