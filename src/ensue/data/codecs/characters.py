"""Codec of characters: one symbol for each Unicode character of the training part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import Codec, Ids
from ensue.settings import Settings

CODE_POINTS = 0x110000
SCALARS = CODE_POINTS - 0x800
"""Number of Unicode characters: all code points but the surrogates."""


class Characters(Settings):
    """One symbol for each character."""

    name: Literal["characters"] = "characters"

    def fit(self, texts: Iterable[str], ends: bool) -> CharacterCodec:
        """Collect the characters of the training part, sorted by code point."""
        seen = np.zeros(CODE_POINTS, bool)
        for text in texts:
            seen[_code_points(text)] = True
        return CharacterCodec("".join(map(chr, np.flatnonzero(seen))), ends)


class CharacterCodec(Codec):
    """Ids ordered by code point, then the unknown character, then the end of a record.

    >>> codec = Characters().fit(["banana"], ends=False)
    >>> codec.encode("nab!").tolist()
    [2, 0, 1, 3]
    """

    def __init__(self, alphabet: str, ends: bool) -> None:
        self.alphabet = alphabet
        self.unknown = len(alphabet)
        self.end = len(alphabet) + 1 if ends else None
        self.size = len(alphabet) + 1 + ends
        self._points = np.append(_code_points(alphabet), 0xFFFD).astype(np.uint32)
        self._ids = np.full(CODE_POINTS, self.unknown, np.min_scalar_type(self.size - 1))
        self._ids[_code_points(alphabet)] = np.arange(len(alphabet))

    def encode(self, text: str) -> Ids:
        """Look up each character."""
        return self._ids[_code_points(text)]

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Return the characters; end and start have none."""
        found = np.asarray(ids, np.int64)
        points = self._points[found[found <= len(self.alphabet)]]
        return points.tobytes().decode("utf-32-le", "surrogatepass")

    def symbol(self, id: int) -> str:
        """Return the character itself."""
        if id < len(self.alphabet):
            return self.alphabet[id]
        return {self.unknown: "<unknown>", self.end: "<end>"}.get(id, "<start>")

    def spellings(self) -> list[bytes]:
        """Return the characters as UTF-8."""
        known = [character.encode() for character in self.alphabet]
        return [*known, *[b""] * (self.size - len(known))]

    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Return each unknown character and its nats.

        All characters outside the alphabet are equally likely.
        """
        places = np.flatnonzero(self.encode(text) == self.unknown)
        return [(text[at], log(SCALARS - len(self.alphabet))) for at in places.tolist()]

    def to_json(self) -> dict[str, Any]:
        """Return the alphabet."""
        return {"name": "characters", "alphabet": self.alphabet, "ends": self.end is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> CharacterCodec:
        """Restore a codec from `to_json`."""
        return cls(values["alphabet"], values["ends"])


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
