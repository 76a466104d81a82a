"""A codec that gets the symbols of further texts, for fine-tuning."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ensue.data.codecs import load_codec
from ensue.data.contract import Codec
from ensue.data.settings import DESCRIBED
from ensue.errors import DataError

SYMBOLS = ("alphabet", "words", "tokens")
"""Keys of the symbols in the JSON of codecs that can get more of them."""


@dataclass(frozen=True)
class Grown:
    """A codec that keeps its ids, and adds symbols of further texts.

    >>> from ensue.data.codecs import Characters
    >>> Grown(Characters().fit(["cab"], False), Characters()).fit(["bade"], False).alphabet
    'abcde'
    """

    codec: Codec
    settings: Any
    """Settings of the codec, by which symbols are chosen."""

    @property
    def name(self) -> str:
        """Name of the codec."""
        return self.settings.name

    def fit(self, texts: Iterable[str], ends: bool) -> Codec:
        """Add the symbols of the training part. Raises DataError if only one has records."""
        if ends != (self.codec.end is not None):
            kinds = DESCRIBED["lines"], DESCRIBED["text"]
            what = f"the pretrained run read {kinds[ends]}, and this data is {kinds[not ends]}"
            hint = f"use --format {'text' if ends else 'lines'}"
            raise DataError(what, where="--pretrained", hint=hint)
        known, fitted = self.codec.to_json(), self.settings.fit(texts, ends).to_json()
        for key in known.keys() & set(SYMBOLS):
            old = set(known[key])
            new = [one for one in fitted[key] if one not in old]
            known[key] += "".join(new) if key == "alphabet" else new
        return load_codec(known)
