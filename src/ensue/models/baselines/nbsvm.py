"""NBSVM: a linear model on n-grams weighted by log-count ratios (Wang & Manning 2012).

It has few hyperparameters, and is a strong baseline with a few thousand examples.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
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
from ensue.errors import SettingError
from ensue.models.baselines.linear import (
    convergence_notes,
    distribution,
    fit_binary,
    fit_ridge,
    residual_spread,
)
from ensue.models.baselines.ngram_presence import Folded, Grams, unit_scale
from ensue.models.contract import Predictor
from ensue.models.parameters import Kinds, kinds_and_shapes, mismatch
from ensue.settings import Settings

C_FACTOR = 3.0
"""Factor between one candidate C and the next."""

MAX_C = 1e4
"""Largest candidate C."""

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

    def suits(self, shape: Fields, kind: LabelKind) -> bool:
        """Whether it is a baseline: sequences of symbols, without measured numbers."""
        return bool(shape.symbols) and not shape.measured

    def build(self, shape: Fields, kind: LabelKind, size: int) -> NBSVM:
        """Build the model for `size` labels.

        Raises SettingError where steps have no symbols.
        """
        if not shape.symbols:
            what = "nbsvm needs symbols, and these steps have none"
            raise SettingError(what, where="--model nbsvm", hint="choose another model")
        return NBSVM(self, shape, kind, size)


class NBSVM(Predictor):
    """scores = b + sum_g r_g w_g / sqrt(number of n-grams), over the n-grams g of an example.

    N-grams are binary features. r is, for each label, the log-count ratio: how much more frequent
    the n-gram is in examples with the label than in the others (Wang & Manning 2012). For numbers r
    is 1, which makes this ridge regression. Labels have logistic loss instead of the paper's SVM,
    so that outputs are probabilities; three labels or more are fitted one against the rest.
    """

    def __init__(self, settings: NBSVMSettings, shape: Fields, kind: LabelKind, size: int) -> None:
        self.settings, self.shape, self.kind, self.size = settings, shape, kind, size
        self.grams = {name: Grams(count, []) for name, count in shape.symbols.items()}
        self.weight = torch.zeros(0, size, dtype=torch.float64)
        """Weight of each n-gram for each label, the ratio included."""
        self.bias = torch.zeros(size, dtype=torch.float64)
        self.spread = torch.ones(1, dtype=torch.float64)
        """Standard deviation of the residuals of numeric labels."""

    def fit(self, train: Examples, validation: Examples) -> tuple[str, ...]:
        """Fit the weights on the training part; select n-gram length and C on the validation.

        Returns a note if a fit did not converge.
        """
        lengths = self._lengths()
        for name, size in self.shape.symbols.items():
            steps = np.asarray(train.steps[name])
            self.grams[name] = Grams.fit(
                steps, train.offsets, size, lengths[-1], self.settings.min_count
            )
        full, held_out = self._part(train), self._part(validation)
        first, best = 1.0, Fit(float("inf"), 0.0, 0, self.weight, self.bias, self.spread)
        with convergence_notes("nbsvm") as notes:
            for longest in lengths:
                kept = np.concatenate([one.up_to(longest) for one in self.grams.values()])
                found = self._search_penalty(full.only(kept), held_out.only(kept), longest, first)
                if found.nats >= best.nats:
                    break
                best, first = found, max(found.cost / C_FACTOR, 1.0)
        self.grams = {
            name: Grams(one.size, one.keys[: best.longest]) for name, one in self.grams.items()
        }
        self.weight, self.bias, self.spread = best.weight, best.bias, best.spread
        return tuple(notes)

    def _part(self, examples: Examples) -> _Part:
        # Of a resumed run it is a memory map, which torch would warn of.
        target = np.array(examples.static["target"])
        return _Part(self._encode(examples.steps, examples.offsets), target)

    def _lengths(self) -> range:
        if self.settings.max_order != "auto":
            return range(self.settings.max_order, self.settings.max_order + 1)
        return range(3, 6) if max(self.shape.symbols.values()) < FEW_SYMBOLS else range(1, 4)

    def _search_penalty(self, train: _Part, validation: _Part, longest: int, cost: float) -> Fit:
        """Raise C from a given value until the validation loss stops falling."""
        fixed = self.settings.C
        cost, best = cost if fixed == "auto" else fixed, None
        ratio, folded = self._log_count_ratio(train), Folded(train.present)
        while best is None or (fixed == "auto" and cost <= MAX_C):
            weight, bias = self._fit_weights(folded, train.target, ratio, cost)
            spread = self.spread
            if self.kind == "regression":
                scores = compute_scores(train.present, weight, bias)
                spread = residual_spread(scores, torch.from_numpy(train.target))
            answer = self._distribution(compute_scores(validation.present, weight, bias), spread)
            nats = float(answer.log_prob(torch.from_numpy(validation.target)).mean().neg())
            if best is not None and nats >= best.nats:
                return best
            best, cost = Fit(nats, cost, longest, weight, bias, spread), cost * C_FACTOR
        return best

    @property
    def _two(self) -> bool:
        """Whether there are two labels, whose scores are opposite, so that one fit has both."""
        return self.kind in ("multiclass", "ordinal") and self.size == 2

    def _fit_weights(
        self, folded: Folded, target: np.ndarray, ratio: np.ndarray, cost: float
    ) -> tuple[Tensor, Tensor]:
        """Fit the weights, ratio included, and the intercepts, one label after the other."""
        if self.kind == "regression":
            solvers = [partial(fit_ridge, target=target, penalty=1 / cost, sparse=True)]
        else:
            # The square of the difference of two opposite weights is twice the sum of both squares.
            cost = 2 * cost if self._two else cost
            solvers = [partial(fit_binary, marks=one, cost=cost) for one in self._marks(target).T]
        found = [folded.fit(own, one) for own, one in zip(ratio.T, solvers, strict=True)]
        weight, bias = np.stack([one for one, _ in found], 1), np.array([one for _, one in found])
        if self._two:
            weight, bias = np.hstack([-weight / 2, weight / 2]), np.hstack([-bias / 2, bias / 2])
        return torch.from_numpy(weight), torch.from_numpy(bias)

    def _marks(self, target: np.ndarray) -> np.ndarray:
        """Return whether each example has each label, (examples, size); the second of two alone."""
        if self.kind == "multilabel":
            return target > 0
        return target[:, None] == np.arange(self.size)[1 if self._two else 0 :]

    def _log_count_ratio(self, train: _Part) -> np.ndarray:
        """Compute r = log (p / |p|) / (q / |q|), (n-grams, size).

        p counts the examples of a label that have an n-gram, q the other examples.
        """
        if self.kind == "regression":
            return np.ones((train.present.shape[1], 1))
        within = train.present.T @ self._marks(train.target).astype(np.float64)
        without = np.bincount(train.present.indices, minlength=len(within))[:, None] - within
        within, without = (one + self.settings.pseudo_count for one in (within, without))
        return np.log(within / within.sum(0)) - np.log(without / without.sum(0))

    def _encode(self, steps: Mapping[str, Any], offsets: np.ndarray) -> Any:
        """Encode the n-grams of all fields of symbols."""
        from scipy.sparse import hstack

        found = [
            grams.encode(np.asarray(steps[name]), offsets) for name, grams in self.grams.items()
        ]
        return hstack(found, format="csr")

    def _distribution(self, scores: Tensor, spread: Tensor) -> Distribution:
        """Return the distribution of the label.

        One against the rest: the probability of a label is its own sigmoid over the sum of all. Of
        two labels with opposite scores, softmax is the sigmoid of the difference.
        """
        if self.kind in ("multiclass", "ordinal") and self.size > 2:
            scores = F.logsigmoid(scores)
        return distribution(self.kind, scores, spread)

    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the label of each row."""
        lengths = batch.lengths.cpu().numpy()
        steps = {name: batch[name].cpu().numpy() for name in self.grams}
        real = {
            name: one[np.arange(one.shape[1]) < lengths[:, None]] for name, one in steps.items()
        }
        present = self._encode(real, np.cumsum([0, *lengths]))
        scores = compute_scores(present, self.weight, self.bias)
        return self._distribution(scores.to(batch.lengths.device), self.spread)

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
        expected: Kinds = {"bias": ("f", (self.size,)), "spread": ("f", (1,))}
        grams = {}
        for field, size in self.shape.symbols.items():
            lengths = takewhile(arrays.__contains__, (f"grams.{field}.{n}" for n in count(1)))
            grams[field] = Grams(size, [np.array(arrays[name]) for name in lengths])
            for n, keys in enumerate(grams[field].keys, 1):
                expected[f"grams.{field}.{n}"] = "i", keys.shape
        expected["weight"] = "f", (sum(one.count for one in grams.values()), self.size)
        if kinds_and_shapes(arrays) != expected:
            raise mismatch("the saved linear model is of other symbols or labels")
        self.grams = grams
        self.weight, self.bias, self.spread = (
            torch.from_numpy(np.array(arrays[name])) for name in SAVED
        )


@dataclass(frozen=True)
class Fit:
    """Weights (n-grams, size), intercepts, and their mean validation loss in nats."""

    nats: float
    cost: float
    longest: int
    weight: Tensor
    bias: Tensor
    spread: Tensor


@dataclass(frozen=True)
class _Part:
    present: Any
    """Binary, sparse matrix (examples, n-grams)."""
    target: np.ndarray

    def only(self, kept: np.ndarray) -> _Part:
        return self if kept.all() else _Part(self.present[:, kept], self.target)


def compute_scores(present: Any, weight: Tensor, bias: Tensor) -> Tensor:
    """Compute scores (examples, size) for a binary matrix, its rows scaled to unit length."""
    from scipy.sparse import csr_array

    rows = csr_array((unit_scale(present), present.indices, present.indptr), shape=present.shape)
    return torch.from_numpy(rows @ weight.numpy()) + bias
