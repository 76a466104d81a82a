"""From features to a distribution."""

from ensue.heads.categorical import Categorical, CategoricalSettings
from ensue.heads.contract import Head
from ensue.settings import Settings

HEADS: dict[str, type[Settings]] = {"categorical": CategoricalSettings}

__all__ = ["HEADS", "Categorical", "CategoricalSettings", "Head"]
