"""What a person types to classify texts, from a table to a run and its use, and what programs rely on."""

import csv
import io
import json
import random
from pathlib import Path

import pytest

import ensue
from ensue.cli.main import main

GOOD, BAD = ("lovely", "warm", "clever", "moving"), ("dull", "loud", "stale", "empty")
QUICK = ["--epochs", "6", "--size", "tiny", "--set", "machine.threads=1", "--seed", "3"]


def reviews(count: int = 240) -> list[tuple[str, str]]:
    dice = random.Random(1)
    rows = []
    for number in range(count):
        words, label = (GOOD, "pos") if number % 2 else (BAD, "neg")
        rows.append((f"a {dice.choice(words)} film, and {dice.choice(words)} too", label))
    return rows


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("classify")
    with (folder / "reviews.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("review", "mood"), *reviews()])
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> str:
    out = folder / "run"
    assert main(["train", "classify", str(folder / "reviews.csv"), "--out", str(out), *QUICK]) == 0
    return str(out)


def answer(capsys: pytest.CaptureFixture[str], *line: str) -> str:
    capsys.readouterr()
    assert main(line) == 0
    return capsys.readouterr().out


def test_a_network_learns_and_stands_beside_its_baselines(run: str) -> None:
    result = json.loads(Path(run, "result.json").read_text())
    assert result["task"] == "classify"
    assert result["metrics"]["accuracy"] == 1.0
    assert set(result["metrics"]) == {"accuracy", "macro_f1", "auc"}
    assert result["baselines"]["majority"]["accuracy"] == 0.5
    assert [share["share"] for share in result["details"]["early"]][-1] == 1.0
    assert "lstm 64" in Path(run, "report.md").read_text()


def test_a_text_is_labelled(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(answer(capsys, "classify", run, "a warm and clever film", "--json"))
    assert said["label"] == "pos"
    assert said["set"] == ["pos"]
    assert sum(said["probabilities"].values()) == pytest.approx(1)


def test_rows_come_back_with_what_is_said_of_them(run: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new.csv").write_text("id,review\n7,a stale film\n8,a moving film\n")
    rows = list(csv.DictReader(io.StringIO(answer(capsys, "classify", run, str(folder / "new.csv")))))
    assert [(row["id"], row["predicted"]) for row in rows] == [("7", "neg"), ("8", "pos")]
    assert {"p(neg)", "p(pos)", "set"} <= set(rows[0])


def test_evaluate_gives_what_training_gave(run: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = json.loads(answer(capsys, "evaluate", run, "--json"))
    assert own["metrics"] == json.loads(Path(run, "result.json").read_text())["metrics"]
    found = json.loads(answer(capsys, "evaluate", run, str(folder / "reviews.csv"), "--json"))
    assert found["metrics"]["accuracy"] == 1.0


def test_the_same_in_python(run: str) -> None:
    model = ensue.open(run)
    assert [verdict.label for verdict in model.classify(["a dull film", "a lovely film"])] == ["neg", "pos"]
