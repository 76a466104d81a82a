"""Search the training part for the stretch of steps that is nearest to a generated one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.data.dataset import Examples

STRETCH = 32
"""Steps that are compared at a time, or all of a shorter sample."""
COPIED = 1e-3
"""Distance below which a stretch is a copy, in standard deviations."""


@dataclass(frozen=True)
class Nearest:
    """The nearest stretch of training to any stretch of a sample."""

    distance: float
    """Root of the mean squared difference of standardised numbers, where a symbol that differs
    counts 1."""
    steps: int
    """Length of the stretches."""
    line: int
    """Line on which the sequence of training begins."""
    step: int
    """Step of that sequence at which the stretch begins, from 1."""

    def __str__(self) -> str:
        how = "copies" if self.distance < COPIED else "is nearest to"
        return (
            f"of {self.steps} steps, the sample {how} training from step {self.step:,} of the "
            f"sequence of line {self.line:,}, at a distance of {self.distance:.3g} standard "
            f"deviations"
        )

    def to_json(self) -> dict[str, Any]:
        """Convert to plain JSON values."""
        return {**vars(self), "copied": self.distance < COPIED, "sentence": str(self)}


def find_nearest(sample: Mapping[str, NDArray[Any]], train: Examples) -> Nearest | None:
    """Find the nearest stretch of the training part; None if all its sequences are shorter.

    `sample` holds "symbols" and "numbers", each (steps, fields); further fields of symbols of the
    training part are not compared.
    """
    count, best = len(sample["symbols"]), None
    length = min(STRETCH, count, int(train.lengths.max(initial=0)))
    if not length:
        return None
    numbers = train.steps["numbers"]
    symbols = train.steps["symbols"][:, : sample["symbols"].shape[1]]
    ends = np.repeat(train.offsets[1:], train.lengths)
    inside = np.arange(len(ends)) + length <= ends
    starts = np.flatnonzero(inside)
    fields = numbers.shape[1] + symbols.shape[1]
    for begin in range(0, count - length + 1, length):
        total = np.zeros(len(starts))
        for at in range(length):
            there = starts + at
            apart = np.float64(numbers[there]) - sample["numbers"][begin + at]
            total += (apart**2).sum(1)
            total += (symbols[there] != sample["symbols"][begin + at]).sum(1)
        place = int(total.argmin())
        distance = float(np.sqrt(total[place] / (length * fields)))
        if best is None or distance < best.distance:
            sequence = int(np.searchsorted(train.offsets, starts[place], "right")) - 1
            line = int(train.static["line"][sequence])
            step = int(starts[place] - train.offsets[sequence]) + 1
            best = Nearest(distance, length, line, step)
    return best
