"""Negative log-likelihood of sequences of records, step by step and field by field."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.evaluation.intervals import mean_bounds, widen_for_small_n
from ensue.evaluation.scores import Measured
from ensue.models.contract import StepModel
from ensue.models.parameters import get_device

ROWS, CHUNK = 32, 512
"""Sequences that are scored together, and steps at once: the state carries over, so long sequences
take no more memory."""
SCORES = 1 << 25
"""Scores of symbols that are computed at once: with many symbols, fewer steps are."""


BLOCK = 20
"""Neighbouring steps that count as one item of an interval, for their losses depend on each
other."""


@torch.no_grad()
def score_steps(model: StepModel, examples: Examples) -> NDArray[np.float64]:
    """Return the nats of each field of each step, (steps, fields): symbols first, then numbers.

    Every step counts, the first of a sequence too. Numbers are in units of the data.
    """
    fields = len(model.fields.symbols) + len(model.fields.numbers)
    most = max(model.fields.symbols.values(), default=1)
    chunk = max(min(CHUNK, SCORES // (ROWS * most)), 1)
    nats = np.zeros((int(examples.offsets[-1]), fields))
    device = get_device(model)
    for rows, batch in iterate_sorted(examples, ROWS):
        steps = {name: torch.from_numpy(batch[name]).to(device) for name in ("symbols", "numbers")}
        lengths = torch.from_numpy(batch.lengths).to(device)
        state, last = model.initial(len(rows)), model.start(len(rows), device)
        length = steps["symbols"].shape[1]
        for begin in range(0, length, chunk):
            part = {name: one[:, begin : begin + chunk] for name, one in steps.items()}
            inputs = {name: torch.cat([last[name], one[:, :-1]], 1) for name, one in part.items()}
            distribution, state = model(inputs, state)
            last = {name: one[:, -1:] for name, one in part.items()}
            found = torch.stack([cost for cost, _ in distribution.costs(part)], -1)
            real = begin + torch.arange(found.shape[1], device=device) < lengths[:, None]
            places = torch.from_numpy(examples.offsets[rows]).to(device)[:, None] + begin
            places = (places + torch.arange(found.shape[1], device=device))[real]
            nats[places.cpu().numpy()] = found[real].double().cpu().numpy()
    return nats


def measure_steps(nats: NDArray[np.float64], examples: Examples) -> Measured:
    """Measure a model by its nats, (steps, fields), block by block; a block is in one sequence."""
    begins = np.flatnonzero(begin_blocks(examples))
    losses = np.add.reduceat(nats.sum(1), begins)
    sizes = np.diff(np.append(begins, len(nats))).astype(np.float64)
    total = float(nats.sum())
    mean = total / len(nats)
    interval = widen_for_small_n(mean_bounds(losses, sizes), mean, len(losses))
    return Measured(
        {"nats_per_step": mean},
        {"nats_per_step": interval},
        losses,
        "nats per step",
        sizes=sizes,
        count=len(nats),
        totals={"nats": total},
    )


def begin_blocks(examples: Examples) -> NDArray[np.bool_]:
    """Mark the steps at which a block begins, (steps,)."""
    place = np.arange(examples.offsets[-1]) - np.repeat(examples.offsets[:-1], examples.lengths)
    return place % BLOCK == 0
