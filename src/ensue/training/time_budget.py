"""From minutes to a number of steps: the only place where time has a say in what is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean, median

SHARE = 0.04
"""Of the budget goes by before its steps are counted out (less than the flat start of the
schedule)."""
WARM = 3
"""Steps at the very beginning that are slower than all others: caches fill, kernels are chosen."""
ODD = 3
"""A step that takes so many times the median has waited for something else, and is not counted on
to come again; batches of unequal lengths differ by less."""
SPARE = 0.97
"""Of the time that is left is planned for, since nothing gets faster later."""
EVALUATIONS = 20
"""So many over a training, unless they would take more than ALLOWANCE of its time."""
ALLOWANCE = 0.15


@dataclass
class TimedStart:
    """Measures the first steps of a training; every time is in seconds on one clock, which it is
    told."""

    began: float
    ends: float
    """When the budget will be used up."""
    _steps: list[float] = field(default_factory=list)

    def step_done(self, now: float) -> bool:
        """Take note of the end of a step; true once enough of them were seen."""
        self._steps.append(now)
        timed, elapsed = len(self._steps) - WARM, (now - self.began) / (self.ends - self.began)
        return (timed >= 5 and elapsed >= SHARE) or (timed >= 1 and elapsed >= 5 * SHARE)

    def count(self, now: float, evaluation: float, between: int | None) -> tuple[int, int]:
        """Count the steps that fit into what is left, and the steps between evaluations of so
        many seconds each."""
        took = [after - before for before, after in pairwise(self._steps[WARM - 1 :])]
        usual = median(took)
        step = fmean(one for one in took if one <= ODD * usual)
        return steps_within(SPARE * (self.ends - now), step, evaluation, between)


def steps_within(
    left: float, step: float, evaluation: float, between: int | None = None
) -> tuple[int, int]:
    """Share the seconds left between steps and evaluations; `between` steps lie between these if it
    is given.

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
    evaluating = (
        evaluations + 1
    ) * evaluation  # they fall on multiples of a number of steps, and on the end
    steps = max(1, int((left - evaluating) / step))
    return steps, -(-steps // evaluations)
