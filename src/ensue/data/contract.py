"""Contracts of readers and codecs, and their results. Read this page before adding one."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensue.escape import MAX_PART, shorten

Ids = NDArray[np.integer]


@dataclass(frozen=True)
class Piece:
    """A stretch of text as it was read: a full record, or a part of one long text."""

    text: str
    file: str
    line: int
    """Line of the file on which it begins, from 1."""


@dataclass(frozen=True)
class Finding:
    """A note on the data for the user, with advice."""

    where: str
    what: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f"; {shorten(self.hint, MAX_PART)}" if self.hint else ""
        return f"{self.where}: {shorten(self.what, MAX_PART)}{hint}"


def _ignore(_: Any) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Listener:
    """Callbacks for findings and for the number of bytes read, while files are read."""

    on_finding: Callable[[Finding], None] = _ignore
    on_progress: Callable[[int], None] = _ignore

    def report(self, where: object, what: str, hint: str | None = None) -> None:
        """Report a finding about a place, such as a path."""
        self.on_finding(Finding(str(where), what, hint))


SILENT = Listener()


class Reader(ABC):
    """A stream of text from files, read piece by piece; it can be read again."""

    ends: bool
    """True if each piece is a record with an end; false if all pieces make one long text."""

    @abstractmethod
    def pieces(self, listener: Listener = SILENT) -> Iterator[Piece]:
        """Yield pieces from the beginning. Raises DataError that names file and line."""


class Codec(ABC):
    """Encode text as ids and decode them. Fitted on the training part only.

    Ids below `size` can be predicted. `start` (= `size`) stands before a sequence and is only an
    input. Law: `decode(encode(text)) == plain(text)` for every text without unknown symbols.
    """

    size: int
    unknown: int | None
    """Id of symbols that training has not; None if no symbol can be unknown."""
    end: int | None
    """Id of the end of a record; None for one long text."""
    keeps_blanks: bool = True
    """False if blanks only separate symbols.

    Then `spellings` begin with a blank, which is omitted after a line break.
    """

    def plain(self, text: str) -> str:
        """Return the text that survives encoding.

        If blanks only separate symbols, one blank is left between two symbols of a line.
        """
        if self.keeps_blanks:
            return text
        return "\n".join(" ".join(re.findall(r"[^ \t\r\v\f]+", line)) for line in text.split("\n"))

    @property
    def start(self) -> int:
        """Id that stands before the first symbol of a sequence."""
        return self.size

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """Return the ids of a text, (symbols,), without start and end."""

    @abstractmethod
    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Return the text of ids; end and start have none, and the unknown symbol is U+FFFD."""

    @abstractmethod
    def symbol(self, id: int) -> str:
        """Return a readable form of one id; special symbols are in angle brackets."""

    @abstractmethod
    def spellings(self) -> list[bytes]:
        """Return the UTF-8 bytes of each id below `size`; empty for special symbols.

        They may split a character.
        """

    @abstractmethod
    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Return each unknown symbol of a text, in order, and the nats that its spelling costs.

        The likelihood counts an unknown symbol twice: the model's probability of the unknown id,
        and the probability of its spelling by a fixed proper distribution. So models with different
        vocabularies are comparable.
        """

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return everything that `from_json` needs, as JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> Codec:
        """Restore a codec from `to_json`."""

    def split_point(self, text: str) -> int:
        """Return the last position at which a stream may be cut without changing its encoding."""
        return len(text)


@dataclass(frozen=True)
class Corpus:
    """One part of the data, encoded: all records concatenated, each with its end if records end.

    `ids` may be a memory map. Record r is `ids[offsets[r]:offsets[r + 1]]`. The end of a record
    counts as one character, byte and symbol: the line break of the file.
    """

    ids: Ids
    offsets: NDArray[np.int64]
    characters: int
    bytes: int
    words: int
    unknown_at: NDArray[np.int64]
    """Positions in `ids` of unknown symbols, ascending."""
    unknown_nats: NDArray[np.float64]
    """Nats of the spelling of each unknown symbol."""
    unknown_bytes: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """Spellings of the unknown symbols, concatenated: so a run knows its text without files."""
    unknown_sizes: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """Number of bytes of each spelling."""
    tokens: int = 0
    """Stretches between blanks, and line ends: the words of word-level benchmarks."""

    def __len__(self) -> int:
        return len(self.ids)
