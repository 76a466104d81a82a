"""Plot forecasts to a file, and those of the test for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensue.atomic_io import write_atomically
from ensue.data.series.forecasts import SeriesForecast
from ensue.data.series.panel import Panel
from ensue.inspection.forecasts import draw_panels
from ensue.inspection.pictures import check_ending, render
from ensue.tasks.forecast.data import DATA
from ensue.tasks.forecast.trained import ForecastModel
from ensue.training.folder.run import Run

BACKTEST = "backtest.safetensors"
"""Forecasts of the test, in a run."""
MAX_PANELS, REPORTED_PANELS = 6, 4
"""Series, or channels of one, that a plot and a report show."""


def draw(
    model: ForecastModel, forecasts: Sequence[SeriesForecast], panel: Panel, path: Path, tests: bool
) -> None:
    """Plot forecasts of a panel to a file, with the forecasts of the test if `tests`.

    Raises SettingError for an unknown ending, RunError if the disk refuses.
    """
    check_ending(path)
    saved = model.run.read_arrays(BACKTEST) if tests else {}
    values = model.prepared, panel, saved, forecasts, MAX_PANELS
    write_atomically(path, render(path.suffix[1:].lower(), draw_panels, *values))


def draw_tests(run: Run) -> Any:
    """Draw the forecasts of the test over the actual values, of the first series."""
    prepared, saved = DATA.load(run), run.read_arrays(BACKTEST)
    panel = prepared.panel
    tested = [panel.series[number] for number in np.unique(saved["origins"][:, 0])]
    shown = [
        SeriesForecast(one.name, channel, one.times[:0], {})
        for one in tested
        for channel in panel.channels
    ]
    return draw_panels(prepared, panel, saved, shown, REPORTED_PANELS)
