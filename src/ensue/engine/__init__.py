"""Cells at full speed: a cell's equation becomes a program, the program and its derivative are run over all ticks."""

from __future__ import annotations

import torch
from torch import Tensor

from ensue.engine import eager, kernels, scan
from ensue.engine.memory import Values
from ensue.engine.parameters import start, width_of
from ensue.engine.program import Program
from ensue.engine.tracing import trace
from ensue.engine.variants import with_normalised_gates, with_zoneout

__all__ = ["Program", "Values", "run", "start", "trace", "width_of", "with_normalised_gates", "with_zoneout"]


def run(program: Program, values: Values, lengths: Tensor | None = None) -> tuple[Tensor, dict[str, Tensor]]:
    """Run a program over all ticks in the fastest way for it.

    `values` holds "x" (time, batch, inputs), the parameters by name, "state/NAME" (batch, units) and, for a program
    with zoneout, "zone/NAME" (time, batch, units). Gives the path of the first state, (time, batch, units), and every
    state after each row's own last step; `lengths` (batch,) counts a row's steps.
    """
    device = values["x"].device.type
    if torch.is_autocast_enabled(device):
        low = torch.get_autocast_dtype(device)
        with torch.autocast(device, enabled=False):
            path, last = run(program, {name: value.to(low) for name, value in values.items()}, lengths)
        return path, {state: end.to(values[f"state/{state}"].dtype) for state, end in last.items()}
    if not len(values["x"]):
        ends = {state: values[f"state/{state}"] for state in program.states}
        first = ends[program.states[0]]
        return first.new_empty(0, *first.shape), ends
    if lengths is not None and bool((lengths == len(values["x"])).all()):
        lengths = None
    if kernels.faster(program, values["x"]) and (lengths is None or bool((lengths > 0).all())):
        return kernels.run(program, values, lengths)
    paths = scan.run(program, values) if scan.faster(program, values) else eager.run(program, values)
    every = dict(zip(program.states, paths, strict=True))
    return paths[0], {state: _last(path, values[f"state/{state}"], lengths) for state, path in every.items()}


def _last(path: Tensor, initial: Tensor, lengths: Tensor | None) -> Tensor:
    """Give a state after each row's own last step; the initial one for a row of none."""
    if lengths is None:
        # A copy: whoever keeps the state would otherwise keep the memory of the whole path.
        return path[-1].clone()
    lengths = lengths.to(path.device)
    rows = torch.arange(path.shape[1], device=path.device)
    return torch.where(lengths[:, None] > 0, path[(lengths - 1).clamp_min(0), rows], initial)
