"""Sample paths of a forecaster.

The uniform numbers depend only on seed, series, path and step in time, so the forecast of a series
does not depend on the batch.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.batch import Batch
from ensue.decoding.continuation import Continuation
from ensue.decoding.uniform import TINY, uniform
from ensue.models.forecaster_contract import Forecasting, Uniforms


def draws(
    seed: int, names: list[str], origins: NDArray[np.int64], paths: int, channels: int
) -> Uniforms:
    """Return the uniform numbers of sample paths, for series with these names and origins."""
    # 32 bits of the name, and 20 of the path and channel.
    keys = np.array([crc32(name.encode()) for name in names], np.int64) << 20
    samples = keys[None, :, None] + (
        np.arange(paths)[:, None, None] * channels + np.arange(channels)
    )

    def at(step: int) -> tuple[Tensor, Tensor]:
        halves = []
        for half in (0, 1):
            numbers = np.empty(samples.shape)
            for begin in np.unique(origins):
                of = origins == begin
                numbers[:, of] = uniform(seed, samples[:, of], 2 * (int(begin) + step) + half)
            halves.append(torch.from_numpy(np.clip(numbers, TINY, 1 - TINY)))
        return halves[0], halves[1]

    return at


def sample_paths(
    model: Forecasting, batch: Batch[Tensor], uniforms: Uniforms
) -> NDArray[np.float64]:
    """Draw paths (paths, batch, horizon, channels), unscaled."""
    device = batch["loc"].device

    def on_device(step: int) -> tuple[Tensor, Tensor]:
        first, second = (
            one.to(device, torch.float32).clamp(1e-7, 1 - 1e-7) for one in uniforms(step)
        )
        return first, second

    stepwise = model.begin(batch)
    if stepwise is None:
        return model.draw(batch, on_device).double().cpu().numpy()
    following, state, last = stepwise
    running, steps = Continuation(following, state, last), []
    for step in range(batch["known"].shape[1] - batch["past"].shape[1]):
        first, second = on_device(step)
        if not step:
            rows = torch.arange(len(last), device=device)
            running.keep(rows.repeat(len(first)))
        numbers = torch.stack([first, second], -1).flatten(0, 1)
        steps.append(running.read().draw(numbers).to(last))
        running.append(steps[-1])
    paths = torch.stack(steps, 1)
    return paths.unflatten(0, (-1, len(last))).double().cpu().numpy()
