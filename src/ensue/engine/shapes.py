"""Checks of shapes and types: the compiled kernels use them as memory bounds.

A wrong shape is a bug in a program, not in data: ValueError names what was given and what is
needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias, cast

import torch
from torch import Tensor

from ensue.engine.lookup import Features, Lookup, timed
from ensue.engine.memory import Values
from ensue.engine.parameters import get_width
from ensue.engine.program import Program
from ensue.errors import with_article
from ensue.state import State

WHOLE = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def check_input(x: Features, inputs: int, like: Tensor | None) -> None:
    """Check the input (batch, time, inputs) of a layer; `like` is one of its parameters.

    Raises ValueError.
    """
    if isinstance(x, Lookup):
        check_symbols(x.ids, len(x.table) - 1)
        x, places = x.table, "(symbols, {})"
        fits = x.dim() == 2
    else:
        places = "(batch, time, {})"
        fits = isinstance(x, Tensor) and x.dim() == 3
    if not fits or x.shape[-1] != inputs:
        raise ValueError(f"x is {_shape(x)}, and the layer reads {places.format(inputs)}")
    if not x.is_floating_point():
        raise ValueError(f"x holds {x.dtype}, and the layer reads floating point numbers")
    if like is None:
        return
    if x.device != like.device:
        raise ValueError(f"x is on {x.device}, and the layer on {like.device}")
    if x.dtype != like.dtype and not torch.is_autocast_enabled(x.device.type):
        raise ValueError(f"x holds {x.dtype}, and the layer {like.dtype}; convert one of them")


def check_lengths(lengths: Tensor | None, rows: int, steps: int) -> None:
    """Check the lengths of rows. Raises ValueError."""
    if lengths is None:
        return
    if not isinstance(lengths, Tensor) or lengths.shape != (rows,) or lengths.dtype not in WHOLE:
        what = f"{_shape(lengths)} of {getattr(lengths, 'dtype', '?')}"
        raise ValueError(
            f"lengths are {what}, and x of {rows} rows needs ({rows},) of whole numbers"
        )
    if rows and lengths.device.type != "meta":
        least, most = (int(one) for one in lengths.aminmax())
        if least < 0 or most > steps:
            raise ValueError(f"lengths go from {least} to {most}, and x has {steps} steps")


def check_state(
    state: State, shapes: StateShapes, rows: int, like: Tensor | None, place: str = "state"
) -> None:
    """Check a state of `rows` rows; `shapes` are those of one row (`state_shapes`).

    Raises ValueError.
    """
    if isinstance(shapes, Row):
        required = (rows, *shapes.shape)
        if not isinstance(state, Tensor) or state.shape != required:
            raise ValueError(
                f"the {place} is {_shape(state)}, and x of {rows} rows needs {_as_text(required)}"
            )
        if like is not None:
            _check_kind(state, like, place)
        return
    same = None
    if isinstance(state, dict) and isinstance(shapes, dict):
        same = state.keys() == shapes.keys()
    if same is None:
        same = (
            isinstance(state, tuple | list)
            and isinstance(shapes, tuple)
            and len(state) == len(shapes)
        )
    if not same:
        raise ValueError(f"the {place} is {_kind(state)}, and the layer has {_kind(shapes)}")
    for key, part in shapes.items() if isinstance(shapes, dict) else enumerate(shapes):
        check_state(cast(Any, state)[key], part, rows, like, f"{place}[{key!r}]")


@dataclass(frozen=True)
class Row:
    """Shape of one tensor of a state, without the batch axis."""

    shape: tuple[int, ...]


StateShapes: TypeAlias = "Row | tuple[StateShapes, ...] | dict[str, StateShapes]"


def state_shapes(initial: State) -> StateShapes:
    """Return the shapes of a state."""
    if isinstance(initial, Tensor):
        return Row(tuple(initial.shape[1:]))
    if isinstance(initial, dict):
        return {name: state_shapes(part) for name, part in initial.items()}
    return tuple(state_shapes(part) for part in initial)


def _check_kind(state: Tensor, like: Tensor, place: str) -> None:
    if state.device != like.device:
        raise ValueError(f"the {place} is on {state.device}, and the layer on {like.device}")
    if state.dtype != like.dtype and not (
        torch.is_autocast_enabled(like.device.type) and state.is_floating_point()
    ):
        raise ValueError(f"the {place} holds {state.dtype}, and the layer {like.dtype}")


def check_symbols(ids: Tensor, most: int, least: int = 0) -> None:
    """Check ids (batch, time) of symbols from `least` to `most`. Raises ValueError."""
    if not isinstance(ids, Tensor) or ids.dim() != 2 or ids.dtype != torch.int64:
        raise ValueError(
            f"ids are {_shape(ids)} of {getattr(ids, 'dtype', '?')}, not (batch, time) "
            f"of torch.int64"
        )
    # On a GPU reading the ids would wait for the device, and torch checks them there.
    if ids.numel() and ids.device.type == "cpu":
        lowest, highest = (int(one) for one in ids.aminmax())
        if lowest < least or highest > most:
            raise ValueError(
                f"ids go from {lowest} to {highest}, and the symbols from {least} to {most}"
            )


def check_values(program: Program, values: Values, lengths: Tensor | None = None) -> None:
    """Check all inputs of a run of a program (engine/memory.py). Raises ValueError."""
    steps = timed(values)
    x, ids = values["x"], values.get("ids")
    if (ids is None and x.dim() != 3) or (ids is not None and (ids.dim() != 2 or x.dim() != 2)):
        raise ValueError(
            f"x is {_shape(x)}, ids {_shape(ids)}: give (time, batch, inputs), or a "
            f"table and its ids"
        )
    if ids is not None:
        check_symbols(ids, len(x) - 1)
    check_lengths(lengths, steps.shape[1], len(steps))
    dtype, device = x.dtype, x.device
    inputs, width = x.shape[-1], _width(program, values)
    for name, shape in _parameter_shapes(program, width, inputs) + _step_shapes(
        program, width, *steps.shape[:2]
    ):
        value = values.get(name)
        if value is None or value.shape != shape:
            raise ValueError(
                f"{name!r} is {_shape(value)}, and with x {_shape(x)} it needs {_as_text(shape)}"
            )
        if value.dtype != dtype or value.device != device:
            raise ValueError(
                f"{name!r} holds {value.dtype} on {value.device}, and x {dtype} on {device}"
            )


Shapes: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]


@lru_cache(maxsize=64)
def _parameter_shapes(program: Program, width: int, inputs: int) -> Shapes:
    own = program.own()
    shapes: dict[str, tuple[int, ...]] = {}
    for part in program.stages:
        outputs = len(part.gates) * get_width(program, width, part.own)
        if part.reads:
            shapes[f"{part.name}/input"] = (outputs, inputs)
        if part.of is not None:
            shapes[f"{part.name}/recurrent"] = (outputs, get_width(program, width, own[part.of]))
        biases = {"x": "input_bias", "h": "recurrent_bias"}
        shapes |= {f"{part.name}/{biases[side]}": (outputs,) for side in part.bias}
    shapes |= {
        f"weight/{one.name}": (get_width(program, width, one.own),) for one in program.weights
    }
    return tuple(shapes.items())


@lru_cache(maxsize=256)
def _step_shapes(program: Program, width: int, steps: int, rows: int) -> Shapes:
    units = {
        state: get_width(program, width, state in program.own_states) for state in program.states
    }
    states = [(f"state/{state}", (rows, count)) for state, count in units.items()]
    zoned = {str(node.detail) for node in program.nodes if node.op == "zone"}
    return (
        *states,
        *(
            (f"zone/{state}", (steps, rows, units[state]))
            for state in program.states
            if state in zoned
        ),
    )


def _width(program: Program, values: Values) -> int:
    """Return the layer's width, from the first matrix of that width.

    A missing matrix is reported later.
    """
    for part in program.stages:
        matrix = values.get(f"{part.name}/{'input' if part.reads else 'recurrent'}")
        if matrix is not None and matrix.dim() == 2 and (program.own_width is None or not part.own):
            return matrix.shape[0] // len(part.gates)
    return program.own_width or 0


def _as_text(shape: Any) -> str:
    return str(tuple(shape))


def _shape(value: Any) -> str:
    return (
        _as_text(value.shape) if isinstance(value, Tensor) else with_article(type(value).__name__)
    )


def _kind(state: Any) -> str:
    """Describe the structure of a state."""
    if isinstance(state, Mapping):
        return f"a dict of {', '.join(map(repr, state))}"
    if isinstance(state, tuple | list):
        return f"{with_article(type(state).__name__)} of {len(state)}"
    if isinstance(state, Tensor):
        return f"a tensor {_shape(state)}"
    return with_article(type(state).__name__)
