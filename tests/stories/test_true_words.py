"""What is printed is true of what was done: counts, samples, figures that are not defined, and
what data is."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue.cli.main import main
from ensue.errors import UserError
from ensue.tasks.generate import training as text_training
from ensue.training.contract import Note

WORDS = [
    "some",
    "of",
    "these",
    "words",
    "stand",
    "together",
    "as",
    "they",
    "please",
    "and",
    "others",
    "never",
]


def out(capsys: pytest.CaptureFixture[str], *command: str | Path, code: int = 0) -> str:
    capsys.readouterr()
    assert main([*map(str, command)]) == code
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *command: str | Path) -> dict[str, Any]:
    return json.loads(out(capsys, *command, "--json").splitlines()[-1])


def prose(path: Path, lines: int) -> Path:
    rows = [
        " ".join(WORDS[(3 * line + 5 * place * place) % 12] for place in range(9))
        for line in range(lines)
    ]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_compare_says_which_figures_are_of_a_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = prose(tmp_path / "text.txt", 400)
    unigram = ["--model", "ngram", "--set", "model.order=1"]
    quick = [
        "--size",
        "tiny",
        "--set",
        "training.steps=2",
        "--set",
        "baseline.order=1",
        "--set",
        "mixture.use=never",
    ]
    assert main(["train", "generate", str(text), "--out", str(tmp_path / "whole"), *unigram]) == 0
    monkeypatch.setattr(text_training, "count_affordable", lambda *_: 900)
    assert main(["train", "generate", str(text), "--out", str(tmp_path / "some"), *quick]) == 0
    runs = [tmp_path / "whole", tmp_path / "some"]
    shown, results = out(capsys, "compare", *runs), told(capsys, "compare", *runs)
    whole = results["results"][str(runs[0])]["count"]
    assert results["results"][str(runs[0])]["sample"] is None
    assert results["results"][str(runs[1])]["sample"] == f"900 of {whole:,} symbols"
    assert "scored on" in shown
    assert f"900 of {whole:,} symbols" in shown
    assert "Some scores are of a sample" in shown
    assert shown.splitlines()[-1] == results["notes"][-1]
    alone = told(capsys, "compare", runs[0], runs[0])
    assert alone["notes"] == []
    assert "scored on" not in out(capsys, "compare", runs[0], runs[0])


def test_a_test_of_two_horizons_has_two_forecasts_that_do_not_overlap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """13 forecasts that overlap are drawn again as one block, which shows no significance."""
    rows = [
        f"{1990 + step // 12}-{step % 12 + 1:02d},{100 + step + 9 * (step % 12)}"
        for step in range(140)
    ]
    (tmp_path / "data.csv").write_text("ds,y\n" + "\n".join(rows) + "\n")
    command = [
        "train",
        "forecast",
        tmp_path / "data.csv",
        "--out",
        tmp_path / "run",
        "--horizon",
        "12",
    ]
    shown = out(capsys, *command, "--set", "backtest.test=24", "--set", "baselines.statistical=[]")
    assert "the test has only 1 independent block of forecasts, so no difference is" in shown
    assert "mixture has a smaller error than seasonal-naive in 1 of 1; use more series" in shown


def columns(path: Path, sentences: list[str]) -> Path:
    path.write_text(
        "\n\n".join("\n".join(word.replace("/", "\t") for word in one.split()) for one in sentences)
        + "\n"
    )
    return path


def test_spans_of_a_part_without_any_have_no_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`span F1 0.0000` was said where there was nothing to find."""
    spans = [f"Anna{number}/B-PER sees/O old/O Bonn/B-LOC" for number in range(30)]
    train, test = (
        columns(tmp_path / "a.tsv", spans),
        columns(tmp_path / "b.tsv", ["old/O men/O sees/O"] * 4),
    )
    command = ["train", "tag", train, "--test", test, "--model", "hmm", "--out", tmp_path / "run"]
    shown = out(capsys, *command)
    assert "The test part has no spans, so span recall and F1 are undefined" in shown
    table = next(line for line in shown.splitlines() if line.startswith("hmm"))
    assert table.split()[4] == "none"
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["metrics"]["span_f1"] is None
    assert "errors per word" in result["recommendation"]
    assert told(capsys, "evaluate", tmp_path / "run", test)["metrics"]["span_f1"] is None
    rows = {
        line.split("  ")[0]: line
        for line in out(capsys, "evaluate", tmp_path / "run", test).splitlines()
    }
    assert rows["span f1"].split()[2:] == ["none", "none"]


TRAINED_ON = "the run was trained on this file, so its metrics are better than on new data"


def test_evaluate_says_that_a_file_was_learned_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, other = prose(tmp_path / "text.txt", 400), prose(tmp_path / "other.txt", 401)
    run = tmp_path / "run"
    command = [
        "train",
        "generate",
        text,
        "--test",
        other,
        "--out",
        run,
        "--model",
        "ngram",
        "--set",
        "model.order=1",
    ]
    out(capsys, *command)
    copy = tmp_path / "copy.txt"
    copy.write_bytes(text.read_bytes())
    for path in (text, copy):
        assert told(capsys, "evaluate", run, path)["notes"][0].startswith(
            f"{path}: {TRAINED_ON}; `ensue evaluate RUN`"
        )
        assert TRAINED_ON in out(capsys, "evaluate", run, path)
    assert "notes" not in told(capsys, "evaluate", run, other)  # it was only reported
    assert TRAINED_ON not in out(capsys, "evaluate", run)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.read_bytes())))
    assert told(capsys, "evaluate", run, "-")["notes"][0].startswith(f"-: {TRAINED_ON}")


def test_predictors_say_that_files_were_learned_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, word in (("good", "fine"), ("bad", "awful")):
        rows = [f"{word} film number {number} of {number % 7}" for number in range(40)]
        (tmp_path / f"{name}.txt").write_text("\n".join(rows) + "\n")
    files = [tmp_path / "bad.txt", tmp_path / "good.txt"]
    out(capsys, "train", "classify", *files, "--model", "ngram-bayes", "--out", tmp_path / "run")
    said = TRAINED_ON.replace("file", "file and 1 more")
    assert said in told(capsys, "evaluate", tmp_path / "run", *files)["details"]["notes"]
    train = columns(tmp_path / "a.tsv", [f"Anna{number}/N sees/V Bonn/N" for number in range(30)])
    out(capsys, "train", "tag", train, "--model", "hmm", "--out", tmp_path / "tags")
    assert TRAINED_ON in told(capsys, "evaluate", tmp_path / "tags", train)["details"]["notes"]


def test_check_gives_no_figures_of_what_it_could_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It said "characters 0"."""
    good, bad = prose(tmp_path / "a.txt", 90), tmp_path / "b.txt"
    bad.write_bytes(b"some words\n" * 90 + b"caf\xe9\n")
    found = [
        json.loads(out(capsys, "check", *files, "--json", code=2))
        for files in ((good, bad), (bad, good))
    ]
    for report in found:
        rows = {Path(row["file"]).name: row for row in report["files"]}
        assert rows["a.txt"]["characters"] == good.stat().st_size
        assert (rows["b.txt"]["bytes"], rows["b.txt"]["characters"], rows["b.txt"]["lines"]) == (
            995,
            None,
            None,
        )
    shown = out(capsys, "check", good, bad, code=2)
    assert next(line for line in shown.splitlines() if line.startswith(str(bad))).split()[1:4] == [
        "995",
        "not",
        "read",
    ]


def test_tables_of_labels_are_read_in_the_encoding_of_the_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{one},{step},{one % 2 * 5 + step % 3}" for one in range(40) for step in range(4)]
    (tmp_path / "data.csv").write_text("id,time,value\n" + "\n".join(rows) + "\n")
    labels = "id,label\n" + "".join(f"{one},{('thé', 'café')[one % 2]}\n" for one in range(40))
    (tmp_path / "labels.csv").write_bytes(labels.encode("cp1252"))
    command = ["train", "classify", tmp_path / "data.csv", "--label-file", tmp_path / "labels.csv"]
    command += ["--model", "majority", "--out", tmp_path / "run"]
    assert main([*map(str, command)]) == 2
    assert "give --set encoding=cp1252" in capsys.readouterr().err
    out(capsys, *command, "--set", "encoding=cp1252")
    assert json.loads((tmp_path / "run" / "result.json").read_text())["details"]["labels"] == [
        "café",
        "thé",
    ]


@pytest.mark.parametrize(
    ("task", "frame", "message"),
    [
        (
            "classify",
            {"text": ["a b"] * 8, "label": ["x", "y", None, "x"] * 2},
            "the data frame, row 3: column 'label' is empty in this row; fill it in",
        ),
        (
            "forecast",
            {
                "ds": [f"20{year}-01-01" for year in range(10, 40)],
                "y": ["1"] * 20 + ["abc"] + ["2"] * 9,
            },
            "the data frame, row 21: 'abc' in the column 'y' is not a valid number",
        ),
        (
            "tag",
            {"words": [["a"]] * 9, "tags": [["x"]] * 9},
            "the data frame, row 1: there is no 'tokens'",
        ),
    ],
)
def test_errors_of_a_data_frame_name_its_row_and_column(
    task: str, frame: dict[str, Any], message: str
) -> None:
    """They named a line of a temporary file."""
    pandas = pytest.importorskip("pandas")
    model = {"classify": "ngram-bayes", "forecast": "ridge", "tag": "hmm"}[task]
    with pytest.raises(UserError) as error:
        ensue.train(task, pandas.DataFrame(frame), model=model)
    assert str(error.value).startswith(message)


def test_notes_on_a_data_frame_name_no_temporary_file(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frames = [
        pandas.DataFrame({"mood": ["x", "y"] * 20, "text": [f"a b {one}" for one in range(40)]})
    ] * 2
    notes = []
    ensue.train(
        "classify", *frames, model="ngram-bayes", out=tmp_path / "run", on_event=notes.append
    )
    told = [one.text for one in notes if isinstance(one, Note)]
    assert "data frame 1: read the text from column 'text' and the label from column 'mood'" in told


def test_objects_of_json_are_written_where_they_are_wanted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They were printed, and no file was written."""
    rows = [
        f"{('fine', 'awful')[one % 2]} film {one},{('good', 'bad')[one % 2]}" for one in range(60)
    ]
    (tmp_path / "data.csv").write_text("text,label\n" + "\n".join(rows) + "\n")
    out(
        capsys,
        "train",
        "classify",
        tmp_path / "data.csv",
        "--model",
        "ngram-bayes",
        "--out",
        tmp_path / "run",
    )
    printed = out(capsys, "classify", tmp_path / "run", "a fine film", "--json")
    file = tmp_path / "said.jsonl"
    assert out(capsys, "classify", tmp_path / "run", "a fine film", "--json", "--out", file) == ""
    assert file.read_text() == printed
