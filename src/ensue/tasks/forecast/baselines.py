"""Baselines on the same origins: naive methods, ridge regression and those of statsforecast."""

from __future__ import annotations

from time import perf_counter

from ensue.data.series.backtest import Origins
from ensue.evaluation.forecasting.conformal import UNCALIBRATED
from ensue.evaluation.forecasting.distributions import Forecast, concatenate
from ensue.evaluation.forecasting.naive import SIMPLE
from ensue.models.baselines.ridge import RidgeSettings
from ensue.tasks.fitting import BASELINES_SHARE, Budget
from ensue.tasks.forecast import statsforecast
from ensue.tasks.forecast.backtest import calibrate, fit_closed_form, walk_forward
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.scoring import Candidate, ScoredCandidate, score_candidate
from ensue.tasks.forecast.settings import ForecastSettings
from ensue.training.contract import Callback, Stage


def fit_baselines(
    settings: ForecastSettings,
    prepared: Prepared,
    origins: Origins,
    time: Budget,
    on_event: Callback,
) -> tuple[list[ScoredCandidate], list[str]]:
    """Fit and score all baselines; also give a note on each that is missing."""
    candidates, notes = [], []
    for name in SIMPLE:
        if name != "seasonal naive" or prepared.layout.season > 1:
            began = perf_counter()
            candidates.append(
                Candidate(
                    name,
                    "baseline",
                    _forecast_naive(name, prepared, origins),
                    UNCALIBRATED,
                    perf_counter() - began,
                )
            )
    if settings.baselines.ridge and settings.model.name != "ridge":
        candidates.append(_fit_ridge(settings, prepared, origins))
    if settings.baselines.statistical and not statsforecast.is_installed():
        notes.append(
            "baselines without AutoETS and AutoTheta: statsforecast is missing; install it with: "
            "pip install 'ensue[series]'"
        )
    for name in settings.baselines.statistical if statsforecast.is_installed() else ():
        model = statsforecast.MODELS[name]
        budget = min(
            settings.baselines.time_limit,
            60 * BASELINES_SHARE * time.minutes / len(settings.baselines.statistical),
        )
        on_event(Stage(f"fitting {model} at each of {len(origins):,} origins, up to {budget:g} s"))
        forecasts, seconds, done = statsforecast.forecast_automatic(name, prepared, origins, budget)
        if forecasts is None:
            what = (
                f"baselines without {model}: stopped after {seconds:.0f} s, at {done} of "
                f"{len(origins)} forecasts"
            )
            notes.append(f"{what}; give it a larger --minutes or --set baselines.time_limit")
        else:
            candidates.append(Candidate(model, "baseline", forecasts, UNCALIBRATED, seconds))
    return [score_candidate(one, prepared, origins) for one in candidates], notes


def _forecast_naive(name: str, prepared: Prepared, origins: Origins) -> Forecast:
    layout, spreads = prepared.layout, prepared.step_spreads()
    season = layout.season if name == "seasonal naive" else 1
    parts = []
    for number, origin in origins:
        history = prepared.panel.series[number].values[:origin]
        parts.append(SIMPLE[name](history, layout.horizon, season, spreads[number][season]))
    return concatenate(parts)


def _fit_ridge(settings: ForecastSettings, prepared: Prepared, origins: Origins) -> Candidate:
    """Fit ridge regression on the same parts, with the same calibration and refits."""
    fitted = fit_closed_form(RidgeSettings(), prepared)
    conformal = calibrate(fitted, prepared, settings)
    tested = walk_forward(fitted, prepared, settings, origins)
    return Candidate("ridge", "baseline", tested, conformal, fitted.seconds, fitted.model)
