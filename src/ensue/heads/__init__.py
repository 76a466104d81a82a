"""From features to a distribution."""

from ensue.heads.categorical import Categorical, CategoricalSettings
from ensue.heads.contract import Head
from ensue.heads.gaussian import Gaussian, GaussianSettings
from ensue.heads.ordinal import Ordinal, OrdinalSettings
from ensue.heads.several import Several, SeveralSettings
from ensue.settings import Settings

HEADS: dict[str, type[Settings]] = {"categorical": CategoricalSettings}
"""Of symbols; their settings have `build(features, size, table)`."""

LABEL_HEADS: dict[str, type[Settings]] = {
    "single": CategoricalSettings,
    "several": SeveralSettings,
    "ordinal": OrdinalSettings,
    "number": GaussianSettings,
}
"""Of what is said of a whole example, by its kind; their settings have `build(features, size)`."""

__all__ = [
    "HEADS",
    "LABEL_HEADS",
    "Categorical",
    "CategoricalSettings",
    "Gaussian",
    "GaussianSettings",
    "Head",
    "Ordinal",
    "OrdinalSettings",
    "Several",
    "SeveralSettings",
]
