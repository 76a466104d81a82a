"""Codec of measured sequences: scaled values, masks of missing values, errors and times.

Measurements become arrays, with channels in columns and NaN for what is missing. Numbers are
standardised channel by channel, with asinh for values over several decades.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from ensue.data.labelled import (
    CHANNEL,
    STANDARD_ERROR,
    TIME,
    Content,
    ContentCodec,
    Encoded,
    Fields,
)
from ensue.errors import DataError, did_you_mean
from ensue.settings import Settings

Floats: TypeAlias = NDArray[np.floating]

Scale: TypeAlias = Literal["auto", "linear", "asinh"]

HEAVY_TAIL_RATIO = 10
"""Ratio of the 99th percentile of sizes to their median from which on asinh is used.

The ratio is 4 for a Gaussian.
"""

FAR = 1e4
"""Bound in standard deviations: a faulty value must not flood a network."""


@dataclass(frozen=True)
class Scaling:
    """x -> (f(x) - mean) / sd for each channel, with f(x) = asinh(x / bend).

    Without a bend, f(x) = x. Fitted without missing values (NaN). A constant channel is only
    centred.

    >>> Scaling.fit(np.array([[1.0, 5.0], [3.0, np.nan]]), "linear")(np.array([[3.0,
    ...     6.0]])).tolist()
    [[1.0, 1.0]]
    """

    bend: list[float | None]
    mean: list[float]
    sd: list[float]

    @classmethod
    def fit(cls, values: Floats, how: Scale) -> Scaling:
        """Fit to values (steps, channels)."""
        scaling = cls([], [], [])
        for channel in values.T:
            known = channel[~np.isnan(channel)].astype(np.float64)
            bend = _fit_bend(np.abs(known), how) if len(known) else None
            bent = _squash(known, bend) if len(known) else np.zeros(1)
            mean, sd = find_moments(bent)
            scaling.bend.append(bend)
            scaling.mean.append(mean)
            scaling.sd.append(sd if sd > 1e-12 * abs(mean) else 1.0)
        return scaling

    def __call__(self, values: Floats) -> Floats:
        """Scale values (steps, channels)."""
        if not self.mean:
            return values
        with np.errstate(over="ignore"):
            channels = zip(values.T, self.bend, strict=True)
            bent = np.stack([_squash(channel, bend) for channel, bend in channels], 1)
            return np.clip((bent - np.array(self.mean)) / np.array(self.sd), -FAR, FAR)


def find_moments(values: Floats) -> tuple[float, float]:
    """Return mean and standard deviation of numbers of any size.

    >>> find_moments(np.array([1e-200, 3e-200])), find_moments(np.array([1e200, 3e200]))
    ((2e-200, 1e-200), (2e+200, 1e+200))
    """
    # The square of a number below 1e-162 is 0. A power of 2 changes no other digit.
    unit = np.ldexp(1.0, int(np.frexp(np.abs(values).max())[1]) - 1)
    scaled = values / unit
    return float(scaled.mean() * unit), float(scaled.std() * unit)


def _fit_bend(sizes: Floats, how: Scale) -> float | None:
    """Return the size from which on asinh compresses values, or None for linear scaling."""
    middle, large = np.quantile(sizes, [0.5, 0.99])
    if how == "linear" or middle <= 0 or (how == "auto" and large < HEAVY_TAIL_RATIO * middle):
        return None
    return float(max(middle, sizes.max() * 1e-12))  # a quotient of training stays finite


def _squash(values: Floats, bend: float | None) -> Floats:
    return values if bend is None else np.arcsinh(values / bend)


CLOSE_SHARE = 0.1
"""Default of `merge_within`, as a share of the median time between two values of one band."""


@dataclass(frozen=True)
class MeasuredFields:
    """Fields of each sequence."""

    values: dict[str, int]
    """Numeric fields of the steps, with their numbers of channels."""
    symbols: list[str]
    constants: list[str]
    """Static numeric fields, with one number for the whole sequence."""
    timed: bool
    has_errors: bool
    """Whether values have standard errors."""
    channels: list[str]
    """Bands that are channels."""
    merge_within: float
    """Values of several bands within this time make one step."""


@dataclass(frozen=True)
class Measured:
    """Arrays of one sequence: values and errors (steps, channels), times (steps,)."""

    values: Floats
    errors: Floats | None
    times: Floats | None


def get_field(content: Content, name: str) -> Any:
    """Return a field. Raises DataError if it is missing."""
    if isinstance(content, str):
        what = "the content is a text, and measurements are expected"
        raise DataError(what, hint="give fields of numbers")
    if name not in content:
        raise DataError(f"there is no field {name!r}", hint=did_you_mean(name, content))
    return content[name]


def infer_fields(
    contents: Sequence[Mapping[str, Any]], side_by_side: bool, merge_within: float | None
) -> MeasuredFields:
    """Infer the role of each field from the first sequence.

    Bands become channels if `side_by_side` is true and steps have no other symbols.
    """
    values: dict[str, int] = {}
    symbols: list[str] = []
    constants: list[str] = []
    for name, value in contents[0].items():
        if np.ndim(value) == 0:
            constants.append(name)
        elif name not in (TIME, CHANNEL, STANDARD_ERROR):
            if np.asarray(value).dtype.kind in "fiub":
                values[name] = 1 if np.ndim(value) == 1 else np.shape(value)[1]
            else:
                symbols.append(name)
    bands = sorted({band for content in contents for band in content.get(CHANNEL, ())})
    timed, has_errors = TIME in contents[0], STANDARD_ERROR in contents[0]
    if bands and (symbols or not side_by_side):  # a step of several bands has no single symbol
        symbols, bands = [*symbols, CHANNEL], []
    if bands and merge_within is None:
        merge_within = compute_usual_interval(contents) * CLOSE_SHARE if timed else 0.0
    return MeasuredFields(values, symbols, constants, timed, has_errors, bands, merge_within or 0.0)


def compute_usual_interval(contents: Iterable[Mapping[str, Any]]) -> float:
    """Return the median time between two values of one band."""
    between = [
        np.diff(np.asarray(content[TIME])[np.array(content[CHANNEL]) == band])
        for content in contents
        for band in set(content[CHANNEL])
    ]
    return float(np.median(np.concatenate(between))) if sum(map(len, between)) else 0.0


def to_arrays(content: Content, fields: MeasuredFields) -> Measured:
    """Build the arrays of a sequence.

    Raises DataError if a field is missing, or has another number of channels.
    """
    columns = [_get_channels(content, name, width) for name, width in fields.values.items()]
    steps = len(columns[0]) if columns else len(get_field(content, fields.symbols[0]))
    values = np.concatenate(columns, 1) if columns else np.zeros((steps, 0))
    errors = _get_channels(content, STANDARD_ERROR, 1) if fields.has_errors else None
    times = np.asarray(get_field(content, TIME), np.float64) if fields.timed else None
    one = Measured(values, errors, times)
    return _spread_bands(one, get_field(content, CHANNEL), fields) if fields.channels else one


def _get_channels(content: Content, name: str, width: int) -> Floats:
    values = np.asarray(get_field(content, name), np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.shape[1] != width:
        what = f"{name!r} has {values.shape[1]} channels where it had {width} in training"
        raise DataError(what, hint="give the same channels")
    return values


def _spread_bands(one: Measured, bands: Sequence[str], fields: MeasuredFields) -> Measured:
    """Give each band a channel of its own; values of bands that training has not are left out."""
    place = {band: number for number, band in enumerate(fields.channels)}
    rows = np.array([row for row, band in enumerate(bands) if band in place], dtype=np.int64)
    band_of = np.array([place[bands[row]] for row in rows], dtype=np.int64)
    times = np.zeros(len(rows)) if one.times is None else one.times[rows]
    step_of = _join(band_of, times, fields.merge_within)
    count = int(step_of.max(initial=-1)) + 1

    def spread(numbers: Floats) -> Floats:
        wide = np.full((count, numbers.shape[1], len(place)), np.nan)
        wide[step_of, :, band_of] = numbers[rows]
        return wide.reshape(count, numbers.shape[1] * len(place))

    first = np.searchsorted(step_of, np.arange(count))
    errors = None if one.errors is None else spread(one.errors)
    return Measured(spread(one.values), errors, None if one.times is None else times[first])


def _join(band_of: NDArray[np.int64], times: Floats, merge_within: float) -> NDArray[np.int64]:
    """Number the steps: a step ends when a band repeats, or when `merge_within` has passed."""
    steps = np.zeros(len(times), np.int64)
    step, began, seen = -1, -np.inf, set[int]()
    for row, (band, time) in enumerate(zip(band_of.tolist(), times.tolist(), strict=True)):
        if band in seen or time - began > merge_within:
            step, began, seen = step + 1, time, set()
        seen.add(band)
        steps[row] = step
    return steps


class Measurements(Settings):
    """How measurements become inputs of a network."""

    name: Literal["measurements"] = "measurements"
    scale: Scale = "auto"
    """Scaling: linear; asinh, which compresses large values of either sign; or auto.

    auto picks asinh for values over several decades.
    """
    bands: Literal["channels", "symbols"] = "channels"
    """Values in bands: each band is a channel, or each value is a step with its band as symbol.

    Symbols are used whenever steps have other symbols too.
    """
    merge_within: float | None = Field(None, ge=0)
    """Time within which values of several bands make one step.

    By default it is a tenth of the median time between two values of one band.
    """


@dataclass(frozen=True)
class Scales:
    """Scales of the fields, fitted on the training part."""

    values: Scaling
    errors: Scaling
    """Scaling of the logarithms of the errors."""
    constants: Scaling
    missing: list[int]
    """Channels with missing values in training."""
    duration: float
    """Median time from the first step to the last."""
    interval: float
    """Median time between two steps."""


LONG = 1e30
"""Bound of the elapsed time in units of `duration`: float32 has no numbers above 3e38."""


class MeasurementCodec(ContentCodec):
    """Codec of measured sequences; the numbers of a step depend on it and on earlier steps only.

    In this order they are: the scaled values, with the last known one in place of a missing one; a
    mask for each channel with missing values in training; the scaled logarithms of the errors; and
    the times. These are the time since the first step / `duration`, and log(1 + time since the step
    before / `interval`). Symbols that training has not share the last id.

    >>> codec = MeasurementCodec.fit([{"value": np.array([[1.0], [3.0]]), "age": 40.0}],
    ...     Measurements())
    >>> codec.shape.numbers, codec.encode({"value": np.array([[3.0], [np.nan]]),
    ...     "age": 40.0})[0]["numbers"].tolist()
    (1, [[1.0], [1.0]])
    """

    def __init__(self, fields: MeasuredFields, symbols: list[list[str]], scales: Scales) -> None:
        self.fields, self.symbols, self.scales = fields, symbols, scales
        measured = len(scales.values.mean)
        numbers = measured + len(scales.missing) + len(scales.errors.mean) + 2 * fields.timed
        sizes = {f"symbol{place}": len(known) + 1 for place, known in enumerate(symbols)}
        self.shape = Fields(sizes, numbers, len(fields.constants), measured)

    def encode(self, content: Content) -> Encoded:
        """Return "numbers" (steps, numbers), "symbol0" (steps,) and so on; and "static" (numbers,).

        Raises DataError if a field is missing, or has another number of channels.
        """
        steps: dict[str, NDArray[Any]] = {}
        if self.shape.numbers:
            steps["numbers"] = self._numbers(to_arrays(content, self.fields))
        for place, (name, known) in enumerate(zip(self.fields.symbols, self.symbols, strict=True)):
            ids = {symbol: id for id, symbol in enumerate(known)}
            read = [ids.get(symbol, len(ids)) for symbol in get_field(content, name)]
            steps[f"symbol{place}"] = np.array(read, np.min_scalar_type(len(ids)))
        if not self.fields.constants:
            return steps, {}
        row = [get_field(content, name) for name in self.fields.constants]
        constants = self.scales.constants(np.array([row], np.float64))
        return steps, {"static": np.nan_to_num(constants[0]).astype(np.float32)}

    def unknown_channels(self, content: Content) -> list[str]:
        """Return the bands that training has not; none if bands are symbols."""
        if self.fields.channels:
            return sorted({*get_field(content, CHANNEL)} - {*self.fields.channels})
        return []

    def knows(self, content: Content) -> bool:
        """Return whether a value was measured in a band of the training part."""
        known = {*self.fields.channels}
        return not known or not known.isdisjoint(get_field(content, CHANNEL))

    def _numbers(self, steps: Measured) -> NDArray[np.float32]:
        parts = [
            _carry_forward(self.scales.values(steps.values)),
            ~np.isnan(steps.values[:, self.scales.missing]),
        ]
        if steps.errors is not None:
            parts.append(np.nan_to_num(self.scales.errors(_log(steps.errors))))
        if steps.times is not None:
            since = (steps.times - steps.times[:1]) / self.scales.duration
            before = np.diff(steps.times, prepend=steps.times[:1]) / self.scales.interval
            parts.append(np.stack([np.clip(since, 0, LONG), np.log1p(before)], 1))
        return np.concatenate(parts, 1).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """Return fields, symbols and scales."""
        plain = {
            "fields": asdict(self.fields),
            "symbols": self.symbols,
            "scales": asdict(self.scales),
        }
        return {"name": "measurements", **plain}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> MeasurementCodec:
        """Restore a codec from `to_json`. Raises ValueError for invalid values."""
        fields = TypeAdapter(MeasuredFields).validate_python(values["fields"])
        symbols = TypeAdapter(list[list[str]]).validate_python(values["symbols"])
        made = cls(fields, symbols, TypeAdapter(Scales).validate_python(values["scales"]))
        scales = made.scales
        if len(symbols) != len(fields.symbols) or not all(
            0 <= one < made.shape.measured for one in scales.missing
        ):
            raise ValueError("symbols or channels are those of other fields")
        if not (scales.duration > 0 and scales.interval > 0):
            raise ValueError("the typical durations are invalid")
        return made

    @classmethod
    def fit(cls, contents: Iterable[Content], settings: Measurements) -> MeasurementCodec:
        """Infer the fields and fit their scales on the training part.

        Raises DataError if it is empty.
        """
        given = [content for content in contents if not isinstance(content, str)]
        if not given:
            raise DataError("there are no sequences of measurements", hint="give some for training")
        fields = infer_fields(given, settings.bands == "channels", settings.merge_within)
        symbols = [
            sorted({symbol for content in given for symbol in content[name]})
            for name in fields.symbols
        ]
        return cls(fields, symbols, _fit_scales(given, fields, settings.scale))


def _fit_scales(given: list[Mapping[str, Any]], fields: MeasuredFields, scale: Scale) -> Scales:
    every = [to_arrays(content, fields) for content in given]
    values = np.concatenate([one.values for one in every])
    errors = [one.errors for one in every if one.errors is not None]
    constants = np.array(
        [[get_field(content, name) for name in fields.constants] for content in given], np.float64
    )
    times = [one.times for one in every if one.times is not None and len(one.times)]
    return Scales(
        Scaling.fit(values, scale),
        Scaling.fit(_log(np.concatenate(errors) if errors else np.zeros((0, 0))), "linear"),
        Scaling.fit(constants, scale),
        np.flatnonzero(np.isnan(values).any(0)).tolist(),
        _typical(np.array([time[-1] - time[0] for time in times])),
        _typical(np.concatenate([np.diff(time) for time in times]) if times else np.zeros(0)),
    )


def _typical(times: Floats) -> float:
    """Return the median of the positive times, or 1 if there are none."""
    return float(np.median(times[times > 0])) if (times > 0).any() else 1.0


def _log(errors: Floats) -> Floats:
    """Return the logarithm of errors; an error of zero counts as missing."""
    return np.log(np.where(errors > 0, errors, np.nan))


def _carry_forward(values: Floats) -> Floats:
    """Carry the last known value of a channel forward; zero before the first."""
    if not len(values):
        return values
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))[:, None]), 0)
    return np.where(last < 0, 0.0, np.take_along_axis(values, np.maximum(last, 0), 0))
