"""`ensue train forecast`: learn what the numbers of series will be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ensue.cli.whole import Whole

app = App(name="forecast")
Several = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]


@app.default
def forecast(  # noqa: PLR0913 - each is a flag
    *data: Path,
    out: Path | None = None,
    horizon: Whole | None = None,
    id: str | None = None,
    time: str | None = None,
    target: Several = (),
    known: Several = (),
    past: Several = (),
    static: Several = (),
    freq: str | None = None,
    fill: Literal["previous", "zero"] | None = None,
    season: Whole | None = None,
    refit: Whole | None = None,
    model: str | None = None,
    minutes: float | None = None,
    seed: Whole | None = None,
    test: Path | None = None,
    set_: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    config: Path | None = None,
    show_settings: bool = False,
    json: bool = False,
) -> None:
    """Learn what the numbers of series will be, and say how sure that is.

    Args:
        data: Tables (CSV, TSV, JSONL, Parquet; also compressed): long, with a row for each step of each series;
            wide, with a column a series; or a file a series. Or the name of a demo; with none, the demo `ball`.
        out: Folder of the run that is written; run-1, run-2, ... if not given.
        horizon: How many steps to forecast at once; a season if not given.
        id: The column that tells series apart.
        time: The column of times: dates, months, quarters or integers.
        target: The column to forecast; several are several numbers of each step, such as x and y.
        known: Columns whose future is known when a forecast is made.
        past: Columns of which only the past is known.
        static: Columns that are the same at all steps of a series.
        freq: The distance of two steps: year, quarter, month, week, day, hour, '15 minutes', step.
        fill: What missing steps and empty cells become; they are refused otherwise.
        season: Steps of a season; 12 months, 7 days, 24 hours, ... if not given.
        refit: Learn anew before every so many origins of the test; never if not given.
        model: ridge, linear, mlp, boosting, or a cell such as lstm, which goes step by step.
        minutes: Time for training a network; 3 if not given.
        seed: What every random choice follows from.
        test: A file that goes on where the data ends, to report on, instead of the end of the data.
        set_: Change any setting: --set backtest.test=36. May be repeated.
        config: A TOML file of settings, as --show-settings prints them, or the run.toml of a run.
        show_settings: Print every setting, filled in, and train nothing.
        json: Print one JSON object a line, for programs.
    """
    from ensue.cli.train.training import train
    from ensue.tasks import Choices

    choices = Choices(data, model, minutes=minutes, seed=seed, test=test, config=config, assignments=set_)
    columns = {"target": target, "known": known, "past": past, "static": static}
    own = {"horizon": horizon, "id": id, "time": time, "freq": freq, "fill": fill, "season": season, "refit": refit}
    own |= {name: list(names) for name, names in columns.items() if names}
    train("forecast", choices, out, show_settings=show_settings, as_json=json, **own)
