"""What readers of labelled data give, and what codecs make of it. Read this page before adding
one of either."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import SILENT, Listener
from ensue.data.dataset import Examples, check_ids

Content: TypeAlias = "str | Mapping[str, Any]"
"""A text; or by name the fields of its steps: lists of strings, float arrays (steps,) or (steps,
channels), NaN where nothing was measured; and single numbers, which hold for the whole example."""

TIME, CHANNEL, STANDARD_ERROR = "time", "channel", "standard_error"
"""Fields of these names are the times of the steps, the band each value was measured in, and its
standard error."""


COLUMN = "name another column with --label"
"""How a person takes the labels of a table from elsewhere."""


@dataclass(frozen=True)
class Example:
    """One example as it was read."""

    content: Content
    label: Any
    """As it stands in the file: a string, a number, several of them; None if there is none."""
    file: str
    line: int
    """Where it begins, from 1."""
    group: str | None = None
    """Examples of one group stay in one part of the data."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """The columns of its row, for what is written beside the answer."""
    case: str = ""
    """What names it where it is no text: its id, or its number from 1."""
    inner: Sequence[Any] | None = None
    """Labels of its steps, None for a step without one, where steps have labels of the same kind
    of their own."""


class LabelledReader(ABC):
    """Labelled examples out of files; can be read again."""

    elsewhere: str | None = None
    """How a person says that labels stand elsewhere in the same files, where they can."""

    @abstractmethod
    def examples(self, listener: Listener = SILENT) -> Iterator[Example]:
        """Read from the beginning. Raises DataError that names file, line and mend."""


class FunctionReader(LabelledReader):
    """The examples that a function reads, once for each call."""

    def __init__(
        self, read: Callable[[Listener], Iterator[Example]], elsewhere: str | None = None
    ) -> None:
        self.read, self.elsewhere = read, elsewhere

    def examples(self, listener: Listener = SILENT) -> Iterator[Example]:
        """Read from the beginning."""
        return self.read(listener)


@dataclass(frozen=True)
class Fields:
    """What a network is given of each step, and of each example: how many symbols a field may hold,
    how many numbers.

    A field of symbols has the name in `symbols`, all numbers of a step are the field "numbers"
    (batch, time, numbers), and those of a whole example the field "static" (batch, static).
    """

    symbols: Mapping[str, int] = field(default_factory=dict)
    numbers: int = 0
    static: int = 0
    measured: int = 0
    """How many of the numbers, the first ones, were measured; the others say when, how sure, and
    what is missing."""
    children: int = 0
    """Where steps are the nodes of a tree: the most children of one, in training. The field
    "parent" has the place of the parent of each, -1 of the root, which is the last; children stand
    before parents."""


class ContentCodec(ABC):
    """How the content of examples becomes fields of arrays. Fitted on the training part only."""

    shape: Fields

    @abstractmethod
    def encode(
        self, content: Content
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.float32]]]:
        """Give the fields of its steps, each (steps, ...), and those of the whole, each (...)."""

    def unknown_channels(self, content: Content) -> Sequence[str]:
        """Name what of the content is left out, since training had nothing like it."""
        return ()

    def knows(self, content: Content) -> bool:
        """Tell whether training had anything of the content; of what it had nothing of, nothing
        can be said."""
        return True

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Give all that `from_json` needs, as plain JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> ContentCodec:
        """Make the codec that gave `to_json`."""

    @classmethod
    @abstractmethod
    def fit(cls, contents: Iterable[Content], settings: Any) -> ContentCodec:
        """Learn from the contents of the training part what encoding needs."""


def check_content(examples: Examples, shape: Fields, where: str) -> None:
    """Raise ValueError for fields that no content of this shape becomes."""
    for name, size in shape.symbols.items():
        check_ids(examples.steps[name], size, f"{name} {where}")
    for name, fields, numbers in (
        ("numbers", examples.steps, shape.numbers),
        ("static", examples.static, shape.static),
    ):
        if numbers and (fields[name].dtype != np.float32 or fields[name].shape[1:] != (numbers,)):
            raise ValueError(f"{name} {where} holds other numbers")
    if shape.children:
        _check_trees(examples, shape.children, where)


def _check_trees(examples: Examples, children: int, where: str) -> None:
    """Raise ValueError where a node does not stand before its parent, or the last one is no
    root."""
    parent, lengths = examples.steps["parent"], examples.lengths
    if parent.dtype != np.int64 or parent.ndim != 1 or not (lengths > 0).all():
        raise ValueError(f"parent {where} holds no trees")
    own = np.arange(len(parent)) - np.repeat(examples.offsets[:-1], lengths)
    root = own == np.repeat(lengths, lengths) - 1
    inner = (parent > own) & (parent < np.repeat(lengths, lengths))
    if not np.where(root, parent == -1, inner).all():
        raise ValueError(f"parent {where} holds no trees")
    above = (parent + np.repeat(examples.offsets[:-1], lengths))[~root]
    if children == 2 and len(above) and np.bincount(above).max() > 2:
        raise ValueError(f"parent {where} holds nodes of more than two children")
