"""The check of texts, for `generate` and for examples that are texts."""

from __future__ import annotations

import re
import sys
import unicodedata
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ensue.data.check.contract import Report
from ensue.data.contract import SILENT, Piece
from ensue.data.prepare import draw_split
from ensue.data.readers.named_parts import get_part_files
from ensue.data.settings import DESCRIBED, DataSettings, TextFormat
from ensue.errors import DataError

CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
CONTROLS = frozenset(filter(CONTROL.match, map(chr, range(0x80))))
LONG_LINE = 100_000
MANY = 50_000
"""Characters from which on a table of all characters pays."""
REPEATED: dict[TextFormat, float] = {"text": 0.3, "lines": 0.0, "table": 0.0}
"""Shares of repeated lines or records that are reported: records may leak into the test part."""


def check_texts(report: Report, files: Sequence[Path], settings: Any) -> None:
    """Read all files as `prepare` would; an unreadable file does not stop the other checks."""
    looks: list[TextLook] = []
    kind: TextFormat = "text"
    for number, path in enumerate(files):
        look = TextLook(report, path, whole=False)
        looks.append(look)
        with report.attempt(path):
            if not any(look.read for look in looks):
                kind, _ = settings.data.reader(files[number:], SILENT)
            look.whole = kind != "text"
            data = settings.data.model_copy(update={"format": kind})
            _, reader = data.reader([path], report.listener)
            for piece in reader.pieces(report.listener):
                look.at(piece)
            look.finish(REPEATED[kind])
    for look in looks:
        look.whole = kind != "text"
    report.format = kind
    steps = ", or --format steps for a row per step" * (kind == "table")
    report.described = f"{DESCRIBED[kind]} (choose with --set data.format=text|lines|table{steps})"
    report.tables["files"] = [look.row() for look in looks]
    with report.attempt(files[0]):
        by_part = get_part_files("all", files, settings.data, report.listener)
        if not report.problems:
            parts = {path: part for part, own in by_part.items() for path in own}
            own = [look for look in looks if parts.get(look.path) == "all"]
            _refuse_too_little(own, kind, settings.data, parts, report.context)


def _refuse_too_little(
    looks: Sequence[TextLook],
    kind: TextFormat,
    data: DataSettings,
    parts: Mapping[Path, str],
    context: int,
) -> None:
    distinct = len(set().union(*(look.alphabet for look in looks)))
    if distinct < 2:
        raise DataError(f"the text has {distinct} distinct symbol", hint="give text that varies")
    records = None if kind == "text" else sum(look.lines for look in looks)
    split = draw_split(records, sum(look.characters for look in looks), data, parts, 0)
    train = split.sizes["train"]
    if kind == "text" and train <= context:
        what = f"{train:,} characters to train on are not more than the context of {context:,}"
        raise DataError(what, hint="give a longer text, or a shorter context")


def _find_distinct(text: str) -> set[str]:
    """Return the distinct characters; of a long text by a table, which is ten times faster."""
    if len(text) < MANY:
        return set(text)
    there = np.zeros(sys.maxunicode + 1, np.bool_)
    there[np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)] = True
    return {*map(chr, np.flatnonzero(there))}


class TextLook:
    """Statistics of one file, piece by piece; if `whole`, each piece is a record."""

    def __init__(self, report: Report, path: Path, whole: bool) -> None:
        self.report, self.path, self.whole = report.report, path, whole
        self.read = False
        """Whether the file was read to its end."""
        self.alphabet: set[str] = set()
        self.characters = self.longest = self.longest_at = 0
        self._hashes = array("q")
        """The hash of each line that is not blank: a set of them takes ten times the memory."""
        self._unusual: dict[str, tuple[int, int]] = {}
        self._line = self._open_length = self._open_hash = 0

    @property
    def lines(self) -> int:
        """Count the lines or records that are not blank."""
        return len(self._hashes)

    def row(self) -> dict[str, Any]:
        """Return the statistics, None if the file was not read to its end.

        Blank lines do not count.
        """
        sizes = {"characters": self.characters, "distinct": len(self.alphabet)}
        sizes["records" if self.whole else "lines"] = self.lines
        known = sizes if self.read else dict.fromkeys(sizes)
        return {"file": str(self.path), "bytes": self.path.stat().st_size, **known}

    def at(self, piece: Piece) -> None:
        """Add the next piece of text."""
        text, distinct = piece.text, _find_distinct(piece.text)
        self.characters += len(text)
        self.alphabet |= distinct
        if not CONTROLS.isdisjoint(distinct):
            self._note("control characters", piece, CONTROL.findall(text))
        wrong = "replacement characters (U+FFFD), which a wrong decoding leaves"
        if "\ufffd" in distinct:
            self._note(wrong, piece, text.count("\ufffd") * "\ufffd")
        if not text.isascii() and not unicodedata.is_normalized("NFC", text):
            accents = "pieces of text with combining accents (not in Unicode form NFC)"
            self._note(accents, piece, [""])
        first, *inner = [text] if self.whole else text.split("\n")
        if self.whole:
            self._close_line()
        self._open(first, piece.line)
        if inner:
            self._close_line()
            self._add_lines(inner[:-1], piece.line + 1)
            self._open(inner[-1], piece.line + len(inner))

    def _open(self, part: str, line: int) -> None:
        """Go on with the open line, which a later piece may continue."""
        self._line = line
        self._open_length += len(part)
        if part.strip():
            self._open_hash = hash((self._open_hash, part)) if self._open_hash else hash(part)

    def _add_lines(self, lines: Sequence[str], first: int) -> None:
        """Add whole lines, all at once: a large text has tens of millions."""
        lengths = [*map(len, lines)]
        if (longest := max(lengths, default=0)) > self.longest:
            self.longest, self.longest_at = longest, first + lengths.index(longest)
        self._hashes.extend([hash(line) for line in lines if line and not line.isspace()])

    def _note(self, what: str, piece: Piece, found: Sequence[str]) -> None:
        if found:
            before = piece.text[: piece.text.find(found[0])].count("\n")
            count, line = self._unusual.get(what, (0, piece.line + before))
            self._unusual[what] = count + len(found), line

    def _close_line(self) -> None:
        if self._open_length > self.longest:
            self.longest, self.longest_at = self._open_length, self._line
        if self._open_hash:
            self._hashes.append(self._open_hash)
        self._open_length = self._open_hash = 0

    def finish(self, repeated: float) -> None:
        """Report unusual content, and more repeated lines than the share `repeated`."""
        self._close_line()
        self.read = True
        for what, (count, line) in self._unusual.items():
            self.report(f"{self.path}:{line}", f"{what}: {count:,}", "look at them in an editor")
        # np.unique hashes integers anew, which takes minutes for ten millions.
        hashes = np.frombuffer(self._hashes, np.int64)
        hashes.sort()
        distinct = np.count_nonzero(np.diff(hashes)) + bool(len(hashes))
        again, unit = self.lines - distinct, "records" if self.whole else "lines"
        if self.lines > 1 and distinct == 1:
            hint = "give data that varies"
            self.report(self.path, f"all {self.lines:,} {unit} are the same", hint)
        elif again > repeated * self.lines:
            hint = "remove them unless they are intended: the test part may hold copies"
            what = f"{again:,} of {self.lines:,} {unit} repeat an earlier one"
            self.report(self.path, what, hint)
        if self.longest > LONG_LINE:
            where = f"{self.path}:{self.longest_at}"
            what = f"the line has {self.longest:,} characters"
            self.report(where, what, "is it meant to be one line?")
