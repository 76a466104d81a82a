"""Packed layout of a batch: tick after tick, longest row first, without padding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """The number of rows at each tick and, for unequal lengths, the source of each step."""

    sizes: tuple[int, ...]
    order: Tensor | None = None
    """Row order (batch,), longest first; None if all lengths are equal."""
    places: Tensor | None = None
    """Index of each packed step in time * batch."""
    lengths: Tensor | None = None
    last: Tensor | None = None
    """Packed index of the last step of each row (batch,)."""

    @classmethod
    def of(cls, x: Tensor, lengths: Tensor | None = None) -> Layout:
        """Build the layout of x (time, batch, ...), with `lengths` (batch,) or all steps."""
        steps, batch = x.shape[:2]
        if lengths is None:
            return cls((batch,) * steps)
        longest_first, order = lengths.cpu().sort(descending=True, stable=True)
        real = torch.arange(steps)[:, None] < longest_first
        tick, row = real.nonzero(as_tuple=True)
        sizes = real.sum(1)
        last = torch.zeros_like(order)
        place = (sizes.cumsum(0) - sizes)[(longest_first - 1).clamp_min(0)] + torch.arange(batch)
        last[order] = torch.where(
            longest_first > 0, place, 0
        )  # an empty row has no last step, and 0 is always a valid index
        tensors = [one.to(x.device) for one in (order, tick * batch + order[row], lengths, last)]
        return cls(tuple(sizes.tolist()), *tensors)

    def pack(self, x: Tensor) -> Tensor:
        """Pack (time, batch, ...) to (packed steps, ...)."""
        flat = x.flatten(0, 1)
        return flat if self.places is None else flat[self.places]

    def unpack(self, packed: Tensor) -> Tensor:
        """Unpack (packed steps, units) to (time, batch, units), with zeros as padding."""
        steps, batch = len(self.sizes), len(packed) // len(self.sizes)
        if self.places is None or self.order is None:
            return packed.view(steps, batch, packed.shape[-1])
        flat = packed.new_zeros(steps * len(self.order), packed.shape[-1])
        return flat.index_copy(0, self.places, packed).view(steps, len(self.order), -1)

    def sort(self, state: Tensor) -> Tensor:
        """Sort the rows of a state (batch, units) into the order of the layout."""
        return state if self.order is None else state[self.order]

    def end(self, packed: Tensor, initial: Tensor) -> Tensor:
        """Return the final state of each row (batch, units); the initial one for an empty row."""
        if self.last is None or self.lengths is None:
            # A copy: a view would keep the memory of the whole path alive as long as the state.
            return packed[len(packed) - self.sizes[-1] :].clone()
        if not len(packed):
            return initial.clone()
        return torch.where(self.lengths[:, None] > 0, packed[self.last], initial)
