"""Bytes of UTF-8: 256 symbols for any text, so that nothing is ever unknown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np

from ensue.data.contract import Codec, Ids
from ensue.settings import Settings

COUNT = 256


class Bytes(Settings):
    """One symbol for each byte of UTF-8."""

    name: Literal["bytes"] = "bytes"

    def fit(self, texts: Iterable[str], ends: bool) -> ByteCodec:
        """Nothing is to be learned: `texts` is not even read."""
        return ByteCodec(ends)


class ByteCodec(Codec):
    """Ids are bytes, then the end of a record.

    >>> ByteCodec(ends=False).encode("né").tolist()
    [110, 195, 169]
    """

    unknown = None

    def __init__(self, ends: bool) -> None:
        self.end = COUNT if ends else None
        self.size = COUNT + ends

    def encode(self, text: str) -> Ids:
        """Encode as UTF-8; what cannot be (half a surrogate pair) becomes a question mark."""
        return np.frombuffer(text.encode("utf-8", "replace"), np.uint8)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Decode UTF-8; what a model wrote that is none becomes U+FFFD."""
        found = np.asarray(ids, np.int64)
        return found[found < COUNT].astype(np.uint8).tobytes().decode("utf-8", "replace")

    def symbol(self, id: int) -> str:
        """Give printable ASCII as it is, other bytes in hexadecimal."""
        if 32 <= id < 127:
            return chr(id)
        return f"<{id:02X}>" if id < COUNT else "<end>" if id == self.end else "<start>"

    def spellings(self) -> list[bytes]:
        """Give the bytes."""
        return [*(bytes([byte]) for byte in range(COUNT)), *[b""] * (self.size - COUNT)]

    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Nothing is unknown."""
        return []

    def to_json(self) -> dict[str, Any]:
        """Give whether records end."""
        return {"name": "bytes", "ends": self.end is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ByteCodec:
        """Make the codec again."""
        return cls(values["ends"])
