"""What a person asks a classifier about: a file, a text, or what comes in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ensue.data.contract import SILENT, Listener
from ensue.data.files import ending, file_meant, piped, refuse_undecoded
from ensue.data.readers import Folders
from ensue.data.readers.listed import Listed
from ensue.data.readers.long_table import LONG_ROWS
from ensue.data.readers.rows import ROWS
from ensue.errors import DataError
from ensue.tasks.classify.model import LabelModel, Verdict


def asked_about(
    model: LabelModel, data: str, listener: Listener = SILENT, columns: Mapping[str, Any] = MappingProxyType({})
) -> Iterator[Verdict]:
    """Give a verdict of each example of a file or folder, of each line of the standard input (-), or of a text.

    `columns` names those that are called otherwise than in training. Raises DataError if there is nothing to say
    anything about.
    """
    if data == "-":
        return _piped(model, listener, columns)
    refuse_undecoded(data, "classify")
    if path := file_meant(data):
        return _of_file(model, path, listener, columns)
    if not data.strip():
        raise DataError("the text is empty", where="classify", mend="give some text, or a file")
    if len(data.split()) == 1 and ending(Path(data)) in (".txt", ".ts", *LONG_ROWS):
        raise DataError("there is no such file", where=data, mend="check the spelling; a text may come by way of -")
    return model.verdicts(Listed([data]), listener)


def _piped(model: LabelModel, listener: Listener, columns: Mapping[str, Any]) -> Iterator[Verdict]:
    """Read the standard input as a file: texts line by line, and what is no text in the format of the training data."""
    names = {"long_table": "data.csv", "series_file": "data.ts"}
    with piped(listener, names.get(model.data.reader.name, "data.txt")) as (path, as_piped):
        yield from _of_file(model, path, as_piped, columns)


def _of_file(model: LabelModel, path: Path, listener: Listener, columns: Mapping[str, Any]) -> Iterator[Verdict]:
    if path.is_file() and model.data.reader.name == "table" and ending(path) not in ROWS:
        return model.verdicts(Folders().build([path], labelled=False), listener)
    return model.verdicts(model.reader([path], labelled=False, columns=columns), listener)
