"""Panels of series: targets, known, past and static covariates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ensue.data.dataset import check_offsets
from ensue.data.readers.named_parts import PartFiles
from ensue.data.series.frequency import WORKDAY, Frequency, Times
from ensue.settings import Flag

Values = NDArray[np.float64]


class SeriesSettings(PartFiles):
    """How time series are read from files."""

    id: Annotated[str, Flag()] = ""
    """Column of series ids; by default `unique_id`, or the only column of words."""
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
        return self.with_series([self.series[number] for number in numbers]), self.with_series(
            others
        )

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all numbers and times as named arrays, one series after the other."""
        several = self.series
        times = np.concatenate([one.times for one in several])
        return {
            "times": times.astype(np.int64),
            "offsets": np.cumsum([0, *map(len, several)]),
            "known_offsets": np.cumsum([0, *(len(one.known) for one in several)]),
            "values": np.concatenate([one.values for one in several]),
            "known": np.concatenate([one.known for one in several]),
            "past": np.concatenate([one.past for one in several]),
            "filled": np.concatenate([one.filled for one in several]).astype(np.uint8),
        }

    def to_json(self) -> dict[str, Any]:
        """Return what `to_arrays` leaves out, as plain JSON values."""
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
    def of(cls, arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> Panel:
        """Build the panel that returned `to_arrays` and `to_json`. Raises ValueError."""
        times = np.array(arrays["times"])
        times = times.astype("datetime64[s]") if values["dated"] else times
        offsets, beyond = arrays["offsets"], arrays["known_offsets"]
        _check(arrays, values)
        series = []
        for number, (name, static) in enumerate(
            zip(values["names"], values["statics"], strict=True)
        ):
            steps = slice(int(offsets[number]), int(offsets[number + 1]))
            ahead = slice(int(beyond[number]), int(beyond[number + 1]))
            own = {"values": steps, "known": ahead, "past": steps}
            parts = {name: np.array(arrays[name][rows]) for name, rows in own.items()}
            one = Series(name, times[steps], **parts, static=tuple(static))
            filled = (
                np.array(arrays["filled"][steps], np.bool_) if "filled" in arrays else one.filled
            )
            series.append(replace(one, filled=filled))
            if (np.diff(one.times.astype(np.int64)) <= 0).any():
                raise ValueError(f"the times of {name!r:.80} do not follow each other")
        columns = {name: tuple(names) for name, names in values["columns"].items()}
        base, every, on = values["frequency"]
        frequency = TypeAdapter(Frequency).validate_python({"base": base, "every": every, "on": on})
        if not 1 <= frequency.every <= LONGEST_STEP or not WORKDAY <= frequency.on <= 31:
            raise ValueError("the frequency is out of range")
        return cls(tuple(series), frequency, **columns, roles=values["roles"])


LONGEST_STEP = 10**10
"""Seconds of a step, or units of an integer: above that, times overflow."""


def _check(arrays: Mapping[str, NDArray[Any]], values: Mapping[str, Any]) -> None:
    """Raise ValueError for arrays and values that no panel returns."""
    count, width = (
        len(values["names"]),
        {name: len(names) for name, names in values["columns"].items()},
    )
    texts = [values["names"], *values["columns"].values()]
    if not all(isinstance(text, str) for names in texts for text in names) or not isinstance(
        values["roles"], dict
    ):
        raise ValueError("the names of series and columns are not texts")
    if len(set(values["names"])) < count or any(
        len(row) != width["static"] for row in values["statics"]
    ):
        raise ValueError("the names or static columns do not fit the series")
    if not all(isinstance(one, str | int | float) for row in values["statics"] for one in row):
        raise ValueError("a static column holds neither texts nor numbers")
    for name in ("offsets", "known_offsets"):
        check_offsets(arrays[name], name)
        if len(arrays[name]) != count + 1:
            raise ValueError(f"the {name} are not those of {count} series")
    steps, ahead = (int(arrays[name][-1]) for name in ("offsets", "known_offsets"))
    shapes = {
        "values": (steps, width["channels"]),
        "past": (steps, width["past"]),
        "known": (ahead, width["known"]),
    }
    for name, shape in shapes.items():
        if arrays[name].dtype != np.float64 or arrays[name].shape != shape:
            raise ValueError(f"{name} holds other numbers than those of the series")
    if arrays["times"].dtype != np.int64 or arrays["times"].shape != (steps,):
        raise ValueError("the times are not those of the series")
    if not np.isfinite(arrays["values"]).all():
        raise ValueError("a value is not finite")
    if "filled" in arrays and (
        arrays["filled"].dtype != np.uint8 or arrays["filled"].shape != shapes["values"]
    ):
        raise ValueError("filled does not fit the values of the series")
    if width["known"] and (np.diff(arrays["known_offsets"]) < np.diff(arrays["offsets"])).any():
        raise ValueError("the known covariates end before the series")
