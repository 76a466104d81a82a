"""Writing: a model is asked tick by tick what comes next, and a symbol is drawn from its answer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.decoding.constraints import Matching
from ensue.decoding.draw import draw
from ensue.decoding.filters import FilterSettings, LogProbs, Mask, apply, normalize
from ensue.decoding.uniform import uniform
from ensue.errors import PromptError
from ensue.models.contract import Autoregressive
from ensue.state import State, map_state, select_rows, tensors_of

Ids = NDArray[np.integer]

_CHUNK = 256


@dataclass(frozen=True)
class Rules:
    """What may be written, and where a sample ends."""

    length: int
    """The most symbols of a sample, without its prompt."""
    allowed: Mask
    """For each symbol (size,) whether it may be written: false for the unknown one."""
    end: int | None
    """The symbol that ends a record; None in one long text."""
    matching: Matching | None = None
    """A pattern that the whole of what is written must match, without the prompt."""
    stop: Callable[[Sequence[int]], bool] | None = None
    """Told what was written so far (without the prompt), says whether that is enough."""


@dataclass(frozen=True)
class Step:
    """One symbol for each of the samples that are still being written."""

    samples: NDArray[np.int64]
    """The numbers of these samples."""
    ids: NDArray[np.int64]
    nats: NDArray[np.float64]
    """What each symbol cost under the model itself, before any filter."""
    finished: NDArray[np.bool_]
    """True where this was the last symbol of the sample."""


@dataclass(frozen=True)
class Sample:
    """What was written, symbol by symbol; an end symbol is the last of them."""

    ids: NDArray[np.int64]
    nats: NDArray[np.float64]


@dataclass
class _Row:
    number: int
    recent: deque[int]
    written: list[int]
    place: int = 0


def rollout(
    model: Autoregressive,
    prompts: Sequence[Ids],
    filters: FilterSettings,
    rules: Rules,
    seed: int,
    samples: Sequence[int] | None = None,
) -> Iterator[Step]:
    """Continue each prompt, all at once; a sample is the same alone and in a crowd.

    Sample `samples[i]` (by default i) continues `prompts[i]`, which begins after the start symbol and may be empty.
    A network should be in evaluation mode. Raises PromptError if no text can satisfy the rules.
    """
    if rules.matching is not None:
        rules.matching.check(rules.length)
        if rules.stop is not None:
            raise PromptError("a pattern and a stop text contradict each other", mend="give one of them")
    numbers = range(len(prompts)) if samples is None else samples
    rows = [
        _Row(number, deque((int(id) for id in prompt[-filters.repetition_window :]), filters.repetition_window), [])
        for number, prompt in zip(numbers, prompts, strict=True)
    ]
    masks = [_allowed(row, rules) for row in rows]
    if not rows or not rules.length or not masks[0].any():
        return
    state, inputs = read(model, prompts)
    for tick in range(rules.length):
        scores, state = predict(model, inputs, state)
        shaped = apply(filters, scores, np.stack(masks), _recent(rows, filters, model.size))
        ids = draw(shaped, uniform(seed, [row.number for row in rows], tick))
        nats = -scores[np.arange(len(rows)), ids]
        for row, id in zip(rows, ids.tolist(), strict=True):
            _write(row, id, rules)
        masks = [_allowed(row, rules) for row in rows]
        going = [_goes_on(row, mask, rules) for row, mask in zip(rows, masks, strict=True)]
        yield Step(np.array([row.number for row in rows]), ids, nats, ~np.array(going))
        kept = np.flatnonzero(going)
        if not len(kept):
            return
        rows, masks = [rows[row] for row in kept], [masks[row] for row in kept]
        inputs = torch.from_numpy(ids[kept]).to(inputs.device)
        state = state if len(kept) == len(ids) else select_rows(state, torch.from_numpy(kept))


def collect(steps: Iterable[Step]) -> dict[int, Sample]:
    """Gather what was written, by the number of the sample; one that stayed empty is missing."""
    ids: dict[int, list[int]] = {}
    nats: dict[int, list[float]] = {}
    for step in steps:
        for number, id, cost in zip(step.samples.tolist(), step.ids.tolist(), step.nats.tolist(), strict=True):
            ids.setdefault(number, []).append(id)
            nats.setdefault(number, []).append(cost)
    return {number: Sample(np.array(ids[number]), np.array(nats[number])) for number in ids}


def read(model: Autoregressive, prompts: Sequence[Ids]) -> tuple[State, Tensor]:
    """Read prompts of any length; give the state before the last symbol of each, and these symbols (rows,).

    Each different prompt is read once and by itself, so that none depends on the others.
    """
    distinct = {prompt.tobytes(): prompt for prompt in (np.asarray(prompt, dtype=np.int64) for prompt in prompts)}
    order = {key: row for row, key in enumerate(distinct)}
    rows = torch.tensor([order[np.asarray(prompt, dtype=np.int64).tobytes()] for prompt in prompts])
    states, last = [], []
    for prompt in distinct.values():
        state = model.initial(1)
        device = next((tensor.device for tensor in tensors_of(state)), torch.device("cpu"))
        inputs = torch.from_numpy(np.concatenate([[model.size], prompt])).to(device)
        with torch.inference_mode():
            for begin in range(0, len(inputs) - 1, _CHUNK):
                _, state = model(inputs[None, begin : min(begin + _CHUNK, len(inputs) - 1)], state)
        states.append(state)
        last.append(inputs[-1:])
    together = map_state(lambda *tensors: torch.cat(tensors), *states)
    return select_rows(together, rows), torch.cat(last)[rows.to(last[0].device)]


def predict(model: Autoregressive, inputs: Tensor, state: State) -> tuple[LogProbs, State]:
    """Go one symbol (rows,) on: give the log-probabilities of what follows (rows, size), and the state."""
    with torch.inference_mode():
        distribution, state = model(inputs[:, None], state)
        probs = cast("Any", distribution).probs[:, 0].cpu().double().numpy()
    with np.errstate(divide="ignore"):
        return normalize(np.log(probs)), state


def stop_at(text: str, decode: Callable[[Sequence[int]], str]) -> Callable[[Sequence[int]], bool]:
    """Give a rule for `Rules.stop`: enough when the text has been written, or the symbol that holds its end."""
    # Each symbol stands for a byte at least, but for a few special ones.
    reach = len(text.encode()) + 8
    return lambda ids: text in decode(ids[-reach:])


def _allowed(row: _Row, rules: Rules) -> Mask:
    if rules.matching is None:
        return rules.allowed
    return rules.allowed & rules.matching.allowed(row.place, rules.length - len(row.written))


def _write(row: _Row, id: int, rules: Rules) -> None:
    row.written.append(id)
    row.recent.append(id)
    if rules.matching is not None and id != rules.end:
        row.place = int(rules.matching.following(row.place)[id])


def _goes_on(row: _Row, allowed: Mask, rules: Rules) -> bool:
    enough = len(row.written) == rules.length or row.written[-1] == rules.end or not allowed.any()
    return not enough and not (rules.stop is not None and rules.stop(row.written))


def _recent(rows: list[_Row], filters: FilterSettings, size: int) -> Mask | None:
    if filters.repetition_penalty == 1:
        return None
    recent = np.zeros((len(rows), size), dtype=bool)
    for number, row in enumerate(rows):
        recent[number, [id for id in row.recent if id < size]] = True
    return recent
