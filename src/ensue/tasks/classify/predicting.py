"""Predict encoded examples, in batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ensue.data.codecs.labels import LabelCodec
from ensue.data.dataset import Examples
from ensue.data.feeds import iterate_sorted
from ensue.evaluation.predictions import (
    TAIL,
    Z_95,
    Predictions,
    choose,
    mix_predictions,
    normalise,
)
from ensue.evaluation.scores import Groups
from ensue.models.contract import Predictor
from ensue.models.parameters import get_device
from ensue.models.pool import Pool
from ensue.training.devices import to_device

BATCH_SIZE = 128
"""Examples that are predicted together."""


@torch.no_grad()
def predict(model: Predictor | Pool, examples: Examples, labels: LabelCodec) -> Predictions:
    """Predict all examples, in their order; a model with an output per step counts by the last.

    Regression is in the units of the data. Where steps have labels of their own, the result also
    counts how many of these were right.
    """
    if isinstance(model, Pool):
        parts = [predict(one, examples, labels) for one in model.members]
        return mix_predictions(parts, model.weights)
    output = np.zeros((len(examples), 3 if labels.kind == "regression" else labels.size))
    inner, device = None, get_device(model)
    for numbers, batch in iterate_sorted(examples, BATCH_SIZE):
        scores = _get_scores(model(to_device(batch, device)), labels)
        if scores.dim() == 3:
            if "label" in batch.fields:
                inner = np.zeros((len(examples), 2), np.int64) if inner is None else inner
                right = choose(labels.kind, scores.cpu().double().numpy()) + 1 == batch["label"]
                inner[numbers] = np.stack([right.sum(1), (batch["label"] > 0).sum(1)], 1)
            ends = torch.as_tensor(batch.lengths, device=scores.device) - 1
            scores = scores[torch.arange(len(scores), device=scores.device), ends]
        output[numbers] = scores.cpu().double().numpy()
    exclusive = labels.kind in ("multiclass", "ordinal")
    scores = normalise(output) if exclusive else output
    return Predictions(labels.kind, scores, inner).in_units(labels)


def _get_scores(distribution: Any, labels: LabelCodec) -> torch.Tensor:
    if labels.kind == "regression":
        level = torch.full_like(distribution.mean, 0.5)
        low, middle, high = (distribution.icdf(level + offset) for offset in (-TAIL, 0.0, TAIL))
        return torch.stack([middle, middle - low, high - middle], -1) / level.new_tensor(
            [1.0, Z_95, Z_95]
        )
    return distribution.base_dist.logits if labels.kind == "multilabel" else distribution.logits


def get_targets(examples: Examples, labels: LabelCodec) -> np.ndarray:
    """Get the true labels as ids, numbers in the units of the data."""
    target = np.asarray(examples.static["target"])
    if labels.kind == "regression":
        return target.astype(np.float64) * labels.scale + labels.mean
    return target


def get_groups(examples: Examples) -> Groups:
    """Number the groups of examples from 0; None if every example is a group of its own."""
    names, numbers = np.unique(
        examples.static.get("group", np.arange(len(examples))), return_inverse=True
    )
    return numbers if len(names) < len(numbers) else None
