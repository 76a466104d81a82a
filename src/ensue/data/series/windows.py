"""Input windows of forecasts: the past, scaled by its own mean and spread, and known covariates."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ensue.batch import Batch
from ensue.data.feeds.contract import make_generator
from ensue.data.series.backtest import Layout, Origins
from ensue.data.series.frequency import compute_calendar
from ensue.data.series.panel import Panel, Series
from ensue.data.tables.times import format_time
from ensue.errors import DataError

Array = NDArray[Any]
CHUNK = 4096
"""Windows that are gathered at once, which bounds memory."""
FAR = 1e9
"""Bound of scaled values in single precision, which holds their squares and sums of those."""
LIMITS = {"loc": (-1e25, 1e25), "scale": (1e-25, 1e25)}
"""Bounds of numbers in units of the data: FAR times such a number is finite."""
Scaling: TypeAlias = Literal["standard", "level"]
"""How a window is scaled.

standard: minus the mean of the past window, divided by its standard deviation; level: divided by
the mean of its absolute values.
"""


@dataclass(frozen=True)
class Covariates:
    """Standardisation of covariates: mean and spread on the training part, and the words of it."""

    known: tuple[list[float], list[float]]
    past: tuple[list[float], list[float]]
    words: list[list[str] | None]
    """The words of each static column; None for a column of numbers."""
    static: tuple[list[float], list[float]]
    values: tuple[list[float], list[float]]
    """Mean and spread of the targets: networks see where a window lies among them."""

    @classmethod
    def fit(cls, panel: Panel, ends: Sequence[int]) -> Covariates:
        """Fit on the steps of each series before its end."""
        pairs = list(zip(panel.series, ends, strict=True))
        words: list[list[str] | None] = []
        for column in range(len(panel.static)):
            values = [one.static[column] for one in panel.series]
            texts = any(isinstance(value, str) for value in values)
            words.append(sorted({str(value) for value in values}) if texts else None)
        known, past, values = (
            _compute_moments(np.concatenate([getattr(one, name)[:end] for one, end in pairs]))
            for name in ("known", "past", "values")
        )
        static = np.stack([_encode_static(one, words) for one in panel.series])
        return cls(known, past, words, _compute_moments(static), values)

    def to_json(self) -> dict[str, Any]:
        """Return the fitted values as plain JSON values."""
        return vars(self).copy()

    @classmethod
    def from_json(cls, values: Mapping[str, Any], panel: Panel) -> Covariates:
        """Build what returned `to_json`. Raises ValueError if it does not fit the panel."""
        made = TypeAdapter(cls).validate_python(values)
        if len(made.words) != len(panel.static):
            raise ValueError("the static columns differ from those of the panel")
        numbers = [1 if words is None else len(words) for words in made.words]
        widths = (len(panel.known), len(panel.past), sum(numbers), len(panel.channels))
        for (mean, spread), width in zip(
            (made.known, made.past, made.static, made.values), widths, strict=True
        ):
            if len(mean) != len(spread) or len(mean) not in (0, width):
                raise ValueError("means and spreads do not fit the columns")
            if not np.isfinite([*mean, *spread]).all() or any(one <= 0 for one in spread):
                raise ValueError("a mean is not finite, or a spread is not positive")
        return made


def _compute_moments(values: Array) -> tuple[list[float], list[float]]:
    if not len(values):
        return [], []
    spread = values.std(0)
    return values.mean(0).tolist(), np.where(spread > 0, spread, 1.0).tolist()


def _encode_static(one: Series, words: Sequence[list[str] | None]) -> Array:
    """Return the static columns as numbers: words one-hot, unknown words all zero."""
    parts: list[float] = []
    for value, known in zip(one.static, words, strict=True):
        parts += [float(value)] if known is None else [float(str(value) == word) for word in known]
    return np.array(parts)


def _standardise(values: Array, moments: Sequence[Sequence[float]]) -> Array:
    return (values - np.array(moments[0])) / np.array(moments[1])


class WindowGatherer:
    """Gather batches of windows for any origins of a panel.

    All fields but `loc` and `scale` are scaled:

    - past (batch, window, channels)
    - seen (batch, window): which steps of the window exist
    - target (batch, horizon, channels): zero where it is unknown
    - observed (batch, horizon, channels): where the target exists and was measured
    - known (batch, window + horizon, known): the calendar features first
    - covariate (batch, window, past)
    - static (batch, static)
    - level (batch, 2 channels): where loc and scale lie in the training distribution
    - loc, scale (batch, channels)

    `forecasts` keeps those of models that are fitted at each origin, by model and origins.

    Up to `ahead` steps after the end of each series can be forecast, and a model that computes more
    at once gets the last known covariates again.
    """

    scaling: Scaling = "standard"

    def __init__(
        self, panel: Panel, layout: Layout, covariates: Covariates, ahead: int = 0
    ) -> None:
        self.panel, self.layout = panel, layout
        # A model may compute more steps than are requested, and than are known.
        self.ahead = max(ahead, layout.horizon) if ahead else 0
        self.forecasts = dict[Any, Any]()
        self.lengths = np.array([len(one) for one in panel.series])
        self.starts = np.cumsum([0, *self.lengths])[:-1]
        self.ahead_starts = np.cumsum([0, *(self.lengths + self.ahead)])[:-1]
        self.among = np.array(covariates.values)
        self.values = np.concatenate([one.values for one in panel.series])
        self.filled = np.concatenate([one.filled for one in panel.series])
        past = np.concatenate([one.past for one in panel.series])
        self.covariate = _standardise(past, covariates.past)
        known = [_get_known(one, panel, covariates, (ahead, self.ahead)) for one in panel.series]
        self.known = np.concatenate(known)
        self.calendar_count = self.known.shape[1] - len(panel.known)
        static = [_encode_static(one, covariates.words) for one in panel.series]
        self.static = _standardise(np.stack(static), covariates.static)

    def rescaled(self, scaling: Scaling) -> WindowGatherer:
        """Return windows of the same numbers with another scaling."""
        if scaling == self.scaling:
            return self
        other = copy(self)
        other.scaling = scaling
        return other

    @property
    def shape(self) -> dict[str, int]:
        """The number of columns of each kind that a model sees."""
        return {
            "channels": len(self.panel.channels),
            "known": self.known.shape[1],
            "calendar": self.calendar_count,
            "past": self.covariate.shape[1],
            "static": self.static.shape[1],
        }

    def targets(self, origins: Origins) -> Array:
        """Return actual values, unscaled (forecasts, horizon, channels), NaN if filled in."""
        self._refuse_beyond(origins, 0)
        first = self.starts[origins[:, 0]] + origins[:, 1]
        steps = first[:, None] + np.arange(self.layout.horizon)
        return np.where(self.filled[steps], np.nan, self.values[steps])

    def measured(self, origins: Origins) -> NDArray[np.bool_]:
        """Tell which forecasts have at least one measured actual value."""
        return np.asarray(np.isfinite(self.targets(origins)).any((1, 2)))

    def arrays(self, origins: Origins) -> dict[str, Array]:
        """Return all fields, in double precision."""
        self._refuse_beyond(origins, self.ahead)
        layout, (number, origin), (mean, spread) = self.layout, origins.T, self.among
        back = origin[:, None] - layout.window + np.arange(layout.window)
        # Before its first step a series repeats its first value; `seen` is false there.
        at, seen = self.starts[number][:, None] + np.maximum(back, 0), back >= 0
        past = self.values[at]
        loc, scale = _compute_scales(past, seen, self.scaling)
        ahead = origin[:, None] + np.arange(layout.horizon)
        there = ahead < self.lengths[number][:, None]
        to_come = np.where(there, self.starts[number][:, None] + ahead, 0)
        future = self.values[to_come]
        whole = self.ahead_starts[number][:, None] + np.concatenate([np.maximum(back, 0), ahead], 1)
        return {
            "past": (past - loc[:, None]) / scale[:, None],
            "seen": seen,
            "target": np.where(there[:, :, None], (future - loc[:, None]) / scale[:, None], 0.0),
            "observed": there[:, :, None] & ~self.filled[to_come],
            "known": self.known[whole],
            "covariate": self.covariate[at],
            "static": self.static[number],
            "level": np.concatenate([np.arcsinh((loc - mean) / spread), np.log(scale / spread)], 1),
            "loc": loc,
            "scale": scale,
        }

    def _refuse_beyond(self, origins: Origins, ahead: int) -> None:
        """Raise IndexError for origins whose window leaves their series by more than `ahead`.

        All series lie in one array, so a wrong origin would silently read another series.
        """
        number, origin = origins.T
        no_series = (number < 0) | (number >= len(self.lengths))
        ends = self.lengths[np.where(no_series, 0, number)] + ahead
        bad = no_series | (origin < 1) | (origin + self.layout.horizon > ends)
        if bad.any():
            first = tuple(origins[bad][0].tolist())
            raise IndexError(
                f"no forecast of {self.layout.horizon} steps begins at (series, step) {first}"
            )

    def batch(self, origins: Origins) -> Batch[Array]:
        """Return the fields as a batch, in single precision.

        They are clipped to what it can hold; forecasts are scaled back in double precision.
        """
        fields = {
            name: array
            if array.dtype == bool
            else np.clip(array, *LIMITS.get(name, (-FAR, FAR))).astype(np.float32)
            for name, array in self.arrays(origins).items()
        }
        rows = len(origins)
        lengths = np.full(rows, self.layout.horizon, np.int64)
        return Batch(fields, lengths, np.ones(rows, bool))


def iterate_windows(inputs: WindowGatherer, origins: Origins) -> Callable[[], Iterator[Any]]:
    """Make an iterator over the windows of origins, in chunks; each call starts again."""
    # A horizon of filled-in values alone has no measurement to learn from.
    real = origins[inputs.measured(origins)] if inputs.filled.any() else origins

    def iterate() -> Iterator[Any]:
        for begin in range(0, len(real), CHUNK):
            yield inputs.arrays(real[begin : begin + CHUNK])

    return iterate


class WindowFeed:
    """Origins in random order, `rows` per batch; seed and epoch alone decide the order."""

    unit = "steps"

    def __init__(self, inputs: WindowGatherer, origins: Origins, rows: int, seed: int) -> None:
        self.inputs, self.origins, self.rows, self.seed = inputs, origins, rows, seed

    def __len__(self) -> int:
        return -(-len(self.origins) // self.rows)

    def epoch(self, number: int, first: int = 0) -> Iterator[Batch[Array]]:
        """Yield the batches of an epoch from number `first` on."""
        order = make_generator(self.seed, number).permutation(len(self.origins))
        for place in range(first, len(self)):
            rows = order[place * self.rows : (place + 1) * self.rows]
            yield self.inputs.batch(self.origins[rows])


def _get_known(one: Series, panel: Panel, covariates: Covariates, ahead: tuple[int, int]) -> Array:
    """Return calendar features and known covariates of all steps and some of the future.

    `ahead` are the steps after the last one that have to be known, and those that are returned.
    Raises DataError if a value is missing.
    """
    needed, returned = ahead
    future = panel.frequency.ahead(one.times[-1], returned)
    waves = compute_calendar(np.concatenate([one.times, future]), panel.frequency)
    if panel.known and len(one.known) < len(one) + needed:
        columns = ", ".join(map(repr, panel.known))
        at = format_time(future[len(one.known) - len(one)])
        what = f"the known covariates ({columns}) are missing at {at} of {one.name!r}"
        raise DataError(what, hint="give a file with rows of the future whose target is empty")
    rows = np.minimum(np.arange(len(waves)), len(one.known) - 1)
    return np.concatenate([waves, _standardise(one.known[rows], covariates.known)], 1)


def _compute_scales(past: Array, seen: Array, scaling: Scaling) -> tuple[Array, Array]:
    """Return location and scale of the steps that exist, (batch, channels) each."""
    count, real = seen.sum(1)[:, None], seen[:, :, None]
    level = (np.abs(past) * real).sum(1) / count
    if scaling == "level":
        return np.zeros_like(level), np.where(level > 0, level, 1.0)
    loc = (past * real).sum(1) / count
    spread = np.sqrt(((past - loc[:, None]) ** 2 * real).sum(1) / count)
    flat = spread <= 1e-9 * np.maximum(level, 1e-300)
    return loc, np.where(flat, np.where(level > 0, level, 1.0), spread)
