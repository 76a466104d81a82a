"""Features of symbols that need not be written out: products with them are products with a small
table, looked up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Lookup:
    """The features table[ids], (batch, time, inputs), of ids (batch, time) and a table (symbols,
    inputs).

    W table[ids] is (W table)[ids], and fewer products where there are fewer symbols than steps.
    """

    table: Tensor
    ids: Tensor

    def __len__(self) -> int:
        return len(self.ids)

    def dense(self) -> Tensor:
        """Write the features out."""
        return F.embedding(self.ids, self.table)


Features: TypeAlias = "Tensor | Lookup"
"""What goes into a layer, (batch, time, inputs)."""


def dense(x: Features) -> Tensor:
    """Give features as a tensor."""
    return x.dense() if isinstance(x, Lookup) else x


def time_first(x: Features) -> dict[str, Tensor]:
    """Give features as the engine reads them."""
    if isinstance(x, Lookup):
        return {"x": x.table, "ids": x.ids.transpose(0, 1)}
    return {"x": x.transpose(0, 1)}


def features_of(ids: Tensor, size: int, table: Tensor | None, dtype: torch.dtype) -> Features:
    """Give the features of ids below `size`, by a table (size, inputs) or one-hot, in the form
    that costs less."""
    if ids.device.type == "cpu" and size < ids.numel():
        return Lookup(torch.eye(size, dtype=dtype) if table is None else table, ids)
    return F.one_hot(ids, size).to(dtype) if table is None else F.embedding(ids, table)


def timed(values: Mapping[str, Tensor]) -> Tensor:
    """Give the input of a run by tick and row, (time, batch, ...): "ids" where it has them, "x"
    otherwise."""
    return values.get("ids", values["x"])
