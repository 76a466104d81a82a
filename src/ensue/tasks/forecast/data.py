"""Read the series of a run of `forecast`, lay out the backtest, and save both in the run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ensue.atomic_io import write_errors
from ensue.data.contract import Finding, Listener
from ensue.data.demos import demo_name, write_demo
from ensue.data.prepare import fingerprint
from ensue.data.series.backtest import Layout, Origins, describe, find_origins, get_span, lay_out
from ensue.data.series.panel import Panel
from ensue.data.series.parts import read_series_of_parts
from ensue.data.series.windows import Covariates, Scaling, WindowGatherer
from ensue.evaluation.forecasting.metrics import Scales, naive_scale, observed_spread
from ensue.evaluation.forecasting.naive import errors_spread
from ensue.models.forecaster_contract import Sizes
from ensue.models.names import is_network
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.contract import Callback, Note
from ensue.training.folder.run import Run

SERIES, SHORT, CODEC, DEMO = "series.safetensors", "short.safetensors", "codec.json", "ball"


@dataclass(frozen=True)
class Prepared:
    """The series of a run with the layout of its backtest."""

    panel: Panel
    layout: Layout
    covariates: Covariates
    short: Panel
    """Series too short to train on; later rows may continue them, and then they can be forecast."""

    @property
    def all_series(self) -> Panel:
        """All series, including those that are too short to train on."""
        return self.panel.with_series([*self.panel.series, *self.short.series])

    def inputs(self, scaling: Scaling) -> WindowGatherer:
        """Make the windows that are the input of a model."""
        return WindowGatherer(self.panel, self.layout, self.covariates, scaling)

    def origins(self, part: str) -> Origins:
        """Get the origins of the forecasts of a part, rows of (series, step)."""
        return find_origins(self.panel, self.layout, part)

    def ends(self, part: str) -> list[int]:
        """Get the step of each series where a part ends: "train", "rehearsal" or "test".

        For "rehearsal" and "test" it is the end of everything before that part.
        """
        if part == "rehearsal":
            return [get_span(len(one), self.layout, part, 0)[0] for one in self.panel.series]
        after = self.layout.test + (self.layout.validation_steps if part == "train" else 0)
        return [max(len(one) - after, 0) for one in self.panel.series]

    def sizes(self, inputs: WindowGatherer) -> Sizes:
        """Get the input and output sizes that models are built for."""
        layout = self.layout
        return Sizes(
            **inputs.shape, window=layout.window, horizon=layout.horizon, season=layout.season
        )

    def scales(self, of: Origins) -> Scales:
        """Compute the scales of errors (naive error, spread), from data before the test alone."""
        pairs = list(zip(self.panel.series, self.ends("test"), self.ends("train"), strict=True))
        naive = np.stack(
            [naive_scale(one.observed[:end], self.layout.season) for one, end, _ in pairs]
        )
        spread = np.stack([observed_spread(one.observed[: max(end, 2)]) for one, _, end in pairs])
        return Scales(naive[of[:, 0]], spread[of[:, 0]])

    def step_spreads(self) -> list[Any]:
        """Compute the spread of the changes of each series before the test.

        Changes are from step to step, and from season to season.
        """
        ends = zip(self.panel.series, self.ends("test"), strict=True)
        return [
            {
                season: errors_spread(one.observed[:end], season)
                for season in (1, self.layout.season)
            }
            for one, end in ends
        ]

    def to_json(self) -> dict[str, Any]:
        """Give everything except the numbers as plain JSON values."""
        parts = {"panel": self.panel.to_json(), "layout": self.layout.to_json()}
        return parts | {"covariates": self.covariates.to_json(), "short": self.short.to_json()}


def prepare(
    run: Run, settings: ForecastSettings, data: Sequence[Path], on_event: Callback
) -> Prepared:
    """Read the series into the run, which needs its sources no more. Raises DataError."""
    if run.has(CODEC):
        return load(run)
    findings: list[Finding] = []
    listener = Listener(findings.append)
    name = demo_name(data, "forecast", DEMO)
    if name:
        with write_errors(run.cache):
            run.cache.mkdir(exist_ok=True)
    reading = settings.data.model_copy(update=DEMO_COLUMNS.get(name, {})) if name else settings.data
    sources = [write_demo(name, run.cache)] if name else data
    panel, backtest, files = read_series_of_parts(sources, reading, settings.backtest, listener)
    settings = settings.model_copy(update={"backtest": backtest})
    prepared = lay_out_panel(run, settings, panel, fingerprint(files, listener.on_finding))
    for finding in findings:
        on_event(Note(str(finding)))
    on_event(Note(describe(prepared.panel, prepared.layout, prepared.short)))
    return prepared


def lay_out_panel(
    run: Run, settings: ForecastSettings, panel: Panel, files: Mapping[str, Any]
) -> Prepared:
    """Lay out the backtest and save the series in the run; `files` are their fingerprints.

    Raises DataError.
    """
    where = next(iter(files), "series")
    layout, long = lay_out(panel, settings.backtest, not is_network(settings.model), where)
    panel, short = panel.parted(long)
    ends = [max(len(one) - layout.test - layout.validation_steps, 0) for one in panel.series]
    prepared = Prepared(panel, layout, Covariates.fit(panel, ends), short)
    run.write_arrays(panel.to_arrays(), SERIES)
    if short.series:
        run.write_arrays(short.to_arrays(), SHORT)
    run.describe({"data": {"format": "series", "files": dict(files), "steps": panel.steps}})
    run.write(CODEC, json.dumps(prepared.to_json()).encode())
    return prepared


DEMO_COLUMNS = {"ball": {"id": "ball", "time": "step", "target": ("x", "y")}}
"""Columns of a demo that cannot be guessed."""


def load(run: Run) -> Prepared:
    """Load what `prepare` saved in a run. Raises RunError where it is damaged."""
    arrays = run.read_arrays(SERIES)

    def parse(values: Any) -> Prepared:
        panel = Panel.of(arrays, values["panel"])
        short = (
            Panel.of(run.read_arrays(SHORT), values["short"])
            if run.has(SHORT)
            else panel.with_series([])
        )
        covariates = Covariates.from_json(values["covariates"], panel)
        layout = Layout.from_json(values["layout"])
        if not panel.series or any(
            len(one) < layout.min_context + layout.test for one in panel.series
        ):
            raise ValueError("a series is shorter than context and test together")
        return Prepared(panel, layout, covariates, short)

    return run.parse(CODEC, parse)
