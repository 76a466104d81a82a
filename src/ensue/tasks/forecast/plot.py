"""A picture of forecasts: history, the fan of what may come, and what was forecast of the test."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ensue.atomic_io import write_atomically
from ensue.data.series.panel import Panel, Series
from ensue.errors import SettingError, UserError
from ensue.escape import for_terminal
from ensue.tasks.forecast.report import BACKTEST
from ensue.tasks.forecast.trained import ForecastModel, SeriesForecast

PANELS = 6
"""Series, or numbers of one, that a picture shows."""
ENDINGS = (".png", ".svg", ".pdf")
PAST, MEDIAN, TRIED = "#333333", "#c1440e", "#2a6f97"


def draw(
    model: ForecastModel, told: Sequence[SeriesForecast], panel: Panel, path: Path, *, tests: bool
) -> None:
    """Draw what is told of a panel into a file, by its ending, and perhaps the `tests` of the
    training.

    Raises SettingError for another ending, UserError if matplotlib is missing, RunError if the disk
    refuses.
    """
    if path.suffix.lower() not in ENDINGS:
        hint = f"give a name that ends in {', '.join(ENDINGS)}"
        raise SettingError(
            f"{path.suffix!r} is no picture that can be drawn", where="--plot", hint=hint
        )
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.dates import AutoDateLocator
        from matplotlib.figure import Figure
    except ImportError:
        hint = "install it with: pip install 'ensue[plot]'"
        raise UserError(
            "pictures need matplotlib, which is missing", where="--plot", hint=hint
        ) from None
    shown = list(told[:PANELS])
    series = {one.name: one for one in panel.series}
    figure = Figure(figsize=(9, 0.8 + 2.6 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    for one, axes in zip(shown, figure.subplots(len(shown), 1, squeeze=False)[:, 0], strict=True):
        channel = panel.channels.index(one.channel)
        _history(axes, series[one.series], channel, _reach(model))
        if tests and one.series in {learned.name for learned in model.prepared.panel.series}:
            _tests(axes, model, one, channel)
        _fan(axes, one, series[one.series], channel)
        title = for_terminal(one.series + (f", {one.channel}" if len(panel.channels) > 1 else ""))
        # A dollar in a name is none of TeX's.
        axes.set_title(title, loc="left", fontsize=10, parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        if (
            panel.series[0].times.dtype.kind == "M"
        ):  # evenly spread: with multiples the 31st and the 1st overlap
            axes.xaxis.set_major_locator(AutoDateLocator(interval_multiples=False))
        axes.grid(axis="y", alpha=0.25, linewidth=0.6)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(),
        loc="outside upper right",
        fontsize=8,
        frameon=False,
        ncols=5,
    )
    if len(shown) < len(told):
        figure.supxlabel(f"the first {len(shown)} of {len(told)}", fontsize=9)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=130, format=path.suffix[1:].lower())
    write_atomically(path, drawn.getvalue())


def _reach(model: ForecastModel) -> int:
    """Give how many steps of the past are shown: the test, and as much again, but not so many
    that no fan is seen."""
    layout = model.prepared.layout
    return min(
        max(2 * layout.test, 2 * layout.window, 4 * layout.horizon), max(20 * layout.horizon, 60)
    )


def _places(times: np.ndarray) -> Any:
    return times.astype("datetime64[s]").tolist() if times.dtype.kind == "M" else times


def _history(axes: Any, one: Series, channel: int, reach: int) -> None:
    axes.plot(
        _places(one.times[-reach:]),
        one.values[-reach:, channel],
        color=PAST,
        linewidth=1.1,
        label="history",
    )


def _fan(axes: Any, one: SeriesForecast, past: Series, channel: int) -> None:
    """Draw the median within both intervals, from the last step that there was."""
    at = _places(np.concatenate([past.times[-1:], one.times]))
    lines = {
        name: np.concatenate([past.values[-1:, channel], values])
        for name, values in one.forecast.items()
    }
    dot = {"marker": "o", "markersize": 2.5, "markevery": slice(1, None)} if len(at) < 40 else {}
    axes.plot(at, lines["median"], color=MEDIAN, linewidth=1.4, label="forecast", **dot)
    for per_cent, alpha in ((80, 0.3), (95, 0.15)):
        low, high = (lines[f"{end}_{per_cent}"] for end in ("lo", "hi"))
        axes.fill_between(
            at, low, high, color=MEDIAN, alpha=alpha, linewidth=0, label=f"{per_cent} % interval"
        )


def _tests(axes: Any, model: ForecastModel, one: SeriesForecast, channel: int) -> None:
    """Draw what was forecast of the test, window after window."""
    panel, horizon = model.prepared.panel, model.prepared.layout.horizon
    number = next(place for place, series in enumerate(panel.series) if series.name == one.series)
    kept = model.run.read_arrays(BACKTEST)
    label: str | None = "forecasts of the test"
    first = len(panel.series[number]) - _reach(model)
    for row in np.flatnonzero((kept["origins"][:, 0] == number) & (kept["origins"][:, 1] >= first)):
        origin = int(kept["origins"][row, 1])
        at = _places(panel.series[number].times[origin : origin + horizon])
        low, high = kept["lo_80"][row, :, channel], kept["hi_80"][row, :, channel]
        axes.fill_between(at, low, high, color=TRIED, alpha=0.18, linewidth=0)
        axes.plot(at, kept["median"][row, :, channel], color=TRIED, linewidth=1.1, label=label)
        label = None
