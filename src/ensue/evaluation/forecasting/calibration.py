"""The origins that the intervals of forecasts are calibrated on."""

from __future__ import annotations

import numpy as np

from ensue.data.series.backtest import Origins
from ensue.data.series.dataset import SeriesParts
from ensue.evaluation.forecasting.conformal import FEW
from ensue.evaluation.forecasting.metrics import non_overlapping


def get_calibration_origins(data: SeriesParts) -> tuple[Origins, str]:
    """Get the origins that a model in closed form is calibrated on, and the part if it refits."""
    origins = data.origins("calibration")
    if data.layout.refit_fitted and len(non_overlapping(origins, data.layout.horizon)) < FEW:
        rehearsed = _choose_rehearsal(data, origins)
        if len(rehearsed):
            return rehearsed, "rehearsal"
    return origins, ""


def _choose_rehearsal(data: SeriesParts, calibration: Origins) -> Origins:
    """Choose origins of the rehearsal and the calibration part, without the validation part.

    Before each of them some series has a full window to fit on.
    """
    validation = {*map(tuple, data.origins("validation").tolist())}
    rehearsal = [one for one in data.origins("rehearsal").tolist() if tuple(one) not in validation]
    origins = np.array(
        sorted({*map(tuple, rehearsal), *map(tuple, calibration.tolist())}), np.int64
    ).reshape(-1, 2)
    steps = data.layout.refit_fitted * data.layout.stride
    refits = data.number_refits(origins, "rehearsal", steps)
    min_length = data.layout.min_context + data.layout.horizon
    possible = [
        number
        for number in np.unique(refits)
        if max(data.refit_ends("rehearsal", int(number), steps)) >= min_length
    ]
    return origins[np.isin(refits, possible)]
