"""The fields of a step: what a model over records reads and predicts, by name.

A batch of steps is a mapping of two arrays: "symbols" (batch, time, symbols), ids, and "numbers"
(batch, time, numbers), standardised, both in the order of the fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor  # the check of data reads fields too, and must not load torch

END = "end of the sequence"
"""The field of symbols that is 1 at the last step of a sequence, and else 0."""

Steps: TypeAlias = "dict[str, Tensor]"
"""Steps of a batch, by "symbols" and "numbers"."""


@dataclass(frozen=True)
class Number:
    """A number of a step, standardised by the training part."""

    scale: float = 1.0
    """Units of the data in a standardised unit: nats are those of numbers in units of the data."""
    change: float | None = None
    """Standard deviation of the change from one step to the next, if the change is predicted, which
    is smaller than the value itself in smooth sequences; None if the value is predicted."""


@dataclass(frozen=True)
class Fields:
    """The fields of a step, in order.

    An id `symbols[name]` is the start of a sequence: it may be an input, and never comes next. The
    numbers of the input before the first step are NaN.
    """

    symbols: Mapping[str, int] = field(default_factory=dict)
    """Number of symbols of each field of symbols."""
    numbers: Mapping[str, Number] = field(default_factory=dict)

    @property
    def names(self) -> list[str]:
        """The names of all fields, in the order of prediction: the end depends on all others."""
        end = [END] if END in self.symbols else []
        return [*self.of_rows, *self.numbers, *end]

    @property
    def of_rows(self) -> dict[str, int]:
        """Number of symbols of each field of symbols but the end, which is the last one."""
        return {name: size for name, size in self.symbols.items() if name != END}
