"""Features of sequences against NumPy, one sequence at a time."""

import numpy as np
import pytest
import torch

from ensue.models.baselines.summaries import SEGMENTS, summaries


def by_hand(one: np.ndarray) -> np.ndarray:
    place = np.linspace(0, 1, len(one)) if len(one) > 1 else np.zeros(1)
    side = one >= one.mean(0)
    slope = np.polyfit(place, one, 1)[0] if len(one) > 1 else np.zeros(one.shape[1])
    parts = [
        one.mean(0),
        one.std(0),
        *np.quantile(one, [0, 0.25, 0.5, 0.75, 1], axis=0, method="nearest"),
    ]
    parts += [one[0], one[-1], (one**2).mean(0), slope]
    parts.append(np.abs(np.diff(one, axis=0)).sum(0) / max(len(one) - 1, 1))
    parts.append((side[1:] != side[:-1]).sum(0) / len(one))
    parts += [place[one.argmin(0)], place[one.argmax(0)]]
    for segment in range(SEGMENTS):
        within = (place * SEGMENTS >= segment) & (place * SEGMENTS <= segment + 1)
        parts.append(one[within].mean(0) if within.any() else np.zeros(one.shape[1]))
    return np.concatenate([*parts, [np.log(len(one))]])


def test_summaries():
    draws = np.random.default_rng(5)
    sequences = [draws.normal(size=(length, 3)) for length in (1, 2, 5, 9, 21)]
    padded = torch.full((5, 23, 3), 1e9, dtype=torch.float64)
    for row, one in enumerate(sequences):
        padded[row, : len(one)] = torch.from_numpy(one)
    found = summaries(padded, torch.tensor([len(one) for one in sequences]))
    for row, one in enumerate(sequences):
        assert found[row].numpy() == pytest.approx(by_hand(one), abs=1e-9)


def test_a_sequence_without_steps():
    found = summaries(torch.full((1, 2, 2), 5.0), torch.tensor([0]))
    assert torch.isfinite(found).all()
