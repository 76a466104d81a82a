"""Kneser-Ney discounts tuned on held-out text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.models.ngram.held_out import Part, Step, compute_nats, find_steps
from ensue.models.ngram.levels import Counts
from ensue.models.ngram.smoothing import Discounts, KneserNey, discounts

FEWEST, MOST = 2_000, 20_000
"""Minimum steps to tune discounts on, and the maximum used, for speed."""

TOLERANCE, ROUNDS = 1e-5, 30
"""The search stops when a round gains less nats per step, or after so many rounds."""

WORTH = 5e-4
"""Minimum relative reduction of the nats that justifies a longer order's larger table."""


def choose_discounts(counts: Counts, part: Part, orders: Sequence[int]) -> tuple[int, KneserNey]:
    """Select the best of ascending orders, with Kneser-Ney discounts tuned on held-out text.

    Discounts from counts of counts are too small for long n-grams of characters. D1, D2 and D3+ of
    every length are tuned jointly, starting from those.
    """
    steps = list(find_steps(counts, part))
    best, chosen = np.inf, orders[0]
    found: list[list[float]] = []
    lower: list[_Seen] = []
    for order in orders if len(steps[0].whole) >= FEWEST else ():
        lower += [_Seen.at(step, top=False) for step in steps[len(lower) : order - 1]]
        levels = [*lower, _Seen.at(steps[order - 1], top=True)]
        start = [*found[: order - 2], *(seen.start for seen in levels[len(found[: order - 2]) :])]
        fitted = _fit(levels, start, counts.size)
        nats = compute_nats(counts, steps[:order], KneserNey(fitted))
        if not nats < best * (1 - WORTH):
            break
        best, chosen, found = nats, order, fitted
    return chosen, KneserNey(found)


@dataclass(frozen=True)
class _Seen:
    """Counts for interpolation at each step, of one length: the n-gram's and its context's."""

    start: Sequence[float]
    """Initial discounts."""
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
        own_kind = np.minimum(own, 3).astype(np.int64)
        parts = own_kind, own.astype(float), np.append(total, 0.0)[context], kinds
        return _Seen(discounts(counts), *map(torch.from_numpy, parts))

    def __call__(self, discount: Tensor, lower: Tensor) -> Tensor:
        """Return the probabilities of the steps, from those of the next shorter length."""
        own = self.count - torch.cat([discount.new_zeros(1), discount])[self.kind]
        mixed = (own + self.kinds @ discount * lower) / self.total.clamp(min=1)
        return torch.where(self.total > 0, mixed, lower)


def _fit(levels: list[_Seen], start: Discounts, size: int) -> list[list[float]]:
    """Minimise the nats over the discounts D1, D2, D3+ of each length."""
    most = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)

    def bounded(free: NDArray[np.float64] | Tensor) -> Tensor:
        # A discount lies between nothing and the whole count; nothing would leave unseen symbols
        # impossible.
        return torch.sigmoid(torch.as_tensor(free).view(-1, 3)).clamp(0.01, 1.0) * most

    def nats(free: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        with torch.enable_grad():
            variable = torch.from_numpy(free).requires_grad_()
            probability = torch.full_like(levels[0].total, 1 / size)
            for seen, discount in zip(levels, bounded(variable), strict=True):
                probability = seen(discount, probability)
            total = -probability.log().mean()
            (slope,) = torch.autograd.grad(total, variable)
        return total.item(), slope.numpy()

    started = torch.tensor([list(each) for each in start], dtype=torch.float64) / most
    return bounded(
        _minimise(nats, torch.logit(started.clamp(0.02, 0.98)).flatten().numpy())
    ).tolist()


def _minimise(
    value: Callable[[NDArray], tuple[float, NDArray]], at: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Minimise `value`, which returns its gradient too, by BFGS (Nocedal & Wright 2006, alg. 6.1).

    Written out since torch's optimisers take seconds to import, longer than all else that an n-gram
    model needs.
    """
    here, slope = value(at)
    identity = np.eye(len(at))
    inverse = identity / max(float(np.linalg.norm(slope)), TOLERANCE)
    for _ in range(ROUNDS):
        direction = -inverse @ slope
        there, ahead = at + direction, value(at + direction)
        while (
            ahead[0] > here + 1e-4 * slope @ (there - at) and np.abs(there - at).max() > TOLERANCE
        ):
            there = (at + there) / 2
            ahead = value(there)
        step, gradient_change, gain = there - at, ahead[1] - slope, here - ahead[0]
        if not gain > TOLERANCE:
            break
        at, (here, slope) = there, ahead
        if (curve := step @ gradient_change) > 0:
            turn = identity - np.outer(step, gradient_change) / curve
            inverse = turn @ inverse @ turn.T + np.outer(step, step) / curve
    return at
