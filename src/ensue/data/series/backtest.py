"""Backtest layout: which steps train, validate, calibrate and test, and where forecasts begin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from ensue.data.series.panel import Panel
from ensue.data.tables.series_checks import list_names
from ensue.errors import DataError, SettingError
from ensue.settings import Flag, Settings

Origins: TypeAlias = "NDArray[np.int64]"
"""(forecasts, 2): the number of a series, and the first of its steps that is forecast."""

MANY = 20
"""From this many series on, validation and calibration share the held-out steps by series."""
CHEAP = 500_000
"""Windows up to which a fitted model is refitted before each origin by default."""
PARTS = ("train", "validation", "calibration", "test")
"""The parts that need at least one forecast each."""
MOST_ORIGINS, MOST_IN_ALL = 60, 2_500
"""Test origins per series and of all series if the stride is unset. With many series origins are up
to a horizon apart: 2,000 series at every step had 38,000, which took longer than the training."""


MOST_STEPS = 1_000_000
"""Upper limit of a window, a horizon or a season: more would fill the memory."""


class BacktestSettings(Settings):
    """Horizon, context length and parts of a backtest; 0 selects a value from the data."""

    horizon: Annotated[int, Flag()] = Field(0, ge=0, le=MOST_STEPS)
    """Forecast horizon, in steps; by default one season, or 6 without a season."""
    season_length: Annotated[int, Flag("season")] = Field(0, ge=0, le=MOST_STEPS)
    """Season length, in steps; by default that of the frequency: 12 months, 7 days, 24 hours."""
    context_length: int = Field(0, ge=0, le=MOST_STEPS)
    """Context length, in steps; by default at least two seasons and three horizons."""
    min_context: int = Field(0, ge=0, le=MOST_STEPS)
    """Minimum context of a forecast, in steps; by default one season plus 1, and at least 3."""
    test: int = Field(0, ge=0)
    """Test steps at the end of each series; by default a fifth, in whole horizons."""
    validation_steps: int = Field(0, ge=0)
    """Validation and calibration steps before the test; by default a fifth, in whole horizons."""
    stride: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps between two held-out origins; by default such that each series has at most 60, and many
    series have about 2,500 together."""
    refit: Annotated[int | None, Flag()] = Field(None, ge=0)
    """Refit every N test origins and at the end; 0 never; by default 1 for cheap models."""


@dataclass(frozen=True)
class Layout:
    """A backtest layout: the settings with every default filled in."""

    horizon: int
    season: int
    window: int
    min_context: int
    test: int
    validation_steps: int
    stride: int
    refit: int
    refit_fitted: int
    """Refit interval of models that are fitted in closed form."""
    by_series: bool
    """Whether validation and calibration share the held-out steps by series, instead of by time."""

    def to_json(self) -> dict[str, Any]:
        """Return the layout as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Layout:
        """Build the layout that returned `values`. Raises ValueError for impossible numbers."""
        made = TypeAdapter(cls).validate_python(values)
        positive = (made.horizon, made.season, made.window, made.min_context, made.stride)
        if (
            min(positive) < 1
            or max(positive) > MOST_STEPS
            or min(made.test, made.validation_steps, made.refit, made.refit_fitted) < 0
        ):
            raise ValueError("a number of steps is out of range")
        if made.min_context > made.window or made.horizon > made.test:
            raise ValueError("the horizon exceeds the test, or the minimum context the context")
        return made


def lay_out(
    panel: Panel, settings: BacktestSettings, fitted: bool, where: str
) -> tuple[Layout, list[int]]:
    """Fill in the defaults of a backtest, and return the series that are long enough.

    `fitted` models learn without a training loop. Raises DataError if no series is long enough.
    """
    lengths = np.array([len(one) for one in panel.series])
    season = settings.season_length or panel.frequency.season
    horizon = settings.horizon or (season if season > 1 else 6)
    if horizon >= lengths.max():
        what = (
            f"the horizon of {horizon} steps is longer than the longest series, which has "
            f"{lengths.max()}"
        )
        raise DataError(what, where=where, hint="give a shorter --horizon, or longer series")
    if settings.test and settings.test < horizon:
        hint = f"give {horizon} or more, or a shorter --horizon"
        what = f"a test of {settings.test} steps is shorter than the horizon of {horizon}"
        raise SettingError(what, where="backtest.test", hint=hint)

    def lay_out_by(by_series: bool) -> tuple[Layout, list[int], list[str]]:
        layout = _fill_in(settings, lengths, (season, horizon), by_series, fitted)
        long = np.flatnonzero(lengths >= layout.min_context + layout.test).tolist()
        lacking = [part for part in PARTS if not len(find_origins(panel, layout, part, long))]
        return layout, long, lacking

    layout, long, lacking = lay_out_by(len(lengths) >= MANY)
    if lacking and layout.by_series:
        # Too few series are long enough to share the held-out steps: split them by time instead.
        layout, long, lacking = lay_out_by(False)
    if not lacking:
        return layout, long
    if "train" not in lacking and settings.validation_steps:
        what = (
            f"{settings.validation_steps} validation steps are too few for forecasts of {horizon} "
            f"steps in both validation and calibration"
        )
        hint = f"give {2 * horizon} or more, or a shorter --horizon"
        raise SettingError(what, where="backtest.validation_steps", hint=hint)
    needed = layout.min_context + horizon + layout.validation_steps + layout.test
    what = (
        f"the longest series has {lengths.max()} of {needed} steps needed: {layout.min_context} of "
        f"context and a horizon of {horizon} for training, "
    )
    what += f"{layout.validation_steps} for validation and calibration, {layout.test} for the test"
    raise DataError(what, where=where, hint="give a shorter --horizon, or longer series")


def _fill_in(
    settings: BacktestSettings,
    lengths: NDArray[np.int64],
    season_and_horizon: tuple[int, int],
    by_series: bool,
    fitted: bool,
) -> Layout:
    """Fill in the defaults for series of these lengths; `season_and_horizon` in steps."""
    season, horizon = season_and_horizon
    # Series that are too short for any forecast do not count for the typical length.
    long = lengths[lengths > 2 * horizon]
    middle = int(np.median(long if len(long) else lengths))
    share = middle // 5 // horizon
    test = settings.test or horizon * max(share, 1)
    held_out = settings.validation_steps or horizon * (
        max(share, 1) if by_series else max(share - share % 2, 2)
    )
    origins = test - horizon + 1
    sparse = min(-(-origins * len(lengths) // MOST_IN_ALL), horizon)
    stride = settings.stride or max(-(-origins // MOST_ORIGINS), sparse)
    train = middle - test - held_out
    min_context = settings.min_context or max(min(season + 1, train - horizon), 3)
    window = settings.context_length or max(
        min(max(2 * season, 3 * horizon), train - horizon), min_context
    )
    refits = len(range(0, origins, stride))
    cheap = int(refits * lengths.sum() <= CHEAP) if settings.refit is None else settings.refit
    refit = cheap if fitted else settings.refit or 0
    steps = (horizon, season, window, min(min_context, window), test, held_out, stride)
    return Layout(*steps, refit, cheap, by_series)


def describe(panel: Panel, layout: Layout, short: Panel) -> str:
    """Describe the series, the parts, and which series are too short, in one line."""
    count = len(panel.series)
    what = f"{count} series" + (
        f" of {len(panel.channels)} channels" if len(panel.channels) > 1 else ""
    )
    season = "no season (--season N sets one)"
    what += (
        f", a step is {panel.frequency.one}, "
        f"{season if layout.season == 1 else f'a season {layout.season} steps'}; the horizon is "
        f"{layout.horizon} steps, the context {layout.window}; the test is the last {layout.test} "
        f"steps, validation and calibration the {layout.validation_steps} before"
    )
    return what + (f"; {describe_short(short, layout)}" if short.series else "")


def describe_short(short: Panel, layout: Layout) -> str:
    """Name the series that are too short for training."""
    names = list_names([repr(one.name) for one in short.series])
    needed = layout.min_context + layout.test
    return f"left out {len(short.series)} series of fewer than {needed} steps: {names}"


def find_origins(
    panel: Panel, layout: Layout, part: str, numbers: Sequence[int] | None = None
) -> Origins:
    """Return the origins of a part: every step for train, every stride for the held-out parts.

    Rehearsal origins have at least half of the context that test origins have.
    """
    found: list[tuple[int, int]] = []
    place = 0
    for number in range(len(panel.series)) if numbers is None else numbers:
        length = len(panel.series[number])
        first, end, stride = get_span(length, layout, part, place)
        steps = range(max(first, layout.min_context), end - layout.horizon + 1, stride)
        found += [(number, step) for step in steps]
        # Only series that have forecasts there share the held-out steps: else all series of the
        # validation part might be too short.
        before_test = length - layout.test - layout.horizon
        held_out = before_test + layout.horizon - layout.validation_steps
        place += before_test >= max(held_out, layout.min_context)
    return np.array(found, np.int64).reshape(-1, 2)


def find_later_origins(panel: Panel, layout: Layout, first: Sequence[int], where: str) -> Origins:
    """Return origins of forecasts of the new steps of each series, which begin at `first`.

    Raises DataError if there are none.
    """
    rolling: list[tuple[int, int]] = []
    for number, (one, begin) in enumerate(zip(panel.series, first, strict=True)):
        origins = range(max(begin, layout.min_context), len(one) - layout.horizon + 1)
        rolling += [
            (number, origin) for origin in origins[:: -(-len(origins) // MOST_ORIGINS) or 1]
        ]
    if not rolling:
        longest, begin = max(
            zip(panel.series, first, strict=True), key=lambda pair: len(pair[0]) - pair[1]
        )
        what = (
            f"no series has {layout.horizon} new steps to score after a context of "
            f"{layout.min_context}: {longest.name!r} has {len(longest)} steps, "
            f"{len(longest) - begin} of them new"
        )
        raise DataError(what, where=where, hint="give longer series")
    return np.array(rolling, np.int64)


def get_span(length: int, layout: Layout, part: str, place: int) -> tuple[int, int, int]:
    """Return the first step, the end and the stride of a part of a series."""
    test = length - layout.test
    held_out = test - layout.validation_steps
    if part == "train":
        return 0, held_out, 1
    if part == "test":
        return test, length, layout.stride
    if part == "rehearsal":
        return (test + layout.min_context + layout.horizon) // 2, test, layout.stride
    if layout.by_series:
        own = (place % 2 == 0) == (part == "validation")
        return held_out, test if own else held_out, layout.stride
    middle = held_out + layout.validation_steps // 2
    first, end = (held_out, middle) if part == "validation" else (middle, test)
    return first, end, layout.stride
