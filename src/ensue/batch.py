"""The interface between data code and networks: named arrays, batch first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

Array = TypeVar("Array")
Other = TypeVar("Other")


@dataclass(frozen=True)
class Batch(Generic[Array]):
    """A batch of rows of steps; data code builds NumPy arrays, and `map` converts them to tensors.

    `fields` holds arrays of shape (batch, time, ...). Next-step models read "input" and "target",
    where "input" is the symbol before each target. `lengths` (batch,) counts the real steps of each
    row; the rest is padding. `fresh` (batch,) is true where a row starts a sequence; otherwise it
    continues the same row of the previous batch.

    The optional field "counted" (batch, any) marks what enters the loss of a row: steps, or its one
    label. Without it all real steps do.
    """

    fields: Mapping[str, Array]
    lengths: Array
    fresh: Array

    def __post_init__(self) -> None:
        """Check that all arrays have the same number of rows. Raises ValueError."""
        rows = {"lengths": self.lengths, "fresh": self.fresh, **self.fields}
        counts: dict[str, Any] = {name: cast(Any, array).shape[:1] for name, array in rows.items()}
        if len(set(counts.values())) > 1 or len(cast(Any, self.lengths).shape) != 1:
            shapes = ", ".join(
                f"{name} {tuple(cast(Any, array).shape)}" for name, array in rows.items()
            )
            raise ValueError(
                f"a batch has as many rows of everything, and one length a row: {shapes}"
            )

    def map(self, convert: Callable[[Array], Other]) -> Batch[Other]:
        """Apply `convert` to every array."""
        fields = {name: convert(array) for name, array in self.fields.items()}
        return Batch(fields, convert(self.lengths), convert(self.fresh))

    @property
    def counts(self) -> Any:
        """Number of loss terms of each row, (batch,)."""
        counted: Any = self.fields.get("counted")
        return self.lengths if counted is None else counted.sum(1)

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]


def select_named(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    """Select the arrays whose names begin with a prefix, without it.

    >>> select_named({"network.bias": 1, "ngram.order": 5}, "network.")
    {'bias': 1}
    """
    return {
        name.removeprefix(prefix): one for name, one in arrays.items() if name.startswith(prefix)
    }
