"""Encoded examples: the fields of their steps, concatenated, and the static fields of each.

Every verb trains on these. They are stored in the run folder, so that a run can be continued and
inspected without its data files.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ensue.atomic_io import format_errors
from ensue.batch import select_named
from ensue.cache import Cache
from ensue.data.contract import Finding

Array = NDArray[Any]

CONTENTS = "contents.json"
STRETCH = 1 << 24
"""Number of ids that are checked together."""


@dataclass(frozen=True)
class Examples:
    """Example i has the steps `offsets[i]:offsets[i + 1]` of `steps`, and row i of `static`.

    The field "target" is the target of steps or of the example. If steps have labels like that of
    the example, the field "label" has their targets, counted from 1, and 0 for none. "line" is the
    line of the example in its file, from 1.

    >>> tagged = Examples(np.array([0, 2, 3]), {"word": np.array([4, 1, 7])}, {"line": np.array([1,
    ...     2])})
    >>> len(tagged), tagged.lengths.tolist(), tagged.select(np.array([1])).steps["word"].tolist()
    (2, [2, 1], [7])
    """

    offsets: NDArray[np.int64]
    steps: Mapping[str, Array]
    static: Mapping[str, Array]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Number of steps of each example."""
        return np.diff(self.offsets)

    def select(self, rows: NDArray[np.integer]) -> Examples:
        """Select examples, in the given order."""
        places, offsets = self.places(rows)
        steps = {name: field[places] for name, field in self.steps.items()}
        return Examples(offsets, steps, {name: field[rows] for name, field in self.static.items()})

    def sample(self, every: int) -> Examples:
        """Select one in `every` examples."""
        return self.select(np.arange(0, len(self), every))

    def beginnings(self, share: float) -> Examples:
        """Select the first steps of each example: a share of them, rounded up.

        >>> whole = Examples(np.array([0, 4, 5]), {"word": np.arange(5)}, {})
        >>> whole.beginnings(0.5).steps["word"].tolist()
        [0, 1, 4]
        """
        places, offsets = _locate(
            self.offsets[:-1], np.ceil(self.lengths * share - 1e-9).astype(np.int64)
        )
        return Examples(
            offsets, {name: field[places] for name, field in self.steps.items()}, self.static
        )

    def places(self, rows: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the positions of the steps of some examples, concatenated, and their offsets."""
        return _locate(self.offsets[rows], self.lengths[rows])


def _locate(
    begins: NDArray[np.int64], lengths: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(offsets[-1]) + np.repeat(begins - offsets[:-1], lengths), offsets


def concatenate(
    steps: Sequence[Mapping[str, Array]], static: Sequence[Mapping[str, Any]]
) -> Examples:
    """Build examples from the step fields and the static fields of each."""
    if not steps:
        return Examples(np.zeros(1, np.int64), {}, {})
    lengths = [len(next(iter(one.values()))) for one in steps]
    fields = {name: np.concatenate([one[name] for one in steps]) for name in steps[0]}
    return Examples(
        np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        fields,
        {name: np.stack([one[name] for one in static]) for name in static[0]},
    )


class Dataset(ABC):
    """The encoded parts of the data, with the codecs that were fitted on its training part."""

    @property
    @abstractmethod
    def streams(self) -> Mapping[str, Examples]:
        """The examples of each part: "train", "validation", "test", for some verbs others.

        A further stream of a part, with offsets of its own, is named PART.NAME.
        """

    @property
    @abstractmethod
    def codecs(self) -> dict[str, Any]:
        """The codecs as plain JSON values, which codec.json holds."""

    def to_json(self) -> dict[str, Any]:
        """Return all but the arrays as plain JSON values."""
        return self.codecs

    @classmethod
    @abstractmethod
    def from_json(
        cls,
        streams: Mapping[str, Examples],
        tables: Mapping[str, Array],
        values: Mapping[str, Any],
    ) -> Self:
        """Build the dataset from its arrays and the result of `to_json`. Raises ValueError."""

    @property
    def tables(self) -> Mapping[str, Array]:
        """Arrays that belong to no part, such as word vectors."""
        return {}

    def __getitem__(self, part: str) -> Examples:
        return self.streams[part]

    def save(self, cache: Cache, more: Mapping[str, Any]) -> None:
        """Write the dataset, and JSON values beside it, into a new folder."""
        save_examples(self.streams, {"dataset": self.to_json(), **more}, cache, self.tables)

    @classmethod
    def load(cls, folder: Path) -> tuple[Self, dict[str, Any]] | None:
        """Open what `save` wrote, memory-mapped; None if it was not finished.

        Raises RunError if it is damaged.
        """
        found = load_examples(folder)
        if found is None:
            return None
        with format_errors(str(folder / CONTENTS)):
            dataset = cls.from_json(found.examples, found.tables, found.values.pop("dataset"))
        return dataset, found.values


D = TypeVar("D", bound=Dataset)


@dataclass(frozen=True)
class Prepared(Generic[D]):
    """The data of a run: read, split and encoded."""

    dataset: D
    about: Mapping[str, Any]
    """What run.toml says about the data: "format", "files" (name to size and checksum), and more
    that the task needs, such as the "examples" of each part."""
    findings: Sequence[str | Finding]
    """Notes on how the data was read."""

    def save(self, cache: Cache) -> None:
        """Write everything into a new folder."""
        findings = [str(finding) for finding in self.findings]
        self.dataset.save(cache, {"about": dict(self.about), "findings": findings})


class Stored(NamedTuple):
    """What a cache holds: examples, arrays that belong to no part, and JSON values."""

    examples: dict[str, Examples]
    tables: dict[str, Array]
    values: dict[str, Any]


def save_examples(
    parts: Mapping[str, Examples],
    values: Mapping[str, Any],
    cache: Cache,
    tables: Mapping[str, Array] = MappingProxyType({}),
) -> None:
    """Write examples by part, other arrays and JSON values into a new folder."""
    fields: dict[str, list[str]] = {}
    for part, examples in parts.items():
        fields[part] = [name for name, _ in _arrays(examples)]
        for name, array in _arrays(examples):
            cache.save_array(f"{part}.{name}.npy", array)
    for name, array in tables.items():
        cache.save_array(f"{name}.npy", array)
    cache.save_json(CONTENTS, {"fields": fields, "tables": list(tables), **values})
    cache.finish()


def load_examples(folder: Path) -> Stored | None:
    """Open what `save_examples` wrote, memory-mapped; None if it was not finished.

    Raises RunError if it is damaged.
    """
    cache = Cache(folder)

    def restore(values: Any) -> Stored:
        fields: dict[str, list[str]] = values.pop("fields")
        examples = {part: _load(cache, part, names) for part, names in fields.items()}
        tables = {name: cache.load_array(f"{name}.npy") for name in values.pop("tables")}
        return Stored(examples, tables, values)

    return cache.load_json(CONTENTS, restore) if cache.finished else None


def _arrays(examples: Examples) -> Iterator[tuple[str, Array]]:
    yield "offsets", examples.offsets
    yield from ((f"steps.{name}", field) for name, field in examples.steps.items())
    yield from ((f"static.{name}", field) for name, field in examples.static.items())


def _load(cache: Cache, part: str, names: list[str]) -> Examples:
    arrays = {name: cache.load_array(f"{part}.{name}.npy") for name in names}
    steps, static = select_named(arrays, "steps."), select_named(arrays, "static.")
    examples, where = Examples(np.array(arrays["offsets"]), steps, static), f"of the part {part}"
    check_offsets(examples.offsets, where)
    for name, array in arrays.items():
        if array.dtype.kind not in "biuf":
            raise ValueError(f"{name} {where} holds no numbers")
        length = examples.offsets[-1] if name.startswith("steps.") else len(examples)
        if name != "offsets" and array.shape[:1] != (length,):
            raise ValueError(f"{name} {where} has another length than the examples")
    return examples


def check_offsets(offsets: Array, where: str) -> None:
    """Raise ValueError unless the offsets start at 0 and never decrease."""
    valid = offsets.dtype == np.int64 and offsets.ndim == 1 and len(offsets) > 0 and offsets[0] == 0
    if not valid or (offsets[1:] < offsets[:-1]).any():
        raise ValueError(f"the offsets {where} are invalid")


def check_ids(ids: Array, size: int, where: str, within: tuple[int, ...] = ()) -> None:
    """Raise ValueError unless all ids are integers in [0, size), of shape (steps, *within)."""
    if ids.dtype.kind not in "iu" or ids.shape[1:] != within:
        raise ValueError(f"{where} holds no ids")
    flat = ids.reshape(-1)
    for begin in range(0, len(flat), STRETCH):
        part = flat[begin : begin + STRETCH]
        if part.min() < 0 or part.max() >= size:
            raise ValueError(f"{where} holds ids that are not below {size}")
