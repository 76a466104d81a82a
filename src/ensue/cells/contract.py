"""Contract of cells. Read this page before adding a file to this folder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeAlias, TypeVar

from ensue.cells.algebra import Expr, Gate
from ensue.errors import UserError, did_you_mean

Read = TypeVar("Read", bound=Expr)


class Names(Generic[Read]):
    """Attributes that an equation reads: `gate.forget`, `state.h`, `weight.peep`.

    An unknown name raises UserError, which begins with `missing`.
    """

    def __init__(self, missing: str, values: Mapping[str, Read]) -> None:
        self._missing, self._values = missing, values

    def __getattr__(self, name: str) -> Read:
        if name.startswith("__"):
            raise AttributeError(name)
        if name not in self._values:
            raise UserError(f"{self._missing} {name!r}", hint=did_you_mean(name, self._values))
        return self._values[name]


Gates: TypeAlias = Names[Gate]
"""Gates of a stage by name, each with the parts `.x` and `.h`."""


@dataclass(frozen=True)
class Stage:
    """One stage of a time step: the gates W x + U v + b, then the method of the stage's name.

    Later stages read what the method returns like a state.
    """

    name: str
    gates: tuple[str, ...]
    of: str | None
    """The state or earlier result v that U multiplies; None without U."""
    reads: bool = True
    """Whether the gates have W x."""
    bias: tuple[Literal["x", "h"], ...] = ("x",)
    """Which of W x and U v have a bias; it matters only where the two are read separately."""
    own_width: bool = False
    """Whether the stage has the cell's `own_width` instead of the layer's width."""


class Cell(ABC):
    """One time step of a recurrence, written as its equation over scalars of one hidden unit.

    A plain cell names `states` and `gates` and writes `equation`. Its gates are W x + U s + b, with
    s the first state, which is also the layer's output. A cell with a second matrix product per
    step names `stages`, and writes one method for each. One stage assigns each state. `state.name`
    is always the old value.
    """

    states: ClassVar[tuple[str, ...]]
    gates: ClassVar[tuple[str, ...]] = ()
    weights: ClassVar[tuple[str, ...]] = ()
    """Elementwise parameters, one number per unit; initialised to 0."""
    stages: ClassVar[tuple[Stage, ...]] = ()
    bias: ClassVar[Mapping[str, float]] = {}
    """Initial bias of a gate, where that is not 0."""
    recurrence: ClassVar[Literal["orthogonal", "identity"]] = "orthogonal"
    """Initialisation of each gate's U."""
    own_width: ClassVar[int | None] = None
    """Width of the stages with `own_width` and of their states; None is the layer's width."""

    @abstractmethod
    def equation(self, gate: Gates, state: Names, weight: Names) -> dict[str, Expr]:
        """Return each new state by name, or the results of the stage `equation`."""

    def all_stages(self) -> tuple[Stage, ...]:
        """Return the stages of the cell; a plain cell has one."""
        return self.stages or (Stage("equation", self.gates, of=self.states[0]),)
