"""The training of every task: read, fit the baselines and the model, score, recommend, report.

`training.py` is the contract of what each verb has of its own.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from ensue.models.names import is_network, name_model
from ensue.tasks.cached import save_codecs
from ensue.tasks.contract import Choices, Proposal, Task
from ensue.tasks.fitting import (
    RESERVED_SHARE,
    Budget,
    Fitted,
    defer_failure,
    estimate_reserve,
    fit_network,
    log_closed_form,
    prepare_hardware,
    remaining_training,
)
from ensue.tasks.held import limit_model_size, save_model
from ensue.tasks.model_card import conclude
from ensue.tasks.results import CALIBRATION
from ensue.tasks.training import Baseline, D, Training
from ensue.training.contract import Callback, Stage, Working
from ensue.training.folder.run import Run


def make_task(
    training: Training[D],
    propose: Callable[[Choices], Proposal],
    open: Callable[[Run, Any], Any],
    **more: Any,
) -> Task:
    """Make the task of a training; its settings name the verb."""
    settings = training.source.settings
    name, run = settings.model_fields["task"].default, partial(train, training)
    return Task(name, settings, training.models, propose, run, open, training.report, **more)


def train(
    verb: Training[D], run: Run, settings: Any, files: Sequence[Path], on_event: Callback
) -> Any:
    """Train in a new or resumed run until the budget is spent, and return the trained model."""
    budget = Budget.of(settings.training)
    hardware = prepare_hardware(run, settings, on_event)
    on_event(Working("reading the data"))
    data: D = verb.source.prepare(run, settings, files, on_event)
    settings = verb.resolve(settings, data, on_event)
    # Baselines come before the network, so that it gets the time that they leave.
    get_baselines = defer_failure(
        lambda: verb.fit_baselines(run, settings, data, budget, on_event), on_event
    )
    reserved = RESERVED_SHARE
    if is_network(settings.model):
        build = partial(_build, verb, run, settings, data)
        score_some = partial(verb.rehearse, run, settings, data, _models_of(get_baselines))
        reserved = estimate_reserve(
            run, build, score_some, hardware, budget, on_event, verb.largest_reserve
        )
    training = remaining_training(settings.training, hardware, budget, on_event, reserved)
    fits = verb.fits(data) if is_network(settings.model) else 1
    training = training.model_copy(update={"minutes": training.minutes / fits})
    fitted = _fit(verb, run, settings.model_copy(update={"training": training}), data, on_event)
    baselines, notes = get_baselines()
    own = verb.combine(run, settings, fitted, [one for one, _ in baselines], data, on_event)
    if own.model is not fitted.model:
        save_model(run, own)
    on_event(Stage("writing the report"))
    # Calibration comes first: it is a part of the model, which is usable if the report fails.
    trained, calibration = _calibrate(verb, run, own, data)
    late = [one for one, score in baselines if score is None]
    models = [*(one for one in (*late, fitted) if one.name != own.name), own]
    predicted = verb.predict_each(run, models, data, budget, on_event)
    scores = [score for one, score in baselines if score is not None and one.name != own.name]
    for one, of_it in zip(models, predicted, strict=True):
        by = calibration if one is own else verb.calibrate(one, data)
        scores.append(one.score(verb.score(one, data, of_it, by)))
    scores[-1] = replace(scores[-1], selected=own is not fitted)
    details = verb.measure(trained, data, predicted[-1])
    trained = verb.finish(trained, own, data, predicted[-1])
    selected = (
        line for one in (*(one for one, _ in baselines), fitted, own) for line in one.selected
    )
    lines = (*notes, *dict.fromkeys(selected))
    conclude(
        run,
        verb.report,
        scores,
        verb.commands(settings, scores),
        selected=(*lines, *verb.selected(trained)),
        details=details,
        warnings=verb.diagnose(run, data, scores, details),
    )
    return trained


def fit(verb: Training[D], run: Run, settings: Any, data: D, on_event: Callback) -> Any:
    """Train in a new run on encoded data, without baselines or test, for scikit-learn."""
    hardware = prepare_hardware(run, settings, on_event)
    save_codecs(run, data.codecs)
    budget = Budget.of(settings.training)
    training = remaining_training(settings.training, hardware, budget, on_event)
    fitted = _fit(verb, run, settings.model_copy(update={"training": training}), data, on_event)
    return _calibrate(verb, run, fitted, data)[0]


def _fit(verb: Training[D], run: Run, settings: Any, data: D, on_event: Callback) -> Fitted:
    """Fit the run's model, by gradient or in closed form, and write its weights to the run."""
    if is_network(settings.model):
        network = _build(verb, run, settings, data)
        verb.start(run, settings, network, data, on_event)
        validate = partial(verb.validate, run, network, settings, data)
        feed, sample = verb.feed(settings, data), partial(verb.sample, run, network, data)
        fitted = fit_network(run, network, settings.training, feed, validate, on_event, sample)
        return replace(fitted, settings=settings)
    on_event(Working(f"fitting {name_model(settings.model)}"))
    fitted = replace(verb.fit(settings, data, on_event), settings=settings)
    run.write_arrays(fitted.model.arrays())
    on_event(Working("scoring the validation part"))
    validation = verb.validate(run, fitted.before_validation, settings, data)
    log_closed_form(run, validation, fitted.seconds, verb.size(data), on_event)
    return fitted


def _build(verb: Training[D], run: Run, settings: Any, data: D) -> Any:
    with limit_model_size(run, training=True):
        return verb.build(settings, data)


def _models_of(get_baselines: Callable[[], tuple[list[Baseline], Any]]) -> list[Fitted]:
    with suppress(Exception):  # a baseline that failed is reported after the training
        return [one for one, _ in get_baselines()[0]]
    return []


def _calibrate(verb: Training[D], run: Run, fitted: Fitted, data: D) -> tuple[Any, Any]:
    """Calibrate the run's model, and return it ready to use, with its calibration."""
    calibration = verb.calibrate(fitted, data)
    if calibration is not None:
        run.write(CALIBRATION, json.dumps(calibration.to_json()).encode())
    return verb.trained(run, fitted, data, calibration), calibration
