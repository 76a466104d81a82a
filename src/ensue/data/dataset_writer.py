"""Encode a stream of text as a corpus, in memory or in a memory-mapped file."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ensue.atomic_io import write_errors
from ensue.data.contract import Codec, Corpus, Ids

MAX_HELD = 10_000
"""Records whose ids are concatenated before they are stored."""
SHORT = 200
"""Number of characters below which str.split is faster than arrays."""
LAST_BLANK = 0x3000
"""Last code point that is a blank."""
_BLANKS = np.zeros(0x110000, bool)
_BLANKS[: LAST_BLANK + 1] = [chr(point).isspace() for point in range(LAST_BLANK + 1)]
_ASCII_BLANKS = np.array([not bytes([byte]).strip() for byte in range(256)])


def encode_corpus(texts: Iterable[str], codec: Codec) -> Corpus:
    """Encode records, each with its end, or one long text if the codec has no end."""
    writer = CorpusWriter(codec, None)
    for text in texts:
        writer.add(text)
    return writer.finish()


class CorpusWriter:
    """Encode texts one by one, and count what a corpus records.

    With a `path` the ids are written there (.npy) and memory-mapped; else they stay in memory.
    """

    def __init__(self, codec: Codec, path: Path | None) -> None:
        self.codec = codec
        self.type = np.min_scalar_type(codec.size - 1)
        self.file = None if path is None else _IdsFile(path, self.type)
        self.end = None if codec.end is None else np.array([codec.end], self.type)
        self.length = self.characters = self.bytes = self.words = self.tokens = 0
        self.within_word = self.within_token = False
        self.uncut: list[str] = []
        self.held: list[Ids] = []
        self.stored: list[Ids] = []
        self.offsets = array("q", [0])
        self.unknown_at: list[np.ndarray] = [np.empty(0, np.int64)]
        self.unknown_nats: list[np.ndarray] = [np.empty(0, np.float64)]
        self.unknown_spelled = [_spell(())]

    def add(self, text: str) -> None:
        """Add a record, or the next stretch of the one long text."""
        if self.end is not None:
            self._encode(text)
            self._store(self.end)
            self.offsets.append(self.length)
            return
        # A split point of this stretch alone is one of the full text too.
        place = self.codec.split_point(text)
        if place:
            self._encode("".join([*self.uncut, text[:place]]))
            self.uncut = []
        if place < len(text):
            self.uncut.append(text[place:])

    def _encode(self, text: str) -> None:
        ids = self.codec.encode(text)
        self._count(text)
        if self.codec.unknown is not None:
            unknown = ids == self.codec.unknown
            if unknown.any():
                self.unknown_at.append(np.flatnonzero(unknown) + self.length)
                symbols, nats = zip(*self.codec.unknowns(text), strict=True)
                self.unknown_nats.append(np.array(nats))
                self.unknown_spelled.append(_spell(symbols, "" if self.codec.keeps_blanks else " "))
        self._store(ids)

    def _count(self, text: str) -> None:
        record = self.end is not None
        self.characters += len(text) + record
        spelled = text.encode("utf-8", "replace")
        self.bytes += len(spelled) + record
        goes_on = self.within_word and not record and text[:1] and not text[0].isspace()
        self.words += count_words(text) - bool(goes_on)
        # bytes.split splits at ASCII blanks only, which is how tokens are defined.
        goes_on = self.within_token and not record and spelled[:1].strip()
        self.tokens += count_tokens(spelled) - bool(goes_on) + spelled.count(b"\n") + record
        if text:
            self.within_word, self.within_token = not text[-1].isspace(), bool(spelled[-1:].strip())

    def _store(self, ids: Ids) -> None:
        self.length += len(ids)
        self.held.append(ids)
        if len(self.held) >= MAX_HELD or (self.file and len(ids) > MAX_HELD):
            self._flush()

    def _flush(self) -> None:
        ids = np.concatenate([np.empty(0, self.type), *self.held], dtype=self.type)
        self.held = []
        if self.file:
            self.file.append(ids)
        else:
            self.stored.append(ids)

    def finish(self) -> Corpus:
        """Return the corpus of all texts."""
        if self.uncut:
            self._encode("".join(self.uncut))
        self._flush()
        if self.end is None:
            self.offsets.append(self.length)
        return Corpus(
            ids=self.file.finish() if self.file else np.concatenate(self.stored),
            offsets=np.array(self.offsets, np.int64),
            characters=self.characters,
            bytes=self.bytes,
            words=self.words,
            tokens=self.tokens,
            unknown_at=np.concatenate(self.unknown_at),
            unknown_nats=np.concatenate(self.unknown_nats),
            unknown_bytes=np.concatenate([spelled for spelled, _ in self.unknown_spelled]),
            unknown_sizes=np.concatenate([sizes for _, sizes in self.unknown_spelled]),
        )


def count_words(text: str) -> int:
    """Count words between blanks, like len(text.split()), but a few times faster.

    >>> count_words(" to be\\u2003or\\nnot "), count_words("")
    (4, 0)
    """
    if len(text) < SHORT:
        return len(text.split())
    if text.isascii():
        return _count_stretches(np.frombuffer(text.encode(), np.uint8), _BLANKS)
    return _count_stretches(
        np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32), _BLANKS
    )


def count_tokens(spelled: bytes) -> int:
    """Count tokens between ASCII blanks, like len(spelled.split())."""
    if len(spelled) < SHORT:
        return len(spelled.split())
    return _count_stretches(np.frombuffer(spelled, np.uint8), _ASCII_BLANKS)


def _count_stretches(symbols: NDArray[np.unsignedinteger], blanks: NDArray[np.bool_]) -> int:
    """Count the stretches without blanks."""
    blank = blanks[symbols]
    return int(np.count_nonzero(blank[:-1] > blank[1:])) + int(not blank[0]) if len(blank) else 0


def _spell(symbols: Sequence[str], before: str = "") -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Return the UTF-8 of symbols, each after `before`, concatenated, and the size of each."""
    spelled = [(before + symbol).encode("utf-8", "replace") for symbol in symbols]
    return np.frombuffer(b"".join(spelled), np.uint8), np.array(list(map(len, spelled)), np.int64)


class _IdsFile:
    """A growing .npy file: NumPy reserves room in the header for the length, written at the end."""

    def __init__(self, path: Path, kind: np.dtype) -> None:
        self.path, self.kind, self.length = path, kind, 0
        with write_errors(path):
            self.file: IO[bytes] = path.open("xb")  # the folder is new, and no link is followed
            self._write_header()

    def _write_header(self) -> None:
        header = {
            "descr": npy.dtype_to_descr(self.kind),
            "fortran_order": False,
            "shape": (self.length,),
        }
        npy.write_array_header_1_0(self.file, header)

    def append(self, ids: Ids) -> None:
        with write_errors(self.path):
            self.file.write(ids.tobytes())
        self.length += len(ids)

    def finish(self) -> Ids:
        with write_errors(self.path):
            self.file.seek(0)
            self._write_header()
            self.file.close()
        return np.load(self.path, mmap_mode="r", allow_pickle=False)
