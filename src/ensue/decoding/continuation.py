"""A batch of sequences that goes on step by step: the loop under every rollout.

Text, records and the sample paths of forecasts take their next step here: read the last one, draw
from the distribution, append what was drawn.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ensue.state import State, map_state, select_rows


class Continuation:
    """Sequences in progress under a model: its state before their last step, and that step.

    `model(inputs, state)` maps steps (rows, 1, ...) to the distribution of the next ones and the
    state, as `Autoregressive` and `StepModel` do. Steps are a State: a tensor, or several by name.
    """

    def __init__(
        self, model: Callable[[Any, State], tuple[Any, State]], state: State, last: State
    ) -> None:
        self.model, self.state = model, state
        self.last: Any = last

    def read(self) -> Any:
        """Read the last step (rows, ...), and return the distribution of the next, (rows, 1)."""
        with torch.inference_mode():
            inputs = map_state(lambda one: one[:, None], self.last)
            distribution, self.state = self.model(inputs, self.state)
        return distribution

    def append(self, steps: State) -> None:
        """Append what was drawn, (rows, ...)."""
        self.last = steps

    def keep(self, rows: Tensor) -> None:
        """Continue with these rows only, given by index; a row may be repeated."""
        self.state, self.last = select_rows(self.state, rows), select_rows(self.last, rows)
