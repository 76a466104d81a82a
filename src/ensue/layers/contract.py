"""What a layer is. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from ensue.engine import Features
from ensue.state import State


class Causal(nn.Module, ABC):
    """A resumable map over a sequence: what it gives at step t depends on steps up to t alone.

    The law: running over `a + b` equals running over `a`, then over `b` with the state that came back.
    The state goes in and comes out, every tensor of it batch first; nothing is remembered between calls.
    """

    inputs: int
    """Features that go in at each step."""
    width: int
    """Features that come out at each step."""

    @abstractmethod
    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Give the state before the first step; all conditioning enters here, as `context` (batch, features)."""

    @abstractmethod
    def forward(self, x: Features, state: State, lengths: Tensor | None = None) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the state after each row's own last step.

        `lengths` (batch,) counts the real steps of each row; what y holds past them is unspecified but finite.
        There may be no steps at all.
        """


class Encoder(nn.Module, ABC):
    """A map over a whole sequence that may look ahead; padding past `lengths` changes nothing."""

    inputs: int
    """Features that go in at each step."""
    width: int
    """Features that come out at each step."""

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Map x (batch, time, inputs) to y (batch, time, width); what y holds past `lengths` is zero."""
