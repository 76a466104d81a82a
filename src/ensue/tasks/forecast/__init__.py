"""The task `forecast`: the next steps of numeric series, with prediction intervals."""

from __future__ import annotations

from ensue.data.demos import demo_name
from ensue.errors import SettingError
from ensue.models.autoregressive import AutoregressiveSettings
from ensue.models.baselines.ridge import RidgeSettings
from ensue.models.direct import DirectSettings
from ensue.models.forecasters import FITTED, forecaster_settings
from ensue.tasks.contract import REPORT, RESULT, Choices, Proposal, Task
from ensue.tasks.forecast.data import DEMO
from ensue.tasks.forecast.report import BACKTEST, summarise
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.forecast.trained import open_forecaster
from ensue.tasks.forecast.training import train_forecaster
from ensue.tasks.proposal import apply_overrides, change, finish, load_config, with_budget

WIDTHS = {"tiny": 16, "small": 32, "base": 64, "large": 128}
"""Width of recurrent networks by size; hidden layers of direct models are four times as wide."""


def _propose(choices: Choices) -> Proposal:
    """Fill in all settings: the file first, then flags, then `--set` assignments."""
    settings, values = load_config(ForecastSettings, choices)
    for given, name in ((choices.codec, "codec"), (choices.memory, "memory")):
        if given is not None:
            hint = "leave it out: each window is scaled by its own past"
            raise SettingError(f"forecast has no {name}", where=f"--{name}", hint=hint)
    reasons: list[str] = []
    if choices.model is not None:
        settings = change(settings, model=forecaster_settings(choices.model))
    settings = apply_overrides(with_budget(settings, choices), choices)
    if choices.model is None and "model" not in values and settings.model == RidgeSettings():
        settings = _choose_model(settings, choices, reasons)
    if choices.size is not None:
        settings = _resize(settings, WIDTHS[choices.size])
    unused = [name for name in ("size", "minutes", "epochs") if getattr(choices, name) is not None]
    if unused and settings.model.name in FITTED:
        name = settings.model.name
        reasons.append(f"{name} is fitted in closed form and ignores {' and '.join(unused)}")
    return finish(settings, reasons)


def _choose_model(
    settings: ForecastSettings, choices: Choices, reasons: list[str]
) -> ForecastSettings:
    """Choose the default model: a network for several targets, else ridge regression."""
    if len(settings.data.target) > 1 or demo_name(choices.data, "forecast", DEMO) == DEMO:
        reasons.append(
            "model lstm: the targets of a step depend on one another (choose with --model)"
        )
        return change(settings, model=forecaster_settings("lstm"))
    reasons.append(
        "model ridge: ridge regression on a window of the past, fitted in seconds "
        "(choose with --model: linear, mlp, boosting, or a cell such as lstm)"
    )
    return settings


def _resize(settings: ForecastSettings, width: int) -> ForecastSettings:
    model = settings.model
    if isinstance(model, AutoregressiveSettings):
        model = model.model_copy(update={"body": model.body.model_copy(update={"width": width})})
    elif isinstance(model, DirectSettings):
        model = model.model_copy(update={"width": 4 * width})
    return change(settings, model=model)


FORECAST = Task(
    name="forecast",
    description="forecast numeric series, with prediction intervals",
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
