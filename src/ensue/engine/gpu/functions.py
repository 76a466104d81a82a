"""Triton code of each operation of a program."""

from ensue.engine.operations import EPSILON

FORMULAS = {
    "add": "{0} + {1}",
    "subtract": "{0} - {1}",
    "multiply": "{0} * {1}",
    "divide": "{0} / {1}",
    "negate": "-{0}",
    "square": "{0} * {0}",
    "sigmoid": "tl.sigmoid({0})",
    "tanh": "tanh({0})",
    "relu": "tl.where({0} <= 0.0, 0.0, {0})",
    "exp": "tl.exp({0})",
    "log": "tl.log({0})",
    "sqrt": "tl.sqrt({0})",
    "softplus": "softplus({0})",
    "absolute": "tl.abs({0})",
    "normalise": "normalise({0}, {real}, {units})",
    "maximum": "maximum({0}, {1})",
    "exceeds": "tl.where({0} > {1}, 1.0, tl.where({0} < {1}, 0.0, 0.5))",
    "sign": "tl.where({0} > 0.0, 1.0, tl.where({0} < 0.0, -1.0, 0.0))",
    "sigmoid_back": "{0} * {1} * (1.0 - {1})",
    "tanh_back": "{0} * (1.0 - {1} * {1})",
    "relu_back": "tl.where({1} > 0.0, {0}, 0.0)",
    "normalise_back": "normalise_back({0}, {1}, {2}, {real}, {units})",
    "copy": "{0}",
    "add_product": "{0} + {1} * {2}",
    "subtract_product": "{0} - {1} * {2}",
}
"""Formula of each operation on its arguments.

Operations over all units also get their number, and the mask of real units in the tile.
"""

FUNCTIONS = f'''"""Written by ensue from the program of a cell."""
import triton
import triton.language as tl


@triton.jit
def tanh(a):
    """Small numbers take the first terms of the series: a quotient would lose their last digits."""
    e = tl.exp(-2.0 * tl.abs(a))
    quotient = tl.where(a < 0.0, -1.0, 1.0) * (1.0 - e) / (1.0 + e)
    square = a * a
    series = a * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0 - square * (17.0 / 315.0))))
    return tl.where(square < 0.04, series, quotient)


@triton.jit
def softplus(a):
    return tl.where(a <= 0.0, 0.0, a) + tl.log(1.0 + tl.exp(-tl.abs(a)))


@triton.jit
def maximum(a, b):
    """Give what is not a number where either is, which tl.maximum does not."""
    return tl.where((a > b) | (a != a), a, b)


@triton.jit
def mean(a, real, units):
    return tl.sum(tl.where(real, a, 0.0), 1, keep_dims=True) / units


@triton.jit
def normalise(a, real, units):
    away = a - mean(a, real, units)
    return away / tl.sqrt(mean(away * away, real, units) + {EPSILON})


@triton.jit
def normalise_back(adjoint, value, a, real, units):
    away = a - mean(a, real, units)
    shared = mean(adjoint, real, units) + value * mean(adjoint * value, real, units)
    return (adjoint - shared) / tl.sqrt(mean(away * away, real, units) + {EPSILON})


'''
"""Header of every generated kernel."""
