"""Dynamic time warping distances (Sakoe & Chiba 1978, doi:10.1109/TASSP.1978.1163055).

The distance is the root of the minimum sum of squared differences over all alignments. All channels
are warped together.
"""

from __future__ import annotations

from math import ceil, inf

import torch
from torch import Tensor

CELLS = 1 << 18
"""Cells computed at a time, so that they stay in the cache."""


def downsample(numbers: Tensor, lengths: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Downsample sequences (batch, time, channels) to at most `steps` steps (PAA).

    Each step is the mean of its segment (Keogh et al. 2001).

    >>> downsample(torch.tensor([[[1.0], [3.0], [5.0], [7.0]]]), torch.tensor([4]),
    ...     2)[0].flatten().tolist()
    [2.0, 6.0]
    """
    lengths = lengths.clamp(min=1)
    if numbers.shape[1] <= steps:
        return numbers, lengths
    short = lengths.clamp(max=steps)
    place = (
        torch.arange(numbers.shape[1], device=numbers.device) * short[:, None] // lengths[:, None]
    )
    real = torch.arange(numbers.shape[1], device=numbers.device) < lengths[:, None]
    place = torch.where(real, place, steps)[..., None].expand_as(numbers)
    sums = numbers.new_zeros(len(numbers), steps + 1, numbers.shape[2])
    return sums.scatter_reduce(1, place, numbers, "mean", include_self=False)[:, :steps], short


def compute_distances(
    queries: Tensor, lengths: Tensor, examples: Tensor, example_lengths: Tensor, window: float
) -> Tensor:
    """Compute the distance of each query to each example, (batch, examples).

    Queries are (batch, time, channels). Steps i and j may be aligned only if |i - j| is at most
    `window` times the longer length, or the difference of lengths (Sakoe-Chiba band).

    >>> one, other = torch.tensor([[[0.0], [1.0], [1.0]]]), torch.tensor([[[0.0], [0.0], [1.0]]])
    >>> [float(compute_distances(one, torch.tensor([3]), other, torch.tensor([3]),
    ...     window)) for window in (0.0, 0.4)]
    [1.0, 0.0]
    """
    rows = max(1, CELLS // max((queries.shape[1] + 1) * len(examples), 1))
    found = [
        _aligned(
            queries[begin : begin + rows],
            lengths[begin : begin + rows],
            examples,
            example_lengths,
            window,
        )
        for begin in range(0, len(queries), rows)
    ]
    return torch.cat(found) if found else queries.new_zeros(0, len(examples))


def _aligned(
    queries: Tensor, lengths: Tensor, examples: Tensor, example_lengths: Tensor, window: float
) -> Tensor:
    """Fill the tables of all pairs at once, one diagonal i + j = k after the other.

    The cells of a diagonal do not depend on each other. least[i + 1] is the minimum sum up to i and
    j = k - i; it stays infinite at i = -1 and outside the window.
    """
    time, other = int(lengths.max()), int(example_lengths.max())
    query = queries[:, :time].permute(2, 1, 0)[..., None].contiguous()
    backwards = examples[:, :other].permute(2, 1, 0).flip(1)[:, :, None].contiguous()
    longer = torch.maximum(lengths[:, None], example_lengths)
    radius = torch.maximum(
        (longer * window).ceil().long(), (lengths[:, None] - example_lengths).abs()
    )
    widest, even = int(radius.max()), bool((radius == radius[0, 0]).all())
    last = lengths[:, None] + example_lengths - 2
    least, before, new = (queries.new_full((time + 2, *radius.shape), inf) for _ in range(3))
    before[0] = 0.0
    found = queries.new_zeros(radius.shape)
    for k in range(int(last.max()) + 1):
        low = max(0, k - other + 1, ceil((k - widest) / 2))
        high = min(time - 1, k, (k + widest) // 2) + 1
        mirror = slice(other - 1 - k + low, other - 1 - k + high)
        # Not by products, whose rounding would not leave a zero between a query and an example that
        # are alike.
        cost = (query[0, low:high] - backwards[0, mirror]).square_()
        for one, back in zip(query[1:], backwards[1:], strict=True):
            off = one[low:high] - back[mirror]
            cost.addcmul_(off, off)
        best = torch.minimum(least[low:high], least[low + 1 : high + 1])
        torch.add(
            cost, torch.minimum(best, before[low:high], out=best), out=new[low + 1 : high + 1]
        )
        if not even:
            off = (2 * torch.arange(low, high, device=queries.device) - k).abs()
            new[low + 1 : high + 1].masked_fill_(off[:, None, None] > radius, inf)
        new[low] = new[high + 1] = inf
        row, column = (last == k).nonzero(as_tuple=True)
        found[row, column] = new[lengths[row], row, column]
        least, before, new = new, least, before
    return found.sqrt()
