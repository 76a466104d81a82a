"""What every model of labels that is fitted at one go obeys, where its baseline is asked for."""

import sys
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from ensue.data.dataset import Examples
from ensue.data.feeds import make_batch
from ensue.data.labelled import Fields
from ensue.errors import RunError
from ensue.models.contract import Predictor
from ensue.models.names import is_network
from ensue.tasks.classify.settings import MODELS

KINDS = ("multiclass", "multilabel", "ordinal", "regression")
SYMBOLS, NUMBERS = Fields({"symbol": 5}), Fields({}, numbers=1, measured=1)
SIZE = 3


def examples(count: int, seed: int, shape: Fields, kind: str) -> Examples:
    draws = np.random.default_rng(seed)
    lengths = draws.integers(1, 8, count)
    steps = {"symbol": draws.integers(0, 5, lengths.sum())} if shape.symbols else {}
    if shape.numbers:
        steps = {"numbers": draws.normal(size=(lengths.sum(), 1)).astype(np.float32)}
    target = {
        "multilabel": draws.integers(0, 2, (count, SIZE)).astype(np.float32),
        "regression": draws.normal(size=count).astype(np.float32),
    }.get(kind, draws.integers(0, SIZE, count))
    return Examples(np.cumsum([0, *lengths]), steps, {"target": target})


def cases() -> Iterator[tuple[str, Fields, str]]:
    for name, settings in MODELS.parts.items():
        for shape in (SYMBOLS, NUMBERS):
            yield from (
                (name, shape, kind)
                for kind in KINDS
                if not is_network(settings()) and settings().suits(shape, kind)
            )


def built(name: str, shape: Fields, kind: str) -> Predictor:
    return MODELS.parts[name]().build(shape, kind, 1 if kind == "regression" else SIZE)


def answers(model: Predictor, data: Examples, rows: list[int]) -> torch.Tensor:
    told = model(make_batch(data, np.array(rows)).map(torch.from_numpy))
    told = getattr(told, "base_dist", told)
    return torch.stack([told.mean, told.stddev], 1) if not hasattr(told, "probs") else told.probs


@pytest.mark.parametrize(("name", "shape", "kind"), [*cases()])
def test_fitted_models(name: str, shape: Fields, kind: str) -> None:
    model = built(name, shape, kind)
    model.fit(examples(60, 1, shape, kind), examples(30, 2, shape, kind))
    data = examples(12, 3, shape, kind)
    together = answers(model, data, list(range(12)))
    if kind in ("multiclass", "ordinal"):
        torch.testing.assert_close(together.sum(1), torch.ones_like(together[:, 0]))
        assert (together > 0).all()
    for row in range(12):  # alone there is no padding, and nobody to mix with
        torch.testing.assert_close(
            answers(model, data, [row])[0], together[row], rtol=1e-9, atol=1e-9
        )
    again = built(name, shape, kind)
    again.load({key: np.array(value) for key, value in model.arrays().items()})
    assert torch.equal(answers(again, data, list(range(12))), together)
    assert again.parameter_count == model.parameter_count
    for key, value in model.arrays().items():
        if "." in key and name == "ngram-bayes":
            continue  # n-grams have laws of their own
        kind_of_other = np.int64 if value.dtype.kind == "f" else np.float32
        with pytest.raises(RunError):  # a whole number is no index once it is a float
            built(name, shape, kind).load({**model.arrays(), key: value.astype(kind_of_other)})
    if kind != "regression" and name != "dtw":  # neighbours bring their own labels
        other = MODELS.parts[name]().build(shape, kind, SIZE + 1)
        with pytest.raises(RunError, match="use the settings"):
            other.load(model.arrays())


@pytest.mark.parametrize("name", ["nbsvm", "ngram-bayes"])
def test_symbols_and_labels_that_training_did_not_have(name: str) -> None:
    model = built(name, SYMBOLS, "multiclass")
    draws = np.random.default_rng(1)
    train = Examples(
        np.arange(0, 61, 3),
        {"symbol": draws.integers(0, 3, 60)},
        {"target": draws.integers(0, 2, 20)},
    )
    model.fit(train, train)
    new = Examples(np.array([0, 2]), {"symbol": np.array([4, 3])}, {"target": np.array([0])})
    found = answers(model, new, [0])[0]
    assert torch.isfinite(found).all()
    assert found.sum() == pytest.approx(1)
    assert found[2] < found[:2].max()


def test_an_example_without_steps_is_told_by_its_ends() -> None:
    for name in ("nbsvm", "ngram-bayes"):
        model = built(name, SYMBOLS, "multiclass")
        model.fit(examples(60, 1, SYMBOLS, "multiclass"), examples(30, 2, SYMBOLS, "multiclass"))
        empty = Examples(
            np.array([0, 0]), {"symbol": np.zeros(0, np.int64)}, {"target": np.array([0])}
        )
        assert answers(model, empty, [0]).sum() == pytest.approx(1)


@pytest.mark.parametrize(("name", "shape"), [("nbsvm", SYMBOLS), ("summary-features", NUMBERS)])
def test_predictions_need_no_scikit_learn(name: str, shape: Fields, monkeypatch) -> None:
    model = built(name, shape, "multiclass")
    model.fit(examples(60, 1, shape, "multiclass"), examples(30, 2, shape, "multiclass"))
    for module in ("sklearn", "sklearn.linear_model", "sklearn.exceptions"):
        monkeypatch.setitem(sys.modules, module, None)
    again = built(name, shape, "multiclass")
    again.load(model.arrays())
    assert answers(again, examples(5, 3, shape, "multiclass"), [*range(5)]).shape == (5, SIZE)
    with pytest.raises(ImportError):
        again.fit(examples(60, 1, shape, "multiclass"), examples(30, 2, shape, "multiclass"))


@pytest.mark.parametrize(
    ("kind", "numbers"),
    [
        ("multiclass", [-0.5, 1.5]),
        ("ordinal", [0.5, 0.6]),
        ("multilabel", [0.5, 1.5]),
        ("regression", [0.0, -1.0]),
    ],
)
def test_shares_that_are_no_distribution_are_refused(kind: str, numbers: list[float]) -> None:
    model = MODELS.parts["majority"]().build(Fields({}, {}), kind, 2)
    with pytest.raises(RunError, match="not a distribution"):
        model.load({"numbers": np.array(numbers)})
