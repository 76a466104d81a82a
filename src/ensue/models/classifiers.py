"""Catalogue of classifiers by name, and their sizes."""

from __future__ import annotations

from typing import Any

from ensue.cells import CELLS
from ensue.data.codecs.labels import LabelKind
from ensue.data.labelled import Fields
from ensue.errors import SettingError, did_you_mean
from ensue.layers import (
    ENCODERS,
    LAYERS,
    BidirectionalSettings,
    ConvolutionSettings,
    UnidirectionalSettings,
)
from ensue.models.baselines.dtw import DTWSettings
from ensue.models.baselines.lm_bayes import LMBayesSettings
from ensue.models.baselines.majority import MajoritySettings
from ensue.models.baselines.nbsvm import NBSVMSettings
from ensue.models.baselines.ngram_bayes import NgramBayesSettings
from ensue.models.baselines.summary_features import SummaryFeaturesSettings
from ensue.models.classifier import ClassifierSettings
from ensue.models.contract import Predictor
from ensue.models.sizes import SizeName
from ensue.models.tree import TreeSettings
from ensue.models.tree_leaves import LeavesOnly, leaf_fields
from ensue.settings import Settings, read_trusted

NETWORKS: dict[str, type[Settings]] = {
    "network": ClassifierSettings,
    "tree": TreeSettings,
    "lm-bayes": LMBayesSettings,
}

CLASSIFIERS: dict[str, type[Settings]] = {
    **NETWORKS,
    "majority": MajoritySettings,
    "ngram-bayes": NgramBayesSettings,
    "nbsvm": NBSVMSettings,
    "dtw": DTWSettings,
    "summary-features": SummaryFeaturesSettings,
}
"""Settings of each classifier; they have `build(shape, kind, size) -> Predictor`.

Models outside NETWORKS are fitted in closed form: `fit(train, validation)` fits on the first part,
selects on the second, and may return notes about the selection. Their settings have `suits(shape,
kind)`: whether the model is a baseline for such steps and labels.
"""


SIZES: dict[SizeName, tuple[int, int, int]] = {
    "tiny": (50, 64, 1),
    "small": (100, 128, 1),
    "base": (200, 256, 1),
    "large": (300, 384, 2),
}
"""Embedding features, units of a layer, and number of layers."""


def classifier_names() -> list[str]:
    """List every name that `classifier_settings` knows."""
    return [
        "embedding-bag",
        *[name for name in CLASSIFIERS if name != "network"],
        *ENCODERS,
        *CELLS,
    ]


def classifier_settings(name: str) -> Settings:
    """Look up the settings of a classifier by name; the path of a Python file names the cell in it.

    Raises SettingError that suggests the nearest name.

    >>> classifier_settings("gru").body.layer.cell, classifier_settings("embedding-bag").pooling
    ('gru', 'mean')
    """
    if name == "embedding-bag":
        return ClassifierSettings(body=ENCODERS["none"](), pooling="mean")
    if name in CLASSIFIERS:
        return CLASSIFIERS[name]()
    if name in ENCODERS:
        return ClassifierSettings(body=ENCODERS[name]())
    if name in CELLS or name.endswith(".py"):
        return ClassifierSettings(
            body=UnidirectionalSettings(layer=read_trusted(LAYERS["recurrent"], {"cell": name}))
        )
    raise SettingError(
        f"there is no model {name!r}", where="--model", hint=did_you_mean(name, classifier_names())
    )


def build_classifier(settings: Any, shape: Fields, kind: LabelKind, size: int) -> Predictor:
    """Build a classifier; a sequence model reads the leaves of trees.

    Raises SettingError for settings that do not fit the data.
    """
    if not shape.children or isinstance(settings, TreeSettings):
        return settings.build(shape, kind, size)
    return LeavesOnly(settings.build(leaf_fields(shape), kind, size))


def network_for_measurements(regular: bool) -> ClassifierSettings:
    """Choose the default network for numeric steps.

    Evenly spaced steps get convolutions, which find shapes at any position. Others get a
    bidirectional GRU, which can use the times. Chosen by a few trials on datasets of 40 to 2,000
    examples.

    >>> network_for_measurements(regular=False).body.cell
    'gru'
    """
    shapes = ConvolutionSettings(width=32, windows=(5, 11, 23), depth=2, dropout=0.1)
    if regular:
        return ClassifierSettings(body=shapes, input_dropout=0.0)
    return ClassifierSettings(
        body=BidirectionalSettings(cell="gru", width=64), input_dropout=0.0, random_prefix=0.3
    )


def resize_classifier(settings: Settings, size: SizeName) -> Settings:
    """Set the size of a network; models fitted in closed form take their size from the data.

    >>> resize_classifier(classifier_settings("lstm"), "tiny").body.layer.width
    64
    """
    embedding, width, depth = SIZES[size]
    if isinstance(settings, TreeSettings):
        return settings.model_copy(update={"embedding": embedding, "width": width})
    if isinstance(settings, LMBayesSettings):
        sizes = {"embedding": embedding, "body": _resize(settings.sequence.body, width, depth)}
        return settings.model_copy(update={"sequence": settings.sequence.model_copy(update=sizes)})
    if not isinstance(settings, ClassifierSettings):
        return settings
    body: Any = settings.body
    if isinstance(body, UnidirectionalSettings):
        body = body.model_copy(update={"layer": _resize(body.layer, width, depth)})
    return settings.model_copy(update={"embedding": embedding, "body": _resize(body, width, depth)})


def _resize(layer: Settings, width: int, depth: int) -> Settings:
    sizes = {"width": width, "depth": depth}
    return layer.model_copy(
        update={name: sizes[name] for name in sizes.keys() & type(layer).model_fields.keys()}
    )
