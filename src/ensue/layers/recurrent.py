"""Stacked recurrent layers over any cell, with the usual regularisation."""

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
    get_width,
    run,
    start,
    time_first,
    timed,
    trace,
    with_normalised_gates,
    with_zoneout,
)
from ensue.errors import SettingError, did_you_mean
from ensue.layers.contract import Causal
from ensue.settings import Settings, is_trusted, read_trusted, untrusted_file_error
from ensue.state import State


def _resolve_cell(cell: str, field: ValidationInfo) -> str:
    """Return the name of a cell, or the program of a cell file. Raises UserError for unknown cells.

    A Python file is executed only if the user named it. A name in a settings file or a run may come
    from somebody else.
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


Cell = Annotated[str, AfterValidator(_resolve_cell), Field(examples=list(CELLS))]
"""A settings field that holds a cell."""


class RecurrentSettings(Settings):
    """Settings of a stack of recurrent layers."""

    name: Literal["recurrent"] = "recurrent"
    cell: Cell = "lstm"
    """Cell name, or path of a Python file that defines one; a run stores its program."""
    width: int = Field(default=256, ge=1)
    """Hidden units per layer."""
    depth: int = Field(default=1, ge=1, le=1000)
    """Number of layers."""
    residual: bool = False
    """Residual connections around every layer after the first."""
    layer_norm: Literal["none", "output", "gates"] = "none"
    """Layer normalisation: none, of layer outputs, or of a gate's two products (Ba et al. 2016)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout rate between layers, with a new mask at each step."""
    variational_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Variational dropout rate between layers: one mask per sequence (Gal & Ghahramani 2016)."""
    zoneout: float = Field(default=0.0, ge=0, lt=1)
    """Zoneout rate: probability that a unit keeps its old state (Krueger et al. 2017)."""
    weight_drop: float = Field(default=0.0, ge=0, lt=1)
    """DropConnect rate of recurrent weights, with one mask per batch (Merity et al. 2018)."""
    learn_initial_state: bool = False
    """Learn the initial state instead of starting from zero."""
    forget_bias: float | None = None
    """Initial bias of the forget gate (Gers et al. 2000); for a GRU, of its update gate."""

    def build(self, inputs: int) -> Recurrent:
        """Make the layer for `inputs` features a step."""
        return Recurrent(self, inputs)

    def program(self) -> Program:
        """Return the program of one layer's time step.

        Raises SettingError if settings contradict it.
        """
        program = (
            trace(CELLS[self.cell](), self.cell)
            if self.cell in CELLS
            else Program.from_json(self.cell)
        )
        if self.forget_bias is not None:
            # A GRU keeps the state where `update` is 1; the minimal GRU means the opposite by it.
            gate = "update" if program.name in ("gru", "gru_reset_before") else "forget"
            if not any(gate in part.gates for part in program.stages):
                what = f"forget_bias needs a gate `{gate}`, and the cell {program.name} has none"
                raise SettingError(what)
            program = replace(program, bias=(*program.bias, (gate, self.forget_bias)))
        if self.weight_drop and all(part.of is None for part in program.stages):
            what = f"weight_drop needs recurrent weights, and the cell {program.name} has none"
            raise SettingError(what)
        if self.depth == 1 and (self.dropout or self.variational_dropout):
            hint = "set body.depth=2, or output_dropout"
            raise SettingError("dropout between layers needs more than one layer", hint=hint)
        program = with_normalised_gates(program) if self.layer_norm == "gates" else program
        return with_zoneout(program) if self.zoneout else program


class Recurrent(Causal):
    """y_t, s_t = cell(x_t, s_{t-1}), stacked `depth` times.

    The state is a tuple with one dict per layer of (batch, units) tensors, named as in the cell.
    Without a state the layer starts from `initial`. Raises SettingError for settings that
    contradict the cell.

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
            get_width(program, chosen.width, program.states[0] in program.own_states),
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
        """Return the zero or learned initial state; this layer takes no context."""
        if context is not None:
            raise ValueError("a recurrent layer takes no context")
        return tuple(self._start(cell, batch_size) for cell in self._layers())

    def forward(
        self, x: Features, state: State | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, State]:
        """Map x (batch, time, inputs) to y (batch, time, width) and the final state of each row."""
        states = cast("tuple[State, ...]", self.initial(len(x)) if state is None else state)
        y = stream = torch.empty(0)
        ends: list[State] = []
        for depth, (cell, old) in enumerate(zip(self._layers(), states, strict=True)):
            path, end = self._run(
                cell, {"x": self._between(y)} if depth else time_first(x), old, lengths
            )
            stream = stream + path if depth and self.settings.residual else path
            # Pre-norm: only what a layer reads is normalised, never the residual stream itself.
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
        """Return the number of units of a state."""
        return get_width(self.program, self.settings.width, state in self.program.own_states)

    def _between(self, y: Tensor) -> Tensor:
        """Apply dropout between layers: with a mask per step, then with one mask for all steps."""
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
        """Return zoneout masks (time, batch, units); in evaluation, the zoneout rate."""
        share = self.settings.zoneout
        if self.training:
            return state.new_empty(steps, *state.shape).bernoulli_(share)
        return state.new_full((), share).expand(steps, *state.shape)
