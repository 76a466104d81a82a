"""What a person asks a classifier about: a file, a text, or what comes in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ensue.data.contract import SILENT, Listener
from ensue.data.files import ending, file_meant, lines_piped
from ensue.data.readers import Folders
from ensue.data.readers.listed import Listed
from ensue.data.readers.long_table import LONG_ROWS
from ensue.data.readers.rows import ROWS
from ensue.errors import DataError
from ensue.tasks.classify.model import LabelModel, Verdict


def asked_about(model: LabelModel, data: str, listener: Listener = SILENT) -> Iterator[Verdict]:
    """Give a verdict of each example of a file or folder, of each line of the standard input (-), or of a text.

    Raises DataError if there is nothing to say anything about.
    """
    if data == "-":
        lines = [line.rstrip("\r\n") for line in lines_piped() if line.strip()]
        if not lines:
            raise DataError("nothing came in", where="-", mend="give a text on each line")
        return model.verdicts(Listed(lines))
    if path := file_meant(data):
        if path.is_file() and model.data.reader.name == "table" and ending(path) not in ROWS:
            return model.verdicts(Folders().build([path], labelled=False), listener)
        return model.verdicts(model.reader([path], labelled=False), listener)
    if not data.strip():
        raise DataError("the text is empty", where="classify", mend="give some text, or a file")
    if len(data.split()) == 1 and ending(Path(data)) in (".txt", ".ts", *LONG_ROWS):
        raise DataError("there is no such file", where=data, mend="check the spelling; a text may come by way of -")
    return model.verdicts(Listed([data]))
