"""Kneser-Ney discounts fitted to a text that was not counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ensue.models.ngram.counts import Counts
from ensue.models.ngram.held_out import Part, Step, nats_of, steps_of
from ensue.models.ngram.smoothing import KneserNey, discounts

FEWEST, MOST = 2_000, 20_000
"""Discounts are not fitted to fewer steps than this, nor, for speed, to more."""

WORTH = 5e-4
"""By which share a longer order must lower the nats to be taken for its larger table."""


def choose_discounts(counts: Counts, part: Part, orders: Sequence[int]) -> tuple[int, KneserNey]:
    """Give the best of ascending orders, with the Kneser-Ney discounts that make a part that was not counted likeliest.

    The discounts that follow from counts of counts are too small for long n-grams of characters; D1, D2 and D3+ of
    every length are fitted together, starting from those.
    """
    steps = list(steps_of(counts, part))
    best, chosen = np.inf, orders[0]
    found: list[list[float]] = []
    for order in orders if len(steps[0].whole) >= FEWEST else ():
        ladder = [_Seen.at(step, n == order) for n, step in enumerate(steps[:order], 1)]
        start = [seen.start for seen in ladder]
        if found:
            start[: order - 2] = found[: order - 2]
        fitted = _fit(ladder, start, counts.size)
        nats = nats_of(counts, steps[:order], KneserNey(fitted))
        if not nats < best * (1 - WORTH):
            break
        best, chosen, found = nats, order, fitted
    return chosen, KneserNey(found)


@dataclass(frozen=True)
class _Seen:
    """What interpolation needs to know of each step at one length: its own count, and its context's."""

    start: Sequence[float]
    """Discounts to start from."""
    kind: Tensor
    """Which discount applies to the step's count: 0 to 3."""
    count: Tensor
    total: Tensor
    kinds: Tensor
    """(steps, 3): how many symbols followed the context once, twice, more often."""

    @staticmethod
    def at(step: Step, top: bool) -> _Seen:
        rows = np.linspace(0, len(step.whole) - 1, min(MOST, len(step.whole))).astype(int)
        whole, context = step.whole[rows], step.context[rows]
        counts = step.level.count if top else step.level.left
        kind = np.minimum(counts, 3)
        per_context = [np.bincount(step.level.context, kind == k, step.contexts) for k in (1, 2, 3)]
        total = np.bincount(step.level.context, counts, step.contexts)
        kinds = np.stack([np.append(values, 0.0)[context] for values in per_context], 1)
        own = np.append(counts, 0)[whole]
        parts = (np.minimum(own, 3).astype(np.int64), own.astype(float), np.append(total, 0.0)[context], kinds)
        return _Seen(discounts(counts), *map(torch.from_numpy, parts))

    def __call__(self, discount: Tensor, lower: Tensor) -> Tensor:
        """Give the probabilities of the steps, from those of one length less."""
        own = self.count - torch.cat([discount.new_zeros(1), discount])[self.kind]
        mixed = (own + self.kinds @ discount * lower) / self.total.clamp(min=1)
        return torch.where(self.total > 0, mixed, lower)


def _fit(ladder: list[_Seen], start: list[Sequence[float]], size: int) -> list[list[float]]:
    """Give the discounts D1, D2, D3+ of each length that make the nats least (quasi-Newton, L-BFGS)."""
    most = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    # A discount lies between nothing and the whole count; nothing would leave unseen symbols impossible.
    started = torch.tensor([list(each) for each in start], dtype=torch.float64)
    free = torch.logit((started / most).clamp(0.02, 0.98)).requires_grad_()

    def bounded() -> Tensor:
        return torch.sigmoid(free).clamp(0.01, 1.0) * most

    def nats() -> Tensor:
        lower = torch.full_like(ladder[0].total, 1 / size)
        for seen, discount in zip(ladder, bounded(), strict=True):
            lower = seen(discount, lower)
        return -lower.log().mean()

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = nats()
        loss.backward()
        return loss

    optimizer = torch.optim.LBFGS([free], max_iter=25, tolerance_change=1e-5, line_search_fn="strong_wolfe")
    optimizer.step(closure)
    return bounded().tolist()
