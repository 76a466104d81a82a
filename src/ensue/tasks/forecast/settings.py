"""Settings of a training of `forecast`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from ensue.data.series.backtest import BacktestSettings
from ensue.data.series.panel import SeriesSettings
from ensue.layers import LAYERS
from ensue.models.autoregressive import AutoregressiveSettings
from ensue.models.baselines.boosting import BoostingSettings
from ensue.models.baselines.naive import DriftSettings, NaiveSettings, SeasonalNaiveSettings
from ensue.models.baselines.ridge import RidgeSettings
from ensue.models.baselines.statistical import ARIMASettings, ETSSettings, ThetaSettings
from ensue.models.direct import LinearSettings, MLPSettings
from ensue.models.names import Models
from ensue.models.pool import MixtureSettings
from ensue.settings import Choice, Flag, Settings
from ensue.training.settings import AdamWSettings, BatchingSettings, TrainingSettings

MODELS = Models(
    "forecast",
    {
        "autoregressive": AutoregressiveSettings,
        "linear": LinearSettings,
        "mlp": MLPSettings,
        "ridge": RidgeSettings,
        "boosting": BoostingSettings,
        "naive": NaiveSettings,
        "seasonal-naive": SeasonalNaiveSettings,
        "drift": DriftSettings,
        "ets": ETSSettings,
        "theta": ThetaSettings,
        "arima": ARIMASettings,
    },
    layers=LAYERS,
    network=lambda body: AutoregressiveSettings(body=body),
    size="small",
)

Model = Annotated[Any, Choice(MODELS.parts), Flag()]


class BaselineSettings(Settings):
    """Baselines in addition to naive, seasonal-naive and drift."""

    ridge: bool = True
    """Ridge regression on the window, as a baseline of other models."""
    statistical: tuple[Literal["ets", "theta", "arima"], ...] = ("ets", "theta")
    """Statistical baselines, models of statsforecast; they need the extra `series`."""
    time_limit: float = Field(120.0, gt=0)
    """Time limit of each statistical baseline, in seconds; a slower one is fitted less often."""


class ForecastSettings(Settings):
    """All settings of a training of `forecast`."""

    task: Literal["forecast"] = "forecast"
    """The verb."""
    seed: int = Field(1, ge=0, lt=1 << 63)
    """Random seed."""
    data: SeriesSettings = SeriesSettings()
    """Data: reading of the series."""
    backtest: BacktestSettings = BacktestSettings()
    """Backtest: horizon, context and parts."""
    model: Model = RidgeSettings()
    """Model: ridge, boosting, linear, mlp, naive, seasonal-naive, drift, ets, theta, arima, or a
    layer or cell such as window or lstm (autoregressive)."""
    mixture: MixtureSettings = MixtureSettings()
    """Choice of the run's model on the validation part."""
    sample_paths: int = Field(200, ge=20, le=100_000)
    """Sample paths of a forecast, for models without closed-form intervals."""
    baselines: BaselineSettings = BaselineSettings()
    """Baselines."""
    training: TrainingSettings = TrainingSettings(
        batching=BatchingSettings(batch_size=64),
        optimiser=AdamWSettings(learning_rate=0.002),
        patience=6,
    )
    """Training of a network: budget, batches, optimiser and schedule."""
