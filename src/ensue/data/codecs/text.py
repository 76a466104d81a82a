"""Codec of labelled texts: one field of steps with the ids of a text codec."""

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
from ensue.data.codecs.words import Tokens, Words
from ensue.data.contract import Codec
from ensue.data.labelled import Content, ContentCodec, Encoded, Fields
from ensue.data.word_boundaries import UNSEGMENTED_MOSTLY, unsegmented_share
from ensue.errors import DataError
from ensue.settings import Settings

SYMBOL = "symbol"
"""Field of the symbols."""

FEW_WORDS = 3
"""Median number of words below which texts are read by characters, as names are."""


class TextSettings(Settings):
    """How a text becomes steps."""

    name: Literal["text"] = "text"
    unit: Literal["auto", "words", "tokens", "characters", "bytes", "subwords"] = "auto"
    """Unit of a step; auto picks characters for texts of one or two words, else words.

    It also picks characters for scripts without blanks between words.
    """
    max_size: int = Field(20_000, ge=1)
    """Maximum vocabulary size for words, tokens and subwords; the most frequent are kept."""
    min_count: int = Field(2, ge=1)
    """Minimum count of known words and tokens; the model learns from rarer ones as unknown."""
    lower: bool = True
    """Whether texts are lowercased."""


class TextContent(ContentCodec):
    """Encode texts with a text codec, after a leading space that makes the first word like others.

    >>> codec = TextContent.fit(["a good film", "a bad film"], TextSettings(unit="words",
    ...     min_count=1))
    >>> codec.encode("Bad, bad film")[0]["symbol"].tolist(), codec.shape.symbols
    ([2, 4, 2, 1], {'symbol': 5})
    """

    def __init__(self, codec: Codec, lower: bool) -> None:
        self.codec, self.lower = codec, lower
        self.shape = Fields({SYMBOL: codec.size})

    def encode(self, content: Content) -> Encoded:
        """Return the ids of the text. Raises DataError if the content is not a text."""
        return {SYMBOL: self.codec.encode(_add_space(content, self.lower))}, {}

    def knows(self, content: Content) -> bool:
        """Return whether a symbol of the text is known.

        In a text with letters or digits, the symbol must have some too.
        """
        if self.codec.unknown is None:
            return True
        with_letters = any(sign.isalnum() for sign in str(content))
        known = self._has_letters if with_letters else self._is_visible
        return bool(known[self.codec.encode(_add_space(content, self.lower))].any())

    @cached_property
    def _decoded(self) -> list[str]:
        """Text of each id; empty for the unknown symbol and the end."""
        ids = (
            [] if id in (self.codec.unknown, self.codec.end) else [id]
            for id in range(self.codec.size)
        )
        return [self.codec.decode(np.array(id, np.int64)) for id in ids]

    @cached_property
    def _has_letters(self) -> NDArray[np.bool_]:
        return np.array([any(map(str.isalnum, sign)) for sign in self._decoded])

    @cached_property
    def _is_visible(self) -> NDArray[np.bool_]:
        return np.array([bool(sign.strip()) for sign in self._decoded])

    def to_json(self) -> dict[str, Any]:
        """Return the codec of the symbols and the settings."""
        return {"name": "text", "codec": self.codec.to_json(), "lower": self.lower}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TextContent:
        """Restore a codec from `to_json`."""
        from ensue.data.codecs import load_codec

        return cls(load_codec(values["codec"]), values["lower"])

    @classmethod
    def fit(cls, contents: Iterable[Content], settings: TextSettings) -> TextContent:
        """Fit the codec to the texts of the training part."""
        texts = [_add_space(content, settings.lower) for content in contents]
        fitted = {
            "words": Words(max_size=settings.max_size, min_count=settings.min_count),
            "tokens": Tokens(max_size=settings.max_size, min_count=settings.min_count),
            "characters": Characters(),
            "bytes": Bytes(),
            "subwords": Subwords(max_size=max(settings.max_size, 256)),
        }[settings.unit if settings.unit != "auto" else guess_unit(texts)]
        return cls(fitted.fit(texts, False), settings.lower)


def _add_space(content: Content, lower: bool) -> str:
    if not isinstance(content, str):
        raise DataError("this is not a text, and the model reads texts", hint="give texts")
    return f" {content.lower() if lower else content}"


def guess_unit(texts: Iterable[str]) -> Literal["words", "characters"]:
    """Guess the unit of steps from the first thousand texts.

    >>> (guess_unit(["Anna", "Jean Paul"]), guess_unit(["what a very good film"]),
    ...  guess_unit(["หนัง เรื่อง นี้ ดี"]))
    ('characters', 'words', 'characters')
    """
    some = list(islice(texts, 1000))
    few = median(len(text.split()) for text in some) < FEW_WORDS
    # Some scripts have no blanks between words, so counting words says nothing.
    return "characters" if few or unsegmented_share("".join(some)) > UNSEGMENTED_MOSTLY else "words"
