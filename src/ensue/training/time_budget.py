"""Convert a time budget to a number of steps: the only place where time affects the result."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, median

SHARE = 0.04
"""Share of the budget that is timed before the steps are counted; it must be less than
`schedules.FLAT`."""
WARM = 3
"""First steps that are not timed: they are slower, because caches fill and kernels are chosen."""
OUTLIER = 3
"""A step that takes this many times the median waited for something else, and is left out of the
mean; batches of unequal lengths differ by less."""
PLANNED = 0.97
"""Share of the remaining time that is planned, since nothing gets faster later."""
EVALUATIONS = 20
"""Evaluations per training, unless they would take more than ALLOWANCE of its time."""
ALLOWANCE = 0.15
"""Largest share of the time for evaluations."""


@dataclass
class TimedStart:
    """Timer of the first steps of a training; all times are in seconds of the caller's clock."""

    began: float
    ends: float
    """Time at which the budget is used up."""
    _steps: list[float] = field(default_factory=list)

    def step_done(self, now: float) -> bool:
        """Record the end of a step; return whether enough steps were timed."""
        self._steps.append(now)
        timed, elapsed = len(self._steps) - WARM, (now - self.began) / (self.ends - self.began)
        return (timed >= 5 and elapsed >= SHARE) or (timed >= 1 and elapsed >= 5 * SHARE)

    def count(self, now: float, evaluation: float, between: int | None) -> tuple[int, int]:
        """Return the steps that fit into the remaining time, and the steps between evaluations.

        `evaluation` is the seconds of one evaluation.
        """
        durations = [after - before for before, after in pairwise(self._steps[WARM - 1 :])]
        usual = median(durations)
        step = fmean(one for one in durations if one <= OUTLIER * usual)
        return steps_within(PLANNED * (self.ends - now), step, evaluation, between)


def steps_within(
    left: float, step: float, evaluation: float, between: int | None = None
) -> tuple[int, int]:
    """Divide the seconds left between steps and evaluations; return steps and evaluation interval.

    `step` and `evaluation` are seconds of each. `between` fixes the steps between evaluations.

    >>> steps_within(100.0, 0.1, 1.0)
    (840, 56)
    >>> steps_within(100.0, 0.1, 0.01)
    (997, 50)
    >>> steps_within(100.0, 0.1, 1.0, between=10)
    (495, 10)
    """
    step = max(step, 1e-9)
    if between is not None:
        return max(1, int((left - evaluation) / (step + evaluation / between))), between
    evaluations = max(1, min(EVALUATIONS, int(ALLOWANCE * left / max(evaluation, 1e-9))))
    # One more, at the end: the others fall on multiples of the interval.
    evaluating = (evaluations + 1) * evaluation
    steps = max(1, int((left - evaluating) / step))
    return steps, -(-steps // evaluations)
