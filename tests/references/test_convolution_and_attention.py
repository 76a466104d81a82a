"""Causal convolutions and attention against the same sums written in plain NumPy."""

from typing import Literal

import numpy as np
import pytest
import torch

from ensue.errors import SettingError
from ensue.layers import TCNSettings, TransformerSettings, WaveNetSettings

TIME, INPUTS = 11, 3
X = np.random.default_rng(0).normal(size=(TIME, INPUTS))


def weights(layer: torch.nn.Module) -> dict[str, np.ndarray]:
    return {name: one.detach().numpy() for name, one in layer.state_dict().items()}


def run(layer: torch.nn.Module) -> np.ndarray:
    return layer(torch.tensor(X[None]))[0][0].detach().numpy()


def convolve(x: np.ndarray, weight: np.ndarray, bias: np.ndarray, dilation: int) -> np.ndarray:
    """y_t = sum_i W_i x_{t - (k-1-i)*dilation} + b, with zeros before the first step."""
    kernel = weight.shape[2]
    y = np.tile(bias, (len(x), 1))
    for t in range(len(x)):
        for i in range(kernel):
            if (past := t - (kernel - 1 - i) * dilation) >= 0:
                y[t] += weight[:, :, i] @ x[past]
    return y


@pytest.mark.parametrize("growth", [1, 3])
def test_tcn(growth: int) -> None:
    settings = TCNSettings(width=4, depth=2, kernel=3, growth=growth)
    layer = settings.build(INPUTS).double().eval()
    w, x = weights(layer), X
    for depth in range(2):
        y = x
        for one in range(2):
            name = f"blocks.{depth}.{one}.convolution"
            scale, direction = (
                w[f"{name}.parametrizations.weight.original{part}"] for part in range(2)
            )
            norm = np.sqrt((direction**2).sum(axis=(1, 2), keepdims=True))
            weight = scale * direction / norm
            y = np.maximum(convolve(y, weight, w[f"{name}.bias"], growth**depth), 0)
        x = y + (x @ w["input.weight"].T + w["input.bias"] if depth == 0 else x)
    np.testing.assert_allclose(run(layer), x, atol=1e-12)


def test_wavenet() -> None:
    settings = WaveNetSettings(width=5, residual=4, depth=3, cycle=2, kernel=2)
    layer = settings.build(INPUTS).double().eval()
    w = weights(layer)
    x, skips = X @ w["input.weight"].T + w["input.bias"], np.zeros((TIME, 5))
    for depth in range(3):
        name = f"gates.{depth}.convolution"
        both = convolve(x, w[f"{name}.weight"], w[f"{name}.bias"], 2 ** (depth % 2))
        z = np.tanh(both[:, :4]) / (1 + np.exp(-both[:, 4:]))
        made = z @ w[f"outputs.{depth}.weight"].T + w[f"outputs.{depth}.bias"]
        skips = skips + made[:, :5]
        if depth < 2:
            x = x + made[:, 5:]
    expected = np.maximum(skips, 0) @ w["output.weight"].T + w["output.bias"]
    np.testing.assert_allclose(run(layer), expected, atol=1e-12)


def normalise(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + np.finfo(np.float64).eps) * weight


def rotate(x: np.ndarray, position: int) -> np.ndarray:
    half = len(x) // 2
    turned = (x[:half] + 1j * x[half:]) * np.exp(
        1j * position * 10_000.0 ** -(np.arange(half) / half)
    )
    return np.concatenate([turned.real, turned.imag])


def attend(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, window: int, slope: float | None
) -> np.ndarray:
    """Attention of one head; a slope is that of ALiBi, and None means rotary positions."""
    mixed = np.zeros_like(query)
    for t in range(TIME):
        seen, scores = range(max(0, t - window + 1), t + 1), []
        for s in seen:
            one, other, bias = query[t], key[s], 0.0
            if slope is None:
                one, other = rotate(one, t), rotate(other, s)
            else:
                bias = -slope * (t - s)
            scores.append(np.exp(one @ other / len(one) ** 0.5 + bias))
        mixed[t] = sum(one * value[s] for one, s in zip(scores, seen, strict=True)) / sum(scores)
    return mixed


@pytest.mark.parametrize("positions", ["rotary", "alibi"])
@pytest.mark.parametrize("key_heads", [0, 2])
@pytest.mark.parametrize("window", [1, 4, 20])
def test_transformer(positions: Literal["rotary", "alibi"], key_heads: int, window: int) -> None:
    heads, features = 4, 2
    settings = TransformerSettings(
        width=8, depth=2, heads=heads, key_heads=key_heads, window=window, positions=positions
    )
    layer = settings.build(INPUTS).double().eval()
    w, groups = weights(layer), key_heads or heads
    x = X @ w["input.weight"].T + w["input.bias"]
    for depth in range(2):
        own = {name.removeprefix(f"blocks.{depth}."): one for name, one in w.items()}
        read = normalise(x, own["before_attention.weight"])
        query = (read @ own["query.weight"].T).reshape(TIME, heads, features)
        both = (read @ own["key_value.weight"].T).reshape(TIME, 2, groups, features)
        mixed = np.empty((TIME, heads, features))
        for head in range(heads):
            group = head // (heads // groups)
            slope = 2.0 ** (-8 / heads * (head + 1)) if positions == "alibi" else None
            mixed[:, head] = attend(
                query[:, head], both[:, 0, group], both[:, 1, group], window, slope
            )
        x = x + mixed.reshape(TIME, 8) @ own["mix.weight"].T
        entered = normalise(x, own["before_feed_forward.weight"]) @ own["enter.weight"].T
        hidden, gate = np.split(entered, 2, axis=1)
        x = x + (hidden * gate / (1 + np.exp(-gate))) @ own["leave.weight"].T
    np.testing.assert_allclose(run(layer), normalise(x, w["norm.weight"]), atol=1e-10)


def test_attention_of_a_long_past_is_that_of_its_window() -> None:
    """Positions are counted within the window, so a step after a million others is as exact."""
    layer = TransformerSettings(width=8, depth=1, window=4).build(INPUTS).double().eval()
    x = torch.tensor(X[None])
    long = torch.cat([torch.randn(1, 5000, INPUTS, dtype=torch.float64), x], 1)
    torch.testing.assert_close(layer(long)[0][:, -4:], layer(x)[0][:, -4:], rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 10, "heads": 4}, "4 heads, 4 of keys, do not divide 10"),
        ({"width": 12, "heads": 4, "key_heads": 3}, "4 heads, 3 of keys, do not divide 12"),
        ({"width": 12, "heads": 4}, "rotary positions need an even number of features, not 3"),
    ],
)
def test_heads_that_do_not_fit_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        TransformerSettings(**settings).build(INPUTS)
