"""Plot forecasts: history, median with intervals, and the forecasts of the test."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from ensue.atomic_io import write_atomically
from ensue.data.series.panel import Panel, Series
from ensue.errors import SettingError
from ensue.escape import for_terminal
from ensue.tasks.forecast.report import BACKTEST
from ensue.tasks.forecast.trained import ForecastModel, SeriesForecast

MAX_PANELS = 6
"""Series, or channels of one, that a plot shows."""
ENDINGS = (".png", ".svg", ".pdf")
HISTORY, FORECAST, TEST = "#333333", "#c1440e", "#2a6f97"
"""Colours of the lines."""


def draw(
    model: ForecastModel,
    forecasts: Sequence[SeriesForecast],
    panel: Panel,
    path: Path,
    *,
    tests: bool,
) -> None:
    """Plot forecasts of a panel to a file, with the forecasts of the test if `tests`.

    Raises SettingError for an unknown ending, RunError if the disk refuses.
    """
    if path.suffix.lower() not in ENDINGS:
        hint = f"give a name that ends in {', '.join(ENDINGS)}"
        what = f"{path.suffix!r} is not a supported image format"
        raise SettingError(what, where="--plot", hint=hint)
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.dates import AutoDateLocator
    from matplotlib.figure import Figure

    shown = list(forecasts[:MAX_PANELS])
    series = {one.name: one for one in panel.series}
    figure = Figure(figsize=(9, 0.8 + 2.6 * len(shown)), layout="constrained")
    FigureCanvasAgg(figure)
    for one, axes in zip(shown, figure.subplots(len(shown), 1, squeeze=False)[:, 0], strict=True):
        channel = panel.channels.index(one.channel)
        _draw_history(axes, series[one.series], channel, _get_history_length(model))
        if tests and one.series in {known.name for known in model.prepared.panel.series}:
            _draw_tests(axes, model, one, channel)
        _draw_intervals(axes, one, series[one.series], channel)
        title = for_terminal(one.series + (f", {one.channel}" if len(panel.channels) > 1 else ""))
        # A name may hold a dollar sign, which would begin a formula.
        axes.set_title(title, loc="left", fontsize=10, parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        if panel.series[0].times.dtype.kind == "M":
            # With multiples of an interval the labels of the 31st and the 1st overlap.
            axes.xaxis.set_major_locator(AutoDateLocator(interval_multiples=False))
        axes.grid(axis="y", alpha=0.25, linewidth=0.6)
    figure.legend(
        *figure.axes[0].get_legend_handles_labels(),
        loc="outside upper right",
        fontsize=8,
        frameon=False,
        ncols=5,
    )
    if len(shown) < len(forecasts):
        figure.supxlabel(f"the first {len(shown)} of {len(forecasts)}", fontsize=9)
    image = BytesIO()
    figure.savefig(image, dpi=130, format=path.suffix[1:].lower())
    write_atomically(path, image.getvalue())


def _get_history_length(model: ForecastModel) -> int:
    """Get the number of past steps to show: twice the test, but at most 20 horizons (or 60 steps).

    With more history the intervals would be too narrow to see.
    """
    layout = model.prepared.layout
    return min(
        max(2 * layout.test, 2 * layout.window, 4 * layout.horizon), max(20 * layout.horizon, 60)
    )


def _to_axis(times: np.ndarray) -> Any:
    return times.astype("datetime64[s]").tolist() if times.dtype.kind == "M" else times


def _draw_history(axes: Any, one: Series, channel: int, length: int) -> None:
    axes.plot(
        _to_axis(one.times[-length:]),
        one.values[-length:, channel],
        color=HISTORY,
        linewidth=1.1,
        label="history",
    )


def _draw_intervals(axes: Any, one: SeriesForecast, past: Series, channel: int) -> None:
    """Draw the median and both intervals, starting at the last step of the history."""
    at = _to_axis(np.concatenate([past.times[-1:], one.times]))
    lines = {
        name: np.concatenate([past.values[-1:, channel], values])
        for name, values in one.forecast.items()
    }
    dot = {"marker": "o", "markersize": 2.5, "markevery": slice(1, None)} if len(at) < 40 else {}
    axes.plot(at, lines["median"], color=FORECAST, linewidth=1.4, label="forecast", **dot)
    for per_cent, alpha in ((80, 0.3), (95, 0.15)):
        low, high = (lines[f"{end}_{per_cent}"] for end in ("lo", "hi"))
        axes.fill_between(
            at, low, high, color=FORECAST, alpha=alpha, linewidth=0, label=f"{per_cent} % interval"
        )


def _draw_tests(axes: Any, model: ForecastModel, one: SeriesForecast, channel: int) -> None:
    """Draw the forecasts of the test, which do not overlap."""
    panel, horizon = model.prepared.panel, model.prepared.layout.horizon
    number = next(place for place, series in enumerate(panel.series) if series.name == one.series)
    saved = model.run.read_arrays(BACKTEST)
    label: str | None = "forecasts of the test"
    first = len(panel.series[number]) - _get_history_length(model)
    origins = saved["origins"]
    for row in np.flatnonzero((origins[:, 0] == number) & (origins[:, 1] >= first)):
        origin = int(origins[row, 1])
        at = _to_axis(panel.series[number].times[origin : origin + horizon])
        low, high = saved["lo_80"][row, :, channel], saved["hi_80"][row, :, channel]
        axes.fill_between(at, low, high, color=TEST, alpha=0.18, linewidth=0)
        axes.plot(at, saved["median"][row, :, channel], color=TEST, linewidth=1.1, label=label)
        label = None
