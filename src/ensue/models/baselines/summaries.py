"""Summary features of a numeric sequence: level, spread, trend, length and the like."""

from __future__ import annotations

import torch
from torch import Tensor

QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)

SEGMENTS = 4
"""Number of segments whose means are features."""


def summaries(numbers: Tensor, lengths: Tensor) -> Tensor:
    """Compute features (batch, features) of numbers (batch, time, channels), lengths (batch,).

    For each channel: mean, standard deviation, minimum, quartiles and maximum; first and last
    value; mean square; slope; mean absolute step; rate of mean crossings; places of minimum and
    maximum; means of segments. Then the logarithm of the length. An empty sequence counts as one
    zero.

    >>> summaries(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([2]))[0, :4].tolist()
    [2.0, 1.0, 1.0, 1.0]
    """
    lengths = lengths.clamp(min=1)
    real = (torch.arange(numbers.shape[1], device=numbers.device) < lengths[:, None])[..., None]
    numbers = numbers.masked_fill(~real, 0.0)
    count = lengths[:, None].to(numbers.dtype)
    mean = numbers.sum(1) / count
    off = (numbers - mean[:, None]) * real
    place = torch.arange(numbers.shape[1], device=numbers.device) / (count - 1).clamp(
        min=1
    )  # 0 to 1
    parts = [mean, (off.square().sum(1) / count).sqrt(), *_quantiles(numbers, real, lengths)]
    parts += [
        numbers[:, 0],
        _at(numbers, lengths - 1),
        numbers.square().sum(1) / count,
        _slope(off, place, real),
    ]
    between = real[:, 1:] & real[:, :-1]
    parts.append(
        ((numbers[:, 1:] - numbers[:, :-1]).abs() * between).sum(1) / (count - 1).clamp(min=1)
    )
    parts.append((((off[:, 1:] >= 0) != (off[:, :-1] >= 0)) & between).sum(1) / count)
    for sign in (-1, 1):
        parts.append(place.gather(1, (sign * numbers).masked_fill(~real, -torch.inf).argmax(1)))
    for segment in range(SEGMENTS):
        within = (
            real
            & (place * SEGMENTS >= segment)[..., None]
            & (place * SEGMENTS <= segment + 1)[..., None]
        )
        parts.append((numbers * within).sum(1) / within.sum(1).clamp(min=1))
    return torch.cat([*parts, count.log()], 1)


def _quantiles(numbers: Tensor, real: Tensor, lengths: Tensor) -> list[Tensor]:
    """Compute the quartiles, each the nearest value of the sequence."""
    ordered = numbers.masked_fill(~real, torch.inf).sort(1).values
    return [_at(ordered, ((lengths - 1) * share).round().long()) for share in QUARTILES]


def _at(numbers: Tensor, place: Tensor) -> Tensor:
    """Take the step at a place (batch,) of each row."""
    return numbers[torch.arange(len(numbers), device=numbers.device), place]


def _slope(off: Tensor, place: Tensor, real: Tensor) -> Tensor:
    """Compute the slope of the least-squares line, with `place` from 0 to 1."""
    count = real.sum(1)
    moved = (
        place[..., None] - (place[..., None] * real).sum(1, keepdim=True) / count[:, None]
    ) * real
    return (moved * off).sum(1) / moved.square().sum(1).clamp(min=1e-9)
