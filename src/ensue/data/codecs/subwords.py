"""Codec of subwords: byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) over bytes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from ensue.data.codecs.cutting import find_last_blank, recut
from ensue.data.contract import Codec, Ids
from ensue.settings import Settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer

STRETCH = 20_000
"""Characters per call of the tokenizer.

It slows down on long texts, and shares several of this size among cores.
"""

WORDS = (
    r"'(?:s|t|re|ve|m|ll|d)| ?\p{L}[\p{L}\p{M}\x{200C}\x{200D}]*| ?\p{N}+| "
    r"?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
)
"""Pre-tokenisation: no subword spans the end of one of these.

They are GPT-2's words, except that marks belong to their letters.
"""


class Subwords(Settings):
    """One symbol for each frequent sequence of letters, down to single bytes."""

    name: Literal["subwords"] = "subwords"
    max_size: int = Field(4096, ge=256)
    """Maximum vocabulary size, including the 256 bytes."""

    def fit(self, texts: Iterable[str], ends: bool) -> SubwordCodec:
        """Train byte-pair encoding: merge the most frequent pair, repeatedly."""
        from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        words = pre_tokenizers.Split(Regex(WORDS), "isolated")
        spelled = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([words, spelled])
        trainer = trainers.BpeTrainer(
            vocab_size=self.max_size,
            min_frequency=2,
            initial_alphabet=_byte_letters(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts if ends else recut(texts, find_last_blank), trainer)
        return SubwordCodec(tokenizer, ends)


class SubwordCodec(Codec):
    """Ids of the tokenizer, then the end of a record.

    >>> codec = Subwords(max_size=300).fit(["banana bandana"], ends=False)
    >>> [codec.symbol(id) for id in codec.encode("banana")]
    ['ban', 'ana']
    """

    unknown = None

    def __init__(self, tokenizer: Tokenizer, ends: bool) -> None:
        self.tokenizer = tokenizer
        count = tokenizer.get_vocab_size()
        self.end = count if ends else None
        self.size = count + ends
        byte = {letter: byte for byte, letter in enumerate(_byte_letters())}
        vocabulary = tokenizer.get_vocab()
        tokens = sorted(vocabulary, key=vocabulary.__getitem__)
        if [vocabulary[token] for token in tokens] != list(range(count)):
            raise ValueError("the ids of subwords are not those from 0 on")
        self._spellings = [bytes(byte[letter] for letter in token) for token in tokens]
        self._spellings += [b""] * ends

    def encode(self, text: str) -> Ids:
        """Split into subwords."""
        text = text.encode("utf-8", "replace").decode()
        places = [0]
        while len(text) - places[-1] > STRETCH:
            step = find_last_blank(text[places[-1] : places[-1] + STRETCH])
            places.append(places[-1] + step if step else len(text))
        stretches = [text[begin:end] for begin, end in pairwise([*places, len(text)])]
        ids = [
            np.array(part.ids, np.min_scalar_type(self.size - 1))
            for part in self.tokenizer.encode_batch_fast(stretches)
        ]
        return np.concatenate(ids)

    def decode(self, ids: Sequence[int] | Ids) -> str:
        """Join the subwords; invalid UTF-8 becomes U+FFFD."""
        spelled = b"".join(self._spellings[id] for id in ids if id < self.size)
        return spelled.decode("utf-8", "replace")

    def symbol(self, id: int) -> str:
        """Return the subword with its space; incomplete characters in hexadecimal."""
        if id in (self.end, self.start):
            return "<end>" if id == self.end else "<start>"
        try:
            return self._spellings[id].decode()
        except UnicodeDecodeError:
            return f"<{self._spellings[id].hex(' ').upper()}>"

    def spellings(self) -> list[bytes]:
        """Return the subwords as bytes."""
        return list(self._spellings)

    def unknowns(self, text: str) -> list[tuple[str, float]]:
        """Nothing is unknown."""
        return []

    def to_json(self) -> dict[str, Any]:
        """Return the tokenizer in its own JSON."""
        return {
            "name": "subwords",
            "tokenizer": json.loads(self.tokenizer.to_str()),
            "ends": self.end is not None,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> SubwordCodec:
        """Restore a codec from `to_json`."""
        from tokenizers import Tokenizer

        return cls(Tokenizer.from_str(json.dumps(values["tokenizer"])), values["ends"])

    def split_point(self, text: str) -> int:
        """Cut before a blank, never within a word."""
        return find_last_blank(text)


def _byte_letters() -> list[str]:
    """Return the tokenizer's letter for each byte: itself if visible, else the next from U+0100."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in seen else next(others)) for byte in range(256)]
