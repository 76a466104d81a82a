"""The verb `forecast`: the next steps of numeric series, with prediction intervals."""

from pydantic import Field

from ensue.settings import Settings
from ensue.tasks.verb import Verb


class ForecastRequest(Settings):
    """Horizon and seed of a forecast."""

    horizon: int | None = Field(None, ge=1, lt=1 << 31)
    """Steps to forecast; by default the horizon of training."""
    seed: int | None = Field(None, ge=0, lt=1 << 63)
    """Random seed of sample paths; by default that of training."""


VERB = Verb(
    name="forecast",
    description="forecast numeric series, with prediction intervals",
    request=ForecastRequest,
    help="Forecast time series, with prediction intervals.",
    training_help="Train a forecaster of time series, with prediction intervals.",
    training_data="Tables of series, long or wide (CSV, TSV, JSONL, Parquet), or a demo; by "
    "default the demo `ball`.",
    demos=("ball", "sunspots"),
)
