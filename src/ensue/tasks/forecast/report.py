"""Result, summary and model card of a run of `forecast`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ensue.data.series.backtest import Origins, describe_short
from ensue.data.tables.series_checks import list_names
from ensue.escape import for_markdown
from ensue.evaluation.forecasting.conformal import FEW
from ensue.evaluation.forecasting.naive import SIMPLE
from ensue.inspection import diagnostics
from ensue.tasks.contract import RESULT, Summary
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.predicting import non_overlapping
from ensue.tasks.forecast.scoring import ScoredCandidate, score_by_series, score_by_step
from ensue.tasks.model_card import bullets, files, make_summary, model_card, table
from ensue.tasks.results import Result, format_metric, recommend, table_rows
from ensue.tasks.results import conclude as write_result
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
    advice = recommend(run, rows, {"ridge": "ridge"})
    result = Result(run.path.name, "forecast", tuple(rows), advice, selected, details, warnings)
    run.write_arrays(_get_arrays(model, prepared, origins), BACKTEST)
    write_result(run, result.to_json(), _markdown)


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
    if (count := len(model.row.losses)) < FEW:
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


def summarise(run: Run) -> Summary:
    """Summarise a finished training: table, recommendation and next commands."""
    result = run.read_json(RESULT)
    commands = (
        (
            f"ensue forecast {{run}} --horizon {result['details']['layout']['horizon']}",
            "forecast the next steps",
        ),
        ("ensue forecast {run} --plot forecast.svg", "plot them, with the forecasts of the test"),
        ("ensue evaluate {run} FILE", "score forecasts of other series, or of later steps"),
    )
    return make_summary(run, result, table_rows(result["rows"], METRIC_NAMES, "#.4g"), (), commands)


def _markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    details, steps = result["details"], result["details"]["by_step"]
    ahead = [
        [str(step + 1), *(format_metric(steps[name][step], "#.4g") for name in METRIC_NAMES)]
        for step in range(details["layout"]["horizon"])
    ]
    each = details["by_series"].items()
    series = [
        [name, *(format_metric(of[one], "#.4g") for one in METRIC_NAMES)] for name, of in each
    ]
    layout = ", ".join(
        f"{name} {value}" for name, value in details["layout"].items() if name not in HIDDEN_LAYOUT
    )
    data = f"{details['series']} series of {about['data']['steps']:,} steps; {layout}; "
    data += f"{details['forecasts']:,} forecasts of the test."
    sections = [
        ("Results on the test part", table(*table_rows(result["rows"], METRIC_NAMES, "#.4g"))),
        ("Metrics by steps ahead", table(("steps ahead", *METRIC_NAMES.values()), ahead)),
        ("Metrics by series", table(("series", *METRIC_NAMES.values()), series)),
        ("Data", f"{for_markdown(data)}\n\n{bullets(files(about))}"),
    ]
    return model_card("numeric series", result, sections, LIMITS, about)
