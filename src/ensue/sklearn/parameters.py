"""Defaults of the estimators, and checks of their parameters."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from ensue.settings import read_arguments
from ensue.tasks import Choices
from ensue.training.settings import TrainingSettings

MIN_EPOCHS, MIN_UPDATES = 10, 200
"""Default budget of a training, which reaches both."""

MIN_SAMPLES = {"validation": 100, "calibration": 1000}
"""Samples from which on a part is held out."""


def get_seed(random_state: Any) -> int:
    """Get the seed: `random_state` if it is an integer, else a number drawn from it.

    >>> get_seed(7)
    7
    """
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def get_choices(estimator: Any, names: Sequence[str], **more: Any) -> Choices:
    """Get the options of a training from the parameters of an estimator.

    Raises SettingError if one has the wrong type.
    """
    given = {name: getattr(estimator, name) for name in names}
    return read_arguments(Choices, {**given, "seed": get_seed(estimator.random_state), **more})


def refuse_files(data: Any) -> None:
    """Raise ValueError if settings of `data` name files: an estimator trains on X and y alone."""
    if named := next(
        (name for name in ("valid_file", "test_file") if getattr(data, name, "")), None
    ):
        raise ValueError(
            f"data.{named}: an estimator reads no files; leave it out, or use `ensue train`"
        )


def with_default_budget(
    training: TrainingSettings, minutes: float | None, count: int
) -> TrainingSettings:
    """Fill in the epochs for `count` samples, unless a budget was given.

    >>> with_default_budget(TrainingSettings(), None, 16).epochs
    200
    """
    changes: dict[str, Any] = {}
    given = (minutes, training.epochs, training.steps) != (None, None, None)
    if not given and training.minutes == TrainingSettings().minutes:
        updates_per_epoch = ceil(count / training.batching.batch_size)
        changes["epochs"] = max(MIN_EPOCHS, ceil(MIN_UPDATES / updates_per_epoch))
    if count < MIN_SAMPLES["validation"] and training.evaluate_every is None:
        # Without a validation part there is nothing to select on: evaluate at the end alone.
        changes["evaluate_every"] = 1 << 40
    return training.model_copy(update=changes)
