"""What labels are is told by the shape of their values, not by how many rows there are; what is
odd is named."""

import json
import shlex

import numpy as np
import pytest

from ensue.data.codecs.labels import LabelSettings, merge_labels
from ensue.data.label_kinds import (
    find_label_kind,
    find_lacking_labels,
    find_suspicious_labels,
    report_guessed_scale,
)
from ensue.data.labelled import Example
from ensue.settings import assign

DRAWS = np.random.default_rng(3)
ROWS = (300, 1500, 1600, 6000)


def guess(labels: list[object]) -> tuple[str, object]:
    kind, _, told = find_label_kind(
        [Example("", label, "a.csv", 1) for label in labels], LabelSettings()
    )
    return kind, told


SHAPES = {
    "ids of 77 intents": (lambda n: [str(i % 77) for i in range(n)], "multiclass"),
    "ids from 1, drawn": (lambda n: DRAWS.integers(1, 51, n).tolist(), "multiclass"),
    "ids, most of them rare": (
        lambda n: (DRAWS.permutation(40)[DRAWS.zipf(1.3, n) % 40]).tolist(),
        "multiclass",
    ),
    "stars": (lambda n: [1 + i % 5 for i in range(n)], "multiclass"),
    "counts": (lambda n: DRAWS.poisson(20, n).tolist(), "regression"),
    "counts that thin out": (lambda n: (DRAWS.geometric(0.1, n) - 1).tolist(), "regression"),
    "ages": (lambda n: DRAWS.integers(18, 90, n).tolist(), "regression"),
    "years": (lambda n: [str(1950 + i % 60) for i in range(n)], "regression"),
    "prices": (lambda n: [f"{price:.2f}" for price in DRAWS.lognormal(3, 1, n)], "regression"),
    "whole prices": (lambda n: DRAWS.integers(5, 9000, n).tolist(), "regression"),
    "fractions of many values": (lambda n: [f"{i % 101 / 10:.1f}" for i in range(n)], "regression"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_kind_hangs_on_the_shape_and_not_on_the_number_of_rows(shape: str) -> None:
    make, kind = SHAPES[shape]
    assert {guess(make(rows))[0] for rows in ROWS} == {kind}


def test_a_guess_between_numbers_and_classes_is_told_with_the_other() -> None:
    for labels in (
        [str(i % 77) for i in range(1500)],
        [1 + i % 5 for i in range(100)],
        list(range(18, 90)) * 3,
    ):
        assert "--set data.labels.kind=multiclass, multilabel, ordinal or regression" in str(
            guess(labels)[1]
        )
    assert guess([i % 2 for i in range(100)]) == ("multiclass", None)
    assert guess([True, False] * 20) == ("multiclass", None)


def test_labels_that_are_alike_are_named_and_the_advice_merges_them() -> None:
    labels = (
        ["Spam"] * 3
        + ["spam"] * 2
        + ["SPAM "] * 2
        + ["nan", "NaN"]
        + ["ham"] * 4
        + ["caf\u00e9", "cafe\u0301"]
    )
    examples = [Example("", label, "a.csv", line) for line, label in enumerate(labels, 2)]
    blanks, alike, missing = find_suspicious_labels(examples, "multiclass", "")
    assert blanks.what == "blanks around labels are removed: 'SPAM ' (2)"
    assert (
        "'Spam' (3) and 'SPAM' (2) and 'spam' (2); 'cafe\u0301' (1) and 'caf\u00e9' (1)"
        in alike.what
    )
    assert missing.what.endswith("'NaN' (1) and 'nan' (1)")
    setting = shlex.split(str(alike.hint))[-1]
    assert json.loads(setting.partition("=")[2])[0] == "SPAM=Spam"
    settings = assign(LabelSettings(), setting.removeprefix("data.labels."))
    again = merge_labels(examples, settings)
    assert {str(one.label) for one in again} == {"Spam", "ham", "cafe\u0301"}
    assert len(again) == len(examples) - 2
    assert list(find_suspicious_labels(again, "multiclass", "")) == []


@pytest.mark.parametrize("labels", [("A", "a"), ("nan", "NaN", "x"), ("NA", "x")])
def test_no_merge_is_advised_that_leaves_one_class(labels: tuple[str, ...]) -> None:
    examples = [Example("", label, "a.csv", 2) for label in labels * 9]
    (told,) = find_suspicious_labels(examples, "multiclass", "")
    assert told.hint == "correct them in the data, unless they are intended"


def test_numbers_with_signs_between_thousands_are_told() -> None:
    examples = [Example("", f"1,{i % 3}00", "a.csv", 1) for i in range(30)]
    (told,) = find_suspicious_labels(examples, "multiclass", "")
    assert told.what == "labels such as '1,000' are read as class names"


@pytest.mark.parametrize("as_lists", [True, False])
def test_of_several_labels_each_is_merged_by_itself_and_nothing_else_is_left_out(
    as_lists: bool,
) -> None:
    several = [["Rock", "Pop"], ["rock"], [], ["Pop", "rock", "Rock"], ["nan", "Rock"], ["Pop"]]
    labels = several if as_lists else ["|".join(own) for own in several]
    examples = [Example("", label, "a.csv", line) for line, label in enumerate(labels, 2)]
    delimiter = "" if as_lists else "|"
    findings = list(find_suspicious_labels(examples, "multilabel", delimiter))
    setting = shlex.split(str(findings[0].hint))[-1]
    settings = assign(LabelSettings(), setting.removeprefix("data.labels."))
    again = merge_labels(examples, settings, several=delimiter)
    assert [one.label for one in again] == [
        ["Rock", "Pop"],
        ["Rock"],
        [],
        ["Pop", "Rock"],
        ["Rock"],
        ["Pop"],
    ]
    assert list(find_suspicious_labels(again, "multilabel", delimiter)) == []


def test_a_scale_that_the_alphabet_orders_is_told_with_the_setting_that_orders_it() -> None:
    (told,) = report_guessed_scale(("fine", "ok", "poor"), "a.csv")
    assert told.what.endswith("in alphabetical order, lowest first: fine, ok, poor")
    setting = shlex.split(str(told.hint))[-1]
    assert assign(LabelSettings(), setting.removeprefix("data.labels.")).order == (
        "fine",
        "ok",
        "poor",
    )
    assert list(report_guessed_scale(("1", "2", "10"), "a.csv")) == []


def test_a_label_that_is_merged_and_that_no_example_has_is_told() -> None:
    examples = [Example("", label, "a.csv", 2) for label in ("Spam|ham", "spam", "eggs")]
    settings = LabelSettings(merge=("Spam=spam", "spma=spam", "ham="))
    (told,) = find_lacking_labels(examples, "multilabel", "|", settings)
    assert (
        str(told)
        == "a.csv: labels of data.labels.merge that no example has: 'spma'; did you mean spam?"
    )
    assert (
        list(
            find_lacking_labels(
                examples, "multilabel", "|", LabelSettings(merge=("Spam=spam", "ham="))
            )
        )
        == []
    )
    assert list(find_lacking_labels(examples, "multilabel", "|", LabelSettings())) == []
