"""A linear model on the n-grams of an example: little to learn, and hard to beat with a few
thousand examples."""

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

STEP = 3.0
"""From one cost to the next."""

MOST = 1e4
"""No greater cost is tried."""

ENOUGH = 1e-6
"""Nats: a step of the minimisation that gains less is the last one."""

OWN = ("weight", "bias", "spread")

FEW_SYMBOLS = 1000
"""Below so many symbols, these are letters or the like, of which longer n-grams are of use."""


class NBSVMSettings(Settings):
    """Settings of a linear model on n-grams."""

    name: Literal["nbsvm"] = "nbsvm"
    max_order: Annotated[int, Field(ge=1, le=16)] | Literal["auto"] = "auto"
    """Symbols in the longest n-grams; auto takes 1 to 3 words, or 3 to 5 letters: as many as make
    the validation part likelier."""
    min_count: int = Field(1, ge=1)
    """N-grams that occur less often are left out."""
    pseudo_count: float = Field(1.0, gt=0, allow_inf_nan=False)
    """What is added to the counts whose ratios weigh the n-grams."""
    C: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """What the nats of all examples count beside half the sum of squared weights (C); auto goes up
    from 1 by factors of 3 while that makes the validation part likelier."""
    iterations: int = Field(50, ge=1)
    """Most steps of each minimisation (Newton's method)."""

    def suits(self, shape: Fields, kind: LabelKind) -> bool:
        """It is a baseline where steps are symbols one after the other, and nothing was
        measured."""
        return bool(shape.symbols) and not shape.measured

    def build(self, shape: Fields, kind: LabelKind, size: int) -> NBSVM:
        """Make the model for steps of a shape, and `size` labels. Raises SettingError where
        steps have no symbols."""
        if not shape.symbols:
            raise SettingError(
                "numbers have no n-grams", where="--model linear", hint="choose another model"
            )
        return NBSVM(self, shape, kind, size)


class NBSVM(Predictor):
    """scores = b + sum_g r_g w_g over the n-grams g of an example, divided by the root of their
    number.

    Each n-gram is there or not; r is, for each label, its log-count ratio (Wang & Manning 2012,
    "NBSVM"): how much more of the examples with the label have it than of those without; 1 for
    numbers, which makes that ridge regression. Of labels the loss is logistic, so what comes out
    are probabilities.
    """

    def __init__(self, settings: NBSVMSettings, shape: Fields, kind: LabelKind, size: int) -> None:
        self.settings, self.shape, self.kind, self.size = settings, shape, kind, size
        self.grams = {name: Grams(count, []) for name, count in shape.symbols.items()}
        self.weight = torch.zeros(0, size, dtype=torch.float64)
        """Of each n-gram for each label, the ratio included."""
        self.bias = torch.zeros(size, dtype=torch.float64)
        self.spread = torch.ones(1, dtype=torch.float64)
        """Standard deviation of numbers around what is told of them."""

    def fit(self, train: Examples, tune: Examples) -> None:
        """Learn the weights from the training part, with the lengths and the cost that the
        validation part finds best."""
        lengths = self._lengths()
        for name, size in self.shape.symbols.items():
            steps = np.asarray(train.steps[name])
            self.grams[name] = Grams.fit(
                steps, train.offsets, size, lengths[-1], self.settings.min_count
            )
        of_all, judged = self._part(train), self._part(tune)
        first, best = 1.0, Fit(float("inf"), 0.0, 0, self.bias[None], self.spread)
        for longest in lengths:
            kept = np.concatenate([one.up_to(longest) for one in self.grams.values()])
            found = self._fitted(of_all.only(kept), judged.only(kept), longest, first)
            if found.nats >= best.nats:
                break
            best, first = found, max(found.cost / STEP, 1.0)
        self.grams = {
            name: Grams(one.size, one.keys[: best.longest]) for name, one in self.grams.items()
        }
        self.weight, self.bias, self.spread = best.weight[:-1], best.weight[-1], best.spread

    def _part(self, examples: Examples) -> _Part:
        kind = np.int64 if self.kind in ("multiclass", "ordinal") else np.float64
        target = torch.from_numpy(np.array(examples.static["target"], kind))
        return _Part(self._present(examples.steps, examples.offsets), target)

    def _lengths(self) -> range:
        if self.settings.max_order != "auto":
            return range(self.settings.max_order, self.settings.max_order + 1)
        return range(3, 6) if max(self.shape.symbols.values()) < FEW_SYMBOLS else range(1, 4)

    def _fitted(self, train: _Part, tune: _Part, longest: int, cost: float) -> Fit:
        """Raise the cost from the given one until the validation part gets no likelier."""
        fixed = self.settings.C
        cost = cost if fixed == "auto" else fixed
        ratio, best = self._ratio(train), None
        weight = torch.zeros(train.present.count + 1, self.size, dtype=torch.float64)
        while best is None or (fixed == "auto" and cost <= MOST):
            weight = self._minimised(train, ratio, weight, cost)
            scaled = torch.cat([ratio * weight[:-1], weight[-1:]])
            scores = _scores(train.present, scaled)
            spread = (
                residual_spread(scores, train.target) if self.kind == "regression" else self.spread
            )
            answer = distribution(self.kind, _scores(tune.present, scaled), spread)
            found = Fit(
                float(answer.log_prob(tune.target).mean().neg()), cost, longest, scaled, spread
            )
            if best is not None and found.nats >= best.nats:
                return best
            best, cost = found, cost * STEP
        return best

    def _minimised(self, train: _Part, ratio: Tensor, start: Tensor, cost: float) -> Tensor:
        penalty = torch.full(
            (len(start), 1), 1 / (2 * cost * len(train.target)), dtype=torch.float64
        )
        penalty[-1] = 0

        def score(weight: Tensor) -> Tensor:
            return train.present.times(ratio * weight[:-1]) + weight[-1]

        def back(slopes: Tensor) -> Tensor:
            return torch.cat([ratio * train.present.back(slopes), slopes.sum(0, keepdim=True)])

        problem = Convex(score, back, lambda scores: loss(self.kind, scores, train.target), penalty)
        return minimise(problem, start, self.settings.iterations, ENOUGH)

    def _ratio(self, train: _Part) -> Tensor:
        """Give r = log (p / |p|) / (q / |q|): p counts examples of a label with an n-gram, q the
        others."""
        if self.kind == "regression":
            return torch.ones(train.present.count, self.size, dtype=torch.float64)
        target = train.target if self.kind == "multilabel" else F.one_hot(train.target, self.size)
        counts = [train.present.counts(one.double().numpy()) for one in (target, 1 - target)]
        within, without = (one + self.settings.pseudo_count for one in counts)
        return torch.from_numpy(np.log(within / within.sum(0)) - np.log(without / without.sum(0)))

    def _present(self, steps: Mapping[str, Any], offsets: np.ndarray) -> SparseBinary:
        """Give the n-grams of all fields of symbols."""
        found = [
            grams.encode(np.asarray(steps[name]), offsets) for name, grams in self.grams.items()
        ]
        return reduce(SparseBinary.beside, found)

    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Give the distribution of the label of each row."""
        lengths = batch.lengths.cpu().numpy()
        steps = {name: batch[name].cpu().numpy() for name in self.grams}
        real = {
            name: one[np.arange(one.shape[1]) < lengths[:, None]] for name, one in steps.items()
        }
        present = self._present(real, np.cumsum([0, *lengths]))
        scores = _scores(present, torch.cat([self.weight, self.bias[None]]))
        return distribution(self.kind, scores.to(batch.lengths.device), self.spread)

    @property
    def parameter_count(self) -> int:
        """How many numbers were learned."""
        return self.weight.numel() + self.bias.numel()

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give the weights, and the keys of the n-grams of each field and length."""
        found = {name: getattr(self, name).numpy() for name in OWN}
        for name, grams in self.grams.items():
            found |= {f"grams.{name}.{n}": keys for n, keys in enumerate(grams.keys, 1)}
        return found

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave. Raises RunError if a name or shape does not fit."""
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
                hint="use the settings it had",
            )
        self.grams = grams
        self.weight, self.bias, self.spread = (
            torch.from_numpy(np.array(arrays[name])) for name in OWN
        )


@dataclass(frozen=True)
class Fit:
    """Weights (features + 1, size), the constants last, and how likely they make the validation
    part."""

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
