"""What a person types to classify texts, from a table to a run and its use, and what programs
rely on."""

import csv
import io
import json
import random
import shlex
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow.parquet import write_table

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.data.dataset import load_examples
from ensue.data.readers.in_memory import InMemoryReader
from ensue.errors import Interrupted

GOOD, BAD = ("lovely", "warm", "clever", "moving"), ("dull", "loud", "stale", "empty")
QUICK = ["--epochs", "6", "--size", "tiny", "--set", "hardware.threads=1", "--seed", "3"]


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
    assert "convolution 64" in Path(run, "report.md").read_text()


def test_what_is_recommended_comes_with_the_command_that_trains_it(
    folder: Path, tmp_path: Path
) -> None:
    command = [
        "train",
        "classify",
        str(folder / "reviews.csv"),
        "--model",
        "embedding-bag",
        "--size",
        "tiny",
        "--seed",
        "3",
    ]
    assert main([*command, "--out", str(tmp_path / "net"), "--set", "steps=1"]) == 0
    result = json.loads((tmp_path / "net" / "result.json").read_text())
    before, quoted, _ = result["retrain"].split("`")
    name = result["recommendation"].split()[0]
    assert before == f"This run contains embedding-bag. To get {name}: "
    assert main(shlex.split(quoted)[1:]) == 0
    new = json.loads((tmp_path / f"net-{name}" / "result.json").read_text())
    assert new["metrics"] == result["baselines"][name]


def test_a_training_that_has_learned_everything_stops_and_raises_no_alarm(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = [
        "train",
        "classify",
        str(folder / "reviews.csv"),
        "--size",
        "tiny",
        "--model",
        "lstm",
        "--epochs",
        "150",
    ]
    assert (
        main([*line, "--set", "hardware.threads=1", "--seed", "3", "--out", str(tmp_path / "run")])
        == 0
    )
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["metrics"]["accuracy"] == 1.0
    assert result["warnings"] == []
    assert "stopped early, at step" in capsys.readouterr().err
    steps = [
        json.loads(one)["step"]
        for one in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert max(steps) < 150 * 6


def test_a_text_is_labelled(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    said = json.loads(answer(capsys, "classify", run, "a warm and clever film", "--json"))
    assert said["label"] == "pos"
    assert said["prediction_set"] == ["pos"]
    assert sum(said["probabilities"].values()) == pytest.approx(1)


def test_rows_come_back_with_what_is_said_of_them(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "new.csv").write_text("id,review\n7,a stale film\n8,a moving film\n")
    rows = list(
        csv.DictReader(io.StringIO(answer(capsys, "classify", run, str(folder / "new.csv"))))
    )
    assert [(row["id"], row["predicted"]) for row in rows] == [("7", "neg"), ("8", "pos")]
    assert {"p(neg)", "p(pos)", "prediction_set"} <= set(rows[0])


def test_texts_come_in_line_by_line(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("a stale film\na moving film\n"))
    rows = list(csv.DictReader(io.StringIO(answer(capsys, "classify", run, "-"))))
    assert [row["predicted"] for row in rows] == ["neg", "pos"]


def test_rows_are_written_whole_or_not_at_all(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = folder / "said.csv"
    assert answer(capsys, "classify", run, "a warm film", "--out", str(said)) == ""
    assert said.read_text().splitlines()[1].startswith("a warm film,pos,")
    assert (
        main(["classify", run, "a warm film", "--out", str(folder / "nowhere" / "said.csv")]) == 2
    )


def test_evaluate_gives_what_training_gave(
    run: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = json.loads(answer(capsys, "evaluate", run, "--json"))
    assert own["metrics"] == json.loads(Path(run, "result.json").read_text())["metrics"]
    found = json.loads(answer(capsys, "evaluate", run, str(folder / "reviews.csv"), "--json"))
    assert found["metrics"]["accuracy"] == 1.0


def test_killed_and_resumed_it_ends_with_the_same_bits(folder: Path) -> None:
    data, settings = (
        folder / "reviews.csv",
        ["training.steps=12", "evaluate_every=3", "hardware.threads=1"],
    )
    whole = ensue.train(
        "classify", data, size="tiny", settings=settings, out=folder / "whole"
    ).run.path

    def kill(event: object) -> None:
        if getattr(event, "step", 0) == 6:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        ensue.train(
            "classify", data, size="tiny", settings=settings, out=folder / "killed", on_event=kill
        )
    api.resume(folder / "killed")
    for name in ("weights.safetensors", "calibration.json", "codec.json"):
        assert (folder / "killed" / name).read_bytes() == (whole / name).read_bytes(), name
    metrics = [
        json.loads((one / "result.json").read_text())["metrics"]
        for one in (whole, folder / "killed")
    ]
    assert metrics[0] == metrics[1]


def test_lists_of_python_and_what_a_language_model_knows(folder: Path) -> None:
    texts, moods = zip(*reviews(), strict=True)
    (folder / "texts.txt").write_text("\n".join(texts) + "\n")
    language = [
        "data.format=lines",
        "body.width=16",
        "embedding=8",
        "training.steps=3",
        "hardware.threads=1",
    ]
    ensue.train(
        "generate", folder / "texts.txt", codec="words", settings=language, out=folder / "language"
    )
    told: list[str] = []
    model = ensue.train(
        "classify",
        InMemoryReader(texts, moods),
        pretrained=folder / "language",
        auxiliary="lm",
        settings=["training.steps=3", "hardware.threads=1", "mixture.use=never"],
        on_event=lambda event: told.append(getattr(event, "text", "")),
    )
    assert any(
        "pretrained weights" in line and "embeddings, body, next-step head" in line for line in told
    )
    assert model.model.settings.embedding == 8
    assert model.run.about["data"]["format"] == "lists"
    assert set(model.classify(["a dull film"])[0].probabilities) == {"neg", "pos"}


@pytest.mark.parametrize("model", ["bidirectional", "convolution", "embedding-bag", "gru"])
def test_every_body_is_trained_and_opened_again(model: str, folder: Path) -> None:
    out = folder / model
    settings = ["training.steps=2", "hardware.threads=1", "pooling=attention"]
    trained = ensue.train(
        "classify", folder / "reviews.csv", model=model, size="tiny", settings=settings, out=out
    )
    again = ensue.open(out)
    assert (
        again.classify(["a dull film"])[0].probabilities
        == trained.classify(["a dull film"])[0].probabilities
    )


@pytest.mark.parametrize("model", ["nbsvm", "ngram-bayes"])
def test_models_that_are_fitted_at_one_go(
    model: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(folder / model)
    line = [
        "train",
        "classify",
        str(folder / "reviews.csv"),
        "--model",
        model,
        "--out",
        out,
        "--json",
    ]
    result = json.loads(answer(capsys, *line).splitlines()[-1])
    assert set(result["baselines"]) == {"majority", "ngram-bayes", "nbsvm"} - {model}
    assert result["metrics"]["accuracy"] == 1.0
    assert json.loads(answer(capsys, "evaluate", out, "--json"))["metrics"] == result["metrics"]
    assert json.loads(answer(capsys, "classify", out, "a warm film", "--json"))["label"] == "pos"


def test_bayes_is_refused_where_its_rule_is_none(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder / "numbers.csv"
    data.write_text(
        "text,label\n"
        + "".join(f'"{text}",{number / 7}\n' for number, (text, _) in enumerate(reviews(60)))
    )
    capsys.readouterr()
    line = [
        "train",
        "classify",
        str(data),
        "--text",
        "text",
        "--label",
        "label",
        "--model",
        "ngram-bayes",
    ]
    assert main([*line, "--out", str(folder / "refused"), "--set", "labels.kind=regression"]) == 2
    assert (
        "--model ngram-bayes: ngram-bayes needs sequences of symbols with one label each; choose"
        in capsys.readouterr().err
    )


KINDS = {
    "multilabel": ("|".join, {"accuracy", "label_accuracy", "macro_f1", "micro_f1"}),
    "ordinal": (lambda names: str(len(names)), {"accuracy", "macro_f1", "mae", "auc"}),
    "regression": (lambda names: len(names) + len(names[-1]) / 10, {"mae", "rmse", "coverage"}),
}
KINDS["quantiles"] = KINDS["regression"]


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_of_labels(kind: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, expected = KINDS[kind]
    data, out = folder / f"{kind}.csv", str(folder / kind)
    with data.open("w", newline="") as file:
        rows = (
            (text, make([word for word in (*GOOD, *BAD) if word in text]))
            for text, _ in reviews(120)
        )
        csv.writer(file).writerows([("text", "label"), *rows])
    line = ["train", "classify", str(data), "--out", out, "--size", "tiny", "--json"]
    if kind == "quantiles":
        kind, line = "regression", [*line, "--set", "model.output=quantiles"]
    line += [
        "--set",
        f"labels.kind={kind}",
        "--set",
        "training.steps=4",
        "--set",
        "hardware.threads=1",
    ]
    if kind == "multilabel":
        line += ["--set", "labels.delimiter=|"]
    result = json.loads(answer(capsys, *line).splitlines()[-1])
    assert result["event"] == "result"
    assert set(result["metrics"]) == expected
    assert set(result["baselines"]["majority"]) == expected
    said = json.loads(answer(capsys, "classify", out, "a dull film", "--json"))
    assert (
        len(said["prediction_set"]) == 2
        if kind == "regression"
        else set(said["prediction_set"]) <= set(said["probabilities"])
    )


def test_the_demo_and_files_for_classes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    majority = ["--model", "majority", "--json"]
    demo = json.loads(
        answer(capsys, "train", "classify", "--out", str(folder / "demo"), *majority).splitlines()[
            -1
        ]
    )
    assert demo["metrics"]["accuracy"] == pytest.approx(0.1, abs=0.03)
    for label, words in (("good", GOOD), ("bad", BAD)):
        (folder / "classes" / label).mkdir(parents=True)
        lines = [f"{one} and {other}" for one in words for other in words]
        (folder / f"{label}.txt").write_text("\n".join(lines) + "\n")
        for number, line in enumerate(lines):
            (folder / "classes" / label / f"{number}.txt").write_text(line + "\n")
    for data in ([folder / "good.txt", folder / "bad.txt"], [folder / "classes"]):
        out = folder / f"of-{data[0].stem}"
        answer(capsys, "train", "classify", *map(str, data), "--out", str(out), *majority)
        about = ensue.open(out).run.about["data"]
        assert about["examples"] == {"train": 20, "validation": 3, "calibration": 3, "test": 6}


def test_a_parquet_file_with_dates(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, out = folder / "reviews.parquet", str(folder / "of-parquet")
    rows = reviews(40)
    said, moods = map(list, zip(*rows, strict=True))
    table = {"said": said, "mood": moods, "paid": [Decimal("1.50")] * len(rows)}
    write_table(pyarrow.table(table | {"day": [date(2024, 2, 29)] * len(rows)}), data)
    line = [
        "train",
        "classify",
        str(data),
        "--label",
        "mood",
        "--out",
        out,
        "--model",
        "majority",
        "--json",
    ]
    assert json.loads(answer(capsys, *line).splitlines()[-1])["metrics"]["accuracy"] == 0.5
    first = json.loads(answer(capsys, "classify", out, str(data), "--json").splitlines()[0])
    assert first["line"] == 1
    assert first["row"] | {"said": ""} == {
        "said": "",
        "mood": rows[0][1],
        "paid": "1.50",
        "day": "2024-02-29",
    }


def test_groups_stay_together(folder: Path) -> None:
    texts, moods = zip(*reviews(), strict=True)
    people = [f"person {number // 6}" for number in range(len(texts))]
    reader = InMemoryReader(
        [f"{text} {person}" for text, person in zip(texts, people, strict=True)], moods, people
    )
    model = ensue.train("classify", reader, model="majority", settings=["codec.lower=false"])
    kept = load_examples(model.run.path / "cache")
    assert kept is not None
    seen = [
        {people[line - 1] for line in part.static["line"].tolist()} for part in kept[0].values()
    ]
    assert sum(map(len, seen)) == len(set.union(*seen)) == 40
    assert len(set(kept[0]["test"].static["group"].tolist())) == len(seen[-1])


def test_the_same_in_python(run: str) -> None:
    model = ensue.open(run)
    assert [verdict.label for verdict in model.classify(["a dull film", "a lovely film"])] == [
        "neg",
        "pos",
    ]
    model.save(run + "-copy")
    assert ensue.open(run + "-copy").report == model.report


def test_a_network_for_each_label(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    assert (
        main(
            [
                "train",
                "classify",
                str(folder / "reviews.csv"),
                "--model",
                "lm-bayes",
                "--out",
                out,
                *QUICK,
            ]
        )
        == 0
    )
    assert json.loads(Path(out, "result.json").read_text())["metrics"]["accuracy"] == 1.0
    assert (
        json.loads(answer(capsys, "classify", out, "a warm and clever film", "--json"))["label"]
        == "pos"
    )
