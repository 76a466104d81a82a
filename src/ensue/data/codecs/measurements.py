"""Sequences of measurements as numbers that networks learn from: scaled, with what is missing,
when, and how sure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from ensue.data.codecs.measured import Measured, MeasuredFields, field_of, fields_in, measured
from ensue.data.codecs.scaling import Floats, Scale, Scaling
from ensue.data.labelled import CHANNEL, Content, ContentCodec, Fields
from ensue.errors import DataError
from ensue.settings import Settings


class Measurements(Settings):
    """How measurements become what a network is given."""

    name: Literal["measurements"] = "measurements"
    scale: Scale = "auto"
    """asinh: large values as their logarithm, of either sign, small ones as they are; auto: if
    they span decades."""
    bands: Literal["channels", "symbols"] = "channels"
    """Where values were measured in bands: each band is a channel, or, always if steps have other
    symbols too, each value is a step with its band as a symbol."""
    merge_within: float | None = Field(None, ge=0)
    """Values of several bands within this time make one step; unset, a tenth of the median time
    between two of one."""


@dataclass(frozen=True)
class Scales:
    """What was learned from the sizes of the training part."""

    values: Scaling
    errors: Scaling
    """Of their logarithms."""
    constants: Scaling
    missing: list[int]
    """Channels of which values were missing."""
    duration: float
    """The usual time from first step to last, and"""
    interval: float
    """from one to the next."""


LONG = 1e30
"""Usual durations beyond which nothing is told apart: float32 has no numbers above 3e38."""


class MeasurementCodec(ContentCodec):
    """The numbers of a step are, in this order:

    the values, scaled, the last known one where one is missing; for each that was missing in
    training, whether it was measured; the logarithms of the errors, scaled; and where there are
    times, that since the first step as a share of the usual duration, and log(1 + that since the
    step before in units of the usual one). Symbols that were not in training have the last id. What
    is given of a step depends on it and on what came before alone.

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
        """Give "numbers" (steps, numbers), "symbol0" (steps,) and so on; and "static" (numbers,).

        Raises DataError if a field is not there, or has another number of channels.
        """
        steps: dict[str, NDArray[Any]] = {}
        if self.shape.numbers:
            steps["numbers"] = self._numbers(measured(content, self.fields))
        for place, (name, known) in enumerate(zip(self.fields.symbols, self.symbols, strict=True)):
            ids = {symbol: id for id, symbol in enumerate(known)}
            read = [ids.get(symbol, len(ids)) for symbol in field_of(content, name)]
            steps[f"symbol{place}"] = np.array(read, np.min_scalar_type(len(ids)))
        if not self.fields.constants:
            return steps, {}
        constants = np.array(
            [[field_of(content, name) for name in self.fields.constants]], np.float64
        )
        return steps, {
            "static": np.nan_to_num(self.scales.constants(constants)[0]).astype(np.float32)
        }

    def unknown_channels(self, content: Content) -> list[str]:
        """Name the bands that training had not; where bands are symbols, those are read as one
        that is unknown."""
        return (
            sorted({*field_of(content, CHANNEL)} - {*self.fields.channels})
            if self.fields.channels
            else []
        )

    def knows(self, content: Content) -> bool:
        """Tell whether a value was measured in a band that training had."""
        return not self.fields.channels or bool(
            {*field_of(content, CHANNEL)} & {*self.fields.channels}
        )

    def _numbers(self, steps: Measured) -> NDArray[np.float32]:
        parts = [
            _carried(self.scales.values(steps.values)),
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
        """Give names, symbols and scales."""
        plain = {
            "fields": asdict(self.fields),
            "symbols": self.symbols,
            "scales": asdict(self.scales),
        }
        return {"name": "measurements", **plain}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> MeasurementCodec:
        """Make the codec again."""
        fields = TypeAdapter(MeasuredFields).validate_python(values["fields"])
        symbols = TypeAdapter(list[list[str]]).validate_python(values["symbols"])
        made = cls(fields, symbols, TypeAdapter(Scales).validate_python(values["scales"]))
        scales = made.scales
        if len(symbols) != len(fields.symbols) or not all(
            0 <= one < made.shape.measured for one in scales.missing
        ):
            raise ValueError("symbols or channels are those of other fields")
        if not (scales.duration > 0 and scales.interval > 0):
            raise ValueError("the usual times are none")
        return made

    @classmethod
    def fit(cls, contents: Iterable[Content], settings: Measurements) -> MeasurementCodec:
        """Learn what fields there are, and their scales, from the training part. Raises
        DataError if it is empty."""
        given = [content for content in contents if not isinstance(content, str)]
        if not given:
            raise DataError(
                "there are no sequences of measurements", hint="give some to learn from"
            )
        fields = fields_in(given, settings.bands == "channels", settings.merge_within)
        symbols = [
            sorted({symbol for content in given for symbol in content[name]})
            for name in fields.symbols
        ]
        return cls(fields, symbols, _scales(given, fields, settings.scale))


def _scales(given: list[Mapping[str, Any]], fields: MeasuredFields, scale: Scale) -> Scales:
    every = [measured(content, fields) for content in given]
    values = np.concatenate([one.values for one in every])
    errors = (
        np.concatenate([cast("Floats", one.errors) for one in every])
        if fields.has_errors
        else np.zeros((0, 0))
    )
    constants = np.array(
        [[field_of(content, name) for name in fields.constants] for content in given], np.float64
    )
    times = [one.times for one in every if one.times is not None and len(one.times)]
    return Scales(
        Scaling.fit(values, scale),
        Scaling.fit(_log(errors), "linear"),
        Scaling.fit(constants, scale),
        np.flatnonzero(np.isnan(values).any(0)).tolist(),
        _usual(np.array([time[-1] - time[0] for time in times])),
        _usual(np.concatenate([np.diff(time) for time in times]) if times else np.zeros(0)),
    )


def _usual(times: Floats) -> float:
    """Give the median of what is above zero, or 1 if nothing is."""
    return float(np.median(times[times > 0])) if (times > 0).any() else 1.0


def _log(errors: Floats) -> Floats:
    """Give the logarithm of errors; one of zero is as good as a missing one."""
    return np.log(np.where(errors > 0, errors, np.nan))


def _carried(values: Floats) -> Floats:
    """Put the last known value of its channel where one is missing, and zero before the first."""
    if not len(values):
        return values
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, np.arange(len(values))[:, None]), 0)
    return np.where(last < 0, 0.0, np.take_along_axis(values, np.maximum(last, 0), 0))
