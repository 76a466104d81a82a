"""NBSVM: a linear model on n-grams weighted by log-count ratios (Wang & Manning 2012).

It has few hyperparameters, and is a strong baseline with a few thousand examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import count, takewhile
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Distribution
from torch.nn import functional as F

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelKind
from ensue.data.dataset import Examples
from ensue.data.labelled import Fields
from ensue.errors import RunError, SettingError
from ensue.models.baselines.linear_losses import distribution, loss, residual_spread
from ensue.models.baselines.newton import Convex, minimise
from ensue.models.baselines.ngram_presence import Grams, SparseBinary
from ensue.models.contract import Predictor
from ensue.settings import Settings

C_FACTOR = 3.0
"""Factor between one candidate C and the next."""

MAX_C = 1e4
"""Largest candidate C."""

TOLERANCE = 1e-6
"""Minimum gain of a Newton step, in nats."""

SAVED = ("weight", "bias", "spread")

FEW_SYMBOLS = 1000
"""Smaller vocabularies are taken for characters, where longer n-grams help."""


class NBSVMSettings(Settings):
    """Settings of NBSVM."""

    name: Literal["nbsvm"] = "nbsvm"
    max_order: Annotated[int, Field(ge=1, le=16)] | Literal["auto"] = "auto"
    """Length of the longest n-grams; auto selects 1 to 3 words, or 3 to 5 characters."""
    min_count: int = Field(1, ge=1)
    """Minimum count of an n-gram."""
    pseudo_count: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Pseudo-count of the log-count ratios."""
    C: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Inverse L2 penalty (C); auto multiplies it by 3 while that helps the validation part."""
    iterations: int = Field(50, ge=1)
    """Maximum number of Newton steps per fit."""

    def suits(self, shape: Fields, kind: LabelKind) -> bool:
        """Whether it is a baseline: sequences of symbols, without measured numbers."""
        return bool(shape.symbols) and not shape.measured

    def build(self, shape: Fields, kind: LabelKind, size: int) -> NBSVM:
        """Build the model for `size` labels.

        Raises SettingError where steps have no symbols.
        """
        if not shape.symbols:
            raise SettingError(
                "nbsvm needs symbols, and these steps have none",
                where="--model nbsvm",
                hint="choose another model",
            )
        return NBSVM(self, shape, kind, size)


class NBSVM(Predictor):
    """scores = b + sum_g r_g w_g / sqrt(number of n-grams), over the n-grams g of an example.

    N-grams are binary features. r is, for each label, the log-count ratio: how much more frequent
    the n-gram is in examples with the label than in the others (Wang & Manning 2012). For numbers r
    is 1, which makes this ridge regression. Labels have logistic loss instead of the paper's SVM,
    so that outputs are probabilities.
    """

    def __init__(self, settings: NBSVMSettings, shape: Fields, kind: LabelKind, size: int) -> None:
        self.settings, self.shape, self.kind, self.size = settings, shape, kind, size
        self.grams = {name: Grams(count, []) for name, count in shape.symbols.items()}
        self.weight = torch.zeros(0, size, dtype=torch.float64)
        """Weight of each n-gram for each label, the ratio included."""
        self.bias = torch.zeros(size, dtype=torch.float64)
        self.spread = torch.ones(1, dtype=torch.float64)
        """Standard deviation of the residuals of numeric labels."""

    def fit(self, train: Examples, validation: Examples) -> None:
        """Fit the weights on the training part; select n-gram length and C on the validation."""
        lengths = self._lengths()
        for name, size in self.shape.symbols.items():
            steps = np.asarray(train.steps[name])
            self.grams[name] = Grams.fit(
                steps, train.offsets, size, lengths[-1], self.settings.min_count
            )
        full, held_out = self._part(train), self._part(validation)
        first, best = 1.0, Fit(float("inf"), 0.0, 0, self.bias[None], self.spread)
        for longest in lengths:
            kept = np.concatenate([one.up_to(longest) for one in self.grams.values()])
            found = self._search_penalty(full.only(kept), held_out.only(kept), longest, first)
            if found.nats >= best.nats:
                break
            best, first = found, max(found.cost / C_FACTOR, 1.0)
        self.grams = {
            name: Grams(one.size, one.keys[: best.longest]) for name, one in self.grams.items()
        }
        self.weight, self.bias, self.spread = best.weight[:-1], best.weight[-1], best.spread

    def _part(self, examples: Examples) -> _Part:
        kind = np.int64 if self.kind in ("multiclass", "ordinal") else np.float64
        target = torch.from_numpy(np.array(examples.static["target"], kind))
        return _Part(self._encode(examples.steps, examples.offsets), target)

    def _lengths(self) -> range:
        if self.settings.max_order != "auto":
            return range(self.settings.max_order, self.settings.max_order + 1)
        return range(3, 6) if max(self.shape.symbols.values()) < FEW_SYMBOLS else range(1, 4)

    def _search_penalty(self, train: _Part, validation: _Part, longest: int, cost: float) -> Fit:
        """Raise C from a given value until the validation loss stops falling."""
        fixed = self.settings.C
        cost = cost if fixed == "auto" else fixed
        ratio, best = self._log_count_ratio(train), None
        weight = torch.zeros(train.present.count + 1, self.size, dtype=torch.float64)
        while best is None or (fixed == "auto" and cost <= MAX_C):
            weight = self._minimise(train, ratio, weight, cost)
            scaled = torch.cat([ratio * weight[:-1], weight[-1:]])
            scores = _scores(train.present, scaled)
            spread = (
                residual_spread(scores, train.target) if self.kind == "regression" else self.spread
            )
            answer = distribution(self.kind, _scores(validation.present, scaled), spread)
            found = Fit(
                float(answer.log_prob(validation.target).mean().neg()),
                cost,
                longest,
                scaled,
                spread,
            )
            if best is not None and found.nats >= best.nats:
                return best
            best, cost = found, cost * C_FACTOR
        return best

    def _minimise(self, train: _Part, ratio: Tensor, start: Tensor, cost: float) -> Tensor:
        penalty = torch.full(
            (len(start), 1), 1 / (2 * cost * len(train.target)), dtype=torch.float64
        )
        penalty[-1] = 0

        def score(weight: Tensor) -> Tensor:
            return train.present.times(ratio * weight[:-1]) + weight[-1]

        def transpose(slopes: Tensor) -> Tensor:
            return torch.cat([ratio * train.present.transpose(slopes), slopes.sum(0, keepdim=True)])

        problem = Convex(
            score, transpose, lambda scores: loss(self.kind, scores, train.target), penalty
        )
        return minimise(problem, start, self.settings.iterations, TOLERANCE)

    def _log_count_ratio(self, train: _Part) -> Tensor:
        """Compute r = log (p / |p|) / (q / |q|).

        p counts the examples of a label that have an n-gram, q the other examples.
        """
        if self.kind == "regression":
            return torch.ones(train.present.count, self.size, dtype=torch.float64)
        target = train.target if self.kind == "multilabel" else F.one_hot(train.target, self.size)
        counts = [train.present.counts(one.double().numpy()) for one in (target, 1 - target)]
        within, without = (one + self.settings.pseudo_count for one in counts)
        return torch.from_numpy(np.log(within / within.sum(0)) - np.log(without / without.sum(0)))

    def _encode(self, steps: Mapping[str, Any], offsets: np.ndarray) -> SparseBinary:
        """Encode the n-grams of all fields of symbols."""
        found = [
            grams.encode(np.asarray(steps[name]), offsets) for name, grams in self.grams.items()
        ]
        return reduce(SparseBinary.beside, found)

    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the label of each row."""
        lengths = batch.lengths.cpu().numpy()
        steps = {name: batch[name].cpu().numpy() for name in self.grams}
        real = {
            name: one[np.arange(one.shape[1]) < lengths[:, None]] for name, one in steps.items()
        }
        present = self._encode(real, np.cumsum([0, *lengths]))
        scores = _scores(present, torch.cat([self.weight, self.bias[None]]))
        return distribution(self.kind, scores.to(batch.lengths.device), self.spread)

    @property
    def parameter_count(self) -> int:
        """Number of weights and intercepts."""
        return self.weight.numel() + self.bias.numel()

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the weights, and the n-gram keys of each field and length."""
        found = {name: getattr(self, name).numpy() for name in SAVED}
        for name, grams in self.grams.items():
            found |= {f"grams.{name}.{n}": keys for n, keys in enumerate(grams.keys, 1)}
        return found

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if a name or shape does not fit."""
        shapes: dict[str, tuple[int, ...]] = {"bias": (self.size,), "spread": (1,)}
        grams = {}
        for field, size in self.shape.symbols.items():
            lengths = takewhile(arrays.__contains__, (f"grams.{field}.{n}" for n in count(1)))
            grams[field] = Grams(size, [np.array(arrays[name]) for name in lengths])
            shapes |= {
                f"grams.{field}.{n}": keys.shape for n, keys in enumerate(grams[field].keys, 1)
            }
        shapes["weight"] = sum(one.count for one in grams.values()), self.size
        if {name: array.shape for name, array in arrays.items()} != shapes:
            raise RunError(
                "the saved linear model is of other symbols or labels",
                hint="use the settings of its training",
            )
        self.grams = grams
        self.weight, self.bias, self.spread = (
            torch.from_numpy(np.array(arrays[name])) for name in SAVED
        )


@dataclass(frozen=True)
class Fit:
    """Weights (features + 1, size), intercepts last, and their mean validation loss in nats."""

    nats: float
    cost: float
    longest: int
    weight: Tensor
    spread: Tensor


@dataclass(frozen=True)
class _Part:
    present: SparseBinary
    target: Tensor

    def only(self, kept: np.ndarray) -> _Part:
        return _Part(self.present.only(kept), self.target)


def _scores(present: SparseBinary, weight: Tensor) -> Tensor:
    return present.times(weight[:-1]) + weight[-1]
