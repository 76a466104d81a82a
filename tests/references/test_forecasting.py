"""Figures and forecasts against formulas written out anew, integrals, and other libraries."""

from dataclasses import replace
from math import erf, pi, sqrt
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.tree import DecisionTreeRegressor

from ensue.batch import Batch
from ensue.data.series.frequency import (
    Frequency,
    compute_calendar,
    count_steps,
    infer_frequency,
    read_frequency,
)
from ensue.data.series.panel import Series
from ensue.data.tables.times import read_time
from ensue.evaluation.forecasting.conformal import UNCALIBRATED
from ensue.evaluation.forecasting.metrics import Scales, compute_block_metrics, naive_scale, score
from ensue.evaluation.ranking import Recommendation, best_model, explain_recommendation
from ensue.evaluation.scores import Measured, Score
from ensue.models.baselines.boosting import BoostingSettings
from ensue.models.baselines.ridge import RidgeSettings
from ensue.models.baselines.window_features import window_features, window_targets
from ensue.models.distributions import Averaged, Normals, Quantiled, Sampled, average
from ensue.models.forecaster_contract import Sizes
from ensue.models.pool import MixtureSettings, choose_members
from ensue.models.quantile_pool import PRIOR_UNITS, QuantileErrors
from ensue.tasks.forecast.settings import MODELS


def normal_below(x: float) -> float:
    return (1 + erf(x / sqrt(2))) / 2


def test_crps_is_its_integral() -> None:
    """CRPS(F, y) is the integral of (F(x) - [x >= y])^2 (Gneiting & Raftery 2007, eq. 20)."""
    mean, spread, came = 1.3, 0.7, 2.9
    places = np.linspace(mean - 12, mean + 12, 400_001)
    below = np.array([normal_below((x - mean) / spread) for x in places])
    integral = float(np.trapezoid((below - (places >= came)) ** 2, places))
    target = np.full((1, 1, 1), came)
    exact = Normals(np.full((1, 1, 1), mean), np.full((1, 1, 1), spread))
    assert abs(exact.crps(target).item() - integral) < 3e-5
    levels = (np.arange(4000) + 0.5) / 4000
    quantiles = np.array([exact.quantile(level).item() for level in levels])
    assert abs(Sampled.of(quantiles.reshape(-1, 1, 1, 1)).crps(target).item() - integral) < 1e-3
    told = Quantiled(exact.mean, tuple(levels), quantiles.reshape(-1, 1, 1, 1))
    assert abs(told.crps(target).item() - integral) < 1e-3
    assert told.quantile(0.8).item() == pytest.approx(exact.quantile(0.8).item(), abs=1e-3)


def test_the_crps_of_paths_by_all_pairs() -> None:
    paths, came = np.array([0.0, 3.0, 1.0, 7.0]), 2.0
    pairs = sum(abs(a - b) for a in paths for b in paths) / (4 * 3)
    expected = np.abs(paths - came).mean() - pairs / 2
    found = Sampled.of(paths.reshape(-1, 1, 1, 1)).crps(np.full((1, 1, 1), came))
    assert found.item() == pytest.approx(expected)


def test_figures_by_hand() -> None:
    history = np.array([[10.0], [20.0], [13.0], [26.0]])
    assert naive_scale(history, 2).tolist() == [(3 + 6) / 2]
    assert np.isnan(naive_scale(np.sin(np.arange(24.0) * np.pi / 3)[:, None], 6)).all()
    told = Normals(np.array([[[12.0], [30.0]]]), np.array([[[1.0], [2.0]]]))
    came = np.array([[[14.0], [29.0]]])
    scored = score(told, came, Scales(np.array([[4.5]]), np.array([[5.0]])), UNCALIBRATED)
    metrics = scored.metrics()
    assert metrics["mase"] == pytest.approx((2 / 4.5 + 1 / 4.5) / 2)
    assert metrics["smape"] == pytest.approx((200 * 2 / 26 + 200 * 1 / 59) / 2)
    assert metrics["rmse"] == pytest.approx(sqrt((4 + 1) / 2))
    assert metrics["mse"] == pytest.approx((4 / 25 + 1 / 25) / 2)
    assert (metrics["coverage_80"], metrics["coverage_95"]) == (0.5, 0.5)
    assert metrics["width_95"] == pytest.approx(2 * 1.959964 * 1.5, abs=1e-5)
    both = compute_block_metrics(scored, np.array([0]))
    assert both[0] == pytest.approx(metrics)
    assert both[2].mean() == pytest.approx(metrics["mase"])


def test_a_series_that_never_changes_has_no_mase() -> None:
    told = Normals(np.full((2, 1, 1), 3.0), np.full((2, 1, 1), 0.0))
    scales = Scales(np.array([[np.nan], [2.0]]), np.ones((2, 1)))
    scored = score(told, np.array([[[3.0]], [[4.0]]]), scales, UNCALIBRATED)
    assert scored.metrics()["mase"] == 0.5
    metrics, intervals, losses = compute_block_metrics(scored, np.array([0, 1]))
    assert (metrics["mase"], losses.tolist()) == (0.5, [0.5])
    assert np.isnan(intervals["mase"]).all()
    assert np.isfinite(intervals["mae"]).all()


def test_a_figure_that_some_have_not_is_that_of_the_others() -> None:
    """Table, interval and what models are compared by: as if the series that never changed were
    not there."""
    draws = np.random.default_rng(0)
    told = Normals(np.zeros((40, 3, 1)), np.ones((40, 3, 1)))
    target, scale = draws.normal(size=(40, 3, 1)), draws.uniform(1, 2, (40, 1))
    still = draws.permutation(40)[:25]
    scale[still] = np.nan
    kept = np.setdiff1d(np.arange(40), still)
    metrics, intervals, losses = compute_block_metrics(
        score(told, target, Scales(scale, np.ones((40, 1))), UNCALIBRATED), np.arange(40)
    )
    without = score(
        Normals(told.mean[kept], told.spread[kept]),
        target[kept],
        Scales(scale[kept], scale[kept]),
        UNCALIBRATED,
    )
    others = compute_block_metrics(without, np.arange(15))
    assert metrics["mase"] == pytest.approx(losses.mean()) == pytest.approx(others[0]["mase"])
    assert intervals["mase"] == pytest.approx(others[1]["mase"])
    np.testing.assert_allclose(losses, others[2])


def make_naive(name: str, history: np.ndarray, horizon: int, season: int) -> Any:
    none = np.zeros((len(history), 0))
    series = Series("one", np.arange(len(history)), history, none, none)
    model = MODELS.resolve(name).build(SimpleNamespace(season=season))
    return model.forecast(series, np.array([len(history)]), horizon)


def test_naive_forecasts_by_hand() -> None:
    history = np.array([[1.0], [4.0], [2.0], [8.0], [5.0]])
    one, two = sqrt((9 + 4 + 36 + 9) / 4), sqrt((1 + 16 + 9) / 3)
    found = {name: make_naive(name, history, 3, 2) for name in ("naive", "seasonal-naive", "drift")}
    assert found["naive"].mean.ravel().tolist() == [5, 5, 5]
    assert found["seasonal-naive"].mean.ravel().tolist() == [8, 5, 8]
    assert found["drift"].mean.ravel().tolist() == [6, 7, 8]
    np.testing.assert_allclose(found["naive"].spread.ravel(), one * np.sqrt([1, 2, 3]))
    np.testing.assert_allclose(found["seasonal-naive"].spread.ravel(), two * np.sqrt([1, 1, 2]))
    ahead = np.array([1, 2, 3])
    np.testing.assert_allclose(
        found["drift"].spread.ravel(), one * np.sqrt(ahead * (1 + ahead / 4))
    )


TIMES = {
    "year": ["1999-12-31", "2000-12-31", "2001-12-31"],
    "quarter": ["2000Q1", "2000Q2", "2000Q3"],
    "month": ["2023-12-31", "2024-01-31", "2024-02-29"],
    "week": ["2024-02-19", "2024-02-26", "2024-03-04"],
    "day": ["2024-02-28", "2024-02-29", "2024-03-01"],
    "workday": ["2024-02-29", "2024-03-01", "2024-03-04"],
    "hour": ["2024-02-29 22:00", "2024-02-29 23:00", "2024-03-01 00:00"],
    "15 minutes": ["2024-02-29T23:30:00Z", "2024-02-29T23:45:00Z", "2024-03-01T00:00:00Z"],
    "step": ["7", "8", "9"],
    "5 steps": ["10", "15", "20"],
}


@pytest.mark.parametrize("name", TIMES)
def test_frequencies_are_found_and_go_on_by_the_calendar(name: str) -> None:
    times = [read_time(text) for text in TIMES[name]]
    array = (
        np.array(times[:2]) if isinstance(times[0], int) else np.array(times[:2], "datetime64[s]")
    )
    found = infer_frequency(
        array if name not in ("month", "workday") else np.array(times, "datetime64[s]")
    )
    assert found is not None
    assert found.name == name
    assert read_frequency(name) == found
    assert found.ahead(times[1], 1)[0] == times[2]
    three = np.array(times) if isinstance(times[0], int) else np.array(times, "datetime64[s]")
    assert count_steps(three, found).tolist() == [1, 1]


def test_the_calendar_by_another_way() -> None:
    hours = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[h]").astype("datetime64[s]")
    waves = compute_calendar(hours, Frequency("second", 3600))
    day = np.array([time.item().hour for time in hours]) / 24
    np.testing.assert_allclose(waves[:, 6], np.sin(2 * pi * day), atol=1e-4)
    month = compute_calendar(np.array(["2024-05-01"], "datetime64[s]"), Frequency("month", 1))
    np.testing.assert_allclose(
        month[0, :2], [np.sin(2 * pi * 4 / 12), np.cos(2 * pi * 4 / 12)], atol=1e-6
    )


def fields(count: int, seed: int) -> dict[str, Any]:
    draws = np.random.default_rng(seed)
    past = np.clip(draws.normal(size=(count, 8, 1)), -2, 2)
    known = draws.normal(size=(count, 11, 2))
    target = past[:, -3:] * 0.5 + known[:, 8:, 1:] + 0.1 * draws.normal(size=(count, 3, 1))
    whole = {
        "past": past,
        "known": known,
        "target": target,
        "observed": np.ones(target.shape, bool),
    }
    return whole | {"covariate": np.zeros((count, 8, 0)), "static": np.zeros((count, 0))}


SIZES = Sizes(channels=1, known=2, calendar=1, past=0, static=0, window=8, horizon=3, season=4)


def make_batch(values: dict[str, Any]) -> Batch[torch.Tensor]:
    ones = torch.ones(len(values["past"]))
    return Batch({name: torch.tensor(value) for name, value in values.items()}, ones, ones > 0)


def test_ridge_is_the_solution_of_its_equations() -> None:
    learned, others = fields(60, 1), fields(20, 2)
    model = RidgeSettings(penalty=3.0).build(SIZES)
    model.fit(lambda: [learned], lambda: [others])
    anchor = {"mean": 0.0, "last": learned["past"][:, -1], "season": learned["past"][:, 4:7, 0]}[
        model.anchor
    ]
    x, y = (
        window_features(learned, SIZES, spreads=False),
        np.clip(window_targets(learned) - anchor, -3, 3),
    )
    z = (x - x.mean(0)) / x.std(0)
    weights = np.linalg.solve(z.T @ z + 3.0 * np.eye(z.shape[1]), z.T @ (y - y.mean(0)))
    new = (window_features(others, SIZES, spreads=False) - x.mean(0)) / x.std(0)
    begin = {"mean": 0.0, "last": others["past"][:, -1], "season": others["past"][:, 4:7, 0]}[
        model.anchor
    ]
    mean, spread = model.normal(make_batch(others))
    np.testing.assert_allclose(mean[:, :, 0], begin + new @ weights + y.mean(0), atol=1e-9)
    squares = ((mean[:, :, 0].numpy() - window_targets(others)) ** 2).mean(0)
    # Of 20 windows, the steps together count as much as a step by itself.
    np.testing.assert_allclose(spread[0, :, 0], np.sqrt((squares + squares.mean()) / 2))


def test_trees_answer_as_the_library_does() -> None:
    learned, others = fields(200, 1), fields(50, 2)
    model = BoostingSettings(trees=20).build(SIZES)
    model.fit(lambda: [learned], lambda: [others])
    kept = len(model.arrays()["roots"])
    assert 5 < kept <= 20

    def rows(of: dict[str, Any]) -> np.ndarray:
        features = window_features(of, SIZES)
        return np.array([[*one, step, 0] for one in features for step in range(SIZES.horizon)])

    y, x, new = window_targets(learned).ravel(), rows(learned), rows(others)
    told, answer = np.full(len(x), y.mean()), np.full(len(new), y.mean())
    for number in range(kept):
        tree = DecisionTreeRegressor(
            splitter="random", max_leaf_nodes=15, min_samples_leaf=20, random_state=number
        ).fit(x, y - told)
        told += 0.1 * tree.predict(x)
        answer += 0.1 * tree.predict(new)
    np.testing.assert_allclose(model.predict(others)[0], answer, atol=1e-12)
    again = BoostingSettings(trees=20).build(SIZES)
    again.load(model.arrays())
    np.testing.assert_array_equal(again.predict(others)[0], model.predict(others)[0])


def test_trees_select_their_number_over_all_batches() -> None:
    learned, others = fields(200, 1), fields(50, 2)
    one, several = BoostingSettings(trees=20).build(SIZES), BoostingSettings(trees=20).build(SIZES)
    one.fit(lambda: [learned], lambda: [others])
    several.fit(lambda: cut(learned, 7), lambda: cut(others, 7))
    for name, array in one.arrays().items():
        np.testing.assert_allclose(several.arrays()[name], array, rtol=1e-12, err_msg=name)


def cut(of: dict[str, Any], every: int) -> list[dict[str, Any]]:
    count = len(of["past"])
    return [
        {name: field[begin : begin + every] for name, field in of.items()}
        for begin in range(0, count, every)
    ]


def test_the_student_quantiles_of_draws() -> None:
    """With 5 degrees of freedom 97.5 % lie below 2.5706 (any table of the t distribution)."""
    from ensue.heads.numbers.student import Student

    head = Student(1, 1, 3)
    count = 200_000
    draws = np.random.default_rng(0)
    first, second = (torch.from_numpy(draws.random(count)) for _ in range(2))
    told = torch.distributions.StudentT(torch.tensor(5.0, dtype=torch.float64), 0.0, 1.0)
    drawn = head.draw(told, first, second).numpy()
    assert abs(np.quantile(drawn, 0.975) - 2.5706) < 0.03


def test_models_of_statsforecast() -> None:
    models = pytest.importorskip("statsforecast.models")
    draws = np.random.default_rng(0)
    series = np.cumsum(draws.normal(size=60))
    theirs = models.Naive().forecast(y=series, h=4, level=[80])
    told = make_naive("naive", series[:, None], 4, 1)
    np.testing.assert_allclose(told.mean.ravel(), theirs["mean"])
    np.testing.assert_allclose(told.quantile(0.9).ravel(), theirs["hi-80"], rtol=0.02)
    drifting = models.RandomWalkWithDrift().forecast(y=series, h=4)
    told = make_naive("drift", series[:, None], 4, 1)
    np.testing.assert_allclose(told.mean.ravel(), drifting["mean"])
    seasonal = models.SeasonalNaive(season_length=3).forecast(y=series, h=4)
    told = make_naive("seasonal-naive", series[:, None], 4, 3)
    np.testing.assert_allclose(told.mean.ravel(), seasonal["mean"])
    grown = np.exp(series / 9) * (2 + np.sin(np.arange(60) * np.pi / 2))
    for name, theirs in (("ets", models.AutoETS), ("theta", models.AutoTheta)):
        made = theirs(season_length=4).forecast(y=grown, h=5, level=[80])
        told = make_naive(name, grown[:, None], 5, 4)
        np.testing.assert_allclose(told.mean.ravel(), made["mean"], rtol=0.01)
        for level, end in ((0.1, "lo-80"), (0.9, "hi-80")):
            np.testing.assert_allclose(told.quantile(level).ravel(), made[end], rtol=0.05)


@pytest.mark.parametrize("unit", [1e-60, 1.0, 1e60])
@pytest.mark.parametrize("name", ["ets", "theta", "arima"])
def test_models_of_statsforecast_forecast_every_series(name: str, unit: float) -> None:
    pytest.importorskip("statsforecast")
    draws = np.random.default_rng(0)
    every = {
        "constant": np.full(40, 5.0),
        "zero": np.zeros(40),
        "short": np.array([1.0, 2.0, 3.0]),
        "one step": np.array([4.0]),
        "negative": draws.normal(size=60) - 5,
        "rare": np.where(draws.random(60) < 0.1, 1.0, 0.0),
        "jump": np.append(np.zeros(50), 1e9),
    }
    for what, values in every.items():
        for season in (1, 12):
            told = make_naive(name, values[:, None] * unit, 3, season)
            ends = np.stack([told.quantile(level) for level in (0.025, 0.1, 0.5, 0.9, 0.975)])
            assert np.isfinite(ends).all(), what
            assert (np.diff(ends, axis=0) >= 0).all(), what


def test_averaged_quantiles_have_the_crps_of_their_integral() -> None:
    draws = np.random.default_rng(0)
    shape = (4, 3, 1)
    parts = [Normals(draws.normal(size=shape), draws.uniform(1, 2, shape)) for _ in range(2)]
    weights = np.array([[0.3, 0.5, 0.9], [0.7, 0.5, 0.1]])
    target = draws.normal(size=shape)
    exact = average(parts, weights)
    assert isinstance(exact, Normals)
    averaged = Averaged(parts, weights)
    np.testing.assert_allclose(averaged.crps(target), exact.crps(target), rtol=0.01)
    for level in (0.025, 0.5, 0.9):
        np.testing.assert_allclose(averaged.quantile(level), exact.quantile(level))
    target[1] = np.nan
    assert np.isnan(averaged.crps(target)[1]).all()


def make_errors(units: int, horizon: int, models: int) -> list[np.ndarray]:
    """Errors of models whose medians miss by chance; at each step another one is the best."""
    draws, found = np.random.default_rng(1), []
    for model in range(models):
        noise = 0.3 + (np.arange(horizon) % models != model)
        median = draws.normal(size=(units, horizon)) * noise
        found.append(median[:, :, None] + NormalDist().inv_cdf(0.9) * np.linspace(-1, 1, 5))
    return found


def test_weights_of_a_mixture_minimise_the_crps_of_each_step() -> None:
    errors, grid = QuantileErrors(make_errors(400, 2, 2), 400), np.linspace(0, 1, 201)
    found = errors.fit((0, 1))
    np.testing.assert_allclose(found.sum(0), 1)
    losses = np.stack([errors.losses((0, 1), np.array([[w, w], [1 - w, 1 - w]])) for w in grid])
    losses = losses.mean(1)
    for step in (0, 1):
        near = losses[np.abs(grid - found[0, step]).argmin(), step]
        assert near < losses[:, step].min() + 2e-3
    assert found[0, 0] > 0.8
    assert found[1, 1] > 0.8


@pytest.mark.parametrize("units", [1, 3])
def test_weights_after_few_forecasts_are_near_the_inverse_losses(units: int) -> None:
    """And nearly the same at all steps, though another model is better at each."""
    made = make_errors(units, 2, 2)
    made[1] = made[1] * 3
    errors = QuantileErrors(made, units)
    found = errors.fit((0, 1))
    alone = [errors.losses((one,), np.ones((1, 2))).mean() for one in (0, 1)]
    expected = (1 / alone[0]) / (1 / alone[0] + 1 / alone[1])
    own = units / (units + PRIOR_UNITS)
    assert (np.abs(found[0] - (1 - own) * expected) < own + 1e-9).all()
    assert abs(found[0, 0] - found[0, 1]) < 0.1
    choice = choose_members(errors, np.arange(units), MixtureSettings(use="always"))
    assert choice.members == (0, 1)
    assert choice.best == int(np.argmin(alone))
    # Three times as wrong in each of three forecasts is significant, in one it is not.
    chosen = choose_members(errors, np.arange(units), MixtureSettings()).members
    assert chosen == ((0, 1) if units == 1 else (0,))


def test_missing_targets_count_nothing_in_the_weights_of_a_mixture() -> None:
    errors = make_errors(60, 3, 3)
    holes = [np.concatenate([one, np.full((20, 3, 5), np.nan)]) for one in errors]
    whole, with_holes = QuantileErrors(errors, 60), QuantileErrors(holes, 60)
    weights = whole.fit((0, 1, 2))
    np.testing.assert_allclose(with_holes.fit((0, 1, 2)), weights)
    assert with_holes.losses((0, 2), weights[:2]).sum() == pytest.approx(
        whole.losses((0, 2), weights[:2]).sum()
    )


def test_intervals_of_few_stretches_are_students() -> None:
    """The mean of five normal numbers lies within t(4) standard errors in 95 of 100 cases; of
    one nothing is known."""
    draws, held = np.random.default_rng(0), 0
    for _ in range(300):
        blocks = np.repeat(np.arange(5), 3)
        came = np.repeat(draws.normal(size=5), 3).reshape(15, 1, 1) + 50
        told = Normals(np.zeros_like(came), np.ones_like(came))
        low, high = compute_block_metrics(
            score(told, came, Scales(np.ones((15, 1)), np.ones((15, 1))), UNCALIBRATED), blocks
        )[1]["mae"]
        held += low <= 50 <= high
    assert 0.91 < held / 300 < 0.98
    one = score(told, came, Scales(np.ones((15, 1)), np.ones((15, 1))), UNCALIBRATED)
    assert np.isnan(compute_block_metrics(one, np.zeros(15, np.int64))[1]["mae"]).all()


def row(name: str, seconds: float, *losses: float) -> Score:
    """Make a score; the more parameters, the longer it trains."""
    measured = Measured({}, {}, np.array(losses), "MASE")
    return measured.of(name, "baseline", seconds, int(10 * seconds))


def test_what_measured_worse_is_not_recommended_for_want_of_proof() -> None:
    simple, model = (
        row("naive", 0.1, 1.0, 1.0, 2.0, 1.2, 0.5),
        row("ridge", 0.2, 0.7, 0.9, 0.6, 0.8, 0.9),
    )
    found = explain_recommendation([simple, model])
    assert found.recommendation == "ridge (0.780 MASE)"
    (simpler,) = found.comparison
    assert simpler.startswith("naive is not significantly different from ridge: +0.360 MASE [-0.")
    found = explain_recommendation([simple, row("near", 5.0, 1.0, 1.0, 1.9, 1.2, 0.4)])
    assert found.recommendation == "naive (1.140 MASE)"
    (better,) = found.comparison
    assert better.startswith("near is not significantly different from naive: -0.040 MASE [")
    assert better.endswith("; training time 5.0 s against 0.1 s")
    proven = row("better", 0.2, 0.5, 0.5, 1.5, 0.7, 0.1)
    assert explain_recommendation([simple, proven]) == Recommendation("better (0.660 MASE)", ())
    # Of models with as many parameters the better one is recommended.
    alike = explain_recommendation(
        [row("naive", 0.01, 1.0, 1.1, 0.9, 1.2, 0.8), row("ridge", 0.02, 0.9, 1.1, 0.9, 1.2, 0.8)]
    )
    assert alike.recommendation == "ridge (0.980 MASE)"
    (naive,) = alike.comparison
    assert naive.startswith("naive is not significantly different from ridge: +0.020 MASE [")


def test_a_single_item_shows_no_significance() -> None:
    rows = [row("naive", 0.1, 4.452), row("ridge", 0.2, 0.7)]
    assert explain_recommendation(rows) == Recommendation(
        "naive (4.452 MASE)",
        (
            "ridge is not comparable with naive: a single independent item shows no significance "
            "(0.700 MASE against 4.452 MASE); training time 0.2 s against 0.1 s",
        ),
    )
    rows[1] = replace(rows[1], selected=True)  # on the validation part, which had more
    assert explain_recommendation(rows).recommendation == "ridge (0.700 MASE)"


@pytest.mark.parametrize("seconds", [(0.0, 0.1), (0.1, 0.0)])
def test_measured_times_do_not_decide_between_equal_models(seconds: tuple[float, float]) -> None:
    """On a busy machine either model took longer, and the recommendation changed with it."""
    sizes = {"small": 100, "large": 500}
    rows = [
        Measured({}, {}, np.zeros(30), "MAE").of(name, "baseline", took, size)
        for (name, size), took in zip(sizes.items(), seconds, strict=True)
    ]
    assert explain_recommendation(rows).recommendation == "small (0.000 MAE)"
    assert explain_recommendation(rows[::-1]).recommendation == "small (0.000 MAE)"


def test_of_models_that_are_as_good_the_simplest_is_recommended() -> None:
    """Unless one is proven better by chance, which is so in one of 40 cases for each other."""
    draws, named = np.random.default_rng(0), []
    for _ in range(60):
        shared, again = draws.random(300) < 0.2, draws.random((3, 300)) < 0.5
        errors = np.where(again, draws.random((3, 300)) < 0.2, shared).astype(np.float64)
        named.append(
            best_model([row(str(place), place, *own) for place, own in enumerate(errors)]).name
        )
    assert named.count("0") >= 52
