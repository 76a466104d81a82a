"""Of a label on a scale the answer is as few places off as the probabilities allow, and sets
have no gaps."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from ensue.cli.main import main
from ensue.data.codecs.labels import LabelKind
from ensue.evaluation.classification import MEASURE, compute_metrics, losses, worst
from ensue.evaluation.conformal import conformal_quantile, is_covered, prediction_sets
from ensue.evaluation.predictions import Predictions, normalise
from ensue.tasks.classify.report import SHOWN

DRAWS = np.random.default_rng(7)


def answers(rows: int, labels: int = 9, spread: float = 2.0) -> Predictions:
    """Give probabilities with several peaks: those of a classifier that knows no order."""
    return Predictions("ordinal", normalise(DRAWS.normal(0, spread, (rows, labels))))


def drawn_from(said: Predictions) -> np.ndarray:
    return (
        (said.probabilities.cumsum(1) < DRAWS.random((len(said), 1)))
        .sum(1)
        .clip(0, said.scores.shape[1] - 1)
    )


def test_the_answer_has_the_least_expected_distance() -> None:
    said, places = answers(500), np.arange(9)
    expected = said.probabilities @ np.abs(places[:, None] - places)
    of_answer = expected[np.arange(500), said.best]
    np.testing.assert_allclose(of_answer, expected.min(1), rtol=0, atol=1e-9)
    likeliest = expected[np.arange(500), said.scores.argmax(1)]
    assert likeliest.mean() > 1.04 * of_answer.mean()


def test_the_confidence_is_that_of_the_answer() -> None:
    said = answers(50)
    np.testing.assert_allclose(said.confidence, said.probabilities[np.arange(50), said.best])


@pytest.mark.parametrize("bound", [0.0, 0.1, 0.3, 0.45, 0.5, float("inf")])
def test_sets_on_a_scale_have_no_gaps_and_hold_the_answer(bound: float) -> None:
    said = answers(400)
    inside = prediction_sets(said, bound)
    assert (np.abs(np.diff(inside.astype(int), axis=1, prepend=0, append=0)).sum(1) == 2).all()
    assert inside[np.arange(400), said.best].all()
    wider = prediction_sets(said, bound + 0.01)
    assert (inside <= wider).all()


def test_sets_on_a_scale_hold_what_they_promise() -> None:
    shares = []
    for _ in range(60):
        calibrate, test = answers(200), answers(400)
        bound = conformal_quantile(calibrate, drawn_from(calibrate))
        shares.append(is_covered(test, drawn_from(test), bound).mean())
    assert 0.89 < np.mean(shares) < 0.93


@pytest.mark.parametrize("kind", MEASURE)
def test_the_first_figure_is_that_by_which_models_are_compared(kind: LabelKind) -> None:
    name, unit = MEASURE[kind]
    assert name in SHOWN
    assert unit
    if kind == "regression":
        said, true = Predictions(kind, np.abs(DRAWS.normal(size=(40, 3)))), DRAWS.normal(size=40)
    elif kind == "multilabel":
        said, true = (
            Predictions(kind, DRAWS.normal(size=(40, 5))),
            DRAWS.integers(0, 2, (40, 5)).astype(float),
        )
    else:
        said, true = (
            Predictions(kind, normalise(DRAWS.normal(size=(40, 5)))),
            DRAWS.integers(0, 5, 40),
        )
    figure, cost = compute_metrics(said, true)(np.arange(40))[name], losses(said, true).mean()
    assert cost == pytest.approx(figure if name == "mae" else 1 - figure)


def test_the_farthest_mistakes_come_first() -> None:
    said, true = answers(100), DRAWS.integers(0, 9, 100)
    far = np.abs(said.best - true)[worst(said, true, 10)]
    assert far.tolist() == sorted(np.abs(said.best - true).tolist(), reverse=True)[:10]


def test_training_and_evaluation_go_by_the_distance(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dice, data, run = random.Random(2), tmp_path / "stars.csv", tmp_path / "run"
    with data.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label"])
        for place in range(300):
            stars = dice.choice([0, 0, 0, 0, 1, 2, 3, 4])
            rows.writerow([" ".join(dice.choice(["fine", "good"] if dice.random() < stars / 4 else ["dull", "bad"])
                                    for _ in range(5)) + f" {place}", stars])  # fmt: skip
    line = [
        "train",
        "classify",
        str(data),
        "--out",
        str(run),
        "--set",
        "labels.kind=ordinal",
        "--size",
        "tiny",
    ]
    assert main([*line, "--epochs", "3", "--set", "hardware.threads=1", "--seed", "3"]) == 0
    told = capsys.readouterr().out
    assert "95 % interval of MAE" in told
    assert " mean absolute error in ranks" in told
    result = json.loads((run / "result.json").read_text())
    assert next(iter(result["metrics"])) == "mae"
    assert result["details"]["early"][-1]["mae"] == result["metrics"]["mae"]
    best = min(row["metrics"]["mae"] for row in result["rows"])
    named = result["recommendation"].split(" (")[0]
    (chosen,) = (row for row in result["rows"] if row["name"] == named)
    assert chosen["metrics"]["mae"] <= best * 1.2
    lines = [json.loads(one) for one in (run / "metrics.jsonl").read_text().splitlines()]
    validations = [one["validation"] for one in lines if one.get("validation") is not None]
    assert all(
        round(one * 30, 6) == round(one * 30) for one in validations
    )  # whole places of 30 examples
    assert main(["evaluate", str(run), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["metrics"] == result["metrics"]
    assert again["details"]["coverage"] == result["details"]["prediction_sets"]["coverage"]
    assert main(["classify", str(run), str(data), "--json"]) == 0
    for answer in map(json.loads, capsys.readouterr().out.splitlines()):
        places = sorted(map(int, answer["prediction_set"]))
        assert places == list(range(places[0], places[-1] + 1))
        upto, median = 0.0, None
        for name, chance in answer["probabilities"].items():
            upto += chance
            median = median or (name if upto >= 0.5 else None)
        assert answer["label"] == median
