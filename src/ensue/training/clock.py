"""From minutes to a number of steps: the only place where time has a say in what is computed."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter

SHARE = 0.04
"""Of the budget goes by before its steps are counted out (less than the flat start of the schedule)."""
WARM = 3
"""Steps at the very beginning that are slower than all others: caches fill, kernels are chosen."""
SPARE = 0.97
"""Of the time that is left is planned for, since nothing gets faster later."""
EVALUATIONS = 20
"""So many over a training, unless they would take more than ALLOWANCE of its time."""
ALLOWANCE = 0.15


@dataclass
class TimedStart:
    """Measures the first steps of a training that has so many seconds."""

    budget: float
    spent: float = 0.0
    """Seconds of the budget that an earlier, interrupted start used up."""
    _began: float = field(default_factory=perf_counter)
    _ends: list[float] = field(default_factory=list)

    def step_done(self) -> bool:
        """Take note of the end of a step; true once enough of them were seen."""
        self._ends.append(perf_counter())
        timed = len(self._ends) - WARM
        elapsed = self.spent + self._ends[-1] - self._began
        return (timed >= 5 and elapsed >= SHARE * self.budget) or (timed >= 1 and elapsed >= 0.25 * self.budget)

    def count(self, evaluation: float) -> tuple[int, int]:
        """Count the steps that fit into what is left, and the steps between evaluations of so many seconds each."""
        left = SPARE * (self.budget - self.spent - (perf_counter() - self._began))
        return steps_within(left, (self._ends[-1] - self._ends[WARM - 1]) / (len(self._ends) - WARM), evaluation)


def steps_within(left: float, step: float, evaluation: float) -> tuple[int, int]:
    """Share the seconds left between steps and evaluations.

    >>> steps_within(100.0, 0.1, 1.0)
    (850, 57)
    >>> steps_within(100.0, 0.1, 0.01)
    (998, 50)
    """
    evaluations = max(1, min(EVALUATIONS, int(ALLOWANCE * left / max(evaluation, 1e-9))))
    steps = max(1, int((left - evaluations * evaluation) / max(step, 1e-9)))
    return steps, -(-steps // evaluations)
