"""Codec of tokens between blanks, as lmplz, KenLM and the usual benchmarks define them.

The end of a line is a token too.
"""

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
from ensue.settings import Settings

TOKEN = re.compile(r"[^ \t\n\r\v\f]+|\n")
"""Blanks are those of ASCII, as in lmplz: a no-break space is part of a token."""


class Tokens(Settings):
    """One symbol for each token between blanks, and for each line's end."""

    name: Literal["tokens"] = "tokens"
    max_size: int = Field(0, ge=0)
    """Maximum vocabulary size; the most frequent tokens are kept; 0 keeps all.

    Equally frequent tokens are sorted by code point.
    """
    min_count: int = Field(1, ge=1)
    """Minimum count of a token in the vocabulary."""

    def fit(self, texts: Iterable[str], ends: bool) -> TokenCodec:
        """Count the tokens of the training part; the most frequent has id 0."""
        counts: Counter[str] = Counter()
        for text in texts if ends else recut(texts, find_last_blank):
            counts.update(TOKEN.findall(text))
        ordered = sorted(
            (token for token in counts if counts[token] >= self.min_count),
            key=lambda token: (-counts[token], token),
        )
        return TokenCodec(ordered[: self.max_size or None], ends)


class TokenCodec(Codec):
    """Ids ordered by frequency, then the unknown token, then the end of a record.

    >>> codec = Tokens().fit(["the u.s. 's\\n the end"], ends=False)
    >>> codec.tokens, codec.decode(codec.encode("the  end\\nthe start"))
    (['the', '\\n', "'s", 'end', 'u.s.'], 'the end\\nthe \ufffd')
    """

    keeps_blanks = False

    def __init__(self, tokens: Sequence[str], ends: bool) -> None:
        self.tokens = list(tokens)
        self.unknown = len(tokens)
        self.end = len(tokens) + 1 if ends else None
        self.size = len(tokens) + 1 + ends
        self._ids = {token: id for id, token in enumerate(tokens)}

    def encode(self, text: str) -> Ids:
        """Look up each token."""
        ids, unknown = self._ids, len(self.tokens)
        return np.array(
            [ids.get(token, unknown) for token in TOKEN.findall(text)],
            np.min_scalar_type(self.size - 1),
        )

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Join the tokens of each line by one blank; the unknown token is U+FFFD."""
        text = "".join(self._spell(int(id)) for id in ids if id <= len(self.tokens)).replace(
            "\n ", "\n"
        )
        return text.removeprefix(" ")

    def _spell(self, id: int) -> str:
        token = "\ufffd" if id == self.unknown else self.tokens[id]
        return token if token == "\n" else f" {token}"

    def symbol(self, id: int) -> str:
        """Return the token."""
        if id < len(self.tokens):
            return self.tokens[id]
        return {self.unknown: "<unknown>", self.end: "<end>"}.get(id, "<start>")

    def spellings(self) -> list[bytes]:
        """Return the tokens as UTF-8, each after a blank."""
        tokens = [self._spell(id).encode() for id in range(len(self.tokens))]
        return [*tokens, *[b""] * (self.size - len(tokens))]

    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Return each unknown token and its nats.

        Each of its bytes and its end are one of 257 equally likely choices.
        """
        unknown = [token for token in TOKEN.findall(text) if token not in self._ids]
        return [
            (token, (len(token.encode("utf-8", "replace")) + 1) * log(257)) for token in unknown
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the tokens by id."""
        return {"name": "tokens", "tokens": self.tokens, "ends": self.end is not None}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TokenCodec:
        """Restore a codec from `to_json`."""
        return cls(values["tokens"], values["ends"])

    def split_point(self, text: str) -> int:
        """Cut before a blank, never within a token."""
        return find_last_blank(text)
