"""Generative classifier: an n-gram language model for each label, and Bayes' rule."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor
from torch.distributions import Categorical, Distribution

from ensue.batch import Batch, select_named
from ensue.data.codecs.labels import LabelKind
from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.models.contract import Autoregressive, Predictor
from ensue.models.ngram import NgramSettings, count
from ensue.models.ngram import fit as fit_ngram
from ensue.models.parameters import (
    join_arrays,
    kinds_and_shapes,
    mismatch,
)
from ensue.settings import Settings

ROWS = 512
"""Examples scored at a time."""

EXPONENTS = tuple(2.0 ** (-half / 2) for half in range(13))
"""Candidate exponents of the likelihood: 1 to 1/64."""

AUTO: tuple[Literal["kneser-ney", "witten-bell"], ...] = ("kneser-ney", "witten-bell")


class NgramBayesSettings(Settings):
    """Settings of the n-gram Bayes classifier."""

    name: Literal["ngram-bayes"] = "ngram-bayes"
    order: Annotated[int, Field(ge=1, le=16)] | Literal["auto"] = "auto"
    """N-gram order, the same for all labels; auto selects it on the validation part."""
    max_order: int = Field(6, ge=1, le=16)
    """Largest order that auto tries."""
    smoothing: Literal["auto", "kneser-ney", "witten-bell", "additive"] = "auto"
    """Smoothing; auto selects Kneser-Ney or Witten-Bell on the validation part."""
    likelihood_exponent: Annotated[float, Field(gt=0)] | Literal["auto"] = "auto"
    """Exponent of the likelihood; auto selects it on the validation part.

    The model treats symbols as independent given their context, so with 1 it is overconfident on
    long texts.
    """

    def suits(self, shape: Fields, kind: LabelKind) -> bool:
        """Whether it is a baseline: sequences of symbols with one label each."""
        return len(shape.symbols) == 1 and not shape.measured and kind in ("multiclass", "ordinal")

    def build(self, shape: Fields, kind: LabelKind, size: int) -> NgramBayes:
        """Build the model for `size` labels.

        Raises SettingError for other data than sequences of symbols with one label.
        """
        if kind not in ("multiclass", "ordinal") or len(shape.symbols) != 1:
            what = "ngram-bayes needs sequences of symbols with one label each"
            raise SettingError(what, where="--model ngram-bayes", hint="choose another model")
        return NgramBayes(self, shape, size)


def log_likelihoods(models: Iterable[Any], symbols: Tensor, lengths: Tensor, ends: int) -> Tensor:
    """Compute log p of each row under each model, (batch, models).

    Rows are symbols (batch, time), each with its end symbol.
    """
    text = symbols.new_full((len(symbols), symbols.shape[1] + 2), ends)
    text[:, 0] = ends + 1  # the start of a sequence, by the contract of these models
    real = torch.arange(symbols.shape[1], device=symbols.device) < lengths[:, None]
    text[:, 1:-1] = torch.where(real, symbols, ends)
    scores = [
        model.nats(text[:, :-1], text[:, 1:], model.initial(len(text)), lengths + 1)[0]
        .double()
        .sum(1)
        for model in models
    ]
    return -torch.stack(scores, 1)


class NgramBayes(Predictor):
    """log p(label | x) = log p(label) + exponent * log p(x | label) - log of the sum over labels.

    p(label) = (count + 1) / (examples + labels), by the training part. p(x | label) covers all
    symbols and an end, the id `ends`, by the label's own language model over ends + 1 symbols. A
    label without training examples has the mean p(x | label) of the others, so that it keeps its
    p(label).
    """

    def __init__(self, settings: NgramBayesSettings, shape: Fields, size: int) -> None:
        self.settings, self.size = settings, size
        ((self.field, self.ends),) = shape.symbols.items()
        self.models: Sequence[Autoregressive] = [
            NgramSettings().build(self.ends + 1) for _ in range(size)
        ]
        self.counts = np.zeros(size, np.int64)
        self.exponent = 1.0

    def fit(self, train: Examples, validation: Examples) -> None:
        """Count the n-grams of each label, and select what is open by the validation likelihood."""
        fixed = self.settings.order
        orders = (
            range(1, self.settings.max_order + 1) if fixed == "auto" else range(fixed, fixed + 1)
        )
        target = np.asarray(train.static["target"])
        self.counts = np.bincount(target, minlength=self.size)
        label_records = [
            self._append_ends(train.select(np.flatnonzero(target == label)))
            for label in range(self.size)
        ]
        counted = [count(*records, self.ends + 1, orders[-1]) for records in label_records]
        # Only the best is kept: with many labels the models of one try are large already.
        best = float("inf")
        for smoothing in AUTO if self.settings.smoothing == "auto" else (self.settings.smoothing,):
            smooth, before = NgramSettings(smoothing=smoothing).smooth(), float("inf")
            for order in orders:
                models = [fit_ngram(one, smooth, order) for one in counted]
                nats, exponent = self.select_exponent(models, validation)
                if nats >= before:
                    break
                before = nats
                if nats < best:
                    best, self.exponent, self.models = nats, exponent, models

    def select_exponent(
        self, models: Sequence[Autoregressive], validation: Examples
    ) -> tuple[float, float]:
        """Return the mean nats of a part's labels with the best exponent, and that exponent.

        `models` has one language model per label.
        """
        target = torch.from_numpy(np.array(validation.static["target"], np.int64))
        likelihood = torch.zeros(len(validation), self.size, dtype=torch.float64)
        for rows, batch in iterate_sorted(validation, ROWS):
            likelihood[torch.from_numpy(rows)] = self.likelihood(
                models, batch.map(torch.from_numpy)
            )
        exponents = (
            EXPONENTS
            if self.settings.likelihood_exponent == "auto"
            else (self.settings.likelihood_exponent,)
        )
        found = [
            (float(-self._predict(likelihood, exponent).log_prob(target).mean()), exponent)
            for exponent in exponents
        ]
        return min(found)

    def likelihood(self, models: Sequence[Autoregressive], batch: Batch[Tensor]) -> Tensor:
        """Compute log p(x | label) of each row and label, (batch, size)."""
        return log_likelihoods(models, batch[self.field], batch.lengths, self.ends)

    def _predict(self, likelihood: Tensor, exponent: float) -> Distribution:
        prior = (
            torch.from_numpy((self.counts + 1) / (self.counts.sum() + self.size))
            .log()
            .to(likelihood.device)
        )
        scores, seen = prior + exponent * likelihood, torch.from_numpy(self.counts > 0)
        mean_seen = scores[:, seen].logsumexp(1) - prior[seen].logsumexp(0)
        return Categorical(
            logits=torch.where(seen, scores, prior + mean_seen[:, None]), validate_args=False
        )

    def _append_ends(self, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
        """Append the end symbol to each example."""
        ids = np.insert(
            np.asarray(examples.steps[self.field]).astype(np.int64), examples.offsets[1:], self.ends
        )
        return ids, examples.offsets + np.arange(len(examples.offsets))

    def __call__(self, batch: Batch[Tensor]) -> Distribution:
        """Return the distribution of the label of each row."""
        return self._predict(self.likelihood(self.models, batch), self.exponent)

    @property
    def parameter_count(self) -> int:
        """Number of parameters of all models, the label counts and the exponent."""
        return sum(model.parameter_count for model in self.models) + self.size + 1

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return each label's arrays as LABEL.NAME, the label counts, and the exponent."""
        own = {"counts": self.counts, "likelihood_exponent": np.array([self.exponent])}
        return own | join_arrays(enumerate(self.models))

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if a name or shape does not fit."""
        own = {name: arrays[name] for name in arrays if "." not in name}
        labels = {name.partition(".")[0] for name in arrays} - own.keys()
        expected = {"counts": ("i", (self.size,)), "likelihood_exponent": ("f", (1,))}
        if kinds_and_shapes(own) != expected or labels != set(map(str, range(self.size))):
            raise mismatch("the saved models are of other labels")
        for label, model in enumerate(self.models):
            model.load(select_named(arrays, f"{label}."))
        self.counts, self.exponent = np.array(own["counts"]), float(own["likelihood_exponent"][0])
