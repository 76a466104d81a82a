"""A trained forecaster: forecast with intervals, evaluate, open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensue.atomic_io import write_atomically
from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.series.backtest import Origins, find_later_origins
from ensue.data.series.dataset import SeriesParts
from ensue.data.series.forecasts import SeriesForecast, SkippedSeries, as_frame, split_short
from ensue.data.series.panel import Panel
from ensue.data.series.parts import read_later, read_later_files
from ensue.data.series.windows import WindowGatherer
from ensue.data.tables.rows import read_frame_rows
from ensue.data.tables.series_checks import list_names
from ensue.decoding.forecasts import forecast
from ensue.errors import SettingError, in_python
from ensue.evaluation.forecasting.conformal import UNCALIBRATED, ConformalIntervals
from ensue.evaluation.forecasting.metrics import measure_forecasts
from ensue.inspection.forecasts import draw_panels
from ensue.inspection.pictures import check_ending, render
from ensue.models.distributions import Forecast
from ensue.models.forecaster_contract import Sizes
from ensue.models.quantile_pool import QuantilePool
from ensue.tasks.contract import Trained
from ensue.tasks.forecast import ForecastRequest
from ensue.tasks.forecast.data import DATA
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.held import open_calibration, open_model
from ensue.tasks.in_memory import as_path, as_paths, name_source
from ensue.tasks.results import RESULT, Result, Scored
from ensue.training.folder.run import Run

BACKTEST = "backtest.safetensors"
"""Forecasts of the test, in a run."""
MAX_PANELS = 6
"""Series, or channels of one, that a plot shows."""


@dataclass(eq=False)
class ForecastModel(Trained):
    """A forecaster, as `ensue.train("forecast", ...)` and `ensue.open(run)` return it."""

    request = ForecastRequest

    run: Run
    settings: ForecastSettings
    prepared: SeriesParts
    model: Any
    conformal: ConformalIntervals

    @in_python()
    def forecast(
        self, data: Any = None, horizon: int | None = None, seed: int | None = None
    ) -> list[SeriesForecast]:
        """Forecast what follows each series of a file, a data frame, a Panel, or of the run.

        Rows that continue series of the run are appended to them. Series that are too short are
        skipped, with a warning. Raises DataError where a future value of a known covariate is
        missing, SettingError for too long a horizon.
        """
        request, findings = self.make_request(horizon=horizon, seed=seed), list[Finding]()
        answers = list(self.answer(request, data, Listener(findings.append)))
        for finding in findings:
            warnings.warn(finding.what, stacklevel=2)
        return [one for one in answers if isinstance(one, SeriesForecast)]

    def answer(
        self, request: ForecastRequest, data: Any = None, listener: Listener = SILENT
    ) -> Iterator[SeriesForecast | SkippedSeries]:
        """Forecast each series, and name those that are too short.

        `data` is what `forecast` takes. Raises DataError, SettingError.
        """
        panel, notes = self.prepared.all_series, list[str]()
        if data is not None:
            later = read_later(self.prepared.panel, self.settings.data, data)
            joined, notes = self.prepared.continued(later)
            panel = joined.panel
        least = self.prepared.layout.min_context
        source = name_source(Path(data) if isinstance(data, str) else data)
        panel, short = split_short(panel, least, source)
        if short:
            names = list_names([f"{one.series!r} ({one.steps})" for one in short])
            what = f"skipped series shorter than the {least} steps that a forecast needs"
            notes.insert(0, f"{what}: {names}")
        for note in notes:
            listener.on_finding(Finding(source, note))
        yield from self._forecast_panel(panel, request)
        yield from short

    def _forecast_panel(self, panel: Panel, request: ForecastRequest) -> Iterator[SeriesForecast]:
        """Forecast what follows each series of a panel. Raises DataError, SettingError."""
        ahead, most = request.horizon or self.prepared.layout.horizon, self.model.horizon
        if most and ahead > most:
            hint = f"train with --horizon {ahead}, or an autoregressive model such as --model lstm"
            what = f"the model forecasts {most} steps at once, not {ahead}"
            raise SettingError(what, where="--horizon", hint=hint)
        layout = replace(self.prepared.layout, horizon=max(ahead, most))
        inputs = WindowGatherer(panel, layout, self.prepared.covariates, ahead)
        origins = np.array([*enumerate(map(len, panel.series))], np.int64)
        predicted = self._forecast(inputs, origins, request.seed)
        columns = {"mean": predicted.mean} | self.conformal.columns(predicted)
        for number, one in enumerate(panel.series):
            times = panel.frequency.ahead(one.times[-1], ahead)
            for place, channel in enumerate(panel.channels):
                own = {name: values[number, :ahead, place] for name, values in columns.items()}
                past = one.times, one.values[:, place]
                yield SeriesForecast(one.name, channel, times, own, past)

    @in_python()
    def frame(self, frame: Any, horizon: int | None = None) -> Any:
        """Forecast a data frame; the result is a data frame of the same library.

        Its columns are unique_id, ds, channel, mean, median, lo_80, hi_80, lo_95 and hi_95.
        """
        import narwhals

        next(read_frame_rows(frame), None)  # raises DataError if it is no data frame
        library = narwhals.from_native(frame, eager_only=True, allow_series=True).implementation
        return as_frame(self.forecast(frame, horizon), library)

    @in_python()
    def evaluate(self, paths: str | Path | Sequence[str | Path] = ()) -> Scored:
        """Compute the metrics of forecasts from rolling origins of other data.

        Of series that the run was trained on, only later steps are scored. Without `paths`, gives
        the metrics of the run's own test. Raises DataError.
        """
        paths = as_paths(paths)
        if not paths:
            result = self.run.parse(RESULT, Result.from_json)
            details = {name: result.details[name] for name in ("forecasts", "series")}
            return Scored(result.own.metrics, result.own.intervals, details)
        later = read_later_files(self.prepared.panel, self.settings.data, paths)
        data, notes = self.prepared.continued(later)
        series, where = data.panel.series, str(paths[0])
        origins = find_later_origins(data.panel, data.layout, data.begins, where)
        predicted = self._forecast(data.inputs(), origins, None)
        found = measure_forecasts(predicted, data, origins, self.conformal)
        scored_series = set(origins[:, 0].tolist())
        skipped = [
            {"series": one.name, "steps": len(one) - begin}
            for number, (one, begin) in enumerate(zip(series, data.begins, strict=True))
            if number not in scored_series
        ]
        details = {"forecasts": len(origins), "series": len(scored_series), "skipped": skipped}
        return Scored(found.metrics, found.intervals, details | {"warnings": notes})

    def plot(self, forecasts: Sequence[SeriesForecast], path: str | Path, tests: bool) -> None:
        """Plot forecasts to a file, with those of the test if `tests`.

        Raises SettingError for an unknown ending, RunError if the disk refuses.
        """
        path = as_path(path, "plot")
        check_ending(path)
        saved = self.run.read_arrays(BACKTEST) if tests else {}
        drawn = self.prepared, saved, forecasts, MAX_PANELS
        write_atomically(path, render(path.suffix[1:].lower(), draw_panels, *drawn))

    def _forecast(self, inputs: WindowGatherer, origins: Origins, seed: int | None) -> Forecast:
        seed = self.settings.seed if seed is None else seed
        return forecast(self.model, inputs, origins, seed=seed, paths=self.settings.sample_paths)


def open_forecaster(run: Run, settings: ForecastSettings) -> ForecastModel:
    """Open the forecaster of a run. Raises RunError where its files are damaged."""
    prepared = DATA.load(run)
    sizes = Sizes.of(prepared.inputs())

    def mix(models: Sequence[Any], _: Any) -> QuantilePool:
        return QuantilePool(models, np.full((len(models), sizes.horizon), 1 / len(models)))

    model, _ = open_model(run, settings, lambda one, _: one.model.build(sizes), mix)
    conformal = open_calibration(run, ConformalIntervals.from_json, UNCALIBRATED)
    return ForecastModel(run, settings, prepared, model, conformal)
