"""Measurements as arrays: channels in columns, and missing values as NaN."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.codecs.scaling import Floats
from ensue.data.labelled import CHANNEL, STANDARD_ERROR, TIME, Content
from ensue.errors import DataError, did_you_mean

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
        raise DataError(
            "the content is a text, and measurements are expected", hint="give fields of numbers"
        )
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
