"""What the training of `forecast` has of its own: its baselines, the backtest and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import nn

from ensue.data.series.backtest import describe_short
from ensue.data.series.dataset import SeriesParts, get_scaling
from ensue.data.series.windows import WindowFeed, iterate_windows
from ensue.data.tables.series_checks import list_names
from ensue.decoding.forecasts import BATCH_SIZE, forecast
from ensue.evaluation.forecasting.calibration import get_calibration_origins
from ensue.evaluation.forecasting.conformal import FEW, ConformalIntervals
from ensue.evaluation.forecasting.metrics import (
    compute_scales,
    describe_test,
    measure_forecasts,
    non_overlapping,
    number_blocks,
    scale_quantile_errors,
)
from ensue.evaluation.intervals import FEW as FEW_ITEMS
from ensue.evaluation.scores import Measured, Score
from ensue.inspection import diagnostics
from ensue.models.baselines.statistical import (
    INSTALL,
    Statistical,
    StatisticalSettings,
    is_installed,
)
from ensue.models.contract import Predictor
from ensue.models.distributions import Forecast
from ensue.models.forecaster_contract import HistoryForecaster, Sizes
from ensue.models.parameters import get_device, to_device
from ensue.models.quantile_pool import QuantileErrors, QuantilePool
from ensue.settings import Settings
from ensue.tasks.fitting import BASELINES_SHARE, Budget, Fitted, OutOfTimeError
from ensue.tasks.forecast.backtest import refit_at_end, walk_forward
from ensue.tasks.forecast.data import DATA
from ensue.tasks.forecast.report import SERIES
from ensue.tasks.forecast.settings import MODELS
from ensue.tasks.forecast.trained import BACKTEST, ForecastModel
from ensue.tasks.held import save_model
from ensue.tasks.training import HeldOut, Training
from ensue.training.contract import Callback, Feed, Note
from ensue.training.folder.run import METRICS, Run

MAX_ORIGINS = 4096
"""Origins of the validation part, evenly spread, that the validation loss is computed on."""
MAX_HELD_OUT = 20_000
"""Values of the validation part that the weights of a mixture are fitted to."""
MAX_STORED = 2000
"""Forecasts of the test that are saved for plots; they do not overlap."""
SIMPLE = ("naive", "seasonal-naive", "drift")
OWN_SHARE = 0.8
"""Share of `minutes` for the forecasts of a statistical model that is the run's own."""


class ForecastTraining(Training[SeriesParts]):
    """The training of `forecast`."""

    source = DATA
    models = MODELS
    report = SERIES
    loss = "CRPS, in units of the naive error,"

    def resolve(self, settings: Any, data: SeriesParts, on_event: Callback) -> Any:
        """Refuse values that the model cannot take, before anything is fitted."""
        if get_scaling(settings.model) == "level":
            data.refuse_fractions()
        return settings

    def baselines(self, settings: Any, data: SeriesParts, on_event: Callback) -> list[Settings]:
        """Choose naive methods, ridge regression, and the models of statsforecast if it is there.

        The latter share the time of all baselines, since nothing else could stop them.
        """
        own = settings.baselines
        names = [one for one in SIMPLE if one != "seasonal-naive" or data.layout.season > 1]
        names += [*["ridge"] * own.ridge, *own.statistical]
        if own.statistical and not is_installed():
            names = names[: -len(own.statistical)]
            what = f"baselines without {' and '.join(own.statistical)}: statsforecast is missing"
            on_event(Note(f"{what}; {INSTALL}"))
        share = 60 * BASELINES_SHARE * Budget.of(settings.training).minutes
        limit = {"time_limit": min(own.time_limit, share / max(len(own.statistical), 1))}
        chosen = [MODELS.resolve(name) for name in names if name != settings.model.name]
        return [
            one.model_copy(update=limit) if isinstance(one, StatisticalSettings) else one
            for one in chosen
        ]

    def fit(self, settings: Any, data: SeriesParts, on_event: Callback) -> Fitted:
        """Fit a model in closed form; of one that is fitted at each origin, plan the fits."""
        began, model, inputs = perf_counter(), settings.model, data.inputs(settings.model)
        fitted = Fitted(model.build(Sizes.of(inputs)), 0.0, settings=settings)
        if not isinstance(fitted.model, HistoryForecaster):
            parts = (iterate_windows(inputs, data.origins(one)) for one in ("train", "validation"))
            fitted.model.fit(*parts)
            selected = (f"{fitted.model.selected}: on the validation part",)
            return replace(fitted, seconds=perf_counter() - began, selected=selected)
        if not isinstance(fitted.model, Statistical):
            return fitted
        limit = model.time_limit or 60 * Budget.of(settings.training).minutes * OWN_SHARE
        parts = data.origins("validation"), get_calibration_origins(data)[0], data.origins("test")
        counts = np.concatenate([np.bincount(one[:, 0]) for one in parts])
        plan = fitted.model.plan(max(data.panel.series, key=len), counts, limit, model.every)
        if plan.total > limit and model.time_limit and not model.every:
            what = f"it would take about {plan.total:,.0f} s, its limit is {limit:,.0f} s"
            raise OutOfTimeError(f"{what} (increase --minutes or --set baselines.time_limit)")
        if (every := fitted.model.every) > 1:
            what = f"{fitted.name}: fitted at one in {every} origins of each series"
            on_event(Note(f"{what}, since one fit takes about {plan.fit:,.1f} s"))
        planned = settings.model_copy(update={"model": model.model_copy(update={"every": every})})
        return replace(fitted, settings=planned, seconds=plan.fit * len(data.panel.series))

    def build(self, settings: Any, data: SeriesParts) -> Any:
        """Build the network."""
        return settings.model.build(Sizes.of(data.inputs()))

    def fits(self, data: SeriesParts) -> int:
        """Count the refits too: each takes as long as the training, or less."""
        every = data.layout.refit
        return 2 + len(data.refits(data.origins("test"), "test", every)) if every else 1

    def feed(self, settings: Any, data: SeriesParts) -> Feed:
        """Make batches of windows."""
        rows, inputs = settings.training.batching.batch_size, data.inputs(settings.model)
        return WindowFeed(inputs, data.origins("train"), rows, settings.seed)

    def validate(self, run: Run, model: Predictor, settings: Any, data: SeriesParts) -> float:
        """Compute nats per step, or the training loss or CRPS where there is no likelihood."""
        nats, inputs, origins = 0.0, data.inputs(settings.model), data.origins("validation")
        origins = origins[:: -(-len(origins) // MAX_ORIGINS)]
        if isinstance(model, HistoryForecaster):
            found = forecast(model, inputs, origins, seed=0, paths=0)
            return float(np.nanmean(found.crps(inputs.targets(origins))))
        for begin in range(0, len(origins), BATCH_SIZE):
            batch = to_device(inputs.batch(origins[begin : begin + BATCH_SIZE]), get_device(model))
            with torch.no_grad():
                loss, _ = model.loss(batch)
            nats += float(loss.cost.cpu().double().sum())
        return nats / (len(origins) * data.layout.horizon)

    def size(self, data: SeriesParts) -> tuple[int, str]:
        """Count the windows."""
        return len(data.origins("train")), "windows"

    def calibrate(self, fitted: Fitted, data: SeriesParts) -> ConformalIntervals:
        """Fit conformal offsets of intervals; forecasts of filled-in values alone do not count."""
        origins, part = data.origins("calibration"), "calibration"
        if not any(one.role == "network" for one in fitted.members or (fitted,)):
            origins, part = get_calibration_origins(data)
        inputs = data.inputs()
        real = non_overlapping(origins[inputs.measured(origins)], data.layout.horizon)
        predicted = walk_forward(fitted, data, origins, part)
        return ConformalIntervals.fit(predicted, inputs.targets(origins), len(real))

    def predict(self, fitted: Fitted, data: SeriesParts) -> Forecast:
        """Forecast the test part from origin to origin."""
        return walk_forward(fitted, data, data.origins("test"))

    def held_out(self, fitted: Fitted, data: SeriesParts) -> HeldOut:
        """Compute the scaled errors of quantiles on the validation part.

        An item is a channel of a forecast. Origins are left out evenly where there are many.
        """
        origins, horizon = data.origins("validation"), data.layout.horizon
        channels = len(data.panel.channels)
        origins = origins[:: -(-len(origins) * horizon * channels // MAX_HELD_OUT)]
        predicted = walk_forward(fitted, data, origins, "validation")
        errors = scale_quantile_errors(predicted, data, origins)
        return HeldOut(errors, np.repeat(number_blocks(origins, horizon), channels))

    def compare(self, scored: Sequence[HeldOut]) -> QuantileErrors:
        """Compare forecasters and their mixtures by their CRPS."""
        return QuantileErrors([one.values for one in scored], len(np.unique(scored[0].units)))

    def mix(self, members: Sequence[Fitted], weights: Any, data: SeriesParts) -> QuantilePool:
        """Make the mixture of several forecasters."""
        return QuantilePool([one.model for one in members], weights)

    def score(
        self,
        fitted: Fitted,
        data: SeriesParts,
        predicted: Forecast,
        calibration: ConformalIntervals,
    ) -> Measured:
        """Measure forecasts of the test part against the actual values."""
        return measure_forecasts(predicted, data, data.origins("test"), calibration)

    def trained(
        self, run: Run, fitted: Fitted, data: SeriesParts, calibration: ConformalIntervals
    ) -> ForecastModel:
        """Make the forecaster."""
        return ForecastModel(run, fitted.settings, data, fitted.model, calibration)

    def measure(
        self, trained: ForecastModel, data: SeriesParts, predicted: Forecast
    ) -> dict[str, Any]:
        """Measure the model by steps ahead and by series."""
        return describe_test(predicted, data, trained.conformal)

    def diagnose(
        self, run: Run, data: SeriesParts, scores: Sequence[Score], details: Mapping[str, Any]
    ) -> list[str]:
        """Describe each probable fault of the training and of the backtest."""
        model, origins = scores[-1], data.origins("test")
        warnings = diagnostics.diagnose(run.rows(METRICS), [])
        constant = np.unique(origins[np.isnan(compute_scales(data, origins).naive).all(1), 0])
        if len(constant):
            names = list_names([repr(data.panel.series[number].name) for number in constant])
            what = "MASE excludes series that never changed between seasons before the test"
            warnings.append(f"{what}: {names}")
        simple = [one for one in scores[:-1] if one.name in SIMPLE]
        if (count := model.items) < FEW_ITEMS and simple:
            warnings.append(_describe_few(model, min(simple, key=lambda one: one.cost)))
        if (measured := details["calibration_forecasts"]) < FEW:
            what = (
                f"intervals are wide, since they are calibrated on only {measured} non-overlapping "
                f"forecast{'s' * (measured > 1)} before the test"
            )
            warnings.append(f"{what}; 95 % coverage needs {FEW} or more")
        warnings += diagnostics.undercoverage(0.95, model.metrics["coverage_95"], count)
        if data.short.series:
            warnings.append(describe_short(data.short, data.layout))
        return warnings

    def finish(
        self, trained: ForecastModel, fitted: Fitted, data: SeriesParts, predicted: Forecast
    ) -> ForecastModel:
        """Save forecasts of the test for plots; refit on all steps, if the layout says so."""
        origins = data.origins("test")
        rows = non_overlapping(origins, data.layout.horizon)[:MAX_STORED]
        columns = trained.conformal.columns(predicted).items()
        arrays = {name: values[rows].astype(np.float32) for name, values in columns}
        trained.run.write_arrays({"origins": origins[rows], **arrays}, BACKTEST)
        last = refit_at_end(fitted, data)
        if last is not fitted:
            save_model(trained.run, last)
        return replace(trained, model=last.model)

    def selected(self, trained: ForecastModel) -> tuple[str, ...]:
        """Say what the run is fitted on in the end, and what was selected before the test."""
        model, layout = trained.model, trained.prepared.layout
        networks = [isinstance(one, nn.Module) for one in getattr(model, "members", (model,))]
        refits = layout.refit * any(networks), layout.refit_fitted * (not all(networks))
        refitted = ("the model of the run is refitted on all steps, including the test",)
        count = trained.conformal.forecasts
        measured = f"{count} non-overlapping forecast{'s' * (count > 1)}"
        offsets = f"conformal offsets of intervals: before the test, on {measured}"
        return (*refitted * any(refits), offsets)


TRAINING = ForecastTraining()


def _describe_few(model: Score, simple: Score) -> str:
    """Count the blocks in which a model has a smaller error than a naive one."""
    count, wins = model.items, int((model.losses < simple.losses).sum())
    return (
        f"the test has only {count} independent block{'s' * (count > 1)} of forecasts, so "
        f"{'only a large' if count > 1 else 'no'} difference is significant: {model.name} has a "
        f"smaller error than {simple.name} in {wins} of {count}; use more series or a longer test "
        f"(--set backtest.test=N)"
    )
