"""Pooling of a sequence into one vector; padding past a row's length changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ensue.engine.shapes import check_input, check_lengths


class Pooling(nn.Module):
    """Map y (batch, time, width) and lengths (batch,) to (batch, features); empty rows give 0.

    >>> pool = Pooling("mean", 2)
    >>> pool(torch.tensor([[[1.0, 2.0], [3.0, 4.0], [9.0, 9.0]]]), torch.tensor([2]))
    tensor([[2., 3.]])
    """

    def __init__(self, kind: str, width: int) -> None:
        super().__init__()
        self.kind, self.width = kind, width
        self.features = width * (2 if kind == "ends" else 1)
        self.score = nn.Linear(width, 1) if kind == "attention" else None

    def forward(self, y: Tensor, lengths: Tensor) -> Tensor:
        """Pool the real steps of each row. Raises ValueError for other shapes."""
        check_input(y, self.width, None if self.score is None else self.score.weight)
        check_lengths(lengths, *y.shape[:2])
        lengths = lengths.to(y.device)
        real = torch.arange(y.shape[1], device=y.device) < lengths[:, None]
        pooled = (
            _POOLINGS[self.kind](y, real, lengths)
            if self.score is None
            else _attention(y, real, self.score(y))
        )
        return pooled * (lengths > 0)[:, None]


def _attention(y: Tensor, real: Tensor, scores: Tensor) -> Tensor:
    """Attention pooling: mean weighted by softmax(v y + c).

    This is Yang et al. 2016 without the hidden layer.
    """
    shares = scores.masked_fill(~real[..., None], -1e30).softmax(1)
    return (y.masked_fill(~real[..., None], 0.0) * shares).sum(1)


def _last(y: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
    at = (lengths - 1).clamp_min(0)[:, None, None].expand(-1, 1, y.shape[2])
    return y.gather(1, at)[:, 0]


def _ends(y: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
    return torch.cat([y[:, 0], _last(y, real, lengths)], 1)


def _sum(y: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
    return y.masked_fill(~real[..., None], 0.0).sum(1)


def _mean(y: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
    return _sum(y, real, lengths) / lengths.clamp_min(1)[:, None]


def _max(y: Tensor, real: Tensor, lengths: Tensor) -> Tensor:
    return y.masked_fill(~real[..., None], -1e30).amax(1)


_POOLINGS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "last": _last,
    "ends": _ends,
    "mean": _mean,
    "max": _max,
    "sum": _sum,
}
"""Pooling functions of y, the mask of real steps, and lengths."""

POOLINGS = (*_POOLINGS, "attention")
