"""The check of time series, for `forecast`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.check.contract import Report, compute_quantiles
from ensue.data.contract import SILENT, Listener
from ensue.data.readers.named_parts import get_part_files
from ensue.data.series.backtest import describe, lay_out
from ensue.data.series.frequency import count_steps, infer_frequency
from ensue.data.series.panel import SeriesSettings
from ensue.data.series.parts import read_series_of_parts
from ensue.data.tables.roles import Roles
from ensue.data.tables.series import check_panel, read_series
from ensue.data.tables.series_checks import Read, cut_to_values
from ensue.data.tables.sources import read_sources


def check_series(report: Report, files: Sequence[Path], settings: Any) -> None:
    """Read all series, count the errors of each, and lay out the backtest as a training would."""
    data, listener = settings.data, report.listener
    report.format, report.described = "series", "tables of series"
    with report.attempt(files[0]):
        by_part = get_part_files("train", files, data, listener)
        series, roles, name = _read(report, by_part["train"], data, listener)
        cut = cut_to_values(series, roles.channels, str(files[0]), listener, data.fill)
        rows = [_make_row(one) for one in cut]
        report.tables["series"] = rows
        report.tables["lengths"] = [compute_quantiles("steps", [row["steps"] for row in rows])]
        if still := [row["series"] for row in rows if row["least"] == row["most"]]:
            what = f"{len(still)} series are constant: {', '.join(still[:5])}"
            report.report(files[0], what, "remove them")
        panel, backtest, _ = read_series_of_parts(
            files,
            data,
            settings.backtest,
            SILENT,
            lambda *_: check_panel(series, roles, name, data),
        )
        layout, numbers = lay_out(panel, backtest, True, str(files[0]))
        long, short = panel.parted(numbers)
        report.described = describe(long, layout, short)


def _read(
    report: Report, files: Sequence[Path], data: SeriesSettings, listener: Listener
) -> tuple[list[Read], Roles, str]:
    """Read the series; their rows, which take most of the memory, do not outlive this."""
    sources = read_sources(files, data, listener)
    report.tables["files"] = [{"file": one.name, "rows": one.steps} for one in sources]
    return *read_series(sources, data, listener, {}), sources[0].name


def _make_row(one: Read) -> dict[str, Any]:
    """Return the statistics of a series; gaps are missing steps of its own frequency."""
    times, values = one.series.times, one.series.values
    frequency = infer_frequency(times)
    distances = count_steps(times, frequency) if frequency else np.zeros(0)
    there = values[~np.isnan(values)]
    return {
        "series": one.series.name,
        "steps": len(one.series),
        "from": str(times[0]).removesuffix("T00:00:00"),
        "to": str(times[-1]).removesuffix("T00:00:00"),
        "a step is a": frequency.name if frequency else "",
        "gaps": int((distances > 1).sum()),
        "twice": int((distances == 0).sum()),
        "unordered": one.unordered,
        "missing": int(np.isnan(values).sum()),
        "least": float(there.min()) if len(there) else 0.0,
        "most": float(there.max()) if len(there) else 0.0,
    }
