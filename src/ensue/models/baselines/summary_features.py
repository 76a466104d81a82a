"""Linear models on summary features of a sequence, which ignore the order of most steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Distribution

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelKind
from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.data.labelled import Fields
from ensue.models.baselines.linear import (
    Softmax,
    convergence_notes,
    distribution,
    fit_binary,
    fit_ridge,
    residual_spread,
)
from ensue.models.baselines.summaries import summaries
from ensue.models.contract import Predictor
from ensue.models.parameters import ArrayMixin
from ensue.settings import Settings

ROWS = 64
"""Examples summarised at a time."""

CLIP = 8.0
"""Standardised features are clipped at so many standard deviations."""


class SummaryFeaturesSettings(Settings):
    """Settings of a linear model on summary features."""

    name: Literal["summary-features"] = "summary-features"
    penalties: Annotated[
        tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...], Field(min_length=1)
    ] = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
    """Candidate L2 penalties; selected on the validation part."""

    def suits(self, shape: Fields, kind: LabelKind) -> bool:
        """Whether it is a baseline: examples with measured numbers."""
        return bool(shape.measured)

    def build(self, shape: Fields, kind: LabelKind, size: int) -> SummaryFeatures:
        """Build the model for `size` labels of a kind."""
        return SummaryFeatures(self, shape, kind, size)


class SummaryFeatures(ArrayMixin, Predictor):
    """Labels ~ W features + b: logistic regression for labels, ridge regression for numbers.

    Features are the summaries of the numbers of all steps, the share of each symbol, and the static
    numbers. Each is standardised by the training part.
    """

    array_names = ("mean", "sd", "weight", "spread")

    def __init__(
        self, settings: SummaryFeaturesSettings, shape: Fields, kind: LabelKind, size: int
    ) -> None:
        self.settings, self.shape, self.kind, self.size = settings, shape, kind, size
        # One example without steps.
        fields = {name: torch.zeros(1, 1, dtype=torch.int64) for name in shape.symbols}
        fields |= {
            "numbers": torch.zeros(1, 1, shape.numbers),
            "static": torch.zeros(1, shape.static),
        }
        example = Batch(fields, torch.zeros(1, dtype=torch.int64), torch.ones(1))
        count = self.features(example).shape[1]
        self.mean = torch.zeros(count, dtype=torch.float64)
        self.sd = torch.ones(count, dtype=torch.float64)
        self.weight = torch.zeros(count + 1, size, dtype=torch.float64)
        """The last row is the intercept."""
        self.spread = torch.ones(1, dtype=torch.float64)
        """Standard deviation of the residuals of numeric labels."""

    def features(self, batch: Batch[Tensor]) -> Tensor:
        """Compute the features (batch, features), not yet standardised."""
        lengths = batch.lengths
        parts = [summaries(batch["numbers"].double(), lengths)] if self.shape.numbers else []
        for name, size in self.shape.symbols.items():
            real = torch.arange(batch[name].shape[1], device=lengths.device) < lengths[:, None]
            counts = torch.zeros(len(lengths), size, dtype=torch.float64, device=lengths.device)
            parts.append(
                counts.scatter_add(1, batch[name], real.double()) / lengths.clamp(min=1)[:, None]
            )
        parts += [batch["static"].double()] if self.shape.static else []
        return torch.cat(parts, 1)

    def fit(self, train: Examples, validation: Examples) -> tuple[str, ...]:
        """Fit the weights on the training part, and select the penalty on the validation part.

        Returns notes about the selected penalty, and fits that did not converge.
        """
        (features, target), (held, truth) = self._summarise(train), self._summarise(validation)
        self.mean, sd = features.mean(0), features.std(0, correction=0)
        self.sd = torch.where(sd > 1e-9 * self.mean.abs().clamp(min=1e-9), sd, torch.ones_like(sd))
        inputs, held = self._standardise(features), self._standardise(held)
        solve, found = self._solver(inputs[:, :-1].numpy(), target.numpy()), []
        with convergence_notes("summary-features") as notes:
            # Each goes on from the stronger one.
            for penalty in sorted(self.settings.penalties, reverse=True):
                weight, spread = torch.from_numpy(solve(penalty)), self.spread
                if self.kind == "regression":
                    spread = residual_spread(inputs @ weight, target)
                answer = distribution(self.kind, held @ weight, spread)
                found.append((-float(answer.log_prob(truth).mean()), -penalty, weight, spread))
        _, penalty, self.weight, self.spread = min(found, key=lambda one: one[:2])
        selected = f"L2 penalty of summary-features, {-penalty:g}: on the validation part"
        return (selected, *notes)

    def _solver(self, inputs: np.ndarray, target: np.ndarray) -> Callable[[float], np.ndarray]:
        """Return the map from an L2 penalty to the weights (features + 1, size)."""
        count = len(target)
        if self.kind in ("multiclass", "ordinal"):
            return Softmax(inputs, target, self.size).fit

        def solve(penalty: float) -> np.ndarray:
            if self.kind == "regression":
                found = [fit_ridge(inputs, target, 2 * count * penalty, sparse=False)]
            else:
                cost = 1 / (2 * count * penalty)
                found = [fit_binary(inputs, marks, cost) for marks in target.T > 0]
            return np.stack([np.append(weight, intercept) for weight, intercept in found], 1)

        return solve

    def _summarise(self, examples: Examples) -> tuple[Tensor, Tensor]:
        parts = [batch.map(torch.from_numpy) for _, batch in iterate_sorted(examples, ROWS)]
        return torch.cat([self.features(part) for part in parts]), torch.cat(
            [part["target"] for part in parts]
        )

    def _standardise(self, features: Tensor) -> Tensor:
        scaled = ((features - self.mean.to(features)) / self.sd.to(features)).clamp(-CLIP, CLIP)
        return torch.cat([scaled, torch.ones_like(scaled[:, :1])], 1)

    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the label of each row."""
        features = self._standardise(self.features(batch))
        return distribution(self.kind, features @ self.weight.to(features), self.spread)

    @property
    def parameter_count(self) -> int:
        """Number of weights."""
        return self.weight.numel()
