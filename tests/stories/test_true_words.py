"""What is printed is true of what was done: counts, samples, figures that are not defined, and what data is."""

import json
from pathlib import Path
from typing import Any

import pytest

from ensue.cli.main import main
from ensue.tasks import text_training

WORDS = ["some", "of", "these", "words", "stand", "together", "as", "they", "please", "and", "others", "never"]


def out(capsys: pytest.CaptureFixture[str], *command: str | Path, code: int = 0) -> str:
    capsys.readouterr()
    assert main([*map(str, command)]) == code
    return capsys.readouterr().out


def told(capsys: pytest.CaptureFixture[str], *command: str | Path) -> dict[str, Any]:
    return json.loads(out(capsys, *command, "--json").splitlines()[-1])


def prose(path: Path, lines: int) -> Path:
    rows = [" ".join(WORDS[(3 * line + 5 * place * place) % 12] for place in range(9)) for line in range(lines)]
    path.write_text("\n".join(rows) + "\n")
    return path


def test_compare_says_which_figures_are_of_a_sample(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = prose(tmp_path / "text.txt", 400)
    unigram = ["--model", "ngram", "--set", "model.order=1"]
    quick = ["--size", "tiny", "--set", "training.steps=2", "--set", "baseline.order=1", "--set", "mixture.use=never"]
    assert main(["train", "generate", str(text), "--out", str(tmp_path / "whole"), *unigram]) == 0
    monkeypatch.setattr(text_training, "affordable", lambda *_: 900)
    assert main(["train", "generate", str(text), "--out", str(tmp_path / "some"), *quick]) == 0
    runs = [tmp_path / "whole", tmp_path / "some"]
    shown, results = out(capsys, "compare", *runs), told(capsys, "compare", *runs)
    whole = results["results"][str(runs[0])]["count"]
    assert results["results"][str(runs[0])]["sample"] is None
    assert results["results"][str(runs[1])]["sample"] == f"900 of {whole:,} symbols"
    assert "scored on" in shown
    assert f"900 of {whole:,} symbols" in shown
    assert "A figure of a sample" in shown
    assert shown.splitlines()[-1] == results["notes"][-1]
    alone = told(capsys, "compare", runs[0], runs[0])
    assert alone["notes"] == []
    assert "scored on" not in out(capsys, "compare", runs[0], runs[0])


def test_a_test_of_two_horizons_has_two_forecasts_that_do_not_overlap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was called one: 13 forecasts that overlap are drawn again as one block."""
    rows = [f"{1990 + step // 12}-{step % 12 + 1:02d},{100 + step + 9 * (step % 12)}" for step in range(140)]
    (tmp_path / "data.csv").write_text("ds,y\n" + "\n".join(rows) + "\n")
    command = ["train", "forecast", tmp_path / "data.csv", "--out", tmp_path / "run", "--horizon", "12"]
    shown = out(capsys, *command, "--set", "backtest.test=24", "--set", "rivals.statistics=[]")
    assert "in 2 of 2 forecasts of it that do not overlap" in shown


def columns(path: Path, sentences: list[str]) -> Path:
    path.write_text("\n\n".join("\n".join(word.replace("/", "\t") for word in one.split()) for one in sentences) + "\n")
    return path


def test_spans_of_a_part_without_any_have_no_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`span F1 0.0000` was said where there was nothing to find."""
    spans = [f"Anna{number}/B-PER sees/O old/O Bonn/B-LOC" for number in range(30)]
    train, test = columns(tmp_path / "a.tsv", spans), columns(tmp_path / "b.tsv", ["old/O men/O sees/O"] * 4)
    command = ["train", "tag", train, "--test", test, "--model", "hmm", "--out", tmp_path / "run"]
    shown = out(capsys, *command)
    assert "The test part has no spans, so their recall and F1 are not defined" in shown
    table = next(line for line in shown.splitlines() if line.startswith("hmm"))
    assert table.split()[4] == "none"
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["metrics"]["span_f1"] is None
    assert "errors per word" in result["verdict"]
    assert told(capsys, "evaluate", tmp_path / "run", test)["metrics"]["span_f1"] is None
    rows = {line.split("  ")[0]: line for line in out(capsys, "evaluate", tmp_path / "run", test).splitlines()}
    assert rows["span f1"].split()[2:] == ["none", "none"]
