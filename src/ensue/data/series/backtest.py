"""Which steps of each series are learned, chosen on, calibrated on and reported, and from where
forecasts are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from ensue.data.series.panel import Panel
from ensue.data.tables.series_checks import some
from ensue.errors import DataError, SettingError
from ensue.settings import Settings

Origins: TypeAlias = "NDArray[np.int64]"
"""(forecasts, 2): the number of a series, and the first of its steps that is forecast."""

MANY = 20
"""So many series are enough to choose on some of them and to calibrate on the others."""
CHEAP = 500_000
"""Windows that a fitted model may learn from again and again without being asked."""
PARTS = ("train", "validation", "calibration", "test")
"""Parts without a forecast in any of which nothing is learned."""
MOST_ORIGINS = 60
"""Origins that the test of a series has where the stride is left open."""


MOST_STEPS = 1_000_000
"""Of a window, a horizon or a season: more would fill the memory, and no series tells of them."""


class BacktestSettings(Settings):
    """How far is forecast, from how much of the past, and on which steps; 0 leaves a number
    open."""

    horizon: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps that are forecast at once; open, a season, or 6 where there is none."""
    season_length: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps of a season; open, what is usual for the frequency: 12 months, 7 days, 24 hours."""
    context_length: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps of the past that a model sees; open, two seasons and three horizons at least, if the
    series are so long."""
    min_context: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps of the past without which nothing is forecast; open, a season and one more, and 3 at
    least."""
    test: int = Field(0, ge=0)
    """Steps at the end of each series that are only reported; open, a fifth, in whole horizons."""
    validation_steps: int = Field(0, ge=0)
    """Steps before those on which is chosen and calibrated; open, a fifth, in whole horizons."""
    stride: int = Field(0, ge=0, le=MOST_STEPS)
    """Steps from one origin to the next in what is held out; open, so that there are 60 or
    fewer."""
    refit: int | None = Field(None, ge=0)
    """Learn anew from all that lies before every so many origins of the test, and at last from
    everything; 0 never does; open, before each where that is cheap: not for networks."""


@dataclass(frozen=True)
class Layout:
    """The same, all filled in."""

    horizon: int
    season: int
    window: int
    min_context: int
    test: int
    validation_steps: int
    stride: int
    refit: int
    refit_fitted: int
    """How often models learn anew that learn without a training loop: where that is left open,
    wherever it is cheap."""
    by_series: bool
    """Whether choosing and calibrating share the held steps by series, and not by time."""

    def to_json(self) -> dict[str, Any]:
        """Give it as plain JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Any) -> Layout:
        """Make what gave `to_json`. Raises ValueError for numbers of steps that cannot be."""
        made = TypeAdapter(cls).validate_python(values)
        some = (made.horizon, made.season, made.window, made.min_context, made.stride)
        if (
            min(some) < 1
            or max(some) > MOST_STEPS
            or min(made.test, made.validation_steps, made.refit, made.refit_fitted) < 0
        ):
            raise ValueError("a number of steps is none")
        if made.min_context > made.window or made.horizon > made.test:
            raise ValueError(
                "the horizon is longer than the test, or more of the past is needed than is seen"
            )
        return made


def lay_out(
    panel: Panel, settings: BacktestSettings, fitted: bool, where: str
) -> tuple[Layout, list[int]]:
    """Fill in what was left open, and give the series that are long enough. Raises DataError if
    none is.

    `fitted` models learn without a training loop.
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
        what = f"a test of {settings.test} steps has no forecast of {horizon}"
        raise SettingError(what, where="backtest.test", hint=hint)

    def laid(by_series: bool) -> tuple[Layout, list[int], list[str]]:
        layout = _filled_in(settings, lengths, (season, horizon), by_series, fitted)
        long = [
            number
            for number, length in enumerate(lengths)
            if length >= layout.min_context + layout.test
        ]
        return layout, long, [part for part in PARTS if not len(origins(panel, layout, part, long))]

    layout, long, lacking = laid(len(lengths) >= MANY)
    if lacking and layout.by_series:
        # Too few of many series are long enough to share the held steps among them: time is cut
        # instead.
        layout, long, lacking = laid(False)
    if not lacking:
        return layout, long
    if "train" not in lacking and settings.validation_steps:
        what = (
            f"{settings.validation_steps} held steps have no forecasts of {horizon} both to "
            f"choose on and to calibrate on"
        )
        hint = f"give {2 * horizon} or more, or a shorter --horizon"
        raise SettingError(what, where="backtest.validation_steps", hint=hint)
    needed = layout.min_context + horizon + layout.validation_steps + layout.test
    what = (
        f"the longest series has {lengths.max()} steps; {layout.min_context} of the past and "
        f"a horizon of {horizon} to "
    )
    what += (
        f"learn from, {layout.validation_steps} held out and {layout.test} for the test are "
        f"{needed}"
    )
    raise DataError(what, where=where, hint="give a shorter --horizon, or longer series")


def _filled_in(
    settings: BacktestSettings,
    lengths: NDArray[np.int64],
    lasting: tuple[int, int],
    by_series: bool,
    fitted: bool,
) -> Layout:
    """Fill in what was left open, for series of these lengths; `lasting` are season and horizon."""
    season, horizon = lasting
    # Series that are hopelessly short say nothing of how much past the others have.
    middle = int(
        np.median(lengths[lengths > 2 * horizon] if lengths.max() > 2 * horizon else lengths)
    )
    share = middle // 5 // horizon
    test = settings.test or horizon * max(share, 1)
    held = settings.validation_steps or horizon * (
        max(share, 1) if by_series else max(share - share % 2, 2)
    )
    stride = settings.stride or max(-(-(test - horizon + 1) // MOST_ORIGINS), 1)
    learned = middle - test - held
    least = settings.min_context or max(min(season + 1, learned - horizon), 3)
    window = settings.context_length or max(
        min(max(2 * season, 3 * horizon), learned - horizon), least
    )
    turns = len(range(0, test - horizon + 1, stride))
    cheap = int(turns * lengths.sum() <= CHEAP) if settings.refit is None else settings.refit
    refit = cheap if fitted else settings.refit or 0
    return Layout(
        horizon, season, window, min(least, window), test, held, stride, refit, cheap, by_series
    )


def describe(panel: Panel, layout: Layout, short: Panel) -> str:
    """Say what the series are, how they are used, and which were too short."""
    count = len(panel.series)
    what = f"{count} series" + (
        f" of {len(panel.channels)} numbers" if len(panel.channels) > 1 else ""
    )
    what += (
        f", a step is {panel.frequency.one}, a season {layout.season}; {layout.horizon} "
        f"steps are forecast from "
    )
    what += (
        f"{layout.window} of the past; {layout.test} steps are the test, "
        f"{layout.validation_steps} before them held out"
    )
    return what + (f"; {too_short(short, layout)}" if short.series else "")


def too_short(short: Panel, layout: Layout) -> str:
    """Name the series that were not learned."""
    names = some([repr(one.name) for one in short.series])
    needed = layout.min_context + layout.test
    return (
        f"series that are too short, and were left out: {len(short.series)}, of fewer than "
        f"{needed} steps: {names}"
    )


def origins(panel: Panel, layout: Layout, part: str, of: Sequence[int] | None = None) -> Origins:
    """Give where forecasts of a part begin: train (every step), tune, calibrate or test (every
    stride).

    Those of the rehearsal have at least half of the windows before them that those of the test
    have.
    """
    found: list[tuple[int, int]] = []
    place = 0
    for number in range(len(panel.series)) if of is None else of:
        length = len(panel.series[number])
        first, end, stride = span(length, layout, part, place)
        found += [
            (number, step)
            for step in range(max(first, layout.min_context), end - layout.horizon + 1, stride)
        ]
        # Only series that have forecasts there share the held steps: else all that choose might be
        # too short.
        before_test = length - layout.test - layout.horizon
        place += before_test >= max(
            before_test + layout.horizon - layout.validation_steps, layout.min_context
        )
    return np.array(found, np.int64).reshape(-1, 2)


def span(length: int, layout: Layout, part: str, place: int) -> tuple[int, int, int]:
    """Give the first step, the end and the stride of a part of a series."""
    test = length - layout.test
    held = test - layout.validation_steps
    if part == "train":
        return 0, held, 1
    if part == "test":
        return test, length, layout.stride
    if part == "rehearsal":
        return (test + layout.min_context + layout.horizon) // 2, test, layout.stride
    if layout.by_series:
        mine = (place % 2 == 0) == (part == "validation")
        return held, test if mine else held, layout.stride
    middle = held + layout.validation_steps // 2
    return (held, middle, layout.stride) if part == "validation" else (middle, test, layout.stride)
