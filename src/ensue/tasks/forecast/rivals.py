"""The cheap alternatives on the same origins: naive ones, the classical window model, and those of statsforecast."""

from __future__ import annotations

from time import perf_counter

from ensue.data.series.layout import Origins
from ensue.evaluation.forecasting.bands import UNMOVED
from ensue.evaluation.forecasting.distributions import Forecast, joined
from ensue.evaluation.forecasting.naive import SIMPLE
from ensue.models.forecasting.ridge import RidgeSettings
from ensue.tasks.forecast import statistics
from ensue.tasks.forecast.fitting import calibrated, fitted, walk
from ensue.tasks.forecast.prepared import Prepared
from ensue.tasks.forecast.scoring import Scoring, Tried, standing
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.tasks.learning import BASELINES, Budget
from ensue.training.contract import Stage, Watch


def rivals(
    settings: ForecastSettings, prepared: Prepared, origins: Origins, time: Budget, watch: Watch
) -> tuple[list[Scoring], list[str]]:
    """Score all of them, and say what was left out or cut."""
    tried, said = [], []
    for name in SIMPLE:
        if name != "seasonal naive" or prepared.layout.season > 1:
            began = perf_counter()
            tried.append(Tried(name, "baseline", _simple(name, prepared, origins), UNMOVED, perf_counter() - began))
    if settings.rivals.ridge and settings.model.name != "ridge":
        tried.append(_ridge(settings, prepared, origins))
    if settings.rivals.statistics and not statistics.is_there():
        said.append("AutoETS and AutoTheta are not among the baselines: pip install 'ensue[series]' brings them")
    for name in settings.rivals.statistics if statistics.is_there() else ():
        called = statistics.MODELS[name]
        budget = min(settings.rivals.seconds, 60 * BASELINES * time.minutes / len(settings.rivals.statistics))
        watch(Stage(f"{called} fits each of {len(origins):,} histories anew, for {budget:g} s at most"))
        found, seconds, done = statistics.automatic(name, prepared, origins, budget)
        if found is None:
            cut = f"{called} was cut after {seconds:.0f} s, at {done} of {len(origins)} forecasts, and has no line"
            said.append(f"{cut} (a larger --minutes or --set rivals.seconds gives it more)")
        else:
            tried.append(Tried(called, "baseline", found, UNMOVED, seconds))
    return [standing(one, prepared, origins) for one in tried], said


def _simple(name: str, prepared: Prepared, origins: Origins) -> Forecast:
    layout, walks = prepared.layout, prepared.walks()
    season = layout.season if name == "seasonal naive" else 1
    parts = []
    for number, origin in origins:
        history = prepared.panel.series[number].values[:origin]
        parts.append(SIMPLE[name](history, layout.horizon, season, walks[number][season]))
    return joined(parts)


def _ridge(settings: ForecastSettings, prepared: Prepared, origins: Origins) -> Tried:
    """Fit the classical window model on the same parts, calibrate it likewise, and learn anew as often."""
    learned = fitted(RidgeSettings(), prepared)
    bands, tested = calibrated(learned, prepared, settings), walk(learned, prepared, settings, origins)
    return Tried("ridge", "baseline", tested, bands, learned.seconds, learned.model)
