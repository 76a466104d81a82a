"""Tensor implementation of each operation of a program; each writes to `out` if given."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

aten = torch.ops.aten
EPSILON = 1e-5
"""Epsilon of layer normalisation, added to the variance against division by zero."""


def add_product(a: Tensor, b: Tensor, c: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a + b * c."""
    return torch.addcmul(a, b, c, out=out)


def subtract_product(a: Tensor, b: Tensor, c: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a - b * c."""
    return torch.addcmul(a, b, c, value=-1, out=out)


def copy(a: Tensor, out: Tensor | None = None) -> Tensor:
    """Return a."""
    return a if out is None else out.copy_(a)


def _into(out: Tensor | None, value: Tensor) -> Tensor:
    return value if out is None else out.copy_(value)


def _softplus(a: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.logaddexp(a, torch.zeros((), dtype=a.dtype, device=a.device), out=out)


def _relu(a: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.relu(a) if out is None else torch.clamp_min(a, 0, out=out)


def _exceeds(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    # At a tie both arguments get half of the gradient, as in torch's maximum.
    return _into(out, (torch.sign(a - b) + 1) / 2)


def _normalise(a: Tensor, out: Tensor | None = None) -> Tensor:
    return _into(out, F.layer_norm(a, a.shape[-1:], eps=EPSILON))


def _sigmoid_back(adjoint: Tensor, value: Tensor, out: Tensor | None = None) -> Tensor:
    if out is None:
        return adjoint * value * (1 - value)
    return aten.sigmoid_backward.grad_input(adjoint, value, grad_input=out)


def _tanh_back(adjoint: Tensor, value: Tensor, out: Tensor | None = None) -> Tensor:
    if out is None:
        return adjoint * (1 - value * value)
    return aten.tanh_backward.grad_input(adjoint, value, grad_input=out)


def _relu_back(adjoint: Tensor, value: Tensor, out: Tensor | None = None) -> Tensor:
    return _into(out, adjoint * (value > 0))


def _normalise_back(adjoint: Tensor, value: Tensor, a: Tensor, out: Tensor | None = None) -> Tensor:
    scale = torch.rsqrt(a.var(-1, unbiased=False, keepdim=True) + EPSILON)
    shared = adjoint.mean(-1, keepdim=True) + value * (adjoint * value).mean(-1, keepdim=True)
    return _into(out, scale * (adjoint - shared))


TENSOR: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "negate": torch.neg,
    "square": torch.square,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": _relu,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "softplus": _softplus,
    "absolute": torch.abs,
    "normalise": _normalise,
    "maximum": torch.maximum,
    "exceeds": _exceeds,
    "sign": torch.sign,
    "sigmoid_back": _sigmoid_back,
    "tanh_back": _tanh_back,
    "relu_back": _relu_back,
    "normalise_back": _normalise_back,
}
