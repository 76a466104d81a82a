"""Codec of UTF-8 bytes: 256 symbols for any text, so no symbol is ever unknown."""

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
        """Build the codec; there is nothing to fit, and `texts` is not read."""
        return ByteCodec(ends)


class ByteCodec(Codec):
    """Ids are byte values; 256 is the end of a record.

    >>> ByteCodec(ends=False).encode("né").tolist()
    [110, 195, 169]
    """

    unknown = None

    def __init__(self, ends: bool) -> None:
        self.end = COUNT if ends else None
        self.size = COUNT + ends

    def encode(self, text: str) -> Ids:
        """Encode as UTF-8; a lone surrogate becomes a question mark."""
        return np.frombuffer(text.encode("utf-8", "replace"), np.uint8)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Decode UTF-8; invalid bytes become U+FFFD."""
        found = np.asarray(ids, np.int64)
        return found[found < COUNT].astype(np.uint8).tobytes().decode("utf-8", "replace")

    def symbol(self, id: int) -> str:
        """Return printable ASCII as it is, and other bytes in hexadecimal."""
        if 32 <= id < 127:
            return chr(id)
        return f"<{id:02X}>" if id < COUNT else "<end>" if id == self.end else "<start>"

    def spellings(self) -> list[bytes]:
        """Return the bytes."""
        return [*(bytes([byte]) for byte in range(COUNT)), *[b""] * (self.size - COUNT)]

    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Nothing is unknown."""
        return []

    def to_json(self) -> dict[str, Any]:
        """Return whether records have an end."""
        return {"name": "bytes", "ends": self.end is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ByteCodec:
        """Restore a codec from `to_json`."""
        return cls(values["ends"])
