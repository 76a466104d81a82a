"""Catalogue of forecasters by name."""

from __future__ import annotations

from ensue.cells import CELLS
from ensue.errors import SettingError, did_you_mean
from ensue.models.autoregressive import AutoregressiveSettings
from ensue.models.baselines.boosting import BoostingSettings
from ensue.models.baselines.ridge import RidgeSettings
from ensue.models.direct import DirectSettings
from ensue.models.forecaster_contract import Forecasting, Sizes
from ensue.settings import Settings, read_trusted

FORECASTERS: dict[str, type[Settings]] = {
    "autoregressive": AutoregressiveSettings,
    "direct": DirectSettings,
    "ridge": RidgeSettings,
    "boosting": BoostingSettings,
}

FITTED = ("ridge", "boosting")
"""Forecasters that are fitted without gradients."""

__all__ = [
    "FITTED",
    "FORECASTERS",
    "Forecasting",
    "Sizes",
    "forecaster_names",
    "forecaster_settings",
]


def forecaster_names() -> list[str]:
    """List every name that `forecaster_settings` knows: models, and cells.

    A cell makes an autoregressive network.
    """
    return [*FORECASTERS, "linear", "mlp", *CELLS]


def forecaster_settings(name: str) -> Settings:
    """Look up the settings of a forecaster by name; the path of a Python file names the cell in it.

    Raises SettingError that suggests the nearest name.

    >>> forecaster_settings("mlp").depth
    2
    """
    if name in FORECASTERS:
        return FORECASTERS[name]()
    if name in ("linear", "mlp"):
        return DirectSettings(depth=0 if name == "linear" else 2)
    if name in CELLS or name.endswith(".py"):
        return read_trusted(
            AutoregressiveSettings, {"body": {"name": "recurrent", "cell": name, "width": 32}}
        )
    raise SettingError(
        f"there is no model {name!r}", where="--model", hint=did_you_mean(name, forecaster_names())
    )
