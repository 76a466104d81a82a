"""What every cell obeys: in the engine, and as a layer; and that equations drawn at random are
differentiated right."""

from collections.abc import Callable
from random import Random
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from random_cells import random_program

from ensue.cells import (
    CELLS,
    Cell,
    Stage,
    absolute,
    maximum,
    minimum,
    normalise,
    relu,
    sigmoid,
    softplus,
    sqrt,
    tanh,
)
from ensue.engine import eager, paths, scan, ticks, trace, with_zoneout
from ensue.engine.program import Program
from ensue.errors import UserError
from ensue.layers import Causal, Recurrent
from ensue.testing import (
    CAUSAL_LAWS,
    CELL_LAWS,
    compiled_equals_eager,
    derivative_equals_autograd,
    engine_equals_ticks,
    values_for,
)
from ensue.testing import VARIANTS as CHANGES

VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "deep": {"depth": 2, "residual": True, "layer_norm": "output", "learn_initial_state": True},
    "gates": {"layer_norm": "gates", "zoneout": 0.2},
}


@pytest.fixture(params=sorted(CELLS))
def cell(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.mark.parametrize("law", CELL_LAWS, ids=lambda law: law.__name__)
def test_cell(cell: str, law: Callable[[Cell], None]) -> None:
    law(CELLS[cell]())


@pytest.mark.parametrize("law", CAUSAL_LAWS, ids=lambda law: law.__name__)
@pytest.mark.parametrize("variant", sorted(VARIANTS))
def test_layer(cell: str, variant: str, law: Callable[[Causal], None]) -> None:
    torch.manual_seed(0)
    law(Recurrent(cell, inputs=3, width=4, **VARIANTS[variant]))


class TwoWidths(Cell):
    """A state of width 3 beside units of the layer's width, and every operation that no named
    cell uses."""

    states = ("h", "low")
    weights = ("slope",)
    own_width: ClassVar[int | None] = 3
    stages = (
        Stage("equation", ("a", "b"), of="low", bias=("x", "h")),
        Stage("lower", ("c",), of="h_new", reads=False, bias=("h",), own_width=True),
    )

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        mixed = maximum(gate.a, weight.slope * state.h) - minimum(gate.b.x, softplus(gate.b.h)) / (
            2 + absolute(gate.a)
        )
        return {"h_new": tanh(normalise(mixed)), "h": sqrt(1 + state.h**2) - 1 + relu(mixed) * 0.5}

    def lower(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        return {"low": 0.5 * state.low + sigmoid(gate.c)}


@pytest.mark.parametrize("law", CELL_LAWS, ids=lambda law: law.__name__)
def test_cell_with_two_widths(law: Callable[[Cell], None]) -> None:
    law(TwoWidths())


def test_minimal_cells_are_scanned_and_no_others() -> None:
    linear = {name for name, kind in CELLS.items() if scan.linear(trace(kind(), name))}
    assert linear == {"mingru", "minlstm"}


class Reciprocal(Cell):
    """It does not see its state in a product, and has no value where that is zero."""

    states = ("h",)
    stages = (Stage("equation", ("new",), of=None),)

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        return {"h": gate.new + 1 / state.h}


def test_a_cell_that_cannot_be_at_zero_is_not_scanned() -> None:
    assert scan.linear(trace(Reciprocal(), "reciprocal")) is None


@settings(max_examples=40, deadline=None, derandomize=True, phases=[Phase.generate])
@given(st.randoms(use_true_random=False), st.sampled_from(sorted(CHANGES)))
def test_random_cells_are_differentiated_right(draws: Random, change: str) -> None:
    engine_equals_ticks(CHANGES[change](random_program(draws)))


class BiasOfRecurrence(Cell):
    """Its only bias is that of U h, and no gate reads its parts apart."""

    states = ("h",)
    stages = (Stage("equation", ("new",), of="h", bias=("h",)),)

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        return {"h": tanh(gate.new)}


class BothBiases(BiasOfRecurrence):
    stages = (Stage("equation", ("new",), of="h", bias=("x", "h")),)


class Cancelled(Cell):
    """One of its gates and one of its weights are there, but for nothing."""

    states = ("h",)
    gates = ("new", "idle")
    weights = ("idle",)

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        return {"h": tanh((gate.new + gate.idle + weight.idle) - gate.idle - weight.idle)}


class SharedAdjoint(Cell):
    """Two states and a weight have one and the same adjoint, and the loss looks at both states."""

    states = ("h", "c", "d")
    gates = ("new",)
    weights = ("shift",)

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        return {
            "h": tanh(gate.new),
            "c": tanh(state.c + state.d + weight.shift),
            "d": 0.5 * state.h,
        }


@pytest.mark.parametrize("kind", [BiasOfRecurrence, BothBiases, Cancelled, SharedAdjoint])
def test_cells_that_random_ones_showed_wrong(kind: type[Cell]) -> None:
    derivative_equals_autograd(kind())
    compiled_equals_eager(kind())


def test_a_product_of_a_mere_number_is_refused() -> None:
    class OfNumber(Cell):
        states = ("h",)
        stages = (Stage("equation", ("a",), of="h"), Stage("next", ("b",), of="one"))

        def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
            return {"one": tanh(1.0), "some": tanh(gate.a)}

        def next(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
            return {"h": tanh(gate.b + state.some)}

    with pytest.raises(UserError, match="the stage 'next' multiplies a constant"):
        trace(OfNumber(), "mine.py")


def test_a_wrong_derivative_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    from ensue.engine import derivative, schedule

    monkeypatch.setitem(
        derivative.RULES, "tanh", lambda n, d, v, a: [n.apply("sigmoid_back", d, v)]
    )
    schedule.plan.cache_clear()
    try:
        with pytest.raises(AssertionError):
            derivative_equals_autograd(CELLS["tanh"]())
    finally:
        schedule.plan.cache_clear()


def test_a_layer_that_looks_ahead_is_caught() -> None:
    from ensue.testing import nothing_looks_ahead

    class Ahead(torch.nn.Module):
        inputs = width = 3

        def initial(self, batch_size: int) -> tuple[()]:
            return ()

        def forward(
            self, x: torch.Tensor, state: tuple[()], lengths: None
        ) -> tuple[torch.Tensor, tuple[()]]:
            return x + x.sum(1, keepdim=True), state

    with pytest.raises(AssertionError, match="changes earlier outputs"):
        nothing_looks_ahead(Ahead())  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", [False, True])
def test_a_run_without_gradients_keeps_less_and_gives_the_same(cell: str, zone: bool) -> None:
    program = trace(CELLS[cell](), cell)
    program = with_zoneout(program) if zone else program
    values = values_for(program)
    with torch.no_grad():
        found = paths(eager, program, values)
    for one, other in zip(found, ticks(program, values), strict=True):
        assert not one.requires_grad
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_a_damaged_program_is_refused() -> None:
    for text in ("{", "{}", "[1]", '{"stages": 3}'):
        with pytest.raises(UserError, match="program of the cell is damaged"):
            Program.from_json(text)
