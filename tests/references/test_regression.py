"""The linear model on features against closed forms, and on what it must be able to tell."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ensue.data.dataset import Examples
from ensue.data.feeds import make_batch
from ensue.data.labelled import Fields
from ensue.errors import RunError
from ensue.models.baselines.summary_features import SummaryFeatures, SummaryFeaturesSettings

SHAPE = Fields({"symbol0": 3}, numbers=2, static=1, measured=2)


def examples_of(count: int, seed: int, target) -> Examples:
    draws = np.random.default_rng(seed)
    lengths = draws.integers(1, 9, count)
    steps = {
        "numbers": draws.normal(size=(lengths.sum(), 2)).astype(np.float32),
        "symbol0": draws.integers(0, 3, lengths.sum()),
    }
    offsets = np.cumsum([0, *lengths])
    static = draws.normal(size=(count, 1)).astype(np.float32)
    means = np.add.reduceat(steps["numbers"][:, 0], offsets[:-1]) / lengths
    return Examples(
        offsets, steps, {"static": static, "target": target(means, static[:, 0], draws)}
    )


def ask(model: SummaryFeatures, examples: Examples):
    return model(make_batch(examples, np.arange(len(examples))).map(torch.from_numpy))


def test_numbers_are_ridge_regression():
    def target(means, static, draws):
        return (2 * means - static + 3 + draws.normal(0, 0.1, len(means))).astype(np.float32)

    train, tune = examples_of(300, 1, target), examples_of(50, 2, target)
    model = SummaryFeaturesSettings(penalties=(0.01,)).build(SHAPE, "regression", 1)
    model.fit(train, tune)
    batch = make_batch(train, np.arange(300)).map(torch.from_numpy)
    features = model._standardise(model.features(batch)).numpy()
    wanted = batch["target"].double().numpy()
    penalty = np.diag([2 * 0.01 * 300.0] * (features.shape[1] - 1) + [0.0])
    closed = np.linalg.solve(features.T @ features + penalty, features.T @ wanted)
    told = ask(model, train)
    assert told.mean.numpy() == pytest.approx(features @ closed, abs=2e-3)
    assert float(told.stddev[0]) == pytest.approx(
        np.sqrt(np.mean((features @ closed - wanted) ** 2)), rel=1e-2
    )


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_labels(kind):
    def target(means, static, draws):
        one = (means > 0).astype(np.int64)
        return one if kind == "multiclass" else np.stack([one, static > 0], 1).astype(np.float32)

    model = SummaryFeaturesSettings().build(SHAPE, kind, 2)
    model.fit(examples_of(400, 1, target), examples_of(100, 2, target))
    test = examples_of(200, 3, target)
    told = ask(model, test)
    best = (
        told.probs.argmax(1).numpy() if kind == "multiclass" else told.base_dist.probs.numpy() > 0.5
    )
    assert (best == test.static["target"]).mean() > 0.95
    again = SummaryFeaturesSettings().build(SHAPE, kind, 2)
    again.load(model.arrays())
    assert torch.equal(ask(again, test).log_prob(torch.from_numpy(test.static["target"])),
                       told.log_prob(torch.from_numpy(test.static["target"])))  # fmt: skip
    with pytest.raises(RunError, match="does not fit the model; use the settings of its training"):
        SummaryFeaturesSettings().build(SHAPE, kind, 3).load(model.arrays())


def test_penalties_are_chosen_on_the_tune_part():
    def noise(means, static, draws):
        return draws.integers(0, 2, len(means))

    model = SummaryFeaturesSettings().build(SHAPE, "multiclass", 2)
    (chosen,) = model.fit(examples_of(60, 1, noise), examples_of(400, 2, noise))
    assert chosen in {
        f"L2 penalty of summary-features, {one}: on the validation part" for one in ("0.1", "1")
    }
    assert (
        float(
            model.loss(
                make_batch(examples_of(400, 3, noise), np.arange(400)).map(torch.from_numpy)
            )[0].nats.mean()
        )
        < 0.75
    )


@pytest.mark.parametrize("size", [2, 3])
def test_weights_of_labels_are_the_optimum(size: int) -> None:
    """Gradients of mean nats + penalty |w|^2 of softmax are zero, computed apart. A label that
    training lacks has no weight, and is half as frequent as one example."""

    def target(means, static, draws):
        return ((means > 0).astype(int) + (static > 0) + draws.integers(0, 2, len(means))) % size

    train = examples_of(200, 1, target)
    model = SummaryFeaturesSettings(penalties=(0.01,)).build(SHAPE, "multiclass", size + 1)
    model.fit(train, train)
    batch = make_batch(train, np.arange(200)).map(torch.from_numpy)
    inputs = model._standardise(model.features(batch)).numpy()
    scores, weight = inputs @ model.weight.numpy()[:, :size], model.weight.numpy()
    chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    slope = inputs.T @ (chances - np.eye(size)[train.static["target"]]) / 200
    slope[:-1] += 2 * 0.01 * weight[:-1, :size]
    assert np.abs(slope).max() < 1e-5
    assert (weight[:-1, size] == 0).all()
    share = np.exp(weight[-1, size]) / np.exp(weight[-1, :size]).sum()
    assert share == pytest.approx(0.5 / 200)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_a_fit_that_does_not_converge_is_a_note(kind: str, monkeypatch) -> None:
    def target(means, static, draws):
        one = (means > 0).astype(np.int64)
        return one if kind == "multiclass" else np.stack([one, static > 0], 1).astype(np.float32)

    monkeypatch.setattr("ensue.models.baselines.linear.MAX_ITERATIONS", 2)
    model = SummaryFeaturesSettings(penalties=(1e-4,)).build(SHAPE, kind, 2)
    _, note = model.fit(examples_of(200, 1, target), examples_of(50, 2, target))
    count = 1 if kind == "multiclass" else 2
    assert note == f"summary-features: fits that did not converge in 2 iterations: {count}"


def test_penalties_are_above_zero() -> None:
    for penalties in ((0.0,), (), (float("inf"),)):
        with pytest.raises(ValidationError):
            SummaryFeaturesSettings(penalties=penalties)
