"""Pictures of forecasts: actual values, medians with intervals, and the forecasts of the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ensue.data.series.dataset import SeriesParts
from ensue.data.series.forecasts import SeriesForecast
from ensue.escape import for_terminal, shorten
from ensue.inspection.pictures import BLUE, INK, RED, new_figure


def draw_panels(
    prepared: SeriesParts,
    saved: Mapping[str, np.ndarray],
    every: Sequence[SeriesForecast],
    most: int,
) -> Any:
    """Draw actual values, forecasts of the test (`saved`) and of the future, `most` of them."""
    from matplotlib.dates import AutoDateLocator

    shown, dated = every[:most], every[0].times.dtype.kind == "M"
    channels = prepared.panel.channels
    numbers = {one.name: number for number, one in enumerate(prepared.panel.series)}
    figure, rows = new_figure(9, 0.8 + 2.2 * len(shown), len(shown))
    length = _get_history_length(prepared)
    for one, axes in zip(shown, rows, strict=True):
        times, values = (array[-length:] for array in one.past)
        axes.plot(_to_axis(times), values, color=INK, label="actual values")
        if saved and one.series in numbers:
            channel = channels.index(one.channel)
            _draw_tests(axes, prepared, saved, numbers[one.series], channel)
        if one.forecast:
            _draw_forecast(axes, one)
        name = one.series + (f", {one.channel}" if len(channels) > 1 else "")
        axes.set_title(shorten(for_terminal(name)), loc="left", fontsize=10)
        if dated:
            # With multiples of an interval the labels of the 31st and the 1st overlap.
            axes.xaxis.set_major_locator(AutoDateLocator(interval_multiples=False))
    figure.axes[-1].set_xlabel("time" if dated else "step")
    handles = figure.axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper right", fontsize=8, ncols=7)
    if len(shown) < len(every):
        figure.supxlabel(f"the first {len(shown)} of {len(every)}", fontsize=9)
    return figure


def draw_tests(prepared: SeriesParts, saved: Mapping[str, np.ndarray], most: int) -> Any:
    """Draw the forecasts of the test (`saved`) over the actual values, `most` of them."""
    tested = [prepared.panel.series[number] for number in np.unique(saved["origins"][:, 0])]
    shown = [
        SeriesForecast(one.name, channel, one.times[:0], {}, (one.times, values))
        for one in tested
        for channel, values in zip(prepared.panel.channels, one.values.T, strict=True)
    ]
    return draw_panels(prepared, saved, shown, most)


def _get_history_length(prepared: SeriesParts) -> int:
    """Get the number of past steps to show: twice the test, but at most 20 horizons (or 60 steps).

    With more history the intervals would be too narrow to see.
    """
    layout = prepared.layout
    return min(
        max(2 * layout.test, 2 * layout.window, 4 * layout.horizon), max(20 * layout.horizon, 60)
    )


def _to_axis(times: np.ndarray) -> Any:
    return times.astype("datetime64[s]").tolist() if times.dtype.kind == "M" else times


def _draw_forecast(axes: Any, one: SeriesForecast) -> None:
    """Draw a forecast of the future, starting at the last actual value."""
    times, past = one.past
    at = _to_axis(np.concatenate([times[-1:], one.times]))
    lines = {name: np.concatenate([past[-1:], values]) for name, values in one.forecast.items()}
    _draw_fan(axes, at, lines, RED, "forecast")


def _draw_tests(
    axes: Any, prepared: SeriesParts, saved: Mapping[str, np.ndarray], number: int, channel: int
) -> None:
    """Draw the forecasts of the test, which do not overlap, for the series of a number."""
    horizon, times = prepared.layout.horizon, prepared.panel.series[number].times
    first, origins = len(times) - _get_history_length(prepared), saved["origins"]
    rows = np.flatnonzero((origins[:, 0] == number) & (origins[:, 1] >= first))
    for place, row in enumerate(rows.tolist()):
        origin = int(origins[row, 1])
        lines = {name: saved[name][row, :, channel] for name in saved if name != "origins"}
        label = "_" * (place > 0) + "forecasts of the test"
        _draw_fan(axes, _to_axis(times[origin : origin + horizon]), lines, BLUE, label)


def _draw_fan(axes: Any, at: Any, lines: Mapping[str, np.ndarray], colour: str, label: str) -> None:
    """Draw the median and both intervals; a label that begins with _ is not in the legend."""
    mark = "o-" if len(at) < 40 else "-"
    axes.plot(at, lines["median"], mark, color=colour, label=label)
    for per_cent, alpha in ((80, 0.3), (95, 0.15)):
        low, high = (lines[f"{end}_{per_cent}"] for end in ("lo", "hi"))
        name = "_" * label.startswith("_") + f"{per_cent} % interval"
        axes.fill_between(at, low, high, color=colour, alpha=alpha, linewidth=0, label=name)
