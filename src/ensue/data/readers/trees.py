"""Bracketed trees, one a line: how they are parsed, and read as examples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

from ensue.data.contract import Listener
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.lines import LinesReader
from ensue.errors import DataError
from ensue.settings import Settings

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
            what = "closes before there is a label"
            if text == "(":
                what = "opens where a label should stand"
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


class Trees(Settings):
    """Read each line as a bracketed tree; every node has a label, or `_` for none."""

    name: Literal["trees"] = "trees"
    inner: bool = True
    """Whether to train on the labels of inner nodes too, not only on the root's."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_line_length: int = 1_000_000
    """Maximum number of characters in a line."""

    def resolved(self, files: Sequence[Path], listener: Listener, labelled: bool = True) -> Trees:
        """Return the settings unchanged, and report the format to `listener`."""
        target = "the label of each node" if self.inner else "the label of the root"
        if labelled:
            listener.report(files[0], f"read as bracketed trees, one a line; target: {target}")
        return self

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Build the reader of these files; the label of a tree is that of its root.

        Unless `labelled`, the root may have no label. Raises DataError that names line and position
        if brackets do not match.
        """
        return FunctionReader(lambda listener: self._read_trees(files, labelled, listener))

    def _read_trees(
        self, files: Sequence[Path], labelled: bool, listener: Listener
    ) -> Iterator[Example]:
        lines = LinesReader(files, self.encoding, self.max_line_length, blanks=not labelled)
        for one in lines.pieces(listener):
            where, row = f"{one.file}:{one.line}", {"tree": one.text}
            if not one.text.strip():
                yield Example("", None, one.file, one.line, row=row)
                continue
            tree = parse_tree(one.text, where)
            if labelled and tree.labels[-1] is None:
                hint = "write it after the first bracket, or leave the line out"
                raise DataError("the root of the tree has no label", where=where, hint=hint)
            inner = tree.labels if self.inner else None
            label = tree.labels[-1]
            yield Example(tree.content, label, one.file, one.line, row=row, inner=inner)


def are_trees(lines: Sequence[str]) -> bool:
    """Return whether the first line that is not blank is a bracketed tree."""
    try:
        return bool(parse_tree(next(filter(str.strip, lines), "no tree"), ""))
    except DataError:
        return False
