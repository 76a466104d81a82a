"""Learning rate schedules, as shares of the peak: pure functions of the step.

Plateau also depends on the validation losses so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi
from typing import Any

from ensue.training.settings import ConstantSettings, PlateauSettings

FLAT = 0.05
"""Share of the training before cosine decay starts. The timed start lies within it, so its steps
have the same learning rate before the number of steps is known as after."""


@dataclass(frozen=True)
class Plateau:
    """State of reduce-on-plateau: best validation loss, evaluations since, and current scale."""

    best: float | None = None
    waited: int = 0
    scale: float = 1.0

    def after(self, validation: float, settings: PlateauSettings) -> Plateau:
        """Return the state after an evaluation with this loss, in nats per symbol.

        >>> settings = PlateauSettings(patience=0, factor=0.5)
        >>> Plateau().after(2.0, settings).after(2.1, settings)
        Plateau(best=2.0, waited=0, scale=0.5)
        """
        if self.best is None or validation < self.best:
            return Plateau(validation, 0, self.scale)
        if self.waited < settings.patience:
            return Plateau(self.best, self.waited + 1, self.scale)
        return Plateau(self.best, 0, max(self.scale * settings.factor, settings.min_ratio))


def scale(step: int, steps: int | None, plateau: Plateau, settings: Any) -> float:
    """Return the share of the peak learning rate at update `step` (from 0) of `steps`.

    `settings` are those of one of SCHEDULES. `steps` is None while the number is unknown.

    >>> from ensue.training.settings import CosineSettings
    >>> settings = CosineSettings(warmup=10, min_ratio=0.0)
    >>> [round(scale(step, 1000, Plateau(), settings), 3) for step in (0, 4, 10, 50, 525, 999)]
    [0.1, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    warmup = settings.warmup if steps is None else min(settings.warmup, steps // 5)
    rise = min((step + 1) / warmup, 1.0) if warmup else 1.0
    if isinstance(settings, PlateauSettings):
        return rise * plateau.scale
    if isinstance(settings, ConstantSettings) or steps is None:
        return rise
    flat = max(FLAT * steps, warmup)
    done = min(max(step - flat, 0.0) / max(steps - flat, 1.0), 1.0)
    return rise * (settings.min_ratio + (1 - settings.min_ratio) * (1 + cos(pi * done)) / 2)
