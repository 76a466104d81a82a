"""How the steps of a batch lie in memory: packed, tick after tick, longest row first, so that
padding is nowhere."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """The number of rows at each tick; and, for rows of unequal lengths, where each step comes
    from."""

    sizes: tuple[int, ...]
    order: Tensor | None = None
    """The rows (batch,), longest first; None where all are equally long."""
    places: Tensor | None = None
    """For each packed step, its place among time * batch."""
    lengths: Tensor | None = None
    last: Tensor | None = None
    """For each row (batch,), the packed place of its last step."""

    @classmethod
    def of(cls, x: Tensor, lengths: Tensor | None = None) -> Layout:
        """Make the layout of x (time, batch, ...), whose rows have all steps, or `lengths`
        (batch,) of them."""
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
        )  # a row of no steps may have no place at all
        tensors = [one.to(x.device) for one in (order, tick * batch + order[row], lengths, last)]
        return cls(tuple(sizes.tolist()), *tensors)

    def pack(self, x: Tensor) -> Tensor:
        """Bring (time, batch, ...) into (packed steps, ...)."""
        flat = x.flatten(0, 1)
        return flat if self.places is None else flat[self.places]

    def unpack(self, packed: Tensor) -> Tensor:
        """Bring (packed steps, units) into (time, batch, units), with zeros for padding."""
        steps, batch = len(self.sizes), len(packed) // len(self.sizes)
        if self.places is None or self.order is None:
            return packed.view(steps, batch, packed.shape[-1])
        flat = packed.new_zeros(steps * len(self.order), packed.shape[-1])
        return flat.index_copy(0, self.places, packed).view(steps, len(self.order), -1)

    def sort(self, state: Tensor) -> Tensor:
        """Bring the rows of a state (batch, units) into the order of the layout."""
        return state if self.order is None else state[self.order]

    def end(self, packed: Tensor, initial: Tensor) -> Tensor:
        """Give a state after each row's own last step (batch, units); the initial one for a row
        of none."""
        if self.last is None or self.lengths is None:
            # A copy: whoever keeps the state would otherwise keep the memory of the whole path.
            return packed[len(packed) - self.sizes[-1] :].clone()
        if not len(packed):
            return initial.clone()
        return torch.where(self.lengths[:, None] > 0, packed[self.last], initial)
