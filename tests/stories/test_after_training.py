"""Whatever fails after a training, the trained model stays: one line says so, the run answers,
`resume` finishes."""

import errno
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import ensue
from ensue import api
from ensue.atomic_io import disk_error
from ensue.cli.main import main
from ensue.errors import RunError
from ensue.evaluation import label_scoring, sampling
from ensue.tasks import fitting, pipeline
from ensue.tasks.classify import training as classifying
from ensue.tasks.forecast import training as forecasting
from ensue.tasks.generate import training as text_training
from ensue.tasks.tag import training as tagging

NOUNS, VERBS = ("cat", "house", "road", "king"), ("sees", "likes", "leaves")


def text(folder: Path) -> Path:
    dice, path = random.Random(1), folder / "text.txt"
    lines = (
        f"the {dice.choice(NOUNS)} {dice.choice(VERBS)} the {dice.choice(NOUNS)}.\n\n"
        for _ in range(300)
    )
    path.write_text("".join(lines))
    return path


def labels(folder: Path) -> Path:
    dice, path = random.Random(1), folder / "labels.csv"
    rows = (f"the {noun} {dice.choice(VERBS)},{noun}" for noun in dice.choices(NOUNS, k=120))
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return path


def tags(folder: Path) -> Path:
    dice, path = random.Random(1), folder / "tags.tsv"
    rows = (f"the\tD\n{dice.choice(NOUNS)}\tN\n{dice.choice(VERBS)}\tV\n\n" for _ in range(120))
    path.write_text("".join(rows))
    return path


def series(folder: Path) -> Path:
    dice, path = random.Random(1), folder / "series.csv"
    rows = (
        f"{2000 + month // 12}-{month % 12 + 1:02}-01,{month % 12 + dice.random():.3f}"
        for month in range(120)
    )
    path.write_text("month,value\n" + "\n".join(rows) + "\n")
    return path


GENERATE, CLASSIFY, TAG, FORECAST = "generate", "classify", "tag", "forecast"
ANSWERS: dict[str, Callable[[Any], Any]] = {
    GENERATE: lambda model: model.generate(length=5),
    CLASSIFY: lambda model: list(model.classify(["the cat sees"])),
    TAG: lambda model: list(model.tag(["the cat sees"])),
    FORECAST: lambda model: model.forecast(),
}
MAKE = {GENERATE: text, CLASSIFY: labels, TAG: tags, FORECAST: series}
NETWORK = {GENERATE: "lstm", CLASSIFY: "lstm", TAG: "lstm", FORECAST: "lstm"}
FITTED = {GENERATE: "ngram", CLASSIFY: "ngram-bayes", TAG: "hmm", FORECAST: "ridge"}
FAULTS = [
    (GENERATE, NETWORK, text_training, "fit_ngram"),
    (GENERATE, NETWORK, text_training, "fit_mixture_to_text"),
    (GENERATE, NETWORK, sampling, "score"),
    (GENERATE, NETWORK, text_training, "count_affordable"),
    (GENERATE, NETWORK, pipeline, "conclude"),
    (GENERATE, NETWORK, text_training, "retrain_flags"),
    (GENERATE, FITTED, text_training, "measure_text"),
    (GENERATE, FITTED, pipeline, "conclude"),
    (CLASSIFY, NETWORK, classifying.ClassifyTraining, "fit"),
    (CLASSIFY, NETWORK, label_scoring, "fit_temperature"),
    (CLASSIFY, NETWORK, label_scoring, "by_group"),
    (CLASSIFY, NETWORK, pipeline, "conclude"),
    (CLASSIFY, FITTED, pipeline, "conclude"),
    (TAG, NETWORK, tagging.TagTraining, "fit"),
    (TAG, NETWORK, tagging, "make_truth"),
    (TAG, NETWORK, pipeline, "conclude"),
    (TAG, FITTED, pipeline, "conclude"),
    (FORECAST, NETWORK, forecasting.ForecastTraining, "calibrate"),
    (FORECAST, NETWORK, forecasting, "walk_forward"),
    (FORECAST, NETWORK, forecasting, "iterate_windows"),
    (FORECAST, NETWORK, forecasting, "measure_forecasts"),
    (FORECAST, NETWORK, forecasting.ForecastTraining, "finish"),
    (FORECAST, NETWORK, pipeline, "conclude"),
    (FORECAST, FITTED, forecasting.ForecastTraining, "calibrate"),
    (FORECAST, FITTED, forecasting.ForecastTraining, "finish"),
    (FORECAST, FITTED, pipeline, "conclude"),
]


def settings(verb: str, network: bool) -> tuple[str, ...]:
    if not network:
        return ()
    return ("training.steps=2", "model.body.width=4")


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


@pytest.mark.parametrize(
    ("verb", "models", "module", "name"),
    FAULTS,
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_a_fault_after_the_training_loses_nothing(
    verb: str,
    models: dict[str, str],
    module: Any,
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out, data, network = tmp_path / "run", MAKE[verb](tmp_path), models is NETWORK
    how = settings(verb, network)
    if name == "fit_mixture_to_text":
        how += ("mixture.use=auto",)
    error = random.Random(f"{verb}{name}").choice(
        [KeyError("odd"), MemoryError(), OSError(5, "broken"), ValueError()]
    )

    def train() -> Any:
        return ensue.train(verb, data, out=out, model=models[verb], settings=how, device="cpu")

    with monkeypatch.context() as broken:
        broken.setattr(module, name, failing(error))
        with pytest.raises(
            RunError, match="is trained and saved, but a step after the training failed: "
        ) as told:
            train()
        assert "\n" not in str(told.value)
        assert f"`ensue resume {out}`" in str(told.value)
        assert not (out / "result.json").exists()
        assert ANSWERS[verb](ensue.open(out))
        weights = (out / "weights.safetensors").read_bytes()
        with pytest.raises(RunError, match="a step after the training failed"):
            api.resume(out)
    finished = api.resume(out)
    assert ANSWERS[verb](finished)
    assert (out / "result.json").exists()
    if (
        network and verb != FORECAST and name != "fit_mixture_to_text"
    ):  # whose run holds what has learned from the test part too, in the end
        assert (out / "weights.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("verb", "module", "extra", "share"),
    [
        (CLASSIFY, pipeline, (), 0.65),
        (TAG, pipeline, (), 0.65),
        (FORECAST, pipeline, (), 0.65),
        (FORECAST, pipeline, ("backtest.test=36", "backtest.refit=13"), 0.65 / 4),
    ],
)
def test_the_time_of_what_comes_after_a_training_is_left_for_it(
    verb: str,
    module: Any,
    extra: tuple[str, ...],
    share: float,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """400 tags were scored for two minutes after the one that the training was given."""
    given, samples, fit, minutes = list[float](), list[int](), module.fit_network, 100

    def estimate(work: Callable[[int], object], affordable: float) -> float:
        for every in (8, 2):
            work(every)
            samples.append(every)
        return 0.3 * 60 * minutes

    def note(run: Any, network: Any, training: Any, *others: Any) -> Any:
        given.append(training.minutes)
        return fit(run, network, training.model_copy(update={"steps": 1}), *others)

    monkeypatch.setattr(fitting, "estimate_seconds", estimate)
    monkeypatch.setattr(module, "fit_network", note)
    own = (*(one for one in settings(verb, True) if "steps" not in one), *extra)
    data, model = MAKE[verb](tmp_path), NETWORK[verb]
    ensue.train(verb, data, out=tmp_path / "run", model=model, settings=own, minutes=minutes)
    assert samples == [8, 2]
    assert given == [pytest.approx(share * minutes, abs=1)]


def test_on_the_command_line_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out, data = tmp_path / "run", text(tmp_path)
    line = [
        "train",
        "generate",
        str(data),
        "--out",
        str(out),
        "--set",
        "training.steps=2",
        "--size",
        "tiny",
    ]
    with monkeypatch.context() as broken:
        broken.setattr(text_training, "fit_mixture_to_text", failing(KeyError("odd")))
        assert main(line) == 2
        error = capsys.readouterr().err
        assert "Traceback" not in error
        assert error.count("ensue: ") == 1
        assert "failed: KeyError: 'odd' (test_after_training.py:" in error.splitlines()[-1]
        assert main(["resume", str(out)]) == 2
        assert "failed: KeyError" in capsys.readouterr().err
    assert main(["generate", str(out), "--length", "5"]) == 0
    assert main(["resume", str(out)]) == 0


def test_a_disk_that_is_full_after_a_counting_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, data = tmp_path / "run", text(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(
            pipeline,
            "conclude",
            failing(disk_error(OSError(errno.ENOSPC, "full"), Path("report.md"))),
        )
        with pytest.raises(
            RunError, match=r"make room, then resume from the last checkpoint with `ensue resume"
        ):
            ensue.train(GENERATE, data, out=out, model="ngram")
    assert ensue.open(out).generate(length=5)
    api.resume(out)
    assert (out / "result.json").exists()


def test_what_fails_before_there_is_a_model_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    monkeypatch.setattr(text_training, "fit_ngram", failing(KeyError("odd")))
    with pytest.raises(KeyError):
        ensue.train(GENERATE, text(tmp_path), out=out, model="ngram")
    assert not out.exists()
