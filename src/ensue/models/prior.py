"""What is likeliest whatever the content: the majority, or the mean. No model should be worse."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal

from ensue.batch import Batch
from ensue.data.examples import Examples
from ensue.data.labelled import Shape
from ensue.data.labels import LabelKind
from ensue.models.contract import Predictor
from ensue.models.weights import Fitted
from ensue.settings import Settings


class PriorSettings(Settings):
    """Settings of the share of each label, or the mean of numbers; there are none."""

    name: Literal["majority"] = "majority"

    def build(self, shape: Shape, kind: LabelKind, size: int) -> Prior:
        """Make the model."""
        return Prior(kind, size)

    def suits(self, shape: Shape, kind: LabelKind) -> bool:
        """It is a baseline always."""
        return True


class Prior(Fitted, Predictor):
    """p(label) = (count + 1) / (examples + labels); of numbers, their normal distribution.

    >>> prior = Prior("single", 2)
    >>> prior.fit(Examples(np.zeros(4, np.int64), {}, {"target": np.array([0, 0, 1])}))
    >>> prior.numbers.numpy().round(2).tolist()
    [0.6, 0.4]
    """

    kept = ("numbers",)

    def __init__(self, kind: LabelKind, size: int) -> None:
        self.kind = kind
        self.numbers = torch.zeros(2 if kind == "number" else size, dtype=torch.float64)
        """The probability of each label, or mean and standard deviation."""

    def fit(self, train: Examples, tune: Examples | None = None) -> None:
        """Count the labels of the training part."""
        target, size = np.asarray(train.whole["target"]), len(self.numbers)
        if self.kind == "number":
            numbers = np.array([target.mean(), max(target.std(), 1e-6)])
        elif self.kind == "several":
            numbers = (target.sum(0) + 1) / (len(target) + 2)
        else:
            numbers = (np.bincount(target, minlength=size) + 1) / (len(target) + size)
        self.numbers = torch.from_numpy(np.float64(numbers))

    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Give the same to every row."""
        numbers = self.numbers.to(batch.lengths.device).expand(len(batch.lengths), -1)
        if self.kind == "number":
            return Normal(numbers[:, 0], numbers[:, 1])
        if self.kind == "several":
            return Independent(Bernoulli(numbers), 1)
        return Categorical(numbers)

    @property
    def parameter_count(self) -> int:
        """How many numbers were learned."""
        return len(self.numbers)
