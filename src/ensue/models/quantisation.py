"""Quantisation: networks whose matrices are rounded to bf16 or int8."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from ensue.models.contract import Autoregressive
from ensue.models.mixture import Mixture
from ensue.models.sequence import SequenceModel
from ensue.settings import Precision


def quantise(model: Autoregressive, weights: Precision) -> Autoregressive:
    """Round the matrices of a model's network; embeddings and biases stay in float32.

    int8 has one scale per output, which maps the largest of its weights to 127. The
    n-gram of a mixture is not changed.
    """
    if weights == "fp32":
        return model
    if isinstance(model, Mixture):
        return Mixture(quantise(model.network, weights), model.ngram, model.weights)
    return _round_matrices(model, weights) if isinstance(model, SequenceModel) else model


@torch.no_grad()
def _round_matrices(network: SequenceModel, weights: Precision) -> SequenceModel:
    changed = deepcopy(network)
    changed.weights = weights
    for name, parameter in changed.named_parameters():
        if parameter.dim() == 2 and (name != "table.weight" or changed.tied):
            parameter.copy_(_to_int8(parameter) if weights == "int8" else parameter.bfloat16())
    return changed


def _to_int8(matrix: Tensor) -> Tensor:
    scale = matrix.abs().amax(1, keepdim=True).clamp_min(torch.finfo(matrix.dtype).tiny) / 127
    return (matrix / scale).round() * scale
