"""Pretrained word vectors: the text formats of word2vec and GloVe, and word2vec's binary format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ensue.data.encoding import are_word_vectors
from ensue.data.files import SAMPLE, read_chunks
from ensue.data.readers.lines import read_lines
from ensue.data.tables.numbers import as_float
from ensue.errors import DataError

MAX_VECTORS = 100_000
"""Words that are read from a file.

Files are sorted by frequency, and the run keeps every word that is read.
"""


@dataclass(frozen=True)
class Vectors:
    """Words with their vectors; word i has row i + 1, and row 0 is zero, for unknown words."""

    words: list[str]
    table: NDArray[np.float32]


def read_vectors(path: Path, max_vectors: int = MAX_VECTORS) -> Vectors:
    """Read word vectors from a text or binary file.

    Each line holds a word and its numbers. A first line of two numbers, as word2vec writes it, is a
    header. Some words of GloVe contain blanks (". . .", "at name@domain.com"): the word is the text
    before the numbers. Raises DataError that names the first wrong line.
    """
    if not path.exists():
        raise DataError("there is no such file", where=str(path), hint="check --vectors")
    if are_word_vectors(next(read_chunks(path, size=SAMPLE), b"")):
        return _read_binary(path, max_vectors)
    words: dict[str, NDArray[np.float32]] = {}
    width, count = 0, None
    for number, line in enumerate(read_lines(path), start=1):
        fields = line.rstrip().split(" ")
        if (
            number == 1
            and len(fields) == 2
            and all(field.isdecimal() and len(field) < 10 for field in fields)
        ):
            count, width = map(int, fields)
            continue
        where, width = f"{path}:{number}", width or len(fields) - 1
        if 0 < width < len(fields) - 1 and not any(
            as_float(field) is not None for field in fields[:-width]
        ):
            fields = [" ".join(fields[:-width]), *fields[-width:]]
        if len(fields) - 1 != width or not width:
            some = f"{len(fields) - 1} number{'s' * (len(fields) != 2)}"
            what = f"the line has {some}, and those before it have {width}"
            hint = "write a word and its numbers in each line, by one blank"
            raise DataError(what if width else "the line has no numbers", where=where, hint=hint)
        try:
            # A number too large for float32 becomes infinite, which is refused below.
            with np.errstate(over="ignore"):
                vector = np.array(fields[1:], np.float32)
        except ValueError as error:  # "could not convert string to float: 'x'"
            value = str(error).partition(": ")[2]
            what = f"{value:.40} is not a number"
            raise DataError(what, where=where, hint="correct the line") from None
        if not np.isfinite(vector).all():
            raise DataError("a number is not finite", where=where, hint="correct the line")
        words.setdefault(fields[0], vector)
        if len(words) == max_vectors:
            break
    else:
        if count is not None and number <= count:
            what = (
                f"the file ends after {number - 1:,} of the {count:,} words that its header "
                f"declares"
            )
            raise DataError(what, where=str(path), hint="download it again")
    if not words:
        raise DataError("there is no vector in the file", where=str(path), hint="check --vectors")
    return Vectors(list(words), np.stack([np.zeros(width, np.float32), *words.values()]))


def _read_binary(path: Path, max_vectors: int) -> Vectors:
    """Read word2vec's binary format: a header of two numbers, then words with their floats."""
    chunks, held = read_chunks(path), bytearray()

    def until(end: bytes, size: int = 0) -> bytes:
        """Take bytes up to and including `end`, or `size` bytes; fewer at the end of the file."""
        while (at := held.find(end) + 1 if end else size * (len(held) >= size)) == 0 and (
            more := next(chunks, b"")
        ):
            held.extend(more)
        taken = bytes(held[: at or len(held)])
        del held[: len(taken)]
        return taken

    count, width = map(int, until(b"\n").split())
    words: dict[str, NDArray[np.float32]] = {}
    for number in range(1, min(count, max_vectors) + 1):
        word, floats = until(b" ").strip(b"\n "), until(b"", 4 * width)
        if len(floats) < 4 * width:
            what = f"the file ends within the vector of word {number:,} of {count:,}"
            raise DataError(what, where=str(path), hint="download it again")
        vector = np.frombuffer(floats, "<f4").astype(np.float32)
        if not np.isfinite(vector).all():
            what = f"word {number:,} has a number that is not finite"
            raise DataError(what, where=str(path), hint="leave it out")
        words.setdefault(word.decode("utf-8", "replace"), vector)
    return Vectors(list(words), np.stack([np.zeros(width, np.float32), *words.values()]))
