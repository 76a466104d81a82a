"""Trees as arrays: the word of each node, and its parent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ensue.data.labelled import Content, ContentCodec, Shape
from ensue.data.trees import parse_tree
from ensue.errors import DataError
from ensue.settings import Settings

NO_WORD, UNKNOWN = 0, 1


class TreeCodecSettings(Settings):
    """How the words of a tree are read."""

    name: Literal["tree"] = "tree"
    rare: int = Field(default=2, ge=1)
    """Words seen fewer times in training are read as unknown, so that it is learned what an unknown word means."""
    lower: bool = True
    """Whether capital letters are read as small ones."""


class TreeCodec(ContentCodec):
    """Steps are nodes, in the order in which their brackets close: "symbol", 0 without a word and 1 for an unknown one,
    and "parent".

    >>> codec = TreeCodec.fit([{"word": ["It", "works", ""], "parent": [2, 2, -1]}], TreeCodecSettings(rare=1))
    >>> codec.encode("(_ (_ it) (_ fails))")[0]["symbol"].tolist()
    [2, 1, 0]
    """

    def __init__(self, words: list[str], lower: bool, children: int) -> None:
        self.words, self.lower = words, lower
        self._ids = {word: id for id, word in enumerate(words, start=2)}
        self.shape = Shape(symbols={"symbol": len(words) + 2}, children=children)

    @classmethod
    def fit(cls, contents: Iterable[Content], settings: TreeCodecSettings) -> TreeCodec:
        """Learn the words, and how many children a node may have."""
        words: Counter[str] = Counter()
        children = 2
        for content in contents:
            tree = _tree(content)
            words.update(word.lower() if settings.lower else word for word in tree["word"] if word)
            children = max(children, _most_children(tree["parent"]))
        kept = sorted(word for word, count in words.items() if count >= settings.rare)
        return cls(kept, settings.lower, children)

    def encode(self, content: Content) -> tuple[dict[str, NDArray[Any]], dict[str, NDArray[np.float32]]]:
        """Give the fields of the nodes, each (nodes,).

        Raises DataError if the content is no tree, or one of more than two children where no tree of training was.
        """
        tree = _tree(content)
        if (children := _most_children(tree["parent"])) > 2 and self.shape.children == 2:
            what = f"a node has {children} children, and none had more than two in training"
            raise DataError(what, mend="leave the tree out, or train with such trees")
        words = [word.lower() if self.lower else word for word in tree["word"]]
        symbol = np.array([self._ids.get(word, UNKNOWN) if word else NO_WORD for word in words], np.int64)
        return {"symbol": symbol, "parent": np.array(tree["parent"], np.int64)}, {}

    def to_json(self) -> dict[str, Any]:
        """Give the words, whether capitals matter, and how many children a node may have."""
        return {"name": "tree", "words": self.words, "lower": self.lower, "children": self.shape.children}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TreeCodec:
        """Make the codec that gave `to_json`."""
        return cls(values["words"], values["lower"], values["children"])


def _tree(content: Content) -> Mapping[str, Any]:
    """Give the fields of a tree, which may be written in brackets."""
    if isinstance(content, str):
        return parse_tree(content).content
    if not content.keys() >= {"word", "parent"}:
        raise DataError("this is no tree, and the model reads trees", mend='give trees, as "(_ (_ so) (_ written))"')
    return content


def _most_children(parents: list[int]) -> int:
    return max(Counter(parent for parent in parents if parent >= 0).values(), default=0)
