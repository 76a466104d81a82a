"""Exact negative log-likelihood of each symbol of a text, given all symbols before it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ensue.models.contract import Autoregressive
from ensue.settings import Settings
from ensue.state import select_rows, walk_tensors

Ids = NDArray[np.integer]

_MOST_PROBABILITIES = 1 << 20
"""Most probabilities per batch: 8 MB in float64. The allocator returns larger arrays to the system
and clears them for every batch, which takes twice as long as scoring a mixture."""
_MOST_STEPS, _READ = 8192, 256


class ScoreSettings(Settings):
    """Batching of text scoring; the defaults are exact."""

    batch_size: int = Field(default=1, ge=1)
    """Parts of one long text per batch: faster, but each sees only `warmup` symbols before it."""
    warmup: int = Field(default=1000, ge=0)
    """Symbols that are read before each part."""
    batch: int = Field(default=128, ge=1)
    """Records per batch, which is exact."""


@dataclass(frozen=True)
class _Job:
    """Symbols to score: read from `first` to `stop`, and save the scores from `begin` on."""

    first: int
    begin: int
    stop: int


def score(
    model: Autoregressive,
    ids: Ids,
    offsets: NDArray[np.int64],
    settings: ScoreSettings,
    stretches: NDArray[np.int64] | None = None,
    report: Callable[[float], object] = lambda share: None,
) -> NDArray[np.float64]:
    """Return the nats of each symbol (symbols,); record r is `ids[offsets[r]:offsets[r + 1]]`.

    One long text is one record, and carries its state from beginning to end. With `stretches`
    (any, 2), complete records if there are several, only these are scored, and the rest is 0. A
    network should be in evaluation mode. `report` is called with the share that is done. A model
    with several `scores` for each symbol has them all, (symbols, scores).
    """
    nats = np.zeros((len(ids), *model.scores), dtype=np.float64)
    starts = np.asarray(offsets[:-1])
    jobs = _jobs(offsets, settings, stretches)
    total, done = sum(job.stop - job.first for job in jobs), 0
    for begin in range(0, len(jobs), settings.batch):
        for read in _score_together(model, ids, starts, jobs[begin : begin + settings.batch], nats):
            done += read
            report(done / total)
    return nats


def _jobs(
    offsets: NDArray[np.int64], settings: ScoreSettings, stretches: NDArray[np.int64] | None
) -> list[_Job]:
    """Make the jobs, longest first, so that those of a batch have similar lengths."""
    if len(offsets) == 2:
        start, stop = offsets.tolist()
        cuts = np.linspace(start, stop, settings.batch_size + 1).astype(np.int64).tolist()
        parts = pairwise(cuts) if stretches is None else stretches.tolist()
        jobs = [
            _Job(max(low - settings.warmup, start), low, high) for low, high in parts if low < high
        ]
    else:
        records = pairwise(offsets.tolist()) if stretches is None else stretches.tolist()
        jobs = [_Job(low, low, high) for low, high in records if low < high]
    return sorted(jobs, key=lambda job: job.first - job.stop)


def _score_together(
    model: Autoregressive,
    ids: Ids,
    starts: NDArray[np.int64],
    jobs: list[_Job],
    nats: NDArray[np.float64],
) -> Iterator[int]:
    """Score the symbols of jobs, and yield how many are read at a time."""
    state = model.initial(len(jobs))
    device = next((tensor.device for tensor in walk_tensors(state)), torch.device("cpu"))
    width = max(min(_MOST_PROBABILITIES // (len(jobs) * model.size), _MOST_STEPS), 1)
    # What is read before all of them needs no distribution.
    done = min(job.begin - job.first for job in jobs)
    for begin in range(0, done, _READ):
        places = range(begin, min(begin + _READ, done))
        inputs = np.stack(
            [
                _before(ids, starts, model.size, job.first + places[0], job.first + places[-1] + 1)
                for job in jobs
            ]
        )
        with torch.inference_mode():
            state = model.advance(torch.from_numpy(inputs).to(device), state)
    if done:
        yield done * len(jobs)
    while jobs:
        ends = [min(job.first + done + width, job.stop) for job in jobs]
        inputs = np.zeros(
            (len(jobs), min(width, jobs[0].stop - jobs[0].first - done)), dtype=np.int64
        )
        targets = np.zeros_like(inputs)
        for row, (job, end) in enumerate(zip(jobs, ends, strict=True)):
            at = job.first + done
            targets[row, : end - at] = ids[at:end]
            inputs[row, : end - at] = _before(ids, starts, model.size, at, end)
        lengths = torch.tensor(
            [end - job.first - done for job, end in zip(jobs, ends, strict=True)], device=device
        )
        ragged = lengths if len(jobs) > 1 else None
        tensors = [torch.from_numpy(array).to(device) for array in (inputs, targets)]
        with torch.inference_mode():
            found, state = model.nats(tensors[0], tensors[1], state, ragged)
        costs = found.cpu().double().numpy()
        for row, (job, end) in enumerate(zip(jobs, ends, strict=True)):
            keep = max(job.begin, job.first + done)
            if keep < end:
                nats[keep:end] = costs[row, keep - job.first - done : end - job.first - done]
        yield int(lengths.sum())
        done += width
        # The longest come first, so those that go on are the first rows.
        jobs = [job for job in jobs if job.first + done < job.stop]
        state = select_rows(state, torch.arange(len(jobs), device=device)) if jobs else state


def _before(
    ids: Ids, starts: NDArray[np.int64], start: int, at: int, end: int
) -> NDArray[np.int64]:
    """Return the symbol before each from `at` to `end`; before a record it is the start symbol."""
    before = np.empty(end - at, dtype=np.int64)
    before[1:] = ids[at : end - 1]
    record = int(np.searchsorted(starts, at, side="right")) - 1
    before[0] = start if starts[record] == at else ids[at - 1]
    return before
