"""What the state remembers: how much better a model predicts the more of the past it may see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ensue.errors import DataError
from ensue.models.contract import Autoregressive
from ensue.settings import Settings
from ensue.state import tensors_of

_TWO_SIDED = 1.96


class MemorySettings(Settings):
    """How the reach of the memory is measured."""

    longest: int = Field(default=512, ge=2)
    """The most symbols of context; 1, 2, 4 and so on up to it are compared."""
    places: int = Field(default=512, ge=10)
    """At how many places of the text."""
    seed: int = 0
    """Chooses the places."""


@dataclass(frozen=True)
class Memory:
    """Nats of a symbol by the number of symbols before it that the model saw."""

    contexts: list[int]
    nats: list[float]
    lost: list[float]
    """By how many nats each is worse than the longest context."""
    margins: list[float]
    """Half the width of the 95 % interval of each of these losses, over the same places."""

    @property
    def reach(self) -> int:
        """The shortest context from which on a longer one helps no more than chance."""
        helped = [lost - margin > 0 for lost, margin in zip(self.lost, self.margins, strict=True)]
        return next(context for at, context in enumerate(self.contexts) if not any(helped[at:]))

    def __str__(self) -> str:
        at, longest = self.contexts.index(self.reach), self.contexts[-1]
        if self.reach == longest:
            return f"context still helps {longest} symbols back, as far as was measured"
        low, high = self.lost[at] - self.margins[at], self.lost[at] + self.margins[at]
        return (
            f"context helps up to {self.reach} symbols back: seeing {longest} instead saves "
            f"{self.lost[at]:.4f} nats a symbol [{low:.4f}, {high:.4f}]"
        )


def memory(
    model: Autoregressive,
    ids: NDArray[np.integer],
    offsets: NDArray[np.int64],
    settings: MemorySettings,
) -> Memory:
    """Score the same places of a text with more and more of what came before them.

    Each begins from the initial state without the start symbol, which would claim that nothing came
    before. Only places with enough of their record before them count. Raises DataError if there are
    too few.
    """
    longest = min(settings.longest, int(np.diff(offsets).max()) // 2)
    contexts = [1 << power for power in range(max(longest, 1).bit_length())]
    within = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))
    places = np.flatnonzero(within >= contexts[-1])
    if len(places) < 10:
        what = f"symbols with {contexts[-1]} before them: {len(places)}, and 10 are needed"
        raise DataError(what, hint="give a longer text to measure the memory on")
    if len(places) > settings.places:
        places = np.random.default_rng(settings.seed).choice(places, settings.places, replace=False)
    costs = np.stack([_cost(model, ids, places, context) for context in contexts])
    excess = costs - costs[-1]
    margins = _TWO_SIDED * excess.std(axis=1, ddof=1) / np.sqrt(len(places))
    return Memory(contexts, costs.mean(1).tolist(), excess.mean(1).tolist(), margins.tolist())


def _cost(
    model: Autoregressive, ids: NDArray[np.integer], places: NDArray[np.int64], context: int
) -> NDArray[np.float64]:
    state = model.initial(len(places))
    device = next((tensor.device for tensor in tensors_of(state)), torch.device("cpu"))
    before = torch.from_numpy(
        np.asarray(ids[places[:, None] + np.arange(-context, 0)], dtype=np.int64)
    ).to(device)
    targets = torch.from_numpy(np.asarray(ids[places], dtype=np.int64)).to(device)
    with torch.inference_mode():
        for step in range(
            context - 1
        ):  # one by one: only the last prediction is needed, and memory stays small
            _, state = model(before[:, step : step + 1], state)
        nats, _ = model.nats(before[:, -1:], targets[:, None], state)
    return nats[:, 0].cpu().double().numpy()
