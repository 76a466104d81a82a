"""Recurrent layers over any cell: stacked, and with what keeps stacks trainable and from
learning by heart."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal, cast

import torch
from pydantic import AfterValidator, Field, ValidationInfo
from torch import Tensor, nn
from torch.nn import functional as F

from ensue.cells import CELLS
from ensue.cells.user import load_cell
from ensue.engine import (
    Features,
    Program,
    run,
    start,
    time_first,
    timed,
    trace,
    width_of,
    with_normalised_gates,
    with_zoneout,
)
from ensue.errors import SettingError, did_you_mean
from ensue.layers.contract import Causal
from ensue.settings import Settings, is_trusted, read_trusted, untrusted_file_error
from ensue.state import State


def _known(cell: str, field: ValidationInfo) -> str:
    """Give the name of a cell, or the program of one that a file defines. Raises UserError if there
    is none.

    A Python file is run only where a person names it: what is read from a file or a run may be
    somebody else's.
    """
    if cell in CELLS:
        return cell
    if cell.startswith("{"):
        return Program.from_json(cell).to_json()
    if not cell.endswith(".py"):
        hint = f"{did_you_mean(cell, CELLS)} (or give the path of a .py file)"
        raise SettingError(f"there is no cell {cell!r}", hint=hint)
    if not is_trusted(field):
        raise untrusted_file_error(cell)
    return Program.from_json(trace(load_cell(cell), cell).to_json()).to_json()


Cell = Annotated[str, AfterValidator(_known)]
"""A cell in settings."""


class RecurrentSettings(Settings):
    """Settings of a stack of recurrent layers."""

    name: Literal["recurrent"] = "recurrent"
    cell: Cell = "lstm"
    """A cell of the catalogue, or the path of a Python file that defines one; a run keeps the
    program made of that."""
    width: int = Field(default=256, ge=1)
    """Units of each layer."""
    depth: int = Field(default=1, ge=1, le=1000)
    """Layers in the stack."""
    residual: bool = False
    """Whether each layer after the first adds to what it reads instead of replacing it."""
    layer_norm: Literal["none", "output", "gates"] = "none"
    """Layer normalisation: none; of what each layer gives; of both products of each gate (Ba et
    al. 2016)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of units dropped between layers in training, drawn anew at each step."""
    variational_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of units dropped between layers in training, the same at all steps of a batch (Gal &
    Ghahramani 2016)."""
    zoneout: float = Field(default=0.0, ge=0, lt=1)
    """Chance of a unit to keep its old state at a step of training; after it, its share (Krueger
    et al. 2017)."""
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    """Share of recurrent weights dropped for each batch of training (Merity et al. 2018)."""
    learn_initial_state: bool = False
    """Whether the initial state is learned; it is zero otherwise."""
    forget_bias: float | None = None
    """Initial bias of the gate that keeps the state: forget, or update of a GRU (Gers et al. 2000);
    by default the cell's own."""

    def build(self, inputs: int) -> Recurrent:
        """Make the layer for `inputs` features a step."""
        return Recurrent(self, inputs)

    def program(self) -> Program:
        """Give the tick that the stack runs."""
        program = (
            trace(CELLS[self.cell](), self.cell)
            if self.cell in CELLS
            else Program.from_json(self.cell)
        )
        if self.forget_bias is not None:
            # A GRU keeps the state where `update` is 1; the minimal GRU means the opposite by it.
            gate = "update" if program.name in ("gru", "gru_reset_before") else "forget"
            if not any(gate in part.gates for part in program.stages):
                raise SettingError(
                    f"forget_bias is given, and the cell {program.name} has no gate `{gate}`"
                )
            program = replace(program, bias=(*program.bias, (gate, self.forget_bias)))
        if self.weight_drop and all(part.of is None for part in program.stages):
            raise SettingError(
                f"weight_drop is given, and the cell {program.name} has no recurrent weights"
            )
        if self.depth == 1 and (self.dropout or self.variational_dropout):
            hint = "set body.depth=2, or output_dropout"
            raise SettingError("dropout between layers is given, and there is one layer", hint=hint)
        program = with_normalised_gates(program) if self.layer_norm == "gates" else program
        return with_zoneout(program) if self.zoneout else program


class Recurrent(Causal):
    """y_t, s_t = cell(x_t, s_{t-1}), `depth` times, one on the other.

    The state is a tuple of one dict of (batch, units) tensors a layer, as the cell names them;
    without one the layer starts from `initial`. Raises SettingError for settings that contradict
    the cell.

    >>> net = Recurrent("peephole", inputs=32, width=64, depth=2)
    >>> y, state = net(torch.zeros(3, 5, 32))
    >>> y.shape, state[1]["c"].shape
    (torch.Size([3, 5, 64]), torch.Size([3, 64]))
    """

    def __init__(self, cell: str | RecurrentSettings, inputs: int, **settings: Any) -> None:
        super().__init__()
        chosen = (
            cell
            if isinstance(cell, RecurrentSettings)
            else read_trusted(RecurrentSettings, {"cell": cell, **settings})
        )
        program = chosen.program()
        self.inputs, self.width = (
            inputs,
            width_of(program, chosen.width, program.states[0] in program.own_states),
        )
        self.settings, self.program = chosen, program
        self.cells = nn.ModuleList()
        for depth in range(chosen.depth):
            made = start(program, self.width if depth else inputs, chosen.width)
            if chosen.learn_initial_state:
                made |= {
                    f"state/{state}": torch.zeros(self.units(state)) for state in program.states
                }
            self.cells.append(
                nn.ParameterDict({name: nn.Parameter(tensor) for name, tensor in made.items()})
            )
        normalised = chosen.depth if chosen.layer_norm == "output" else 0
        self.norms = nn.ModuleList(nn.LayerNorm(self.width) for _ in range(normalised))

    def initial(self, batch_size: int, context: Tensor | None = None) -> State:
        """Give the zero or learned state; this layer takes no context."""
        if context is not None:
            raise ValueError("a recurrent layer takes no context")
        return tuple(self._start(cell, batch_size) for cell in self._layers())

    def forward(
        self, x: Features, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the state after each row's
        own last step."""
        states = cast("tuple[State, ...]", self.initial(len(x)) if state is None else state)
        y = stream = torch.empty(0)
        ends: list[State] = []
        for depth, (cell, old) in enumerate(zip(self._layers(), states, strict=True)):
            path, end = self._run(
                cell, {"x": self._between(y)} if depth else time_first(x), old, lengths
            )
            stream = stream + path if depth and self.settings.residual else path
            # The stream of a residual stack itself is never normalised, only what is read from it.
            y = self.norms[depth](stream) if self.norms else stream
            ends.append(end)
        return y.transpose(0, 1), tuple(ends)

    def _layers(self) -> list[nn.ParameterDict]:
        return cast("list[nn.ParameterDict]", list(self.cells))

    def _start(self, cell: nn.ParameterDict, batch_size: int) -> State:
        if self.settings.learn_initial_state:
            return {
                name: cell[f"state/{name}"].expand(batch_size, -1) for name in self.program.states
            }
        like = next(iter(cell.values()))
        return {name: like.new_zeros(batch_size, self.units(name)) for name in self.program.states}

    def units(self, state: str) -> int:
        """Give the number of units of a state."""
        return width_of(self.program, self.settings.width, state in self.program.own_states)

    def _between(self, y: Tensor) -> Tensor:
        """Drop units on their way from one layer to the next: anew at each step, and the same at
        all steps."""
        y = F.dropout(y, self.settings.dropout, self.training)
        if self.training and self.settings.variational_dropout:
            return y * F.dropout(torch.ones_like(y[:1]), self.settings.variational_dropout)
        return y

    def _run(
        self,
        cell: nn.ParameterDict,
        values: dict[str, Tensor],
        state: State,
        lengths: Tensor | None,
    ) -> tuple[Tensor, State]:
        values = {**values, **cell}
        if self.training and self.settings.weight_drop:
            for part in self.program.stages:
                if part.of is not None:
                    name = f"{part.name}/recurrent"
                    values[name] = F.dropout(values[name], self.settings.weight_drop)
        for name, tensor in cast("dict[str, Tensor]", state).items():
            values[f"state/{name}"] = tensor
            if self.settings.zoneout:
                values[f"zone/{name}"] = self._zone(tensor, len(timed(values)))
        path, end = run(self.program, values, lengths)
        return path, cast(State, end)

    def _zone(self, state: Tensor, steps: int) -> Tensor:
        """Say which units keep their state at each step of training; after it, how much of it
        each keeps."""
        share = self.settings.zoneout
        if self.training:
            return state.new_empty(steps, *state.shape).bernoulli_(share)
        return state.new_full((), share).expand(steps, *state.shape)
