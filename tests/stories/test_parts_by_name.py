"""Files named train, valid and test are parts of the data in every format, and never classes."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue.cli.main import main
from ensue.data.readers.fasttext import FastText
from ensue.data.readers.named_parts import group_by_part

WORDS = {"pos": ("lovely", "good", "great"), "neg": ("dull", "bad", "poor")}


def fasttext(count: int, first: int = 0) -> str:
    rows = ((place, "neg" if place % 2 else "pos") for place in range(first, first + count))
    return "".join(
        f"__label__{label} a {WORDS[label][place % 3]} film {place}\n" for place, label in rows
    )


def trained(
    capsys: pytest.CaptureFixture[str], *line: str, model: str = "ngram-bayes"
) -> tuple[dict[str, Any], str]:
    capsys.readouterr()
    assert main(["train", "classify", *line, "--model", model, "--json"]) == 0
    out, err = capsys.readouterr()
    return json.loads(out.splitlines()[-1]), out + err


def refused(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(["train", "classify", *line, "--model", "majority"]) == 2
    return capsys.readouterr().err.splitlines()[-1]


def test_fasttext_files_give_their_labels_and_their_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = tmp_path / "ft", tmp_path / "run"
    data.mkdir()
    (data / "train.txt").write_text(fasttext(60))
    (data / "test.txt").write_text(fasttext(20, 100))
    result, told = trained(capsys, str(data), "--out", str(run))
    assert result["details"]["labels"] == ["neg", "pos"]
    assert result["metrics"]["accuracy"] == 1.0
    assert "train from train.txt, test from test.txt" in told
    about = ensue.open(run).run.about["data"]
    assert about["examples"] == {"train": 48, "validation": 6, "calibration": 6, "test": 20}
    scored = ensue.open(run).evaluate(data)
    assert (scored.details["examples"], scored.metrics["accuracy"]) == (
        20,
        result["metrics"]["accuracy"],
    )
    assert "only the files of the test part are scored, by their names" in scored.details["notes"]
    result, _ = trained(
        capsys, str(data), "--out", str(tmp_path / "drawn"), "--set", "data.split=drawn"
    )
    assert ensue.open(tmp_path / "drawn").run.about["data"]["examples"]["test"] == 16
    capsys.readouterr()
    assert main(["check", str(data), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["task"], {row["part"]: row["examples"] for row in report["parts"]}) == (
        "classify",
        about["examples"],
    )
    (tmp_path / "new.txt").write_text("a great film\n__label__pos a dull film\n")
    assert main(["classify", str(run), str(tmp_path / "new.txt"), "--json"]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["label"], one["text"]) for one in answers] == [
        ("pos", "a great film"),
        ("neg", "a dull film"),
    ]


def test_several_labels_on_a_line_of_fasttext(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.txt"
    path.write_text(
        "".join(
            f"__label__{'ab'[i % 2]} __label__c words {i}\n__label__a word {i}\n" for i in range(30)
        )
    )
    labels = [one.label for one in FastText().build([path]).examples()]
    assert labels[:3] == [["a", "c"], "a", ["b", "c"]]
    result, told = trained(capsys, str(path), "--out", str(tmp_path / "run"), model="nbsvm")
    assert "any number of labels each" in told
    assert "micro_f1" in result["metrics"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (
            "no label here",
            "data.txt:3: the line has no label; begin it with __label__NAME, or leave it out",
        ),
        ("__label__pos", "data.txt:3: there are labels, and no text; leave the line out"),
        (
            "__label__ pos film",
            "data.txt:3: a label has no name after __label__; write __label__NAME",
        ),
    ],
)
def test_wrong_lines_of_fasttext(
    line: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.txt"
    path.write_text(f"{fasttext(2)}{line}\n{fasttext(20)}")
    assert expected in refused(capsys, str(path), "--out", str(tmp_path / "run"))


def test_tables_named_as_parts_are_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for part, count in (("train", 40), ("dev", 10), ("test", 12)):
        rows = (
            f"a {WORDS[label][i % 3]} film,{label}\n" for i in range(count // 2) for label in WORDS
        )
        (data / f"sst2_{part}.csv").write_text("text,label\n" + "".join(rows))
    trained(capsys, str(data), "--out", str(tmp_path / "run"))
    assert ensue.open(tmp_path / "run").run.about["data"]["examples"] == {
        "train": 36,
        "validation": 10,
        "calibration": 4,
        "test": 12,
    }
    other = tmp_path / "other.csv"
    other.write_text("text,label\n" + "a good film,pos\na bad film,neg\n" * 4)
    _, told = trained(capsys, str(data), "--out", str(tmp_path / "own"), "--test", str(other))
    assert "sst2_test.csv: left out: --test names another file for this part" in told
    assert ensue.open(tmp_path / "own").run.about["data"]["examples"]["test"] == 8
    trained(
        capsys, str(data), "--out", str(tmp_path / "same"), "--test", str(data / "sst2_test.csv")
    )
    assert ensue.open(tmp_path / "same").run.about["data"]["examples"]["test"] == 12


def test_folders_of_classes_within_folders_of_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "imdb"
    for part, count in (("train", 30), ("test", 8)):
        for label, words in WORDS.items():
            (data / part / label).mkdir(parents=True)
            for place in range(count):
                (data / part / label / f"{place}.txt").write_text(f"a {words[place % 3]} film\n")
    result, _ = trained(capsys, str(data), "--out", str(tmp_path / "run"))
    assert result["details"]["labels"] == ["neg", "pos"]
    assert ensue.open(tmp_path / "run").run.about["data"]["examples"]["test"] == 16


def test_parts_are_never_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train", "test", "valid"):
        (data / f"{name}.txt").write_text("a line of text\nanother one\n" * 20)
    said = refused(capsys, str(data), "--out", str(tmp_path / "run"))
    assert (
        "'train' is a name of parts of the data, not of classes; begin each line with __label__CLASS"
        in said
    )
    said = refused(capsys, str(data), "--out", str(tmp_path / "run"), "--set", "data.split=drawn")
    assert "'test', 'train', 'valid' are names of parts of the data, not of classes" in said
    assert main(["check", str(data), "--json"]) == 0
    assert '"task": "generate"' in capsys.readouterr().out


def test_a_class_may_be_called_as_a_part_where_the_others_are_not(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.txt" for name in ("bus", "car", "train")]
    for path in files:
        path.write_text("".join(f"a {path.stem} goes by, number {i}\n" for i in range(20)))
    assert group_by_part(files) is None
    model = ensue.train("classify", tmp_path, model="majority")
    assert model.labels.names == ("bus", "car", "train")


def days(first: int, count: int) -> str:
    return "".join(
        f"{date(2024, 1, 1) + timedelta(day)},{day % 7}\n" for day in range(first, first + count)
    )


def test_series_that_go_on_in_a_file_named_test_are_not_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "sales"
    data.mkdir()
    (data / "train.csv").write_text("date,sales\n" + days(0, 200))
    (data / "test.csv").write_text("date,sales\n" + days(200, 28))
    line = ["train", "forecast", str(data), "--model", "ridge", "--horizon", "7"]
    assert main([*line, "--out", str(tmp_path / "run")]) == 0
    told = capsys.readouterr().err
    assert "train from train.csv, test from test.csv" in told
    assert "1 series, " in told
    assert "the test is the last 28 steps" in told
    assert main(["check", str(data), "--task", "forecast", "--set", "backtest.horizon=7"]) == 0
    assert "the test is the last 28 steps" in capsys.readouterr().out
    (data / "test.csv").write_text("date,sales\n" + days(300, 60))  # it does not go on
    assert main([*line, "--out", str(tmp_path / "other")]) == 2
    assert "read all files together with --set data.split=drawn" in capsys.readouterr().err
    assert main([*line, "--out", str(tmp_path / "other"), "--set", "data.split=drawn"]) == 0
    assert "2 series, " in capsys.readouterr().err


def test_no_advice_to_draw_parts_where_it_would_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pair of M4: the second file continues the series of the first, and has no ids of its own."""
    monkeypatch.chdir(tmp_path)
    for part, first, count in (("train", 0, 40), ("test", 40, 8)):
        rows = [
            f"D{series}," + ",".join(f"{(first + n) % 7}" for n in range(count))
            for series in range(3)
        ]
        head = ",".join(f"V{n + 1}" for n in range(count + 1))
        Path(f"Daily-{part}.csv").write_text("\n".join([head, *rows]) + "\n")
    line = ["train", "forecast", "Daily-train.csv", "Daily-test.csv", "--horizon", "4"]
    assert main([*line, "--model", "ridge", "--out", "run"]) == 0
    err = capsys.readouterr().err
    assert ".: parts taken from the names of files and folders: train from Daily-train.csv" in err
    assert "drawn" not in err
    Path("Daily-test.csv").write_text(Path("Daily-test.csv").read_text().replace("D2", "D3"))
    assert main([*line, "--model", "ridge", "--out", "other"]) == 2
    err = capsys.readouterr().err
    assert "the file does not continue every series" in err
    assert "drawn" not in err
