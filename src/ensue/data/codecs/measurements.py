"""Codec of measured sequences: scaled values, masks of missing values, errors and times."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from ensue.data.codecs.measured import Measured, MeasuredFields, get_field, infer_fields, to_arrays
from ensue.data.codecs.scaling import Floats, Scale, Scaling
from ensue.data.labelled import CHANNEL, Content, ContentCodec, Fields
from ensue.errors import DataError
from ensue.settings import Settings


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

    def encode(
        self, content: Content
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.float32]]]:
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
        constants = np.array(
            [[get_field(content, name) for name in self.fields.constants]], np.float64
        )
        return steps, {
            "static": np.nan_to_num(self.scales.constants(constants)[0]).astype(np.float32)
        }

    def unknown_channels(self, content: Content) -> list[str]:
        """Return the bands that training has not; none if bands are symbols."""
        if self.fields.channels:
            return sorted({*get_field(content, CHANNEL)} - {*self.fields.channels})
        return []

    def knows(self, content: Content) -> bool:
        """Return whether a value was measured in a band of the training part."""
        return not self.fields.channels or bool(
            {*get_field(content, CHANNEL)} & {*self.fields.channels}
        )

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
    errors = (
        np.concatenate([cast("Floats", one.errors) for one in every])
        if fields.has_errors
        else np.zeros((0, 0))
    )
    constants = np.array(
        [[get_field(content, name) for name in fields.constants] for content in given], np.float64
    )
    times = [one.times for one in every if one.times is not None and len(one.times)]
    return Scales(
        Scaling.fit(values, scale),
        Scaling.fit(_log(errors), "linear"),
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
