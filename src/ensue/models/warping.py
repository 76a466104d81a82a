"""Nearest neighbours under dynamic time warping, which models of numeric sequences must beat (Bagnall et al. 2017)."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Categorical

from ensue.batch import Batch
from ensue.errors import RunError
from ensue.models.alignment import distances, shortened
from ensue.models.contract import Predictor
from ensue.settings import Settings


class WarpingSettings(Settings):
    """Settings of nearest neighbours under dynamic time warping."""

    name: Literal["warping"] = "warping"
    windows: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 1.0)
    """How far a step may be from its partner, as shares of the longer sequence; one is chosen by leaving out one."""
    asked: int = 200
    """Training examples that are left out, one at a time, to choose among the windows."""
    steps: int = 256
    """Longer sequences are brought to so many steps, each the mean of some."""
    work: int = 20_000_000
    """Pairs of steps that one answer may take; fewer training examples are kept where all would take more."""


class Warping(Predictor):
    """p(label | x) ~ exp(-distance to its nearest example / temperature), and `doubt` shared evenly by all labels.

    The most likely label is that of the nearest neighbour. The temperature makes the labels of the training part
    likeliest, each left out in its turn.
    """

    def __init__(self, classes: int, channels: int) -> None:
        self.classes, self.channels = classes, channels
        self.examples, self.lengths = torch.zeros(0, 1, channels), torch.zeros(0, dtype=torch.int64)
        self.labels = torch.zeros(0, dtype=torch.int64)
        self.window, self.temperature, self.doubt, self.steps = 1.0, 1.0, 0.5, 1
        self.cut = ""
        """What was left out to save time, for the report; empty if nothing was."""

    def fit(self, batch: Batch[Tensor], settings: WarpingSettings, seed: int) -> None:
        """Keep the examples of the training part, all in one batch, and choose window and temperature."""
        self.steps = settings.steps
        numbers, lengths = shortened(batch["numbers"][..., : self.channels].float(), batch.lengths, settings.steps)
        labels = batch["target"]
        draws = torch.from_numpy(np.random.Generator(np.random.Philox(seed % 2**64)).permutation(len(labels)))
        most = max(self.classes, settings.work // max(int(lengths.float().square().mean()), 1))
        if most < len(labels):
            draws = _one_of_each_first(draws, labels)
            self.cut = f"nearest neighbours are sought among {most:,} of {len(labels):,} examples, to save time"
        kept = draws[:most]
        self.examples, self.lengths, self.labels = numbers[kept], lengths[kept], labels[kept]
        self._choose(settings)

    def _choose(self, settings: WarpingSettings) -> None:
        asked = min(len(self.labels), settings.asked)
        truth = self.labels[:asked]
        tried = []
        for self.window in settings.windows:
            nearest = self._nearest(self.examples[:asked], self.lengths[:asked], own=True)
            tried.append((int((nearest.argmin(1) == truth).sum()), nearest))
        best = max(range(len(tried)), key=lambda number: tried[number][0])  # the narrowest of equals
        self.window, nearest = settings.windows[best], tried[best][1]
        self.doubt = 1 / (len(self.labels) + 1)
        known = nearest[nearest.isfinite() & (nearest > 0)]
        temperatures = (float(known.median()) if len(known) else 1.0) * 2.0 ** np.arange(-12, 5)
        rows = torch.arange(asked)
        nats = [-float(self._probabilities(nearest, one)[rows, truth].log().sum()) for one in temperatures]
        self.temperature = float(temperatures[int(np.argmin(nats))])

    def _nearest(self, numbers: Tensor, lengths: Tensor, own: bool = False) -> Tensor:
        """Give the distance to the nearest example of each label, (batch, classes); `own`: to any but itself."""
        apart = distances(numbers, lengths, self.examples, self.lengths, self.window)
        if own:
            apart.fill_diagonal_(inf)
        nearest = apart.new_full((len(numbers), self.classes), inf)
        return nearest.scatter_reduce(1, self.labels.expand(len(numbers), -1), apart, "amin")

    def _probabilities(self, nearest: Tensor, temperature: float) -> Tensor:
        logits = -nearest.double() / temperature
        logits[logits.isinf().all(1)] = 0.0
        return (1 - self.doubt) * logits.softmax(1) + self.doubt / self.classes

    def __call__(self, batch: Batch[Tensor]) -> Categorical:
        """Give the probabilities of the labels."""
        device = self.labels.device
        numbers = batch["numbers"][..., : self.channels].float().to(device)
        nearest = self._nearest(*shortened(numbers, batch.lengths.to(device), self.steps))
        probabilities = self._probabilities(nearest, self.temperature).to(batch.lengths.device)
        return Categorical(probs=probabilities, validate_args=False)

    @property
    def parameter_count(self) -> int:
        """All numbers of the examples that are kept."""
        return int(self.lengths.sum()) * self.channels

    def arrays(self) -> Mapping[str, np.ndarray]:
        """Give the examples, and what was chosen."""
        chosen = np.array([self.window, self.temperature, self.doubt, self.steps])
        kept = {"examples": self.examples, "lengths": self.lengths, "labels": self.labels}
        return {name: tensor.cpu().numpy() for name, tensor in kept.items()} | {"chosen": chosen}

    def load(self, arrays: Mapping[str, np.ndarray]) -> None:
        """Take over what `arrays` gave. Raises RunError if a name or shape does not fit."""
        if {*arrays} != {"examples", "lengths", "labels", "chosen"} or arrays["examples"].shape[2:] != (self.channels,):
            raise RunError("the saved nearest neighbours are others", mend="use the settings they had")
        self.examples, self.lengths, self.labels = (
            torch.from_numpy(np.array(arrays[name])) for name in ("examples", "lengths", "labels")
        )
        self.window, self.temperature, self.doubt = map(float, arrays["chosen"][:3])
        self.steps = int(arrays["chosen"][3])


def _one_of_each_first(order: Tensor, labels: Tensor) -> Tensor:
    """Bring the first example of each label to the front."""
    _, kind = labels[order].unique(return_inverse=True)
    first = torch.full((int(kind.max()) + 1,), len(order)).scatter_reduce(0, kind, torch.arange(len(order)), "amin")
    is_first = torch.zeros(len(order), dtype=torch.bool).index_fill(0, first, True)
    return torch.cat([order[is_first], order[~is_first]])
