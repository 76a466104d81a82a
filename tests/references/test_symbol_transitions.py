"""Counted pairs of symbols against a dense table, and in little room where symbols are many."""

from typing import Any

import numpy as np
import pytest
import torch

from ensue.data.dataset import concatenate
from ensue.errors import RunError
from ensue.evaluation.step_scoring import score_steps
from ensue.fields import Fields, Number
from ensue.models.steps.baselines import FEATURES, StepRidgeSettings
from ensue.models.steps.transitions import Transitions


def test_pairs_have_the_probabilities_of_a_dense_table() -> None:
    draws = np.random.default_rng(1)
    ids, size = draws.integers(0, 5, 60), 7
    later = np.array([place for place in range(1, 60) if place != 25])  # a sequence begins there
    found = Transitions.fit(ids, later, size)
    rate = (np.bincount(ids, minlength=size) + 1) / (60 + size)
    pairs = np.zeros((size, size))
    for place in later:
        pairs[ids[place - 1], ids[place]] += 1
    dense = np.vstack([(pairs + rate) / (pairs.sum(1, keepdims=True) + 1), rate])
    np.testing.assert_allclose(dense.sum(1), 1)
    before = torch.arange(size + 1)[None]
    assert np.array_equal(found.scores(before)[0].numpy(), np.log(dense))
    for id in range(size):
        logs = found.log_prob(before, torch.full_like(before, id))[0].numpy()
        assert np.array_equal(logs, np.log(dense[:, id]))


@pytest.mark.slow
def test_a_million_symbols_take_the_room_of_those_seen() -> None:
    """A dense table would take 8 TB."""
    check_many(1_000_000)


def test_many_symbols_take_the_room_of_those_seen() -> None:
    """A dense table would take 20 GB, and a ridge regression on all symbols as much."""
    check_many(50_000)


def check_many(size: int) -> None:
    draws = np.random.default_rng(1)
    symbols = (draws.zipf(1.3, (3000, 1)) - 1) % size
    numbers = np.float32(np.where(symbols == 0, 1.0, -1.0) + draws.normal(0, 0.1, (3000, 1)))
    data = concatenate([{"symbols": symbols, "numbers": numbers}], [{"line": np.int64(1)}])
    fields = Fields({"word": size}, {"x": Number()})
    model: Any = StepRidgeSettings(order=1).build(fields)
    model.fit(data)
    assert model.arrays()["weights"].shape == (1 + FEATURES + 1, 1)
    # size: p(b) of each symbol; pairs and their counts; weights; two of the errors.
    assert model.parameter_count < size + 3 * 3000 + FEATURES + 4
    nats = score_steps(model, data)
    assert np.isfinite(nats).all()
    other: Any = StepRidgeSettings(order=1).build(fields)
    other.load(model.arrays())
    assert np.array_equal(score_steps(other, data), nats)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("keys", lambda keys: keys[::-1].copy()),
        ("keys", lambda keys: keys + 10**6),
        ("counts", lambda counts: -counts),
        ("rate", lambda rate: rate[:-1]),
    ],
)
def test_damaged_pairs_are_refused(name: str, change: Any) -> None:
    ids = np.array([[0], [1], [2], [1], [0], [2]])
    data = concatenate(
        [{"symbols": ids, "numbers": np.zeros((6, 1), np.float32)}], [{"line": np.int64(1)}]
    )
    model: Any = StepRidgeSettings(order=1).build(Fields({"word": 4}, {"x": Number()}))
    model.fit(data)
    arrays = dict(model.arrays())
    arrays[f"symbol0.{name}"] = change(arrays[f"symbol0.{name}"])
    with pytest.raises(RunError, match="those of another model"):
        model.load(arrays)
