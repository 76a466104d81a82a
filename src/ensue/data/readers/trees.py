"""Bracketed trees, one a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.labelled import Labelled, LabelledReader
from ensue.data.readers.lines import lines_of
from ensue.data.trees import parse_tree
from ensue.errors import DataError
from ensue.settings import Settings


class Trees(Settings):
    """Read each line of the files as a tree in brackets, every node with its label, _ where it has none."""

    name: Literal["trees"] = "trees"
    inner: bool = True
    """Whether the labels of inner nodes are learned too, or that of the root alone."""
    encoding: str = "utf-8"
    """How the files are encoded, by Python's name for it."""
    longest: int = 1_000_000
    """The most characters that a line may have."""

    def settled(self, files: Sequence[Path], listener: Listener, labelled: bool = True) -> Trees:
        """Nothing is left to fill in; tells `listener` how they are read."""
        of = "that of each node is learned" if self.inner else "that of its root is learned"
        if labelled:
            listener.tell(Finding(str(files[0]), f"read as bracketed trees, one a line; the label {of}"))
        return self

    def build(self, files: Sequence[Path], labelled: bool = True) -> TreesReader:
        """Make the reader of these files."""
        return TreesReader(files, self, labelled)


class TreesReader(LabelledReader):
    """One tree a line; its label is that of its root. Blank lines are left out."""

    def __init__(self, files: Sequence[Path], settings: Trees, labelled: bool) -> None:
        self.files, self.settings, self.labelled = files, settings, labelled

    def examples(self, listener: Listener = SILENT) -> Iterator[Labelled]:
        """Read tree after tree. Raises DataError that names line and position where brackets do not fit."""
        for path in self.files:
            lines = lines_of(path, self.settings.encoding, self.settings.longest, listener)
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield self._example(line, str(path), number)

    def _example(self, line: str, file: str, number: int) -> Labelled:
        tree = parse_tree(line, f"{file}:{number}")
        if self.labelled and tree.labels[-1] is None:
            mend = "write it after the first bracket, or leave the line out"
            raise DataError("the root of the tree has no label", where=f"{file}:{number}", mend=mend)
        inner = tree.labels if self.settings.inner else None
        return Labelled(tree.content, tree.labels[-1], file, number, row={"tree": line}, inner=inner)


def are_trees(files: Sequence[Path]) -> bool:
    """Tell whether the first line of the first file is a bracketed tree."""
    first = next(filter(str.strip, lines_of(files[0], "utf-8", Trees().longest)), "no tree")
    try:
        return bool(parse_tree(first, str(files[0])))
    except DataError:
        return False
