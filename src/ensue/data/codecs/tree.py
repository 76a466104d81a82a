"""Trees as arrays: the word of each node and what it begins and ends with, and its parent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter

from ensue.data.labelled import Content, ContentCodec, Fields
from ensue.data.trees import parse_tree
from ensue.errors import DataError
from ensue.settings import Settings

NO_WORD, UNKNOWN = 0, 1


class TreeCodecSettings(Settings):
    """How the words of a tree are read: each by its name, its beginning and its ending."""

    name: Literal["tree"] = "tree"
    min_count: int = Field(default=2, ge=1)
    """What stands fewer times in training is read as unknown, so that it is learned what that
    means."""
    lower: bool = True
    """Whether capital letters are read as small ones."""
    beginning: int = Field(default=5, ge=1)
    """Letters of a word's beginning: an unknown word may be known by it."""
    ending: int = Field(default=3, ge=1)
    """Letters of its ending."""


class TreeCodec(ContentCodec):
    """Steps are nodes, in the order in which their brackets close: "parent", and "symbol",
    "beginning" and "ending" of the word, 0 without one and 1 for what is not known.

    >>> codec = TreeCodec.fit([{"word": ["It", "works", ""], "parent": [2, 2, -1]}],
    ...     TreeCodecSettings(min_count=1))
    >>> steps, _ = codec.encode("(_ (_ it) (_ working))")
    >>> steps["symbol"].tolist(), steps["ending"].tolist()
    ([2, 1, 0], [2, 1, 0])
    """

    def __init__(
        self, settings: TreeCodecSettings, known: Mapping[str, list[str]], children: int
    ) -> None:
        self.settings, self.known = settings, known
        self._ids = {
            field: {part: id for id, part in enumerate(parts, start=2)}
            for field, parts in known.items()
        }
        self.shape = Fields(
            symbols={field: len(parts) + 2 for field, parts in known.items()}, children=children
        )

    @classmethod
    def fit(cls, contents: Iterable[Content], settings: TreeCodecSettings) -> TreeCodec:
        """Learn the words and their parts, and how many children a node may have."""
        trees = [_tree(content) for content in contents]
        words = Counter(word for tree in trees for word in tree["word"] if word)
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for word, count in words.items():
            for field, part in _parts(word, settings).items():
                counts[field][part] += count
        known = {
            field: sorted(part for part in parts if parts[part] >= settings.min_count)
            for field, parts in counts.items()
        }
        return cls(settings, known, max([2, *(_most_children(tree["parent"]) for tree in trees)]))

    def encode(
        self, content: Content
    ) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.float32]]]:
        """Give the fields of the nodes, each (nodes,).

        Raises DataError if the content is no tree, or one of more than two children where no tree
        of training was.
        """
        tree = _tree(content)
        if (children := _most_children(tree["parent"])) > 2 and self.shape.children == 2:
            what = f"a node has {children} children, and none had more than two in training"
            raise DataError(what, hint="leave the tree out, or train with such trees")
        nodes = [_parts(word, self.settings) if word else {} for word in tree["word"]]
        steps = {
            field: [ids.get(parts[field], UNKNOWN) if parts else NO_WORD for parts in nodes]
            for field, ids in self._ids.items()
        }
        return {
            name: np.array(step, np.int64)
            for name, step in {**steps, "parent": tree["parent"]}.items()
        }, {}

    def to_json(self) -> dict[str, Any]:
        """Give the settings, what is known, and how many children a node may have."""
        own = {"known": self.known, "children": self.shape.children}
        return {"name": "tree", "settings": self.settings.model_dump(), **own}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TreeCodec:
        """Make the codec that gave `to_json`."""
        known = TypeAdapter(dict[str, list[str]]).validate_python(values["known"])
        if known.keys() - {"symbol", "beginning", "ending"} or type(values["children"]) is not int:
            raise ValueError("the parts of words, or the number of children, are none")
        return cls(TreeCodecSettings(**values["settings"]), known, values["children"])


def _parts(word: str, settings: TreeCodecSettings) -> dict[str, str]:
    word = word.lower() if settings.lower else word
    return {
        "symbol": word,
        "beginning": word[: settings.beginning],
        "ending": word[-settings.ending :],
    }


def _tree(content: Content) -> Mapping[str, Any]:
    """Give the fields of a tree, which may be written in brackets."""
    if isinstance(content, str):
        return parse_tree(content).content
    if not content.keys() >= {"word", "parent"}:
        raise DataError(
            "this is no tree, and the model reads trees",
            hint='give trees, as "(_ (_ so) (_ written))"',
        )
    return content


def _most_children(parents: list[int]) -> int:
    return max(Counter(parent for parent in parents if parent >= 0).values(), default=0)
