"""Codec of trees: ids of each node's word, its prefix and its suffix, and the node's parent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from ensue.data.labelled import Content, ContentCodec, Encoded, Fields
from ensue.data.readers.trees import parse_tree
from ensue.errors import DataError
from ensue.settings import Settings

NO_WORD, UNKNOWN = 0, 1


class TreeCodecSettings(Settings):
    """How the words of a tree are encoded: by word, prefix and suffix."""

    name: Literal["tree"] = "tree"
    min_count: int = Field(default=2, ge=1)
    """Minimum count of known words; rarer ones train the embedding of unknown words."""
    lower: bool = True
    """Whether words are lowercased."""
    beginning: int = Field(default=5, ge=1)
    """Length of the prefix, which may be known where the word is not."""
    ending: int = Field(default=3, ge=1)
    """Length of the suffix."""


class TreeCodec(ContentCodec):
    """Encode trees as steps, one for each node, in the order in which brackets close.

    Each step has "parent", and "symbol", "beginning" and "ending" of its word. 0 is a node without
    a word, and 1 an unknown value.

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
        """Collect the words, prefixes and suffixes, and the maximum number of children."""
        trees = [_parse_content(content) for content in contents]
        words = Counter(word for tree in trees for word in tree["word"] if word)
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for word, count in words.items():
            for field, part in _get_parts(word, settings).items():
                counts[field][part] += count
        known = {
            field: sorted(part for part in parts if parts[part] >= settings.min_count)
            for field, parts in counts.items()
        }
        return cls(settings, known, max([2, *(_max_children(tree["parent"]) for tree in trees)]))

    def encode(self, content: Content) -> Encoded:
        """Return the fields of the nodes, each (nodes,).

        Raises DataError if the content is not a tree. Raises it too for a node of more than two
        children if training had no such tree.
        """
        tree = _parse_content(content)
        if (children := _max_children(tree["parent"])) > 2 and self.shape.children == 2:
            what = f"a node has {children} children, and none had more than two in training"
            raise DataError(what, hint="leave the tree out, or train with such trees")
        nodes = [_get_parts(word, self.settings) if word else {} for word in tree["word"]]
        steps = {
            field: [ids.get(parts[field], UNKNOWN) if parts else NO_WORD for parts in nodes]
            for field, ids in self._ids.items()
        }
        steps["parent"] = tree["parent"]
        return {name: np.array(step, np.int64) for name, step in steps.items()}, {}

    def to_json(self) -> dict[str, Any]:
        """Return the settings, the vocabularies and the maximum number of children."""
        own = {"known": self.known, "children": self.shape.children}
        return {"name": "tree", "settings": self.settings.model_dump(), **own}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TreeCodec:
        """Restore a codec from `to_json`. Raises ValueError for invalid values."""
        known = TypeAdapter(dict[str, list[str]]).validate_python(values["known"])
        if known.keys() - {"symbol", "beginning", "ending"} or type(values["children"]) is not int:
            raise ValueError("the known parts of words, or the number of children, are invalid")
        return cls(TreeCodecSettings(**values["settings"]), known, values["children"])


def _get_parts(word: str, settings: TreeCodecSettings) -> dict[str, str]:
    word = word.lower() if settings.lower else word
    return {
        "symbol": word,
        "beginning": word[: settings.beginning],
        "ending": word[-settings.ending :],
    }


def _parse_content(content: Content) -> Mapping[str, Any]:
    """Return the fields of a tree; text is parsed as brackets."""
    if isinstance(content, str):
        return parse_tree(content).content
    if not content.keys() >= {"word", "parent"}:
        what = "this is not a tree, and the model reads trees"
        raise DataError(what, hint='give trees, as "(_ (_ so) (_ written))"')
    return content


def _max_children(parents: list[int]) -> int:
    return max(Counter(parent for parent in parents if parent >= 0).values(), default=0)
