"""Training of `forecast`: read data, train, calibrate, backtest, fit baselines, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from ensue.data.series.windows import WindowFeed
from ensue.models.names import name_model
from ensue.models.parameters import get_device
from ensue.tasks.cached import limit_model_size
from ensue.tasks.fitting import (
    BASELINES_SHARE,
    RESERVED_SHARE,
    Budget,
    fit_network,
    prepare_hardware,
    remaining_training,
)
from ensue.tasks.forecast import backtest
from ensue.tasks.forecast.backtest import Fitted, calibrate, refit, walk_forward
from ensue.tasks.forecast.baselines import fit_baselines
from ensue.tasks.forecast.data import Prepared, prepare
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
        model, _ = backtest.build_model(settings.model, prepared)
    if isinstance(model, nn.Module):
        # Other tasks fit baselines before the network; here they come after it.
        training = remaining_training(
            settings.training, machine, budget, on_event, RESERVED_SHARE + BASELINES_SHARE
        )
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
