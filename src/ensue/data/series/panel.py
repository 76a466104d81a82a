"""Panels of series: targets, known, past and static covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ensue.data.dataset import Examples
from ensue.data.readers.named_parts import PartFiles
from ensue.data.series.frequency import WORKDAY, Frequency, Times
from ensue.settings import Flag

Values = NDArray[np.float64]


class SeriesSettings(PartFiles):
    """How time series are read from files."""

    id: Annotated[str, Flag()] = ""
    """Column of series ids; by default `unique_id`, `series_id`, `item_id` or `id`, or the only
    column of words."""
    time: Annotated[str, Flag()] = ""
    """Column of times: dates, months, quarters, integers; by default `ds`, or the first such."""
    target: Annotated[tuple[str, ...], Flag()] = ()
    """Target columns (channels); by default `y`, or each column of numbers as a series."""
    known_covariates: Annotated[tuple[str, ...], Flag()] = ()
    """Columns of numbers whose future is known at forecast time, such as prices or holidays."""
    past_covariates: Annotated[tuple[str, ...], Flag()] = ()
    """Columns of numbers of which only the past is known."""
    static_covariates: Annotated[tuple[str, ...], Flag()] = ()
    """Columns of numbers or words that are constant within a series."""
    freq: Annotated[str, Flag()] = ""
    """Frequency, such as month, day or "15 minutes"; by default the most common one in the data."""
    fill: Annotated[Literal["", "previous", "zero"], Flag()] = ""
    """Fill for missing steps and empty cells: previous or zero; by default they are an error."""
    day_first: bool | None = None
    """Whether 03/04/2026 is in April; by default any date with a day after the 12th decides."""
    decimal: Literal["", ".", ","] = ""
    """Decimal mark; the other one, spaces or ' divide thousands. By default each column decides."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""


@dataclass(frozen=True)
class Series:
    """One series: its steps in order, without gaps."""

    name: str
    times: Times
    values: Values
    """(steps, channels)."""
    known: Values
    """(steps and perhaps more, known): rows past the last step are of the future."""
    past: Values
    """(steps, past)."""
    static: tuple[Any, ...] = ()
    filled: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), np.bool_))
    """(steps, channels): true where a missing value was filled in; all false by default."""

    def __post_init__(self) -> None:
        if not self.filled.size:
            object.__setattr__(self, "filled", np.zeros(self.values.shape, np.bool_))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def observed(self) -> Values:
        """The values, NaN where they were filled in: metrics count only measured values."""
        return np.where(self.filled, np.nan, self.values)

    def until(self, end: int) -> Series:
        """Return the series as it was before step `end`."""
        names = ("times", "values", "known", "past", "filled")
        return replace(self, **{name: getattr(self, name)[:end] for name in names})


@dataclass(frozen=True)
class Panel:
    """Series that one model is trained on."""

    series: tuple[Series, ...]
    frequency: Frequency
    channels: tuple[str, ...]
    """The names of the channels of each step."""
    known: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    roles: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """How the table was read, as plain JSON values: its columns, and their formats."""

    @property
    def steps(self) -> int:
        """Count the steps of all series."""
        return sum(map(len, self.series))

    def with_series(self, series: Sequence[Series]) -> Panel:
        """Return the panel with other series."""
        return replace(self, series=tuple(series))

    def parted(self, numbers: Sequence[int]) -> tuple[Panel, Panel]:
        """Return the panel with the series of these numbers, and the panel with the others."""
        chosen = set(numbers)
        others = [one for number, one in enumerate(self.series) if number not in chosen]
        own = [self.series[number] for number in numbers]
        return self.with_series(own), self.with_series(others)

    def streams(self, name: str) -> dict[str, Examples]:
        """Return all numbers and times: a stream of the steps, and one of the known covariates."""
        if not self.series:
            return {}
        several = self.series
        fields = {
            one: np.concatenate([getattr(series, one) for series in several])
            for one in ("times", "values", "past", "filled", "known")
        }
        steps = {**fields, "times": fields["times"].astype(np.int64)}
        known = {"known": steps.pop("known")}
        return {
            name: Examples(np.cumsum([0, *map(len, several)]), steps, {}),
            f"{name}.known": Examples(np.cumsum([0, *(len(s.known) for s in several)]), known, {}),
        }

    def to_json(self) -> dict[str, Any]:
        """Return what `streams` leaves out, as plain JSON values."""
        return {
            "names": [one.name for one in self.series],
            "statics": [list(one.static) for one in self.series],
            "dated": bool(len(self.series) and self.series[0].times.dtype.kind == "M"),
            "frequency": [self.frequency.base, self.frequency.every, self.frequency.on],
            "columns": {
                name: list(getattr(self, name)) for name in ("channels", "known", "past", "static")
            },
            "roles": dict(self.roles),
        }

    @classmethod
    def of(cls, streams: Mapping[str, Examples], name: str, values: Mapping[str, Any]) -> Panel:
        """Build the panel that returned `streams` and `to_json`. Raises ValueError."""
        steps, known = streams[name], streams[f"{name}.known"]
        _check(steps, known, values)
        times = np.array(steps.steps["times"])
        times = times.astype("datetime64[s]") if values["dated"] else times
        series = []
        rows = zip(values["names"], values["statics"], pairwise(steps.offsets), strict=True)
        for (own, static, (begin, end)), ahead in zip(rows, pairwise(known.offsets), strict=True):
            fields = {
                one: np.array(steps.steps[one][begin:end]) for one in ("values", "past", "filled")
            }
            fields["known"] = np.array(known.steps["known"][slice(*ahead)])
            series.append(Series(own, times[begin:end], **fields, static=tuple(static)))
            if (np.diff(times[begin:end].astype(np.int64)) <= 0).any():
                raise ValueError(f"the times of {own!r:.80} do not follow each other")
        columns = {name: tuple(names) for name, names in values["columns"].items()}
        base, every, on = values["frequency"]
        frequency = TypeAdapter(Frequency).validate_python({"base": base, "every": every, "on": on})
        if not 1 <= frequency.every <= LONGEST_STEP or not WORKDAY <= frequency.on <= 31:
            raise ValueError("the frequency is out of range")
        return cls(tuple(series), frequency, **columns, roles=values["roles"])


LONGEST_STEP = 10**10
"""Seconds of a step, or units of an integer: above that, times overflow."""


def _check(of_steps: Examples, known: Examples, values: Mapping[str, Any]) -> None:
    """Raise ValueError for streams and values that no panel returns."""
    count = len(values["names"])
    width = {name: len(names) for name, names in values["columns"].items()}
    texts = [values["names"], *values["columns"].values()]
    named = all(isinstance(text, str) for names in texts for text in names)
    if not named or not isinstance(values["roles"], dict):
        raise ValueError("the names of series and columns are not texts")
    widths = {len(row) for row in values["statics"]}
    if len(set(values["names"])) < count or widths - {width["static"]}:
        raise ValueError("the names or static columns do not fit the series")
    if not all(isinstance(one, str | int | float) for row in values["statics"] for one in row):
        raise ValueError("a static column holds neither texts nor numbers")
    if len(of_steps) != count or len(known) != count:
        raise ValueError(f"the offsets are not those of {count} series")
    arrays, steps = {**of_steps.steps, **known.steps}, int(of_steps.offsets[-1])
    shapes = {
        "values": (steps, width["channels"]),
        "past": (steps, width["past"]),
        "known": (int(known.offsets[-1]), width["known"]),
    }
    for name, shape in shapes.items():
        if arrays[name].dtype != np.float64 or arrays[name].shape != shape:
            raise ValueError(f"{name} holds other numbers than those of the series")
        if not np.isfinite(arrays[name]).all():
            raise ValueError(f"a number of {name} is not finite")
    if arrays["times"].dtype != np.int64 or arrays["times"].ndim != 1:
        raise ValueError("the times are not those of the series")
    if arrays["filled"].dtype != np.bool_ or arrays["filled"].shape != shapes["values"]:
        raise ValueError("filled does not fit the values of the series")
    if width["known"] and (known.lengths < of_steps.lengths).any():
        raise ValueError("the known covariates end before the series")
