"""Sampling filters: temperature, top-k, top-p, min-p, typical and repetition penalty.

Pure functions on log-probabilities (rows, size); each row is a distribution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.settings import Settings

LogProbs = NDArray[np.float64]
Mask = NDArray[np.bool_]


class SamplingSettings(Settings):
    """Sampling filters; the defaults leave the model's distribution as it is."""

    temperature: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    """Sampling temperature: below 1 sharpens the distribution; 0 is greedy decoding."""
    top_k: int = Field(default=0, ge=0)
    """Sample from this many most probable symbols (top-k); 0 is all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the smallest set of most probable symbols with this total probability (top-p,
    nucleus)."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Sample from symbols at least this probable relative to the most probable one (min-p)."""
    typical_p: float = Field(default=1.0, gt=0, le=1)
    """Sample from the symbols whose surprisal is nearest to the entropy, with this total
    probability (locally typical)."""
    repetition_penalty: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Repetition penalty: above 1 makes symbols of the recent text less probable."""
    repetition_window: int = Field(default=64, ge=1, lt=1 << 31)
    """Symbols of recent text that the repetition penalty covers, prompt included."""


def apply(
    settings: SamplingSettings, scores: LogProbs, allowed: Mask, recent: Mask | None = None
) -> LogProbs:
    """Apply all filters: allowed symbols, repetition penalty, temperature, top-k, top-p, min-p,
    typical.

    The order is fixed; each filter receives the renormalised output of the one before. `allowed`
    and `recent` are (rows, size) or (size,). If the model gives probability zero to all allowed
    symbols, these become equally probable.
    """
    scores = allow(scores, allowed)
    if recent is not None and settings.repetition_penalty != 1:
        scores = penalize(scores, recent, settings.repetition_penalty)
    if settings.temperature != 1:
        scores = apply_temperature(scores, settings.temperature)
    if 0 < settings.top_k < scores.shape[1]:
        scores = keep_top(scores, settings.top_k)
    if settings.top_p < 1:
        scores = keep_top_p(scores, settings.top_p)
    if settings.min_p > 0:
        scores = keep_probable(scores, settings.min_p)
    if settings.typical_p < 1:
        scores = keep_typical(scores, settings.typical_p)
    return scores


def normalize(scores: LogProbs) -> LogProbs:
    """Shift each row so that its probabilities sum to one."""
    highest = scores.max(axis=1, keepdims=True)
    return scores - highest - np.log(np.exp(scores - highest).sum(axis=1, keepdims=True))


def allow(scores: LogProbs, allowed: Mask) -> LogProbs:
    """Set the probability of forbidden symbols to zero."""
    kept = np.where(allowed, scores, -np.inf)
    hopeless = ~np.isfinite(kept.max(axis=1, keepdims=True))
    return normalize(np.where(hopeless & allowed, 0.0, kept))


def penalize(scores: LogProbs, recent: Mask, penalty: float) -> LogProbs:
    """Multiply the log-probability of recent symbols by the penalty (Keskar et al. 2019,
    arXiv:1909.05858).

    The paper divides logits, whose zero is arbitrary; here they are log-probabilities, never
    positive.
    """
    return normalize(np.where(recent, scores * penalty, scores))


def apply_temperature(scores: LogProbs, temperature: float) -> LogProbs:
    """Divide log-probabilities by the temperature; at 0 keep the most probable symbol alone.

    Of equally probable symbols, the lowest id is kept.

    >>> np.exp(apply_temperature(np.log([[0.8, 0.2]]), 0.5)).round(3).tolist()
    [[0.941, 0.059]]
    """
    if temperature == 0:
        return keep_top(scores, 1)
    with np.errstate(over="ignore"):  # close to 0 the unlikely become impossible, as they should
        return normalize((scores - scores.max(axis=1, keepdims=True)) / temperature)


def keep_top(scores: LogProbs, count: int) -> LogProbs:
    """Keep the `count` most probable symbols of each row (top-k); ties keep the lower ids."""
    return _keep(scores, np.argsort(-scores, axis=1, kind="stable"), np.full(len(scores), count))


def keep_top_p(scores: LogProbs, mass: float) -> LogProbs:
    """Keep the smallest set of most probable symbols with at least this mass (top-p).

    Source: Holtzman et al. 2020, arXiv:1904.09751, nucleus sampling.
    """
    return _keep_mass(scores, np.argsort(-scores, axis=1, kind="stable"), mass)


def keep_probable(scores: LogProbs, share: float) -> LogProbs:
    """Keep symbols at least `share` times as probable as the most probable one (min-p).

    Source: Nguyen et al. 2024, arXiv:2407.01082.
    """
    return normalize(
        np.where(scores >= scores.max(axis=1, keepdims=True) + np.log(share), scores, -np.inf)
    )


def keep_typical(scores: LogProbs, mass: float) -> LogProbs:
    """Keep the symbols whose surprisal is nearest to the entropy (locally typical sampling).

    Source: Meister et al. 2023, arXiv:2202.00666.
    """
    surprisal = np.where(np.isfinite(scores), -scores, 0.0)
    entropy = (np.exp(scores) * surprisal).sum(axis=1, keepdims=True)
    distance = np.where(np.isfinite(scores), np.abs(surprisal - entropy), np.inf)
    return _keep_mass(scores, np.argsort(distance, axis=1, kind="stable"), mass)


def _keep_mass(scores: LogProbs, order: NDArray[np.intp], mass: float) -> LogProbs:
    before = np.cumsum(np.exp(np.take_along_axis(scores, order, axis=1)), axis=1)
    # The symbol that crosses the mass is kept too, so that the set has at least this mass.
    return _keep(scores, order, (before < mass).sum(axis=1) + 1)


def _keep(scores: LogProbs, order: NDArray[np.intp], counts: NDArray[np.integer]) -> LogProbs:
    kept = np.zeros(scores.shape, dtype=bool)
    np.put_along_axis(kept, order, np.arange(scores.shape[1]) < counts[:, None], axis=1)
    return normalize(np.where(kept, scores, -np.inf))
