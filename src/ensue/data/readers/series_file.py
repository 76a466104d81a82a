"""Reader of the `.ts` files of the UEA and UCR archives (Bagnall et al. 2018, arXiv:1811.00075)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ensue.data.contract import SILENT, Listener
from ensue.data.labelled import Example, FunctionReader, LabelledReader
from ensue.data.readers.lines import read_lines
from ensue.data.tables.numbers import read_count, read_number
from ensue.data.tables.rows import check_endings
from ensue.errors import DataError
from ensue.settings import Settings

VALUE = "value"
"""Field of the steps, (steps, channels)."""

MISSING = "write ?"


class SeriesFile(Settings):
    """Read each line of `.ts` files as a sequence with its label."""

    name: Literal["series_file"] = "series_file"
    encoding: str = "utf-8"
    """Encoding of the files, by Python's name for it."""
    max_line_length: int = 10_000_000
    """Maximum number of characters in a line."""

    def resolved(
        self, files: Sequence[Path], listener: Listener, labelled: bool = True
    ) -> SeriesFile:
        """Return the settings unchanged: nothing is guessed.

        Raises DataError if a file has another extension.
        """
        check_endings(files, [".ts"])
        return self

    def build(self, files: Sequence[Path], labelled: bool = True) -> LabelledReader:
        """Build the reader of these files; their headers say whether they have labels.

        Raises DataError.
        """
        self.resolved(files, SILENT, labelled)
        return FunctionReader(lambda listener: self._number_sequences(files, listener))

    def _number_sequences(self, files: Sequence[Path], listener: Listener) -> Iterator[Example]:
        """Number the sequences of all files from 1; they have no other name."""
        sequences = chain.from_iterable(self._read_sequences(path, listener) for path in files)
        for place, one in enumerate(sequences, start=1):
            yield replace(one, row={"case": place}, case=str(place))

    def _read_sequences(self, path: Path, listener: Listener) -> Iterator[Example]:
        """Read the sequences of a file: channels split by colons, values by commas, the label last.

        `?` marks a missing value.
        """
        header, inside = _Header(), False
        lines = read_lines(path, self.encoding, self.max_line_length, listener)
        for line, text in enumerate(lines, start=1):
            text, where = text.strip(), f"{path}:{line}"
            if not text or text.startswith("#"):
                continue
            if inside:
                content, label = _parse_sequence(text, header, where)
                yield Example({VALUE: content}, label, str(path), line)
            elif text.startswith("@"):
                inside = _read_header(header, text, where)
            else:
                hint = "put a line `@data` above the sequences"
                what = "a sequence stands among the lines of the header"
                raise DataError(what, where=where, hint=hint)
        if not inside:
            what = "there is no line `@data`"
            raise DataError(what, where=str(path), hint="give a whole .ts file")


@dataclass
class _Header:
    """Header of a file: the declarations before `@data`."""

    labels: list[str] = field(default_factory=list)
    labelled: bool = False
    numeric: bool = False
    """Whether the label is a number, as in `@targetLabel true`."""
    channels: int = 0
    steps: int = 0


def _read_header(header: _Header, text: str, where: str) -> bool:
    """Read one line of the header; return true for its last one, `@data`.

    Raises DataError for a line that cannot be read.
    """
    key, *values = text.split()
    key, first = key.lower(), values[0].lower() if values else ""
    if key == "@timestamps" and first == "true":
        hint = "write a table with a row for each step instead"
        what = "sequences with time stamps are not read from .ts files"
        raise DataError(what, where=where, hint=hint)
    if key == "@classlabel":
        header.labelled = first == "true"
        header.labels = values[1:] if header.labelled else []
    elif key == "@targetlabel":
        header.labelled = header.numeric = first == "true"
    elif key == "@univariate" and first == "true":
        header.channels = 1
    elif key in ("@dimensions", "@dimension", "@serieslength"):
        if (count := read_count(first)) is None:
            raise DataError(f"{key} has no number", where=where, hint=f"write `{key} N`")
        place = "steps" if key == "@serieslength" else "channels"
        setattr(header, place, count)
    return key == "@data"


def _parse_sequence(text: str, header: _Header, where: str) -> tuple[NDArray[np.float64], Any]:
    """Parse one line into values (steps, channels) and a label.

    Raises DataError if the line contradicts the header.
    """
    channels = text.split(":")
    label: Any = channels.pop().strip() if header.labelled else None
    if header.numeric:
        label = read_number(label, "the label", where, MISSING)
    elif header.labels and label not in header.labels:
        hint = "correct it, or add it to `@classLabel true ...`"
        what = f"the label {label[:40]!r} is not one that the header lists"
        raise DataError(what, where=where, hint=hint)
    if header.channels and len(channels) != header.channels:
        some = f"{len(channels)} channel{'s' * (len(channels) != 1)}"
        what = f"the line has {some} where the header declares {header.channels}"
        raise DataError(what, where=where, hint="correct the line, or the header")
    values = [
        _parse_channel(channel, place, where) for place, channel in enumerate(channels, start=1)
    ]
    lengths = [len(channel) for channel in values]
    if len(set(lengths)) > 1:
        place = next(place for place, length in enumerate(lengths) if length != lengths[0])
        what = f"channel {place + 1} has {lengths[place]} values where channel 1 has {lengths[0]}"
        raise DataError(what, where=where, hint=f"{MISSING} where nothing was measured")
    if header.steps and lengths[0] != header.steps:
        what = f"the line has {lengths[0]} values where the header declares {header.steps}"
        hint = "correct it, or write `@equalLength false` and no `@seriesLength`"
        raise DataError(what, where=where, hint=hint)
    return np.array(values).T, label


def _parse_channel(text: str, place: int, where: str) -> list[float]:
    """Parse the values of a channel. Raises DataError that names a value that is not a number."""
    values = []
    for step, cell in enumerate(map(str.strip, text.split(",")), start=1):
        value = f"value {step} of channel {place}"
        if not cell:
            what = f"{value} is empty"
            raise DataError(what, where=where, hint=f"{MISSING} where nothing was measured")
        values.append(np.nan if cell == "?" else read_number(cell, value, where, MISSING))
    return values
