"""Sequences of records through the verb `generate`: trained, continued, scored, refused."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

import ensue
from ensue.cli.main import main
from ensue.errors import Interrupted, SettingError, UserError
from ensue.inspection.pictures import draw_sequences
from ensue.tasks.generate.steps.trained import StepGenerator

QUICK = [
    "--model",
    "lstm",
    "--set",
    "training.steps=6",
    "--set",
    "training.evaluate_every=3",
    "--size",
    "tiny",
]


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Points that move along a circle, each at its own speed, and say which side they are on."""
    draws = np.random.default_rng(1)
    rows = ["point,frame,x,y,side"]
    for number in range(24):
        angle, speed = draws.uniform(0, 6), draws.uniform(0.1, 0.4)
        for frame in range(30):
            x, y = np.cos(angle + speed * frame), np.sin(angle + speed * frame)
            rows.append(f"p{number},{frame + 1},{x:.3f},{y:.3f},{'left' if x < 0 else 'right'}")
    path = tmp_path_factory.mktemp("paths") / "paths.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture(scope="module")
def run(paths: Path) -> Path:
    folder = paths.parent / "run"
    assert main(["train", "generate", str(paths), "--out", str(folder), *QUICK]) == 0
    return folder


def test_a_training_compares_with_baselines_and_shows_samples(run: Path) -> None:
    result = json.loads((run / "result.json").read_text())
    assert list(result["baselines"]) == ["last-step", "linear-extrapolation", "ridge"]
    assert result["metrics"].keys() == {"nats_per_step"}
    assert result["details"]["nats_per_step_of"].keys() == {"side", "end of the sequence", "x", "y"}
    assert len(result["details"]["samples"]) == 3
    page = (run / "report.html").read_text()
    assert "<svg" in page
    assert "Nearest stretch of training" in page


def test_a_network_that_has_learned_little_does_not_end_in_the_first_rows(
    paths: Path, tmp_path: Path
) -> None:
    """Each sequence of training has 30 rows; most samples had ended after three."""
    settings = ["training.steps=1"]
    model = ensue.train(
        "generate", paths, out=tmp_path / "run", model="gru", size="tiny", settings=settings
    )
    lengths = [len(one.steps) for one in model.samples(n=100, length=60)]
    assert np.mean(np.array(lengths) <= 3) < 0.25
    assert np.mean(lengths) == pytest.approx(30, rel=0.4)


def test_samples_are_a_table_with_the_columns_of_training(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, plot = tmp_path / "out.csv", tmp_path / "out.svg"
    line = ["generate", str(run), "--samples", "2", "--length", "4", "--out", str(out)]
    assert main([*line, "--plot", str(plot)]) == 0
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert list(rows[0]) == ["point", "sample", "step", "side", "x", "y"]
    made = ensue.open(run).samples(n=2, length=4)
    assert [(row["sample"], row["step"]) for row in rows] == [
        (str(one.number + 1), str(step + 1)) for one in made for step in range(len(one.steps))
    ]
    assert all(one.ended or len(one.steps) == 4 for one in made)
    assert {row["side"] for row in rows} <= {"left", "right"}
    assert all(len(row["x"].partition(".")[2]) <= 3 for row in rows)  # as in training
    assert plot.read_text().count("<svg") == 1
    assert "sample 2" in plot.read_text()
    assert capsys.readouterr().out == f"plot written: {plot}\n"


def test_a_sequence_of_a_table_goes_on(
    run: Path, paths: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start = tmp_path / "start.csv"
    start.write_text("\n".join(paths.read_text().splitlines()[:11]) + "\n")
    line = ["generate", str(run), "--prompt", str(start), "--length", "2", "--json", "--novelty"]
    assert main(line) == 0
    (sample,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (sample["sequence"], sample["prompt_steps"]) == ("p0", 10)
    assert sample["ended"] or len(sample["steps"]) == 2
    assert sample["novelty"]["steps"] == len(sample["steps"])
    model = ensue.open(run)
    assert isinstance(model, StepGenerator)
    rows = [dict(row) for row in csv.DictReader(start.read_text().splitlines())]
    given = [{"side": row["side"], "x": float(row["x"]), "y": float(row["y"])} for row in rows]
    assert model.generate(given, length=2) == sample["steps"]


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_prompt_comes_from_the_standard_input(
    form: str,
    run: Path,
    paths: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = [dict(row) for row in csv.DictReader(paths.read_text().splitlines()[:6])]
    lines = {
        "csv": paths.read_text().splitlines()[:6],
        "jsonl": [json.dumps(row | {"x": float(row["x"])}) for row in rows],
    }
    piped = io.TextIOWrapper(io.BytesIO("\n".join(lines[form]).encode()))
    monkeypatch.setattr("sys.stdin", piped)
    assert main(["generate", str(run), "--prompt", "-", "--length", "2", "--json"]) == 0
    (sample,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (sample["sequence"], sample["prompt_steps"]) == ("p0", 5)


def test_evaluation_is_the_same_by_command_and_in_python(
    run: Path, paths: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    result = json.loads((run / "result.json").read_text())
    assert found["metrics"]["nats_per_step"] == pytest.approx(result["metrics"]["nats_per_step"])
    assert main(["evaluate", str(run), str(paths), "--json"]) == 0
    whole = json.loads(capsys.readouterr().out)
    assert whole["details"]["steps"] == 24 * 30
    assert "the run was trained on this file" in whole["details"]["notes"]
    assert whole["metrics"] == ensue.open(run).evaluate([paths]).metrics


def test_a_killed_training_ends_with_the_same_bits(paths: Path, run: Path, tmp_path: Path) -> None:
    def stop(event: object) -> None:
        if getattr(event, "validation", None) is not None:
            raise KeyboardInterrupt

    settings = ["training.steps=6", "training.evaluate_every=3"]
    out = tmp_path / "killed"
    with pytest.raises(Interrupted):
        ensue.train(
            "generate", paths, out=out, settings=settings, size="tiny", model="lstm", on_event=stop
        )
    ensue.resume(out)
    assert (out / "weights.safetensors").read_bytes() == (run / "weights.safetensors").read_bytes()


def test_a_config_of_such_a_run_trains_another(
    run: Path, paths: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["train", "generate", str(paths), "--config", str(run / "run.toml")]
    assert main([*line, "--model", "ridge", "--out", str(tmp_path / "ridge")]) == 0
    assert "Recommendation: " in capsys.readouterr().out
    assert ensue.open(tmp_path / "ridge").samples(n=2, length=3)[1].number == 1


WRONG = {
    "generate RUN --regex a*": "--regex: the run generates rows of a table, not text",
    "generate RUN --interactive": "--interactive: the run generates rows of a table",
    "generate RUN --prompt nothing.csv": "nothing.csv: there is no such file",
    "generate RUN --plot a.bmp": "--plot: '.bmp' is not a supported image format",
    "generate RUN --prompt TEXT": "text.txt: not a readable table",
    "evaluate RUN TEXT": "text.txt: not a readable table",
    "inspect RUN": "the run is over sequences of records, and this needs one over text",
    "export RUN a.arpa": "the run is over sequences of records, and this needs one over text",
    "evaluate RUN --lines": "need a run of `generate` over text",
    "train generate FILE --codec words": "--codec: sequences of records have no codec",
    "train generate FILE --value z": "there is no column 'z'",
    "train generate FILE --model ngram": "there is no model 'ngram' for sequences of records",
    "train generate EMPTY --model ridge": "empty.csv: the table has no rows",
    "train generate TEXT --model ridge": "text.txt: not a readable table",
}


@pytest.mark.parametrize("line", WRONG)
def test_what_is_wrong_is_told_in_one_line(
    line: str, run: Path, paths: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = {"RUN": run, "FILE": paths, "EMPTY": tmp_path / "empty.csv"}
    named["TEXT"] = tmp_path / "text.txt"
    named["EMPTY"].write_text("id,x\n")
    named["TEXT"].write_text("the cat sat on the mat.\n" * 100)
    words = [str(named.get(word, word)) for word in line.split()]
    assert main(words) == 2
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert WRONG[line] in told.err


def test_other_columns_are_refused_with_the_place(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.csv"
    other.write_text("point,frame,x,side\n" + "p,1,0.5,left\n" * 2)
    assert main(["generate", str(run), "--prompt", str(other)]) == 2
    assert "there is no column 'y'" in capsys.readouterr().err
    with pytest.raises(SettingError, match="top_k: the run generates rows"):
        ensue.open(run).samples(top_k=3)


@pytest.mark.parametrize("prompt", [[], [{"x": "a", "y": 1.0, "side": "left"}], {1: 2}])
def test_prompts_that_are_none(prompt: object, run: Path) -> None:
    with pytest.raises(UserError, match="prompt"):
        ensue.open(run).samples(prompt)


def test_a_sample_that_diverges_ends_with_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = tmp_path / "data.csv", str(tmp_path / "run")
    data.write_text("x,y\n" + "".join(f"{1.2**t:.4f},{t * t % 17}\n" for t in range(100)))
    assert main(["train", "generate", str(data), "--model", "ridge", "--out", out]) == 0
    capsys.readouterr()
    assert main(["generate", out, "--length", "3000", "--json"]) == 0
    told = capsys.readouterr()
    (sample,) = map(json.loads, told.out.splitlines())
    assert 0 < len(sample["steps"]) < 3000
    assert all(row["x"] is not None for row in sample["steps"])
    assert "sample 1 left the range of numbers after" in told.err


def test_moves_are_drawn_as_a_path_beside_symbols() -> None:
    rows = [{"pen": str(n % 2), "dx": 1.0, "dy": float(n)} for n in range(4)]
    figure = draw_sequences([], [rows], rows[:2])
    (axes,) = figure.axes
    assert [line.get_label() for line in axes.lines] == ["training", "sample 1"]
    assert axes.lines[1].get_xydata().tolist() == [[1, 0], [2, 1], [3, 3], [4, 6]]


def test_new_sequences_have_ids_of_their_own(run: Path) -> None:
    found = ensue.open(run).samples(n=2, length=2)
    assert [one.sequence for one in found] == ["new-1", "new-2"]


def test_a_table_is_checked_as_sequences(paths: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(paths), "--task", "generate"]) == 0
    told = capsys.readouterr().out
    assert "Read as sequences of records" in told
    assert "read with id 'point', time 'frame'" in told


def test_texts_have_no_plot_and_go_to_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text.txt"
    text.write_text("the cat sat on the mat and the dog sat on the cat.\n" * 60)
    run = str(tmp_path / "run")
    assert main(["train", "generate", str(text), "--model", "ngram", "--out", run]) == 0
    capsys.readouterr()
    assert main(["generate", run, "--plot", "a.png"]) == 2
    assert "the run generates text, which cannot be drawn" in capsys.readouterr().err
    out = tmp_path / "out.txt"
    assert main(["generate", run, "--length", "9", "--out", str(out)]) == 0
    assert len(out.read_text()) == 10
