"""Each problem of a training gives a warning, and a healthy training gives none."""

import math
from collections import Counter
from typing import Any

import numpy as np
import pytest

from ensue.evaluation.ranking import best_model
from ensue.evaluation.scores import Measured, Score
from ensue.inspection import diagnostics
from ensue.inspection.diagnostics import (
    diagnose,
    diagnose_labels,
    label_shift,
    longest_repetition,
    miscalibrated,
    undercoverage,
    unrecognised,
    worse_than_baseline,
)
from ensue.tasks.results import get_network_costs
from ensue.training import fit


def history(norms: list[float], validations: list[float]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [
        {"step": 10 * number, "norm": norm, "validation": None}
        for number, norm in enumerate(norms, 1)
    ]
    return rows + [
        {"step": 10 * number, "norm": None, "validation": v}
        for number, v in enumerate(validations, 1)
    ]


FINE = [1.0, 0.8, 0.9, 0.7, 0.6, 0.7, 0.5]


def test_a_healthy_training_has_no_warnings() -> None:
    verse = ["The fool doth think he is wise, but the wise man knows himself to be a fool."]
    assert diagnose(history(FINE, [3.0, 2.0, 1.9, 1.91, 1.9]), verse, unigram=2.9, size=60) == []
    assert diagnose([], []) == []


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (
            history([*FINE, 900.0, *FINE], []),
            "Gradients exploded: at step 80 the norm was 900, its median 0.7; ",
        ),
        (
            history([1.0, 0.1, 1e-7, 1e-9, 1e-9], []),
            "Gradients vanished: their norm fell to 1e-09, ",
        ),
        (
            history(FINE, [3.2, 3.0, 3.0]),
            "The network has learned nothing: its validation loss of 3.000 is no better than symbol freq",
        ),
        (
            history(FINE, [5.0, 4.9]),
            "The training was too short: after 20 steps the validation loss of 4.900 is no better than",
        ),
        (
            history(FINE, [5.0, 4.9, 4.9]),
            "The network has learned nothing: its validation loss of 4.900 is no better than uniform "
            "guessing (4.094",
        ),
        (
            history(FINE, [2.0, 1.9, 1.8, 1.7]),
            "The validation loss was still falling at the end: from 1.800 to 1.700 ",
        ),
        (
            history(FINE, [2.0, 1.5, 1.6, 1.7, 1.9]),
            "The network overfitted: the validation loss was best at step 20 (1.500), whose weights",
        ),
    ],
)
def test_each_failure_is_named(rows: list[dict[str, Any]], sentence: str) -> None:
    (found,) = diagnose(rows, [], unigram=2.9, size=60)
    assert found.startswith(sentence)


@pytest.mark.parametrize(
    "rows",
    [
        history(
            [1.0, 0.8, 0.5, 1e-3, 1e-4, 1e-5, 1e-6, 1e-6, 1e-6, 1e-6, 1e-7], [0.3, 0.01, 2e-4, 1e-5]
        ),
        history(
            [1.0, 0.9, 1.1, 0.9, 1.0, 1e-3, 1e-4, 1e-4, 1e-3, 1e-3, 1e-3, 1e-3],
            [0.3, 0.1, 0.01, 0.01],
        ),
        history(FINE, [3e-4, 2e-4, 1e-4, 5e-5]),
        history(FINE, [0.5, 0.003, 0.002, 0.004, 0.005, 0.006]),
    ],
    ids=[
        "gradients fade at no loss",
        "gradients fade as it learns",
        "nothing is left to fall",
        "nothing has risen",
    ],
)
def test_a_solved_task_has_no_warnings(rows: list[dict[str, Any]]) -> None:
    assert diagnose(rows, []) == []


def test_training_and_diagnostics_agree_on_what_is_solved() -> None:
    assert diagnostics.SOLVED == fit.SOLVED


def test_more_time_is_advised_only_where_it_may_help() -> None:
    by_heart, learning = (
        history(FINE, row) for row in ([2.0, 1.5, 1.6, 1.7, 1.9], [2.0, 1.9, 1.8, 1.7])
    )
    costs = [("ngram-bayes", 0.1), ("lstm", 0.2)]
    assert diagnose_labels(costs, {}, [], by_heart) == [
        "The network is no better than ngram-bayes (0.2 against 0.1); use that, or more data"
    ]
    assert diagnose_labels(costs, {}, [], learning)[0].endswith("more data or a larger --minutes")


@pytest.mark.parametrize("text", ["e" * 40, "and " * 12, "To be, " + "or not " * 10])
def test_a_repeating_sample_is_a_collapse(text: str) -> None:
    (found,) = diagnose([], ["All is well in this one, as you see.", text])
    assert found.startswith("A sample repeats itself: one part fills")


def test_the_longest_repetition_is_counted_to_its_end() -> None:
    assert longest_repetition("xyz" + "ab" * 5 + "a!") == 11
    assert longest_repetition("hello") == 0
    assert math.isclose(longest_repetition("a" * 30), 30)


def test_a_warning_never_advises_against_the_recommendation() -> None:
    """The simplest of equally good models is recommended; a warning must not name another."""

    def row(name: str, role: Any, size: int, *losses: float) -> Score:
        measured = Measured({}, {}, np.array(losses * 30), "errors per example")
        return measured.of(name, role, 0.1, size)

    network = row("lstm", "network", 100, 0.0, 1.0)
    assert get_network_costs([row("worse", "baseline", 9, 1.0, 1.0), network]) == []
    small, best = row("small", "baseline", 2, 1.0, 0.0), row("best", "baseline", 900, 0.0, 0.9)
    costs = get_network_costs([best, small, network])
    assert best_model([best, small, network]) is small
    assert [name for name, _ in costs] == ["small", "lstm"]
    assert diagnose_labels(costs, {}, [])[0].startswith(
        f"The network is no better than {costs[0][0]} "
    )


def test_good_predictions_have_no_warnings() -> None:
    assert (
        worse_than_baseline(0.3, {"majority": 0.4, "nbsvm": 0.31})
        == worse_than_baseline(0.3, {})
        == []
    )
    assert unrecognised([("ham", 50, 0.9), ("rare", 4, 0.0)]) == []
    assert miscalibrated(0.2, 50) == miscalibrated(0.05, 5000) == []
    assert (
        label_shift("validation", {"a": 600, "b": 400}, {"a": 25, "b": 25})
        == label_shift("validation", {}, {"a": 1})
        == []
    )
    assert undercoverage(0.9, 0.7, 10) == undercoverage(0.9, 0.88, 10_000) == []


def test_labels_drawn_from_one_source_are_no_shift() -> None:
    draws = np.random.default_rng(5)
    for _ in range(100):
        parts = [dict(Counter(map(str, draws.integers(0, 10, count)))) for count in (2000, 40)]
        assert label_shift("test", *parts) == []


def test_a_short_training_is_lengthened_before_labels_are_dropped() -> None:
    assert "; train longer, add examples" in unrecognised([("a", 9, 0.0)], more_time=True)[0]


def test_at_most_five_labels_without_recall_are_named() -> None:
    (message,) = unrecognised([(name, 9, 0.0) for name in "abcdefg"])
    assert message.startswith(
        "No example is recognised of 'a' (9), 'b' (9), 'c' (9), 'd' (9), 'e' (9 in the test "
        "part), and of 2 more labels; "
    )
