"""What the recurrent layer's own features promise: dropout, zoneout, weight drop, learned
starts, biases."""

import pytest
import torch
from torch import Tensor

from ensue.engine.layout import Layout
from ensue.layers import Recurrent, recurrent

NOISE = {"dropout": 0.5, "variational_dropout": 0.5, "zoneout": 0.5, "weight_drop": 0.5}


def net(cell: str = "lstm", **settings: float | bool | str) -> Recurrent:
    torch.manual_seed(0)
    return Recurrent(cell, inputs=3, width=4, depth=2, **settings)


def x(steps: int = 7) -> Tensor:
    return torch.randn(2, steps, 3, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("feature", sorted(NOISE))
def test_noise_is_for_training_only_and_resumes_with_torch_generator(feature: str) -> None:
    layer = net(**{feature: NOISE[feature]})
    state = torch.get_rng_state()
    first = layer(x())[0]
    second = layer(x())[0]
    torch.set_rng_state(state)
    assert torch.equal(layer(x())[0], first)
    assert not torch.equal(first, second)
    layer.eval()
    assert torch.equal(layer(x())[0], layer(x())[0])


def test_dropped_units_are_scaled_so_that_the_mean_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for feature, same in (("dropout", False), ("variational_dropout", True)):
        layer = net(**{feature: 0.25})
        y = layer._between(torch.ones(50, 20, 40))
        assert sorted(y.unique().tolist()) == pytest.approx([0, 1 / 0.75])
        assert y.mean().item() == pytest.approx(1, abs=0.1)
        assert bool((y == y[:1]).all()) is same


def test_zoneout_keeps_units_in_training_and_mixes_after() -> None:
    layer = net("tanh", zoneout=0.5)
    start = layer.initial(2)
    state = tuple({"h": torch.full((2, 4), 9.0)} for _ in start)
    _, end = layer(x(1), state)
    kept = end[0]["h"] == 9
    assert kept.any()
    assert not kept.all()
    plain = net("tanh")
    plain.load_state_dict(layer.state_dict())
    layer.eval()
    _, new = plain(x(1), state)
    _, mixed = layer(x(1), state)
    torch.testing.assert_close(mixed[0]["h"], 0.5 * 9 + 0.5 * new[0]["h"])


def test_weight_drop_drops_recurrent_weights_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Tensor] = {}
    run = recurrent.run
    monkeypatch.setattr(
        recurrent,
        "run",
        lambda program, values, lengths: seen.update(values) or run(program, values, lengths),
    )
    layer = net(weight_drop=0.5)
    layer(x())
    last = layer.cells[1]
    dropped, weight = seen["equation/recurrent"], last["equation/recurrent"]
    assert torch.equal(dropped, torch.where(dropped == 0, 0.0, weight * 2))
    assert 0.2 < (dropped == 0).float().mean() < 0.8
    assert seen["equation/input"] is last["equation/input"]


def test_a_start_can_be_learned() -> None:
    layer = net(learn_initial_state=True)
    layer(x())[0].sum().backward()
    assert all(cell["state/c"].grad.any() for cell in layer.cells)
    with torch.no_grad():
        layer.cells[0]["state/h"].fill_(0.5)
    assert torch.equal(layer.initial(3)[0]["h"], torch.full((3, 4), 0.5))


@pytest.mark.parametrize("layer_norm", ["none", "gates"])
def test_the_forget_bias_can_be_set(layer_norm: str) -> None:
    cell = net(forget_bias=3.0, layer_norm=layer_norm).cells[0]
    start = (
        cell["equation/input_bias"].view(4, 4)[1]
        if layer_norm == "none"
        else cell["weight/shift/forget/x"]
    )
    assert start.tolist() == [3.0] * 4


def test_a_residual_layer_of_zeros_changes_nothing() -> None:
    one = Recurrent("tanh", inputs=3, width=4)
    two = Recurrent("tanh", inputs=3, width=4, depth=2, residual=True)
    two.cells[0].load_state_dict(one.cells[0].state_dict())
    for parameter in two.cells[1].parameters():
        parameter.data.zero_()
    assert torch.equal(one(x())[0], two(x())[0])


def test_half_precision_keeps_the_state_in_full() -> None:
    layer = net("peephole")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, state = layer(x())
    assert state[0]["c"].dtype == torch.float32
    torch.testing.assert_close(y.float(), layer(x())[0], rtol=0, atol=0.02)


def test_there_is_no_context() -> None:
    with pytest.raises(ValueError, match="takes no context"):
        net().initial(2, torch.zeros(2, 3))


def test_rows_of_unequal_length_lie_on_the_device_of_the_input() -> None:
    """The device "meta" computes nothing, but refuses to mix devices as a GPU does."""
    steps = torch.empty(5, 3, 4, device="meta")
    layout = Layout.of(steps, torch.tensor([5, 0, 2]))
    packed = layout.pack(steps)
    assert packed.shape == (7, 4)
    assert (
        layout.unpack(packed).device
        == layout.end(packed, layout.sort(steps[0])).device
        == steps.device
    )
