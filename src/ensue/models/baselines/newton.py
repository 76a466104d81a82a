"""Truncated Newton method for models that are linear in their weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]

HALVINGS = 40
"""Maximum halvings of a step that does not lower the cost."""


@dataclass(frozen=True)
class Convex:
    """cost(w) = loss(score(w)) + sum penalty w^2, for linear `score` and convex, smooth `loss`."""

    score: Map
    transpose: Map
    """Transpose of `score`: from gradients of scores to gradients of weights."""
    loss: Map
    penalty: Tensor
    """L2 penalty of each weight, in any shape that broadcasts."""

    def cost(self, weight: Tensor, scores: Tensor) -> float:
        """Compute the cost of weights whose scores are known."""
        return float(self.loss(scores) + (self.penalty * weight.square()).sum())


def minimise(problem: Convex, start: Tensor, iterations: int, least: float = 1e-9) -> Tensor:
    """Minimise the cost; stop after `iterations` steps, or when a step gains less than `least`.

    Each step solves H s = -g by truncated conjugate gradients (Dembo & Steihaug 1983), and is
    halved until it lowers the cost.

    >>> double = lambda weight: 2 * weight
    >>> problem = Convex(double, double, lambda scores: (scores - 6).square().sum(), torch.zeros(1))
    >>> minimise(problem, torch.zeros(1), 20).tolist()
    [3.0]
    """
    weight, scores = start, problem.score(start)
    cost = problem.cost(weight, scores)
    for _ in range(iterations):
        gradient, curvature = _linearise(problem, weight, scores)
        step = _conjugate_gradients(curvature, -gradient)
        ahead = problem.score(step)
        for halving in range(HALVINGS):
            share = 0.5**halving
            new = problem.cost(weight + share * step, scores + share * ahead)
            if new <= cost:
                break
        else:
            return weight
        gained, cost = cost - new, new
        weight, scores = weight + share * step, scores + share * ahead
        if gained < least:
            break
    return weight


def _linearise(problem: Convex, weight: Tensor, scores: Tensor) -> tuple[Tensor, Map]:
    """Compute the gradient g, and the product v -> H v."""
    free = scores.detach().requires_grad_()
    (slope,) = torch.autograd.grad(problem.loss(free), free, create_graph=True)

    def curvature(v: Tensor) -> Tensor:
        (bent,) = torch.autograd.grad(slope, free, problem.score(v), retain_graph=True)
        return problem.transpose(bent) + 2 * problem.penalty * v

    return problem.transpose(slope.detach()) + 2 * problem.penalty * weight, curvature


def _conjugate_gradients(curvature: Map, target: Tensor) -> Tensor:
    """Solve H s = b by conjugate gradients, up to a residual that falls with the gradient."""
    found, residual = torch.zeros_like(target), target
    direction, square = residual, float(residual.square().sum())
    enough = min(0.25, square**0.25) ** 2 * square
    for _ in range(target.numel()):
        if square <= enough:
            break
        bent = curvature(direction)
        bend = float((direction * bent).sum())
        if bend <= 0:  # flat to the last digit
            break
        found = found + square / bend * direction
        residual = residual - square / bend * bent
        square, before = float(residual.square().sum()), square
        direction = residual + square / before * direction
    return found
