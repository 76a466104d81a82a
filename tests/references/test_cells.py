"""Cells against torch's modules, and against the papers' equations written out in NumPy, gate by
gate."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ensue.cells import CELLS
from ensue.engine import eager, paths, run, trace
from ensue.layers import Recurrent
from ensue.testing import values_for

Arrays = dict[str, NDArray[np.float64]]
TORCH = {"tanh": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def sigmoid(a: NDArray[np.float64]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-a))


def copied(name: str, dtype: torch.dtype) -> tuple[nn.Module, Recurrent]:
    """A module of torch and a layer of ours with the same weights: one's are copied to the other
    by name."""
    torch.manual_seed(0)
    theirs = TORCH[name](3, 4, num_layers=2, batch_first=True).to(dtype)
    ours = Recurrent(name, inputs=3, width=4, depth=2).to(dtype)
    with torch.no_grad():
        for depth, cell in enumerate(ours.cells):
            names = [
                f"{kind}_l{depth}" for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            w, u, b, d = (getattr(theirs, name) for name in names)
            cell["equation/input"].copy_(w)
            cell["equation/recurrent"].copy_(u)
            if name == "gru":
                cell["equation/input_bias"].copy_(b)
                cell["equation/recurrent_bias"].copy_(d)
            else:
                cell["equation/input_bias"].copy_(b + d)
    return theirs, ours


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("name", sorted(TORCH))
def test_equals_torch(name: str, dtype: torch.dtype) -> None:
    theirs, ours = copied(name, dtype)
    close = {"rtol": 0, "atol": 1e-5 if dtype == torch.float32 else 1e-12}
    x = torch.randn(2, 7, 3, dtype=dtype, requires_grad=True)
    y, state = ours(x)
    z, end = theirs(x)
    torch.testing.assert_close(y, z, **close)
    ends = end if name == "lstm" else (end,)
    for key, whole in zip(("h", "c"), ends, strict=False):
        torch.testing.assert_close(torch.stack([part[key] for part in state]), whole, **close)
    given = torch.randn_like(y)
    torch.testing.assert_close(
        torch.autograd.grad(y, x, given), torch.autograd.grad(z, x, given), **close
    )


@pytest.mark.parametrize("name", ["gru", "lstm"])
def test_a_swapped_pair_of_gates_is_caught(name: str) -> None:
    """The fault that passes every law: the weights of two gates exchanged on the way from torch."""
    theirs, ours = copied(name, torch.float64)
    with torch.no_grad():
        for key in ("equation/input", "equation/recurrent", "equation/input_bias"):
            first, second, *rest = ours.cells[0][key].clone().split(4)
            ours.cells[0][key].copy_(torch.cat([second, first, *rest]))
    x = torch.randn(2, 7, 3, dtype=torch.float64)
    assert not torch.allclose(ours(x)[0], theirs(x)[0], atol=1e-3)


class Gates:
    """The matrices of one stage by gate, cut out of what the engine holds."""

    def __init__(self, cell: str, values: Arrays, stage: str = "equation") -> None:
        part = next(part for part in trace(CELLS[cell](), cell).stages if part.name == stage)
        self.order, self.values, self.stage = part.gates, values, stage

    def cut(self, key: str, gate: str) -> NDArray[np.float64]:
        return np.split(self.values[f"{self.stage}/{key}"], len(self.order))[self.order.index(gate)]

    def __call__(
        self, gate: str, x: NDArray[np.float64], v: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return self.x(gate, x) + self.h(gate, v)

    def x(self, gate: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        bias = self.cut("input_bias", gate) if f"{self.stage}/input_bias" in self.values else 0.0
        return x @ self.cut("input", gate).T + bias

    def h(self, gate: str, v: NDArray[np.float64]) -> NDArray[np.float64]:
        return v @ self.cut("recurrent", gate).T


def irnn(
    values: Arrays, x: NDArray[np.float64], h: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Le et al. 2015, section 3."""
    return {"h": np.maximum(Gates("irnn", values)("hidden", x, h), 0)}


def jordan(
    values: Arrays, x: NDArray[np.float64], y: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Jordan 1986: the plan and the last output make the hidden units, these make the output."""
    hidden = np.tanh(Gates("jordan", values)("hidden", x, y))
    answer = Gates("jordan", values, "output")
    return {"y": np.tanh(answer.h("output", hidden) + answer.cut("recurrent_bias", "output"))}


def peephole(
    values: Arrays, x: NDArray[np.float64], h: NDArray[np.float64], c: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Gers & Schmidhuber 2000, equations 1 to 7, squashing by tanh."""
    gates = Gates("peephole", values)
    i = sigmoid(gates("input", x, h) + values["weight/input"] * c)
    f = sigmoid(gates("forget", x, h) + values["weight/forget"] * c)
    new = f * c + i * np.tanh(gates("candidate", x, h))
    o = sigmoid(gates("output", x, h) + values["weight/output"] * new)
    return {"h": o * np.tanh(new), "c": new}


def gru_reset_before(
    values: Arrays, x: NDArray[np.float64], h: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Cho et al. 2014, equations 5 to 8: h = z h + (1 - z) h~, h~ = tanh(W x + U (r h))."""
    gates = Gates("gru_reset_before", values)
    r, z = sigmoid(gates("reset", x, h)), sigmoid(gates("update", x, h))
    return {
        "h": z * h
        + (1 - z)
        * np.tanh(Gates("gru_reset_before", values, "update_state")("candidate", x, r * h))
    }


def mlstm(
    values: Arrays, x: NDArray[np.float64], h: NDArray[np.float64], c: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Krause et al. 2016, section 3: m = (W_mx x) (W_mh h) stands for h in every gate."""
    mix, gates = Gates("mlstm", values, "mix"), Gates("mlstm", values)
    m = mix.x("mixed", x) * mix.h("mixed", h)
    new = sigmoid(gates("forget", x, m)) * c + sigmoid(gates("input", x, m)) * np.tanh(
        gates("candidate", x, m)
    )
    return {"h": sigmoid(gates("output", x, m)) * np.tanh(new), "c": new}


def mingru(
    values: Arrays, x: NDArray[np.float64], h: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Feng et al. 2024, section 3.1: h = (1 - z) h + z h~."""
    gates = Gates("mingru", values)
    z = sigmoid(gates.x("update", x))
    return {"h": (1 - z) * h + z * gates.x("candidate", x)}


def minlstm(
    values: Arrays, x: NDArray[np.float64], h: NDArray[np.float64]
) -> dict[str, NDArray[np.float64]]:
    """Feng et al. 2024, section 3.2: h = f' h + i' h~, f' = f / (f + i), i' = i / (f + i)."""
    gates = Gates("minlstm", values)
    f, i = sigmoid(gates.x("forget", x)), sigmoid(gates.x("input", x))
    return {"h": f / (f + i) * h + i / (f + i) * gates.x("candidate", x)}


TICKS: dict[str, Callable[..., dict[str, NDArray[np.float64]]]] = {
    one.__name__: one for one in (irnn, jordan, peephole, gru_reset_before, mlstm, mingru, minlstm)
}


def numpy_paths(name: str, values: Arrays) -> dict[str, NDArray[np.float64]]:
    states = CELLS[name].states
    now = {state: values[f"state/{state}"] for state in states}
    paths = []
    for x in values["x"]:
        now = TICKS[name](values, x, *(now[state] for state in states))
        paths.append(now)
    return {state: np.stack([step[state] for step in paths]) for state in states}


def arrays_of(values: dict[str, Tensor]) -> Arrays:
    return {name: value.detach().numpy() for name, value in values.items()}


def test_every_cell_has_a_reference() -> None:
    assert TICKS.keys() | TORCH.keys() == CELLS.keys()


@pytest.mark.parametrize("name", sorted(TICKS))
def test_equals_the_equations_of_the_paper(name: str) -> None:
    program = trace(CELLS[name](), name)
    values = values_for(program)
    expected = numpy_paths(name, arrays_of(values))
    path, end = run(program, values)
    np.testing.assert_allclose(
        path.detach().numpy(), expected[program.states[0]], rtol=0, atol=1e-12
    )
    for state, last in end.items():
        np.testing.assert_allclose(last.detach().numpy(), expected[state][-1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", sorted(TICKS))
def test_gradients_equal_differences_of_the_equations_of_the_paper(name: str) -> None:
    program = trace(CELLS[name](), name)
    values = values_for(program)
    found = paths(eager, program, values)
    weight = torch.linspace(-1, 1, found[0].numel(), dtype=torch.float64).view_as(found[0])
    (found[0] * weight).sum().backward()
    arrays = arrays_of(values)

    def loss(changed: Arrays) -> float:
        return float((numpy_paths(name, changed)[program.states[0]] * weight.numpy()).sum())

    draws = np.random.default_rng(0)
    for key, value in values.items():
        way, step = draws.standard_normal(value.shape), 1e-6
        up, down = (loss({**arrays, key: arrays[key] + sign * step * way}) for sign in (1, -1))
        assert value.grad is not None
        assert (up - down) / (2 * step) == pytest.approx(
            float((value.grad.numpy() * way).sum()), rel=1e-5, abs=1e-6
        )


@pytest.mark.parametrize("name", ["gru_reset_before", "peephole", "mlstm", "minlstm"])
def test_swapped_gates_of_any_cell_are_caught(name: str) -> None:
    program = trace(CELLS[name](), name)
    values = values_for(program)
    expected = numpy_paths(name, arrays_of(values))
    key = "equation/input"
    first, second, *rest = values[key].chunk(
        len(program.stages[-1 if name == "mlstm" else 0].gates)
    )
    swapped = {**values, key: torch.cat([second, first, *rest])}
    assert not np.allclose(
        run(program, swapped)[0].detach().numpy(), expected[program.states[0]], atol=1e-3
    )


def test_irnn_starts_from_the_identity_and_forget_gates_from_one() -> None:
    start = Recurrent("irnn", inputs=3, width=4).cells[0]
    assert torch.equal(start["equation/recurrent"], torch.eye(4))
    assert not start["equation/input_bias"].any()
    lstm = Recurrent("lstm", inputs=3, width=4).cells[0]
    assert lstm["equation/input_bias"].tolist() == [0] * 4 + [1] * 4 + [0] * 8
    u = lstm["equation/recurrent"][:4]
    torch.testing.assert_close(u @ u.T, torch.eye(4), rtol=0, atol=1e-6)
