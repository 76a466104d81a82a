"""Read the series of a run of `forecast`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ensue.cache import Cache
from ensue.data.contract import Finding
from ensue.data.dataset import Prepared
from ensue.data.prepare import fingerprint
from ensue.data.series.dataset import SeriesParts, get_scaling, prepare_series
from ensue.data.series.panel import Panel
from ensue.data.series.parts import read_series_of_parts
from ensue.data.tables.times import format_time
from ensue.errors import DataError
from ensue.models.names import is_network
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.folder.run import Run

DEMO = "ball"


def refuse_fractions(model: Any, data: SeriesParts) -> None:
    """Raise DataError where the head of a model needs counts, and a value is none."""
    for one in data.panel.series if get_scaling(model) == "level" else ():
        if len(bad := np.argwhere((one.values < 0) | (one.values != np.round(one.values)))):
            value, time = one.values[tuple(bad[0])], format_time(one.times[bad[0][0]])
            hint = "give counts, or another head, such as --set model.head=student"
            what = f"{value:g} at {time} is not a count, which the head needs"
            raise DataError(what, where=one.name, hint=hint)


def _read(settings: ForecastSettings, sources: Sources) -> Prepared[SeriesParts]:
    reading = settings.data.model_copy(update=DEMO_COLUMNS.get(sources.demo or "", {}))
    panel, backtest, parts = read_series_of_parts(
        sources.files, reading, settings.backtest, sources.listener
    )
    prints = fingerprint(parts, sources.findings.append)
    fitted = not is_network(settings.model)
    return prepare_series(panel, backtest, fitted, prints, sources.findings)


DATA = DataSource("forecast", ForecastSettings, SeriesParts, _read)


def read_into(
    run: Run, settings: ForecastSettings, panel: Panel, findings: Sequence[Finding] = ()
) -> SeriesParts:
    """Write series from memory into the run."""
    fitted = not is_network(settings.model)
    prepared = prepare_series(panel, settings.backtest, fitted, {}, findings)
    cache = Cache(run.cache)
    cache.begin()
    prepared.save(cache)
    return prepared.dataset


DEMO_COLUMNS = {"ball": {"id": "ball", "time": "step", "target": ("x", "y")}}
"""Columns of a demo that cannot be guessed."""
