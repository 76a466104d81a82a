"""`ensue forecast`: forecast series, with prediction intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ensue.cli.flags import FLAGS
from ensue.tasks.forecast import ForecastRequest

if TYPE_CHECKING:
    from ensue.data.series.forecasts import SeriesForecast
    from ensue.tasks.forecast.trained import ForecastModel

app = App(name="forecast")


@app.default
def forecast(
    run: Path,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    request: Annotated[ForecastRequest, FLAGS] = ForecastRequest(),  # noqa: B008 - it is frozen
    plot: Path | None = None,
    json: bool = False,
) -> None:
    """Forecast each series from its end, with 80 % and 95 % prediction intervals.

    Args:
        run: Run folder.
        file: Table of series or of new rows, or - for standard input; by default the series of
            training.
        plot: Plot file, .png or .svg.
        json: Print JSON Lines, one object a series.
    """
    from ensue.cli.evaluate import open_inputs, refuse_unknown
    from ensue.cli.output import show_line, write_answers
    from ensue.cli.progress import Heartbeat, follow_answer, open_run
    from ensue.data.contract import Listener
    from ensue.data.series.forecasts import SeriesForecast
    from ensue.training.contract import Note, Working

    refuse_unknown([file] if file else [], "forecast")
    model: ForecastModel = open_run(run, "forecast")
    with (
        open_inputs(model, [file] if file else []) as files,
        Heartbeat(follow_answer()) as progress,
    ):
        progress(Working("forecasting"))
        listener = Listener(lambda finding: progress(Note(finding.what)))
        answers = list(model.answer(request, *files, listener=listener))
        forecasts = [one for one in answers if isinstance(one, SeriesForecast)]
        if plot is not None:
            progress(Working("drawing the plot"))
            model.plot(forecasts, plot, tests=file is None)
    if json:
        write_answers(answers, None, None)
        return
    show_forecasts(forecasts)
    if plot is not None:
        show_line(f"plot written: {plot}")


def show_forecasts(forecasts: Sequence[SeriesForecast]) -> None:
    """Print a table with one row a step."""
    from ensue.cli.tables import show_table
    from ensue.data.tables.times import format_time

    several = len({one.channel for one in forecasts}) > 1
    rows = [
        [
            one.series,
            *([one.channel] if several else []),
            str(format_time(time)),
            *(
                f"{one.forecast[name][place]:.5g}"
                for name in ("median", "lo_80", "hi_80", "lo_95", "hi_95")
            ),
        ]
        for one in forecasts
        for place, time in enumerate(one.times)
    ]
    columns = [
        "series",
        *(["number"] if several else []),
        "time",
        "median",
        "80 % from",
        "to",
        "95 % from",
        "to",
    ]
    show_table(columns, rows)
