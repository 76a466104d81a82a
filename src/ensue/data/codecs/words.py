"""Codec of words with the space before them; it restores texts exactly."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from math import log
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ensue.data.codecs.cutting import find_last_blank, recut
from ensue.data.contract import Codec, Ids
from ensue.data.word_boundaries import join_marks
from ensue.settings import Settings

TOKEN = re.compile(
    r" ?<\w+>"  # a bracketed word as in "<unk>"
    r"| ?(?:[^\W\d_]\.){2,}(?!\w)"  # u.s.
    r"| ?\w+(?:['\u2019\u05f3\u05f4\xb7-]\w+)*"  # don't, built-in; signs of Hebrew and Catalan
    r"| ['\u2019](?:s|m|d|t|re|ve|ll)\b"  # an ending that stands apart, as in treebanks
    r"| ?[^\w\s]+"  # punctuation
    r"| ?\n"
    r"|\s"
)
"""Every character belongs to one match. The text must have its marks joined to their letters."""


def split_words(text: str) -> list[str]:
    """Split a text into words with the blank before them, punctuation, line breaks and blanks.

    >>> split_words("The u.s. isn't it!\\nयह है।")
    ['The', ' u.s.', " isn't", ' it', '!', '\\n', 'यह', ' है', '।']
    """
    joined = join_marks(text)
    if joined is text:
        return TOKEN.findall(text)
    return [text[match.start() : match.end()] for match in TOKEN.finditer(joined)]


class Words(Settings):
    """One symbol for each word, run of punctuation and line break."""

    name: Literal["words"] = "words"
    max_size: int = Field(10_000, ge=0)
    """Maximum vocabulary size; the most frequent words are kept; 0 keeps all.

    Equally frequent words are sorted by code point.
    """
    min_count: int = Field(1, ge=1)
    """Minimum count of a word in the vocabulary."""

    def fit(self, texts: Iterable[str], ends: bool) -> WordCodec:
        """Count the words of the training part; the most frequent has id 0."""
        counts: Counter[str] = Counter()
        for text in texts if ends else recut(texts, find_last_blank):
            counts.update(split_words(text))
        ordered = sorted(
            (word for word in counts if counts[word] >= self.min_count),
            key=lambda word: (-counts[word], word),
        )
        return WordCodec(ordered[: self.max_size or None], ends)


class WordCodec(Codec):
    """Ids ordered by frequency, then the unknown word, then the end of a record.

    >>> codec = Words(max_size=3).fit(["a rose is a rose"], ends=False)
    >>> codec.words, codec.encode("a rose was").tolist()
    ([' rose', ' a', ' is'], [3, 0, 3])
    """

    def __init__(self, words: Sequence[str], ends: bool) -> None:
        self.words = list(words)
        self.unknown = len(words)
        self.end = len(words) + 1 if ends else None
        self.size = len(words) + 1 + ends
        self._ids = {word: id for id, word in enumerate(words)}

    def encode(self, text: str) -> Ids:
        """Look up each word."""
        ids, unknown = self._ids, len(self.words)
        return np.array(
            [ids.get(word, unknown) for word in split_words(text)],
            np.min_scalar_type(self.size - 1),
        )

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Join the words; the unknown word is U+FFFD after a space."""
        return "".join(
            " \ufffd" if id == self.unknown else self.words[id]
            for id in ids
            if id <= len(self.words)
        )

    def symbol(self, id: int) -> str:
        """Return the word with its space."""
        if id < len(self.words):
            return self.words[id]
        return {self.unknown: "<unknown>", self.end: "<end>"}.get(id, "<start>")

    def spellings(self) -> list[bytes]:
        """Return the words as UTF-8."""
        return [*(word.encode() for word in self.words), *[b""] * (self.size - len(self.words))]

    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Return each unknown word and its nats.

        Each of its bytes and its end are one of 257 equally likely choices.
        """
        unknown = [word for word in split_words(text) if word not in self._ids]
        return [(word, (len(word.encode("utf-8", "replace")) + 1) * log(257)) for word in unknown]

    def to_json(self) -> dict[str, Any]:
        """Return the words by id."""
        return {"name": "words", "words": self.words, "ends": self.end is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> WordCodec:
        """Restore a codec from `to_json`."""
        return cls(values["words"], values["ends"])

    def split_point(self, text: str) -> int:
        """Cut before a blank, never within a word."""
        return find_last_blank(text)
