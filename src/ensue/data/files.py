"""Files as streams of clean text: found, decompressed, decoded, with `\\n` line breaks."""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import shlex
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, cast

from ensue.data.contract import SILENT, Finding, Listener
from ensue.data.encoding import (
    ARCHIVES,
    HINTS,
    HTML,
    PAGE,
    TWICE,
    LineByLine,
    MojibakeDetector,
    describe_binary,
    guess_encoding,
    guess_wide,
    normalise,
    second_of_mix,
)
from ensue.errors import DataError

CHUNK = 1 << 20
"""Bytes read at a time."""

SAMPLE = 1 << 16
"""Bytes that are inspected to recognise a file."""

RUN, MANIFEST = "run.toml", "manifest.json"
"""Files that mark a run folder, which may be inside the data folder."""

NOTES = ("readme", "license", "licence", "sha256sums", "md5sums", "checksums")
"""Endings of the names of files about the data; a file that is given by name is always data."""

TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}

PARQUET = b"PAR1"
"""The first bytes of a Parquet file."""

PACKED = {".gz": gzip.open, ".xz": lzma.open, ".bz2": bz2.open}
RATIO, ALWAYS_ALLOWED = 100, 16 << 20
"""Maximum expansion of a compressed file, and bytes that are always allowed.

Text compresses to a third or a tenth. A few hundred kilobytes that expand to gigabytes are a
decompression bomb, or hold nothing but copies.
"""


def find_files(paths: Sequence[Path], listener: Listener = SILENT) -> list[Path]:
    """Return all files that the paths name; in folders, all but hidden, empty and binary files.

    Files of a folder are sorted. Reports skipped files to `listener`. Raises DataError if a path
    does not exist, or a folder holds no text.
    """
    found: list[Path] = []
    for path in paths:
        # Path.exists raises OSError for a text that is given in place of a file name.
        if existing_path(str(path)) is None:
            what = "there is no such file or folder"
            raise DataError(what, where=str(path), hint="check the spelling")
        if path.is_fifo() or path.is_socket():
            hint = "write what it gives into a file, and name that"
            what = "this is a pipe, and data is read more than once"
            raise DataError(what, where=str(path), hint=hint)
        if (path / RUN).is_file() and (path / MANIFEST).is_file():
            command = shlex.join(["ensue", "resume", str(path)])
            hint = f"give data; to go on with its training, `{command}`"
            raise DataError("this is the folder of a run, not data", where=str(path), hint=hint)
        found += _list_files(path, listener) if path.is_dir() else [path]
    if not found:
        raise DataError("no data file was given", hint="name a file or a folder")
    return found


def existing_path(data: str) -> Path | None:
    """Return the named file or folder, or None if it does not exist: then `data` is a text."""
    try:
        return Path(data) if data.strip() and Path(data).exists() else None
    except OSError:  # a text that is too long for a name
        return None


@contextmanager
def spool_stdin(
    listener: Listener = SILENT, name: str | Callable[[bytes], str] = "data.txt"
) -> Iterator[tuple[Path, Listener]]:
    """Copy standard input to a temporary file of that name, so that it is read like any other file.

    `name` may be a function of the first bytes. Errors and findings name the file `-`. Raises
    DataError if there is no input.
    """
    with TemporaryDirectory(prefix="ensue-") as folder:
        chunk = _read_stdin(CHUNK)
        path = Path(folder) / (name if isinstance(name, str) else name(chunk))
        if chunk.startswith(PARQUET):
            path = path.with_suffix(".parquet")
        with path.open("wb") as file:
            while chunk:
                file.write(chunk)
                chunk = _read_stdin(CHUNK)
        if not path.stat().st_size:
            raise DataError("nothing came in", where="-", hint="give some text")

        def rename_source(one: Finding) -> None:
            listener.on_finding(replace(one, where=one.where.replace(str(path), "-")))

        try:
            yield path, replace(listener, on_finding=rename_source)
        except DataError as error:
            where = (error.where or "-").replace(str(path), "-")
            what = error.what
            raise DataError(what, where=where, hint=error.hint, flag_hint=error.flag_hint) from None


def _read_stdin(size: int) -> bytes:
    # Text decoded by the locale may hide invalid bytes; a replacement of sys.stdin may have no
    # buffer.
    raw = getattr(sys.stdin, "buffer", None)
    if raw is not None:
        return raw.read(size)
    return sys.stdin.read(size).encode("utf-8", "surrogateescape")


def refuse_undecoded(text: str, where: str) -> None:
    """Raise DataError if text of the command line has bytes that are not UTF-8."""
    if unexpected := [character for character in text if "\udc80" <= character <= "\udcff"]:
        what = f"byte 0x{ord(unexpected[0]) - 0xDC00:02X} is not UTF-8"
        raise DataError(what, where=where, hint="give it in UTF-8, or in a file that is")


def _list_files(folder: Path, listener: Listener) -> list[Path]:
    runs = sorted(path.parent for path in folder.rglob(RUN) if path.parent != folder)
    runs = [
        run
        for run in runs
        if (run / MANIFEST).is_file() and not any(other in run.parents for other in runs)
    ]
    for run in runs:
        listener.report(run, "left out, since it is a run of ensue")
    seen = [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not {*runs} & {*path.parents}
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    data = [path for path in seen if not path.name.partition(".")[0].lower().endswith(NOTES)]
    found: list[Path] = []
    for path in seen:
        reason = None if get_suffix(path) == ".parquet" else why_unreadable(path)
        if not reason and path not in data and data:
            reason = "a note on the data, by its name"
        if not reason and not get_suffix(path) and any(get_suffix(one) in TABLES for one in data):
            reason = "not a table, and the folder has tables"
        if reason:
            listener.report(path, f"left out, since it is {reason}")
        else:
            found.append(path)
    if not found:
        what = "nothing in the folder can be read as text"
        raise DataError(what, where=str(folder), hint="give text files")
    return found


def get_suffix(path: Path) -> str:
    """Return the extension of a file in lower case, without that of its compression.

    It is ".csv" for "a.CSV.gz".
    """
    return Path(get_unpacked_name(path)).suffix.lower()


def get_unpacked_name(path: Path) -> str:
    """Return the name of a file without the extension of its compression.

    It is "a.CSV" for "a.CSV.gz".
    """
    while path.suffix.lower() in PACKED:
        path = path.with_suffix("")
    return path.name


def why_unreadable(path: Path) -> str | None:
    """Return why a file cannot be read as text, or None if it can."""
    sample = next(read_chunks(path, SILENT, SAMPLE), b"")
    if not sample:
        return "empty"
    return None if guess_wide(sample) else _describe(path, sample)


def _describe(path: Path, sample: bytes) -> str | None:
    """Return what a file is by its first bytes, unpacked, or None if it can be read as text."""
    kind = describe_binary(sample)
    if kind is None and get_suffix(path) in TABLES and HTML.match(sample):
        return PAGE
    if kind in ARCHIVES.values() and path.suffix.lower() in PACKED:
        return TWICE
    return kind


def read_chunks(path: Path, listener: Listener = SILENT, size: int = CHUNK) -> Iterator[bytes]:
    """Yield the bytes of a file, decompressed by its extension. Raises DataError if that fails."""
    try:
        with open(path, "rb") as raw:
            unpack = PACKED.get(path.suffix.lower())
            file = cast("IO[bytes]", unpack(raw) if unpack else raw)
            done = held = 0
            limit = max(ALWAYS_ALLOWED, RATIO * path.stat().st_size) if unpack else None
            while chunk := file.read(size):
                held += len(chunk)
                if limit is not None and held > limit:
                    most = f"{limit >> 20:,} MB, the most for its size"
                    what = f"the {path.suffix.lower()} file unpacks to more than {most}"
                    hint = "unpack it with its own tool, and look what it is"
                    raise DataError(what, where=str(path), hint=hint)
                yield chunk
                listener.on_progress(raw.tell() - done)
                done = raw.tell()
    except (OSError, lzma.LZMAError, EOFError, zlib.error) as error:
        if isinstance(error, OSError) and error.errno is not None:
            what = f"cannot be read ({error.strerror})"
            raise DataError(what, where=str(path), hint="check its permissions") from None
        what = f"the {path.suffix.lower()} file is damaged or cut short ({str(error).lower()})"
        hint = "unpack it with its own tool to see what is left"
        with open(path, "rb") as raw:
            if (kind := describe_binary(raw.read(SAMPLE))) in HINTS:
                what, hint = f"this is {kind}, not packed data", HINTS[kind]
        raise DataError(what, where=str(path), hint=hint) from None


def read_text(path: Path, encoding: str, listener: Listener = SILENT) -> Iterator[str]:
    """Yield a file as stretches of about a million characters, with CRLF and CR as `\\n`.

    Reports changes to `listener`. Raises DataError if the file is empty, binary, or in another
    encoding.
    """
    encoding = normalise(encoding)
    line, empty, held, returns, pairs = 1, True, "", 0, 0
    wrong = None if listener.on_finding is SILENT.on_finding else MojibakeDetector()
    for text in _decode(path, encoding, listener):
        text = held + text
        # The line feed of this CR may be the first character of the next stretch.
        held = "\r" if text.endswith("\r") else ""
        text = text[: len(text) - len(held)]
        if "\0" in text:
            line += text.count("\n", 0, text.index("\0"))
            hint = "remove it, as with tr -d '\\000', if the file is text"
            raise DataError("the text contains a NUL character", where=f"{path}:{line}", hint=hint)
        if "\r" in text:
            pairs, returns = pairs + text.count("\r\n"), returns + text.count("\r")
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        if wrong is not None:
            wrong.check(text, line)
        line += text.count("\n")
        empty = empty and not text
        if text:
            yield text
    if held:
        returns, empty = returns + 1, False
        yield "\n"
    if empty:
        raise DataError("the file is empty", where=str(path), hint="give a file with some text")
    if wrong is not None and (warning := wrong.report()) is not None:
        listener.report(f"{path}:{warning[0]}", *warning[1:])
    if returns:
        kinds = {
            "CRLF": pairs,
            "CR": returns - pairs,
            "LF": line - 1 - returns + (1 if held else 0),
        }
        _report_line_ends(path, {kind: count for kind, count in kinds.items() if count}, listener)


def _report_line_ends(path: Path, kinds: dict[str, int], listener: Listener) -> None:
    mixed = "mixed line ends" if len(kinds) > 1 else "line ends"
    counts = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items())
    listener.report(path, f"{mixed} ({counts}) were read as LF")


def _decode(path: Path, encoding: str, listener: Listener) -> Iterator[str]:
    second = second_of_mix(encoding)
    decoder = LineByLine(second) if second else codecs.getincrementaldecoder(encoding)()
    lines, first = 1, True
    last = [(b"", True)]
    for chunk, final in chain(((one, False) for one in read_chunks(path, listener)), last):
        if first and not final:
            _check_kind(path, chunk[:SAMPLE], encoding)
            if encoding.startswith("utf-8") and chunk.startswith(codecs.BOM_UTF8):
                chunk = chunk[len(codecs.BOM_UTF8) :]
                listener.report(path, "the byte order mark at the beginning was left out")
        try:
            text = decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            raise _decode_error(path, error, lines, second or encoding) from None
        lines, first = lines + text.count("\n"), False
        yield text


def _check_kind(path: Path, sample: bytes, encoding: str) -> None:
    if encoding.startswith(("utf-16", "utf-32")):
        return
    name = guess_wide(sample)
    if name:
        what = f"this is {name.upper()} text, not {encoding.upper()}"
        raise DataError(what, where=str(path), **_make_hints(name))
    kind = _describe(path, sample)
    if kind:
        what = f"this is {kind}, not {'a table' if kind == PAGE else 'text'}"
        raise DataError(what, where=str(path), hint=HINTS.get(kind, "give a text file"))


def _decode_error(path: Path, error: UnicodeDecodeError, line: int, encoding: str) -> DataError:
    before, byte = error.object[: error.start], error.object[error.start]
    line += before.count(b"\n")
    # Python calls most single-byte encodings "charmap".
    name = encoding if error.encoding == "charmap" else error.encoding
    what = f"byte 0x{byte:02X} is not {name.upper()}"
    if error.encoding != "utf-8" or (
        error.end == len(error.object) and "end of data" in error.reason
    ):
        cut = "" if error.encoding != "utf-8" else ", and the file ends within a character"
        where = f"{path}:{line}"
        hint = "check the file"
        return DataError(what + cut, where=where, hint=hint, flag_hint="give --set encoding=NAME")
    sample = error.object[max(0, error.start - SAMPLE) : error.start + SAMPLE]
    return _encoding_error(path, sample, what, line)


def _encoding_error(path: Path, sample: bytes, what: str, line: int) -> DataError:
    """Return an error that names the actual encoding of a file, or of some of its lines.

    The advice was tested on the file.
    """
    count = good = wrong = 0
    unexpected = b""
    for one in _read_raw_lines(path):
        count += 1
        if one.isascii():
            continue
        if _decodes([one], "utf-8"):
            good += 1
        else:
            wrong += 1
            unexpected += one + b"\n" if len(unexpected) <= SAMPLE else b""
    names = (guess_encoding(unexpected if good else sample), ("iso-8859-1", "ISO 8859-1 (Latin-1)"))
    fitting = next((one for one in names if _decodes(_iterate_not_utf_8(path), one[0])), None)
    if fitting is None:
        where = f"{path}:{line}"
        return DataError(
            what, where=where, hint="check the file", flag_hint="give --set encoding=NAME"
        )
    name, known_as = fitting
    if not good:
        what = f"{what}; it looks like {known_as}"
        return DataError(what, where=f"{path}:{line}", **_make_hints(name))
    some = f"{wrong:,} of {count:,} lines {'is' if wrong == 1 else 'are'} not"
    what = (
        f"{what}; {some}, and look{'s' * (wrong == 1)} like {known_as}, while {good:,} have "
        f"letters in UTF-8"
    )
    hint = "rewrite those lines, because iconv over the whole file would damage the others"
    flag_hint = f"give --set encoding=utf-8+{name}, which reads each line by itself"
    return DataError(what, where=f"{path}:{line}", hint=hint, flag_hint=flag_hint)


def _read_raw_lines(path: Path) -> Iterator[bytes]:
    held = b""
    for chunk in read_chunks(path, SILENT):
        *lines, held = (held + chunk).split(b"\n")
        yield from lines
    yield from [held] if held else []


def _iterate_not_utf_8(path: Path) -> Iterator[bytes]:
    return (line for line in _read_raw_lines(path) if not _decodes([line], "utf-8"))


def _decodes(lines: Iterable[bytes], name: str) -> bool:
    try:
        return all(line.decode(name) is not None for line in lines)
    except UnicodeDecodeError:
        return False


def _make_hints(encoding: str) -> dict[str, str]:
    """Return the hints for a file in this encoding.

    iconv spells some names differently from Python.
    """
    other = encoding.replace("utf-16-", "utf-16").replace("_", "-")
    return {
        "hint": f"make it UTF-8 with iconv -f {other} -t utf-8",
        "flag_hint": f"give --set encoding={encoding}",
    }
