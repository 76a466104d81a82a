"""What every encoder obeys: padding changes nothing, rows apart, gradients right; and the two
that look ahead do."""

import pytest
import torch
from torch import Tensor

from ensue.cells import CELLS
from ensue.layers import (
    ENCODERS,
    BagSettings,
    BidirectionalSettings,
    Convolution,
    ConvolutionSettings,
    Encoder,
    NoLayerSettings,
    RecurrentSettings,
    TCNSettings,
    TransformerSettings,
    WaveNetSettings,
    WindowSettings,
    build_encoder,
)
from ensue.settings import Settings

BATCH, TIME, INPUTS = 2, 7, 3
SMALL: dict[str, Settings] = {
    "none": NoLayerSettings(),
    "bidirectional": BidirectionalSettings(cell="peephole", width=2, depth=2, residual=True),
    "convolution": ConvolutionSettings(width=3, windows=(3, 2), depth=3),
    "recurrent": RecurrentSettings(width=2),
    "window": WindowSettings(window=3, width=4),
    "bag-of-context": BagSettings(window=3, width=4),
    "tcn": TCNSettings(width=4, depth=2),
    "wavenet": WaveNetSettings(width=4, residual=3, depth=3, cycle=2),
    "transformer": TransformerSettings(width=4, depth=2, window=3),
    **{cell: BidirectionalSettings(cell=cell, width=2) for cell in CELLS},
}


@pytest.fixture(params=SMALL)
def encoder(request: pytest.FixtureRequest) -> Encoder:
    torch.manual_seed(0)
    return build_encoder(SMALL[request.param], INPUTS).double().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(
        BATCH, TIME, INPUTS, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )


def assert_close(one: Tensor, other: Tensor) -> None:
    torch.testing.assert_close(one, other, rtol=0, atol=1e-9)


def test_every_encoder_is_held_to_the_laws() -> None:
    assert {settings.name for settings in SMALL.values()} == set(ENCODERS)  # type: ignore[attr-defined]


@pytest.mark.parametrize("length", range(TIME + 1))
def test_padding_changes_nothing(encoder: Encoder, x: Tensor, length: int) -> None:
    padded = x.clone()
    padded[0, length:] = 1e3
    y = encoder(padded, torch.tensor([length, TIME]))
    assert y.shape == (BATCH, TIME, encoder.width)
    assert not y[0, length:].any()
    if length:
        assert_close(y[:1, :length], encoder(x[:1, :length]))


def test_rows_do_not_mix(encoder: Encoder, x: Tensor) -> None:
    assert_close(encoder(x)[1:], encoder(x[1:]))


def test_gradients_are_right_and_reach_every_parameter(encoder: Encoder, x: Tensor) -> None:
    lengths, parameters = torch.tensor([4, 2]), tuple(encoder.parameters())

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        return encoder(x, lengths)

    assert torch.autograd.gradcheck(
        run, (x[:, :4].clone().requires_grad_(), *parameters), fast_mode=True
    )
    encoder(x.requires_grad_()).square().sum().backward()
    assert [
        name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()
    ] == []


@pytest.mark.parametrize("name", ["bidirectional", "convolution"])
def test_a_step_sees_those_before_and_after_it(name: str, x: Tensor) -> None:
    encoder = SMALL[name].build(INPUTS).double().eval()  # type: ignore[attr-defined]
    changed = x.clone()
    changed[:, 3] += 1
    differs = (encoder(changed) - encoder(x)).abs().sum((0, 2)) > 0
    assert differs[1:6].all()
    assert name == "convolution" or differs.all()


def test_backwards_is_forwards_over_the_row_turned_round(x: Tensor) -> None:
    """Both directions with the same weights: turning a row round swaps the two halves of the
    features."""
    net = BidirectionalSettings(cell="gru", width=2).build(INPUTS).double()
    net.backwards.load_state_dict(net.forwards.state_dict())
    ahead, back = net(x).chunk(2, 2)
    turned_ahead, turned_back = net(x.flip(1)).chunk(2, 2)
    assert_close(ahead.flip(1), turned_back)
    assert_close(back.flip(1), turned_ahead)


def test_bidirectional_lstm_is_that_of_torch(x: Tensor) -> None:
    torch.manual_seed(0)
    ours = BidirectionalSettings(cell="lstm", width=4).build(INPUTS).double()
    theirs = torch.nn.LSTM(INPUTS, 4, batch_first=True, bidirectional=True).double()
    for direction, ending in ((ours.forwards[0], ""), (ours.backwards[0], "_reverse")):
        cell = direction.cells[0]
        with torch.no_grad():
            for name, their_name in (
                ("input", "weight_ih"),
                ("recurrent", "weight_hh"),
                ("input_bias", "bias_ih"),
            ):
                own = next(tensor for key, tensor in cell.items() if key.endswith(f"/{name}"))
                getattr(theirs, f"{their_name}_l0{ending}").copy_(own)
            getattr(theirs, f"bias_hh_l0{ending}").zero_()
    assert_close(ours(x), theirs(x)[0])


def test_convolution_by_hand() -> None:
    """The window of a step is centred on it, and what stands past the row's end is zero."""
    net = Convolution(ConvolutionSettings(width=1, windows=(3,), depth=1), 1)
    with torch.no_grad():
        net.layers[0][0].weight.copy_(torch.tensor([[[1.0, 10.0, 100.0]]]))
        net.layers[0][0].bias.zero_()
    y = net(torch.tensor([[[1.0], [2.0], [3.0], [9.0]]]), torch.tensor([3]))
    assert y[0, :, 0].tolist() == [210.0, 321.0, 32.0, 0.0]


def test_dropout_falls_between_layers_in_training_alone(x: Tensor) -> None:
    for settings in (
        BidirectionalSettings(width=4, depth=2, dropout=0.5),
        ConvolutionSettings(width=4, dropout=0.5),
    ):
        net = settings.build(INPUTS).double()
        assert not torch.equal(net.train()(x), net(x))
        assert torch.equal(net.eval()(x), net(x))
