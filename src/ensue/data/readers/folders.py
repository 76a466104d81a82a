"""Texts in a folder for each class, or in a file for each class, one a line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from os.path import commonpath
from pathlib import Path
from typing import Literal

from ensue.data.contract import Finding, Listener
from ensue.data.files import read_text, unpacked_name
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.lines import LinesReader
from ensue.data.readers.named_parts import part_named
from ensue.errors import DataError
from ensue.settings import Settings


class Folders(Settings):
    """Read the files of several folders, each as a text whose label is its folder; or those of one
    folder, each line as a text whose label is the name of its file."""

    name: Literal["folders"] = "folders"
    encoding: str = "utf-8"
    """How the files are encoded, by Python's name for it."""
    max_line_length: int = 1_000_000
    """The most characters that a line may have, or a file that is one text."""

    def resolved(self, files: Sequence[Path], listener: Listener, labelled: bool = True) -> Folders:
        """Nothing is left to fill in; tells `listener` how they are read."""
        if labelled:
            place, text = (
                ("folder", "file") if len({path.parent for path in files}) > 1 else ("file", "line")
            )
            how = (
                f"read as a {place} for each class, each {text} one text; the label is the "
                f"name of the {place}"
            )
            listener.on_finding(Finding(str(files[0].parent), how))
        return self

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Make the reader of these files; labels are what their names say.

        A file is one text if files lie in more than one folder; else each line is one. Raises
        DataError.
        """
        folders = {path.parent for path in files}
        if beside := [
            path
            for path in files
            if path.parent in {above for one in folders for above in one.parents}
        ]:
            hint = "leave it out, or name the folders of the classes"
            raise DataError(
                "the file lies beside the folders of classes", where=str(beside[0]), hint=hint
            )
        if labelled:
            _refuse_parts(files, whole=len(folders) > 1)
        # Names that are alike up to their first point differ behind it: rt-polarity.neg,
        # rt-polarity.pos.
        short = len({_class_of(path, whole=False) for path in files}) > 1
        lines = partial(self._lines, short=short)
        above = commonpath(folders)
        read = (
            partial(self._whole, above=above)
            if len(folders) > 1
            else lines
            if labelled
            else self._requested
        )
        elsewhere = "name a folder with a file for each class"
        return FunctionReader(
            lambda listener: chain.from_iterable(read(path, listener) for path in files), elsewhere
        )

    def _whole(self, path: Path, listener: Listener, above: str) -> Iterator[Example]:
        text = ""
        for piece in read_text(path, self.encoding, listener):
            text += piece
            if len(text) > self.max_line_length:
                what = f"the text is longer than {self.max_line_length:,} characters"
                raise DataError(
                    what, where=str(path), hint="cut it", flag_hint="give --set max_line_length=N"
                )
        if not text.strip():
            raise DataError("the text is empty", where=str(path), hint="leave the file out")
        yield Example(
            text.rstrip("\n"),
            _class_of(path, whole=True),
            str(path),
            1,
            row={"file": str(path.relative_to(above))},
        )

    def _requested(self, path: Path, listener: Listener) -> Iterator[Example]:
        """Blank lines are among them, so that each line has its answer."""
        for line in LinesReader([path], self.encoding, self.max_line_length, blanks=True).pieces(
            listener
        ):
            yield Example(line.text, None, line.file, line.line, row={"text": line.text})

    def _lines(self, path: Path, listener: Listener, short: bool) -> Iterator[Example]:
        label = _class_of(path, whole=False) if short else unpacked_name(path).removesuffix(".txt")
        for line in LinesReader([path], self.encoding, self.max_line_length).pieces(listener):
            yield Example(line.text, label, line.file, line.line, row={"text": line.text})


def _class_of(path: Path, whole: bool) -> str:
    return path.parent.name if whole else path.name.partition(".")[0]


def _refuse_parts(files: Sequence[Path], whole: bool) -> None:
    """Raise DataError where what would be classes are the parts of data by their names: they say
    nothing of a text."""
    names = dict.fromkeys(_class_of(path, whole) for path in files)
    parts = [name for name in names if part_named(name)]
    if len(parts) > 1 or len(parts) == len(names):
        what = (
            f"{', '.join(map(repr, parts))} {'are parts' if len(parts) > 1 else 'is a part'} "
            f"of data by name, and no"
        )
        hint = (
            "begin each line with __label__CLASS, give a table with a column of labels, or a "
            "file for each class"
        )
        raise DataError(
            f"{what} class{'es' * (len(parts) > 1)}", where=str(files[0].parent), hint=hint
        )
