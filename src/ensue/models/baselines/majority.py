"""The majority class, or the mean: a baseline that ignores the input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Categorical, Distribution, Independent, Normal

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelKind
from ensue.data.dataset import Examples
from ensue.data.labelled import Fields
from ensue.errors import RunError
from ensue.models.contract import Predictor
from ensue.models.parameters import ArrayMixin
from ensue.settings import Settings


class MajoritySettings(Settings):
    """Settings of the majority baseline; there are none."""

    name: Literal["majority"] = "majority"

    def build(self, shape: Fields, kind: LabelKind, size: int) -> MajorityClass:
        """Build the model."""
        return MajorityClass(kind, size)

    def suits(self, shape: Fields, kind: LabelKind) -> bool:
        """Whether it is a baseline: always."""
        return True


class MajorityClass(ArrayMixin, Predictor):
    """p(label) = (count + 1) / (examples + labels); for numbers, their normal distribution.

    >>> prior = MajorityClass("multiclass", 2)
    >>> prior.fit(Examples(np.zeros(4, np.int64), {}, {"target": np.array([0, 0, 1])}))
    >>> prior.numbers.numpy().round(2).tolist()
    [0.6, 0.4]
    """

    array_names = ("numbers",)

    def __init__(self, kind: LabelKind, size: int) -> None:
        self.kind = kind
        self.numbers = torch.zeros(2 if kind == "regression" else size, dtype=torch.float64)
        """Probability of each label, or mean and standard deviation."""

    def fit(self, train: Examples, validation: Examples | None = None) -> None:
        """Count the labels of the training part."""
        target, size = np.asarray(train.static["target"]), len(self.numbers)
        if self.kind == "regression":
            numbers = np.array([target.mean(), max(target.std(), 1e-6)])
        elif self.kind == "multilabel":
            numbers = (target.sum(0) + 1) / (len(target) + 2)
        else:
            numbers = (np.bincount(target, minlength=size) + 1) / (len(target) + size)
        self.numbers = torch.from_numpy(np.float64(numbers))

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if they describe no distribution."""
        super().load(arrays)
        fits = bool((self.numbers[-1:] if self.kind == "regression" else self.numbers).min() > 0)
        if self.kind == "multilabel":
            fits &= bool(self.numbers.max() < 1)
        elif self.kind != "regression":
            fits &= abs(float(self.numbers.sum()) - 1) < 1e-6
        if not fits:
            what = "the saved 'numbers' is not a distribution"
            raise RunError(what, hint="use the arrays of its training")

    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Return the same distribution for every row."""
        numbers = self.numbers.to(batch.lengths.device).expand(len(batch.lengths), -1)
        if self.kind == "regression":
            return Normal(numbers[:, 0], numbers[:, 1], validate_args=False)
        if self.kind == "multilabel":
            return Independent(Bernoulli(numbers, validate_args=False), 1, validate_args=False)
        return Categorical(numbers, validate_args=False)

    @property
    def parameter_count(self) -> int:
        """Number of fitted parameters."""
        return len(self.numbers)
