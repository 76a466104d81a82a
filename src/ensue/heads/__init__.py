"""From features to a distribution."""

from ensue.heads.categorical import Categorical, CategoricalSettings
from ensue.heads.contract import Head, PathHead
from ensue.heads.crf import CRF, CRFSettings
from ensue.heads.number import Number, NumberSettings
from ensue.heads.ordinal import Ordinal, OrdinalSettings
from ensue.heads.paths import Chain, ChainTags, StepTags
from ensue.heads.several import Several, SeveralSettings
from ensue.heads.softmax import Softmax, SoftmaxSettings
from ensue.settings import Settings

HEADS: dict[str, type[Settings]] = {"categorical": CategoricalSettings}
"""Of symbols; their settings have `build(features, size, table)`."""

LABEL_HEADS: dict[str, type[Settings]] = {
    "single": CategoricalSettings,
    "several": SeveralSettings,
    "ordinal": OrdinalSettings,
    "number": NumberSettings,
}
"""Of what is said of a whole example, by its kind; their settings have `build(features, size)`."""

TAG_HEADS: dict[str, type[Settings]] = {"softmax": SoftmaxSettings, "crf": CRFSettings}
"""Over the tags of a whole sentence; their settings have `build(features, size)`."""

__all__ = [
    "CRF",
    "HEADS",
    "LABEL_HEADS",
    "TAG_HEADS",
    "CRFSettings",
    "Categorical",
    "CategoricalSettings",
    "Chain",
    "ChainTags",
    "Head",
    "Number",
    "NumberSettings",
    "Ordinal",
    "OrdinalSettings",
    "PathHead",
    "Several",
    "SeveralSettings",
    "Softmax",
    "SoftmaxSettings",
    "StepTags",
]
