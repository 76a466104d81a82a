"""What every causal layer obeys: resumable, causal, rows apart, padding ignored, gradients
right."""

import pytest
import torch
from torch import Tensor

from ensue.layers import LAYERS, Causal
from ensue.state import State, map_state, select_rows, walk_tensors

BATCH, TIME, INPUTS, WIDTH = 2, 7, 3, 4


@pytest.fixture(params=sorted(LAYERS))
def layer(request: pytest.FixtureRequest) -> Causal:
    torch.manual_seed(0)
    fields = {"width": WIDTH, "depth": 2} | (
        {"window": 4} if "window" in LAYERS[request.param].model_fields else {}
    )
    return LAYERS[request.param](**fields).build(INPUTS).double().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(
        BATCH, TIME, INPUTS, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def assert_states_agree(one: State, other: State) -> None:
    map_state(lambda a, b: torch.testing.assert_close(a, b, rtol=0, atol=1e-9) or a, one, other)


@pytest.mark.parametrize("cut", range(TIME + 1))
def test_resuming_equals_running_at_once(layer: Causal, x: Tensor, cut: int) -> None:
    whole, end = layer(x, layer.initial(BATCH))
    first, middle = layer(x[:, :cut], layer.initial(BATCH))
    second, last = layer(x[:, cut:], middle)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=0, atol=1e-9)
    assert_states_agree(last, end)


def test_step_by_step_equals_running_at_once(layer: Causal, x: Tensor) -> None:
    whole, _ = layer(x, layer.initial(BATCH))
    state = layer.initial(BATCH)
    for t in range(TIME):
        y, state = layer(x[:, t : t + 1], state)
        torch.testing.assert_close(y[:, 0], whole[:, t], rtol=0, atol=1e-9)


def test_shapes_are_as_declared(layer: Causal, x: Tensor) -> None:
    y, state = layer(x, layer.initial(BATCH))
    assert y.shape == (BATCH, TIME, layer.width)
    assert layer.inputs == INPUTS
    assert [part.shape for part in walk_tensors(state)] == [
        part.shape for part in walk_tensors(layer.initial(BATCH))
    ]
    assert all(part.shape[0] == BATCH for part in walk_tensors(state))


def test_a_change_at_a_step_changes_nothing_before_it_and_something_at_it(
    layer: Causal, x: Tensor
) -> None:
    before, _ = layer(x, layer.initial(BATCH))
    for t in range(TIME):
        changed = x.clone()
        changed[:, t] += 1
        after, _ = layer(changed, layer.initial(BATCH))
        assert torch.equal(after[:, :t], before[:, :t])
        assert not torch.allclose(after[:, t], before[:, t])


def test_rows_do_not_mix(layer: Causal, x: Tensor) -> None:
    both, state = layer(x, layer.initial(BATCH))
    alone, alone_state = layer(x[1:], layer.initial(1))
    torch.testing.assert_close(both[1:], alone, rtol=0, atol=1e-9)
    assert_states_agree(select_rows(state, torch.tensor([1])), alone_state)


@pytest.mark.parametrize("length", [1, 2, 5, TIME])
def test_each_row_ends_at_its_own_length(layer: Causal, x: Tensor, length: int) -> None:
    padded = x.clone()
    padded[0, length:] = 1e3
    y, state = layer(padded, layer.initial(BATCH), torch.tensor([length, TIME]))
    short, short_state = layer(x[:1, :length], layer.initial(1))
    torch.testing.assert_close(y[:1, :length], short, rtol=0, atol=1e-9)
    assert_states_agree(select_rows(state, torch.tensor([0])), short_state)
    assert torch.isfinite(y).all()


def test_gradients_are_right(layer: Causal, x: Tensor) -> None:
    def run(x: Tensor) -> Tensor:
        return layer(x, layer.initial(BATCH))[0]

    assert torch.autograd.gradcheck(run, (x[:, :4].clone().requires_grad_(),))


def test_every_parameter_gets_a_gradient(layer: Causal, x: Tensor) -> None:
    layer(x, layer.initial(BATCH))[0].square().sum().backward()
    assert [
        name for name, p in layer.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


def test_a_layer_learns_after_it_has_answered(layer: Causal, x: Tensor) -> None:
    """What a layer keeps of a call in inference mode must not be of no use to training."""
    x = torch.cat([x, x, x], 1)  # a length that no other test has used before
    with torch.inference_mode():
        layer(x, layer.initial(BATCH))
    layer(x, layer.initial(BATCH))[0].sum().backward()


def test_a_saved_layer_answers_the_same(layer: Causal, x: Tensor) -> None:
    y, _ = layer(x, layer.initial(BATCH))
    saved = {name: tensor.clone() for name, tensor in layer.state_dict().items()}
    for p in layer.parameters():
        p.data.normal_()
    assert not torch.allclose(layer(x, layer.initial(BATCH))[0], y)
    layer.load_state_dict(saved)
    assert torch.equal(layer(x, layer.initial(BATCH))[0], y)
