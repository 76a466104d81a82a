"""The engine: traces a cell's equation into a program, and runs it and its derivative fast."""

from __future__ import annotations

import torch
from torch import Tensor

from ensue.engine import eager, gpu, kernels, native, scan
from ensue.engine.differentiable import packed_paths, paths, ticks, unchecked_paths
from ensue.engine.layout import Layout
from ensue.engine.lookup import Features, Lookup, dense, make_features, time_first, timed
from ensue.engine.memory import Values
from ensue.engine.parameters import get_width, start
from ensue.engine.program import Program
from ensue.engine.shapes import check_values
from ensue.engine.tracing import trace
from ensue.engine.variants import with_normalised_gates, with_zoneout

__all__ = [
    "Features",
    "Lookup",
    "Program",
    "Values",
    "dense",
    "get_width",
    "make_features",
    "packed_paths",
    "paths",
    "run",
    "start",
    "ticks",
    "time_first",
    "timed",
    "trace",
    "with_normalised_gates",
    "with_zoneout",
]


def run(
    program: Program, values: Values, lengths: Tensor | None = None
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run a program over all ticks by the fastest backend.

    `values` holds "x" (time, batch, inputs), or a table "x" (symbols, inputs) and "ids" (time,
    batch). It also holds the parameters by name, "state/NAME" (batch, units) and, with zoneout,
    "zone/NAME" (time, batch, units). Returns the path of the first state, (time, batch, units), and
    the final states of each row; `lengths` (batch,) counts its real steps.
    """
    device = values["x"].device.type
    if torch.is_autocast_enabled(device):
        low = torch.get_autocast_dtype(device)
        lowered = {
            name: value.to(low) if value.is_floating_point() else value
            for name, value in values.items()
        }
        with torch.autocast(device, enabled=False):
            path, last = run(program, lowered, lengths)
        return path, {state: end.to(values[f"state/{state}"].dtype) for state, end in last.items()}
    check_values(program, values, lengths)
    initial = {state: values[f"state/{state}"] for state in program.states}
    if not len(timed(values)):
        first = initial[program.states[0]]
        return first.new_empty(0, *first.shape), initial
    if lengths is not None and bool((lengths == len(timed(values))).all()):
        lengths = None
    compiled = native.usable(program, values)
    # With unequal lengths torch's kernel on a CPU takes over twice as long as ours
    # (benchmarks/training.py).
    unequal = lengths is not None and (compiled or bool((lengths == 0).any()))
    looked_up = compiled and "ids" in values
    if kernels.faster(program, values["x"]) and not unequal and not looked_up:
        return kernels.run(program, _dense(values), lengths)
    layout = Layout.of(timed(values), lengths)
    by_scan = scan.faster(program, values)
    if compiled:
        packed = unchecked_paths(native, program, values, layout)
    elif gpu.usable(values) and not by_scan:
        packed = unchecked_paths(gpu, program, values, layout)
    else:
        alone = scan.run(program, _dense(values)) if by_scan else paths(eager, program, values)
        packed = tuple(layout.pack(path) for path in alone)
    ends = {
        state: layout.end(path, initial[state])
        for state, path in zip(program.states, packed, strict=True)
    }
    return layout.unpack(packed[0]), ends


def _dense(values: Values) -> Values:
    """Replace a table and ids by the dense input of each step."""
    if "ids" not in values:
        return values
    x = Lookup(values["x"], values["ids"]).dense()
    return {name: value for name, value in values.items() if name != "ids"} | {"x": x}
