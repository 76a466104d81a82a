"""The cheap alternatives on the same origins: naive ones, the classical window model, and those
of statsforecast."""

from __future__ import annotations

from time import perf_counter

from ensue.data.series.backtest import Origins
from ensue.evaluation.forecasting.conformal import UNCALIBRATED
from ensue.evaluation.forecasting.distributions import Forecast, concatenate
from ensue.evaluation.forecasting.naive import SIMPLE
from ensue.models.baselines.ridge import RidgeSettings
from ensue.tasks.fitting import BASELINES_SHARE, Budget
from ensue.tasks.forecast import statsforecast as statistics
from ensue.tasks.forecast.backtest import calibrated, fitted, walk_forward
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.scoring import Candidate, ScoredCandidate, score_candidate
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.contract import Callback, Stage


def fit_baselines(
    settings: ForecastSettings, prepared: Prepared, origins: Origins, time: Budget, watch: Callback
) -> tuple[list[ScoredCandidate], list[str]]:
    """Score all of them, and say what was left out or cut."""
    tried, said = [], []
    for name in SIMPLE:
        if name != "seasonal naive" or prepared.layout.season > 1:
            began = perf_counter()
            tried.append(
                Candidate(
                    name,
                    "baseline",
                    _simple(name, prepared, origins),
                    UNCALIBRATED,
                    perf_counter() - began,
                )
            )
    if settings.baselines.ridge and settings.model.name != "ridge":
        tried.append(_ridge(settings, prepared, origins))
    if settings.baselines.statistical and not statistics.is_there():
        said.append(
            "AutoETS and AutoTheta are not among the baselines: pip install "
            "'ensue[series]' brings them"
        )
    for name in settings.baselines.statistical if statistics.is_there() else ():
        called = statistics.MODELS[name]
        budget = min(
            settings.baselines.time_limit,
            60 * BASELINES_SHARE * time.minutes / len(settings.baselines.statistical),
        )
        watch(
            Stage(
                f"{called} fits each of {len(origins):,} histories anew, for {budget:g} s at most"
            )
        )
        found, seconds, done = statistics.automatic(name, prepared, origins, budget)
        if found is None:
            cut = (
                f"{called} was cut after {seconds:.0f} s, at {done} of {len(origins)} "
                f"forecasts, and has no line"
            )
            said.append(f"{cut} (a larger --minutes or --set baselines.time_limit gives it more)")
        else:
            tried.append(Candidate(called, "baseline", found, UNCALIBRATED, seconds))
    return [score_candidate(one, prepared, origins) for one in tried], said


def _simple(name: str, prepared: Prepared, origins: Origins) -> Forecast:
    layout, walks = prepared.layout, prepared.step_spreads()
    season = layout.season if name == "seasonal naive" else 1
    parts = []
    for number, origin in origins:
        history = prepared.panel.series[number].values[:origin]
        parts.append(SIMPLE[name](history, layout.horizon, season, walks[number][season]))
    return concatenate(parts)


def _ridge(settings: ForecastSettings, prepared: Prepared, origins: Origins) -> Candidate:
    """Fit the classical window model on the same parts, calibrate it likewise, and learn anew as
    often."""
    learned = fitted(RidgeSettings(), prepared)
    bands, tested = (
        calibrated(learned, prepared, settings),
        walk_forward(learned, prepared, settings, origins),
    )
    return Candidate("ridge", "baseline", tested, bands, learned.seconds, learned.model)
