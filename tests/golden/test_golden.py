"""Runs that were saved by this and earlier versions still open, and answer as they did."""

import json
import shutil
from pathlib import Path

import pytest

import ensue
from ensue.api import find_task
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
