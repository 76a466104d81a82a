"""The data doctor: what each file is, how it is read, and what is suspicious, by file and line, with the mend."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ensue.data.contract import SILENT, Finding, Listener, Piece
from ensue.data.files import find_files
from ensue.data.settings import DataSettings, Kind
from ensue.errors import DataError

CONTROL = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")
LONG_LINE = 100_000
REPEATED = {"text": 0.3, "lines": 0.0, "table": 0.0}
"""Shares of repeated lines or records from which on they are worth a word: records may leak into the test."""


@dataclass
class FileReport:
    """What one file holds, in figures."""

    file: str
    kind: Kind
    bytes: int = 0
    """On the disk."""
    characters: int = 0
    alphabet: set[str] = field(default_factory=set)
    lines: int = 0
    """Lines of text that are not blank, or records."""
    longest: int = 0
    """Characters of the longest line or record."""
    longest_at: int = 0
    """The line on which it stands."""


@dataclass(frozen=True)
class CheckReport:
    """What is in the data. It can be trained on if there are no `problems`; `findings` are worth a look."""

    kind: Kind
    files: tuple[FileReport, ...]
    findings: tuple[Finding, ...]
    problems: tuple[Finding, ...]

    @property
    def characters(self) -> int:
        """Count all characters."""
        return sum(file.characters for file in self.files)

    @property
    def distinct(self) -> int:
        """Count all distinct characters."""
        return len(set().union(*(file.alphabet for file in self.files)))


def check(paths: Sequence[Path], data: DataSettings, context: int) -> CheckReport:
    """Read all files as `prepare` would. Raises DataError only if there is nothing to read at all."""
    findings: list[Finding] = []
    problems: list[Finding] = []
    listener = Listener(findings.append)
    files = find_files(paths, listener)
    reports: list[FileReport] = []
    kind: Kind = "text" if data.kind == "auto" else data.kind
    for path in files:
        try:
            if not reports:
                kind, _ = data.reader(files, SILENT)
            reports.append(FileReport(str(path), kind, path.stat().st_size))
            _look_at(path, data.model_copy(update={"kind": kind}), reports[-1], listener)
        except DataError as error:
            problems.append(Finding(error.where or str(path), error.what, error.mend))
    report = CheckReport(kind, tuple(reports), tuple(findings), ())
    problems += [] if problems else _too_little(report, data, context, str(paths[0]))
    return CheckReport(kind, tuple(reports), tuple(findings), tuple(problems))


def _look_at(path: Path, data: DataSettings, report: FileReport, listener: Listener) -> None:
    _, reader = data.reader([path], listener)
    look = _Look(report, listener.tell)
    for piece in reader.pieces(listener):
        look.at(piece, whole=reader.ends)
    look.finish()


def _too_little(report: CheckReport, data: DataSettings, context: int, where: str) -> list[Finding]:
    count = report.characters if report.kind == "text" else sum(file.lines for file in report.files)
    unit = "characters" if report.kind == "text" else "records"
    train = int(count * (1 - data.test - data.tune))
    if report.distinct < 2:
        return [Finding(where, f"the text has {report.distinct} distinct symbol", "give text that varies")]
    if report.kind == "text" and train <= context:
        what = f"{train:,} characters to train on are not more than the context of {context:,}"
        return [Finding(where, what, "give a longer text, or a shorter context")]
    if int(count * (1 - data.test)) == train or int(count * (1 - data.test)) == count:
        return [Finding(where, f"{count} {unit} are too few to split", "give more, or files with --valid and --test")]
    return []


class _Look:
    """Looks at one file, piece by piece, and remembers only figures."""

    def __init__(self, report: FileReport, tell: Callable[[Finding], None]) -> None:
        self.report, self.tell = report, tell
        self.seen: set[int] = set()
        self.odd: dict[str, tuple[int, int]] = {}
        self.line = self.open_length = self.open_hash = 0

    def at(self, piece: Piece, whole: bool) -> None:
        report, text = self.report, piece.text
        report.characters += len(text)
        report.alphabet |= set(text)
        self._odd("control characters", piece, CONTROL.findall(text))
        wrong = "replacement characters (U+FFFD), the trace of a wrong decoding"
        self._odd(wrong, piece, text.count("\ufffd") * "\ufffd")
        if not unicodedata.is_normalized("NFC", text):
            self._odd("stretches whose accents stand apart from their letters (not in Unicode's form NFC)", piece, [""])
        for number, part in enumerate([text] if whole else text.split("\n")):
            if number or whole:
                self._close_line()
            self.line = piece.line + number
            self.open_length += len(part)
            self.open_hash = hash((self.open_hash, part)) if part.strip() else self.open_hash

    def _odd(self, what: str, piece: Piece, found: Sequence[str]) -> None:
        if found:
            count, line = self.odd.get(what, (0, piece.line + piece.text[: piece.text.find(found[0])].count("\n")))
            self.odd[what] = count + len(found), line

    def _close_line(self) -> None:
        if self.open_length > self.report.longest:
            self.report.longest, self.report.longest_at = self.open_length, self.line
        if self.open_hash:
            self.report.lines += 1
            self.seen.add(self.open_hash)
        self.open_length = self.open_hash = 0

    def finish(self) -> None:
        report = self.report
        self._close_line()
        for what, (count, line) in self.odd.items():
            self.tell(Finding(f"{report.file}:{line}", f"{what}: {count:,}", "look at them in an editor"))
        repeated = report.lines - len(self.seen)
        unit = "lines" if report.kind == "text" else "records"
        if report.lines > 1 and len(self.seen) == 1:
            self.tell(
                Finding(
                    report.file,
                    f"all {report.lines:,} {unit} are the same",
                    "there is nothing to learn from copies: give data that varies",
                )
            )
        elif repeated > REPEATED[report.kind] * report.lines:
            what = f"{repeated:,} of {report.lines:,} {unit} repeat an earlier one"
            self.tell(Finding(report.file, what, "leave them out, unless they are meant: the test may hold copies"))
        if report.longest > LONG_LINE:
            where = f"{report.file}:{report.longest_at}"
            self.tell(Finding(where, f"the line has {report.longest:,} characters", "is it meant to be one line?"))
