"""Reader of bracketed trees, one a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from ensue.data.contract import Finding, Listener
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.lines import LinesReader
from ensue.data.trees import parse_tree
from ensue.errors import DataError
from ensue.settings import Settings


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
            listener.on_finding(
                Finding(str(files[0]), f"read as bracketed trees, one a line; target: {target}")
            )
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
        for one in LinesReader(
            files, self.encoding, self.max_line_length, blanks=not labelled
        ).pieces(listener):
            where = f"{one.file}:{one.line}"
            if not one.text.strip():
                yield Example("", None, one.file, one.line, row={"tree": one.text})
                continue
            tree = parse_tree(one.text, where)
            if labelled and tree.labels[-1] is None:
                hint = "write it after the first bracket, or leave the line out"
                raise DataError("the root of the tree has no label", where=where, hint=hint)
            inner = tree.labels if self.inner else None
            yield Example(
                tree.content,
                tree.labels[-1],
                one.file,
                one.line,
                row={"tree": one.text},
                inner=inner,
            )


def are_trees(lines: Sequence[str]) -> bool:
    """Return whether the first line that is not blank is a bracketed tree."""
    try:
        return bool(parse_tree(next(filter(str.strip, lines), "no tree"), ""))
    except DataError:
        return False
