"""Laws of panels whose series are of unequal length: each has its own end, and nothing after its
own test is seen."""

import json
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stub_statsforecast import LastValue, install

from ensue.data.series.backtest import BacktestSettings, find_origins, lay_out
from ensue.data.series.dataset import SeriesParts
from ensue.data.series.frequency import Frequency
from ensue.data.series.panel import Panel, Series
from ensue.data.series.windows import Covariates, WindowGatherer
from ensue.decoding.forecasts import forecast
from ensue.errors import SettingError
from ensue.models.forecaster_contract import Sizes
from ensue.tasks import TASKS, Choices
from ensue.tasks.forecast import backtest as fitting
from ensue.tasks.forecast.data import read_into
from ensue.tasks.forecast.settings import MODELS, ForecastSettings
from ensue.tasks.forecast.training import TRAINING
from ensue.training.folder.run import Run

HORIZON = 6
LENGTHS = (84, 52, 40)


def panel_of(lengths: tuple[int, ...], seed: int = 0) -> Panel:
    """Give series that are the same for the same place in `seed`, whatever their order: by their
    length."""
    made = []
    for number, length in enumerate(lengths):
        draws = np.random.default_rng([seed, length, lengths[:number].count(length)])
        values = (
            np.cumsum(draws.normal(size=(length, 1)), 0)
            + 5 * np.sin(np.arange(length) * np.pi / 6)[:, None]
        )
        none = np.zeros((length, 0))
        made.append(Series(f"s{length}", np.arange(length), values, none, none))
    return Panel(tuple(made), Frequency("step", 1), ("y",))


def prepared_of(panel: Panel, **backtest: Any) -> SeriesParts:
    settings = BacktestSettings(**{"horizon": HORIZON, "season_length": 12, **backtest})
    layout, long = lay_out(panel, settings, True, "here")
    panel, short = panel.parted(long)
    ends = [max(len(one) - layout.test - layout.validation_steps, 0) for one in panel.series]
    return SeriesParts(panel, layout, Covariates.fit(panel, ends), short)


def changed_from(panel: Panel, begins: list[int]) -> Panel:
    """Give the same series, each with other numbers from a step of its own on."""
    draws = np.random.default_rng(9)
    later = []
    for one, begin in zip(panel.series, begins, strict=True):
        values = one.values.copy()
        values[begin:] = 1000 * draws.normal(size=values[begin:].shape)
        later.append(Series(one.name, one.times, values, one.known, one.past))
    return panel.with_series(later)


def trained(folder: Path, panel: Panel, model: str, refit: int) -> dict[str, Any]:
    """Train, and give all that came of it."""
    said = [
        f"backtest.horizon={HORIZON}",
        "backtest.season_length=12",
        f"backtest.refit={refit}",
        "baselines.statistical=[]",
    ]
    said += ["sample_paths=20", "training.steps=3"]
    mixed, model = model.startswith("mixed "), model.removeprefix("mixed ")
    said += ["mixture.use=always"] * mixed
    said += (
        ["model.body.width=4"] if model == "gru" else ["model.width=4"] if model == "mlp" else []
    )
    said += ["model.trees=5"] if model == "boosting" else []
    settings: Any = (
        TASKS["forecast"]
        .propose(Choices(data=(Path("series"),), model=model, assignments=tuple(said)))
        .settings
    )
    with Run.create(folder, {"task": "forecast", "sources": [], "settings": {"seed": 1}}) as run:
        read_into(run, settings, panel)
        TASKS["forecast"].train(run, settings, [], lambda event: None)
        found: dict[str, Any] = {
            f"told {name}": array for name, array in run.read_arrays("backtest.safetensors").items()
        }
        found |= {f"weight {name}": array for name, array in run.read_arrays().items()}
        codec = json.loads(run.read("codec.json"))
        bands = json.loads(run.read("calibration.json"))
        return found | {
            "bands": bands,
            "covariates": codec["covariates"],
            "test": codec["layout"]["test"],
        }


CASES = [("ridge", 1, order) for order in permutations(LENGTHS)]
CASES += [
    (model, refit, order)
    for model, refit in (
        ("ridge", 0),
        ("boosting", 1),
        ("linear", 0),
        ("mlp", 1),
        ("gru", 0),
        ("mixed ridge", 1),
        ("mixed linear", 0),
    )
    for order in ((84, 40), (40, 84))
]


@pytest.mark.parametrize(("model", "refit", "order"), CASES)
def test_what_comes_after_the_own_test_start_of_a_series_changes_nothing(
    model: str, refit: int, order: tuple[int, ...], tmp_path: Path
) -> None:
    panel = panel_of(order)
    one = trained(tmp_path / "a", panel, model, refit)
    begins = [length - one["test"] for length in order]
    other = trained(tmp_path / "b", changed_from(panel, begins), model, refit)
    assert (one["bands"], one["covariates"]) == (other["bands"], other["covariates"])
    at = one["told origins"]
    first = at[:, 1] == np.array(begins)[at[:, 0]]
    assert first.sum() == len(order)
    for name in one:
        if name.startswith("told"):
            np.testing.assert_array_equal(one[name][first], other[name][first])
        elif name.startswith("weight") and not refit:
            np.testing.assert_array_equal(one[name], other[name])


def test_the_order_of_series_changes_no_figure() -> None:
    found = []
    for order in permutations(LENGTHS):
        prepared = prepared_of(panel_of(order))
        learned = TRAINING.fit(ForecastSettings(), prepared, print)
        bands = TRAINING.calibrate(learned, prepared)
        told = fitting.walk_forward(learned, prepared, prepared.origins("test"))
        found.append((bands.forecasts, np.array(bands.offsets[80]), np.sort(told.mean.ravel())))
    for measured, moved, told in found[1:]:
        assert measured == found[0][0]
        np.testing.assert_allclose(moved, found[0][1], rtol=1e-6)
        np.testing.assert_allclose(told, found[0][2], rtol=1e-6)


@pytest.mark.parametrize("every", [1, 4])
def test_no_statistical_model_sees_later_steps_or_other_series(
    every: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it is fitted to, and what it goes on from, is the past of that series alone."""
    prepared = prepared_of(panel_of((40, 84, 52)))
    at = prepared.origins("test")
    fitted, seen = list[np.ndarray](), list[np.ndarray]()

    class Watched(LastValue):
        def fit(self, y: np.ndarray) -> Any:
            fitted.append(y)
            return super().fit(y)

        def forward(self, y: np.ndarray, h: int, level: list[int]) -> dict[str, np.ndarray]:
            seen.append(y)
            return super().forward(y, h, level)

    install(monkeypatch, AutoETS=Watched)
    model = MODELS.resolve("ets").build(Sizes.of(prepared.inputs()))
    model.every = every
    forecast(model, prepared.inputs(), at, seed=0, paths=0)
    assert len(seen) == len(at)
    order, places = np.lexsort(at.T[::-1]), dict.fromkeys(range(3), 0)
    for history, (number, origin) in zip(seen, at[order], strict=True):
        past = prepared.panel.series[number].values[:origin, 0]
        np.testing.assert_array_equal(history, past)
        if places[number] % every == 0:
            np.testing.assert_array_equal(fitted.pop(0), history)
        places[number] += 1
    assert not fitted


@pytest.mark.parametrize("seed", range(40))
def test_random_panels_are_learned_within_each_series(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No window reaches past the own test of its series before that is forecast, nor holds a
    step of another series."""
    draws = np.random.default_rng(seed)
    lengths = tuple(draws.integers(30, 110, draws.choice([2, 3, 5, 24])).tolist())
    prepared = prepared_of(panel_of(lengths, seed), season_length=int(draws.choice([1, 4, 12])))
    horizon, tests = prepared.layout.horizon, np.array(prepared.ends("test"))
    learned: list[np.ndarray] = []

    def refit(self: Any, windows: Any) -> None:
        learned.clear()
        list(windows())

    arrays = WindowGatherer.arrays

    def gather(self: WindowGatherer, at: np.ndarray) -> dict[str, np.ndarray]:
        learned.append(at)
        fields = arrays(self, at)
        for row in draws.integers(0, len(at), 5):
            number, origin = at[row]
            own = self.panel.series[number].values
            there = min(origin, self.layout.window)
            past = fields["past"][row] * fields["scale"][row] + fields["loc"][row]
            np.testing.assert_allclose(past[-there:], own[origin - there : origin], atol=1e-9)
            target = fields["target"][row] * fields["scale"][row] + fields["loc"][row]
            np.testing.assert_allclose(target, own[origin : origin + horizon], atol=1e-9)
        return fields

    def told(model: Any, inputs: WindowGatherer, at: np.ndarray, **_: Any) -> Any:
        known = np.zeros(len(lengths), np.int64)
        for one in learned:
            np.maximum.at(known, one[:, 0], one[:, 1] + horizon)
        at_least = np.full(len(lengths), np.iinfo(np.int64).max)
        np.minimum.at(at_least, at[:, 0], at[:, 1])
        assert (known[: len(tests)] <= at_least[: len(tests)]).all()
        if rehearsing:
            assert (known[: len(tests)] <= tests).all()
        return true_forecast(model, inputs, at, **_)

    true_forecast = fitting.forecast
    model = TRAINING.fit(ForecastSettings(), prepared, print)
    monkeypatch.setattr(type(model.model), "refit", refit)
    monkeypatch.setattr(WindowGatherer, "arrays", gather)
    monkeypatch.setattr(fitting, "forecast", told)
    rehearsing = True
    TRAINING.calibrate(model, prepared)
    rehearsing = False
    fitting.walk_forward(model, prepared, prepared.origins("test"))


def test_no_forecast_is_gathered_beyond_the_bounds_of_its_series() -> None:
    prepared = prepared_of(panel_of((84, 40)))
    inputs = prepared.inputs()
    for at in ((0, 84 - HORIZON + 1), (1, 40 - HORIZON + 1), (1, 60), (0, 0), (2, 20), (-1, 20)):
        with pytest.raises(IndexError, match=f"no forecast of {HORIZON} steps begins at"):
            inputs.arrays(np.array([(0, 30), at]))
        with pytest.raises(IndexError):
            inputs.targets(np.array([at]))
    ahead = WindowGatherer(prepared.panel, prepared.layout, prepared.covariates, ahead=HORIZON)
    assert len(ahead.arrays(np.array([(0, 84), (1, 40)]))["past"]) == 2
    with pytest.raises(IndexError):
        ahead.targets(np.array([(1, 40)]))


def test_parts_are_of_each_series_by_itself() -> None:
    panel = panel_of((84, 40))
    layout, _ = lay_out(
        panel, BacktestSettings(horizon=3, test=6, validation_steps=12), True, "here"
    )
    for number, length in enumerate((84, 40)):
        begins = {
            part: [
                step for one, step in find_origins(panel, layout, part).tolist() if one == number
            ]
            for part in ("train", "validation", "calibration", "test")
        }
        assert max(begins["train"]) == length - 18 - 3
        assert (min(begins["validation"]), max(begins["validation"])) == (
            length - 18,
            length - 12 - 3,
        )
        assert (min(begins["calibration"]), max(begins["calibration"])) == (
            length - 12,
            length - 6 - 3,
        )
        assert (min(begins["test"]), max(begins["test"])) == (length - 6, length - 3)


@pytest.mark.parametrize("order", [(25,) * 19 + (200,), (200,) + (25,) * 19, (25, 200) * 12])
def test_there_is_something_to_choose_and_to_calibrate_on_where_most_series_are_short(
    order: tuple[int, ...],
) -> None:
    prepared = prepared_of(panel_of(order), horizon=10, season_length=1)
    assert all(
        len(prepared.origins(part)) for part in ("train", "validation", "calibration", "test")
    )
    learned = TRAINING.fit(ForecastSettings(), prepared, print)
    assert np.isfinite(learned.model.arrays()["spread"]).all()
    assert TRAINING.calibrate(learned, prepared).forecasts > 0


def test_held_steps_that_are_too_few_to_choose_and_to_calibrate_on_are_refused() -> None:
    with pytest.raises(
        SettingError,
        match="6 validation steps are too few for forecasts of 6 steps in both validation and calibration",
    ):
        prepared_of(panel_of((84, 40)), validation_steps=6)
    prepared_of(panel_of((84, 40)), validation_steps=12)


@pytest.mark.parametrize("order", [(84, 40), (40, 84)])
def test_an_estimator_learns_from_series_of_any_order(order: tuple[int, ...]) -> None:
    from ensue.sklearn import Forecaster

    told = (
        Forecaster(horizon=6, season=12)
        .fit([one.values[:, 0] for one in panel_of(order).series])
        .predict()
    )
    assert [len(one) for one in told] == [6, 6]
