"""Figures of labels against plain loops over examples, and what calibration and conformal sets
promise."""

from collections.abc import Sequence
from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

from ensue.evaluation.calibration import (
    expected_calibration_error,
    fit_temperature,
    nats,
    reliability,
)
from ensue.evaluation.classification import (
    compute_metrics,
    confusion,
    losses,
    per_class,
    roc_auc,
    worst,
)
from ensue.evaluation.conformal import (
    conformal_quantile,
    is_covered,
    prediction_intervals,
    prediction_sets,
)
from ensue.evaluation.intervals import wilson_interval
from ensue.evaluation.predictions import Predictions, normalise
from ensue.evaluation.scores import by_group, with_intervals

DRAWS = np.random.default_rng(5)


def answers(
    count: int, labels: int, sharpness: float = 1.0, draws: np.random.Generator = DRAWS
) -> Predictions:
    return Predictions("multiclass", normalise(draws.normal(size=(count, labels)) * sharpness))


def drawn(chances: NDArray[np.float64], draws: np.random.Generator = DRAWS) -> NDArray[np.int64]:
    return np.minimum(
        (chances.cumsum(1) < draws.random((len(chances), 1))).sum(1), chances.shape[1] - 1
    )


def split(
    draws: np.random.Generator, count: int, below: float, above: float
) -> NDArray[np.float64]:
    """Draw from two halves of normal distributions that meet at their highest."""
    far = np.abs(draws.normal(size=count))
    return np.where(draws.random(count) < below / (below + above), -far * below, far * above)


def f1_by_hand(said: Sequence[int], true: Sequence[int], label: int) -> float:
    hits = sum(a == b == label for a, b in zip(said, true, strict=True))
    wrong = sum((a == label) != (b == label) for a, b in zip(said, true, strict=True))
    return 2 * hits / (2 * hits + wrong)


def test_accuracy_and_macro_f1_are_those_of_loops() -> None:
    given = answers(200, 4)
    true = DRAWS.integers(0, 4, 200)
    rows = DRAWS.integers(0, 200, 150)
    said = [int(np.argmax(row)) for row in given.scores[rows]]
    wanted = true[rows].tolist()
    found = compute_metrics(given, true)(rows)
    assert found["accuracy"] == pytest.approx(
        np.mean([a == b for a, b in zip(said, wanted, strict=True)])
    )
    assert found["macro_f1"] == pytest.approx(
        np.mean([f1_by_hand(said, wanted, label) for label in range(4)])
    )
    assert confusion(np.array(said), true[rows], 4)[2, 1] == sum(
        a == 1 and b == 2 for a, b in zip(said, wanted, strict=True)
    )


def test_macro_f1_leaves_out_labels_that_are_neither_true_nor_said() -> None:
    given = Predictions("multiclass", normalise(np.array([[2.0, 1.0, 0.0], [0.0, 1.0, 0.5]])))
    assert compute_metrics(given, np.array([0, 1]))(np.arange(2))["macro_f1"] == 1.0


def test_auc_counts_pairs() -> None:
    scores, positive = DRAWS.integers(0, 6, 80).astype(float), DRAWS.random(80) < 0.4
    pairs = [(a > b) + (a == b) / 2 for a in scores[positive] for b in scores[~positive]]
    assert roc_auc(scores, positive) == pytest.approx(np.mean(pairs))


def test_metrics_agree_with_scikit_learn() -> None:
    given, true = answers(300, 2), DRAWS.integers(0, 2, 300)
    found = compute_metrics(given, true)(np.arange(300))
    assert found["auc"] == pytest.approx(
        roc_auc_score(true, given.scores[:, 1] - given.scores[:, 0])
    )
    assert found["macro_f1"] == pytest.approx(f1_score(true, given.best, average="macro"))
    np.testing.assert_array_equal(
        confusion(given.best, true, 2), confusion_matrix(true, given.best)
    )


def test_a_worked_example() -> None:
    """Said 0 0 0 1 1 0 0 1: F1 of 0 is 6/9, of 1 is 4/7; of 16 pairs of a 1 and a 0, 10 are in
    order."""
    chances = np.array([0.1, 0.4, 0.35, 0.8, 0.65, 0.3, 0.5, 0.9])
    given = Predictions("multiclass", np.log(np.stack([1 - chances, chances], 1)))
    found = compute_metrics(given, np.array([0, 0, 1, 1, 0, 1, 0, 1]))(np.arange(8))
    assert found == {
        "accuracy": 5 / 8,
        "macro_f1": pytest.approx((6 / 9 + 4 / 7) / 2),
        "auc": 10 / 16,
    }


def test_several_labels() -> None:
    given = Predictions("multilabel", np.array([[3.0, -1.0], [2.0, 4.0], [-3.0, 1.0]]))
    true = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    found = compute_metrics(given, true)(np.arange(3))
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["label_accuracy"] == pytest.approx(5 / 6)
    assert found["micro_f1"] == pytest.approx(2 * 3 / 7)
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3) / 2)
    assert losses(given, true).tolist() == [0, 0.5, 0]
    assert per_class(given, true, ["a", "b"])[1]["precision"] == 0.5


def test_numbers() -> None:
    given, true = (
        Predictions("regression", np.array([[1.0, 1.0, 1.0], [4.0, 1.0, 1.0]])),
        np.array([2.0, 1.0]),
    )
    assert compute_metrics(given, true)(np.arange(2)) == {
        "mae": 2.0,
        "rmse": pytest.approx(np.sqrt(5)),
    }
    assert worst(given, true, 1).tolist() == [1]


def test_where_one_label_alone_is_true_there_is_no_area() -> None:
    given = answers(20, 2, 1.0)
    alone = compute_metrics(given, np.zeros(20, np.int64))
    assert np.isnan(alone(np.arange(20))["auc"])
    assert np.isnan(with_intervals(alone, 20)[1]["auc"]).all()


def test_a_draw_without_both_labels_moves_no_interval_of_the_area() -> None:
    """It counted as 0.5: with two of 40 positive, both told apart, an eighth of the draws have
    none."""
    true = np.arange(40) > 37
    chances = np.where(true, 0.9, 0.1)
    given = Predictions("multiclass", np.log(np.stack([1 - chances, chances], 1)))
    assert with_intervals(compute_metrics(given, true.astype(np.int64)), 40)[1]["auc"] == (1.0, 1.0)


def test_labels_of_which_there_is_nothing_have_no_figures() -> None:
    given = Predictions("multilabel", np.array([[3.0, -1.0], [2.0, -4.0]]))
    found = compute_metrics(given, np.array([[1.0, 0.0], [1.0, 0.0]]))(np.arange(2))
    assert (found["macro_f1"], found["micro_f1"]) == (1.0, 1.0)
    given = Predictions("multilabel", np.array([[-3.0, -1.0]]))
    found = compute_metrics(given, np.zeros((1, 2)))(np.arange(1))
    assert np.isnan([found["macro_f1"], found["micro_f1"]]).all()
    single = Predictions("multiclass", normalise(np.array([[2.0, 1.0, 0.0]])))
    rows = per_class(single, np.array([1]), ["a", "b", "c"])
    assert [[str(one[name]) for name in ("precision", "recall", "f1")] for one in rows] == [
        ["0.0", "nan", "0.0"],
        ["nan", "0.0", "0.0"],
        ["nan", "nan", "nan"],
    ]


@pytest.mark.parametrize("share", [0.5, 0.8, 0.9, 0.98, 0.99])
def test_intervals_of_accuracy_hold_it_as_often_as_they_promise(share: float) -> None:
    """Of 100 examples, over all that may be right; drawn again, they hold 0.98 in 87 of 100
    cases, and 0.99 in 63."""
    chances = [
        comb(100, right) * share**right * (1 - share) ** (100 - right) for right in range(101)
    ]
    intervals = [wilson_interval(right / 100, 100) for right in range(101)]
    held = sum(
        chance
        for chance, (low, high) in zip(chances, intervals, strict=True)
        if low <= share <= high
    )
    assert held > 0.92
    assert with_intervals(lambda rows: {"accuracy": 1.0}, 100)[1]["accuracy"] == intervals[100]
    assert intervals[100] == pytest.approx((0.963, 1.0), abs=5e-4)


def test_intervals_of_groups_hold_what_examples_of_one_alone_would_not() -> None:
    """Of 40 groups of 10 that are all right or all wrong, examples drawn one by one hold it in
    46 of 100 cases."""
    draws, groups, held = np.random.default_rng(0), np.arange(400) % 40, np.zeros(2)
    for _ in range(60):
        right = (draws.random(40) < 0.7)[groups]
        both = (
            with_intervals(lambda rows, right=right: {"mae": right[rows].mean()}, 400, one)[1][
                "mae"
            ]
            for one in (groups, None)
        )
        held += [low <= 0.7 <= high for low, high in both]
    assert held[0] > 52 > 35 > held[1]
    alone = with_intervals(lambda rows: {"accuracy": 1.0}, 400, groups)[1]["accuracy"]
    assert alone == pytest.approx(wilson_interval(1.0, 400))
    assert by_group(np.arange(4.0), np.array([0, 0, 1, 1])).tolist() == [0.5, 2.5]


def test_the_surest_mistakes_come_first() -> None:
    given = Predictions(
        "multiclass", np.log(np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]]))
    )
    assert worst(given, np.array([0, 0, 0, 1]), 5).tolist() == [2, 1]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_answers_were_spoilt_by_is_found(
    kind: str, temperature: float
) -> None:
    draws = np.random.default_rng(1)
    honest = Predictions(kind, draws.normal(size=(20_000, 3)) * 2)  # type: ignore[arg-type]
    if kind == "regression":
        honest = Predictions(
            "regression",
            np.stack([draws.normal(size=20_000), np.full(20_000, 2.0), np.full(20_000, 0.5)], 1),
        )
        true = honest.scores[:, 0] + split(draws, 20_000, 2.0, 0.5)
    elif kind == "multilabel":
        true = (draws.random(honest.scores.shape) < honest.probabilities).astype(np.float64)
    else:
        honest = Predictions("multiclass", normalise(honest.scores))
        true = drawn(honest.probabilities, draws)
    spoilt = honest.with_temperature(1 / temperature)
    found = fit_temperature(spoilt, true)
    assert found == pytest.approx(temperature, rel=0.05)
    around = [nats(spoilt.with_temperature(found * factor), true) for factor in (0.98, 1, 1.02)]
    assert min(around) == around[1]


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
def test_a_few_right_answers_make_none_certain(kind: str) -> None:
    """By the nats alone the temperature of these would be 0: the next answer that is wrong would
    cost all there is."""
    labels, number = (
        np.array([[3.0, -3.0]] * 5),
        Predictions("regression", np.array([[1.0, 2.0, 2.0]])),
    )
    given = {
        "multiclass": Predictions("multiclass", normalise(labels)),
        "multilabel": Predictions("multilabel", labels),
        "regression": number,
    }
    true = {
        "multiclass": np.zeros(5, np.int64),
        "multilabel": np.array([[1.0, 0.0]] * 5),
        "regression": np.ones(1),
    }
    assert 0.3 < fit_temperature(given[kind], true[kind]) < 1


def test_reliability_of_honest_answers_is_a_diagonal() -> None:
    given = answers(50_000, 3, 2.0)
    curve = reliability(given, drawn(given.probabilities))
    assert sum(one["count"] for one in curve) == 50_000
    assert expected_calibration_error(curve) < 0.01
    assert (
        expected_calibration_error(
            reliability(given.with_temperature(0.3), drawn(given.probabilities))
        )
        > 0.1
    )


@pytest.mark.parametrize("kind", ["multiclass", "multilabel", "regression"])
def test_sets_hold_what_is_true_as_often_as_they_promise(kind: str) -> None:
    """Over many draws of 99 examples to calibrate on, the mean coverage of a wrong model is 90 %
    to 91 %."""
    draws, shares = np.random.default_rng(2), []
    for _ in range(300):
        honest = Predictions(kind, draws.normal(size=(299, 4)))  # type: ignore[arg-type]
        if kind == "regression":
            said = Predictions(
                "regression", np.stack([honest.scores[:, 0], np.ones(299), np.full(299, 4.0)], 1)
            )
            true = honest.scores[:, 0] + 3 * draws.standard_t(3, size=299)
        elif kind == "multilabel":
            said, true = (
                honest.with_temperature(0.5),
                (draws.random((299, 4)) < honest.probabilities).astype(np.float64),
            )
        else:
            honest = Predictions("multiclass", normalise(honest.scores))
            said, true = honest.with_temperature(0.5), drawn(honest.probabilities, draws)
        part = Predictions(said.kind, said.scores[:99])
        bound = conformal_quantile(part, true[:99])
        shares.append(is_covered(Predictions(said.kind, said.scores[99:]), true[99:], bound).mean())
    assert 0.895 < np.mean(shares) < 0.915


def test_too_few_examples_promise_nothing_less_than_everything() -> None:
    given = answers(8, 3)
    bound = conformal_quantile(given, np.zeros(8, np.int64))
    assert bound == np.inf
    assert prediction_sets(given, bound).all()
    assert np.isinf(
        prediction_intervals(Predictions("regression", np.array([[0.0, 1.0, 2.0]])), bound)
    ).all()
