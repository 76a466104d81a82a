"""The contracts of labelled readers and content codecs. Read this page before adding one."""

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
"""A text; or the fields of a sequence by name.

Fields are lists of strings (steps,), or float arrays (steps,) or (steps, channels), NaN where
nothing was measured. Single numbers are static: they hold for the whole example.
"""

Encoded: TypeAlias = "tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.float32]]]"
"""The fields of the steps of an example, each (steps, ...), and its static fields, each (...)."""

TIME, CHANNEL, STANDARD_ERROR = "time", "channel", "standard_error"
"""Names of the fields with the times of the steps, their channels, and the standard errors."""


COLUMN = "name another column with --label"
"""Hint of how to use another label column of a table."""


@dataclass(frozen=True)
class Example:
    """One example as it was read."""

    content: Content
    label: Any
    """The label as in the file: a string, a number, or several; None if there is none."""
    file: str
    line: int
    """The line on which the example begins, from 1."""
    group: str | None = None
    """Examples of one group stay in one part of the data."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """The columns of its row, which are written with its prediction."""
    case: str = ""
    """The name of an example that is not a text: its id, or its number from 1."""
    inner: Sequence[Any] | None = None
    """Labels of its steps, of the same kind; None for a step without one."""


class LabelledReader(ABC):
    """Labelled examples from files; can be read repeatedly."""

    elsewhere: str | None = None
    """Hint of how to take the labels from elsewhere, if that is possible."""

    @abstractmethod
    def examples(self, listener: Listener = SILENT) -> Iterator[Example]:
        """Read from the beginning. Raises DataError that names file, line and fix."""


class FunctionReader(LabelledReader):
    """The examples that a function reads, once per call."""

    def __init__(
        self, read: Callable[[Listener], Iterator[Example]], elsewhere: str | None = None
    ) -> None:
        self.read, self.elsewhere = read, elsewhere

    def examples(self, listener: Listener = SILENT) -> Iterator[Example]:
        """Read from the beginning."""
        return self.read(listener)


@dataclass(frozen=True)
class Fields:
    """The input fields of a network: vocabulary sizes of symbols, and counts of numbers.

    A field of symbols has its name in `symbols`. All numbers of a step are the field "numbers"
    (batch, time, numbers), and those of a whole example the field "static" (batch, static).
    """

    symbols: Mapping[str, int] = field(default_factory=dict)
    numbers: int = 0
    static: int = 0
    measured: int = 0
    """How many of the numbers, the first ones, were measured; the rest are times, errors, masks."""
    children: int = 0
    """Maximum children of a tree node in training; 0 if the steps are not nodes of a tree.

    The field "parent" has the place of the parent of each node, -1 for the root. The root is the
    last node, and children precede parents.
    """


class ContentCodec(ABC):
    """Codec from the content of examples to fields of arrays. Fitted on the training part only."""

    shape: Fields

    @abstractmethod
    def encode(self, content: Content) -> Encoded:
        """Return the fields of the steps, each (steps, ...), and the static fields, each (...)."""

    def unknown_channels(self, content: Content) -> Sequence[str]:
        """Return the channels of the content that are ignored, since training has none of them."""
        return ()

    def knows(self, content: Content) -> bool:
        """Whether training has anything of the content; otherwise no prediction is possible."""
        return True

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return all that `from_json` needs, as plain JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> ContentCodec:
        """Build the codec that returned `to_json`."""

    @classmethod
    @abstractmethod
    def fit(cls, contents: Iterable[Content], settings: Any) -> ContentCodec:
        """Fit on the contents of the training part."""


def check_content(examples: Examples, shape: Fields, where: str) -> None:
    """Raise ValueError for fields that do not fit the shape."""
    for name, size in shape.symbols.items():
        check_ids(examples.steps[name], size, f"{name} {where}")
    for name, fields, numbers in (
        ("numbers", examples.steps, shape.numbers),
        ("static", examples.static, shape.static),
    ):
        if numbers and (fields[name].dtype != np.float32 or fields[name].shape[1:] != (numbers,)):
            raise ValueError(f"{name} {where} has a wrong type or shape")
    if shape.children:
        _check_trees(examples, shape.children, where)


def _check_trees(examples: Examples, children: int, where: str) -> None:
    """Raise ValueError if a node does not precede its parent, or the last node is not the root."""
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
