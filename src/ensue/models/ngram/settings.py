"""N-gram language model: counts of successive symbols, smoothed (Kneser & Ney 1995)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from ensue.errors import SettingError
from ensue.models.ngram.smoothing import Additive, KneserNey, Smoothing, WittenBell
from ensue.settings import Flag, Settings

if TYPE_CHECKING:
    from ensue.models.ngram.model import Ngram


SIZES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def parse_bytes(value: object) -> object:
    """Parse a size with a unit; values that are no text are returned unchanged.

    Raises SettingError if a text is no size.

    >>> parse_bytes("500M"), parse_bytes("1.5 GB"), parse_bytes(7)
    (500000000, 1500000000, 7)
    """
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?([KMGT]?)B?", value.strip().upper())
    if match is None:
        raise SettingError(f"{value!r:.60} is not a size", hint="give one such as 500M or 4G")
    return int(float(match[1]) * SIZES[match[2]])


class NgramSettings(Settings):
    """Settings of the n-gram model."""

    name: Literal["ngram"] = "ngram"
    order: Annotated[int, Field(ge=1, le=32)] | Literal["auto"] = "auto"
    """N-gram order: context length plus 1; auto selects it on the validation part."""
    max_order: int = Field(9, ge=1, le=32)
    """Largest order that auto tries."""
    smoothing: Literal["kneser-ney", "witten-bell", "additive"] = "kneser-ney"
    """Smoothing: modified Kneser-Ney, Witten-Bell, or additive."""
    pseudo_count: float = Field(1.0, gt=0, allow_inf_nan=False)
    """Pseudo-count of additive smoothing; 1 is Laplace's."""
    discounts: Literal["auto", "counts", "tuned"] | tuple[tuple[float, float, float], ...] = "auto"
    """Kneser-Ney discounts: counts (by formula, as KenLM), tuned (on validation), or values.

    Values are D1, D2, D3+ for each length. Auto tunes them if the order is auto too.
    """

    memory: Annotated[int, Field(ge=0), BeforeValidator(parse_bytes), Flag()] = 0
    """Memory for counting, such as 500M or 4G; the rest is counted on disk.

    0 takes a share of the free memory.
    """

    @property
    def tuned(self) -> bool:
        """Whether discounts are tuned on a validation part."""
        requested = self.discounts == "tuned" or (self.discounts == "auto" and self.order == "auto")
        return requested and self.smoothing == "kneser-ney"

    @property
    def open(self) -> bool:
        """Whether anything is selected on a validation part."""
        return self.tuned or self.order == "auto"

    @property
    def highest_order(self) -> int:
        """The largest order that may be selected."""
        return self.max_order if self.order == "auto" else self.order

    def build(self, size: int) -> Ngram:
        """Build an unfitted model of `size` symbols; `load` or `estimate` supply its table."""
        from ensue.models.ngram.model import Ngram
        from ensue.models.ngram.table import uniform

        return Ngram(uniform(size), np.zeros((0, 3)))

    def smooth(self) -> Smoothing:
        """Build the smoothing. Raises SettingError if the given discounts do not fit."""
        if self.smoothing == "witten-bell":
            return WittenBell()
        if self.smoothing == "additive":
            return Additive(self.pseudo_count)
        if isinstance(self.discounts, str):
            return KneserNey()
        if len(self.discounts) != self.order:
            what = f"{len(self.discounts)} rows of discounts do not fit the order {self.order!r}"
            hint = "give D1, D2 and D3+ for each length from 1 to the order"
            raise SettingError(what, where="discounts", hint=hint)
        for row in self.discounts:
            if not all(0 < discount <= most for most, discount in enumerate(row, 1)):
                hint = "D1 lies in (0, 1], D2 in (0, 2], D3+ in (0, 3]"
                raise SettingError(f"invalid discounts {row}", where="discounts", hint=hint)
        return KneserNey(self.discounts)
