"""Result of a run of `forecast`, and what it adds to the summary and the model card."""

from __future__ import annotations

from typing import Any

from ensue.inspection.forecasts import draw_tests
from ensue.inspection.pictures import draw_line
from ensue.tasks.document import Section, paragraph, picture
from ensue.tasks.forecast.data import DATA
from ensue.tasks.forecast.trained import BACKTEST
from ensue.tasks.model_card import records
from ensue.tasks.results import Report, Result
from ensue.training.folder.run import Run

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
MAX_PANELS = 4
"""Series, or channels of one, whose forecasts of the test are drawn."""

LIMITS = (
    "The model extrapolates from these series; it cannot forecast events that they do not contain.",
    "Intervals have their coverage for steps like those of the calibration part, and not after a "
    "structural break.",
    "MASE below 1 means a smaller error than the seasonal naive forecast has before the test.",
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
        Section("Forecasts of the test", [picture(caption, _draw_tests, run)]),
        Section("Metrics by steps ahead", by_step),
        Section("Metrics by series", records(series, {"series": "series", **METRIC_NAMES}, FORM)),
        Section("Backtest", [paragraph(backtest)]),
    ]


def _draw_tests(run: Run) -> Any:
    return draw_tests(DATA.load(run), run.read_arrays(BACKTEST), MAX_PANELS)


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
