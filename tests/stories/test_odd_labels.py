"""Labels that are hardly what they seem: empty sets, row numbers, truth values, columns called
otherwise, one class."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ensue
from ensue.cli.main import main

WORDS = ("lovely", "dull", "fine", "bad", "warm")


def table(path: Path, labels: list[Any], header: str = "text,label") -> Path:
    rows = (f'a {WORDS[place % 5]} film {place},"{label}"\n' for place, label in enumerate(labels))
    path.write_text(f"{header}\n" + "".join(rows))
    return path


def trained(
    capsys: pytest.CaptureFixture[str], path: Path, *more: str
) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    line = [
        "train",
        "classify",
        str(path),
        "--model",
        "majority",
        "--out",
        str(path.with_suffix("")),
        "--json",
        *more,
    ]
    assert main(line) == 0
    out, err = capsys.readouterr()
    return json.loads(out.splitlines()[-1]), out + err


def refused(capsys: pytest.CaptureFixture[str], path: Path, *more: str) -> str:
    capsys.readouterr()
    assert (
        main(
            [
                "train",
                "classify",
                str(path),
                "--model",
                "majority",
                "--out",
                str(path.with_suffix("")),
                *more,
            ]
        )
        == 2
    )
    return capsys.readouterr().err.splitlines()[-1]


SETS = ["a|b", "", "b", "a", "b|c|a"] * 16


def test_none_of_several_labels_may_be_true(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "sets.csv", SETS)
    said = refused(capsys, path)
    assert said.endswith(
        "sets.csv:3: column 'label' is empty in this row; fill it in, or give --set "
        "incomplete='leave out', or "
        "'no labels' for multilabel data"
    )
    trained(capsys, path, "--set", "incomplete=no labels")
    path = table(tmp_path / "said.csv", SETS)
    _, told = trained(capsys, path, "--set", "labels.kind=multilabel")
    assert "'|' is used as the delimiter of labels" in told
    model = ensue.open(path.with_suffix(""))
    assert model.labels.names == ("a", "b", "c")
    assert sum(model.run.about["data"]["examples"].values()) == 80
    assert model.evaluate([path]).details["examples"] == 80
    lines = tmp_path / "empty.jsonl"
    lines.write_text("".join(json.dumps({"text": f"film {i}", "label": [] if i % 3 else ["a", "b"][: i % 2 + 1]}) + "\n"
                             for i in range(60)))  # fmt: skip
    result, _ = trained(capsys, lines)
    assert "label_accuracy" in result["metrics"]


def test_numbers_of_rows_are_told_or_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, told = trained(capsys, table(tmp_path / "many.csv", list(range(1200))))
    assert (
        "the labels number the rows, from 0 to 1199; if they are not labels, name another "
        "column with --label"
    ) in told
    said = refused(capsys, table(tmp_path / "few.csv", [f"id{i}" for i in range(100)]))
    assert (
        "few.csv: most labels, such as 'id0', have one example, as row ids would; give more of each"
    ) in said
    assert said.endswith("or name another column with --label")


@pytest.mark.parametrize(
    ("written", "read", "told"),
    [
        (
            lambda value: f"{value:,}".replace(",", "."),
            1,
            "is read as 1003, because numbers without a point are below 1000",
        ),
        (
            lambda value: f"{value:,}",
            1,
            "is read as 1003, because numbers without a comma are below 1000",
        ),
        (
            lambda value: f"{value / 100:.2f}".replace(".", ","),
            0.01,
            "labels read as numbers, because 60 distinct ones",
        ),
    ],
)
def test_numbers_are_read_as_spreadsheets_write_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: Any, read: float, told: str
) -> None:
    """All labels together say what a point is; a run remembers it for a file in which none would
    tell."""
    values = [1003, 996, *range(700, 2440, 30)]
    path = table(tmp_path / "prices.csv", [written(value) for value in values])
    _, said = trained(capsys, path)
    assert told in said
    model = ensue.open(path.with_suffix(""))
    assert abs(model.labels.mean - read * 1550) < read * 200
    few = [2003, 2004]
    told_of = model.evaluate([table(tmp_path / "few.csv", [written(value) for value in few])])
    assert told_of.metrics["mae"] == pytest.approx(
        np.abs(read * np.array(few) - model.classify("a film")[0].label).mean()
    )


def test_missing_numbers_are_named_with_a_mend_that_works(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(
        tmp_path / "gaps.csv",
        ["nan" if place % 7 == 3 else f"{place / 7:.2f}" for place in range(60)],
    )
    said = refused(capsys, path)
    assert "gaps.csv:5: the label 'nan' is not finite; correct it, or leave the row out" in said
    hint = 'data.labels.merge=["nan="]'
    assert said.endswith(f"or all such with --set '{hint}'")
    trained(capsys, path, "--set", hint)
    assert ensue.open(path.with_suffix("")).labels.kind == "regression"


def test_truth_values_are_names_in_every_format(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "truth.jsonl"
    lines.write_text(
        "".join(json.dumps({"text": f"film {i}", "label": i % 2 == 0}) + "\n" for i in range(60))
    )
    trained(capsys, lines)
    model = ensue.open(lines.with_suffix(""))
    assert model.labels.names == ("False", "True")
    assert (
        model.evaluate([table(tmp_path / "t.csv", [i % 2 == 0 for i in range(20)])]).details[
            "examples"
        ]
        == 20
    )


def test_a_test_file_with_other_columns_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = table(tmp_path / "train.csv", ["pos", "neg"] * 30)
    other = table(tmp_path / "other.csv", ["pos", "neg"] * 5, "text,mood")
    said = refused(capsys, path, "--test", str(other))
    assert said.endswith(
        "other.csv: there is no column 'label'; call its columns as train.csv does"
    )
    other.write_text("text,label\n")
    assert "other.csv: the table has no rows" in refused(capsys, path, "--test", str(other))
    other.write_text('text,label\na film,"pos"\na film,\n')
    assert "other.csv:3: column 'label' is empty in this row" in refused(
        capsys, path, "--test", str(other)
    )


def test_what_is_not_trained_step_by_step_is_no_dead_network(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result, _ = trained(capsys, table(tmp_path / "even.csv", ["pos", "neg"] * 30))
    assert not any("dead" in symptom or "train longer" in symptom for symptom in result["warnings"])


def test_a_list_of_labels_is_refused_where_one_is_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = tmp_path / "lists.jsonl"
    lines.write_text(
        "".join(
            json.dumps({"text": f"film {i}", "label": ["a", "b"][: i % 2 + 1]}) + "\n"
            for i in range(40)
        )
    )
    said = refused(capsys, lines, "--set", "labels.kind=multiclass")
    assert (
        "lists.jsonl:1: the label is a list, but labels are read as one label each; give it one"
    ) in said
    assert said.endswith("or give --set data.labels.kind=multilabel")
