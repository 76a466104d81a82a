"""`ensue train forecast`: train a forecaster of time series."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ensue.cli.flags import Integer
from ensue.cli.train.options import DEFAULTS, Flags, SeriesOptions

app = App(name="forecast")


@app.default
def forecast(
    *data: Path,
    horizon: Integer | None = None,
    season: Integer | None = None,
    refit: Integer | None = None,
    columns: Annotated[SeriesOptions, Parameter(name="*")] = SeriesOptions(),  # noqa: B008 - it is frozen
    model: str | None = None,
    options: Flags = DEFAULTS,
) -> None:
    """Train a forecaster of time series, with prediction intervals.

    Args:
        data: Tables of series, long or wide (CSV, TSV, JSONL, Parquet), or a demo; by default the
            demo `ball`.
        horizon: Steps to forecast; by default one season.
        season: Season length in steps; by default 12 for months, 7 for days, 24 for hours.
        refit: Test origins between refits; by default models are refitted where that is cheap.
        model: Model: ridge, linear, mlp, boosting, or a layer or cell such as window or lstm
            (autoregressive).
    """
    from ensue.cli.train.training import train

    own = {name: list(one) if isinstance(one, tuple) else one for name, one in columns}
    train("forecast", data, options, model, horizon=horizon, season=season, refit=refit, **own)
