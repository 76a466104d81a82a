"""What readers and codecs are, and what they make. Read this page before adding one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.integer]


@dataclass(frozen=True)
class Piece:
    """A stretch of text as it was read: the whole of a record, or a part of one long text."""

    text: str
    file: str
    line: int
    """The line of the file on which it begins, from 1."""


@dataclass(frozen=True)
class Finding:
    """Something about the data that a person should know, and what they may do about it."""

    where: str
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}" + (f"; {self.hint}" if self.hint else "")


def _ignore(_: Any) -> None:
    """Listen to nothing."""


@dataclass(frozen=True)
class Listener:
    """Who is told, while files are read, what was found in them and how many more bytes were
    read."""

    on_finding: Callable[[Finding], None] = _ignore
    on_progress: Callable[[int], None] = _ignore


SILENT = Listener()


class Reader(ABC):
    """A stream of text out of files; reads each file in pieces, never whole, and can be read
    again."""

    ends: bool
    """True if each piece is a record with an end of its own; false if all pieces make one long
    text."""

    @abstractmethod
    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Read from the beginning. Raises DataError that names file, line and mend."""


class Codec(ABC):
    """How text becomes ids and comes back. Fitted on the training part only.

    Ids below `size` can come next; `start` (= `size`) stands before a sequence and is only ever an
    input. The law: `decode(encode(text)) == plain(text)` for every text without unknown symbols.
    """

    size: int
    unknown: int | None
    """The id of everything that was not in the training part; None where nothing can be unknown."""
    end: int | None
    """The id that ends a record; None for one long text."""
    keeps_blanks: bool = True
    """False where blanks only separate symbols: `spellings` begin with one, which is left out
    after a line break."""

    def plain(self, text: str) -> str:
        """Give a text as far as it is kept: where blanks only separate, one stands between two
        symbols of a line."""
        if self.keeps_blanks:
            return text
        return "\n".join(" ".join(re.findall(r"[^ \t\r\v\f]+", line)) for line in text.split("\n"))

    @property
    def start(self) -> int:
        """The id that stands before the first symbol of a sequence."""
        return self.size

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """Give the ids of a text, (symbols,), without start and end."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Give the text of ids; the end and the start have none, an unknown one is U+FFFD."""

    @abstractmethod
    def symbol(self, id: int) -> str:
        """Give what one id stands for, for a person to read; special ones in angle brackets."""

    @abstractmethod
    def spellings(self) -> list[bytes]:
        """Give the UTF-8 bytes of each id below `size`, none for the special ones; they may
        split a character."""

    @abstractmethod
    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Give each unknown symbol of a text, in order, and its price: what it costs, in nats, to
        spell it.

        The likelihood pays for an unknown symbol twice: for its being unknown, by the model, and
        this for its spelling, by a fixed proper distribution; so models with different vocabularies
        can be compared.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Give all that `from_json` needs, as plain JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> Codec:
        """Make the codec that gave `to_json`."""

    def split_point(self, text: str) -> int:
        """Give the last place where a stream of text may be cut without changing its encoding."""
        return len(text)


@dataclass(frozen=True)
class Corpus:
    """One part of the data, encoded: all records one after the other, each with its end where
    records end.

    `ids` may be a memory map. Record r is `ids[offsets[r]:offsets[r + 1]]`. The end of a record
    counts as one character, byte and symbol: the line break that it was.
    """

    ids: Ids
    offsets: NDArray[np.int64]
    characters: int
    bytes: int
    words: int
    unknown_at: NDArray[np.int64]
    """Positions in `ids` of unknown symbols, ascending."""
    unknown_nats: NDArray[np.float64]
    """What it costs to spell each of them."""
    unknown_bytes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """What they are, one after the other, as `spellings` has them: so that a run knows its text
    without its sources."""
    unknown_sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """How many of these bytes each of them has."""
    tokens: int = 0
    """Stretches between blanks, and line ends: what benchmarks of words count."""

    def __len__(self) -> int:
        return len(self.ids)
