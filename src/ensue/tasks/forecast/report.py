"""The result of a training: the table, the sentence, the model card, and what is told on a
terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ensue.data.series.backtest import Origins, describe_short
from ensue.data.tables.series_checks import list_names
from ensue.escape import for_markdown
from ensue.evaluation.forecasting.conformal import FEW
from ensue.evaluation.forecasting.naive import SIMPLE
from ensue.inspection import diagnostics as health
from ensue.tasks.contract import RESULT, Summary
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.predicting import non_overlapping
from ensue.tasks.forecast.scoring import ScoredCandidate, by_series, by_step
from ensue.tasks.model_card import bullets, files, make_summary, model_card, table
from ensue.tasks.results import Result, format_metric, recommend, table_rows
from ensue.tasks.results import conclude as write_result
from ensue.training.folder.run import METRICS, Run

BACKTEST = "backtest.safetensors"
FIGURES = {
    "mase": "MASE",
    "smape": "sMAPE",
    "rmse": "RMSE",
    "crps": "CRPS",
    "coverage_80": "in 80 %",
    "coverage_95": "in 95 %",
}
UNTOLD = ("by_series", "refit_fitted")
SHOWN = 2000
"""Forecasts of the test that are kept to be looked at; they do not overlap."""

LIMITS = """\
- It has learned from these series, and takes what comes to be like what came: no forecast knows
  of what never happened.
- Intervals hold for steps like those of the calibration part; after a break in a series they do
  not.
- MASE below 1 is better than saying what was there a season ago, on average, within the series
  as they were learned."""


def conclude(
    run: Run,
    prepared: Prepared,
    scored: Sequence[ScoredCandidate],
    chosen: Sequence[str],
    cut: Sequence[str],
) -> None:
    """Write forecasts of the test, the report and the result; `cut` says which baselines are not
    there."""
    model, origins = scored[-1], prepared.origins("test")
    rows = [one.row for one in scored]
    moved = model.candidates.bands
    measured = f"{moved.forecasts} forecast{'s' * (moved.forecasts > 1)} that do not overlap"
    chosen = (*chosen, f"how far intervals are moved: before the test, by {measured}")
    details = {
        "layout": prepared.layout.to_json(),
        "series": len(prepared.panel.series),
        "skipped": [one.name for one in prepared.short.series],
        "forecasts": len(origins),
        "by_step": by_step(model.scored, prepared.layout.horizon),
        "by_series": by_series(model.scored, prepared, origins),
    }
    symptoms = (*cut, *health.diagnose(run.rows(METRICS), []), *_symptoms(scored, prepared))
    advice = recommend(run, rows, {"ridge": "ridge"})
    result = Result(run.path.name, "forecast", tuple(rows), advice, chosen, details, symptoms)
    run.write_arrays(_backtest(model, prepared, origins), BACKTEST)
    write_result(run, result.to_json(), _markdown)


def _backtest(
    model: ScoredCandidate, prepared: Prepared, origins: Origins
) -> dict[str, np.ndarray]:
    """Give forecasts of the test to be looked at: median and ends of the intervals, (forecasts,
    horizon, channels)."""
    rows = non_overlapping(origins, prepared.layout.horizon)[:SHOWN]
    around = model.candidates.bands.intervals(model.candidates.forecast)
    shown = {"median": model.candidates.forecast.quantile(0.5)[rows]}
    for per_cent, (low, high) in around.items():
        shown |= {f"lo_{per_cent}": low[rows], f"hi_{per_cent}": high[rows]}
    return {"origins": origins[rows]} | {
        name: values.astype(np.float32) for name, values in shown.items()
    }


def _symptoms(scored: Sequence[ScoredCandidate], prepared: Prepared) -> list[str]:
    model, found = scored[-1], []
    origins = prepared.origins("test")
    still = np.unique(origins[np.isnan(prepared.scales(origins).naive).all(1), 0])
    if len(still):
        names = list_names([repr(prepared.panel.series[number].name) for number in still])
        what = "series that never changed from one season to the next before the test have no MASE"
        found.append(f"{what}, and are left out of it: {names}")
    if (count := len(model.row.losses)) < FEW:
        best = min((one for one in scored if one.row.name in SIMPLE), key=lambda one: one.row.cost)
        rows = [np.array([row]) for row in non_overlapping(origins, prepared.layout.horizon)]
        missed = np.array(
            [[one.scored.metrics(row)[model.scored.cost] for row in rows] for one in (model, best)]
        )
        own, other = missed[:, np.isfinite(missed).all(0)]
        lower = (
            f"{model.row.name} missed by less than {best.row.name} in {(own < other).sum()} "
            f"of {len(own)}"
        )
        found.append(
            f"the test is too short to prove much: {lower} forecasts of it that do not overlap"
        )
    if (measured := model.candidates.bands.forecasts) < FEW:
        what = (
            f"intervals rest on {measured} forecast{'s' * (measured > 1)} before the test "
            f"that do not overlap"
        )
        found.append(f"{what}, and are wide for that: {FEW} or more could promise 95 %")
    found += health.undercoverage(0.95, model.row.metrics["coverage_95"], count)
    if prepared.short.series:
        found.append(describe_short(prepared.short, prepared.layout))
    return found


def summarise(run: Run) -> Summary:
    """Tell what came of a training."""
    result = run.read_json(RESULT)
    commands = (
        (
            f"ensue forecast {{run}} --horizon {result['details']['layout']['horizon']}",
            "say what comes next",
        ),
        ("ensue forecast {run} --plot forecast.svg", "draw it, with the test before it"),
        ("ensue evaluate {run} FILE", "score forecasts of other series, or of later steps"),
    )
    return make_summary(run, result, table_rows(result["rows"], FIGURES, "#.4g"), (), commands)


def _markdown(result: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    details, steps = result["details"], result["details"]["by_step"]
    ahead = [
        [str(step + 1), *(format_metric(steps[name][step], "#.4g") for name in FIGURES)]
        for step in range(details["layout"]["horizon"])
    ]
    each = details["by_series"].items()
    series = [[name, *(format_metric(of[one], "#.4g") for one in FIGURES)] for name, of in each]
    layout = ", ".join(
        f"{name} {value}" for name, value in details["layout"].items() if name not in UNTOLD
    )
    data = f"{details['series']} series of {about['data']['steps']:,} steps; {layout}; "
    data += f"{details['forecasts']:,} forecasts of the test."
    sections = [
        ("Results on the test part", table(*table_rows(result["rows"], FIGURES, "#.4g"))),
        ("By steps ahead", table(("steps ahead", *FIGURES.values()), ahead)),
        ("By series", table(("series", *FIGURES.values()), series)),
        ("Data", f"{for_markdown(data)}\n\n{bullets(files(about))}"),
    ]
    return model_card("what the numbers will be", result, sections, LIMITS, about)
