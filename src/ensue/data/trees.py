"""Parser of bracketed trees, as in the Stanford Sentiment Treebank.

For example `(3 (2 It) (4 (2 was) (4 lovely)))`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

from ensue.errors import DataError

UNLABELLED = "_"
"""Label of a node without one."""
FORM = "write each tree on a line of its own, as (label (label word) ...)"
_TOKEN = re.compile(r"[()]|[^() \t\r\n]+")  # a no-break space is part of a word

_OpenNode: TypeAlias = tuple[list[str], list[int], int]
"""An open node: its label and words, its children, and its position."""


@dataclass(frozen=True)
class Tree:
    """A tree as lists over its nodes: children before parents, the root last."""

    words: list[str]
    parents: list[int]
    labels: list[str | None]

    @property
    def content(self) -> dict[str, list[Any]]:
        """Input fields of the tree: "word", empty for an inner node, and "parent"."""
        return {"word": self.words, "parent": self.parents}


def parse_tree(line: str, where: str | None = None) -> Tree:
    """Parse one tree. Raises DataError that names the position of an error, from 1.

    >>> parse_tree("(3 (2 It) (4 works))", "a.txt:1")
    Tree(words=['It', 'works', ''], parents=[2, 2, -1], labels=['2', '4', '3'])
    """
    tree = Tree([], [], [])
    open_nodes: list[_OpenNode] = []
    for token in _TOKEN.finditer(line):
        text, at = token.group(), token.start() + 1
        if tree.parents and not open_nodes:
            raise _make_error("something follows the end of the tree", where, at)
        if not open_nodes and text != "(":
            raise _make_error("a tree begins with an opening bracket", where, at)
        if text not in ("(", ")"):
            open_nodes[-1][0].append(text)
        elif open_nodes and not open_nodes[-1][0]:
            what = (
                "opens where a label should stand"
                if text == "("
                else "closes before there is a label"
            )
            raise _make_error(f"a bracket {what}", where, at)
        elif text == "(":
            open_nodes.append(([], [], at))
        else:
            _close_node(tree, open_nodes, where, at)
    if open_nodes:
        raise _make_error("a bracket is never closed", where, open_nodes[-1][2])
    return tree


def _close_node(tree: Tree, open_nodes: list[_OpenNode], where: str | None, at: int) -> None:
    """Append a node whose words and children are known."""
    (label, *words), children, _ = open_nodes.pop()
    if not words and not children:
        raise _make_error("a node has neither a word nor children", where, at)
    if len(words) > 1:
        raise _make_error(f"a node has {len(words)} words ({' '.join(words[:3])!r})", where, at)
    tree.words.extend(words or [""])
    tree.parents.append(-1)
    tree.labels.append(None if label == UNLABELLED else label)
    this = len(tree.parents) - 1
    for child in children:
        tree.parents[child] = this
    if open_nodes:
        open_nodes[-1][1].append(this)


def _make_error(what: str, where: str | None, at: int) -> DataError:
    return DataError(f"{what}, at position {at}", where=where, hint=FORM)
