"""Codec of words for taggers: ids of the word, its spelling, prefixes, suffixes and shape.

All ids come from the training part; 0 is an unknown value, or padding.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from ensue.data.labelled import Content, ContentCodec, Encoded, Fields
from ensue.settings import Settings

DIGIT = re.compile(r"\d")
WIDTHS = {"prefix": "prefixes", "suffix": "suffixes", "character": "spelling"}
"""Fields with several ids for each word, and the settings of their numbers."""


class TaggedWords(Settings):
    """Features of a word."""

    name: Literal["tagged words"] = "tagged words"
    min_count: int = Field(default=2, ge=1)
    """Minimum count in the training part of a known word, prefix or suffix."""
    lower: bool = True
    """Whether words are lowercased; shape and spelling still show the case."""
    spelling: int = Field(default=20, ge=2, le=1000)
    """Maximum number of characters of a word; a longer one loses its middle."""
    prefixes: int = Field(default=3, ge=1, le=1000)
    """Maximum length of prefixes."""
    suffixes: int = Field(default=10, ge=1, le=1000)
    """Maximum length of suffixes; a network may use the shorter ones alone."""

    def fit(self, contents: Iterable[Content], vectors: Iterable[str] = ()) -> TaggedWordsCodec:
        """Fit the codec to the training part; `vectors` are the words that have a vector."""
        return TaggedWordsCodec.fit(contents, self, vectors)


class TaggedWordsCodec(ContentCodec):
    """Codec of words as fields of ids.

    The fields are "word", "surface" (the exact form), "shape", "prefix", "suffix", "character",
    "capital" and "form" (a hash of the word), and "vector" if there are word vectors.

    >>> codec = TaggedWords(min_count=1).fit([{"words": ["The", "cat", "sat"]}])
    >>> steps, _ = codec.encode({"words": ["the", "Cat", "ran"]})
    >>> steps["word"].tolist(), steps["surface"].tolist(), steps["suffix"].shape
    ([3, 1, 0], [0, 0, 0], (3, 10))
    """

    def __init__(self, settings: TaggedWords, known: Mapping[str, Sequence[str]]) -> None:
        self.settings, self.known = settings, known
        self._ids = {
            name: {one: number for number, one in enumerate(ones, 1)}
            for name, ones in known.items()
        }
        sizes = {name: len(ones) + 1 + (name == "character") for name, ones in known.items()}
        self.shape = Fields(sizes | {"capital": 2})
        # 0 is padding here, so an unknown character needs an id of its own.
        self._unknown_character = len(known["character"]) + 1
        self._cache: dict[str, dict[str, Any]] = {}

    def encode(self, content: Content) -> Encoded:
        """Look up every word of the field "words"; repeated words are cached."""
        assert not isinstance(content, str)
        words = [self._fields(word) for word in content["words"]]
        return {name: np.array([word[name] for word in words]) for name in words[0]}, {}

    def _fields(self, word: str) -> dict[str, Any]:
        if word not in self._cache:
            self._cache[word] = dict(self._look_up(word))
        return self._cache[word]

    def _look_up(self, word: str) -> Iterator[tuple[str, Any]]:
        settings = self.settings
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        yield "form", np.int64(int.from_bytes(digest, "big", signed=True))
        yield "capital", np.uint8(word[:1].isupper())
        yield "word", np.int32(self._ids["word"].get(_apply_case(word, settings), 0))
        yield "surface", np.int32(self._ids["surface"].get(word, 0))
        yield "shape", np.int32(self._ids["shape"].get(get_shape(word), 0))
        for name, parts in (
            ("prefix", get_prefixes(word, settings.prefixes)),
            ("suffix", get_suffixes(word, settings.suffixes)),
            ("character", shorten(word, settings.spelling)),
        ):
            ids = np.zeros(getattr(settings, WIDTHS[name]), np.int32)
            unknown = self._unknown_character if name == "character" else 0
            ids[: len(parts)] = [self._ids[name].get(part, unknown) for part in parts]
            yield name, ids
        if "vector" in self._ids:
            vectors = self._ids["vector"]
            yield "vector", np.int32(vectors.get(word) or vectors.get(word.lower(), 0))

    def to_json(self) -> dict[str, Any]:
        """Return the settings and the vocabularies."""
        return {
            "settings": self.settings.model_dump(),
            "known": {name: list(ones) for name, ones in self.known.items()},
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TaggedWordsCodec:
        """Restore a codec from `to_json`. Raises ValueError for invalid values."""
        known = TypeAdapter(dict[str, list[str]]).validate_python(values["known"])
        if known.keys() - {"vector"} != {"surface", "word", "shape", *WIDTHS}:
            raise ValueError("the known parts of words are invalid")
        return cls(TaggedWords(**values["settings"]), known)

    @classmethod
    def fit(
        cls, contents: Iterable[Content], settings: Any, vectors: Iterable[str] = ()
    ) -> TaggedWordsCodec:
        """Count words, prefixes, suffixes, shapes and characters."""
        surface = Counter(word for content in contents for word in content["words"])  # type: ignore[index]
        parts: dict[str, Callable[[str], Iterable[str]]] = {
            "word": lambda word: [_apply_case(word, settings)],
            "shape": lambda word: [get_shape(word)],
            "prefix": lambda word: get_prefixes(word, settings.prefixes),
            "suffix": lambda word: get_suffixes(word, settings.suffixes),
            "character": lambda word: word,
        }
        known: dict[str, list[str]] = {"surface": sorted(surface)}
        for name, get_parts in parts.items():
            counts: Counter[str] = Counter()
            for word, count in surface.items():
                counts.update(dict.fromkeys(get_parts(word), count))
            known[name] = sorted(
                one for one, count in counts.items() if count >= settings.min_count
            )
        known |= {"vector": listed} if (listed := list(vectors)) else {}
        return cls(settings, known)


def _apply_case(word: str, settings: TaggedWords) -> str:
    return word.lower() if settings.lower else word


def get_shape(word: str) -> str:
    """Return the shape of a word: X for a capital, x for another letter, d for a digit.

    A run of the same kind is shortened to two.

    >>> get_shape("McDonald's"), get_shape("1,000"), get_shape("USA")
    ("XxXxx'x", 'd,dd', 'XX')
    """
    kinds = "".join(
        "X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c for c in word[:60]
    )
    return "".join(kind * min(len(list(run)), 2) for kind, run in groupby(kinds))


def get_prefixes(word: str, limit: int) -> list[str]:
    """Return the prefixes in lower case, shortest first; every digit becomes 0.

    >>> get_prefixes("3D-Cat", 3)
    ['0', '0d', '0d-']
    """
    begin = DIGIT.sub("0", word[:limit].lower())
    return [begin[:length] for length in range(1, min(len(word), limit) + 1)]


def get_suffixes(word: str, limit: int) -> list[str]:
    """Return the suffixes in lower case, shortest first; every digit becomes 0.

    >>> get_suffixes("Cats", 3)
    ['s', 'ts', 'ats']
    """
    end = DIGIT.sub("0", word[-limit:].lower())
    return [end[-length:] for length in range(1, min(len(word), limit) + 1)]


def shorten(word: str, limit: int) -> str:
    """Cut the middle out of a long word.

    >>> shorten("internationalisation", 6)
    'intion'
    """
    head = min(len(word), limit) // 2
    return word if len(word) <= limit else word[:head] + word[len(word) - (limit - head) :]
