"""Asking a model about examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ensue.data.codecs.labels import LabelCodec
from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.evaluation.predictions import Predictions, choose, normalise
from ensue.evaluation.scores import Groups
from ensue.models.contract import Predictor
from ensue.models.parameters import get_device
from ensue.training.devices import to_device

ROWS = 128
"""Examples that a model is asked about together."""

ASIDE, SPREADS = 0.45, 1.6448536269514722
"""Of a number its quantiles at 5 % and 95 % are asked for: so many standard deviations from a
normal one's mean."""


@torch.no_grad()
def predict(model: Predictor, examples: Examples, labels: LabelCodec) -> Predictions:
    """Ask about all examples, in their order; where each step has an answer, the last one counts.

    Numbers are in the units of the data. Of steps that have labels of their own it is counted how
    many are right.
    """
    found = np.zeros((len(examples), 3 if labels.kind == "regression" else labels.size))
    inner, device = None, get_device(model)
    for numbers, batch in iterate_sorted(examples, ROWS):
        scores = _scores(model(to_device(batch, device)), labels)
        if scores.dim() == 3:
            if "label" in batch.fields:
                inner = np.zeros((len(examples), 2), np.int64) if inner is None else inner
                right = choose(labels.kind, scores.cpu().double().numpy()) + 1 == batch["label"]
                inner[numbers] = np.stack([right.sum(1), (batch["label"] > 0).sum(1)], 1)
            ends = torch.as_tensor(batch.lengths, device=scores.device) - 1
            scores = scores[torch.arange(len(scores), device=scores.device), ends]
        found[numbers] = scores.cpu().double().numpy()
    exclusive = labels.kind in ("multiclass", "ordinal")
    return Predictions(labels.kind, normalise(found) if exclusive else found, inner).in_units(
        labels
    )


def _scores(distribution: Any, labels: LabelCodec) -> torch.Tensor:
    if labels.kind == "regression":
        level = torch.full_like(distribution.mean, 0.5)
        low, middle, high = (distribution.icdf(level + aside) for aside in (-ASIDE, 0.0, ASIDE))
        return torch.stack([middle, middle - low, high - middle], -1) / level.new_tensor(
            [1.0, SPREADS, SPREADS]
        )
    return distribution.base_dist.logits if labels.kind == "multilabel" else distribution.logits


def targets(examples: Examples, labels: LabelCodec) -> np.ndarray:
    """Give what is true, numbers in the units of the data."""
    target = np.asarray(examples.static["target"])
    return (
        target.astype(np.float64) * labels.scale + labels.mean
        if labels.kind == "regression"
        else target
    )


def groups_of(examples: Examples) -> Groups:
    """Number the groups of examples from 0; None if each stands alone."""
    names, found = np.unique(
        examples.static.get("group", np.arange(len(examples))), return_inverse=True
    )
    return found if len(names) < len(found) else None
