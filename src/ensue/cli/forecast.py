"""`ensue forecast`: say what comes next in series, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from ensue.cli.integer import Integer

if TYPE_CHECKING:
    from ensue.tasks.forecast.trained import ForecastModel, SeriesForecast

app = App(name="forecast")


@app.default
def forecast(
    run: Path,
    file: Annotated[Path | None, Parameter(allow_leading_hyphen=True)] = None,
    /,
    *,
    horizon: Integer | None = None,
    plot: Path | None = None,
    seed: Integer | None = None,
    json: bool = False,
) -> None:
    """Say what comes after the end of each series, with intervals that hold 80 and 95 % of what
    comes.

    Args:
        run: The folder of the run.
        file: A table of series: rows that go on from what was learned, or whole series; with none,
            those that were learned, or - for the standard input. Rows of the future whose target is
            empty tell what is known ahead.
        horizon: How many steps; as many as were learned if not given.
        plot: Draw history, forecast and the test into this file, .png or .svg (needs the extra
        `plot`).
        seed: The same seed gives the same forecast, where futures are drawn.
        json: Print one JSON object a series, for programs.
    """
    from ensue.cli.evaluate import given, refuse_unknown
    from ensue.cli.progress import Ticking, follow_answer, opened
    from ensue.training.contract import Note, Working

    refuse_unknown([file] if file else [], "forecast")
    model: ForecastModel = opened(run, "forecast")
    with given(model, [file] if file else []) as files, Ticking(follow_answer()) as watch:
        watch(Working("forecasting"))
        following = model.following(*files)
        for remark in following.remarks:
            watch(Note(remark))
        told = model.ahead(following.panel, horizon, seed)
        if plot is not None:
            from ensue.tasks.forecast.plot import draw

            watch(Working("drawing"))
            draw(model, told, following.panel, plot, tests=file is None)
    if json:
        from ensue.cli.output import print_json

        for one in told:
            print_json(one.to_json())
        for name, steps in following.short.items():
            needed = (
                f"too short: {steps} of the {model.prepared.layout.min_context} steps that a "
                f"forecast needs"
            )
            print_json({"series": name, "skipped": needed, "steps": steps})
    else:
        from ensue.cli.output import show_line

        show(told)
        if plot is not None:
            show_line(f"drawn: {plot}")


def show(told: Sequence[SeriesForecast]) -> None:
    """Print a table with a row for each step."""
    from ensue.cli.tables import show_table
    from ensue.data.tables.times import shown

    several = len({one.channel for one in told}) > 1
    rows = [
        [
            one.series,
            *([one.channel] if several else []),
            str(shown(time)),
            *(
                f"{one.forecast[name][place]:.5g}"
                for name in ("median", "lo_80", "hi_80", "lo_95", "hi_95")
            ),
        ]
        for one in told
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
