"""Models whose scores are linear in their weights: on n-grams here, and what others of the kind need."""

from ensue.models.linear.model import Linear, LinearSettings
from ensue.models.linear.newton import Convex, minimise
from ensue.models.linear.scores import misfit, spread_of, told

__all__ = ["Convex", "Linear", "LinearSettings", "minimise", "misfit", "spread_of", "told"]
