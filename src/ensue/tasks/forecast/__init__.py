"""Forecast: learn what the numbers of series will be, and say how sure that is."""

from __future__ import annotations

from ensue.data.demos import demo_name
from ensue.errors import SettingError
from ensue.models.autoregressive import AutoregressiveSettings
from ensue.models.baselines.ridge import RidgeSettings
from ensue.models.direct import DirectSettings
from ensue.models.forecasters import FITTED, forecaster_settings
from ensue.tasks.contract import REPORT, RESULT, Choices, Proposal, Task
from ensue.tasks.forecast.data import USUAL
from ensue.tasks.forecast.report import BACKTEST, summarise
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.forecast.trained import open_forecaster
from ensue.tasks.forecast.training import train_forecaster
from ensue.tasks.proposal import apply_overrides, change, finish, load_config, with_budget

WIDTHS = {"tiny": 16, "small": 32, "base": 64, "large": 128}
"""Units of networks; those of hidden layers are four times as many."""


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: from the file, then from what was said, then key by key."""
    settings, values = load_config(ForecastSettings, choices)
    for said, name in ((choices.codec, "codec"), (choices.memory, "memory")):
        if said is not None:
            hint = "leave it out: numbers are scaled by the past of each window"
            raise SettingError(f"forecast has no {name}", where=f"--{name}", hint=hint)
    reasons: list[str] = []
    if choices.model is not None:
        settings = change(settings, model=forecaster_settings(choices.model))
    settings = apply_overrides(with_budget(settings, choices), choices)
    if choices.model is None and "model" not in values and settings.model == RidgeSettings():
        settings = _with_usual_model(settings, choices, reasons)
    if choices.size is not None:
        settings = _sized(settings, WIDTHS[choices.size])
    said = [name for name in ("size", "minutes", "epochs") if getattr(choices, name) is not None]
    if said and settings.model.name in FITTED:
        reasons.append(
            f"{settings.model.name} is fitted in one go, and has no use for {' and '.join(said)}"
        )
    return finish(settings, reasons)


def _with_usual_model(
    settings: ForecastSettings, choices: Choices, reasons: list[str]
) -> ForecastSettings:
    """Propose a network for trajectories, and the classical model for all else."""
    if len(settings.data.target) > 1 or demo_name(choices.data, "forecast", USUAL) == USUAL:
        reasons.append(
            "model lstm: the numbers of a step depend on one another (choose with --model)"
        )
        return change(settings, model=forecaster_settings("lstm"))
    reasons.append(
        "model ridge: the classical window model, fitted in seconds and hard to beat on "
        "the data of one computer "
        "(choose with --model: linear, mlp, boosting, or a cell such as lstm)"
    )
    return settings


def _sized(settings: ForecastSettings, width: int) -> ForecastSettings:
    model = settings.model
    if isinstance(model, AutoregressiveSettings):
        model = model.model_copy(update={"body": model.body.model_copy(update={"width": width})})
    elif isinstance(model, DirectSettings):
        model = model.model_copy(update={"width": 4 * width})
    return change(settings, model=model)


FORECAST = Task(
    name="forecast",
    description="learn what the numbers of series will be, and say how sure that is",
    settings=ForecastSettings,
    results=(BACKTEST, REPORT, RESULT),
    propose=_propose,
    trains=lambda settings: settings.model.name not in FITTED,
    train=train_forecaster,
    open=open_forecaster,
    summarise=summarise,
    flags={
        **{
            name: f"data.{name}"
            for name in (
                "id",
                "time",
                "target",
                "known_covariates",
                "past_covariates",
                "static_covariates",
                "freq",
                "fill",
            )
        },
        "horizon": "backtest.horizon",
        "season": "backtest.season_length",
        "refit": "backtest.refit",
    },
)
"""The task of `ensue train forecast`."""
