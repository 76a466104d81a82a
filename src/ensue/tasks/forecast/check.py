"""How `ensue check` reads the data of `forecast`."""

from ensue.data.check.contract import Check
from ensue.data.check.series import check_series
from ensue.data.series.backtest import BacktestSettings
from ensue.data.series.panel import SeriesSettings

CHECK = Check("series", {"data": SeriesSettings(), "backtest": BacktestSettings()}, check_series)
