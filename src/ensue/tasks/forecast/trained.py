"""A run of `forecast`, opened: forecasts with intervals, and their figures on other data."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ensue.atomic_io import format_errors
from ensue.data.series.backtest import MOST_ORIGINS, Layout, Origins
from ensue.data.series.joining import append, read_like, refuse_unlike
from ensue.data.series.panel import Panel, SeriesSettings
from ensue.data.series.windows import WindowGatherer
from ensue.data.tables.series import build_panel, read_panel
from ensue.data.tables.series_checks import list_names
from ensue.data.tables.sources import read_frame
from ensue.data.tables.times import format_time
from ensue.errors import DataError, SettingError
from ensue.evaluation.forecasting.conformal import UNCALIBRATED, ConformalIntervals
from ensue.evaluation.forecasting.distributions import Forecast
from ensue.evaluation.forecasting.metrics import (
    Scales,
    compute_block_metrics,
    naive_scale,
    observed_spread,
    score,
)
from ensue.models.baselines.window_features import WindowModel
from ensue.models.parameters import load_into
from ensue.tasks.cached import limit_model_size
from ensue.tasks.contract import Trained
from ensue.tasks.forecast.backtest import build
from ensue.tasks.forecast.data import CODEC, Prepared, load
from ensue.tasks.forecast.predicting import blocks_of, forecast
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.in_memory import as_paths
from ensue.tasks.results import Scored
from ensue.training.folder.run import WEIGHTS, Run

CALIBRATION = "calibration.json"


@dataclass(frozen=True)
class SeriesForecast:
    """What is to come of one series, one number of its steps: times, and figures at each of
    them."""

    series: str
    channel: str
    times: np.ndarray
    forecast: Mapping[str, np.ndarray]
    """mean, median, lo_80, hi_80, lo_95, hi_95."""

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        times = list(map(format_time, self.times))
        figures = {name: values.tolist() for name, values in self.forecast.items()}
        return {"series": self.series, "channel": self.channel, "times": times, **figures}

    def rows(self) -> Iterator[dict[str, Any]]:
        """Give a row for each step, under the names that other tools use."""
        for place, time in enumerate(self.times):
            row = {"unique_id": self.series, "ds": time, "channel": self.channel}
            yield row | {name: float(values[place]) for name, values in self.forecast.items()}


@dataclass(frozen=True)
class Following:
    """Series that can be forecast, and those that cannot yet."""

    panel: Panel
    short: Mapping[str, int]
    """How many steps each series has that is too short."""
    remarks: Sequence[str]
    """What a person should know of both."""


@dataclass(eq=False)
class ForecastModel(Trained):
    """What a run has learned, ready to use."""

    run: Run
    settings: ForecastSettings
    prepared: Prepared
    model: Any
    bands: ConformalIntervals

    def forecast(
        self, data: Any = None, horizon: int | None = None, seed: int | None = None
    ) -> list[SeriesForecast]:
        """Say what comes after the end of each series: of a file, a data frame, a Panel, or of
        those of the run.

        Rows that go on from series of the run are put after those; series that are still too short
        are left out, with a warning. Raises DataError where a future value of a known column is
        missing, SettingError for too long a horizon.
        """
        given = self.following(data)
        for remark in given.remarks:
            warnings.warn(remark, stacklevel=2)
        return self.ahead(given.panel, horizon, seed)

    def following(self, data: Any = None) -> Following:
        """Give the series of some data behind what the run knows of them; without any, those of
        the run."""
        panel, remarks = self.prepared.whole, []
        if data is not None:
            later = self.panel_of(data)
            panel, first = append(panel, later)
            remarks = self._odd(panel, later, first)
        least = self.prepared.layout.min_context
        short = {one.name: len(one) for one in panel.series if len(one) < least}
        if len(short) == len(panel.series):
            what = f"every series is shorter than the {least} steps that a forecast needs"
            raise DataError(what, where=panel.series[0].name, hint="give longer series")
        if short:
            names = list_names([f"{name!r} ({count})" for name, count in short.items()])
            remarks.insert(
                0,
                (
                    f"series shorter than the {least} steps that a forecast needs, and left "
                    f"out: {names}"
                ),
            )
        return Following(
            panel.with_series([one for one in panel.series if one.name not in short]),
            short,
            remarks,
        )

    def _odd(self, panel: Panel, later: Panel, first: Sequence[int]) -> list[str]:
        """Say of which series of a file a person should know how they were taken; `panel` has
        them, joined."""
        known = {one.name: one for one in self.prepared.whole.series}
        gone: dict[str, list[str]] = {"after": [], "before": [], "changed": [], "new": []}
        learned = {one.name for one in self.prepared.panel.series}
        for one, given, begin in zip(panel.series, later.series, first, strict=True):
            # A single series goes on under another name.
            old = known.get(one.name) or (next(iter(known.values())) if begin else None)
            if (old or one).name not in learned and len(one) >= self.prepared.layout.min_context:
                gone["new"].append(repr(one.name))
            if old is None:
                continue
            there, here = np.intersect1d(old.times, given.times, return_indices=True)[1:]
            other = np.flatnonzero(~np.isclose(old.values[there], given.values[here]).all(1))
            start, end, last = map(format_time, (*one.times[[0, -1]], old.times[-1]))
            if one.times[0] > old.times[0]:
                gone["after"].append(f"{one.name!r} (from {start}, known to {last})")
            elif one.times[-1] < old.times[-1]:
                gone["before"].append(f"{one.name!r} (to {end}, known to {last})")
            if len(other):
                gone["changed"].append(
                    f"{one.name!r} (at {format_time(old.times[there[other[0]]])})"
                )
        what = {
            "after": (
                "series whose rows do not go on from what the run knows, and are forecast "
                "from these rows alone"
            ),
            "before": (
                "series that end before what the run knows of them, and are forecast from there"
            ),
            "changed": (
                "series with other values than the run knows at the same times, which are "
                "taken from here"
            ),
            "new": "series that the run has not learned from",
        }
        return [f"{what[how]}: {list_names(names)}" for how, names in gone.items() if names]

    def ahead(
        self, panel: Panel, horizon: int | None = None, seed: int | None = None
    ) -> list[SeriesForecast]:
        """Say what comes after the end of each series of a panel, as it stands. Raises
        DataError, SettingError."""
        ahead = self.prepared.layout.horizon if horizon is None else horizon
        if ahead < 1:
            raise SettingError(
                f"{ahead} steps are no forecast", where="--horizon", hint="give 1 or more"
            )
        if self.model.horizon and ahead > self.model.horizon:
            hint = (
                f"train with --horizon {ahead}, or a model that goes step by step, such as "
                f"--model lstm"
            )
            what = f"the model forecasts {self.model.horizon} steps at once, not {ahead}"
            raise SettingError(what, where="--horizon", hint=hint)
        longest = max(ahead, self.model.horizon)
        inputs = self._inputs(
            _with_known(panel, ahead, longest),
            replace(self.prepared.layout, horizon=longest),
            longest,
        )
        origins = np.array(
            [(number, len(one)) for number, one in enumerate(panel.series)], np.int64
        )
        told = self._as_forecasts(inputs, origins, seed)
        around = self.bands.intervals(told)
        figures = {"mean": told.mean, "median": told.quantile(0.5)}
        for per_cent, (low, high) in sorted(around.items()):
            figures |= {f"lo_{per_cent}": low, f"hi_{per_cent}": high}
        return [
            SeriesForecast(
                one.name,
                channel,
                panel.frequency.ahead(one.times[-1], ahead),
                {name: values[number, :ahead, place] for name, values in figures.items()},
            )
            for number, one in enumerate(panel.series)
            for place, channel in enumerate(panel.channels)
        ]

    def frame(self, frame: Any, horizon: int | None = None) -> Any:
        """Forecast a data frame, and give one of the same library: unique_id, ds, channel, mean,
        median, lo_80, ..."""
        import narwhals

        library = narwhals.from_native(frame, eager_only=True, allow_series=True).implementation
        return as_frame(self.forecast(frame, horizon), library)

    def evaluate(self, paths: str | Path | Sequence[str | Path] = ()) -> Scored:
        """Score forecasts of other data from rolling origins; of series that were learned, only of
        later steps.

        Without any, gives the figures of the run's own test. Raises DataError.
        """
        paths = as_paths(paths)
        if not paths:
            return self.run.parse("result.json", _of_the_test)
        known = self.prepared.panel
        later = self._read(lambda settings: read_panel(list(paths), settings, like=known))
        panel, first = append(self.prepared.whole, later)
        layout = self.prepared.layout
        origins = _rolling(panel, layout, first, str(paths[0]))
        inputs = self._inputs(panel, layout, 0)
        pairs = zip(panel.series, first, strict=True)
        naive = np.stack(
            [
                naive_scale(one.observed[: max(begin, layout.min_context)], layout.season)
                for one, begin in pairs
            ]
        )
        spread = self._spread(panel)
        scales = Scales(naive[origins[:, 0]], spread[origins[:, 0]])
        scored = score(
            self._as_forecasts(inputs, origins, None), inputs.targets(origins), scales, self.bands
        )
        metrics, intervals, _ = compute_block_metrics(scored, blocks_of(origins, layout.horizon))
        scored_of = set(origins[:, 0].tolist())
        left_out = [
            {"series": one.name, "steps": len(one) - begin}
            for number, (one, begin) in enumerate(zip(panel.series, first, strict=True))
            if number not in scored_of
        ]
        details = {"forecasts": len(origins), "series": len(scored_of), "skipped": left_out}
        details |= {"look_at": self._odd(panel, later, first)}
        return Scored(metrics, intervals, details)

    def panel_of(self, data: Any) -> Panel:
        """Read the series of a file or a data frame; without any give those that were learned."""
        if data is None:
            return self.prepared.panel
        if isinstance(data, Panel):
            panel = data
        elif isinstance(data, str | Path):
            return self._read(
                lambda settings: read_panel([Path(data)], settings, like=self.prepared.panel)
            )
        else:
            frame = read_frame(data, self.settings.data, like=self.prepared.panel)
            return self._read(
                lambda settings: build_panel([frame], settings, like=self.prepared.panel)
            )
        refuse_unlike(self.prepared.panel, panel)
        return panel

    def _read(self, read: Callable[[SeriesSettings], Panel]) -> Panel:
        return read_like(self.prepared.panel, self.settings.data, read)

    def _inputs(self, panel: Panel, layout: Layout, ahead: int) -> WindowGatherer:
        head = getattr(self.model, "head", None)
        return WindowGatherer(
            panel, layout, self.prepared.covariates, head.scaling if head else "standard", ahead
        )

    def _as_forecasts(self, inputs: WindowGatherer, origins: Origins, seed: int | None) -> Forecast:
        seed = self.settings.seed if seed is None else seed
        return forecast(self.model, inputs, origins, seed=seed, paths=self.settings.sample_paths)

    def _spread(self, panel: Panel) -> np.ndarray:
        """Give the spread that errors are scaled by: that of the training part, or of the file
        for another series."""
        pairs = zip(self.prepared.panel.series, self.prepared.ends("train"), strict=True)
        learned = {one.name: observed_spread(one.observed[:end]) for one, end in pairs}
        return np.stack(
            [learned.get(one.name, observed_spread(one.observed)) for one in panel.series]
        )


def _of_the_test(result: Mapping[str, Any]) -> Scored:
    details = {name: result["details"][name] for name in ("forecasts", "series")}
    return Scored(result["metrics"], result["rows"][-1]["intervals"], details)


def as_frame(told: Sequence[SeriesForecast], library: Any) -> Any:
    """Give forecasts as a data frame of a library: unique_id, ds, channel, mean, median, lo_80,
    ..."""
    import narwhals

    rows = [row for one in told for row in one.rows()]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["ds"] = [
        time.item() if isinstance(time, np.datetime64) else int(time) for time in columns["ds"]
    ]
    return narwhals.from_dict(columns, backend=library).to_native()


def open_forecaster(run: Run, settings: ForecastSettings) -> ForecastModel:
    """Open what a run has learned."""
    prepared = load(run)
    with format_errors(str(run.path / CODEC)), limit_model_size(run):
        model, _ = build(settings.model, prepared)
    load_into(model, run.read_arrays(), str(run.path / WEIGHTS))
    if isinstance(
        model, WindowModel
    ):  # only one that is asked tells whether features and weights go together
        with format_errors(str(run.path / WEIGHTS)):
            inputs = prepared.inputs("standard")
            model.normal(inputs.batch(prepared.origins("test")[:1]).map(torch.from_numpy))
    # What fails between a training and its calibration leaves a model whose intervals stay as they
    # are.
    bands = (
        run.parse(CALIBRATION, ConformalIntervals.from_json)
        if run.has(CALIBRATION)
        else UNCALIBRATED
    )
    return ForecastModel(run, settings, prepared, model, bands)


def _rolling(panel: Panel, layout: Layout, first: Sequence[int], where: str) -> Origins:
    found: list[tuple[int, int]] = []
    for number, (one, begin) in enumerate(zip(panel.series, first, strict=True)):
        origins = range(max(begin, layout.min_context), len(one) - layout.horizon + 1)
        found += [(number, origin) for origin in origins[:: -(-len(origins) // MOST_ORIGINS) or 1]]
    if not found:
        longest, begin = max(
            zip(panel.series, first, strict=True), key=lambda pair: len(pair[0]) - pair[1]
        )
        what = (
            f"no series has {layout.horizon} steps to score that the run has not learned, "
            f"after {layout.min_context} of the"
        )
        what += (
            f" past: {longest.name!r} has {len(longest)} steps, {len(longest) - begin} of them new"
        )
        raise DataError(what, where=where, hint="give longer series")
    return np.array(found, np.int64)


def _with_known(panel: Panel, ahead: int, longest: int) -> Panel:
    """Repeat the last known values where a model looks further ahead than is asked for: those
    steps are not told."""
    if ahead == longest or not panel.known:
        return panel
    series = []
    for one in panel.series:
        more = (
            max(len(one) + longest - len(one.known), 0) if len(one.known) >= len(one) + ahead else 0
        )
        series.append(
            replace(one, known=np.concatenate([one.known, np.repeat(one.known[-1:], more, axis=0)]))
        )
    return panel.with_series(series)
