"""Codec of words with the space before them, which restores texts exactly, or of tokens.

Tokens stand between blanks, as lmplz, KenLM and the usual benchmarks define them. The end of a line
is a token too.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import log
from typing import Any, Literal

import numpy as np
from pydantic import Field

from ensue.data.codecs.cutting import find_last_blank, recut
from ensue.data.contract import Codec, Ids
from ensue.data.word_boundaries import join_marks
from ensue.settings import Settings

WORD = re.compile(
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
        return WORD.findall(text)
    return [text[match.start() : match.end()] for match in WORD.finditer(joined)]


TOKEN = re.compile(r"[^ \t\n\r\v\f]+|\n")
"""Blanks are those of ASCII, as in lmplz: a no-break space is part of a token."""


class Words(Settings):
    """One symbol for each word, run of punctuation and line break."""

    name: Literal["words"] = "words"
    max_size: int = Field(10_000, ge=0)
    """Maximum vocabulary size; the most frequent words are kept; 0 keeps all.

    Equally frequent words are sorted by code point.
    """
    min_count: int = Field(1, ge=1)
    """Minimum count of a word in the vocabulary."""

    def fit(self, texts: Iterable[str], ends: bool) -> FrequentCodec:
        """Count the words of the training part; the most frequent has id 0."""
        return _fit("words", self, texts, ends)


class Tokens(Settings):
    """One symbol for each token between blanks, and for each line's end."""

    name: Literal["tokens"] = "tokens"
    max_size: int = Field(0, ge=0)
    """Maximum vocabulary size; the most frequent tokens are kept; 0 keeps all.

    Equally frequent tokens are sorted by code point.
    """
    min_count: int = Field(1, ge=1)
    """Minimum count of a token in the vocabulary."""

    def fit(self, texts: Iterable[str], ends: bool) -> FrequentCodec:
        """Count the tokens of the training part; the most frequent has id 0."""
        return _fit("tokens", self, texts, ends)


SPLITS: dict[str, Callable[[str], list[str]]] = {"words": split_words, "tokens": TOKEN.findall}
"""How the text is split into symbols, by the name of the codec."""


def _fit(name: str, settings: Words | Tokens, texts: Iterable[str], ends: bool) -> FrequentCodec:
    counts: Counter[str] = Counter()
    for text in texts if ends else recut(texts, find_last_blank):
        counts.update(SPLITS[name](text))
    ordered = sorted(
        (symbol for symbol in counts if counts[symbol] >= settings.min_count),
        key=lambda symbol: (-counts[symbol], symbol),
    )
    return FrequentCodec(name, ordered[: settings.max_size or None], ends)


class FrequentCodec(Codec):
    """Ids of words or tokens by frequency, then the unknown symbol, then the end of a record.

    >>> codec = Words(max_size=3).fit(["a rose is a rose"], ends=False)
    >>> codec.symbols, codec.encode("a rose was").tolist()
    ([' rose', ' a', ' is'], [3, 0, 3])
    >>> codec = Tokens().fit(["the u.s. 's\\n the end"], ends=False)
    >>> codec.symbols, codec.decode(codec.encode("the  end\\nthe start"))
    (['the', '\\n', "'s", 'end', 'u.s.'], 'the end\\nthe \ufffd')
    """

    def __init__(self, name: str, symbols: Sequence[str], ends: bool) -> None:
        self.name, self.symbols, self.split = name, list(symbols), SPLITS[name]
        self.keeps_blanks = name == "words"
        self.unknown = len(symbols)
        self.end = len(symbols) + 1 if ends else None
        self.size = len(symbols) + 1 + ends
        self._ids = {symbol: id for id, symbol in enumerate(symbols)}
        blank = "" if self.keeps_blanks else " "
        self._spelled = [one if one == "\n" else f"{blank}{one}" for one in symbols]
        self._spelled.append(" \ufffd")

    def encode(self, text: str) -> Ids:
        """Look up each symbol."""
        ids, unknown = self._ids, len(self.symbols)
        return np.array(
            [ids.get(symbol, unknown) for symbol in self.split(text)],
            np.min_scalar_type(self.size - 1),
        )

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Join the words, or the tokens of each line by one blank; U+FFFD for the unknown one."""
        text = "".join(self._spelled[id] for id in ids if id <= len(self.symbols))
        return text if self.keeps_blanks else text.replace("\n ", "\n").removeprefix(" ")

    def symbol(self, id: int) -> str:
        """Return the word with its space, or the token."""
        if id < len(self.symbols):
            return self.symbols[id]
        return {self.unknown: "<unknown>", self.end: "<end>"}.get(id, "<start>")

    def spellings(self) -> list[bytes]:
        """Return the words as UTF-8, or the tokens, each after a blank."""
        spelled = [one.encode() for one in self._spelled[:-1]]
        return [*spelled, *[b""] * (self.size - len(spelled))]

    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Return each unknown symbol and its nats.

        Each of its bytes and its end are one of 257 equally likely choices.
        """
        unknown = [symbol for symbol in self.split(text) if symbol not in self._ids]
        return [(one, (len(one.encode("utf-8", "replace")) + 1) * log(257)) for one in unknown]

    def to_json(self) -> dict[str, Any]:
        """Return the symbols by id."""
        return {"name": self.name, self.name: self.symbols, "ends": self.end is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> FrequentCodec:
        """Restore a codec from `to_json`."""
        return cls(values["name"], values[values["name"]], values["ends"])

    def split_point(self, text: str) -> int:
        """Cut before a blank, never within a symbol."""
        return find_last_blank(text)
