"""Fitting a model at one go is one step of training, and logged as such."""

from __future__ import annotations

from dataclasses import dataclass

from ensue.models.contract import Predictor
from ensue.training import devices
from ensue.training.contract import Progress, Watch
from ensue.training.run import METRICS, Run


@dataclass(frozen=True)
class Learned:
    """A model, how long it took, and what was chosen on which part."""

    model: Predictor
    seconds: float
    chosen: tuple[str, ...] = ()


def tell_fitted(run: Run, validation: float, seconds: float, count: int, watch: Watch) -> None:
    """Log the one step, over `count` things, once; `validation` is in nats per thing."""
    progress = Progress(
        step=1,
        steps=1,
        epoch=1.0,
        loss=None,
        validation=validation,
        rate=0.0,
        norm=None,
        seconds=seconds,
        symbols_per_second=count / max(seconds, 1e-9),
        eta_seconds=0.0,
        memory_mb=devices.memory_mb(),
    )
    if not run.rows(METRICS):
        run.record(progress)
    watch(progress)
