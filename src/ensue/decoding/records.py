"""Rollout of models over records: continue a sequence of steps by several fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ensue.decoding.continuation import Continuation
from ensue.decoding.uniform import TINY, uniform
from ensue.fields import END
from ensue.models.contract import StepModel
from ensue.models.parameters import get_device

CHUNK = 512
"""Steps of a prompt that are read at once."""


@dataclass(frozen=True)
class Continued:
    """Samples: "symbols" and "numbers" (samples, steps, fields), and nats (samples, steps)."""

    steps: Mapping[str, NDArray[Any]]
    nats: NDArray[np.float64]
    """Negative log-likelihood under the model, at a temperature of 1."""
    lengths: NDArray[np.int64]
    """Steps of each sample; those after them are of no sequence."""
    ended: NDArray[np.bool_]
    """Whether the model ended each sample."""


def continue_records(
    model: StepModel,
    prompt: Mapping[str, NDArray[Any]] | None,
    samples: Sequence[int],
    length: int,
    seed: int,
    temperature: float = 1.0,
) -> Continued:
    """Continue a prompt, (steps, fields) by name, or begin one, up to `length` steps or its end.

    A sample depends on its number and the seed alone, and not on the others.
    """
    device, fields = get_device(model), model.fields
    last, state = model.start(1, device), model.initial(1)
    if prompt is not None and len(prompt["symbols"]):
        given = {
            "symbols": torch.from_numpy(prompt["symbols"].astype(np.int64)),
            "numbers": torch.from_numpy(prompt["numbers"].astype(np.float32)),
        }
        whole = {
            name: torch.cat([last[name], one[None].to(device)], 1) for name, one in given.items()
        }
        with torch.inference_mode():
            for begin in range(0, whole["symbols"].shape[1] - 1, CHUNK):
                end = min(begin + CHUNK, whole["symbols"].shape[1] - 1)
                _, state = model({name: one[:, begin:end] for name, one in whole.items()}, state)
        last = {name: one[:, -1:] for name, one in whole.items()}
    running = Continuation(model, state, {name: one[:, 0] for name, one in last.items()})
    running.keep(torch.zeros(len(samples), dtype=torch.int64))
    places = 2 * (len(fields.symbols) + len(fields.numbers))
    keys = np.array(samples)[:, None] * places + np.arange(places)
    drawn, nats = [], []
    lengths, ended = np.full(len(samples), length), np.zeros(len(samples), bool)
    for step in range(length):
        distribution = running.read()
        numbers = np.clip(uniform(seed, keys, step), TINY, 1 - TINY).reshape(len(samples), 1, -1, 2)
        with torch.inference_mode():
            steps = distribution.draw(torch.from_numpy(numbers).to(device), temperature)
            nats.append(-distribution.log_prob(steps)[:, 0].double().cpu().numpy())
        drawn.append(steps)
        running.append({name: one[:, 0] for name, one in steps.items()})
        if END in fields.symbols:
            last = steps["symbols"][:, 0, [*fields.symbols].index(END)].cpu().numpy() == 1
            lengths[last & ~ended] = step + 1
            ended |= last
            if ended.all():
                break
    return Continued(
        {name: torch.cat([one[name] for one in drawn], 1).cpu().numpy() for name in drawn[0]},
        np.stack(nats, 1),
        lengths,
        ended,
    )
