"""The compiled kernels give what the eager engine gives, however they are called, on every
instruction set."""

import multiprocessing
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from random import Random
from typing import Any

import hypothesis
import pytest
import torch
from hypothesis import strategies as st
from random_cells import random_program

from ensue import native as wheel
from ensue.cells import CELLS, Cell, Stage, tanh
from ensue.engine import (
    Program,
    eager,
    kernels,
    native,
    paths,
    run,
    start,
    trace,
    with_normalised_gates,
    with_zoneout,
)
from ensue.engine.tape import WHOLE_ROWS, tape
from ensue.layers import Recurrent
from ensue.state import walk_tensors
from ensue.testing import VARIANTS as CHANGES
from ensue.testing import compiled_is_right, values_for

pytestmark = pytest.mark.skipif(wheel.library() is None, reason="ensue-native is not installed")
VARIANTS = {
    "plain": lambda program: program,
    "both": lambda program: with_zoneout(with_normalised_gates(program)),
}


@pytest.fixture(params=wheel.instruction_sets())
def instruction_set(request: pytest.FixtureRequest) -> Iterator[str]:
    kernels = wheel.library()
    assert kernels is not None
    before = kernels.ensue_used()
    assert kernels.ensue_use(request.param.encode())
    yield request.param
    kernels.ensue_use(before)


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_at_every_width(instruction_set: str, cell: str, variant: str) -> None:
    program = VARIANTS[variant](trace(CELLS[cell](), cell))
    for width, batch, lengths in (
        (64, 1, None),
        (100, 7, torch.tensor([9, 0, 3, 9, 1, 4, 2])),
        (130, 2, torch.tensor([5, 6])),
        (70, 18, torch.tensor([9, 0, 3, 9, 1, 4, 2, 5, 5, 5, 8, 8, 1, 0, 2, 7, 6, 9])),
    ):
        compiled_is_right(program, values_for(program, 5, width, 9, batch), lengths)


@hypothesis.settings(
    max_examples=60, deadline=None, derandomize=True, phases=[hypothesis.Phase.generate]
)
@hypothesis.given(
    st.randoms(use_true_random=False), st.sampled_from(sorted(CHANGES)), st.sampled_from([1, 5, 70])
)
def test_cells_at_random(draws: Random, change: str, width: int) -> None:
    program = CHANGES[change](random_program(draws))
    compiled_is_right(program, values_for(program, 5, width, 9, batch=17))
    compiled_is_right(
        program, values_for(program, 5, width, 9, batch=4), torch.tensor([4, 0, 9, 2])
    )


class Cancelling(Cell):
    """The two products of the gate `b` cancel out of the derivative of the second."""

    states = ("h",)
    stages = (Stage("equation", ("a", "b"), of="h", bias=("x",)),)

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        """Add and subtract U h of the gate `b`."""
        return {"h": tanh(gate.a + gate.b.x - gate.b.h + gate.b.h)}


def test_whole_rows_of_a_constant_are_no_memory_of_others(instruction_set: str) -> None:
    # A constant is held in one tile, and the kernels of whole rows read the row's width.
    program = with_normalised_gates(trace(Cancelling(), "cancelling"))
    backward = tape(program, "backward", True)
    names = list(backward.slots)
    for name, _, args in backward.instructions:
        assert name not in WHOLE_ROWS or not [one for one in args if names[one][0] == "constant"]
    compiled_is_right(program, values_for(program, 5, 70, 9, batch=17))


@pytest.mark.parametrize(
    ("steps", "columns", "inputs"), [(0, 3, 2), (1, 64, 1), (129, 70, 13), (300, 200, 1100)]
)
def test_gradients_of_matrices(
    instruction_set: str, threads: None, steps: int, columns: int, inputs: int
) -> None:
    adjoint, source = torch.randn(steps, columns + 3)[:, 3:], torch.randn(steps, inputs + 1)[:, 1:]
    torch.set_num_threads(3)
    mine = native.weigh(adjoint, source)
    torch.testing.assert_close(mine, eager.weigh(adjoint, source), rtol=0, atol=1e-4)
    torch.set_num_threads(1)
    assert all(map(torch.equal, mine, native.weigh(adjoint, source)))


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_any_number_of_threads_gives_the_same_bits(
    instruction_set: str, threads: None, count: int
) -> None:
    program = trace(CELLS["mlstm"](), "mlstm")
    values = {name: value.float() for name, value in values_for(program, 5, 70, 6, 13).items()}
    torch.set_num_threads(1)
    alone = paths(native, program, values)
    torch.set_num_threads(count)
    for one, other in zip(paths(native, program, values), alone, strict=True):
        assert torch.equal(one, other)
    compiled_is_right(program, values_for(program, 5, 70, 6, 3))


@pytest.mark.parametrize("cell", ["lstm", "gru", "peephole"])
def test_what_is_not_contiguous(cell: str) -> None:
    program = trace(CELLS[cell](), cell)
    plain = {name: value.detach() for name, value in values_for(program, 5, 20).items()}
    spread = {}
    for name, value in plain.items():
        # Every second number of something wider; matrices also the other way round.
        wide = torch.stack([value, torch.full_like(value, torch.nan)], -1)
        spread[name] = wide.flatten(-2)[..., ::2] if value.dim() != 2 else value.T.contiguous().T
        assert value.numel() == 1 or not spread[name].is_contiguous()
        assert torch.equal(spread[name], value)
    single = {
        name: torch.empty_strided(value.shape, value.stride()).copy_(value)
        for name, value in spread.items()
    }
    assert not single["equation/recurrent"].is_contiguous()
    found = paths(native, program, single)
    for one, other in zip(found, paths(eager, program, plain), strict=True):
        torch.testing.assert_close(one.double(), other, rtol=0, atol=1e-5)


def test_a_zone_that_is_one_number_everywhere() -> None:
    program = with_zoneout(trace(CELLS["lstm"](), "lstm"))
    values = {name: value.detach().float() for name, value in values_for(program, 5, 20).items()}
    values |= {
        name: torch.tensor(0.2).expand_as(value)
        for name, value in values.items()
        if name.startswith("zone/")
    }
    for one, other in zip(
        paths(native, program, values), paths(eager, program, values), strict=True
    ):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_gradients_that_are_not_contiguous() -> None:
    program = trace(CELLS["lstm"](), "lstm")
    values = {
        name: value.detach().float().requires_grad_()
        for name, value in values_for(program, 5, 20).items()
    }
    found = []
    for backend in (native, eager):
        path = paths(backend, program, values)[0]
        # The gradient of a sum is one number everywhere, of stride 0; that of a transposition comes
        # transposed.
        loss = path.sum() + (path.transpose(0, 2) * torch.arange(7.0)).sum()
        found.append(torch.autograd.grad(loss, list(values.values())))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("cell", ["lstm", "gru", "mlstm", "mingru"])
def test_no_rows_and_rows_of_no_steps(cell: str) -> None:
    layer = Recurrent(cell, inputs=3, width=4)
    for batch, steps, lengths in (
        (0, 5, None),
        (0, 5, []),
        (2, 5, [0, 0]),
        (2, 5, [0, 5]),
        (2, 0, None),
    ):
        counts = None if lengths is None else torch.tensor(lengths, dtype=torch.int64)
        x = torch.randn(batch, steps, 3, requires_grad=True)
        before = layer.initial(batch)
        y, after = layer(x, before, counts)
        assert y.shape == (batch, steps, 4)
        if lengths == [0, 0] or not steps:
            for one, other in zip(walk_tensors(after), walk_tensors(before), strict=True):
                assert torch.equal(one, other)
        if y.requires_grad:
            y.sum().backward()
            assert x.grad is not None
            assert torch.isfinite(x.grad).all()


def play_in_a_child(answer: Connection, program: Program, values: dict[str, torch.Tensor]) -> None:
    answer.send(paths(native, program, values)[0].tolist())


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_works_after_its_parent_has(
    threads: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = trace(CELLS["lstm"](), "lstm")
    values = {
        name: value.detach().float() for name, value in values_for(program, 5, 20, 5, 4).items()
    }
    # Ours are many; torch's own threads do not live through a fork, so there must be none.
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    mine = paths(native, program, values)[0]
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    child = context.Process(target=play_in_a_child, args=(there, program, values), daemon=True)
    child.start()
    try:
        assert here.poll(30), "the child hangs"
        assert torch.equal(torch.tensor(here.recv()), mine)
    finally:
        child.kill()


def test_two_python_threads_at_once(threads: None) -> None:
    torch.set_num_threads(2)
    programs = [trace(CELLS[cell](), cell) for cell in ("lstm", "gru")]
    values = [
        {name: value.detach().float() for name, value in values_for(program, 5, 70, 20, 6).items()}
        for program in programs
    ]
    alone = [paths(native, *pair)[0] for pair in zip(programs, values, strict=True)]
    wrong: list[int] = []

    def play(number: int) -> None:
        torch.set_num_threads(2)
        for _ in range(50):
            if not torch.equal(paths(native, programs[number], values[number])[0], alone[number]):
                wrong.append(number)

    players = [threading.Thread(target=play, args=(number,), daemon=True) for number in (0, 1, 0)]
    for player in players:
        player.start()
    for player in players:
        player.join(60)
    assert not any(player.is_alive() for player in players)
    assert wrong == []


def test_what_the_kernels_cannot_do_goes_to_the_eager_engine() -> None:
    program = trace(CELLS["peephole"](), "peephole")
    exact = {name: value.detach() for name, value in values_for(program).items()}
    assert not native.usable(program, exact)
    assert native.usable(program, {name: value.float() for name, value in exact.items()})
    assert run(program, exact)[0].dtype == torch.float64


def test_torch_gets_an_lstm_of_equal_rows_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[str] = []
    for module, name in ((kernels, "run"), (native, "forward")):
        own = getattr(module, name)
        monkeypatch.setattr(
            module, name, lambda *all, own=own, of=module.__name__: called.append(of) or own(*all)
        )
    for cell in ("lstm", "gru"):
        program = trace(CELLS[cell](), cell)
        values = {name: value.detach().float() for name, value in values_for(program).items()}
        for lengths in (None, torch.tensor([7, 7]), torch.tensor([7, 3]), torch.tensor([0, 3])):
            run(program, values, lengths)
    ours, torchs = native.__name__, kernels.__name__
    assert called == [torchs, torchs, ours, ours, ours, ours, ours, ours]


class Aside(Cell):
    """One of its states is written and never read."""

    states = ("h", "aside")
    gates = ("new", "other")

    def equation(self, gate: Any, state: Any, weight: Any) -> dict[str, Any]:
        return {"h": tanh(gate.new), "aside": tanh(gate.other)}


def test_a_state_that_nobody_reads_and_the_loss_does_not_see() -> None:
    program = trace(Aside(), "aside.py")
    values = {name: tensor.requires_grad_() for name, tensor in start(program, 3, 5).items()}
    values |= {f"state/{state}": torch.randn(2, 5, requires_grad=True) for state in program.states}
    values["x"] = torch.randn(4, 2, 3)
    sources = [value for value in values.values() if value.requires_grad]
    found = [
        torch.autograd.grad(
            paths(backend, program, values)[0].square().sum(), sources, allow_unused=True
        )
        for backend in (native, eager)
    ]
    for mine, other in zip(*found, strict=True):
        torch.testing.assert_close(
            *(torch.zeros(1) if one is None else one.abs().sum()[None] for one in (mine, other))
        )
