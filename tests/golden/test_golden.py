"""Runs that were saved by this and earlier versions still open, and answer as they did."""

import json
import shutil
from pathlib import Path

import pytest

import ensue
from ensue.api import find_task
from ensue.cli.main import main
from ensue.settings import parse_toml
from ensue.tasks.generate.evaluation import evaluate
from ensue.tasks.model_card import summarise

RUNS = sorted(path.parent for path in Path(__file__).parent.glob("*/answers.json"))


def test_this_version_is_among_them() -> None:
    assert f"names-{ensue.__version__}" in [run.name for run in RUNS]


@pytest.mark.parametrize("saved", RUNS, ids=lambda path: path.name)
def test_a_saved_run_answers_as_it_did(saved: Path, tmp_path: Path) -> None:
    model = ensue.open(shutil.copytree(saved, tmp_path / "run"))
    answers = json.loads((saved / "answers.json").read_text(encoding="utf-8"))
    # Another processor may add in another order.
    assert evaluate(model, []).likelihood.nats_per_character == pytest.approx(
        answers["nats_per_character"], abs=1e-5
    )
    assert [sample.text for sample in model.samples("ma", 5, length=12, seed=7)] == answers[
        "samples"
    ]
    assert model.samples(novelty=True)[0].novelty is not None
    summary = summarise(model.run, find_task(model.run.about["task"]).report)
    assert f"{answers['nats_per_character']:.3f}" in summary.rows[-1]


def test_keys_are_words_of_the_field(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    saved = RUNS[-1]
    run = shutil.copytree(saved, tmp_path / "run")
    assert main(["inspect", str(run), "--json", "--longest", "2", "--places", "10"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"contexts", "nats", "excess", "half_widths", "effective_context"}
    about = parse_toml((run / "run.toml").read_bytes())
    assert set(about["ngram"]) == {
        *("symbols", "highest_order", "memory", "expected_cost", "validation")
    }
    contents = json.loads((run / "cache" / "contents.json").read_text())
    assert set(contents["dataset"]) == {"codec", "parts_with_files", "counts"}
