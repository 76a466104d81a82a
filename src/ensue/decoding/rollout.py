"""Autoregressive sampling: draw symbol by symbol from a model's predictive distribution."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.decoding.sampling import SamplingSettings
from ensue.decoding.stepper import Draw, InKernels, Row, Rules, Stepper, SymbolBySymbol
from ensue.errors import PromptError
from ensue.models.compiled import Compiled, compile_model
from ensue.models.contract import Autoregressive
from ensue.state import State, map_state, select_rows, walk_tensors

Ids = NDArray[np.integer]

_CHUNK = 256


@dataclass(frozen=True)
class Step:
    """The next symbols of all unfinished samples: at least one of each, sample after sample."""

    samples: NDArray[np.int64]
    """Sample number of each symbol."""
    ids: NDArray[np.int64]
    nats: NDArray[np.float64]
    """Surprisal of each symbol under the model, before any filter."""
    finished: NDArray[np.bool_]
    """True for the last symbol of a sample."""


@dataclass(frozen=True)
class Sample:
    """A generated sequence; an end symbol, if any, is the last."""

    ids: NDArray[np.int64]
    nats: NDArray[np.float64]


def rollout(
    model: Autoregressive,
    prompts: Sequence[Ids],
    filters: SamplingSettings,
    rules: Rules,
    seed: int,
    samples: Sequence[int] | None = None,
) -> Iterator[Step]:
    """Continue all prompts in one batch; a sample depends neither on the batch nor on the kernels.

    Sample `samples[i]` (by default i) continues `prompts[i]`, which begins after the start symbol
    and may be empty. A network should be in evaluation mode. Raises PromptError if no text can
    satisfy the rules.
    """
    if rules.matching is not None:
        rules.matching.check(rules.length)
        if rules.stop is not None:
            raise PromptError("--regex and a stop text cannot be combined", hint="give one of them")
    numbers = range(len(prompts)) if samples is None else samples
    window = filters.repetition_window
    rows = [
        Row(number, [int(id) for id in prompt[-window:]], window, rules)
        for number, prompt in zip(numbers, prompts, strict=True)
    ]
    if not rows or not rules.length or not rows[0].allowed.any():
        return
    stepper = _stepper(compile_model(model), prompts, filters, rules, seed)
    while rows:
        written = [_append(row, draw) for row, draw in zip(rows, stepper.step(rows), strict=True)]
        yield Step(
            *(np.concatenate(parts) for parts in zip(*(one[:4] for one in written), strict=True))
        )
        unfinished = np.flatnonzero([one[4] for one in written])
        if len(unfinished) < len(rows):
            rows = [rows[row] for row in unfinished]
            if rows:
                stepper.keep(unfinished)


def _stepper(
    model: Autoregressive,
    prompts: Sequence[Ids],
    filters: SamplingSettings,
    rules: Rules,
    seed: int,
) -> Stepper:
    state, inputs = read(model, prompts)
    if isinstance(model, Compiled) and rules.matching is None:
        return InKernels(model, state, inputs, filters, seed)
    return SymbolBySymbol(model, state, inputs, filters, seed)


def _append(row: Row, draw: Draw) -> tuple[NDArray, NDArray, NDArray, NDArray, bool]:
    """Append symbols to a row until it ends; return the fields of its Step, and if it continues."""
    count, goes_on = row.write(draw.ids.tolist())
    finished = np.zeros(count, dtype=bool)
    finished[-1] = not goes_on
    ids = draw.ids[:count].astype(np.int64)
    return np.full(count, row.number), ids, draw.nats[:count], finished, goes_on


def collect(steps: Iterable[Step]) -> dict[int, Sample]:
    """Collect the steps of each sample, by its number; empty samples are missing."""
    ids: dict[int, list[int]] = {}
    nats: dict[int, list[float]] = {}
    for step in steps:
        for number, id, cost in zip(
            step.samples.tolist(), step.ids.tolist(), step.nats.tolist(), strict=True
        ):
            ids.setdefault(number, []).append(id)
            nats.setdefault(number, []).append(cost)
    return {number: Sample(np.array(ids[number]), np.array(nats[number])) for number in ids}


def read(model: Autoregressive, prompts: Sequence[Ids]) -> tuple[State, Tensor]:
    """Read prompts; return the state before the last symbol of each, and these symbols (rows,).

    Each distinct prompt is read once and unbatched, so that its state does not depend on others.
    """
    whole = [np.asarray(prompt, dtype=np.int64) for prompt in prompts]
    distinct = {prompt.tobytes(): prompt for prompt in whole}
    states, last = [], []
    for prompt in distinct.values():
        state = model.initial(1)
        device = next((tensor.device for tensor in walk_tensors(state)), torch.device("cpu"))
        inputs = torch.from_numpy(np.concatenate([[model.size], prompt])).to(device)
        with torch.inference_mode():
            for begin in range(0, len(inputs) - 1, _CHUNK):
                _, state = model(inputs[None, begin : min(begin + _CHUNK, len(inputs) - 1)], state)
        states.append(state)
        last.append(inputs[-1:])
    together, ends = map_state(lambda *tensors: torch.cat(tensors), *states), torch.cat(last)
    if len(distinct) == len(whole):
        return together, ends
    order = {key: row for row, key in enumerate(distinct)}
    rows = torch.tensor([order[prompt.tobytes()] for prompt in whole])
    return select_rows(together, rows), ends[rows.to(ends.device)]


def stop_at(text: str, decode: Callable[[Sequence[int]], str]) -> Callable[[Sequence[int]], bool]:
    """Make a `Rules.stop` that ends a sample once it contains the text."""
    # Each symbol is at least one byte long, except for a few special ones.
    reach = len(text.encode()) + 8
    return lambda ids: text in decode(ids[-reach:])
