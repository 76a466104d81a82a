"""Output heads: from features to a distribution."""

from collections.abc import Callable

from ensue.heads.categorical import Categorical, CategoricalSettings
from ensue.heads.contract import Head, PathHead
from ensue.heads.crf import CRFSettings
from ensue.heads.multilabel import Multilabel
from ensue.heads.ordinal import Ordinal
from ensue.heads.paths import Chain, ChainTags, StepTags
from ensue.heads.regression import Regression
from ensue.heads.softmax import SoftmaxSettings
from ensue.settings import Settings

HEADS: dict[str, type[Settings]] = {"categorical": CategoricalSettings}
"""Heads over symbols; their settings have `build(features, size, table)`."""

LABEL_HEADS: dict[str, Callable[[int, int], Head]] = {
    "multiclass": Categorical,
    "multilabel": Multilabel,
    "ordinal": Ordinal,
    "regression": Regression,
}
"""Heads over the label of an example, by label kind; each is built from (features, size)."""

TAG_HEADS: dict[str, type[Settings]] = {"softmax": SoftmaxSettings, "crf": CRFSettings}
"""Heads over the tags of a sentence; their settings have `build(features, size)`."""

__all__ = [
    "HEADS",
    "LABEL_HEADS",
    "TAG_HEADS",
    "CRFSettings",
    "Categorical",
    "CategoricalSettings",
    "Chain",
    "ChainTags",
    "Head",
    "PathHead",
    "Regression",
    "StepTags",
]
