"""The training of forecasts: baselines come first, each within its time, and a resumed run ends
with the same bits."""

import json
import math
import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stub_statsforecast import LastValue, install

import ensue
from ensue import api
from ensue.cli.main import main
from ensue.errors import RunError
from ensue.models.baselines import statistical
from ensue.tasks import pipeline
from ensue.tasks.forecast import training as forecasting
from ensue.training.contract import Event, Progress, Working

QUICK = ("baselines.statistical=[]", "backtest.test=18", "sample_paths=20", "training.steps=4")
SMALL = {"ridge": (), "ets": (), "mlp": ("model.width=4",), "gru": ("model.body.width=4",)}


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    rows = [
        f"{2000 + n // 12}-{n % 12 + 1:02d},{n + 9 * math.sin(n) + 9 * math.cos(n * n):.3f}"
        for n in range(96)
    ]
    path = tmp_path / "sales.csv"
    path.write_text("month,sold\n" + "\n".join(rows) + "\n")
    return path


def train(sales: Path, out: Path, model: str, *settings: str, **more: Any) -> Any:
    own = (*QUICK, *SMALL[model], *settings)
    choices = {"horizon": 6, "device": "cpu", **more}
    return ensue.train("forecast", sales, out=out, model=model, settings=own, **choices)


def test_baselines_are_fitted_before_the_network(sales: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    train(sales, tmp_path / "run", "gru", on_event=events.append)
    doing = [one.what if isinstance(one, Working) else "" for one in events]
    first = next(n for n, one in enumerate(events) if isinstance(one, Progress))
    for name in ("naive", "seasonal-naive", "drift", "ridge"):
        assert doing.index(f"fitting {name}") < first


@pytest.mark.parametrize("model", ["ridge", "mlp", "ets"])
def test_a_training_that_failed_anywhere_ends_with_the_same_bits(
    model: str, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step refits the model that the backtest has scored, so nothing may begin there."""
    install(monkeypatch)
    refit = "backtest.refit=6"
    files = ("weights.safetensors", "calibration.json", "backtest.safetensors")

    def outcome(run: Path) -> list[Any]:
        result = json.loads((run / "result.json").read_text())
        rows = [{**row, "seconds": 0} for row in result["rows"]]
        return [result["details"], rows, *((run / name).read_bytes() for name in files)]

    train(sales, tmp_path / "whole", model, refit)
    own: Any = forecasting.ForecastTraining
    places = [(own, "calibrate"), (own, "finish"), (pipeline, "conclude")]
    for number, (module, name) in enumerate(places):
        out = tmp_path / str(number)
        with monkeypatch.context() as broken:
            broken.setattr(module, name, lambda *_, **__: 1 / 0)
            with pytest.raises(RunError, match="ZeroDivisionError"):
                train(sales, out, model, refit)
        api.resume(out)
        assert outcome(out) == outcome(tmp_path / "whole"), name


def test_a_statistical_model_is_fitted_as_often_as_its_time_allows(
    sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = list[int]()

    class Slow(LastValue):
        def fit(self, y: Any) -> Any:
            fits.append(len(y))
            time.sleep(0.03)
            return super().fit(y)

    install(monkeypatch, AutoETS=Slow)

    def rows(limit: float, model: str = "ridge") -> tuple[dict[str, Any], list[str]]:
        fits.clear()
        settings = ('baselines.statistical=["ets","theta"]', f"baselines.time_limit={limit}")
        run = train(sales, tmp_path / f"{model} {limit}", model, *settings).run
        result = json.loads(run.read("result.json"))
        return result["baselines"], [one for one in result["notes"] if one.startswith("ets")]

    baselines, notes = rows(60)
    assert list(baselines) == ["naive", "seasonal-naive", "drift", "ets", "theta"]
    assert baselines["ets"]["mase"] == baselines["naive"]["mase"]
    assert notes == []
    often = len(fits)
    baselines, notes = rows(0.4)
    assert baselines["ets"]["mase"] == baselines["naive"]["mase"]
    assert 2 < len(fits) < often / 2
    baselines, notes = rows(0.05)
    assert "ets" not in baselines
    assert re.fullmatch(
        r"ets: not fitted; it would take about \d s, its limit is 0 s "
        r"\(increase --minutes or --set baselines.time_limit\)",
        notes[0],
    )


@pytest.mark.parametrize("model", ["naive", "seasonal-naive", "drift", "ets", "theta"])
def test_a_model_of_the_whole_past_is_a_run_like_any_other(
    model: str, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It forecasts any horizon, goes on with new rows, is evaluated, and has calibrated intervals
    that hold for every other model too."""
    install(monkeypatch)
    out = tmp_path / "run"
    settings = ("baselines.statistical=[]", "backtest.test=24")
    ensue.train("forecast", sales, out=out, model=model, horizon=6, settings=settings)
    opened = ensue.open(out)
    result = json.loads((out / "result.json").read_text())
    assert result["rows"][-1]["name"] == model
    assert result["details"]["calibration_forecasts"] > 0
    offsets = json.loads((out / "calibration.json").read_text())["offsets"]
    assert offsets["80"] != [0.0]
    (one,) = opened.forecast(horizon=15)
    ends = np.stack([one.forecast[name] for name in ("lo_95", "lo_80", "median", "hi_80", "hi_95")])
    assert ends.shape == (5, 15)
    assert (np.diff(ends, axis=0) >= 0).all()
    later = tmp_path / "later.csv"
    new = [f"{2008 + n // 12}-{n % 12 + 1:02d},{1000 + n}" for n in range(14)]
    later.write_text("month,sold\n" + "\n".join(new) + "\n")
    (after,) = opened.forecast(later)
    assert str(after.times[0]).startswith("2009-03")
    assert after.forecast["median"][0] > 150  # the new rows are counted
    assert opened.evaluate(later).metrics["mase"] > 0


def test_a_statistical_model_without_its_extra_is_told_how_to_get_it(
    sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(monkeypatch)
    out = tmp_path / "run"
    assert main(["train", "forecast", str(sales), "--model", "ets", "--out", str(out)]) == 0
    monkeypatch.setattr(statistical, "is_installed", lambda: False)
    command = ["train", "forecast", str(sales), "--model", "theta", "--out", str(tmp_path / "no")]
    for again in (command, ["forecast", str(out)]):
        capsys.readouterr()
        assert main(again) == 2
        assert capsys.readouterr().err == (
            "ensue: ets, theta and arima are models of statsforecast, which is missing; "
            "install it with: pip install 'ensue[series]'\n"
        )
    assert not (tmp_path / "no").exists()


def test_baselines_of_a_long_test_keep_to_their_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ridge was fitted however long it took, and after the network, so the command ran late."""
    path = tmp_path / "long.csv"
    path.write_text("step,y\n" + "".join(f"{n},{math.sin(n * n):.4f}\n" for n in range(1500)))
    own: Any = forecasting.ForecastTraining
    fit, network, fitted = own.fit, pipeline.fit_network, list[int]()

    def slow(self: Any, settings: Any, data: Any, on_event: Any) -> Any:
        if settings.model.name == "ridge":
            fitted.append(data.every)
            time.sleep(60 / data.every)
        return fit(self, settings, data, on_event)

    def short(run: Any, model: Any, training: Any, *others: Any) -> Any:
        return network(run, model, training.model_copy(update={"steps": 1}), *others)

    monkeypatch.setattr(own, "fit", slow)
    monkeypatch.setattr(pipeline, "fit_network", short)
    settings = ["baselines.statistical=[]", "model.width=4"]
    choices: dict[str, Any] = {"model": "mlp", "minutes": 0.5, "settings": settings}
    run = ensue.train("forecast", path, out=tmp_path / "run", device="cpu", **choices).run
    result = json.loads(run.read("result.json"))
    assert list(result["baselines"]) == ["naive", "drift"]
    assert fitted == [512, 64]
    assert any(one.startswith("ridge: not fitted; it would take about ") for one in result["notes"])
