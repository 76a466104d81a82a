"""Lines as fastText reads them (Joulin et al. 2017, arXiv:1607.01759): labels, `__label__NAME`,
among words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal

from pydantic import Field

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.lines import LinesReader
from ensue.errors import DataError
from ensue.settings import Settings

PREFIX = "__label__"


class FastText(Settings):
    """Read each line as a text with the labels that stand in it, each a word that begins with
    the prefix."""

    name: Literal["fasttext"] = "fasttext"
    prefix: str = Field(PREFIX, min_length=1)
    """What labels begin with."""
    encoding: str = "utf-8"
    """How the files are encoded, by Python's name for it."""
    max_line_length: int = 1_000_000
    """The most characters that a line of the file may have."""

    def resolved(
        self, files: Sequence[Path], listener: Listener = SILENT, labelled: bool = True
    ) -> FastText:
        """Give itself, and tell `listener` how lines are read."""
        if labelled:
            listener.on_finding(
                Finding(
                    str(files[0]),
                    f"read as fastText: words that begin with {self.prefix} are labels",
                )
            )
        return self

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Make the reader of these files; if not `labelled`, lines may have no label. Raises
        DataError."""
        elsewhere = (
            f"name what labels begin with by --set data.reader.prefix=..., if it is not "
            f"{self.prefix}"
        )
        return FunctionReader(
            lambda listener: chain.from_iterable(
                self._examples(path, labelled, listener) for path in files
            ),
            elsewhere,
        )

    def _examples(self, path: Path, labelled: bool, listener: Listener) -> Iterator[Example]:
        """A line with one label has it as a text, one with several as a list; if not `labelled`,
        each line is one."""
        for line in LinesReader(
            [path], self.encoding, self.max_line_length, blanks=not labelled
        ).pieces(listener):
            words = line.text.split()
            labels = [
                word.removeprefix(self.prefix) for word in words if word.startswith(self.prefix)
            ]
            # Without labels the line is kept letter for letter, for what stands between words may
            # tell something.
            text = (
                " ".join(word for word in words if not word.startswith(self.prefix))
                if labels
                else line.text
            )
            where = f"{line.file}:{line.line}"
            if "" in labels:
                hint = f"write {self.prefix}NAME, without a blank between"
                raise DataError(f"a label has no name after {self.prefix}", where=where, hint=hint)
            if labelled and not text.strip():
                raise DataError(
                    "there are labels, and no text", where=where, hint="leave the line out"
                )
            if labelled and not labels:
                hint = f"begin it with {self.prefix}NAME, or leave it out"
                raise DataError("the line has no label", where=where, hint=hint)
            yield Example(
                text,
                (labels[0] if len(labels) == 1 else labels) or None,
                line.file,
                line.line,
                row={"text": text},
            )


def are_fasttext(lines: Sequence[str]) -> bool:
    """Tell by the first lines of a file whether most of them hold a label as fastText writes
    them."""
    filled = [line for line in lines if line.strip()]
    labelled = [line for line in filled if any(word.startswith(PREFIX) for word in line.split())]
    return len(labelled) > len(filled) / 2
