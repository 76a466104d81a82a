"""Parameters of a program: names, shapes, and initialisation.

For each stage: `STAGE/input` (gates * units, inputs) is W, `STAGE/recurrent` (gates * units, units
of v) is U, `STAGE/input_bias` and `STAGE/recurrent_bias` (gates * units) are b. The rows of a gate
are contiguous. `weight/NAME` (units) is an elementwise weight.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ensue.engine.program import Part, Program

WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "glorot": nn.init.xavier_uniform_,
    "small": partial(nn.init.normal_, std=0.001),
    "orthogonal": nn.init.orthogonal_,
    "identity": nn.init.eye_,
}


def get_width(program: Program, width: int, own: bool | None) -> int:
    """Return the number of units of a value, given the layer's width."""
    return program.own_width if own and program.own_width else width


def start(program: Program, inputs: int, width: int) -> dict[str, Tensor]:
    """Initialise parameters: W Glorot-uniform, U and biases as the cell defines.

    If U starts from the identity, W is normal with a standard deviation of 0.001 (Le et al. 2015),
    because such units accumulate all their inputs. Each gate is initialised separately, by torch's
    generator.
    """
    own, bias = program.own(), dict(program.bias)
    made: dict[str, Tensor] = {}
    for part in program.stages:
        units = get_width(program, width, part.own)
        if part.reads:
            way = "small" if program.recurrence == "identity" else "glorot"
            made[f"{part.name}/input"] = _stacked(part, units, inputs, way)
        if part.of is not None:
            source = get_width(program, width, own[part.of])
            made[f"{part.name}/recurrent"] = _stacked(part, units, source, program.recurrence)
        for side, key in (("x", "input_bias"), ("h", "recurrent_bias")):
            if side in part.bias:
                values = [
                    bias.get(gate, 0.0) if side == part.bias[0] else 0.0 for gate in part.gates
                ]
                made[f"{part.name}/{key}"] = torch.tensor(values).repeat_interleave(units)
    for weight in program.weights:
        made[f"weight/{weight.name}"] = torch.full(
            (get_width(program, width, weight.own),), weight.start
        )
    return made


def _stacked(part: Part, units: int, source: int, way: str) -> Tensor:
    fill = WAYS[way]
    return torch.cat([fill(torch.empty(units, source)) for _ in part.gates])
