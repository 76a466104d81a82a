"""Read the series of a run of `forecast`, and lay out the backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from ensue.cache import Cache
from ensue.data.contract import Finding, Listener
from ensue.data.dataset import Array, Dataset, Examples, Prepared
from ensue.data.prepare import fingerprint
from ensue.data.series.backtest import Layout, Origins, describe, find_origins, get_span, lay_out
from ensue.data.series.panel import Panel
from ensue.data.series.parts import read_series_of_parts
from ensue.data.series.windows import Covariates, Scaling, WindowGatherer
from ensue.data.tables.times import format_time
from ensue.errors import DataError
from ensue.evaluation.forecasting.metrics import Scales, naive_scale, observed_spread
from ensue.models.distributions import Forecast
from ensue.models.forecaster_contract import Sizes
from ensue.models.names import is_network
from ensue.tasks.cached import DataSource
from ensue.tasks.demos import demo_name, write_demo
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.contract import Callback
from ensue.training.folder.run import Run

DEMO = "ball"


@dataclass(frozen=True)
class SeriesParts(Dataset):
    """The series of a run with the layout of its backtest, which places the parts in time."""

    panel: Panel
    layout: Layout
    covariates: Covariates
    short: Panel
    """Series too short to train on; later rows may continue them, and then they can be forecast."""
    every: int = 1
    """One in so many origins is kept, to estimate the time of all."""
    forecasts: dict[Any, Forecast] = field(default_factory=dict)
    """Forecasts of models that are fitted at each origin, by model and origins."""

    @property
    def all_series(self) -> Panel:
        """All series, including those that are too short to train on."""
        return self.panel.with_series([*self.panel.series, *self.short.series])

    def sample(self, every: int) -> Self:
        """Keep one in `every` origins of each part."""
        return replace(self, every=every)

    @cached_property
    def _gatherer(self) -> WindowGatherer:
        return WindowGatherer(self.panel, self.layout, self.covariates)

    def inputs(self, model: Any = None) -> WindowGatherer:
        """Get the windows that are the input of a model, given by its settings."""
        return self._gatherer.rescaled(get_scaling(model))

    @property
    def channels(self) -> int:
        """Count the channels of each series."""
        return len(self.panel.channels)

    def origins(self, part: str) -> Origins:
        """Get the origins of the forecasts of a part, rows of (series, step)."""
        return find_origins(self.panel, self.layout, part)[:: self.every]

    def origins_before(self, ends: Sequence[int]) -> Origins:
        """Get all origins whose horizon lies before a step of each series, `ends`."""
        layout = self.layout
        pairs = [
            (number, step)
            for number, end in enumerate(ends)
            for step in range(layout.min_context, end - layout.horizon + 1)
        ]
        return np.array(pairs, np.int64).reshape(-1, 2)[:: self.every]

    def ends(self, part: str) -> list[int]:
        """Get the step of each series where a part ends: "train", "rehearsal" or "test".

        For "rehearsal" and "test" it is the end of everything before that part.
        """
        if part == "rehearsal":
            return [get_span(len(one), self.layout, part, 0)[0] for one in self.panel.series]
        after = self.layout.test + (self.layout.validation_steps if part == "train" else 0)
        return [max(len(one) - after, 0) for one in self.panel.series]

    @property
    def sizes(self) -> Sizes:
        """Input and output sizes that models are built for."""
        shape, layout = self.inputs().shape, self.layout
        return Sizes(**shape, window=layout.window, horizon=layout.horizon, season=layout.season)

    def scales(self, of: Origins) -> Scales:
        """Compute the scales of errors (naive error, spread), from data before the test alone."""
        tests, trains = self.ends("test"), self.ends("train")
        scales = {}
        for at in np.unique(of[:, 0]).tolist():
            seen = self.panel.series[at].observed
            naive = naive_scale(seen[: tests[at]], self.layout.season)
            scales[at] = naive, observed_spread(seen[: max(trains[at], 2)])
        rows = [scales[at] for at in of[:, 0].tolist()]
        return Scales(*map(np.stack, zip(*rows, strict=True)))

    @property
    def codecs(self) -> dict[str, Any]:
        """Everything except the numbers, as plain JSON values."""
        parts = {"panel": self.panel.to_json(), "layout": self.layout.to_json()}
        return parts | {"covariates": self.covariates.to_json(), "short": self.short.to_json()}

    @property
    def streams(self) -> dict[str, Examples]:
        """The steps of the series, and their known covariates; those of short series apart."""
        return self.panel.streams("series") | self.short.streams("short")

    def to_json(self) -> dict[str, Any]:
        """Return all but the arrays as plain JSON values."""
        return self.codecs

    @classmethod
    def from_json(
        cls, streams: Mapping[str, Examples], tables: Mapping[str, Array], values: Mapping[str, Any]
    ) -> Self:
        """Restore from `to_json`. Raises ValueError for invalid values."""
        panel, layout = Panel.of(streams, "series", values["panel"]), values["layout"]
        short = panel.with_series([])
        if "short" in streams:
            short = Panel.of(streams, "short", values["short"])
        covariates = Covariates.from_json(values["covariates"], panel)
        made = cls(panel, Layout.from_json(layout), covariates, short)
        least = made.layout.min_context + made.layout.test
        if not panel.series or any(len(one) < least for one in panel.series):
            raise ValueError("a series is shorter than context and test together")
        return made


def get_scaling(model: Any) -> Scaling:
    """Get the scaling of windows that the head of a model needs, by its settings."""
    return getattr(getattr(model, "head", None), "scaling", "standard")


def refuse_fractions(model: Any, data: SeriesParts) -> None:
    """Raise DataError where the head of a model needs counts, and a value is none."""
    for one in data.panel.series if get_scaling(model) == "level" else ():
        if len(bad := np.argwhere((one.values < 0) | (one.values != np.round(one.values)))):
            value, time = one.values[tuple(bad[0])], format_time(one.times[bad[0][0]])
            hint = "give counts, or another head, such as --set model.head=student"
            what = f"{value:g} at {time} is not a count, which the head needs"
            raise DataError(what, where=one.name, hint=hint)


def _read(
    settings: ForecastSettings, files: Sequence[Path], cache: Cache, on_event: Callback, known: Any
) -> Prepared[SeriesParts]:
    findings: list[Finding] = []
    listener = Listener(findings.append)
    name = demo_name(files, "forecast", DEMO)
    reading = settings.data.model_copy(update=DEMO_COLUMNS.get(name, {})) if name else settings.data
    sources = [write_demo(name, cache.folder)] if name else files
    panel, backtest, parts = read_series_of_parts(sources, reading, settings.backtest, listener)
    settings = settings.model_copy(update={"backtest": backtest})
    return lay_out_panel(settings, panel, fingerprint(parts, findings.append), findings)


DATA = DataSource(ForecastSettings, SeriesParts, _read)


def read_into(
    run: Run, settings: ForecastSettings, panel: Panel, findings: Sequence[Finding] = ()
) -> SeriesParts:
    """Write series from memory into the run."""
    prepared = lay_out_panel(settings, panel, {}, findings)
    cache = Cache(run.cache)
    cache.begin()
    prepared.save(cache)
    return prepared.dataset


def lay_out_panel(
    settings: ForecastSettings,
    panel: Panel,
    files: Mapping[str, Any],
    findings: Sequence[Finding] = (),
) -> Prepared[SeriesParts]:
    """Lay out the backtest; `files` are their fingerprints. Raises DataError."""
    where = next(iter(files), "series")
    layout, long = lay_out(panel, settings.backtest, not is_network(settings.model), where)
    panel, short = panel.parted(long)
    ends = [max(len(one) - layout.test - layout.validation_steps, 0) for one in panel.series]
    parts = SeriesParts(panel, layout, Covariates.fit(panel, ends), short)
    about = {"format": "series", "files": dict(files), "steps": panel.steps}
    return Prepared(parts, about, [*findings, describe(panel, layout, short)])


DEMO_COLUMNS = {"ball": {"id": "ball", "time": "step", "target": ("x", "y")}}
"""Columns of a demo that cannot be guessed."""
