"""Words as a tagger is given them: by name, by spelling, by beginning, ending and shape, each known
by an id.

All ids come from the training part; 0 is what was not in it, or nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from ensue.data.labelled import Content, ContentCodec, Fields
from ensue.settings import Settings

DIGIT = re.compile(r"\d")
WIDTHS = {"prefix": "prefixes", "suffix": "suffixes", "character": "spelling"}
"""The fields that hold several ids of a word, and the setting that says how many."""


class TaggedWords(Settings):
    """What is known of a word."""

    name: Literal["tagged words"] = "tagged words"
    min_count: int = Field(default=2, ge=1)
    """How often a word, a beginning or an ending has to stand in the training part to be known."""
    lower: bool = True
    """Whether a word is known in lower case: its shape and its spelling still tell the case."""
    spelling: int = Field(default=20, ge=2, le=1000)
    """The most characters of a word that are read: of a longer one as many from its beginning as
    from its end."""
    prefixes: int = Field(default=3, ge=1, le=1000)
    """Beginnings of a word, of 1, 2, ... characters."""
    suffixes: int = Field(default=10, ge=1, le=1000)
    """Endings of a word, of 1, 2, ... characters; a network may look at the shorter ones alone."""

    def fit(self, contents: Iterable[Content], vectors: Iterable[str] = ()) -> TaggedWordsCodec:
        """Learn the words of the training part; `vectors` are those that have a vector."""
        return TaggedWordsCodec.fit(contents, self, vectors)


class TaggedWordsCodec(ContentCodec):
    """Fields of each word: "word", "surface" (its exact form), "shape", "prefix", "suffix",
    "character", "capital", "form" (a number of its own, the same for the same word), and "vector"
    where there are vectors.

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
        # A character that is not known is still there, and 0 says that none is.
        self._unknown_character = len(known["character"]) + 1
        self._seen: dict[str, dict[str, Any]] = {}

    def encode(
        self, content: Content
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.float32]]]:
        """Look up every word of the field "words"; each is taken apart once."""
        assert not isinstance(content, str)
        words = [self._fields(word) for word in content["words"]]
        return {name: np.array([word[name] for word in words]) for name in words[0]}, {}

    def _fields(self, word: str) -> dict[str, Any]:
        if word not in self._seen:
            self._seen[word] = dict(self._look_up(word))
        return self._seen[word]

    def _look_up(self, word: str) -> Iterator[tuple[str, Any]]:
        settings = self.settings
        digest = blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        yield "form", np.int64(int.from_bytes(digest, "big", signed=True))
        yield "capital", np.uint8(word[:1].isupper())
        yield "word", np.int32(self._ids["word"].get(_cased(word, settings), 0))
        yield "surface", np.int32(self._ids["surface"].get(word, 0))
        yield "shape", np.int32(self._ids["shape"].get(shape_of(word), 0))
        for name, parts in (
            ("prefix", prefixes_of(word, settings.prefixes)),
            ("suffix", suffixes_of(word, settings.suffixes)),
            ("character", spelling_of(word, settings.spelling)),
        ):
            ids = np.zeros(getattr(settings, WIDTHS[name]), np.int32)
            unknown = self._unknown_character if name == "character" else 0
            ids[: len(parts)] = [self._ids[name].get(part, unknown) for part in parts]
            yield name, ids
        if "vector" in self._ids:
            vectors = self._ids["vector"]
            yield "vector", np.int32(vectors.get(word) or vectors.get(word.lower(), 0))

    def to_json(self) -> dict[str, Any]:
        """Give the settings, and what is known by each name."""
        return {
            "settings": self.settings.model_dump(),
            "known": {name: list(ones) for name, ones in self.known.items()},
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TaggedWordsCodec:
        """Make the codec again."""
        known = TypeAdapter(dict[str, list[str]]).validate_python(values["known"])
        if known.keys() - {"vector"} != {
            "surface",
            "word",
            "shape",
            "prefix",
            "suffix",
            "character",
        }:
            raise ValueError("what is known of words is none")
        return cls(TaggedWords(**values["settings"]), known)

    @classmethod
    def fit(
        cls, contents: Iterable[Content], settings: Any, vectors: Iterable[str] = ()
    ) -> TaggedWordsCodec:
        """Count words, and what they begin and end with."""
        surface = Counter(word for content in contents for word in content["words"])  # type: ignore[index]
        parts: dict[str, Callable[[str], Iterable[str]]] = {
            "word": lambda word: [_cased(word, settings)],
            "shape": lambda word: [shape_of(word)],
            "prefix": lambda word: prefixes_of(word, settings.prefixes),
            "suffix": lambda word: suffixes_of(word, settings.suffixes),
            "character": lambda word: word,
        }
        known: dict[str, list[str]] = {"surface": sorted(surface)}
        for name, parts_of in parts.items():
            counts: Counter[str] = Counter()
            for word, count in surface.items():
                counts.update(dict.fromkeys(parts_of(word), count))
            known[name] = sorted(
                one for one, count in counts.items() if count >= settings.min_count
            )
        known |= {"vector": listed} if (listed := list(vectors)) else {}
        return cls(settings, known)


def _cased(word: str, settings: TaggedWords) -> str:
    return word.lower() if settings.lower else word


def shape_of(word: str) -> str:
    """Write X for a capital, x for another letter, d for a digit, and each stretch of the same at
    most twice.

    >>> shape_of("McDonald's"), shape_of("1,000"), shape_of("USA")
    ("XxXxx'x", 'd,dd', 'XX')
    """
    kinds = "".join(
        "X" if c.isupper() else "x" if c.isalpha() else "d" if c.isdigit() else c for c in word[:60]
    )
    return "".join(kind * min(len(list(run)), 2) for kind, run in groupby(kinds))


def prefixes_of(word: str, most: int) -> list[str]:
    """Give the beginnings in lower case, the shortest first; every digit counts as 0.

    >>> prefixes_of("3D-Cat", 3)
    ['0', '0d', '0d-']
    """
    begin = DIGIT.sub("0", word[:most].lower())
    return [begin[:length] for length in range(1, min(len(word), most) + 1)]


def suffixes_of(word: str, most: int) -> list[str]:
    """Give the endings likewise.

    >>> suffixes_of("Cats", 3)
    ['s', 'ts', 'ats']
    """
    end = DIGIT.sub("0", word[-most:].lower())
    return [end[-length:] for length in range(1, min(len(word), most) + 1)]


def spelling_of(word: str, most: int) -> str:
    """Cut out the middle of a long word.

    >>> spelling_of("internationalisation", 6)
    'intion'
    """
    return word if len(word) <= most else word[: most // 2] + word[len(word) - (most - most // 2) :]
