"""Laws of causal layers and cells, callable on your own class; each raises AssertionError.

>>> from ensue.layers import Recurrent
>>> for law in CAUSAL_LAWS:
...     law(Recurrent("minlstm", inputs=3, width=4).double())
>>> from ensue.cells import CELLS
>>> for law in CELL_LAWS:
...     law(CELLS["peephole"]())
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from ensue.cells import Cell
from ensue.engine import (
    Program,
    eager,
    get_width,
    kernels,
    native,
    packed_paths,
    paths,
    scan,
    start,
    ticks,
    trace,
    with_normalised_gates,
    with_zoneout,
)
from ensue.engine.differentiable import Backend
from ensue.engine.layout import Layout
from ensue.layers import Causal
from ensue.native import library
from ensue.state import State, select_rows, walk_tensors

BATCH, TIME = 2, 7
CLOSE = 1e-9
"""Tolerance between two computations of the same result, in float64."""


def _close(one: Iterable[Tensor], other: Iterable[Tensor]) -> None:
    for a, b in zip(one, other, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=CLOSE)


def _input(layer: Causal) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, TIME, layer.inputs, dtype=torch.float64, generator=generator)


def _run(
    layer: Causal, x: Tensor, state: State | None = None, lengths: Tensor | None = None
) -> tuple[Tensor, State]:
    return layer.double().eval()(x, layer.initial(len(x)) if state is None else state, lengths)


def resuming_equals_running_at_once(layer: Causal) -> None:
    """A sequence run in two pieces, cut anywhere, gives the same result as in one."""
    x = _input(layer)
    whole, end = _run(layer, x)
    for cut in range(TIME + 1):
        first, middle = _run(layer, x[:, :cut])
        second, last = _run(layer, x[:, cut:], middle)
        _close([torch.cat([first, second], 1), *walk_tensors(last)], [whole, *walk_tensors(end)])


def rows_do_not_mix(layer: Causal) -> None:
    """A row gives the same result alone and in a batch."""
    x = _input(layer)
    both, end = _run(layer, x)
    for row in range(BATCH):
        alone, last = _run(layer, x[row : row + 1])
        _close(
            [alone, *walk_tensors(last)],
            [both[row : row + 1], *walk_tensors(select_rows(end, torch.tensor([row])))],
        )


def nothing_looks_ahead(layer: Causal) -> None:
    """A change at a step changes nothing before it, and the output at it."""
    x = _input(layer)
    before, _ = _run(layer, x)
    for step in range(TIME):
        changed = x.clone()
        changed[:, step] += 1
        after, _ = _run(layer, changed)
        assert torch.equal(after[:, :step], before[:, :step]), (
            f"step {step} changes earlier outputs"
        )
        assert not torch.allclose(after[:, step], before[:, step]), (
            f"step {step} does not change its output"
        )


def padding_changes_nothing(layer: Causal) -> None:
    """Padding past a row's length changes neither output nor state, for every length from 0."""
    x = _input(layer)
    for length in range(TIME + 1):
        padded = x.clone()
        padded[0, length:] = 1e3
        y, end = _run(layer, padded, lengths=torch.tensor([length, TIME]))
        short, last = _run(layer, x[:1, :length])
        _close(
            [y[:1, :length], *walk_tensors(select_rows(end, torch.tensor([0])))],
            [short, *walk_tensors(last)],
        )
        assert torch.isfinite(y).all()


def gradients_are_right(layer: Causal) -> None:
    """Gradients of input and parameters match finite differences, with lengths too."""
    x = _input(layer)[:, :4].requires_grad_()
    parameters = tuple(layer.double().eval().parameters())
    lengths = torch.tensor([4, 2])

    def run(x: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        _, end = layer(x, layer.initial(BATCH), lengths)
        return (layer(x, layer.initial(BATCH))[0], *walk_tensors(end))

    assert gradcheck(run, (x, *parameters), fast_mode=True)


def every_parameter_learns(layer: Causal) -> None:
    """Every parameter gets a gradient."""
    layer.zero_grad()
    _run(layer, _input(layer))[0].square().sum().backward()
    without_gradient = [
        name for name, one in layer.named_parameters() if one.grad is None or not one.grad.any()
    ]
    assert without_gradient == [], f"no gradient for {without_gradient}"


def saving_changes_nothing(layer: Causal) -> None:
    """A layer gives the same bits after its parameters are saved and loaded."""
    x = _input(layer)
    before, _ = _run(layer, x)
    saved = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    layer.load_state_dict(saved)
    assert torch.equal(_run(layer, x)[0], before)


CAUSAL_LAWS: tuple[Callable[[Causal], None], ...] = (
    resuming_equals_running_at_once,
    rows_do_not_mix,
    nothing_looks_ahead,
    padding_changes_nothing,
    gradients_are_right,
    every_parameter_learns,
    saving_changes_nothing,
)
"""Laws of every causal layer."""


def values_for(
    program: Program, inputs: int = 3, width: int = 4, steps: int = TIME, batch: int = BATCH
) -> dict[str, Tensor]:
    """Sample all inputs of a program in float64, with gradients for all but zoneout masks."""
    generator = torch.Generator().manual_seed(2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(2)
        parameters = start(program, inputs, width)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    values = {"x": draw(steps, batch, inputs)}
    for name, tensor in parameters.items():
        values[name] = tensor.double() + 0.3 * draw(*tensor.shape)
    for state in program.states:
        values[f"state/{state}"] = draw(
            batch, get_width(program, width, state in program.own_states)
        )
    values = {name: value.requires_grad_() for name, value in values.items()}
    if any(node.op == "zone" for node in program.nodes):
        values |= {
            f"zone/{state}": (draw(*values[f"state/{state}"].shape) > 0)
            .double()
            .expand(steps, -1, -1)
            for state in program.states
        }
    return values


VARIANTS: dict[str, Callable[[Program], Program]] = {
    "plain": lambda program: program,
    "zoneout": with_zoneout,
    "normalised": with_normalised_gates,
    "both": lambda program: with_zoneout(with_normalised_gates(program)),
}
"""Program transformations for any cell."""


def _variants(cell: Cell) -> list[Program]:
    return [change(trace(cell, type(cell).__name__)) for change in VARIANTS.values()]


def _gradients(
    paths: tuple[Tensor, ...], values: dict[str, Tensor], first_only: bool
) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    chosen = paths[:1] if first_only else paths
    given = [
        torch.randn(path.shape, dtype=torch.float64, generator=generator).to(path)
        for path in chosen
    ]
    sources = [value for value in values.values() if value.requires_grad]
    found = torch.autograd.grad(chosen, sources, given, retain_graph=True, allow_unused=True)
    return [
        torch.zeros_like(source) if one is None else one
        for source, one in zip(sources, found, strict=True)
    ]


def derivative_equals_autograd(cell: Cell) -> None:
    """Paths and gradients of the engine equal those of plain ticks, for all VARIANTS."""
    for program in _variants(cell):
        engine_equals_ticks(program)


def engine_equals_ticks(program: Program) -> None:
    """Paths and gradients of the engine equal those of plain ticks."""
    values = values_for(program)
    plain = ticks(program, values)
    ways = [paths(eager, program, values)]
    if scan.linear(program):
        ways.append(scan.run(program, values))
    for way in ways:
        _close(way, plain)
        for first_only in (True, False):
            _close(_gradients(way, values, first_only), _gradients(plain, values, first_only))


def kernels_equal_ticks(cell: Cell) -> None:
    """If torch has a kernel for the cell, its results and gradients are equal, with lengths too."""
    program = trace(cell, type(cell).__name__)
    if kernels.find_kernel(program) is None:
        return
    values, lengths = values_for(program), torch.tensor([3, TIME])
    plain = ticks(program, values)
    path, end = kernels.run(program, values, None)
    _close([path, *end.values()], [plain[0], *(one[-1] for one in plain)])
    _close(_gradients((path,), values, True), _gradients(plain, values, True))
    path, end = kernels.run(program, values, lengths)
    _close([path[:3, 0], path[:, 1]], [plain[0][:3, 0], plain[0][:, 1]])
    _close(end.values(), [torch.stack([one[2, 0], one[TIME - 1, 1]]) for one in plain])


def compiled_equals_eager(cell: Cell) -> None:
    """The compiled kernels equal the eager backend if installed, for unequal lengths too."""
    for program in _variants(cell):
        values = values_for(program, width=5, batch=3)
        for lengths in (None, torch.tensor([3, 0, TIME])):
            compiled_is_right(program, values, lengths)


def compiled_is_right(
    program: Program, exact: dict[str, Tensor], lengths: Tensor | None = None
) -> None:
    """Compare the compiled kernels, if installed, with the eager backend in float64 (`exact`)."""
    if library() is not None:
        assert native.usable(program, {name: value.float() for name, value in exact.items()})
        backend_is_right(native, program, exact, lengths)


def backend_is_right(
    backend: Backend, program: Program, exact: dict[str, Tensor], lengths: Tensor | None = None
) -> None:
    """Compare a float32 backend with the eager backend in float64 (`exact`), to 1e-5.

    If the eager backend itself is less exact in float32 anywhere, the tolerance grows, because
    rounding errors are random.
    """
    values = {
        name: value.detach().float().requires_grad_(value.requires_grad)
        for name, value in exact.items()
    }
    found = _outputs_and_gradients(backend, program, values, lengths)
    ways = (
        _outputs_and_gradients(eager, program, values, lengths),
        _outputs_and_gradients(eager, program, exact, lengths),
    )
    scales = [true.abs().max().clamp_min(1).item() if true.numel() else 1.0 for true in ways[1]]
    pairs = zip(*ways, scales, strict=True)
    rounding = max(
        (other - true).abs().max().item() / scale for other, true, scale in pairs if true.numel()
    )
    for mine, true, scale in zip(found, ways[1], scales, strict=True):
        torch.testing.assert_close(
            mine.double(), true, rtol=0, atol=max(1e-5, 100 * rounding) * scale
        )


def _outputs_and_gradients(
    backend: Backend, program: Program, values: dict[str, Tensor], lengths: Tensor | None
) -> list[Tensor]:
    """Return the paths, and all gradients of a loss that weighs the real steps unequally."""
    layout = Layout.of(values["x"], None if backend is eager else lengths)
    found = tuple(layout.unpack(path) for path in packed_paths(backend, program, values, layout))
    if lengths is not None:
        real = torch.arange(len(values["x"]))[:, None] < lengths
        found = tuple(path * real[..., None] for path in found)
    return [*found, *_gradients(found, values, first_only=False)]


def second_derivative_is_right(cell: Cell) -> None:
    """Second derivatives match finite differences."""
    program = trace(cell, type(cell).__name__)
    values = values_for(program, inputs=2, width=2)
    values["x"] = values["x"][:3].detach().requires_grad_()
    names = list(values)

    def run(*tensors: Tensor) -> tuple[Tensor, ...]:
        return paths(eager, program, dict(zip(names, tensors, strict=True)))

    assert gradgradcheck(run, tuple(values.values()), atol=1e-4, fast_mode=True)


def json_changes_nothing(cell: Cell) -> None:
    """A program survives a JSON round trip unchanged."""
    program = trace(cell, type(cell).__name__)
    again = Program.from_json(program.to_json())
    assert again == program
    assert again.to_json() == program.to_json()


CELL_LAWS: tuple[Callable[[Cell], None], ...] = (
    derivative_equals_autograd,
    kernels_equal_ticks,
    compiled_equals_eager,
    second_derivative_is_right,
    json_changes_nothing,
)
"""Laws of every cell in the engine."""
