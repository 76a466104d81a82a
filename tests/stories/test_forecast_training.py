"""The training of forecasts: baselines come first, each within its time, and a resumed run ends
with the same bits."""

import json
import math
import sys
import time
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

import ensue
from ensue import api
from ensue.errors import RunError
from ensue.tasks import pipeline
from ensue.tasks.forecast import training as forecasting
from ensue.training.contract import Event, Progress, Working

QUICK = ("baselines.statistical=[]", "backtest.test=18", "sample_paths=20", "training.steps=4")
SMALL = {"ridge": (), "mlp": ("model.width=4",), "gru": ("model.body.width=4",)}


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
    for name in ("naive", "seasonal naive", "drift", "ridge"):
        assert doing.index(f"fitting {name}") < first


@pytest.mark.parametrize("model", ["ridge", "mlp"])
def test_a_training_that_failed_anywhere_ends_with_the_same_bits(
    model: str, sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last step refits the model that the backtest has scored, so nothing may begin there."""
    refit = "backtest.refit=6"
    files = ("weights.safetensors", "calibration.json", "backtest.safetensors")

    def outcome(run: Path) -> list[Any]:
        result = json.loads((run / "result.json").read_text())
        rows = [{**row, "seconds": 0} for row in result["rows"]]
        return [result["details"], rows, *((run / name).read_bytes() for name in files)]

    train(sales, tmp_path / "whole", model, refit)
    places = [(forecasting, "calibrate"), (forecasting, "get_arrays"), (pipeline, "conclude")]
    for number, (module, name) in enumerate(places):
        out = tmp_path / str(number)
        with monkeypatch.context() as broken:
            broken.setattr(module, name, lambda *_, **__: 1 / 0)
            with pytest.raises(RunError, match="ZeroDivisionError"):
                train(sales, out, model, refit)
        api.resume(out)
        assert outcome(out) == outcome(tmp_path / "whole"), name


def test_a_statistical_baseline_ends_with_its_time_and_the_others_stay(
    sales: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quick:
        def __init__(self, season_length: int) -> None:
            assert season_length == 12

        def forecast(self, y: Any, h: int, level: list[int]) -> dict[str, Any]:
            ends = [f"{end}-{per_cent}" for end in ("lo", "hi") for per_cent in level]
            return dict.fromkeys(["mean", *ends], np.full(h, y[-1]))

    class Slow(Quick):
        def forecast(self, y: Any, h: int, level: list[int]) -> dict[str, Any]:
            time.sleep(0.11)
            return super().forecast(y, h, level)

    library = ModuleType("statsforecast")
    library.__spec__ = ModuleSpec("statsforecast", None)
    library.models = SimpleNamespace(AutoETS=Slow, AutoTheta=Quick)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "statsforecast", library)
    limits = ('baselines.statistical=["ets","theta"]', "baselines.time_limit=0.3")
    result = json.loads(train(sales, tmp_path / "run", "ridge", *limits).run.read("result.json"))
    assert list(result["baselines"]) == ["naive", "seasonal naive", "drift", "AutoTheta"]
    assert result["baselines"]["AutoTheta"]["mase"] == result["baselines"]["naive"]["mase"]
    (note,) = (one for one in result["notes"] if one.startswith("AutoETS"))
    assert note.startswith("AutoETS: not fitted; stopped after 0 s, at 3 of 13 forecasts (")


def test_baselines_of_a_long_test_keep_to_their_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ridge was fitted however long it took, and after the network, so the command ran late."""
    path = tmp_path / "long.csv"
    path.write_text("step,y\n" + "".join(f"{n},{math.sin(n * n):.4f}\n" for n in range(1500)))
    fit, network, fitted = forecasting.fit_closed_form, pipeline.fit_network, list[int]()

    def slow(settings: Any, data: Any) -> Any:
        fitted.append(data.every)
        time.sleep(60 / data.every)
        return fit(settings, data)

    def short(run: Any, model: Any, training: Any, *others: Any) -> Any:
        return network(run, model, training.model_copy(update={"steps": 1}), *others)

    monkeypatch.setattr(forecasting, "fit_closed_form", slow)
    monkeypatch.setattr(pipeline, "fit_network", short)
    settings = ["baselines.statistical=[]", "model.width=4"]
    choices: dict[str, Any] = {"model": "mlp", "minutes": 0.5, "settings": settings}
    run = ensue.train("forecast", path, out=tmp_path / "run", device="cpu", **choices).run
    result = json.loads(run.read("result.json"))
    assert list(result["baselines"]) == ["naive", "drift"]
    assert fitted == [512, 64]
    assert any(one.startswith("ridge: not fitted; it would take about ") for one in result["notes"])
