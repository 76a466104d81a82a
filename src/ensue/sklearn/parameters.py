"""What estimators choose where a person leaves it open."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ensue.training.settings import TrainingSettings

EPOCHS, UPDATES = 10, 200
"""Where neither minutes nor epochs are given: at least so many of each."""

ENOUGH = {"validation": 100, "calibration": 1000}
"""Samples from which on a share is held out to choose on, and another to calibrate on."""


def seed_of(random_state: Any) -> int:
    """Give a seed that is a whole number as it is, and draw one of anything else that scikit-learn
    takes.

    >>> seed_of(7)
    7
    """
    whole = isinstance(random_state, int | np.integer)
    return int(random_state if whole else check_random_state(random_state).randint(2**31 - 1))


def refuse_files(data: Any) -> None:
    """Raises ValueError where settings of `data` name files: an estimator learns from what `fit`
    is given."""
    if named := next(
        (name for name in ("valid_file", "test_file") if getattr(data, name, "")), None
    ):
        raise ValueError(
            f"an estimator reads no files; leave out data.{named}, or train with `ensue train`"
        )


def with_usual_budget(
    training: TrainingSettings, minutes: float | None, count: int
) -> TrainingSettings:
    """Fill in how long is learned from `count` samples, in epochs, unless something was said.

    >>> with_usual_budget(TrainingSettings(), None, 16).epochs
    200
    """
    changes: dict[str, Any] = {}
    said = (minutes, training.epochs, training.steps) != (None, None, None)
    if not said and training.minutes == TrainingSettings().minutes:
        changes["epochs"] = max(EPOCHS, ceil(UPDATES / ceil(count / training.batching.batch_size)))
    if count < ENOUGH["validation"] and training.evaluate_every is None:
        changes["evaluate_every"] = 1 << 40  # at the end alone: there is nothing to choose on
    return training.model_copy(update=changes)
