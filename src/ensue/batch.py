"""The one thing that data code hands to network code: named arrays, batch first."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

Array = TypeVar("Array")
Other = TypeVar("Other")


@dataclass(frozen=True)
class Batch(Generic[Array]):
    """Rows of steps. Data code makes it of NumPy arrays; `map` makes the same of tensors.

    `fields` holds arrays of shape (batch, time, ...), "input" and "target" for next-step models,
    where "input" is the symbol before each target. `lengths` (batch,) counts the real steps of each
    row, the rest is padding. `weight` (batch,) scales a row's gradient, never its reported nats.
    `fresh` (batch,) is true where the row starts a sequence, and false where it goes on from the
    same row of the batch before.

    A field "counted" (batch, any), if there is one, is true for each thing that is learned of a
    row: steps, or its one label; else all real steps are.
    """

    fields: Mapping[str, Array]
    lengths: Array
    weight: Array
    fresh: Array

    def __post_init__(self) -> None:
        """Refuse what is not of the same rows. Raises ValueError."""
        rows = {"lengths": self.lengths, "weight": self.weight, "fresh": self.fresh, **self.fields}
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
        return Batch(fields, convert(self.lengths), convert(self.weight), convert(self.fresh))

    @property
    def counts(self) -> Any:
        """How many things of each row are learned, (batch,)."""
        counted: Any = self.fields.get("counted")
        return self.lengths if counted is None else counted.sum(1)

    def __getitem__(self, field: str) -> Any:
        return self.fields[field]
