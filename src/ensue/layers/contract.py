"""What a layer is. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from ensue.engine import Features, Lookup
from ensue.engine.shapes import StateShapes, check_input, check_lengths, check_state, state_shapes
from ensue.state import State


class Causal(nn.Module, ABC):
    """A resumable map over a sequence: what it gives at step t depends on steps up to t alone.

    The law: running over `a + b` equals running over `a`, then over `b` with the state that came
    back. The state goes in and comes out, every tensor of it batch first; nothing is remembered
    between calls.
    """

    inputs: int
    """Features that go in at each step."""
    width: int
    """Features that come out at each step."""

    def __call__(
        self, x: Features, state: State | None = None, lengths: Tensor | None = None
    ) -> Any:
        """Do what `forward` does, after a look at every shape. Raises ValueError that names those
        that do not fit.

        Without a state it starts from `initial`.
        """
        like = _check(self, x, lengths)
        if state is None:
            state = self.initial(len(x))
        else:
            check_state(state, _shapes_of(self), len(x), like)
        return super().__call__(x, state, lengths)

    @abstractmethod
    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Give the state before the first step; all conditioning enters here, as `context`
        (batch, features)."""

    @abstractmethod
    def forward(
        self, x: Features, state: State, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the state after each row's own
        last step.

        `lengths` (batch,) counts the real steps of each row; what y holds past them is unspecified
        but finite. There may be no steps at all.
        """


class Encoder(nn.Module, ABC):
    """A map over a whole sequence that may look ahead; padding past `lengths` changes nothing."""

    inputs: int
    """Features that go in at each step."""
    width: int
    """Features that come out at each step."""

    def __call__(self, x: Tensor, lengths: Tensor | None = None) -> Any:
        """Do what `forward` does, after a look at every shape. Raises ValueError that names
        those that do not fit."""
        _check(self, x, lengths)
        return super().__call__(x, lengths)

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, time, inputs) to y (batch, time, width); what y holds past `lengths` is
        zero."""


_shapes: WeakKeyDictionary[Causal, StateShapes] = WeakKeyDictionary()
"""The shapes of each layer's state: making a state to look at costs more than small layers do."""


def _shapes_of(layer: Causal) -> StateShapes:
    if layer not in _shapes:
        _shapes[layer] = state_shapes(layer.initial(1))
    return _shapes[layer]


def _check(layer: Causal | Encoder, x: Features, lengths: Tensor | None) -> Tensor | None:
    """Look at what every layer reads, and give one of its parameters, if there is any."""
    like = next(layer.parameters(), None)
    check_input(x, layer.inputs, like)
    steps = x.ids if isinstance(x, Lookup) else x
    check_lengths(lengths, *steps.shape[:2])
    return like
