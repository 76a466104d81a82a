"""Texts as the symbols of a codec: one field of steps."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from itertools import islice
from statistics import median
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.data.codecs.bytes import Bytes
from ensue.data.codecs.characters import Characters
from ensue.data.codecs.subwords import Subwords
from ensue.data.codecs.tokens import Tokens
from ensue.data.codecs.words import Words
from ensue.data.contract import Codec
from ensue.data.labelled import Content, ContentCodec, Fields
from ensue.data.word_boundaries import UNSEGMENTED_MOSTLY, unsegmented_share
from ensue.errors import DataError
from ensue.settings import Settings

SYMBOL = "symbol"
"""The field of the symbols."""

FEW_WORDS = 3
"""Texts with fewer words than this in the middle are names and the like, and told apart by their
characters."""


class TextSettings(Settings):
    """How a text becomes steps."""

    name: Literal["text"] = "text"
    unit: Literal["auto", "words", "tokens", "characters", "bytes", "subwords"] = "auto"
    """What a step is; auto takes characters where texts have a word or two, or no blanks between
    words; else words."""
    max_size: int = Field(20_000, ge=1)
    """Words, tokens and subwords: keep so many of the most frequent ones."""
    min_count: int = Field(2, ge=1)
    """Words and tokens: those that occur less often are read as unknown; what to make of these
    is learned."""
    lower: bool = True
    """Whether capital letters are read as small ones."""


class TextContent(ContentCodec):
    """One space before the text, so that its first word is one like the others; then the steps of a
    codec.

    >>> codec = TextContent.fit(["a good film", "a bad film"], TextSettings(unit="words",
    ...     min_count=1))
    >>> codec.encode("Bad, bad film")[0]["symbol"].tolist(), codec.shape.symbols
    ([2, 4, 2, 1], {'symbol': 5})
    """

    def __init__(self, codec: Codec, lower: bool) -> None:
        self.codec, self.lower = codec, lower
        self.shape = Fields({SYMBOL: codec.size})

    def encode(
        self, content: Content
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.float32]]]:
        """Give the ids of the text. Raises DataError if the content is none."""
        return {SYMBOL: self.codec.encode(_spaced(content, self.lower))}, {}

    def knows(self, content: Content) -> bool:
        """Tell whether a symbol of the text is known: of a text with letters or digits, one that
        has some."""
        if self.codec.unknown is None:
            return True
        worded = any(sign.isalnum() for sign in str(content))
        return bool(
            (self._worded if worded else self._printed)[
                self.codec.encode(_spaced(content, self.lower))
            ].any()
        )

    @cached_property
    def _signs(self) -> list[str]:
        """What each id stands for, nothing for the one of unknown symbols, and the end."""
        ids = (
            [] if id in (self.codec.unknown, self.codec.end) else [id]
            for id in range(self.codec.size)
        )
        return [self.codec.decode(np.array(id, np.int64)) for id in ids]

    @cached_property
    def _worded(self) -> NDArray[np.bool_]:
        return np.array([any(map(str.isalnum, sign)) for sign in self._signs])

    @cached_property
    def _printed(self) -> NDArray[np.bool_]:
        return np.array([bool(sign.strip()) for sign in self._signs])

    def to_json(self) -> dict[str, Any]:
        """Give the codec of the symbols, and how texts are read."""
        return {"name": "text", "codec": self.codec.to_json(), "lower": self.lower}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TextContent:
        """Make the codec again."""
        from ensue.data.codecs import open_codec

        return cls(open_codec(values["codec"]), values["lower"])

    @classmethod
    def fit(cls, contents: Iterable[Content], settings: TextSettings) -> TextContent:
        """Learn the symbols from the texts of the training part."""
        texts = [_spaced(content, settings.lower) for content in contents]
        fitted = {
            "words": Words(max_size=settings.max_size, min_count=settings.min_count),
            "tokens": Tokens(max_size=settings.max_size, min_count=settings.min_count),
            "characters": Characters(),
            "bytes": Bytes(),
            "subwords": Subwords(max_size=max(settings.max_size, 256)),
        }[settings.unit if settings.unit != "auto" else unit_for(texts)]
        return cls(fitted.fit(texts, False), settings.lower)


def _spaced(content: Content, lower: bool) -> str:
    if not isinstance(content, str):
        raise DataError("this is no text, and the model reads texts", hint="give texts")
    return f" {content.lower() if lower else content}"


def unit_for(texts: Iterable[str]) -> Literal["words", "characters"]:
    """Say what the steps of texts should be, by the first thousand of them.

    >>> (unit_for(["Anna", "Jean Paul"]), unit_for(["what a very good film"]),
    ...  unit_for(["หนัง เรื่อง นี้ ดี"]))
    ('characters', 'words', 'characters')
    """
    some = list(islice(texts, 1000))
    few = median(len(text.split()) for text in some) < FEW_WORDS
    # Between the words of some scripts there are no blanks.
    return "characters" if few or unsegmented_share("".join(some)) > UNSEGMENTED_MOSTLY else "words"
