"""Training of `forecast`: read data, train, calibrate, backtest, fit baselines, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ensue.data.series.windows import WindowFeed, WindowGatherer
from ensue.evaluation.forecasting.conformal import UNCALIBRATED
from ensue.models.names import name_model
from ensue.models.parameters import get_device
from ensue.tasks.cached import limit_model_size
from ensue.tasks.fitting import (
    BASELINES_SHARE,
    Budget,
    estimate_reserve,
    fit_network,
    prepare_hardware,
    remaining_training,
)
from ensue.tasks.forecast import backtest
from ensue.tasks.forecast.backtest import (
    Fitted,
    calibrate,
    count_refits,
    refit,
    walk_forward,
)
from ensue.tasks.forecast.baselines import fit_baselines
from ensue.tasks.forecast.data import Prepared, prepare
from ensue.tasks.forecast.predicting import forecast
from ensue.tasks.forecast.report import conclude
from ensue.tasks.forecast.scoring import Candidate, score_candidate
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.forecast.trained import CALIBRATION, ForecastModel
from ensue.training.contract import Callback, Stage, Working
from ensue.training.devices import to_device
from ensue.training.folder.run import Run

MAX_ORIGINS = 4096
"""Origins of the validation part, evenly spread, that the validation loss is computed on."""
BATCH_SIZE = 1024
"""Origins that are validated together."""


def train_forecaster(
    run: Run, settings: ForecastSettings, data: Sequence[Path], on_event: Callback
) -> ForecastModel:
    """Train until the budget is spent; a resumed run continues, with bit-identical results."""
    budget = Budget.of(settings.training)
    machine = prepare_hardware(run, settings, on_event)
    prepared = prepare(run, settings, data, on_event)
    with limit_model_size(run):
        model, inputs = backtest.build_model(settings.model, prepared)
    if isinstance(model, nn.Module):
        score_some = partial(_score_some, settings, prepared, inputs)
        reserved = estimate_reserve(run, lambda: model, score_some, machine, budget, on_event)
        # Other tasks fit baselines before the network; here they come after it.
        training = remaining_training(
            settings.training, machine, budget, on_event, reserved + BASELINES_SHARE
        )
        # Each refit takes as long as the training, or less.
        minutes = training.minutes / (1 + count_refits(prepared))
        training = training.model_copy(update={"minutes": minutes})
        fitted = _train(run, settings.model_copy(update={"training": training}), prepared, on_event)
    else:
        fitted = backtest.fit_closed_form(settings.model, prepared)
        # Whatever fails from here on, the run holds a fitted model.
        run.write_arrays(fitted.model.arrays())
    on_event(Stage("backtesting"))
    on_event(Working("backtesting"))
    conformal, test = calibrate(fitted, prepared, settings), prepared.origins("test")
    run.write(CALIBRATION, json.dumps(conformal.to_json()).encode())
    tested = walk_forward(fitted, prepared, settings, test)
    candidate = Candidate(
        name_model(settings.model), fitted.role, tested, conformal, fitted.seconds, fitted.model
    )
    baselines, notes = fit_baselines(settings, prepared, test, budget, on_event)
    selected = [fitted.how]
    if prepared.layout.refit:
        fitted = refit(fitted, prepared, settings.seed, [len(one) for one in prepared.panel.series])
        selected.append("the model of the run is refitted on all steps, including the test")
    run.write_arrays(fitted.model.arrays())
    scored = [*baselines, score_candidate(candidate, prepared, test)]
    conclude(run, prepared, scored, selected, notes)
    return ForecastModel(run, settings, prepared, fitted.model, conformal)


def _score_some(
    settings: ForecastSettings, prepared: Prepared, inputs: WindowGatherer, network: Any, every: int
) -> None:
    """Calibrate and score a network on one in `every` origins, to time it."""
    sampling = {"seed": settings.seed, "paths": settings.sample_paths}
    forecast(network, inputs, prepared.origins("calibration")[::every], **sampling)
    origins = prepared.origins("test")[::every]
    tested = forecast(network, inputs, origins, **sampling)
    candidate = Candidate("", "network", tested, UNCALIBRATED, 0.0, network)
    score_candidate(candidate, prepared, origins)


def _train(run: Run, settings: ForecastSettings, prepared: Prepared, on_event: Callback) -> Fitted:
    """Train a network; the weights with the lowest validation loss are kept."""
    network, inputs = backtest.build_model(settings.model, prepared)
    training = settings.training
    feed = WindowFeed(
        inputs, prepared.origins("train"), training.batching.batch_size, settings.seed
    )
    origins = prepared.origins("validation")
    origins = origins[:: -(-len(origins) // MAX_ORIGINS)]

    def validate() -> float:
        nats = 0.0
        for begin in range(0, len(origins), BATCH_SIZE):
            batch = inputs.batch(origins[begin : begin + BATCH_SIZE])
            loss, _ = network.loss(to_device(batch, get_device(network)))
            nats += float((loss.nats if loss.extra is None else loss.extra).cpu().double().sum())
        return nats / (len(origins) * prepared.layout.horizon)

    fit = fit_network(run, network, training, feed, validate, on_event)
    return Fitted(
        network, settings.model, inputs, fit.seconds, fit.selected[0], fit.updates, training
    )
