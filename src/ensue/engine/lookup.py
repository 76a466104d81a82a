"""Embedded or one-hot symbols without their dense features: products are table lookups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Lookup:
    """The features table[ids], (batch, time, inputs), of ids (batch, time) in a table.

    The table is (symbols, inputs). W table[ids] is (W table)[ids], which needs fewer products if
    there are fewer symbols than steps.
    """

    table: Tensor
    ids: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def dense(self) -> Tensor:
        """Return the dense features."""
        return F.embedding(self.ids, self.table)


Features: TypeAlias = "Tensor | Lookup"
"""Input of a layer, (batch, time, inputs)."""


def dense(x: Features) -> Tensor:
    """Convert features to a dense tensor."""
    return x.dense() if isinstance(x, Lookup) else x


def time_first(x: Features) -> dict[str, Tensor]:
    """Convert features to the engine's inputs, time first."""
    if isinstance(x, Lookup):
        return {"x": x.table, "ids": x.ids.transpose(0, 1)}
    return {"x": x.transpose(0, 1)}


def make_features(ids: Tensor, size: int, table: Tensor | None, dtype: torch.dtype) -> Features:
    """Build features of ids below `size`, by a table (size, inputs) or one-hot.

    The cheaper of the two forms is chosen.
    """
    if ids.device.type == "cpu" and size < ids.numel():
        return Lookup(torch.eye(size, dtype=dtype) if table is None else table, ids)
    return F.one_hot(ids, size).to(dtype) if table is None else F.embedding(ids, table)


def timed(values: Mapping[str, Tensor]) -> Tensor:
    """Return the input of a run, (time, batch, ...): "ids" if present, else "x"."""
    return values.get("ids", values["x"])
