"""Result of a run of `forecast`, and what it adds to the summary and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ensue.data.series.backtest import describe_short
from ensue.data.series.dataset import SeriesParts
from ensue.data.tables.series_checks import list_names
from ensue.evaluation.forecasting.conformal import FEW, ConformalIntervals
from ensue.evaluation.forecasting.metrics import ScoredForecast, compute_scales, non_overlapping
from ensue.evaluation.intervals import FEW as FEW_ITEMS
from ensue.evaluation.scores import Score
from ensue.inspection import diagnostics
from ensue.inspection.pictures import draw_line
from ensue.models.distributions import Forecast
from ensue.tasks.document import Section, paragraph, picture
from ensue.tasks.forecast.plot import draw_tests
from ensue.tasks.model_card import records
from ensue.tasks.results import Report, Result
from ensue.training.folder.run import METRICS, Run

METRIC_NAMES = {
    "mase": "MASE",
    "smape": "sMAPE",
    "rmse": "RMSE",
    "crps": "CRPS",
    "coverage_80": "80 % coverage",
    "coverage_95": "95 % coverage",
}
SIMPLE = ("naive", "seasonal-naive", "drift")
FORM = "#.4g"
HIDDEN_LAYOUT = ("by_series", "refit_fitted")
"""Fields of the layout that the report leaves out."""
MAX_SERIES = 100
"""Series whose own metrics a result holds."""
MAX_STORED = 2000
"""Forecasts of the test that are saved for plots; they do not overlap."""

LIMITS = (
    "The model extrapolates from these series; it cannot forecast events that they do not contain.",
    "Intervals have their coverage for steps like those of the calibration part, and not after a "
    "structural break.",
    "MASE below 1 means a smaller error than the seasonal naive forecast has before the test.",
)


def get_details(
    data: SeriesParts, scored: ScoredForecast, conformal: ConformalIntervals
) -> dict[str, Any]:
    """Describe the backtest, with metrics by steps ahead and by series."""
    origins = data.origins("test")
    steps = [scored.metrics(step=step) for step in range(data.layout.horizon)]
    rows = {
        one.name: np.flatnonzero(origins[:, 0] == number)
        for number, one in enumerate(data.panel.series[:MAX_SERIES])
    }
    return {
        "layout": data.layout.to_json(),
        "series": len(data.panel.series),
        "skipped": [one.name for one in data.short.series],
        "forecasts": len(origins),
        "calibration_forecasts": conformal.forecasts,
        "by_step": {name: [step[name] for step in steps] for name in steps[0]},
        "by_series": {name: scored.metrics(own) for name, own in rows.items() if len(own)},
    }


def get_arrays(
    data: SeriesParts, predicted: Forecast, conformal: ConformalIntervals
) -> dict[str, np.ndarray]:
    """Get median and interval ends of forecasts of the test, (forecasts, horizon, channels)."""
    origins = data.origins("test")
    rows = non_overlapping(origins, data.layout.horizon)[:MAX_STORED]
    columns = conformal.columns(predicted).items()
    return {"origins": origins[rows]} | {
        name: values[rows].astype(np.float32) for name, values in columns
    }


def diagnose(
    run: Run, data: SeriesParts, scores: Sequence[Score], details: Mapping[str, Any]
) -> list[str]:
    """Describe each probable fault of the training and of the backtest."""
    model, origins = scores[-1], data.origins("test")
    warnings = diagnostics.diagnose(run.rows(METRICS), [])
    constant = np.unique(origins[np.isnan(compute_scales(data, origins).naive).all(1), 0])
    if len(constant):
        names = list_names([repr(data.panel.series[number].name) for number in constant])
        what = "MASE excludes series that never changed between seasons before the test"
        warnings.append(f"{what}: {names}")
    simple = [one for one in scores[:-1] if one.name in SIMPLE]
    if (count := model.items) < FEW_ITEMS and simple:
        warnings.append(_describe_few(model, min(simple, key=lambda one: one.cost)))
    if (measured := details["calibration_forecasts"]) < FEW:
        what = (
            f"intervals are wide, since they are calibrated on only {measured} non-overlapping "
            f"forecast{'s' * (measured > 1)} before the test"
        )
        warnings.append(f"{what}; 95 % coverage needs {FEW} or more")
    warnings += diagnostics.undercoverage(0.95, model.metrics["coverage_95"], count)
    if data.short.series:
        warnings.append(describe_short(data.short, data.layout))
    return warnings


def _describe_few(model: Score, simple: Score) -> str:
    """Count the blocks in which a model has a smaller error than a naive one."""
    count, wins = model.items, int((model.losses < simple.losses).sum())
    return (
        f"the test has only {count} independent block{'s' * (count > 1)} of forecasts, so "
        f"{'only a large' if count > 1 else 'no'} difference is significant: {model.name} has a "
        f"smaller error than {simple.name} in {wins} of {count}; use more series or a longer test "
        f"(--set backtest.test=N)"
    )


def sections(result: Result, run: Run) -> list[Section]:
    """Show metrics by steps ahead and by series, and the layout of the backtest."""
    details, steps = result.details, result.details["by_step"]
    layout = details["layout"]
    ahead = [
        {"ahead": step + 1} | {name: steps[name][step] for name in METRIC_NAMES}
        for step in range(layout["horizon"])
    ]
    series = [{"series": name, **metrics} for name, metrics in details["by_series"].items()]
    shown = ", ".join(f"{name} {layout[name]}" for name in layout if name not in HIDDEN_LAYOUT)
    backtest = f"{details['series']} series; {shown}; {details['forecasts']:,} forecasts."
    by_step = records(ahead, {"ahead": "steps ahead", **METRIC_NAMES}, FORM)
    if layout["horizon"] > 1:
        main = next(name for name in result.own.metrics if name in METRIC_NAMES)
        names, x = ("steps ahead", METRIC_NAMES[main]), range(1, layout["horizon"] + 1)
        by_step.insert(0, picture("All test forecasts.", draw_line, x, steps[main], names))
    caption = "Forecasts of the test over the actual values, with 80 % and 95 % intervals."
    return [
        Section("Forecasts of the test", [picture(caption, draw_tests, run)]),
        Section("Metrics by steps ahead", by_step),
        Section("Metrics by series", records(series, {"series": "series", **METRIC_NAMES}, FORM)),
        Section("Backtest", [paragraph(backtest)]),
    ]


SERIES = Report(
    "numeric series",
    METRIC_NAMES,
    FORM,
    LIMITS,
    (
        ("ensue forecast {run}", "forecast the next steps"),
        ("ensue forecast {run} --plot forecast.svg", "plot them, with the forecasts of the test"),
        ("ensue evaluate {run} FILE", "score forecasts of other series, or of later steps"),
    ),
    sections,
)
