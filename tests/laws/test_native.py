"""The compiled kernels give what the eager engine gives, for every cell, width, length and number of threads."""

import pytest
import torch
from torch import Tensor

from ensue import native as wheel
from ensue.cells import CELLS
from ensue.engine import Program, eager, native, packed_paths, start, trace, with_normalised_gates, with_zoneout
from ensue.engine.layout import Layout

pytestmark = pytest.mark.skipif(wheel.library() is None, reason="ensue-native is not installed")
VARIANTS = {
    "plain": lambda program: program,
    "zoneout": with_zoneout,
    "normalised": with_normalised_gates,
    "both": lambda program: with_zoneout(with_normalised_gates(program)),
}


def values_for(program: Program, batch: int, width: int, inputs: int = 5, steps: int = 9) -> dict[str, Tensor]:
    torch.manual_seed(1)
    values = {name: tensor.requires_grad_() for name, tensor in start(program, inputs, width).items()}
    for name in values:
        if name.startswith("weight/"):
            values[name] = torch.randn_like(values[name]).requires_grad_()
    values["x"] = torch.randn(steps, batch, inputs, requires_grad=True)
    for state in program.states:
        values[f"state/{state}"] = torch.randn(batch, width, requires_grad=True)
        if any(node.op == "zone" for node in program.nodes):
            values[f"zone/{state}"] = torch.rand(steps, batch, width)
    return values


def answers(backend: object, program: Program, values: dict[str, Tensor], lengths: Tensor | None) -> list[Tensor]:
    """Give paths, and the gradients of everything, of a loss that weighs the real steps of all paths unlike."""
    whole = Layout.of(values["x"], lengths if backend is native else None)
    found = [whole.unpack(path) for path in packed_paths(backend, program, values, whole)]  # type: ignore[arg-type]
    if lengths is not None:
        real = torch.arange(len(values["x"]))[:, None] < lengths
        found = [path * real[..., None] for path in found]
    draws = torch.Generator().manual_seed(3)
    loss = sum((path * torch.randn(path.shape, generator=draws, dtype=torch.float64).to(path)).sum() for path in found)
    sources = [value for value in values.values() if value.requires_grad]
    gradients = torch.autograd.grad(loss, sources, allow_unused=True)  # type: ignore[arg-type]
    return [*found, *(torch.zeros_like(to) if one is None else one for to, one in zip(sources, gradients, strict=True))]


@pytest.mark.parametrize("width", [4, 64, 100])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_kernels_equal_the_eager_engine(cell: str, variant: str, width: int) -> None:
    program = VARIANTS[variant](trace(CELLS[cell](), cell))
    for batch, lengths in ((1, None), (7, None), (7, torch.tensor([9, 0, 3, 9, 1, 4, 2])), (2, torch.tensor([5, 6]))):
        values = values_for(program, batch, width)
        exact = {name: value.detach().double().requires_grad_(value.requires_grad) for name, value in values.items()}
        for mine, other, true in zip(
            answers(native, program, values, lengths),
            answers(eager, program, values, lengths),
            answers(eager, program, exact, lengths),
            strict=True,
        ):
            # Normalising few units that are nearly equal makes much of rounding, in both.
            rounding = (other - true).abs().max().item()
            allowed = max(1e-5 * max(1.0, true.abs().max().item()), 10 * rounding)
            torch.testing.assert_close(mine.double(), true, rtol=0, atol=allowed)
