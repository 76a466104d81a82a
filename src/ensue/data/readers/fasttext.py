"""Reader of fastText files (Joulin et al. 2017, arXiv:1607.01759): `__label__NAME` among words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from ensue.data.contract import SILENT, Listener
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.lines import LinesReader
from ensue.errors import DataError
from ensue.settings import Settings

PREFIX = "__label__"


class FastText(Settings):
    """Read each line as a text; words that begin with the prefix are its labels."""

    name: Literal["fasttext"] = "fasttext"
    prefix: str = Field(PREFIX, min_length=1)
    """Prefix of a label."""
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_line_length: int = 1_000_000
    """Maximum number of characters in a line."""

    def resolved(
        self, files: Sequence[Path], listener: Listener = SILENT, labelled: bool = True
    ) -> FastText:
        """Return the settings unchanged, and report the format to `listener`."""
        if labelled:
            what = f"read as fastText: words that begin with {self.prefix} are labels"
            listener.report(files[0], what)
        return self

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Build the reader of these files; unless `labelled`, lines may have no label.

        Raises DataError.
        """
        elsewhere = (
            f"give the prefix of labels with --set data.reader.prefix=..., if it is not "
            f"{self.prefix}"
        )
        return FunctionReader(
            lambda listener: self._read_examples(files, labelled, listener), elsewhere
        )

    def _read_examples(
        self, files: Sequence[Path], labelled: bool, listener: Listener
    ) -> Iterator[Example]:
        """Read one example a line; one label becomes a string, several become a list.

        Unless `labelled`, blank lines are examples too.
        """
        lines = LinesReader(files, self.encoding, self.max_line_length, blanks=not labelled)
        for line in lines.pieces(listener):
            words = line.text.split()
            labels = [
                word.removeprefix(self.prefix) for word in words if word.startswith(self.prefix)
            ]
            # A line without labels stays unchanged: its white space may carry information.
            text = line.text
            if labels:
                text = " ".join(word for word in words if not word.startswith(self.prefix))
            where = f"{line.file}:{line.line}"
            if "" in labels:
                hint = f"write {self.prefix}NAME, without a blank between"
                raise DataError(f"a label has no name after {self.prefix}", where=where, hint=hint)
            if labelled and not text.strip():
                what = "there are labels, and no text"
                raise DataError(what, where=where, hint="leave the line out")
            if labelled and not labels:
                hint = f"begin it with {self.prefix}NAME, or leave it out"
                raise DataError("the line has no label", where=where, hint=hint)
            label = (labels[0] if len(labels) == 1 else labels) or None
            yield Example(text, label, line.file, line.line, row={"text": text})


def are_fasttext(lines: Sequence[str]) -> bool:
    """Return whether most of the given lines hold a fastText label."""
    filled = [line for line in lines if line.strip()]
    labelled = [line for line in filled if any(word.startswith(PREFIX) for word in line.split())]
    return len(labelled) > len(filled) / 2
