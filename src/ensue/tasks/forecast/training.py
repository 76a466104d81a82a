"""The whole training of a forecaster, in the order in which it happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from ensue.data.series.windows import WindowFeed
from ensue.models.forecasters import FITTED
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
from ensue.tasks.forecast import backtest as fitting
from ensue.tasks.forecast.backtest import Fitted, calibrated, name_of, refit, walk_forward
from ensue.tasks.forecast.baselines import fit_baselines
from ensue.tasks.forecast.data import Prepared, prepare
from ensue.tasks.forecast.report import conclude
from ensue.tasks.forecast.scoring import Candidate, score_candidate
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.forecast.trained import CALIBRATION, ForecastModel
from ensue.training.contract import Callback, Stage, Working
from ensue.training.devices import to_device
from ensue.training.folder.run import Run

VALIDATED = 4096
"""The most origins of the validation part that a network is looked at on while it learns, evenly
spread."""
ROWS = 1024


def train_forecaster(
    run: Run, settings: ForecastSettings, data: Sequence[Path], watch: Callback
) -> ForecastModel:
    """Train until the budget is spent. What a kill leaves undone is done again, to the same
    bits."""
    budget = Budget.of(settings.training)
    machine = prepare_hardware(run, settings, watch, network=settings.model.name not in FITTED)
    prepared = prepare(run, settings, data, watch)
    with limit_model_size(run):
        model, _ = fitting.build(settings.model, prepared)
    if isinstance(model, nn.Module):
        # Baselines come after the training here.
        training = remaining_training(
            settings.training, machine, budget, watch, RESERVED_SHARE + BASELINES_SHARE
        )
        learned = _trained(run, settings.model_copy(update={"training": training}), prepared, watch)
    else:
        learned = fitting.fitted(settings.model, prepared)
        run.write_arrays(
            learned.model.arrays()
        )  # whatever fails from here on, the run holds what was learned
    watch(Stage("trying it out, from one origin to the next"))
    watch(Working("trying it out"))
    bands, test = calibrated(learned, prepared, settings), prepared.origins("test")
    run.write(CALIBRATION, json.dumps(bands.to_json()).encode())
    tested = walk_forward(learned, prepared, settings, test)
    tried = Candidate(
        name_of(settings.model), learned.role, tested, bands, learned.seconds, learned.model
    )
    others, cut = fit_baselines(settings, prepared, test, budget, watch)
    chosen = [learned.how]
    if prepared.layout.refit:
        learned = refit(
            learned, prepared, settings.seed, [len(one) for one in prepared.panel.series]
        )
        chosen.append(
            "the run holds the model that has learned anew from all steps, the test among them"
        )
    run.write_arrays(learned.model.arrays())
    conclude(run, prepared, [*others, score_candidate(tried, prepared, test)], chosen, cut)
    return ForecastModel(run, settings, prepared, learned.model, bands)


def _trained(run: Run, settings: ForecastSettings, prepared: Prepared, watch: Callback) -> Fitted:
    """Teach a network on the train part; the weights that are best on the validation part are
    kept."""
    network, inputs = fitting.build(settings.model, prepared)
    training = settings.training
    feed = WindowFeed(
        inputs, prepared.origins("train"), training.batching.batch_size, settings.seed
    )
    tune = prepared.origins("validation")
    tune = tune[:: -(-len(tune) // VALIDATED)]

    def validate() -> float:
        nats = 0.0
        for begin in range(0, len(tune), ROWS):
            loss, _ = network.loss(
                to_device(inputs.batch(tune[begin : begin + ROWS]), get_device(network))
            )
            nats += float((loss.nats if loss.extra is None else loss.extra).cpu().double().sum())
        return nats / (len(tune) * prepared.layout.horizon)

    told = fit_network(run, network, training, feed, validate, watch)
    return Fitted(
        network, settings.model, inputs, told.seconds, told.selected[0], told.updates, training
    )
