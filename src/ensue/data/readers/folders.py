"""Reader of labelled texts from a folder for each class, or from a file for each class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from os.path import commonpath
from pathlib import Path
from typing import Literal

from ensue.data.contract import Listener
from ensue.data.files import get_unpacked_name, read_text
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.lines import LinesReader
from ensue.data.readers.named_parts import get_part_from_name
from ensue.errors import DataError
from ensue.settings import Settings


class Folders(Settings):
    """Read a folder for each class, with a text in each file, or a file for each class.

    With a file for each class, each of its lines is one text.
    """

    name: Literal["folders"] = "folders"
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_line_length: int = 1_000_000
    """Maximum number of characters in a line, or in a file that is one text."""

    def resolved(self, files: Sequence[Path], listener: Listener, labelled: bool = True) -> Folders:
        """Return the settings unchanged, and report to `listener` how labels are read."""
        if labelled:
            several = len({path.parent for path in files}) > 1
            place, text = ("folder", "file") if several else ("file", "line")
            how = (
                f"read as a {place} for each class, each {text} one text; the label is the "
                f"name of the {place}"
            )
            listener.report(files[0].parent, how)
        return self

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Build the reader of these files; labels are the names of folders or files.

        A file is one text if the files lie in more than one folder; else each line is one text.
        Raises DataError.
        """
        folders = {path.parent for path in files}
        if misplaced := [
            path
            for path in files
            if path.parent in {above for one in folders for above in one.parents}
        ]:
            hint = "leave it out, or name the folders of the classes"
            what = "the file is next to the folders of classes"
            raise DataError(what, where=str(misplaced[0]), hint=hint)
        if labelled:
            _refuse_parts(files, by_folder=len(folders) > 1)
        # If names are equal up to their first point, the rest is the class: rt-polarity.neg,
        # rt-polarity.pos.
        short = len({_get_class(path, by_folder=False) for path in files}) > 1
        read = partial(self._read_lines, short=short, labelled=labelled)
        if len(folders) > 1:
            read = partial(self._read_file, above=commonpath(folders))
        elsewhere = "name a folder with a file for each class"
        return FunctionReader(
            lambda listener: chain.from_iterable(read(path, listener) for path in files), elsewhere
        )

    def _read_file(self, path: Path, listener: Listener, above: str) -> Iterator[Example]:
        text = ""
        for piece in read_text(path, self.encoding, listener):
            text += piece
            if len(text) > self.max_line_length:
                what = f"the text is longer than {self.max_line_length:,} characters"
                flag_hint = "give --set max_line_length=N"
                raise DataError(what, where=str(path), hint="cut it", flag_hint=flag_hint)
        if not text.strip():
            raise DataError("the text is empty", where=str(path), hint="leave the file out")
        label, row = _get_class(path, by_folder=True), {"file": str(path.relative_to(above))}
        yield Example(text.rstrip("\n"), label, str(path), 1, row=row)

    def _read_lines(
        self, path: Path, listener: Listener, short: bool, labelled: bool
    ) -> Iterator[Example]:
        """Read each line as a text.

        Without labels, blank lines stay, so that each line gets a prediction.
        """
        full = get_unpacked_name(path).removesuffix(".txt")
        label = _get_class(path, by_folder=False) if short else full
        lines = LinesReader([path], self.encoding, self.max_line_length, blanks=not labelled)
        for line in lines.pieces(listener):
            row = {"text": line.text}
            yield Example(line.text, label if labelled else None, line.file, line.line, row=row)


def _get_class(path: Path, by_folder: bool) -> str:
    return path.parent.name if by_folder else path.name.partition(".")[0]


def _refuse_parts(files: Sequence[Path], by_folder: bool) -> None:
    """Raise DataError if the class names are names of parts, such as train and test."""
    names = dict.fromkeys(_get_class(path, by_folder) for path in files)
    parts = [name for name in names if get_part_from_name(name)]
    if len(parts) > 1 or len(parts) == len(names):
        are = "are names" if len(parts) > 1 else "is a name"
        what = f"{', '.join(map(repr, parts))} {are} of parts of the data, not of"
        hint = (
            "begin each line with __label__CLASS, give a table with a column of labels, or a "
            "file for each class"
        )
        raise DataError(f"{what} classes", where=str(files[0].parent), hint=hint)
