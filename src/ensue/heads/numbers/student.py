"""Student's t head, for series with outliers."""

from __future__ import annotations

from math import pi
from typing import Any, Literal

import torch
from torch import Tensor
from torch.distributions import Chi2, Distribution, StudentT
from torch.nn import functional as F

from ensue.heads.numbers.contract import LEAST, NumbersHead
from ensue.settings import Settings


class StudentSettings(Settings):
    """Settings of the Student's t head."""

    name: Literal["student"] = "student"

    def build(self, features: int, size: int) -> Student:
        """Make the head for `size` numbers."""
        return Student(features, size, places=3)


class UncheckedStudentT(StudentT):
    """Student's t distribution whose parameters may be NaN; torch's own checks its chi-squared.

    A network that diverged then gives a loss that is NaN, which the training reports.
    """

    def __init__(self, df: Tensor, loc: Tensor, scale: Tensor) -> None:
        self.df, self.loc, self.scale = torch.broadcast_tensors(df, loc, scale)
        self._chi2 = Chi2(self.df, validate_args=False)
        Distribution.__init__(self, self.df.shape, validate_args=False)


class Student(NumbersHead):
    """y ~ t(freedom, mean, spread), freedom = 2 + softplus(.), so that the variance is finite."""

    def distribution(self, raw: Tensor, scale: Tensor) -> StudentT:
        """Build the t distributions."""
        freedom = 2.0 + LEAST + F.softplus(raw[..., 2] + 2.0)
        return UncheckedStudentT(freedom, raw[..., 0], F.softplus(raw[..., 1]) + LEAST)

    def soften(self, distribution: Any, temperature: float) -> UncheckedStudentT:
        """Multiply the variance by the temperature; the degrees of freedom stay."""
        spread = distribution.scale * temperature**0.5
        return UncheckedStudentT(distribution.df, distribution.loc, spread)

    def draw(self, distribution: Any, first: Tensor, second: Tensor) -> Tensor:
        """Sample by the polar method (Bailey 1994).

        sqrt(v (u^(-2/v) - 1)) cos(2 pi w) is t with v degrees of freedom.
        """
        return draw_student(distribution, first, second)


def draw_student(distribution: StudentT, first: Tensor, second: Tensor) -> Tensor:
    """Sample t distributions from two uniform numbers each."""
    freedom = distribution.df
    radius = torch.sqrt(freedom * torch.expm1(-2 / freedom * torch.log(first)))
    return distribution.loc + distribution.scale * radius * torch.cos(2 * pi * second)
