"""The series of a run, with the layout of its backtest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Finding
from ensue.data.dataset import Array, Dataset, Examples, Prepared
from ensue.data.series.backtest import (
    BacktestSettings,
    Layout,
    Origins,
    describe,
    find_origins,
    get_span,
    lay_out,
)
from ensue.data.series.joining import append
from ensue.data.series.panel import Panel
from ensue.data.series.windows import Covariates, Scaling, WindowGatherer
from ensue.data.tables.series_checks import list_names
from ensue.data.tables.times import format_time
from ensue.errors import DataError


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
    run: SeriesParts | None = None
    """The series of the run that these continue, if they do."""
    begins: Sequence[int] = ()
    """The first new step of each series that continues those of a run; the test begins there."""

    @property
    def all_series(self) -> Panel:
        """All series, including those that are too short to train on."""
        return self.panel.with_series([*self.panel.series, *self.short.series])

    def continued(self, later: Panel) -> tuple[Self, list[str]]:
        """Append later series to those of the run, and describe what differs from these."""
        panel, begins = append(self.all_series, later)
        notes = describe_differences(self, panel, later, begins)
        return replace(self, panel=panel, run=self, begins=begins), notes

    def refuse_fractions(self) -> None:
        """Raise DataError where a value is no count, for a head that needs counts."""
        for one in self.panel.series:
            if len(bad := np.argwhere((one.values < 0) | (one.values != np.round(one.values)))):
                value, time = one.values[tuple(bad[0])], format_time(one.times[bad[0][0]])
                hint = "give counts, or another head, such as --set model.head=student"
                what = f"{value:g} at {time} is not a count, which the head needs"
                raise DataError(what, where=one.name, hint=hint)

    def training_values(self) -> list[NDArray[np.float64]]:
        """Get the measured values of the training part of each series; of an unknown one, all."""
        run = self.run or self
        ends = zip(run.panel.series, run.ends("train"), strict=True)
        known = {one.name: one.observed[: max(end, 2)] for one, end in ends}
        return [known.get(one.name, one.observed) for one in self.panel.series]

    def sample(self, every: int) -> Self:
        """Keep one in `every` origins of each part."""
        return replace(self, every=every)

    @cached_property
    def _gatherer(self) -> WindowGatherer:
        return WindowGatherer(self.panel, self.layout, self.covariates)

    def inputs(self, model: Any = None) -> WindowGatherer:
        """Get the windows that are the input of a model, given by its settings."""
        return self._gatherer.rescaled(get_scaling(model))

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

        For "rehearsal" and "test" it is the end of everything before that part. Of series that
        continue those of a run all is before their new steps, and one context at least.
        """
        if self.run:
            return [max(begin, self.layout.min_context) for begin in self.begins]
        spans = [get_span(len(one), self.layout, part, 0) for one in self.panel.series]
        return [max(end if part == "train" else first, 0) for first, end, _ in spans]

    def refits(
        self, origins: Origins, part: str, every: int
    ) -> list[tuple[list[int], NDArray[np.int64]]]:
        """Get the refits of a part, one every `every` strides: the ends of their data, and rows.

        `origins` in these rows are forecast with it. The data of a series ends at most where the
        series does; in a rehearsal, at most where its test begins.
        """
        begins, steps = np.array(self.ends(part)), every * self.layout.stride
        limits = self.ends("test") if part == "rehearsal" else [*map(len, self.panel.series)]
        numbers = (origins[:, 1] - begins[origins[:, 0]]) // steps
        return [
            (
                np.minimum(begins + number * steps, limits).tolist(),
                np.flatnonzero(numbers == number),
            )
            for number in np.unique(numbers)
        ]

    @property
    def codecs(self) -> dict[str, Any]:
        """Everything except the numbers, as plain JSON values."""
        parts = {"panel": self.panel.to_json(), "layout": self.layout.to_json()}
        return parts | {"covariates": self.covariates.to_json(), "short": self.short.to_json()}

    @property
    def streams(self) -> dict[str, Examples]:
        """The steps of the series, and their known covariates; those of short series apart."""
        return self.panel.streams("series") | self.short.streams("short")

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


def prepare_series(
    panel: Panel,
    settings: BacktestSettings,
    fitted: bool,
    files: Mapping[str, Any],
    findings: Sequence[Finding] = (),
) -> Prepared[SeriesParts]:
    """Lay out the backtest of series; `files` are the fingerprints of their files.

    `fitted` models learn without a training loop. Raises DataError.
    """
    layout, long = lay_out(panel, settings, fitted, next(iter(files), "series"))
    panel, short = panel.parted(long)
    ends = [max(len(one) - layout.test - layout.validation_steps, 0) for one in panel.series]
    parts = SeriesParts(panel, layout, Covariates.fit(panel, ends), short)
    about = {"format": "series", "files": dict(files), "steps": panel.steps}
    return Prepared(parts, about, [*findings, describe(panel, layout, short)])


def get_scaling(model: Any) -> Scaling:
    """Get the scaling of windows that the head of a model needs, by its settings."""
    return getattr(getattr(model, "head", None), "scaling", "standard")


def describe_differences(
    run: SeriesParts, panel: Panel, later: Panel, first: Sequence[int]
) -> list[str]:
    """Describe series of `later` that do not simply continue those of the run.

    `panel` has both joined; the new steps of each series begin at `first`.
    """
    known = {one.name: one for one in run.all_series.series}
    groups: dict[str, list[str]] = {"after": [], "before": [], "changed": [], "new": []}
    trained = {one.name for one in run.panel.series}
    for one, given, begin in zip(panel.series, later.series, first, strict=True):
        # A single series may continue under another name.
        old = known.get(one.name) or (next(iter(known.values())) if begin else None)
        if (old or one).name not in trained and len(one) >= run.layout.min_context:
            groups["new"].append(repr(one.name))
        if old is None:
            continue
        there, here = np.intersect1d(old.times, given.times, return_indices=True)[1:]
        changed = np.flatnonzero(~np.isclose(old.values[there], given.values[here]).all(1))
        start, end, last = map(format_time, (*one.times[[0, -1]], old.times[-1]))
        if one.times[0] > old.times[0]:
            groups["after"].append(f"{one.name!r} (from {start}, known to {last})")
        elif one.times[-1] < old.times[-1]:
            groups["before"].append(f"{one.name!r} (to {end}, known to {last})")
        if len(changed):
            time = format_time(old.times[there[changed[0]]])
            groups["changed"].append(f"{one.name!r} (at {time})")
    what = {
        "after": "forecast from the given rows alone, which do not continue those of the run",
        "before": "forecast from the end of the given rows, before that of the run",
        "changed": "given values replace other values of the run at the same times",
        "new": "series that the run was not trained on",
    }
    return [f"{what[group]}: {list_names(names)}" for group, names in groups.items() if names]
