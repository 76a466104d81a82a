"""A trained forecaster: forecast with intervals, evaluate, open."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.series.backtest import Layout, Origins, find_later_origins
from ensue.data.series.dataset import SeriesParts, describe_differences, get_scaling
from ensue.data.series.forecasts import SeriesForecast, SkippedSeries, as_frame
from ensue.data.series.joining import append, read_like
from ensue.data.series.panel import Panel
from ensue.data.series.parts import read_later
from ensue.data.series.windows import WindowGatherer
from ensue.data.tables.rows import read_frame_rows
from ensue.data.tables.series import read_panel
from ensue.data.tables.series_checks import list_names
from ensue.decoding.forecasts import forecast
from ensue.errors import DataError, SettingError
from ensue.evaluation.forecasting.conformal import UNCALIBRATED, ConformalIntervals
from ensue.evaluation.forecasting.metrics import (
    Scales,
    compute_block_metrics,
    number_blocks,
    score,
)
from ensue.models.distributions import Forecast
from ensue.models.forecaster_contract import Sizes
from ensue.models.quantile_pool import QuantilePool
from ensue.tasks.contract import Trained
from ensue.tasks.forecast import ForecastRequest
from ensue.tasks.forecast.data import DATA
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.held import open_calibration, open_model
from ensue.tasks.in_memory import as_paths, name_source
from ensue.tasks.results import RESULT, Result, Scored
from ensue.training.folder.run import Run


@dataclass(frozen=True)
class Continuation:
    """Series that can be forecast, and those that are too short."""

    panel: Panel
    short: Sequence[SkippedSeries]
    notes: Sequence[str]
    """Notes on how the data was combined with that of the run."""
    source: str
    """Name of the data in messages."""


@dataclass(eq=False)
class ForecastModel(Trained):
    """A forecaster, as `ensue.train("forecast", ...)` and `ensue.open(run)` return it."""

    request = ForecastRequest

    run: Run
    settings: ForecastSettings
    prepared: SeriesParts
    model: Any
    conformal: ConformalIntervals

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

        `data` is what `forecast` takes, or a Continuation. Raises DataError, SettingError.
        """
        given = data if isinstance(data, Continuation) else self.continue_series(data)
        for note in given.notes:
            listener.on_finding(Finding(given.source, note))
        yield from self._forecast_panel(given.panel, request)
        yield from given.short

    def continue_series(self, data: Any = None) -> Continuation:
        """Append data to the series of the run; without data, take those of the run.

        Raises DataError if every series is too short.
        """
        panel, notes = self.prepared.all_series, []
        source = name_source(Path(data) if isinstance(data, str) else data)
        if data is not None:
            later = self.load_panel(data)
            panel, first = append(panel, later)
            notes = describe_differences(self.prepared, panel, later, first)
        min_context = self.prepared.layout.min_context
        short = [
            SkippedSeries(one.name, len(one), min_context)
            for one in panel.series
            if len(one) < min_context
        ]
        if len(short) == len(panel.series):
            what = f"every series is shorter than the {min_context} steps that a forecast needs"
            raise DataError(what, where=source, hint="give longer series")
        if short:
            names = list_names([f"{one.series!r} ({one.steps})" for one in short])
            what = f"skipped series shorter than the {min_context} steps that a forecast needs"
            notes.insert(0, f"{what}: {names}")
        long = [one for one in panel.series if len(one) >= min_context]
        return Continuation(panel.with_series(long), short, notes, source)

    def _forecast_panel(self, panel: Panel, request: ForecastRequest) -> list[SeriesForecast]:
        """Forecast what follows each series of a panel. Raises DataError, SettingError."""
        ahead = request.horizon or self.prepared.layout.horizon
        if self.model.horizon and ahead > self.model.horizon:
            hint = f"train with --horizon {ahead}, or an autoregressive model such as --model lstm"
            what = f"the model forecasts {self.model.horizon} steps at once, not {ahead}"
            raise SettingError(what, where="--horizon", hint=hint)
        longest = max(ahead, self.model.horizon)
        inputs = self._inputs(
            panel.with_known_until(ahead, longest),
            replace(self.prepared.layout, horizon=longest),
            longest,
        )
        origins = np.array(
            [(number, len(one)) for number, one in enumerate(panel.series)], np.int64
        )
        predicted = self._forecast(inputs, origins, request.seed)
        columns = {"mean": predicted.mean} | self.conformal.columns(predicted)
        return [
            SeriesForecast(
                one.name,
                channel,
                panel.frequency.ahead(one.times[-1], ahead),
                {name: values[number, :ahead, place] for name, values in columns.items()},
            )
            for number, one in enumerate(panel.series)
            for place, channel in enumerate(panel.channels)
        ]

    def frame(self, frame: Any, horizon: int | None = None) -> Any:
        """Forecast a data frame; the result is a data frame of the same library.

        Its columns are unique_id, ds, channel, mean, median, lo_80, hi_80, lo_95 and hi_95.
        """
        import narwhals

        next(read_frame_rows(frame), None)  # raises DataError if it is no data frame
        library = narwhals.from_native(frame, eager_only=True, allow_series=True).implementation
        return as_frame(self.forecast(frame, horizon), library)

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
        known = self.prepared.panel
        reading = self.settings.data
        later = read_like(known, reading, lambda own: read_panel(list(paths), own, like=known))
        panel, first = append(self.prepared.all_series, later)
        layout = self.prepared.layout
        origins = find_later_origins(panel, layout, first, str(paths[0]))
        inputs = self._inputs(panel, layout, 0)
        observed = [one.observed for one in panel.series]
        pairs = zip(observed, first, strict=True)
        before = [one[: max(begin, layout.min_context)] for one, begin in pairs]
        # A series that the run does not know has the spread of all of its steps.
        ends = zip(known.series, self.prepared.ends("train"), strict=True)
        train = {one.name: one.observed[:end] for one, end in ends}
        names = [one.name for one in panel.series]
        spreads = [train.get(name, own) for name, own in zip(names, observed, strict=True)]
        scales = Scales.of(origins, before, spreads, layout.season)
        scored = score(
            self._forecast(inputs, origins, None), inputs.targets(origins), scales, self.conformal
        )
        metrics, intervals, _ = compute_block_metrics(
            scored, number_blocks(origins, layout.horizon)
        )
        scored_series = set(origins[:, 0].tolist())
        skipped = [
            {"series": one.name, "steps": len(one) - begin}
            for number, (one, begin) in enumerate(zip(panel.series, first, strict=True))
            if number not in scored_series
        ]
        details = {"forecasts": len(origins), "series": len(scored_series), "skipped": skipped}
        details |= {"warnings": describe_differences(self.prepared, panel, later, first)}
        return Scored(metrics, intervals, details)

    def load_panel(self, data: Any) -> Panel:
        """Read the series of a file or a data frame; without any, get those of the training."""
        if data is None:
            return self.prepared.panel
        return read_later(self.prepared.panel, self.settings.data, data)

    def _inputs(self, panel: Panel, layout: Layout, ahead: int) -> WindowGatherer:
        scaling = get_scaling(self.settings.model)
        return WindowGatherer(panel, layout, self.prepared.covariates, scaling, ahead)

    def _forecast(self, inputs: WindowGatherer, origins: Origins, seed: int | None) -> Forecast:
        seed = self.settings.seed if seed is None else seed
        return forecast(self.model, inputs, origins, seed=seed, paths=self.settings.sample_paths)


def open_forecaster(run: Run, settings: ForecastSettings) -> ForecastModel:
    """Open the forecaster of a run. Raises RunError where its files are damaged."""
    prepared = DATA.load(run)
    sizes = Sizes.of(prepared.inputs())

    def mix(models: Sequence[Any], arrays: Mapping[str, np.ndarray]) -> QuantilePool:
        return QuantilePool(models, np.full((len(models), sizes.horizon), 1 / len(models)))

    model, members = open_model(run, settings, lambda one, _: one.model.build(sizes), mix)
    settings = members[0] if len(members) == 1 else settings
    conformal = open_calibration(run, ConformalIntervals.from_json, UNCALIBRATED)
    return ForecastModel(run, settings, prepared, model, conformal)
