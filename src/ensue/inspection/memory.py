"""Effective context length: the loss of a model by how much of the past it may see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ensue.errors import DataError
from ensue.models.contract import Autoregressive
from ensue.settings import Settings
from ensue.state import walk_tensors

_TWO_SIDED = 1.96
STRETCH = 32
"""Steps of a context that are read at once."""


class MemorySettings(Settings):
    """How the effective context length is measured."""

    longest: int = Field(default=512, ge=2)
    """Longest context in symbols; 1, 2, 4 and so on up to it are compared."""
    places: int = Field(default=512, ge=10)
    """Positions of the text that are predicted."""
    seed: int = 0
    """Random seed."""


@dataclass(frozen=True)
class Memory:
    """Mean loss by context length, in nats per symbol."""

    contexts: list[int]
    nats: list[float]
    excess: list[float]
    """Excess loss of each context over the longest one, in nats per symbol."""
    half_widths: list[float]
    """Half the width of the 95 % interval of each excess loss, paired by position."""

    @property
    def effective_context(self) -> int:
        """The shortest context beyond which no longer one is significantly better."""
        helped = [
            excess - margin > 0
            for excess, margin in zip(self.excess, self.half_widths, strict=True)
        ]
        return next(context for at, context in enumerate(self.contexts) if not any(helped[at:]))

    def __str__(self) -> str:
        at, longest = self.contexts.index(self.effective_context), self.contexts[-1]
        if self.effective_context == longest:
            return f"the model uses at least {longest} symbols of context, the most measured"
        excess, half = self.excess[at], self.half_widths[at]
        return (
            f"the model uses {self.effective_context} symbols of context: {longest} of them would "
            f"save {excess:.4f} nats per symbol [{excess - half:.4f}, {excess + half:.4f}]"
        )


def memory(
    model: Autoregressive,
    ids: NDArray[np.integer],
    offsets: NDArray[np.int64],
    settings: MemorySettings,
) -> Memory:
    """Measure the loss at the same positions of a text with contexts of 1, 2, 4, ... symbols.

    Each context begins from the initial state, without the start symbol: that would claim that
    nothing came before. Positions need the longest context within their own record. Raises
    DataError if fewer than 10 do.
    """
    longest = min(settings.longest, int(np.diff(offsets).max()) // 2)
    contexts = [1 << power for power in range(max(longest, 1).bit_length())]
    within = np.arange(len(ids)) - np.repeat(offsets[:-1], np.diff(offsets))
    places = np.flatnonzero(within >= contexts[-1])
    if len(places) < 10:
        problem = f"{len(places)} symbols have {contexts[-1]} before them, and 10 are needed"
        raise DataError(problem, hint="give a longer text")
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
    device = next((tensor.device for tensor in walk_tensors(state)), torch.device("cpu"))
    before = torch.from_numpy(
        np.asarray(ids[places[:, None] + np.arange(-context, 0)], dtype=np.int64)
    ).to(device)
    targets = torch.from_numpy(np.asarray(ids[places], dtype=np.int64)).to(device)
    with torch.inference_mode():
        # Only the last prediction is needed; in stretches, so that memory stays small.
        for begin in range(0, context - 1, STRETCH):
            state = model.advance(before[:, :-1][:, begin : begin + STRETCH], state)
        nats, _ = model.nats(before[:, -1:], targets[:, None], state)
    return nats[:, 0].cpu().double().numpy()
