"""Forecasts of series, as records, rows and data frames."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ensue.data.series.panel import Panel
from ensue.data.tables.times import format_time
from ensue.errors import DataError


@dataclass(frozen=True)
class SeriesForecast:
    """The forecast of one channel of one series."""

    series: str
    channel: str
    times: np.ndarray
    forecast: Mapping[str, np.ndarray]
    """mean, median, lo_80, hi_80, lo_95 and hi_95, each with a value per time."""
    past: tuple[np.ndarray, np.ndarray]
    """Times and actual values of the channel before."""

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        times = list(map(format_time, self.times))
        columns = {name: values.tolist() for name, values in self.forecast.items()}
        return {"series": self.series, "channel": self.channel, "times": times, **columns}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give a row for each step, with the column names of Nixtla's tools."""
        for place, time in enumerate(self.times):
            row = {"unique_id": self.series, "ds": time, "channel": self.channel}
            yield row | {name: float(values[place]) for name, values in self.forecast.items()}


@dataclass(frozen=True)
class SkippedSeries:
    """A series that is too short for a forecast."""

    series: str
    steps: int
    min_context: int
    """Steps that a forecast needs."""

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        needed = f"{self.steps} of the {self.min_context} steps that a forecast needs"
        return {"series": self.series, "skipped": f"too short: {needed}", "steps": self.steps}


def split_short(panel: Panel, least: int, source: str) -> tuple[Panel, list[SkippedSeries]]:
    """Get the series that have the `least` steps that a forecast needs, and those that have not.

    Raises DataError, which names the `source`, if none has.
    """
    long = [one for one in panel.series if len(one) >= least]
    short = [SkippedSeries(one.name, len(one), least) for one in panel.series if len(one) < least]
    if not long:
        what = f"every series is shorter than the {least} steps that a forecast needs"
        raise DataError(what, where=source, hint="give longer series")
    return panel.with_series(long), short


def as_frame(forecasts: Sequence[SeriesForecast], library: Any) -> Any:
    """Convert forecasts to a data frame of a library, with the columns of SeriesForecast.rows."""
    import narwhals

    rows = [row for one in forecasts for row in one.rows()]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["ds"] = [
        time.item() if isinstance(time, np.datetime64) else int(time) for time in columns["ds"]
    ]
    return narwhals.from_dict(columns, backend=library).to_native()
