"""A forecast of the test becomes a line of the table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ensue.data.series.backtest import Origins
from ensue.evaluation.forecasting.conformal import ConformalIntervals
from ensue.evaluation.forecasting.distributions import Forecast
from ensue.evaluation.forecasting.metrics import ScoredForecast, compute_block_metrics, score
from ensue.evaluation.ranking import Role
from ensue.evaluation.scores import Score
from ensue.tasks.forecast.data import Prepared
from ensue.tasks.forecast.predicting import blocks_of

PER_SERIES = 100
"""Series whose own figures a result holds."""


@dataclass(frozen=True)
class Candidate:
    """What a model foretold of the test."""

    name: str
    role: Role
    forecast: Forecast
    bands: ConformalIntervals
    seconds: float
    model: Any = None


@dataclass(frozen=True)
class ScoredCandidate:
    """A line of the table, and what is behind it."""

    row: Score
    scored: ScoredForecast
    candidates: Candidate


def score_candidate(tried: Candidate, prepared: Prepared, origins: Origins) -> ScoredCandidate:
    """Score a model against what came."""
    target = prepared.inputs("standard").targets(origins)
    scored = score(tried.forecast, target, prepared.scales(origins), tried.bands)
    blocks = blocks_of(origins, prepared.layout.horizon)
    metrics, intervals, losses = compute_block_metrics(scored, blocks)
    count = getattr(tried.model, "parameter_count", 0)
    row = Score(
        tried.name,
        tried.role,
        metrics,
        intervals,
        losses,
        scored.cost.upper(),
        tried.seconds,
        count,
    )
    return ScoredCandidate(row, scored, tried)


def by_step(scored: ScoredForecast, horizon: int) -> dict[str, list[float]]:
    """Give each figure at each step ahead."""
    steps = [scored.metrics(step=step) for step in range(horizon)]
    return {name: [step[name] for step in steps] for name in steps[0]}


def by_series(
    scored: ScoredForecast, prepared: Prepared, origins: Origins
) -> dict[str, dict[str, float]]:
    """Give the figures of each series, of the first ones if there are many."""
    found = {}
    for number, one in enumerate(prepared.panel.series[:PER_SERIES]):
        rows = (origins[:, 0] == number).nonzero()[0]
        if len(rows):
            found[one.name] = scored.metrics(rows)
    return found
