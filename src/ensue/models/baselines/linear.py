"""Linear models, fitted by scikit-learn's solvers, and the distributions of their targets.

What is fitted is plain arrays: predictions need no scikit-learn.
"""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal

Array = NDArray[np.float64]

MIN_SPREAD = 1e-6
"""Minimum standard deviation of residuals."""
MAX_ITERATIONS = 1000
"""Iterations of a solver; many times what a fit usually takes."""
TOLERANCE = 1e-6
"""Largest slope of the mean loss at which lbfgs stops; tolerance of least squares."""
INTERCEPT_SCALING = 10.0
"""liblinear penalises the intercept too; scaled, by a hundredth of the penalty of a weight."""
UNSEEN = 0.5
"""Examples that a label without training examples is taken to have."""


def distribution(kind: str, scores: Tensor, spread: Tensor) -> Distribution:
    """Return the distribution of the target for scores (batch, size).

    It is softmax for one label, a sigmoid for each of several, normal errors for numbers.

    >>> import torch
    >>> distribution("multiclass", torch.zeros(1, 4), torch.ones(1)).probs.tolist()
    [[0.25, 0.25, 0.25, 0.25]]
    """
    if kind == "regression":
        return Normal(scores[:, 0], spread.to(scores), validate_args=False)
    if kind == "multilabel":
        return Independent(Bernoulli(logits=scores, validate_args=False), 1, validate_args=False)
    return Categorical(logits=scores, validate_args=False)


def residual_spread(scores: Tensor, target: Tensor) -> Tensor:
    """Return the standard deviation of the residuals, (1,)."""
    return (scores[:, 0] - target).square().mean().sqrt().clamp(min=MIN_SPREAD)[None]


@contextmanager
def convergence_notes(name: str) -> Generator[list[str], None, None]:
    """Collect one note on the fits within that stop before they converge, instead of warnings."""
    from sklearn.exceptions import ConvergenceWarning

    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        yield notes
    stopped = [one for one in caught if issubclass(one.category, ConvergenceWarning)]
    for one in caught:
        if one not in stopped:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if stopped:
        notes.append(
            f"{name}: fits that did not converge in {MAX_ITERATIONS:,} iterations: {len(stopped)}"
        )


def fit_binary(inputs: Any, marks: NDArray[np.bool_], cost: float) -> tuple[Array, float]:
    """Minimise cost * nats + |w|^2 / 2 over weights and intercept, for a dense or sparse matrix.

    liblinear's Newton method in the primal (Lin, Weng & Keerthi 2008) needs no random order. Its
    coordinate descent in the dual is faster for a low cost, and does not end for a high one.
    """
    from sklearn.linear_model import LogisticRegression

    yes, no = float(marks.sum()), float((~marks).sum())
    if not (yes and no):
        return np.zeros(inputs.shape[1]), float(np.log((yes + UNSEEN) / (no + UNSEEN)))
    model = LogisticRegression(
        C=cost, solver="liblinear", intercept_scaling=INTERCEPT_SCALING, max_iter=MAX_ITERATIONS
    )
    model.fit(inputs, marks)
    return model.coef_[0], float(model.intercept_[0])


class Softmax:
    """Minimises mean nats + penalty |w|^2 by lbfgs, each fit from the weights of the one before."""

    def __init__(self, inputs: Array, target: NDArray[np.integer], size: int) -> None:
        from sklearn.linear_model import LogisticRegression

        self.inputs, self.target, self.size = inputs, target, size
        self.seen = np.unique(target)
        self.model = LogisticRegression(tol=TOLERANCE, max_iter=MAX_ITERATIONS, warm_start=True)

    def fit(self, penalty: float) -> Array:
        """Return weights (features + 1, size), the intercepts last."""
        weight = np.zeros((self.inputs.shape[1] + 1, self.size))
        count = len(self.inputs)
        if len(self.seen) > 1:
            # Of two labels scikit-learn fits the difference, whose square is twice the sum of both.
            two = len(self.seen) == 2
            self.model.set_params(C=(1.0 if two else 0.5) / (penalty * count))
            self.model.fit(self.inputs, self.target)
            found = np.column_stack([self.model.coef_, self.model.intercept_]).T
            weight[:, self.seen] = np.hstack([-found / 2, found / 2]) if two else found
        unseen = np.setdiff1d(np.arange(self.size), self.seen)
        weight[-1, unseen] = np.logaddexp.reduce(weight[-1, self.seen]) + np.log(UNSEEN / count)
        return weight


def fit_ridge(inputs: Any, target: Array, penalty: float, *, sparse: bool) -> tuple[Array, float]:
    """Minimise |target - prediction|^2 + penalty |w|^2 over weights and intercept."""
    from sklearn.linear_model import Ridge

    solver = "sparse_cg" if sparse else "lsqr"
    model = Ridge(alpha=penalty, solver=solver, tol=TOLERANCE)
    model.fit(inputs, target)
    return model.coef_, float(model.intercept_)
