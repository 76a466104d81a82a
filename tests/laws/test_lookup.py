"""Features that are looked up give what the same features give when they are written out."""

import pytest
import torch
from torch import Tensor

from ensue.cells import CELLS
from ensue.engine import Lookup, make_features
from ensue.layers import LAYERS, Causal
from ensue.settings import read
from ensue.state import walk_tensors

BODIES = [("recurrent", {"cell": cell, "depth": 2}) for cell in CELLS] + [
    ("window", {}),
    ("bag-of-context", {}),
]


def answers(
    layer: Causal, x: Tensor | Lookup, table: Tensor, lengths: Tensor | None
) -> list[Tensor]:
    y, state = layer(x, layer.initial(len(x)), lengths)
    if lengths is not None:
        y = y * (torch.arange(y.shape[1]) < lengths[:, None])[..., None]
    ends = list(walk_tensors(state))
    loss = y.square().sum() + sum(end.square().sum() for end in ends)
    gradients = torch.autograd.grad(loss, [table, *layer.parameters()])
    return [y, *ends, *gradients]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("body", "settings"), BODIES, ids=lambda value: str(value))
def test_looked_up_is_written_out(
    body: str, settings: dict[str, object], dtype: torch.dtype
) -> None:
    torch.manual_seed(2)
    layer = read(LAYERS[body], {"width": 6, **settings}).build(4).to(dtype)  # type: ignore[attr-defined]
    table = torch.randn(3, 4, dtype=dtype, requires_grad=True)
    ids = torch.randint(0, 3, (5, 7))
    for lengths in (None, torch.tensor([7, 2, 0, 5, 7])):
        one = answers(layer, Lookup(table, ids), table, lengths)
        other = answers(layer, table[ids], table, lengths)
        for mine, true in zip(one, other, strict=True):
            torch.testing.assert_close(
                mine, true, rtol=1e-4, atol=1e-10 if dtype == torch.float64 else 1e-5
            )


@pytest.mark.parametrize("table", [None, torch.randn(6, 4)])
def test_features_are_looked_up_where_symbols_are_fewer_than_steps(table: Tensor | None) -> None:
    few, many = torch.arange(4)[None], torch.arange(6).repeat(2)[None]
    assert not isinstance(make_features(few, 6, table, torch.float32), Lookup)
    found = make_features(many, 6, table, torch.float32)
    assert isinstance(found, Lookup)
    true = torch.nn.functional.one_hot(many, 6).float() if table is None else table[many]
    assert torch.equal(found.dense(), true)
