"""All settings of a training of `forecast`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.data.series.backtest import BacktestSettings
from ensue.data.series.panel import SeriesSettings
from ensue.models.baselines.ridge import RidgeSettings
from ensue.models.forecasters import FORECASTERS
from ensue.settings import Settings, choice
from ensue.training.settings import BatchingSettings, OptimiserSettings, TrainingSettings

Model = Annotated[Any, choice(FORECASTERS)]


class BaselineSettings(Settings):
    """What a model is compared with, beside naive, seasonal naive and drift."""

    ridge: bool = True
    """Whether the classical window model stands beside a network."""
    statistical: tuple[Literal["ets", "theta", "arima"], ...] = ("ets", "theta")
    """AutoETS, AutoTheta and AutoARIMA of statsforecast, where the extra `series` is there."""
    time_limit: float = Field(120.0, gt=0)
    """Time for each of those; one that needs more is cut, which is said."""


class ForecastSettings(Settings):
    """All settings of a training of `forecast`."""

    task: Literal["forecast"] = "forecast"
    """The verb."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """What every random choice follows from."""
    data: SeriesSettings = SeriesSettings()
    """How the series are read."""
    backtest: BacktestSettings = BacktestSettings()
    """How far is forecast, and how that is tried out."""
    model: Model = RidgeSettings()
    """What learns."""
    sample_paths: int = Field(200, ge=20, le=100_000)
    """How many futures are drawn where a model cannot say its intervals exactly."""
    baselines: BaselineSettings = BaselineSettings()
    """What it is compared with."""
    training: TrainingSettings = TrainingSettings(
        batching=BatchingSettings(batch_size=64),
        optimiser=OptimiserSettings(learning_rate=0.002),
        patience=6,
    )
    """How long and how to train a network."""
