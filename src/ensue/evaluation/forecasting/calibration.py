"""The origins that the intervals of forecasts are calibrated on."""

from __future__ import annotations

import numpy as np

from ensue.data.series.backtest import Origins
from ensue.data.series.dataset import SeriesParts
from ensue.evaluation.forecasting.conformal import FEW
from ensue.evaluation.forecasting.metrics import non_overlapping


def get_calibration_origins(data: SeriesParts) -> tuple[Origins, str]:
    """Get the origins that a model in closed form is calibrated on, and their part.

    If the calibration part is short and the model is refitted during the backtest, the calibration
    also uses a rehearsal: a backtest of the later half of the time before the test. It leaves out
    the validation part, on which the model was selected.
    """
    origins = data.origins("calibration")
    if data.layout.refit_fitted and len(non_overlapping(origins, data.layout.horizon)) < FEW:
        rehearsed = _choose_rehearsal(data, origins)
        if len(rehearsed):
            return rehearsed, "rehearsal"
    return origins, "calibration"


def _choose_rehearsal(data: SeriesParts, calibration: Origins) -> Origins:
    """Choose origins of the rehearsal and the calibration part, without the validation part.

    Before each of them some series has a full window to fit on.
    """
    validation = {*map(tuple, data.origins("validation").tolist())}
    rehearsal = [one for one in data.origins("rehearsal").tolist() if tuple(one) not in validation]
    origins = np.array(
        sorted({*map(tuple, rehearsal), *map(tuple, calibration.tolist())}), np.int64
    ).reshape(-1, 2)
    min_length = data.layout.min_context + data.layout.horizon
    refits = data.refits(origins, "rehearsal", data.layout.refit_fitted)
    possible = [rows for ends, rows in refits if max(ends) >= min_length]
    return origins[np.sort(np.concatenate([*possible, np.zeros(0, np.int64)]))]
