"""What the training of `forecast` has of its own: its baselines, the backtest and diagnostics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ensue.data.series.dataset import SeriesParts
from ensue.data.series.windows import WindowFeed
from ensue.decoding.forecasts import BATCH_SIZE, forecast
from ensue.evaluation.forecasting.calibration import get_calibration_origins
from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.forecasting.metrics import (
    ScoredForecast,
    compute_block_metrics,
    compute_scales,
    number_blocks,
    scale_quantile_errors,
    score,
)
from ensue.evaluation.scores import Measured, Score
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
from ensue.tasks.forecast.backtest import (
    calibrate,
    count_refits,
    fit_closed_form,
    refit_at_end,
    walk_forward,
)
from ensue.tasks.forecast.data import DATA, refuse_fractions
from ensue.tasks.forecast.plot import BACKTEST
from ensue.tasks.forecast.report import SERIES, SIMPLE, diagnose, get_arrays, get_details
from ensue.tasks.forecast.settings import MODELS
from ensue.tasks.forecast.trained import ForecastModel
from ensue.tasks.held import save_model
from ensue.tasks.training import HeldOut, Training
from ensue.training.contract import Callback, Feed, Note
from ensue.training.folder.run import Run

MAX_ORIGINS = 4096
"""Origins of the validation part, evenly spread, that the validation loss is computed on."""
MAX_HELD_OUT = 20_000
"""Values of the validation part that the weights of a mixture are fitted to."""
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
        refuse_fractions(settings.model, data)
        return settings

    def baselines(self, settings: Any, data: SeriesParts, on_event: Callback) -> list[Settings]:
        """Choose naive methods, ridge regression, and the models of statsforecast if it is there.

        The latter share the time of all baselines, since nothing else could stop them.
        """
        own, names, limit = settings.baselines, list(SIMPLE), dict[str, float]()
        if data.layout.season == 1:
            names.remove("seasonal-naive")
        names += ["ridge"] * own.ridge
        if own.statistical and not is_installed():
            what = f"baselines without {' and '.join(own.statistical)}: statsforecast is missing"
            on_event(Note(f"{what}; {INSTALL}"))
        elif own.statistical:
            names += own.statistical
            share = 60 * BASELINES_SHARE * Budget.of(settings.training).minutes
            limit = {"time_limit": min(own.time_limit, share / len(own.statistical))}
        chosen = [MODELS.resolve(name) for name in names if name != settings.model.name]
        return [
            one.model_copy(update=limit) if isinstance(one, StatisticalSettings) else one
            for one in chosen
        ]

    def fit(self, settings: Any, data: SeriesParts, on_event: Callback) -> Fitted:
        """Fit a model in closed form; of a statistical one, plan when it is fitted."""
        fitted, model = fit_closed_form(settings, data), settings.model
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
        return 1 + count_refits(data)

    def feed(self, settings: Any, data: SeriesParts) -> Feed:
        """Make batches of windows."""
        rows, inputs = settings.training.batching.batch_size, data.inputs(settings.model)
        return WindowFeed(inputs, data.origins("train"), rows, settings.seed)

    def validate(self, model: Predictor, settings: Any, data: SeriesParts) -> float:
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
        """Fit conformal offsets of intervals."""
        return calibrate(fitted, data)

    def predict(self, fitted: Fitted, data: SeriesParts) -> Forecast:
        """Forecast the test part from origin to origin."""
        return walk_forward(fitted, data, data.origins("test"))

    def held_out(self, fitted: Fitted, data: SeriesParts) -> HeldOut:
        """Compute the scaled errors of quantiles on the validation part.

        An item is a channel of a forecast. Origins are left out evenly where there are many.
        """
        origins, (horizon, channels) = (
            data.origins("validation"),
            (data.layout.horizon, data.channels),
        )
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
        origins = data.origins("test")
        scored = _score(data, predicted, calibration)
        blocks = number_blocks(origins, data.layout.horizon)
        metrics, intervals, losses = compute_block_metrics(scored, blocks)
        return Measured(metrics, intervals, losses, scored.cost.upper(), count=len(origins))

    def trained(
        self, run: Run, fitted: Fitted, data: SeriesParts, calibration: ConformalIntervals
    ) -> ForecastModel:
        """Make the forecaster."""
        return ForecastModel(run, fitted.settings, data, fitted.model, calibration)

    def measure(
        self, trained: ForecastModel, data: SeriesParts, predicted: Forecast
    ) -> dict[str, Any]:
        """Measure the model by steps ahead and by series."""
        scored = _score(data, predicted, trained.conformal)
        return get_details(data, scored, trained.conformal)

    def diagnose(
        self, run: Run, data: SeriesParts, scores: Sequence[Score], details: Mapping[str, Any]
    ) -> list[str]:
        """Describe each probable fault of the training and of the backtest."""
        return diagnose(run, data, scores, details)

    def finish(
        self, trained: ForecastModel, fitted: Fitted, data: SeriesParts, predicted: Forecast
    ) -> ForecastModel:
        """Save forecasts of the test for plots; refit on all steps, if the layout says so."""
        arrays = get_arrays(data, predicted, trained.conformal)
        trained.run.write_arrays(arrays, BACKTEST)
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


def _score(data: SeriesParts, predicted: Forecast, conformal: ConformalIntervals) -> ScoredForecast:
    origins = data.origins("test")
    return score(
        predicted, data.inputs().targets(origins), compute_scales(data, origins), conformal
    )
