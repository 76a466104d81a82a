"""Steppers of autoregressive sampling: symbol by symbol in Python, or many in the kernels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ensue.decoding.constraints.matching import Matching
from ensue.decoding.continuation import Continuation
from ensue.decoding.draw import draw
from ensue.decoding.sampling import LogProbs, Mask, SamplingSettings, apply, normalize
from ensue.decoding.uniform import uniform
from ensue.engine.step.structures import Rules as NativeRules
from ensue.engine.step.structures import Writing
from ensue.models.compiled import Compiled
from ensue.models.contract import Autoregressive
from ensue.state import State

WORK, LEAST, MOST = 1 << 27, 64, 1024
"""Multiply-adds per call of the kernels, a few milliseconds, so that Ctrl-C and stop rules work;
fewest and most symbols per call."""


@dataclass(frozen=True)
class Rules:
    """Constraints on samples: length, allowed symbols, pattern and stop condition."""

    length: int
    """Most symbols of a sample, without its prompt."""
    allowed: Mask
    """Whether each symbol (size,) may be generated: false for the unknown symbol."""
    end: int | None
    """Symbol that ends a record; None in one long text."""
    matching: Matching | None = None
    """Pattern that the complete sample, without its prompt, must match."""
    stop: Callable[[Sequence[int]], bool] | None = None
    """Returns whether a sample, given its symbols without the prompt, ends here."""


class Row:
    """A sample in progress."""

    def __init__(self, number: int, prompt: Sequence[int], window: int, rules: Rules) -> None:
        self.number, self.rules = number, rules
        self.recent = deque(prompt[-window:], window)
        """The last symbols, prompt included."""
        self.written: list[int] = []
        self.place = 0
        """State of the pattern's matcher."""
        self.allowed = self._allowed()

    def write(self, ids: Sequence[int]) -> tuple[int, bool]:
        """Append symbols until the sample ends; return their count, and whether it continues."""
        rules, before = self.rules, len(self.written)
        if rules.matching is None and rules.stop is None:
            # The kernels stop at the end symbol, so only the last one can be it.
            self.written += ids
            self.recent.extend(ids)
            return len(ids), len(self.written) < rules.length and ids[-1] != rules.end
        goes_on = all(self._append(id) for id in ids)
        return len(self.written) - before, goes_on

    def _append(self, id: int) -> bool:
        rules = self.rules
        self.written.append(id)
        self.recent.append(id)
        if len(self.written) == rules.length or id == rules.end:
            return False
        if rules.matching is None:
            return rules.stop is None or not rules.stop(self.written)
        self.place = int(rules.matching.following(self.place)[id])
        self.allowed = self._allowed()
        return bool(self.allowed.any())

    def _allowed(self) -> Mask:
        rules = self.rules
        if rules.matching is None:
            return rules.allowed
        return rules.allowed & rules.matching.allowed(self.place, rules.length - len(self.written))


@dataclass(frozen=True)
class Draw:
    """The next symbols of one row."""

    ids: NDArray[np.integer]
    nats: NDArray[np.float64]


class Stepper(ABC):
    """Draws the next symbols of a batch of rows, and holds their states.

    All rows have the same number of symbols before `step`.
    """

    @abstractmethod
    def step(self, rows: Sequence[Row]) -> list[Draw]:
        """Draw the next one or more symbols of each row."""

    @abstractmethod
    def keep(self, rows: NDArray[np.integer]) -> None:
        """Continue with these rows only, given by index."""


class SymbolBySymbol(Stepper):
    """Stepper for any model and any rules; filters and draws in Python."""

    def __init__(
        self,
        model: Autoregressive,
        state: State,
        inputs: Tensor,
        filters: SamplingSettings,
        seed: int,
    ) -> None:
        self.running = Continuation(model, state, inputs)
        self.size, self.filters, self.seed = model.size, filters, seed

    def step(self, rows: Sequence[Row]) -> list[Draw]:
        """Draw the next symbol of each row."""
        scores = log_probabilities(self.running.read())
        shaped = apply(
            self.filters, scores, np.stack([row.allowed for row in rows]), self._recent(rows)
        )
        ids = draw(shaped, uniform(self.seed, [row.number for row in rows], len(rows[0].written)))
        self.running.append(torch.from_numpy(ids).to(self.running.last.device))
        nats = -scores[np.arange(len(rows)), ids]
        return [Draw(ids[row : row + 1], nats[row : row + 1]) for row in range(len(rows))]

    def keep(self, rows: NDArray[np.integer]) -> None:
        """Continue with these rows only."""
        self.running.keep(torch.from_numpy(rows))

    def _recent(self, rows: Sequence[Row]) -> Mask | None:
        if self.filters.repetition_penalty == 1:
            return None
        recent = np.zeros((len(rows), self.size), dtype=bool)
        for number, row in enumerate(rows):
            recent[number, [id for id in row.recent if id < self.size]] = True
        return recent


class InKernels(Stepper):
    """Stepper for a compiled network without a pattern: each kernel call draws many symbols."""

    def __init__(
        self, model: Compiled, state: State, inputs: Tensor, filters: SamplingSettings, seed: int
    ) -> None:
        self.ticks, self.memory = model.ticks, model.ticks.memory(state, len(inputs))
        self.symbols = self.ticks.checked(self.memory, inputs.numpy())
        self.filters, self.seed = filters, seed
        self.writing = Writing(threads=torch.get_num_threads())

    def step(self, rows: Sequence[Row]) -> list[Draw]:
        """Draw as many symbols of each row as WORK allows."""
        before, rules, window = len(rows[0].written), rows[0].rules, self.filters.repetition_window
        ticks = min(
            max(LEAST, WORK // (self.ticks.products * len(rows))), MOST, rules.length - before
        )
        ids, nats = np.empty((len(rows), ticks), np.int32), np.empty((len(rows), ticks))
        recent = np.zeros((len(rows), window + ticks), np.int32)
        known, written = np.zeros((2, len(rows)), np.int32)
        for number, row in enumerate(rows):
            known[number] = len(row.recent)
            recent[number, window - len(row.recent) : window] = row.recent
        allowed = rules.allowed.astype(np.uint8)
        samples = np.array([row.number for row in rows], np.int64)
        writing = self.writing
        writing.memory, writing.symbols = self.memory.data_ptr(), self.symbols.ctypes.data
        writing.samples, writing.recent, writing.known = (
            samples.ctypes.data,
            recent.ctypes.data,
            known.ctypes.data,
        )
        writing.ids, writing.nats, writing.written = (
            ids.ctypes.data,
            nats.ctypes.data,
            written.ctypes.data,
        )
        writing.first_step, writing.rows, writing.ticks = before, len(rows), ticks
        self.ticks.write(self._rules(rules, allowed), writing)
        return [
            Draw(ids[row, :count], nats[row, :count]) for row, count in enumerate(written.tolist())
        ]

    def keep(self, rows: NDArray[np.integer]) -> None:
        """Continue with these rows only."""
        self.memory, self.symbols = self.memory[torch.from_numpy(rows)], self.symbols[rows]

    def _rules(self, rules: Rules, allowed: NDArray[np.uint8]) -> NativeRules:
        filters = self.filters
        return NativeRules(
            filters.temperature,
            filters.top_p,
            filters.min_p,
            filters.typical_p,
            filters.repetition_penalty,
            allowed.ctypes.data,
            self.seed & (1 << 64) - 1,
            filters.top_k,
            filters.repetition_window,
            -1 if rules.end is None else rules.end,
        )


def log_probabilities(distribution: Any) -> LogProbs:
    """Return the log-probabilities of the next symbols, (rows, size), as doubles."""
    with np.errstate(divide="ignore"):
        return normalize(np.log(distribution.probs[:, 0].cpu().double().numpy()))
