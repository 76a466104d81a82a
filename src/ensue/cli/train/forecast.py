"""`ensue train forecast`: learn what the numbers of series will be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from ensue.cli.train.columns import SeriesColumns
from ensue.cli.whole import Whole

app = App(name="forecast")


@app.default
def forecast(  # noqa: PLR0913 - each is a flag
    *data: Path,
    out: Path | None = None,
    horizon: Whole | None = None,
    season: Whole | None = None,
    refit: Whole | None = None,
    columns: Annotated[SeriesColumns, Parameter(name="*")] = SeriesColumns(),  # noqa: B008 - it is frozen
    model: str | None = None,
    size: Literal["tiny", "small", "base", "large"] | None = None,
    minutes: float | None = None,
    epochs: Whole | None = None,
    seed: Whole | None = None,
    device: str | None = None,
    valid: Path | None = None,
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
        season: Steps of a season; 12 months, 7 days, 24 hours, ... if not given.
        refit: Learn anew before every so many origins of the test; if not given, wherever that is cheap.
        model: ridge, linear, mlp, boosting, or a cell such as lstm, which goes step by step.
        size: One dial for the size of a network.
        minutes: Time for training a network; 3 if neither this nor epochs is given.
        epochs: Passes over the training data, instead of minutes.
        seed: What every random choice follows from.
        device: Where to compute: cpu, cuda, cuda:1, mps or auto.
        valid: A file that goes on where the data ends, to choose and calibrate on; --test goes on from there.
        test: A file that goes on where the data ends, to report on, instead of the end of the data.
        set_: Change any setting: --set backtest.test=36. May be repeated.
        config: A TOML file of settings, as --show-settings prints them, or the run.toml of a run.
        show_settings: Print every setting, filled in, and train nothing.
        json: Print one JSON object a line, for programs.
    """
    from ensue.cli.train.training import train
    from ensue.tasks import Choices

    choices = Choices(data, model, None, size, minutes, epochs, seed, device, valid, test, config, set_)
    own = {"horizon": horizon, "season": season, "refit": refit}
    own |= {name: list(said) if isinstance(said, tuple) else said for name, said in columns}
    train("forecast", choices, out, show_settings=show_settings, as_json=json, **own)
