"""What a cell is. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeAlias, TypeVar

from ensue.cells.algebra import Expr, Gate
from ensue.errors import UserError, did_you_mean

Read = TypeVar("Read", bound=Expr)


class Names(Generic[Read]):
    """What an equation reads with a dot: `gate.forget`, `state.h`, `weight.peep`. Unknown names
    are told: `missing`."""

    def __init__(self, missing: str, values: Mapping[str, Read]) -> None:
        self._missing, self._values = missing, values

    def __getattr__(self, name: str) -> Read:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._values:
            raise UserError(f"{self._missing} {name!r}", hint=did_you_mean(name, self._values))
        return self._values[name]


Gates: TypeAlias = Names[Gate]
"""The gates of a stage as its equation reads them, each with its parts `.x` and `.h`."""


@dataclass(frozen=True)
class Stage:
    """A part of a tick: the products of its gates, then the equation in the cell's method of the
    stage's name.

    Its gates are W x + U v + b. What the equation gives is read by later stages like a state.
    """

    name: str
    gates: tuple[str, ...]
    of: str | None
    """The state, or the result of an earlier stage, v, that U multiplies; None where there is no
    U."""
    reads: bool = True
    """Whether there is a W x."""
    bias: tuple[Literal["x", "h"], ...] = ("x",)
    """Which parts of each gate have a bias: of W x, of U v (it differs only where the parts are
    read apart)."""
    own_width: bool = False
    """Whether the stage's units are the cell's `own_width` instead of the layer's width."""


class Cell(ABC):
    """One tick of a recurrence, written as its equation over the scalars of one hidden unit.

    A plain cell names `states` and `gates` and writes `equation`; its gates are W x + U s + b, with
    s the first state, which is also what the layer gives at each step. A cell with another matrix
    product in its tick names `stages` instead, and writes one method for each. Each state is
    assigned by one stage; `state.name` is always the old one.
    """

    states: ClassVar[tuple[str, ...]]
    gates: ClassVar[tuple[str, ...]] = ()
    weights: ClassVar[tuple[str, ...]] = ()
    """Parameters of one number for each unit; they start from 0."""
    stages: ClassVar[tuple[Stage, ...]] = ()
    bias: ClassVar[Mapping[str, float]] = {}
    """What a gate's bias starts from, where that is not 0."""
    recurrence: ClassVar[Literal["orthogonal", "identity"]] = "orthogonal"
    """What each gate's U starts from."""
    own_width: ClassVar[int | None] = None
    """The width of the stages that have one of their own, and of the states they give; None is
    the layer's."""

    @abstractmethod
    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Write each new state by name; in a cell with several stages, what the stage `equation`
        gives."""

    def all_stages(self) -> tuple[Stage, ...]:
        """Give the stages of the cell, the single one of a plain cell included."""
        return self.stages or (Stage("equation", self.gates, of=self.states[0]),)
