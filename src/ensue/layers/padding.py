"""Masking of padded steps."""

from __future__ import annotations

import torch
from torch import Tensor


def without_padding(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Set x (batch, time, ...) to zero past each row's length; without `lengths` nothing changes.

    >>> without_padding(torch.ones(2, 3), torch.tensor([1, 3])).tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]
    """
    if lengths is None:
        return x
    past = torch.arange(x.shape[1], device=x.device) >= lengths.to(x.device)[:, None]
    return x.masked_fill(past[(...,) + (None,) * (x.dim() - 2)], 0.0)
