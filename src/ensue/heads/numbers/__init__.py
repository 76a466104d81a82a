"""Heads over numbers: from features to their distribution."""

from ensue.heads.numbers.contract import NumbersDistribution, NumbersHead
from ensue.heads.numbers.gaussian import GaussianSettings
from ensue.heads.numbers.mixture import MixtureHeadSettings
from ensue.heads.numbers.negative_binomial import NegativeBinomialSettings
from ensue.heads.numbers.quantiles import QuantilesSettings
from ensue.heads.numbers.student import StudentSettings
from ensue.settings import Settings

NUMBERS: dict[str, type[Settings]] = {
    "gaussian": GaussianSettings,
    "student": StudentSettings,
    "negative_binomial": NegativeBinomialSettings,
    "quantiles": QuantilesSettings,
    "mixture": MixtureHeadSettings,
}
"""Heads over numbers by name; their settings have `build(features, size)`."""
CONTINUOUS = {name: NUMBERS[name] for name in ("mixture", "student", "gaussian", "quantiles")}
"""Those over numbers of either sign."""

__all__ = [
    "CONTINUOUS",
    "NUMBERS",
    "GaussianSettings",
    "MixtureHeadSettings",
    "NumbersDistribution",
    "NumbersHead",
    "StudentSettings",
]
