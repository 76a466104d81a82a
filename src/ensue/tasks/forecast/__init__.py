"""Forecast: learn what the numbers of series will be, and say how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from ensue.data.demos import demo_meant
from ensue.errors import SettingError
from ensue.layers import RecurrentSettings
from ensue.models.forecasting import FITTED, forecaster_settings
from ensue.models.forecasting.direct import DirectSettings
from ensue.models.forecasting.ridge import RidgeSettings
from ensue.models.forecasting.steps import StepsSettings
from ensue.settings import Settings, read
from ensue.tasks.choosing import assigned, change, read_config, with_budget
from ensue.tasks.contract import Choices, Proposal, Task, Told
from ensue.tasks.forecast.model import ForecastModel, open_forecaster
from ensue.tasks.forecast.prepared import USUAL
from ensue.tasks.forecast.report import BACKTEST, REPORT, RESULT, tell
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.forecast.training import train_forecaster
from ensue.training.contract import Watch
from ensue.training.run import Run

WIDTHS = {"tiny": 16, "small": 32, "base": 64, "large": 128}
"""Units of networks; those of hidden layers are four times as many."""


class ForecastTask(Task):
    """The task of `ensue train forecast`."""

    name = "forecast"
    description = "learn what the numbers of series will be, and say how sure that is"
    settings = ForecastSettings
    flags: ClassVar[Mapping[str, str]] = {
        **{name: f"data.{name}" for name in ("id", "time", "target", "known", "past", "static", "freq", "fill")},
        **{name: f"backtest.{name}" for name in ("horizon", "season", "refit")},
    }
    results = (BACKTEST, REPORT, RESULT)

    def propose(self, choices: Choices) -> Proposal:
        """Fill in all settings: from the file, then from what was said, then key by key."""
        values = read_config(choices.config)
        settings = read(ForecastSettings, values, where=str(choices.config) if choices.config else None)
        for said, name in ((choices.codec, "codec"), (choices.memory, "memory")):
            if said is not None:
                mend = "leave it out: numbers are scaled by the past of each window"
                raise SettingError(f"forecast has no {name}", where=f"--{name}", mend=mend)
        reasons: list[str] = []
        if choices.model is not None:
            settings = change(settings, model=forecaster_settings(choices.model))
        settings = assigned(with_budget(settings, choices), choices)
        if choices.model is None and "model" not in values and settings.model == RidgeSettings():
            settings = _with_usual_model(settings, choices, reasons)
        if choices.size is not None:
            settings = _sized(settings, WIDTHS[choices.size])
        said = [name for name in ("size", "minutes", "epochs") if getattr(choices, name) is not None]
        if said and settings.model.name in FITTED:
            reasons.append(f"{settings.model.name} is fitted in one go, and has no use for {' and '.join(said)}")
        body = getattr(settings.model, "body", None)
        if isinstance(body, RecurrentSettings):
            body.program()  # settings that contradict each other are told before the data is read
        return Proposal(settings, tuple(reasons))

    def train(self, run: Run, settings: Settings, data: Sequence[Path], watch: Watch) -> ForecastModel:
        """Train in a run until its budget is spent."""
        assert isinstance(settings, ForecastSettings)
        return train_forecaster(run, settings, data, watch)

    def going_on(self, settings: Settings, choices: Choices) -> Settings:
        """Give the settings of a training that goes on with another budget, or on another device."""
        assert isinstance(settings, ForecastSettings)
        return with_budget(settings, choices)

    def tell(self, run: Run) -> Told:
        """Tell what came of a training that has finished."""
        return tell(run)

    def open(self, run: Run) -> ForecastModel:
        """Give what a run has learned."""
        return open_forecaster(run, read(ForecastSettings, run.about["settings"], where=str(run.path / "run.toml")))


def _with_usual_model(settings: ForecastSettings, choices: Choices, reasons: list[str]) -> ForecastSettings:
    """Propose a network for trajectories, and the classical model for all else."""
    if len(settings.data.target) > 1 or demo_meant(choices.data, "forecast", USUAL) == USUAL:
        reasons.append("model lstm: the numbers of a step depend on one another (choose with --model)")
        return change(settings, model=forecaster_settings("lstm"))
    reasons.append(
        "model ridge: the classical window model, fitted in seconds and hard to beat on the data of one computer "
        "(choose with --model: linear, mlp, boosting, or a cell such as lstm)"
    )
    return settings


def _sized(settings: ForecastSettings, width: int) -> ForecastSettings:
    model = settings.model
    if isinstance(model, StepsSettings):
        model = model.model_copy(update={"body": model.body.model_copy(update={"width": width})})
    elif isinstance(model, DirectSettings):
        model = model.model_copy(update={"width": 4 * width})
    return change(settings, model=model)
