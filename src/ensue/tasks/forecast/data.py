"""Read the series of a run of `forecast`."""

from __future__ import annotations

from collections.abc import Sequence

from ensue.cache import Cache
from ensue.data.contract import Finding
from ensue.data.dataset import Prepared
from ensue.data.prepare import fingerprint
from ensue.data.series.dataset import SeriesParts, prepare_series
from ensue.data.series.panel import Panel
from ensue.data.series.parts import read_series_of_parts
from ensue.models.names import is_network
from ensue.tasks.cached import DataSource, Sources
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.folder.run import Run

DEMO = "ball"


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
) -> None:
    """Write series from memory into the run."""
    fitted = not is_network(settings.model)
    cache = Cache(run.cache)
    cache.begin()
    prepare_series(panel, settings.backtest, fitted, {}, findings).save(cache)


DEMO_COLUMNS = {"ball": {"id": "ball", "time": "step", "target": ("x", "y")}}
"""Columns of a demo that cannot be guessed."""
