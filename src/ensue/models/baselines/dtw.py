"""1-nearest-neighbour classifier under dynamic time warping (1-NN DTW).

It is the standard baseline of time series classification (Bagnall et al. 2017).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from ensue.batch import Batch
from ensue.data.codecs.labels import LabelKind
from ensue.data.dataset import Examples
from ensue.data.feeds import make_batch
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.models.baselines.dtw_kernel import compute_distances, downsample
from ensue.models.contract import Predictor
from ensue.models.parameters import kinds_and_shapes, mismatch
from ensue.settings import Settings

OTHER = "choose another model"


class DTWSettings(Settings):
    """Settings of 1-NN DTW."""

    name: Literal["dtw"] = "dtw"
    windows: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 1.0)
    """Candidate warping windows, as shares of the longer sequence; selected by leave-one-out."""
    validation_examples: int = 100
    """Training examples left out, one at a time, to select the window."""
    max_length: int = 256
    """Maximum length; longer sequences are downsampled to it by averaging."""
    max_cells: int = 20_000_000
    """Maximum DTW cells per prediction; training examples are subsampled to stay below it."""
    seed: int = 0
    """Random seed of the subsample."""

    def suits(self, shape: Fields, kind: LabelKind) -> bool:
        """Whether it is a baseline: measured numbers, and one label each."""
        return bool(shape.measured) and kind in ("multiclass", "ordinal")

    def build(self, shape: Fields, kind: LabelKind, size: int) -> DTW:
        """Build the model for `size` labels.

        Raises SettingError for other data than numbers with one label each.
        """
        if not shape.measured:
            what = "dtw needs numeric steps, and these have no numbers"
            raise SettingError(what, where="model", hint=OTHER)
        if kind not in ("multiclass", "ordinal"):
            raise SettingError("dtw predicts one label per example", where="model", hint=OTHER)
        return DTW(self, shape.measured, size)


class DTW(Predictor):
    """p(label | x) ~ exp(-distance to its nearest example / temperature), mixed with uniform.

    The most probable label is that of the nearest neighbour. The temperature maximises the
    leave-one-out likelihood of the training labels.
    """

    def __init__(self, settings: DTWSettings, channels: int, classes: int) -> None:
        self.settings, self.channels, self.classes = settings, channels, classes
        self.examples, self.lengths = torch.zeros(0, 1, channels), torch.zeros(0, dtype=torch.int64)
        self.labels = torch.zeros(0, dtype=torch.int64)
        self.window, self.temperature, self.uniform_share = 1.0, 1.0, 0.5

    def fit(self, train: Examples, validation: Examples | None = None) -> tuple[str, ...]:
        """Store training examples, and select window and temperature by leave-one-out.

        Returns notes about the selection, and about a subsample.
        """
        target, settings = np.asarray(train.static["target"]), self.settings
        order = np.random.Generator(np.random.Philox(settings.seed)).permutation(len(target))
        longest = np.minimum(train.lengths, settings.max_length).astype(float)
        most = max(self.classes, int(settings.max_cells / max((longest**2).mean(), 1)))
        if most < len(target):
            # One of each label, whatever else is kept.
            _, first = np.unique(target[order], return_index=True)
            order = np.concatenate([order[first], np.delete(order, first)])
        self.labels = torch.from_numpy(target[order[:most]].astype(np.int64))
        self.examples, self.lengths = self._downsample(
            make_batch(train, order[:most]).map(torch.from_numpy)
        )
        self._choose()
        chosen = (
            f"DTW window, {self.window:g} of the longer sequence: by leave-one-out on the "
            f"training part"
        )
        subsampled = (
            f"DTW compares with {most:,} of {len(target):,} training examples, to save time"
        )
        return (chosen, subsampled) if most < len(target) else (chosen,)

    def _downsample(self, batch: Batch[Tensor]) -> tuple[Tensor, Tensor]:
        return downsample(
            batch["numbers"][..., : self.channels].float(), batch.lengths, self.settings.max_length
        )

    def _choose(self) -> None:
        settings = self.settings
        count = min(len(self.labels), settings.validation_examples)
        truth = self.labels[:count]
        candidates = []
        for self.window in settings.windows:
            nearest = self._nearest(self.examples[:count], self.lengths[:count], own=True)
            candidates.append((int((nearest.argmin(1) == truth).sum()), nearest))
        best = int(np.argmax([correct for correct, _ in candidates]))  # the narrowest of equals
        self.window, nearest = settings.windows[best], candidates[best][1]
        self.uniform_share = 1 / (len(self.labels) + 1)
        known = nearest[nearest.isfinite() & (nearest > 0)]
        temperatures = (float(known.median()) if len(known) else 1.0) * 2.0 ** np.arange(-12, 5)
        rows = torch.arange(count)
        nats = [
            -float(self._probabilities(nearest, one)[rows, truth].log().sum())
            for one in temperatures
        ]
        self.temperature = float(temperatures[int(np.argmin(nats))])

    def _nearest(self, numbers: Tensor, lengths: Tensor, own: bool = False) -> Tensor:
        """Compute the distance to the nearest example of each label, (batch, classes).

        With `own`, an example is not its own neighbour.
        """
        apart = compute_distances(numbers, lengths, self.examples, self.lengths, self.window)
        if own:
            apart.fill_diagonal_(inf)
        nearest = apart.new_full((len(numbers), self.classes), inf)
        return nearest.scatter_reduce(1, self.labels.expand(len(numbers), -1), apart, "amin")

    def _probabilities(self, nearest: Tensor, temperature: float) -> Tensor:
        logits = -nearest.double() / temperature
        logits[logits.isinf().all(1)] = 0.0
        return (1 - self.uniform_share) * logits.softmax(1) + self.uniform_share / self.classes

    def __call__(self, batch: Batch[Tensor]) -> Categorical:
        """Return the probabilities of the labels."""
        nearest = self._nearest(*self._downsample(batch.map(lambda tensor: tensor.cpu())))
        probabilities = self._probabilities(nearest, self.temperature).to(batch.lengths.device)
        return Categorical(probs=probabilities, validate_args=False)

    @property
    def parameter_count(self) -> int:
        """Number of stored values."""
        return int(self.lengths.sum()) * self.channels

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Return the stored examples, and the selected parameters."""
        chosen = np.array([self.window, self.temperature, self.uniform_share])
        kept = {name: getattr(self, name).numpy() for name in ("examples", "lengths", "labels")}
        return kept | {"chosen": chosen}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Load what `arrays` returned. Raises RunError if a name or shape does not fit."""
        saved = kinds_and_shapes(arrays)
        count, longest = (*np.shape(arrays.get("examples", 0)), 0, 0)[:2]
        expected = {
            "examples": ("f", (count, longest, self.channels)),
            "lengths": ("i", (count,)),
            "labels": ("i", (count,)),
            "chosen": ("f", (3,)),
        }
        if (
            saved != expected
            or not set(arrays["labels"]) <= {*range(self.classes)}
            or max(arrays["lengths"]) > longest
        ):
            raise mismatch("the saved nearest neighbours are of other steps or labels")
        for name in ("examples", "lengths", "labels"):
            setattr(self, name, torch.from_numpy(np.array(arrays[name])))
        self.window, self.temperature, self.uniform_share = map(float, arrays["chosen"])
