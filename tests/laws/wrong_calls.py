"""Calls of layers and models with shapes that do not fit, each in a process that may die of it.

As a program: `wrong_calls.py SEED COUNT` makes so many calls, in children that it forks, and prints
what was found.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ensue.cells import CELLS
from ensue.engine import Lookup, start, trace
from ensue.engine import run as run_program
from ensue.layers import (
    BagSettings,
    BidirectionalSettings,
    Causal,
    ConvolutionSettings,
    NoLayerSettings,
    Recurrent,
    RecurrentSettings,
    WindowSettings,
    build_encoder,
)
from ensue.layers.pooling import POOLINGS, Pooling
from ensue.models.compiled import compile_model
from ensue.models.ngram import NgramSettings, estimate
from ensue.models.sequence import SequenceSettings
from ensue.state import map_state

INPUTS, WIDTH, SIZE, GROUP = 3, 5, 7, 25
DTYPES = (torch.float32, torch.float32, torch.float64, torch.bfloat16)
RECURRENT: tuple[dict[str, Any], ...] = (
    *({"cell": name} for name in CELLS),
    {"cell": "peephole", "depth": 2, "zoneout": 0.1},
    {"cell": "lstm", "depth": 2, "residual": True, "layer_norm": "output"},
    {"cell": "gru_reset_before", "layer_norm": "gates", "learn_initial_state": True},
)
OTHERS: tuple[Callable[[], Any], ...] = (
    *(
        lambda cell=cell: BidirectionalSettings(cell=cell, width=WIDTH).build(INPUTS)
        for cell in ("lstm", "jordan")
    ),
    lambda: ConvolutionSettings(width=WIDTH, windows=(3, 4)).build(INPUTS),
    lambda: WindowSettings(window=3, width=WIDTH).build(INPUTS),
    lambda: BagSettings(window=3, width=WIDTH).build(INPUTS),
    lambda: build_encoder(WindowSettings(window=3, width=WIDTH), INPUTS),
    lambda: build_encoder(RecurrentSettings(width=128), INPUTS),
    lambda: NoLayerSettings().build(INPUTS),
)


class Call:
    """A call that is right, until something in it is spoilt."""

    def __init__(self, draws: Random) -> None:
        self.draws = draws
        self.rows, self.steps = draws.randrange(1, 6), draws.randrange(1, 7)
        self.lengths: Any = None
        self.state: Any = None
        self.x: Any = None
        kinds = (
            self._recurrent,
            self._other,
            self._pooling,
            self._sequence,
            self._ngram,
            self._program,
        )
        self.name, self.call = draws.choices(kinds, (5, 4, 1, 3, 1, 4))[0]()

    def _layer(self, layer: Any, name: str) -> tuple[str, Callable[[], Any]]:
        dtype = self.draws.choice(DTYPES)
        layer = layer.to(dtype).train(self.draws.random() < 0.5)
        self.x = torch.randn(self.rows, self.steps, INPUTS).to(dtype)
        causal = isinstance(layer, Causal)
        if causal and self.draws.random() < 0.2:
            self.x = Lookup(torch.randn(SIZE, INPUTS).to(dtype), self._ids(SIZE))
        self.lengths = self._some_lengths()
        self.state = layer.initial(self.rows) if causal else None

        def call() -> Any:
            with torch.set_grad_enabled(self.draws.random() < 0.5):
                if causal:
                    y, _ = layer(self.x, self.state, self.lengths)
                else:
                    y = layer(self.x, self.lengths)
                if y.requires_grad:
                    y.sum().backward()
            return tuple(y.shape), (self.rows, self.steps, layer.width)

        return f"{name} of {dtype}", call

    def _recurrent(self) -> tuple[str, Callable[[], Any]]:
        settings = self.draws.choice(RECURRENT)
        return self._layer(Recurrent(inputs=INPUTS, width=WIDTH, **settings), str(settings))

    def _other(self) -> tuple[str, Callable[[], Any]]:
        layer = self.draws.choice(OTHERS)()
        return self._layer(layer, type(layer).__name__)

    def _pooling(self) -> tuple[str, Callable[[], Any]]:
        pooling = Pooling(self.draws.choice(POOLINGS), INPUTS)
        self.x = torch.randn(self.rows, self.steps, INPUTS)
        self.lengths = self._some_lengths(always=True)
        return f"pooling {pooling.kind}", lambda: (
            tuple(pooling(self.x, self.lengths).shape),
            (self.rows, pooling.features),
        )

    def _sequence(self) -> tuple[str, Callable[[], Any]]:
        body = {"name": "recurrent", "cell": self.draws.choice([*CELLS]), "width": WIDTH}
        model = SequenceSettings(embedding=self.draws.choice([0, 4]), body=body).build(SIZE).eval()
        tick = self.draws.random() < 0.5
        self.steps = 1 if tick else self.steps
        self.x, self.state = self._ids(SIZE + 1), model.initial(self.rows)
        self.lengths = None if tick else self._some_lengths()
        asked = compile_model(model) if tick else model

        def call() -> Any:
            with torch.no_grad():
                probs = asked(self.x, self.state, self.lengths)[0].probs  # type: ignore[attr-defined]
            return tuple(probs.shape), (self.rows, self.steps, SIZE)

        return f"sequence {body['cell']}", call

    def _ngram(self) -> tuple[str, Callable[[], Any]]:
        ids = np.random.default_rng(1).integers(0, SIZE, 50)
        model = estimate(ids, np.array([0, 50]), SIZE, NgramSettings(order=3))
        model = model.packed() if self.draws.random() < 0.5 else model
        self.x, self.state, self.lengths = (
            self._ids(SIZE + 1),
            model.initial(self.rows),
            self._some_lengths(),
        )

        def call() -> Any:
            distribution: Any = model(self.x, self.state, self.lengths)[0]
            return tuple(distribution.probs.shape), (self.rows, self.steps, SIZE)

        return "ngram", call

    def _program(self) -> tuple[str, Callable[[], Any]]:
        """The engine itself, whose values are spoilt one by one."""
        program = trace(CELLS[self.draws.choice([*CELLS])](), "cell")
        values: dict[str, Tensor] = {**start(program, INPUTS, WIDTH)}
        values |= {f"state/{state}": torch.zeros(self.rows, WIDTH) for state in program.states}
        self.state = {name: value.clone() for name, value in values.items()}
        self.x = torch.randn(self.steps, self.rows, INPUTS)
        self.rows, self.steps = self.steps, self.rows
        self.lengths = None

        def call() -> Any:
            rows, steps = self.steps, self.rows
            path, _ = run_program(program, {"x": self.x, **self.state}, self.lengths)
            return tuple(path.shape), (steps, rows, WIDTH)

        return "engine", call

    def _ids(self, size: int) -> Tensor:
        return torch.tensor(
            [[self.draws.randrange(size) for _ in range(self.steps)] for _ in range(self.rows)]
        )

    def _some_lengths(self, always: bool = False) -> Tensor | None:
        if not always and self.draws.random() < 0.4:
            return None
        return torch.tensor([self.draws.randrange(self.steps + 1) for _ in range(self.rows)])

    def spoil(self) -> str:
        """Make something wrong that no other part of the call can make good, and say what."""
        ways = [self._spoil_x]
        ways += [self._spoil_state] * 2 if self.state is not None else []
        ways += [self._spoil_lengths] if self.lengths is not None else []
        return self.draws.choice(ways)()

    def _spoil_x(self) -> str:
        if isinstance(self.x, Lookup):
            self.x = Lookup(self.x.table, self.x.ids + self.draws.choice([-SIZE, SIZE, 10**12]))
            return "ids"
        if not self.x.is_floating_point():
            ways: dict[str, Callable[[Tensor], Any]] = {
                "ids": lambda x: (
                    x + self.draws.choice([-SIZE - 1, SIZE + 1, 2**31, 2**32, -(2**40)])
                ),
                "a row more": lambda x: torch.cat([x, x[:1]]) if self.state is not None else x[0],
                "no rows of steps": lambda x: x[0],
                "a dimension more": lambda x: x[..., None],
                "floats": lambda x: x.double(),
                "int32": lambda x: x.int(),
            }
        else:
            ways = {
                "a feature less": lambda x: x[..., 1:],
                "a feature more": lambda x: torch.cat([x, x[..., :1]], -1),
                "a dimension more": lambda x: x[None],
                "a dimension less": lambda x: x[0],
                "a number": lambda x: x.sum(),
                "whole numbers": lambda x: x.long(),
                "complex numbers": lambda x: x.to(torch.complex64),
            }
            if not self.name.startswith(("NoLayer", "pooling")):
                ways["another dtype"] = lambda x: x.to(torch.float16)
        way = self.draws.choice([*ways])
        self.x = ways[way](self.x)
        return f"x: {way}"

    def _spoil_lengths(self) -> str:
        lengths = self.lengths
        ways: dict[str, Any] = {
            "negative": lengths - self.steps - 1,
            "too long": lengths + self.steps + 1,
            "one more": torch.cat([lengths, lengths[:1]]),
            "one less": lengths[1:],
            "floats": lengths.float(),
            "two dimensions": lengths[None],
            "a list": lengths.tolist(),
            "huge": lengths + 2**62,
        }
        way = self.draws.choice([*ways])
        self.lengths = ways[way]
        return f"lengths: {way}"

    def _spoil_state(self) -> str:
        ways: dict[str, Callable[[Tensor], Any]] = {
            "one row": lambda one: one[:1] if len(one) > 1 else one[:0],
            "a row more": lambda one: torch.cat([one, one[:1]]),
            "no rows": lambda one: one[:0],
            "a unit less": lambda one: one[..., 1:],
            "a unit more": lambda one: torch.cat([one, one[..., :1]], -1),
            "a dimension more": lambda one: one[None],
            "a dimension less": lambda one: one[0],
            "another dtype": lambda one: one.to(
                torch.float16 if one.is_floating_point() else torch.float32
            ),
        }
        structures = [] if self.name == "engine" else ["nothing", "a list of nothing"]
        way = self.draws.choice([*ways, *structures])
        if way not in ways:
            self.state = () if way == "nothing" else [None]
            return f"state: {way}"
        if isinstance(self.state, dict) and self.name == "engine":
            name = self.draws.choice([*self.state])
            self.state[name] = ways[way](self.state[name])
            return f"{name}: {way}"
        self.state = map_state(ways[way], self.state)
        return f"state: {way}"


def attempt(number: int, seed: int) -> str:
    """Make one call; give what is wrong with its outcome, or nothing."""
    draws = Random(f"{seed}/{number}")
    torch.manual_seed(number)
    made = Call(draws)
    spoilt = made.spoil() if draws.random() < 0.8 else ""
    what = f"call {number}: {made.name}, {made.rows} rows, {made.steps} steps, {spoilt or 'right'}"
    try:
        found, wanted = made.call()
    except ValueError as error:
        return "" if spoilt else f"{what}: {error}"
    except Exception:
        return f"{what}: {traceback.format_exc(limit=-1)}"
    if spoilt:
        return f"{what}: accepted"
    return "" if found == wanted else f"{what}: gave {found}, not {wanted}"


def in_children(seed: int, count: int) -> None:
    """Make calls in groups, and those of a group whose process died one by one."""
    for first in range(0, count, GROUP):
        group = range(first, min(first + GROUP, count))
        if in_a_child(group, seed):
            for number in group:
                status = in_a_child(range(number, number + 1), seed, quiet=True)
                if status:
                    print(f"call {number}: its process died of {status}", flush=True)


def in_a_child(numbers: range, seed: int, quiet: bool = False) -> int:
    """Make some calls, and give how their process ended."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    for number in numbers:
        wrong = attempt(number, seed)
        if wrong and not quiet:
            print(wrong, flush=True)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    torch.set_num_threads(1)
    in_children(int(sys.argv[1]), int(sys.argv[2]))
