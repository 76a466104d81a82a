"""The whole training of a forecaster, in the order in which it happens."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from ensue.data.series.inputs import Forecasts
from ensue.models.forecasting import FITTED
from ensue.models.weights import device_of
from ensue.tasks.cached import no_larger
from ensue.tasks.forecast import fitting
from ensue.tasks.forecast.fitting import Learned, calibrated, name_of, refitted, walk
from ensue.tasks.forecast.model import CALIBRATION, ForecastModel
from ensue.tasks.forecast.prepared import Prepared, prepare
from ensue.tasks.forecast.report import conclude
from ensue.tasks.forecast.rivals import rivals
from ensue.tasks.forecast.scoring import Tried, standing
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.learning import BASELINES, SPARED, Budget, learn, left_of, take_machine
from ensue.training.contract import Stage, Watch, Working
from ensue.training.devices import to_device
from ensue.training.run import Run

VALIDATED = 4096
"""The most origins of the tune part that a network is looked at on while it learns, evenly spread."""
ROWS = 1024


def train_forecaster(run: Run, settings: ForecastSettings, data: Sequence[Path], watch: Watch) -> ForecastModel:
    """Train until the budget is spent. What a kill leaves undone is done again, to the same bits."""
    budget = Budget.of(settings.training)
    machine = take_machine(run, settings, watch, network=settings.model.name not in FITTED)
    prepared = prepare(run, settings, data, watch)
    with no_larger(run):
        model, _ = fitting.build(settings.model, prepared)
    if isinstance(model, nn.Module):
        # Baselines come after the training here.
        training = left_of(settings.training, machine, budget, watch, SPARED + BASELINES)
        learned = _trained(run, settings.model_copy(update={"training": training}), prepared, watch)
    else:
        learned = fitting.fitted(settings.model, prepared)
        run.write_arrays(learned.model.arrays())  # whatever fails from here on, the run holds what was learned
    watch(Stage("trying it out, from one origin to the next"))
    watch(Working("trying it out"))
    bands, test = calibrated(learned, prepared, settings), prepared.origins("test")
    run.write(CALIBRATION, json.dumps(bands.to_json()).encode())
    tested = walk(learned, prepared, settings, test)
    tried = Tried(name_of(settings.model), learned.role, tested, bands, learned.seconds, learned.model)
    others, cut = rivals(settings, prepared, test, budget, watch)
    chosen = [learned.how]
    if prepared.layout.refit:
        learned = refitted(learned, prepared, settings.seed, [len(one) for one in prepared.panel.series])
        chosen.append("the run holds the model that has learned anew from all steps, the test among them")
    run.write_arrays(learned.model.arrays())
    conclude(run, prepared, [*others, standing(tried, prepared, test)], chosen, cut)
    return ForecastModel(run, settings, prepared, learned.model, bands)


def _trained(run: Run, settings: ForecastSettings, prepared: Prepared, watch: Watch) -> Learned:
    """Teach a network on the train part; the weights that are best on the tune part are kept."""
    network, inputs = fitting.build(settings.model, prepared)
    training = settings.training
    feed = Forecasts(inputs, prepared.origins("train"), training.batching.rows, settings.seed)
    tune = prepared.origins("tune")
    tune = tune[:: -(-len(tune) // VALIDATED)]

    def validate() -> float:
        nats = 0.0
        for begin in range(0, len(tune), ROWS):
            loss, _ = network.loss(to_device(inputs.batch(tune[begin : begin + ROWS]), device_of(network)))
            nats += float((loss.nats if loss.extra is None else loss.extra).cpu().double().sum())
        return nats / (len(tune) * prepared.layout.horizon)

    told = learn(run, network, training, feed, validate, watch)
    return Learned(network, settings.model, inputs, told.seconds, told.chosen[0], told.updates, training)
