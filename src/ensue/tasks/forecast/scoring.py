"""Score the forecasts of a model on the test part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ensue.data.series.backtest import Origins
from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.forecasting.distributions import Forecast
from ensue.evaluation.forecasting.metrics import ScoredForecast, compute_block_metrics, score
from ensue.evaluation.scores import Role, Score
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.predicting import number_blocks

MAX_SERIES = 100
"""Series whose own metrics a result holds."""


@dataclass(frozen=True)
class Candidate:
    """A model with its forecasts of the test part, before they are scored."""

    name: str
    role: Role
    forecast: Forecast
    conformal: ConformalIntervals
    seconds: float
    model: Any = None


@dataclass(frozen=True)
class ScoredCandidate:
    """A model with its scores: the row of the table, and the errors of single forecasts."""

    row: Score
    scored: ScoredForecast
    candidate: Candidate


def score_candidate(candidate: Candidate, prepared: Prepared, origins: Origins) -> ScoredCandidate:
    """Score the forecasts of a model against the actual values."""
    target = prepared.inputs("standard").targets(origins)
    scored = score(candidate.forecast, target, prepared.scales(origins), candidate.conformal)
    blocks = number_blocks(origins, prepared.layout.horizon)
    metrics, intervals, losses = compute_block_metrics(scored, blocks)
    parameters = getattr(candidate.model, "parameter_count", 0)
    row = Score(
        candidate.name,
        candidate.role,
        metrics,
        intervals,
        losses,
        scored.cost.upper(),
        candidate.seconds,
        parameters,
        count=len(origins),
    )
    return ScoredCandidate(row, scored, candidate)


def score_by_step(scored: ScoredForecast, horizon: int) -> dict[str, list[float]]:
    """Compute each metric at each step ahead."""
    steps = [scored.metrics(step=step) for step in range(horizon)]
    return {name: [step[name] for step in steps] for name in steps[0]}


def score_by_series(
    scored: ScoredForecast, prepared: Prepared, origins: Origins
) -> dict[str, dict[str, float]]:
    """Compute the metrics of each series, of the first MAX_SERIES if there are more."""
    metrics = {}
    for number, one in enumerate(prepared.panel.series[:MAX_SERIES]):
        rows = (origins[:, 0] == number).nonzero()[0]
        if len(rows):
            metrics[one.name] = scored.metrics(rows)
    return metrics
