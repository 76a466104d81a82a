"""How good forecasts were."""

from ensue.evaluation.forecasting.bands import FEW, UNMOVED, Bands
from ensue.evaluation.forecasting.distributions import Forecast, Normals, Quantiled, Sampled, joined, taken
from ensue.evaluation.forecasting.figures import Scales, Scored, blocked, naive_scale, score
from ensue.evaluation.forecasting.naive import SIMPLE, errors_spread

__all__ = [
    "FEW",
    "SIMPLE",
    "UNMOVED",
    "Bands",
    "Forecast",
    "Normals",
    "Quantiled",
    "Sampled",
    "Scales",
    "Scored",
    "blocked",
    "errors_spread",
    "joined",
    "naive_scale",
    "score",
    "taken",
]
