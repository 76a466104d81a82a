"""The linear model on n-grams against dense matrices, closed forms and conditions of optimality,
in NumPy."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from ensue.data.dataset import Examples
from ensue.data.feeds import make_batch
from ensue.data.labelled import Fields
from ensue.errors import SettingError
from ensue.models.baselines.nbsvm import NBSVM, NBSVMSettings
from ensue.models.baselines.ngram_presence import Grams

SIZE = 4


def examples(count: int, seed: int, target=None) -> Examples:
    draws = np.random.default_rng(seed)
    lengths = draws.integers(1, 9, count)
    symbols = draws.integers(0, SIZE, lengths.sum())
    offsets = np.cumsum([0, *lengths])
    rows = [symbols[a:b] for a, b in pairwise(offsets)]
    return Examples(offsets, {"symbol": symbols}, {"target": (target or label)(rows, draws)})


def label(rows, draws):
    return np.array([(row[0] + (draws.random() < 0.3)) % 3 for row in rows])


def grams_of(row, longest: int) -> set[tuple[int, ...]]:
    text = [SIZE, *row.tolist(), SIZE]
    return {tuple(text[i : i + n]) for n in range(1, longest + 1) for i in range(len(text) - n + 1)}


def dense(train: Examples, longest: int) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Give the table of rows of length one by brute force, n-grams by length and then by their
    symbols."""
    rows = [grams_of(train.steps["symbol"][a:b], longest) for a, b in pairwise(train.offsets)]
    names = sorted(set().union(*rows), key=lambda gram: (len(gram), gram))
    table = np.array([[gram in row for gram in names] for row in rows], float)
    return table / np.sqrt(table.sum(1, keepdims=True)), names


def fitted(train: Examples, kind: str, size: int, **settings) -> NBSVM:
    model = NBSVMSettings(**settings).build(Fields({"symbol": SIZE}), kind, size)
    model.fit(train, train)
    return model


def test_the_table_of_n_grams_is_that_of_brute_force() -> None:
    train = examples(40, 1)
    grams = Grams.fit(train.steps["symbol"], train.offsets, SIZE, 3)
    present = grams.encode(train.steps["symbol"], train.offsets)
    table = present.toarray() / np.sqrt(present.toarray().sum(1, keepdims=True))
    wanted, names = dense(train, 3)
    assert table.shape == wanted.shape
    # Places may be in another order within a length, so columns are compared as sets.
    assert sorted(map(tuple, table.T.round(12).tolist())) == sorted(
        map(tuple, wanted.T.round(12).tolist())
    )
    assert [len(keys) for keys in grams.keys] == [
        sum(len(gram) == n for gram in names) for n in (1, 2, 3)
    ]
    often = Grams.fit(train.steps["symbol"], train.offsets, SIZE, 2, least=5)
    rows = [[SIZE, *train.steps["symbol"][a:b].tolist(), SIZE] for a, b in pairwise(train.offsets)]
    text = [pair for row in rows for pair in pairwise(row)]
    assert len(often.keys[1]) == sum(text.count(pair) >= 5 for pair in set(text))


def ratios(table: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Give r = log((p / |p|) / (q / |q|)) of Wang & Manning 2012, alpha = 1, for marks
    (examples, labels)."""
    there = (table > 0).astype(float)
    p, q = 1 + there.T @ marks, 1 + there.T @ (1 - marks)
    return np.log((p / p.sum(0)) / (q / q.sum(0)))


@pytest.mark.parametrize(
    ("kind", "size"), [("multiclass", 2), ("multiclass", 3), ("multilabel", 3)]
)
def test_weights_are_the_optimum(kind: str, size: int) -> None:
    """Gradients of C * nats + |w|^2 / 2 are zero at w, computed apart; the cost is strictly
    convex in w. Two labels have softmax; three or more are fitted one against the rest."""
    draws = np.random.default_rng(5)
    marks = draws.integers(0, 2, (80, 3)).astype(float)
    made = {
        ("multiclass", 2): lambda rows, draws: label(rows, draws) % 2,
        ("multilabel", 3): lambda rows, _: marks,
    }.get((kind, size))
    train = examples(80, 1, made)
    model = fitted(train, kind, size, max_order=4, C=2.0)
    table, _ = dense(train, 4)
    assert 0.1 < ((table > 0).sum(0) == 1).mean() < 0.9  # n-grams of one example, and of several
    if kind == "multiclass":
        marks = np.eye(size)[train.static["target"]]
    ratio = ratios(table, marks)
    order = [
        list(map(tuple, (table * 1e6).round().T.tolist())).index(column)
        for column in columns_of(model, train)
    ]
    table, ratio = table[:, order], ratio[order]
    scores = table @ model.weight.numpy() + model.bias.numpy()
    chances = 1 / (1 + np.exp(-scores))
    if size == 2:
        chances = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    # Where a ratio is zero, its n-gram has no weight.
    own = np.divide(model.weight.numpy(), ratio, out=np.zeros_like(ratio), where=ratio != 0)
    slope = 2.0 * ratio * (table.T @ (chances - marks)) + own
    assert np.abs(slope).max() < 0.02
    # Its intercept has a hundredth of the penalty of a weight.
    assert np.abs(2.0 * (chances - marks).sum(0) + model.bias.numpy() / 100).max() < 0.02
    told = model(make_batch(train, np.arange(80)).map(torch.from_numpy))
    probs = told.probs if kind == "multiclass" else told.base_dist.probs
    shares = chances / chances.sum(1, keepdims=True) if kind == "multiclass" else chances
    assert probs.numpy() == pytest.approx(shares)


def columns_of(model: NBSVM, train: Examples) -> list[tuple[float, ...]]:
    present = model.grams["symbol"].encode(train.steps["symbol"], train.offsets)
    table = present.toarray() / np.sqrt(present.toarray().sum(1, keepdims=True))
    return list(map(tuple, (table * 1e6).round().T.tolist()))


def test_numbers_are_ridge_regression() -> None:
    train = examples(
        60, 1, lambda rows, draws: np.array([row.mean() + draws.normal(0, 0.1) for row in rows])
    )
    model = fitted(train, "regression", 1, max_order=2, C=3.0)
    table, _ = dense(train, 2)
    inputs = np.column_stack([table, np.ones(60)])
    # C sum (y - s)^2 / 2 + |w|^2 / 2
    penalty = np.diag([1 / 3.0] * table.shape[1] + [0.0])
    closed = inputs @ np.linalg.solve(
        inputs.T @ inputs + penalty, inputs.T @ train.static["target"]
    )
    told = model(make_batch(train, np.arange(60)).map(torch.from_numpy))
    assert told.mean.numpy() == pytest.approx(closed, abs=1e-3)
    assert float(told.stddev[0]) == pytest.approx(
        np.sqrt(np.mean((closed - train.static["target"]) ** 2)), rel=1e-2
    )


def test_what_is_open_is_chosen_on_the_tune_part() -> None:
    """Lengths and costs are raised while that pays, which ends near the best of all of them."""
    train, tune = examples(150, 1), examples(150, 2)
    model = NBSVMSettings().build(Fields({"symbol": 1000}), "multiclass", 3)
    model.fit(train, tune)
    nats = {}
    for longest in (1, 2, 3):
        for cost in (1.0, 3.0, 9.0, 27.0, 81.0):
            one = NBSVMSettings(max_order=longest, C=cost).build(
                Fields({"symbol": 1000}), "multiclass", 3
            )
            one.fit(train, tune)
            nats[longest, cost] = tune_nats(one, tune)
    assert min(nats.values()) <= tune_nats(model, tune) < min(nats.values()) + 0.01
    assert max(nats.values()) > min(nats.values()) + 0.1


def tune_nats(model: NBSVM, tune: Examples) -> float:
    return float(
        model.loss(make_batch(tune, np.arange(len(tune))).map(torch.from_numpy))[0].nats.mean()
    )


def test_several_fields_and_none() -> None:
    train = examples(40, 1)
    both = Examples(
        train.offsets, {**train.steps, "other": (train.steps["symbol"] + 1) % SIZE}, train.static
    )
    model = NBSVMSettings(max_order=1).build(
        Fields({"symbol": SIZE, "other": SIZE}), "multiclass", 3
    )
    model.fit(both, both)
    assert model.parameter_count == 3 * (2 * (SIZE + 1) + 1)
    with pytest.raises(
        SettingError,
        match="--model nbsvm: nbsvm needs symbols, and these steps have none; choose another",
    ):
        NBSVMSettings().build(Fields(numbers=2), "multiclass", 2)
