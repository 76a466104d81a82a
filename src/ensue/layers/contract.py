"""Contracts of sequence layers. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ensue.engine import Features, Lookup
from ensue.engine.shapes import StateShapes, check_input, check_lengths, check_state, state_shapes
from ensue.state import State


class Causal(nn.Module, ABC):
    """A causal layer: the output at step t depends on inputs up to step t only.

    The law of resuming: running over `a + b` equals running over `a`, then over `b` from the
    returned state. The state goes in and comes out, with the batch as the first axis of every
    tensor. Nothing is stored between calls.
    """

    inputs: int
    """Input features per step."""
    width: int
    """Output features per step."""

    def __call__(
        self, x: Features, state: State | None = None, lengths: Tensor | None = None
    ) -> Any:
        """Check all shapes, then call `forward`; without a state it starts from `initial`.

        Raises ValueError that names the shape that does not fit.
        """
        like = _check(self, x, lengths)
        if state is None:
            state = self.initial(len(x))
        else:
            check_state(state, _shapes_of(self), len(x), like)
        return super().__call__(x, state, lengths)

    @abstractmethod
    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Return the initial state; `context` (batch, features) is the only conditioning."""

    @abstractmethod
    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the final state of each row.

        `lengths` (batch,) counts the real steps of each row; y is unspecified but finite past them.
        Zero steps are allowed.
        """


class Encoder(nn.Module, ABC):
    """An encoder: a layer that may read the future; padding past `lengths` changes nothing."""

    inputs: int
    """Input features per step."""
    width: int
    """Output features per step."""

    def __call__(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        """Check all shapes, then call `forward`.

        Raises ValueError that names the shape that does not fit.
        """
        _check(self, x, lengths)
        return super().__call__(x, lengths)

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, time, inputs) to y (batch, time, width), zero past `lengths`."""


_shapes: WeakKeyDictionary[Causal, StateShapes] = WeakKeyDictionary()
"""Cached shapes of each layer's state.

Building a state only to read its shapes costs more than the forward pass of a small layer.
"""


def _shapes_of(layer: Causal) -> StateShapes:
    if layer not in _shapes:
        _shapes[layer] = state_shapes(layer.initial(1))
    return _shapes[layer]


def _check(layer: Causal | Encoder, x: Features, lengths: Tensor | None) -> Tensor | None:
    """Check the inputs of a layer, and return one of its parameters, or None without any."""
    like = next(layer.parameters(), None)
    check_input(x, layer.inputs, like)
    steps = x.ids if isinstance(x, Lookup) else x
    check_lengths(lengths, *steps.shape[:2])
    return like
