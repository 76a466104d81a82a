"""`ensue train forecast`: learn what the numbers of series will be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from ensue.cli.integer import Integer
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
    said: Flags = DEFAULTS,
) -> None:
    """Learn what the numbers of series will be, and say how sure that is.

    Args:
        data: Tables (CSV, TSV, JSONL, Parquet; also compressed): long, with a row for each step of
            each series; wide, with a column a series; or a file a series. Or the name of a demo;
            with none, the demo `ball`.
        horizon: How many steps to forecast at once; a season if not given.
        season: Steps of a season; 12 months, 7 days, 24 hours, ... if not given.
        refit: Learn anew before every so many origins of the test; if not given, wherever that is
        cheap.
        model: ridge, linear, mlp, boosting, or a cell such as lstm, which goes step by step.
    """
    from ensue.cli.train.training import train

    own = {name: list(one) if isinstance(one, tuple) else one for name, one in columns}
    train("forecast", data, said, model, horizon=horizon, season=season, refit=refit, **own)
