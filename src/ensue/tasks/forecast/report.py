"""Result of a run of `forecast`, and what it adds to the summary and the model card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ensue.data.series.backtest import Origins, describe_short
from ensue.data.tables.series_checks import list_names
from ensue.escape import for_markdown
from ensue.evaluation.forecasting.conformal import FEW
from ensue.evaluation.forecasting.naive import SIMPLE
from ensue.inspection import diagnostics
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.predicting import non_overlapping
from ensue.tasks.forecast.scoring import ScoredCandidate, score_by_series, score_by_step
from ensue.tasks.model_card import conclude as write_result
from ensue.tasks.model_card import records
from ensue.tasks.results import Report, Result, Section
from ensue.training.folder.run import METRICS, Run

BACKTEST = "backtest.safetensors"
METRIC_NAMES = {
    "mase": "MASE",
    "smape": "sMAPE",
    "rmse": "RMSE",
    "crps": "CRPS",
    "coverage_80": "80 % coverage",
    "coverage_95": "95 % coverage",
}
FORM = "#.4g"
HIDDEN_LAYOUT = ("by_series", "refit_fitted")
"""Fields of the layout that the report leaves out."""
MAX_STORED = 2000
"""Forecasts of the test that are saved for plots; they do not overlap."""

LIMITS = """\
- The model extrapolates from these series; it cannot forecast events that they do not contain.
- Intervals have their coverage for steps like those of the calibration part, and not after a
  structural break.
- MASE below 1 means a smaller error than the seasonal naive forecast has before the test."""


def conclude(
    run: Run,
    prepared: Prepared,
    scored: Sequence[ScoredCandidate],
    selected: Sequence[str],
    notes: Sequence[str],
) -> None:
    """Write forecasts of the test, the report and the result; `notes` are on missing baselines."""
    model, origins = scored[-1], prepared.origins("test")
    rows = [one.row for one in scored]
    count = model.candidate.conformal.forecasts
    measured = f"{count} non-overlapping forecast{'s' * (count > 1)}"
    selected = (*selected, f"conformal offsets of intervals: before the test, on {measured}")
    details = {
        "layout": prepared.layout.to_json(),
        "series": len(prepared.panel.series),
        "skipped": [one.name for one in prepared.short.series],
        "forecasts": len(origins),
        "by_step": score_by_step(model.scored, prepared.layout.horizon),
        "by_series": score_by_series(model.scored, prepared, origins),
    }
    faults = diagnostics.diagnose(run.rows(METRICS), [])
    warnings = (*notes, *faults, *_diagnose(scored, prepared))
    run.write_arrays(_get_arrays(model, prepared, origins), BACKTEST)
    changes = {"ridge": ["--model", "ridge"]}
    write_result(run, SERIES, rows, changes, selected=selected, details=details, warnings=warnings)


def _get_arrays(
    model: ScoredCandidate, prepared: Prepared, origins: Origins
) -> dict[str, np.ndarray]:
    """Get median and interval ends of forecasts of the test, (forecasts, horizon, channels)."""
    rows = non_overlapping(origins, prepared.layout.horizon)[:MAX_STORED]
    intervals = model.candidate.conformal.intervals(model.candidate.forecast)
    arrays = {"median": model.candidate.forecast.quantile(0.5)[rows]}
    for per_cent, (low, high) in intervals.items():
        arrays |= {f"lo_{per_cent}": low[rows], f"hi_{per_cent}": high[rows]}
    return {"origins": origins[rows]} | {
        name: values.astype(np.float32) for name, values in arrays.items()
    }


def _diagnose(scored: Sequence[ScoredCandidate], prepared: Prepared) -> list[str]:
    """Describe each probable fault of the backtest."""
    model, warnings = scored[-1], []
    origins = prepared.origins("test")
    constant = np.unique(origins[np.isnan(prepared.scales(origins).naive).all(1), 0])
    if len(constant):
        names = list_names([repr(prepared.panel.series[number].name) for number in constant])
        what = "MASE excludes series that never changed between seasons before the test"
        warnings.append(f"{what}: {names}")
    if (count := model.row.items) < FEW:
        best = min((one for one in scored if one.row.name in SIMPLE), key=lambda one: one.row.cost)
        rows = [np.array([row]) for row in non_overlapping(origins, prepared.layout.horizon)]
        errors = np.array(
            [[one.scored.metrics(row)[model.scored.cost] for row in rows] for one in (model, best)]
        )
        own, other = errors[:, np.isfinite(errors).all(0)]
        wins = (
            f"{model.row.name} has a smaller error than {best.row.name} in {(own < other).sum()} "
            f"of {len(own)} non-overlapping forecasts"
        )
        warnings.append(f"the test is too short for a significant difference: {wins}")
    if (measured := model.candidate.conformal.forecasts) < FEW:
        what = (
            f"intervals are wide, since they are calibrated on only {measured} non-overlapping "
            f"forecast{'s' * (measured > 1)} before the test"
        )
        warnings.append(f"{what}; 95 % coverage needs {FEW} or more")
    warnings += diagnostics.undercoverage(0.95, model.row.metrics["coverage_95"], count)
    if prepared.short.series:
        warnings.append(describe_short(prepared.short, prepared.layout))
    return warnings


def sections(result: Result) -> list[Section]:
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
    return [
        Section("Metrics by steps ahead", by_step, steps),
        Section("Metrics by series", records(series, {"series": "series", **METRIC_NAMES}, FORM)),
        Section("Backtest", for_markdown(backtest)),
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
