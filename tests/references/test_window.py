"""The window network against the same sums written in plain NumPy."""

import math

import numpy as np
import torch

from ensue.layers import WindowSettings
from ensue.models.sequence import SequenceSettings

SIZE, TIME, WINDOW = 5, 9, 3


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def test_probabilities_agree() -> None:
    torch.manual_seed(0)
    settings = SequenceSettings(embedding=4, body=WindowSettings(window=WINDOW, width=6, depth=2))
    model = settings.build(SIZE).double().eval()
    ids = np.array([SIZE, 0, 3, 3, 1, 4, 2, 2, 0])
    w = model.arrays()
    for t in range(TIME):
        slots = [
            w["table.weight"][ids[s]] if s >= 0 else np.zeros(4)
            for s in range(t - WINDOW + 1, t + 1)
        ]
        # Bengio et al. concatenate step by step; ours is feature by feature: the same up to the
        # order of columns.
        x = np.stack(slots, axis=1).ravel()
        for layer in ("body.net.0", "body.net.3"):
            x = gelu(w[f"{layer}.weight"] @ x + w[f"{layer}.bias"])
        scores = np.exp(w["head.linear.weight"] @ x + w["head.linear.bias"])
        distribution, _ = model(torch.tensor(ids[None, : t + 1]), model.initial(1))
        np.testing.assert_allclose(
            distribution.probs[0, t].detach(), scores / scores.sum(), atol=1e-12
        )
