"""Laws of forecasting: heads are distributions, the future changes nothing, paths are the same
alone and in a crowd."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from stub_statsforecast import install

from ensue.data.series.backtest import BacktestSettings, find_origins, lay_out
from ensue.data.series.dataset import SeriesParts
from ensue.data.series.frequency import Frequency
from ensue.data.series.panel import Panel, Series
from ensue.data.series.windows import Covariates, WindowGatherer
from ensue.decoding.forecasts import forecast
from ensue.decoding.paths import sample_paths
from ensue.decoding.uniform import uniform
from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.forecasting.metrics import compute_scales, number_blocks
from ensue.heads.numbers import NUMBERS
from ensue.models.autoregressive import AutoregressiveSettings
from ensue.models.contract import Loss
from ensue.models.direct import MLPSettings
from ensue.models.distributions import Normals, Sampled, average
from ensue.models.forecaster_contract import Sizes
from ensue.models.parameters import to_device
from ensue.models.quantile_pool import QuantilePool
from ensue.settings import read
from ensue.tasks import TASKS, Choices
from ensue.tasks.forecast import backtest as fitting
from ensue.tasks.forecast.settings import MODELS, ForecastSettings
from ensue.tasks.forecast.training import TRAINING
from ensue.training.folder.run import Run

HISTORY = ("naive", "seasonal-naive", "drift", "ets", "theta", "arima")
"""Models that are fitted to the whole past of a series at each origin."""
MIXED = ("mixed ridge", "mixed mlp", "mixed gru")
"""Mixtures of a model and of the baselines."""
SCALE = torch.tensor(7.0, dtype=torch.float64)


def made(name: str) -> tuple[Any, torch.Tensor]:
    torch.manual_seed(3)
    head = NUMBERS[name]().build(4, 1).double()  # type: ignore[attr-defined]
    return head, head.raw(torch.randn(4, dtype=torch.float64))[0]


def density(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Give places and the probability of each, by brute force."""
    head, raw = made(name)
    if name == "negative_binomial":
        places = torch.arange(20_000, dtype=torch.float64) / SCALE
        return places.numpy(), head.distribution(raw, SCALE).log_prob(places).exp().detach().numpy()
    places = torch.linspace(-400, 400, 800_001, dtype=torch.float64)
    chances = head.distribution(raw, SCALE).log_prob(places).exp().detach().numpy()
    return places.numpy(), chances * float(places[1] - places[0])


@pytest.mark.parametrize("name", NUMBERS)
def test_heads_are_distributions_and_draws_are_of_them(name: str) -> None:
    places, chances = density(name)
    assert abs(chances.sum() - 1) < 3e-4
    head, raw = made(name)
    distribution = head.distribution(raw, SCALE)
    if name != "student":
        np.testing.assert_allclose(distribution.mean.detach(), (places * chances).sum(), atol=2e-3)
    count = 20_000
    first, second = (
        torch.from_numpy(uniform(1, np.arange(count), step) * (1 - 2e-7) + 1e-7) for step in (0, 1)
    )
    with torch.no_grad():
        drawn = np.sort(head.draw(distribution, first, second).numpy())
    below = np.interp(drawn, places, np.cumsum(chances))
    if name == "negative_binomial":
        below = np.cumsum(chances)[np.round(drawn * 7).astype(int)]
        shares = np.searchsorted(drawn, drawn, side="right") / count
    else:
        shares = (np.arange(count) + 0.5) / count
    # Kolmogorov and Smirnov's distance stays below 1.6 / sqrt(n) in 99 of 100 draws.
    assert np.abs(below - shares).max() < 1.7 / count**0.5


@pytest.mark.parametrize("name", NUMBERS)
def test_gradients_of_heads(name: str) -> None:
    head, raw = made(name)
    target = torch.tensor([0.3, 1.1], dtype=torch.float64)

    def cost(values: torch.Tensor) -> torch.Tensor:
        nats, extra = head.cost(values.expand(2, -1), target, SCALE)
        return nats if extra is None else extra

    assert torch.autograd.gradcheck(cost, (raw.detach().requires_grad_(),))


def panel(steps: int = 80, series: int = 3, channels: int = 2) -> Panel:
    draws = np.random.default_rng(5)
    made = []
    for number in range(series):
        values = (
            np.cumsum(draws.normal(size=(steps, channels)), 0)
            + 3 * np.sin(np.arange(steps) / 2)[:, None]
        )
        known, past = draws.normal(size=(steps + 4, 1)), draws.normal(size=(steps, 1))
        made.append(
            Series(f"s{number}", np.arange(steps), values, known, past, ("ab"[number % 2],))
        )
    channel_names = tuple("xyz"[:channels])
    return Panel(tuple(made), Frequency("step", 1), channel_names, ("push",), ("wind",), ("kind",))


def prepared(settings: Any, given: Panel | None = None) -> tuple[Any, WindowGatherer, Panel]:
    given = given or panel()
    layout, _ = lay_out(
        given, BacktestSettings(horizon=4, season_length=6, context_length=12), False, "here"
    )
    covariates = Covariates.fit(
        given, [len(one) - layout.test - layout.validation_steps for one in given.series]
    )
    inputs = WindowGatherer(given, layout, covariates, ahead=4)
    torch.manual_seed(0)
    sizes = Sizes(**inputs.shape, window=layout.window, horizon=4, season=6)
    return settings.build(sizes), inputs, given


NETWORKS = {
    **{
        f"steps, {name}": read(
            AutoregressiveSettings, {"body": {"name": "recurrent", "width": 6}, "head": name}
        )
        for name in NUMBERS
    },
    **{
        f"direct, {name}": read(MLPSettings, {"depth": 1, "width": 6, "head": name})
        for name in NUMBERS
    },
}


@pytest.mark.parametrize("name", NETWORKS)
def test_paths_are_the_same_alone_and_in_a_crowd(name: str) -> None:
    network, inputs, given = prepared(NETWORKS[name])
    every = np.array([(number, len(one)) for number, one in enumerate(given.series)])
    crowd = forecast(network, inputs, every, seed=1, paths=30)
    alone = forecast(network, inputs, every[1:2], seed=1, paths=30)
    other = forecast(network, inputs, every[1:2], seed=2, paths=30)
    np.testing.assert_allclose(crowd.quantile(0.3)[1:2], alone.quantile(0.3), rtol=1e-4)
    if isinstance(crowd, Sampled):
        assert not np.allclose(alone.quantile(0.3), other.quantile(0.3))


def trained(loss: Loss) -> torch.Tensor:
    return loss.cost


@pytest.mark.parametrize("unit", [1e60, 1e-60])
@pytest.mark.parametrize("name", [name for name in NETWORKS if "negative" not in name])
def test_forecasts_do_not_depend_on_the_unit_of_the_data(name: str, unit: float) -> None:
    network, inputs, given = prepared(NETWORKS[name])
    changed = [
        replace(one, values=one.values * unit, known=one.known * unit, past=one.past * unit)
        for one in given.series
    ]
    other, in_other_unit, _ = prepared(NETWORKS[name], replace(given, series=tuple(changed)))
    for end in (70, 80):
        origins = np.array([(number, end) for number in range(len(given.series))])
        expected = forecast(network, inputs, origins, seed=1, paths=30).quantile(0.3)
        found = forecast(other, in_other_unit, origins, seed=1, paths=30).quantile(0.3)
        np.testing.assert_allclose(found / unit, expected, rtol=1e-4, atol=1e-4)
    loss, _ = other.loss(to_device(in_other_unit.batch(origins - (0, 10)), torch.device("cpu")))
    trained(loss).sum().backward()
    assert all(torch.isfinite(one.grad).all() for one in other.parameters() if one.grad is not None)


@pytest.mark.parametrize("name", NUMBERS)
def test_a_network_that_diverged_has_a_loss_that_is_not_a_number(name: str) -> None:
    head, raw = made(name)
    cost, _ = head.cost(raw * torch.nan, torch.zeros(1).double(), SCALE)
    assert torch.isnan(cost).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_one_huge_value_leaves_the_loss_finite(name: str) -> None:
    given = panel()
    for one in given.series:
        one.values[60, 0] = one.known[60, 0] = one.past[60, 0] = 1e90
    network, inputs, _ = prepared(NETWORKS[name], given)
    for origin in (59, 60, 61):
        batch = to_device(inputs.batch(np.array([(0, origin)])), torch.device("cpu"))
        loss, _ = network.loss(batch)
        assert torch.isfinite(trained(loss)).all()
        trained(loss).sum().backward()
    assert all(
        torch.isfinite(one.grad).all() for one in network.parameters() if one.grad is not None
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_forecasts_do_not_look_at_the_target(name: str) -> None:
    network, inputs, _ = prepared(NETWORKS[name])
    given = panel()
    changed = given.with_series(
        [
            replace(
                one,
                values=np.concatenate([one.values[:60], -(one.values[60:] ** 2)]),
                past=one.past * 1,
            )
            for one in given.series
        ]
    )
    for one in changed.series:
        one.past[60:] = 9.0
    _, others, _ = prepared(NETWORKS[name], changed)
    others.among, others.covariate = (
        inputs.among,
        np.where(others.covariate == inputs.covariate, inputs.covariate, 5.0),
    )
    at = np.array([(0, 60), (2, 60)])
    told, same = (
        forecast(network, one, at, seed=1, paths=20).quantile(0.5) for one in (inputs, others)
    )
    np.testing.assert_array_equal(told, same)


@pytest.mark.parametrize("name", [name for name in NETWORKS if name.startswith("steps")])
def test_the_first_step_that_is_drawn_is_as_the_network_says(name: str) -> None:
    network, inputs, _ = prepared(NETWORKS[name])
    network.eval()
    at = np.array([(0, 50)])
    batch = to_device(inputs.batch(at), torch.device("cpu"))
    with torch.no_grad():
        said = network.head.distribution(network._raw(batch)[:, 0], batch["scale"])
        first, second = (torch.rand(5, 1, 2) * 0.98 + 0.01 for _ in range(2))
        drawn = sample_paths(network, batch, lambda step: (first, second))
        expected = network.head.draw(said, first, second)
    np.testing.assert_allclose(drawn[:, :, 0], expected.numpy(), rtol=1e-4, atol=1e-4)


def learned(folder: Path, values: np.ndarray, model: str, refit: int) -> dict[str, Any]:
    """Train on y, w, of which the past is known, and k, known ahead, (series, steps, 3); give
    all that came of it."""
    folder.mkdir()
    rows = [
        f"s{number},{np.datetime64('2024-01-01') + step},{y!r},{w!r},{k!r},{'ab'[number]}"
        for number, one in enumerate(values)
        for step, (y, w, k) in enumerate(one.tolist())
    ]
    path = folder / "data.csv"
    path.write_text("id,t,y,w,k,kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    said = [
        "backtest.horizon=3",
        "backtest.test=12",
        f"backtest.refit={refit}",
        "baselines.statistical=[]",
        "sample_paths=20",
    ]
    said += ["training.steps=6", "data.id=id", 'data.static_covariates=["kind"]']
    said += [
        f'data.{name}=["{column}"]'
        for name, column in (("target", "y"), ("past_covariates", "w"), ("known_covariates", "k"))
    ]
    mixed, model = model.startswith("mixed "), model.removeprefix("mixed ")
    said += ["mixture.use=always"] * mixed
    said += (
        ["model.body.width=4"] if model == "gru" else ["model.width=4"] if model == "mlp" else []
    )
    proposal = TASKS["forecast"].propose(
        Choices(data=(path,), model=model, assignments=tuple(said))
    )
    with Run.create(
        folder / "run", {"task": "forecast", "sources": [], "settings": {"seed": 1}}
    ) as run:
        TASKS["forecast"].train(run, proposal.settings, [path], lambda event: None)
        arrays = {f"weight {name}": array for name, array in run.read_arrays().items()}
        arrays |= {
            f"told {name}": array for name, array in run.read_arrays("backtest.safetensors").items()
        }
        codec = json.loads(run.read("codec.json"))
        return arrays | {"bands": run.read("calibration.json"), "covariates": codec["covariates"]}


@pytest.mark.parametrize("refit", [0, 1])
@pytest.mark.parametrize("model", ["ridge", "linear", "mlp", "gru", "boosting", *HISTORY, *MIXED])
def test_the_future_changes_nothing(
    model: str, refit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither what was learned before the test, nor, where it is learned anew, any forecast from
    before the change."""
    install(monkeypatch)
    draws = np.random.default_rng(1)
    values = np.cumsum(draws.normal(size=(2, 90, 3)), 1)
    changed = values.copy()
    begin = 78 if not refit else 84
    changed[:, begin:] = 1000 * draws.normal(size=(2, 90 - begin, 3))
    # What is known ahead may be used, for three steps.
    changed[:, begin : begin + 3, 2] = values[:, begin : begin + 3, 2]
    one, other = (
        learned(tmp_path / name, data, model, refit)
        for name, data in (("a", values), ("b", changed))
    )
    assert (one["bands"], one["covariates"]) == (other["bands"], other["covariates"])
    before = one["told origins"][:, 1] <= begin
    assert 0 < before.sum() < len(before)
    for name in one:
        if name.startswith("weight") and not refit:
            np.testing.assert_array_equal(one[name], other[name])
        if name.startswith("told"):
            np.testing.assert_array_equal(one[name][before], other[name][before])
    if (model, refit) != ("seasonal-naive", 1):  # a season lies between the change and the end
        assert not np.array_equal(one["told median"][~before], other["told median"][~before])


@pytest.mark.parametrize("name", ["ridge", *HISTORY])
def test_the_future_changes_no_baseline(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither what it forecasts from before the change, nor its intervals, nor what errors are
    measured by."""
    install(monkeypatch)
    given = panel(channels=1)
    changed = given.with_series(
        [
            replace(one, values=np.concatenate([one.values[:72], 1000 * one.values[72:] ** 2]))
            for one in given.series
        ]
    )
    told = []
    for one in (given, changed):
        layout, _ = lay_out(
            one, BacktestSettings(horizon=4, season_length=6, test=16), True, "here"
        )
        prepared = SeriesParts(
            one,
            layout,
            Covariates.fit(one, [64 - layout.validation_steps] * 3),
            one.with_series([]),
        )
        origins_of = prepared.origins("test")
        origins_of = origins_of[origins_of[:, 1] <= 72]
        found = TRAINING.fit(ForecastSettings(model=MODELS.resolve(name)), prepared, print)
        forecast_of = fitting.walk_forward(found, prepared, origins_of)
        bands = TRAINING.calibrate(found, prepared).to_json()
        told.append(
            (
                forecast_of.mean,
                forecast_of.quantile(0.9),
                compute_scales(prepared, origins_of).naive,
                bands,
            )
        )
    for one, other in zip(*told, strict=True):
        np.testing.assert_equal(one, other)


@pytest.mark.parametrize("name", HISTORY)
def test_a_forecast_from_an_origin_is_that_of_the_series_until_then(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any order of origins, for histories shorter than a season, and with missing values."""
    install(monkeypatch)
    model, inputs, given = prepared(MODELS.resolve(name))
    for one in given.series:
        one.filled[5:9] = one.filled[30:33, 0] = True
    origins = np.array([(1, 30), (0, 3), (1, 4), (0, 76), (2, 12), (0, 31), (1, 76)])
    crowd = forecast(model, inputs, origins, seed=1, paths=0)
    for row, (number, step) in enumerate(origins):
        alone = model.forecast(given.series[number].until(step), np.array([step]), 4)
        for level in (0.1, 0.5, 0.9):
            found, expected = crowd.quantile(level)[row], alone.quantile(level)[0]
            np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_parts_do_not_overlap_in_what_is_forecast() -> None:
    given = panel(steps=100)
    layout, _ = lay_out(
        given, BacktestSettings(horizon=5, test=20, validation_steps=24, stride=1), False, "here"
    )
    steps = {}
    for part in ("train", "validation", "calibration", "test"):
        found = find_origins(given, layout, part)
        steps[part] = {
            (number, step + ahead) for number, step in found.tolist() for ahead in range(5)
        }
    parts = list(steps.values())
    assert all(not one & other for place, one in enumerate(parts) for other in parts[place + 1 :])
    assert steps["test"] == {(number, step) for number in range(3) for step in range(80, 100)}


def test_many_series_have_fewer_origins_each() -> None:
    """2,000 series had 38,000 origins, whose sample paths took minutes after a training of one."""

    def count(series: int, **own: int) -> int:
        given = panel(130, series, 1)
        layout, _ = lay_out(given, BacktestSettings(horizon=18, test=36, **own), False, "here")
        return len(find_origins(given, layout, "test"))

    assert count(100) == 100 * 19
    assert count(250) == 250 * 10
    assert count(500) == 500 * 5
    assert count(2000) == 2000 * 2
    assert count(4000) == 4000 * 2  # no further apart than a horizon
    assert count(500, stride=1) == 500 * 19


def test_intervals_hold_what_they_promise() -> None:
    draws = np.random.default_rng(2)
    told = Normals(np.zeros((500, 3, 1)), np.full((500, 3, 1), 0.5))
    bands = ConformalIntervals.fit(told, draws.normal(size=(500, 3, 1)), 500)
    new = draws.normal(size=(4000, 3, 1))
    around = bands.intervals(Normals(np.zeros_like(new), np.full_like(new, 0.5)))
    for per_cent, (low, high) in around.items():
        assert abs(((low <= new) & (new <= high)).mean() - per_cent / 100) < 0.03
    assert ConformalIntervals.from_json(bands.to_json()) == bands


@pytest.mark.parametrize("count", [2, 5])
def test_intervals_hold_what_they_promise_after_few_forecasts(count: int) -> None:
    """On average over what the calibration part may have been; each of its forecasts misses by
    as much at every step."""
    draws = np.random.default_rng(3)
    told, held = Normals(np.zeros((count, 3, 1)), np.full((count, 3, 1), 0.5)), {80: 0.0, 95: 0.0}
    new = draws.normal(size=(500, 1, 1))
    for _ in range(400):
        missed = np.broadcast_to(draws.normal(size=(count, 1, 1)), (count, 3, 1))
        around = ConformalIntervals.fit(told, missed, count).intervals(
            Normals(0 * new, 0 * new + 0.5)
        )
        for per_cent, (low, high) in around.items():
            held[per_cent] += ((low <= new) & (new <= high)).mean() / 400
    assert abs(held[80] - 0.8) < 0.06
    assert abs(held[95] - 0.95) < 0.06


def test_a_rehearsal_is_before_the_test_and_apart_from_what_was_chosen_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = panel(steps=120, series=1)
    layout, _ = lay_out(
        given,
        BacktestSettings(horizon=4, season_length=6, test=12, validation_steps=24),
        True,
        "here",
    )
    prepared = SeriesParts(given, layout, Covariates.fit(given, [84]), given.with_series([]))
    asked: list[np.ndarray] = []
    monkeypatch.setattr(fitting, "refit", lambda learned, *_: learned)
    monkeypatch.setattr(
        fitting, "forecast", lambda *given, **_: asked.append(given[2]) or forecast(*given, **_)
    )
    learned = TRAINING.fit(ForecastSettings(), prepared, print)
    assert TRAINING.calibrate(learned, prepared).forecasts >= 5
    begins = np.sort(np.concatenate(asked)[:, 1]).tolist()
    assert set(find_origins(given, layout, "calibration")[:, 1].tolist()) < set(begins)
    assert not set(begins) & set(find_origins(given, layout, "validation")[:, 1].tolist())
    assert min(begins) == (108 + layout.min_context + 4) // 2
    assert max(begins) == 108 - 4


@pytest.mark.parametrize("names", [("ridge", "naive"), ("ets", "drift", "naive"), ("gru", "ridge")])
def test_a_mixture_averages_quantiles_by_step(
    names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also past the horizon that its weights were fitted to, where all members go so far."""
    install(monkeypatch)
    made = [prepared(MODELS.resolve(name)) for name in names]
    for (model, _, _), name in zip(made, names, strict=True):
        if name == "ridge":
            shape = (len(model.features(made[0][1].arrays(np.array([(0, 40)])))[0]) + 1, 8)
            model.anchor = "last"
            model._arrays = {"weights": np.zeros(shape), "spread": np.ones(8)}
    inputs = made[0][1]
    weights = np.random.default_rng(0).dirichlet(np.ones(len(names)), 4).T
    pool = QuantilePool([one for one, _, _ in made], weights)
    origins = np.array([(2, 60), (0, 70), (1, 76)])
    found = forecast(pool, inputs, origins, seed=1, paths=30)
    parts = [forecast(one, inputs, origins, seed=1, paths=30) for one in pool.members]
    for of in (lambda one: one.mean, lambda one: one.quantile(0.1), lambda one: one.quantile(0.5)):
        expected = sum(
            weight[:, None] * of(part) for weight, part in zip(weights, parts, strict=True)
        )
        np.testing.assert_allclose(of(found), expected, rtol=1e-9)
    assert pool.horizon == (4 if "ridge" in names else 0)
    np.testing.assert_array_equal(pool.weigh(9)[:, 3:], np.repeat(weights[:, 3:], 6, axis=1))


def test_a_mixture_of_a_count_and_a_number_has_no_lower_bound() -> None:
    one, other = (
        Sampled(np.ones((5, 1, 2, 1)), 0.0),
        Normals(np.zeros((1, 2, 1)), np.ones((1, 2, 1))),
    )
    weights = np.full((2, 2), 0.5)
    assert average([one, one], weights).lower_bound == 0
    assert average([one, other], weights).lower_bound == -np.inf


def test_blocks() -> None:
    at = np.array([(0, step) for step in range(10, 23)] + [(1, 4)])
    assert number_blocks(at, 4).tolist() == [0] * 4 + [1] * 4 + [2] * 5 + [3]


def test_catalogues_are_covered() -> None:
    assert {
        MODELS.resolve(name).name
        for name in ("ridge", "linear", "mlp", "gru", "boosting", *HISTORY)
    } == set(MODELS.parts)  # type: ignore[attr-defined]
