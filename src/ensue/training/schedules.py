"""The rate as a share of its highest: a pure function of the step, and for plateau of what was
measured so far."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

from ensue.training.settings import ScheduleSettings

FLAT = 0.05
"""Share of the training before cosine starts to fall: steps that are timed before their number is
known have the rate that they would have had anyway."""


@dataclass(frozen=True)
class Plateau:
    """What plateau remembers: the best validation loss, evaluations since then, and the scale it
    came down to."""

    best: float | None = None
    waited: int = 0
    scale: float = 1.0

    def after(self, validation: float, settings: ScheduleSettings) -> Plateau:
        """Take note of an evaluation, in nats per symbol; smaller is better.

        >>> settings = ScheduleSettings(name="plateau", patience=0, factor=0.5)
        >>> Plateau().after(2.0, settings).after(2.1, settings)
        Plateau(best=2.0, waited=0, scale=0.5)
        """
        if self.best is None or validation < self.best:
            return Plateau(validation, 0, self.scale)
        if self.waited < settings.patience:
            return Plateau(self.best, self.waited + 1, self.scale)
        return Plateau(self.best, 0, max(self.scale * settings.factor, settings.min_ratio))


def scale(step: int, steps: int | None, plateau: Plateau, settings: ScheduleSettings) -> float:
    """Give the share of the rate for update number `step` (from 0) of `steps` (None while that is
    unknown).

    >>> settings = ScheduleSettings(name="cosine", warmup=10, min_ratio=0.0)
    >>> [round(scale(step, 1000, Plateau(), settings), 3) for step in (0, 4, 10, 50, 525, 999)]
    [0.1, 0.5, 1.0, 1.0, 0.5, 0.0]
    """
    warmup = settings.warmup if steps is None else min(settings.warmup, steps // 5)
    rise = min((step + 1) / warmup, 1.0) if warmup else 1.0
    if settings.name == "plateau":
        return rise * plateau.scale
    if settings.name == "constant" or steps is None:
        return rise
    flat = max(FLAT * steps, warmup)
    done = min(max(step - flat, 0.0) / max(steps - flat, 1.0), 1.0)
    return rise * (settings.min_ratio + (1 - settings.min_ratio) * (1 + cos(pi * done)) / 2)
